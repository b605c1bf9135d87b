// Masks: a tensor body owns the mask that a layer put on it, and a symbol's mask is a symbol of its own past: edges lead back only, so
// no cycle can form. And a call's options as nodes keep them: text, with the tensors beside it.
#include <tenure/ops.h>
#include <tenure/recurrent.h>

#include "nn/layer_body.h"

namespace tenure {

using nn::Json;

Tensor mask_of(const Tensor& t) {
  auto* mask = t.body() ? const_cast<TensorBody*>(t.body()->mask()) : nullptr;
  if (mask) mask->retain(memory::Counted::kUser);
  return Tensor(mask);
}

namespace {
// `t` carrying `mask` or none: itself if nobody else sees it, else an alias.
Tensor carrying(Tensor t, TensorBody* mask) {
  if (t.body()->refs() != memory::Counted::kUser) t = thread_context.abstract ? make_abstract(t.spec()) : reshape(t, t.shape());
  t.body()->set_mask(mask);
  return t;
}
}  // namespace

Tensor with_mask(Tensor t, const Tensor& mask) {
  return !mask.defined() || t.body()->mask() == mask.body() ? t : carrying(std::move(t), mask.body());
}

Tensor without_mask(Tensor t) { return t.body()->mask() ? carrying(std::move(t), nullptr) : t; }

std::string LayerConfig::to_json() const {
  if (!layer.defined()) return "null";
  Json j = layer_json(*layer.body());
  j.erase("build_config");  // the owner builds it
  return j.dump();
}
void LayerConfig::from_json(const std::string& text) {
  const Json j = nn::parse(text, "a layer");
  layer = j.is_null() ? Layer() : layer_from(j);
}

// ---- options of a call ----------------------------------------------------------------------------------------------------------

CallPlan CallPlan::of(const Call& call, Tensors& extras) {
  auto number = [&](const Tensor& t) {
    if (!t.defined()) return -1;
    extras.push_back(t);
    return static_cast<int>(extras.size()) - 1;
  };
  CallPlan p;
  p.training = call.training, p.use_causal_mask = call.use_causal_mask, p.return_attention_scores = call.return_attention_scores;
  p.reverse = call.reverse;
  p.mask = number(call.mask);
  for (const Tensor& t : call.masks) p.masks.push_back(number(t));
  for (const Tensor& t : call.initial_state) p.initial_state.push_back(number(t));
  p.attention_mask = number(call.attention_mask);
  return p;
}

std::string CallPlan::text() const {
  Json j = Json::object();
  if (training) j["training"] = *training;
  if (mask >= 0) j["mask"] = mask;
  if (!masks.empty()) j["masks"] = masks;
  if (!initial_state.empty()) j["initial_state"] = initial_state;
  if (attention_mask >= 0) j["attention_mask"] = attention_mask;
  if (use_causal_mask) j["use_causal_mask"] = true;
  if (return_attention_scores) j["return_attention_scores"] = true;
  if (reverse) j["reverse"] = true;
  return j.empty() ? std::string() : j.dump();
}

CallPlan CallPlan::from(const std::string& text) {
  CallPlan p;
  if (text.empty()) return p;
  const Json j = nn::parse(text, "a node's arguments");
  if (j.contains("training")) p.training = j["training"].get<bool>();
  p.mask = j.value("mask", -1), p.attention_mask = j.value("attention_mask", -1);
  p.masks = j.value("masks", p.masks), p.initial_state = j.value("initial_state", p.initial_state);
  p.use_causal_mask = j.value("use_causal_mask", false), p.return_attention_scores = j.value("return_attention_scores", false);
  p.reverse = j.value("reverse", false);
  return p;
}

}  // namespace tenure

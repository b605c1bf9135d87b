// Wrappers of sequences: Bidirectional, TimeDistributed. The wrapped layers are their children.
#include "nn/recurrent.h"

namespace tenure {

using nn::Json;

namespace layers {

// ---- Bidirectional --------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Bidirectional& c) { v("merge_mode", c.merge_mode), v("layer", c.layer), v("backward_layer", c.backward_layer); }

namespace {

// A layer of the same configuration under "forward_..." or "backward_...".
Layer direction(const Layer& layer, const std::string& prefix, bool turned) {
  Json j = layer_json(body_of(layer));
  Json& config = j["config"];
  std::string name = layer.name();
  for (const char* old : {"forward_", "backward_"})
    if (name.rfind(old, 0) == 0) name = name.substr(std::string(old).size());
  config["name"] = prefix + name;
  check(config.contains("go_backwards") && config.contains("return_sequences"), Code::InvalidArgument,
        "Bidirectional: expected a recurrent layer, with go_backwards and return_sequences, got a {}", layer.class_name());
  if (turned) config["go_backwards"] = !config["go_backwards"].get<bool>();
  if (config.contains("zero_output_for_mask")) config["zero_output_for_mask"] = config["return_sequences"];
  return layer_from(j);
}

}  // namespace

class BidirectionalLayer final : public LayerOf<Bidirectional> {
 public:
  explicit BidirectionalLayer(const Bidirectional& c) : LayerOf(c) {
    check(c.layer.layer.defined(), Code::InvalidArgument, "Bidirectional: expected a layer");
    check(!c.merge_mode || *c.merge_mode == "sum" || *c.merge_mode == "mul" || *c.merge_mode == "ave" || *c.merge_mode == "concat",
          Code::InvalidArgument, "Bidirectional: expected merge_mode sum, mul, ave, concat or none, got '{}'", c.merge_mode.value_or(""));
    const Layer& given = c.backward_layer.layer;
    Layer forward = direction(c.layer.layer, "forward_", false),
          backward = direction(given.defined() ? given : c.layer.layer, "backward_", !given.defined());
    const Json a = Json::parse(forward.get_config()), b = Json::parse(backward.get_config());
    for (const char* same : {"stateful", "return_sequences", "return_state"})
      check(a[same] == b[same], Code::InvalidArgument, "Bidirectional: both layers must agree on {}", same);
    check(a["go_backwards"] != b["go_backwards"], Code::InvalidArgument, "Bidirectional: the layers must go in opposite directions");
    sequences_ = a["return_sequences"], state_ = a["return_state"];
    forward_ = nn::adopt_child(body(), "forward_layer", forward);
    backward_ = nn::adopt_child(body(), "backward_layer", backward);
    config.layer = {}, config.backward_layer = {};  // the children are they now
  }
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors& masks) override {
    if (!sequences_ || masks.empty()) return {};
    return config.merge_mode ? Tensors{masks[0]} : Tensors{masks[0], masks[0]};
  }
  void visit_config(Fields& v) override {
    Bidirectional c = config;
    c.layer = forward_.layer(), c.backward_layer = backward_.layer();
    fields(v, c);
  }
  void build_all(const std::vector<Shape>& inputs) override {
    forward_.layer().body()->build(inputs);
    backward_.layer().body()->build(inputs);
  }
  Tensors call_all(Tensors xs, const Call& c) override {
    check(xs.size() == 1, Code::InvalidArgument, "{}: expected one input, got {}; states are given as initial_state", name(), xs.size());
    Call call{.training = c.training, .mask = c.mask}, back = call;
    if (const auto n = static_cast<std::ptrdiff_t>(c.initial_state.size()); n > 0) {
      check(n % 2 == 0, Code::InvalidArgument, "{}: expected initial states of both directions, got {}", name(), n);
      call.initial_state.assign(c.initial_state.begin(), c.initial_state.begin() + n / 2);
      back.initial_state.assign(c.initial_state.begin() + n / 2, c.initial_state.end());
    }
    Tensors y = forward_(xs[0], call).items(), z = backward_(xs[0], back).items();
    if (sequences_) z[0] = flip(std::move(z[0]), {1});
    Tensors out;
    if (!config.merge_mode) out = {y[0], z[0]};
    else out.push_back(merged(y[0], z[0]));
    if (state_) {
      out.insert(out.end(), y.begin() + 1, y.end());
      out.insert(out.end(), z.begin() + 1, z.end());
    }
    return out;
  }

 private:
  Tensor merged(const Tensor& y, const Tensor& z) const {
    const std::string& mode = *config.merge_mode;
    if (mode == "concat") return concatenate({y, z}, -1);
    if (mode == "mul") return multiply(y, z);
    Tensor both = add(y, z);
    return mode == "sum" ? both : multiply(std::move(both), 0.5);
  }
  Child forward_, backward_;
  bool sequences_, state_;
};
Bidirectional::operator Layer() const { return make_layer<BidirectionalLayer>(*this); }
Outputs Bidirectional::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- TimeDistributed ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, TimeDistributed& c) { v("layer", c.layer); }

class TimeDistributedLayer final : public LayerOf<TimeDistributed> {
 public:
  explicit TimeDistributedLayer(const TimeDistributed& c) : LayerOf(c) {
    check(c.layer.layer.defined(), Code::InvalidArgument, "TimeDistributed: expected a layer");
    layer_ = nn::adopt_child(body(), "layer", c.layer.layer);
    config.layer = {};  // the child is it now
  }
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  void visit_config(Fields& v) override {
    TimeDistributed c;
    c.layer = layer_.layer();
    fields(v, c);
  }
  void build_all(const std::vector<Shape>& inputs) override {
    const Shape& in = inputs.at(0);
    check(in.rank() >= 3, Code::Shape, "{}: expected an input [batch, time, ...], got {}", name(), in);
    layer_.layer().body()->build({without_time(in)});
  }
  Tensors call_all(Tensors xs, const Call& c) override {
    check(xs.size() == 1, Code::InvalidArgument, "{}: expected one input, got {}", name(), xs.size());
    Tensor& x = xs[0];
    const Shape in = x.shape();
    const Tensor mask = layer_.layer().body()->object().takes_mask() ? c.mask : Tensor();
    if (thread_context.abstract) {
      Tensor y = layer_(make_abstract({without_time(in), x.dtype()}), {.training = c.training});
      Shape out = y.shape();
      out.insert(1, in[1]);
      return {make_abstract({out, y.dtype()})};
    }
    // As many rows as steps and batch together; but where steps see each other they go one by one.
    if (!mask.defined() && (!c.is_training() || layer_.layer().non_trainable_variables().empty())) {
      Shape rows = in.slice(2, in.rank());
      rows.insert(0, in[0] * in[1]);
      Tensor y = layer_(reshape(std::move(x), rows), {.training = c.training});
      Shape out = y.shape().slice(1, y.rank());
      out.insert(0, in[1]), out.insert(0, in[0]);
      return {reshape(std::move(y), out)};
    }
    Tensors steps = unstack(x, 1), masks = mask.defined() ? unstack(mask, 1) : Tensors(steps.size()), ys;
    for (size_t t = 0; t < steps.size(); ++t) ys.push_back(layer_(std::move(steps[t]), {.training = c.training, .mask = masks[t]}));
    return {stack(ys, 1)};
  }

 private:
  static Shape without_time(const Shape& in) {
    Shape s = in.slice(2, in.rank());
    s.insert(0, in[0]);
    return s;
  }
  Child layer_;
};
TimeDistributed::operator Layer() const { return make_layer<TimeDistributedLayer>(*this); }
Outputs TimeDistributed::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_recurrent_wrappers(LayerRegistry& r) {
  r.add<layers::Bidirectional>("Bidirectional");
  r.add<layers::TimeDistributed>("TimeDistributed");
}

}  // namespace tenure

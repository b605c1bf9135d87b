// The step: forward, loss, gradients, update, metrics, as one function of tensors that is traced once a shape.
#include "nn/step.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <tenure/ops.h>
#include <tenure/tape.h>

#include "graph/executable.h"
#include "nn/vocabulary.h"

namespace tenure {

using memory::HeldOf;

void ModelState::trace(memory::EdgeVisitor& v) const {
  v.edge(optimizer.get(), "optimizer");
  for (size_t i = 0; i < entries.size(); ++i) v.edge(entries[i].metric.get(), "metrics", static_cast<int64_t>(i));
  for (const Wanted* w : {&metrics, &weighted_metrics})
    for (const auto& list : w->items)
      for (const auto& m : list) v.edge(m.get(), w == &metrics ? "compiled metrics" : "compiled weighted metrics");
  v.user_edge(counted(train), "train step", -1);
  v.user_edge(counted(test), "test step", -1);
  v.user_edge(counted(predict), "predict step", -1);
}

namespace nn {

namespace {

// ---- what a step computes -----------------------------------------------------------------------------------------------------------

struct Arguments {
  Tensors x, y, w;  // stack-bound
};

Arguments divide_arguments(Tensors args, const Layout& l) {
  ensure(args.size() == l.x + l.y + l.w, "a step's arguments do not match their layout");
  Arguments a;
  auto take = [&](size_t from, size_t n) {
    Tensors part;
    for (size_t i = from; i < from + n; ++i) part.push_back(std::move(args[i]));
    return part;
  };
  a.x = take(0, l.x), a.y = take(l.x, l.y), a.w = take(l.x + l.y, l.w);
  return a;
}

const Tensor& weight_of(const Arguments& a, size_t output) {
  static const Tensor none;
  return a.w.empty() ? none : a.w.size() == 1 ? a.w[0] : a.w[output];
}

struct Forward {
  Tensors outputs, losses;  // stack-bound
  Tensor total;             // stack-bound
};

// The loss of an output, or null.
const Loss* loss_of(const ModelState& s, size_t output) {
  if (s.loss.items.empty()) return nullptr;
  if (!s.loss.names.empty()) {
    for (size_t i = 0; i < s.loss.names.size(); ++i)
      if (s.loss.names[i] == s.output_names[output]) return &s.loss.items[i];
    return nullptr;
  }
  return s.loss.items.size() == 1 ? &s.loss.items[0] : &s.loss.items[output];
}

void add_to(Tensor& total, Tensor term) { total = total.defined() ? add(std::move(total), std::move(term)) : std::move(term); }

Forward forward(LayerBody& model, const Arguments& a, bool training) {
  ModelState& s = *model.model();
  LossCollector collector;
  With collect(nn_context.losses, &collector);
  Forward f;
  f.outputs = model.apply(a.x, Call{training, {}}).items();
  f.losses.resize(f.outputs.size());
  for (size_t i = 0; i < f.outputs.size() && i < a.y.size(); ++i) {
    const Loss* loss = loss_of(s, i);
    if (!loss || !*loss) continue;
    f.losses[i] = (*loss)(a.y[i], f.outputs[i], weight_of(a, i));
    check(f.losses[i].rank() == 0, Code::Shape, "Model {}: the loss of output '{}' is {}; a loss to train with has one value", model.name(),
          s.output_names[i], f.losses[i].spec());
    Tensor part = f.losses[i];
    if (!s.loss_weights.empty()) part = multiply(std::move(part), s.loss_weights[i]);
    add_to(f.total, std::move(part));
  }
  model.each_weight([&](const LayerBody&, const LayerBody::OwnWeight& w) {
    if (w.regularizer && w.variable->trainable()) add_to(f.total, w.regularizer(read_variable(*w.variable)));
  });
  for (Tensor& t : collector.terms) add_to(f.total, std::move(t));
  check(f.total.defined(), Code::InvalidArgument, "Model {}: there is no loss; give one to compile()", model.name());
  return f;
}

void update_metrics(const ModelState& s, const Arguments& a, const Forward& f) {
  double batch = a.x[0].rank() > 0 ? static_cast<double>(a.x[0].shape().front()) : 1;
  for (const MetricEntry& e : s.entries) {
    if (e.output < 0) {
      e.metric->update(f.total, Tensor(batch), {});
    } else if (auto i = static_cast<size_t>(e.output); e.loss) {
      if (f.losses[i].defined()) e.metric->update(f.losses[i], Tensor(batch), {});
    } else {
      e.metric->update(a.y[i], f.outputs[i], e.weighted ? weight_of(a, i) : Tensor());
    }
  }
}

void apply_constraints(LayerBody& model) {
  model.each_weight([](const LayerBody&, const LayerBody::OwnWeight& w) {
    if (w.constraint && w.variable->trainable()) assign_variable(*w.variable, w.constraint(read_variable(*w.variable)));
  });
}

Tensors train_step(LayerBody& model, Tensors args, const Layout& layout) {
  Arguments a = divide_arguments(std::move(args), layout);
  Variables variables;
  model.collect(LayerBody::Which::trainable, variables);
  GradientTape tape;
  Logits logits;
  With note(nn_context.logits, &logits);
  Forward f = forward(model, a, true);
  OptimizerBody& optimizer = *model.model()->optimizer;
  Tensors gradients = tape.gradient(optimizer.scaled(f.total), variables);
  optimizer.apply(gradients, variables);
  apply_constraints(model);
  update_metrics(*model.model(), a, f);
  return {f.total};
}

Tensors test_step(LayerBody& model, Tensors args, const Layout& layout) {
  Arguments a = divide_arguments(std::move(args), layout);
  Logits logits;
  With note(nn_context.logits, &logits);
  Forward f = forward(model, a, false);
  update_metrics(*model.model(), a, f);
  return {f.total};
}

Tensors arguments_of(const Batch& b, Layout& layout) {
  layout = {b.x.size(), b.y.size(), b.weights.size()};
  Tensors args;
  args.reserve(layout.x + layout.y + layout.w);
  for (const Tensors* part : {&b.x, &b.y, &b.weights}) args.insert(args.end(), part->begin(), part->end());
  return args;
}

bool value_dependent(const LayerBody& l) {
  auto* v = dynamic_cast<const ValueDependent*>(&l.object());
  return (v && v->value_dependent()) ||
         std::any_of(l.children().begin(), l.children().end(), [](const auto& c) { return value_dependent(*c.layer); });
}

bool must_run_eagerly(LayerBody& model) {
  ModelState& s = *model.model();
  if (s.value_dependent.load(std::memory_order_relaxed) < 0) s.value_dependent.store(value_dependent(model) ? 1 : 0, std::memory_order_relaxed);
  return s.run_eagerly || s.value_dependent.load(std::memory_order_relaxed) == 1;
}

Tensor run(LayerBody& model, const Batch& batch, const Function& f, Tensors (*step)(LayerBody&, Tensors, const Layout&)) {
  Layout layout;
  Tensors args = arguments_of(batch, layout);
  if (must_run_eagerly(model)) return step(model, std::move(args), layout)[0];
  Static<int64_t> code{layout.code()};
  const void* values[] = {&code};
  return f.call(std::move(args), {std::to_string(code.value)}, values);
}

}  // namespace

// ---- the functions --------------------------------------------------------------------------------------------------------------------

void make_functions(LayerBody& model) {
  LayerBody* body = &model;  // raw: the body owns the functions
  ModelState& s = *model.model();
  s.train = Function([body](Tensors args, Static<int64_t> layout) { return train_step(*body, std::move(args), Layout::from(layout.value)); },
                     {.name = "train_step"});
  s.test = Function([body](Tensors args, Static<int64_t> layout) { return test_step(*body, std::move(args), Layout::from(layout.value)); },
                    {.name = "test_step"});
  s.predict = Function(
      [body](Tensors args) {
        return body->apply(std::move(args), Call{false, {}}).items();
      },
      {.name = "predict_step", .max_entries = 64});
}

ModelState& state_of(const Model& m) {
  LayerBody& b = body_of(m);
  ensure(b.model() != nullptr, "a Model without a model's state");
  return *b.model();
}

// ---- getting ready --------------------------------------------------------------------------------------------------------------------

namespace {

void check_names(const std::vector<std::string>& names, const ModelState& s, const char* what) {
  for (const std::string& n : names)
    check(std::find(s.output_names.begin(), s.output_names.end(), n) != s.output_names.end(), Code::NotFound,
          "compile: {} for '{}', but the outputs are: {}", what, n, fmt::join(s.output_names, ", "));
}

// The metrics of one output.
std::vector<HeldOf<MetricBody>> metrics_of(const ModelState::Wanted& w, const ModelState& s, size_t output) {
  if (!w.names.empty()) {
    for (size_t i = 0; i < w.names.size(); ++i)
      if (w.names[i] == s.output_names[output]) return w.items[i];
    return {};
  }
  if (w.items.empty()) return {};
  if (w.items.size() == s.output_names.size()) return w.items[output];  // a list each
  check(w.items.size() == 1 && w.items[0].size() == s.output_names.size(), Code::InvalidArgument,
        "compile: {} metrics for {} outputs; give one each, or lists by output name", w.items[0].size(), s.output_names.size());
  return {w.items[0][output]};
}

void make_entries(ModelState& s) {
  size_t outputs = s.output_names.size();
  check_names(s.loss.names, s, "a loss");
  check_names(s.metrics.names, s, "metrics");
  check_names(s.weighted_metrics.names, s, "weighted metrics");
  check(!s.loss.names.empty() || s.loss.items.size() <= 1 || s.loss.items.size() == outputs, Code::InvalidArgument,
        "compile: {} losses for {} outputs", s.loss.items.size(), outputs);
  check(s.loss_weights.empty() || s.loss_weights.size() == outputs, Code::InvalidArgument, "compile: {} loss weights for {} outputs",
        s.loss_weights.size(), outputs);
  auto mean = [](const std::string& name) { return HeldOf<MetricBody>(Metric(metrics::Mean{.name = name}).body()); };
  std::vector<MetricEntry> entries{{mean("loss"), -1, false, false, "loss"}};
  std::set<std::string> taken{"loss"};
  for (size_t i = 0; i < outputs; ++i) {
    for (bool weighted : {false, true}) {
      for (auto& m : metrics_of(weighted ? s.weighted_metrics : s.metrics, s, i)) {
        std::string label = outputs > 1 ? s.output_names[i] + "_" + m->name() : m->name(), base = label;
        if (weighted && taken.count(label)) base = label = "weighted_" + label;
        for (int n = 1; !taken.insert(label).second; ++n) label = fmt::format("{}_{}", base, n);
        entries.push_back({m, static_cast<int>(i), false, weighted, label});
      }
    }
  }
  for (size_t i = 0; outputs > 1 && i < outputs; ++i)
    if (loss_of(s, i)) entries.push_back({mean(s.output_names[i] + "_loss"), static_cast<int>(i), true, false, s.output_names[i] + "_loss"});
  s.entries = std::move(entries);
}

}  // namespace

void get_ready(LayerBody& model, const std::vector<Spec>& xs, size_t targets, bool training) {
  ModelState& s = *model.model();
  check(s.compiled, Code::InvalidArgument, "Model {}: compile() it before training or evaluating", model.name());
  std::lock_guard lock(s.mutex);
  if (s.entries.empty()) {
    std::vector<Spec> outputs = model.output_specs(xs, Call{training, {}});
    s.output_names = model.output_names;
    for (size_t i = s.output_names.size(); i < outputs.size(); ++i)
      s.output_names.push_back(outputs.size() == 1 ? "output" : fmt::format("output_{}", i + 1));
    make_entries(s);
  }
  check(targets == s.output_names.size() || (targets == 0 && s.loss.items.empty()), Code::InvalidArgument,
        "Model {}: expected targets for {} output{} ({}), got {}", model.name(), s.output_names.size(), s.output_names.size() == 1 ? "" : "s",
        fmt::join(s.output_names, ", "), targets);
  if (training && !s.optimizer->built()) {
    if (!model.built()) model.output_specs(xs, Call{true, {}});
    Variables variables;
    model.collect(LayerBody::Which::trainable, variables);
    s.optimizer->build(variables);
  }
}

Tensor run_train(LayerBody& model, const Batch& batch) { return run(model, batch, model.model()->train, train_step); }
Tensor run_test(LayerBody& model, const Batch& batch) { return run(model, batch, model.model()->test, test_step); }

Tensors run_predict(LayerBody& model, Tensors xs) {
  ModelState& s = *model.model();
  if (must_run_eagerly(model)) return model.apply(std::move(xs), Call{false, {}}).items();
  return s.predict.call(std::move(xs)).items();
}

Results results_of(const ModelState& s) {
  Results r;
  r.items.reserve(s.entries.size());
  for (const MetricEntry& e : s.entries) r.items.emplace_back(e.label, e.metric->value());
  return r;
}

void reset_metrics(ModelState& s) {
  for (const MetricEntry& e : s.entries) e.metric->reset();
}

std::vector<Spec> default_targets(const ModelState& s, const std::vector<Spec>& outputs) {
  std::vector<Spec> out;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Loss* loss = loss_of(s, i);
    bool classes = loss && loss->sparse() && outputs[i].shape.rank() > 0;
    out.push_back(classes ? Spec{outputs[i].shape.slice(0, outputs[i].shape.rank() - 1), int32} : outputs[i]);
  }
  return out;
}

// ---- looking for what is not finite ---------------------------------------------------------------------------------------------------

namespace {

bool finite(const Tensor& t) {
  if (!t.concrete() || !is_float(t.dtype())) return true;
  if (t.dtype() == float32) {
    auto values = t.data<float>();
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  }
  for (int64_t i = 0; i < t.size(); ++i)
    if (!std::isfinite(t.at(i))) return false;
  return true;
}

// Layers report innermost first, so the first to be blamed is the deepest.
class NanWatcher final : public CallWatcher {
 public:
  void called(LayerBody& layer, std::span<const Tensor> outputs) override {
    if (!blamed.empty() || std::all_of(outputs.begin(), outputs.end(), finite)) return;
    blamed = fmt::format("the output of layer {} ({})", layer.name(), layer.object().class_name());
    for (const auto& w : layer.own_weights())
      if (!finite(w.variable->read())) blamed = fmt::format("weight {} of layer {} ({})", w.name, layer.name(), layer.object().class_name());
  }
  std::string blamed;
};

}  // namespace

void find_nan(LayerBody& model, const Batch& batch, bool training) {
  Eagerly eagerly;
  NanWatcher watcher;
  for (size_t i = 0; i < batch.x.size(); ++i)
    if (!finite(batch.x[i])) watcher.blamed = fmt::format("input {}", i);
  for (size_t i = 0; i < batch.y.size() && watcher.blamed.empty(); ++i)
    if (!finite(batch.y[i])) watcher.blamed = fmt::format("target {}", i);
  if (watcher.blamed.empty()) {
    With watch(nn_context.watcher, static_cast<CallWatcher*>(&watcher));
    Layout layout;
    Tensors args = arguments_of(batch, layout);
    Forward f = forward(model, divide_arguments(std::move(args), layout), training);
    if (watcher.blamed.empty() && !finite(f.total)) watcher.blamed = "the loss";
  }
  check(watcher.blamed.empty(), Code::InvalidArgument, "Model {}: the loss is not finite; first to blame: {}", model.name(), watcher.blamed);
}

}  // namespace nn
}  // namespace tenure

// The Model handle: making models, looking into them, compiling, planning. Training loops are in fit.cc.
#include <algorithm>
#include <cstring>

#include <tenure/layers.h>

#include "nn/batches.h"
#include "nn/functional.h"
#include "nn/loss_scale.h"
#include "nn/step.h"

namespace tenure {

using memory::HeldOf;

namespace {

FunctionalObject* functional(const LayerBody& b) { return dynamic_cast<FunctionalObject*>(&b.object()); }
SequentialObject* sequential(const LayerBody& b) { return dynamic_cast<SequentialObject*>(&b.object()); }

Layer as_model(Layer l) {
  LayerBody& b = body_of(l);
  if (!b.model()) {
    b.become_model();
    nn::make_functions(b);
  }
  return l;
}

}  // namespace

// ---- making -----------------------------------------------------------------------------------------------------------------------

Model::Model(Functional graph) : Layer(as_model(make_layer<FunctionalObject>(graph))) {}
Model::Model(const Layer& layer) : Layer(as_model(layer)) {}

namespace {
Layer make_sequential(const std::vector<Layer>& layers, std::string name) {
  Layer model = make_layer<SequentialObject>(LayerOptions{std::move(name), true, {}, {}});
  for (const Layer& l : layers) static_cast<SequentialObject&>(model.body()->object()).add(l);
  return model;
}
}  // namespace

Sequential::Sequential(std::initializer_list<Layer> layers, std::string name) : Sequential(std::vector<Layer>(layers), std::move(name)) {}
Sequential::Sequential(std::vector<Layer> layers, std::string name) : Model(make_sequential(layers, std::move(name))) {}
void Sequential::add(const Layer& layer) const { static_cast<SequentialObject&>(body_of(*this).object()).add(layer); }
void Sequential::pop() const { static_cast<SequentialObject&>(body_of(*this).object()).pop(); }

// ---- looking into a model -----------------------------------------------------------------------------------------------------------

Layer Model::get_layer(std::string_view name) const {
  std::string known;
  for (const Layer& l : layers()) {
    if (l.name() == name) return l;
    known += (known.empty() ? "" : ", ") + l.name();
  }
  fail(Code::NotFound, "Model {}: no layer is named '{}'; there are: {}", this->name(), name, known);
}

Layer Model::get_layer(size_t index) const {
  std::vector<Layer> all = layers();
  check(index < all.size(), Code::InvalidArgument, "Model {}: expected a layer index below {}, got {}", name(), all.size(), index);
  return all[index];
}

namespace {

// The symbols of inputs (`first`) or outputs.
Tensors symbols(const Model& m, bool first) {
  LayerBody& b = body_of(m);
  Tensors out;
  if (auto* f = functional(b)) {
    for (size_t i = first ? 0 : f->inputs(); i < (first ? f->inputs() : b.kept.size()); ++i) out.push_back(b.kept[i].tensor());
    return out;
  }
  auto* s = sequential(b);
  check(s != nullptr, Code::InvalidArgument, "Model {}: a {} has no symbols; only functional and Sequential models have", b.name(),
        b.object().class_name());
  std::lock_guard lock(b.model()->mutex);
  s->make_symbols();
  out.push_back(first ? b.kept.front().tensor() : b.kept.back().tensor());
  return out;
}

std::vector<std::string> names_of(const Model& m, const Tensors& ts) {
  LayerBody& b = body_of(m);
  std::vector<std::string> out;
  for (const Tensor& t : ts) {
    if (b.graph) out.push_back(b.graph->operation_of(t.body()->node()).name);
    else if (const Node* n = t.body()->node(); n->callee()) out.push_back(static_cast<LayerBody*>(n->callee())->name());
  }
  return out;
}

}  // namespace

Tensors Model::inputs() const { return symbols(*this, true); }
Tensors Model::outputs() const { return symbols(*this, false); }
std::vector<std::string> Model::input_names() const { return names_of(*this, inputs()); }
std::vector<std::string> Model::output_names() const { return names_of(*this, outputs()); }

Tensor Model::output_of(std::string_view layer) const {
  inputs();  // makes a Sequential's symbols
  LayerBody& b = body_of(*this);
  LayerBody* wanted = get_layer(layer).body();
  auto is_it = [&](const TensorBody* t) { return t->symbolic() && t->node()->callee() == wanted && t->index() == 0; };
  for (const Held& h : b.kept)
    if (is_it(h.get())) return h.tensor();
  if (b.graph)
    for (const auto& s : b.graph->steps())
      for (size_t i = 0; i < s.node->inputs(); ++i)
        if (is_it(s.node->input_body(i))) return s.node->input(i);
  fail(Code::NotFound, "Model {}: layer '{}' has no symbol here", name(), layer);
}

Model Model::clone() const {
  Model copy(Layer::clone());
  return copy;
}

// ---- compiling ----------------------------------------------------------------------------------------------------------------------

namespace {
ModelState::Wanted wanted(const MetricList& list) {
  ModelState::Wanted w;
  w.names = list.names;
  for (const auto& metrics : list.items) {
    w.items.emplace_back();
    for (const Metric& m : metrics) w.items.back().emplace_back(m.body());
  }
  return w;
}
}  // namespace

void Model::compile(CompileOptions o) const {
  ModelState& s = nn::state_of(*this);
  std::lock_guard lock(s.mutex);
  check(o.optimizer.defined(), Code::InvalidArgument, "compile: the optimizer is an empty handle");
  s.optimizer = HeldOf<OptimizerBody>(scaled_for(body_of(*this), o.optimizer).body());
  s.loss = std::move(o.loss);
  s.loss_weights = std::move(o.loss_weights);
  s.metrics = wanted(o.metrics);
  s.weighted_metrics = wanted(o.weighted_metrics);
  s.entries.clear();
  s.run_eagerly = o.run_eagerly;
  s.compiled = true;
  s.file_notes.clear();
  nn::make_functions(body_of(*this));
}

bool Model::compiled() const { return nn::state_of(*this).compiled; }
Optimizer Model::optimizer() const {
  ModelState& s = nn::state_of(*this);
  check(s.optimizer.get() != nullptr, Code::InvalidArgument, "Model {}: is not compiled", name());
  return Optimizer(s.optimizer.get());
}
std::vector<Metric> Model::metrics() const {
  std::vector<Metric> out;
  for (const MetricEntry& e : nn::state_of(*this).entries) out.push_back(Metric(e.metric.get()));
  return out;
}
void Model::reset_metrics() const { nn::reset_metrics(nn::state_of(*this)); }
const Function& Model::train_function() const { return nn::state_of(*this).train; }
const Function& Model::test_function() const { return nn::state_of(*this).test; }
const Function& Model::predict_function() const { return nn::state_of(*this).predict; }
void Model::stop_training() const { nn::state_of(*this).stop = true; }

Plan Model::prepare(const PrepareOptions& o) const {
  LayerBody& b = body_of(*this);
  ModelState& s = nn::state_of(*this);
  check(!o.shapes.empty(), Code::InvalidArgument, "prepare: expected the shapes of the inputs, with the batch");
  check(o.dtypes.empty() || o.dtypes.size() == o.shapes.size(), Code::InvalidArgument, "prepare: {} dtypes for {} shapes", o.dtypes.size(),
        o.shapes.size());
  std::vector<Spec> specs;
  for (size_t i = 0; i < o.shapes.size(); ++i) {
    DType t = !o.dtypes.empty() ? o.dtypes[i] : functional(b) && i < functional(b)->inputs() ? b.kept[i].spec().dtype : b.policy().compute_dtype();
    if (auto* seq = sequential(b); seq && o.dtypes.empty() && seq->input()) t = seq->input()->dtype;
    check(o.shapes[i].known(), Code::Shape, "prepare: expected known sizes, got {}", o.shapes[i]);
    specs.push_back({o.shapes[i], t});
  }
  std::vector<Spec> outputs = b.output_specs(specs, Call{o.training, {}});
  if (!o.training) return s.predict.prepare(specs);
  std::vector<Spec> targets = o.targets.empty() ? nn::default_targets(s, outputs) : o.targets;
  nn::get_ready(b, specs, targets.size(), true);
  if (o.targets.empty()) targets = nn::default_targets(s, outputs);
  Static<int64_t> code{nn::Layout{specs.size(), targets.size(), 0}.code()};
  const void* values[] = {&code};
  specs.insert(specs.end(), targets.begin(), targets.end());
  return s.train.prepare(specs, {std::to_string(code.value)}, values);
}

// ---- single batches -----------------------------------------------------------------------------------------------------------------

namespace {
Batch batch_of(TensorList x, TensorList y, Tensor w) {
  Batch b{std::move(x).items(), std::move(y).items(), {}};
  if (w.defined()) b.weights.push_back(std::move(w));
  return b;
}
}  // namespace

Results Model::train_on_batch(TensorList x, TensorList y, Tensor sample_weight) const {
  LayerBody& b = body_of(*this);
  Batch batch = batch_of(std::move(x), std::move(y), std::move(sample_weight));
  nn::get_ready(b, specs_of(batch.x), batch.y.size(), true);
  nn::run_train(b, batch);
  return nn::results_of(*b.model());
}

Results Model::test_on_batch(TensorList x, TensorList y, Tensor sample_weight) const {
  LayerBody& b = body_of(*this);
  Batch batch = batch_of(std::move(x), std::move(y), std::move(sample_weight));
  nn::get_ready(b, specs_of(batch.x), batch.y.size(), false);
  nn::run_test(b, batch);
  return nn::results_of(*b.model());
}

Outputs Model::predict_on_batch(TensorList x) const {
  LayerBody& b = body_of(*this);
  return Outputs(nn::run_predict(b, std::move(x).items()), b.output_names);
}

void Model::predict_into(std::initializer_list<Destination> outputs, TensorList x) const {
  Tensors ys = predict(std::move(x)).items();
  check(ys.size() == outputs.size(), Code::InvalidArgument, "predict_into: {} destinations for {} outputs", outputs.size(), ys.size());
  size_t i = 0;
  for (const Destination& d : outputs) {
    const Tensor& y = ys[i++];
    check(d.dtype == y.dtype(), Code::DType, "predict_into: output {} is {}, its destination takes {}", i - 1, y.spec(), d.dtype);
    check(d.bytes == y.spec().bytes(), Code::Shape, "predict_into: output {} is {}, its destination takes {} bytes, not {}", i - 1, y.spec(), d.bytes,
          y.spec().bytes());
  }
  i = 0;
  for (const Destination& d : outputs) {
    if (d.bytes) std::memcpy(d.data, ys[i].bytes().data(), d.bytes);
    ++i;
  }
}

// ---- results ------------------------------------------------------------------------------------------------------------------------

double Results::operator[](std::string_view name) const {
  std::string known;
  for (auto& [key, value] : items) {
    if (key == name) return value;
    known += (known.empty() ? "" : ", ") + key;
  }
  fail(Code::NotFound, "results: there is no '{}'; there are: {}", name, known);
}

const std::vector<double>& History::operator[](std::string_view name) const {
  auto it = history.find(name);
  if (it != history.end()) return it->second;
  std::string known;
  for (auto& [key, value] : history) known += (known.empty() ? "" : ", ") + key;
  fail(Code::NotFound, "history: there is no '{}'; there are: {}", name, known);
}

}  // namespace tenure

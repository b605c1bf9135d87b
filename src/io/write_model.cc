#include "io/write_model.h"

#include <unordered_map>

#include "base/check.h"
#include "io/notes.h"
#include "io/operation.h"
#include "nn/metric_body.h"
#include "nn/model_state.h"
#include "nn/optimizer_body.h"

namespace tenure::io {

using Ordered = nn::Json;

namespace {

constexpr int kMaxDepth = 64;

bool is_sequential(const LayerBody& l) { return l.object().class_name() == "Sequential"; }

/// Addresses of all symbols of a graph.
class Addresses {
 public:
  explicit Addresses(const FunctionalGraph& graph) {
    for (const auto& o : graph.operations())
      for (size_t i = 0; i < o.nodes.size(); ++i) at_[o.nodes[i]] = {&o, i};
  }
  Ordered triple(const TensorBody& t) const {
    const auto& [operation, call] = at_.at(t.node());
    return Ordered::array({operation->name, call, t.index()});
  }
  /// As the lists of a model's inputs and outputs have it: there Keras counts the calls of an inner Functional from 1.
  Ordered outer_triple(const TensorBody& t) const {
    Ordered j = triple(t);
    const FunctionalGraph::Operation* operation = at_.at(t.node()).first;
    if (operation->layer && operation->layer->graph) j[1] = j[1].get<size_t>() + 1;
    return j;
  }

 private:
  std::unordered_map<const Node*, std::pair<const FunctionalGraph::Operation*, size_t>> at_;
};

Ordered number_json(const TensorBody& t) {
  if (t.spec().dtype == bool_) return t.number() != 0;
  if (is_integer(t.spec().dtype)) return static_cast<int64_t>(t.number());
  return t.number();
}

Ordered nested_values(const Tensor& t, int level, int64_t& next) {
  if (level == t.rank()) {
    const double v = t.at(next++);
    return t.dtype() == bool_ ? Ordered(v != 0) : is_integer(t.dtype()) ? Ordered(static_cast<int64_t>(v)) : Ordered(v);
  }
  Ordered list = Ordered::array();
  for (int64_t i = 0; i < t.shape()[level]; ++i) list.push_back(nested_values(t, level + 1, next));
  return list;
}

Ordered argument_json(const Tensor& t, const Addresses& addresses) {
  const TensorBody& b = *t.body();
  if (b.symbolic())
    return Ordered{
        {"class_name", "__keras_tensor__"},
        {"config", {{"shape", nn::shape_json(b.spec().shape)}, {"dtype", to_string(b.spec().dtype)}, {"keras_history", addresses.triple(b)}}}};
  if (b.weak() && b.spec().shape.rank() == 0) return number_json(b);
  int64_t next = 0;
  return Ordered{{"class_name", "__tensor__"}, {"config", {{"value", nested_values(t, 0, next)}, {"dtype", to_string(t.dtype())}}}};
}

/// Every {"$": i} and every keras tensor's index becomes the node's input i.
Ordered filled(const Ordered& j, const Node& node, const Addresses& addresses) {
  if (j.is_object() && j.contains("$")) return argument_json(node.input(j["$"].get<size_t>()), addresses);
  if (j.is_object() && j.contains("class_name") && j["class_name"] == "__keras_tensor__") {
    const Ordered config = j.value("config", Ordered::object());
    Ordered argument = argument_json(node.input(config.value("index", size_t{0})), addresses);
    if (config.value("complex", false)) argument["config"]["shape"].erase(argument["config"]["shape"].size() - 1);
    return argument;
  }
  if (!j.is_structured()) return j;
  Ordered out = j;
  for (Ordered& item : out) item = filled(item, node, addresses);
  return out;
}

/// A structure whose leaves are numbers of tensors, with those tensors in place.
template <class F>
Ordered with_leaves(const Ordered& structure, F&& leaf) {
  if (structure.is_number_integer()) return leaf(structure.get<size_t>());
  Ordered out = structure;
  for (Ordered& item : out) item = with_leaves(item, leaf);
  return out;
}

/// The structure of a model's inputs or outputs: as the file had it, else one tensor or a list.
Ordered structure_of(const LayerBody& l, const char* which, size_t count) {
  if (!l.file_notes.empty()) {
    Ordered notes = Ordered::parse(l.file_notes, nullptr, false);
    if (!notes.is_discarded() && notes.contains(which)) return notes[which];
  }
  if (count == 1) return 0;
  Ordered list = Ordered::array();
  for (size_t i = 0; i < count; ++i) list.push_back(i);
  return list;
}

size_t inputs_of(const LayerBody& l) { return dynamic_cast<FunctionalObject&>(l.object()).inputs(); }

/// A layer's call: its inputs as Keras passes them, and options that were given.
Ordered layer_call(const LayerBody& l, const Node& node, const Addresses& addresses) {
  const CallPlan plan = CallPlan::from(node.arguments());
  const std::vector<std::string> names = l.object().call_arguments();
  auto extra = [&](int i) { return i < 0 ? Ordered() : argument_json(node.extra(static_cast<size_t>(i)), addresses); };
  auto list = [&](const std::vector<int>& numbers) {
    Ordered j = Ordered::array();
    for (int i : numbers) j.push_back(extra(i));
    return j;
  };
  Ordered args = Ordered::array();
  if (!names.empty()) {
    for (size_t i = 0; i < node.inputs(); ++i) args.push_back(argument_json(node.input(i), addresses));
  } else if (l.graph) {
    args.push_back(with_leaves(structure_of(l, "input_layers", node.inputs()), [&](size_t i) { return argument_json(node.input(i), addresses); }));
  } else if (node.inputs() == 1) {
    args.push_back(argument_json(node.input(0), addresses));
  } else {
    args.push_back(Ordered::array());
    for (size_t i = 0; i < node.inputs(); ++i) args[0].push_back(argument_json(node.input(i), addresses));
  }
  Ordered kwargs = Ordered::object();
  if (plan.training) kwargs["training"] = *plan.training;
  if (plan.mask >= 0) kwargs["mask"] = extra(plan.mask);
  if (names.empty() && !plan.masks.empty()) kwargs["mask"] = list(plan.masks);
  for (size_t i = 0; i < plan.masks.size() && i < names.size(); ++i)
    if (plan.masks[i] >= 0) kwargs[names[i] + "_mask"] = extra(plan.masks[i]);
  if (plan.initial_state.size() == 1) kwargs["initial_state"] = extra(plan.initial_state[0]);
  else if (!plan.initial_state.empty()) kwargs["initial_state"] = list(plan.initial_state);
  if (plan.attention_mask >= 0) kwargs["attention_mask"] = extra(plan.attention_mask);
  if (plan.use_causal_mask) kwargs["use_causal_mask"] = true;
  if (plan.return_attention_scores) kwargs["return_attention_scores"] = true;
  if (plan.reverse) kwargs["reverse"] = true;
  return Ordered{{"args", std::move(args)}, {"kwargs", std::move(kwargs)}};
}

Ordered policy_json(const LayerBody& l) { return Ordered::parse(l.policy().to_json()); }

}  // namespace

// ---- layers and models ----------------------------------------------------------------------------------------------------------------

void ModelWriter::count(const LayerBody& layer, int depth) {
  check(depth < kMaxDepth, Code::Unsupported, "save: models nested more than {} deep", kMaxDepth);
  if (!layer.graph && !is_sequential(layer)) return;
  for (const auto& c : layer.children())
    if (uses_[c.layer.get()]++ == 0) count(*c.layer, depth + 1);
}

Ordered ModelWriter::write(const LayerBody& layer, const std::string& parent) {
  if (parent.empty()) count(layer, 0);
  const std::string path = parent.empty() ? layer.name() : parent + "/" + layer.name();
  Ordered j = layer.graph ? functional(layer, path) : is_sequential(layer) ? sequential(layer, path) : layer_json(layer);
  recall(layer, j);
  // A layer in several models has a number wherever it comes again, as Keras writes it.
  if (auto it = uses_.find(&layer); it != uses_.end() && it->second > 1)
    if (auto [id, first] = ids_.try_emplace(&layer, static_cast<int64_t>(ids_.size()) + 1); !first) j["shared_object_id"] = id->second;
  return j;
}

Ordered ModelWriter::sequential(const LayerBody& l, const std::string& path) {
  auto& object = dynamic_cast<SequentialObject&>(l.object());
  Ordered layers = Ordered::array();
  Ordered config{{"name", l.name()}, {"trainable", l.trainable()}, {"dtype", policy_json(l)}};
  Ordered shape;
  if (object.input()) {
    object.make_symbols();
    const TensorBody& in = *l.kept[0].get();
    layers.push_back(layer_json(static_cast<const LayerBody&>(*in.node()->callee())));
    shape = nn::shape_json(in.spec().shape);
  }
  for (const auto& c : l.children()) layers.push_back(write(*c.layer, path));
  config["layers"] = std::move(layers);
  if (!shape.is_null()) config["build_input_shape"] = shape;
  Ordered j = nn::envelope("keras", "Sequential", std::move(config));
  if (!shape.is_null()) j["build_config"] = Ordered{{"input_shape", shape}};
  return j;
}

Ordered ModelWriter::functional(const LayerBody& l, const std::string& path) {
  const FunctionalGraph& graph = *l.graph;
  const Addresses addresses(graph);
  Ordered layers = Ordered::array();
  for (const auto& o : graph.operations()) {
    Ordered entry = operation(o, path);
    entry["name"] = o.name;
    Ordered nodes = Ordered::array();
    for (const Node* n : o.nodes) {
      if (o.layer && n->inputs() == 0) continue;  // an Input
      if (o.layer && !is_operation(*o.layer)) {
        nodes.push_back(layer_call(*o.layer, *n, addresses));
      } else if (o.layer) {
        const Operation& op = operation_of(*o.layer);
        nodes.push_back(
            Ordered{{"args", filled(Ordered::parse(op.args), *n, addresses)}, {"kwargs", filled(Ordered::parse(op.kwargs), *n, addresses)}});
      } else if (entry.contains("$args")) {
        nodes.push_back(Ordered{{"args", filled(entry["$args"], *n, addresses)}, {"kwargs", Ordered::object()}});
      }
    }
    entry.erase("$args");
    entry["inbound_nodes"] = std::move(nodes);
    layers.push_back(std::move(entry));
  }
  const size_t inputs = inputs_of(l), outputs = l.kept.size() - inputs;
  Ordered config{{"name", l.name()}, {"trainable", l.trainable()}, {"layers", std::move(layers)}};
  config["input_layers"] = with_leaves(structure_of(l, "input_layers", inputs), [&](size_t i) { return addresses.outer_triple(*l.kept[i].get()); });
  config["output_layers"] =
      with_leaves(structure_of(l, "output_layers", outputs), [&](size_t i) { return addresses.outer_triple(*l.kept[inputs + i].get()); });
  Ordered j = nn::envelope("keras.src.models.functional", "Functional", std::move(config));
  j["registered_name"] = "Functional";
  j["build_config"] = Ordered{{"input_shape", nullptr}};
  return j;
}

Ordered ModelWriter::operation(const FunctionalGraph::Operation& o, const std::string& path) {
  if (o.layer && is_operation(*o.layer)) {
    const Operation& op = operation_of(*o.layer);
    nlohmann::json config = nlohmann::json::parse(op.config);  // in the order of names, as it was read
    config["name"] = o.name;
    Ordered j = nn::envelope(op.module, op.op, Ordered::parse(config.dump()));
    j["registered_name"] = op.op;
    return j;
  }
  if (o.layer) return write(*o.layer, path);
  try {
    KerasOp op = keras_op(*o.op);
    op.config["name"] = o.name;
    Ordered j = nn::envelope(op.module, op.class_name, std::move(op.config));
    j["registered_name"] = op.class_name;
    j["$args"] = std::move(op.args);
    return j;
  } catch (const Error& e) {
    problems_.add(fmt::format("op '{}/{}'", path, o.name), e.message(), "put it into a layer of your own");
    return Ordered::object();
  }
}

// ---- compile ------------------------------------------------------------------------------------------------------------------------------

namespace {

Ordered losses_json(const LossList& l) {
  auto one = [](const Loss& loss) { return loss ? Ordered::parse(loss.to_json()) : Ordered(); };
  if (l.items.empty()) return nullptr;
  if (!l.names.empty()) {
    Ordered j = Ordered::object();
    for (size_t i = 0; i < l.items.size(); ++i) j[l.names[i]] = one(l.items[i]);
    return j;
  }
  if (l.items.size() == 1) return one(l.items[0]);
  Ordered j = Ordered::array();
  for (const Loss& loss : l.items) j.push_back(one(loss));
  return j;
}

Ordered metrics_json(const ModelState::Wanted& w) {
  if (w.items.empty()) return nullptr;
  auto list = [](const auto& metrics) {
    Ordered j = Ordered::array();
    for (const auto& m : metrics) j.push_back(m->json());
    return j;
  };
  if (!w.names.empty()) {
    Ordered j = Ordered::object();
    for (size_t i = 0; i < w.items.size(); ++i) j[w.names[i]] = list(w.items[i]);
    return j;
  }
  if (w.items.size() == 1) return list(w.items[0]);
  Ordered j = Ordered::array();
  for (const auto& metrics : w.items) j.push_back(list(metrics));
  return j;
}

}  // namespace

Ordered compile_json(const LayerBody& model) {
  const ModelState* s = model.model();
  if (!s || !s->compiled) return Ordered::object();
  Ordered j = Ordered::object();
  j["optimizer"] = Ordered::parse(Optimizer(const_cast<OptimizerBody*>(&s->optimizer->given())).to_json());
  j["loss"] = losses_json(s->loss);
  j["loss_weights"] = s->loss_weights.empty() ? Ordered() : Ordered(s->loss_weights);
  j["metrics"] = metrics_json(s->metrics);
  j["weighted_metrics"] = metrics_json(s->weighted_metrics);
  j["run_eagerly"] = s->run_eagerly;
  j["steps_per_execution"] = 1;
  j["jit_compile"] = false;
  recall_compile(model, j);
  return j;
}

}  // namespace tenure::io

// A Functional's configuration replayed: nodes are applied to symbols in the order in which their inputs become known.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "base/check.h"
#include "io/op_arguments.h"
#include "io/operation.h"
#include "io/read_model.h"
#include "nn/functional.h"

namespace tenure::io {

namespace {

/// An output of a call of a layer: Keras' keras_history.
struct Reference {
  size_t entry, call, output;
};

struct Application {
  std::vector<Reference> inputs;  // of args, then of kwargs, as they stand
  const Json* args = nullptr;
  const Json* kwargs = nullptr;
  size_t missing = 0;                                  // inputs not yet made
  bool failed = false, done = false, complex = false;  // complex: the outputs are pairs of real and imaginary part
  Tensors outputs;                                     // stack-bound
  std::vector<std::pair<size_t, size_t>> waiting;      // calls (entry, call) that need this one
};

struct Entry {
  const Json* json;
  std::string name, class_name, path;
  bool operation = false, input = false;
  Layer layer;
  std::vector<Application> calls;
};

class Replay {
 public:
  Replay(ModelReader& reader, const Json& config, const std::string& where) : reader_(reader), config_(config), where_(where) {}

  Layer run(const std::string& name);

 private:
  void collect();
  void add_entry(const Json& json);
  void link();
  void find_references(const Json& j, std::vector<Reference>& out, int depth = 0) const;
  Reference reference(const Json& history) const;
  void apply(size_t entry, size_t call);
  void check_call(const Entry& e, Application& c);
  void apply_layer(Entry& e, Application& c);
  Call call_of(const Entry& e, const Application& c, Tensors& xs) const;
  void apply_operation(Entry& e, Application& c, size_t index);
  void finish(size_t entry, size_t call);
  const Tensor& tensor(const Reference& r) const;
  static bool any_of(const std::vector<bool>& flags) { return std::find(flags.begin(), flags.end(), true) != flags.end(); }
  std::vector<bool> complex_inputs(const Application& c) const {
    std::vector<bool> out;
    for (const Reference& r : c.inputs) out.push_back(entries_[r.entry].calls[r.call].complex);
    return out;
  }
  void flatten(const Json& structure, nn::Json& shape, Tensors& tensors, std::vector<std::string>& keys, const std::string& key = {});

  ModelReader& reader_;
  const Json& config_;
  const std::string& where_;
  std::vector<Entry> entries_;
  std::map<std::string, size_t> by_name_;
  std::deque<std::pair<size_t, size_t>> ready_;
  bool whole_ = true;
};

bool is_operation_module(const std::string& module) { return module.find(".ops") != std::string::npos; }

// ---- entries ----------------------------------------------------------------------------------------------------------------------

void Replay::add_entry(const Json& json) {
  check(json.is_object(), Code::Io, "{}: expected a layer's configuration, got {}", where_, json.dump().substr(0, 80));
  Entry e{&json, string_of(json, "name"), string_of(json, "class_name"), {}, false, false, {}, {}};
  if (e.name.empty() && json.contains("config") && json["config"].is_object()) e.name = string_of(json["config"], "name");
  check(!e.name.empty(), Code::Io, "{}: a layer ({}) without a name", where_, e.class_name);
  e.path = where_.empty() ? e.name : where_ + "/" + e.name;
  check(by_name_.try_emplace(e.name, entries_.size()).second, Code::Io, "{}: two layers are named '{}'", where_, e.name);
  e.operation = is_operation_module(string_of(json, "module"));
  e.input = e.class_name == "InputLayer";
  if (e.operation) {
    e.layer = reader_.substitute(e.name, e.class_name);
    if (!e.layer.defined() && !has_operation(e.class_name)) {
      reader_.problems().add(fmt::format("op '{}' (keras.ops {})", e.path, e.class_name), why_no_op(e.class_name), substitute_way(e.name));
      whole_ = false;
    }
  } else {
    e.layer = reader_.read(json, where_);
    whole_ &= e.layer.defined();
  }
  for (const Json& node : array_of(json, "inbound_nodes", e.path)) {
    Application c;
    check(node.is_object(), Code::Unsupported, "{}: nodes in the form of Keras 2 ({})", e.path, node.dump().substr(0, 80));
    c.args = &array_of(node, "args", e.path);
    c.kwargs = &object_of(node, "kwargs", e.path);
    e.calls.push_back(std::move(c));
  }
  if (e.input && e.calls.empty()) e.calls.emplace_back();
  entries_.push_back(std::move(e));
}

void Replay::collect() {
  const Json& layers = array_of(config_, "layers", where_);
  entries_.reserve(layers.size());
  for (const Json& json : layers) add_entry(json);
}

Reference Replay::reference(const Json& history) const {
  auto count = [](const Json& j) { return j.is_number_integer() && j.get<int64_t>() >= 0; };
  check(history.is_array() && history.size() >= 3 && history[0].is_string() && count(history[1]) && count(history[2]), Code::Io,
        "{}: expected [layer, call, output] as a tensor's origin, got {}", where_, history.dump().substr(0, 80));
  auto it = by_name_.find(history[0].get<std::string>());
  check(it != by_name_.end(), Code::Io, "{}: a tensor comes from '{}', which is not among the layers", where_, history[0].get<std::string>());
  Reference r{it->second, history[1].get<size_t>(), history[2].get<size_t>()};
  const Entry& e = entries_[r.entry];
  check(r.call < e.calls.size(), Code::Io, "{}: a tensor comes from call {} of '{}', which is called {} times", where_, r.call, e.name,
        e.calls.size());
  return r;
}

void Replay::find_references(const Json& j, std::vector<Reference>& out, int depth) const {
  check(depth < 64, Code::Io, "{}: arguments nested too deep", where_);
  if (is_keras_tensor(j))
    return out.push_back(reference(j.contains("config") && j["config"].is_object() ? j["config"].value("keras_history", Json()) : Json()));
  if (!j.is_structured()) return;
  for (const Json& item : j) find_references(item, out, depth + 1);
}

/// Counts what every call waits for. The calls of one layer stay in their order.
void Replay::link() {
  size_t nodes = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    for (size_t k = 0; k < entries_[i].calls.size(); ++k) {
      check(++nodes <= kMaxNodes, Code::Io, "{}: more than {} nodes", where_, kMaxNodes);
      Application& c = entries_[i].calls[k];
      if (c.args) find_references(*c.args, c.inputs), find_references(*c.kwargs, c.inputs);
      for (const Reference& r : c.inputs) entries_[r.entry].calls[r.call].waiting.emplace_back(i, k);
      check_call(entries_[i], c);
      c.missing = c.inputs.size();
      if (k > 0) ++c.missing, entries_[i].calls[k - 1].waiting.emplace_back(i, k);
      if (c.missing == 0) ready_.emplace_back(i, k);
    }
  }
}

// ---- calls ------------------------------------------------------------------------------------------------------------------------

const Tensor& Replay::tensor(const Reference& r) const {
  const Entry& e = entries_[r.entry];
  const Application& c = e.calls[r.call];
  check(c.done && r.output < c.outputs.size(), Code::Io, "{}: output {} of call {} of '{}' is used, which has {}", where_, r.output, r.call, e.name,
        c.outputs.size());
  return c.outputs[r.output];
}

void Replay::finish(size_t entry, size_t call) {
  Application& c = entries_[entry].calls[call];
  c.done = true;
  for (auto [i, k] : c.waiting) {
    Application& next = entries_[i].calls[k];
    next.failed |= c.failed && i != entry;
    if (--next.missing == 0) ready_.emplace_back(i, k);
  }
}

/// null, false, and structures of nothing else: what Keras writes where nobody said anything.
bool says_nothing(const Json& j) {
  if (!j.is_structured()) return j.is_null() || j == Json(false);
  return std::all_of(j.begin(), j.end(), says_nothing);
}

/// Nothing but tensors, null and lists of them.
bool only_tensors(const Json& j) {
  if (j.is_null() || is_keras_tensor(j)) return true;
  if (!j.is_structured()) return false;
  for (const Json& item : j)
    if (!only_tensors(item)) return false;
  return true;
}

bool some_tensor(const Json& j) { return only_tensors(j) && !says_nothing(j); }

/// Whether a layer called with names of its own for its arguments has this one; `suffix` follows the name.
int argument_number(const std::vector<std::string>& names, const std::string& key, const std::string& suffix = {}) {
  for (size_t i = 0; i < names.size(); ++i)
    if (key == names[i] + suffix) return static_cast<int>(i);
  return -1;
}

/// Whether the layer can be called with this keyword argument.
bool takes_argument(const LayerBase& layer, const std::string& key, const Json& value) {
  if (says_nothing(value) || (key == "training" && value.is_boolean())) return true;
  const std::vector<std::string> names = layer.call_arguments();
  if (argument_number(names, key) >= 0) return is_keras_tensor(value);
  if (key == "use_causal_mask" || key == "return_attention_scores") return value.is_boolean() && layer.takes_mask();
  if (key == "reverse") return value.is_boolean() && layer.class_name() == "ReversibleEmbedding";
  if (!some_tensor(value)) return false;
  if (key == "initial_state") return layer.takes_mask() && names.empty();
  if (key == "attention_mask" || argument_number(names, key, "_mask") >= 0) return !names.empty();
  return key == "mask" && layer.takes_mask();
}

/// Notes what a layer is called with and cannot take.
void Replay::check_call(const Entry& e, Application& c) {
  if (e.operation || !c.args || !e.layer.defined()) return;
  auto unsupported = [&](const std::string& what) {
    reader_.problems().add(described(e.path, e.class_name), what, substitute_way(e.name));
    c.failed = true;
    whole_ = false;
  };
  for (const Json& a : *c.args)
    if (!only_tensors(a)) unsupported(fmt::format("called with the constant {}", a.dump().substr(0, 80)));
  for (const auto& [key, value] : c.kwargs->items()) {
    if (takes_argument(e.layer.body()->object(), key, value)) continue;
    std::vector<Reference> tensors;
    find_references(value, tensors);
    unsupported(tensors.empty() ? fmt::format("called with {} = {}", key, value.dump().substr(0, 80))
                                : fmt::format("called with a tensor as '{}'", key));
  }
}

/// Inputs and options of a layer's call.
Call Replay::call_of(const Entry& e, const Application& c, Tensors& xs) const {
  const std::vector<std::string> names = e.layer.body()->object().call_arguments();
  auto tensors = [&](const Json& j) {
    std::vector<Reference> found;
    find_references(j, found);
    Tensors ts;
    for (const Reference& r : found) ts.push_back(tensor(r));
    return ts;
  };
  xs = tensors(*c.args);
  Call call;
  for (const auto& [key, value] : c.kwargs->items()) {
    if (says_nothing(value)) continue;  // Keras writes training = false though nobody said so
    if (key == "training") call.training = true;
    if (key == "use_causal_mask") call.use_causal_mask = true;
    if (key == "return_attention_scores") call.return_attention_scores = true;
    if (key == "reverse") call.reverse = true;
    if (key == "initial_state") call.initial_state = tensors(value);
    if (key == "attention_mask") call.attention_mask = tensors(value).at(0);
    if (key == "mask" && is_keras_tensor(value)) call.mask = tensors(value).at(0);
    if (key == "mask" && value.is_array())
      for (const Json& m : value) call.masks.push_back(m.is_null() ? Tensor() : tensors(m).at(0));
    if (int i = argument_number(names, key); i >= 0) {
      check(static_cast<size_t>(i) <= xs.size(), Code::Unsupported, "called with '{}' and without an argument before it", key);
      xs.insert(xs.begin() + i, tensors(value).at(0));
    }
    if (int i = argument_number(names, key, "_mask"); i >= 0) {
      if (call.masks.size() <= static_cast<size_t>(i)) call.masks.resize(static_cast<size_t>(i) + 1);
      call.masks[static_cast<size_t>(i)] = tensors(value).at(0);
    }
  }
  return call;
}

void Replay::apply_layer(Entry& e, Application& c) {
  if (e.input && c.inputs.empty()) {
    c.outputs = {symbol_of(e.layer)};
    return;
  }
  check(!any_of(complex_inputs(c)), Code::Unsupported, "a layer called with complex numbers");
  Tensors xs;
  const Call options = call_of(e, c, xs);
  c.outputs = e.layer(TensorList(std::move(xs)), options).items();
}

/// The call's arguments with numbered placeholders for tensors.
Json numbered(const Json& j, size_t& next, const std::vector<bool>& complex) {
  if (is_keras_tensor(j)) {
    Json config{{"index", next}};
    if (complex[next++]) config["complex"] = true;
    return Json{{"class_name", "__keras_tensor__"}, {"config", config}};
  }
  if (!j.is_structured()) return j;
  Json out = j;
  for (Json& item : out) item = numbered(item, next, complex);
  return out;
}

void Replay::apply_operation(Entry& e, Application& c, size_t index) {
  Tensors xs;
  for (const Reference& r : c.inputs) xs.push_back(tensor(r));
  const std::vector<bool> complex = complex_inputs(c);
  if (e.layer.defined() && !is_operation(*e.layer.body())) {
    c.outputs = e.layer(TensorList(std::move(xs))).items();
    return;
  }
  size_t next = 0;
  // Layers cast their float inputs to their own type; an op takes them as they are.
  std::optional<DType> type;
  for (const Tensor& x : xs)
    if (is_float(x.dtype())) type = type ? promote(*type, x.dtype()) : x.dtype();
  Json args = numbered(*c.args, next, complex), kwargs = numbered(*c.kwargs, next, complex);
  Operation op{string_of(*e.json, "module"),
               e.class_name,
               object_of(*e.json, "config", e.path).dump(),
               args.dump(),
               kwargs.dump(),
               index == 0 ? e.name : fmt::format("{}_call_{}", e.name, index),
               true,
               DTypePolicy(type.value_or(float32))};
  c.complex = gives_complex(e.class_name, any_of(complex));
  if (e.layer.defined()) {
    const Operation& first = operation_of(*e.layer.body());
    if (first.args == op.args && first.kwargs == op.kwargs && first.dtype == op.dtype) {
      c.outputs = e.layer(TensorList(std::move(xs))).items();
      return;
    }
  }
  Layer layer = op;
  c.outputs = layer(TensorList(std::move(xs))).items();
  if (!e.layer.defined()) e.layer = std::move(layer);
}

void Replay::apply(size_t entry, size_t call) {
  Entry& e = entries_[entry];
  Application& c = e.calls[call];
  const bool ready = !c.failed && (e.layer.defined() || (e.operation && has_operation(e.class_name)));
  if (ready) {
    try {
      if (e.operation) apply_operation(e, c, call);
      else apply_layer(e, c);
    } catch (const Error& error) {
      if (error.code() != Code::Unsupported) throw;
      reader_.problems().add(e.operation ? fmt::format("op '{}' (keras.ops {})", e.path, e.class_name) : described(e.path, e.class_name),
                             error.message(), substitute_way(e.name));
      c.failed = true;
    }
  }
  c.failed |= c.outputs.empty();
  whole_ &= !c.failed;
}

// ---- inputs and outputs ---------------------------------------------------------------------------------------------------------------

bool is_triple(const Json& j) { return j.is_array() && j.size() == 3 && j[0].is_string() && j[1].is_number_integer() && j[2].is_number_integer(); }

/// Tensors of a structure in order; `shape` is the structure with their numbers in it, `keys` what a dictionary calls them.
void Replay::flatten(const Json& structure, nn::Json& shape, Tensors& tensors, std::vector<std::string>& keys, const std::string& key) {
  if (is_triple(structure)) {
    // Keras counts the calls of an inner Functional from 1 here (number 0 is how it was made), and from 0 everywhere else.
    Json history = structure;
    if (auto it = by_name_.find(history[0].get<std::string>()); it != by_name_.end() && history[1] != 0) {
      const std::string& inner = entries_[it->second].class_name;
      if (inner == "Functional" || inner == "Model") history[1] = history[1].get<int64_t>() - 1;
    }
    const Reference r = reference(history);
    check(where_.find('/') == std::string::npos || !entries_[r.entry].calls[r.call].complex, Code::Unsupported,
          "{}: complex numbers as an output of a model inside another", where_);
    shape = tensors.size();
    tensors.push_back(tensor(r));
    keys.push_back(key);
    return;
  }
  check(structure.is_structured() && tensors.size() < kMaxLayers, Code::Io, "{}: expected tensors as inputs and outputs, got {}", where_,
        structure.dump().substr(0, 80));
  shape = structure.is_object() ? nn::Json::object() : nn::Json::array();
  if (structure.is_object()) {
    for (const auto& [k, item] : structure.items()) flatten(item, shape[k], tensors, keys, k);
  } else {
    for (const Json& item : structure) flatten(item, shape.emplace_back(), tensors, keys, key);
  }
}

Layer Replay::run(const std::string& name) {
  collect();
  link();
  size_t done = 0, all = 0;
  for (const Entry& e : entries_) all += e.calls.size();
  for (; !ready_.empty(); ++done) {
    auto [entry, call] = ready_.front();
    ready_.pop_front();
    apply(entry, call);
    finish(entry, call);
  }
  check(done == all, Code::Io, "{}: {} calls of layers wait for each other in a circle", where_, all - done);
  if (!whole_) return {};
  for (const char* member : {"input_layers", "output_layers"})
    check(config_.contains(member), Code::Io, "{}: expected '{}' in the configuration", where_, member);
  Tensors inputs, outputs;
  std::vector<std::string> input_keys, output_keys;
  nn::Json structure = nn::Json::object();
  flatten(config_["input_layers"], structure["input_layers"], inputs, input_keys);
  flatten(config_["output_layers"], structure["output_layers"], outputs, output_keys);
  check(!outputs.empty(), Code::Io, "{}: a model without outputs", where_);
  const bool frozen = config_.value("trainable", Json()) == Json(false);
  Model model(Functional{.inputs = inputs, .outputs = outputs, .name = name, .trainable = !frozen});
  if (config_["output_layers"].is_object()) model.body()->output_names = output_keys;
  model.body()->file_notes = structure.dump();
  return model;
}

}  // namespace

Layer read_functional(ModelReader& reader, const Json& config, const std::string& where, const std::string& name) {
  return Replay(reader, config, where).run(name);
}

}  // namespace tenure::io

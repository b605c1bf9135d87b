#include "io/dialect.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/check.h"
#include "io/op_arguments.h"
#include "io/operation.h"
#include "io/read_model.h"

namespace tenure::io {

namespace {

constexpr int kDeepest = 64;

bool is_model_class(const std::string& class_name) { return class_name == "Sequential" || class_name == "Functional" || class_name == "Model"; }

Json keras_tensor(const Json& layer, const Json& call, const Json& output) {
  return {{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", Json::array({layer, call, output})}}}};
}

// ---- TensorFlow functions on symbols (Keras 2: TFOpLambda, SlicingOpLambda) ------------------------------------------------------------

/// A function of TensorFlow as an op of keras.ops: names of its arguments there, by those of TensorFlow.
struct Function {
  const char* op;
  std::vector<std::pair<const char*, const char*>> arguments = {};
};

const std::map<std::string, Function>& functions() {
  static const std::vector<std::pair<const char*, const char*>> none, axis = {{"axis", "axis"}, {"keepdims", "keepdims"}},
                                                                      two = {{"y", "x2"}, {"x2", "x2"}, {"b", "x2"}, {"other", "x2"}};
  static const std::map<std::string, Function> all = {
      {"math.add", {"Add", two}},
      {"__operators__.add", {"Add", two}},
      {"math.subtract", {"Subtract", two}},
      {"math.multiply", {"Multiply", two}},
      {"math.truediv", {"TrueDivide", two}},
      {"math.divide", {"Divide", two}},
      {"math.floordiv", {"FloorDivide", two}},
      {"math.floormod", {"Mod", two}},
      {"math.pow", {"Power", two}},
      {"math.maximum", {"Maximum", two}},
      {"math.minimum", {"Minimum", two}},
      {"math.equal", {"Equal", two}},
      {"math.not_equal", {"NotEqual", two}},
      {"__operators__.eq", {"Equal", two}},
      {"__operators__.ne", {"NotEqual", two}},
      {"math.greater", {"Greater", two}},
      {"math.greater_equal", {"GreaterEqual", two}},
      {"math.less", {"Less", two}},
      {"math.less_equal", {"LessEqual", two}},
      {"math.logical_and", {"LogicalAnd", two}},
      {"math.logical_or", {"LogicalOr", two}},
      {"math.logical_not", {"LogicalNot"}},
      {"linalg.matmul", {"Matmul", two}},
      {"math.negative", {"Negative"}},
      {"math.abs", {"Absolute"}},
      {"math.exp", {"Exp"}},
      {"math.log", {"Log"}},
      {"math.log1p", {"Log1p"}},
      {"math.sqrt", {"Sqrt"}},
      {"math.rsqrt", {"Rsqrt"}},
      {"math.square", {"Square"}},
      {"math.sin", {"Sin"}},
      {"math.cos", {"Cos"}},
      {"math.tanh", {"Tanh"}},
      {"math.erf", {"Erf"}},
      {"math.sign", {"Sign"}},
      {"math.floor", {"Floor"}},
      {"math.ceil", {"Ceil"}},
      {"math.sigmoid", {"Sigmoid"}},
      {"math.softplus", {"Softplus"}},
      {"math.reduce_mean", {"Mean", axis}},
      {"math.reduce_sum", {"Sum", axis}},
      {"math.reduce_max", {"Max", axis}},
      {"math.reduce_min", {"Min", axis}},
      {"math.reduce_prod", {"Prod", axis}},
      {"math.reduce_std", {"Std", axis}},
      {"math.reduce_variance", {"Var", axis}},
      {"math.reduce_all", {"All", axis}},
      {"math.reduce_any", {"Any", axis}},
      {"math.reduce_logsumexp", {"Logsumexp", axis}},
      {"math.argmax", {"Argmax", axis}},
      {"math.argmin", {"Argmin", axis}},
      {"math.cumsum", {"Cumsum", {{"axis", "axis"}}}},
      {"nn.relu", {"Relu"}},
      {"nn.relu6", {"Relu6"}},
      {"nn.silu", {"Silu"}},
      {"nn.swish", {"Silu"}},
      {"nn.elu", {"Elu"}},
      {"nn.selu", {"Selu"}},
      {"nn.gelu", {"Gelu", {{"approximate", "approximate"}}}},
      {"nn.leaky_relu", {"LeakyRelu", {{"alpha", "negative_slope"}}}},
      {"nn.softmax", {"Softmax", {{"axis", "axis"}}}},
      {"nn.log_softmax", {"LogSoftmax", {{"axis", "axis"}}}},
      {"nn.sigmoid", {"Sigmoid"}},
      {"nn.tanh", {"Tanh"}},
      {"nn.softsign", {"Softsign"}},
      {"clip_by_value", {"Clip", {{"clip_value_min", "x_min"}, {"clip_value_max", "x_max"}}}},
      {"cast", {"Cast", {{"dtype", "dtype"}}}},
      {"reshape", {"Reshape", {{"shape", "newshape"}}}},
      {"transpose", {"Transpose", {{"perm", "axes"}}}},
      {"expand_dims", {"ExpandDims", {{"axis", "axis"}}}},
      {"squeeze", {"Squeeze", {{"axis", "axis"}}}},
      {"concat", {"Concatenate", {{"axis", "axis"}}}},
      {"stack", {"Stack", {{"axis", "axis"}}}},
      {"unstack", {"Unstack", {{"num", "num"}, {"axis", "axis"}}}},
      {"split", {"Split", {{"num_or_size_splits", "indices_or_sections"}, {"axis", "axis"}}}},
      {"tile", {"Tile", {{"multiples", "repeats"}}}},
      {"pad", {"Pad", {{"paddings", "pad_width"}, {"constant_values", "constant_values"}}}},
      {"broadcast_to", {"BroadcastTo", {{"shape", "shape"}}}},
      {"where", {"Where", {{"x", "x1"}, {"y", "x2"}}}},
      {"gather", {"Take", {{"indices", "indices"}, {"axis", "axis"}}}},
      {"one_hot", {"OneHot", {{"depth", "num_classes"}, {"axis", "axis"}, {"dtype", "dtype"}}}},
      {"zeros_like", {"ZerosLike"}},
      {"ones_like", {"OnesLike"}},
      {"identity", {"Copy"}},
      {"stop_gradient", {"StopGradient"}},
  };
  return all;
}

/// {"start", "stop", "step"} and numbers of a SlicingOpLambda as GetItem has them.
Json slice_key(const Json& spec) {
  if (!spec.is_array()) return spec;
  Json key = Json::array();
  for (const Json& item : spec) {
    if (item.is_object() && item.contains("start")) {
      key.push_back({{"class_name", "__slice__"},
                     {"config", {{"start", item["start"]}, {"stop", item.value("stop", Json())}, {"step", item.value("step", Json())}}}});
    } else if (item.is_object() && item.value("type", Json()) == Json("Ellipsis")) {
      key.push_back({{"class_name", "__ellipsis__"}, {"config", Json::object()}});
    } else {
      key.push_back(item);
    }
  }
  return key;
}

// ---- nodes ----------------------------------------------------------------------------------------------------------------------------

/// A node of Keras 2 in parts: tensors in order, then keywords.
struct OldNode {
  Json tensors = Json::array(), keywords = Json::object();
  bool list = false;  // the layer was given a list
};

class Modernizer {
 public:
  explicit Modernizer(Problems& problems) : problems_(problems) {}

  Json layer(const Json& old, int depth) {
    check(depth < kDeepest, Code::Io, "models nested more than {} deep", kDeepest);
    check(old.is_object(), Code::Io, "expected a layer's configuration, got {}", old.dump().substr(0, 80));
    Json out = old;
    std::string class_name = string_of(out, "class_name");
    if (size_t mark = class_name.find('>'); mark != std::string::npos) {
      out["registered_name"] = class_name;
      class_name = class_name.substr(mark + 1);
      out["class_name"] = class_name;
    }
    if (out.contains("config") && out["config"].is_array() && class_name == "Sequential") out["config"] = Json{{"layers", out["config"]}};
    if (!out.contains("config") || !out["config"].is_object()) return out;  // the reader says what is wrong
    Json& config = out["config"];
    if (!out.contains("module")) out["module"] = module_of(class_name, config);
    if (class_name == "TFOpLambda" || class_name == "SlicingOpLambda") return function(std::move(out));
    if (is_model_class(class_name) && config.contains("layers")) {
      if (class_name == "Model") out["class_name"] = "Functional";
      model(class_name == "Sequential", config, depth);
    } else {
      settings(class_name, config, depth);
    }
    if (out.contains("inbound_nodes") && out["inbound_nodes"].is_array())
      for (Json& node : out["inbound_nodes"]) node = modern_node(node, class_name);
    return out;
  }

 private:
  /// A layer of Keras, an op of keras.ops (whose configuration has no "trainable"), or the application's own.
  static std::string module_of(const std::string& class_name, const Json& config) {
    if (!config.contains("trainable") && class_name != "InputLayer" && !is_model_class(class_name) && find_op(class_name)) return "keras.src.ops";
    if (is_model_class(class_name)) return "keras";
    const LayerRegistry& registry = LayerRegistry::global();
    return registry.contains(class_name) && registry.package(class_name).empty() ? "keras.layers" : "";
  }

  void model(bool sequential, Json& config, int depth) {
    if (!config["layers"].is_array()) return;
    Json layers = Json::array();
    bool first = true;
    for (const Json& item : config["layers"]) {
      if (sequential && first && item.is_object() && item.contains("config") && item["config"].is_object() &&
          string_of(item, "class_name") != "InputLayer" && item["config"].contains("batch_input_shape"))
        layers.push_back({{"module", "keras.layers"},
                          {"class_name", "InputLayer"},
                          {"config",
                           {{"batch_shape", item["config"]["batch_input_shape"]},
                            {"dtype", item["config"].value("dtype", Json("float32"))},
                            {"name", string_of(item["config"], "name") + "_input"}}}});
      first = false;
      layers.push_back(layer(item, depth + 1));
    }
    if (!sequential && std::any_of(config["layers"].begin(), config["layers"].end(), has_old_nodes)) count_from_zero(layers, config);
    config["layers"] = std::move(layers);
  }

  static bool has_old_nodes(const Json& item) {
    auto it = item.find("inbound_nodes");
    return it != item.end() && it->is_array() && std::any_of(it->begin(), it->end(), [](const Json& node) { return node.is_array(); });
  }

  /// Keras 2 counts the calls of an inner model that has an InputLayer from 1: number 0 is how it was made.
  static void count_from_zero(Json& layers, Json& config) {
    std::set<std::string> from_one;
    for (const Json& l : layers) {
      const Json config_of = l.value("config", Json()), inner = config_of.is_object() ? config_of.value("layers", Json()) : Json();
      const std::string name = string_of(l, "name");
      if (is_model_class(string_of(l, "class_name")) && inner.is_array() && !inner.empty() && string_of(inner[0], "class_name") == "InputLayer")
        from_one.insert(name.empty() ? string_of(config_of, "name") : name);
    }
    if (from_one.empty()) return;
    std::function<void(Json&)> count = [&](Json& j) {
      if (is_old_tensor(j)) {
        if (from_one.count(j[0].get<std::string>()) && j[1].get<int64_t>() > 0) j[1] = j[1].get<int64_t>() - 1;
      } else if (j.is_structured()) {
        for (Json& item : j) count(item);
      }
    };
    for (Json& l : layers)
      if (auto it = l.find("inbound_nodes"); it != l.end()) count(*it);
    // Keras 3 counts from 1 in these two lists, too, where the inner model is a Functional.
    for (const Json& l : layers)
      if (string_of(l, "class_name") != "Sequential")
        from_one.erase(string_of(l, "name")), from_one.erase(string_of(l.value("config", Json()), "name"));
    for (const char* member : {"input_layers", "output_layers"})
      if (auto it = config.find(member); it != config.end()) count(*it);
  }

  /// What Keras 2 calls otherwise in a layer's own configuration.
  void settings(const std::string& class_name, Json& config, int depth) {
    if (class_name == "InputLayer" && config.contains("batch_input_shape")) config["batch_shape"] = config["batch_input_shape"];
    config.erase("batch_input_shape");
    if (auto it = config.find("dtype"); it != config.end() && it->is_object() && string_of(*it, "class_name") == "Policy")
      *it = it->value("config", Json::object()).value("name", Json("float32"));
    auto drop = [&](std::initializer_list<const char*> names) {
      for (const char* n : names) config.erase(n);
    };
    auto rename = [&](const char* from, const char* to) {
      if (auto it = config.find(from); it != config.end() && !config.contains(to)) config[to] = *it;
      config.erase(from);
    };
    if (class_name == "BatchNormalization" && config.contains("axis") && config["axis"].is_array() && config["axis"].size() == 1)
      config["axis"] = Json(config["axis"][0]);
    if (class_name == "LeakyReLU") rename("alpha", "negative_slope");
    if (class_name == "Embedding") drop({"input_length"});
    if (class_name == "MultiHeadAttention") drop({"query_shape", "key_shape", "value_shape"});
    const bool recurrent =
        class_name.find("LSTM") != std::string::npos || class_name.find("GRU") != std::string::npos || class_name.find("RNN") != std::string::npos;
    if (recurrent) {
      drop({"implementation"});
      if (class_name.compare(0, 3, "GRU") == 0 && !config.contains("reset_after")) config["reset_after"] = false;
    }
    for (const char* inner : {"layer", "backward_layer", "cell", "forward_layer"})
      if (auto it = config.find(inner); it != config.end() && it->is_object() && it->contains("class_name")) *it = layer(*it, depth + 1);
    if (auto it = config.find("cells"); it != config.end() && it->is_array())
      for (Json& cell : *it) cell = layer(cell, depth + 1);
  }

  // ---- calls ----

  /// [layer, call, output] or with keywords behind.
  static bool is_old_tensor(const Json& j) {
    return j.is_array() && (j.size() == 3 || j.size() == 4) && j[0].is_string() && j[1].is_number_integer() && j[2].is_number_integer() &&
           (j.size() == 3 || j[3].is_object());
  }
  static Json old_value(const Json& j, int depth = 0) {
    check(depth < kDeepest, Code::Io, "arguments nested too deep");
    if (is_old_tensor(j)) return keras_tensor(j[0], j[1], j[2]);
    if (!j.is_array()) return j;
    if (j.size() >= 3 && j[0] == Json("_CONSTANT_VALUE")) return j[2];
    Json out = Json::array();
    for (const Json& item : j) out.push_back(old_value(item, depth + 1));
    return out;
  }
  static void add_tensor(const Json& j, OldNode& node) {
    const bool constant = j.is_array() && j.size() >= 3 && j[0] == Json("_CONSTANT_VALUE");
    check(constant || is_old_tensor(j), Code::Io, "expected [layer, call, output, arguments] as a tensor's origin, got {}", j.dump().substr(0, 80));
    node.tensors.push_back(constant ? Json(j[2]) : keras_tensor(j[0], j[1], j[2]));
    if (j.size() > 3 && j[3].is_object())
      for (const auto& [key, value] : j[3].items()) node.keywords[key] = old_value(value);
  }
  static OldNode parts(const Json& old) {
    OldNode node;
    if (!old.empty() && old[0].is_string()) {
      add_tensor(old, node);
    } else {
      for (const Json& t : old) add_tensor(t, node);
      node.list = old.size() > 1;
    }
    return node;
  }

  static Json modern_node(const Json& old, const std::string& class_name) {
    if (!old.is_array()) return old;
    OldNode node = parts(old);
    Json args = Json::array(), keywords = Json::object();
    for (const auto& [key, value] : node.keywords.items())
      if (!value.is_null()) keywords[key] = value;
    const bool recurrent =
        class_name == "RNN" || class_name == "SimpleRNN" || class_name == "GRU" || class_name == "LSTM" || class_name == "Bidirectional";
    if (recurrent && node.tensors.size() > 1) {
      args.push_back(node.tensors[0]);
      keywords["initial_state"] = Json(node.tensors.begin() + 1, node.tensors.end());
    } else if (class_name == "MultiHeadAttention") {
      args = node.tensors;
      for (const char* key : {"value", "key"})
        if (auto it = keywords.find(key); it != keywords.end() && is_keras_tensor(*it)) {
          args.push_back(*it);
          keywords.erase(key);
        } else if (std::string_view(key) == "value") {
          break;
        }
    } else if (node.list) {
      args.push_back(node.tensors);
    } else {
      args = node.tensors;
    }
    return {{"args", std::move(args)}, {"kwargs", std::move(keywords)}};
  }

  /// A function of TensorFlow that was called on symbols.
  Json function(Json out) {
    std::string called = string_of(out["config"], "function");
    if (called.compare(0, 10, "compat.v1.") == 0) called = called.substr(10);
    const std::string name = string_of(out["config"], "name");
    const bool slicing = string_of(out, "class_name") == "SlicingOpLambda" || called == "__operators__.getitem";
    auto it = functions().find(called);
    if (!slicing && it == functions().end()) {
      problems_.add(described(name, "TFOpLambda"), fmt::format("TensorFlow's function '{}' on a symbol is not here yet", called),
                    substitute_way(name));
      if (out.contains("inbound_nodes") && out["inbound_nodes"].is_array())
        for (Json& node : out["inbound_nodes"]) node = modern_node(node, "");
      return out;
    }
    out["module"] = "keras.src.ops";
    out["class_name"] = slicing ? "GetItem" : it->second.op;
    out["config"] = Json{{"name", name}};
    if (!out.contains("inbound_nodes") || !out["inbound_nodes"].is_array()) return out;
    for (Json& old : out["inbound_nodes"]) {
      if (!old.is_array()) continue;
      OldNode node = parts(old);
      Json args = Json::array(), keywords = Json::object();
      if (slicing) {
        args = Json::array({node.tensors[0], slice_key(node.keywords.value("slice_spec", Json()))});
        old = {{"args", std::move(args)}, {"kwargs", std::move(keywords)}};
        continue;
      }
      const std::string op = it->second.op;
      const bool of_list = op == "Concatenate" || op == "Stack";
      if (of_list) args.push_back(node.tensors);
      else args = node.tensors;
      for (const auto& [key, value] : node.keywords.items()) {
        if (key == "name" || value.is_null() || (key == "conjugate" && value == Json(false))) continue;
        auto known = std::find_if(it->second.arguments.begin(), it->second.arguments.end(), [&k = key](const auto& a) { return k == a.first; });
        if (known != it->second.arguments.end()) keywords[known->second] = value;
        else if (value != Json(false)) keywords[key] = value;  // the op says that it does not know it
      }
      if (args.size() == 1 && !of_list && keywords.contains("x2")) {
        args.push_back(keywords["x2"]);
        keywords.erase("x2");
      }
      old = {{"args", std::move(args)}, {"kwargs", std::move(keywords)}};
    }
    return out;
  }

  Problems& problems_;
};

// ---- compile ------------------------------------------------------------------------------------------------------------------------------

std::string without_package(const std::string& class_name) {
  const size_t mark = class_name.find('>');
  return mark == std::string::npos ? class_name : class_name.substr(mark + 1);
}

Json modern_optimizer(const Json& old) {
  if (!old.is_object()) return old;
  Json out = old;
  if (out.contains("class_name") && out["class_name"].is_string()) out["class_name"] = without_package(out["class_name"].get<std::string>());
  out.erase("registered_name");
  if (!out.contains("config") || !out["config"].is_object()) return out;
  Json& c = out["config"];
  if (c.contains("lr") && !c.contains("learning_rate")) c["learning_rate"] = c["lr"];
  for (const char* gone : {"lr", "jit_compile", "is_legacy_optimizer"}) c.erase(gone);
  if (c.value("decay", Json(0.0)) == Json(0.0)) c.erase("decay");
  return out;
}

/// A loss or metric: a function's name where Keras 2 wraps the function, the reduction by its present name.
Json modern_measure(const Json& old) {
  if (old.is_array()) {
    Json out = Json::array();
    for (const Json& item : old) out.push_back(modern_measure(item));
    return out.size() == 1 && out[0].is_array() ? out[0] : out;
  }
  if (!old.is_object()) return old;
  if (!old.contains("class_name") || !old["class_name"].is_string()) {
    Json out = old;
    for (Json& item : out) item = modern_measure(item);
    return out;
  }
  Json out = old;
  const std::string class_name = without_package(old["class_name"].get<std::string>());
  out["class_name"] = class_name;
  out.erase("registered_name");
  const Json config = old.value("config", Json::object());
  if (class_name == "MeanMetricWrapper" || class_name == "LossFunctionWrapper")
    if (const std::string f = string_of(config, "fn"); !f.empty()) return f;
  if (config.is_object()) {
    out["config"].erase("fn");
    if (config.value("reduction", Json()) == Json("auto")) out["config"]["reduction"] = "sum_over_batch_size";
  }
  return out;
}

}  // namespace

Json modern_layer(const Json& envelope, Problems& problems) { return Modernizer(problems).layer(envelope, 0); }

Json modern_compile(const Json& training) {
  if (!training.is_object()) return Json();
  Json out = training;
  if (out.contains("optimizer_config")) out["optimizer"] = out["optimizer_config"];
  out.erase("optimizer_config");
  if (out.contains("optimizer")) out["optimizer"] = modern_optimizer(out["optimizer"]);
  for (const char* part : {"loss", "metrics", "weighted_metrics"})
    if (out.contains(part)) out[part] = modern_measure(out[part]);
  return out;
}

}  // namespace tenure::io

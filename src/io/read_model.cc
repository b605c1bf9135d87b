#include "io/read_model.h"

#include "base/check.h"
#include "io/notes.h"
#include "io/operation.h"
#include "nn/functional.h"

namespace tenure::io {

namespace {

bool starts_with(const std::string& s, std::string_view start) { return s.compare(0, start.size(), start) == 0; }

class Deeper {
 public:
  Deeper(int& depth, const std::string& where) : depth_(depth) {
    check(depth_ < kMaxNesting, Code::Io, "{}: models nested more than {} deep", where, kMaxNesting);
    ++depth_;
  }
  ~Deeper() { --depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  int& depth_;
};

}  // namespace

// ---- envelopes --------------------------------------------------------------------------------------------------------------------

const Json& object_of(const Json& j, const char* member, const std::string& where) {
  auto it = j.find(member);
  check(it != j.end() && it->is_object(), Code::Io, "{}: expected an object '{}' in the configuration, got {}", where, member,
        it == j.end() ? "none" : it->dump().substr(0, 80));
  return *it;
}

const Json& array_of(const Json& j, const char* member, const std::string& where) {
  auto it = j.find(member);
  check(it != j.end() && it->is_array(), Code::Io, "{}: expected a list '{}' in the configuration, got {}", where, member,
        it == j.end() ? "none" : it->dump().substr(0, 80));
  return *it;
}

std::string string_of(const Json& j, const char* member) {
  auto it = j.find(member);
  return it != j.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string described(const std::string& path, const std::string& class_name) { return fmt::format("layer '{}' ({})", path, class_name); }

std::string substitute_way(const std::string& name) {
  return fmt::format("load_model(path, {{.substitute = {{{{\"{}\", layer}}}}}}) with a layer of yours", name);
}

namespace {

std::string custom_way(const std::string& class_name) {
  return fmt::format("load_model(path, {{.custom_layers = {{{{\"{0}\", layer_factory<{0}>()}}}}}}) with the class written in C++", class_name);
}

/// Without the numbers that tell Python objects apart.
Json without_ids(const Json& j) {
  if (!j.is_structured()) return j;
  Json out = j;
  if (out.is_object()) out.erase("shared_object_id");
  for (Json& item : out) item = without_ids(item);
  return out;
}

/// Classes that hold code or another framework's graph: what they are.
const char* foreign(const std::string& class_name) {
  if (class_name == "Lambda") return "holds Python code, which is never run";
  if (class_name == "TFSMLayer") return "holds a TensorFlow SavedModel";
  if (class_name == "TorchModuleWrapper") return "holds a PyTorch module";
  if (class_name == "JaxLayer" || class_name == "FlaxLayer") return "holds a JAX function";
  return nullptr;
}

}  // namespace

// ---- ModelReader --------------------------------------------------------------------------------------------------------------------

Layer ModelReader::substitute(const std::string& name, const std::string& class_name) {
  auto it = options_.substitute.find(name);
  if (it == options_.substitute.end()) return {};
  Layer layer = it->second;
  check(layer.defined(), Code::InvalidArgument, "load_model: the substitute for '{}' is an empty handle", name);
  if (!layer.body()->named()) layer.body()->set_name(name);
  classes_.class_name[layer.body()] = class_name;
  return layer;
}

Layer ModelReader::read(const Json& envelope, const std::string& parent) {
  check(envelope.is_object(), Code::Io, "{}: expected a layer's configuration, got {}", parent.empty() ? "config.json" : parent,
        envelope.dump().substr(0, 80));
  const std::string class_name = string_of(envelope, "class_name");
  check(!class_name.empty(), Code::Io, "{}: expected a layer's 'class_name'", parent.empty() ? "config.json" : parent);
  check(++layers_ <= kMaxLayers, Code::Io, "the model has more than {} layers", kMaxLayers);
  const Json& config = object_of(envelope, "config", class_name);
  std::string name = string_of(config, "name");
  if (name.empty()) name = string_of(envelope, "name");
  const std::string path = parent.empty() ? name : parent + "/" + name;
  Deeper deeper(depth_, path);
  auto id = envelope.find("shared_object_id");
  const bool has_id = id != envelope.end() && id->is_number_integer();
  Layer layer = has_id ? shared(envelope, id->get<int64_t>(), name) : Layer();
  if (!layer.defined()) {
    layer = make(envelope, path, name);
    if (!layer.defined()) return {};
    if (notes_ && options_.substitute.count(name) == 0) remember(*layer.body(), envelope);
  }
  if (has_id) shared_.emplace(id->get<int64_t>(), layer);
  made_.emplace(name, std::pair(&envelope, layer));
  return layer;
}

/// The layer made before that this envelope means. Keras leaves the number out where it writes an object first.
Layer ModelReader::shared(const Json& envelope, int64_t id, const std::string& name) {
  if (auto it = shared_.find(id); it != shared_.end()) return string_of(envelope, "class_name") == it->second.class_name() ? it->second : Layer();
  const Json config = without_ids(envelope["config"]);
  for (auto [it, end] = made_.equal_range(name); it != end; ++it) {
    const auto& [other, layer] = it->second;
    if (!other->contains("shared_object_id") && (*other)["class_name"] == envelope["class_name"] && without_ids((*other)["config"]) == config)
      return layer;
  }
  return {};
}

Layer ModelReader::make(const Json& envelope, const std::string& path, const std::string& name) {
  const std::string class_name = string_of(envelope, "class_name"), module = string_of(envelope, "module");
  if (Layer own = substitute(name, class_name); own.defined()) return own;
  bool known = false;
  if (Layer layer = custom(envelope, path, name, known); known) return layer;
  if (const char* what = foreign(class_name)) {
    problems_.add(described(path, class_name), what, substitute_way(name));
    return {};
  }
  if (class_name == "Sequential") return sequential(envelope, path, name);
  if (class_name == "Functional" || (class_name == "Model" && envelope["config"].contains("layers")))
    return read_functional(*this, envelope["config"], path, name);
  return leaf(envelope, path, name);
}

Layer ModelReader::custom(const Json& envelope, const std::string& path, const std::string& name, bool& known) {
  const std::string class_name = string_of(envelope, "class_name"), registered = string_of(envelope, "registered_name");
  auto it = options_.custom_layers.find(registered);
  if (it == options_.custom_layers.end()) it = options_.custom_layers.find(class_name);
  known = it != options_.custom_layers.end();
  if (!known) return {};
  try {
    Layer layer = it->second(envelope["config"].dump());
    check(layer.defined(), Code::InvalidArgument, "the factory of '{}' returned an empty handle", it->first);
    if (!layer.body()->named() && !name.empty()) layer.body()->set_name(name);
    if (layer.class_name() != class_name) classes_.class_name[layer.body()] = class_name;
    return layer;
  } catch (const Error& e) {
    problems_.add(described(path, class_name), e.message());
    return {};
  }
}

Layer ModelReader::leaf(const Json& envelope, const std::string& path, const std::string& name) {
  const std::string class_name = string_of(envelope, "class_name"), registered = string_of(envelope, "registered_name"),
                    module = string_of(envelope, "module");
  const LayerRegistry& registry = LayerRegistry::global();
  // An application's class is known by its package: "my_pkg>Dense" is not Keras' Dense.
  const size_t mark = registered.find('>');
  const std::string package = mark == std::string::npos ? "" : registered.substr(0, mark);
  const bool kerass = starts_with(module, "keras") || starts_with(module, "tf_keras");
  bool known = registry.contains(class_name) && class_name != "Operation";
  if (known)
    known = kerass             ? registry.package(class_name).empty()
            : !package.empty() ? registry.package(class_name) == package
                               : !registry.package(class_name).empty();
  if (!known) {
    const std::string what = kerass ? "this layer of Keras is not here yet" : "the class is not known here: Python classes are not in the file";
    problems_.add(described(path, class_name), what, kerass ? substitute_way(name) : custom_way(class_name));
    return {};
  }
  try {
    return registry.make(class_name, envelope["config"].dump());
  } catch (const Error& e) {
    if (e.code() == Code::Internal || e.code() == Code::OutOfMemory) throw;
    problems_.add(described(path, class_name), e.message() + (e.frames().empty() ? "" : " (" + e.frames().front() + ")"), substitute_way(name));
    return {};
  }
}

Layer ModelReader::sequential(const Json& envelope, const std::string& path, const std::string& name) {
  const Json& config = envelope["config"];
  std::vector<Layer> layers;
  bool whole = true;
  for (const Json& item : array_of(config, "layers", path)) {
    Layer layer = read(item, path);
    whole &= layer.defined();
    if (layer.defined()) layers.push_back(std::move(layer));
  }
  if (!whole) return {};
  Sequential model(std::move(layers), name);
  const Json& shape = config.contains("build_input_shape") ? config["build_input_shape"] : Json();
  if (!model.built() && shape.is_array() && !shape.empty() && !shape[0].is_array() && !model.layers().empty())
    model.build(nn::shape_from(nn::Json::parse(shape.dump()), path));
  if (config.value("trainable", Json()) == Json(false)) model.set_trainable(false);
  return model;
}

}  // namespace tenure::io

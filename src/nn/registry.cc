// Classes by name, and layers as JSON.
#include "nn/registry.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "nn/layer_body.h"

namespace tenure {

using nn::Json;

namespace {

// Other names under which Keras has its classes.
const std::string& own_name(const std::string& name) {
  static const std::map<std::string, std::string, std::less<>> others = {
      {"AvgPool1D", "AveragePooling1D"},
      {"AvgPool2D", "AveragePooling2D"},
      {"AvgPool3D", "AveragePooling3D"},
      {"Convolution1D", "Conv1D"},
      {"Convolution1DTranspose", "Conv1DTranspose"},
      {"Convolution2D", "Conv2D"},
      {"Convolution2DTranspose", "Conv2DTranspose"},
      {"Convolution3D", "Conv3D"},
      {"Convolution3DTranspose", "Conv3DTranspose"},
      {"GlobalAvgPool1D", "GlobalAveragePooling1D"},
      {"GlobalAvgPool2D", "GlobalAveragePooling2D"},
      {"GlobalAvgPool3D", "GlobalAveragePooling3D"},
      {"GlobalMaxPool1D", "GlobalMaxPooling1D"},
      {"GlobalMaxPool2D", "GlobalMaxPooling2D"},
      {"GlobalMaxPool3D", "GlobalMaxPooling3D"},
      {"GroupedQueryAttention", "GroupQueryAttention"},
      {"MaxPool1D", "MaxPooling1D"},
      {"MaxPool2D", "MaxPooling2D"},
      {"MaxPool3D", "MaxPooling3D"},
      {"SeparableConvolution1D", "SeparableConv1D"},
      {"SeparableConvolution2D", "SeparableConv2D"},
  };
  auto it = others.find(name);
  return it == others.end() ? name : it->second;
}

}  // namespace

struct LayerRegistry::Impl {
  mutable std::mutex mutex;
  std::map<std::string, Entry, std::less<>> entries;
  const Entry& find(const std::string& name) const {
    std::lock_guard lock(mutex);
    auto it = entries.find(own_name(name));
    check(it != entries.end(), Code::NotFound, "layer class {}: not known here; register it with LayerRegistry::global().add<...>(\"{}\")", name,
          name);
    return it->second;
  }
};

// Never destroyed: layers may be made while the program ends.
LayerRegistry& LayerRegistry::global() {
  static auto* registry = new LayerRegistry;
  return *registry;
}

LayerRegistry::LayerRegistry() : impl_(std::make_unique<Impl>()) {
  register_core(*this);
  register_convolve(*this);
  register_depthwise(*this);
  register_transposed(*this);
  register_pooling(*this);
  register_norm(*this);
  register_normalization(*this);
  register_activation_layers(*this);
  register_merge(*this);
  register_reshape(*this);
  register_padding(*this);
  register_resample(*this);
  register_noise(*this);
  register_masking(*this);
  register_recurrent(*this);
  register_attention(*this);
  register_conv_lstm(*this);
  register_wrappers(*this);
  register_reversible_embedding(*this);
  register_preprocess_images(*this);
  register_preprocess_numbers(*this);
  register_hashing(*this);
  register_lookup(*this);
  register_text_layers(*this);
  register_augment_geometry(*this);
  register_augment_values(*this);
  register_augment_histogram(*this);
  register_augment_affine(*this);
  register_augment_colour(*this);
  register_augment_mix(*this);
  register_spectrograms(*this);
  register_pipeline(*this);
}

void LayerRegistry::add(Entry entry) {
  std::lock_guard lock(impl_->mutex);
  std::string name = entry.name;
  check(impl_->entries.try_emplace(name, std::move(entry)).second, Code::InvalidArgument, "layer class {}: registered already", name);
}

Layer LayerRegistry::make(const std::string& class_name, const std::string& config_json) const {
  const Entry& e = impl_->find(class_name);
  Json config = nn::parse(config_json, class_name);
  std::string where = class_name;
  if (config.is_object() && config.contains("name") && config["name"].is_string()) where.append(" ").append(config["name"].get<std::string>());
  nn::ConfigReader reader(config, where);
  Layer layer = e.make(reader);
  // Written by every Keras layer, of no effect on what is computed here.
  reader.ignore({"name", "trainable", "dtype", "autocast"});
  reader.finish();
  return layer;
}

bool LayerRegistry::contains(const std::string& class_name) const {
  std::lock_guard lock(impl_->mutex);
  return impl_->entries.count(own_name(class_name)) > 0;
}

std::vector<std::string> LayerRegistry::names() const {
  std::lock_guard lock(impl_->mutex);
  std::vector<std::string> out;
  for (auto& [name, entry] : impl_->entries) out.push_back(name);
  return out;
}

std::string LayerRegistry::defaults(const std::string& class_name) const {
  nn::ConfigWriter w;
  impl_->find(class_name).visit(w);
  return w.out.dump();
}

std::string LayerRegistry::package(const std::string& class_name) const { return impl_->find(class_name).package; }

// ---- layers as JSON -----------------------------------------------------------------------------------------------------------

Json LayerBody::config() const {
  nn::ConfigWriter w;
  w.out["name"] = name();
  w.out["trainable"] = trainable();
  w.out["dtype"] = Json::parse(policy_.to_json());
  object_->visit_config(w);
  const std::string c = object_->class_name();
  if (c == "InputLayer") w.out.erase("trainable");                      // its dtype is the data's, written by itself
  if (c == "Pipeline") w.out.erase("trainable"), w.out.erase("dtype");  // its constructor takes neither
  // The constructors of these take no `trainable`, and Keras writes their variables' dtype for the policy.
  if (c.rfind("SpatialDropout", 0) == 0) w.out.erase("trainable"), w.out["dtype"] = to_string(policy_.variable_dtype());
  if (c == "Discretization" || c == "HashedCrossing") w.out.erase("trainable"), w.out["dtype"] = to_string(policy_.variable_dtype());
  return std::move(w.out);
}

Json layer_json(const LayerBody& layer) {
  std::string name = layer.object().class_name();
  Json j = nn::envelope("keras.layers", name, layer.config());
  if (!LayerRegistry::global().contains(name)) j["module"] = nullptr, j["registered_name"] = name;
  else if (std::string p = LayerRegistry::global().package(name); !p.empty()) j["module"] = nullptr, j["registered_name"] = p + ">" + name;
  // The private classes of Keras' applications stand in modules of their own.
  if (name == "LayerScale") j["module"] = "keras.src.applications.convnext", j["registered_name"] = name;
  if (name == "CustomScaleLayer") j["module"] = "keras.src.applications.inception_resnet_v2", j["registered_name"] = name;
  const auto& shapes = layer.built_for();
  if (const auto names = layer.object().call_arguments(); !names.empty() && layer.built()) {
    Json by_name = Json::object();
    for (size_t i = 0; i < shapes.size() && i < names.size(); ++i) by_name[names[i] + "_shape"] = nn::shape_json(shapes[i]);
    j["build_config"] = Json{{"shapes_dict", by_name}};
  } else if (layer.built() && !shapes.empty() && name != "InputLayer") {
    Json list = Json::array();
    for (const Shape& s : shapes) list.push_back(nn::shape_json(s));
    j["build_config"] = Json{{"input_shape", shapes.size() == 1 ? list[0] : list}};
  }
  return j;
}

Layer layer_from(const Json& json) {
  nn::Named n = nn::named_from(json, "a layer");
  return LayerRegistry::global().make(n.class_name, n.config.dump());
}

}  // namespace tenure

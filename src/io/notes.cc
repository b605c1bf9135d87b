#include "io/notes.h"

#include <algorithm>

#include "io/write_model.h"
#include "nn/model_state.h"

namespace tenure::io {

namespace {

constexpr int kMostDepth = 64;
constexpr const char *kMissing = "missing", *kBuilt = "build_config", *kMetadata = "metadata";

std::optional<Json> missing_below(const nn::Json& ours, const Json& said, int depth) {
  if (depth > kMostDepth) return {};
  Json out;
  if (ours.is_object() && said.is_object()) {
    for (const auto& [key, value] : said.items()) {
      if (key == "shared_object_id") continue;
      auto it = ours.find(key);
      if (it == ours.end()) out[key] = value;
      else if (auto below = missing_below(*it, value, depth + 1)) out[key] = std::move(*below);
    }
  } else if (ours.is_array() && said.is_array() && ours.size() == said.size()) {
    for (size_t i = 0; i < ours.size(); ++i) {
      auto below = missing_below(ours[i], said[i], depth + 1);
      if (!below) continue;
      if (out.is_null()) out = Json(ours.size(), nullptr);
      out[i] = std::move(*below);
    }
  }
  return out.is_null() ? std::optional<Json>() : std::move(out);
}

Json notes_of(const std::string& text) {
  Json notes = text.empty() ? Json() : Json::parse(text, nullptr, false);
  return notes.is_object() ? notes : Json::object();
}

/// Layers of a model stand in its configuration with notes of their own.
bool holds_layers(const LayerBody& l) { return l.graph != nullptr || l.object().class_name() == "Sequential"; }

/// Where a model or layer is written, these are made anew.
nn::Json written_envelope(const LayerBody& l) {
  nn::Json j = nn::Json::object();
  for (const char* key : {"module", "class_name", "registered_name", "name", "inbound_nodes", "build_config"}) j[key] = nullptr;
  if (holds_layers(l))
    for (const char* key : {"name", "trainable", "layers", "input_layers", "output_layers"}) j["config"][key] = nullptr;
  else j["config"] = l.config();
  if (l.object().class_name() == "Sequential") j["config"]["dtype"] = nn::Json::parse(l.policy().to_json());
  return j;
}

}  // namespace

std::optional<Json> missing_in(const nn::Json& ours, const Json& said) { return missing_below(ours, said, 0); }

void put_back(nn::Json& ours, const Json& missing) {
  if (ours.is_object() && missing.is_object()) {
    for (const auto& [key, value] : missing.items()) {
      auto it = ours.find(key);
      if (it == ours.end()) ours[key] = nn::Json(value);
      else put_back(*it, value);
    }
  } else if (ours.is_array() && missing.is_array() && ours.size() == missing.size()) {
    for (size_t i = 0; i < ours.size(); ++i) put_back(ours[i], missing[i]);
  }
}

void remember(LayerBody& layer, const Json& envelope) {
  Json notes = notes_of(layer.file_notes);
  try {
    if (auto missing = missing_in(written_envelope(layer), envelope)) notes[kMissing] = std::move(*missing);
  } catch (const Error& e) {
    if (e.code() == Code::Internal || e.code() == Code::OutOfMemory) throw;
    return;  // an author's layer that cannot be written
  }
  auto built = envelope.find(kBuilt);
  notes[kBuilt] = built == envelope.end() ? Json() : *built;
  layer.file_notes = notes.dump();
}

void recall(const LayerBody& layer, nn::Json& envelope) {
  if (layer.file_notes.empty()) return;
  const Json notes = notes_of(layer.file_notes);
  if (auto it = notes.find(kMissing); it != notes.end()) put_back(envelope, *it);
  auto built = notes.find(kBuilt);
  if (built == notes.end()) return;
  const auto& weights = layer.own_weights();
  const bool weightless = layer.children().empty() && std::all_of(weights.begin(), weights.end(), [](const auto& w) { return w.seed; });
  if (!built->is_null()) envelope[kBuilt] = nn::Json(*built);
  else if (weightless) envelope.erase(kBuilt);  // Keras leaves it out of some such layers
}

void remember_compile(const LayerBody& model, const Json& compile_config) {
  ModelState* state = model.model();
  if (!state || !state->compiled) return;
  Json notes = Json::object();
  if (auto missing = missing_in(compile_json(model), compile_config)) notes[kMissing] = std::move(*missing);
  // Written always, though of no meaning here.
  for (const char* key : {"steps_per_execution", "jit_compile"})
    if (auto it = compile_config.find(key); it != compile_config.end() && !it->is_null()) notes[key] = *it;
  state->file_notes = notes.dump();
}

void recall_compile(const LayerBody& model, nn::Json& compile_config) {
  const ModelState* state = model.model();
  if (!state || state->file_notes.empty()) return;
  const Json notes = notes_of(state->file_notes);
  for (const auto& [key, value] : notes.items()) {
    if (key == kMissing) put_back(compile_config, value);
    else compile_config[key] = nn::Json(value);
  }
}

void remember_metadata(LayerBody& model, const Json& metadata) {
  if (!metadata.is_object()) return;
  Json others = metadata;
  for (const char* key : {"keras_version", "date_saved"}) others.erase(key);
  if (others.empty()) return;
  Json notes = notes_of(model.file_notes);
  notes[kMetadata] = std::move(others);
  model.file_notes = notes.dump();
}

void recall_metadata(const LayerBody& model, nn::Json& metadata) {
  const Json notes = notes_of(model.file_notes);
  if (auto it = notes.find(kMetadata); it != notes.end()) put_back(metadata, *it);
}

}  // namespace tenure::io

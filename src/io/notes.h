// What a model file says and Tenure does not use, kept beside the layers and written back: keys of later versions, build_config, what
// compile_config and metadata.json say beyond what is read. Notes are text in LayerBody::file_notes and ModelState::file_notes; nothing here
// owns anything. Numbers of Python objects (shared_object_id) are no notes: they are others in every file.
#pragma once

#include <optional>

#include "io/archive.h"
#include "nn/layer_body.h"

namespace tenure::io {

/// What `said` has and `ours` lacks, at every depth: objects with those keys; lists of the length of `ours`, null where nothing is missing.
std::optional<Json> missing_in(const nn::Json& ours, const Json& said);
/// Puts what was missing back. What `ours` has by now stays.
void put_back(nn::Json& ours, const Json& missing);

/// Notes what the envelope of a layer or model that was just made from it says beyond what would be written.
void remember(LayerBody& layer, const Json& envelope);
/// The layer's notes into its envelope.
void recall(const LayerBody& layer, nn::Json& envelope);

/// The same of compile_config, until the model is compiled anew.
void remember_compile(const LayerBody& model, const Json& compile_config);
void recall_compile(const LayerBody& model, nn::Json& compile_config);

/// The same of metadata.json.
void remember_metadata(LayerBody& model, const Json& metadata);
void recall_metadata(const LayerBody& model, nn::Json& metadata);

}  // namespace tenure::io

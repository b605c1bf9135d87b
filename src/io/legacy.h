// Legacy HDF5 files, by Keras 2 and 3: a whole model in one .h5 (configuration in attributes), or weights by layer name (save_weights of
// Keras 2). Layers are matched by their order, as Keras does it, or by name.
//
// Who owns what: nothing here outlives the load; bytes go straight from the file into the variables.
#pragma once

#include <optional>
#include <string>

#include "io/archive.h"
#include "io/problems.h"
#include "io/weights.h"

namespace tenure::io {

/// The file holds a whole model: its root has "model_config".
bool is_legacy_model(const files::Hdf5Node& root);
/// The file holds weights by layer: "layer_names" at the root or in "model_weights".
bool holds_legacy_weights(const files::Hdf5Node& root);

/// config.json as Keras 3 would have written it, with compile_config where the file has a training configuration.
Json legacy_config(const files::Hdf5Node& root, const std::string& file, Problems& problems);

/// Checks everything, then fills the variables: by position, or by name with `options.by_name`.
WeightsReport read_legacy_weights(const LayerBody& model, const files::Hdf5Node& root, const LoadWeightsOptions& options);

/// The state of "optimizer_weights", if it is there and fits: iteration, perhaps the learning rate, then slots in our order. What does
/// not fit (the optimizers before Keras 2.11) is told by the log and leaves the optimizer new, as Keras does.
void read_legacy_optimizer(const Optimizer& optimizer, const files::Hdf5Node& root, const std::string& file);

}  // namespace tenure::io

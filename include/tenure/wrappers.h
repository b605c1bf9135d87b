// Layers around a layer. Aggregates as in layers.h; those of sequences stand in recurrent.h.
#pragma once

#include <cstdint>
#include <string>

#include <tenure/recurrent.h>

namespace tenure::layers {

/// The base form of wrappers, as files have it: calls the layer. In Keras it is called by subclasses only.
struct TENURE_API Wrapper {
  LayerConfig layer;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// A layer with a kernel (or embeddings) whose kernel is divided by its largest singular value before each call in training, unless it is zero.
/// The value comes of `power_iterations` steps from the vector that the last call ended with (Miyato et al. 2018). The kernel is a weight of both
/// layers; it stands twice in a file, as in Keras.
struct TENURE_API SpectralNormalization {
  LayerConfig layer;
  int64_t power_iterations = 1;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

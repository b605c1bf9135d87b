// Layers that act in training only: noise, dropout of whole channels, terms of the loss. Included by layers.h. None has weights; those that draw own
// the state of a random generator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/layer_values.h>

namespace tenure::layers {

/// Hands its inputs on and adds l1 * sum|x| + l2 * sum x², divided by the batch, to the loss.
struct TENURE_API ActivityRegularization {
  double l1 = 0, l2 = 0;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// In training, adds normal noise of this deviation, which must lie in [0, 1].
struct TENURE_API GaussianNoise {
  double stddev;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// In training, multiplies by normal noise of mean 1 and deviation sqrt(rate / (1 - rate)).
struct TENURE_API GaussianDropout {
  double rate;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// In training, sets a fraction `rate` to selu's lowest value and rescales: mean and variance of selu's outputs stay (Klambauer et al. 2017).
struct TENURE_API AlphaDropout {
  double rate;
  std::optional<Shape> noise_shape = {};  ///< -1: the input's size
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// In training, zeroes whole channels of [batch, steps, channels].
struct TENURE_API SpatialDropout1D {
  double rate;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// In training, zeroes whole channels of images.
struct TENURE_API SpatialDropout2D {
  double rate;
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// In training, zeroes whole channels of volumes.
struct TENURE_API SpatialDropout3D {
  double rate;
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

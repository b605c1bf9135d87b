// Normalization but BatchNormalization and LayerNormalization, which stand in layers.h: included by it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/layer_values.h>

namespace tenure::layers {

/// Every sample's groups of channels get mean 0 and variance 1. groups -1: one for each channel.
struct TENURE_API GroupNormalization {
  int64_t groups = 32;
  int axis = -1;
  double epsilon = 1e-3;
  bool center = true, scale = true;
  Initializer beta_initializer = "zeros", gamma_initializer = "ones";
  Regularizer beta_regularizer = {}, gamma_regularizer = {};
  Constraint beta_constraint = {}, gamma_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// x / sqrt(mean of squares + epsilon) * scale over the axes.
struct TENURE_API RMSNormalization {
  AxisList axis = -1;
  double epsilon = 1e-6;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Inputs of length 1 over the axes.
struct TENURE_API UnitNormalization {
  AxisList axis = -1;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// (x - mean) / sqrt(variance) for each index of the axes. mean and variance are given, or are weights (0 and 1 until they are loaded or set);
/// with `invert`, x * sqrt(variance) + mean. An empty list of axes: one mean for all.
struct TENURE_API Normalization {
  AxisList axis = -1;
  std::optional<NumberList> mean = {}, variance = {};  ///< both or none
  bool invert = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Keras' application ConvNeXt: x * gamma, gamma [projection_dim] starting at init_values.
struct TENURE_API LayerScale {
  double init_values;
  int64_t projection_dim;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Keras' application InceptionResNetV2: first + second * scale. Exactly two inputs.
struct TENURE_API CustomScaleLayer {
  double scale;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

// Convolutions but those of images, which stand in layers.h: included by it. Strides and dilation rates above 1 exclude each other; padding is valid or
// same, for Conv1D causal too: InvalidArgument otherwise. The number of channels must be known and fit: Shape otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/layer_values.h>

namespace tenure::layers {

/// [batch, steps, channels] to [batch, new steps, filters]. padding causal: a step sees none behind it.
struct TENURE_API Conv1D {
  int64_t filters;
  int64_t kernel_size = 0;
  int64_t strides = 1;
  std::string padding = "valid", data_format = {};
  int64_t dilation_rate = 1;
  int64_t groups = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Volumes [batch, planes, rows, columns, channels].
struct TENURE_API Conv3D {
  int64_t filters;
  Triple kernel_size = {0, 0, 0};
  Triple strides = 1;
  std::string padding = "valid", data_format = {};
  Triple dilation_rate = 1;
  int64_t groups = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// A transposed convolution: steps become strides * steps with padding same, more with valid. Keras: the kernel is [size, filters, channels].
struct TENURE_API Conv1DTranspose {
  int64_t filters;
  int64_t kernel_size = 0;
  int64_t strides = 1;
  std::string padding = "valid";
  std::optional<int64_t> output_padding = {};  ///< below strides
  std::string data_format = {};
  int64_t dilation_rate = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for images.
struct TENURE_API Conv2DTranspose {
  int64_t filters;
  Pair kernel_size = {0, 0};
  Pair strides = 1;
  std::string padding = "valid";
  std::optional<Pair> output_padding = {};  ///< below strides
  std::string data_format = {};
  Pair dilation_rate = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for volumes.
struct TENURE_API Conv3DTranspose {
  int64_t filters;
  Triple kernel_size = {0, 0, 0};
  Triple strides = 1;
  std::string padding = "valid";
  std::string data_format = {};
  std::optional<Triple> output_padding = {};  ///< below strides
  Triple dilation_rate = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Every channel of a series has kernels of its own.
struct TENURE_API DepthwiseConv1D {
  int64_t kernel_size = 0;
  int64_t strides = 1;
  std::string padding = "valid";
  int64_t depth_multiplier = 1;
  std::string data_format = {};
  int64_t dilation_rate = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer depthwise_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer depthwise_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint depthwise_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// A depthwise convolution of a series, then one of single steps over the channels.
struct TENURE_API SeparableConv1D {
  int64_t filters;
  int64_t kernel_size = 0;
  int64_t strides = 1;
  std::string padding = "valid", data_format = {};
  int64_t dilation_rate = 1;
  int64_t depth_multiplier = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer depthwise_initializer = "glorot_uniform", pointwise_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer depthwise_regularizer = {}, pointwise_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint depthwise_constraint = {}, pointwise_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for images.
struct TENURE_API SeparableConv2D {
  int64_t filters;
  Pair kernel_size = {0, 0};
  Pair strides = 1;
  std::string padding = "valid", data_format = {};
  Pair dilation_rate = 1;
  int64_t depth_multiplier = 1;
  ActivationFunction activation = {};
  bool use_bias = true;
  Initializer depthwise_initializer = "glorot_uniform", pointwise_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer depthwise_regularizer = {}, pointwise_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint depthwise_constraint = {}, pointwise_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

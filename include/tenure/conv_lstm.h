// Recurrence over images: an LSTM whose products with inputs and states are convolutions (Shi et al. 2015). Aggregates as in layers.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/layer.h>
#include <tenure/layer_values.h>

namespace tenure::layers {

// x [batch, time, spatial..., channels] to the last output [batch, spatial..., filters], or to all of them with return_sequences; then, with
// return_state, the states h and c of the output's size. The input's spatial sizes must be known. strides, padding and dilation_rate are those of
// the input's convolution; the state's is "same". Kernels [spatial..., channels, 4 * filters] and [spatial..., filters, 4 * filters] hold the gates
// side by side: input, forget, cell, output. All else as of the recurrent layers in recurrent.h.

struct TENURE_API ConvLSTM1D {
  int64_t filters;
  int64_t kernel_size = 0;
  int64_t strides = 1;
  std::string padding = "valid", data_format = {};
  int64_t dilation_rate = 1;
  ActivationFunction activation = "tanh", recurrent_activation = "sigmoid";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  bool unit_forget_bias = true;  ///< the forget gate starts with a bias of 1
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  std::optional<int64_t> seed = {};
  bool return_sequences = false, return_state = false, go_backwards = false, stateful = false, unroll = false;
  bool zero_output_for_mask = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API ConvLSTM2D {
  int64_t filters;
  Pair kernel_size = {0, 0};
  Pair strides = 1;
  std::string padding = "valid", data_format = {};
  Pair dilation_rate = 1;
  ActivationFunction activation = "tanh", recurrent_activation = "sigmoid";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  bool unit_forget_bias = true;  ///< the forget gate starts with a bias of 1
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  std::optional<int64_t> seed = {};
  bool return_sequences = false, return_state = false, go_backwards = false, stateful = false, unroll = false;
  bool zero_output_for_mask = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API ConvLSTM3D {
  int64_t filters;
  Triple kernel_size = {0, 0, 0};
  Triple strides = 1;
  std::string padding = "valid", data_format = {};
  Triple dilation_rate = 1;
  ActivationFunction activation = "tanh", recurrent_activation = "sigmoid";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  bool unit_forget_bias = true;  ///< the forget gate starts with a bias of 1
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  std::optional<int64_t> seed = {};
  bool return_sequences = false, return_state = false, go_backwards = false, stateful = false, unroll = false;
  bool zero_output_for_mask = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

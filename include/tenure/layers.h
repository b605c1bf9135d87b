// All layers. A layer here is its configuration: an aggregate with Keras' names, defaults and order, made with designated initializers.
//   Layer tower = layers::Dense{.units = 64, .activation = "relu"};   // one set of weights, shared by its calls
//   Tensor y = layers::Dense{.units = 10}(tower(x));                  // used once: called where it is made
// The call is for temporaries only: calling a named aggregate twice would silently make two layers, so it does not compile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenure/layer_values.h>
#include <tenure/layers_convolution.h>
#include <tenure/layers_normalization.h>
#include <tenure/layers_pooling.h>
#include <tenure/layers_regularization.h>
#include <tenure/layers_shape.h>

namespace tenure {

namespace layers {

// ---- core ------------------------------------------------------------------------------------------------------------------

/// activation(x · kernel + bias) on the last axis.
struct TENURE_API Dense {
  int64_t units;
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

/// Rows of a table: indices [...] to [..., output_dim]. An index out of range is an error.
struct TENURE_API Embedding {
  int64_t input_dim, output_dim;
  Initializer embeddings_initializer = "uniform";
  Regularizer embeddings_regularizer = {};
  Constraint embeddings_constraint = {};
  bool mask_zero = false;
  Regularizer activity_regularizer = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API Identity {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Where a model's data comes in. May stand first in a Sequential; Input() gives the tensor instead.
struct TENURE_API InputLayer {
  Shape shape = {};  ///< without the batch
  std::optional<int64_t> batch_size = {};
  DType dtype = float32;                  ///< of the data
  std::optional<Shape> batch_shape = {};  ///< instead of shape and batch_size
  std::string name = {};
  bool trainable = true;
  operator Layer() const;
};

/// In training, zeroes a fraction `rate` and scales the rest by 1 / (1 - rate).
struct TENURE_API Dropout {
  double rate;
  std::optional<Shape> noise_shape = {};
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- convolution -----------------------------------------------------------------------------------------------------------

struct TENURE_API Conv2D {
  int64_t filters;
  Pair kernel_size = {0, 0};
  Pair strides = 1;
  std::string padding = "valid", data_format = {};
  Pair dilation_rate = 1;
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

/// Every channel has kernels of its own.
struct TENURE_API DepthwiseConv2D {
  Pair kernel_size = {0, 0};
  Pair strides = 1;
  std::string padding = "valid";
  int64_t depth_multiplier = 1;
  std::string data_format = {};
  Pair dilation_rate = 1;
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

// ---- pooling ---------------------------------------------------------------------------------------------------------------

struct TENURE_API MaxPooling2D {
  Pair pool_size = 2;
  std::optional<Pair> strides = {};  ///< pool_size when not given
  std::string padding = "valid", data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Padding does not count.
struct TENURE_API AveragePooling2D {
  Pair pool_size = 2;
  std::optional<Pair> strides = {};
  std::string padding = "valid", data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API GlobalMaxPooling1D {
  std::string data_format = {};
  bool keepdims = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API GlobalMaxPooling2D {
  std::string data_format = {};
  bool keepdims = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API GlobalAveragePooling1D {
  std::string data_format = {};
  bool keepdims = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API GlobalAveragePooling2D {
  std::string data_format = {};
  bool keepdims = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- normalization ---------------------------------------------------------------------------------------------------------

/// In training by the batch's statistics, which move the kept ones; else by the kept ones. trainable = false: always the latter. `renorm`: in training
/// the result is corrected towards kept statistics of its own, which move by renorm_momentum (Ioffe, 2017).
struct TENURE_API BatchNormalization {
  int axis = -1;
  double momentum = 0.99, epsilon = 1e-3;
  bool center = true, scale = true;
  Initializer beta_initializer = "zeros", gamma_initializer = "ones", moving_mean_initializer = "zeros", moving_variance_initializer = "ones";
  Regularizer beta_regularizer = {}, gamma_regularizer = {};
  Constraint beta_constraint = {}, gamma_constraint = {};
  bool renorm = false;
  std::optional<RenormClipping> renorm_clipping = {};
  double renorm_momentum = 0.99;
  bool synchronized = false;  ///< no matter: a model runs in one process
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API LayerNormalization {
  AxisList axis = -1;
  double epsilon = 1e-3;
  bool center = true, scale = true;
  Initializer beta_initializer = "zeros", gamma_initializer = "ones";
  Regularizer beta_regularizer = {}, gamma_regularizer = {};
  Constraint beta_constraint = {}, gamma_constraint = {};
  bool rms_scaling = false;  ///< x / sqrt(variance + epsilon) * gamma: Keras' older form, which is not RMSNormalization
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- activations -----------------------------------------------------------------------------------------------------------

struct TENURE_API Activation {
  ActivationFunction activation;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API ReLU {
  std::optional<double> max_value = {};
  double negative_slope = 0, threshold = 0;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API LeakyReLU {
  double negative_slope = 0.3;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API ELU {
  double alpha = 1;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// A learned slope for negative values; axes in shared_axes (1 is the first after the batch) share one.
struct TENURE_API PReLU {
  Initializer alpha_initializer = "zeros";
  Regularizer alpha_regularizer = {};
  Constraint alpha_constraint = {};
  std::optional<std::vector<int>> shared_axes = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API Softmax {
  AxisList axis = -1;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- merging: two inputs or more; ranks that differ are aligned behind the batch ----------------------------------------------

struct TENURE_API Add {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Exactly two inputs.
struct TENURE_API Subtract {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API Multiply {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API Average {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API Maximum {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API Minimum {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Products of two inputs, summed over an axis of each, sample by sample; `axes` is one for both or two. With `normalize`, of the inputs
/// at length 1 along those axes: their cosines. Exactly two inputs.
struct TENURE_API Dot {
  AxisList axes;
  bool normalize = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API Concatenate {
  int axis = -1;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- shape -----------------------------------------------------------------------------------------------------------------

struct TENURE_API Flatten {
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Without the batch; one size may be -1.
struct TENURE_API Reshape {
  Shape target_shape;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// `dims` count from 1: the batch stays first.
struct TENURE_API Permute {
  std::vector<int> dims;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API ZeroPadding2D {
  Border padding = {1, 1};
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- preprocessing ---------------------------------------------------------------------------------------------------------

/// x * scale + offset in the compute dtype: integers come out as floats.
struct TENURE_API Rescaling {
  NumberList scale;
  NumberList offset = 0.0;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace layers
}  // namespace tenure

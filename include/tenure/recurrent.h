// Layers of sequences: masks, recurrent layers and their cells, wrappers. Aggregates as in layers.h; inputs are [batch, time, ...].
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tenure/layer.h>

namespace tenure {

/// A layer inside a configuration. An aggregate may stand for it: {.layer = layers::LSTM{.units = 8}}.
class TENURE_API LayerConfig : public ConfigObject {
 public:
  LayerConfig() = default;
  LayerConfig(Layer layer) : layer(std::move(layer)) {}
  template <class C, class = std::enable_if_t<std::is_convertible_v<const C&, Layer> && !std::is_same_v<C, Layer>>>
  LayerConfig(const C& config) : layer(static_cast<Layer>(config)) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  Layer layer;
};

/// Layers in a configuration, in order; a single one is a list of one.
class TENURE_API LayerConfigs : public ConfigObject {
 public:
  LayerConfigs() = default;
  LayerConfigs(std::initializer_list<LayerConfig> list) : layers(list) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  std::vector<LayerConfig> layers;
};

/// What an author of a cell derives from: one step of a recurrence. call_all({x, states...}) gives {output, new states...}.
class TENURE_API RecurrentCell : public LayerBase {
 public:
  /// Sizes of the states, each [batch, size]; of images: their channels.
  virtual std::vector<int64_t> state_size() const = 0;
  virtual int64_t output_size() const { return state_size().at(0); }
  /// Shapes of the states for a step's input of this shape. By default [batch, size].
  virtual std::vector<Shape> state_shapes(const Shape& x) const;
  /// Random factors that stay the same for all steps of one call, drawn for a step's input; step() gets them.
  virtual Tensors noise(const Tensor& x, const Tensors& states, bool training);
  /// One step with this noise. By default call_all.
  virtual Tensors step(Tensor x, Tensors states, const Tensors& noise, bool training);
  /// All steps at once: x [time, batch, features], mask [time, batch] or empty. Returns {outputs, states...} after each step, [time, batch, size],
  /// where masked steps repeat those before; or an empty list where the cell can only go step by step.
  virtual Tensors sequence(const Tensor& x, const Tensors& states, const Tensor& mask, const Tensors& noise, bool training);

 protected:
  using LayerBase::LayerBase;
};

/// Sets the states of all stateful recurrent layers in `layer` to zero (Keras: reset_state).
TENURE_API void reset_state(const Layer& layer);

namespace layers {

// ---- masks -----------------------------------------------------------------------------------------------------------------

/// Steps whose values all equal mask_value do not count: they are zeroed, and left out by the mask that the output carries.
struct TENURE_API Masking {
  double mask_value = 0;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- cells: {x [batch, features], states [batch, units] ...} to {output, states ...} ------------------------------------------

/// h' = activation(x · kernel + h · recurrent_kernel + bias).
struct TENURE_API SimpleRNNCell {
  int64_t units;
  ActivationFunction activation = "tanh";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// States h and c; the gates' weights stand side by side: input, forget, cell, output.
struct TENURE_API LSTMCell {
  int64_t units;
  ActivationFunction activation = "tanh", recurrent_activation = "sigmoid";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  bool unit_forget_bias = true;  ///< the forget gate starts with a bias of 1
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Weights of the gates: update, reset, candidate. reset_after: the reset gate multiplies the product with the state, which has a bias of its own
/// (bias [2, 3 * units]); else the state before it.
struct TENURE_API GRUCell {
  int64_t units;
  ActivationFunction activation = "tanh", recurrent_activation = "sigmoid";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  bool reset_after = true;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Cells on top of each other, as one cell; its states are those of all cells, in order.
struct TENURE_API StackedRNNCells {
  LayerConfigs cells;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- recurrent layers --------------------------------------------------------------------------------------------------------
// x [batch, time, features] to the last output [batch, units], or to all of them [batch, time, units] with return_sequences; then, with
// return_state, the last states. Call options: mask [batch, time] (a masked step keeps the state and repeats the output, or gives zeros with
// zero_output_for_mask), initial_state. go_backwards gives the outputs in the order of the backward run. stateful continues where the last call
// ended and needs a known batch size. unroll has no effect on results.

/// Any cell, which may be of an author's class; several cells: {.cell = layers::StackedRNNCells{...}}.
struct TENURE_API RNN {
  LayerConfig cell;
  bool return_sequences = false, return_state = false, go_backwards = false, stateful = false, unroll = false, zero_output_for_mask = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API SimpleRNN {
  int64_t units;
  ActivationFunction activation = "tanh";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  bool return_sequences = false, return_state = false, go_backwards = false, stateful = false, unroll = false;
  std::optional<int64_t> seed = {};
  bool zero_output_for_mask = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

struct TENURE_API LSTM {
  int64_t units;
  ActivationFunction activation = "tanh", recurrent_activation = "sigmoid";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  bool unit_forget_bias = true;
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

struct TENURE_API GRU {
  int64_t units;
  ActivationFunction activation = "tanh", recurrent_activation = "sigmoid";
  bool use_bias = true;
  Initializer kernel_initializer = "glorot_uniform", recurrent_initializer = "orthogonal", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, recurrent_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, recurrent_constraint = {}, bias_constraint = {};
  double dropout = 0, recurrent_dropout = 0;
  std::optional<int64_t> seed = {};
  bool return_sequences = false, return_state = false, go_backwards = false, stateful = false, unroll = false;
  bool reset_after = true;
  bool zero_output_for_mask = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- wrappers ----------------------------------------------------------------------------------------------------------------

/// A recurrent layer forwards and a copy of it backwards in time. merge_mode sum, mul, ave, concat, or none: both outputs. The initial state is
/// that of the forward layer, then that of the backward layer.
struct TENURE_API Bidirectional {
  LayerConfig layer;
  std::optional<std::string> merge_mode = "concat";
  LayerConfig backward_layer = {};  ///< must go the other way; a copy when not given
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The layer on every step of [batch, time, ...].
struct TENURE_API TimeDistributed {
  LayerConfig layer;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace layers
}  // namespace tenure

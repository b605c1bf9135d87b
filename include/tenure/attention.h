// Attention and products by letters. Aggregates as in layers.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenure/layer.h>

namespace tenure {
namespace layers {

/// activation(einsum(equation, x, kernel) + bias): "abc,cd->abd". `output_shape` is without the batch, -1 where it is the input's size;
/// `bias_axes` are letters of the output, none: no bias. Throws InvalidArgument for an equation that does not fit.
struct TENURE_API EinsumDense {
  std::string equation;
  Shape output_shape;
  ActivationFunction activation = {};
  std::optional<std::string> bias_axes = {};
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Called with {query, value} or {query, value, key}, each [batch, steps..., features]. Call options: masks of query, value and key,
/// attention_mask [batch, queries, keys], use_causal_mask, return_attention_scores (then the scores [batch, heads, queries, keys] follow).
struct TENURE_API MultiHeadAttention {
  int64_t num_heads, key_dim;
  std::optional<int64_t> value_dim = {};  ///< key_dim when not given
  double dropout = 0;
  bool use_bias = true;
  std::optional<Shape> output_shape = {};               ///< the query's features when not given
  std::optional<std::vector<int>> attention_axes = {};  ///< all between batch and features when not given
  std::optional<int64_t> sliding_window = {};           ///< a query sees keys nearer than this
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  bool use_gate = false;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// MultiHeadAttention in which num_query_heads / num_key_value_heads queries share a key and a value head (Ainslie et al. 2023).
/// Inputs [batch, steps, features].
struct TENURE_API GroupQueryAttention {
  int64_t head_dim, num_query_heads, num_key_value_heads;
  double dropout = 0;
  bool use_bias = true;
  std::optional<int64_t> sliding_window = {};
  Initializer kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
  Regularizer kernel_regularizer = {}, bias_regularizer = {}, activity_regularizer = {};
  Constraint kernel_constraint = {}, bias_constraint = {};
  bool use_gate = false;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Called with {query, value} or {query, value, key}: softmax(query · key) · value. score_mode dot, or concat: a sum of tanh(query + key).
/// Call options: masks of query and value, use_causal_mask, return_attention_scores.
struct TENURE_API Attention {
  bool use_scale = false;
  std::string score_mode = "dot";
  double dropout = 0;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// As Attention, with scores sum(scale * tanh(query + key)) (Bahdanau et al. 2015).
struct TENURE_API AdditiveAttention {
  bool use_scale = true;
  double dropout = 0;
  std::optional<int64_t> seed = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace layers
}  // namespace tenure

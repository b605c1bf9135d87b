// An embedding that goes both ways. Aggregate as in layers.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/layer.h>

namespace tenure::layers {

/// Embedding; with the call option `reverse` from vectors [..., output_dim] to scores [..., input_dim]: x · transpose(embeddings), or x times a
/// matrix of its own unless tie_weights. The scores are computed in reverse_dtype where given, and are soft_cap * tanh(scores / soft_cap) with
/// logit_soft_cap.
struct TENURE_API ReversibleEmbedding {
  int64_t input_dim, output_dim;
  bool tie_weights = true;
  Initializer embeddings_initializer = "uniform";
  Regularizer embeddings_regularizer = {};
  Constraint embeddings_constraint = {};
  bool mask_zero = false;
  std::optional<std::string> reverse_dtype = {};
  std::optional<double> logit_soft_cap = {};
  Regularizer activity_regularizer = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

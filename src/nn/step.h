// One train, test or predict step of a Model: what its three Functions trace, and what surrounds them. Nothing here owns anything.
#pragma once

#include <string>
#include <vector>

#include "nn/layer_body.h"
#include "nn/model_state.h"

namespace tenure::nn {

/// How a step's arguments are divided: x, then y, then sample weights.
struct Layout {
  size_t x = 1, y = 1, w = 0;
  int64_t code() const noexcept { return static_cast<int64_t>(x | y << 16 | w << 32); }
  static Layout from(int64_t code) noexcept {
    auto c = static_cast<size_t>(code);
    return {c & 0xffff, c >> 16 & 0xffff, c >> 32};
  }
};

/// Makes the three Functions anew. Their closures hold `model` raw: it owns them.
void make_functions(LayerBody& model);

/// The model's state; throws InvalidArgument for an empty handle.
ModelState& state_of(const Model& m);
/// Before the first step on such inputs: builds what is not built, finds the outputs, makes metrics and optimizer state.
/// Throws InvalidArgument if the model is not compiled, Shape or InvalidArgument for targets that do not match the outputs.
void get_ready(LayerBody& model, const std::vector<Spec>& xs, size_t targets, bool training);

/// One step by the Function (or eagerly where compile said so). Returns the batch's loss, rank 0.
Tensor run_train(LayerBody& model, const Batch& batch);
Tensor run_test(LayerBody& model, const Batch& batch);
Tensors run_predict(LayerBody& model, Tensors xs);

/// The running figures: loss, metrics, losses of outputs.
Results results_of(const ModelState& s);
void reset_metrics(ModelState& s);

/// Runs the forward pass eagerly, layer by layer, and throws InvalidArgument naming the first place that holds a value which is not finite:
/// an input, a weight, a layer's output, or the loss. Returns if all are finite.
void find_nan(LayerBody& model, const Batch& batch, bool training);

/// What targets a train step expects for such outputs where the caller does not say.
std::vector<Spec> default_targets(const ModelState& s, const std::vector<Spec>& outputs);

}  // namespace tenure::nn

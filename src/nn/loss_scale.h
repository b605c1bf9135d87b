// Shared with the model: the optimizer that compile() puts around another. Nothing here owns anything.
#pragma once

#include <tenure/loss_scale.h>

#include "nn/layer_body.h"
#include "nn/optimizer_body.h"

namespace tenure {

/// The optimizer as a model takes it: within a LossScaleOptimizer if one of the model's layers is of policy mixed_float16. Such a one is written to
/// files as the optimizer that was given.
Optimizer scaled_for(const LayerBody& model, const Optimizer& given);
/// A LossScaleOptimizer of this configuration.
Optimizer loss_scale_from(const nn::Json& config);

}  // namespace tenure

// Training in float16: gradients too small for it are kept by scaling the loss.
#pragma once

#include <cstdint>
#include <string>

#include <tenure/optimizers.h>

namespace tenure::optimizers {

/// Scales the loss before its gradients are taken and the gradients back. A step with a gradient that is not finite changes nothing and halves the
/// scale; dynamic_growth_steps steps without one double it. compile() puts it around the optimizer of a model with layers of policy mixed_float16, as
/// Keras does. The learning rate and the iterations are the inner optimizer's.
struct TENURE_API LossScaleOptimizer {
  Optimizer inner_optimizer;
  double initial_scale = 32768;
  int64_t dynamic_growth_steps = 2000;
  std::string name = {};
  operator Optimizer() const;
};

}  // namespace tenure::optimizers

// Derivatives of several numbers by several numbers, on tapes: one walk back for each number of the target.
#pragma once

#include <functional>
#include <utility>

#include <tenure/tape.h>

namespace tenure {

/// d target[i] / d source[j] for all i and j: [target's shape..., source's shape...]. The tape must be persistent unless the target is one number;
/// zeros where nothing depends on the source. TensorFlow: tape.jacobian.
TENURE_API Tensor jacobian(GradientTape& tape, const Tensor& target, const Tensor& source);
TENURE_API Tensor jacobian(GradientTape& tape, const Tensor& target, const Variable& source);
/// For targets and sources [batch, ...] of which row depends on row only: [batch, target's row..., source's row...]. TensorFlow:
/// tape.batch_jacobian.
TENURE_API Tensor batch_jacobian(GradientTape& tape, const Tensor& target, const Tensor& source);

/// The Jacobian of f at x.
TENURE_API Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);
/// The second derivatives of a function with one number as result: [x's shape..., x's shape...].
TENURE_API Tensor hessian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);
/// {fun(primals), its derivative in the direction of tangents}: the gradient of a gradient. Keras: ops.jvp.
TENURE_API std::pair<Tensor, Tensor> jvp(const std::function<Tensor(const Tensors&)>& fun, const Tensors& primals, const Tensors& tangents);

}  // namespace tenure

// Jacobians by one gradient for each number of the target. Owns nothing.
#include <tenure/jacobian.h>

#include <tenure/ops.h>

#include "base/check.h"

namespace tenure {
namespace {

void check_known(const char* op, const Tensor& t) {
  check(t.defined() && t.shape().known(), Code::Shape, "{}: expected known sizes, got {}", op, t.defined() ? to_string(t.spec()) : "an empty handle");
}

Shape joined(const Shape& a, const Shape& b) {
  Shape s = a;
  for (int64_t d : b) s.push_back(d);
  return s;
}

// Row i of the n x n unit matrix, in the target's form.
Tensor unit(int64_t i, const Tensor& target) {
  const int64_t n = target.size();
  return reshape(one_hot(Tensor::from<int32_t>({static_cast<int32_t>(i)}), n, -1, target.dtype()), target.shape());
}

template <class Source>
Tensor any_jacobian(GradientTape& tape, const Tensor& target, const Source& source, const Shape& shape, DType dtype) {
  check_known("jacobian", target);
  const Shape all = joined(target.shape(), shape);
  Tensors rows;
  for (int64_t i = 0, n = target.size(); i < n; ++i) rows.push_back(tape.gradient(target, source, Unconnected::zero, unit(i, target)));
  return rows.empty() ? zeros(all, dtype) : reshape(stack(rows, 0), all);
}

}  // namespace

Tensor jacobian(GradientTape& tape, const Tensor& target, const Tensor& source) {
  check_known("jacobian", source);
  return any_jacobian(tape, target, source, source.shape(), source.dtype());
}
Tensor jacobian(GradientTape& tape, const Tensor& target, const Variable& source) {
  return any_jacobian(tape, target, source, source.spec().shape, source.spec().dtype);
}

Tensor batch_jacobian(GradientTape& tape, const Tensor& target, const Tensor& source) {
  check_known("batch_jacobian", target), check_known("batch_jacobian", source);
  const Shape &ys = target.shape(), &xs = source.shape();
  check(ys.rank() >= 1 && xs.rank() >= 1 && ys[0] == xs[0], Code::Shape, "batch_jacobian: expected as many rows of both, got {} and {}",
        target.spec(), source.spec());
  const Shape row = ys.slice(1, ys.rank()), all = joined(ys, xs.slice(1, xs.rank()));
  const int64_t n = row.elements();
  Tensors columns;  // element i of every row at once
  for (int64_t i = 0; i < n; ++i) {
    Tensor one = one_hot(Tensor::from<int32_t>({static_cast<int32_t>(i)}), n, -1, target.dtype());
    columns.push_back(tape.gradient(target, source, Unconnected::zero, reshape(broadcast_to(std::move(one), {ys[0], n}), ys)));
  }
  return columns.empty() ? zeros(all, source.dtype()) : reshape(stack(columns, 1), all);
}

Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  GradientTape tape({.persistent = true, .watch_accessed_variables = false});
  tape.watch(x);
  const Tensor y = f(x);
  return jacobian(tape, y, x);
}

Tensor hessian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  return jacobian(
      [&](const Tensor& at) {
        GradientTape tape({.watch_accessed_variables = false});
        tape.watch(at);
        const Tensor y = f(at);
        check(y.size() == 1, Code::Shape, "hessian: expected a function with one number as result, got {}", y.spec());
        return tape.gradient(y, at, Unconnected::zero);
      },
      x);
}

std::pair<Tensor, Tensor> jvp(const std::function<Tensor(const Tensors&)>& fun, const Tensors& primals, const Tensors& tangents) {
  check(primals.size() == tangents.size() && !primals.empty(), Code::InvalidArgument, "jvp: expected a tangent for each primal, got {} and {}",
        tangents.size(), primals.size());
  // The gradient is linear in the target's cotangent: its derivative by that, along the tangents, is the product asked for.
  GradientTape outer({.watch_accessed_variables = false});
  Tensor y, direction, along;
  {
    GradientTape inner({.watch_accessed_variables = false});
    for (const Tensor& p : primals) inner.watch(p);
    y = fun(primals);
    direction = zeros_like(y);
    outer.watch(direction);
    const Tensors grads = inner.gradient(y, primals, Unconnected::zero, direction);
    for (size_t i = 0; i < grads.size(); ++i) {
      check(tangents[i].shape() == primals[i].shape(), Code::Shape, "jvp: a tangent of {} for {}", tangents[i].spec(), primals[i].spec());
      Tensor part = sum(multiply(grads[i], cast(tangents[i], grads[i].dtype())));
      along = along ? add(std::move(along), std::move(part)) : std::move(part);
    }
  }
  Tensor product = outer.gradient(along, direction, Unconnected::zero);
  return {std::move(y), std::move(product)};
}

}  // namespace tenure

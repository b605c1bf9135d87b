// NumPy's functions of one and two numbers and its products, as compositions. Nothing here owns anything.
#include <tenure/ops_numpy.h>

#include <cmath>

#include <tenure/convolution.h>

#include "ops/helpers.h"
#include "ops/reduce_ops.h"

namespace tenure {
namespace {

using namespace ops;

constexpr double pi = 3.14159265358979323846, ln2 = 0.69314718055994530942;

// Both as floats of one dtype.
std::pair<Tensor, Tensor> floats(Tensor a, Tensor b) {
  promote_pair(a, b);
  return {to_float(std::move(a)), to_float(std::move(b))};
}

double largest(DType t) noexcept {
  switch (t) {
    case DType::float64: return std::numeric_limits<double>::max();
    case DType::float16: return 65504;
    case DType::bfloat16: return 3.3895313892515355e38;
    default: return std::numeric_limits<float>::max();
  }
}

}  // namespace

// ---- one number -----------------------------------------------------------------------------------------------------------------

Tensor sinc(Tensor x) {
  x = to_float(std::move(x));
  const Tensor zero = equal(x, 0.0), at = multiply(where(zero, 1.0, x), pi);
  return where(zero, 1.0, divide(sin(at), at));
}
Tensor deg2rad(Tensor x) { return multiply(to_float(std::move(x)), pi / 180); }
Tensor rad2deg(Tensor x) { return multiply(to_float(std::move(x)), 180 / pi); }

Tensor round(Tensor x, int decimals) {
  if (decimals == 0) return round(std::move(x));
  const DType t = x.dtype();
  const double factor = std::pow(10.0, decimals);
  if (is_float(t)) return divide(round(multiply(std::move(x), factor)), factor);
  return decimals > 0 ? x : cast(divide(round(multiply(cast(std::move(x), float64), factor)), factor), t);
}

Tensor nan_to_num(Tensor x, double nan, std::optional<double> posinf, std::optional<double> neginf) {
  const DType t = x.dtype();
  if (!is_float(t)) return x;
  x = where(isnan(x), nan, x);
  const Tensor infinite = isinf(x);
  return where(infinite, where(greater(x, 0.0), posinf.value_or(largest(t)), neginf.value_or(-largest(t))), x);
}

Tensor isposinf(Tensor x) { return logical_and(isinf(x), greater(x, 0)); }
Tensor isneginf(Tensor x) { return logical_and(isinf(x), less(x, 0)); }
Tensor angle(Tensor x) {
  x = to_float(std::move(x));
  return where(less(x, 0.0), add(zeros_like(x), pi), zeros_like(x));
}

// ---- two numbers ----------------------------------------------------------------------------------------------------------------

Tensor divide_no_nan(Tensor x1, Tensor x2) {
  auto [a, b] = floats(std::move(x1), std::move(x2));
  const Tensor zero = equal(b, 0.0);
  return where(zero, 0.0, divide(a, where(zero, 1.0, b)));
}
Tensor heaviside(Tensor x1, Tensor x2) {
  promote_pair(x1, x2);
  const DType t = x1.dtype() == int64 ? float64 : is_float(x1.dtype()) ? x1.dtype() : float32;
  const Tensor a = cast(std::move(x1), t), b = cast(std::move(x2), t);
  return where(less(a, 0.0), 0.0, where(greater(a, 0.0), 1.0, b));
}
Tensor hypot(Tensor x1, Tensor x2) {
  auto [a, b] = floats(abs(std::move(x1)), abs(std::move(x2)));
  const Tensor high = maximum(a, b), low = minimum(a, b), zero = equal(high, 0.0);
  return multiply(high, sqrt(add(square(divide(low, where(zero, 1.0, high))), 1.0)));
}
Tensor ldexp(Tensor x1, Tensor x2) {
  const DType t = is_float(x1.dtype()) ? x1.dtype() : float32;
  return multiply(cast(std::move(x1), t), exp2(cast(std::move(x2), t)));
}
Tensor logaddexp(Tensor x1, Tensor x2) {
  auto [a, b] = floats(std::move(x1), std::move(x2));
  const Tensor off = subtract(a, b);
  return where(isnan(off), add(a, b), add(maximum(a, b), log1p(exp(negative(abs(off))))));
}
Tensor logaddexp2(Tensor x1, Tensor x2) {
  auto [a, b] = floats(std::move(x1), std::move(x2));
  const Tensor off = subtract(a, b);
  return where(isnan(off), add(a, b), add(maximum(a, b), divide(log1p(exp2(negative(abs(off)))), ln2)));
}
Tensor fmax(Tensor x1, Tensor x2) {
  promote_pair(x1, x2);
  if (!is_float(x1.dtype())) return maximum(std::move(x1), std::move(x2));
  return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)));
}
Tensor fmin(Tensor x1, Tensor x2) {
  promote_pair(x1, x2);
  if (!is_float(x1.dtype())) return minimum(std::move(x1), std::move(x2));
  return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)));
}
Tensor fmod(Tensor x1, Tensor x2) {
  promote_pair(x1, x2);
  if (is_float(x1.dtype())) return subtract(x1, multiply(trunc(divide(x1, x2)), x2));
  return multiply(sign(x1), mod(abs(x1), abs(x2)));
}
Tensor isclose(Tensor x1, Tensor x2, double rtol, double atol, bool equal_nan) {
  auto [a, b] = floats(std::move(x1), std::move(x2));
  Tensor y = logical_or(equal(a, b), logical_and(isfinite(b), less_equal(abs(subtract(a, b)), add(multiply(abs(b), rtol), atol))));
  return equal_nan ? logical_or(y, logical_and(isnan(a), isnan(b))) : y;
}
Tensor allclose(Tensor x1, Tensor x2, double rtol, double atol, bool equal_nan) {
  return all(isclose(std::move(x1), std::move(x2), rtol, atol, equal_nan));
}

// ---- products -------------------------------------------------------------------------------------------------------------------

Tensor cumprod(Tensor x, int axis) {
  const DType dtype = x.dtype();
  axis = normalize_axis(axis, x.rank());
  if (is_half(dtype)) return cast(cumulate_product(cast(std::move(x), float32), axis, false, false), dtype);
  return cumulate_product(dtype == bool_ ? cast(std::move(x), int32) : std::move(x), axis, false, false);
}

Tensor tensordot(Tensor x1, Tensor x2, const Axes& axes1, const Axes& axes2) {
  check(axes1.size() == axes2.size(), Code::InvalidArgument, "tensordot: expected as many axes of the one as of the other, got {} and {}",
        axes1.size(), axes2.size());
  const Shape a = x1.shape(), b = x2.shape();
  Axes first, second, order1, order2;
  for (int i : axes1) first.push_back(normalize_axis(i, a.rank()));
  for (int i : axes2) second.push_back(normalize_axis(i, b.rank()));
  Shape y;
  auto has = [](const Axes& list, int i) { return std::find(list.begin(), list.end(), i) != list.end(); };
  for (int i = 0; i < a.rank(); ++i)
    if (!has(first, i)) order1.push_back(i), y.push_back(a[i]);
  order2 = second;
  for (int i = 0; i < b.rank(); ++i)
    if (!has(second, i)) order2.push_back(i), y.push_back(b[i]);
  int64_t k = 1, n = 1;
  for (size_t i = 0; i < first.size(); ++i) {
    const int64_t d1 = a[first[i]], d2 = b[second[i]];
    check(d1 == d2 || d1 < 0 || d2 < 0, Code::Shape, "tensordot: sizes differ: axis {} of {} and axis {} of {}", first[i], x1.spec(), second[i],
          x2.spec());
    k *= d1 < 0 ? d2 : d1;
  }
  check(k >= 0, Code::Shape, "tensordot: the sizes summed over must be known, got {} and {}", x1.spec(), x2.spec());
  for (int i = 0; i < b.rank(); ++i)
    if (!has(second, i)) n = n < 0 || b[i] < 0 ? -1 : n * b[i];
  order1.insert(order1.end(), first.begin(), first.end());
  int64_t m = 1;
  for (int i = 0; i < a.rank(); ++i)
    if (!has(first, i)) m = m < 0 || a[i] < 0 ? -1 : m * a[i];
  Tensor rows = reshape(transpose(std::move(x1), order1), {m, k}), columns = reshape(transpose(std::move(x2), order2), {k, n});
  return reshape(matmul(std::move(rows), std::move(columns)), y);
}

Tensor tensordot(Tensor x1, Tensor x2, int axes) {
  check(axes >= 0 && axes <= x1.rank() && axes <= x2.rank(), Code::InvalidArgument, "tensordot: expected at most {} axes, got {}",
        std::min(x1.rank(), x2.rank()), axes);
  Axes first, second;
  for (int i = 0; i < axes; ++i) first.push_back(x1.rank() - axes + i), second.push_back(i);
  return tensordot(std::move(x1), std::move(x2), first, second);
}

Tensor dot(Tensor x1, Tensor x2) {
  if (x1.rank() == 0 || x2.rank() == 0) return multiply(std::move(x1), std::move(x2));
  if (x2.rank() <= 2) return matmul(std::move(x1), std::move(x2));
  const int second = x2.rank() - 2;
  return tensordot(std::move(x1), std::move(x2), {-1}, {second});
}
Tensor inner(Tensor x1, Tensor x2) {
  if (x1.rank() == 0 || x2.rank() == 0) return multiply(std::move(x1), std::move(x2));
  return tensordot(std::move(x1), std::move(x2), Axes{-1}, Axes{-1});
}
Tensor outer(Tensor x1, Tensor x2) { return multiply(reshape(std::move(x1), {-1, 1}), reshape(std::move(x2), {1, -1})); }
Tensor vdot(Tensor x1, Tensor x2) { return matmul(reshape(std::move(x1), {-1}), reshape(std::move(x2), {-1})); }

Tensor kron(Tensor x1, Tensor x2) {
  while (x1.rank() < x2.rank()) x1 = expand_dims(std::move(x1), 0);
  while (x2.rank() < x1.rank()) x2 = expand_dims(std::move(x2), 0);
  check(2 * x1.rank() <= Shape::max_rank && x1.shape().known() && x2.shape().known(), Code::Shape,
        "kron: expected at most {} axes of known sizes, got {} and {}", Shape::max_rank / 2, x1.spec(), x2.spec());
  const Shape a = x1.shape(), b = x2.shape();
  Shape left, right, y;
  for (int i = 0; i < a.rank(); ++i) {
    left.push_back(a[i]), left.push_back(1), right.push_back(1), right.push_back(b[i]);
    y.push_back(a[i] * b[i]);
  }
  return reshape(multiply(reshape(std::move(x1), left), reshape(std::move(x2), right)), y);
}

Tensor cross(Tensor x1, Tensor x2, int axisa, int axisb, int axisc) {
  promote_pair(x1, x2);
  x1 = moveaxis(std::move(x1), {axisa}, {-1});
  x2 = moveaxis(std::move(x2), {axisb}, {-1});
  const int64_t n1 = x1.shape().back(), n2 = x2.shape().back();
  check((n1 == 2 || n1 == 3) && (n2 == 2 || n2 == 3), Code::Shape, "cross: expected vectors of 2 or 3 numbers, got {} and {}", x1.spec(), x2.spec());
  const Tensors a = unstack(std::move(x1), -1), b = unstack(std::move(x2), -1);
  auto part = [&](size_t i, size_t j) { return subtract(multiply(a[i], b[j]), multiply(a[j], b[i])); };
  if (n1 == 2 && n2 == 2) return part(0, 1);
  Tensor x, y;
  if (n1 == 3 && n2 == 3) x = part(1, 2), y = part(2, 0);
  else if (n1 == 3) x = negative(multiply(a[2], b[1])), y = multiply(a[2], b[0]);
  else x = multiply(a[1], b[2]), y = negative(multiply(a[0], b[2]));
  return moveaxis(stack({x, y, part(0, 1)}, -1), {-1}, {axisc});
}

Tensor correlate(Tensor x1, Tensor x2, std::string_view mode) {
  check(mode == "valid" || mode == "same" || mode == "full", Code::InvalidArgument, "correlate: expected mode valid, same or full, got '{}'", mode);
  check(x1.rank() == 1 && x2.rank() == 1 && x1.shape().known() && x2.shape().known() && x2.size() > 0, Code::Shape,
        "correlate: expected two vectors of known sizes, got {} and {}", x1.spec(), x2.spec());
  promote_pair(x1, x2);
  const DType t = x1.dtype() == int64 ? float64 : is_float(x1.dtype()) ? x1.dtype() : float32;
  const int64_t n = x1.size(), m = x2.size();
  x1 = cast(std::move(x1), t);
  if (mode != "valid") x1 = pad(std::move(x1), {{m - 1, m - 1}});
  check(x1.size() >= m, Code::Shape, "correlate: the second vector of {} is longer than the first of {}", m, n);
  const int64_t all = x1.size();
  Tensor y = reshape(conv(reshape(std::move(x1), {1, all, 1}), reshape(cast(std::move(x2), t), {m, 1, 1})), {all - m + 1});
  if (mode != "same") return y;
  const int64_t length = std::max(n, m);
  return slice(std::move(y), {(n + m - 1 - length) / 2}, {length});
}

Tensor corrcoef(Tensor x) {
  x = to_float(std::move(x));
  check(x.rank() == 1 || x.rank() == 2, Code::Shape, "corrcoef: expected a vector or a matrix, got {}", x.spec());
  const bool vector = x.rank() == 1;
  if (vector) x = expand_dims(std::move(x), 0);
  const int64_t n = x.shape()[1];
  check(n >= 0, Code::Shape, "corrcoef: the number of columns must be known, got {}", x.spec());
  const Tensor off = subtract(x, mean(x, {1}, true));
  const Tensor covariance = divide(matmul(off, off, false, true), static_cast<double>(n - 1));
  const Tensor deviation = sqrt(divide(sum(square(off), {1}, true), static_cast<double>(n - 1)));
  Tensor y = clip(divide(covariance, matmul(deviation, deviation, false, true)), -1, 1);
  return vector ? squeeze(std::move(y), {0, 1}) : y;
}

}  // namespace tenure

// Linear algebra made of the factorizations: inverses, least squares, ranks, norms. Nothing here owns anything.
#include <tenure/ops_linalg.h>

#include <cmath>

#include <tenure/ops_numpy.h>

#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

Tensor transposed(Tensor x) { return swapaxes(std::move(x), -1, -2); }

Tensor identity_like(const Tensor& x, std::string_view op) {
  check(x.rank() >= 2 && x.dim(-1) >= 0, Code::Shape, "{}: expected matrices of known sizes, got {}", op, x.spec());
  return add(zeros_like(x), eye(x.dim(-1), -1, x.dtype()));
}

double epsilon(DType t) noexcept { return t == float64 ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon(); }
Tensor widened(Tensor x) { return is_half(x.dtype()) ? cast(std::move(x), float32) : to_float(std::move(x)); }

// The reciprocals of singular values above a share of the largest, 0 for the others.
Tensor reciprocals(const Tensor& s, double share, bool equal_too) {
  const Tensor bound = multiply(max(s, {-1}, true), share);
  const Tensor keep = equal_too ? greater_equal(s, bound) : greater(s, bound);
  return where(keep, divide(1.0, where(keep, s, 1.0)), 0.0);
}

int64_t larger_side(const Tensor& x, std::string_view op) {
  check(x.rank() >= 2 && x.dim(-1) >= 0 && x.dim(-2) >= 0, Code::Shape, "{}: expected matrices of known sizes, got {}", op, x.spec());
  return std::max(x.dim(-1), x.dim(-2));
}

enum class Ord { root, number, frobenius, nuclear };

Tensor singular_norm(Tensor x, int row, int column, Ord kind, double ord, bool keepdims) {
  Tensor s = svd(moveaxis(std::move(x), {row, column}, {-2, -1}), false, false)[0];
  Tensor y = kind == Ord::nuclear ? sum(std::move(s), {-1}) : ord > 0 ? max(std::move(s), {-1}) : min(std::move(s), {-1});
  if (!keepdims) return y;
  return expand_dims(expand_dims(std::move(y), std::min(row, column)), std::max(row, column));
}

Tensor any_norm(Tensor x, Ord kind, double ord, const Axes& axis, bool keepdims) {
  x = x.dtype() == int64 ? cast(std::move(x), float32) : to_float(std::move(x));
  Axes axes;
  for (int i : axis) axes.push_back(normalize_axis(i, x.rank()));
  if (axes.empty())
    for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
  check(axes.size() == 1 || axes.size() == 2 || (kind == Ord::root && axis.empty()), Code::InvalidArgument,
        "norm: expected one axis or two, got {} for {}", axes.size(), x.spec());
  if (kind == Ord::root || kind == Ord::frobenius || (axes.size() == 1 && kind == Ord::number && ord == 2)) {
    check(kind != Ord::frobenius || axes.size() == 2, Code::InvalidArgument, "norm: ord 'fro' is for matrices, got one axis");
    return sqrt(sum(square(std::move(x)), axes, keepdims));
  }
  if (axes.size() == 1) {
    check(kind == Ord::number, Code::InvalidArgument, "norm: ord 'nuc' is for matrices, got one axis");
    if (std::isinf(ord)) return ord > 0 ? max(abs(std::move(x)), axes, keepdims) : min(abs(std::move(x)), axes, keepdims);
    if (ord == 0) {
      const DType t = x.dtype();
      return sum(cast(not_equal(std::move(x), 0.0), t), axes, keepdims);
    }
    return power(sum(power(abs(std::move(x)), ord), axes, keepdims), 1 / ord);
  }
  if (kind == Ord::nuclear || std::fabs(ord) == 2) return singular_norm(std::move(x), axes[0], axes[1], kind, ord, keepdims);
  check(std::isinf(ord) || std::fabs(ord) == 1, Code::InvalidArgument,
        "norm: expected ord 1, 2, infinity, their negatives, fro or nuc for matrices, got {}", ord);
  const bool by_rows = std::isinf(ord);
  Tensor sums = sum(abs(std::move(x)), {axes[by_rows ? 1 : 0]}, true);
  Tensor y = ord > 0 ? max(std::move(sums), {axes[by_rows ? 0 : 1]}, true) : min(std::move(sums), {axes[by_rows ? 0 : 1]}, true);
  return keepdims ? y : squeeze(std::move(y), axes);
}

}  // namespace

Tensor cholesky_inverse(Tensor x, bool upper) {
  x = widened(std::move(x));
  const Tensor one = identity_like(x, "cholesky_inverse"), inverse = solve_triangular(std::move(x), one, !upper);
  return upper ? matmul(inverse, inverse, false, true) : matmul(inverse, inverse, true, false);
}

Tensor logdet(Tensor x) { return multiply(sum(log(diagonal(cholesky(std::move(x)), 0, -2, -1)), {-1}), 2.0); }

Tensor inv(Tensor x) {
  x = to_float(std::move(x));
  Tensor one = identity_like(x, "inv");
  return solve(std::move(x), std::move(one));
}

Tensor pinv(Tensor x, std::optional<double> rcond) {
  x = widened(std::move(x));
  const double share = rcond.value_or(10.0 * static_cast<double>(larger_side(x, "pinv")) * epsilon(x.dtype()));
  const Tensors parts = svd(std::move(x), false, true);
  return matmul(multiply(transposed(parts[2]), expand_dims(reciprocals(parts[1], share, false), -2)), parts[0], false, true);
}

Tensor lstsq(Tensor a, Tensor b, std::optional<double> rcond) {
  promote_pair(a, b);
  a = widened(std::move(a));
  b = widened(std::move(b));
  check(a.rank() == 2 && (b.rank() == 1 || b.rank() == 2), Code::Shape, "lstsq: expected a matrix and right sides [m] or [m, k], got {} and {}",
        a.spec(), b.spec());
  const double eps = epsilon(a.dtype());
  const double share = !rcond ? eps * static_cast<double>(larger_side(a, "lstsq")) : *rcond < 0 ? eps : *rcond;
  const bool vector = b.rank() == 1;
  if (vector) b = expand_dims(std::move(b), 1);
  const Tensors parts = svd(std::move(a), false, true);
  Tensor x = matmul(parts[2], multiply(expand_dims(reciprocals(parts[1], share, true), 1), matmul(parts[0], std::move(b), true, false)), true, false);
  return vector ? squeeze(std::move(x), {1}) : x;
}

Tensor matrix_rank(Tensor x, std::optional<double> tol) {
  x = widened(std::move(x));
  const double share = static_cast<double>(larger_side(x, "matrix_rank")) * epsilon(x.dtype());
  const Tensor s = svd(std::move(x), false, false)[0];
  const Tensor bound = tol ? Tensor(*tol) : multiply(max(s, {-1}, true), share);
  return sum(cast(greater(s, bound), int32), {-1});
}

Tensor norm(Tensor x, std::optional<double> ord, const Axes& axis, bool keepdims) {
  return any_norm(std::move(x), ord ? Ord::number : Ord::root, ord.value_or(2), axis, keepdims);
}
Tensor norm(Tensor x, std::string_view ord, const Axes& axis, bool keepdims) {
  check(ord == "fro" || ord == "nuc", Code::InvalidArgument, "norm: expected ord fro or nuc, got '{}'", ord);
  return any_norm(std::move(x), ord == "fro" ? Ord::frobenius : Ord::nuclear, 0, axis, keepdims);
}

Tensor cdist(Tensor x, Tensor y) {
  promote_pair(x, y);
  const Tensor a = to_float(std::move(x)), b = to_float(std::move(y));
  check(a.rank() >= 2 && a.rank() == b.rank(), Code::Shape, "cdist: expected [..., n, d] and [..., m, d], got {} and {}", a.spec(), b.spec());
  return sqrt(sum(square(subtract(expand_dims(a, -2), expand_dims(b, -3))), {-1}));
}

}  // namespace tenure

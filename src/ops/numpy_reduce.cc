// NumPy's statistics as compositions: of all elements, and of those that are not NaN. Nothing here owns anything.
#include <tenure/ops_numpy.h>

#include <cmath>

#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

Tensor present(const Tensor& x) { return logical_not(isnan(x)); }
Tensor without_nan(Tensor x, double instead) {
  if (!is_float(x.dtype())) return x;
  const Tensor missing = isnan(x);
  return where(missing, instead, std::move(x));
}
Tensor count(const Tensor& x, const Axes& axis, bool keepdims) { return sum(cast(present(x), x.dtype()), axis, keepdims); }

// x with the axes to reduce flattened into the last one, and the shape of what remains.
struct Rows {
  Tensor x;  // stack-bound
  Shape kept;
  int64_t n = 1;

  Rows(Tensor t, const Axes& axis, bool keepdims, std::string_view op) {
    const AxisSet set(axis, t.rank(), op);
    const Shape s = t.shape();
    std::vector<int> order, last;
    Shape rows;
    for (int i = 0; i < s.rank(); ++i) {
      if (set.has(i)) {
        check(s[i] >= 0, Code::Shape, "{}: the sizes of reduced axes must be known, got {}", op, t.spec());
        last.push_back(i), n *= s[i];
      } else {
        order.push_back(i), rows.push_back(s[i]);
      }
    }
    check(n > 0, Code::Shape, "{}: expected at least one element, got {}", op, t.spec());
    kept = reduced_shape(s, set, keepdims);
    order.insert(order.end(), last.begin(), last.end());
    rows.push_back(n);
    x = reshape(transpose(std::move(t), order), rows);
  }
  Tensor close(Tensor y) const { return reshape(std::move(y), kept); }
};

bool is_method(std::string_view m) { return m == "linear" || m == "lower" || m == "higher" || m == "midpoint" || m == "nearest"; }

// The elements at a place between those of sorted rows; `last` is the highest place, a number or a tensor [..., 1].
Tensor between(const Tensor& rows, Tensor place, std::string_view method) {
  auto at = [&](Tensor i) { return take_along_axis(rows, cast(maximum(std::move(i), 0.0), int32), -1); };
  if (method == "lower") return at(floor(place));
  if (method == "higher") return at(ceil(place));
  if (method == "nearest") return at(round(place));
  const Tensor low = at(floor(place)), high = at(ceil(place));
  if (method == "midpoint") return multiply(add(low, high), 0.5);
  const Tensor share = cast(subtract(place, floor(place)), rows.dtype());
  return add(multiply(low, subtract(1.0, share)), multiply(high, share));
}

Tensor quantiles(std::string_view op, Tensor x, const std::vector<double>& q, bool one, const Axes& axis, std::string_view method, bool keepdims,
                 bool skip) {
  check(is_method(method), Code::InvalidArgument, "{}: expected method linear, lower, higher, midpoint or nearest, got '{}'", op, method);
  for (double v : q) check(v >= 0 && v <= 1, Code::InvalidArgument, "{}: expected fractions in [0, 1], got {}", op, v);
  check(!q.empty(), Code::InvalidArgument, "{}: expected at least one fraction", op);
  const Rows in(to_float(std::move(x)), axis, keepdims, op);
  const Tensor rows = sort(in.x, -1);  // NaN comes last
  const Tensor last = skip ? subtract(sum(cast(present(rows), float64), {-1}, true), 1.0) : Tensor();
  Tensors ys;
  for (double v : q) {
    Tensor y;
    if (skip) {
      y = between(rows, multiply(last, v), method);
    } else {
      // One place for all rows.
      auto at = [&](double place) {
        const auto i = static_cast<int64_t>(place);
        return slice_axis(rows, -1, i, i + 1);
      };
      const double place = v * static_cast<double>(in.n - 1), share = place - std::floor(place);
      if (method == "nearest") y = at(std::nearbyint(place));
      else if (method == "lower") y = at(std::floor(place));
      else if (method == "higher") y = at(std::ceil(place));
      else if (method == "midpoint") y = multiply(add(at(std::floor(place)), at(std::ceil(place))), 0.5);
      else if (share == 0) y = at(place);
      else y = add(multiply(at(std::floor(place)), 1 - share), multiply(at(std::ceil(place)), share));
      const Tensor highest = at(static_cast<double>(in.n - 1));
      y = where(isnan(highest), highest, y);
    }
    ys.push_back(in.close(std::move(y)));
  }
  return one ? ys[0] : stack(ys, 0);
}

Tensor nan_place(Tensor (*f)(Tensor, std::optional<int>, bool), Tensor x, double instead, std::optional<int> axis, bool keepdims) {
  if (!is_float(x.dtype())) return f(std::move(x), axis, keepdims);
  const Tensor empty = all(isnan(x), axis ? Axes{*axis} : Axes{}, keepdims);
  return where(empty, -1, f(without_nan(x, instead), axis, keepdims));
}

constexpr double infinity = std::numeric_limits<double>::infinity(), not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

Tensor average(Tensor x, std::optional<int> axis, Tensor weights) {
  const Axes axes = axis ? Axes{*axis} : Axes{};
  if (!weights) return mean(std::move(x), axes);
  promote_pair(x, weights);
  x = to_float(std::move(x));
  weights = to_float(std::move(weights));
  if (axis && weights.rank() == 1 && x.rank() > 1) {
    Shape s;
    for (int i = 0; i < x.rank(); ++i) s.push_back(1);
    s[normalize_axis(*axis, x.rank())] = weights.shape()[0];
    weights = reshape(std::move(weights), s);
    return divide(sum(multiply(std::move(x), weights), axes), sum(weights));
  }
  check(weights.rank() == x.rank(), Code::Shape, "average: expected weights of the shape of {} or of one axis, got {}", x.spec(), weights.spec());
  return divide(sum(multiply(std::move(x), weights), axes), sum(weights, axes));
}

Tensor count_nonzero(Tensor x, const Axes& axis) { return sum(cast(not_equal(std::move(x), 0), int32), axis); }
Tensor ptp(Tensor x, const Axes& axis, bool keepdims) { return subtract(max(x, axis, keepdims), min(x, axis, keepdims)); }
Tensor median(Tensor x, const Axes& axis, bool keepdims) { return quantiles("median", std::move(x), {0.5}, true, axis, "linear", keepdims, false); }
Tensor quantile(Tensor x, const std::vector<double>& q, bool one, const Axes& axis, std::string_view method, bool keepdims) {
  return quantiles("quantile", std::move(x), q, one, axis, method, keepdims, false);
}

Tensor nanmax(Tensor x, const Axes& axis, bool keepdims) {
  if (!is_float(x.dtype())) return max(std::move(x), axis, keepdims);
  return where(all(isnan(x), axis, keepdims), not_a_number, max(without_nan(x, -infinity), axis, keepdims));
}
Tensor nanmin(Tensor x, const Axes& axis, bool keepdims) {
  if (!is_float(x.dtype())) return min(std::move(x), axis, keepdims);
  return where(all(isnan(x), axis, keepdims), not_a_number, min(without_nan(x, infinity), axis, keepdims));
}
Tensor nansum(Tensor x, const Axes& axis, bool keepdims) { return sum(without_nan(std::move(x), 0), axis, keepdims); }
Tensor nanprod(Tensor x, const Axes& axis, bool keepdims) { return prod(without_nan(std::move(x), 1), axis, keepdims); }
Tensor nanmean(Tensor x, const Axes& axis, bool keepdims) {
  x = to_float(std::move(x));
  return divide(nansum(x, axis, keepdims), count(x, axis, keepdims));
}
Tensor nanvar(Tensor x, const Axes& axis, bool keepdims) {
  x = to_float(std::move(x));
  const Axes axes = axis;
  const Tensor off = subtract(x, nanmean(x, axes, true));
  return divide(nansum(square(off), axes, keepdims), count(x, axes, keepdims));
}
Tensor nanstd(Tensor x, const Axes& axis, bool keepdims) { return sqrt(nanvar(std::move(x), axis, keepdims)); }
Tensor nanmedian(Tensor x, const Axes& axis, bool keepdims) {
  return quantiles("nanmedian", std::move(x), {0.5}, true, axis, "linear", keepdims, true);
}
Tensor nanquantile(Tensor x, const std::vector<double>& q, bool one, const Axes& axis, std::string_view method, bool keepdims) {
  return quantiles("nanquantile", std::move(x), q, one, axis, method, keepdims, true);
}
Tensor nanargmax(Tensor x, std::optional<int> axis, bool keepdims) { return nan_place(argmax, std::move(x), -infinity, axis, keepdims); }
Tensor nanargmin(Tensor x, std::optional<int> axis, bool keepdims) { return nan_place(argmin, std::move(x), infinity, axis, keepdims); }

Tensors histogram(Tensor x, int64_t bins, std::optional<std::pair<double, double>> range) {
  check(bins > 0, Code::InvalidArgument, "histogram: expected at least one bin, got {}", bins);
  const DType t = x.dtype();
  x = reshape(std::move(x), {-1});
  Tensor low, high;
  if (range) low = cast(Tensor(range->first), t), high = cast(Tensor(range->second), t);
  else low = min(x), high = max(x);
  Tensor edges = cast(linspace(cast(low, is_float(t) ? t : float32), cast(high, is_float(t) ? t : float32), bins + 1), t);
  const Tensor inside = logical_and(greater_equal(x, low), less_equal(x, high));
  // The bin is the number of inner edges that are not above; what lies outside goes to a bin that is left out.
  Tensor place = bins == 1 ? zeros_like(cast(x, int32)) : searchsorted(slice_axis(edges, 0, 1, bins), x, "right");
  place = where(inside, std::move(place), static_cast<int>(bins));
  const DType work = t == float64 || t == float32 || (is_integer(t) && t != DType::uint8) ? t : float32;
  Tensor counts = slice_axis(scatter_add(std::move(place), cast(ones_like(x), work), {bins + 1}), 0, 0, bins);
  return {cast(std::move(counts), t), std::move(edges)};
}

Tensor trapezoid(Tensor y, Tensor x, double dx, int axis) {
  y = to_float(std::move(y));
  axis = normalize_axis(axis, y.rank());
  Tensor heights = multiply(add(slice_axis(y, axis, 1), slice_axis(y, axis, 0, -1)), 0.5);
  if (!x) return sum(multiply(std::move(heights), dx), {axis});
  Tensor steps = diff(cast(std::move(x), y.dtype()), 1, -1);
  if (steps.rank() == 1 && y.rank() > 1) {
    Shape s;
    for (int i = 0; i < y.rank(); ++i) s.push_back(1);
    s[axis] = steps.shape()[0];
    steps = reshape(std::move(steps), s);
  }
  return sum(multiply(std::move(heights), std::move(steps)), {axis});
}

}  // namespace tenure

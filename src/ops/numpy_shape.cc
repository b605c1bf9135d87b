// NumPy's rearrangements, grids, diagonals and choices as compositions. Nothing here owns anything.
#include <tenure/ops_numpy.h>

#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

Tensor at_least(Tensor x, int rank) {
  if (rank >= 1 && x.rank() == 0) x = expand_dims(std::move(x), 0);
  if (rank >= 2 && x.rank() == 1) x = expand_dims(std::move(x), 0);
  if (rank >= 3 && x.rank() == 2) x = expand_dims(std::move(x), 2);
  return x;
}

Tensors raised(const Tensors& xs, int rank) {
  Tensors out;
  for (const Tensor& x : xs) out.push_back(at_least(x, rank));
  return out;
}

// Numbers of the elements of diagonal `offset` in a flattened rows x columns matrix.
std::vector<int32_t> diagonal_places(int64_t rows, int64_t columns, int64_t offset) {
  std::vector<int32_t> places;
  for (int64_t i = std::max<int64_t>(0, -offset); i < rows && i + offset < columns; ++i)
    places.push_back(static_cast<int32_t>(i * columns + i + offset));
  return places;
}

// Zeros of `n` elements with `x` at `places`, of any dtype.
Tensor placed(Tensor x, const std::vector<int32_t>& places, int64_t n) {
  const DType t = x.dtype(), work = t == bool_ ? int32 : is_half(t) ? float32 : t;
  return cast(scatter_add(Tensor::from(places, {static_cast<int64_t>(places.size())}), cast(std::move(x), work), {n}), t);
}

Tensor triangle(Tensor x, int64_t k, bool lower, std::string_view op) {
  if (x.rank() == 1) x = broadcast_to(expand_dims(x, 0), {x.shape()[0], x.shape()[0]});
  check(x.rank() >= 2, Code::Shape, "{}: expected matrices, got {}", op, x.spec());
  const int64_t rows = x.dim(-2), columns = x.dim(-1);
  check(rows >= 0 && columns >= 0, Code::Shape, "{}: the sizes of the last two axes must be known, got {}", op, x.spec());
  Tensor keep = Tensor::empty({rows, columns}, bool_);
  auto* at = reinterpret_cast<bool*>(mutable_data(keep));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) *at++ = lower ? j - i <= k : j - i >= k;
  return where(std::move(keep), std::move(x), 0);
}

}  // namespace

Tensor append(Tensor x1, Tensor x2, std::optional<int> axis) {
  if (!axis) return concatenate({reshape(std::move(x1), {-1}), reshape(std::move(x2), {-1})}, 0);
  return concatenate({std::move(x1), std::move(x2)}, *axis);
}

Tensors array_split(Tensor x, int64_t sections, int axis) {
  const int64_t n = x.dim(axis);
  check(sections > 0 && n >= 0, Code::InvalidArgument, "array_split: expected a number of parts and a known size, got {} of axis {} of {}", sections,
        axis, x.spec());
  std::vector<int64_t> cuts;
  for (int64_t i = 1, at = 0; i < sections; ++i) cuts.push_back(at += n / sections + (i <= n % sections ? 1 : 0));
  return split(std::move(x), cuts, axis);
}

Tensor moveaxis(Tensor x, const Axes& source, const Axes& destination) {
  check(source.size() == destination.size(), Code::InvalidArgument, "moveaxis: expected as many places as axes, got {} and {}", destination.size(),
        source.size());
  const int rank = x.rank();
  std::vector<int> order(static_cast<size_t>(rank), -1), rest;
  std::vector<char> moved(static_cast<size_t>(rank), 0);
  for (size_t i = 0; i < source.size(); ++i) {
    const auto from = static_cast<size_t>(normalize_axis(source[i], rank)), to = static_cast<size_t>(normalize_axis(destination[i], rank));
    check(!moved[from] && order[to] < 0, Code::InvalidArgument, "moveaxis: an axis of {} is named twice", x.spec());
    moved[from] = 1;
    order[to] = static_cast<int>(from);
  }
  size_t next = 0;
  for (int& axis : order) {
    if (axis >= 0) continue;
    while (moved[next]) ++next;
    axis = static_cast<int>(next++);
  }
  return transpose(std::move(x), order);
}

Tensor swapaxes(Tensor x, int axis1, int axis2) {
  std::vector<int> order;
  for (int i = 0; i < x.rank(); ++i) order.push_back(i);
  std::swap(order[static_cast<size_t>(normalize_axis(axis1, x.rank()))], order[static_cast<size_t>(normalize_axis(axis2, x.rank()))]);
  return transpose(std::move(x), order);
}

Tensor roll(Tensor x, const std::vector<int64_t>& shift, const Axes& axis) {
  if (axis.empty()) {
    check(shift.size() == 1, Code::InvalidArgument, "roll: expected one shift where no axis is given, got {}", shift.size());
    const Shape s = x.shape();
    return reshape(roll(reshape(std::move(x), {-1}), shift, {0}), s);
  }
  check(shift.size() == axis.size() || shift.size() == 1, Code::InvalidArgument, "roll: expected a shift an axis, got {} and {}", shift.size(),
        axis.size());
  for (size_t i = 0; i < axis.size(); ++i) {
    const int64_t n = x.dim(axis[i]), by = shift[shift.size() == 1 ? 0 : i];
    check(n >= 0, Code::Shape, "roll: the size of axis {} must be known, got {}", axis[i], x.spec());
    const int64_t first = n == 0 ? 0 : ((-by % n) + n) % n;
    if (first == 0) continue;
    x = concatenate({slice_axis(x, axis[i], first), slice_axis(x, axis[i], 0, first)}, axis[i]);
  }
  return x;
}

Tensor rot90(Tensor x, int k, std::pair<int, int> axes) {
  const int a = normalize_axis(axes.first, x.rank()), b = normalize_axis(axes.second, x.rank());
  check(a != b, Code::InvalidArgument, "rot90: expected two different axes, got {} and {}", axes.first, axes.second);
  switch (((k % 4) + 4) % 4) {
    case 0: return x;
    case 1: return swapaxes(flip(std::move(x), {b}), a, b);
    case 2: return flip(std::move(x), {a, b});
    default: return flip(swapaxes(std::move(x), a, b), {b});
  }
}

Tensor diff(Tensor x, int n, int axis) {
  check(n >= 0, Code::InvalidArgument, "diff: expected n >= 0, got {}", n);
  for (int i = 0; i < n; ++i) {
    const Tensor high = slice_axis(x, axis, 1), low = slice_axis(x, axis, 0, -1);
    x = x.dtype() == bool_ ? not_equal(high, low) : subtract(high, low);
  }
  return x;
}

Tensor hstack(const Tensors& xs) {
  const Tensors in = raised(xs, 1);
  return concatenate(in, !in.empty() && in[0].rank() > 1 ? 1 : 0);
}
Tensor vstack(const Tensors& xs) { return concatenate(xs, 0); }
Tensor dstack(const Tensors& xs) { return concatenate(raised(xs, 3), 2); }

Tensors meshgrid(const Tensors& xs, std::string_view indexing) {
  check(indexing == "xy" || indexing == "ij", Code::InvalidArgument, "meshgrid: expected indexing xy or ij, got '{}'", indexing);
  const auto n = static_cast<int>(xs.size());
  auto place = [&](int i) { return indexing == "xy" && n > 1 && i < 2 ? 1 - i : i; };
  Shape grid;
  for (int i = 0; i < n; ++i) grid.push_back(1);
  for (int i = 0; i < n; ++i) {
    const Tensor& x = xs[static_cast<size_t>(i)];
    check(x.rank() <= 1 && x.shape().known(), Code::Shape, "meshgrid: expected vectors of known sizes, got {}", x.spec());
    grid[place(i)] = x.size();
  }
  Tensors out;
  for (int i = 0; i < n; ++i) {
    Shape s;
    for (int k = 0; k < n; ++k) s.push_back(k == place(i) ? grid[k] : 1);
    out.push_back(broadcast_to(reshape(xs[static_cast<size_t>(i)], s), grid));
  }
  return out;
}

Tensor diag(Tensor x, int64_t k) {
  if (x.rank() == 2) return diagonal(std::move(x), k);
  check(x.rank() == 1 && x.shape().known(), Code::Shape, "diag: expected a vector of a known size or a matrix, got {}", x.spec());
  const int64_t n = x.size() + std::abs(k);
  return reshape(placed(std::move(x), diagonal_places(n, n, k), n * n), {n, n});
}
Tensor diagflat(Tensor x, int64_t k) { return diag(reshape(std::move(x), {-1}), k); }

Tensor diagonal(Tensor x, int64_t offset, int axis1, int axis2) {
  check(x.rank() >= 2, Code::Shape, "diagonal: expected at least two axes, got {}", x.spec());
  x = moveaxis(std::move(x), {axis1, axis2}, {-2, -1});
  Shape s = x.shape();
  const int64_t rows = s[s.rank() - 2], columns = s.back();
  check(rows >= 0 && columns >= 0, Code::Shape, "diagonal: the sizes of both axes must be known, got {}", x.spec());
  const std::vector<int32_t> places = diagonal_places(rows, columns, offset);
  Shape flat = s.slice(0, s.rank() - 2);
  flat.push_back(rows * columns);
  return take(reshape(std::move(x), flat), Tensor::from(places, {static_cast<int64_t>(places.size())}), -1);
}
Tensor trace(Tensor x, int64_t offset, int axis1, int axis2) { return sum(diagonal(std::move(x), offset, axis1, axis2), {-1}); }
Tensor tril(Tensor x, int64_t k) { return triangle(std::move(x), k, true, "tril"); }
Tensor triu(Tensor x, int64_t k) { return triangle(std::move(x), k, false, "triu"); }

Tensor vander(Tensor x, std::optional<int64_t> N, bool increasing) {
  check(x.rank() == 1, Code::Shape, "vander: expected a vector, got {}", x.spec());
  const int64_t n = N.value_or(x.shape()[0]);
  check(n >= 0, Code::Shape, "vander: the number of columns must be known, got {}", x.spec());
  const DType t = x.dtype();
  x = expand_dims(to_float(std::move(x)), 1);
  Tensors columns;  // each the one before times x: exact at 0, and so are the gradients
  for (int64_t i = 0; i < n; ++i) columns.push_back(i == 0 ? ones_like(x) : multiply(columns.back(), x));
  if (!increasing) std::reverse(columns.begin(), columns.end());
  if (columns.empty()) return zeros({x.shape()[0], 0}, t);
  return cast(concatenate(columns, 1), t);
}

Tensor linspace(Tensor start, Tensor stop, int64_t num, bool endpoint, std::optional<DType> dtype, int axis) {
  check(num >= 0, Code::InvalidArgument, "linspace: expected num >= 0, got {}", num);
  promote_pair(start, stop);
  const DType t = dtype.value_or(is_float(start.dtype()) ? start.dtype() : float32), work = is_float(t) ? t : float32;
  start = cast(std::move(start), work);
  stop = cast(std::move(stop), work);
  const int rank = std::max(start.rank(), stop.rank());
  axis = normalize_axis(axis, rank + 1);
  const int64_t parts = endpoint ? num - 1 : num;
  Shape s;
  for (int i = 0; i <= rank; ++i) s.push_back(i == axis ? num : 1);
  Tensor at = reshape(arange(0, static_cast<double>(num), 1, work), s);
  if (parts > 0) at = divide(std::move(at), static_cast<double>(parts));
  // An axis among those of the inputs, counted from the end because the inputs may have fewer.
  auto opened = [&](Tensor x) {
    while (x.rank() < rank) x = expand_dims(std::move(x), 0);
    return expand_dims(std::move(x), axis);
  };
  const Tensor from = opened(std::move(start)), to = opened(std::move(stop));
  Tensor y = add(multiply(from, subtract(1.0, at)), multiply(to, at));
  return is_integer(t) ? cast(floor(std::move(y)), t) : y;
}

Tensor logspace(Tensor start, Tensor stop, int64_t num, bool endpoint, double base, std::optional<DType> dtype, int axis) {
  Tensor y = linspace(std::move(start), std::move(stop), num, endpoint, dtype, axis);
  const DType t = y.dtype();
  return power(cast(Tensor(base), t), std::move(y));
}

Tensor geomspace(Tensor start, Tensor stop, int64_t num, bool endpoint, std::optional<DType> dtype, int axis) {
  const DType t = dtype.value_or(float32);
  start = cast(std::move(start), t);
  stop = cast(std::move(stop), t);
  Tensor signs = expand_dims(sign(start), normalize_axis(axis, std::max(start.rank(), stop.rank()) + 1));
  return multiply(exp(linspace(log(abs(start)), log(abs(std::move(stop))), num, endpoint, t, axis)), std::move(signs));
}

Tensor select(const Tensors& condlist, const Tensors& choicelist, Tensor default_value) {
  check(condlist.size() == choicelist.size() && !condlist.empty(), Code::InvalidArgument,
        "select: expected a choice for each condition, got {} and {}", choicelist.size(), condlist.size());
  Tensor y = std::move(default_value);
  for (size_t i = condlist.size(); i-- > 0;) y = where(condlist[i], choicelist[i], std::move(y));
  return y;
}

Tensor isin(Tensor x1, Tensor x2, bool invert) {
  promote_pair(x1, x2);
  Tensor y = any(equal(expand_dims(std::move(x1), -1), reshape(std::move(x2), {-1})), {-1});
  return invert ? logical_not(std::move(y)) : y;
}

Tensors unravel_index(Tensor indices, const Shape& shape) {
  check(shape.known(), Code::Shape, "unravel_index: expected known sizes, got {}", shape);
  Tensors out(static_cast<size_t>(shape.rank()));
  for (int i = shape.rank(); i-- > 0;) {
    const auto n = static_cast<int>(shape[i]);
    out[static_cast<size_t>(i)] = mod(indices, n);
    indices = floor_divide(std::move(indices), n);
  }
  return out;
}

Tensor strided_slice(Tensor x, const std::vector<int64_t>& begin, const std::vector<int64_t>& end, const std::vector<int64_t>& strides) {
  constexpr int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
  check(begin.size() == end.size() && begin.size() == strides.size() && static_cast<int>(begin.size()) <= x.rank(), Code::InvalidArgument,
        "strided_slice: expected as many begins, ends and strides, at most {}, got {}, {} and {}", x.rank(), begin.size(), end.size(),
        strides.size());
  for (size_t i = 0; i < begin.size(); ++i) {
    const auto axis = static_cast<int>(i);
    const int64_t b = begin[i], e = end[i], step = strides[i], n = x.shape()[axis];
    check(step != 0, Code::InvalidArgument, "strided_slice: expected a stride other than 0 for axis {}", axis);
    const bool from_start = b == low || b == high, to_end = e == low || e == high;
    if (step > 0) {
      if (from_start && to_end && step == 1) continue;
      x = slice_axis(std::move(x), axis, from_start ? 0 : b, to_end ? high : e, step);
      continue;
    }
    if (from_start && to_end) {
      x = flip(std::move(x), {axis});
      if (step != -1) x = slice_axis(std::move(x), axis, 0, high, -step);
      continue;
    }
    check(n >= 0, Code::Shape, "strided_slice: a negative stride needs a known size of axis {}, got {}", axis, x.spec());
    auto place = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + n : at, -1, n - 1); };
    const int64_t first = from_start ? n - 1 : place(b), last = to_end ? -1 : place(e);
    x = slice_axis(flip(std::move(x), {axis}), axis, n - 1 - first, std::max(n - 1 - first, n - 1 - last), -step);
  }
  return x;
}

}  // namespace tenure

// keras.ops that rearrange, choose, order and scatter. One row an op; nothing here owns anything.
#include <algorithm>
#include <array>

#include <tenure/ops_arrange.h>
#include <tenure/ops_numpy.h>

#include "io/op_rows.h"

namespace tenure::io {

namespace {

// ---- rearrangements ---------------------------------------------------------------------------------------------------------------

Tensors append_op(Args a) {
  Tensor x = a.tensor(0, "x1"), y = a.tensor(1, "x2");
  return {append(std::move(x), std::move(y), maybe_axis(a, 2))};
}
Tensors array_split_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Json& how = a.value(1, "indices_or_sections");
  const int axis = axis_of(a, 2, 0);
  if (how.is_number_integer()) return array_split(std::move(x), how.get<int64_t>(), axis);
  return split(std::move(x), a.integers(1, "indices_or_sections"), axis);
}
template <int axis>
Tensors split_on(Args a) {
  Tensor x = a.tensor(0, "x");
  const int on = axis == 1 && x.rank() == 1 ? 0 : axis;
  const Json& how = a.value(1, "indices_or_sections");
  if (how.is_number_integer()) return split(std::move(x), how.get<int64_t>(), on);
  return split(std::move(x), a.integers(1, "indices_or_sections"), on);
}
template <Tensor (*F)(const Tensors&)>
Tensors joined(Args a) {
  return {F(a.tensors(0, "xs"))};
}
template <int axis>
Tensors flip_on(Args a) {
  return {flip(a.tensor(0, "x"), {axis})};
}
Tensors moveaxis_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Axes from = a.axes(1, "source");
  return {moveaxis(std::move(x), from, a.axes(2, "destination"))};
}
Tensors roll_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::vector<int64_t> shift = a.integers(1, "shift");
  return {roll(std::move(x), shift, a.axes(2, "axis"))};
}
Tensors rot90_op(Args a) {
  Tensor x = a.tensor(0, "array");
  const auto k = static_cast<int>(a.integer(1, "k", 1));
  Axes axes = a.axes(2, "axes");
  if (axes.empty()) axes = {0, 1};
  if (axes.size() != 2) a.wrong("axes", Json(axes), "two axes");
  return {rot90(std::move(x), k, {axes[0], axes[1]})};
}
Tensors diff_op(Args a) {
  Tensor x = a.tensor(0, "a");
  const auto n = static_cast<int>(a.integer(1, "n", 1));
  return {diff(std::move(x), n, axis_of(a, 2, -1))};
}
template <Tensor (*F)(Tensor, int64_t)>
Tensors with_k(Args a) {
  Tensor x = a.tensor(0, "x");
  return {F(std::move(x), a.integer(1, "k", 0))};
}
template <Tensor (*F)(Tensor, int64_t, int, int)>
Tensors diagonal_of(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t offset = a.integer(1, "offset", 0);
  const auto first = static_cast<int>(a.integer(2, "axis1", 0));
  return {F(std::move(x), offset, first, static_cast<int>(a.integer(3, "axis2", 1)))};
}
Tensors vander_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::optional<int64_t> n = a.maybe_integer(1, "N");
  return {vander(std::move(x), n, a.flag(2, "increasing"))};
}
Tensors strided(Args a) {
  Tensor x = a.tensor(0, "inputs");
  const std::vector<int64_t> start = a.integers(1, "start_indices");
  return {slice(std::move(x), start, a.integers(2, "shape"))};
}
Tensors slice_update_op(Args a) {
  Tensor x = a.tensor(0, "inputs");
  const std::vector<int64_t> start = a.integers(1, "start_indices");
  return {slice_update(std::move(x), start, a.tensor(2, "updates"))};
}

Tensors rearrange_op(Args a) {
  Tensor x = a.tensor(0, "tensor");
  const std::string pattern = a.text(1, "pattern", "");
  return {rearrange(std::move(x), pattern, a.other_integers())};
}
Tensors view_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const DType to = dtype_of_argument(a, 1, "dtype").value_or(x.dtype());
  return {view(std::move(x), to)};
}
Tensors view_as_real_op(Args a) {
  const Tensor x = a.tensor(0, "x");
  return {ops::Complex(x, zeros_like(x)).pairs()};
}

// ---- making -----------------------------------------------------------------------------------------------------------------------

Tensors meshgrid_op(Args a) {
  Tensors xs;
  for (int i = 0; a.has_tensor(i, "x"); ++i) xs.push_back(a.tensor(i, "x"));
  return meshgrid(xs, a.text(-1, "indexing", "xy"));
}
Tensors linspace_op(Args a) {
  Tensor start = a.tensor(0, "start"), stop = a.tensor(1, "stop");
  const int64_t num = a.integer(2, "num", 50);
  const bool endpoint = a.flag(3, "endpoint", true), step = a.flag(4, "retstep");
  const std::optional<DType> dtype = dtype_of_argument(a, 5, "dtype");
  const int axis = axis_of(a, 6, 0);
  if (!step) return {linspace(std::move(start), std::move(stop), num, endpoint, dtype, axis)};
  const auto parts = static_cast<double>(endpoint ? num - 1 : num);
  Tensor gap = divide(subtract(stop, start), parts);
  return {linspace(std::move(start), std::move(stop), num, endpoint, dtype, axis), std::move(gap)};
}
Tensors logspace_op(Args a) {
  Tensor start = a.tensor(0, "start"), stop = a.tensor(1, "stop");
  const int64_t num = a.integer(2, "num", 50);
  const bool endpoint = a.flag(3, "endpoint", true);
  const double base = a.number(4, "base", 10.0);
  const std::optional<DType> dtype = dtype_of_argument(a, 5, "dtype");
  return {logspace(std::move(start), std::move(stop), num, endpoint, base, dtype, axis_of(a, 6, 0))};
}
Tensors geomspace_op(Args a) {
  Tensor start = a.tensor(0, "start"), stop = a.tensor(1, "stop");
  const int64_t num = a.integer(2, "num", 50);
  const bool endpoint = a.flag(3, "endpoint", true);
  const std::optional<DType> dtype = dtype_of_argument(a, 4, "dtype");
  return {geomspace(std::move(start), std::move(stop), num, endpoint, dtype, axis_of(a, 5, 0))};
}
Tensors full_like_op(Args a) {
  Tensor x = a.tensor(0, "x"), value = a.tensor(1, "fill_value");
  const DType dtype = dtype_of_argument(a, 2, "dtype").value_or(x.dtype());
  return {add(zeros_like(cast(std::move(x), dtype)), cast(std::move(value), dtype))};
}
Tensors full_op(Args a) {
  Tensor value = a.tensor(0, "fill_value");
  const Shape shape = a.shape(1, "shape");
  const std::optional<DType> dtype = dtype_of_argument(a, 2, "dtype");
  return {broadcast_to(dtype ? cast(std::move(value), *dtype) : std::move(value), shape)};
}
Tensors array_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::optional<DType> dtype = dtype_of_argument(a, 1, "dtype");
  return {dtype ? cast(std::move(x), *dtype) : std::move(x)};
}
Tensors saturate_cast_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const DType to = dtype_from(a.text(1, "dtype", "float32"));
  double low = 0, high = 0;
  switch (to) {
    case DType::int8: low = -128, high = 127; break;
    case DType::uint8: high = 255; break;
    case DType::int16: low = -32768, high = 32767; break;
    case DType::int32: low = -2147483648.0, high = 2147483647; break;
    case DType::uint32: high = 4294967295.0; break;
    default: return {cast(std::move(x), to)};
  }
  if (is_float(x.dtype())) {
    // The largest number of the type that is not beyond the other type's.
    const bool exact = x.dtype() == float64 || high < 16777216;
    return {cast(clip(std::move(x), low, exact ? high : high - 127), to)};
  }
  const DType wide = int64;
  return {cast(cast(clip(cast(std::move(x), float64), low, high), wide), to)};
}
Tensors size_op(Args a) {
  const Tensor x = a.tensor(0, "x");
  if (!x.shape().known()) fail(Code::Unsupported, "Size: the sizes of {} are not known", x.spec());
  return {add(multiply(cast(sum(zeros_like(x)), int32), 0), static_cast<int>(x.size()))};
}
Tensors ndim_op(Args a) {
  const Tensor x = a.tensor(0, "x");
  return {add(multiply(cast(sum(zeros_like(x)), int32), 0), x.rank())};
}

// ---- choice and order -------------------------------------------------------------------------------------------------------------

Tensors select_op(Args a) {
  const Tensors conditions = a.tensors(0, "condlist"), choices = a.tensors(1, "choicelist");
  Tensor otherwise = a.value(2, "default").is_null() ? Tensor(0) : a.tensor(2, "default");
  return {select(conditions, choices, std::move(otherwise))};
}
Tensors isin_op(Args a) {
  Tensor x = a.tensor(0, "x1"), y = a.tensor(1, "x2");
  a.flag(2, "assume_unique");
  return {isin(std::move(x), std::move(y), a.flag(3, "invert"))};
}
Tensors unravel_index_op(Args a) {
  Tensor x = a.tensor(0, "indices");
  return unravel_index(std::move(x), a.shape(1, "shape"));
}
Tensors argpartition_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t kth = a.integer(1, "kth");
  if (a.value(2, "axis").is_null()) return {argpartition(reshape(std::move(x), {-1}), kth, 0)};
  return {argpartition(std::move(x), kth, axis_of(a, 2, -1))};
}
Tensors nonzero_op(Args a) {
  const Tensor x = a.tensor(0, "x");
  if (x.concrete()) return nonzero(x);
  Tensors out;
  for (int i = 0; i < x.rank(); ++i) out.push_back(of_unknown_size(x, {-1}, int32));
  return out;
}
Tensors view_as_complex_op(Args a) {
  Tensor x = a.tensor(0, "x");
  check(x.rank() > 0 && x.shape().back() == 2, Code::Shape, "ViewAsComplex: expected a last axis of 2, got {}", x.spec());
  return {is_float(x.dtype()) ? std::move(x) : cast(std::move(x), float32)};
}
Tensors unique_op(Args a) {
  Tensor x = a.tensor(0, "x");
  UniqueOptions o{a.flag(1, "sorted", true), a.flag(2, "return_index"), a.flag(3, "return_inverse"), a.flag(4, "return_counts")};
  o.axis = maybe_axis(a, 5);
  o.size = a.maybe_integer(6, "size");
  o.fill_value = a.number(7, "fill_value", 0.0);
  if (o.size || x.concrete()) return unique(std::move(x), o);
  Shape values{-1}, inverse{-1};
  if (o.axis) {
    values = x.shape(), values[normalize_axis(*o.axis, x.rank())] = -1;
  } else {
    inverse = x.shape();
  }
  Tensors out{of_unknown_size(x, values, x.dtype())};
  if (o.return_index) out.push_back(of_unknown_size(x, {-1}, int32));
  if (o.return_inverse) out.push_back(of_unknown_size(x, inverse, int32));
  if (o.return_counts) out.push_back(of_unknown_size(x, {-1}, int32));
  return out;
}
template <Tensor (*F)(Tensor, int)>
Tensors ordered(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::optional<int64_t> axis = a.maybe_integer(1, "axis");
  if (!axis) return {F(reshape(std::move(x), {-1}), 0)};
  return {F(std::move(x), static_cast<int>(*axis))};
}
Tensors top_k_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t k = a.integer(1, "k");
  return top_k(std::move(x), k, a.flag(2, "sorted", true));
}
Tensors in_top_k_op(Args a) {
  Tensor targets = a.tensor(0, "targets"), predictions = a.tensor(1, "predictions");
  return {in_top_k(std::move(targets), std::move(predictions), a.integer(2, "k"))};
}
Tensors searchsorted_op(Args a) {
  Tensor sequence = a.tensor(0, "sorted_sequence"), values = a.tensor(1, "values");
  return {searchsorted(std::move(sequence), std::move(values), a.text(2, "side", "left"))};
}
Tensors digitize_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {digitize(std::move(x), a.numbers(1, "bins"))};
}

// ---- scatter ----------------------------------------------------------------------------------------------------------------------

Tensors scatter_op(Args a) {
  Tensor indices = a.tensor(0, "indices"), values = a.tensor(1, "values");
  return {scatter(std::move(indices), std::move(values), a.shape(2, "shape"))};
}
Tensors scatter_update_op(Args a) {
  Tensor x = a.tensor(0, "inputs"), indices = a.tensor(1, "indices"), updates = a.tensor(2, "updates");
  return {scatter_update(std::move(x), std::move(indices), std::move(updates), a.text(3, "reduction", ""))};
}
template <Tensor (*F)(Tensor, Tensor, std::optional<int64_t>, bool)>
Tensors segments(Args a) {
  Tensor data = a.tensor(0, "data"), ids = a.tensor(1, "segment_ids");
  const std::optional<int64_t> n = a.maybe_integer(2, "num_segments");
  return {F(std::move(data), std::move(ids), n, a.flag(3, "sorted"))};
}

constexpr std::array shape_table = std::to_array<OpRow>({
    {"Append", append_op},
    {"Argpartition", argpartition_op},
    {"Argsort", ordered<argsort>},
    {"Array", array_op},
    {"ArraySplit", array_split_op},
    {"ConvertToTensor", array_op},
    {"Diag", with_k<diag>},
    {"Diagflat", with_k<diagflat>},
    {"Diagonal", diagonal_of<diagonal>},
    {"Diff", diff_op},
    {"Digitize", digitize_op},
    {"Dsplit", split_on<2>},
    {"Dstack", joined<dstack>},
    {"EmptyLike", like_op<zeros_like>},
    {"Fliplr", flip_on<1>},
    {"Flipud", flip_on<0>},
    {"Full", full_op},
    {"FullLike", full_like_op},
    {"Geomspace", geomspace_op},
    {"Hsplit", split_on<1>},
    {"Hstack", joined<hstack>},
    {"InTopK", in_top_k_op},
    {"IsIn", isin_op},
    {"Linspace", linspace_op},
    {"Logspace", logspace_op},
    {"Meshgrid", meshgrid_op},
    {"Moveaxis", moveaxis_op},
    {"Ndim", ndim_op},
    {"Nonzero", nonzero_op, OpRow::by_values},
    {"Rearrange", rearrange_op},
    {"Roll", roll_op},
    {"Rot90", rot90_op},
    {"SaturateCast", saturate_cast_op},
    {"Scatter", scatter_op},
    {"ScatterUpdate", scatter_update_op},
    {"SearchSorted", searchsorted_op},
    {"SegmentMax", segments<segment_max>},
    {"SegmentMin", segments<segment_min>},
    {"SegmentProd", segments<segment_prod>},
    {"SegmentSum", segments<segment_sum>},
    {"Select", select_op},
    {"Size", size_op},
    {"Slice", strided},
    {"SliceUpdate", slice_update_op},
    {"Sort", ordered<tenure::sort>},
    {"TopK", top_k_op},
    {"Trace", diagonal_of<trace>},
    {"Tril", with_k<tril>},
    {"Triu", with_k<triu>},
    {"Unique", unique_op, OpRow::by_values},
    {"UnravelIndex", unravel_index_op},
    {"Vander", vander_op},
    {"View", view_op},
    {"ViewAsComplex", view_as_complex_op, OpRow::complex},
    {"ViewAsReal", view_as_real_op},
    {"Vsplit", split_on<0>},
    {"Vstack", joined<vstack>},
});
static_assert(std::is_sorted(shape_table.begin(), shape_table.end(), [](const OpRow& a, const OpRow& b) { return a.name < b.name; }));

}  // namespace

std::span<const OpRow> shape_rows() { return shape_table; }

}  // namespace tenure::io

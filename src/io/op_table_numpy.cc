// keras.ops' NumPy of numbers: functions, products, statistics. One row an op; nothing here owns anything.
#include <algorithm>
#include <array>

#include <tenure/ops_numpy.h>

#include "io/op_rows.h"

namespace tenure::io {

namespace {

// ---- functions --------------------------------------------------------------------------------------------------------------------

template <Tensor (*F)(Tensor, Tensor)>
Tensors two_xy(Args a) {
  Tensor x = a.tensor(0, "x");
  return {F(std::move(x), a.tensor(1, "y"))};
}
template <Tensor (*F)(Tensor, Tensor, double, double, bool)>
Tensors closeness(Args a) {
  Tensor x = a.tensor(0, "x1"), y = a.tensor(1, "x2");
  const double rtol = a.number(2, "rtol", 1e-5), atol = a.number(3, "atol", 1e-8);
  return {F(std::move(x), std::move(y), rtol, atol, a.flag(4, "equal_nan"))};
}
Tensors nan_to_num_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const double nan = a.number(1, "nan", 0.0);
  const std::optional<double> posinf = a.maybe_number(2, "posinf");
  return {nan_to_num(std::move(x), nan, posinf, a.maybe_number(3, "neginf"))};
}
// Real numbers where complex ones might be.
Tensors real_op(Args a) { return {a.tensor(0, "x")}; }
Tensors imag_op(Args a) { return {zeros_like(a.tensor(0, "x"))}; }
Tensors isreal_op(Args a) { return {cast(ones_like(a.tensor(0, "x")), bool_)}; }
Tensors fabs_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {tenure::abs(is_float(x.dtype()) ? std::move(x) : cast(std::move(x), float32))};
}

// ---- products ---------------------------------------------------------------------------------------------------------------------

Tensors cumprod_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::optional<int> axis = maybe_axis(a, 1);
  const std::optional<DType> dtype = dtype_of_argument(a, 2, "dtype");
  if (dtype) x = cast(std::move(x), *dtype);
  if (!axis) x = reshape(std::move(x), {-1});
  return {cumprod(std::move(x), axis.value_or(0))};
}
template <Tensor (*F)(Tensor, int)>
Tensors nan_running(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::optional<int> axis = maybe_axis(a, 1);
  const std::optional<DType> dtype = dtype_of_argument(a, 2, "dtype");
  if (is_float(x.dtype())) {
    const Tensor missing = isnan(x);
    x = where(missing, F == cumsum ? 0.0 : 1.0, std::move(x));
  }
  if (dtype) x = cast(std::move(x), *dtype);
  if (!axis) x = reshape(std::move(x), {-1});
  return {F(std::move(x), axis.value_or(0))};
}
Tensors tensordot_op(Args a) {
  Tensor x = a.tensor(0, "x1"), y = a.tensor(1, "x2");
  const Json& axes = a.value(2, "axes");
  if (axes.is_null() || axes.is_number_integer()) return {tensordot(std::move(x), std::move(y), axes.is_null() ? 2 : axes.get<int>())};
  if (!axes.is_array() || axes.size() != 2) a.wrong("axes", axes, "a number or two lists of axes");
  auto list = [&](const Json& j) {
    Axes out;
    if (j.is_number_integer()) return Axes{j.get<int>()};
    if (!j.is_array()) a.wrong("axes", axes, "a number or two lists of axes");
    for (const Json& i : j) {
      if (!i.is_number_integer()) a.wrong("axes", axes, "a number or two lists of axes");
      out.push_back(i.get<int>());
    }
    return out;
  };
  return {tensordot(std::move(x), std::move(y), list(axes[0]), list(axes[1]))};
}
Tensors cross_op(Args a) {
  Tensor x = a.tensor(0, "x1"), y = a.tensor(1, "x2");
  int of[3] = {static_cast<int>(a.integer(2, "axisa", -1)), static_cast<int>(a.integer(3, "axisb", -1)), static_cast<int>(a.integer(4, "axisc", -1))};
  if (const std::optional<int64_t> all = a.maybe_integer(5, "axis")) of[0] = of[1] = of[2] = static_cast<int>(*all);
  return {cross(std::move(x), std::move(y), of[0], of[1], of[2])};
}
Tensors correlate_op(Args a) {
  Tensor x = a.tensor(0, "x1"), y = a.tensor(1, "x2");
  return {correlate(std::move(x), std::move(y), a.text(2, "mode", "valid"))};
}

// ---- statistics -------------------------------------------------------------------------------------------------------------------

Tensors average_op(Args a) {
  Tensor x = a.tensor(0, "x");
  Tensor weights = a.maybe_tensor(1, "weights");
  const Axes axes = a.axes(-1, "axis");
  if (axes.size() > 1 && !weights) return {mean(std::move(x), axes)};
  if (axes.size() > 1) a.wrong("axis", Json(axes), "one axis where weights are given");
  return {average(std::move(x), axes.empty() ? std::optional<int>() : axes[0], std::move(weights))};
}
Tensors count_nonzero_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {count_nonzero(std::move(x), a.axes(1, "axis"))};
}
template <Tensor (*F)(Tensor, const std::vector<double>&, bool, const Axes&, std::string_view, bool), int percent>
Tensors quantile_op(Args a) {
  Tensor x = a.tensor(0, "x");
  std::vector<double> q = a.numbers(1, "q");
  const bool one = a.value(1, "q").is_number();
  for (double& v : q) v /= percent;
  const Axes axes = a.axes(2, "axis");
  const std::string method = a.text(3, "method", "linear");
  return {F(std::move(x), q, one, axes, method, a.flag(4, "keepdims"))};
}
Tensors histogram_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t bins = a.integer(1, "bins", 10);
  const std::vector<double> range = a.numbers(2, "range");
  if (!range.empty() && range.size() != 2) a.wrong("range", Json(range), "two numbers");
  return histogram(std::move(x), bins, range.empty() ? std::optional<std::pair<double, double>>() : std::pair(range[0], range[1]));
}
Tensors trapezoid_op(Args a) {
  Tensor y = a.tensor(0, "y");
  Tensor x = a.maybe_tensor(1, "x");
  const double dx = a.number(2, "dx", 1.0);
  return {trapezoid(std::move(y), std::move(x), dx, axis_of(a, 3, -1))};
}
Tensors bincount_op(Args a) {
  Tensor x = a.tensor(0, "x");
  Tensor weights = a.maybe_tensor(1, "weights");
  const int64_t minlength = a.integer(2, "minlength", 0);
  if (x.concrete()) return {bincount(std::move(x), std::move(weights), minlength)};
  return {of_unknown_size(x, x.rank() == 2 ? Shape{x.shape()[0], -1} : Shape{-1}, weights ? weights.dtype() : int32)};
}

constexpr std::array numpy_table = std::to_array<OpRow>({
    {"AllClose", closeness<allclose>},
    {"Angle", one<angle>},
    {"Arccosh", one<arccosh>},
    {"Arcsinh", one<arcsinh>},
    {"Arctan2", two<arctan2>},
    {"Arctanh", one<arctanh>},
    {"Average", average_op},
    {"Bincount", bincount_op, OpRow::by_values},
    {"BitwiseAnd", two_xy<bitwise_and>},
    {"BitwiseInvert", one<bitwise_not>},
    {"BitwiseLeftShift", two_xy<left_shift>},
    {"BitwiseNot", one<bitwise_not>},
    {"BitwiseOr", two_xy<bitwise_or>},
    {"BitwiseRightShift", two_xy<right_shift>},
    {"BitwiseXor", two_xy<bitwise_xor>},
    {"Cbrt", one<cbrt>},
    {"Conj", real_op},
    {"Conjugate", real_op},
    {"Corrcoef", one<corrcoef>},
    {"Correlate", correlate_op},
    {"CountNonzero", count_nonzero_op},
    {"Cross", cross_op},
    {"Cumprod", cumprod_op},
    {"Deg2rad", one<deg2rad>},
    {"DivideNoNan", two<divide_no_nan>},
    {"Dot", two<dot>},
    {"Erfc", one<erfc>},
    {"Erfinv", one<erfinv>},
    {"Exp2", one<exp2>},
    {"Fabs", fabs_op},
    {"Fmax", two<fmax>},
    {"Fmin", two<fmin>},
    {"Fmod", two<fmod>},
    {"Gcd", two<gcd>},
    {"Heaviside", two<heaviside>},
    {"Histogram", histogram_op},
    {"Hypot", two<hypot>},
    {"I0", one<i0>},
    {"Imag", imag_op},
    {"Inner", two<inner>},
    {"Isclose", closeness<isclose>},
    {"Isneginf", one<isneginf>},
    {"Isposinf", one<isposinf>},
    {"Isreal", isreal_op},
    {"Kron", two<kron>},
    {"Lcm", two<lcm>},
    {"Ldexp", two<ldexp>},
    {"LeftShift", two_xy<left_shift>},
    {"Log10", one<log10>},
    {"Log2", one<log2>},
    {"Logaddexp", two<logaddexp>},
    {"Logaddexp2", two<logaddexp2>},
    {"Median", reduction<median>},
    {"NanToNum", nan_to_num_op},
    {"Nanargmax", arg_reduction<nanargmax>},
    {"Nanargmin", arg_reduction<nanargmin>},
    {"Nancumprod", nan_running<cumprod>},
    {"Nancumsum", nan_running<cumsum>},
    {"Nanmax", reduction<nanmax>},
    {"Nanmean", reduction<nanmean>},
    {"Nanmedian", reduction<nanmedian>},
    {"Nanmin", reduction<nanmin>},
    {"Nanpercentile", quantile_op<nanquantile, 100>},
    {"Nanprod", reduction<nanprod>},
    {"Nanquantile", quantile_op<nanquantile, 1>},
    {"Nanstd", reduction<nanstd>},
    {"Nansum", reduction<nansum>},
    {"Nanvar", reduction<nanvar>},
    {"Nextafter", two<nextafter>},
    {"Outer", two<outer>},
    {"Percentile", quantile_op<quantile, 100>},
    {"Ptp", reduction<ptp>},
    {"Quantile", quantile_op<quantile, 1>},
    {"Rad2deg", one<rad2deg>},
    {"Real", real_op},
    {"RightShift", two_xy<right_shift>},
    {"Signbit", one<signbit>},
    {"Sinc", one<sinc>},
    {"Tensordot", tensordot_op},
    {"Trapezoid", trapezoid_op},
    {"Trunc", one<trunc>},
    {"Vdot", two<vdot>},
});
static_assert(std::is_sorted(numpy_table.begin(), numpy_table.end(), [](const OpRow& a, const OpRow& b) { return a.name < b.name; }));

}  // namespace

std::span<const OpRow> numpy_rows() { return numpy_table; }

}  // namespace tenure::io

// keras.ops by class name. One row an op: how its arguments become a call. Nothing here owns anything.
#include <algorithm>
#include <array>

#include <tenure/convolution.h>
#include <tenure/ops_nn.h>
#include <tenure/ops_numpy.h>

#include "base/check.h"
#include "core/context.h"
#include "io/op_rows.h"

namespace tenure::io {

namespace {

// ---- elementwise ------------------------------------------------------------------------------------------------------------------

Tensors clip_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const double low = a.number(1, "x_min");
  return {clip(std::move(x), low, a.number(2, "x_max"))};
}

Tensors round_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {tenure::round(std::move(x), static_cast<int>(a.integer(1, "decimals", 0)))};
}

Tensors where_op(Args a) {
  Tensor c = a.tensor(0, "condition"), x = a.tensor(1, "x1");
  return {where(std::move(c), std::move(x), a.tensor(2, "x2"))};
}

Tensors cast_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {cast(std::move(x), dtype_from(a.text(1, "dtype", "float32")))};
}

Tensors leaky_relu_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {leaky_relu(std::move(x), a.number(1, "negative_slope", 0.2))};
}
Tensors elu_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {elu(std::move(x), a.number(1, "alpha", 1.0))};
}
Tensors celu_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {celu(std::move(x), a.number(1, "alpha", 1.0))};
}
Tensors gelu_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {gelu(std::move(x), a.flag(1, "approximate", true))};
}
Tensors softmax_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Axes axes = a.axes(1, "axis");
  return {axes.size() > 1 ? softmax(std::move(x), axes) : softmax(std::move(x), axes.empty() ? -1 : axes[0])};
}
Tensors log_softmax_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {log_softmax(std::move(x), axis_of(a, 1, -1))};
}
Tensors einsum_op(Args a) {
  const std::string subscripts = a.text(-1, "subscripts", "");
  Tensors xs;
  for (int i = 0; a.has_tensor(i, "operands"); ++i) xs.push_back(a.tensor(i, "operands"));
  return {einsum(subscripts, xs)};
}
Tensors same_op(Args a) { return {a.tensor(0, "x")}; }

// ---- shape ------------------------------------------------------------------------------------------------------------------------

Tensors reshape_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {reshape(std::move(x), a.shape(1, "newshape"))};
}
Tensors ravel_op(Args a) { return {reshape(a.tensor(0, "x"), {-1})}; }
Tensors transpose_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {transpose(std::move(x), a.axes(1, "axes"))};
}
Tensors swapaxes_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const auto first = static_cast<int>(a.integer(1, "axis1"));
  return {swapaxes(std::move(x), first, static_cast<int>(a.integer(2, "axis2")))};
}
Tensors expand_dims_op(Args a) {
  Tensor x = a.tensor(0, "x");
  for (int axis : a.axes(1, "axis")) x = expand_dims(std::move(x), axis);
  return {std::move(x)};
}
Tensors squeeze_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {squeeze(std::move(x), a.axes(1, "axis"))};
}
Tensors broadcast_to_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {broadcast_to(std::move(x), a.shape(1, "shape"))};
}
Tensors concatenate_op(Args a) {
  Tensors xs = a.tensors(0, "xs");
  return {concatenate(xs, axis_of(a, 1, 0))};
}
Tensors stack_op(Args a) {
  Tensors xs = a.tensors(0, "x");
  return {stack(xs, axis_of(a, 1, 0))};
}
Tensors split_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Json& how = a.value(1, "indices_or_sections");
  const int axis = axis_of(a, 2, 0);
  if (how.is_number_integer()) return split(std::move(x), how.get<int64_t>(), axis);
  return split(std::move(x), a.integers(1, "indices_or_sections"), axis);
}
Tensors unstack_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::optional<int64_t> n = a.maybe_integer(1, "num");
  const int axis = axis_of(a, 2, 0);
  if (n && x.dim(axis) != *n) a.wrong("num", Json(*n), "the size of the axis");
  return unstack(std::move(x), axis);
}
Tensors tile_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {tile(std::move(x), a.integers(1, "repeats"))};
}
Tensors repeat_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t n = a.integer(1, "repeats");
  if (a.value(2, "axis").is_null()) return {repeat(reshape(std::move(x), {-1}), n, 0)};
  return {repeat(std::move(x), n, axis_of(a, 2, 0))};
}
Tensors flip_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {flip(std::move(x), a.axes(1, "axis"))};
}
Tensors pad_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Json& width = a.value(1, "pad_width");
  std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(x.rank()));
  auto whole = [](const Json& j) { return j.is_number_integer(); };
  auto pair = [&](const Json& j) { return j.is_array() && j.size() == 2 && whole(j[0]) && whole(j[1]); };
  if (whole(width)) std::fill(pads.begin(), pads.end(), std::pair(width.get<int64_t>(), width.get<int64_t>()));
  else if (pair(width)) std::fill(pads.begin(), pads.end(), std::pair(width[0].get<int64_t>(), width[1].get<int64_t>()));
  else if (width.is_array() && width.size() == pads.size() && std::all_of(width.begin(), width.end(), pair))
    for (size_t i = 0; i < pads.size(); ++i) pads[i] = {width[i][0].get<int64_t>(), width[i][1].get<int64_t>()};
  else a.wrong("pad_width", width, "a pair for each axis");
  const std::string mode = a.text(2, "mode", "constant");
  return {pad(std::move(x), pads, mode, a.number(3, "constant_values", 0.0))};
}
Tensors get_item_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {get_item(std::move(x), a.value(1, "key"))};
}

// ---- indices, linear algebra, images ------------------------------------------------------------------------------------------------

Tensors take_op(Args a) {
  Tensor x = a.tensor(0, "x"), i = a.tensor(1, "indices");
  const Axes axes = a.axes(2, "axis");
  return {take(std::move(x), std::move(i), axes.empty() ? std::optional<int>() : axes[0])};
}
Tensors take_along_axis_op(Args a) {
  Tensor x = a.tensor(0, "x"), i = a.tensor(1, "indices");
  return {take_along_axis(std::move(x), std::move(i), static_cast<int>(a.integer(2, "axis")))};
}
Tensors one_hot_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t classes = a.integer(1, "num_classes");
  const int axis = axis_of(a, 2, -1);
  return {one_hot(std::move(x), classes, axis, dtype_from(a.text(3, "dtype", "float32")))};
}
Tensors cumsum_op(Args a) {
  Tensor x = a.tensor(0, "x");
  if (a.value(1, "axis").is_null()) return {cumsum(reshape(std::move(x), {-1}), 0)};
  return {cumsum(std::move(x), axis_of(a, 1, 0))};
}
Tensors matmul_op(Args a) {
  Tensor x = a.tensor(0, "x1");
  return {matmul(std::move(x), a.tensor(1, "x2"))};
}
template <Tensor (*F)(Tensor, const PoolNdOptions&)>
Tensors pool_op(Args a) {
  Tensor x = a.tensor(0, "inputs");
  const std::vector<int64_t> size = a.integers(1, "pool_size"), strides = a.integers(2, "strides", size);
  const std::string padding = a.text(3, "padding", "valid");
  return {channels_last(a, 4, std::move(x), [&](Tensor t) { return F(std::move(t), {.pool_size = size, .strides = strides, .padding = padding}); })};
}

template <Tensor (*F)(Tensor, Tensor, const ConvNdOptions&, Tensor)>
Tensors conv_op(Args a) {
  Tensor x = a.tensor(0, "inputs"), k = a.tensor(1, "kernel");
  const std::vector<int64_t> strides = a.integers(2, "strides", {1});
  const std::string padding = a.text(3, "padding", "valid");
  const std::vector<int64_t> dilation = a.integers(5, "dilation_rate", {1});
  return {channels_last(a, 4, std::move(x), [&](Tensor t) {
    const int64_t in = t.rank() ? t.shape().back() : -1, own = k.rank() > 1 ? k.dim(-2) : -1;
    const int64_t groups = F == conv && own > 0 && in > 0 ? in / own : 1;
    return F(std::move(t), std::move(k), {.strides = strides, .padding = padding, .dilation_rate = dilation, .groups = groups}, {});
  })};
}

// Sorted by name.
constexpr std::array op_rows = std::to_array<OpRow>({
    {"Abs", one<tenure::abs>},
    {"Absolute", one<tenure::abs>},
    {"Add", two<add>},
    {"All", reduction<all>},
    {"Amax", reduction<tenure::max>},
    {"Amin", reduction<tenure::min>},
    {"Any", reduction<any>},
    {"Arccos", one<arccos>},
    {"Arcsin", one<arcsin>},
    {"Arctan", one<arctan>},
    {"Argmax", arg_reduction<argmax>},
    {"Argmin", arg_reduction<argmin>},
    {"AveragePool", pool_op<average_pool>},
    {"BroadcastTo", broadcast_to_op},
    {"Cast", cast_op},
    {"Ceil", one<tenure::ceil>},
    {"Celu", celu_op},
    {"Clip", clip_op},
    {"Concatenate", concatenate_op},
    {"Conv", conv_op<conv>},
    {"Copy", same_op},
    {"Cos", one<tenure::cos>},
    {"Cosh", one<tenure::cosh>},
    {"Cumsum", cumsum_op},
    {"DepthwiseConv", conv_op<depthwise_conv>},
    {"Divide", two<divide>},
    {"Einsum", einsum_op},
    {"Elu", elu_op},
    {"Equal", two<equal>},
    {"Erf", one<tenure::erf>},
    {"Exp", one<tenure::exp>},
    {"ExpandDims", expand_dims_op},
    {"Expm1", one<tenure::expm1>},
    {"Flip", flip_op},
    {"Floor", one<tenure::floor>},
    {"FloorDivide", two<floor_divide>},
    {"Gelu", gelu_op},
    {"GetItem", get_item_op},
    {"Greater", two<greater>},
    {"GreaterEqual", two<greater_equal>},
    {"HardSigmoid", one<hard_sigmoid>},
    {"HardSilu", one<hard_silu>},
    {"HardTanh", one<hard_tanh>},
    {"Isfinite", one<isfinite>},
    {"Isinf", one<isinf>},
    {"Isnan", one<isnan>},
    {"LeakyRelu", leaky_relu_op},
    {"Less", two<less>},
    {"LessEqual", two<less_equal>},
    {"Log", one<tenure::log>},
    {"Log1p", one<tenure::log1p>},
    {"LogSigmoid", one<log_sigmoid>},
    {"LogSoftmax", log_softmax_op},
    {"LogicalAnd", two<logical_and>},
    {"LogicalNot", one<logical_not>},
    {"LogicalOr", two<logical_or>},
    {"LogicalXor", two<logical_xor>},
    {"Logsumexp", reduction<logsumexp>},
    {"Matmul", matmul_op},
    {"Max", reduction<tenure::max>},
    {"MaxPool", pool_op<max_pool>},
    {"Maximum", two<maximum>},
    {"Mean", reduction<mean>},
    {"Min", reduction<tenure::min>},
    {"Minimum", two<minimum>},
    {"Mish", one<mish>},
    {"Mod", two<mod>},
    {"Multiply", two<multiply>},
    {"Negative", one<negative>},
    {"NotEqual", two<not_equal>},
    {"OneHot", one_hot_op},
    {"OnesLike", like_op<ones_like>},
    {"Pad", pad_op},
    {"Power", two<power>},
    {"Prod", reduction<prod>},
    {"Ravel", ravel_op},
    {"Reciprocal", one<reciprocal>},
    {"Relu", one<relu>},
    {"Relu6", one<relu6>},
    {"Repeat", repeat_op},
    {"Reshape", reshape_op},
    {"Round", round_op},
    {"Rsqrt", one<rsqrt>},
    {"Selu", one<selu>},
    {"Sigmoid", one<sigmoid>},
    {"Sign", one<sign>},
    {"Silu", one<silu>},
    {"Sin", one<tenure::sin>},
    {"Sinh", one<tenure::sinh>},
    {"Softmax", softmax_op},
    {"Softplus", one<softplus>},
    {"Softsign", one<softsign>},
    {"Split", split_op},
    {"Sqrt", one<tenure::sqrt>},
    {"Square", one<square>},
    {"Squeeze", squeeze_op},
    {"Stack", stack_op},
    {"Std", reduction<tenure::std>},
    {"StopGradient", one<stop_gradient>},
    {"Subtract", two<subtract>},
    {"Sum", reduction<sum>},
    {"Swapaxes", swapaxes_op},
    {"Take", take_op},
    {"TakeAlongAxis", take_along_axis_op},
    {"Tan", one<tenure::tan>},
    {"Tanh", one<tenure::tanh>},
    {"TanhShrink", one<tanh_shrink>},
    {"Tile", tile_op},
    {"Transpose", transpose_op},
    {"TrueDivide", two<divide>},
    {"Unstack", unstack_op},
    {"Var", reduction<var>},
    {"Where", where_op},
    {"ZerosLike", like_op<zeros_like>},
});

static_assert(std::is_sorted(op_rows.begin(), op_rows.end(), [](const OpRow& a, const OpRow& b) { return a.name < b.name; }));

}  // namespace

Tensor of_unknown_size(const Tensor& x, const Shape& shape, DType dtype) {
  check(thread_context.abstract, Code::Unsupported,
        "the size of a result depends on the values of {}: such an op runs eagerly only, not in a traced function", x.spec());
  return make_abstract({shape, dtype});
}

const OpRow* find_op(const std::string& op) {
  for (std::span<const OpRow> table : {std::span<const OpRow>(op_rows), numpy_rows(), shape_rows(), nn_rows(), image_rows(), linalg_rows()})
    if (const OpRow* row = find_row(table, op)) return row;
  return nullptr;
}

const char* why_no_op(const std::string& op) {
  constexpr std::string_view functions[] = {"AssociativeScan", "Cond", "ForiLoop", "JVP", "Map", "Scan", "Switch", "VectorizedMap", "WhileLoop"};
  auto among = [&](const auto& list) { return std::find(std::begin(list), std::end(list), op) != std::end(list); };
  if (op == "Arange") return "its arguments are numbers, not tensors: Keras makes a constant of it";
  if (among(functions)) return "it holds a Python function, which is never run";
  return "this op is not here yet";
}

}  // namespace tenure::io

// Op nodes of models built in C++ as ops of keras.ops. One row an op; nothing here owns anything.
#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "io/write_model.h"

namespace tenure::io {

using OrderedJson = nn::Json;  // as written: in the order of insertion

namespace {

/// Attributes are written under other names: "axis" or "shape:newshape", separated by spaces. A list for `axis` stays a list.
struct Row {
  std::string_view op, module, class_name, attributes = {};
};

constexpr std::array rows = std::to_array<Row>({
    {"abs", "numpy", "Absolute"},
    {"add", "numpy", "Add"},
    {"all", "numpy", "All", "axis keepdims"},
    {"any", "numpy", "Any", "axis keepdims"},
    {"arccos", "numpy", "Arccos"},
    {"arccosh", "numpy", "Arccosh"},
    {"arcsin", "numpy", "Arcsin"},
    {"arcsinh", "numpy", "Arcsinh"},
    {"arctan", "numpy", "Arctan"},
    {"arctan2", "numpy", "Arctan2"},
    {"arctanh", "numpy", "Arctanh"},
    {"argmax", "numpy", "Argmax", "axis keepdims"},
    {"argmin", "numpy", "Argmin", "axis keepdims"},
    {"argsort", "numpy", "Argsort"},
    {"bitwise_and", "numpy", "BitwiseAnd"},
    {"bitwise_not", "numpy", "BitwiseNot"},
    {"bitwise_or", "numpy", "BitwiseOr"},
    {"bitwise_xor", "numpy", "BitwiseXor"},
    {"broadcast_to", "numpy", "BroadcastTo", "shape"},
    {"cast", "core", "Cast", "dtype"},
    {"cbrt", "numpy", "Cbrt"},
    {"ceil", "numpy", "Ceil"},
    {"cholesky", "linalg", "Cholesky"},
    {"clip", "numpy", "Clip", "min:x_min max:x_max"},
    {"concatenate", "numpy", "Concatenate", "axis"},
    {"cos", "numpy", "Cos"},
    {"cosh", "numpy", "Cosh"},
    {"ctc_decode", "nn", "CTCDecode", "strategy beam_width top_paths merge_repeated mask_index"},
    {"ctc_loss", "nn", "CTCLoss", "mask_index"},
    {"cumprod", "numpy", "Cumprod", "axis"},
    {"cumsum", "numpy", "Cumsum", "axis"},
    {"det", "linalg", "Det"},
    {"divide", "numpy", "Divide"},
    {"eigh", "linalg", "Eigh"},
    {"einsum", "numpy", "Einsum", "subscripts"},
    {"elu", "nn", "Elu", "alpha"},
    {"equal", "numpy", "Equal"},
    {"erf", "math", "Erf"},
    {"erfc", "math", "Erfc"},
    {"erfinv", "math", "Erfinv"},
    {"exp", "numpy", "Exp"},
    {"exp2", "numpy", "Exp2"},
    {"expand_dims", "numpy", "ExpandDims", "axis"},
    {"expm1", "numpy", "Expm1"},
    {"fft", "math", "FFT"},
    {"flip", "numpy", "Flip", "axis"},
    {"floor", "numpy", "Floor"},
    {"floor_divide", "numpy", "FloorDivide"},
    {"gcd", "numpy", "Gcd"},
    {"gelu", "nn", "Gelu", "approximate"},
    {"greater", "numpy", "Greater"},
    {"greater_equal", "numpy", "GreaterEqual"},
    {"hard_sigmoid", "nn", "HardSigmoid"},
    {"hard_silu", "nn", "HardSilu"},
    {"i0", "numpy", "I0"},
    {"isfinite", "numpy", "Isfinite"},
    {"isinf", "numpy", "Isinf"},
    {"isnan", "numpy", "Isnan"},
    {"lcm", "numpy", "Lcm"},
    {"leaky_relu", "nn", "LeakyRelu", "negative_slope"},
    {"left_shift", "numpy", "LeftShift"},
    {"less", "numpy", "Less"},
    {"less_equal", "numpy", "LessEqual"},
    {"log", "numpy", "Log"},
    {"log10", "numpy", "Log10"},
    {"log1p", "numpy", "Log1p"},
    {"log2", "numpy", "Log2"},
    {"log_sigmoid", "nn", "LogSigmoid"},
    {"log_softmax", "nn", "LogSoftmax", "axis"},
    {"logical_and", "numpy", "LogicalAnd"},
    {"logical_not", "numpy", "LogicalNot"},
    {"logical_or", "numpy", "LogicalOr"},
    {"logical_xor", "numpy", "LogicalXor"},
    {"logsumexp", "math", "Logsumexp", "axis keepdims"},
    {"lu_factor", "linalg", "LuFactor"},
    {"matmul", "numpy", "Matmul"},
    {"max", "numpy", "Max", "axis keepdims"},
    {"maximum", "numpy", "Maximum"},
    {"mean", "numpy", "Mean", "axis keepdims"},
    {"min", "numpy", "Min", "axis keepdims"},
    {"minimum", "numpy", "Minimum"},
    {"mod", "numpy", "Mod"},
    {"multiply", "numpy", "Multiply"},
    {"negative", "numpy", "Negative"},
    {"nextafter", "numpy", "Nextafter"},
    {"not_equal", "numpy", "NotEqual"},
    {"one_hot", "nn", "OneHot", "num_classes axis dtype"},
    {"power", "numpy", "Power"},
    {"prod", "numpy", "Prod", "axis keepdims"},
    {"qr", "linalg", "Qr"},
    {"reciprocal", "numpy", "Reciprocal"},
    {"relu", "nn", "Relu"},
    {"relu6", "nn", "Relu6"},
    {"repeat", "numpy", "Repeat", "repeats axis"},
    {"reshape", "numpy", "Reshape", "shape:newshape"},
    {"right_shift", "numpy", "RightShift"},
    {"round", "numpy", "Round"},
    {"rsqrt", "math", "Rsqrt"},
    {"searchsorted", "numpy", "SearchSorted"},
    {"selu", "nn", "Selu"},
    {"sigmoid", "nn", "Sigmoid"},
    {"sign", "numpy", "Sign"},
    {"signbit", "numpy", "Signbit"},
    {"silu", "nn", "Silu"},
    {"sin", "numpy", "Sin"},
    {"sinh", "numpy", "Sinh"},
    {"slogdet", "numpy", "Slogdet"},
    {"softmax", "nn", "Softmax", "axis"},
    {"softplus", "nn", "Softplus"},
    {"softsign", "nn", "Softsign"},
    {"solve", "linalg", "Solve"},
    {"solve_triangular", "linalg", "SolveTriangular", "lower"},
    {"sqrt", "numpy", "Sqrt"},
    {"square", "numpy", "Square"},
    {"squeeze", "numpy", "Squeeze", "axis"},
    {"stop_gradient", "core", "StopGradient"},
    {"subtract", "numpy", "Subtract"},
    {"sum", "numpy", "Sum", "axis keepdims"},
    {"svd", "linalg", "SVD", "full:full_matrices vectors:compute_uv"},
    {"take", "numpy", "Take", "axis"},
    {"take_along_axis", "numpy", "TakeAlongAxis", "axis"},
    {"tan", "numpy", "Tan"},
    {"tanh", "numpy", "Tanh"},
    {"tile", "numpy", "Tile", "repeats"},
    {"transpose", "numpy", "Transpose", "axis:axes"},
    {"trunc", "numpy", "Trunc"},
    {"view", "numpy", "View", "dtype"},
    {"where", "numpy", "Where"},
});
static_assert(std::is_sorted(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.op < b.op; }));

OrderedJson slice_json(const OrderedJson& start, const OrderedJson& stop, const OrderedJson& step) {
  return OrderedJson{{"class_name", "__slice__"}, {"config", {{"start", start}, {"stop", stop}, {"step", step}}}};
}
OrderedJson whole() { return slice_json(nullptr, nullptr, nullptr); }

OrderedJson input(size_t i) { return OrderedJson{{"$", i}}; }

/// A box of x as x[...].
KerasOp box(const Node& node, const OrderedJson& a) {
  const Shape& x = node.input_body(0)->spec().shape;
  OrderedJson key = OrderedJson::array();
  for (int i = 0; i < x.rank(); ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t start = a["start"][at].get<int64_t>(), n = a["shape"][at].get<int64_t>();
    const bool all = start == 0 && (n < 0 || n == x[i]);
    key.push_back(all ? whole() : slice_json(start, n < 0 ? OrderedJson() : OrderedJson(start + n), nullptr));
  }
  return {"keras.src.ops.numpy", "GetItem", OrderedJson::object(), OrderedJson::array({input(0), key})};
}

KerasOp axis_slice(const Node& node, const OrderedJson& a) {
  const int rank = node.input_body(0)->spec().shape.rank(), axis = normalize_axis(a["axis"].get<int>(), rank);
  const int64_t start = a["start"].get<int64_t>(), stop = a["stop"].get<int64_t>(), step = a["step"].get<int64_t>();
  OrderedJson key = OrderedJson::array();
  for (int i = 0; i < axis; ++i) key.push_back(whole());
  key.push_back(slice_json(start == 0 ? OrderedJson() : OrderedJson(start),
                           stop == std::numeric_limits<int64_t>::max() ? OrderedJson() : OrderedJson(stop),
                           step == 1 ? OrderedJson() : OrderedJson(step)));
  return {"keras.src.ops.numpy", "GetItem", OrderedJson::object(), OrderedJson::array({input(0), key})};
}

/// Attributes by Keras' names, in the row's order.
OrderedJson config_of(const Row& row, const OrderedJson& attributes) {
  OrderedJson config = OrderedJson::object();
  for (size_t at = 0; at < row.attributes.size();) {
    const size_t end = std::min(row.attributes.find(' ', at), row.attributes.size());
    const std::string_view item = row.attributes.substr(at, end - at);
    const size_t colon = item.find(':');
    const std::string ours(item.substr(0, colon)), keras(colon == std::string_view::npos ? item : item.substr(colon + 1));
    OrderedJson value = attributes.value(ours, OrderedJson());
    // No axes mean all of them; the ops of places take one.
    if (keras == "axis" && value.is_array() && (value.empty() || row.op == "argmax" || row.op == "argmin"))
      value = value.empty() ? OrderedJson() : value[0];
    config[keras] = std::move(value);
    at = end + 1;
  }
  return config;
}

}  // namespace

namespace {

/// Ops whose attributes are not all Keras': what they are written as, or nothing where Keras has no such op.
bool has_counterpart(const std::string& op, const OrderedJson& a) {
  if (a.value("transpose_a", false) || a.value("transpose_b", false)) return false;
  if (op == "solve" || op == "solve_triangular") return !a.value("transpose", false);
  if (op == "cumsum" || op == "cumprod") return !a.value("exclusive", false) && !a.value("reverse", false);
  if (op == "fft") return !a.value("inverse", false);
  return true;
}

KerasOp padding(const OrderedJson& a) {
  OrderedJson width = OrderedJson::array();
  for (size_t i = 0; i + 1 < a["pads"].size(); i += 2) width.push_back(OrderedJson::array({a["pads"][i], a["pads"][i + 1]}));
  const OrderedJson mode = a.value("mode", OrderedJson("constant"));
  OrderedJson args = OrderedJson::array({input(0)});
  if (mode == "constant" && a.value("value", 0.0) != 0.0) args.push_back(a["value"]);
  return {"keras.src.ops.numpy", "Pad", OrderedJson{{"pad_width", std::move(width)}, {"mode", mode}}, std::move(args)};
}

}  // namespace

KerasOp keras_op(const Node& node) {
  const std::string name(node.op()->name);
  const OrderedJson attributes = node.attrs().p ? OrderedJson::parse(to_json(node.attrs())) : OrderedJson::object();
  if (name == "slice") return box(node, attributes);
  if (name == "slice_axis") return axis_slice(node, attributes);
  if (name == "pad") return padding(attributes);
  if (name == "slice_update")
    return {"keras.src.ops.core", "SliceUpdate", OrderedJson::object(), OrderedJson::array({input(0), attributes["start"], input(1)})};
  if (const OrderedJson value = attributes.value("value", OrderedJson()); name == "full_like" && (value == 0.0 || value == 1.0))
    return {"keras.src.ops.numpy", value == 1.0 ? "OnesLike" : "ZerosLike", OrderedJson::object(), OrderedJson::array({input(0)})};
  const auto* row = std::lower_bound(rows.begin(), rows.end(), name, [](const Row& r, const std::string& n) { return r.op < n; });
  const bool known = row != rows.end() && row->op == name && has_counterpart(name, attributes);
  check(known, Code::Unsupported, "keras.ops has nothing like '{}' {}", name, attributes.dump());
  KerasOp out{"keras.src.ops." + std::string(row->module), std::string(row->class_name), config_of(*row, attributes), OrderedJson::array()};
  OrderedJson inputs = OrderedJson::array();
  for (size_t i = 0; i < node.inputs(); ++i) inputs.push_back(input(i));
  // No number is the last class; Keras misreads -1 in a beam search.
  if (name == "ctc_decode" && out.config["mask_index"] == -1) out.config["mask_index"] = nullptr;
  if (name == "qr") out.config["mode"] = attributes.value("full", false) ? "complete" : "reduced";
  if (name == "searchsorted") out.config["side"] = attributes.value("right", false) ? "right" : "left";
  if (name == "concatenate" || name == "fft") out.args.push_back(std::move(inputs));
  else out.args = std::move(inputs);
  return out;
}

}  // namespace tenure::io

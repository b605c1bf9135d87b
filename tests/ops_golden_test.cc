// Every op that Keras has too, against values and gradients of the real Keras: tests/reference/ops_*.npz and promotion.json.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include <tenure/ops.h>
#include <tenure/ops_nn.h>
#include <tenure/ops_numpy.h>
#include <tenure/tape.h>

#include "conformance.h"
#include "files/npy.h"
#include "paths.h"

namespace tenure::ops_golden {
namespace {

using Json = nlohmann::json;
using conformance::difference;
using conformance::values_of;

// ---- attributes ------------------------------------------------------------------------------------------------------------

bool has(const Json& a, const char* key) { return a.contains(key) && !a[key].is_null(); }
template <class T>
T get(const Json& a, const char* key, T otherwise) {
  return has(a, key) ? a[key].get<T>() : otherwise;
}
template <class T>
std::vector<T> list(const Json& v) {
  return v.is_array() ? v.get<std::vector<T>>() : std::vector<T>{v.get<T>()};
}
Axes axes(const Json& a) { return has(a, "axis") ? list<int>(a["axis"]) : Axes{}; }
std::optional<int> axis(const Json& a) { return has(a, "axis") ? std::optional<int>(a["axis"].get<int>()) : std::nullopt; }
Shape shape(const Json& v) { return Shape(std::span<const int64_t>(v.get<std::vector<int64_t>>())); }
Pair pair(const Json& v) { return v.is_array() ? Pair(v[0].get<int64_t>(), v[1].get<int64_t>()) : Pair(v.get<int64_t>()); }
Tensors one(Tensor t) { return {std::move(t)}; }

using Call = std::function<Tensors(Tensors x, const Json& a, const std::vector<std::string>& args)>;

template <class F>
Call unary(F f) {
  return [f](Tensors x, const Json&, auto&) { return one(f(x[0])); };
}
template <class F>
Call binary(F f) {
  return [f](Tensors x, const Json&, auto&) { return one(f(x[0], x[1])); };
}
template <class F>
Call reduction(F f) {
  return [f](Tensors x, const Json& a, auto&) { return one(f(x[0], axes(a), get(a, "keepdims", false))); };
}
template <class F>
Call place(F f) {
  return [f](Tensors x, const Json& a, auto&) { return one(f(x[0], axis(a), get(a, "keepdims", false))); };
}

// ---- the table of ops --------------------------------------------------------------------------------------------------------

void add_math(std::map<std::string, Call>& t) {
  t["add"] = binary(add), t["subtract"] = binary(subtract), t["multiply"] = binary(multiply), t["divide"] = binary(divide);
  t["maximum"] = binary(maximum), t["minimum"] = binary(minimum), t["floor_divide"] = binary(floor_divide), t["mod"] = binary(mod),
  t["power"] = binary(power);
  t["equal"] = binary(equal), t["not_equal"] = binary(not_equal), t["less"] = binary(less), t["less_equal"] = binary(less_equal);
  t["greater"] = binary(greater), t["greater_equal"] = binary(greater_equal);
  t["logical_and"] = binary(logical_and), t["logical_or"] = binary(logical_or), t["logical_xor"] = binary(logical_xor),
  t["logical_not"] = unary(logical_not);
  using Unary = Tensor (*)(Tensor);
  const std::pair<const char*, Unary> functions[] = {{"abs", abs},
                                                     {"negative", negative},
                                                     {"sign", sign},
                                                     {"square", square},
                                                     {"sqrt", sqrt},
                                                     {"rsqrt", rsqrt},
                                                     {"reciprocal", reciprocal},
                                                     {"exp", exp},
                                                     {"expm1", expm1},
                                                     {"log", log},
                                                     {"log1p", log1p},
                                                     {"sin", sin},
                                                     {"cos", cos},
                                                     {"tan", tan},
                                                     {"arcsin", arcsin},
                                                     {"arccos", arccos},
                                                     {"arctan", arctan},
                                                     {"sinh", sinh},
                                                     {"cosh", cosh},
                                                     {"tanh", tanh},
                                                     {"erf", erf},
                                                     {"floor", floor},
                                                     {"ceil", ceil},
                                                     {"round", round},
                                                     {"isnan", isnan},
                                                     {"isinf", isinf},
                                                     {"isfinite", isfinite},
                                                     {"relu", relu},
                                                     {"relu6", relu6},
                                                     {"selu", selu},
                                                     {"silu", silu},
                                                     {"softplus", softplus},
                                                     {"softsign", softsign},
                                                     {"sigmoid", sigmoid},
                                                     {"hard_sigmoid", hard_sigmoid},
                                                     {"hard_silu", hard_silu},
                                                     {"hard_tanh", hard_tanh},
                                                     {"log_sigmoid", log_sigmoid},
                                                     {"mish", mish},
                                                     {"tanh_shrink", tanh_shrink},
                                                     {"arcsinh", arcsinh},
                                                     {"arccosh", arccosh},
                                                     {"arctanh", arctanh},
                                                     {"exp2", exp2},
                                                     {"log2", log2},
                                                     {"log10", log10},
                                                     {"erfinv", erfinv},
                                                     {"trunc", trunc},
                                                     {"sparse_plus", sparse_plus}};
  for (auto& [name, f] : functions) t[name] = unary(f);
  t["arctan2"] = binary(arctan2);
  t["soft_shrink"] = [](Tensors x, const Json& a, auto&) { return one(soft_shrink(x[0], get(a, "threshold", 0.5))); };
  t["hard_shrink"] = [](Tensors x, const Json& a, auto&) { return one(hard_shrink(x[0], get(a, "threshold", 0.5))); };
  t["squareplus"] = [](Tensors x, const Json& a, auto&) { return one(squareplus(x[0], get(a, "b", 4.0))); };
  t["threshold"] = [](Tensors x, const Json& a, auto&) { return one(threshold(x[0], a["threshold"], a["default_value"])); };
  t["clip"] = [](Tensors x, const Json& a, auto&) { return one(clip(x[0], a["x_min"], a["x_max"])); };
  t["leaky_relu"] = [](Tensors x, const Json& a, auto&) { return one(leaky_relu(x[0], get(a, "negative_slope", 0.2))); };
  t["elu"] = [](Tensors x, const Json& a, auto&) { return one(elu(x[0], get(a, "alpha", 1.0))); };
  t["celu"] = [](Tensors x, const Json& a, auto&) { return one(celu(x[0], get(a, "alpha", 1.0))); };
  t["gelu"] = [](Tensors x, const Json& a, auto&) { return one(gelu(x[0], get(a, "approximate", true))); };
  t["where"] = [](Tensors x, const Json&, auto&) { return one(where(x[0], x[1], x[2])); };
  t["cast"] = [](Tensors x, const Json& a, auto&) { return one(cast(x[0], dtype_from(a["dtype"].get<std::string>()))); };
}

void add_reductions(std::map<std::string, Call>& t) {
  using Reduce = Tensor (*)(Tensor, const Axes&, bool);
  const std::pair<const char*, Reduce> reductions[] = {{"sum", sum}, {"mean", mean}, {"prod", prod}, {"max", max}, {"min", min},
                                                       {"var", var}, {"std", std},   {"any", any},   {"all", all}, {"logsumexp", logsumexp}};
  for (auto& [name, f] : reductions) t[name] = reduction(f);
  t["argmax"] = place(argmax), t["argmin"] = place(argmin);
  t["cumsum"] = [](Tensors x, const Json& a, auto&) { return one(cumsum(x[0], get(a, "axis", 0))); };
  t["cumprod"] = [](Tensors x, const Json& a, auto&) {
    const Op* op = Registry::global().find("cumprod");
    conformance::Attrs attrs(*op, Json{{"axis", normalize_axis(get(a, "axis", 0), x[0].rank())}}.dump());
    return apply_all(*op, x, attrs.ref());
  };
  t["moments"] = [](Tensors x, const Json& a, auto&) {
    auto [mean, variance] = moments(x[0], list<int>(a["axes"]), get(a, "keepdims", false));
    return Tensors{mean, variance};
  };
}

// x[...] from data: a list [begin, end, step] is a slice, a number an index, "new" a new axis, "..." an ellipsis.
Tensor index(Tensor x, const Json& slices) {
  int at = 0, left = 0;
  for (const Json& s : slices) left += s.is_array() || s.is_number();
  for (const Json& s : slices) {
    if (s == "...") {
      at = x.rank() - left;
    } else if (s == "new") {
      x = expand_dims(std::move(x), at++);
    } else if (s.is_number()) {
      int64_t i = s.get<int64_t>() < 0 ? s.get<int64_t>() + x.dim(at) : s.get<int64_t>();
      x = squeeze(slice_axis(std::move(x), at, i, i + 1), {at});
      --left;
    } else {
      int64_t n = x.dim(at), step = s[2].is_null() ? 1 : s[2].get<int64_t>();
      bool back = step < 0;
      int64_t begin = s[0].is_null() ? (back ? n - 1 : 0) : s[0].get<int64_t>(), end = s[1].is_null() ? (back ? -1 : n) : s[1].get<int64_t>();
      if (!s[0].is_null() && begin < 0) begin += n;
      if (!s[1].is_null() && end < 0) end += n;
      if (back) x = slice_axis(flip(std::move(x), {at}), at, n - 1 - begin, n - 1 - end, -step);
      else x = slice_axis(std::move(x), at, begin, end, step);
      ++at, --left;
    }
  }
  return x;
}

void add_shapes(std::map<std::string, Call>& t) {
  t["transpose"] = [](Tensors x, const Json& a, auto&) { return one(transpose(x[0], has(a, "axes") ? list<int>(a["axes"]) : std::vector<int>{})); };
  t["reshape"] = [](Tensors x, const Json& a, auto&) { return one(reshape(x[0], shape(a["newshape"]))); };
  t["expand_dims"] = [](Tensors x, const Json& a, auto&) { return one(expand_dims(x[0], a["axis"])); };
  t["squeeze"] = [](Tensors x, const Json& a, auto&) { return one(squeeze(x[0], axes(a))); };
  t["broadcast_to"] = [](Tensors x, const Json& a, auto&) { return one(broadcast_to(x[0], shape(a["shape"]))); };
  t["concatenate"] = [](Tensors x, const Json& a, auto&) { return one(concatenate(x, a["axis"])); };
  t["stack"] = [](Tensors x, const Json& a, auto&) { return one(stack(x, a["axis"])); };
  t["split"] = [](Tensors x, const Json& a, auto&) {
    const Json& how = a["indices_or_sections"];
    return how.is_array() ? split(x[0], how.get<std::vector<int64_t>>(), a["axis"]) : split(x[0], how.get<int64_t>(), a["axis"]);
  };
  t["unstack"] = [](Tensors x, const Json& a, auto&) { return unstack(x[0], a["axis"]); };
  t["slice"] = [](Tensors x, const Json& a, auto&) { return one(slice(x[0], list<int64_t>(a["start_indices"]), list<int64_t>(a["shape"]))); };
  t["slice_update"] = [](Tensors x, const Json& a, auto&) { return one(slice_update(x[0], list<int64_t>(a["start_indices"]), x[1])); };
  t["getitem"] = [](Tensors x, const Json& a, auto&) { return one(index(x[0], a["slices"])); };
  t["take"] = [](Tensors x, const Json& a, auto&) { return one(take(x[0], x[1], axis(a))); };
  t["take_along_axis"] = [](Tensors x, const Json& a, auto&) { return one(take_along_axis(x[0], x[1], a["axis"])); };
  t["tile"] = [](Tensors x, const Json& a, auto&) { return one(tile(x[0], list<int64_t>(a["repeats"]))); };
  t["repeat"] = [](Tensors x, const Json& a, auto&) { return one(repeat(x[0], a["repeats"], a["axis"])); };
  t["flip"] = [](Tensors x, const Json& a, auto&) { return one(flip(x[0], axes(a))); };
  t["pad"] = [](Tensors x, const Json& a, auto&) {
    return one(pad(x[0], a["pad_width"].get<std::vector<std::pair<int64_t, int64_t>>>(), get<std::string>(a, "mode", "constant"),
                   get(a, "constant_values", 0.0)));
  };
  t["triu"] = [](Tensors x, const Json& a, auto&) { return one(triu(x[0], get<int64_t>(a, "k", 0))); };
  t["tril"] = [](Tensors x, const Json& a, auto&) { return one(tril(x[0], get<int64_t>(a, "k", 0))); };
  t["one_hot"] = [](Tensors x, const Json& a, auto&) {
    return one(one_hot(x[0], a["num_classes"], get(a, "axis", -1), dtype_from(get<std::string>(a, "dtype", "float32"))));
  };
}

Tensor named(const Tensors& x, const std::vector<std::string>& args, const char* name) {
  for (size_t i = 0; i < args.size(); ++i)
    if (args[i] == name) return x[x.size() - args.size() + i];
  return {};
}

void add_networks(std::map<std::string, Call>& t) {
  t["matmul"] = binary([](Tensor a, Tensor b) { return matmul(std::move(a), std::move(b)); });
  t["matmul_transposed"] = [](Tensors x, const Json& a, auto&) { return one(matmul(x[0], x[1], a["transpose_a"], a["transpose_b"])); };
  auto conv = [](bool depthwise) {
    return [depthwise](Tensors x, const Json& a, auto&) {
      std::string padding = get<std::string>(a, "padding", "valid");
      ConvOptions o{.strides = has(a, "strides") ? pair(a["strides"]) : Pair(1),
                    .padding = padding,
                    .dilation_rate = has(a, "dilation_rate") ? pair(a["dilation_rate"]) : Pair(1),
                    .groups = depthwise ? 1 : x[0].dim(-1) / std::max<int64_t>(1, x[1].dim(2))};
      return one(depthwise ? depthwise_conv2d(x[0], x[1], o) : conv2d(x[0], x[1], o));
    };
  };
  t["conv"] = conv(false), t["depthwise_conv"] = conv(true);
  auto pool = [](Tensor (*f)(Tensor, const PoolOptions&)) {
    return [f](Tensors x, const Json& a, auto&) {
      std::string padding = get<std::string>(a, "padding", "valid");
      return one(f(x[0], {.pool_size = pair(a["pool_size"]),
                          .strides = has(a, "strides") ? std::optional<Pair>(pair(a["strides"])) : std::nullopt,
                          .padding = padding}));
    };
  };
  t["max_pool"] = pool(max_pool2d), t["average_pool"] = pool(average_pool2d);
  t["batch_normalization"] = [](Tensors x, const Json& a, const std::vector<std::string>& args) {
    return one(batch_normalization(x[0], named(x, args, "mean"), named(x, args, "variance"), named(x, args, "offset"), named(x, args, "scale"),
                                   get(a, "axis", -1), get(a, "epsilon", 1e-3)));
  };
  t["layer_normalization"] = [](Tensors x, const Json& a, const std::vector<std::string>& args) {
    return one(layer_normalization(x[0], named(x, args, "gamma"), named(x, args, "beta"), axes(a), get(a, "epsilon", 1e-7)));
  };
  t["softmax"] = [](Tensors x, const Json& a, auto&) {
    return one(a["axis"].is_array() ? softmax(x[0], axes(a)) : softmax(x[0], a["axis"].get<int>()));
  };
  t["log_softmax"] = [](Tensors x, const Json& a, auto&) { return one(log_softmax(x[0], a["axis"])); };
  t["binary_crossentropy"] = [](Tensors x, const Json& a, auto&) { return one(binary_crossentropy(x[0], x[1], a["from_logits"])); };
  t["categorical_crossentropy"] = [](Tensors x, const Json& a, auto&) {
    return one(categorical_crossentropy(x[0], x[1], a["from_logits"], get(a, "axis", -1)));
  };
  t["sparse_categorical_crossentropy"] = [](Tensors x, const Json& a, auto&) {
    return one(sparse_categorical_crossentropy(x[0], x[1], a["from_logits"]));
  };
  t["resize"] = [](Tensors x, const Json& a, auto&) {
    std::string how = get<std::string>(a, "interpolation", "bilinear");
    return one(resize(x[0], pair(a["size"]), how, get(a, "antialias", false)));
  };
}

const std::map<std::string, Call>& table() {
  static const auto* const t = [] {
    auto* made = new std::map<std::string, Call>;
    add_math(*made), add_reductions(*made), add_shapes(*made), add_networks(*made);
    return made;
  }();
  return *t;
}

// Where TensorFlow's numbers are not the function's.
bool not_comparable(const std::string& name, const std::string& array) {
  // Its gradient of soft targets takes their sum to be 1.
  if (array == "grad1") return name == "categorical_crossentropy/logits_soft" || name == "categorical_crossentropy/logits_axis1";
  return name == "log/wide";  // flushes 1e-38 to 0: see Logarithm below
}

// ---- the comparison ----------------------------------------------------------------------------------------------------------

Tensor tensor_of(const files::Array& a) {
  Tensor t = make_tensor(a.spec());
  if (a.bytes.size()) std::memcpy(mutable_data(t), a.bytes.data(), a.bytes.size());
  return t;
}

class Golden {
 public:
  explicit Golden(const std::string& file) : file_(tests::source_dir() + "/tests/reference/" + file) {}

  void run() {
    std::vector<uint8_t> text = file_.read("cases").values<uint8_t>();
    int ran = 0;
    for (const Json& c : Json::parse(text)) {
      name_ = c["name"];
      SCOPED_TRACE(name_);
      auto call = table().find(c["op"].get<std::string>());
      if (call == table().end()) {
        ADD_FAILURE() << "no test calls this op";
        continue;
      }
      try {
        one(c, call->second);
        ++ran;
      } catch (const std::exception& e) { ADD_FAILURE() << e.what(); }
    }
    std::printf("%d cases compared with Keras\n", ran);
  }

 private:
  bool stored(const std::string& array) const { return file_.contains(name_ + "/" + array); }
  Tensor read(const std::string& array) const { return tensor_of(file_.read(name_ + "/" + array)); }

  void one(const Json& c, const Call& call) {
    Tensors xs, sources;
    for (int i = 0; i < c["inputs"].get<int>(); ++i) xs.push_back(read("in" + std::to_string(i)));
    for (const Tensor& x : xs)
      if (is_float(x.dtype())) sources.push_back(x);
    GradientTape tape;
    for (const Tensor& s : sources) tape.watch(s);
    Tensors ys = call(xs, c["attrs"], c["args"].get<std::vector<std::string>>());
    ASSERT_EQ(ys.size(), c["outputs"].get<size_t>());
    Tensor loss;
    for (size_t k = 0; k < ys.size(); ++k) {
      compare(ys[k], "out" + std::to_string(k));
      if (!stored("cot" + std::to_string(k))) continue;
      Tensor part = sum(multiply(ys[k], read("cot" + std::to_string(k))));
      loss = loss ? add(loss, part) : part;
    }
    if (!loss) return;
    Tensors grads = tape.gradient(loss, sources, Unconnected::zero);
    size_t g = 0;
    for (size_t i = 0; i < xs.size(); ++i) {
      if (!is_float(xs[i].dtype())) continue;
      if (std::string array = "grad" + std::to_string(i); stored(array)) compare(grads[g], array);
      ++g;
    }
  }

  void compare(const Tensor& got, const std::string& array) {
    if (not_comparable(name_, array)) return;
    Tensor want = read(array);
    if (got.dtype() == bfloat16 && want.dtype() == uint32) {  // stored as its 16 bits
      std::vector<double> bits = values_of(want);
      Tensor again = make_tensor({want.shape(), bfloat16});
      for (size_t i = 0; i < bits.size(); ++i) {
        auto b = static_cast<uint16_t>(bits[i]);
        std::memcpy(mutable_data(again) + 2 * i, &b, 2);
      }
      want = again;
    }
    EXPECT_EQ(to_string(got.spec()), to_string(want.spec())) << array;
    if (got.shape() != want.shape()) return;
    double d = difference(values_of(got), values_of(want));
    EXPECT_LE(d, is_float(want.dtype()) ? 1e-5 : 0) << array << ": got " << got << ", Keras has " << want;
  }

  files::NpzFile file_;
  std::string name_;
};

TEST(OpsGolden, MathIsKeras) { Golden("ops_math.npz").run(); }
TEST(OpsGolden, ReductionsAreKeras) { Golden("ops_reduce.npz").run(); }
TEST(OpsGolden, ShapesAndIndicesAreKeras) { Golden("ops_shape.npz").run(); }
TEST(OpsGolden, NetworkOpsAreKeras) { Golden("ops_nn.npz").run(); }
TEST(OpsGolden, ImagesAreKeras) { Golden("ops_image.npz").run(); }

// ---- promotion ---------------------------------------------------------------------------------------------------------------

class Promotion : public testing::Test {
 protected:
  Promotion() {
    std::ifstream in(tests::source_dir() + "/tests/reference/promotion.json");
    rules_ = Json::parse(in);
  }
  static std::string text(const Json& v) { return v.get<std::string>(); }
  static Tensor ones_of(const std::string& type) { return ones({1}, dtype_from(type)); }
  // Result types of f for every pair of types in the table `name`.
  template <class F>
  void pairs(const char* name, F f) {
    for (auto& [a, row] : rules_[name].items())
      for (auto& [b, want] : row.items()) {
        try {
          EXPECT_EQ(to_string(f(ones_of(a), ones_of(b)).dtype()), text(want)) << name << " of " << a << " and " << b;
        } catch (const Error& e) { ADD_FAILURE() << name << " of " << a << " and " << b << ": " << e.what(); }
      }
  }
  template <class F>
  void single(const char* name, F f) {
    for (auto& [a, want] : rules_[name].items()) EXPECT_EQ(to_string(f(ones_of(a)).dtype()), text(want)) << name << " of " << a;
  }
  Json rules_;
};

TEST_F(Promotion, OfTwoTensorsIsKeras) {
  pairs("add", [](Tensor a, Tensor b) { return add(a, b); });
  pairs("divide", [](Tensor a, Tensor b) { return divide(a, b); });
  pairs("power", [](Tensor a, Tensor b) { return power(a, b); });
  pairs("where", [](Tensor a, Tensor b) { return where(true, a, b); });
}
TEST_F(Promotion, OfMatmulIsKeras) {
  pairs("matmul", [](Tensor a, Tensor b) { return matmul(a, b); });
}
TEST_F(Promotion, WithNumbersIsKeras) {
  single("add_python_int", [](Tensor a) { return add(a, 1); });
  single("add_python_float", [](Tensor a) { return add(a, 1.0); });
}
TEST_F(Promotion, OfOneTensorIsKeras) {
  single("exp", [](Tensor a) { return exp(a); });
  single("sum", [](Tensor a) { return sum(a); });
  single("mean", [](Tensor a) { return mean(a); });
  single("prod", [](Tensor a) { return prod(a); });
  single("cumsum", [](Tensor a) { return cumsum(a); });
  single("argmax", [](Tensor a) { return argmax(a); });
  single("max", [](Tensor a) { return max(a); });
}

TEST(Logarithm, OfVerySmallAndVeryLargeNumbersIsExact) {
  Tensor y = log(Tensor::from<float>({1e-38F, 1e-20F, 0.999999F, 1, 1.000001F, 1e20F, 3e38F, std::numeric_limits<float>::infinity(), 0}));
  const double want[] = {-87.498234, -46.051702, -1.0132795e-6, 0, 9.5367386e-7, 46.051702, 88.596836, INFINITY, -INFINITY};
  for (int i = 0; i < 9; ++i)
    if (std::isfinite(want[i])) EXPECT_NEAR(y.at(i), want[i], 1e-6 * std::fabs(want[i]));
    else EXPECT_EQ(y.at(i), want[i]);
}

TEST(Numbers, KeepTheirExactValueBesideAWiderType) {
  Tensor x = Tensor::from<double>({1.0});
  EXPECT_EQ(multiply(x, 0.1).item<double>(), 0.1);
  EXPECT_EQ(add(Tensor::from<int64_t>({0}), 2147483647).item<int64_t>(), 2147483647);
  EXPECT_EQ(cast(Tensor(0.1), float64).item<double>(), 0.1);
}

TEST(Assignment, AddsAndSubtractsAndIsNotDifferentiated) {
  Variable v(Tensor::from<float>({1, 2}), "v");
  GradientTape tape({.watch_accessed_variables = true});
  v.assign_add(Tensor::from<float>({1, 1}));
  v.assign_sub(0.5);
  EXPECT_EQ(v.value().to_vector<float>(), (std::vector<float>{1.5F, 2.5F}));
  EXPECT_EQ(tape.entries(), 0U);
  EXPECT_THROW(v.assign_add(Tensor::from<float>({1, 2, 3})), Error);
}

TEST(Reductions, OfNothingAreNumPys) {
  Tensor none = zeros({0, 3});
  EXPECT_EQ(sum(none, {0}).to_vector<float>(), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(prod(none, {0}).to_vector<float>(), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(all(cast(none, bool_)).item<bool>(), true);
  EXPECT_EQ(any(cast(none, bool_)).item<bool>(), false);
  EXPECT_THROW(max(none, {0}), Error);
  EXPECT_THROW(argmax(none, 0), Error);
  EXPECT_EQ(max(none, {1}).size(), 0);
}

TEST(Reductions, OfAMillionFloatsKeepTheirDigits) {
  Tensor x = full({1000, 1000}, 0.1);
  EXPECT_NEAR(sum(x).item<double>(), 1e6 * static_cast<double>(0.1F), 0.05);
  EXPECT_NEAR(sum(x, {0}).at(7), 1e3 * static_cast<double>(0.1F), 1e-4);
}

}  // namespace
}  // namespace tenure::ops_golden

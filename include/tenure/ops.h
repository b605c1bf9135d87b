// The ops to call. Names, argument names and defaults are keras.ops' (random: keras.random's).
// Every op takes and returns eager tensors, model symbols and traced tensors alike; it throws Shape, DType or InvalidArgument
// naming itself and what it was called with. Broadcasting is NumPy's; dtypes combine as in Keras; a C++ number widens nothing.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include <tenure/tensor.h>
#include <tenure/variable.h>

namespace tenure {

using Axes = std::vector<int>;
/// One number for both or a number for each spatial dimension.
struct Pair {
  int64_t h = 1, w = 1;
  constexpr Pair() = default;
  constexpr Pair(int64_t both) : h(both), w(both) {}
  constexpr Pair(int64_t h, int64_t w) : h(h), w(w) {}
  constexpr bool operator==(const Pair&) const = default;
};

// ---- making ----
TENURE_API Tensor zeros(const Shape& shape, DType dtype = float32);
TENURE_API Tensor ones(const Shape& shape, DType dtype = float32);
TENURE_API Tensor full(const Shape& shape, double value, DType dtype = float32);
TENURE_API Tensor zeros_like(const Tensor& x);
TENURE_API Tensor ones_like(const Tensor& x);
TENURE_API Tensor arange(double start, double stop, double step = 1, DType dtype = int32);
TENURE_API Tensor eye(int64_t n, int64_t m = -1, DType dtype = float32);
TENURE_API Tensor cast(Tensor x, DType dtype);
/// No gradient passes.
TENURE_API Tensor stop_gradient(Tensor x);

// ---- arithmetic ----
TENURE_API Tensor add(Tensor a, Tensor b);
TENURE_API Tensor subtract(Tensor a, Tensor b);
TENURE_API Tensor multiply(Tensor a, Tensor b);
/// True division; integers give float32.
TENURE_API Tensor divide(Tensor a, Tensor b);
TENURE_API Tensor floor_divide(Tensor a, Tensor b);
TENURE_API Tensor mod(Tensor a, Tensor b);
TENURE_API Tensor power(Tensor a, Tensor b);
TENURE_API Tensor maximum(Tensor a, Tensor b);
TENURE_API Tensor minimum(Tensor a, Tensor b);
TENURE_API Tensor negative(Tensor x);
TENURE_API Tensor abs(Tensor x);
TENURE_API Tensor sign(Tensor x);
TENURE_API Tensor square(Tensor x);
TENURE_API Tensor sqrt(Tensor x);
TENURE_API Tensor rsqrt(Tensor x);
TENURE_API Tensor reciprocal(Tensor x);
TENURE_API Tensor clip(Tensor x, double min, double max);
TENURE_API Tensor floor(Tensor x);
TENURE_API Tensor ceil(Tensor x);
/// Half to even, as NumPy.
TENURE_API Tensor round(Tensor x);
inline Tensor operator+(Tensor a, Tensor b) { return add(std::move(a), std::move(b)); }
inline Tensor operator-(Tensor a, Tensor b) { return subtract(std::move(a), std::move(b)); }
inline Tensor operator*(Tensor a, Tensor b) { return multiply(std::move(a), std::move(b)); }
inline Tensor operator/(Tensor a, Tensor b) { return divide(std::move(a), std::move(b)); }
inline Tensor operator-(Tensor x) { return negative(std::move(x)); }

// ---- exponential, trigonometric, error functions ----
TENURE_API Tensor exp(Tensor x);
TENURE_API Tensor expm1(Tensor x);
TENURE_API Tensor log(Tensor x);
TENURE_API Tensor log1p(Tensor x);
TENURE_API Tensor sin(Tensor x);
TENURE_API Tensor cos(Tensor x);
TENURE_API Tensor tan(Tensor x);
TENURE_API Tensor arcsin(Tensor x);
TENURE_API Tensor arccos(Tensor x);
TENURE_API Tensor arctan(Tensor x);
TENURE_API Tensor sinh(Tensor x);
TENURE_API Tensor cosh(Tensor x);
TENURE_API Tensor tanh(Tensor x);
TENURE_API Tensor erf(Tensor x);

// ---- comparison and logic: bool out ----
TENURE_API Tensor equal(Tensor a, Tensor b);
TENURE_API Tensor not_equal(Tensor a, Tensor b);
TENURE_API Tensor less(Tensor a, Tensor b);
TENURE_API Tensor less_equal(Tensor a, Tensor b);
TENURE_API Tensor greater(Tensor a, Tensor b);
TENURE_API Tensor greater_equal(Tensor a, Tensor b);
TENURE_API Tensor logical_and(Tensor a, Tensor b);
TENURE_API Tensor logical_or(Tensor a, Tensor b);
TENURE_API Tensor logical_xor(Tensor a, Tensor b);
TENURE_API Tensor logical_not(Tensor x);
TENURE_API Tensor isnan(Tensor x);
TENURE_API Tensor isinf(Tensor x);
TENURE_API Tensor isfinite(Tensor x);
/// a where the condition holds, else b.
TENURE_API Tensor where(Tensor condition, Tensor a, Tensor b);

// ---- activations ----
TENURE_API Tensor relu(Tensor x);
TENURE_API Tensor relu6(Tensor x);
TENURE_API Tensor leaky_relu(Tensor x, double negative_slope = 0.2);
TENURE_API Tensor elu(Tensor x, double alpha = 1.0);
TENURE_API Tensor celu(Tensor x, double alpha = 1.0);
TENURE_API Tensor selu(Tensor x);
TENURE_API Tensor sigmoid(Tensor x);
TENURE_API Tensor log_sigmoid(Tensor x);
TENURE_API Tensor softplus(Tensor x);
TENURE_API Tensor softsign(Tensor x);
TENURE_API Tensor silu(Tensor x);
/// keras.ops' default is the tanh approximation; the activation "gelu" is exact.
TENURE_API Tensor gelu(Tensor x, bool approximate = true);
TENURE_API Tensor mish(Tensor x);
TENURE_API Tensor hard_sigmoid(Tensor x);
TENURE_API Tensor hard_silu(Tensor x);
TENURE_API Tensor hard_tanh(Tensor x);
TENURE_API Tensor tanh_shrink(Tensor x);
TENURE_API Tensor softmax(Tensor x, int axis = -1);
TENURE_API Tensor log_softmax(Tensor x, int axis = -1);

// ---- reductions: empty axes mean all ----
TENURE_API Tensor sum(Tensor x, const Axes& axis = {}, bool keepdims = false);
/// Integers give float32.
TENURE_API Tensor mean(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor prod(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor max(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor min(Tensor x, const Axes& axis = {}, bool keepdims = false);
/// Biased, as NumPy.
TENURE_API Tensor var(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor std(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor any(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor all(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor logsumexp(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor argmax(Tensor x, std::optional<int> axis = {}, bool keepdims = false);
TENURE_API Tensor argmin(Tensor x, std::optional<int> axis = {}, bool keepdims = false);
TENURE_API Tensor cumsum(Tensor x, int axis = 0);
/// Sums broadcast dimensions away until the shape is `shape`: the gradient of broadcasting.
TENURE_API Tensor sum_to(Tensor x, const Shape& shape);
/// mean and biased variance over axes.
TENURE_API std::pair<Tensor, Tensor> moments(Tensor x, const Axes& axes, bool keepdims = false);

// ---- linear algebra ----
/// NumPy's matmul with flags: op(a) · op(b), batched with broadcasting.
TENURE_API Tensor matmul(Tensor a, Tensor b, bool transpose_a = false, bool transpose_b = false);
/// activation(x · w + b) on the last axis in one kernel; b may be empty, activation "" or one of relu, sigmoid, tanh, ...
TENURE_API Tensor linear(Tensor x, Tensor w, Tensor b = {}, std::string_view activation = {});
/// Sums of products by letters: einsum("abc,cd->abd", {x, w}). Ellipses and a missing output as in NumPy; no letter twice in one term.
TENURE_API Tensor einsum(std::string_view subscripts, const Tensors& operands);

// ---- shape ----
/// One size may be -1.
TENURE_API Tensor reshape(Tensor x, const Shape& shape);
TENURE_API Tensor transpose(Tensor x, const std::vector<int>& axes = {});
TENURE_API Tensor expand_dims(Tensor x, int axis);
TENURE_API Tensor squeeze(Tensor x, const Axes& axis = {});
TENURE_API Tensor broadcast_to(Tensor x, const Shape& shape);
TENURE_API Tensor concatenate(const Tensors& xs, int axis = 0);
TENURE_API Tensor stack(const Tensors& xs, int axis = 0);
TENURE_API Tensors split(Tensor x, int64_t sections, int axis = 0);
TENURE_API Tensors split(Tensor x, const std::vector<int64_t>& indices, int axis = 0);
TENURE_API Tensors unstack(Tensor x, int axis = 0);
TENURE_API Tensor tile(Tensor x, const std::vector<int64_t>& repeats);
TENURE_API Tensor repeat(Tensor x, int64_t repeats, int axis);
TENURE_API Tensor flip(Tensor x, const Axes& axis = {});
/// Amounts before and after for every dimension; mode constant, reflect, symmetric or edge.
TENURE_API Tensor pad(Tensor x, const std::vector<std::pair<int64_t, int64_t>>& pad_width, std::string_view mode = "constant",
                      double constant_values = 0);
/// The box of sizes `shape` at `start`.
TENURE_API Tensor slice(Tensor x, const std::vector<int64_t>& start, const std::vector<int64_t>& shape);
/// NumPy's x[start:stop:step] for one axis; stop past the end is the end, step >= 1.
TENURE_API Tensor slice_axis(Tensor x, int axis, int64_t start, int64_t stop = std::numeric_limits<int64_t>::max(), int64_t step = 1);
/// A copy of x with `updates` written at `start`.
TENURE_API Tensor slice_update(Tensor x, const std::vector<int64_t>& start, Tensor updates);

// ---- indices ----
/// Slices of x along `axis` (all of x flattened without one). Negative indices count from the end; out of range is an error.
TENURE_API Tensor take(Tensor x, Tensor indices, std::optional<int> axis = {});
TENURE_API Tensor take_along_axis(Tensor x, Tensor indices, int axis);
/// Adds rows of `updates` into zeros of `shape` at `indices` on axis 0: the gradient of take.
TENURE_API Tensor scatter_add(Tensor indices, Tensor updates, const Shape& shape);
TENURE_API Tensor one_hot(Tensor x, int64_t num_classes, int axis = -1, DType dtype = float32);

// ---- convolution, pooling: [batch, height, width, channels] ----
struct ConvOptions {
  Pair strides = 1;
  std::string_view padding = "valid";  ///< valid or same
  Pair dilation_rate = 1;
  int64_t groups = 1;
  std::string_view activation = {};  ///< fused: "", relu, relu6, silu, ...
};
/// kernel [kh, kw, in / groups, out]; bias [out] may be empty. Keras: ops.conv.
TENURE_API Tensor conv2d(Tensor x, Tensor kernel, const ConvOptions& options = {}, Tensor bias = {});
/// kernel [kh, kw, in, multiplier]. Keras: ops.depthwise_conv.
TENURE_API Tensor depthwise_conv2d(Tensor x, Tensor kernel, const ConvOptions& options = {}, Tensor bias = {});
struct PoolOptions {
  Pair pool_size = 2;
  std::optional<Pair> strides = {};  ///< pool_size when not given
  std::string_view padding = "valid";
};
TENURE_API Tensor max_pool2d(Tensor x, const PoolOptions& options = {});
/// Padding does not count.
TENURE_API Tensor average_pool2d(Tensor x, const PoolOptions& options = {});

// ---- normalization ----
/// (x - mean) * rsqrt(variance + epsilon) * scale + offset on `axis`. scale and offset may be empty.
TENURE_API Tensor batch_normalization(Tensor x, Tensor mean, Tensor variance, Tensor offset = {}, Tensor scale = {}, int axis = -1,
                                      double epsilon = 1e-3);
/// Training form: {y, batch mean, biased batch variance}.
TENURE_API Tensors batch_normalization_training(Tensor x, Tensor offset = {}, Tensor scale = {}, int axis = -1, double epsilon = 1e-3);
/// Over the last `axes` dimensions; gamma and beta of that shape may be empty.
TENURE_API Tensor layer_normalization(Tensor x, Tensor gamma = {}, Tensor beta = {}, const Axes& axis = {-1}, double epsilon = 1e-3);

// ---- losses, unreduced, as keras.ops ----
TENURE_API Tensor binary_crossentropy(Tensor target, Tensor output, bool from_logits = false);
TENURE_API Tensor categorical_crossentropy(Tensor target, Tensor output, bool from_logits = false, int axis = -1);
TENURE_API Tensor sparse_categorical_crossentropy(Tensor target, Tensor output, bool from_logits = false, int axis = -1);

// ---- images: [batch, height, width, channels] or without batch ----
/// interpolation nearest or bilinear; half-pixel centres.
TENURE_API Tensor resize(Tensor images, Pair size, std::string_view interpolation = "bilinear", bool antialias = false);

// ---- random: pure functions of the generator's state ----
/// Keras: keras.random.SeedGenerator. The state (key, counter) is a Variable; every draw advances it.
class TENURE_API SeedGenerator {
 public:
  explicit SeedGenerator(int64_t seed = 0);
  /// A generator of an existing state.
  explicit SeedGenerator(Variable state) : state_(std::move(state)) {}
  /// The present state, and an advance: one per draw.
  Tensor next() const;
  const Variable& state() const noexcept { return state_; }

 private:
  Variable state_;
};
namespace random {
TENURE_API Tensor uniform(const Shape& shape, const SeedGenerator& seed, double minval = 0, double maxval = 1, DType dtype = float32);
TENURE_API Tensor normal(const Shape& shape, const SeedGenerator& seed, double mean = 0, double stddev = 1, DType dtype = float32);
/// Redrawn beyond two standard deviations.
TENURE_API Tensor truncated_normal(const Shape& shape, const SeedGenerator& seed, double mean = 0, double stddev = 1, DType dtype = float32);
TENURE_API Tensor bernoulli(const Shape& shape, const SeedGenerator& seed, double p = 0.5, DType dtype = float32);
TENURE_API Tensor randint(const Shape& shape, const SeedGenerator& seed, int64_t minval, int64_t maxval, DType dtype = int32);
/// 0 .. n-1 in random order, int32.
TENURE_API Tensor permutation(int64_t n, const SeedGenerator& seed);
/// Zeroes a fraction `rate` and scales the rest by 1 / (1 - rate). noise_shape broadcasts one draw over sizes of 1.
TENURE_API Tensor dropout(Tensor x, double rate, const SeedGenerator& seed, const Shape& noise_shape = {});
}  // namespace random

}  // namespace tenure

// Kernels: plain functions on pointers, chosen for the running processor. Nobody here owns memory: every pointer is the caller's.
// They never throw, never allocate tensors, accept zero sizes, and split long work over the team with parallel_for.
// Unless said otherwise an output may be exactly one of the inputs (in place) but must not overlap one partly.
#pragma once

#include <cstddef>
#include <cstdint>

#include <tenure/dtype.h>

namespace tenure::kernels {

/// What a kernel that can fail returns; `apply` or the Executable makes an Error of it.
struct Status {
  enum Kind : uint8_t { ok, index_out_of_range, failed };
  Kind kind = ok;
  int64_t position = 0;  ///< which element
  double value = 0;      ///< the offending value
  explicit operator bool() const noexcept { return kind == ok; }
};

/// The name of the instruction set that run-time dispatch chose, e.g. "AVX3", "AVX2".
const char* isa() noexcept;

// ---------------------------------------------------------------------------------------------------------------- elementwise
// T is float or double in this header unless a function says otherwise.

enum class Binary : uint8_t { add, sub, mul, div, max, min, squared_difference };

/// y[i] = a[i] op b[i]. max and min propagate NaN.
template <class T>
void binary(Binary op, const T* a, const T* b, T* y, int64_t n) noexcept;

/// What becomes of a product: ab + c, ab - c, c - ab.
enum class Product : uint8_t { plus, minus, from };
/// Rounds twice, as the product and then the sum would; y may be one of a, b, c.
template <class T>
void multiply_add(Product p, const T* a, const T* b, const T* c, T* y, int64_t n) noexcept;
/// y[i] = min(max(x[i], lo), hi); NaN stays.
template <class T>
void clip(const T* x, T lo, T hi, T* y, int64_t n) noexcept;

/// Functions of one number. `alpha` is the slope of leaky_relu and the scale of elu; others ignore it.
/// hard_sigmoid is relu6(x + 3) / 6; silu is x * sigmoid(x); gelu is the exact one (erf).
enum class Unary : uint8_t {
  identity,
  neg,
  abs,
  square,
  sqrt,
  rsqrt,
  reciprocal,
  exp,
  expm1,
  log,
  log1p,
  tanh,
  sigmoid,
  sin,
  cos,
  erf,
  relu,
  relu6,
  leaky_relu,
  elu,
  selu,
  softplus,
  softsign,
  silu,
  gelu,
  gelu_tanh,
  hard_sigmoid,
  hard_silu,
  mish,
  log_sigmoid,
  floor,
  ceil,
  round,
  sign
};

/// y[i] = op(x[i]). float32: at most 5e-7 relative error for exp, log, tanh, sigmoid, erf over the whole range, infinities and NaN as libm.
template <class T>
void unary(Unary op, const T* x, T* y, int64_t n, float alpha = 0) noexcept;

/// Whether unary_grad wants the function's output (true) or its input (false).
constexpr bool grad_takes_output(Unary op) noexcept {
  switch (op) {
    case Unary::sqrt:
    case Unary::rsqrt:
    case Unary::reciprocal:
    case Unary::exp:
    case Unary::expm1:
    case Unary::tanh:
    case Unary::sigmoid:
    case Unary::relu:
    case Unary::relu6:
    case Unary::elu:
    case Unary::selu: return true;
    default: return false;
  }
}
/// dx[i] = dy[i] * op'(.), from `ref` = output or input as grad_takes_output says; dx may be dy or ref. floor, ceil, round, sign give 0.
template <class T>
void unary_grad(Unary op, const T* dy, const T* ref, T* dx, int64_t n, float alpha = 0) noexcept;

// The same by name.
template <class T>
void add(const T* a, const T* b, T* y, int64_t n) noexcept {
  binary(Binary::add, a, b, y, n);
}
template <class T>
void sub(const T* a, const T* b, T* y, int64_t n) noexcept {
  binary(Binary::sub, a, b, y, n);
}
template <class T>
void mul(const T* a, const T* b, T* y, int64_t n) noexcept {
  binary(Binary::mul, a, b, y, n);
}
template <class T>
void div(const T* a, const T* b, T* y, int64_t n) noexcept {
  binary(Binary::div, a, b, y, n);
}
template <class T>
void max(const T* a, const T* b, T* y, int64_t n) noexcept {
  binary(Binary::max, a, b, y, n);
}
template <class T>
void min(const T* a, const T* b, T* y, int64_t n) noexcept {
  binary(Binary::min, a, b, y, n);
}
template <class T>
void scale(T a, const T* x, T* y, int64_t n) noexcept {
  binary_scalar(Binary::mul, x, a, y, n);
}
template <class T>
void exp(const T* x, T* y, int64_t n) noexcept {
  unary(Unary::exp, x, y, n);
}
template <class T>
void log(const T* x, T* y, int64_t n) noexcept {
  unary(Unary::log, x, y, n);
}
template <class T>
void sqrt(const T* x, T* y, int64_t n) noexcept {
  unary(Unary::sqrt, x, y, n);
}
template <class T>
void tanh(const T* x, T* y, int64_t n) noexcept {
  unary(Unary::tanh, x, y, n);
}
template <class T>
void sigmoid(const T* x, T* y, int64_t n) noexcept {
  unary(Unary::sigmoid, x, y, n);
}
template <class T>
void relu(const T* x, T* y, int64_t n) noexcept {
  unary(Unary::relu, x, y, n);
}
template <class T>
void relu_grad(const T* dy, const T* y, T* dx, int64_t n) noexcept {
  unary_grad(Unary::relu, dy, y, dx, n);
}
template <class T>
void tanh_grad(const T* dy, const T* y, T* dx, int64_t n) noexcept {
  unary_grad(Unary::tanh, dy, y, dx, n);
}
template <class T>
void sigmoid_grad(const T* dy, const T* y, T* dx, int64_t n) noexcept {
  unary_grad(Unary::sigmoid, dy, y, dx, n);
}

// ---------------------------------------------------------------------------------------------------------- moving and converting

/// Copies n elements between any two element types but string. Float to integer truncates towards zero; what does
/// not fit int32 (int64 for the wide types) gives its least value, then wraps, as x86 does; NaN gives 0.
/// To bfloat16 and float16: nearest, ties to even; anything but 0 is true. x and y must not overlap unless the types are equal.
void convert(DType from, const void* x, DType to, void* y, int64_t n) noexcept;
/// n copies of one element of `size` bytes (1, 2, 4 or 8) at y.
void fill(const void* value, size_t size, void* y, int64_t n) noexcept;
void copy(const void* x, void* y, size_t bytes) noexcept;

uint16_t to_bfloat16(float x) noexcept;
float from_bfloat16(uint16_t x) noexcept;
uint16_t to_float16(float x) noexcept;
float from_float16(uint16_t x) noexcept;

/// y[c,r] = x[r,c] for elements of `size` bytes (1, 2, 4 or 8); y must not be x.
void transpose(const void* x, void* y, int64_t rows, int64_t cols, size_t size) noexcept;
/// y = x with axes permuted: axis i of y is axis axes[i] of x; rank <= 8; y must not be x.
void permute(const void* x, void* y, const int64_t* dims, const int* axes, int rank, size_t size) noexcept;

/// y[i,:] = table[index[i],:], rows of `row_bytes`; Index is int32_t or int64_t. An index outside [0, rows) stops with index_out_of_range.
template <class Index>
Status gather_rows(const void* table, int64_t rows, size_t row_bytes, const Index* index, int64_t n, void* y) noexcept;
/// table[index[i],:] += x[i,:]; rows of `cols`; in index order, so the same for any number of threads.
template <class T, class Index>
Status scatter_add_rows(T* table, int64_t rows, int64_t cols, const Index* index, int64_t n, const T* x) noexcept;

// ------------------------------------------------------------------------------------------------------------------ reductions

enum class Reduce : uint8_t { sum, mean, prod, max, min, sum_squares, mean_squares };

/// y[outer,inner] = reduction of x[outer,n,inner] over n. float sums: many accumulators, error about 1e-7 relative to sum|x|.
/// T: float, double, and every integer type (8..64 bits, signed or not; they wrap). n == 0 gives 0, 1, the type's extreme, or NaN for a mean.
/// max and min propagate NaN. y must not overlap x.
template <class T>
void reduce(Reduce op, const T* x, T* y, int64_t outer, int64_t n, int64_t inner) noexcept;
/// Rows: [outer, n] to [outer].
template <class T>
void reduce_rows(Reduce op, const T* x, T* y, int64_t outer, int64_t n) noexcept {
  reduce(op, x, y, outer, n, 1);
}
/// Columns: [n, inner] to [inner] (bias gradients).
template <class T>
void reduce_columns(Reduce op, const T* x, T* y, int64_t n, int64_t inner) noexcept {
  reduce(op, x, y, 1, n, inner);
}
template <class T>
T sum(const T* x, int64_t n) noexcept;
template <class T>
T dot(const T* a, const T* b, int64_t n) noexcept;
/// y[r] = dot(a[r,:], b[r,:]).
template <class T>
void dot_rows(const T* a, const T* b, T* y, int64_t rows, int64_t n) noexcept;

/// y[outer,inner] = index over n of the greatest (or least) of x[outer,n,inner]; the first wins; a NaN counts as the extreme.
/// T as reduce.
template <class T>
void arg_max(const T* x, int32_t* y, int64_t outer, int64_t n, int64_t inner, bool least = false) noexcept;

// ------------------------------------------------------------------------------------------------- softmax and normalization, by rows

/// Rows of [rows, n]; in place is fine.
template <class T>
void softmax(const T* x, T* y, int64_t rows, int64_t n) noexcept;
template <class T>
void log_softmax(const T* x, T* y, int64_t rows, int64_t n) noexcept;
/// dx = y * (dy - sum(dy * y)).
template <class T>
void softmax_grad(const T* dy, const T* y, T* dx, int64_t rows, int64_t n) noexcept;
/// dx = dy - exp(y) * sum(dy).
template <class T>
void log_softmax_grad(const T* dy, const T* y, T* dx, int64_t rows, int64_t n) noexcept;
/// y[r] = log(sum(exp(x[r,:]))), stable.
template <class T>
void log_sum_exp(const T* x, T* y, int64_t rows, int64_t n) noexcept;

/// y = (x - mean) * rstd * gamma + beta by rows, rstd = 1 / sqrt(biased variance + eps). gamma, beta, mean, rstd may be null.
template <class T>
void layer_norm(const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean, T* rstd, int64_t rows, int64_t n) noexcept;
/// dx of layer_norm from its saved mean and rstd; gamma may be null. dgamma and dbeta [n] are written unless null.
template <class T>
void layer_norm_grad(const T* dy, const T* x, const T* gamma, const T* mean, const T* rstd, T* dx, T* dgamma, T* dbeta, int64_t rows,
                     int64_t n) noexcept;
/// Mean and biased variance of each row of [rows, n]; either may be null. Shifted, so a large mean costs no digits.
template <class T>
void row_moments(const T* x, T* mean, T* variance, int64_t rows, int64_t n) noexcept;
/// Mean and biased variance of each channel of [rows, channels] (batch normalization); merged block by block (Chan et al. 1979).
template <class T>
void channel_moments(const T* x, T* mean, T* variance, int64_t rows, int64_t channels) noexcept;
/// y[r,c] = x[r,c] * scale[c] + shift[c], then relu if asked. scale or shift may be null.
template <class T>
void scale_shift(const T* x, const T* scale, const T* shift, T* y, int64_t rows, int64_t channels, bool relu = false) noexcept;
/// Sums that a batch-norm gradient needs: sum_dy[c] = sum dy, sum_dy_xhat[c] = sum dy * (x - mean[c]) * rstd[c].
template <class T>
void channel_grad_sums(const T* dy, const T* x, const T* mean, const T* rstd, T* sum_dy, T* sum_dy_xhat, int64_t rows, int64_t channels) noexcept;
/// dx = gamma * rstd * (dy - sum_dy / rows - xhat * sum_dy_xhat / rows); gamma may be null.
template <class T>
void batch_norm_grad(const T* dy, const T* x, const T* gamma, const T* mean, const T* rstd, const T* sum_dy, const T* sum_dy_xhat, T* dx,
                     int64_t rows, int64_t channels) noexcept;

// ---------------------------------------------------------------------------------------------------------------------- random
// Philox4x32-10 (Salmon et al. 2011). Value i is a function of (key, counter, i) only: block {i/4, counter} under `key`. Draws that must be
// independent use different counters. T is float or double.

/// The raw bijection: four words of counter, two of key.
void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) noexcept;
/// Uniform in [lo, hi).
template <class T>
void philox_uniform(uint64_t key, uint64_t counter, T* y, int64_t n, T lo, T hi) noexcept;
/// Normal by Box-Muller.
template <class T>
void philox_normal(uint64_t key, uint64_t counter, T* y, int64_t n, T mean, T stddev) noexcept;
/// Normal restricted to mean +- 2 stddev, by the inverse distribution function.
template <class T>
void philox_truncated_normal(uint64_t key, uint64_t counter, T* y, int64_t n, T mean, T stddev) noexcept;
/// y[i] = 1 with probability p, else 0.
void philox_bernoulli(uint64_t key, uint64_t counter, uint8_t* y, int64_t n, double p) noexcept;
/// y[i] = kept ? x[i] * scale : 0, kept with probability 1 - rate; mask (may be null) gets 1 where kept. The gradient is the same call on dy.
template <class T>
void philox_dropout(uint64_t key, uint64_t counter, const T* x, T* y, uint8_t* mask, int64_t n, double rate, T scale) noexcept;
void philox_bits64(uint64_t key, uint64_t counter, uint64_t* y, int64_t n) noexcept;
/// Integers in [lo, hi).
void philox_integers(uint64_t key, uint64_t counter, int64_t* y, int64_t n, int64_t lo, int64_t hi) noexcept;
/// A permutation of 0..n-1 (Fisher-Yates); serial.
void philox_permutation(uint64_t key, uint64_t counter, int64_t* y, int64_t n) noexcept;

// ----------------------------------------------------------------------------------------------------------------------- images

/// Sizes of an NHWC resize.
struct ResizeDesc {
  int64_t n, h, w, c, out_h, out_w;
};
/// Bilinear with half-pixel centres and edge clamp (tf.image.resize, keras.ops.image.resize). T is float or uint8_t.
/// antialias widens the triangle when shrinking.
template <class T>
void resize_bilinear(const T* x, float* y, const ResizeDesc& d, bool antialias = false) noexcept;
/// dx of resize_bilinear (without antialias).
void resize_bilinear_grad(const float* dy, float* dx, const ResizeDesc& d) noexcept;
/// The pixel at floor of the half-pixel centre; a pixel is c elements of `size` bytes.
void resize_nearest(const void* x, void* y, const ResizeDesc& d, size_t size) noexcept;
/// dx of resize_nearest.
void resize_nearest_grad(const float* dy, float* dx, const ResizeDesc& d) noexcept;

}  // namespace tenure::kernels

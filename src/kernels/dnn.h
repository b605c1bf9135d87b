// Matrix products, convolutions and pooling. Prepared objects are immutable, shared, made once by a bounded process cache and run from any
// thread; they own compiled code only. Weights, workspaces and scratch are the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/kernels.h"

namespace tenure::kernels {

/// What is done to each output before it is stored: y = act(product + bias + residual).
struct Epilogue {
  Unary act = Unary::identity;  ///< one that fusable() accepts
  float alpha = 0;              ///< slope of leaky_relu, scale of elu
  bool bias = false;            ///< a vector over the last axis of the output is added
  bool sum = false;             ///< the residual is what the output holds on entry
  bool operator==(const Epilogue&) const noexcept = default;
};
/// identity, relu, relu6, leaky_relu, elu, selu, tanh, sigmoid, silu, gelu, gelu_tanh, hard_sigmoid, hard_silu, softplus, mish, exp, square,
/// abs, sqrt.
bool fusable(Unary act) noexcept;
/// y[r,c] = act(x[r,c] + bias[c] (+ y[r,c] if e.sum)); bias may be null. What the epilogue means, also for code without a prepared kernel.
template <class T>
void apply_epilogue(const Epilogue& e, const T* x, const T* bias, T* y, int64_t rows, int64_t cols) noexcept;

// --------------------------------------------------------------------------------------------------------------------- the cache

struct KernelCacheStats {
  int64_t entries, capacity, hits, misses, evictions;
};
/// The process cache of prepared kernels: keyed by sizes and options only, least recently used goes first.
KernelCacheStats kernel_cache_stats() noexcept;
/// Forgets every prepared kernel; those in use live until their users drop them.
void kernel_cache_clear() noexcept;
/// Default 1024, at least 1.
void set_kernel_cache_capacity(int64_t entries) noexcept;

// ------------------------------------------------------------------------------------------------------------------------ matmul

/// C[batch..., m, n] = op(A[batch..., m, k]) * op(B[batch..., k, n]), all row-major. A transposed A is stored [k, m], a transposed B [n, k].
struct MatmulDesc {
  static constexpr int max_batch_rank = 6;
  int64_t m = 0, n = 0, k = 0;
  int batch_rank = 0;
  int64_t batch[max_batch_rank] = {};     ///< of the result
  int64_t a_stride[max_batch_rank] = {};  ///< elements from one matrix to the next along each batch axis; 0 broadcasts
  int64_t b_stride[max_batch_rank] = {};
  bool transpose_a = false, transpose_b = false;
  bool accumulate = false;       ///< C += instead of C =; not together with an epilogue
  DType dtype = DType::float32;  ///< float32 or float64
  Epilogue epilogue = {};
  bool operator==(const MatmulDesc&) const noexcept = default;
};

class Matmul {
 public:
  virtual ~Matmul() = default;
  /// Bytes that run needs at `scratch`, 64-byte aligned; 0 allows null.
  virtual size_t scratch_bytes() const noexcept = 0;
  /// bias may be null unless the epilogue has one. Pointers are to the desc's dtype.
  virtual Status run(const void* a, const void* b, const void* bias, void* c, void* scratch) const noexcept = 0;

  /// 0 where packing brings nothing (or B has batch axes): use run then.
  virtual size_t packed_bytes() const noexcept { return 0; }
  /// Writes B in the layout that run_packed wants, 64-byte aligned.
  virtual Status pack(const void* /*b*/, void* /*out*/) const noexcept { return {Status::failed}; }
  virtual Status run_packed(const void* /*a*/, const void* /*packed*/, const void* /*bias*/, void* /*c*/, void* /*scratch*/) const noexcept {
    return {Status::failed};
  }
  /// What does the work, for reports and tests, e.g. "brg:avx2", "tenure:small".
  virtual const char* implementation() const noexcept = 0;
};

/// From the cache, or made now, for exactly `threads` threads (1 for callers that run serially). Throws Error for sizes that do not fit.
std::shared_ptr<const Matmul> matmul(const MatmulDesc& desc, int threads);

// ------------------------------------------------------------------------------------------------------------------- convolution

/// NHWC activations, HWIO weights [kh, kw, c/groups, o] as Keras stores them, output channels grouped. float32.
/// A depthwise kernel [kh, kw, c, multiplier] is groups = c, o = c * multiplier. A one-dimensional convolution has h = kh = 1,
/// a three-dimensional one (NDHWC, weights [kd, kh, kw, ...]) depth and kd other than 1.
struct ConvDesc {
  int64_t n = 0, h = 0, w = 0, c = 0, o = 0, kh = 1, kw = 1;
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;  ///< dilation 1 is dense
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t groups = 1;
  int64_t depth = 1, kd = 1, stride_d = 1, dilation_d = 1, pad_front = 0, pad_back = 0;
  Epilogue epilogue = {};  ///< forward only
  bool operator==(const ConvDesc&) const noexcept = default;

  int64_t out_d() const noexcept { return out(depth + pad_front + pad_back, kd, stride_d, dilation_d); }
  int64_t out_h() const noexcept { return out(h + pad_top + pad_bottom, kh, stride_h, dilation_h); }
  int64_t out_w() const noexcept { return out(w + pad_left + pad_right, kw, stride_w, dilation_w); }
  /// Pixels of the output, of the input, and taps of the kernel.
  int64_t out_pixels() const noexcept { return n * out_d() * out_h() * out_w(); }
  int64_t in_pixels() const noexcept { return n * depth * h * w; }
  int64_t taps() const noexcept { return kd * kh * kw; }
  bool volumetric() const noexcept { return depth != 1 || kd != 1 || pad_front != 0 || pad_back != 0; }

 private:
  static int64_t out(int64_t size, int64_t k, int64_t s, int64_t d) noexcept {
    const int64_t room = size - (k - 1) * d - 1;
    return room < 0 ? 0 : room / s + 1;
  }
};

/// Padding of Keras' "same" along one axis: total, the smaller half before.
constexpr int64_t same_padding(int64_t size, int64_t k, int64_t stride, int64_t dilation) noexcept {
  const int64_t out = (size + stride - 1) / stride, need = (out - 1) * stride + (k - 1) * dilation + 1 - size;
  return need > 0 ? need : 0;
}

/// y = conv(x, w); also backward_data (x is dy, y is dx) with the same contract, without an epilogue.
class Conv {
 public:
  virtual ~Conv() = default;
  virtual size_t scratch_bytes() const noexcept = 0;
  virtual Status run(const float* x, const float* w, const float* bias, float* y, void* scratch) const noexcept = 0;
  /// Bytes of the weights as run_packed wants them, 64-byte aligned; pack once, keep as long as the weights do not change. Never 0 for real sizes.
  virtual size_t packed_bytes() const noexcept = 0;
  virtual Status pack(const float* w, void* out) const noexcept = 0;
  /// scratch_bytes() covers both forms.
  virtual Status run_packed(const float* x, const void* packed, const float* bias, float* y, void* scratch) const noexcept = 0;
  virtual const char* implementation() const noexcept = 0;
};

/// dw (HWIO) and, unless null, dbias [o], from x and dy. Both are overwritten.
class ConvWeightsGrad {
 public:
  virtual ~ConvWeightsGrad() = default;
  virtual size_t scratch_bytes() const noexcept = 0;
  virtual Status run(const float* x, const float* dy, float* dw, float* dbias, void* scratch) const noexcept = 0;
  virtual const char* implementation() const noexcept = 0;
};

/// From the cache, or made now. Throw Error for sizes that do not fit.
std::shared_ptr<const Conv> conv(const ConvDesc& desc, int threads);
std::shared_ptr<const Conv> conv_backward_data(const ConvDesc& desc, int threads);
std::shared_ptr<const ConvWeightsGrad> conv_backward_weights(const ConvDesc& desc, int threads);

// ----------------------------------------------------------------------------------------------------------------------- pooling

/// NHWC, float or double. Padding never wins a maximum and never counts in an average.
struct Pool2DDesc {
  int64_t n = 0, h = 0, w = 0, c = 0, kh = 1, kw = 1, stride_h = 1, stride_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  int64_t out_h() const noexcept { return h + pad_top + pad_bottom < kh ? 0 : (h + pad_top + pad_bottom - kh) / stride_h + 1; }
  int64_t out_w() const noexcept { return w + pad_left + pad_right < kw ? 0 : (w + pad_left + pad_right - kw) / stride_w + 1; }
  /// Bytes of one entry of max pooling's index workspace [n, out_h, out_w, c]: 1 for windows up to 256, else 4.
  size_t index_size() const noexcept { return kh * kw <= 256 ? 1 : 4; }
};
/// index (may be null) gets the position in the window of the first greatest element. NaN wins.
template <class T>
void max_pool(const Pool2DDesc& d, const T* x, T* y, void* index) noexcept;
/// dx from dy and the index that max_pool wrote; dx is overwritten.
template <class T>
void max_pool_grad(const Pool2DDesc& d, const T* dy, const void* index, T* dx) noexcept;
template <class T>
void avg_pool(const Pool2DDesc& d, const T* x, T* y) noexcept;
template <class T>
void avg_pool_grad(const Pool2DDesc& d, const T* dy, T* dx) noexcept;

}  // namespace tenure::kernels

// What simd_norm.cc offers for one instruction set. Internal to kernels.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace tenure::kernels {

/// Serial parts of softmax and normalization for T (float or double); the callers split the work. See kernels.h for the formulas.
template <class T>
struct NormTable {
  void (*softmax)(const T* x, T* y, int64_t rows, int64_t n, bool log);
  void (*softmax_grad)(const T* dy, const T* y, T* dx, int64_t rows, int64_t n, bool log);
  void (*log_sum_exp)(const T* x, T* y, int64_t rows, int64_t n);
  void (*layer_norm)(const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean, T* rstd, int64_t rows, int64_t n);
  void (*layer_norm_dx)(const T* dy, const T* x, const T* gamma, const T* mean, const T* rstd, T* dx, int64_t rows, int64_t n);
  void (*row_moments)(const T* x, T* mean, T* variance, int64_t rows, int64_t n);
  void (*scale_shift)(const T* x, const T* scale, const T* shift, T* y, int64_t rows, int64_t n, bool relu);
  /// Over few rows (at most 64): s[c] = sum of x - shift[c], q[c] = sum of its square.
  void (*shifted_sums)(const T* x, const T* shift, int64_t stride, int64_t rows, int64_t cols, T* s, T* q);
  /// Over few rows: s[c] = sum dy, q[c] = sum dy * (x - mean[c]).
  void (*grad_sums)(const T* dy, const T* x, const T* mean, int64_t stride, int64_t rows, int64_t cols, T* s, T* q);
  /// Over few rows: s[c] = sum dy, q[c] = sum dy * (x - mean[r]) * rstd[r].
  void (*row_grad_sums)(const T* dy, const T* x, const T* mean, const T* rstd, int64_t stride, int64_t rows, int64_t cols, T* s, T* q);
  /// dx = a[c] * dy + b[c] * (x - mean[c]) + t[c].
  void (*blend)(const T* dy, const T* x, const T* mean, const T* a, const T* b, const T* t, T* dx, int64_t stride, int64_t rows, int64_t cols);
};
template <class T>
const NormTable<T>& norm_table() noexcept;
template <>
const NormTable<float>& norm_table<float>() noexcept;
template <>
const NormTable<double>& norm_table<double>() noexcept;

}  // namespace tenure::kernels

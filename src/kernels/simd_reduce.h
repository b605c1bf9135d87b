// What simd_reduce.cc offers for one instruction set. Internal to kernels.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace tenure::kernels {

/// Serial parts of reductions of T (float or double); the callers split the work.
template <class T>
struct ReduceTable {
  double (*row_sum)(const T* x, int64_t n, bool squares);
  T (*row_extreme)(const T* x, int64_t n, bool least);
  double (*dot)(const T* a, const T* b, int64_t n);
  int64_t (*find)(const T* x, int64_t n, T value);  ///< the first element equal to value (or NaN if value is); n if none
  /// y[c] = sum over rows of x[r * stride + c], or of squares.
  void (*column_sum)(const T* x, int64_t stride, int64_t rows, int64_t cols, bool squares, T* y);
  void (*column_extreme)(const T* x, int64_t stride, int64_t rows, int64_t cols, bool least, T* y);
};
template <class T>
const ReduceTable<T>& reduce_table() noexcept;
template <>
const ReduceTable<float>& reduce_table<float>() noexcept;
template <>
const ReduceTable<double>& reduce_table<double>() noexcept;

}  // namespace tenure::kernels

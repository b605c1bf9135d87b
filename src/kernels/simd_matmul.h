// Own matrix products for small and thin sizes, and the epilogue. Internal to kernels.
#pragma once

#include <cstdint>

#include "kernels/dnn.h"

namespace tenure::kernels {

/// C[rows, n] = act(A * B + bias + C): A by strides, B rows of `n` numbers `ldb` apart, C dense.
struct SmallProduct {
  const float* a;
  int64_t a_row, a_col;
  const float* b;
  int64_t ldb;
  const float* bias;  ///< null for none
  float* c;
  int64_t n, k;
  bool sum;     ///< adds what C holds
  float floor;  ///< 0 for relu, -infinity for none
};
/// Columns of B that a product takes in one go: B as panels of so many columns is read in the order in which it lies.
int64_t product_columns() noexcept;
/// Rows [begin, end) of the product.
void small_product(const SmallProduct& p, int64_t begin, int64_t end) noexcept;

/// y[j] = sum over k of v[p * step] * m[p * ldm + j] for n <= 64 columns.
void vector_matrix(const float* v, int64_t step, const float* m, int64_t ldm, int64_t k, int64_t n, float* y) noexcept;
/// y[r] = dot(m[r, :], v) for dense rows of k.
void matrix_vector(const float* m, const float* v, int64_t rows, int64_t k, float* y) noexcept;

}  // namespace tenure::kernels

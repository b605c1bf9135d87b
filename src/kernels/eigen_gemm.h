// One serial matrix product. Internal to kernels.
#pragma once

#include <cstdint>

namespace tenure::kernels {

/// C[m, n] (+)= op(A) * op(B), row-major with leading dimensions; T is float or double. False if Eigen could not get its workspace.
template <class T>
bool eigen_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc,
                bool add) noexcept;

}  // namespace tenure::kernels

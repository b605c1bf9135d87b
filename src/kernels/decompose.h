// Dense linear algebra on one row-major matrix of float or double. Each returns false where the matrix does not allow it (singular, not positive
// definite, no convergence) or memory ran out; what stands in the outputs then is undefined. Eigen takes its work space from the heap.
#pragma once

#include <cstdint>

namespace tenure::kernels {

/// a [n, n] = l · lᵀ; reads the lower triangle, writes zeros above.
template <class T>
bool cholesky(int64_t n, const T* a, T* l) noexcept;
/// op(a) [n, n] · x [n, m] = b; op transposes if asked. Singular matrices are refused.
template <class T>
bool solve(int64_t n, int64_t m, bool transpose, const T* a, const T* b, T* x) noexcept;
/// The same for a triangular a; the other triangle is not read.
template <class T>
bool triangular_solve(int64_t n, int64_t m, bool lower, bool transpose, const T* a, const T* b, T* x) noexcept;
/// Sign and logarithm of the absolute value; 0 and -infinity for a singular matrix.
template <class T>
bool log_determinant(int64_t n, const T* a, T* sign, T* log) noexcept;
template <class T>
bool determinant(int64_t n, const T* a, T* det) noexcept;
/// Both factors in one matrix; row i of the factored one is row order[i] of a, as LAPACK's getrf orders rows.
template <class T>
bool lu(int64_t n, const T* a, T* lu, int32_t* order) noexcept;
/// a [m, n] = q [m, full ? m : min] · r [full ? m : min, n].
template <class T>
bool qr(int64_t m, int64_t n, bool full, const T* a, T* q, T* r) noexcept;
/// a [m, n] = u · diag(s) · vt with falling s; u and vt may be null: values only.
template <class T>
bool svd(int64_t m, int64_t n, bool full, const T* a, T* u, T* s, T* vt) noexcept;
/// a [n, n] = v · diag(w) · vᵀ of the symmetric matrix in the lower triangle, w rising.
template <class T>
bool eigh(int64_t n, const T* a, T* w, T* v) noexcept;
/// a [n, n] · v = v · diag(w) of any square matrix, w [n, 2] and v [n, n, 2] as pairs of real and imaginary part. Columns of v have norm 1 and their
/// largest element real and above 0.
template <class T>
bool eig(int64_t n, const T* a, T* w, T* v) noexcept;

}  // namespace tenure::kernels

// Linear algebra on the last two axes of batches of matrices. Names, argument names and defaults are keras.ops.linalg's. Floats of 64 or 32 bits;
// narrower floats and integers go through float32. A matrix that does not allow it (singular, not positive definite) is an error that names its
// place in the batch. Gradients are TensorFlow's. Keras' eig is missing: its results are complex.
#pragma once

#include <optional>
#include <string_view>

#include <tenure/ops.h>

namespace tenure {

/// The triangular factor of symmetric positive definite matrices, of which the lower triangle is read: x = L · Lᵀ, or with `upper` Uᵀ · U.
TENURE_API Tensor cholesky(Tensor x, bool upper = false);
/// The inverse of a matrix from its factor.
TENURE_API Tensor cholesky_inverse(Tensor x, bool upper = false);
TENURE_API Tensor det(Tensor x);
/// {sign, log of the absolute value} of the determinant; {0, -infinity} for a singular matrix.
TENURE_API Tensors slogdet(Tensor x);
/// The logarithm of the determinant of symmetric positive definite matrices.
TENURE_API Tensor logdet(Tensor x);
TENURE_API Tensor inv(Tensor x);
/// x of a · x = b; b [..., n] or [..., n, m].
TENURE_API Tensor solve(Tensor a, Tensor b);
/// The same for a triangular a, whose other triangle is not read.
TENURE_API Tensor solve_triangular(Tensor a, Tensor b, bool lower = false);
/// {q, r} with orthonormal columns of q; mode reduced or complete. The gradient needs at least as many rows as columns.
TENURE_API Tensors qr(Tensor x, std::string_view mode = "reduced");
/// {u, s, vh} with falling s, or {s} without compute_uv. With full_matrices u and vh are square; then only square matrices have a gradient.
TENURE_API Tensors svd(Tensor x, bool full_matrices = true, bool compute_uv = true);
/// {eigenvalues, rising; eigenvectors as columns} of symmetric matrices, of which the lower triangle is read.
TENURE_API Tensors eigh(Tensor x);
/// {eigenvalues [..., n, 2]; eigenvectors [..., n, n, 2] as columns of the first two of the last three axes} of any square matrices [..., n, n], complex
/// numbers as pairs of real and imaginary part. Vectors have norm 1 and their largest element real and above 0. What equal
/// eigenvalues would have to do with each other is left out of the gradient.
TENURE_API Tensors eig(Tensor x);
/// {both triangular factors in one matrix, the rows' order (int32)}. No gradient.
TENURE_API Tensors lu_factor(Tensor x);
/// The inverse in the sense of least squares; singular values up to rcond times the largest (10 · max(m, n) · epsilon) count as 0.
TENURE_API Tensor pinv(Tensor x, std::optional<double> rcond = {});
/// x of the least |a · x - b|, a [m, n], b [m] or [m, k].
TENURE_API Tensor lstsq(Tensor a, Tensor b, std::optional<double> rcond = {});
/// Singular values above tol (epsilon · max(m, n) times the largest), counted; int32.
TENURE_API Tensor matrix_rank(Tensor x, std::optional<double> tol = {});
/// Of vectors along one axis or of matrices along two; without axes of all elements. ord: a number, infinities included, "fro" or "nuc"; empty: the
/// root of the sum of squares.
TENURE_API Tensor norm(Tensor x, std::optional<double> ord = {}, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor norm(Tensor x, std::string_view ord, const Axes& axis = {}, bool keepdims = false);
/// Distances of the rows of x [..., n, d] and y [..., m, d].
TENURE_API Tensor cdist(Tensor x, Tensor y);

}  // namespace tenure

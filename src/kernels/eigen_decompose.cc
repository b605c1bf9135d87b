// decompose.h by Eigen, as TensorFlow does on CPUs: the same signs and orders. eigen_svd.cc has svd, which compiles as long as all of these.
#include "kernels/eigen_matrix.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

#include "kernels/decompose.h"

namespace tenure::kernels {

using eigen::guarded;
using eigen::in;
using eigen::Matrix;
using eigen::out;

template <class T>
bool cholesky(int64_t n, const T* a, T* l) noexcept {
  return guarded([&] {
    const Eigen::LLT<Matrix, Eigen::Lower> f(in(a, n, n));
    if (f.info() != Eigen::Success) return false;
    out(l, Matrix(f.matrixL()));
    return true;
  });
}

template <class T>
bool solve(int64_t n, int64_t m, bool transpose, const T* a, const T* b, T* x) noexcept {
  return guarded([&] {
    Matrix left = in(a, n, n);
    if (transpose) left.transposeInPlace();
    const Eigen::PartialPivLU<Matrix> f(left);
    if (!(f.matrixLU().diagonal().cwiseAbs().minCoeff() > 0)) return false;
    out(x, Matrix(f.solve(in(b, n, m))));
    return true;
  });
}

template <class T>
bool triangular_solve(int64_t n, int64_t m, bool lower, bool transpose, const T* a, const T* b, T* x) noexcept {
  return guarded([&] {
    Matrix left = in(a, n, n), y = in(b, n, m);
    if (!(left.diagonal().cwiseAbs().minCoeff() > 0)) return false;
    if (transpose) left.transposeInPlace();
    if (lower != transpose) left.triangularView<Eigen::Lower>().solveInPlace(y);
    else left.triangularView<Eigen::Upper>().solveInPlace(y);
    out(x, y);
    return true;
  });
}

template <class T>
bool log_determinant(int64_t n, const T* a, T* sign, T* log) noexcept {
  return guarded([&] {
    const Eigen::PartialPivLU<Matrix> f(in(a, n, n));
    double s = static_cast<double>(f.permutationP().determinant()), sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double d = f.matrixLU()(i, i);
      if (d == 0) {
        *sign = 0, *log = -std::numeric_limits<T>::infinity();
        return true;
      }
      if (d < 0) s = -s;
      sum += std::log(std::fabs(d));
    }
    *sign = static_cast<T>(s), *log = static_cast<T>(sum);
    return true;
  });
}

template <class T>
bool determinant(int64_t n, const T* a, T* det) noexcept {
  return guarded([&] {
    *det = static_cast<T>(Eigen::PartialPivLU<Matrix>(in(a, n, n)).determinant());
    return true;
  });
}

template <class T>
bool lu(int64_t n, const T* a, T* lu, int32_t* order) noexcept {
  return guarded([&] {
    const Eigen::PartialPivLU<Matrix> f(in(a, n, n));
    out(lu, f.matrixLU());
    for (int64_t i = 0; i < n; ++i) order[i] = static_cast<int32_t>(f.permutationP().indices()(i));
    return true;
  });
}

template <class T>
bool qr(int64_t m, int64_t n, bool full, const T* a, T* q, T* r) noexcept {
  return guarded([&] {
    const int64_t k = full ? m : std::min(m, n);
    const Eigen::HouseholderQR<Matrix> f(in(a, m, n));
    Matrix left = Matrix::Identity(m, k);
    left.applyOnTheLeft(f.householderQ());
    out(q, left);
    Matrix right = Matrix::Zero(k, n);
    for (int64_t i = 0; i < std::min(k, n); ++i) right.row(i).tail(n - i) = f.matrixQR().row(i).tail(n - i);
    out(r, right);
    return true;
  });
}

template <class T>
bool eigh(int64_t n, const T* a, T* w, T* v) noexcept {
  return guarded([&] {
    const Eigen::SelfAdjointEigenSolver<Matrix> f(in(a, n, n));
    if (f.info() != Eigen::Success) return false;
    out(w, f.eigenvalues());
    out(v, f.eigenvectors());
    return true;
  });
}

template <class T>
bool eig(int64_t n, const T* a, T* w, T* v) noexcept {
  return guarded([&] {
    const Eigen::EigenSolver<Matrix> f(in(a, n, n));
    if (f.info() != Eigen::Success) return false;
    auto put = [](T* to, std::complex<double> x) { to[0] = static_cast<T>(x.real()), to[1] = static_cast<T>(x.imag()); };
    const Eigen::MatrixXcd vectors = f.eigenvectors();
    for (int64_t j = 0; j < n; ++j) {
      put(w + 2 * j, f.eigenvalues()(j));
      Eigen::Index largest = 0;
      const double size = std::sqrt(vectors.col(j).cwiseAbs2().maxCoeff(&largest));
      const std::complex<double> turn = std::conj(vectors(largest, j)) / (size * vectors.col(j).norm());
      for (int64_t i = 0; i < n; ++i) put(v + 2 * (i * n + j), i == largest ? (vectors(i, j) * turn).real() : vectors(i, j) * turn);
    }
    return true;
  });
}

template bool cholesky(int64_t, const float*, float*) noexcept;
template bool cholesky(int64_t, const double*, double*) noexcept;
template bool solve(int64_t, int64_t, bool, const float*, const float*, float*) noexcept;
template bool solve(int64_t, int64_t, bool, const double*, const double*, double*) noexcept;
template bool triangular_solve(int64_t, int64_t, bool, bool, const float*, const float*, float*) noexcept;
template bool triangular_solve(int64_t, int64_t, bool, bool, const double*, const double*, double*) noexcept;
template bool log_determinant(int64_t, const float*, float*, float*) noexcept;
template bool log_determinant(int64_t, const double*, double*, double*) noexcept;
template bool determinant(int64_t, const float*, float*) noexcept;
template bool determinant(int64_t, const double*, double*) noexcept;
template bool lu(int64_t, const float*, float*, int32_t*) noexcept;
template bool lu(int64_t, const double*, double*, int32_t*) noexcept;
template bool qr(int64_t, int64_t, bool, const float*, float*, float*) noexcept;
template bool qr(int64_t, int64_t, bool, const double*, double*, double*) noexcept;
template bool eigh(int64_t, const float*, float*, float*) noexcept;
template bool eigh(int64_t, const double*, double*, double*) noexcept;
template bool eig(int64_t, const float*, float*, float*) noexcept;
template bool eig(int64_t, const double*, double*, double*) noexcept;

}  // namespace tenure::kernels

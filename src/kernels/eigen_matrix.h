// What the decompositions by Eigen share: always in double; an exception (memory) becomes false. Nothing here owns anything.
#pragma once

#include <cstdint>
#include <exception>

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

namespace tenure::kernels::eigen {

using Matrix = Eigen::MatrixXd;
template <class T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
Matrix in(const T* a, int64_t m, int64_t n) {
  return Eigen::Map<const Rows<T>>(a, m, n).template cast<double>();
}
template <class T, class M>
void out(T* to, const M& x) {
  Eigen::Map<Rows<T>>(to, x.rows(), x.cols()) = x.template cast<T>();
}

template <class F>
bool guarded(F f) noexcept {
  try {
    return f();
  } catch (const std::exception&) { return false; }
}

}  // namespace tenure::kernels::eigen

// decompose.h's svd by Eigen, with TensorFlow's signs.
#include "kernels/eigen_matrix.h"

#include <Eigen/SVD>

#include "kernels/decompose.h"

namespace tenure::kernels {

using eigen::guarded;
using eigen::in;
using eigen::Matrix;
using eigen::out;

template <class T>
bool svd(int64_t m, int64_t n, bool full, const T* a, T* u, T* s, T* vt) noexcept {
  return guarded([&] {
    const unsigned parts = !u ? 0u : full ? Eigen::ComputeFullU | Eigen::ComputeFullV : Eigen::ComputeThinU | Eigen::ComputeThinV;
    const Eigen::BDCSVD<Matrix> f(in(a, m, n), parts);
    out(s, f.singularValues());
    if (!u) return true;
    out(u, f.matrixU());
    out(vt, Matrix(f.matrixV().transpose()));
    return true;
  });
}

template bool svd(int64_t, int64_t, bool, const float*, float*, float*, float*) noexcept;
template bool svd(int64_t, int64_t, bool, const double*, double*, double*, double*) noexcept;

}  // namespace tenure::kernels

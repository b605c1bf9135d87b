// Matrix products by Eigen: float64 always, float32 where oneDNN is not built in or has no fast version.
#include <exception>

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

#include "kernels/eigen_gemm.h"
#include "kernels/prepared.h"

namespace tenure::kernels {

template <class T>
bool eigen_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc,
                bool add) noexcept {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using View = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
  try {
    const View va(a, ta ? k : m, ta ? m : k, Eigen::OuterStride<>(lda)), vb(b, tb ? n : k, tb ? k : n, Eigen::OuterStride<>(ldb));
    Eigen::Map<Matrix, 0, Eigen::OuterStride<>> vc(c, m, n, Eigen::OuterStride<>(ldc));
    if (!add) vc.setZero();
    if (ta && tb) vc.noalias() += va.transpose() * vb.transpose();
    else if (ta) vc.noalias() += va.transpose() * vb;
    else if (tb) vc.noalias() += va * vb.transpose();
    else vc.noalias() += va * vb;
    return true;
  } catch (const std::exception&) { return false; }
}
template bool eigen_gemm(bool, bool, int64_t, int64_t, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t, bool) noexcept;
template bool eigen_gemm(bool, bool, int64_t, int64_t, int64_t, const double*, int64_t, const double*, int64_t, double*, int64_t, bool) noexcept;

namespace {

template <class T>
class EigenMatmul final : public Matmul {
 public:
  EigenMatmul(const MatmulDesc& d, int threads) : d_(d), threads_(threads) {
    for (int i = 0; i < d.batch_rank; ++i) batch_ *= d.batch[i];
  }
  /// A residual waits there while C is computed.
  size_t scratch_bytes() const noexcept override { return d_.epilogue.sum ? static_cast<size_t>(batch_ * d_.m * d_.n) * sizeof(T) : 0; }
  Status run(const void* a, const void* b, const void* bias, void* c, void* scratch) const noexcept override {
    T* out = static_cast<T*>(d_.epilogue.sum ? scratch : c);
    bool done = true;
    for (int64_t i = 0; i < batch_; ++i) {
      int64_t at_a = 0, at_b = 0, rest = i;
      for (int j = d_.batch_rank - 1; j >= 0; --j) {
        at_a += rest % d_.batch[j] * d_.a_stride[j];
        at_b += rest % d_.batch[j] * d_.b_stride[j];
        rest /= d_.batch[j];
      }
      done &= one(static_cast<const T*>(a) + at_a, static_cast<const T*>(b) + at_b, out + i * d_.m * d_.n);
    }
    if (!done) return {Status::failed};
    if (!(d_.epilogue == Epilogue{})) apply_epilogue(d_.epilogue, out, static_cast<const T*>(bias), static_cast<T*>(c), batch_ * d_.m, d_.n);
    return {};
  }
  const char* implementation() const noexcept override { return "eigen"; }

 private:
  /// Split over rows, or over columns where there are few rows.
  bool one(const T* a, const T* b, T* c) const noexcept {
    const bool by_rows = d_.m >= 16 || d_.m >= d_.n;
    const int64_t lda = d_.transpose_a ? d_.m : d_.k, ldb = d_.transpose_b ? d_.k : d_.n, n = by_rows ? d_.m : d_.n;
    const int64_t grain = 65536 / ((by_rows ? d_.n : d_.m) * d_.k + 1) + 8;
    bool ok[64] = {};
    const int64_t pieces = std::min<int64_t>(threads_, 64), size = std::max(grain, (n + pieces - 1) / pieces);
    split(threads_, (n + size - 1) / size, 1, [&](int64_t from, int64_t to) {
      for (int64_t p = from; p < to; ++p) {
        const int64_t at = p * size, count = std::min(size, n - at);
        if (by_rows) {
          ok[p] = eigen_gemm(d_.transpose_a, d_.transpose_b, count, d_.n, d_.k, a + (d_.transpose_a ? at : at * lda), lda, b, ldb, c + at * d_.n,
                             d_.n, d_.accumulate);
        } else {
          ok[p] = eigen_gemm(d_.transpose_a, d_.transpose_b, d_.m, count, d_.k, a, lda, b + (d_.transpose_b ? at * ldb : at), ldb, c + at, d_.n,
                             d_.accumulate);
        }
      }
    });
    for (int64_t p = 0; p * size < n; ++p)
      if (!ok[p]) return false;
    return true;
  }

  MatmulDesc d_;
  int threads_;
  int64_t batch_ = 1;
};

}  // namespace

std::shared_ptr<const Matmul> make_eigen_matmul(const MatmulDesc& d, int threads) {
  if (d.dtype == float64) return std::make_shared<EigenMatmul<double>>(d, threads);
  return std::make_shared<EigenMatmul<float>>(d, threads);
}

}  // namespace tenure::kernels

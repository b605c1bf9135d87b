// Which kernel multiplies which sizes: own loops for small and thin ones, oneDNN or Eigen for the rest.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "kernels/prepared.h"
#include "kernels/simd_matmul.h"

namespace tenure::kernels {
namespace {

/// Products with a size of 0: nothing to do, or act(bias + residual) where only k is 0.
class EmptyMatmul final : public Matmul {
 public:
  EmptyMatmul(const MatmulDesc& d, int64_t batch) : d_(d), rows_(batch * d.m) {}
  size_t scratch_bytes() const noexcept override { return 0; }
  Status run(const void*, const void*, const void* bias, void* c, void*) const noexcept override {
    if (d_.dtype == float64) fill_rows(static_cast<const double*>(bias), static_cast<double*>(c));
    else fill_rows(static_cast<const float*>(bias), static_cast<float*>(c));
    return {};
  }
  const char* implementation() const noexcept override { return "tenure:empty"; }

 private:
  template <class T>
  void fill_rows(const T* bias, T* c) const noexcept {
    if (d_.accumulate || rows_ * d_.n == 0) return;
    Epilogue e = d_.epilogue;
    if (!e.sum) std::fill_n(c, rows_ * d_.n, T{0});
    e.sum = false;
    apply_epilogue(e, c, bias, c, rows_, d_.n);
  }
  MatmulDesc d_;
  int64_t rows_;
};

/// What the own kernels do after the product.
struct Finish {
  bool sum;
  float floor;
  Epilogue later;  // an activation other than relu, applied to finished rows
  explicit Finish(const MatmulDesc& d)
      : sum(d.accumulate || d.epilogue.sum), floor(d.epilogue.act == Unary::relu ? 0 : -std::numeric_limits<float>::infinity()) {
    if (d.epilogue.act != Unary::relu) {
      later.act = d.epilogue.act;
      later.alpha = d.epilogue.alpha;
    }
  }
};

/// Few columns or little work, B not transposed.
class SmallMatmul final : public Matmul {
 public:
  SmallMatmul(const MatmulDesc& d, int threads) : d_(d), finish_(d), threads_(threads) {}
  size_t scratch_bytes() const noexcept override { return 0; }
  Status run(const void* a, const void* b, const void* bias, void* c, void*) const noexcept override {
    SmallProduct p;
    p.a = static_cast<const float*>(a);
    p.a_row = d_.transpose_a ? 1 : d_.k;
    p.a_col = d_.transpose_a ? d_.m : 1;
    p.b = static_cast<const float*>(b);
    p.ldb = d_.n;
    p.bias = d_.epilogue.bias ? static_cast<const float*>(bias) : nullptr;
    p.c = static_cast<float*>(c);
    p.n = d_.n;
    p.k = d_.k;
    p.sum = finish_.sum;
    p.floor = finish_.floor;
    split(threads_, d_.m, 131072 / (d_.n * d_.k) + 8, [&](int64_t from, int64_t to) { rows(p, from, to); });
    return {};
  }
  const char* implementation() const noexcept override { return "tenure:small"; }

 private:
  void rows(const SmallProduct& p, int64_t from, int64_t to) const noexcept {
    if (finish_.later.act == Unary::identity) return small_product(p, from, to);
    const int64_t step = std::max<int64_t>(8, 2048 / d_.n / 8 * 8);
    for (int64_t r = from; r < to; r += step) {
      const int64_t end = std::min(to, r + step);
      small_product(p, r, end);
      unary(finish_.later.act, p.c + r * d_.n, p.c + r * d_.n, (end - r) * d_.n, finish_.later.alpha);
    }
  }
  MatmulDesc d_;
  Finish finish_;
  int threads_;
};

/// One side is a vector. The other side's rows are summed (`across`) or multiplied each with the vector.
class VectorMatmul final : public Matmul {
 public:
  VectorMatmul(const MatmulDesc& d, int threads)
      : d_(d), threads_(threads), row_vector_(d.m == 1), across_(row_vector_ ? !d.transpose_b : d.transpose_a), count_(row_vector_ ? d.n : d.m) {}
  size_t scratch_bytes() const noexcept override { return 0; }
  Status run(const void* a, const void* b, const void* bias, void* c, void*) const noexcept override {
    const float* v = static_cast<const float*>(row_vector_ ? a : b);
    const float* m = static_cast<const float*>(row_vector_ ? b : a);
    Epilogue e = d_.epilogue;
    e.sum |= d_.accumulate;
    split(threads_, (count_ + 63) / 64, 131072 / (64 * d_.k) + 1, [&](int64_t from, int64_t to) {
      alignas(64) float y[64], same_bias[64];
      if (e.bias && !row_vector_) std::fill_n(same_bias, 64, *static_cast<const float*>(bias));
      for (int64_t s = from; s < to; ++s) {
        const int64_t at = s * 64, n = std::min<int64_t>(64, count_ - at);
        if (across_) vector_matrix(v, 1, m + at, count_, d_.k, n, y);
        else matrix_vector(m + at * d_.k, v, n, d_.k, y);
        const float* shift = !e.bias ? nullptr : row_vector_ ? static_cast<const float*>(bias) + at : same_bias;
        apply_epilogue(e, y, shift, static_cast<float*>(c) + at, 1, n);
      }
    });
    return {};
  }
  const char* implementation() const noexcept override { return "tenure:vector"; }

 private:
  MatmulDesc d_;
  int threads_;
  bool row_vector_, across_;
  int64_t count_;
};

void check_desc(const MatmulDesc& d) {
  check(d.m >= 0 && d.n >= 0 && d.k >= 0, Code::Shape, "matmul: expected sizes of at least 0, got m={}, n={}, k={}", d.m, d.n, d.k);
  check(d.batch_rank >= 0 && d.batch_rank <= MatmulDesc::max_batch_rank, Code::Shape, "matmul: expected at most {} batch axes, got {}",
        MatmulDesc::max_batch_rank, d.batch_rank);
  check(d.dtype == float32 || d.dtype == float64, Code::DType, "matmul: expected float32 or float64, got {}", to_string(d.dtype));
  check(fusable(d.epilogue.act), Code::Unsupported, "matmul: this activation cannot be fused");
  check(!d.accumulate || d.epilogue == Epilogue{}, Code::Unsupported, "matmul: accumulate goes without an epilogue");
}

/// Removes batch axes of size 1, merges neighbours, and turns a batch over one shared B into rows of A.
MatmulDesc simplified(MatmulDesc d) {
  int rank = 0;
  for (int i = 0; i < d.batch_rank; ++i) {
    if (d.batch[i] == 1) continue;
    if (rank > 0 && d.a_stride[rank - 1] == d.a_stride[i] * d.batch[i] && d.b_stride[rank - 1] == d.b_stride[i] * d.batch[i]) {
      d.batch[rank - 1] *= d.batch[i];
    } else {
      d.batch[rank] = d.batch[i];
      ++rank;
    }
    d.a_stride[rank - 1] = d.a_stride[i];
    d.b_stride[rank - 1] = d.b_stride[i];
  }
  d.batch_rank = rank;
  if (rank == 1 && d.b_stride[0] == 0 && !d.transpose_a && d.a_stride[0] == d.m * d.k) {
    d.m *= d.batch[0];
    d.batch_rank = 0;
  }
  for (int i = d.batch_rank; i < MatmulDesc::max_batch_rank; ++i) d.batch[i] = d.a_stride[i] = d.b_stride[i] = 0;
  return d;
}

std::shared_ptr<const Matmul> make(const MatmulDesc& d, int threads) {
  int64_t batch = 1;
  for (int i = 0; i < d.batch_rank; ++i) batch *= d.batch[i];
  if (batch * d.m * d.n * d.k == 0) return std::make_shared<EmptyMatmul>(d, batch);
  if (d.dtype == float64) return make_eigen_matmul(d, threads);
  if (d.batch_rank == 0) {
    if ((d.m == 1 || d.n == 1) && d.m * d.n * d.k <= 262144) return std::make_shared<VectorMatmul>(d, threads);
    const bool thin = d.n <= 16 && (d.k <= 256 || d.m <= 32), little = d.m * d.n * d.k <= 65536;
    if (!d.transpose_b && (thin || little)) return std::make_shared<SmallMatmul>(d, threads);
  }
  if (auto fast = make_onednn_matmul(d, threads)) return fast;
  return make_eigen_matmul(d, threads);
}

}  // namespace

std::shared_ptr<const Matmul> matmul(const MatmulDesc& desc, int threads) {
  check_desc(desc);
  const MatmulDesc d = simplified(desc);
  const int team = std::max(1, threads);
  CacheKey key(0);
  key.add(team);
  key.add(d.m);
  key.add(d.n);
  key.add(d.k);
  key.add(int64_t{d.transpose_a} | int64_t{d.transpose_b} << 1 | int64_t{d.accumulate} << 2 | static_cast<int64_t>(d.dtype) << 3);
  key.add(d.epilogue);
  for (int i = 0; i < d.batch_rank; ++i) {
    key.add(d.batch[i]);
    key.add(d.a_stride[i]);
    key.add(d.b_stride[i]);
  }
  return std::static_pointer_cast<const Matmul>(cached(key, [&]() -> std::shared_ptr<const void> { return make(d, team); }));
}

}  // namespace tenure::kernels

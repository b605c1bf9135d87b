// Matrix products that are too small or too thin for a general library. See simd_matmul.h.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_matmul.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "base/parallel.h"
#include "kernels/scalar.h"
#include "kernels/simd_math-inl.h"
#include "kernels/simd_matmul.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

using Df = hn::ScalableTag<float>;
using Vf = hn::Vec<Df>;

/// R rows by K vectors of C. Only the first `last` lanes of the K-th vector exist. `over` allows the store of a row to run into the next one,
/// which is written afterwards: masked stores are slow on some AVX2 processors.
template <int K, int R>
HWY_INLINE void Tile(const SmallProduct& p, int64_t row, int64_t col, size_t last, bool over) {
  const Df d;
  const size_t N = hn::Lanes(d);
  Vf s[R][K];
  TENURE_UNROLLED
  for (int k = 0; k < K; ++k) {
    const size_t n = k < K - 1 ? N : last;
    const float* bias = p.bias + col + k * N;
    s[0][k] = !p.bias ? hn::Zero(d) : n == N ? hn::LoadU(d, bias) : LoadFirst(d, bias, n);
    TENURE_UNROLLED
    for (int r = 1; r < R; ++r) s[r][k] = s[0][k];
  }
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + col;
  const bool whole = last == N;
  const int64_t depth = p.k, a_row = p.a_row;
  for (int64_t i = 0; i < depth; ++i, a += p.a_col, b += p.ldb) {
    Vf v[K];
    TENURE_UNROLLED
    for (int k = 0; k < K - 1; ++k) v[k] = hn::LoadU(d, b + k * N);
    v[K - 1] = whole ? hn::LoadU(d, b + (K - 1) * N) : LoadFirst(d, b + (K - 1) * N, last);
    TENURE_UNROLLED
    for (int r = 0; r < R; ++r) {
      const Vf u = hn::Set(d, a[r * a_row]);
      TENURE_UNROLLED
      for (int k = 0; k < K; ++k) s[r][k] = hn::MulAdd(u, v[k], s[r][k]);
    }
  }
  const Vf floor = hn::Set(d, p.floor);
  TENURE_UNROLLED
  for (int r = 0; r < R; ++r) {
    float* c = p.c + (row + r) * p.n + col;
    TENURE_UNROLLED
    for (int k = 0; k < K; ++k) {
      const size_t n = k < K - 1 ? N : last;
      Vf v = s[r][k];
      if (p.sum) v = hn::Add(v, n == N ? hn::LoadU(d, c + k * N) : LoadFirst(d, c + k * N, n));
      v = AtLeast(d, v, floor);
      if (n == N || (over && r < R - 1)) hn::StoreU(v, d, c + k * N);
      else StoreFirst(d, v, c + k * N, n);
    }
  }
}

template <int K, int R>
HWY_INLINE void Strip(const SmallProduct& p, int64_t begin, int64_t end, int64_t col, size_t last, bool over) {
  int64_t r = begin;
  for (; r + R <= end; r += R) Tile<K, R>(p, r, col, last, over);
  if (R > 4 && r + 4 <= end) Tile<K, 4>(p, r, col, last, over), r += 4;
  for (; r + 2 <= end; r += 2) Tile<K, 2>(p, r, col, last, over);
  if (r < end) Tile<K, 1>(p, r, col, last, over);
}

void Small(const SmallProduct& p, int64_t begin, int64_t end) {
  const Df d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  // A row may run over its end only where the next row of this very tile covers it, in one strip, without a residual to read.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  const bool cheap_masks = true;
#else
  const bool cheap_masks = false;
#endif
  for (int64_t col = 0; col < p.n; col += 2 * N) {
    const int64_t cols = p.n - col < 2 * N ? p.n - col : 2 * N;
    const size_t last = static_cast<size_t>(cols > N ? cols - N : cols);
    const bool over = !cheap_masks && !p.sum && col == 0 && cols == p.n && p.n >= N;
    if (cols > N) Strip<2, 6>(p, begin, end, col, last, over);
    else Strip<1, 8>(p, begin, end, col, last, over);
  }
}

int64_t ProductColumns() { return 2 * static_cast<int64_t>(hn::Lanes(Df())); }

template <int K>
HWY_INLINE void VectorMatrixStrip(const float* v, int64_t step, const float* m, int64_t ldm, int64_t k, size_t last, float* y) {
  const Df d;
  const size_t N = hn::Lanes(d);
  Vf s[2][K];
  TENURE_UNROLLED
  for (int j = 0; j < K; ++j) s[0][j] = s[1][j] = hn::Zero(d);
  const auto load = [&](const float* p, int j) HWY_ATTR { return j < K - 1 || last == N ? hn::LoadU(d, p + j * N) : LoadFirst(d, p + j * N, last); };
  int64_t i = 0;
  for (; i + 2 <= k; i += 2) {
    const Vf a = hn::Set(d, v[i * step]), b = hn::Set(d, v[(i + 1) * step]);
    TENURE_UNROLLED
    for (int j = 0; j < K; ++j) {
      s[0][j] = hn::MulAdd(a, load(m + i * ldm, j), s[0][j]);
      s[1][j] = hn::MulAdd(b, load(m + (i + 1) * ldm, j), s[1][j]);
    }
  }
  if (i < k) {
    const Vf a = hn::Set(d, v[i * step]);
    TENURE_UNROLLED
    for (int j = 0; j < K; ++j) s[0][j] = hn::MulAdd(a, load(m + i * ldm, j), s[0][j]);
  }
  TENURE_UNROLLED
  for (int j = 0; j < K; ++j) {
    const Vf t = hn::Add(s[0][j], s[1][j]);
    if (j < K - 1 || last == N) hn::StoreU(t, d, y + j * N);
    else StoreFirst(d, t, y + j * N, last);
  }
}
void VectorMatrix(const float* v, int64_t step, const float* m, int64_t ldm, int64_t k, int64_t n, float* y) {
  const int64_t N = static_cast<int64_t>(hn::Lanes(Df()));
  int64_t c = 0;
  for (; c + 4 * N <= n; c += 4 * N) VectorMatrixStrip<4>(v, step, m + c, ldm, k, static_cast<size_t>(N), y + c);
  for (; c < n; c += N) VectorMatrixStrip<1>(v, step, m + c, ldm, k, static_cast<size_t>(n - c < N ? n - c : N), y + c);
}

template <int R>
HWY_INLINE void RowDots(const float* m, const float* v, int64_t k, float* y) {
  const Df d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  Vf s[R];
  TENURE_UNROLLED
  for (int r = 0; r < R; ++r) s[r] = hn::Zero(d);
  int64_t i = 0;
  for (; i + N <= k; i += N) {
    const Vf u = hn::LoadU(d, v + i);
    TENURE_UNROLLED
    for (int r = 0; r < R; ++r) s[r] = hn::MulAdd(u, hn::LoadU(d, m + r * k + i), s[r]);
  }
  if (const size_t left = static_cast<size_t>(k - i); left) {
    const Vf u = LoadFirst(d, v + i, left);
    TENURE_UNROLLED
    for (int r = 0; r < R; ++r) s[r] = hn::MulAdd(u, LoadFirst(d, m + r * k + i, left), s[r]);
  }
  TENURE_UNROLLED
  for (int r = 0; r < R; ++r) y[r] = hn::GetLane(hn::SumOfLanes(d, s[r]));
}
void MatrixVector(const float* m, const float* v, int64_t rows, int64_t k, float* y) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) RowDots<4>(m + r * k, v, k, y + r);
  for (; r < rows; ++r) RowDots<1>(m + r * k, v, k, y + r);
}

/// One pass over rows: y = x + bias + y, then relu if that is the activation.
void FinishRows(const Epilogue& e, const float* x, const float* bias, float* y, int64_t rows, int64_t cols) {
  const Df d;
  const auto row = [&](auto f) HWY_ATTR {
    for (int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
      if (bias && e.sum) Map3(d, x, bias, y, y, cols, [=](auto u, auto b, auto v) HWY_ATTR { return f(hn::Add(hn::Add(u, b), v)); });
      else if (bias) Map2(d, x, bias, y, cols, [=](auto u, auto b) HWY_ATTR { return f(hn::Add(u, b)); });
      else if (e.sum) Map2(d, x, y, y, cols, [=](auto u, auto v) HWY_ATTR { return f(hn::Add(u, v)); });
      else Map(d, x, y, cols, f);
    }
  };
  const Vf floor = hn::Set(d, e.act == Unary::relu ? 0.0f : -INFINITY);
  row([=](auto v) HWY_ATTR { return AtLeast(d, v, floor); });
}

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(Small);
HWY_EXPORT(ProductColumns);
HWY_EXPORT(VectorMatrix);
HWY_EXPORT(MatrixVector);
HWY_EXPORT(FinishRows);

void small_product(const SmallProduct& p, int64_t begin, int64_t end) noexcept { HWY_DYNAMIC_DISPATCH(Small)(p, begin, end); }
int64_t product_columns() noexcept { return HWY_DYNAMIC_DISPATCH(ProductColumns)(); }
void vector_matrix(const float* v, int64_t step, const float* m, int64_t ldm, int64_t k, int64_t n, float* y) noexcept {
  HWY_DYNAMIC_DISPATCH(VectorMatrix)(v, step, m, ldm, k, n, y);
}
void matrix_vector(const float* m, const float* v, int64_t rows, int64_t k, float* y) noexcept {
  HWY_DYNAMIC_DISPATCH(MatrixVector)(m, v, rows, k, y);
}

template <>
void apply_epilogue<float>(const Epilogue& e, const float* x, const float* bias, float* y, int64_t rows, int64_t cols) noexcept {
  if (cols <= 0) return;
  const int64_t step = cols >= 4096 ? 1 : 4096 / cols;  // rows that stay in the first cache between the two passes
  parallel_for(rows, grain_elements / cols + 1, [&](int64_t b, int64_t end) {
    for (int64_t r = b; r < end; r += step) {
      const int64_t rows_now = end - r < step ? end - r : step;
      HWY_DYNAMIC_DISPATCH(FinishRows)(e, x + r * cols, e.bias ? bias : nullptr, y + r * cols, rows_now, cols);
      if (e.act != Unary::identity && e.act != Unary::relu) unary(e.act, y + r * cols, y + r * cols, rows_now * cols, e.alpha);
    }
  });
}
template <>
void apply_epilogue<double>(const Epilogue& e, const double* x, const double* bias, double* y, int64_t rows, int64_t cols) noexcept {
  if (cols <= 0) return;
  parallel_for(rows, grain_elements / cols + 1, [&](int64_t b, int64_t end) {
    for (int64_t i = b * cols; i < end * cols; ++i) y[i] = x[i] + (e.bias ? bias[i % cols] : 0) + (e.sum ? y[i] : 0);
    if (e.act != Unary::identity) scalar::unary(e.act, y + b * cols, y + b * cols, (end - b) * cols, static_cast<double>(e.alpha));
  });
}

bool fusable(Unary act) noexcept {
  switch (act) {
    case Unary::identity:
    case Unary::relu:
    case Unary::relu6:
    case Unary::leaky_relu:
    case Unary::elu:
    case Unary::selu:
    case Unary::tanh:
    case Unary::sigmoid:
    case Unary::silu:
    case Unary::gelu:
    case Unary::gelu_tanh:
    case Unary::hard_sigmoid:
    case Unary::hard_silu:
    case Unary::softplus:
    case Unary::mish:
    case Unary::exp:
    case Unary::square:
    case Unary::abs:
    case Unary::sqrt: return true;
    default: return false;
  }
}

}  // namespace tenure::kernels
#endif

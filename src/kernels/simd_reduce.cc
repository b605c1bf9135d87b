// Sums, extremes and searches of rows and columns. Sums run over blocks with many accumulators, so errors do not grow with the length.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_reduce.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/simd_math-inl.h"
#include "kernels/simd_reduce.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

inline constexpr int64_t kAdditions = 16;  // of one accumulator in T, before the sum goes on in double: the error is that of so few

/// sum of f over [0, n): f(i) loads whole vectors, first(i, k) the last k.
template <class D, class Whole, class First>
HWY_INLINE double SumBlocks(D d, int64_t n, Whole whole, First first) {
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  const int64_t block = kAdditions * 4 * N;
  double total = 0;
  for (int64_t b = 0; b < n; b += block) {
    const int64_t e = b + block < n ? b + block : n;
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = b;
    for (; i + 4 * N <= e; i += 4 * N) {
      s0 = whole(i, s0);
      s1 = whole(i + N, s1);
      s2 = whole(i + 2 * N, s2);
      s3 = whole(i + 3 * N, s3);
    }
    for (; i + N <= e; i += N) s0 = whole(i, s0);
    if (i < e) s1 = first(i, static_cast<size_t>(e - i), s1);
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)))));
  }
  return total;
}

template <class T>
double RowSum(const T* x, int64_t n, bool squares) {
  const hn::ScalableTag<T> d;
  if (squares) {
    return SumBlocks(
        d, n,
        [=](int64_t i, auto s) HWY_ATTR {
          const auto v = hn::LoadU(d, x + i);
          return hn::MulAdd(v, v, s);
        },
        [=](int64_t i, size_t k, auto s) HWY_ATTR {
          const auto v = LoadFirst(d, x + i, k);
          return hn::MulAdd(v, v, s);
        });
  }
  return SumBlocks(
      d, n, [=](int64_t i, auto s) HWY_ATTR { return hn::Add(s, hn::LoadU(d, x + i)); },
      [=](int64_t i, size_t k, auto s) HWY_ATTR { return hn::Add(s, LoadFirst(d, x + i, k)); });
}

template <class T>
double Dot(const T* a, const T* b, int64_t n) {
  const hn::ScalableTag<T> d;
  return SumBlocks(
      d, n, [=](int64_t i, auto s) HWY_ATTR { return hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s); },
      [=](int64_t i, size_t k, auto s) HWY_ATTR { return hn::MulAdd(LoadFirst(d, a + i, k), LoadFirst(d, b + i, k), s); });
}

template <class D, class V>
HWY_INLINE V Extreme(D d, V a, V b, bool least) {
  return least ? Lesser(d, a, b) : Greater(d, a, b);
}

template <class T>
T RowExtreme(const T* x, int64_t n, bool least) {
  const hn::ScalableTag<T> d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  T best = x[0];
  int64_t i = 0;
  if (n >= N) {
    auto v = hn::LoadU(d, x), w = v;
    for (i = N; i + 2 * N <= n; i += 2 * N) {
      v = Extreme(d, v, hn::LoadU(d, x + i), least);
      w = Extreme(d, w, hn::LoadU(d, x + i + N), least);
    }
    v = Extreme(d, v, w, least);
    HWY_ALIGN T part[hn::MaxLanes(hn::ScalableTag<T>())];
    hn::Store(v, d, part);
    best = part[0];
    for (int64_t k = 1; k < N; ++k) best = !(best == best) ? best : (least ? !(part[k] >= best) : !(part[k] <= best)) ? part[k] : best;
  }
  for (; i < n; ++i) best = !(best == best) ? best : (least ? !(x[i] >= best) : !(x[i] <= best)) ? x[i] : best;
  return best;
}

template <class T>
int64_t Find(const T* x, int64_t n, T value) {
  const hn::ScalableTag<T> d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  if (value == value) {
    const auto v = hn::Set(d, value);
    for (; i + N <= n; i += N) {
      const auto found = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, x + i), v));
      if (found >= 0) return i + found;
    }
    while (i < n && x[i] != value) ++i;
    return i;
  }
  while (i < n && x[i] == x[i]) ++i;
  return i;
}

/// K vectors of columns, R rows at a time. Blocks of 64 rows are added with compensation (Kahan), so long columns stay exact.
template <int K, int R, class T, class Load>
HWY_INLINE void ColumnSumStrip(const T* x, int64_t stride, int64_t rows, bool squares, Load load, hn::Vec<hn::ScalableTag<T>>* total) {
  const hn::ScalableTag<T> d;
  const auto zero = hn::Zero(d);
  hn::Vec<hn::ScalableTag<T>> lost[K], s[K][R];
  TENURE_UNROLLED
  for (int k = 0; k < K; ++k) total[k] = lost[k] = zero;
  for (int64_t b = 0; b < rows; b += 64) {
    const int64_t e = b + 64 < rows ? b + 64 : rows;
    TENURE_UNROLLED
    for (int k = 0; k < K; ++k) TENURE_UNROLLED
    for (int r = 0; r < R; ++r) s[k][r] = zero;
    for (int64_t i = b; i < e; i += R) {
      TENURE_UNROLLED
      for (int r = 0; r < R; ++r) {
        if (R > 1 && i + r >= e) break;
        TENURE_UNROLLED
        for (int k = 0; k < K; ++k) {
          const auto v = load(x + (i + r) * stride, k);
          s[k][r] = squares ? hn::MulAdd(v, v, s[k][r]) : hn::Add(s[k][r], v);
        }
      }
    }
    TENURE_UNROLLED
    for (int k = 0; k < K; ++k) {
      TENURE_UNROLLED
      for (int r = 1; r < R; ++r) s[k][0] = hn::Add(s[k][0], s[k][r]);
      const auto y = hn::Sub(s[k][0], lost[k]), t = hn::Add(total[k], y);
      lost[k] = hn::Sub(hn::Sub(t, total[k]), y);
      total[k] = t;
    }
  }
}

template <class T>
void ColumnSum(const T* x, int64_t stride, int64_t rows, int64_t cols, bool squares, T* y) {
  const hn::ScalableTag<T> d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<hn::ScalableTag<T>> total[4];
  int64_t c = 0;
  for (; c + 4 * N <= cols; c += 4 * N) {
    ColumnSumStrip<4, 1>(
        x + c, stride, rows, squares, [=](const T* p, int k) HWY_ATTR { return hn::LoadU(d, p + k * N); }, total);
    TENURE_UNROLLED
    for (int k = 0; k < 4; ++k) hn::StoreU(total[k], d, y + c + k * N);
  }
  for (; c + N <= cols; c += N) {
    ColumnSumStrip<1, 4>(
        x + c, stride, rows, squares, [=](const T* p, int) HWY_ATTR { return hn::LoadU(d, p); }, total);
    hn::StoreU(total[0], d, y + c);
  }
  if (c < cols) {
    const size_t left = static_cast<size_t>(cols - c);
    ColumnSumStrip<1, 4>(
        x + c, stride, rows, squares, [=](const T* p, int) HWY_ATTR { return LoadFirst(d, p, left); }, total);
    StoreFirst(d, total[0], y + c, left);
  }
}

template <class T>
void ColumnExtreme(const T* x, int64_t stride, int64_t rows, int64_t cols, bool least, T* y) {
  const hn::ScalableTag<T> d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < cols; c += N) {
    const size_t left = static_cast<size_t>(cols - c < N ? cols - c : N);
    auto v = LoadFirst(d, x + c, left);
    if (static_cast<int64_t>(left) == N) {
      for (int64_t r = 1; r < rows; ++r) v = Extreme(d, v, hn::LoadU(d, x + r * stride + c), least);
    } else {
      for (int64_t r = 1; r < rows; ++r) v = Extreme(d, v, LoadFirst(d, x + r * stride + c, left), least);
    }
    StoreFirst(d, v, y + c, left);
  }
}

template <class T>
constexpr ReduceTable<T> kReduce = {RowSum<T>, RowExtreme<T>, Dot<T>, Find<T>, ColumnSum<T>, ColumnExtreme<T>};
const ReduceTable<float>* ReduceFloat() { return &kReduce<float>; }
const ReduceTable<double>* ReduceDouble() { return &kReduce<double>; }

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(ReduceFloat);
HWY_EXPORT(ReduceDouble);

template <>
const ReduceTable<float>& reduce_table<float>() noexcept {
  return *HWY_DYNAMIC_DISPATCH(ReduceFloat)();
}
template <>
const ReduceTable<double>& reduce_table<double>() noexcept {
  return *HWY_DYNAMIC_DISPATCH(ReduceDouble)();
}

}  // namespace tenure::kernels
#endif

// Softmax and normalization, the vector parts.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_norm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/simd_math-inl.h"
#include "kernels/simd_norm.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using VecOf = hn::Vec<hn::ScalableTag<T>>;

template <class T>
HWY_INLINE VecOf<T> LoadSome(const T* p, size_t k) {
  return k >= hn::Lanes(Tag<T>()) ? hn::LoadU(Tag<T>(), p) : LoadFirst(Tag<T>(), p, k);
}
template <class T>
HWY_INLINE void StoreSome(VecOf<T> v, T* p, size_t k) {
  if (k >= hn::Lanes(Tag<T>())) hn::StoreU(v, Tag<T>(), p);
  else StoreFirst(Tag<T>(), v, p, k);
}
/// The first k lanes, zeros behind.
template <class T>
HWY_INLINE VecOf<T> KeepFirst(VecOf<T> v, size_t k) {
  return k >= hn::Lanes(Tag<T>()) ? v : hn::IfThenElseZero(hn::FirstN(Tag<T>(), k), v);
}
/// A row vector, or `otherwise` where there is none.
template <class T>
HWY_INLINE VecOf<T> LoadOr(const T* p, int64_t i, size_t k, T otherwise) {
  return p ? LoadSome(p + i, k) : hn::Set(Tag<T>(), otherwise);
}
HWY_INLINE VecOf<float> ExpOf(Tag<float> d, VecOf<float> x) { return Exp(d, x); }
HWY_INLINE VecOf<double> ExpOf(Tag<double> d, VecOf<double> x) {
  HWY_ALIGN double v[hn::MaxLanes(Tag<double>())];
  hn::Store(x, d, v);
  for (size_t i = 0; i < hn::Lanes(d); ++i) v[i] = std::exp(v[i]);
  return hn::Load(d, v);
}

/// Calls f(i, k) for each vector of a row: k elements from i.
template <class T, class F>
HWY_INLINE void EachVector(int64_t n, F f) {
  const int64_t N = static_cast<int64_t>(hn::Lanes(Tag<T>()));
  int64_t i = 0;
  for (; i + N <= n; i += N) f(i, static_cast<size_t>(N));
  if (i < n) f(i, static_cast<size_t>(n - i));
}
/// Sums f(i, k) over the row; lanes behind the row are dropped. Blocks of the row are added in double.
template <class T, class F>
HWY_INLINE double FoldRow(int64_t n, F f) {
  const Tag<T> d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d)), block = 256 * N;
  double total = 0;
  for (int64_t b = 0; b < n; b += block) {
    const int64_t e = b + block < n ? b + block : n;
    auto s0 = hn::Zero(d), s1 = s0;
    int64_t i = b;
    for (; i + 2 * N <= e; i += 2 * N) {
      s0 = hn::Add(s0, f(i, static_cast<size_t>(N)));
      s1 = hn::Add(s1, f(i + N, static_cast<size_t>(N)));
    }
    for (; i < e; i += N) {
      const size_t k = static_cast<size_t>(e - i < N ? e - i : N);
      s0 = hn::Add(s0, KeepFirst<T>(f(i, k), k));
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1))));
  }
  return total;
}

template <class T>
HWY_INLINE T RowMax(const T* x, int64_t n) {
  const Tag<T> d;
  auto m = hn::Set(d, x[0]);
  const auto low = m;
  EachVector<T>(n, [&](int64_t i, size_t k) HWY_ATTR {
    const auto v = LoadSome(x + i, k);
    m = hn::Max(m, k >= hn::Lanes(d) ? v : hn::IfThenElse(hn::FirstN(d, k), v, low));
  });
  return hn::GetLane(hn::MaxOfLanes(d, m));
}

template <class T>
HWY_INLINE void SoftmaxRow(const T* x, T* y, int64_t n) {
  const Tag<T> d;
  const auto top = hn::Set(d, RowMax(x, n));
  const double s = FoldRow<T>(n, [&](int64_t i, size_t k) HWY_ATTR {
    const auto e = ExpOf(d, hn::Sub(LoadSome(x + i, k), top));
    StoreSome(e, y + i, k);
    return e;
  });
  const auto r = hn::Set(d, static_cast<T>(1 / s));
  EachVector<T>(n, [&](int64_t i, size_t k) HWY_ATTR { StoreSome(hn::Mul(LoadSome(y + i, k), r), y + i, k); });
}
template <class T>
HWY_INLINE double LogSumExpRow(const T* x, int64_t n, T top) {
  const Tag<T> d;
  if (std::isinf(top)) return static_cast<double>(top);
  const auto t = hn::Set(d, top);
  return std::log(FoldRow<T>(n, [&](int64_t i, size_t k) HWY_ATTR { return ExpOf(d, hn::Sub(LoadSome(x + i, k), t)); })) + static_cast<double>(top);
}

template <class T>
void Softmax(const T* x, T* y, int64_t rows, int64_t n, bool log) {
  const Tag<T> d;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    if (!log) {
      SoftmaxRow(x, y, n);
      continue;
    }
    const T top = RowMax(x, n);
    const auto t = hn::Set(d, top), rest = hn::Set(d, static_cast<T>(LogSumExpRow(x, n, top) - static_cast<double>(top)));
    EachVector<T>(n, [&](int64_t i, size_t k) HWY_ATTR { StoreSome(hn::Sub(hn::Sub(LoadSome(x + i, k), t), rest), y + i, k); });
  }
}
template <class T>
void LogSumExp(const T* x, T* y, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) y[r] = static_cast<T>(LogSumExpRow(x + r * n, n, RowMax(x + r * n, n)));
}

template <class T>
void SoftmaxGrad(const T* dy, const T* y, T* dx, int64_t rows, int64_t n, bool log) {
  const Tag<T> d;
  for (int64_t r = 0; r < rows; ++r, dy += n, y += n, dx += n) {
    const double total = FoldRow<T>(n, [&](int64_t i, size_t k) HWY_ATTR {
      const auto g = LoadSome(dy + i, k);
      return log ? g : hn::Mul(g, LoadSome(y + i, k));
    });
    const auto s = hn::Set(d, static_cast<T>(total));
    EachVector<T>(n, [&](int64_t i, size_t k) HWY_ATTR {
      const auto g = LoadSome(dy + i, k), v = LoadSome(y + i, k);
      StoreSome(log ? hn::NegMulAdd(ExpOf(d, v), s, g) : hn::Mul(v, hn::Sub(g, s)), dx + i, k);
    });
  }
}

/// Two passes; the second corrects what rounding did to the mean.
template <class T>
HWY_INLINE void Moments(const T* x, int64_t n, T& mean, T& variance) {
  const Tag<T> d;
  const double count = static_cast<double>(n);
  mean = static_cast<T>(FoldRow<T>(n, [&](int64_t i, size_t k) HWY_ATTR { return LoadSome(x + i, k); }) / count);
  const auto m = hn::Set(d, mean);
  double off = 0;
  const double squares = FoldRow<T>(n, [&](int64_t i, size_t k) HWY_ATTR {
    const auto c = hn::Sub(LoadSome(x + i, k), m);
    return hn::Mul(c, c);
  });
  if constexpr (sizeof(T) == 4) {
    off = FoldRow<T>(n, [&](int64_t i, size_t k) HWY_ATTR { return hn::Sub(LoadSome(x + i, k), m); });
    mean = static_cast<T>(static_cast<double>(mean) + off / count);
  }
  const double v = (squares - off * off / count) / count;
  variance = static_cast<T>(v < 0 ? 0 : v);
}
template <class T>
void RowMoments(const T* x, T* mean, T* variance, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    T m, v;
    Moments(x + r * n, n, m, v);
    if (mean) mean[r] = m;
    if (variance) variance[r] = v;
  }
}

template <class T>
void LayerNorm(const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean, T* rstd, int64_t rows, int64_t n) {
  const Tag<T> d;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    T m, v;
    Moments(x, n, m, v);
    const T s = 1 / std::sqrt(v + eps);
    if (mean) mean[r] = m;
    if (rstd) rstd[r] = s;
    const auto vm = hn::Set(d, m), vs = hn::Set(d, s);
    EachVector<T>(n, [&](int64_t i, size_t k) HWY_ATTR {
      const auto h = hn::Mul(hn::Sub(LoadSome(x + i, k), vm), vs);
      StoreSome(hn::MulAdd(h, LoadOr(gamma, i, k, T{1}), LoadOr(beta, i, k, T{0})), y + i, k);
    });
  }
}
template <class T>
void LayerNormDx(const T* dy, const T* x, const T* gamma, const T* mean, const T* rstd, T* dx, int64_t rows, int64_t n) {
  const Tag<T> d;
  for (int64_t r = 0; r < rows; ++r, dy += n, x += n, dx += n) {
    const auto m = hn::Set(d, mean[r]), s = hn::Set(d, rstd[r]);
    const auto grad = [&](int64_t i, size_t k) HWY_ATTR { return hn::Mul(LoadSome(dy + i, k), LoadOr(gamma, i, k, T{1})); };
    const auto hat = [&](int64_t i, size_t k) HWY_ATTR { return hn::Mul(hn::Sub(LoadSome(x + i, k), m), s); };
    const double a = FoldRow<T>(n, grad), b = FoldRow<T>(n, [&](int64_t i, size_t k) HWY_ATTR { return hn::Mul(grad(i, k), hat(i, k)); });
    const auto va = hn::Set(d, static_cast<T>(a / static_cast<double>(n))), vb = hn::Set(d, static_cast<T>(b / static_cast<double>(n)));
    EachVector<T>(n, [&](int64_t i, size_t k) HWY_ATTR { StoreSome(hn::Mul(s, hn::NegMulAdd(hat(i, k), vb, hn::Sub(grad(i, k), va))), dx + i, k); });
  }
}

template <class T>
void ScaleShift(const T* x, const T* scale, const T* shift, T* y, int64_t rows, int64_t n, bool relu) {
  const Tag<T> d;
  const auto zero = hn::Zero(d);
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    EachVector<T>(n, [&](int64_t i, size_t k) HWY_ATTR {
      const auto v = hn::MulAdd(LoadSome(x + i, k), LoadOr(scale, i, k, T{1}), LoadOr(shift, i, k, T{0}));
      StoreSome(relu ? AtLeast(d, v, zero) : v, y + i, k);
    });
  }
}

/// s[c], q[c] = sums over rows of what f(row, i, k) returns.
template <class T, class F>
HWY_INLINE void PairSums(int64_t rows, int64_t cols, T* s, T* q, F f) {
  const Tag<T> d;
  EachVector<T>(cols, [&](int64_t i, size_t k) HWY_ATTR {
    auto vs = hn::Zero(d), vq = vs;
    for (int64_t r = 0; r < rows; ++r) f(r, i, k, vs, vq);
    StoreSome(vs, s + i, k);
    StoreSome(vq, q + i, k);
  });
}
template <class T>
void ShiftedSums(const T* x, const T* shift, int64_t stride, int64_t rows, int64_t cols, T* s, T* q) {
  PairSums(rows, cols, s, q, [=](int64_t r, int64_t i, size_t k, auto& vs, auto& vq) HWY_ATTR {
    const auto v = hn::Sub(LoadSome(x + r * stride + i, k), LoadSome(shift + i, k));
    vs = hn::Add(vs, v);
    vq = hn::MulAdd(v, v, vq);
  });
}
template <class T>
void GradSums(const T* dy, const T* x, const T* mean, int64_t stride, int64_t rows, int64_t cols, T* s, T* q) {
  PairSums(rows, cols, s, q, [=](int64_t r, int64_t i, size_t k, auto& vs, auto& vq) HWY_ATTR {
    const auto g = LoadSome(dy + r * stride + i, k);
    vs = hn::Add(vs, g);
    vq = hn::MulAdd(g, hn::Sub(LoadSome(x + r * stride + i, k), LoadSome(mean + i, k)), vq);
  });
}
template <class T>
void RowGradSums(const T* dy, const T* x, const T* mean, const T* rstd, int64_t stride, int64_t rows, int64_t cols, T* s, T* q) {
  const Tag<T> d;
  PairSums(rows, cols, s, q, [=](int64_t r, int64_t i, size_t k, auto& vs, auto& vq) HWY_ATTR {
    const auto g = LoadSome(dy + r * stride + i, k);
    const auto hat = hn::Mul(hn::Sub(LoadSome(x + r * stride + i, k), hn::Set(d, mean[r])), hn::Set(d, rstd[r]));
    vs = hn::Add(vs, g);
    vq = hn::MulAdd(g, hat, vq);
  });
}
template <class T>
void Blend(const T* dy, const T* x, const T* mean, const T* a, const T* b, const T* t, T* dx, int64_t stride, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = r * stride;
    EachVector<T>(cols, [&](int64_t i, size_t k) HWY_ATTR {
      const auto c = hn::Sub(LoadSome(x + at + i, k), LoadSome(mean + i, k));
      const auto v = hn::MulAdd(LoadSome(b + i, k), c, LoadSome(t + i, k));
      StoreSome(hn::MulAdd(LoadSome(a + i, k), LoadSome(dy + at + i, k), v), dx + at + i, k);
    });
  }
}

template <class T>
constexpr NormTable<T> kNorm = {Softmax<T>,    SoftmaxGrad<T>, LogSumExp<T>, LayerNorm<T>,   LayerNormDx<T>, RowMoments<T>,
                                ScaleShift<T>, ShiftedSums<T>, GradSums<T>,  RowGradSums<T>, Blend<T>};
const NormTable<float>* NormFloat() { return &kNorm<float>; }
const NormTable<double>* NormDouble() { return &kNorm<double>; }

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(NormFloat);
HWY_EXPORT(NormDouble);

template <>
const NormTable<float>& norm_table<float>() noexcept {
  return *HWY_DYNAMIC_DISPATCH(NormFloat)();
}
template <>
const NormTable<double>& norm_table<double>() noexcept {
  return *HWY_DYNAMIC_DISPATCH(NormDouble)();
}

}  // namespace tenure::kernels
#endif

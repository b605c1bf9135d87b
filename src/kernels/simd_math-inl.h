// Vector functions of float32 and the loops that apply them. Included once for each instruction set.
#if defined(TENURE_SIMD_MATH_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TENURE_SIMD_MATH_INL
#undef TENURE_SIMD_MATH_INL
#else
#define TENURE_SIMD_MATH_INL
#endif

#include <cmath>
#include <cstring>

#include <hwy/highway.h>

#include "kernels/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// ---- loads and stores of fewer than a vector's elements, never touching what lies behind

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadFirst(D d, const T* p, size_t n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#else
  HWY_ALIGN T part[hn::MaxLanes(D())] = {};
  std::memcpy(part, p, n * sizeof(T));
  return hn::Load(d, part);
#endif
}
template <class D, class V, class T = hn::TFromD<D>>
HWY_INLINE void StoreFirst(D d, V v, T* p, size_t n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  hn::BlendedStore(v, hn::FirstN(d, n), d, p);
#else
  HWY_ALIGN T part[hn::MaxLanes(D())];
  hn::Store(v, d, part);
  std::memcpy(p, part, n * sizeof(T));
#endif
}

/// y[i] = f(x[i]).
template <class D, class F, class T = hn::TFromD<D>>
HWY_INLINE void Map(D d, const T* x, T* y, int64_t count, F f) {
  const size_t n = static_cast<size_t>(count), N = hn::Lanes(d);
  size_t i = 0;
  for (; i + 2 * N <= n; i += 2 * N) {
    const auto a = f(hn::LoadU(d, x + i)), b = f(hn::LoadU(d, x + i + N));
    hn::StoreU(a, d, y + i);
    hn::StoreU(b, d, y + i + N);
  }
  for (; i + N <= n; i += N) hn::StoreU(f(hn::LoadU(d, x + i)), d, y + i);
  if (i < n) StoreFirst(d, f(LoadFirst(d, x + i, n - i)), y + i, n - i);
}
/// y[i] = f(a[i], b[i]).
template <class D, class F, class T = hn::TFromD<D>>
HWY_INLINE void Map2(D d, const T* a, const T* b, T* y, int64_t count, F f) {
  const size_t n = static_cast<size_t>(count), N = hn::Lanes(d);
  size_t i = 0;
  for (; i + 2 * N <= n; i += 2 * N) {
    const auto u = f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), v = f(hn::LoadU(d, a + i + N), hn::LoadU(d, b + i + N));
    hn::StoreU(u, d, y + i);
    hn::StoreU(v, d, y + i + N);
  }
  for (; i + N <= n; i += N) hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  if (i < n) StoreFirst(d, f(LoadFirst(d, a + i, n - i), LoadFirst(d, b + i, n - i)), y + i, n - i);
}
/// y[i] = f(a[i], b[i], c[i]).
template <class D, class F, class T = hn::TFromD<D>>
HWY_INLINE void Map3(D d, const T* a, const T* b, const T* c, T* y, int64_t count, F f) {
  const size_t n = static_cast<size_t>(count), N = hn::Lanes(d);
  size_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i), hn::LoadU(d, c + i)), d, y + i);
  if (const size_t r = n - i; r) StoreFirst(d, f(LoadFirst(d, a + i, r), LoadFirst(d, b + i, r), LoadFirst(d, c + i, r)), y + i, r);
}

// ---- comparisons that keep NaN

/// min(x, limit), NaN if x is: x86 returns its second operand when unordered.
template <class D, class V>
HWY_INLINE V AtMost(D, V x, V limit) {
#if HWY_ARCH_X86
  return hn::Min(limit, x);
#else
  return hn::IfThenElse(hn::Gt(x, limit), limit, x);
#endif
}
template <class D, class V>
HWY_INLINE V AtLeast(D, V x, V limit) {
#if HWY_ARCH_X86
  return hn::Max(limit, x);
#else
  return hn::IfThenElse(hn::Lt(x, limit), limit, x);
#endif
}
/// The greater one; NaN if either is.
template <class D, class V>
HWY_INLINE V Greater(D d, V a, V b) {
  return hn::IfThenElse(hn::IsNaN(a), a, AtLeast(d, b, a));
}
template <class D, class V>
HWY_INLINE V Lesser(D d, V a, V b) {
  return hn::IfThenElse(hn::IsNaN(a), a, AtMost(d, b, a));
}

// ---- polynomials

template <class D, class V>
HWY_INLINE V Poly(D d, V, float c) {
  return hn::Set(d, c);
}
/// Horner; coefficients from the highest power down.
template <class D, class V, class... C>
HWY_INLINE V Poly(D d, V x, float c, float next, C... rest) {
  V y = hn::MulAdd(hn::Set(d, c), x, hn::Set(d, next));
  ((y = hn::MulAdd(y, x, hn::Set(d, rest))), ...);
  return y;
}

// ---- exp, log and their like: Cephes (S. Moshier, expf.c, logf.c, sinf.c), reduction by Cody and Waite

/// y * 2^n for integral n in [-300, 300].
template <class D, class V>
HWY_INLINE V ScaleByPower(D d, V y, V n) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if constexpr (hn::MaxLanes(D()) == 16) return V{_mm512_scalef_ps(y.raw, n.raw)};
#endif
  const hn::RebindToSigned<D> di;
  const auto k = hn::ConvertTo(di, n), half = hn::ShiftRight<1>(k), bias = hn::Set(di, 127);
  const auto p = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const auto q = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(k, half), bias)));
  return hn::Mul(hn::Mul(y, p), q);
}
/// Writes x = n ln 2 + r and returns e^r - 1.
template <class D, class V>
HWY_INLINE V ExpReduced(D d, V x, V& n) {
  n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504088896341f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  const V p = Poly(d, r, 1.9875691500E-4f, 1.3981999507E-3f, 8.3334519073E-3f, 4.1665795894E-2f, 1.6666665459E-1f, 5.0000001201E-1f);
  return hn::MulAdd(p, hn::Mul(r, r), r);
}
template <class D, class V>
HWY_INLINE V Exp(D d, V x) {
  V n;
  x = AtLeast(d, AtMost(d, x, hn::Set(d, 89.0f)), hn::Set(d, -105.0f));
  const V e = ExpReduced(d, x, n);
  return ScaleByPower(d, hn::Add(e, hn::Set(d, 1.0f)), n);
}
template <class D, class V>
HWY_INLINE V Expm1(D d, V x) {
  V n;
  const V half = hn::Set(d, 0.5f), tiny = hn::Set(d, 1e-30f);
  const auto small = hn::Lt(hn::Abs(x), tiny);
  const V c = AtLeast(d, AtMost(d, x, hn::Set(d, 89.0f)), hn::Set(d, -20.0f));
  const V e = ExpReduced(d, c, n), s = ScaleByPower(d, half, n);
  const V y = hn::MulAdd(s, e, hn::Sub(s, half));
  return hn::IfThenElse(small, x, hn::Add(y, y));
}
template <class D, class V>
HWY_INLINE V Log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V inf = hn::Set(d, INFINITY), one = hn::Set(d, 1.0f);
  const auto denormal = hn::Lt(x, hn::Set(d, 1.17549435e-38f));
  const V scaled = hn::IfThenElse(denormal, hn::Mul(x, hn::Set(d, 33554432.0f)), x);
  const auto bits = hn::BitCast(di, scaled);
  const auto k = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));
  const V m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(k)));
  const V e = hn::Sub(hn::ConvertTo(d, k), hn::IfThenElseZero(denormal, hn::Set(d, 25.0f)));
  const V f = hn::Sub(m, one), z = hn::Mul(f, f);
  V y = Poly(d, f, 7.0376836292E-2f, -1.1514610310E-1f, 1.1676998740E-1f, -1.2420140846E-1f, 1.4249322787E-1f, -1.6668057665E-1f, 2.0000714765E-1f,
             -2.4999993993E-1f, 3.3333331174E-1f);
  y = hn::MulAdd(hn::Mul(f, z), y, hn::Mul(e, hn::Set(d, -2.12194440e-4f)));
  y = hn::NegMulAdd(hn::Set(d, 0.5f), z, y);
  y = hn::MulAdd(e, hn::Set(d, 0.693359375f), hn::Add(f, y));
  y = hn::IfThenElse(hn::Lt(x, inf), y, x);  // infinity and NaN
  y = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, NAN), y);
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(inf), y);
}
/// log(u) corrected for the rounding of u = 1 + x (Kahan).
template <class D, class V>
HWY_INLINE V Log1p(D d, V x) {
  const V one = hn::Set(d, 1.0f), u = hn::Add(x, one), du = hn::Sub(u, one);
  const auto plain = hn::Or(hn::Eq(u, one), hn::Eq(x, hn::Set(d, INFINITY)));
  return hn::IfThenElse(plain, x, hn::Mul(Log(d, u), hn::Div(x, du)));
}

/// sin, or cos by a quarter turn; for |x| <= 8192.
template <class D, class V>
HWY_INLINE V SinQuarter(D d, V x, int quarter) {
  const hn::RebindToSigned<D> di;
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 0.636619772367581343f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 1.5703125f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 4.837512969970703125e-4f), r);
  r = hn::NegMulAdd(n, hn::Set(d, 7.54978995489188216e-8f), r);
  const auto k = hn::Add(hn::ConvertTo(di, n), hn::Set(di, quarter));
  const V z = hn::Mul(r, r);
  const V s = hn::MulAdd(hn::Mul(z, r), Poly(d, z, -1.9515295891E-4f, 8.3321608736E-3f, -1.6666654611E-1f), r);
  const V c = hn::MulAdd(hn::Mul(z, z), Poly(d, z, 2.443315711809948E-5f, -1.388731625493765E-3f, 4.166664568298827E-2f),
                         hn::NegMulAdd(hn::Set(d, 0.5f), z, hn::Set(d, 1.0f)));
  const auto odd = hn::MaskFromVec(hn::BitCast(d, hn::Neg(hn::And(k, hn::Set(di, 1)))));
  const V sign = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(k, hn::Set(di, 2))));
  return hn::Xor(hn::IfThenElse(odd, c, s), sign);
}
template <class D, class V>
HWY_NOINLINE V SinFar(D d, V x, int quarter) {
  HWY_ALIGN float v[hn::MaxLanes(D())];
  hn::Store(x, d, v);
  for (size_t i = 0; i < hn::Lanes(d); ++i) v[i] = quarter ? std::cos(v[i]) : std::sin(v[i]);
  return hn::Load(d, v);
}
template <class D, class V>
HWY_INLINE V SinCos(D d, V x, int quarter) {
  if (HWY_LIKELY(hn::AllTrue(d, hn::Lt(hn::Abs(x), hn::Set(d, 8192.0f))))) return SinQuarter(d, x, quarter);
  return SinFar(d, x, quarter);
}

/// y, or exactly +-1 where |a| exceeds the limit, so that 1 + tanh and 1 + erf vanish there.
template <class D, class V>
HWY_INLINE V Saturate(D d, V a, V y, float limit) {
  return hn::IfThenElse(hn::Gt(hn::Abs(a), hn::Set(d, limit)), hn::CopySign(hn::Set(d, 1.0f), a), y);
}
/// Rational approximations with the coefficients of Eigen 3.4 (generic_fast_tanh_float, generic_fast_erf_float).
template <class D, class V>
HWY_INLINE V Tanh(D d, V a) {
  const V limit = hn::Set(d, 7.90531110763549805f), x = AtLeast(d, AtMost(d, a, limit), hn::Neg(limit)), z = hn::Mul(x, x);
  const V p = Poly(d, z, -2.76076847742355e-16f, 2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f, 1.48572235717979e-05f,
                   6.37261928875436e-04f, 4.89352455891786e-03f);
  const V q = Poly(d, z, 1.19825839466702e-06f, 1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f);
  return Saturate(d, a, hn::IfThenElse(hn::Lt(hn::Abs(a), hn::Set(d, 0.0004f)), a, hn::Div(hn::Mul(x, p), q)), 8.7f);
}
template <class D, class V>
HWY_INLINE V Erf(D d, V a) {
  const V limit = hn::Set(d, 4.0f), x = AtLeast(d, AtMost(d, a, limit), hn::Neg(limit)), z = hn::Mul(x, x);
  const V p = Poly(d, z, -2.72614225801306e-10f, 2.77068142495902e-08f, -2.10102402082508e-06f, -5.69250639462346e-05f, -7.34990630326855e-04f,
                   -2.95459980854025e-03f, -1.60960333262415e-02f);
  const V q = Poly(d, z, -1.45660718464996e-05f, -2.13374055278905e-04f, -1.68282697438203e-03f, -7.37332916720468e-03f, -1.42647390514189e-02f);
  return Saturate(d, a, hn::Mul(x, hn::Div(p, q)), 3.92f);
}

template <class D, class V>
HWY_INLINE V Sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f), e = Exp(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(e, one));
}
template <class D, class V>
HWY_INLINE V Softplus(D d, V x) {
  return hn::Add(AtLeast(d, x, hn::Zero(d)), Log1p(d, Exp(d, hn::Neg(hn::Abs(x)))));
}
/// The argument of gelu_tanh's tanh.
template <class D, class V>
HWY_INLINE V GeluInner(D d, V x) {
  const V c = hn::MulAdd(hn::Set(d, 0.044715f), hn::Mul(x, x), hn::Set(d, 1.0f));
  return hn::Mul(hn::Mul(x, hn::Set(d, 0.7978845608028654f)), c);
}
/// The factor of x in mish: tanh(softplus(x)).
template <class D, class V>
HWY_INLINE V MishFactor(D d, V x) {
  const V e = Exp(d, AtMost(d, x, hn::Set(d, 20.0f))), w = hn::MulAdd(e, e, hn::Add(e, e));
  return hn::Div(w, hn::Add(w, hn::Set(d, 2.0f)));
}
template <class D, class V>
HWY_INLINE V HardSigmoid(D d, V x) {
  const V six = hn::Set(d, 6.0f);
  return hn::Div(AtLeast(d, AtMost(d, hn::Add(x, hn::Set(d, 3.0f)), six), hn::Zero(d)), six);
}

inline constexpr float kSeluScale = 1.0507009873554805f, kSeluAlpha = 1.6732632423543772f;

/// Calls body(f) with the vector function of `op`.
template <class D, class Body>
HWY_INLINE void WithUnary(D d, Unary op, float alpha, Body body) {
  using V = hn::Vec<D>;
  const V one = hn::Set(d, 1.0f), zero = hn::Zero(d), a = hn::Set(d, alpha), half = hn::Set(d, 0.5f);
  switch (op) {
    case Unary::identity: return body([=](V x) HWY_ATTR { return x; });
    case Unary::neg: return body([=](V x) HWY_ATTR { return hn::Neg(x); });
    case Unary::abs: return body([=](V x) HWY_ATTR { return hn::Abs(x); });
    case Unary::square: return body([=](V x) HWY_ATTR { return hn::Mul(x, x); });
    case Unary::sqrt: return body([=](V x) HWY_ATTR { return hn::Sqrt(x); });
    case Unary::rsqrt: return body([=](V x) HWY_ATTR { return hn::Div(one, hn::Sqrt(x)); });
    case Unary::reciprocal: return body([=](V x) HWY_ATTR { return hn::Div(one, x); });
    case Unary::exp: return body([=](V x) HWY_ATTR { return Exp(d, x); });
    case Unary::expm1: return body([=](V x) HWY_ATTR { return Expm1(d, x); });
    case Unary::log: return body([=](V x) HWY_ATTR { return Log(d, x); });
    case Unary::log1p: return body([=](V x) HWY_ATTR { return Log1p(d, x); });
    case Unary::tanh: return body([=](V x) HWY_ATTR { return Tanh(d, x); });
    case Unary::sigmoid: return body([=](V x) HWY_ATTR { return Sigmoid(d, x); });
    case Unary::sin: return body([=](V x) HWY_ATTR { return SinCos(d, x, 0); });
    case Unary::cos: return body([=](V x) HWY_ATTR { return SinCos(d, x, 1); });
    case Unary::erf: return body([=](V x) HWY_ATTR { return Erf(d, x); });
    case Unary::relu: return body([=](V x) HWY_ATTR { return AtLeast(d, x, zero); });
    case Unary::relu6: return body([=](V x) HWY_ATTR { return AtMost(d, AtLeast(d, x, zero), hn::Set(d, 6.0f)); });
    case Unary::leaky_relu: return body([=](V x) HWY_ATTR { return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(x, a), x); });
    case Unary::elu: return body([=](V x) HWY_ATTR { return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(a, Expm1(d, x)), x); });
    case Unary::selu:
      return body([=](V x) HWY_ATTR {
        const V y = hn::IfThenElse(hn::Lt(x, zero), hn::Mul(hn::Set(d, kSeluAlpha), Expm1(d, x)), x);
        return hn::Mul(y, hn::Set(d, kSeluScale));
      });
    case Unary::softplus: return body([=](V x) HWY_ATTR { return Softplus(d, x); });
    case Unary::softsign: return body([=](V x) HWY_ATTR { return hn::Div(x, hn::Add(one, hn::Abs(x))); });
    case Unary::silu: return body([=](V x) HWY_ATTR { return hn::Mul(x, Sigmoid(d, x)); });
    case Unary::gelu:
      return body([=](V x) HWY_ATTR { return hn::Mul(hn::Mul(half, x), hn::Add(one, Erf(d, hn::Mul(x, hn::Set(d, 0.70710678118654752f))))); });
    case Unary::gelu_tanh: return body([=](V x) HWY_ATTR { return hn::Mul(hn::Mul(half, x), hn::Add(one, Tanh(d, GeluInner(d, x)))); });
    case Unary::hard_sigmoid: return body([=](V x) HWY_ATTR { return HardSigmoid(d, x); });
    case Unary::hard_silu: return body([=](V x) HWY_ATTR { return hn::Mul(x, HardSigmoid(d, x)); });
    case Unary::mish: return body([=](V x) HWY_ATTR { return hn::Mul(x, MishFactor(d, x)); });
    case Unary::log_sigmoid: return body([=](V x) HWY_ATTR { return hn::Neg(Softplus(d, hn::Neg(x))); });
    case Unary::floor: return body([=](V x) HWY_ATTR { return hn::Floor(x); });
    case Unary::ceil: return body([=](V x) HWY_ATTR { return hn::Ceil(x); });
    case Unary::round: return body([=](V x) HWY_ATTR { return hn::Round(x); });
    case Unary::sign: return body([=](V x) HWY_ATTR { return hn::IfThenElse(hn::Gt(hn::Abs(x), zero), hn::CopySign(one, x), x); });
  }
}

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

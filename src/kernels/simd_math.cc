// Functions of one number and their gradients.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_math.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/scalar.h"
#include "kernels/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

void UnaryFloat(Unary op, const float* x, float* y, int64_t n, float alpha) {
  const hn::ScalableTag<float> d;
  WithUnary(d, op, alpha, [&](auto f) HWY_ATTR { Map(d, x, y, n, f); });
}

/// Calls body(f) with f(dy, ref) for those that take the output, and the simple ones.
template <class D, class Body>
HWY_INLINE bool WithSimpleGrad(D d, Unary op, float alpha, Body body) {
  using V = hn::Vec<D>;
  const V one = hn::Set(d, 1.0f), zero = hn::Zero(d), a = hn::Set(d, alpha), half = hn::Set(d, 0.5f);
  switch (op) {
    case Unary::identity: body([=](V g, V) HWY_ATTR { return g; }); break;
    case Unary::neg: body([=](V g, V) HWY_ATTR { return hn::Neg(g); }); break;
    case Unary::abs:
      body([=](V g, V x) HWY_ATTR { return hn::IfThenElse(hn::Gt(x, zero), g, hn::IfThenElseZero(hn::Lt(x, zero), hn::Neg(g))); });
      break;
    case Unary::square: body([=](V g, V x) HWY_ATTR { return hn::Mul(g, hn::Add(x, x)); }); break;
    case Unary::sqrt: body([=](V g, V y) HWY_ATTR { return hn::Div(hn::Mul(g, half), y); }); break;
    case Unary::rsqrt: body([=](V g, V y) HWY_ATTR { return hn::Mul(hn::Mul(g, hn::Set(d, -0.5f)), hn::Mul(y, hn::Mul(y, y))); }); break;
    case Unary::reciprocal: body([=](V g, V y) HWY_ATTR { return hn::Neg(hn::Mul(g, hn::Mul(y, y))); }); break;
    case Unary::exp: body([=](V g, V y) HWY_ATTR { return hn::Mul(g, y); }); break;
    case Unary::expm1: body([=](V g, V y) HWY_ATTR { return hn::MulAdd(g, y, g); }); break;
    case Unary::log: body([=](V g, V x) HWY_ATTR { return hn::Div(g, x); }); break;
    case Unary::log1p: body([=](V g, V x) HWY_ATTR { return hn::Div(g, hn::Add(one, x)); }); break;
    case Unary::tanh: body([=](V g, V y) HWY_ATTR { return hn::Mul(g, hn::NegMulAdd(y, y, one)); }); break;
    case Unary::sigmoid: body([=](V g, V y) HWY_ATTR { return hn::Mul(g, hn::NegMulAdd(y, y, y)); }); break;
    case Unary::relu: body([=](V g, V y) HWY_ATTR { return hn::IfThenElseZero(hn::Gt(y, zero), g); }); break;
    case Unary::relu6: body([=](V g, V y) HWY_ATTR { return hn::IfThenElseZero(hn::And(hn::Gt(y, zero), hn::Lt(y, hn::Set(d, 6.0f))), g); }); break;
    case Unary::leaky_relu: body([=](V g, V x) HWY_ATTR { return hn::IfThenElse(hn::Gt(x, zero), g, hn::Mul(g, a)); }); break;
    case Unary::elu: body([=](V g, V y) HWY_ATTR { return hn::IfThenElse(hn::Gt(y, zero), g, hn::Mul(g, hn::Add(y, a))); }); break;
    case Unary::selu:
      body([=](V g, V y) HWY_ATTR {
        const V s = hn::Set(d, kSeluScale);
        return hn::Mul(g, hn::IfThenElse(hn::Gt(y, zero), s, hn::Add(y, hn::Set(d, kSeluScale * kSeluAlpha))));
      });
      break;
    case Unary::floor:
    case Unary::ceil:
    case Unary::round:
    case Unary::sign: body([=](V, V) HWY_ATTR { return zero; }); break;
    default: return false;
  }
  return true;
}

/// x Phi(x) derived: Phi(x) + x phi(x).
template <class D, class V>
HWY_INLINE V GeluDerivative(D d, V x) {
  const V phi = hn::Mul(hn::Set(d, 0.3989422804014327f), Exp(d, hn::Mul(hn::Set(d, -0.5f), hn::Mul(x, x))));
  const V cdf = hn::Mul(hn::Set(d, 0.5f), hn::Add(hn::Set(d, 1.0f), Erf(d, hn::Mul(x, hn::Set(d, 0.70710678118654752f)))));
  return hn::MulAdd(x, phi, cdf);
}
template <class D, class V>
HWY_INLINE V GeluTanhDerivative(D d, V x) {
  const V one = hn::Set(d, 1.0f), half = hn::Set(d, 0.5f), t = Tanh(d, GeluInner(d, x));
  const V u = hn::Mul(hn::Set(d, 0.7978845608028654f), hn::MulAdd(hn::Set(d, 3 * 0.044715f), hn::Mul(x, x), one));
  return hn::Mul(half, hn::MulAdd(hn::Mul(x, hn::NegMulAdd(t, t, one)), u, hn::Add(one, t)));
}

template <class D, class Body>
HWY_INLINE void WithInputGrad(D d, Unary op, Body body) {
  using V = hn::Vec<D>;
  const V one = hn::Set(d, 1.0f), zero = hn::Zero(d);
  switch (op) {
    case Unary::sin: return body([=](V g, V x) HWY_ATTR { return hn::Mul(g, SinCos(d, x, 1)); });
    case Unary::cos: return body([=](V g, V x) HWY_ATTR { return hn::Neg(hn::Mul(g, SinCos(d, x, 0))); });
    case Unary::erf:
      return body([=](V g, V x) HWY_ATTR { return hn::Mul(hn::Mul(g, hn::Set(d, 1.1283791670955126f)), Exp(d, hn::Neg(hn::Mul(x, x)))); });
    case Unary::softplus: return body([=](V g, V x) HWY_ATTR { return hn::Mul(g, Sigmoid(d, x)); });
    case Unary::log_sigmoid: return body([=](V g, V x) HWY_ATTR { return hn::Mul(g, Sigmoid(d, hn::Neg(x))); });
    case Unary::softsign:
      return body([=](V g, V x) HWY_ATTR {
        const V u = hn::Add(one, hn::Abs(x));
        return hn::Div(g, hn::Mul(u, u));
      });
    case Unary::silu:
      return body([=](V g, V x) HWY_ATTR {
        const V s = Sigmoid(d, x);
        return hn::Mul(hn::Mul(g, s), hn::MulAdd(x, hn::Sub(one, s), one));
      });
    case Unary::gelu: return body([=](V g, V x) HWY_ATTR { return hn::Mul(g, GeluDerivative(d, x)); });
    case Unary::gelu_tanh: return body([=](V g, V x) HWY_ATTR { return hn::Mul(g, GeluTanhDerivative(d, x)); });
    case Unary::hard_sigmoid:
      return body([=](V g, V x) HWY_ATTR { return hn::IfThenElseZero(hn::Lt(hn::Abs(x), hn::Set(d, 3.0f)), hn::Mul(g, hn::Set(d, 1.0f / 6))); });
    case Unary::hard_silu:
      return body([=](V g, V x) HWY_ATTR {
        const V three = hn::Set(d, 3.0f), m = hn::Mul(hn::Add(hn::Add(x, x), three), hn::Set(d, 1.0f / 6));
        const V s = hn::IfThenElse(hn::Ge(x, three), one, hn::IfThenElse(hn::Le(x, hn::Neg(three)), zero, m));
        return hn::Mul(g, s);
      });
    case Unary::mish:
      return body([=](V g, V x) HWY_ATTR {
        const V t = MishFactor(d, x);
        return hn::Mul(g, hn::MulAdd(hn::Mul(x, hn::NegMulAdd(t, t, one)), Sigmoid(d, x), t));
      });
    default: return;
  }
}

void UnaryGradFloat(Unary op, const float* dy, const float* ref, float* dx, int64_t n, float alpha) {
  const hn::ScalableTag<float> d;
  const auto loop = [&](auto f) HWY_ATTR { Map2(d, dy, ref, dx, n, f); };
  if (!WithSimpleGrad(d, op, alpha, loop)) WithInputGrad(d, op, loop);
}

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(UnaryFloat);
HWY_EXPORT(UnaryGradFloat);

namespace {
void piece(Unary op, const float* x, float* y, int64_t n, float alpha) noexcept { HWY_DYNAMIC_DISPATCH(UnaryFloat)(op, x, y, n, alpha); }
void piece(Unary op, const double* x, double* y, int64_t n, float alpha) noexcept { scalar::unary(op, x, y, n, static_cast<double>(alpha)); }
void piece_grad(Unary op, const float* dy, const float* r, float* dx, int64_t n, float a) noexcept {
  HWY_DYNAMIC_DISPATCH(UnaryGradFloat)(op, dy, r, dx, n, a);
}
void piece_grad(Unary op, const double* dy, const double* r, double* dx, int64_t n, float a) noexcept { scalar::unary_grad(op, dy, r, dx, n, a); }
}  // namespace

template <class T>
void unary(Unary op, const T* x, T* y, int64_t n, float alpha) noexcept {
  parallel_for(n, grain_elements, [=](int64_t b, int64_t e) { piece(op, x + b, y + b, e - b, alpha); });
}
template <class T>
void unary_grad(Unary op, const T* dy, const T* ref, T* dx, int64_t n, float alpha) noexcept {
  parallel_for(n, grain_elements, [=](int64_t b, int64_t e) { piece_grad(op, dy + b, ref + b, dx + b, e - b, alpha); });
}
template void unary(Unary, const float*, float*, int64_t, float) noexcept;
template void unary(Unary, const double*, double*, int64_t, float) noexcept;
template void unary_grad(Unary, const float*, const float*, float*, int64_t, float) noexcept;
template void unary_grad(Unary, const double*, const double*, double*, int64_t, float) noexcept;

const char* isa() noexcept {
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(usable & -usable);
}

}  // namespace tenure::kernels
#endif

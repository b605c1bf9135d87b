// Arithmetic of two arrays, or an array and a number, and the updates of optimizers. float and double by the same code.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_arith.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/simd_math-inl.h"

#ifndef TENURE_SIMD_ARITH_TABLE
#define TENURE_SIMD_ARITH_TABLE
namespace tenure::kernels {
/// What one instruction set offers for T: dispatch is one look-up.
template <class T>
struct ArithTable {
  void (*binary)(Binary, const T*, const T*, T*, int64_t);
  void (*multiply_add)(Product, const T*, const T*, const T*, T*, int64_t);
  void (*clip)(const T*, T, T, T*, int64_t);
};
}  // namespace tenure::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

/// Calls body(f) with the vector function of `op`.
template <class D, class Body>
HWY_INLINE void WithBinary(D d, Binary op, Body body) {
  using V = hn::Vec<D>;
  switch (op) {
    case Binary::add: return body([](V a, V b) HWY_ATTR { return hn::Add(a, b); });
    case Binary::sub: return body([](V a, V b) HWY_ATTR { return hn::Sub(a, b); });
    case Binary::mul: return body([](V a, V b) HWY_ATTR { return hn::Mul(a, b); });
    case Binary::div: return body([](V a, V b) HWY_ATTR { return hn::Div(a, b); });
    case Binary::max: return body([=](V a, V b) HWY_ATTR { return Greater(d, a, b); });
    case Binary::min: return body([=](V a, V b) HWY_ATTR { return Lesser(d, a, b); });
    case Binary::squared_difference:
      return body([](V a, V b) HWY_ATTR {
        const V c = hn::Sub(a, b);
        return hn::Mul(c, c);
      });
  }
}

template <class T>
void BinaryT(Binary op, const T* a, const T* b, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  WithBinary(d, op, [&](auto f) HWY_ATTR { Map2(d, a, b, y, n, f); });
}
template <class T>
void MultiplyAddT(Product p, const T* a, const T* b, const T* c, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  switch (p) {
    case Product::plus: return Map3(d, a, b, c, y, n, [=](auto u, auto v, auto w) HWY_ATTR { return hn::Add(hn::Mul(u, v), w); });
    case Product::minus: return Map3(d, a, b, c, y, n, [=](auto u, auto v, auto w) HWY_ATTR { return hn::Sub(hn::Mul(u, v), w); });
    case Product::from: return Map3(d, a, b, c, y, n, [=](auto u, auto v, auto w) HWY_ATTR { return hn::Sub(w, hn::Mul(u, v)); });
  }
}
template <class T>
void ClipT(const T* x, T lo, T hi, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto vl = hn::Set(d, lo), vh = hn::Set(d, hi);
  Map(d, x, y, n, [=](auto u) HWY_ATTR { return AtMost(d, AtLeast(d, u, vl), vh); });
}

template <class T>
constexpr ArithTable<T> kArith = {BinaryT<T>, MultiplyAddT<T>, ClipT<T>};
const ArithTable<float>* ArithFloat() { return &kArith<float>; }
const ArithTable<double>* ArithDouble() { return &kArith<double>; }

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(ArithFloat);
HWY_EXPORT(ArithDouble);

namespace {
template <class T>
const ArithTable<T>& table() noexcept {
  if constexpr (sizeof(T) == 4) return *HWY_DYNAMIC_DISPATCH(ArithFloat)();
  else return *HWY_DYNAMIC_DISPATCH(ArithDouble)();
}
}  // namespace

template <class T>
void binary(Binary op, const T* a, const T* b, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().binary(op, a + i, b + i, y + i, e - i); });
}
template <class T>
void multiply_add(Product p, const T* a, const T* b, const T* c, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().multiply_add(p, a + i, b + i, c + i, y + i, e - i); });
}
template <class T>
void clip(const T* x, T lo, T hi, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().clip(x + i, lo, hi, y + i, e - i); });
}

template void binary(Binary, const float*, const float*, float*, int64_t) noexcept;
template void multiply_add(Product, const float*, const float*, const float*, float*, int64_t) noexcept;
template void clip(const float*, float, float, float*, int64_t) noexcept;
template void binary(Binary, const double*, const double*, double*, int64_t) noexcept;
template void multiply_add(Product, const double*, const double*, const double*, double*, int64_t) noexcept;
template void clip(const double*, double, double, double*, int64_t) noexcept;

}  // namespace tenure::kernels
#endif

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
  void (*binary_scalar)(Binary, const T*, T, T*, int64_t);
  void (*scalar_binary)(Binary, T, const T*, T*, int64_t);
  void (*binary_row)(Binary, const T*, const T*, T*, int64_t, int64_t);
  void (*binary_column)(Binary, const T*, const T*, T*, int64_t, int64_t);
  void (*axpy)(T, const T*, T*, int64_t);
  void (*scale_add)(T, const T*, T, T*, int64_t);
  void (*multiply_add)(const T*, const T*, const T*, T*, int64_t);
  void (*clip)(const T*, T, T, T*, int64_t);
  void (*momentum)(T*, T*, const T*, int64_t, T, T, bool);
  void (*adam)(T*, T*, T*, const T*, int64_t, T, T, T, T);
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
void BinaryScalarT(Binary op, const T* a, T b, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto vb = hn::Set(d, b);
  WithBinary(d, op, [&](auto f) HWY_ATTR { Map(d, a, y, n, [=](auto va) HWY_ATTR { return f(va, vb); }); });
}
template <class T>
void ScalarBinaryT(Binary op, T a, const T* b, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto va = hn::Set(d, a);
  WithBinary(d, op, [&](auto f) HWY_ATTR { Map(d, b, y, n, [=](auto vb) HWY_ATTR { return f(va, vb); }); });
}
template <class T>
void BinaryRowT(Binary op, const T* a, const T* b, T* y, int64_t rows, int64_t cols) {
  const hn::ScalableTag<T> d;
  WithBinary(d, op, [&](auto f) HWY_ATTR {
    for (int64_t r = 0; r < rows; ++r) Map2(d, a + r * cols, b, y + r * cols, cols, f);
  });
}
template <class T>
void BinaryColumnT(Binary op, const T* a, const T* b, T* y, int64_t rows, int64_t cols) {
  const hn::ScalableTag<T> d;
  WithBinary(d, op, [&](auto f) HWY_ATTR {
    for (int64_t r = 0; r < rows; ++r) {
      const auto vb = hn::Set(d, b[r]);
      Map(d, a + r * cols, y + r * cols, cols, [=](auto va) HWY_ATTR { return f(va, vb); });
    }
  });
}

template <class T>
void AxpyT(T a, const T* x, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto va = hn::Set(d, a);
  Map2(d, x, y, y, n, [=](auto u, auto v) HWY_ATTR { return hn::MulAdd(va, u, v); });
}
template <class T>
void ScaleAddT(T a, const T* x, T b, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto va = hn::Set(d, a), vb = hn::Set(d, b);
  Map(d, x, y, n, [=](auto u) HWY_ATTR { return hn::MulAdd(va, u, vb); });
}
template <class T>
void MultiplyAddT(const T* a, const T* b, const T* c, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  Map3(d, a, b, c, y, n, [=](auto u, auto v, auto w) HWY_ATTR { return hn::MulAdd(u, v, w); });
}
template <class T>
void ClipT(const T* x, T lo, T hi, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const auto vl = hn::Set(d, lo), vh = hn::Set(d, hi);
  Map(d, x, y, n, [=](auto u) HWY_ATTR { return AtMost(d, AtLeast(d, u, vl), vh); });
}

template <class T>
void MomentumT(T* w, T* v, const T* g, int64_t n, T lr, T momentum, bool nesterov) {
  const hn::ScalableTag<T> d;
  const auto vm = hn::Set(d, momentum), vl = hn::Set(d, lr);
  Map2(d, v, g, v, n, [=](auto m, auto u) HWY_ATTR { return hn::Sub(hn::Mul(vm, m), hn::Mul(u, vl)); });
  if (!nesterov) return Map2(d, w, v, w, n, [=](auto u, auto m) HWY_ATTR { return hn::Add(u, m); });
  Map3(d, w, v, g, w, n, [=](auto u, auto m, auto k) HWY_ATTR { return hn::Add(u, hn::Sub(hn::Mul(vm, m), hn::Mul(k, vl))); });
}

template <class T>
void AdamT(T* w, T* m, T* v, const T* g, int64_t count, T alpha, T beta1, T beta2, T eps) {
  const hn::ScalableTag<T> d;
  const auto a = hn::Set(d, alpha), b1 = hn::Set(d, 1 - beta1), b2 = hn::Set(d, 1 - beta2), ve = hn::Set(d, eps);
  const auto step = [=](auto& vw, auto& vm, auto& vv, auto vg) HWY_ATTR {
    vm = hn::Add(vm, hn::Mul(hn::Sub(vg, vm), b1));
    vv = hn::Add(vv, hn::Mul(hn::Sub(hn::Mul(vg, vg), vv), b2));
    vw = hn::Sub(vw, hn::Div(hn::Mul(vm, a), hn::Add(hn::Sqrt(vv), ve)));
  };
  const size_t n = static_cast<size_t>(count), N = hn::Lanes(d);
  size_t i = 0;
  for (; i + N <= n; i += N) {
    auto vw = hn::LoadU(d, w + i), vm = hn::LoadU(d, m + i), vv = hn::LoadU(d, v + i);
    step(vw, vm, vv, hn::LoadU(d, g + i));
    hn::StoreU(vm, d, m + i);
    hn::StoreU(vv, d, v + i);
    hn::StoreU(vw, d, w + i);
  }
  if (const size_t r = n - i; r) {
    auto vw = LoadFirst(d, w + i, r), vm = LoadFirst(d, m + i, r), vv = LoadFirst(d, v + i, r);
    step(vw, vm, vv, LoadFirst(d, g + i, r));
    StoreFirst(d, vm, m + i, r);
    StoreFirst(d, vv, v + i, r);
    StoreFirst(d, vw, w + i, r);
  }
}

template <class T>
constexpr ArithTable<T> kArith = {BinaryT<T>,   BinaryScalarT<T>, ScalarBinaryT<T>, BinaryRowT<T>, BinaryColumnT<T>, AxpyT<T>,
                                  ScaleAddT<T>, MultiplyAddT<T>,  ClipT<T>,         MomentumT<T>,  AdamT<T>};
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
void binary_scalar(Binary op, const T* a, T b, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().binary_scalar(op, a + i, b, y + i, e - i); });
}
template <class T>
void scalar_binary(Binary op, T a, const T* b, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().scalar_binary(op, a, b + i, y + i, e - i); });
}
template <class T>
void binary_row(Binary op, const T* a, const T* b, T* y, int64_t rows, int64_t cols) noexcept {
  parallel_for(rows, grain_rows(cols), [=](int64_t i, int64_t e) { table<T>().binary_row(op, a + i * cols, b, y + i * cols, e - i, cols); });
}
template <class T>
void binary_column(Binary op, const T* a, const T* b, T* y, int64_t rows, int64_t cols) noexcept {
  parallel_for(rows, grain_rows(cols), [=](int64_t i, int64_t e) { table<T>().binary_column(op, a + i * cols, b + i, y + i * cols, e - i, cols); });
}
template <class T>
void axpy(T a, const T* x, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().axpy(a, x + i, y + i, e - i); });
}
template <class T>
void scale_add(T a, const T* x, T b, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().scale_add(a, x + i, b, y + i, e - i); });
}
template <class T>
void multiply_add(const T* a, const T* b, const T* c, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().multiply_add(a + i, b + i, c + i, y + i, e - i); });
}
template <class T>
void clip(const T* x, T lo, T hi, T* y, int64_t n) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().clip(x + i, lo, hi, y + i, e - i); });
}
template <class T>
void sgd_update(T* w, const T* g, int64_t n, T lr) noexcept {
  axpy(-lr, g, w, n);
}
template <class T>
void momentum_update(T* w, T* v, const T* g, int64_t n, T lr, T momentum, bool nesterov) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().momentum(w + i, v + i, g + i, e - i, lr, momentum, nesterov); });
}
template <class T>
void adam_update(T* w, T* m, T* v, const T* g, int64_t n, T alpha, T beta1, T beta2, T eps) noexcept {
  parallel_for(n, grain_elements, [=](int64_t i, int64_t e) { table<T>().adam(w + i, m + i, v + i, g + i, e - i, alpha, beta1, beta2, eps); });
}

template void binary(Binary, const float*, const float*, float*, int64_t) noexcept;
template void binary_scalar(Binary, const float*, float, float*, int64_t) noexcept;
template void scalar_binary(Binary, float, const float*, float*, int64_t) noexcept;
template void binary_row(Binary, const float*, const float*, float*, int64_t, int64_t) noexcept;
template void binary_column(Binary, const float*, const float*, float*, int64_t, int64_t) noexcept;
template void axpy(float, const float*, float*, int64_t) noexcept;
template void scale_add(float, const float*, float, float*, int64_t) noexcept;
template void multiply_add(const float*, const float*, const float*, float*, int64_t) noexcept;
template void clip(const float*, float, float, float*, int64_t) noexcept;
template void sgd_update(float*, const float*, int64_t, float) noexcept;
template void momentum_update(float*, float*, const float*, int64_t, float, float, bool) noexcept;
template void adam_update(float*, float*, float*, const float*, int64_t, float, float, float, float) noexcept;
template void binary(Binary, const double*, const double*, double*, int64_t) noexcept;
template void binary_scalar(Binary, const double*, double, double*, int64_t) noexcept;
template void scalar_binary(Binary, double, const double*, double*, int64_t) noexcept;
template void binary_row(Binary, const double*, const double*, double*, int64_t, int64_t) noexcept;
template void binary_column(Binary, const double*, const double*, double*, int64_t, int64_t) noexcept;
template void axpy(double, const double*, double*, int64_t) noexcept;
template void scale_add(double, const double*, double, double*, int64_t) noexcept;
template void multiply_add(const double*, const double*, const double*, double*, int64_t) noexcept;
template void clip(const double*, double, double, double*, int64_t) noexcept;
template void sgd_update(double*, const double*, int64_t, double) noexcept;
template void momentum_update(double*, double*, const double*, int64_t, double, double, bool) noexcept;
template void adam_update(double*, double*, double*, const double*, int64_t, double, double, double, double) noexcept;

}  // namespace tenure::kernels
#endif

// Shared by the op files: element types at run time, weak numbers, axes. Nothing here owns anything.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenure/op.h>
#include <tenure/ops.h>

#include "base/check.h"
#include "core/body.h"
#include "kernels/kernels.h"

namespace tenure::ops {

// ---- element types --------------------------------------------------------------------------------------------------------

/// Passed to generic lambdas: `[&](auto type) { using T = typename decltype(type)::type; … }`.
template <class T>
struct Type {
  using type = T;
};

constexpr bool is_half(DType t) noexcept { return t == DType::bfloat16 || t == DType::float16; }

/// f(Type<double>) for float64, else f(Type<float>).
template <class F>
auto with_real(DType t, F&& f) {
  return t == DType::float64 ? f(Type<double>{}) : f(Type<float>{});
}

/// f(Type<T>) with T of int8 ... uint64, or bool.
template <class F>
auto with_integer(DType t, F&& f) {
  switch (t) {
    case DType::int8: return f(Type<int8_t>{});
    case DType::uint8: return f(Type<uint8_t>{});
    case DType::int16: return f(Type<int16_t>{});
    case DType::int64: return f(Type<int64_t>{});
    case DType::uint32: return f(Type<uint32_t>{});
    case DType::uint64: return f(Type<uint64_t>{});
    case DType::bool_: return f(Type<bool>{});
    default: return f(Type<int32_t>{});
  }
}

/// Real or integer; halves are the caller's matter (see tiles).
template <class F>
auto with_number(DType t, F&& f) {
  if (t == DType::float32) return f(Type<float>{});
  if (t == DType::float64) return f(Type<double>{});
  return with_integer(t, f);
}

/// Unsigned type of the element size, for code that only moves elements.
template <class F>
auto with_size(size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f(Type<uint8_t>{});
    case 2: return f(Type<uint16_t>{});
    case 4: return f(Type<uint32_t>{});
    default: return f(Type<uint64_t>{});
  }
}

/// Calls f(tile) on float32 copies of a bfloat16 or float16 tile, piece by piece; inputs and outputs of other types are passed as they are.
template <class F>
void in_float(const Tile& t, int inputs, DType half, const DType* in_types, F&& f) noexcept {
  constexpr int64_t piece = 256;
  alignas(64) float x[4][piece];
  alignas(64) float y[piece];
  for (int64_t begin = 0; begin < t.n; begin += piece) {
    Tile part = t;
    part.n = std::min(piece, t.n - begin);
    part.dtype = t.dtype == half ? DType::float32 : t.dtype;
    for (int i = 0; i < inputs; ++i) {
      const auto* at = static_cast<const std::byte*>(t.in[i]) + static_cast<size_t>(begin) * size_of(in_types[i]);
      part.in[i] = at;
      if (in_types[i] == half) {
        kernels::convert(half, at, DType::float32, x[i], part.n);
        part.in[i] = x[i];
      }
    }
    auto* to = static_cast<std::byte*>(t.out) + static_cast<size_t>(begin) * size_of(t.out_dtype);
    bool narrow = t.out_dtype == half;
    part.out = narrow ? static_cast<void*>(y) : to;
    part.out_dtype = narrow ? DType::float32 : t.out_dtype;
    f(part);
    if (narrow) kernels::convert(DType::float32, y, half, to, part.n);
  }
}

/// An elementwise kernel on floats whose inputs all have one dtype: f(tile, Type<float or double>). Halves go through float32.
template <int inputs, class F>
void float_tile(const Tile& t, F f) noexcept {
  if (t.dtype == DType::float32) return f(t, Type<float>{});
  if (t.dtype == DType::float64) return f(t, Type<double>{});
  const DType types[4] = {t.dtype, t.dtype, t.dtype, t.dtype};
  in_float(t, inputs, t.dtype, types, [&](const Tile& part) { f(part, Type<float>{}); });
}

/// The same for every number type and bool.
template <int inputs, class F>
void number_tile(const Tile& t, F f) noexcept {
  if (is_float(t.dtype)) return float_tile<inputs>(t, f);
  with_integer(t.dtype, [&](auto type) { f(t, type); });
}

/// y[i] = f(x[i]) and y[i] = f(a[i], b[i]) with X and Y the element types.
template <class X, class Y = X, class F>
void map1(const Tile& t, F f) noexcept {
  const X* x = t.x<X>(0);
  Y* y = t.y<Y>();
  for (int64_t i = 0; i < t.n; ++i) y[i] = static_cast<Y>(f(x[i]));
}
template <class X, class Y = X, class F>
void map2(const Tile& t, F f) noexcept {
  const X *a = t.x<X>(0), *b = t.x<X>(1);
  Y* y = t.y<Y>();
  for (int64_t i = 0; i < t.n; ++i) y[i] = static_cast<Y>(f(a[i], b[i]));
}

/// Integer arithmetic that wraps instead of overflowing.
template <class T>
using Wrap = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;

// ---- promotion ------------------------------------------------------------------------------------------------------------

/// A rank-0 tensor of exactly this dtype: not a weak number.
Tensor number(double value, DType dtype);

/// Brings two operands to one dtype as Keras does: a C++ number takes the other's dtype (a float beside integers makes both float32).
void promote_pair(Tensor& a, Tensor& b);

/// Integers and bool become float32: for functions of real numbers.
inline Tensor to_float(Tensor x) { return is_float(x.dtype()) ? std::move(x) : cast(std::move(x), DType::float32); }

// ---- axes -----------------------------------------------------------------------------------------------------------------

/// A set of axes as bits; none set means all. As an attribute it reads and writes a list.
struct AxisSet {
  uint32_t bits = 0;

  AxisSet() = default;
  /// Negative axes count from the end; throws InvalidArgument naming `op` for one out of range or given twice.
  AxisSet(const Axes& axes, int rank, std::string_view op);
  bool has(int axis) const noexcept { return bits == 0 || (bits >> axis & 1) != 0; }
  bool all() const noexcept { return bits == 0; }
  std::vector<int64_t> list() const;
  static AxisSet of(const std::vector<int64_t>& axes);
};

/// Shape without (or with 1 at) the axes of the set.
Shape reduced_shape(const Shape& x, AxisSet axes, bool keepdims);

/// A shape seen as [outer, n, inner] around one axis (counted from the front).
struct Around {
  int64_t outer = 1, n = 1, inner = 1;
  Around(const Shape& s, int axis) noexcept {
    for (int i = 0; i < axis; ++i) outer *= s[i];
    n = s[axis];
    for (int i = axis + 1; i < s.rank(); ++i) inner *= s[i];
  }
};

}  // namespace tenure::ops

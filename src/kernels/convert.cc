// Conversions between all element types.
#include "kernels/convert.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/parallel.h"
#include "kernels/simd_targets.h"

namespace tenure::kernels {
namespace {

/// Element types that C++ has no number for.
struct Bfloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};

template <class T>
constexpr bool is_half = std::is_same_v<T, Bfloat16> || std::is_same_v<T, Float16>;

/// The nearest float with an odd last bit unless exact, so that rounding it once more rounds correctly.
float round_to_odd(double x) noexcept {
  float f = static_cast<float>(x);
  if (!(static_cast<double>(f) != x) || std::isnan(x) || std::isinf(f)) return f;
  uint32_t bits = std::bit_cast<uint32_t>(f);
  if (bits & 1u) return f;
  const bool too_far = std::fabs(static_cast<double>(f)) > std::fabs(x);
  return std::bit_cast<float>(too_far ? bits - 1 : bits + 1);
}

/// An ordinary C++ number of the stored value.
inline float value(Bfloat16 x) noexcept { return half::of_bfloat16(x.bits); }
inline float value(Float16 x) noexcept { return half::of_float16(x.bits); }
inline uint8_t value(Bool x) noexcept { return x.byte != 0; }
template <class T>
T value(T x) noexcept {
  return x;
}

/// Truncation as x86 does it: outside int32 (int64 for 32 unsigned bits and more) the least one; NaN gives 0.
template <class To, class From>
To truncate(From x) noexcept {
  using Wide = std::conditional_t<sizeof(To) < 4 || std::is_same_v<To, int32_t>, int32_t, int64_t>;
  constexpr From limit = static_cast<From>(sizeof(Wide) == 4 ? 2147483648.0 : 9223372036854775808.0);
  if constexpr (std::is_same_v<To, uint64_t>) {
    if (x >= limit && x < 2 * limit) return static_cast<uint64_t>(x);
  }
  if (x != x) return 0;
  const bool fits = x >= -limit && x < limit;
  return static_cast<To>(fits ? static_cast<Wide>(x) : std::numeric_limits<Wide>::min());
}

template <class To, class From>
To cast(From stored) noexcept {
  const auto x = value(stored);
  using V = std::remove_const_t<decltype(x)>;
  if constexpr (std::is_same_v<To, Bool>) {
    return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (is_half<To>) {
    float f;
    if constexpr (std::is_same_v<V, float>) f = x;
    else f = round_to_odd(static_cast<double>(x));
    if constexpr (std::is_same_v<To, Bfloat16>) return {half::bfloat16_of(f)};
    else return {half::float16_of(f)};
  } else if constexpr (std::is_floating_point_v<V> && std::is_integral_v<To>) {
    return truncate<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
void loop(const void* x, void* y, int64_t n) noexcept {
  const From* from = static_cast<const From*>(x);
  To* to = static_cast<To*>(y);
  for (int64_t i = 0; i < n; ++i) to[i] = cast<To>(from[i]);
}

using Loop = void (*)(const void*, void*, int64_t) noexcept;

/// Calls f(T*) with a null pointer of the stored type.
template <class F>
Loop with_type(DType t, F f) noexcept {
  switch (t) {
    case DType::float32: return f(static_cast<float*>(nullptr));
    case DType::float64: return f(static_cast<double*>(nullptr));
    case DType::bfloat16: return f(static_cast<Bfloat16*>(nullptr));
    case DType::float16: return f(static_cast<Float16*>(nullptr));
    case DType::int8: return f(static_cast<int8_t*>(nullptr));
    case DType::uint8: return f(static_cast<uint8_t*>(nullptr));
    case DType::int16: return f(static_cast<int16_t*>(nullptr));
    case DType::int32: return f(static_cast<int32_t*>(nullptr));
    case DType::int64: return f(static_cast<int64_t*>(nullptr));
    case DType::uint32: return f(static_cast<uint32_t*>(nullptr));
    case DType::uint64: return f(static_cast<uint64_t*>(nullptr));
    case DType::bool_: return f(static_cast<Bool*>(nullptr));
    case DType::string: break;
  }
  return nullptr;
}
Loop loop_of(DType from, DType to) noexcept {
  return with_type(from, [to]<class From>(From*) { return with_type(to, []<class To>(To*) -> Loop { return loop<From, To>; }); });
}

}  // namespace

void convert(DType from, const void* x, DType to, void* y, int64_t n) noexcept {
  const size_t sx = size_of(from), sy = size_of(to);
  if (from == to) {
    if (n > 0 && x != y) std::memmove(y, x, static_cast<size_t>(n) * sx);
    return;
  }
  const Loop plain = loop_of(from, to);
  if (!plain) return;
  parallel_for(n, grain_elements, [=](int64_t b, int64_t e) {
    const char* px = static_cast<const char*>(x) + static_cast<size_t>(b) * sx;
    char* py = static_cast<char*>(y) + static_cast<size_t>(b) * sy;
    if (!convert_fast(from, px, to, py, e - b)) plain(px, py, e - b);
  });
}

uint16_t to_bfloat16(float x) noexcept { return half::bfloat16_of(x); }
float from_bfloat16(uint16_t x) noexcept { return half::of_bfloat16(x); }
uint16_t to_float16(float x) noexcept { return half::float16_of(x); }
float from_float16(uint16_t x) noexcept { return half::of_float16(x); }

}  // namespace tenure::kernels

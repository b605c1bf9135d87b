// The conversions on hot paths: images and mixed precision. Plain loops, vectorized by the compiler for each instruction set.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_convert.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/convert.h"
#include "kernels/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

/// Four bytes of an unsigned lane become 16-bit halves: float to bfloat16, nearest even.
void ToBfloat16(const float* x, uint16_t* y, int64_t n) {
  const hn::ScalableTag<uint32_t> d;
  const hn::Rebind<uint16_t, decltype(d)> dh;
  const hn::Rebind<int32_t, decltype(d)> di;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + N <= n; i += N) {
    const auto u = hn::BitCast(d, hn::LoadU(hn::ScalableTag<float>(), x + i)), odd = hn::And(hn::ShiftRight<16>(u), hn::Set(d, 1u));
    const auto rounded = hn::ShiftRight<16>(hn::Add(u, hn::Add(odd, hn::Set(d, 0x7fffu))));
    const auto nan = hn::Or(hn::ShiftRight<16>(u), hn::Set(d, 0x40u));
    const auto is_nan = hn::Gt(hn::BitCast(di, hn::And(u, hn::Set(d, 0x7fffffffu))), hn::Set(di, 0x7f800000));
    const auto h = hn::IfThenElse(hn::RebindMask(d, is_nan), nan, rounded);
    hn::StoreU(hn::DemoteTo(dh, hn::BitCast(di, h)), dh, y + i);
  }
  for (; i < n; ++i) y[i] = half::bfloat16_of(x[i]);
}
void FromBfloat16(const uint16_t* x, float* y, int64_t n) {
  const hn::ScalableTag<uint32_t> d;
  const hn::Rebind<uint16_t, decltype(d)> dh;
  const hn::ScalableTag<float> df;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(hn::BitCast(df, hn::ShiftLeft<16>(hn::PromoteTo(d, hn::LoadU(dh, x + i)))), df, y + i);
  for (; i < n; ++i) y[i] = half::of_bfloat16(x[i]);
}
void FromUint8(const uint8_t* x, float* y, int64_t n) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint8_t, decltype(d)> db;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(db, x + i))), d, y + i);
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}
void FromInt32(const int32_t* x, float* y, int64_t n) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(hn::ConvertTo(d, hn::LoadU(di, x + i)), d, y + i);
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(ToBfloat16);
HWY_EXPORT(FromBfloat16);
HWY_EXPORT(FromUint8);
HWY_EXPORT(FromInt32);

bool convert_fast(DType from, const void* x, DType to, void* y, int64_t n) noexcept {
  if (from == float32 && to == bfloat16) {
    HWY_DYNAMIC_DISPATCH(ToBfloat16)(static_cast<const float*>(x), static_cast<uint16_t*>(y), n);
  } else if (from == bfloat16 && to == float32) {
    HWY_DYNAMIC_DISPATCH(FromBfloat16)(static_cast<const uint16_t*>(x), static_cast<float*>(y), n);
  } else if (from == uint8 && to == float32) {
    HWY_DYNAMIC_DISPATCH(FromUint8)(static_cast<const uint8_t*>(x), static_cast<float*>(y), n);
  } else if (from == int32 && to == float32) {
    HWY_DYNAMIC_DISPATCH(FromInt32)(static_cast<const int32_t*>(x), static_cast<float*>(y), n);
  } else {
    return false;
  }
  return true;
}

}  // namespace tenure::kernels
#endif

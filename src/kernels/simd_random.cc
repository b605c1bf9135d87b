// Philox4x32-10 (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) and what is made of its words.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_random.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/simd_math-inl.h"
#include "kernels/simd_random.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

using Tag32 = hn::ScalableTag<uint32_t>;
using Words32 = hn::Vec<Tag32>;
using Tagf = hn::ScalableTag<float>;
using Vecf = hn::Vec<Tagf>;

/// Both halves of a * b in every lane.
HWY_INLINE void MulHiLo(Words32 a, Words32 b, Words32& hi, Words32& lo) {
  const Tag32 d;
  const hn::RepartitionToWide<Tag32> dw;
  const auto even = hn::MulEven(a, b);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(dw, a))), hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(dw, b))));
  lo = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
  hi = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
}

void PhiloxWords(uint64_t key, uint64_t counter, uint64_t first, int64_t blocks, uint32_t* out) {
  const Tag32 d;
  const hn::RebindToSigned<Tag32> di;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  const auto m0 = hn::Set(d, 0xD2511F53u), m1 = hn::Set(d, 0xCD9E8D57u);
  HWY_ALIGN uint32_t part[4 * hn::MaxLanes(Tag32())];
  for (int64_t b = 0; b < blocks; b += N) {
    const uint64_t block = first + static_cast<uint64_t>(b);
    const auto base = hn::Set(d, static_cast<uint32_t>(block));
    auto c0 = hn::Add(base, hn::Iota(d, 0u));
    const auto carry = hn::BitCast(d, hn::VecFromMask(di, hn::RebindMask(di, hn::Lt(c0, base))));
    auto c1 = hn::Sub(hn::Set(d, static_cast<uint32_t>(block >> 32)), carry);
    auto c2 = hn::Set(d, static_cast<uint32_t>(counter)), c3 = hn::Set(d, static_cast<uint32_t>(counter >> 32));
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      Words32 hi0, lo0, hi1, lo1;
      MulHiLo(m0, c0, hi0, lo0);
      MulHiLo(m1, c2, hi1, lo1);
      c0 = hn::Xor(hn::Xor(hi1, c1), hn::Set(d, k0));
      c2 = hn::Xor(hn::Xor(hi0, c3), hn::Set(d, k1));
      c1 = lo1;
      c3 = lo0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    if (b + N <= blocks) {
      hn::StoreInterleaved4(c0, c1, c2, c3, d, out + 4 * b);
    } else {
      hn::StoreInterleaved4(c0, c1, c2, c3, d, part);
      std::memcpy(out + 4 * b, part, static_cast<size_t>(4 * (blocks - b)) * sizeof(uint32_t));
    }
  }
}

/// The upper 24 bits as a number.
HWY_INLINE Vecf Upper24(Words32 w) {
  const hn::RebindToSigned<Tag32> di;
  return hn::ConvertTo(Tagf(), hn::BitCast(di, hn::ShiftRight<8>(w)));
}

/// y[i] = f(words[i]).
template <class F>
HWY_INLINE void MapWords(const uint32_t* w, float* y, int64_t n, F f) {
  const Tag32 d;
  const Tagf df;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(f(hn::LoadU(d, w + i)), df, y + i);
  if (i < n) StoreFirst(df, f(LoadFirst(d, w + i, static_cast<size_t>(n - i))), y + i, static_cast<size_t>(n - i));
}

void Uniform(const uint32_t* w, float* y, int64_t n, float lo, float hi, float below_hi) {
  const Tagf d;
  const auto width = hn::Set(d, (hi - lo) * 0x1p-24f), from = hn::Set(d, lo), last = hn::Set(d, below_hi);
  MapWords(w, y, n, [=](auto v) HWY_ATTR { return hn::Min(hn::MulAdd(Upper24(v), width, from), last); });
}

void Normal(const uint32_t* w, float* y, int64_t n, float mean, float stddev) {
  const Tagf d;
  const Tag32 du;
  const hn::RebindToSigned<Tag32> di;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  const auto m = hn::Set(d, mean), s = hn::Set(d, stddev);
  HWY_ALIGN uint32_t from[2 * hn::MaxLanes(Tag32())] = {};
  HWY_ALIGN float to[2 * hn::MaxLanes(Tagf())];
  for (int64_t i = 0; i < n; i += 2 * N) {
    const bool whole = i + 2 * N <= n;
    const int64_t count = whole ? 2 * N : n - i;
    if (!whole) std::memcpy(from, w + i, static_cast<size_t>((count + 1) / 2 * 2) * sizeof(uint32_t));
    Words32 a, b;
    hn::LoadInterleaved2(du, whole ? w + i : from, a, b);
    const Vecf u = hn::Mul(hn::Add(Upper24(a), hn::Set(d, 1.0f)), hn::Set(d, 0x1p-24f));
    const Vecf r = hn::Mul(s, hn::Sqrt(hn::Mul(hn::Set(d, -2.0f), Log(d, u))));
    const Vecf angle = hn::Mul(hn::ConvertTo(d, hn::BitCast(di, b)), hn::Set(d, 6.283185307179586f * 0x1p-32f));
    const Vecf z0 = hn::MulAdd(r, SinQuarter(d, angle, 1), m), z1 = hn::MulAdd(r, SinQuarter(d, angle, 0), m);
    hn::StoreInterleaved2(z0, z1, d, whole ? y + i : to);
    if (!whole) std::memcpy(y + i, to, static_cast<size_t>(count) * sizeof(float));
  }
}

/// sqrt(2) erfinv(x), |x| < 0.9966: the central branch of M. Giles, "Approximating the erfinv function" (2010).
void Truncated(const uint32_t* words, float* y, int64_t n, float mean, float stddev) {
  const Tagf d;
  const auto m = hn::Set(d, mean), s = hn::Set(d, stddev * 1.41421356237f), one = hn::Set(d, 1.0f);
  MapWords(words, y, n, [=](auto v) HWY_ATTR {
    const Vecf u = hn::Mul(hn::Add(Upper24(v), hn::Set(d, 0.5f)), hn::Set(d, 0x1p-24f));
    const Vecf x = hn::Mul(hn::MulAdd(u, hn::Set(d, 2.0f), hn::Neg(one)), hn::Set(d, 0.9544997361036416f));
    const Vecf w = hn::Sub(hn::Neg(Log(d, hn::Mul(hn::Sub(one, x), hn::Add(one, x)))), hn::Set(d, 2.5f));
    const Vecf p = Poly(d, w, 2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f, -0.00125372503f, -0.00417768164f,
                        0.246640727f, 1.50140941f);
    return hn::MulAdd(hn::Mul(p, x), s, m);
  });
}

void Dropout(const uint32_t* words, const float* x, float* y, int64_t n, uint32_t threshold, float scale) {
  const Tagf d;
  const Tag32 du;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  const auto t = hn::Set(du, threshold);
  const auto s = hn::Set(d, scale);
  for (int64_t i = 0; i < n; i += N) {
    const size_t k = static_cast<size_t>(n - i < N ? n - i : N);
    const auto w = LoadFirst(du, words + i, k);
    const auto keep = hn::RebindMask(d, hn::Not(hn::Lt(w, t)));
    StoreFirst(d, hn::IfThenElseZero(keep, hn::Mul(LoadFirst(d, x + i, k), s)), y + i, k);
  }
}

constexpr RandomTable kRandom = {PhiloxWords, Uniform, Normal, Truncated, Dropout};
const RandomTable* Random() { return &kRandom; }

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(Random);
const RandomTable& random_table() noexcept { return *HWY_DYNAMIC_DISPATCH(Random)(); }
}  // namespace tenure::kernels
#endif

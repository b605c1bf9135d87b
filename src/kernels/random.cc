// Random numbers: blocks of words in tiles on the stack, split at block borders, so value i never depends on threads or length.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/simd_random.h"
#include "kernels/simd_targets.h"

namespace tenure::kernels {
namespace {

constexpr int64_t tile_blocks = 128;  // 2 KiB of words

/// Calls f(first, count, words) for all values in tiles; word w of a tile belongs to value first + w / words_per_value.
template <class F>
void each_tile(uint64_t key, uint64_t counter, int64_t n, int64_t words_per_value, F f) noexcept {
  const int64_t per_block = 4 / words_per_value, blocks = (n + per_block - 1) / per_block;
  const auto& table = random_table();
  parallel_for(blocks, grain_elements / 16, [&](int64_t b, int64_t e) {
    alignas(64) uint32_t words[4 * tile_blocks];
    for (int64_t t = b; t < e; t += tile_blocks) {
      const int64_t count = std::min(tile_blocks, e - t), first = t * per_block;
      table.words(key, counter, static_cast<uint64_t>(t), count, words);
      f(first, std::min(count * per_block, n - first), words);
    }
  });
}

inline uint64_t word64(const uint32_t* w, int64_t i) noexcept { return w[2 * i] | static_cast<uint64_t>(w[2 * i + 1]) << 32; }
inline double unit64(uint64_t w) noexcept { return static_cast<double>(w >> 11) * 0x1p-53; }
/// floor(w * range / 2^64).
inline uint64_t scale64(uint64_t w, uint64_t range) noexcept {
  const uint64_t wl = w & 0xffffffffu, wh = w >> 32, rl = range & 0xffffffffu, rh = range >> 32;
  const uint64_t low = wl * rl, m1 = wh * rl + (low >> 32), m2 = wl * rh + (m1 & 0xffffffffu);
  return wh * rh + (m1 >> 32) + (m2 >> 32);
}
/// Words below it are dropped; 2^32 drops all.
inline uint64_t threshold_of(double rate) noexcept { return static_cast<uint64_t>(std::clamp(rate, 0.0, 1.0) * 0x1p32 + 0.5); }

/// The inverse of the normal distribution function by Newton steps on erfc; for |z| <= 2.
double inverse_normal(double p) noexcept {
  double z = 0;
  for (int i = 0; i < 60; ++i) {
    const double f = 0.5 * std::erfc(-z * std::sqrt(0.5)) - p, step = f * std::sqrt(2 * 3.14159265358979323846) * std::exp(0.5 * z * z);
    z -= std::clamp(step, -0.5, 0.5);
    if (std::fabs(step) < 1e-15) break;
  }
  return std::clamp(z, -2.0, 2.0);
}

}  // namespace

void philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) noexcept {
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1;
    c[1] = static_cast<uint32_t>(p1);
    c[3] = static_cast<uint32_t>(p0);
    c[0] = n0;
    c[2] = n2;
  }
  std::copy_n(c, 4, out);
}

template <>
void philox_uniform<float>(uint64_t key, uint64_t counter, float* y, int64_t n, float lo, float hi) noexcept {
  const float below = hi > lo ? std::nextafter(hi, lo) : lo;
  each_tile(key, counter, n, 1, [=](int64_t at, int64_t k, const uint32_t* w) { random_table().uniform(w, y + at, k, lo, hi, below); });
}
template <>
void philox_uniform<double>(uint64_t key, uint64_t counter, double* y, int64_t n, double lo, double hi) noexcept {
  const double below = hi > lo ? std::nextafter(hi, lo) : lo;
  each_tile(key, counter, n, 2, [=](int64_t at, int64_t k, const uint32_t* w) {
    for (int64_t i = 0; i < k; ++i) y[at + i] = std::min(lo + (hi - lo) * unit64(word64(w, i)), below);
  });
}

template <>
void philox_normal<float>(uint64_t key, uint64_t counter, float* y, int64_t n, float mean, float stddev) noexcept {
  each_tile(key, counter, n, 1, [=](int64_t at, int64_t k, const uint32_t* w) { random_table().normal(w, y + at, k, mean, stddev); });
}
template <>
void philox_normal<double>(uint64_t key, uint64_t counter, double* y, int64_t n, double mean, double stddev) noexcept {
  each_tile(key, counter, n, 2, [=](int64_t at, int64_t k, const uint32_t* w) {
    for (int64_t i = 0; i < k; i += 2) {
      const double r = stddev * std::sqrt(-2 * std::log(unit64(word64(w, i)) + 0x1p-53)), a = 6.283185307179586 * unit64(word64(w, i + 1));
      y[at + i] = mean + r * std::cos(a);
      if (i + 1 < k) y[at + i + 1] = mean + r * std::sin(a);
    }
  });
}

template <>
void philox_truncated_normal<float>(uint64_t key, uint64_t counter, float* y, int64_t n, float mean, float stddev) noexcept {
  each_tile(key, counter, n, 1, [=](int64_t at, int64_t k, const uint32_t* w) { random_table().truncated(w, y + at, k, mean, stddev); });
}
template <>
void philox_truncated_normal<double>(uint64_t key, uint64_t counter, double* y, int64_t n, double mean, double stddev) noexcept {
  const double lowest = 0.5 * std::erfc(std::sqrt(2.0)), width = 1 - 2 * lowest;
  each_tile(key, counter, n, 2, [=](int64_t at, int64_t k, const uint32_t* w) {
    for (int64_t i = 0; i < k; ++i) y[at + i] = mean + stddev * inverse_normal(lowest + width * unit64(word64(w, i)));
  });
}

void philox_bernoulli(uint64_t key, uint64_t counter, uint8_t* y, int64_t n, double p) noexcept {
  const uint64_t threshold = threshold_of(p);
  each_tile(key, counter, n, 1, [=](int64_t at, int64_t k, const uint32_t* w) {
    for (int64_t i = 0; i < k; ++i) y[at + i] = w[i] < threshold;
  });
}

template <class T>
void philox_dropout(uint64_t key, uint64_t counter, const T* x, T* y, uint8_t* mask, int64_t n, double rate, T scale) noexcept {
  const uint64_t threshold = threshold_of(rate);
  each_tile(key, counter, n, 1, [=](int64_t at, int64_t k, const uint32_t* w) {
    if (mask)
      for (int64_t i = 0; i < k; ++i) mask[at + i] = w[i] >= threshold;
    if constexpr (sizeof(T) == 4) {
      if (threshold >> 32 == 0) return random_table().dropout(w, x + at, y + at, k, static_cast<uint32_t>(threshold), scale);
    }
    for (int64_t i = 0; i < k; ++i) y[at + i] = w[i] >= threshold ? x[at + i] * scale : T{0};
  });
}
template void philox_dropout(uint64_t, uint64_t, const float*, float*, uint8_t*, int64_t, double, float) noexcept;
template void philox_dropout(uint64_t, uint64_t, const double*, double*, uint8_t*, int64_t, double, double) noexcept;

void philox_bits64(uint64_t key, uint64_t counter, uint64_t* y, int64_t n) noexcept {
  each_tile(key, counter, n, 2, [=](int64_t at, int64_t k, const uint32_t* w) {
    for (int64_t i = 0; i < k; ++i) y[at + i] = word64(w, i);
  });
}
void philox_integers(uint64_t key, uint64_t counter, int64_t* y, int64_t n, int64_t lo, int64_t hi) noexcept {
  const uint64_t range = hi > lo ? static_cast<uint64_t>(hi) - static_cast<uint64_t>(lo) : 1;
  each_tile(key, counter, n, 2, [=](int64_t at, int64_t k, const uint32_t* w) {
    for (int64_t i = 0; i < k; ++i) y[at + i] = static_cast<int64_t>(static_cast<uint64_t>(lo) + scale64(word64(w, i), range));
  });
}
void philox_permutation(uint64_t key, uint64_t counter, int64_t* y, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = i;
  uint64_t draws[tile_blocks];
  alignas(64) uint32_t words[2 * tile_blocks];
  for (int64_t from = 0; from < n; from += tile_blocks) {
    random_table().words(key, counter, static_cast<uint64_t>(from / 2), tile_blocks / 2, words);
    for (int64_t i = 0; i < tile_blocks; ++i) draws[i] = word64(words, i);
    for (int64_t i = from; i < std::min(n, from + tile_blocks); ++i) std::swap(y[i], y[scale64(draws[i - from], static_cast<uint64_t>(i) + 1)]);
  }
}

}  // namespace tenure::kernels

// Random numbers for orders and drawings: the same on every machine and standard library.
#pragma once

#include <cstdint>

namespace tenure::data {

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, every seed is good.
class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t stream = 0) noexcept : state_(mix(seed) ^ mix(stream * 2 + 1)) {}
  uint64_t next() noexcept { return mix(state_ += 0x9e3779b97f4a7c15u); }
  /// Even over [0, n), n >= 1.
  uint64_t below(uint64_t n) noexcept {
    const uint64_t limit = n * (UINT64_MAX / n);
    for (;;)
      if (uint64_t v = next(); v < limit) return v % n;
  }
  /// Even over [low, high).
  double uniform(double low = 0, double high = 1) noexcept { return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53); }

  static uint64_t mix(uint64_t z) noexcept {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace tenure::data

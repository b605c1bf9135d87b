// Helpers of the kernel tests: every instruction set the machine has, one and two threads, random data, comparison.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "base/parallel.h"
#include "kernels/kernels.h"

namespace tenure::kernels::test {

/// Calls f once for each instruction set and for 1 and 2 threads.
template <class F>
void everywhere(F f) {
  const int bound = max_threads();
  for (const int64_t target : {int64_t{HWY_SSE4}, int64_t{HWY_AVX2}, int64_t{HWY_AVX3}}) {
    hwy::SetSupportedTargetsForTest(0);
    if (!(hwy::SupportedTargets() & target)) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    for (const int threads : {1, 2}) {
      SCOPED_TRACE(std::string(hwy::TargetName(target)) + ", threads: " + std::to_string(threads));
      set_max_threads(threads);
      f();
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  set_max_threads(bound);
}

/// n numbers in [lo, hi), the same for the same seed.
template <class T>
std::vector<T> numbers(int64_t n, double lo = -1, double hi = 1, uint64_t seed = 1) {
  std::vector<T> v(static_cast<size_t>(n));
  uint64_t s = seed * 0x9E3779B97F4A7C15u + 12345;
  for (T& x : v) {
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    x = static_cast<T>(lo + (hi - lo) * (static_cast<double>(s >> 11) * 0x1p-53));
  }
  return v;
}

/// max |a - b| <= tolerance * max(1, max |b|), NaN and infinities at the same places.
template <class A, class B>
void expect_close(const std::vector<A>& a, const std::vector<B>& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  double scale = 1;
  for (const B& v : b)
    if (std::isfinite(static_cast<double>(v))) scale = std::max(scale, std::fabs(static_cast<double>(v)));
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (std::isnan(y)) {
      ASSERT_TRUE(std::isnan(x)) << "at " << i << ": " << x << " instead of NaN";
    } else if (std::isinf(y)) {
      ASSERT_EQ(x, y) << "at " << i;
    } else {
      ASSERT_LE(std::fabs(x - y), tolerance * scale) << "at " << i << ": " << x << " instead of " << y;
    }
  }
}

/// Sizes around vector widths, and ones that threads share.
inline std::vector<int64_t> odd_sizes() { return {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100, 1001, 40003}; }

}  // namespace tenure::kernels::test

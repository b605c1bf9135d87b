// The instruction sets that are compiled: on x86-64 SSE4, AVX2 and AVX-512 (oneDNN too needs SSE4). Include before hwy/highway.h.
#pragma once

#if defined(__x86_64__)
#define HWY_BASELINE_TARGETS HWY_SSE4
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif

// An array of vectors stays in registers only where every loop over it is unrolled: GCC 12 else stores all of it in every step.
#define TENURE_UNROLLED HWY_UNROLL(16)

#include <cstdint>

namespace tenure::kernels {

/// Elements below which a loop is not worth a second thread.
inline constexpr int64_t grain_elements = 16384;
/// Rows of `n` elements that make a piece of work.
constexpr int64_t grain_rows(int64_t n) noexcept { return n >= grain_elements ? 1 : (grain_elements + n) / (n > 0 ? n : 1); }

}  // namespace tenure::kernels

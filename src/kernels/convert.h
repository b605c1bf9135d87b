// Between convert.cc and simd_convert.cc. Internal to kernels.
#pragma once

#include <cstdint>

#include "kernels/half.h"
#include "kernels/kernels.h"

namespace tenure::kernels {

/// Converts if this pair has a vector version; false if not.
bool convert_fast(DType from, const void* x, DType to, void* y, int64_t n) noexcept;

}  // namespace tenure::kernels

// The double versions of what simd_math.cc does for float: plain loops on libm. Internal to kernels.
#pragma once

#include <cstdint>

#include "kernels/kernels.h"

namespace tenure::kernels::scalar {

double unary(Unary op, double x, double alpha) noexcept;
void unary(Unary op, const double* x, double* y, int64_t n, double alpha) noexcept;
void unary_grad(Unary op, const double* dy, const double* ref, double* dx, int64_t n, double alpha) noexcept;

}  // namespace tenure::kernels::scalar

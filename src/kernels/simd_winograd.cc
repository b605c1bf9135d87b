// The transforms of F(2x2, 3x3): channels in vectors. See winograd.h.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_winograd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/simd_math-inl.h"
#include "kernels/winograd.h"

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

using WinogradD = hn::ScalableTag<float>;
using WinogradV = hn::Vec<WinogradD>;

/// One dimension of B^T d.
HWY_INLINE void Differences(const WinogradV (&x)[4], WinogradV (&y)[4]) {
  y[0] = hn::Sub(x[0], x[2]);
  y[1] = hn::Add(x[1], x[2]);
  y[2] = hn::Sub(x[2], x[1]);
  y[3] = hn::Sub(x[1], x[3]);
}

void WinogradInput(const float* x, const WinogradRow& row, float* matrices) {
  const WinogradD d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t t = 0; t < row.tiles; ++t, matrices += row.c) {
    const float* pixel[4][4];
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t j = 0; j < 4; ++j) {
        const int64_t at_y = row.top + i, at_x = row.left + 2 * t + j;
        const bool inside = at_y >= 0 && at_y < row.h && at_x >= 0 && at_x < row.w;
        pixel[i][j] = inside ? x + (at_y * row.w + at_x) * row.c : row.zeros;
      }
    for (int64_t c = 0; c < row.c; c += N) {
      WinogradV down[4][4];  // [column of the window][row of the result]
      TENURE_UNROLLED
      for (int j = 0; j < 4; ++j) {
        const WinogradV column[4] = {hn::LoadU(d, pixel[0][j] + c), hn::LoadU(d, pixel[1][j] + c), hn::LoadU(d, pixel[2][j] + c),
                                     hn::LoadU(d, pixel[3][j] + c)};
        Differences(column, down[j]);
      }
      TENURE_UNROLLED
      for (int i = 0; i < 4; ++i) {
        const WinogradV line[4] = {down[0][i], down[1][i], down[2][i], down[3][i]};
        WinogradV result[4];
        Differences(line, result);
        float* to = matrices + 4 * i * row.matrix_stride + c;
        TENURE_UNROLLED
        for (int j = 0; j < 4; ++j) hn::StoreU(result[j], d, to + j * row.matrix_stride);
      }
    }
  }
}

void WinogradOutputs(const float* m, const WinogradOutput& o, float* y) {
  const WinogradD d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  const WinogradV floor = hn::Set(d, o.floor), ceiling = hn::Set(d, o.ceiling);
  for (int64_t t = 0; t < o.tiles; ++t, m += o.cols, y += 2 * o.pixel) {
    const bool right = 2 * t + 1 < o.width;
    for (int64_t c = 0; c < o.cols; c += N) {
      WinogradV upper[4], lower[4];
      TENURE_UNROLLED
      for (int j = 0; j < 4; ++j) {
        const float* from = m + j * o.matrix_stride + c;
        const WinogradV a = hn::LoadU(d, from), b = hn::LoadU(d, from + 4 * o.matrix_stride), e = hn::LoadU(d, from + 8 * o.matrix_stride),
                        f = hn::LoadU(d, from + 12 * o.matrix_stride);
        upper[j] = hn::Add(hn::Add(a, b), e);
        lower[j] = hn::Sub(hn::Sub(b, e), f);
      }
      const WinogradV bias = o.bias ? hn::LoadU(d, o.bias + c) : hn::Zero(d);
      const auto write = [&](WinogradV v, float* to) HWY_ATTR {
        v = hn::Add(v, bias);
        if (o.sum) v = hn::Add(v, hn::LoadU(d, to));
        hn::StoreU(AtMost(d, AtLeast(d, v, floor), ceiling), d, to);
      };
      const auto line = [&](const WinogradV(&p)[4], float* to) HWY_ATTR {
        write(hn::Add(hn::Add(p[0], p[1]), p[2]), to);
        if (right) write(hn::Sub(hn::Sub(p[1], p[2]), p[3]), to + o.pixel);
      };
      line(upper, y + c);
      if (o.rows > 1) line(lower, y + o.line + c);
    }
  }
}

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(WinogradInput);
HWY_EXPORT(WinogradOutputs);

void winograd_input(const float* x, const WinogradRow& row, float* matrices) noexcept { HWY_DYNAMIC_DISPATCH(WinogradInput)(x, row, matrices); }
void winograd_output(const float* m, const WinogradOutput& o, float* y) noexcept { HWY_DYNAMIC_DISPATCH(WinogradOutputs)(m, o, y); }

}  // namespace tenure::kernels
#endif

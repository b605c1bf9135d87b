// Pooling over NHWC: channels in vectors, rows of the output in threads.
#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_pool.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "base/parallel.h"
#include "kernels/dnn.h"
#include "kernels/simd_math-inl.h"

#ifndef TENURE_SIMD_POOL_TABLE
#define TENURE_SIMD_POOL_TABLE
namespace tenure::kernels {
/// The pixels under one window: how many down and right, the first one, what a step down or right adds, and the window's own index of the first.
struct Window {
  int64_t rows, cols, first, down, right, at, width;
};
template <class T>
struct PoolTable {
  void (*max)(const T* x, const Window& w, int64_t c, T* y);
  void (*max_index)(const T* x, const Window& w, int64_t c, T* y, int32_t* index);
  void (*average)(const T* x, const Window& w, int64_t c, T* y);
  void (*add_scaled)(const T* g, T scale, int64_t c, T* y);
};
}  // namespace tenure::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tenure::kernels::HWY_NAMESPACE {

template <class T>
void MaxPixel(const T* x, const Window& w, int64_t c, T* y) {
  const hn::ScalableTag<T> d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  x += w.first;
  for (int64_t i = 0; i < c; i += N) {
    const size_t k = static_cast<size_t>(c - i < N ? c - i : N);
    const bool whole = static_cast<int64_t>(k) == N;
    auto best = whole ? hn::LoadU(d, x + i) : LoadFirst(d, x + i, k);
    for (int64_t r = 0; r < w.rows; ++r) {
      const T* p = x + r * w.down + i;
      for (int64_t q = 0; q < w.cols; ++q, p += w.right) best = Greater(d, best, whole ? hn::LoadU(d, p) : LoadFirst(d, p, k));
    }
    if (whole) hn::StoreU(best, d, y + i);
    else StoreFirst(d, best, y + i, k);
  }
}

/// Also writes the window's index of the first greatest pixel; float only (indices are lanes of the same width).
void MaxIndexPixel(const float* x, const Window& w, int64_t c, float* y, int32_t* index) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  x += w.first;
  for (int64_t i = 0; i < c; i += N) {
    const size_t k = static_cast<size_t>(c - i < N ? c - i : N);
    const bool whole = static_cast<int64_t>(k) == N;
    auto best = whole ? hn::LoadU(d, x + i) : LoadFirst(d, x + i, k);
    auto where = hn::Set(di, static_cast<int32_t>(w.at));
    for (int64_t r = 0; r < w.rows; ++r) {
      const float* p = x + r * w.down + i;
      for (int64_t q = 0; q < w.cols; ++q, p += w.right) {
        const auto v = whole ? hn::LoadU(d, p) : LoadFirst(d, p, k);
        const auto better = hn::Or(hn::Gt(v, best), hn::AndNot(hn::IsNaN(best), hn::IsNaN(v)));
        best = hn::IfThenElse(better, v, best);
        where = hn::IfThenElse(hn::RebindMask(di, better), hn::Set(di, static_cast<int32_t>(w.at + r * w.width + q)), where);
      }
    }
    StoreFirst(d, best, y + i, k);
    StoreFirst(di, where, index + i, k);
  }
}
void MaxIndexPixelDouble(const double* x, const Window& w, int64_t c, double* y, int32_t* index) {
  x += w.first;
  for (int64_t i = 0; i < c; ++i) {
    double best = x[i];
    int64_t where = w.at;
    for (int64_t r = 0; r < w.rows; ++r) {
      for (int64_t q = 0; q < w.cols; ++q) {
        const double v = x[r * w.down + q * w.right + i];
        if (v > best || (v != v && best == best)) {
          best = v;
          where = w.at + r * w.width + q;
        }
      }
    }
    y[i] = best;
    index[i] = static_cast<int32_t>(where);
  }
}

template <class T>
void AveragePixel(const T* x, const Window& w, int64_t c, T* y) {
  const hn::ScalableTag<T> d;
  const int64_t N = static_cast<int64_t>(hn::Lanes(d));
  const auto count = hn::Set(d, static_cast<T>(std::max<int64_t>(1, w.rows * w.cols)));
  x += w.first;
  for (int64_t i = 0; i < c; i += N) {
    const size_t k = static_cast<size_t>(c - i < N ? c - i : N);
    const bool whole = static_cast<int64_t>(k) == N;
    auto s = hn::Zero(d);
    for (int64_t r = 0; r < w.rows; ++r) {
      const T* p = x + r * w.down + i;
      for (int64_t q = 0; q < w.cols; ++q, p += w.right) s = hn::Add(s, whole ? hn::LoadU(d, p) : LoadFirst(d, p, k));
    }
    s = hn::Div(s, count);
    if (whole) hn::StoreU(s, d, y + i);
    else StoreFirst(d, s, y + i, k);
  }
}
template <class T>
void AddScaled(const T* g, T scale, int64_t c, T* y) {
  const hn::ScalableTag<T> d;
  const auto s = hn::Set(d, scale);
  Map2(d, g, y, y, c, [=](auto u, auto v) HWY_ATTR { return hn::MulAdd(u, s, v); });
}

constexpr PoolTable<float> kPoolFloat = {MaxPixel<float>, MaxIndexPixel, AveragePixel<float>, AddScaled<float>};
constexpr PoolTable<double> kPoolDouble = {MaxPixel<double>, MaxIndexPixelDouble, AveragePixel<double>, AddScaled<double>};
const PoolTable<float>* PoolFloat() { return &kPoolFloat; }
const PoolTable<double>* PoolDouble() { return &kPoolDouble; }

}  // namespace tenure::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tenure::kernels {
HWY_EXPORT(PoolFloat);
HWY_EXPORT(PoolDouble);

namespace {

constexpr int64_t grain = 16384;

template <class T>
const PoolTable<T>& table() noexcept {
  if constexpr (sizeof(T) == 4) return *HWY_DYNAMIC_DISPATCH(PoolFloat)();
  else return *HWY_DYNAMIC_DISPATCH(PoolDouble)();
}

/// The part of output pixel (oy, ox)'s window that lies inside the image.
Window window(const Pool2DDesc& d, int64_t oy, int64_t ox) noexcept {
  const int64_t y = oy * d.stride_h - d.pad_top, x = ox * d.stride_w - d.pad_left;
  const int64_t y0 = std::max<int64_t>(y, 0), x0 = std::max<int64_t>(x, 0), y1 = std::min(y + d.kh, d.h), x1 = std::min(x + d.kw, d.w);
  return {std::max<int64_t>(0, y1 - y0), std::max<int64_t>(0, x1 - x0), (y0 * d.w + x0) * d.c, d.w * d.c, d.c, (y0 - y) * d.kw + (x0 - x), d.kw};
}

/// Calls f(image, window, output pixel) for the pixels of output rows in parallel.
template <class F>
void each_pixel(const Pool2DDesc& d, F f) noexcept {
  const int64_t oh = d.out_h(), ow = d.out_w(), work = std::max<int64_t>(1, ow * d.c * d.kh * d.kw);
  parallel_for(d.n * oh, grain / work + 1, [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r)
      for (int64_t ox = 0; ox < ow; ++ox) f(r / oh, window(d, r % oh, ox), r * ow + ox);
  });
}
/// The same where neighbours write to the same pixels: in order within an image, images in parallel.
template <class F>
void each_pixel_by_image(const Pool2DDesc& d, F f) noexcept {
  const int64_t oh = d.out_h(), ow = d.out_w();
  parallel_for(d.n, grain / std::max<int64_t>(1, oh * ow * d.c) + 1, [&](int64_t b, int64_t e) {
    for (int64_t n = b; n < e; ++n)
      for (int64_t p = 0; p < oh * ow; ++p) f(n, window(d, p / ow, p % ow), n * oh * ow + p);
  });
}

}  // namespace

template <class T>
void max_pool(const Pool2DDesc& d, const T* x, T* y, void* index) noexcept {
  const auto& t = table<T>();
  const int64_t image = d.h * d.w * d.c;
  each_pixel(d, [&](int64_t n, const Window& w, int64_t p) {
    if (w.rows == 0 || w.cols == 0) {
      std::fill_n(y + p * d.c, d.c, -std::numeric_limits<T>::infinity());
      if (index)
        std::fill_n(static_cast<uint8_t*>(index) + static_cast<size_t>(p * d.c) * d.index_size(), static_cast<size_t>(d.c) * d.index_size(), 0);
      return;
    }
    if (!index) return t.max(x + n * image, w, d.c, y + p * d.c);
    if (d.index_size() == 4) return t.max_index(x + n * image, w, d.c, y + p * d.c, static_cast<int32_t*>(index) + p * d.c);
    int32_t where[256];
    for (int64_t c = 0; c < d.c; c += 256) {
      const int64_t k = std::min<int64_t>(256, d.c - c);
      t.max_index(x + n * image + c, w, k, y + p * d.c + c, where);
      uint8_t* to = static_cast<uint8_t*>(index) + p * d.c + c;
      for (int64_t i = 0; i < k; ++i) to[i] = static_cast<uint8_t>(where[i]);
    }
  });
}

template <class T>
void max_pool_grad(const Pool2DDesc& d, const T* dy, const void* index, T* dx) noexcept {
  const int64_t image = d.h * d.w * d.c;
  std::fill_n(dx, d.n * image, T{0});
  const bool narrow = d.index_size() == 1;
  each_pixel_by_image(d, [&](int64_t n, const Window& w, int64_t p) {
    if (w.rows == 0 || w.cols == 0) return;
    // window position 0 relative to the image, may lie outside; recorded positions never do
    T* origin = dx + n * image;
    const int64_t first = w.first - (w.at / d.kw) * w.down - (w.at % d.kw) * d.c;
    for (int64_t c = 0; c < d.c; ++c) {
      const int64_t k = narrow ? static_cast<const uint8_t*>(index)[p * d.c + c] : static_cast<const int32_t*>(index)[p * d.c + c];
      origin[first + (k / d.kw) * w.down + (k % d.kw) * d.c + c] += dy[p * d.c + c];
    }
  });
}

template <class T>
void avg_pool(const Pool2DDesc& d, const T* x, T* y) noexcept {
  const auto& t = table<T>();
  each_pixel(d, [&](int64_t n, const Window& w, int64_t p) { t.average(x + n * d.h * d.w * d.c, w, d.c, y + p * d.c); });
}

template <class T>
void avg_pool_grad(const Pool2DDesc& d, const T* dy, T* dx) noexcept {
  const auto& t = table<T>();
  const int64_t image = d.h * d.w * d.c;
  std::fill_n(dx, d.n * image, T{0});
  each_pixel_by_image(d, [&](int64_t n, const Window& w, int64_t p) {
    if (w.rows == 0 || w.cols == 0) return;
    const T scale = T{1} / static_cast<T>(w.rows * w.cols);
    for (int64_t r = 0; r < w.rows; ++r)
      for (int64_t q = 0; q < w.cols; ++q) t.add_scaled(dy + p * d.c, scale, d.c, dx + n * image + w.first + r * w.down + q * d.c);
  });
}

template void max_pool(const Pool2DDesc&, const float*, float*, void*) noexcept;
template void max_pool(const Pool2DDesc&, const double*, double*, void*) noexcept;
template void max_pool_grad(const Pool2DDesc&, const float*, const void*, float*) noexcept;
template void max_pool_grad(const Pool2DDesc&, const double*, const void*, double*) noexcept;
template void avg_pool(const Pool2DDesc&, const float*, float*) noexcept;
template void avg_pool(const Pool2DDesc&, const double*, double*) noexcept;
template void avg_pool_grad(const Pool2DDesc&, const float*, float*) noexcept;
template void avg_pool_grad(const Pool2DDesc&, const double*, double*) noexcept;

}  // namespace tenure::kernels
#endif

// Resizing NHWC images with TensorFlow's numbers: half-pixel centres, float32 coordinates, no contraction into fused multiply-adds.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/simd_targets.h"

namespace tenure::kernels {
namespace {

float ratio(int64_t in, int64_t out) noexcept { return static_cast<float>(in) / static_cast<float>(out); }

/// The two source pixels of an output pixel and the weight of the second.
struct Lerp {
  int64_t low, high;
  float weight;
  Lerp(int64_t i, float scale, int64_t size) noexcept {
    const float at = (static_cast<float>(i) + 0.5f) * scale - 0.5f, floor = std::floor(at);
    low = std::max(static_cast<int64_t>(floor), int64_t{0});
    high = std::min(static_cast<int64_t>(std::ceil(at)), size - 1);
    low = std::min(low, size - 1);
    high = std::max(high, int64_t{0});
    weight = at - floor;
  }
};

/// The source pixels of an output pixel under a triangle of `width` (at least 1) and their weights (tf.image.resize, antialias).
struct Span {
  int64_t first, count;
  float centre, width, norm;
  Span(int64_t i, float scale, int64_t size) noexcept : width(std::max(scale, 1.0f)) {
    centre = (static_cast<float>(i) + 0.5f) * scale;
    first = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - width - 0.5f)));
    const int64_t last = std::min(size - 1, static_cast<int64_t>(std::floor(centre + width - 0.5f)));
    first = std::min(first, size - 1);
    count = std::max<int64_t>(1, last - first + 1);
    float total = 0;
    for (int64_t k = 0; k < count; ++k) total += raw(k);
    norm = total > 0 ? 1.0f / total : 1.0f;
  }
  float raw(int64_t k) const noexcept { return std::max(0.0f, 1.0f - std::fabs((static_cast<float>(first + k) + 0.5f - centre) * (1.0f / width))); }
  float weight(int64_t k) const noexcept { return raw(k) * norm; }
};

template <class T>
void bilinear_row(const T* top, const T* bottom, float wy, float* y, const ResizeDesc& d, float scale) noexcept {
  for (int64_t ox = 0; ox < d.out_w; ++ox, y += d.c) {
    const Lerp l(ox, scale, d.w);
    const T *tl = top + l.low * d.c, *tr = top + l.high * d.c, *bl = bottom + l.low * d.c, *br = bottom + l.high * d.c;
    for (int64_t c = 0; c < d.c; ++c) {
      const float a = static_cast<float>(tl[c]), b = static_cast<float>(bl[c]);
      const float t = a + (static_cast<float>(tr[c]) - a) * l.weight, u = b + (static_cast<float>(br[c]) - b) * l.weight;
      y[c] = t + (u - t) * wy;
    }
  }
}

/// One row of outputs: columns are first summed downwards into a buffer, a stretch of them at a time, then across.
template <class T>
void antialias_row(const T* image, const Span& v, float* y, const ResizeDesc& d, float scale) noexcept {
  constexpr int64_t room = 4096;
  float buffer[room];
  const int64_t channels = std::min<int64_t>(d.c, 64), columns = room / channels;
  for (int64_t c0 = 0; c0 < d.c; c0 += channels) {
    const int64_t cn = std::min(channels, d.c - c0);
    int64_t from = 0, to = 0;  // columns in the buffer
    for (int64_t ox = 0; ox < d.out_w; ++ox) {
      const Span h(ox, scale, d.w);
      float* out = y + ox * d.c + c0;
      std::fill_n(out, cn, 0.0f);
      for (int64_t k = 0; k < h.count; ++k) {
        const int64_t x = h.first + k;
        if (x < from || x >= to) {
          from = x;
          to = std::min(d.w, x + columns);
          std::fill_n(buffer, (to - from) * cn, 0.0f);
          for (int64_t r = 0; r < v.count; ++r) {
            const float w = v.weight(r);
            const T* row = image + ((v.first + r) * d.w + from) * d.c + c0;
            for (int64_t p = 0; p < to - from; ++p)
              for (int64_t c = 0; c < cn; ++c) buffer[p * cn + c] += w * static_cast<float>(row[p * d.c + c]);
          }
        }
        const float w = h.weight(k);
        const float* column = buffer + (x - from) * cn;
        for (int64_t c = 0; c < cn; ++c) out[c] += w * column[c];
      }
    }
  }
}

}  // namespace

template <class T>
void resize_bilinear(const T* x, float* y, const ResizeDesc& d, bool antialias) noexcept {
  if (d.h <= 0 || d.w <= 0) return;
  // TensorFlow divides the other way round when it antialiases
  const float sy = antialias ? 1.0f / ratio(d.out_h, d.h) : ratio(d.h, d.out_h), sx = antialias ? 1.0f / ratio(d.out_w, d.w) : ratio(d.w, d.out_w);
  const int64_t row = d.out_w * d.c;
  parallel_for(d.n * d.out_h, grain_rows(4 * row), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      const T* image = x + r / d.out_h * d.h * d.w * d.c;
      const int64_t oy = r % d.out_h;
      if (antialias) {
        antialias_row(image, Span(oy, sy, d.h), y + r * row, d, sx);
      } else {
        const Lerp l(oy, sy, d.h);
        bilinear_row(image + l.low * d.w * d.c, image + l.high * d.w * d.c, l.weight, y + r * row, d, sx);
      }
    }
  });
}
template void resize_bilinear(const float*, float*, const ResizeDesc&, bool) noexcept;
template void resize_bilinear(const uint8_t*, float*, const ResizeDesc&, bool) noexcept;

void resize_bilinear_grad(const float* dy, float* dx, const ResizeDesc& d) noexcept {
  if (d.h <= 0 || d.w <= 0) return;
  const float sy = ratio(d.h, d.out_h), sx = ratio(d.w, d.out_w);
  const int64_t in = d.h * d.w * d.c, row = d.w * d.c;
  parallel_for(d.n, 1, [&](int64_t b, int64_t e) {
    std::fill(dx + b * in, dx + e * in, 0.0f);
    for (int64_t r = b * d.out_h; r < e * d.out_h; ++r) {
      const Lerp v(r % d.out_h, sy, d.h);
      float *top = dx + r / d.out_h * in + v.low * row, *bottom = dx + r / d.out_h * in + v.high * row;
      for (int64_t ox = 0; ox < d.out_w; ++ox) {
        const Lerp h(ox, sx, d.w);
        const float* g = dy + (r * d.out_w + ox) * d.c;
        for (int64_t c = 0; c < d.c; ++c) {
          const float t = (1 - v.weight) * g[c], u = v.weight * g[c];
          top[h.low * d.c + c] += t * (1 - h.weight);
          top[h.high * d.c + c] += t * h.weight;
          bottom[h.low * d.c + c] += u * (1 - h.weight);
          bottom[h.high * d.c + c] += u * h.weight;
        }
      }
    }
  });
}

static int64_t nearest(int64_t i, float scale, int64_t size) noexcept {
  return std::min(static_cast<int64_t>(std::floor((static_cast<float>(i) + 0.5f) * scale)), size - 1);
}

void resize_nearest(const void* x, void* y, const ResizeDesc& d, size_t size) noexcept {
  if (d.h <= 0 || d.w <= 0) return;
  const float sy = ratio(d.h, d.out_h), sx = ratio(d.w, d.out_w);
  const size_t pixel = static_cast<size_t>(d.c) * size;
  parallel_for(d.n * d.out_h, grain_rows(d.out_w * d.c), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      const int64_t row = r / d.out_h * d.h + nearest(r % d.out_h, sy, d.h);
      const char* from = static_cast<const char*>(x) + static_cast<size_t>(row * d.w) * pixel;
      char* to = static_cast<char*>(y) + static_cast<size_t>(r * d.out_w) * pixel;
      for (int64_t ox = 0; ox < d.out_w; ++ox)
        std::memcpy(to + static_cast<size_t>(ox) * pixel, from + static_cast<size_t>(nearest(ox, sx, d.w)) * pixel, pixel);
    }
  });
}

void resize_nearest_grad(const float* dy, float* dx, const ResizeDesc& d) noexcept {
  if (d.h <= 0 || d.w <= 0) return;
  const float sy = ratio(d.h, d.out_h), sx = ratio(d.w, d.out_w);
  const int64_t in = d.h * d.w * d.c;
  parallel_for(d.n, 1, [&](int64_t b, int64_t e) {
    std::fill(dx + b * in, dx + e * in, 0.0f);
    for (int64_t r = b * d.out_h; r < e * d.out_h; ++r) {
      float* row = dx + r / d.out_h * in + nearest(r % d.out_h, sy, d.h) * d.w * d.c;
      for (int64_t ox = 0; ox < d.out_w; ++ox) {
        float* to = row + nearest(ox, sx, d.w) * d.c;
        const float* g = dy + (r * d.out_w + ox) * d.c;
        for (int64_t c = 0; c < d.c; ++c) to[c] += g[c];
      }
    }
  });
}

}  // namespace tenure::kernels

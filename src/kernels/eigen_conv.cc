// Convolutions by gathered windows and Eigen products, and direct loops for one input channel a group: every case, any processor.
#include <algorithm>
#include <cstring>

#include "kernels/eigen_gemm.h"
#include "kernels/prepared.h"

namespace tenure::kernels {
namespace {

constexpr int64_t chunk = 64;  // output pixels gathered at a time

/// One convolution's derived sizes, and the walk over a window.
struct Geometry {
  ConvDesc d;
  int64_t od, oh, ow, pixels, cg, og, taps, columns;
  explicit Geometry(const ConvDesc& desc)
      : d(desc),
        od(d.out_d()),
        oh(d.out_h()),
        ow(d.out_w()),
        pixels(d.out_pixels()),
        cg(d.c / d.groups),
        og(d.o / d.groups),
        taps(d.taps()),
        columns(taps * cg) {}

  /// Calls f(tap, offset of the input pixel or -1 in padding) for the window of output pixel p.
  template <class F>
  void window(int64_t p, F f) const noexcept {
    const int64_t n = p / (od * oh * ow), z = p / (oh * ow) % od * d.stride_d - d.pad_front, y = p / ow % oh * d.stride_h - d.pad_top,
                  x = p % ow * d.stride_w - d.pad_left;
    for (int64_t row = 0; row < d.kd * d.kh; ++row) {
      const int64_t iz = z + row / d.kh * d.dilation_d, iy = y + row % d.kh * d.dilation_h;
      const bool in_rows = iz >= 0 && iz < d.depth && iy >= 0 && iy < d.h;
      for (int64_t j = 0; j < d.kw; ++j) {
        const int64_t ix = x + j * d.dilation_w;
        const bool inside = in_rows && ix >= 0 && ix < d.w;
        f(row * d.kw + j, inside ? (((n * d.depth + iz) * d.h + iy) * d.w + ix) * d.c : -1);
      }
    }
  }
  /// Windows of group g as rows of `columns` numbers.
  void gather(const float* x, int64_t first, int64_t count, int64_t g, float* to) const noexcept {
    for (int64_t p = 0; p < count; ++p) {
      window(first + p, [&](int64_t tap, int64_t at) {
        float* cell = to + p * columns + tap * cg;
        if (at < 0) std::fill_n(cell, cg, 0.0f);
        else std::memcpy(cell, x + at + g * cg, static_cast<size_t>(cg) * sizeof(float));
      });
    }
  }
  void scatter_add(float* x, int64_t first, int64_t count, int64_t g, const float* from) const noexcept {
    for (int64_t p = 0; p < count; ++p) {
      window(first + p, [&](int64_t tap, int64_t at) {
        if (at < 0) return;
        float* to = x + at + g * cg;
        for (int64_t c = 0; c < cg; ++c) to[c] += from[p * columns + tap * cg + c];
      });
    }
  }
};

/// Weights stay as they are: packing is a copy.
class DirectBase : public Conv {
 public:
  DirectBase(const ConvDesc& d, int threads, int64_t floats) : g_(d), threads_(threads), floats_((floats + 15) / 16 * 16) {}
  size_t scratch_bytes() const noexcept override { return static_cast<size_t>(floats_ * threads_) * sizeof(float); }
  size_t packed_bytes() const noexcept override { return static_cast<size_t>(g_.columns * g_.d.o) * sizeof(float); }
  Status pack(const float* w, void* out) const noexcept override {
    std::memcpy(out, w, packed_bytes());
    return {};
  }
  Status run_packed(const float* x, const void* packed, const float* bias, float* y, void* scratch) const noexcept override {
    return run(x, static_cast<const float*>(packed), bias, y, scratch);
  }

 protected:
  /// Calls f(begin, end, own part of the scratch) over [0, n) cut in `threads` pieces; f returns whether it worked.
  template <class F>
  Status pieces(int64_t n, void* scratch, F f) const noexcept {
    bool ok[64] = {};
    const int64_t parts = std::min<int64_t>(threads_, 64), size = (n + parts - 1) / parts;
    split(threads_, parts, 1, [&](int64_t b, int64_t e) {
      for (int64_t p = b; p < e; ++p) ok[p] = f(std::min(n, p * size), std::min(n, (p + 1) * size), static_cast<float*>(scratch) + p * floats_);
    });
    return {std::all_of(ok, ok + parts, [](bool b) { return b; }) ? Status::ok : Status::failed};
  }
  Geometry g_;
  int threads_;
  int64_t floats_;  // scratch of one thread
};

class DirectConv final : public DirectBase {
 public:
  DirectConv(const ConvDesc& d, int threads) : DirectBase(d, threads, chunk * (Geometry(d).columns + d.o)) {}
  Status run(const float* x, const float* w, const float* bias, float* y, void* scratch) const noexcept override {
    return pieces(g_.pixels, scratch, [&](int64_t begin, int64_t end, float* room) {
      bool ok = true;
      float* sums = room + chunk * g_.columns;
      for (int64_t p = begin; p < end; p += chunk) {
        const int64_t count = std::min(chunk, end - p), o = g_.d.o;
        if (g_.cg == 1) depthwise(x, w, p, count, sums);
        for (int64_t g = 0; g < g_.d.groups && g_.cg > 1; ++g) {
          g_.gather(x, p, count, g, room);
          ok &= eigen_gemm(false, false, count, g_.og, g_.columns, room, g_.columns, w + g * g_.og, o, sums + g * g_.og, o, false);
        }
        apply_epilogue(g_.d.epilogue, sums, bias, y + p * o, count, o);
      }
      return ok;
    });
  }
  const char* implementation() const noexcept override { return g_.cg == 1 ? "tenure:depthwise" : "eigen:windows"; }

 private:
  void depthwise(const float* x, const float* w, int64_t first, int64_t count, float* sums) const noexcept {
    const int64_t o = g_.d.o;
    std::fill_n(sums, count * o, 0.0f);
    for (int64_t p = 0; p < count; ++p) {
      g_.window(first + p, [&](int64_t tap, int64_t at) {
        if (at < 0) return;
        const float *in = x + at, *weights = w + tap * o;
        float* to = sums + p * o;
        if (g_.og == 1)
          for (int64_t c = 0; c < o; ++c) to[c] += in[c] * weights[c];
        else
          for (int64_t c = 0; c < o; ++c) to[c] += in[c / g_.og] * weights[c];
      });
    }
  }
};

/// x is dy, y is dx. Windows overlap within an image, so images are what threads share out.
class DirectBackwardData final : public DirectBase {
 public:
  DirectBackwardData(const ConvDesc& d, int threads) : DirectBase(d, threads, chunk * Geometry(d).columns) {}
  Status run(const float* dy, const float* w, const float*, float* dx, void* scratch) const noexcept override {
    const int64_t image = g_.od * g_.oh * g_.ow, o = g_.d.o, in = g_.d.depth * g_.d.h * g_.d.w * g_.d.c;
    return pieces(g_.d.n, scratch, [&](int64_t begin, int64_t end, float* room) {
      bool ok = true;
      std::fill(dx + begin * in, dx + end * in, 0.0f);
      for (int64_t p = begin * image; p < end * image; p += chunk) {
        const int64_t count = std::min(chunk, end * image - p);
        for (int64_t g = 0; g < g_.d.groups; ++g) {
          ok &= eigen_gemm(false, true, count, g_.columns, g_.og, dy + p * o + g * g_.og, o, w + g * g_.og, o, room, g_.columns, false);
          g_.scatter_add(dx, p, count, g, room);
        }
      }
      return ok;
    });
  }
  const char* implementation() const noexcept override { return "eigen:windows"; }
};

class DirectWeightsGrad final : public ConvWeightsGrad {
 public:
  explicit DirectWeightsGrad(const ConvDesc& d) : g_(d) {}
  size_t scratch_bytes() const noexcept override { return static_cast<size_t>(chunk * g_.columns) * sizeof(float); }
  Status run(const float* x, const float* dy, float* dw, float* dbias, void* scratch) const noexcept override {
    float* room = static_cast<float*>(scratch);
    const int64_t o = g_.d.o;
    bool ok = true;
    std::fill_n(dw, g_.columns * o, 0.0f);
    for (int64_t p = 0; p < g_.pixels; p += chunk) {
      const int64_t count = std::min(chunk, g_.pixels - p);
      for (int64_t g = 0; g < g_.d.groups; ++g) {
        g_.gather(x, p, count, g, room);
        ok &= eigen_gemm(true, false, g_.columns, g_.og, count, room, g_.columns, dy + p * o + g * g_.og, o, dw + g * g_.og, o, true);
      }
    }
    if (dbias) reduce_columns(Reduce::sum, dy, dbias, g_.pixels, o);
    return {ok ? Status::ok : Status::failed};
  }
  const char* implementation() const noexcept override { return "eigen:windows"; }

 private:
  Geometry g_;
};

}  // namespace

std::shared_ptr<const Conv> make_direct_conv(const ConvDesc& d, int threads) { return std::make_shared<DirectConv>(d, threads); }
std::shared_ptr<const Conv> make_direct_backward_data(const ConvDesc& d, int threads) { return std::make_shared<DirectBackwardData>(d, threads); }
std::shared_ptr<const ConvWeightsGrad> make_direct_backward_weights(const ConvDesc& d, int) { return std::make_shared<DirectWeightsGrad>(d); }

}  // namespace tenure::kernels

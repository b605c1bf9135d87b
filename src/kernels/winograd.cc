// The minimal algorithm's convolution: tiles are cut into bands, output channels into panels; threads take the next piece when they are done with
// theirs, so that a core slowed by others does not hold up the rest. See winograd.h.
#include "kernels/winograd.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <utility>

#include "kernels/prepared.h"
#include "kernels/simd_matmul.h"

namespace tenure::kernels {
namespace {

constexpr int64_t matrices = 16;
constexpr int64_t band_floats = 64 * 1024;    ///< of transformed input: what the second cache holds beside the weights of a panel
constexpr int64_t panel_floats = 256 * 1024;  ///< of transformed weights that a piece of work reads
constexpr int64_t least_tiles = 48;           ///< rows of a product below which its weights are read too often
constexpr float infinity = std::numeric_limits<float>::infinity();

/// One row of G g G^T from a 3x3 window's column: y[0..3] are `step` apart.
inline void widen(float a, float b, float c, float* y, int64_t step) noexcept {
  y[0] = a, y[step] = 0.5f * (a + b + c), y[2 * step] = 0.5f * (a - b + c), y[3 * step] = c;
}

class WinogradConv final : public Conv {
 public:
  WinogradConv(const ConvDesc& d, int threads, std::shared_ptr<const Conv> plain)
      : d_(d),
        threads_(threads),
        plain_(std::move(plain)),
        name_(std::string("tenure:winograd, without packed weights ") + plain_->implementation()),
        panel_(product_columns()),
        tile_rows_((d.out_h() + 1) / 2),
        tile_cols_((d.out_w() + 1) / 2) {
    const int64_t fitting = std::max<int64_t>(1, std::max(band_floats / (matrices * d.c), least_tiles) / tile_cols_);
    band_rows_ = std::min(fitting, tile_rows_);
    bands_ = (tile_rows_ + band_rows_ - 1) / band_rows_;
    band_rows_ = (tile_rows_ + bands_ - 1) / bands_;  // of about one size
    // Few bands: threads share them by output channels.
    const int64_t panels = (d.o + panel_ - 1) / panel_, wanted = std::max<int64_t>(1, panel_floats / (matrices * d.c * panel_));
    piece_panels_ = d.n * bands_ >= 4 * threads ? panels : std::min({wanted, panels, std::max<int64_t>(1, panels / (2 * threads))});
    pieces_ = (panels + piece_panels_ - 1) / piece_panels_;
    const int64_t tiles = band_rows_ * tile_cols_;
    input_stride_ = tiles * d.c + 16;  // not a multiple of a page: 16 streams would meet in one set of the cache
    room_ = d.c + matrices * input_stride_ + matrices * (tiles * panel_ + 16);  // a multiple of 16, as channels are: see winograd_fits()
  }

  size_t scratch_bytes() const noexcept override { return std::max(plain_->scratch_bytes(), static_cast<size_t>(threads_ * room_) * sizeof(float)); }
  Status run(const float* x, const float* w, const float* bias, float* y, void* scratch) const noexcept override {
    return plain_->run(x, w, bias, y, scratch);
  }
  size_t packed_bytes() const noexcept override { return static_cast<size_t>(matrices * d_.c * d_.o) * sizeof(float); }

  /// [panel][matrix][c][columns of the panel].
  Status pack(const float* w, void* out) const noexcept override {
    float* const to = static_cast<float*>(out);
    split(threads_, d_.c, 8, [&](int64_t begin, int64_t end) {
      for (int64_t col = 0; col < d_.o; col += panel_) {
        const int64_t cols = std::min(panel_, d_.o - col), step = d_.c * cols;
        for (int64_t c = begin; c < end; ++c)
          for (int64_t k = 0; k < cols; ++k) {
            const auto tap = [&](int64_t i, int64_t j) { return w[((i * 3 + j) * d_.c + c) * d_.o + col + k]; };
            float wide[3][4];  // [column of the window][row of the result]
            for (int64_t j = 0; j < 3; ++j) widen(tap(0, j), tap(1, j), tap(2, j), wide[j], 1);
            float* at = to + matrices * d_.c * col + c * cols + k;
            for (int i = 0; i < 4; ++i, at += 4 * step) widen(wide[0][i], wide[1][i], wide[2][i], at, step);
          }
      }
    });
    return {};
  }

  Status run_packed(const float* x, const void* packed, const float* bias, float* y, void* scratch) const noexcept override {
    std::atomic<int64_t> next{0};
    const float* const weights = static_cast<const float*>(packed);
    auto work = [&](int64_t thread, int64_t) {
      float* const room = static_cast<float*>(scratch) + thread * room_;
      std::fill_n(room, d_.c, 0.0f);
      int64_t have = -1;
      for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < d_.n * bands_ * pieces_;) {
        if (have != i / pieces_) transform(x, have = i / pieces_, room);
        multiply(have, i % pieces_ * piece_panels_, weights, bias, y, room);
      }
    };
    if (threads_ > 1) parallel_for(threads_, 1, work);
    else work(0, 1);
    const Unary act = d_.epilogue.act;
    if (act != Unary::identity && act != Unary::relu && act != Unary::relu6) unary(act, y, y, d_.out_pixels() * d_.o, d_.epilogue.alpha);
    return {};
  }
  const char* implementation() const noexcept override { return name_.c_str(); }

 private:
  float* inputs(float* room) const noexcept { return room + d_.c; }
  int64_t rows_of(int64_t band) const noexcept { return std::min(band_rows_, tile_rows_ - band % bands_ * band_rows_); }

  void transform(const float* x, int64_t band, float* room) const noexcept {
    const int64_t first = band % bands_ * band_rows_;
    WinogradRow row{d_.h, d_.w, d_.c, 0, -d_.pad_left, tile_cols_, room, input_stride_};
    for (int64_t r = 0; r < rows_of(band); ++r) {
      row.top = 2 * (first + r) - d_.pad_top;
      winograd_input(x + band / bands_ * d_.h * d_.w * d_.c, row, inputs(room) + r * tile_cols_ * d_.c);
    }
  }

  void multiply(int64_t band, int64_t panel, const float* weights, const float* bias, float* y, float* room) const noexcept {
    const int64_t rows = rows_of(band), tiles = rows * tile_cols_, first = band % bands_ * band_rows_, out_h = d_.out_h(), out_w = d_.out_w();
    float* const products = inputs(room) + matrices * input_stride_;
    const int64_t last = std::min((panel + piece_panels_) * panel_, d_.o);
    for (int64_t col = panel * panel_; col < last; col += panel_) {
      const int64_t cols = std::min(panel_, d_.o - col), stride = tiles * cols + 16;
      const float* const u = weights + matrices * d_.c * col;
      for (int64_t m = 0; m < matrices; ++m)
        small_product(
            {inputs(room) + m * input_stride_, d_.c, 1, u + m * d_.c * cols, cols, nullptr, products + m * stride, cols, d_.c, false, -infinity}, 0,
            tiles);
      const Epilogue& e = d_.epilogue;
      WinogradOutput o{tile_cols_,
                       cols,
                       stride,
                       2,
                       out_w,
                       d_.o,
                       out_w * d_.o,
                       e.bias ? bias + col : nullptr,
                       e.sum,
                       e.act == Unary::relu || e.act == Unary::relu6 ? 0 : -infinity,
                       e.act == Unary::relu6 ? 6 : infinity};
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t line = 2 * (first + r);
        o.rows = std::min<int64_t>(2, out_h - line);
        winograd_output(products + r * tile_cols_ * cols, o, y + ((band / bands_ * out_h + line) * out_w) * d_.o + col);
      }
    }
  }

  ConvDesc d_;
  int threads_;
  std::shared_ptr<const Conv> plain_;
  std::string name_;
  int64_t panel_, tile_rows_, tile_cols_, band_rows_, bands_, piece_panels_, pieces_, input_stride_, room_;
};

}  // namespace

bool winograd_fits(const ConvDesc& d) noexcept {
  return !d.volumetric() && d.kh == 3 && d.kw == 3 && d.stride_h == 1 && d.stride_w == 1 && d.dilation_h == 1 && d.dilation_w == 1 && d.groups == 1 &&
         d.c >= 32 && d.o >= 32 && d.c % 16 == 0 && d.o % 16 == 0;
}
std::shared_ptr<const Conv> make_winograd_conv(const ConvDesc& d, int threads, std::shared_ptr<const Conv> plain) {
  return std::make_shared<WinogradConv>(d, threads, std::move(plain));
}

}  // namespace tenure::kernels

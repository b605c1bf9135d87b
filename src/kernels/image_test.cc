// Resizing against TensorFlow 2.21's tf.image.resize, and pooling against plain loops.
// The numbers come from resize_golden.py beside this file.
#include <algorithm>

#include "kernels/dnn.h"
#include "kernels/test_tools.h"

namespace tenure::kernels {
namespace {
using test::everywhere, test::expect_close, test::numbers;

std::vector<float> picture() {
  std::vector<float> x;
  for (int i = 0; i < 70; ++i) x.push_back(static_cast<float>(i * 37 % 23 - 11) + 0.25f * static_cast<float>(i % 4));
  return x;
}
const std::vector<float> smaller = {-4.89583349f, 1.68750024f, 2.85416651f,  -4.93750048f, 4.89583349f, -2.89583325f, -1.64583349f,  4.9375f,
                                    -7.9375f,     6.3125f,     0.6875f,      -8.0625f,     9.4375f,     0.6875f,      -4.6875f,      9.5625f,
                                    -3.22916508f, 3.3541646f,  -2.18750191f, -3.27083158f, 6.56249809f, -1.22916794f, 0.0208349228f, -2.97916627f};
const std::vector<float> smaller_antialias = {-2.99319792f,  0.773809671f, 2.03142834f,  -1.33000028f,  1.50571477f,  -1.85571384f,
                                              -0.605442703f, 3.16156292f,  -2.26719594f, 1.39550269f,   0.240000129f, -0.434444547f,
                                              2.18222237f,   -1.14999974f, 0.346560478f, 3.76587129f,   -1.89115596f, 2.34523773f,
                                              -1.52285779f,  0.241428614f, 3.07714224f,  -0.284285873f, 0.965986371f, -2.15135837f};
const std::vector<float> smaller_nearest = {-11.0f, 3.25f, -1.0f, -9.75f, 9.0f,  0.25f, -4.0f, 10.25f, -10.0f, 4.25f, 0.0f,  -8.75f,
                                            10.0f,  1.25f, -3.0f, 11.25f, -9.0f, 5.25f, 1.0f,  -7.75f, 11.0f,  2.25f, -2.0f, -10.75f};
const std::vector<float> larger = {
    -11.0f,        3.25f,         -7.33333302f,  6.91666698f,   -3.5f,        0.527778625f, 0.222222805f, -8.52777672f, 4.5f,         -4.25f,
    7.99999952f,   -0.750000477f, -0.722227097f, 3.30555701f,   -6.99999905f, 7.25000095f,  -4.0f,        10.25f,       -5.53125f,    -1.34375f,
    -2.15624952f,  2.03125048f,   1.72569466f,   0.163194805f,  3.35763836f,  -3.15624952f, -0.53125f,    0.78125f,     3.30902719f,  -3.20486045f,
    0.0312477946f, -1.53124881f,  -1.82291603f,  2.36458397f,   1.46875f,     5.65625f,     0.78125f,     -6.53125f,    3.82291698f,  -3.48958302f,
    7.76041698f,   -0.190972418f, 7.00347042f,   3.04513931f,   -6.21875f,    6.59375f,     -1.98958385f, -5.9479146f,  0.954861939f, -6.99652672f,
    4.15625048f,   -3.15624905f,  7.78125f,      0.46875f,      -6.40625f,    0.65625f,     -2.94791651f, 4.11458349f,  0.920138836f, 0.954861641f,
    3.14930534f,   -4.00347185f,  1.59375f,      0.03125f,      5.33680582f,  -1.81597185f, 0.503469229f, 0.53819561f,  -2.61458254f, 4.44791794f,
    0.59375f,      7.65625f,      -6.09375f,     0.96875f,      -2.63541603f, 4.42708397f,  -1.96180534f, 1.26736164f,  -2.12847185f, -3.69097161f,
    1.90625f,      0.34375f,      5.64930534f,   -1.50347185f,  0.815969229f, 0.850695848f, -2.30208254f, 4.76041746f,  0.90625f,     7.96875f,
    1.71875f,      -5.59375f,     4.76041794f,   -2.55208206f,  -0.88541615f, 0.746527553f, -8.82986069f, 3.98263979f,  -5.28125f,    7.53125f,
    -1.05208397f,  -5.0104146f,   1.89236188f,   -6.05902672f,  5.09375095f,  -2.21874905f, 8.71875f,     1.40625f,     -3.96875f,    0.21875f,
    -0.59375f,     3.59375f,      -1.18402755f,  1.72569478f,   -2.90624952f, -1.59374952f, 1.03125f,     2.34375f,     4.87152767f,  -1.64236045f,
    1.59374785f,   0.0312514305f, -0.260416031f, -0.385417938f, 3.03125f,     -5.71875f,    -9.0f,        5.25f,        -5.33333302f, 8.91666698f,
    -1.50000012f,  2.52777863f,   2.22222281f,   -6.52777719f,  6.5f,         -2.25f,       10.0f,        1.24999952f,  1.2777729f,   5.30555725f,
    -4.99999905f,  1.58333015f,   -2.0f,         -10.75f};
const std::vector<float> larger_gradient = {
    -2.27083349f,    0.229166746f, 1.76388896f,    -2.09027791f,  1.38194442f,   -0.458333373f, -1.44444466f,  2.44444466f,   -1.60416675f,
    -0.00694423914f, 1.90277767f,  -2.26388884f,   1.27083361f,   0.0208328962f, -0.729166508f, 2.20833325f,   -1.93750024f,  0.972222269f,
    0.729166627f,    -1.46527767f, 1.90972233f,    -1.34027779f,  -0.902777255f, 2.00694394f,   -1.88194478f,  0.784722686f,  1.24999976f,
    -1.85416675f,    2.18749976f,  -1.9375f,       0.0833333582f, 1.07638907f,   -1.84027755f,  1.4444443f,    0.0f,          -1.01388896f,
    1.84027743f,     -1.5069443f,  -0.0833330154f, 1.29166651f,   -2.18750024f,  1.39583373f,   -1.25f,        -0.395833194f, 1.88194466f,
    -1.97916687f,    0.902777731f, 0.270833254f,   -1.90972257f,  2.13194466f,   -0.729166806f, -0.597221792f, 1.93750024f,   -1.99305582f,
    0.729166985f,    0.749999642f, -1.27083313f,   2.89583325f,   -1.90277803f,  0.354166746f,  1.60416639f,   -1.90277743f,  1.44444466f,
    -0.777777672f,   -1.38194382f, 2.43749928f,    -1.76388931f,  0.18055591f,   2.27083325f,   -2.31250024f};

TEST(Resize, GivesTensorFlowsNumbers) {
  const auto x = picture();
  const ResizeDesc down{1, 5, 7, 2, 3, 4}, up{1, 5, 7, 2, 8, 9};
  std::vector<float> y(24);
  resize_bilinear(x.data(), y.data(), down);
  EXPECT_EQ(y, smaller);
  resize_bilinear(x.data(), y.data(), down, true);
  expect_close(y, smaller_antialias, 2e-7);
  resize_nearest(x.data(), y.data(), down, 4);
  EXPECT_EQ(y, smaller_nearest);
  y.resize(144);
  resize_bilinear(x.data(), y.data(), up);
  EXPECT_EQ(y, larger);
  resize_bilinear(x.data(), y.data(), up, true);
  expect_close(y, larger, 2e-7);
  std::vector<float> dy, dx(70);
  for (int i = 0; i < 144; ++i) dy.push_back(static_cast<float>(i * 7 % 5 - 2));
  resize_bilinear_grad(dy.data(), dx.data(), up);
  expect_close(dx, larger_gradient, 3e-7);
}

TEST(Resize, OfBytesEqualsThatOfTheirFloats) {
  everywhere([] {
    std::vector<uint8_t> x;
    for (int i = 0; i < 3 * 40 * 50 * 3; ++i) x.push_back(static_cast<uint8_t>(i * 131 % 251));
    const std::vector<float> f(x.begin(), x.end());
    for (const bool antialias : {false, true}) {
      for (const auto& [h, w] : {std::pair<int64_t, int64_t>{17, 23}, {61, 80}, {1, 1}, {40, 50}}) {
        const ResizeDesc d{3, 40, 50, 3, h, w};
        std::vector<float> a(static_cast<size_t>(3 * h * w * 3)), b(a.size());
        resize_bilinear(x.data(), a.data(), d, antialias);
        resize_bilinear(f.data(), b.data(), d, antialias);
        EXPECT_EQ(a, b);
        if (h == 40) { EXPECT_EQ(a, f); }
      }
    }
  });
}

TEST(Resize, NearestGradientCountsCopies) {
  const ResizeDesc d{2, 3, 4, 5, 7, 9};
  const std::vector<float> dy(2 * 7 * 9 * 5, 1.0f);
  std::vector<float> dx(2 * 3 * 4 * 5);
  resize_nearest_grad(dy.data(), dx.data(), d);
  double total = 0;
  for (const float v : dx) total += v;
  EXPECT_EQ(total, static_cast<double>(dy.size()));
}

/// Windows by plain loops: y, the index of the first maximum, and the gradients of both poolings for dy.
struct PlainPool {
  std::vector<double> max, average, max_grad, average_grad;
  PlainPool(const Pool2DDesc& d, const std::vector<float>& x, const std::vector<float>& dy) : max_grad(x.size()), average_grad(x.size()) {
    for (int64_t p = 0; p < d.n * d.out_h() * d.out_w() * d.c; ++p) {
      const int64_t c = p % d.c, ox = p / d.c % d.out_w(), oy = p / d.c / d.out_w() % d.out_h(), n = p / d.c / d.out_w() / d.out_h();
      std::vector<size_t> cells;
      for (int64_t i = 0; i < d.kh * d.kw; ++i) {
        const int64_t iy = oy * d.stride_h - d.pad_top + i / d.kw, ix = ox * d.stride_w - d.pad_left + i % d.kw;
        if (iy >= 0 && iy < d.h && ix >= 0 && ix < d.w) cells.push_back(static_cast<size_t>(((n * d.h + iy) * d.w + ix) * d.c + c));
      }
      size_t best = cells.front();
      double s = 0;
      for (const size_t k : cells) {
        if (x[k] > x[best]) best = k;
        s += x[k];
      }
      max.push_back(x[best]);
      average.push_back(s / static_cast<double>(cells.size()));
      const double g = dy[static_cast<size_t>(p)];
      max_grad[best] += g;
      for (const size_t k : cells) average_grad[k] += g / static_cast<double>(cells.size());
    }
  }
};

TEST(Pooling, AndItsGradientsMatchPlainLoops) {
  const Pool2DDesc descs[] = {{2, 7, 9, 3, 2, 2, 2, 2},
                              {1, 8, 8, 37, 3, 3, 2, 2, 0, 0, 1, 1},
                              {3, 13, 11, 16, 3, 3, 2, 2, 1, 1, 1, 1},
                              {2, 6, 5, 300, 3, 2, 1, 1, 1, 0, 1, 1},
                              {1, 20, 20, 5, 17, 17, 1, 1},
                              {1, 1, 30, 4, 1, 5, 1, 3},
                              {2, 7, 7, 65, 7, 7, 1, 1}};
  everywhere([&] {
    for (const Pool2DDesc& d : descs) {
      auto x = numbers<float>(d.n * d.h * d.w * d.c);
      for (size_t i = 0; i < x.size(); i += 3) x[i] = std::round(x[i] * 4);  // ties
      const int64_t out = d.n * d.out_h() * d.out_w() * d.c;
      const auto dy = numbers<float>(out, -1, 1, 2);
      const PlainPool want(d, x, dy);
      std::vector<float> y(static_cast<size_t>(out)), dx(x.size());
      std::vector<uint8_t> index(static_cast<size_t>(out) * d.index_size());
      max_pool(d, x.data(), y.data(), nullptr);
      expect_close(y, want.max, 0);
      max_pool(d, x.data(), y.data(), index.data());
      expect_close(y, want.max, 0);
      max_pool_grad(d, dy.data(), index.data(), dx.data());
      expect_close(dx, want.max_grad, 1e-6);
      avg_pool(d, x.data(), y.data());
      expect_close(y, want.average, 1e-6);
      avg_pool_grad(d, dy.data(), dx.data());
      expect_close(dx, want.average_grad, 1e-6);
      const std::vector<double> xd(x.begin(), x.end()), dyd(dy.begin(), dy.end());
      std::vector<double> yd(y.size()), dxd(x.size());
      max_pool(d, xd.data(), yd.data(), index.data());
      expect_close(yd, want.max, 0);
      max_pool_grad(d, dyd.data(), index.data(), dxd.data());
      expect_close(dxd, want.max_grad, 1e-14);
      avg_pool(d, xd.data(), yd.data());
      expect_close(yd, want.average, 1e-14);
      avg_pool_grad(d, dyd.data(), dxd.data());
      expect_close(dxd, want.average_grad, 1e-14);
    }
    max_pool(Pool2DDesc{0, 4, 4, 3, 2, 2, 2, 2}, static_cast<const float*>(nullptr), static_cast<float*>(nullptr), nullptr);
    avg_pool(Pool2DDesc{2, 4, 4, 0, 2, 2, 2, 2}, static_cast<const float*>(nullptr), static_cast<float*>(nullptr));
  });
}

}  // namespace
}  // namespace tenure::kernels

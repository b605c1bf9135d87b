// Matrix products and convolutions against plain loops in double precision.
#include <cstring>
#include <new>
#include <thread>

#include <tenure/error.h>

#include "kernels/dnn.h"
#include "kernels/scalar.h"
#include "kernels/test_tools.h"

namespace tenure::kernels {
namespace {
using test::everywhere, test::expect_close, test::numbers;

/// 64-byte aligned room, filled with NaN to show what was not written.
class Room {
 public:
  explicit Room(size_t bytes) : data_(::operator new (bytes + 64, std::align_val_t{64})) { std::memset(data_, 0xff, bytes + 64); }
  ~Room() { ::operator delete (data_, std::align_val_t{64}); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  void* get() const { return data_; }

 private:
  void* data_;
};

int64_t batches(const MatmulDesc& d) {
  int64_t n = 1;
  for (int i = 0; i < d.batch_rank; ++i) n *= d.batch[i];
  return n;
}

template <class T>
std::vector<double> plain_matmul(const MatmulDesc& d, const std::vector<T>& a, const std::vector<T>& b, const std::vector<T>& bias,
                                 const std::vector<T>& c) {
  std::vector<double> y;
  for (int64_t i = 0; i < batches(d); ++i) {
    int64_t at_a = 0, at_b = 0, rest = i;
    for (int j = d.batch_rank - 1; j >= 0; --j) {
      at_a += rest % d.batch[j] * d.a_stride[j];
      at_b += rest % d.batch[j] * d.b_stride[j];
      rest /= d.batch[j];
    }
    for (int64_t r = 0; r < d.m; ++r) {
      for (int64_t k = 0; k < d.n; ++k) {
        double s = d.accumulate || d.epilogue.sum ? static_cast<double>(c[y.size()]) : 0;
        if (d.epilogue.bias) s += static_cast<double>(bias[static_cast<size_t>(k)]);
        for (int64_t p = 0; p < d.k; ++p)
          s += static_cast<double>(a[static_cast<size_t>(at_a + (d.transpose_a ? p * d.m + r : r * d.k + p))]) *
               static_cast<double>(b[static_cast<size_t>(at_b + (d.transpose_b ? k * d.k + p : p * d.n + k))]);
        y.push_back(scalar::unary(d.epilogue.act, s, static_cast<double>(d.epilogue.alpha)));
      }
    }
  }
  return y;
}

/// Runs and compares; also the packed form where there is one.
template <class T>
void check_matmul(const MatmulDesc& d, int threads, double tolerance) {
  SCOPED_TRACE(std::to_string(d.m) + "x" + std::to_string(d.n) + "x" + std::to_string(d.k) + " act " +
               std::to_string(static_cast<int>(d.epilogue.act)) + (d.transpose_a ? " ta" : "") + (d.transpose_b ? " tb" : ""));
  int64_t most_a = d.m * d.k, most_b = d.n * d.k;
  for (int i = 0; i < d.batch_rank; ++i) {
    most_a += (d.batch[i] - 1) * d.a_stride[i];
    most_b += (d.batch[i] - 1) * d.b_stride[i];
  }
  const auto a = numbers<T>(most_a), b = numbers<T>(most_b, -1, 1, 2), bias = numbers<T>(d.n, -1, 1, 3),
             c = numbers<T>(batches(d) * d.m * d.n, -1, 1, 4);
  const auto want = plain_matmul(d, a, b, bias, c);
  const auto m = matmul(d, threads);
  EXPECT_NE(std::strncmp(m->implementation(), "ref", 3), 0) << m->implementation();
  const Room scratch(m->scratch_bytes()), packed(m->packed_bytes());
  auto y = c;
  ASSERT_TRUE(m->run(a.data(), b.data(), bias.data(), y.data(), scratch.get()));
  expect_close(y, want, tolerance);
  if (m->packed_bytes() == 0) return;
  y = c;
  ASSERT_TRUE(m->pack(b.data(), packed.get()));
  ASSERT_TRUE(m->run_packed(a.data(), packed.get(), bias.data(), y.data(), scratch.get()));
  expect_close(y, want, tolerance);
}

const Unary fused[] = {Unary::identity,  Unary::relu,     Unary::relu6, Unary::leaky_relu, Unary::elu,       Unary::selu,
                       Unary::tanh,      Unary::sigmoid,  Unary::silu,  Unary::gelu,       Unary::gelu_tanh, Unary::hard_sigmoid,
                       Unary::hard_silu, Unary::softplus, Unary::mish,  Unary::square,     Unary::abs};

TEST(Matmul, OfEverySizeAndTransposeMatchesPlainLoops) {
  const int64_t sizes[][3] = {{1, 1, 1},   {1000, 10, 10}, {1, 10, 10},   {1, 100, 300},  {77, 1, 33},  {33, 16, 31},   {5, 17, 3},
                              {64, 33, 7}, {130, 9, 200},  {31, 65, 129}, {200, 150, 70}, {3, 3, 2000}, {10, 10, 1000}, {9, 8, 5}};
  everywhere([&] {
    for (const auto& s : sizes) {
      for (int flags = 0; flags < 8; ++flags) {
        MatmulDesc d{.m = s[0], .n = s[1], .k = s[2]};
        d.transpose_a = flags & 1;
        d.transpose_b = flags & 2;
        d.epilogue.bias = flags & 4;
        if (flags & 4) d.epilogue.act = Unary::relu;
        check_matmul<float>(d, max_threads(), 5e-6);
        d.dtype = float64;
        check_matmul<double>(d, max_threads(), 1e-14);
      }
      MatmulDesc d{.m = s[0], .n = s[1], .k = s[2], .accumulate = true};
      check_matmul<float>(d, max_threads(), 5e-6);
      d.accumulate = false;
      d.epilogue = {.act = Unary::relu, .bias = true, .sum = true};
      check_matmul<float>(d, max_threads(), 5e-6);
      d.dtype = float64;
      check_matmul<double>(d, max_threads(), 1e-14);
    }
  });
}

TEST(Matmul, FusesEveryActivation) {
  everywhere([] {
    for (const Unary act : fused) {
      for (const auto& s : {std::vector<int64_t>{100, 10, 10}, {1, 70, 20}, {50, 1, 20}, {65, 80, 90}}) {
        MatmulDesc d{.m = s[0], .n = s[1], .k = s[2], .epilogue = {.act = act, .alpha = 0.3f, .bias = true}};
        check_matmul<float>(d, max_threads(), 1e-5);
        d.dtype = float64;
        check_matmul<double>(d, max_threads(), 1e-14);
      }
    }
  });
}

TEST(Matmul, BroadcastsBatchAxesByStrides) {
  for (const int threads : {1, 2}) {
    MatmulDesc d{.m = 7, .n = 9, .k = 5, .batch_rank = 2, .batch = {3, 4}, .a_stride = {140, 35}, .b_stride = {180, 45}};
    check_matmul<float>(d, threads, 2e-6);
    d.b_stride[0] = 0;  // one B for the outer axis
    check_matmul<float>(d, threads, 2e-6);
    d.a_stride[0] = 35;
    d.a_stride[1] = 0;
    check_matmul<float>(d, threads, 2e-6);
    d.b_stride[1] = 0;  // an axis that neither operand has
    check_matmul<float>(d, threads, 2e-6);
    d = {.m = 7,
         .n = 40,
         .k = 50,
         .batch_rank = 2,
         .batch = {3, 4},
         .a_stride = {1400, 350},
         .b_stride = {0, 0},
         .epilogue = {.act = Unary::gelu, .bias = true}};
    check_matmul<float>(d, threads, 1e-5);  // becomes one product of 84 rows
    d.transpose_b = true;
    check_matmul<float>(d, threads, 1e-5);
    d.dtype = float64;
    check_matmul<double>(d, threads, 1e-13);
  }
}

TEST(Matmul, OfNothingWritesActOfBiasOrNothing) {
  float c[6] = {9, 9, 9, 9, 9, 9};
  const float bias[3] = {-1, 2, 3};
  MatmulDesc d{.m = 2, .n = 3, .k = 0, .epilogue = {.act = Unary::relu, .bias = true}};
  ASSERT_TRUE(matmul(d, 1)->run(nullptr, nullptr, bias, c, nullptr));
  EXPECT_EQ(std::vector<float>(c, c + 6), (std::vector<float>{0, 2, 3, 0, 2, 3}));
  ASSERT_TRUE(matmul({.m = 2, .n = 3, .k = 0}, 1)->run(nullptr, nullptr, nullptr, c, nullptr));
  EXPECT_EQ(c[1], 0);
  c[1] = 5;
  ASSERT_TRUE(matmul({.m = 2, .n = 3, .k = 0, .accumulate = true}, 1)->run(nullptr, nullptr, nullptr, c, nullptr));
  EXPECT_EQ(c[1], 5);
  ASSERT_TRUE(matmul({.m = 0, .n = 3, .k = 4}, 2)->run(nullptr, nullptr, nullptr, nullptr, nullptr));
  ASSERT_TRUE(matmul({.m = 3, .n = 0, .k = 4}, 2)->run(nullptr, nullptr, nullptr, nullptr, nullptr));
}

TEST(Matmul, RefusesWhatItCannotDo) {
  EXPECT_THROW(matmul({.m = -1, .n = 1, .k = 1}, 1), Error);
  EXPECT_THROW(matmul({.m = 1, .n = 1, .k = 1, .dtype = int32}, 1), Error);
  EXPECT_THROW(matmul({.m = 1, .n = 1, .k = 1, .epilogue = {.act = Unary::floor}}, 1), Error);
  EXPECT_THROW(conv({.n = 1, .h = 4, .w = 4, .c = 3, .o = 4, .groups = 2}, 1), Error);
  EXPECT_THROW(conv({.n = 1, .h = 4, .w = 4, .c = 4, .o = 4, .stride_h = 0}, 1), Error);
}

// ------------------------------------------------------------------------------------------------------------------- convolution

struct PlainConv {
  std::vector<double> y, dx, dw, db;
  PlainConv(const ConvDesc& d, const std::vector<float>& x, const std::vector<float>& w, const std::vector<float>& bias, const std::vector<float>& y0,
            const std::vector<float>& dy)
      : y(y0.size()), dx(x.size()), dw(w.size()), db(static_cast<size_t>(d.o)) {
    const int64_t cg = d.c / d.groups, og = d.o / d.groups;
    for (int64_t p = 0; p < d.out_pixels(); ++p) {
      const int64_t n = p / d.out_w() / d.out_h() / d.out_d(), oz = p / d.out_w() / d.out_h() % d.out_d(), oy = p / d.out_w() % d.out_h(),
                    ox = p % d.out_w();
      for (int64_t o = 0; o < d.o; ++o) {
        const size_t at = static_cast<size_t>(p * d.o + o);
        double s = (d.epilogue.bias ? bias[static_cast<size_t>(o)] : 0) + (d.epilogue.sum ? y0[at] : 0);
        const double g = dy[at];
        db[static_cast<size_t>(o)] += g;
        for (int64_t k = 0; k < d.taps(); ++k) {
          const int64_t iz = oz * d.stride_d - d.pad_front + k / d.kw / d.kh * d.dilation_d,
                        iy = oy * d.stride_h - d.pad_top + k / d.kw % d.kh * d.dilation_h,
                        ix = ox * d.stride_w - d.pad_left + k % d.kw * d.dilation_w;
          if (iz < 0 || iz >= d.depth || iy < 0 || iy >= d.h || ix < 0 || ix >= d.w) continue;
          for (int64_t c = 0; c < cg; ++c) {
            const size_t ax = static_cast<size_t>((((n * d.depth + iz) * d.h + iy) * d.w + ix) * d.c + o / og * cg + c),
                         aw = static_cast<size_t>((k * cg + c) * d.o + o);
            s += double{x[ax]} * w[aw];
            dx[ax] += g * w[aw];
            dw[aw] += g * x[ax];
          }
        }
        y[at] = scalar::unary(d.epilogue.act, s, static_cast<double>(d.epilogue.alpha));
      }
    }
  }
};

/// Typical layers in small: stem, 1x1, 3x3, strided, depthwise with and without multiplier, grouped, dilated, one-dimensional, odd.
std::vector<ConvDesc> layers() {
  return {
      {.n = 2,
       .h = 21,
       .w = 19,
       .c = 3,
       .o = 16,
       .kh = 7,
       .kw = 7,
       .stride_h = 2,
       .stride_w = 2,
       .pad_top = 3,
       .pad_left = 3,
       .pad_bottom = 3,
       .pad_right = 3},
      {.n = 1, .h = 14, .w = 14, .c = 1, .o = 32, .kh = 3, .kw = 3},
      {.n = 2, .h = 9, .w = 9, .c = 32, .o = 64},
      {.n = 2, .h = 9, .w = 9, .c = 32, .o = 48, .stride_h = 2, .stride_w = 2},
      {.n = 1, .h = 14, .w = 14, .c = 32, .o = 32, .kh = 3, .kw = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1},
      {.n = 1, .h = 14, .w = 14, .c = 16, .o = 32, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1},
      {.n = 2, .h = 12, .w = 12, .c = 32, .o = 32, .kh = 3, .kw = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .groups = 32},
      {.n = 1, .h = 13, .w = 13, .c = 24, .o = 24, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1, .groups = 24},
      {.n = 1, .h = 12, .w = 12, .c = 16, .o = 16, .kh = 7, .kw = 7, .pad_top = 3, .pad_left = 3, .pad_bottom = 3, .pad_right = 3, .groups = 16},
      {.n = 1, .h = 10, .w = 10, .c = 8, .o = 16, .kh = 3, .kw = 3, .groups = 8},
      {.n = 1, .h = 10, .w = 10, .c = 5, .o = 5, .kh = 3, .kw = 3, .groups = 5},
      {.n = 1, .h = 10, .w = 10, .c = 16, .o = 16, .kh = 3, .kw = 3, .dilation_h = 2, .dilation_w = 2, .groups = 16},
      {.n = 1, .h = 14, .w = 14, .c = 16, .o = 16, .kh = 3, .kw = 3, .dilation_h = 2, .dilation_w = 3},
      {.n = 1, .h = 10, .w = 10, .c = 64, .o = 64, .kh = 3, .kw = 3, .groups = 4},
      {.n = 1, .h = 10, .w = 10, .c = 6, .o = 9, .kh = 3, .kw = 3, .groups = 3},
      {.n = 2, .h = 1, .w = 100, .c = 12, .o = 20, .kh = 1, .kw = 9, .pad_left = 8},
      {.n = 2, .h = 7, .w = 11, .c = 7, .o = 5, .kh = 5, .kw = 2, .stride_h = 2, .stride_w = 3, .pad_top = 2, .pad_bottom = 2, .pad_right = 1},
      {.n = 1, .h = 9, .w = 9, .c = 16, .o = 16, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2, .dilation_h = 2, .dilation_w = 2},
      {.n = 2, .h = 6, .w = 7, .c = 3, .o = 8, .kh = 3, .kw = 3, .depth = 5, .kd = 3},
      {.n = 1,
       .h = 7,
       .w = 6,
       .c = 16,
       .o = 16,
       .kh = 3,
       .kw = 3,
       .stride_h = 2,
       .stride_w = 2,
       .pad_top = 1,
       .pad_left = 1,
       .pad_bottom = 1,
       .pad_right = 1,
       .depth = 8,
       .kd = 3,
       .stride_d = 2,
       .pad_back = 1},
      {.n = 1, .h = 6, .w = 6, .c = 8, .o = 12, .kh = 2, .kw = 2, .groups = 4, .depth = 6, .kd = 2, .dilation_d = 2, .pad_front = 1},
  };
}

/// Forward with `e`, backward data and weights of one layer.
void check_conv(ConvDesc d, const Epilogue& e, int threads) {
  d.epilogue = e;
  const int64_t out = d.out_pixels() * d.o;
  const auto x = numbers<float>(d.in_pixels() * d.c), w = numbers<float>(d.taps() * (d.c / d.groups) * d.o, -1, 1, 2),
             bias = numbers<float>(d.o, -1, 1, 3), y0 = numbers<float>(out, -1, 1, 4), dy = numbers<float>(out, -1, 1, 5);
  const PlainConv want(d, x, w, bias, y0, dy);
  const auto forward = conv(d, threads), back = conv_backward_data(d, threads);
  const auto grad = conv_backward_weights(d, threads);
  for (const char* name : {forward->implementation(), back->implementation(), grad->implementation()})
    EXPECT_NE(std::strncmp(name, "ref", 3), 0) << name;
  const auto both = [&](const Conv& c, const std::vector<float>& in, const std::vector<float>& before, const std::vector<double>& result) {
    const Room scratch(c.scratch_bytes()), packed(c.packed_bytes());
    auto y = before;
    ASSERT_TRUE(c.run(in.data(), w.data(), bias.data(), y.data(), scratch.get()));
    expect_close(y, result, 5e-6);
    y = before;
    ASSERT_TRUE(c.pack(w.data(), packed.get()));
    ASSERT_TRUE(c.run_packed(in.data(), packed.get(), bias.data(), y.data(), scratch.get()));
    expect_close(y, result, 5e-6);
  };
  both(*forward, x, y0, want.y);
  both(*back, dy, x, want.dx);
  const Room scratch(grad->scratch_bytes());
  std::vector<float> dw(w.size()), db(bias.size());
  ASSERT_TRUE(grad->run(x.data(), dy.data(), dw.data(), db.data(), scratch.get()));
  expect_close(dw, want.dw, 5e-6);
  expect_close(db, want.db, 5e-6);
  ASSERT_TRUE(grad->run(x.data(), dy.data(), dw.data(), nullptr, scratch.get()));
}

TEST(Convolution, OfTypicalLayersMatchesPlainLoopsAndIsNeverTheReference) {
  for (const int threads : {1, 2}) {
    int k = 0;
    for (const ConvDesc& d : layers()) {
      SCOPED_TRACE("layer " + std::to_string(k) + ", threads: " + std::to_string(threads));
      check_conv(d, {.act = k % 3 ? Unary::relu : Unary::identity, .bias = k % 2 == 0, .sum = k % 4 == 1}, threads);
      ++k;
    }
  }
}

TEST(Convolution, FusesEveryActivation) {
  for (const Unary act : fused) {
    SCOPED_TRACE(static_cast<int>(act));
    check_conv(layers()[4], {.act = act, .alpha = 0.3f, .bias = true, .sum = true}, 1);
    check_conv(layers()[6], {.act = act, .alpha = 0.3f, .bias = true}, 1);
  }
}

TEST(Convolution, OfWindowsOfThreeMatchesPlainLoopsInBandsAndPanelsOfEverySize) {
  const ConvDesc square{.n = 1, .h = 30, .w = 30, .c = 32, .o = 32, .kh = 3, .kw = 3, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
  ConvDesc odd = square, valid = square, wide = square, deep = square, one = square;
  odd.n = 3, odd.h = 9, odd.w = 15, odd.o = 48;  // a last row and column of tiles cut off, a narrow last panel
  valid.pad_top = valid.pad_left = valid.pad_bottom = valid.pad_right = 0, valid.h = 11;  // no padding
  wide.h = 5, wide.w = 101, wide.pad_left = 2, wide.pad_right = 0;                        // rows of more tiles than a band wants
  deep.h = deep.w = 7, deep.c = 256, deep.o = 192;                                        // one band, shared by its output channels
  one.h = 3, one.w = 3, one.pad_top = one.pad_left = one.pad_bottom = one.pad_right = 0;  // one output
  for (const int threads : {1, 2, 5})
    for (const ConvDesc& d : {square, odd, valid, wide, deep, one}) {
      SCOPED_TRACE(std::to_string(d.h) + "x" + std::to_string(d.w) + ", threads: " + std::to_string(threads));
      EXPECT_NE(std::strstr(conv(d, threads)->implementation(), "winograd"), nullptr);
      check_conv(d, {}, threads);
      check_conv(d, {.act = Unary::relu, .bias = true, .sum = true}, threads);
      if (d.c == 32) check_conv(d, {.act = Unary::relu6, .bias = true}, threads);  // deep sums are not small beside 6
    }
}

TEST(Convolution, OfNothingWritesActOfBiasAndZeroGradients) {
  const ConvDesc d{.n = 0, .h = 5, .w = 5, .c = 3, .o = 4, .kh = 3, .kw = 3};
  ASSERT_TRUE(conv(d, 2)->run(nullptr, nullptr, nullptr, nullptr, nullptr));
  ASSERT_TRUE(conv_backward_data(d, 2)->run(nullptr, nullptr, nullptr, nullptr, nullptr));
  std::vector<float> dw(3 * 3 * 3 * 4, 7.0f), db(4, 7.0f);
  ASSERT_TRUE(conv_backward_weights(d, 2)->run(nullptr, nullptr, dw.data(), db.data(), nullptr));
  EXPECT_EQ(dw, std::vector<float>(dw.size(), 0.0f));
  EXPECT_EQ(db, std::vector<float>(4, 0.0f));
  const ConvDesc none{.n = 1, .h = 2, .w = 2, .c = 0, .o = 2, .epilogue = {.act = Unary::relu, .bias = true}};
  float y[8], bias[2] = {-1, 3};
  ASSERT_TRUE(conv(none, 1)->run(nullptr, nullptr, bias, y, nullptr));
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[7], 3);
  const ConvDesc small{.n = 1, .h = 2, .w = 2, .c = 1, .o = 1, .kh = 3, .kw = 3};  // the kernel does not fit: no output
  EXPECT_EQ(small.out_h(), 0);
  float dx[4] = {7, 7, 7, 7};
  ASSERT_TRUE(conv_backward_data(small, 1)->run(nullptr, nullptr, nullptr, dx, nullptr));
  EXPECT_EQ(dx[3], 0);
}

TEST(SamePadding, IsThatOfKeras) {
  EXPECT_EQ(same_padding(10, 3, 1, 1), 2);
  EXPECT_EQ(same_padding(10, 3, 2, 1), 1);
  EXPECT_EQ(same_padding(10, 1, 3, 1), 0);
  EXPECT_EQ(same_padding(10, 3, 1, 2), 4);
  const ConvDesc d{.n = 1, .h = 10, .w = 10, .c = 1, .o = 1, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1};
  EXPECT_EQ(d.out_h(), 5);
}

// --------------------------------------------------------------------------------------------------------------------- the cache

TEST(KernelCache, IsBoundedCountsAndForgets) {
  kernel_cache_clear();
  const auto before = kernel_cache_stats();
  EXPECT_EQ(before.entries, 0);
  set_kernel_cache_capacity(3);
  const auto first = matmul({.m = 1, .n = 2, .k = 3}, 1);
  EXPECT_EQ(matmul({.m = 1, .n = 2, .k = 3}, 1), first);
  EXPECT_NE(matmul({.m = 1, .n = 2, .k = 3}, 2), first);  // made for another team
  for (int64_t n = 3; n < 10; ++n) matmul({.m = 1, .n = n, .k = 3}, 1);
  const auto after = kernel_cache_stats();
  EXPECT_EQ(after.entries, 3);
  EXPECT_EQ(after.capacity, 3);
  EXPECT_EQ(after.hits - before.hits, 1);
  EXPECT_EQ(after.misses - before.misses, 9);
  EXPECT_EQ(after.evictions - before.evictions, 6);
  EXPECT_NE(matmul({.m = 1, .n = 2, .k = 3}, 1), first);
  EXPECT_EQ(first.use_count(), 1);
  kernel_cache_clear();
  EXPECT_EQ(kernel_cache_stats().entries, 0);
  set_kernel_cache_capacity(1024);
}

TEST(KernelCache, ServesManyThreadsAtOnce) {
  kernel_cache_clear();
  const int64_t m = 60, n = 70, k = 80;
  const auto a = numbers<float>(m * k), b = numbers<float>(k * n, -1, 1, 2);
  const MatmulDesc d{.m = m, .n = n, .k = k};
  const auto want = plain_matmul(d, a, b, {}, {});
  std::vector<std::thread> threads;
  std::vector<std::vector<float>> results(4, std::vector<float>(static_cast<size_t>(m * n)));
  for (auto& y : results) {
    threads.emplace_back([&] {
      run_serially(true);
      for (int i = 0; i < 20; ++i) {
        const auto kernel = matmul(d, 1);
        const Room scratch(kernel->scratch_bytes());
        kernel->run(a.data(), b.data(), nullptr, y.data(), scratch.get());
      }
    });
  }
  for (auto& t : threads) t.join();
  for (const auto& y : results) expect_close(y, want, 2e-6);
  EXPECT_EQ(kernel_cache_stats().entries, 1);
}

}  // namespace
}  // namespace tenure::kernels

#include <tenure/error.h>
#include <tenure/ops.h>

#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

// The definition: padding takes no part in either pooling.
Tensor reference(const Tensor& x, const PoolOptions& o, bool average) {
  const int64_t n = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3);
  const Pair k = o.pool_size, s = o.strides.value_or(k);
  const bool same = o.padding == "same";
  const int64_t oh = same ? (h + s.h - 1) / s.h : (h - k.h) / s.h + 1, ow = same ? (w + s.w - 1) / s.w : (w - k.w) / s.w + 1;
  const int64_t top = same ? std::max<int64_t>(0, (oh - 1) * s.h + k.h - h) / 2 : 0,
                left = same ? std::max<int64_t>(0, (ow - 1) * s.w + k.w - w) / 2 : 0;
  std::vector<double> xs = values(x), y;
  for (int64_t i = 0; i < n * oh * ow * c; ++i) {
    const int64_t f = i % c, px = i / c % ow, py = i / c / ow % oh, b = i / c / ow / oh;
    double sum = 0, most = -1e300, count = 0;
    for (int64_t iy = std::max<int64_t>(0, py * s.h - top); iy < std::min(h, py * s.h - top + k.h); ++iy)
      for (int64_t ix = std::max<int64_t>(0, px * s.w - left); ix < std::min(w, px * s.w - left + k.w); ++ix) {
        const double v = xs[static_cast<size_t>(((b * h + iy) * w + ix) * c + f)];
        sum += v, most = std::max(most, v), ++count;
      }
    y.push_back(average ? sum / count : most);
  }
  return Tensor::from<double>(y, {n, oh, ow, c});
}

const std::vector<PoolOptions>& options() {
  static const std::vector<PoolOptions> all = {{},
                                               {.pool_size = 3, .strides = 2, .padding = "same"},
                                               {.pool_size = {2, 3}, .strides = 1},
                                               {.pool_size = 2, .padding = "same"},
                                               {.pool_size = {1, 5}, .padding = "same"}};
  return all;
}

TEST(Pooling, MatchesTheDefinition) {
  for (const PoolOptions& o : options())
    for (DType t : {float32, float64}) {
      Tensor x = noise({2, 5, 7, 9}, 1, t);
      expect_same(max_pool2d(x, o), reference(x, o, false), 1e-6);
      expect_same(average_pool2d(x, o), reference(x, o, true), 1e-6);
    }
  EXPECT_EQ(max_pool2d(counting({1, 2, 2, 1}, int32)).dtype(), float32);
}

TEST(Pooling, EmptySizesAndMistakes) {
  EXPECT_EQ(to_string(max_pool2d(zeros({0, 4, 4, 3})).shape()), "[0,2,2,3]");
  EXPECT_EQ(to_string(average_pool2d(zeros({1, 4, 4, 0})).shape()), "[1,2,2,0]");
  EXPECT_THROW(max_pool2d(zeros({1, 1, 4, 3})), Error);
  EXPECT_THROW(max_pool2d(zeros({4, 4, 3})), Error);
  EXPECT_THROW(average_pool2d(zeros({1, 4, 4, 3}), {.padding = "full"}), Error);
  EXPECT_THROW(average_pool2d(zeros({1, 4, 4, 3}), {.pool_size = 0}), Error);
}

TEST(Pooling, GradientsOfBothOrders) {
  Tensor x = noise({2, 5, 4, 2}, 1);
  for (const PoolOptions& o : options()) {
    if (o.pool_size.w > 4) continue;
    auto most = [&](const Tensors& t) { return max_pool2d(t[0], o); };
    auto average = [&](const Tensors& t) { return average_pool2d(t[0], o); };
    expect_gradients(most, {x});
    expect_gradients(average, {x});
    expect_second_gradients(most, {x});
    expect_second_gradients(average, {x});
  }
  expect_gradients([](const Tensors& t) { return max_pool2d(t[0], {.pool_size = 17}); }, {noise({1, 17, 17, 1}, 3)});
}

TEST(Pooling, ATapeKeepsAByteAMaximum) {
  Tensor x = noise({1, 8, 8, 4}, 1, float32);
  GradientTape tape;
  tape.watch(x);
  Tensor y = max_pool2d(x);
  EXPECT_EQ(tape.saved_bytes(), static_cast<size_t>(y.size()));
  expect_values(tape.gradient(sum(y), Tensors{x})[0], x.shape(), values(cast(equal(x, repeat(repeat(y, 2, 1), 2, 2)), float32)));
}

}  // namespace
}  // namespace tenure

#include <tenure/error.h>
#include <tenure/ops_image.h>

#include "ops/draws.h"
#include "ops/elastic.h"
#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

Tensor row(std::initializer_list<float> v) { return Tensor::from<float>(v, {1, 1, static_cast<int64_t>(v.size()), 1}); }

// Values recorded from Keras 3.15 on TensorFlow.
TEST(Resize, FollowsHalfPixelCentres) {
  Tensor x = row({0, 1, 3, 7, 2, 5});
  for (DType t : {float32, float64}) {
    expect_values(resize(cast(x, t), {1, 4}), {1, 1, 4, 1}, {0.25, 2.5, 5.75, 4.25});
    expect_values(resize(cast(x, t), {1, 4}, "nearest"), {1, 1, 4, 1}, {0, 3, 7, 5});
    expect_values(resize(cast(row({0, 1, 3}), t), {1, 6}), {1, 1, 6, 1}, {0, 0.25, 0.75, 1.5, 2.5, 3});
    expect_values(resize(cast(row({0, 1, 2}), t), {1, 5}, "nearest"), {1, 1, 5, 1}, {0, 0, 1, 2, 2});
  }
  Tensor bytes = resize(cast(x, uint8), {1, 4});
  EXPECT_EQ(bytes.dtype(), uint8);
  expect_values(bytes, {1, 1, 4, 1}, {0, 2, 6, 4});
  EXPECT_EQ(resize(cast(x, int32), {1, 4}).dtype(), int32);
  EXPECT_EQ(to_string(resize(zeros({4, 5, 3}), {2, 7}).shape()), "[2,7,3]");
}

TEST(Resize, DoubleAndFloatAgree) {
  Tensor x = noise({2, 9, 7, 3}, 1);
  for (bool antialias : {false, true})
    for (Pair size : {Pair(4, 3), Pair(12, 5), Pair(9, 7), Pair(1, 1)})
      expect_same(resize(cast(x, float32), size, "bilinear", antialias), resize(x, size, "bilinear", antialias), 1e-5);
}

TEST(Resize, Gradients) {
  Tensor x = noise({2, 5, 4, 2}, 1);
  for (bool antialias : {false, true})
    for (Pair size : {Pair(3, 2), Pair(7, 9), Pair(2, 6)}) {
      auto f = [=](const Tensors& t) { return resize(t[0], size, "bilinear", antialias); };
      expect_gradients(f, {x});
      Tensors narrow = gradients(f, {cast(x, float32)}), wide = gradients(f, {x});
      expect_same(narrow[0], wide[0], 1e-5);
      expect_second_gradients(f, {x});
    }
  expect_gradients([](const Tensors& t) { return resize(t[0], {3, 9}, "nearest"); }, {x});
}

TEST(Resize, EmptySizesAndMistakes) {
  EXPECT_EQ(to_string(resize(zeros({0, 4, 4, 3}), 2).shape()), "[0,2,2,3]");
  EXPECT_THROW(resize(zeros({1, 0, 4, 3}), 2), Error);
  EXPECT_THROW(resize(zeros({4, 4}), 2), Error);
  EXPECT_THROW(resize(zeros({1, 4, 4, 3}), 2, "cubic"), Error);
}

// ---- elastic --------------------------------------------------------------------------------------------------------------------

// keras.ops.image.elastic_transform, line by line, of ops that are compared with Keras by themselves.
Tensor elastic_by_parts(const Tensor& x, const Tensor& state, const ElasticOptions& o) {
  const Shape s = x.shape();
  const int64_t n = s[0], h = s[1], w = s[2], size = 6 * static_cast<int64_t>(o.sigma) + 1;
  const Tensor noise = multiply(ops::normal_at(state, {2 * n, h, w, 1}, x.dtype()), o.sigma);
  const Tensors moved = split(squeeze(multiply(gaussian_blur(noise, size, o.sigma, o.sigma), o.alpha), {-1}), 2, 0);
  const Tensor rows = add(moved[0], reshape(arange(0, static_cast<double>(h), 1, x.dtype()), {1, h, 1}));
  const Tensor columns = add(moved[1], reshape(arange(0, static_cast<double>(w), 1, x.dtype()), {1, 1, w}));
  Tensors images;
  for (int64_t i = 0; i < n; ++i) {
    const Tensor at = stack({unstack(rows, 0)[static_cast<size_t>(i)], unstack(columns, 0)[static_cast<size_t>(i)]}, 0);
    Tensors channels = unstack(unstack(x, 0)[static_cast<size_t>(i)], -1);
    for (Tensor& c : channels) c = map_coordinates(c, at, o.interpolation == "nearest" ? 0 : 1, o.fill_mode, o.fill_value);
    images.push_back(stack(channels, -1));
  }
  return stack(images, 0);
}

TEST(Elastic, IsWhatKerasDoesStepByStep) {
  const Tensor x = noise({2, 9, 7, 3}, 4), state = Tensor::from<int64_t>({5, 2});
  for (const char* mode : {"reflect", "constant", "nearest", "wrap"})
    for (const char* how : {"bilinear", "nearest"})
      for (double sigma : {0.7, 1.6}) {
        const ElasticOptions o{.alpha = 3, .sigma = sigma, .interpolation = how, .fill_mode = mode, .fill_value = 0.4};
        const Tensor y = ops::elastic_at(x, state, o);
        expect_same(y, elastic_by_parts(x, state, o), 1e-9);
        ElasticOptions first = o;
        first.data_format = "channels_first";
        expect_same(transpose(ops::elastic_at(transpose(x, {0, 3, 1, 2}), state, first), {0, 2, 3, 1}), y, 1e-12);
      }
}

// Where filters end inside the image, sigma times the noise has a deviation of sigma times the sum of the profile's squares.
TEST(Elastic, MovesAsFarAsItSays) {
  const double alpha = 2, sigma = 2;
  double total = 0, squares = 0;
  for (int i = -6; i <= 6; ++i) total += std::exp(-0.5 * i * i / (sigma * sigma));
  for (int i = -6; i <= 6; ++i) squares += std::pow(std::exp(-0.5 * i * i / (sigma * sigma)) / total, 2);
  const Tensor slope = broadcast_to(reshape(arange(0, 120, 1, float32), {1, 120, 1, 1}), {4, 120, 120, 1});
  const Tensor y = elastic_transform(slope, SeedGenerator(11), {.alpha = alpha, .sigma = sigma});
  const Tensor moved = slice(subtract(y, slope), {0, 20, 20, 0}, {4, 80, 80, 1});
  EXPECT_NEAR(std(moved).item<float>(), alpha * sigma * squares, 0.05 * alpha * sigma * squares);
  EXPECT_NEAR(mean(moved).item<float>(), 0, 0.05);
}

TEST(Elastic, TypesGradientsAndMistakes) {
  const Tensor x = noise({2, 6, 5, 2}, 3), state = Tensor::from<int64_t>({9, 0});
  expect_gradients([&](const Tensors& t) { return ops::elastic_at(t[0], state, {.alpha = 2, .sigma = 1.2}); }, {x});
  const SeedGenerator seed(3), same(3);
  const Tensor first = elastic_transform(x, seed), second = elastic_transform(x, seed);
  expect_same(elastic_transform(x, same), first, 0);
  EXPECT_FALSE(all(equal(first, second)).item<bool>());
  for (DType t : {float32, float16, bfloat16}) EXPECT_EQ(elastic_transform(cast(x, t), seed).dtype(), t);
  EXPECT_EQ(to_string(elastic_transform(zeros({6, 5, 2}), seed).shape()), "[6,5,2]");
  EXPECT_EQ(to_string(elastic_transform(zeros({0, 5, 2, 1}), seed).shape()), "[0,5,2,1]");
  EXPECT_THROW(elastic_transform(zeros({6, 5}), seed), Error);
  EXPECT_THROW(elastic_transform(zeros({6, 5, 2}, int32), seed), Error);
  EXPECT_THROW(elastic_transform(x, seed, {.sigma = 0}), Error);
  EXPECT_THROW(elastic_transform(x, seed, {.interpolation = "cubic"}), Error);
  EXPECT_THROW(elastic_transform(x, seed, {.fill_mode = "mirror"}), Error);
}

}  // namespace
}  // namespace tenure

#include <tenure/error.h>
#include <tenure/ops.h>

#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

TEST(Normalization, BatchInferenceByHand) {
  Tensor x = Tensor::from<float>({1, 2, 3, 6}, {2, 2}), mean = Tensor::from<float>({1, 4}), variance = Tensor::from<float>({3, 0});
  expect_values(batch_normalization(x, mean, variance, {}, {}, -1, 1), {2, 2}, {0, -2, 1, 2});
  Tensor offset = Tensor::from<float>({10, 20}), scale = Tensor::from<float>({2, 3});
  expect_values(batch_normalization(x, mean, variance, offset, scale, -1, 1), {2, 2}, {10, 14, 12, 26});
  expect_values(batch_normalization(x, mean, variance, offset, {}, -1, 1), {2, 2}, {10, 18, 11, 22});
  expect_values(batch_normalization(transpose(x), mean, variance, offset, scale, 0, 1), {2, 2}, {10, 12, 14, 26});
  EXPECT_EQ(batch_normalization(cast(x, float16), mean, variance).dtype(), float16);
  EXPECT_THROW(batch_normalization(x, zeros({3}), variance), Error);
}

TEST(Normalization, BatchTrainingGivesBiasedMoments) {
  Tensor x = noise({2, 3, 4, 5}, 1), offset = noise({5}, 2), scale = noise({5}, 3);
  for (DType t : {float32, float64}) {
    Tensors y = batch_normalization_training(cast(x, t), offset, scale);
    ASSERT_EQ(y.size(), 3u);
    auto [mean, variance] = moments(x, {0, 1, 2});
    expect_same(y[1], mean, 1e-6);
    expect_same(y[2], variance, 1e-6);
    expect_same(y[0], (x - mean) * rsqrt(variance + 1e-3) * scale + offset, 1e-5);
  }
  Tensors first = batch_normalization_training(transpose(x, {0, 3, 1, 2}), offset, scale, 1);
  expect_same(transpose(first[0], {0, 2, 3, 1}), batch_normalization_training(x, offset, scale)[0], 1e-6);
  EXPECT_EQ(batch_normalization_training(zeros({0, 3}))[0].size(), 0);
}

TEST(Normalization, LayerByDefinition) {
  Tensor x = noise({2, 3, 4}, 1), gamma = noise({4}, 2), beta = noise({4}, 3);
  auto [mean, variance] = moments(x, {-1}, true);
  Tensor want = (x - mean) * rsqrt(variance + 1e-3);
  expect_same(layer_normalization(x), want);
  expect_same(layer_normalization(x, gamma, beta), want * gamma + beta);
  expect_same(layer_normalization(x, {}, beta), want + beta);
  expect_same(layer_normalization(cast(x, float32), gamma, beta), want * gamma + beta, 1e-5);
  Tensor two = noise({3, 4}, 5);
  expect_same(layer_normalization(x, two, {}, {1, 2}), reshape(layer_normalization(reshape(x, {2, 12}), reshape(two, {12})), {2, 3, 4}));
  Tensor middle = noise({3}, 6);
  expect_same(layer_normalization(x, middle, middle, {1}), transpose(layer_normalization(transpose(x, {0, 2, 1}), middle, middle), {0, 2, 1}));
  EXPECT_THROW(layer_normalization(x, zeros({3})), Error);
}

TEST(Normalization, Gradients) {
  Tensor x = noise({3, 2, 4}, 1), a = noise({4}, 2), b = noise({4}, 3), mean = noise({4}, 4), variance = noise({4}, 5, float64, 0.5, 2);
  expect_gradients([](const Tensors& t) { return batch_normalization(t[0], t[1], t[2], t[3], t[4]); }, {x, mean, variance, a, b});
  expect_gradients([](const Tensors& t) { return batch_normalization(t[0], t[1], t[2], {}, t[3]); }, {x, mean, variance, a});
  expect_gradients([](const Tensors& t) { return batch_normalization_training(t[0], t[1], t[2])[0]; }, {x, a, b});
  expect_gradients([](const Tensors& t) { return batch_normalization_training(t[0], t[1])[0]; }, {x, a});
  expect_gradients(
      [](const Tensors& t) {
        Tensors y = batch_normalization_training(t[0]);
        return y[0] * y[1] + y[2];
      },
      {x});
  expect_gradients([](const Tensors& t) { return layer_normalization(t[0], t[1], t[2]); }, {x, a, b});
  expect_gradients([](const Tensors& t) { return layer_normalization(t[0], {}, t[1], {1, 2}); }, {x, noise({2, 4}, 6)});
  expect_gradients([](const Tensors& t) { return layer_normalization(t[0], t[1], {}, {0}); }, {x, noise({3}, 6)});
}

TEST(Normalization, SecondGradients) {
  Tensor x = noise({4, 3}, 1), a = noise({3}, 2), b = noise({3}, 3);
  for (size_t by : {0u, 2u}) {
    expect_second_gradients([](const Tensors& t) { return batch_normalization_training(t[0], t[1], t[2])[0]; }, {x, a, b}, by);
    expect_second_gradients([](const Tensors& t) { return layer_normalization(t[0], t[2], t[1]); }, {x, a, b}, by);
  }
  expect_second_gradients([](const Tensors& t) { return batch_normalization(t[0], t[1], t[2]); }, {x, a, noise({3}, 4, float64, 0.5, 2)}, 2);
}

}  // namespace
}  // namespace tenure

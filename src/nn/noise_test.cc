// What the layers that draw do in training, by statistics: streams are our own.
#include <gtest/gtest.h>

#include <cmath>

#include <tenure/tenure.h>

namespace tenure {
namespace {

Tensor trained(const Layer& l, Tensor x) { return l(std::move(x), {.training = true}); }

double mean_of(const Tensor& x) { return mean(x).item(); }
double deviation_of(const Tensor& x) { return std(x).item(); }

TEST(Noise, GaussianNoiseAddsItsDeviation) {
  Tensor y = trained(layers::GaussianNoise{.stddev = 0.5, .seed = 3}, full({200, 100}, 2.0));
  EXPECT_NEAR(mean_of(y), 2, 0.02);
  EXPECT_NEAR(deviation_of(y), 0.5, 0.01);
}

TEST(Noise, GaussianDropoutMultipliesByNoiseOfItsRate) {
  Tensor y = trained(layers::GaussianDropout{.rate = 0.2, .seed = 3}, full({200, 100}, 3.0));
  EXPECT_NEAR(mean_of(y), 3, 0.05);
  EXPECT_NEAR(deviation_of(y), 3 * std::sqrt(0.25), 0.03);
}

TEST(Noise, AlphaDropoutKeepsMeanAndDeviation) {
  SeedGenerator seed(5);
  Tensor x = random::normal({300, 200}, seed);
  Tensor y = trained(layers::AlphaDropout{.rate = 0.3, .seed = 4}, x);
  EXPECT_NEAR(mean_of(y), 0, 0.02);
  EXPECT_NEAR(deviation_of(y), 1, 0.02);
  EXPECT_GT(mean_of(cast(greater(abs(y - x), 1e-6), float32)), 0.9);  // what is kept is rescaled
}

TEST(Noise, SpatialDropoutDropsWholeChannels) {
  Tensor y = trained(layers::SpatialDropout2D{.rate = 0.5, .seed = 2}, ones({10, 4, 3, 40}));
  Tensor total = sum(y, {1, 2});  // a channel is 0 or 2 everywhere
  EXPECT_EQ(mean_of(cast(logical_or(equal(total, 0.0), equal(total, 24.0)), float32)), 1);
  EXPECT_NEAR(mean_of(y), 1, 0.2);
  Tensor first = trained(layers::SpatialDropout3D{.rate = 0.5, .data_format = "channels_first", .seed = 2}, ones({10, 40, 2, 2, 2}));
  total = sum(first, {2, 3, 4});
  EXPECT_EQ(mean_of(cast(logical_or(equal(total, 0.0), equal(total, 16.0)), float32)), 1);
}

TEST(Noise, TwoCallsDifferAndASeedRepeats) {
  Layer a = layers::GaussianNoise{.stddev = 1, .seed = 7}, b = layers::GaussianNoise{.stddev = 1, .seed = 7};
  Tensor x = zeros({4, 4});
  Tensor first = trained(a, x), second = trained(a, x);
  EXPECT_NE(first.to_vector<float>(), second.to_vector<float>());
  EXPECT_EQ(trained(b, x).to_vector<float>(), first.to_vector<float>());
}

TEST(Noise, RatesOutOfRangeAreRefused) {
  EXPECT_THROW(Layer(layers::GaussianNoise{.stddev = 1.5}), Error);
  EXPECT_THROW(Layer(layers::GaussianDropout{.rate = 1}), Error);
  EXPECT_THROW(Layer(layers::AlphaDropout{.rate = -0.1}), Error);
  EXPECT_THROW(Layer(layers::SpatialDropout1D{.rate = 2}), Error);
}

TEST(Noise, ActivityRegularizationJoinsTheLossPerSample) {
  Tensor in = Input({.shape = {3}});
  Model model{{.inputs = {in}, .outputs = {layers::ActivityRegularization{.l1 = 0.5, .l2 = 0.25}(in)}}};
  model.compile({.optimizer = optimizers::SGD{}, .loss = "mse"});
  Tensor x = Tensor::from<float>({1, -2, 3, 0, 1, 1}, {2, 3});
  // mse 0; (0.5 * 8 + 0.25 * 16) / 2 samples
  EXPECT_NEAR(model.test_on_batch(x, x).loss(), 4, 1e-5);
}

TEST(Cropping, WhatLeavesNothingIsRefused) {
  EXPECT_THROW(Layer(layers::Cropping1D{.cropping = {2, 2}})(ones({1, 4, 1})), Error);
  EXPECT_THROW(Layer(layers::Cropping2D{.cropping = -1}), Error);
  EXPECT_THROW(Layer(layers::ZeroPadding3D{.padding = {1, -1, 0}}), Error);
  EXPECT_THROW(Layer(layers::UpSampling2D{.interpolation = "bicubic"}), Error);
}

}  // namespace
}  // namespace tenure

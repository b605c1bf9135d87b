// Convolution and pooling over one and three dimensions, transposed and adaptive, against two-dimensional ones and definitions.
#include <tenure/convolution.h>
#include <tenure/error.h>
#include <tenure/ops.h>

#include "core/body.h"
#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

TEST(ConvolutionNd, OneDimensionIsARowOfAnImage) {
  for (DType t : {float32, float64}) {
    Tensor x = noise({2, 9, 4}, 1, t), w = noise({3, 2, 6}, 2, t), b = noise({6}, 3, t);
    Tensor want = conv2d(expand_dims(x, 1), expand_dims(w, 0), {.strides = {1, 2}, .padding = "same", .groups = 2}, b);
    expect_same(conv(x, w, {.strides = {2}, .padding = "same", .groups = 2}, b), squeeze(want, {1}), 1e-5);
    Tensor d = noise({3, 4, 2}, 4, t);
    expect_same(depthwise_conv(x, d, {.dilation_rate = {2}}),
                squeeze(depthwise_conv2d(expand_dims(x, 1), expand_dims(d, 0), {.dilation_rate = {1, 2}}), {1}), 1e-5);
  }
}

TEST(ConvolutionNd, CausalPaddingSeesNothingBehind) {
  Tensor x = Tensor::from<float>({1, 2, 3, 4}, {1, 4, 1}), w = Tensor::from<float>({1, 10}, {2, 1, 1});
  expect_values(conv(x, w, {.padding = "causal"}), {1, 4, 1}, {10, 21, 32, 43});
  expect_values(conv(x, w, {.padding = "causal", .dilation_rate = {2}}), {1, 4, 1}, {10, 20, 31, 42});
}

// A volume's convolution is the sum over planes of the kernel of images' convolutions.
TEST(ConvolutionNd, ThreeDimensionsAreSumsOfTwo) {
  for (DType t : {float32, float64}) {
    Tensor x = noise({2, 4, 5, 6, 3}, 1, t), w = noise({2, 3, 2, 3, 5}, 2, t);
    Tensors planes;
    for (int64_t d = 0; d < 3; ++d) {
      Tensor y;
      for (int64_t k = 0; k < 2; ++k) {
        Tensor plane = squeeze(slice_axis(x, 1, d + k, d + k + 1), {1}), tap = squeeze(slice_axis(w, 0, k, k + 1), {0});
        Tensor part = conv2d(plane, tap, {.strides = {1, 2}, .padding = "same"});
        y = y.defined() ? y + part : part;
      }
      planes.push_back(y);
    }
    Tensor padded = pad(x, {{0, 0}, {0, 0}, {1, 1}, {0, 0}, {0, 0}});
    expect_same(conv(padded, w, {.strides = {1, 1, 2}}), stack(planes, 1), 1e-5);
  }
}

TEST(ConvolutionNd, TransposedHasKerasLengthsAndCutsHalfAtTheStart) {
  Tensor x = Tensor::from<float>({1, 0, 0}, {1, 3, 1});
  auto impulse = [&](std::initializer_list<float> w, ConvTransposeOptions o) {
    return conv_transpose(x, Tensor::from<float>(w, {static_cast<int64_t>(w.size()), 1, 1}), o);
  };
  expect_values(impulse({1, 2, 3}, {.strides = {2}, .padding = "same"}), {1, 6, 1}, {1, 2, 3, 0, 0, 0});
  expect_values(impulse({1, 2, 3, 4, 5}, {.strides = {2}, .padding = "same"}), {1, 6, 1}, {2, 3, 4, 5, 0, 0});
  expect_values(impulse({1, 2}, {.strides = {3}}), {1, 9, 1}, {1, 2, 0, 0, 0, 0, 0, 0, 0});
  expect_values(impulse({1, 2, 3}, {.strides = {2}, .output_padding = {1}}), {1, 8, 1}, {1, 2, 3, 0, 0, 0, 0, 0});
  expect_values(impulse({1, 2}, {.padding = "valid", .dilation_rate = {3}}), {1, 6, 1}, {1, 0, 0, 2, 0, 0});
  EXPECT_THROW(impulse({1, 2}, {.strides = {2}, .output_padding = {2}}), Error);
  EXPECT_THROW(impulse({1, 2}, {.padding = "causal"}), Error);
  EXPECT_EQ(to_string(conv_transpose(zeros({0, 3, 4, 2}), zeros({3, 3, 5, 2}), {.strides = {2}}).shape()), "[0,7,9,5]");
}

TEST(ConvolutionNd, GradientsInDouble) {
  expect_gradients([](const Tensors& t) { return conv(t[0], t[1], {.strides = {2}, .padding = "causal", .activation = "tanh"}, t[2]); },
                   {noise({2, 5, 2}, 1), noise({3, 2, 3}, 2), noise({3}, 3)});
  expect_gradients(
      [](const Tensors& t) {
        return conv(t[0], t[1], {.strides = {1, 2, 1}, .padding = "same"}, t[2]);
      },
      {noise({1, 3, 4, 2, 2}, 1), noise({2, 3, 2, 2, 2}, 2), noise({2}, 3)});
  expect_gradients([](const Tensors& t) { return conv_transpose(t[0], t[1], {.strides = {2}, .padding = "same"}, t[2]); },
                   {noise({1, 2, 3, 2}, 1), noise({3, 3, 4, 2}, 2), noise({4}, 3)});
  expect_gradients([](const Tensors& t) { return conv_transpose(t[0], t[1], {.strides = {3}, .output_padding = {1}}); },
                   {noise({2, 3, 2}, 1), noise({2, 3, 2}, 2)});
  expect_gradients([](const Tensors& t) { return separable_conv(t[0], t[1], t[2], {.padding = "same"}, t[3]); },
                   {noise({2, 4, 2}, 1), noise({3, 2, 2}, 2), noise({1, 4, 3}, 3), noise({3}, 4)});
}

TEST(ConvolutionNd, FloatGradientsMatchDoubleOnes) {
  auto f = [](const Tensors& t) { return conv_transpose(conv(t[0], t[1], {.strides = {2}, .padding = "same"}), t[2], {.strides = {2}}); };
  auto inputs = [](DType t) { return Tensors{noise({1, 5, 4, 6, 3}, 1, t), noise({3, 2, 3, 3, 4}, 2, t), noise({2, 2, 3, 5, 4}, 3, t)}; };
  Tensors narrow = gradients(f, inputs(float32)), wide = gradients(f, inputs(float64));
  for (size_t i = 0; i < 3; ++i) expect_same(narrow[i], wide[i], 1e-5);
}

TEST(PoolNd, OneDimensionAndThree) {
  Tensor x = Tensor::from<float>({1, 5, 2, 4, 3}, {1, 5, 1});
  expect_values(max_pool(x), {1, 2, 1}, {5, 4});
  expect_values(average_pool(x, {.pool_size = {3}, .strides = {2}, .padding = "same"}), {1, 3, 1}, {3, 11 / 3.0, 3.5});
  // Each corner of a 2 x 2 x 2 volume's middle: means over what is inside.
  Tensor v = reshape(arange(0, 8, 1, float32), {1, 2, 2, 2, 1});
  expect_values(average_pool(v), {1, 1, 1, 1, 1}, {3.5});
  expect_values(max_pool(v, {.pool_size = {1, 2, 1}, .strides = {1}}), {1, 2, 1, 2, 1}, {2, 3, 6, 7});
  expect_values(average_pool(v, {.pool_size = {2}, .strides = {1}, .padding = "same"}), {1, 2, 2, 2, 1}, {3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7});
  EXPECT_THROW(max_pool(v, {.pool_size = {2, 2}}), Error);
}

TEST(PoolNd, AdaptiveWindowsCoverEverything) {
  Tensor x = Tensor::from<float>({1, 2, 3, 4, 5}, {1, 5, 1});
  expect_values(adaptive_average_pool(x, {3}), {1, 3, 1}, {1.5, 3, 4.5});
  expect_values(adaptive_max_pool(x, {3}), {1, 3, 1}, {2, 4, 5});
  expect_values(adaptive_max_pool(x, {7}), {1, 7, 1}, {1, 2, 3, 3, 4, 5, 5});
  expect_gradients([](const Tensors& t) { return adaptive_average_pool(t[0], {3, 2}); }, {noise({2, 5, 4, 2}, 1)});
  expect_gradients([](const Tensors& t) { return adaptive_max_pool(t[0], {3, 2}); }, {noise({2, 5, 4, 2}, 1)});
  EXPECT_THROW(adaptive_max_pool(x, {0}), Error);
  EXPECT_THROW(adaptive_max_pool(x, {2, 2}), Error);
}

}  // namespace
}  // namespace tenure

#include <tenure/error.h>
#include <tenure/ops.h>

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

}  // namespace
}  // namespace tenure

#include <tenure/error.h>
#include <tenure/ops.h>

#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

TEST(CrossEntropies, BinaryByHand) {
  Tensor t = Tensor::from<float>({1, 0, 1, 0}), p = Tensor::from<float>({0.8f, 0.4f, 0, 1});
  // The last two are clipped: -log(1e-7) and -log(1 - (1 - 1e-7)) in float32.
  Tensor y = binary_crossentropy(t, p);
  expect_values(slice_axis(y, 0, 0, 2), {2}, {-std::log(0.8), -std::log(0.6)});
  EXPECT_NEAR(y.at(2), 16.118095, 1e-4);
  EXPECT_NEAR(y.at(3), 15.942385, 1e-4);
  Tensor x = Tensor::from<double>({-30, -1, 0.5, 800});
  std::vector<double> want;
  for (int i = 0; i < 4; ++i) want.push_back(std::max(x.at(i), 0.0) + std::log1p(std::exp(-std::fabs(x.at(i)))) - x.at(i) * t.at(i));
  expect_values(binary_crossentropy(t, x, true), {4}, want);
  EXPECT_EQ(binary_crossentropy(cast(t, int32), cast(x, float32), true).dtype(), float32);
  EXPECT_THROW(binary_crossentropy(zeros({2, 1}), zeros({2})), Error);
}

TEST(CrossEntropies, CategoricalByHand) {
  Tensor t = Tensor::from<float>({0, 1, 0, 0.5f, 0, 0.5f}, {2, 3}), p = Tensor::from<float>({1, 2, 1, 2, 0, 6}, {2, 3});
  expect_values(categorical_crossentropy(t, p), {2}, {-std::log(0.5), -(std::log(0.25) + std::log(0.75)) / 2});
  expect_values(categorical_crossentropy(t, log(p + 1e-30), true), {2}, {-std::log(0.5), -(std::log(0.25) + std::log(0.75)) / 2}, 1e-5);
  expect_same(categorical_crossentropy(transpose(t), transpose(p), true, 0), categorical_crossentropy(t, p, true));
  expect_same(categorical_crossentropy(transpose(t), transpose(p), false, 0), categorical_crossentropy(t, p));
  EXPECT_THROW(categorical_crossentropy(zeros({3}), zeros({2, 3})), Error);
}

TEST(CrossEntropies, SparseRenormalizesProbabilities) {
  Tensor label = Tensor::from<int32_t>({1, 2}), p = Tensor::from<float>({1, 2, 1, 2, 0, 6}, {2, 3}) / 10.0;
  const double total = 0.2 + 1e-7 + 0.6;
  expect_values(sparse_categorical_crossentropy(label, p), {2}, {-std::log(0.5), -std::log(0.6 / total)});
  expect_same(sparse_categorical_crossentropy(expand_dims(label, 1), p), sparse_categorical_crossentropy(label, p));
  expect_same(sparse_categorical_crossentropy(cast(label, float32), p), sparse_categorical_crossentropy(label, p));
  Tensor x = noise({2, 3}, 1);
  expect_same(sparse_categorical_crossentropy(label, x, true), categorical_crossentropy(one_hot(label, 3), x, true));
  expect_same(sparse_categorical_crossentropy(label, transpose(x), true, 0), sparse_categorical_crossentropy(label, x, true));
  EXPECT_EQ(sparse_categorical_crossentropy(zeros({0}, int32), zeros({0, 3}), true).size(), 0);
}

TEST(CrossEntropies, ALabelThatDoesNotExistIsNamed) {
  try {
    sparse_categorical_crossentropy(Tensor::from<int64_t>({0, 3}), zeros({2, 3}), true);
    FAIL();
  } catch (const Error& e) { EXPECT_EQ(e.message(), "sparse_softmax_cross_entropy: label is out of range: 3 at position 1"); }
  EXPECT_THROW(sparse_categorical_crossentropy(Tensor::from<int32_t>({-1}), zeros({1, 3}), true), Error);
  EXPECT_THROW(sparse_categorical_crossentropy(Tensor::from<int32_t>({1, 1}), zeros({3, 3}), true), Error);
}

TEST(CrossEntropies, Gradients) {
  Tensor t = noise({2, 4}, 1, float64, 0, 1), x = noise({2, 4}, 2, float64, -2, 2), p = noise({2, 4}, 3, float64, 0.1, 0.9);
  Tensor label = Tensor::from<int32_t>({3, 1});
  for (auto& [f, second] : std::vector<std::pair<Map, Tensor>>{
           {[](const Tensors& a) { return binary_crossentropy(a[0], a[1], true); }, x},
           {[](const Tensors& a) { return binary_crossentropy(a[0], a[1]); }, p},
           {[](const Tensors& a) { return categorical_crossentropy(a[0], a[1], true); }, x},
           {[](const Tensors& a) { return categorical_crossentropy(a[0], a[1], true, 0); }, x},
           {[](const Tensors& a) { return categorical_crossentropy(a[0], a[1]); }, p},
           {[&](const Tensors& a) { return sparse_categorical_crossentropy(label, a[1], true); }, x},
           {[&](const Tensors& a) { return sparse_categorical_crossentropy(label, a[1]); }, p},
       }) {
    expect_gradients(f, {t, second});
    expect_second_gradients(f, {t, second}, 1);
  }
}

}  // namespace
}  // namespace tenure

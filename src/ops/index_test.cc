#include <tenure/error.h>
#include <tenure/ops.h>

#include "core/body.h"
#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

Tensor ints(std::initializer_list<int32_t> v) { return Tensor::from<int32_t>(v); }

TEST(Indices, SlicesOfLeadingAxesAreViews) {
  Tensor x = counting({4, 3});
  Tensor rows = slice(x, {1, 0}, {2, 3});
  expect_values(rows, {2, 3}, {3, 4, 5, 6, 7, 8});
  EXPECT_EQ(storage_of(rows), storage_of(x));
  EXPECT_EQ(storage_of(slice_axis(x, 0, 2)), storage_of(x));
  EXPECT_EQ(storage_of(slice(x, {2, 1}, {1, 2})), storage_of(x));
  Tensor box = slice(x, {1, 1}, {2, -1});
  expect_values(box, {2, 2}, {4, 5, 7, 8});
  EXPECT_NE(storage_of(box), storage_of(x));
  EXPECT_THROW(slice(x, {3, 0}, {2, 3}), Error);
  EXPECT_THROW(slice(x, {0}, {2}), Error);
}

TEST(Indices, SliceAxisFollowsNumPy) {
  Tensor x = counting({7});
  expect_values(slice_axis(x, 0, 1, 6, 2), {3}, {1, 3, 5});
  expect_values(slice_axis(x, 0, -3), {3}, {4, 5, 6});
  expect_values(slice_axis(x, 0, 0, -5), {2}, {0, 1});
  expect_values(slice_axis(x, 0, 5, 100), {2}, {5, 6});
  EXPECT_EQ(slice_axis(x, 0, 4, 2).size(), 0);
  expect_values(slice_axis(counting({2, 3}), -1, 0, 3, 2), {2, 2}, {0, 2, 3, 5});
  EXPECT_THROW(slice_axis(x, 0, 0, 3, 0), Error);
}

TEST(Indices, SliceUpdateReusesALastBuffer) {
  Tensor x = counting({2, 3});
  expect_values(slice_update(x, {0, 1}, Tensor::from<float>({7, 8}, {1, 2})), {2, 3}, {0, 7, 8, 3, 4, 5});
  expect_values(x, {2, 3}, {0, 1, 2, 3, 4, 5});
  const auto* buffer = storage_of(x);
  Tensor y = slice_update(std::move(x), {1, 0}, zeros({1, 3}));
  EXPECT_EQ(storage_of(y), buffer);
  expect_values(y, {2, 3}, {0, 1, 2, 0, 0, 0});
  EXPECT_THROW(slice_update(y, {1, 1}, zeros({1, 3})), Error);
}

TEST(Indices, TakeAlongAnyAxisWithNegativeIndices) {
  expect_values(take(counting({3, 2}), ints({2, -3}), 0), {2, 2}, {4, 5, 0, 1});
  expect_values(take(counting({2, 3}), ints({2, 0, 2}), 1), {2, 3}, {2, 0, 2, 5, 3, 5});
  expect_values(take(counting({2, 2}), ints({3, 0})), {2}, {3, 0});
  EXPECT_EQ(to_string(take(counting({5, 2}), Tensor::from<int64_t>({0, 1, 2, 3}, {2, 2}), 0).shape()), "[2,2,2]");
  EXPECT_EQ(take(counting({5}), Tensor::from<uint8_t>({4}), 0).at(0), 4);
  EXPECT_THROW(take(counting({5}), Tensor::from<float>({1}), 0), Error);
}

TEST(Indices, AnIndexThatDoesNotExistIsNamedWithItsPlace) {
  try {
    take(counting({5}), ints({0, 7, 9}), 0);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::NotFound);
    EXPECT_EQ(e.message(), "take: index is out of range: 7 at position 1");
    ASSERT_FALSE(e.frames().empty());
    EXPECT_EQ(e.frames()[0], "take, called with float32[5], int32[3]");
  }
  EXPECT_THROW(take(zeros({0, 2}), ints({0}), 0), Error);
  EXPECT_THROW(scatter_add(ints({3}), counting({1}), {3}), Error);
  EXPECT_THROW(take_along_axis(counting({3}), ints({-4}), 0), Error);
}

TEST(Indices, ScatterAddSumsRepeatedRows) {
  expect_values(scatter_add(ints({1, 1, -3}), Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2}), {3, 2}), {3, 2}, {5, 6, 4, 6, 0, 0});
  expect_values(scatter_add(ints({0, 0}), ints({5, 6}), {2}), {2}, {11, 0});
  EXPECT_THROW(scatter_add(ints({0}), zeros({2}), {3}), Error);
}

TEST(Indices, TakeAlongAxisBroadcastsTheOthers) {
  Tensor x = counting({2, 3});
  expect_values(take_along_axis(x, Tensor::from<int32_t>({-1, 0}, {2, 1}), 1), {2, 1}, {2, 3});
  expect_values(take_along_axis(x, Tensor::from<int32_t>({1, 2}, {1, 2}), 1), {2, 2}, {1, 2, 4, 5});
  expect_values(take_along_axis(x, Tensor::from<int32_t>({1, 0, 1}, {1, 3}), 0), {1, 3}, {3, 1, 5});
}

TEST(Indices, OneHotGivesZerosForOthers) {
  expect_values(one_hot(ints({-1, 5, 1}), 3), {3, 3}, {0, 0, 0, 0, 0, 0, 0, 1, 0});
  Tensor front = one_hot(Tensor::from<int64_t>({-1, 5, 1}, {1, 3}), 3, 0);
  expect_values(front, {3, 1, 3}, {0, 0, 0, 0, 0, 1, 0, 0, 0});
  EXPECT_EQ(one_hot(ints({1}), 2, -1, bool_).dtype(), bool_);
  EXPECT_EQ(one_hot(ints({1}), 2, -1, int64).at(1), 1);
}

TEST(Indices, Gradients) {
  Tensor x = noise({3, 4, 2}, 1), u = noise({1, 2, 2}, 2);
  Tensor pick = Tensor::from<int32_t>({2, -1, 0, 2, 1, -3}, {3, 2, 1});
  for (const Map& f : std::vector<Map>{
           [](const Tensors& t) {
             return slice(t[0], {1, 0, 1}, {2, 3, 1});
           },
           [](const Tensors& t) {
             return slice(t[0], {1, 0, 0}, {1, 4, 2});
           },
           [](const Tensors& t) { return slice_axis(t[0], 1, 0, 4, 3); },
           [](const Tensors& t) { return slice_axis(t[0], 0, 1); },
           [](const Tensors& t) {
             return slice_update(t[0], {1, 1, 0}, t[1]);
           },
           [](const Tensors& t) {
             return take(t[0], Tensor::from<int32_t>({0, 2, 2}), 0);
           },
           [](const Tensors& t) {
             return take(t[0], Tensor::from<int64_t>({3, -4, 3, 1}, {2, 2}), 1);
           },
           [](const Tensors& t) {
             return take(t[0], Tensor::from<int32_t>({23, 0}));
           },
           [](const Tensors& t) {
             return scatter_add(Tensor::from<int32_t>({1, 1, 0}), t[0], {2, 4, 2});
           },
           [&](const Tensors& t) { return take_along_axis(t[0], pick, 1); },
       }) {
    expect_gradients(f, {x, u});
    expect_second_gradients(f, {x, u});
  }
}

}  // namespace
}  // namespace tenure

#include <tenure/error.h>
#include <tenure/ops.h>

#include "core/body.h"
#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

TEST(Shapes, ReshapeSharesTheBufferAndResolvesMinusOne) {
  Tensor x = counting({2, 6});
  Tensor y = reshape(x, {3, -1});
  expect_values(y, {3, 4}, values(x));
  EXPECT_EQ(storage_of(x), storage_of(y));
  EXPECT_EQ(storage_of(x), storage_of(expand_dims(x, 1)));
  EXPECT_EQ(storage_of(x), storage_of(squeeze(expand_dims(x, 0))));
  EXPECT_EQ(to_string(expand_dims(x, -1).shape()), "[2,6,1]");
  EXPECT_EQ(to_string(squeeze(zeros({1, 2, 1}), {-1}).shape()), "[1,2]");
  EXPECT_EQ(to_string(reshape(zeros({0, 3}), {-1, 3}).shape()), "[0,3]");
}

TEST(Shapes, ReshapeNamesWhatDoesNotFit) {
  try {
    reshape(zeros({2, 3}), {4, -1});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Shape);
    EXPECT_NE(e.message().find("float32[2,3] has 6 elements, which do not fit [4,?]"), std::string::npos) << e.what();
  }
  EXPECT_THROW(reshape(zeros({2, 3}), {-1, -1}), Error);
  EXPECT_THROW(squeeze(zeros({2, 3}), {0}), Error);
  EXPECT_THROW(transpose(zeros({2, 3}), {0, 0}), Error);
  EXPECT_THROW(transpose(zeros({2, 3}), {0}), Error);
}

TEST(Shapes, TransposePermutesAndIsAViewWhenOnlyOnesMove) {
  expect_values(transpose(counting({2, 3})), {3, 2}, {0, 3, 1, 4, 2, 5});
  expect_values(transpose(counting({2, 3, 2}), {1, 2, 0}), {3, 2, 2}, {0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11});
  expect_values(transpose(counting({2, 2, 2}, uint8), {0, 2, 1}), {2, 2, 2}, {0, 2, 1, 3, 4, 6, 5, 7});
  Tensor x = counting({2, 1, 3});
  EXPECT_EQ(storage_of(transpose(x, {1, 0, 2})), storage_of(x));
  EXPECT_EQ(transpose(zeros({0, 3})).size(), 0);
}

TEST(Shapes, BroadcastTo) {
  expect_values(broadcast_to(counting({2, 1}), {2, 2, 3}), {2, 2, 3}, {0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1});
  expect_values(broadcast_to(counting({3}, int64), {2, 3}), {2, 3}, {0, 1, 2, 0, 1, 2});
  EXPECT_EQ(broadcast_to(zeros({1, 3}), {0, 3}).size(), 0);
  EXPECT_THROW(broadcast_to(zeros({2}), {3}), Error);
}

TEST(Shapes, JoinAndSplit) {
  Tensor a = counting({2, 2}), b = counting({2, 1}) + 10;
  expect_values(concatenate({a, b}, 1), {2, 3}, {0, 1, 10, 2, 3, 11});
  expect_values(concatenate({a, a}), {4, 2}, {0, 1, 2, 3, 0, 1, 2, 3});
  expect_values(concatenate({zeros({0, 2}), a}), {2, 2}, {0, 1, 2, 3});
  EXPECT_EQ(concatenate({counting({2}, int32), counting({2})}).dtype(), float32);
  expect_values(stack({counting({2}), counting({2}) + 5}, 1), {2, 2}, {0, 5, 1, 6});
  expect_values(stack({Tensor(1.5), Tensor(2)}), {2}, {1.5, 2});
  EXPECT_THROW(concatenate({}), Error);
  EXPECT_THROW(concatenate({zeros({2, 2}), zeros({3, 3})}), Error);

  Tensors rows = split(counting({4, 2}), 2);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(storage_of(rows[0]), storage_of(rows[1]));
  expect_values(rows[1], {2, 2}, {4, 5, 6, 7});
  Tensors columns = split(counting({2, 4}), std::vector<int64_t>{1, 3}, -1);
  ASSERT_EQ(columns.size(), 3u);
  expect_values(columns[1], {2, 2}, {1, 2, 5, 6});
  expect_values(columns[2], {2, 1}, {3, 7});
  expect_values(unstack(counting({2, 2}), 1)[1], {2}, {1, 3});
  EXPECT_THROW(split(zeros({5}), 2), Error);
}

TEST(Shapes, TileRepeatFlip) {
  expect_values(tile(counting({2}), {2, 2}), {2, 4}, {0, 1, 0, 1, 0, 1, 0, 1});
  expect_values(tile(counting({2, 2}), {2}), {2, 4}, {0, 1, 0, 1, 2, 3, 2, 3});
  expect_values(repeat(counting({2, 2}), 2, 0), {4, 2}, {0, 1, 0, 1, 2, 3, 2, 3});
  expect_values(repeat(counting({2, 2}), 2, -1), {2, 4}, {0, 0, 1, 1, 2, 2, 3, 3});
  expect_values(flip(counting({2, 3})), {2, 3}, {5, 4, 3, 2, 1, 0});
  expect_values(flip(counting({2, 3}), {-1}), {2, 3}, {2, 1, 0, 5, 4, 3});
  EXPECT_EQ(repeat(zeros({0}), 3, 0).size(), 0);
}

TEST(Shapes, PadInFourModes) {
  Tensor x = Tensor::from<float>({1, 2, 3});
  expect_values(pad(x, {{2, 1}}, "constant", 9), {6}, {9, 9, 1, 2, 3, 9});
  expect_values(pad(x, {{2, 1}}, "reflect"), {6}, {3, 2, 1, 2, 3, 2});
  expect_values(pad(x, {{2, 1}}, "symmetric"), {6}, {2, 1, 1, 2, 3, 3});
  expect_values(pad(x, {{2, 1}}, "edge"), {6}, {1, 1, 1, 2, 3, 3});
  expect_values(pad(counting({1, 2}), {{1, 0}, {0, 1}}), {2, 3}, {0, 0, 0, 0, 1, 0});
  EXPECT_THROW(pad(x, {{3, 0}}, "reflect"), Error);
  EXPECT_THROW(pad(x, {{1, 1}}, "wrap"), Error);
  EXPECT_THROW(pad(x, {}), Error);
}

TEST(Shapes, Gradients) {
  Tensor x = noise({2, 3, 2}, 1), y = noise({2, 1, 2}, 2);
  for (const Map& f : std::vector<Map>{
           [](const Tensors& t) {
             return reshape(t[0], {3, 4});
           },
           [](const Tensors& t) {
             return transpose(t[0], {2, 0, 1});
           },
           [](const Tensors& t) {
             return broadcast_to(t[0], {2, 2, 3, 2});
           },
           [](const Tensors& t) {
             return concatenate({t[0], t[1], t[0]}, 1);
           },
           [](const Tensors& t) {
             return stack({t[0], t[0]}, 2);
           },
           [](const Tensors& t) { return split(t[0], 2, 2)[1] * 3.0; },
           [](const Tensors& t) { return split(t[0], 2)[0]; },
           [](const Tensors& t) {
             return tile(t[0], {2, 1, 3});
           },
           [](const Tensors& t) { return repeat(t[0], 3, 1); },
           [](const Tensors& t) {
             return flip(t[0], {0, 2});
           },
           [](const Tensors& t) {
             return pad(t[0], {{1, 0}, {0, 2}, {1, 1}});
           },
           [](const Tensors& t) {
             return pad(t[0], {{1, 0}, {2, 2}, {1, 1}}, "reflect");
           },
           [](const Tensors& t) {
             return pad(t[0], {{1, 2}, {3, 1}, {1, 0}}, "symmetric");
           },
           [](const Tensors& t) {
             return pad(t[0], {{1, 2}, {4, 1}, {0, 0}}, "edge");
           },
       }) {
    expect_gradients(f, {x, y});
    expect_second_gradients(f, {x, y});
  }
}

}  // namespace
}  // namespace tenure

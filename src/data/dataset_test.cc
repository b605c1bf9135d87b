// Values and order of every stage, over rows and over elements.
#include <algorithm>
#include <numeric>
#include <set>

#include <tenure/strings.h>

#include "data/test_data.h"

namespace tenure::data {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

Floats count(int64_t n, int64_t from = 0) {
  Floats out(static_cast<size_t>(n));
  std::iota(out.begin(), out.end(), static_cast<float>(from));
  return out;
}
Floats sorted(Floats v) {
  std::sort(v.begin(), v.end());
  return v;
}

TEST(Dataset, BatchesOfArraysHoldTheirRowsInOrder) {
  Dataset d = rows(7).batch(3);
  EXPECT_EQ(d.cardinality(), 3);
  EXPECT_EQ(sizes(d), (Ints{3, 3, 1}));
  EXPECT_EQ(xs(d), count(7));
  Iterator it = d.open();
  Batch b;
  ASSERT_TRUE(it.next(b));
  EXPECT_EQ(b.x[0].shape(), (Shape{3, 1}));
  EXPECT_EQ(b.y[0].to_vector<float>(), (Floats{0, 2, 4}));
  EXPECT_TRUE(b.weights.empty());
  EXPECT_EQ(b.bytes(), 24u);
}

TEST(Dataset, ARunOfRowsIsAViewAndChosenRowsAreCopied) {
  Tensor x = Tensor::from(count(12), {6, 2});
  const size_t before = memory::now().live_bytes;
  Iterator plain = arrays(x).batch(3).open(), mixed = arrays(x).shuffle(6, 3).batch(3).open();
  Batch a, b;
  ASSERT_TRUE(plain.next(a));
  EXPECT_EQ(memory::now().live_bytes, before);
  ASSERT_TRUE(mixed.next(b));
  EXPECT_EQ(memory::now().live_bytes, before + 24);
  EXPECT_EQ(a.x[0].to_vector<float>(), count(6));
}

TEST(Dataset, SeveralInputsTargetsAndWeightsStayTogether) {
  Tensor a = Tensor::from(count(4), {4}), b = Tensor::from<int32_t>({10, 11, 12, 13}), y = Tensor::from<int64_t>({0, 1, 2, 3}),
         w = Tensor::from<float>({1, 2, 3, 4});
  for (Batch& batch : arrays({a, b}, y, w).shuffle(4, 5).batch(2)) {
    ASSERT_EQ(batch.x.size(), 2u);
    for (int i = 0; i < 2; ++i) {
      const double v = batch.x[0].at(i);
      EXPECT_EQ(batch.x[1].at(i), v + 10);
      EXPECT_EQ(batch.y[0].at(i), v);
      EXPECT_EQ(batch.weights[0].at(i), v + 1);
    }
    EXPECT_EQ(batch.x[1].dtype(), int32);
    EXPECT_EQ(batch.y[0].dtype(), int64);
  }
}

TEST(Dataset, DropRemainderLeavesTheSmallBatchOut) {
  for (Dataset d : {rows(7), numbers(7)}) {
    EXPECT_EQ(sizes(d.batch(3, true)), (Ints{3, 3}));
    EXPECT_EQ(d.batch(3, true).cardinality(), 2);
    EXPECT_EQ(sizes(d.batch(3)), (Ints{3, 3, 1}));
  }
}

TEST(Dataset, TheSmallLastBatchOwnsNoMoreThanItsRows) {
  Iterator it = numbers(5).batch(4).open();
  Batch b;
  ASSERT_TRUE(it.next(b));
  ASSERT_TRUE(it.next(b));
  EXPECT_EQ(b.x[0].to_vector<float>(), (Floats{4}));
  EXPECT_EQ(memory::explain(b.x[0]).bytes, 4u);
}

TEST(Dataset, TakeSkipAndRepeatAgreeOverRowsAndElements) {
  for (Dataset d : {rows(6), numbers(6)}) {
    EXPECT_EQ(xs(d.take(4)), count(4));
    EXPECT_EQ(xs(d.skip(4)), count(2, 4));
    EXPECT_EQ(xs(d.skip(2).take(3)), count(3, 2));
    EXPECT_EQ(xs(d.take(9)), count(6));
    EXPECT_EQ(xs(d.skip(9)), Floats{});
    EXPECT_EQ(xs(d.take(0)), Floats{});
    EXPECT_EQ(xs(d.take(2).repeat(3)), (Floats{0, 1, 0, 1, 0, 1}));
    EXPECT_EQ(xs(d.repeat(0)), Floats{});
    EXPECT_EQ(xs(d.repeat().take(8)), (Floats{0, 1, 2, 3, 4, 5, 0, 1}));
    EXPECT_EQ(xs(d.take(0).repeat()), Floats{}) << "an empty source repeated for ever ends";
    EXPECT_EQ(d.take(4).cardinality(), 4);
    EXPECT_EQ(d.skip(4).cardinality(), 2);
    EXPECT_EQ(d.repeat(3).cardinality(), 18);
    EXPECT_EQ(d.repeat().cardinality(), infinite);
    EXPECT_EQ(d.repeat().take(5).cardinality(), 5);
    EXPECT_EQ(d.repeat().batch(4).cardinality(), infinite);
  }
  EXPECT_EQ(generator([]() -> std::optional<Batch> { return {}; }).batch(2).cardinality(), unknown);
}

TEST(Dataset, ShuffleGivesEveryElementOnceInAnOrderThatTheSeedFixes) {
  for (Dataset d : {rows(50), numbers(50)}) {
    const Floats a = xs(d.shuffle(50, 7).open(0)), b = xs(d.shuffle(50, 7).open(0)), c = xs(d.shuffle(50, 8).open(0));
    EXPECT_EQ(sorted(a), count(50));
    EXPECT_NE(a, count(50));
    EXPECT_EQ(a, b);
    EXPECT_NE(a, c);
  }
  EXPECT_EQ(xs(rows(50).shuffle(10, 7)), xs(numbers(50).shuffle(10, 7))) << "rows and elements are drawn alike";
}

TEST(Dataset, ASmallBufferMovesAnElementForwardByLessThanItsSize) {
  const Floats v = xs(numbers(100).shuffle(5, 1));
  EXPECT_EQ(sorted(v), count(100));
  for (size_t i = 0; i < v.size(); ++i) EXPECT_LT(v[i], static_cast<float>(i + 5));
  EXPECT_EQ(xs(numbers(9).shuffle(1, 1)), count(9));
}

TEST(Dataset, EachPassShufflesAnewUnlessToldNotTo) {
  Dataset d = rows(40).shuffle(40, 3);
  const Floats first = xs(d), second = xs(d);
  EXPECT_NE(first, second);
  EXPECT_EQ(xs(d.open(0)), first);
  EXPECT_EQ(xs(d.open(1)), second);
  Dataset same = rows(40).shuffle(40, 3, false);
  EXPECT_EQ(xs(same), xs(same));
  const Floats twice = xs(rows(40).shuffle(40, 3).repeat(2));
  EXPECT_NE(Floats(twice.begin(), twice.begin() + 40), Floats(twice.begin() + 40, twice.end()));
  EXPECT_NE(xs(rows(40).shuffle(40)), xs(rows(40).shuffle(40))) << "without a seed";
}

TEST(Dataset, MapKeepsTheOrderAtAnyNumberOfWorkers) {
  Floats squares = count(200);
  for (float& v : squares) v *= v;
  for (int workers : {0, 1, 2, 4}) {
    Dataset d = numbers(200).map([](Batch b) { return Batch{{b.x[0] * b.x[0]}, std::move(b.y)}; }, {.workers = workers});
    EXPECT_EQ(xs(d), squares) << workers;
    EXPECT_EQ(d.cardinality(), 200);
  }
}

TEST(Dataset, PrefetchChangesNothingButTime) {
  EXPECT_EQ(xs(numbers(100).batch(7).prefetch(3)), count(100));
  EXPECT_EQ(xs(rows(100).shuffle(20, 1).batch(7).prefetch(3)), xs(rows(100).shuffle(20, 1).batch(7)));
  EXPECT_EQ(sizes(numbers(0).prefetch(2)), Ints{});
}

TEST(Dataset, CacheReadsItsSourceOnce) {
  auto calls = std::make_shared<std::atomic<int>>(0);
  Dataset d = numbers(5)
                  .map([calls](Batch b) {
                    ++*calls;
                    return b;
                  })
                  .cache();
  EXPECT_EQ(xs(d.take(2)), count(2));
  EXPECT_EQ(*calls, 2) << "a half-read pass keeps nothing";
  EXPECT_EQ(xs(d), count(5));
  EXPECT_EQ(xs(d), count(5));
  EXPECT_EQ(*calls, 7);
}

TEST(Dataset, ACacheBeyondItsBoundPassesThroughAndSaysSo) {
  Logged log;
  auto calls = std::make_shared<std::atomic<int>>(0);
  Dataset d = numbers(5)
                  .map([calls](Batch b) {
                    ++*calls;
                    return b;
                  })
                  .cache(20);
  EXPECT_EQ(xs(d), count(5));
  EXPECT_EQ(xs(d), count(5));
  EXPECT_EQ(*calls, 10);
  ASSERT_EQ(log.lines().size(), 2u);
  EXPECT_NE(log.lines()[0].find("more than 20 bytes"), std::string::npos);
}

TEST(Dataset, AGeneratorStartsAnewInEveryPass) {
  Dataset d = numbers(3);
  EXPECT_EQ(xs(d), count(3));
  EXPECT_EQ(xs(d), count(3));
}

TEST(Dataset, ZeroSizedRowsAndNoRowsWork) {
  EXPECT_EQ(sizes(arrays(Tensor::empty({0, 3})).batch(2)), Ints{});
  Dataset d = arrays(Tensor::empty({3, 0})).shuffle(3, 1).batch(2);
  EXPECT_EQ(sizes(d), (Ints{2, 1}));
  EXPECT_EQ(sizes(arrays(Tensor::empty({3, 0})).map([](Batch b) { return b; }).batch(2)), (Ints{2, 1}));
}

TEST(Dataset, StringsGoThroughEveryStage) {
  const std::vector<std::string> words{"a", "", "ccc", "dd", "e"};
  const Tensor x = strings(words, {5}), pairs = strings({"a", "b", "", "d", "ee", "f"}, {3, 2});
  auto all = [](const Dataset& d) {
    std::vector<std::string> out;
    for (Batch& b : d)
      for (std::string& s : to_strings(b.x[0])) out.push_back(std::move(s));
    return out;
  };
  const auto same = [](Batch b) { return b; };  // leaves the source's rows
  EXPECT_EQ(all(arrays(x)), words);
  EXPECT_EQ(all(arrays(x).batch(2)), words);
  EXPECT_EQ(all(arrays(x).map(same).batch(2).prefetch(2)), words);
  EXPECT_EQ(all(arrays(x).cache().skip(1).batch(3)), (std::vector<std::string>{"", "ccc", "dd", "e"}));
  EXPECT_EQ(all(arrays(pairs).map(same).batch(2)), to_strings(pairs));
  for (const Dataset& d : {arrays(x).shuffle(5, 1).batch(3), arrays(x).map(same).shuffle(5, 1).batch(3)}) {
    std::vector<std::string> mixed = all(d), want = words;
    std::sort(mixed.begin(), mixed.end()), std::sort(want.begin(), want.end());
    EXPECT_EQ(mixed, want);
  }
  Batch b;
  ASSERT_TRUE(arrays(pairs).batch(2, true).open().next(b));
  EXPECT_EQ(b.x[0].shape(), (Shape{2, 2}));
}

TEST(Dataset, ReadsNpzByNameAndByGuess) {
  Scratch scratch;
  using files::Array;
  const std::string path = scratch / "pairs.npz";
  files::write_npz(path, std::vector<files::NamedArray>{{"x_left", Array::of<float>({2, 2}, {1, 2, 3, 4})},
                                                        {"x_right", Array::of<double>({2}, {5, 6})},
                                                        {"labels", Array::of<int64_t>({2}, {7, 8})},
                                                        {"other", Array::of<float>({9}, {0, 0, 0, 0, 0, 0, 0, 0, 0})}});
  Iterator it = npz(path).batch(2).open();
  Batch b;
  ASSERT_TRUE(it.next(b));
  ASSERT_EQ(b.x.size(), 2u);
  EXPECT_EQ(b.x[0].to_vector<float>(), (Floats{1, 2, 3, 4}));
  EXPECT_EQ(b.x[1].to_vector<double>(), (std::vector<double>{5, 6}));
  EXPECT_EQ(b.y[0].to_vector<int64_t>(), (Ints{7, 8}));
  EXPECT_EQ(npz(path, {"x_right"}, {}).cardinality(), 2);
  expect_error(Code::NotFound, "no array named z", [&] { npz(path, {"z"}); });
  expect_error(Code::Shape, "expected 2 examples", [&] { npz(path, {"x_left"}, {"other"}); });
  expect_error(Code::NotFound, "missing.npz", [&] { npz(scratch / "missing.npz"); });
}

TEST(Dataset, ReadsIdxAsFloatImagesAndIntLabels) {
  Scratch scratch;
  auto head = [](std::vector<unsigned char> v) { return std::string(v.begin(), v.end()); };
  files::put(scratch / "images", head({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 1, 2, 253, 254, 255}));
  files::put(scratch / "labels", head({0, 0, 8, 1, 0, 0, 0, 2, 9, 4}));
  files::put(scratch / "three", head({0, 0, 8, 1, 0, 0, 0, 3, 9, 4, 1}));
  for (Dataset d : {idx(scratch / "images", scratch / "labels").batch(2), idx(scratch / "images", scratch / "labels").prefetch(1).batch(2)}) {
    Iterator it = d.open();
    Batch b;
    ASSERT_TRUE(it.next(b));
    EXPECT_EQ(to_string(b.x[0].spec()), "float32[2,1,3,1]");
    EXPECT_EQ(b.x[0].to_vector<float>(), (Floats{0, 1, 2, 253, 254, 255}));
    EXPECT_EQ(b.y[0].to_vector<int32_t>(), (std::vector<int32_t>{9, 4}));
  }
  EXPECT_EQ(idx(scratch / "images", scratch / "labels", {.channels = false, .dtype = uint8}).open().next(*std::make_unique<Batch>()), true);
  expect_error(Code::Shape, "holds 2 images", [&] { idx(scratch / "images", scratch / "three"); });
  files::put(scratch / "short", head({0, 0, 8, 1, 0, 0, 0, 2, 9}));
  expect_error(Code::Io, "short", [&] { idx(scratch / "images", scratch / "short"); });
}

TEST(Dataset, WrongUseIsOneClearError) {
  Tensor a = Tensor::empty({4, 2}), b = Tensor::empty({3});
  expect_error(Code::Shape, "expected 4 examples in target 0", [&] { arrays(a, b); });
  expect_error(Code::Shape, "first dimension", [&] { arrays(Tensor::from<float>({1}, Shape{})); });
  expect_error(Code::InvalidArgument, "at least one input", [&] { arrays(Tensors{}); });
  expect_error(Code::InvalidArgument, "n >= 1", [&] { arrays(a).batch(0); });
  expect_error(Code::InvalidArgument, "buffer_size >= 1", [&] { arrays(a).shuffle(0); });
  expect_error(Code::InvalidArgument, "empty", [&] { Dataset().batch(2); });
  expect_error(Code::InvalidArgument, "empty", [&] { Dataset().open(); });
  expect_error(Code::InvalidArgument, "closed", [&] {
    Batch out;
    Iterator().next(out);
  });
  expect_error(Code::InvalidArgument, "function", [&] { arrays(a).map({}); });
  Dataset uneven = generator([i = 0]() mutable -> std::optional<Batch> { return Batch{{Tensor::empty({++i})}}; });
  expect_error(Code::Shape, "element 1 has x[0] of float32[2], expected float32[1]", [&] { xs(uneven.batch(3)); });
}

TEST(Dataset, DescribesItself) {
  EXPECT_EQ(numbers(9).shuffle(4, 1).map([](Batch b) { return b; }).batch(2).take(3).skip(1).repeat(2).cache().prefetch(2).describe(),
            "numbers > shuffle(4) > map > batch(2) > take(3) > skip(1) > repeat(2) > cache > prefetch(2)");
}

}  // namespace
}  // namespace tenure::data

#include <gtest/gtest.h>

#include <thread>

#include <tenure/memory.h>

#include "core/test_ops.h"

namespace tenure {
namespace {

using memory::now;
using namespace testing_ops;

TEST(Tensor, ValuesGoInAndComeOut) {
  Tensor t = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}, {2, 3});
  EXPECT_EQ(to_string(t), "float32[2,3] {{1, 2, 3}, {4, 5, 6}}");
  EXPECT_EQ(t.data<float>()[4], 5.0f);
  EXPECT_EQ(t.at(5), 6.0);
  EXPECT_EQ(t.bytes().size(), 24u);
  EXPECT_THROW(t.data<int32_t>(), Error);
  EXPECT_THROW(t.item(), Error);
  EXPECT_THROW(t.at(6), Error);
  EXPECT_THROW(Tensor::from({1.0f, 2.0f}, {3}), Error);
  EXPECT_EQ(Tensor::from({int64_t{1} << 40}).at(0), static_cast<double>(int64_t{1} << 40));
}

TEST(Tensor, OneTensorIsOneBodyAndOneBuffer) {
  auto before = now();
  Tensor t = Tensor::empty({1000}, float64);
  auto after = now();
  EXPECT_EQ(after.tensors, before.tensors + 1);
  EXPECT_EQ(after.buffers, before.buffers + 1);
  EXPECT_EQ(after.live_bytes, before.live_bytes + 8000);
  Tensor copy = t;
  EXPECT_EQ(now().tensors, before.tensors + 1);
  EXPECT_EQ(t.use_count(), 2u);
  t.release();
  EXPECT_FALSE(t.defined());
  EXPECT_EQ(copy.use_count(), 1u);
  copy = Tensor();
  EXPECT_EQ(now().live_bytes, before.live_bytes);
  EXPECT_EQ(now().objects, before.objects);
}

TEST(Tensor, IdsAreNeverUsedAgain) {
  uint64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    uint64_t id = Tensor::empty({1}).id();
    EXPECT_GT(id, last);
    last = id;
  }
}

TEST(Tensor, AnEmptyHandleSaysSo) {
  Tensor none;
  try {
    none.shape();
    FAIL();
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find("this handle is empty"), std::string::npos); }
  EXPECT_EQ(to_string(none), "Tensor()");
}

TEST(Tensor, NumbersAreWeakAndExact) {
  Tensor a = 0.1, b = 3, c = true;
  EXPECT_EQ(a.dtype(), float32);
  EXPECT_EQ(b.dtype(), int32);
  EXPECT_EQ(c.dtype(), bool_);
  EXPECT_TRUE(a.body()->weak());
  EXPECT_EQ(a.body()->number(), 0.1);
  EXPECT_FALSE(a.clone().body()->weak());
}

TEST(Tensor, BorrowedBytesAreTheCallersUntilTheLastHandle) {
  std::vector<float> mine(100, 2.0f);
  int released = 0;
  auto before = now();
  {
    Tensor t = Tensor::borrow(mine.data(), {100}, float32, [&] { ++released; });
    EXPECT_EQ(t.data<float>().data(), mine.data());
    Tensor part = make_view(t, {Shape{10}, float32}, 40);
    t.release();
    EXPECT_EQ(released, 0);
    EXPECT_EQ(part.data<float>().data(), mine.data() + 10);
    EXPECT_EQ(now().live_bytes, before.live_bytes);  // not ours
  }
  EXPECT_EQ(released, 1);
  EXPECT_THROW(Tensor::borrow(nullptr, {3}, float32), Error);
  EXPECT_NO_THROW(Tensor::borrow(nullptr, {0}, float32));
}

TEST(Tensor, AViewKeepsItsBaseAndACloneLetsItGo) {
  auto before = now();
  Tensor base = Tensor::empty({1 << 20});
  Tensor view = make_view(base, {Shape{4}, float32}, 64);
  base.release();
  EXPECT_EQ(now().live_bytes, before.live_bytes + (4u << 20));
  EXPECT_TRUE(memory::audit().ok());
  Tensor own = view.clone();
  view.release();
  EXPECT_EQ(now().live_bytes, before.live_bytes + 16);
}

TEST(Tensor, HandlesMayBeDroppedByAnyThread) {
  auto before = now();
  std::vector<Tensor> made;
  for (int i = 0; i < 1000; ++i) made.push_back(Tensor::empty({i}));
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k) threads.emplace_back([copy = made]() mutable { copy.clear(); });
  made.clear();
  for (auto& t : threads) t.join();
  EXPECT_EQ(now().objects, before.objects);
  EXPECT_EQ(now().live_bytes, before.live_bytes);
}

TEST(Symbols, ANodeOwnsItsPastOnly) {
  auto before = now();
  Tensor x = input({-1, 3});
  Tensor y = apply(plus, x, x);
  EXPECT_TRUE(y.symbolic());
  EXPECT_EQ(y.shape(), (Shape{-1, 3}));
  EXPECT_EQ(now().nodes, before.nodes + 2);
  EXPECT_EQ(now().buffers, before.buffers);
  EXPECT_TRUE(memory::audit().ok());
  Tensor z = apply(plus, y, x);
  z.release();
  EXPECT_EQ(now().nodes, before.nodes + 2);  // the future is not kept by the past
  x.release();
  EXPECT_EQ(now().nodes, before.nodes + 2);  // the past is kept by the future
  y.release();
  EXPECT_EQ(now().nodes, before.nodes);
  EXPECT_EQ(now().objects, before.objects);
}

TEST(Symbols, AMillionApplicationsToOneInputLeaveNothing) {
  Tensor x = input({-1, 3});
  Tensor first = apply(plus, x, x);
  first.release();
  auto before = now();
  for (int i = 0; i < 1'000'000; ++i) apply(plus, x, x);
  auto after = now();
  EXPECT_EQ(after.nodes, before.nodes);
  EXPECT_EQ(after.objects, before.objects);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
}

TEST(Symbols, HaveNoValues) {
  Tensor x = input({2});
  EXPECT_THROW(x.data<float>(), Error);
  EXPECT_THROW(x.clone(), Error);
  EXPECT_EQ(to_string(x), "float32[2] symbolic");
}

TEST(Outputs, ConvertOnlyWhenThereIsExactlyOne) {
  Outputs two(Tensors{Tensor::from({1.0f}), Tensor::from({2.0f})}, {"a", "b"});
  EXPECT_EQ(two["b"].item(), 2.0f);
  EXPECT_THROW(two["c"], Error);
  EXPECT_THROW(static_cast<void>(static_cast<Tensor>(two)), Error);
  auto [a, b] = two.get<2>();
  EXPECT_EQ(a.item() + b.item(), 3.0f);
  Tensor one = Outputs(Tensor::from({5.0f}));
  EXPECT_EQ(one.item(), 5.0f);
}

}  // namespace
}  // namespace tenure

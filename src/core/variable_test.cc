#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <tenure/memory.h>
#include <tenure/variable.h>

#include "core/test_ops.h"

namespace tenure {
namespace {

using memory::now;
using namespace testing_ops;

TEST(Variable, OwnsItsValueAndNothingElse) {
  auto before = now();
  Variable v(Tensor::from({1.0f, 2.0f}), "w");
  EXPECT_EQ(now().count[static_cast<size_t>(memory::Kind::variable)], before.count[static_cast<size_t>(memory::Kind::variable)] + 1);
  EXPECT_EQ(now().live_bytes, before.live_bytes + 8);
  EXPECT_TRUE(memory::audit().ok());
  Variable same = v;
  v.release();
  EXPECT_EQ(now().live_bytes, before.live_bytes + 8);
  same.release();
  EXPECT_EQ(now().objects, before.objects);
}

TEST(Variable, ItsBufferIsAParameter) {
  Variable v(Tensor::from({1.0f, 2.0f}), "w");
  EXPECT_EQ(memory::explain(v.value()).category, memory::Category::parameter);
}

TEST(Variable, AHandleTakenBeforeAnAssignmentKeepsItsValue) {
  Variable v(Tensor::from({1.0f, 2.0f}), "w");
  Tensor old = v.value();
  v.assign(Tensor::from({3.0f, 4.0f}));
  EXPECT_EQ(old.to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(v.value().to_vector<float>(), (std::vector<float>{3, 4}));
}

TEST(Variable, IsWrittenInPlaceOnlyWhenNobodyElseSees) {
  Variable v(Tensor::from({1.0f, 2.0f}), "w");
  const void* where = v.value().data<float>().data();
  Tensor other = Tensor::from({3.0f, 4.0f});
  v.assign(other);
  EXPECT_EQ(v.value().data<float>().data(), where);
  Tensor seen = v.value();
  v.assign(other);
  EXPECT_NE(v.value().data<float>().data(), where);
  EXPECT_EQ(seen.data<float>().data(), where);
  Tensor view = make_view(v.value(), {Shape{1}, float32}, 0);
  const void* second = view.data<float>().data();
  v.assign(Tensor::from({5.0f, 6.0f}));
  EXPECT_NE(v.value().data<float>().data(), second);  // a view sees the buffer too
  EXPECT_EQ(view.item(), 3.0f);
}

TEST(Variable, TakesOverATemporaryWithoutACopy) {
  Variable v(Tensor::from({1.0f, 2.0f}), "w");
  Tensor fresh = Tensor::from({3.0f, 4.0f});
  const void* where = fresh.data<float>().data();
  uint64_t id = fresh.id();
  v.assign(std::move(fresh));
  EXPECT_EQ(v.value().data<float>().data(), where);
  EXPECT_NE(v.value().id(), id);  // what is read later is a source of its own
}

TEST(Variable, ANumberThatIsAssignedIsNoNumberAnyMore) {
  Variable v(Tensor::from({1.0f}, {}), "step");
  v.assign(2.5f);
  EXPECT_EQ(v.value().item(), 2.5f);
  EXPECT_FALSE(v.value().body()->weak());
  Variable w(Tensor(3.0f), "from a number");
  EXPECT_FALSE(w.value().body()->weak());
}

TEST(Variable, RefusesWhatDoesNotFit) {
  Variable v(Tensor::from({1.0f, 2.0f}), "w");
  EXPECT_THROW(v.assign(Tensor::from({1.0f})), Error);
  EXPECT_THROW(v.assign(Tensor::from({1, 2})), Error);
  EXPECT_THROW(v.assign(Tensor()), Error);
  EXPECT_THROW(v.assign(input({2})), Error);
  EXPECT_THROW(Variable(input({2}), "symbolic"), Error);
  EXPECT_EQ(v.value().to_vector<float>(), (std::vector<float>{1, 2}));
  Variable none;
  EXPECT_THROW(none.value(), Error);
}

TEST(Variable, ReadersBesideAWriterSeeWholeValues) {
  constexpr int64_t n = 10'000;
  auto filled = [](float f) {
    Tensor t = Tensor::empty({n});
    std::fill_n(reinterpret_cast<float*>(mutable_data(t)), n, f);
    return t;
  };
  Variable v(filled(0), "w");
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (int k = 0; k < 4; ++k)
    readers.emplace_back([&] {
      while (!stop) {
        Tensor t = v.value();
        auto d = t.data<float>();
        for (size_t i = 1; i < d.size(); i += 997) torn += d[i] != d[0];
      }
    });
  Tensor kept = filled(-1);
  for (int i = 0; i < 300; ++i) {
    v.assign(filled(static_cast<float>(i)));
    v.assign(kept);
  }
  stop = true;
  for (auto& t : readers) t.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace tenure

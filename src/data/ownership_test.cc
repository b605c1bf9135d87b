// Who holds what while a pass lives, bounds on what is in flight, errors from workers, and that nothing is left.
#include <chrono>
#include <thread>

#include "data/recipe.h"
#include "data/test_data.h"
#include "memory/ledger.h"

namespace tenure::data {
namespace {

constexpr size_t kKiB = 1024;

/// Elements of `kib` KiB that count how many were made.
Dataset blocks(int64_t n, int64_t kib, std::shared_ptr<std::atomic<int>> made = {}) {
  return generator([=, i = int64_t{0}]() mutable -> std::optional<Batch> {
    if (i++ == n) return {};
    if (made) ++*made;
    return Batch{{Tensor::empty({kib * 256})}};
  });
}

/// Waits until `value` has been the same for a while: the workers wait for room.
template <class F>
auto settled(F&& value) {
  auto last = value();
  for (int same = 0, turns = 0; same < 20 && turns < 2000; ++turns) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    auto now = value();
    same = now == last ? same + 1 : 0;
    last = now;
  }
  return last;
}

TEST(DataOwnership, PrefetchHoldsItsCountAndNoMore) {
  auto made = std::make_shared<std::atomic<int>>(0);
  Iterator it = blocks(100, 16, made).prefetch(5).open();
  EXPECT_EQ(*made, 0) << "nothing runs before the first next()";
  const size_t before = memory::now().live_bytes;
  Batch b;
  ASSERT_TRUE(it.next(b));
  EXPECT_EQ(settled([&] { return made->load(); }), 6) << "one with the reader, five ahead";
  EXPECT_EQ(memory::now().live_bytes, before + 6 * 16 * kKiB);
  it.close();
  EXPECT_EQ(memory::now().live_bytes, before + 16 * kKiB);
}

TEST(DataOwnership, BytesInFlightStayBelowTheBound) {
  const size_t bound = 256 * kKiB, element = 16 * kKiB;
  for (int workers : {1, 2, 4}) {
    auto peak = std::make_shared<std::atomic<size_t>>(0);
    const size_t before = memory::now().live_bytes;
    Dataset d = workers == 1 ? blocks(200, 16).prefetch(100, bound)
                             : blocks(200, 0).map([](Batch) { return Batch{{Tensor::empty({16 * 256})}}; }, {.workers = workers, .bytes = bound});
    Iterator it = d.open();
    int n = 0;
    for (Batch b; it.next(b); ++n) {
      if (n % 50 == 10) settled([&] { return memory::now().live_bytes; });
      *peak = std::max(peak->load(), memory::now().live_bytes - before);
    }
    EXPECT_EQ(n, 200);
    EXPECT_LE(*peak, bound + element) << workers << " workers: the queue and the reader's own";
    EXPECT_GE(*peak, workers == 1 ? bound : 4 * element);
    EXPECT_EQ(memory::now().live_bytes, before);
  }
}

TEST(DataOwnership, AnElementLargerThanTheBoundStillPasses) {
  Iterator it = blocks(3, 64).prefetch(4, 1 * kKiB).open();
  Batch b;
  int n = 0;
  for (; it.next(b); ++n) EXPECT_EQ(b.bytes(), 64 * kKiB);
  EXPECT_EQ(n, 3);
}

TEST(DataOwnership, ShuffleHoldsExactlyItsBuffer) {
  const size_t before = memory::now().live_bytes;
  Dataset d = blocks(100, 4).shuffle(10, 1);
  Iterator it = d.open();
  Batch b;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(it.next(b));
    EXPECT_EQ(memory::now().live_bytes, before + 10 * 4 * kKiB) << "nine in the buffer and the one drawn";
  }
  while (it.next(b)) {}
  EXPECT_EQ(memory::now().live_bytes, before);
}

TEST(DataOwnership, ShuffleOverRowsHoldsNumbersOnly) {
  Tensor x = Tensor::empty({1000, 256});
  const memory::Now before = memory::now();
  Iterator it = arrays(x).shuffle(1000, 1).open();
  Batch b;
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(it.next(b));
  EXPECT_EQ(memory::now().live_bytes, before.live_bytes);
  EXPECT_EQ(memory::now().tensors, before.tensors + 1);
}

TEST(DataOwnership, EveryReferenceIsNamedWhileAPassIsHalfRead) {
  Tensor x = Tensor::empty({64, 8});
  Dataset cached = numbers(20).cache(), d = numbers(50).map([](Batch b) { return b; }, {.workers = 2}).shuffle(8, 1).batch(2).prefetch(3);
  xs(cached);
  Iterator a = d.open(), b = cached.open(), c = arrays(x).shuffle(9, 1).batch(4).prefetch(2).open(), filling = numbers(20).cache().open();
  Batch batch;
  for (Iterator* it : {&a, &b, &c, &filling}) ASSERT_TRUE(it->next(batch));
  settled([] { return memory::now().allocations; });
  const memory::Audit audit = memory::audit();
  EXPECT_TRUE(audit.ok()) << audit.text();
  EXPECT_GT(memory::now().count[static_cast<size_t>(memory::Kind::queue)], 6u);
  const std::string why = memory::explain(x).text();
  EXPECT_NE(why.find("arrays"), std::string::npos) << why;
}

TEST(DataOwnership, QueuedTensorsNameTheirQueue) {
  std::atomic<TensorBody*> probe{nullptr};
  Dataset d = generator([&, i = 0]() mutable -> std::optional<Batch> {
                Tensor t = Tensor::empty({16});
                if (++i == 3) probe = t.body();
                return Batch{{std::move(t)}};
              }).prefetch(8);
  Iterator it = d.open();
  Batch b;
  ASSERT_TRUE(it.next(b));
  settled([] { return memory::now().allocations; });
  probe.load()->retain(memory::Counted::kUser);
  Tensor queued(probe.load());
  const std::string why = memory::explain(queued).text();
  EXPECT_NE(why.find("prefetch(8)"), std::string::npos) << why;
  EXPECT_NE(why.find("queue"), std::string::npos) << why;
}

TEST(DataOwnership, AHalfReadPassOutlivesItsDatasetAndFreesEverything) {
  const memory::Now before = memory::now();
  for (int taken : {0, 1, 7}) {
    Dataset d = numbers(500).map([](Batch b) { return b; }, {.workers = 2}).shuffle(16, 1).batch(4).prefetch(4);
    Iterator it = d.open();
    d.release();
    Batch b;
    for (int i = 0; i < taken; ++i) ASSERT_TRUE(it.next(b));
  }
  EXPECT_EQ(memory::now().objects, before.objects);
  EXPECT_EQ(memory::now().live_bytes, before.live_bytes);
}

TEST(DataOwnership, AGeneratorsCapturedTensorDiesWithTheDataset) {
  const size_t before = memory::now().live_bytes;
  for (int i = 0; i < 30; ++i) {
    Tensor big = Tensor::empty({64 * 1024});
    Dataset d = generator([big, n = 0]() mutable -> std::optional<Batch> {
                  if (n++ == 3) return {};
                  return Batch{{big}};
                }).map([big](Batch b) { return b; });
    big.release();
    Iterator it = d.open();
    Batch b;
    ASSERT_TRUE(it.next(b));
    EXPECT_EQ(memory::now().live_bytes, before + 256 * kKiB);
  }
  EXPECT_EQ(memory::now().live_bytes, before);
}

TEST(DataOwnership, RepeatedPassesAreSteady) {
  Dataset d = numbers(40).map([](Batch b) { return b; }, {.workers = 1}).shuffle(8, 1).batch(4).prefetch(2);
  const memory::Steadiness s = memory::steadiness(
      [&] {
        Iterator it = d.open();
        Batch b;
        for (int i = 0; i < 3; ++i) it.next(b);
      },
      {.calls = 40});
  EXPECT_EQ(s.verdict, memory::Verdict::clean) << s.text();
}

TEST(DataOwnership, AnErrorInAMapSurfacesInOrderAndStays) {
  for (int workers : {0, 2}) {
    Dataset d = numbers(50)
                    .map(
                        [](Batch b) -> Batch {
                          if (b.x[0].item() == 20) throw Error(Code::InvalidArgument, "twenty is not wanted");
                          return b;
                        },
                        {.workers = workers})
                    .prefetch(4);
    Iterator it = d.open();
    Batch b;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(it.next(b));
    for (int i = 0; i < 2; ++i) {
      expect_error(Code::InvalidArgument, "twenty is not wanted\n  in Dataset.map, element 20 of numbers", [&] { it.next(b); });
      EXPECT_TRUE(b.x.empty());
    }
    EXPECT_TRUE(memory::audit().ok());
  }
}

TEST(DataOwnership, AnyExceptionOfAGeneratorReachesTheReader) {
  Dataset d = generator([]() -> std::optional<Batch> { throw std::logic_error("mine"); }).batch(2).prefetch(2);
  Iterator it = d.open();
  Batch b;
  EXPECT_THROW(it.next(b), std::logic_error);
  EXPECT_THROW(it.next(b), std::logic_error);
}

TEST(DataOwnership, WorkersChargeTheReadersScopeAndItsBudget) {
  {
    memory::Scope scope("request");
    Iterator it = blocks(10, 16).prefetch(2).open();
    Batch b;
    ASSERT_TRUE(it.next(b));
    bool found = false;
    for (const memory::Account& a : memory::snapshot().accounts) found = found || (a.path == "/request/data/generator" && a.live_bytes >= 16 * kKiB);
    EXPECT_TRUE(found) << memory::snapshot().text();
  }
  memory::Scope small("small", {.budget = 64 * kKiB});
  Iterator it = blocks(10, 16).prefetch(8).open();
  Batch b;
  expect_error(Code::OutOfMemory, "budget", [&] {
    while (it.next(b)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
}

TEST(DataOwnership, AnIteratorMayOutliveTheScopeWhoseBudgetItUses) {
  Iterator it;
  {
    memory::Scope scope("short", {.budget = 10 * 1024 * kKiB});
    it = blocks(50, 4).prefetch(2).open();
  }
  Batch b;
  int n = 0;
  while (it.next(b)) ++n;
  EXPECT_EQ(n, 50);
}

TEST(DataOwnership, TwoPassesAndTwoThreadsDoNotDisturbEachOther) {
  Dataset d = rows(200).shuffle(50, 4).batch(7).prefetch(2);
  const std::vector<float> expected = xs(d.open(3));
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { right += xs(d.open(3)) == expected; });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, 4);
}

}  // namespace
}  // namespace tenure::data

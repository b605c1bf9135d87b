#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <mutex>
#include <thread>

#include "memory/test_owner.h"
#include "sanitizer.h"

namespace tenure::memory {
namespace {

const Account* account_of(const std::vector<Account>& all, std::string_view path) {
  for (const Account& a : all)
    if (a.path == path) return &a;
  return nullptr;
}

TEST(Accounts, BytesAreChargedToTheOriginPath) {
  HeldOf<Storage> a, b;
  {
    Enter fit("fit");
    a = bytes_of(100);
    Enter op("matmul");
    b = bytes_of(1000);
    EXPECT_EQ(path_of(current_account()), "/fit/matmul");
  }
  EXPECT_EQ(path_of(current_account()), "/");
  auto all = accounts();
  ASSERT_NE(account_of(all, "/fit"), nullptr);
  EXPECT_EQ(account_of(all, "/fit")->live_bytes, 100u);
  EXPECT_EQ(account_of(all, "/fit/matmul")->live_bytes, 1000u);
  EXPECT_EQ(account_of(all, "/fit/matmul")->live_count, 1u);
  EXPECT_EQ(live_under(b->account()), 1000u);
  EXPECT_EQ(live_under(a->account()), 1100u);
  EXPECT_TRUE(is_under(b->account(), a->account()));
  EXPECT_FALSE(is_under(a->account(), b->account()));
}

TEST(Accounts, AnAccountsPeakOutlivesItsBytes) {
  {
    Enter at("peaky");
    bytes_of(5000);
  }
  auto all = accounts();
  ASSERT_NE(account_of(all, "/peaky"), nullptr);
  EXPECT_EQ(account_of(all, "/peaky")->live_bytes, 0u);
  EXPECT_GE(account_of(all, "/peaky")->peak_bytes, 5000u);
}

TEST(Accounts, RestampingMovesBytesToThePresentAccount) {
  HeldOf<Storage> s;
  {
    Enter at("first");
    s = bytes_of(640);
  }
  Enter at("second");
  s->restamp();
  auto all = accounts();
  EXPECT_EQ(account_of(all, "/first")->live_bytes, 0u);
  EXPECT_EQ(account_of(all, "/second")->live_bytes, 640u);
}

TEST(Accounts, ARenamedOwnerIsReadByItsNewName) {
  OwnedName name("layer");
  HeldOf<Storage> s;
  {
    Enter at(name.id());
    s = bytes_of(10);
  }
  EXPECT_EQ(path_of(s->account()), "/layer");
  name.rename("conv2d_1");
  EXPECT_EQ(path_of(s->account()), "/conv2d_1");
}

TEST(Accounts, AHundredThousandNamesLeaveTheTableAtItsSize) {
  auto round = [](int i) {
    OwnedName model("model_" + std::to_string(i));
    Enter at(model.id());
    OwnedName layer("layer_" + std::to_string(i));
    Enter in(layer.id());
    Enter op("matmul");
    bytes_of(64);
  };
  for (int i = 0; i < 1000; ++i) round(i);
  size_t before = account_count();
  uint64_t allocations = now().allocations;
  for (int i = 0; i < 100'000; ++i) round(i);
  EXPECT_LE(account_count(), before + 1024);
  EXPECT_EQ(now().allocations, allocations + 100'000);  // the totals of recycled accounts are kept above
}

TEST(Accounts, ADeadNameWithLiveBytesKeepsItsAccount) {
  HeldOf<Storage> s;
  {
    OwnedName gone("holder_of_bytes");
    Enter at(gone.id());
    s = bytes_of(77);
  }
  for (int i = 0; i < 2000; ++i) OwnedName("churn");
  EXPECT_EQ(path_of(s->account()), "/holder_of_bytes");
}

TEST(Accounts, AnIdOfARecycledAccountStandsForTheRoot) {
  AccountId old;
  {
    OwnedName gone("recycled");
    Enter at(gone.id());
    old = current_account();
  }
  std::vector<OwnedName> names;
  for (int i = 0; i < 3000; ++i) {
    OwnedName("churn");
    if (i % 10 == 0) {
      names.emplace_back("later");
      Enter at(names.back().id());
      EXPECT_NE(current_account(), old);
    }
  }
  EXPECT_EQ(path_of(old), "/");
  HeldOf<Storage> s;
  {
    Enter at(Enter::At{old});  // a trace made long ago, inside a scope that has ended
    s = bytes_of(123);
    EXPECT_EQ(s->account(), 0u);
    Enter in("op");
    EXPECT_EQ(path_of(current_account()), "/op");
  }
  EXPECT_GE(live_under(0), 123u);
}

TEST(Births, NumbersGrowAndAMarkSeparatesThemOnAllThreads) {
  uint64_t low = 0, high = 0;
  std::atomic<int> step{0};
  std::thread other([&] {
    low = next_birth();  // reserves numbers of its own
    step = 1;
    while (step != 2) std::this_thread::yield();
    high = next_birth();
  });
  while (step != 1) std::this_thread::yield();
  uint64_t mark = birth_mark();
  uint64_t mine = next_birth();
  step = 2;
  other.join();
  EXPECT_LT(low, mark);
  EXPECT_GT(high, mark);
  EXPECT_GT(mine, mark);
}

TEST(Peak, IsTheHighestAndNamesItsAccounts) {
  reset_peak();
  size_t base = now().live_bytes;
  {
    HeldOf<Storage> a, b;
    {
      Enter at("wide");
      a = bytes_of(3 << 20);
    }
    {
      Enter at("narrow");
      b = bytes_of(1 << 20);
    }
    b.reset();
  }
  Enter at("later");
  bytes_of(1000);
  Peak p = peak();
  EXPECT_EQ(p.bytes, base + (4u << 20));
  ASSERT_NE(account_of(p.accounts, "/wide"), nullptr);
  EXPECT_EQ(account_of(p.accounts, "/wide")->live_bytes, 3u << 20);
  EXPECT_EQ(account_of(p.accounts, "/narrow")->live_bytes, 1u << 20);
  EXPECT_EQ(now().peak_bytes, p.bytes);
  reset_peak();
  EXPECT_EQ(peak().bytes, base);
}

TEST(Peak, IsExactTo64KiBAThreadForSmallBuffers) {
  reset_peak();
  size_t base = now().live_bytes;
  {
    std::vector<HeldOf<Storage>> keep;
    for (int i = 0; i < 1000; ++i) keep.push_back(bytes_of(1000));
  }
  size_t peak = now().peak_bytes - base;
  EXPECT_GE(peak, 1'000'000u - (64u << 10));
  EXPECT_LE(peak, 1'000'000u + (64u << 10));
}

TEST(Budget, IsChargedBeforeTheAllocationAndExplainsItsRefusal) {
  HeldOf<Storage> held;
  {
    Enter at("big_one");
    held = bytes_of(1 << 20);
  }
  Now before = now();
  set_budget(before.in_use_bytes + (64 << 10));
  HeldOf<Storage> fits = bytes_of(10 << 10);
  try {
    Enter at("greedy");
    bytes_of(1 << 20);
    ADD_FAILURE() << "expected a refusal";
  } catch (const Error& e) {
    std::string text = e.what();
    EXPECT_EQ(e.code(), Code::OutOfMemory);
    EXPECT_NE(text.find("/greedy asked for"), std::string::npos) << text;
    EXPECT_NE(text.find("/big_one"), std::string::npos) << text;
    EXPECT_NE(text.find("nothing was written"), std::string::npos) << text;
  }
  Now after = now();
  EXPECT_EQ(after.buffers, before.buffers + 1);
  EXPECT_EQ(after.live_bytes, before.live_bytes + (10 << 10));
  set_budget(0);
  bytes_of(1 << 20);
}

TEST(Budget, OfTheProcessBindsAllThreads) {
  set_budget(now().in_use_bytes + (1 << 20));
  std::atomic<int> refused{0}, got{0};
  std::mutex mutex;
  std::vector<HeldOf<Storage>> keep;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 8; ++k) {
        try {
          HeldOf<Storage> s = bytes_of(128 << 10);
          std::lock_guard lock(mutex);
          keep.push_back(std::move(s));
          ++got;
        } catch (const Error&) { ++refused; }
        EXPECT_LE(now().in_use_bytes, budget());
      }
    });
  for (auto& t : threads) t.join();
  set_budget(0);
  EXPECT_EQ(got, 8);
  EXPECT_EQ(refused, 24);
}

TEST(Budget, IsExactWhileThreadsCountForThemselves) {
  std::barrier<> step(5);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      std::vector<HeldOf<Storage>> mine;
      for (int k = 0; k < 30; ++k) mine.push_back(bytes_of(1 << 10));  // fewer than a thread adds to the total
      step.arrive_and_wait();
      step.arrive_and_wait();
      mine.clear();
      step.arrive_and_wait();
      step.arrive_and_wait();
    });
  step.arrive_and_wait();
  const size_t before = now().in_use_bytes;
  set_budget(before + (256 << 10));
  std::vector<HeldOf<Storage>> held;
  held.reserve(1000);
  auto fill = [&] {
    try {
      for (;;) held.push_back(bytes_of(1 << 10));
    } catch (const Error& e) { EXPECT_EQ(e.code(), Code::OutOfMemory); }
  };
  fill();
  EXPECT_EQ(held.size(), 256u);
  EXPECT_EQ(now().in_use_bytes, budget());
  step.arrive_and_wait();
  step.arrive_and_wait();
  fill();
  EXPECT_EQ(held.size(), 256u + 4 * 30);
  held.clear();
  step.arrive_and_wait();
  for (auto& t : threads) t.join();
  set_budget(0);
  EXPECT_EQ(now().in_use_bytes, before - 4 * (30 << 10));
}

TEST(Budget, HoldsWhileItComesNearAndGoesFarAgain) {
  const size_t before = now().in_use_bytes;
  set_budget(before + (1 << 20));
  std::atomic<bool> over{false};
  std::atomic<int> refused{0}, running{0};
  auto work = [&](uint64_t seed) {
    std::vector<HeldOf<Storage>> mine(400);
    auto draw = [&] { return (seed = seed * 6364136223846793005u + 1442695040888963407u) >> 33; };
    for (int k = 0; k < 20000; ++k) {
      auto& at = mine[draw() % (k / 1000 % 2 ? 400 : 20)];  // now many of them, now few
      at.reset();
      try {
        at = bytes_of(draw() % 8192);
      } catch (const Error&) {
        ++refused;
        mine.clear(), mine.resize(400);
      }
      if (k % 1000 == 0 && k / 1000 % 2 == 0) mine.clear(), mine.resize(400);
    }
    --running;
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 6; ++i) {
    ++running;
    threads.emplace_back(work, i + 1);
    for (int look = 0; look < 200; ++look) over = over || now().in_use_bytes > budget();
  }
  while (running) over = over || now().in_use_bytes > budget();
  for (auto& t : threads) t.join();
  set_budget(0);
  EXPECT_FALSE(over);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(now().in_use_bytes, before);
}

size_t reclaimed_wanted = 0;
HeldOf<Storage>& reclaimable() {
  static HeldOf<Storage> s;
  return s;
}

TEST(Budget, AsksTheReclaimersBeforeItRefuses) {
  reclaimable() = bytes_of(1 << 20);
  add_reclaimer("test cache", [](size_t wanted) -> size_t {
    reclaimed_wanted = wanted;
    size_t n = reclaimable() ? reclaimable()->capacity() : 0;
    reclaimable().reset();
    return n;
  });
  set_budget(now().in_use_bytes + 1000);
  HeldOf<Storage> s = bytes_of(512 << 10);
  EXPECT_EQ(reclaimed_wanted, s->capacity() - 1000) << "what the budget lacks is wanted";
  EXPECT_THROW(bytes_of(8 << 20), Error);
  set_budget(0);
}

TEST(Balance, ClosesAgainstResidentMemory) {
  malloc_trim(0);  // what earlier tests had on the heap is nobody's
  HeldOf<Storage> s = bytes_of(50 << 20);
  std::memset(s->data(), 1, s->bytes());
  Balance b = balance();
  auto sum = static_cast<int64_t>(b.live + b.arena + b.rounding + b.pool + b.objects + b.heap + b.code_and_libraries + b.baseline) + b.unexplained;
  EXPECT_EQ(sum, static_cast<int64_t>(b.rss));
  EXPECT_GE(b.live, 50u << 20);
  if (!kSanitized) {  // a sanitizer's shadow is nobody's
    EXPECT_LT(std::abs(b.unexplained), 4 << 20) << b.text();
    const std::vector<std::string> of_the_program(4000, std::string(1000, 'x'));
    const Balance more = balance();
    EXPECT_NEAR(static_cast<double>(more.heap), static_cast<double>(b.heap) + 4e6, 1 << 20);
    EXPECT_LT(std::abs(more.unexplained - b.unexplained), 256 << 10) << b.text() << more.text();
  }
}

TEST(Balance, CountsWhatIsResident) {
  trim();
  const Balance before = balance();
  {
    std::vector<HeldOf<Storage>> one_of_each;  // a slab of a megabyte for each size, of which a slot is written
    for (size_t bytes = 6 << 10; bytes <= kSlabLimit; bytes += bytes / 8) {
      one_of_each.push_back(bytes_of(bytes));
      std::memset(one_of_each.back()->data(), 1, bytes);
    }
    EXPECT_GT(one_of_each.size(), 15u);
  }
  const Balance after = balance();
  if (kAddressSanitizer) {
    EXPECT_EQ(after.pool, 0u) << "blocks come from the sanitizer's allocator";
  } else {
    EXPECT_GT(now().cached_bytes, size_t{15} << 20) << "free slots";
  }
  if (!kSanitized) {  // a sanitizer's shadow is nobody's
    EXPECT_LT(std::abs(after.unexplained - before.unexplained), 1 << 20) << before.text() << after.text();
  }
  EXPECT_LT(after.pool, size_t{8} << 20) << "what was never written is not in memory";
  trim();
}

TEST(Snapshot, DiffIsExactByBirth) {
  HeldOf<Storage> old = bytes_of(100), dies = bytes_of(200);
  uint64_t gone = dies->birth();
  Snapshot before = snapshot();
  dies.reset();
  Enter at("born_here");
  HeldOf<Storage> fresh = bytes_of(300);
  Snapshot after = snapshot();
  Diff d = diff(before, after);
  ASSERT_EQ(d.born.size(), 1u);
  EXPECT_EQ(d.born[0].bytes, 300u);
  EXPECT_EQ(d.born[0].account, "/born_here");
  EXPECT_GT(d.born[0].id, before.sequence);
  ASSERT_EQ(d.died.size(), 1u);
  EXPECT_EQ(d.died[0].id, gone);
  EXPECT_EQ(d.bytes, 100);
  EXPECT_NE(d.text().find("/born_here"), std::string::npos);
  EXPECT_NE(after.json().find("\"live_bytes\""), std::string::npos);
}

TEST(Context, AWorkerTakesOverTheStartersAccount) {
  Enter at("starter");
  As as(Category::input);
  Context c = Context::current();
  std::string path;
  Category category{};
  std::thread([&] {
    Adopt adopt(c);
    path = path_of(current_account());
    category = current_category();
  }).join();
  EXPECT_EQ(path, "/starter");
  EXPECT_EQ(category, Category::input);
}

}  // namespace
}  // namespace tenure::memory

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>

#include "memory/os.h"
#include "memory/pool.h"
#include "memory/slab.h"
#include "memory/test_owner.h"
#include "sanitizer.h"

namespace tenure::memory {
namespace {

TEST(Slab, EveryClassHoldsItsSizesWithAtMostAnEighthOfWaste) {
  for (size_t n = 1; n <= kSlabLimit; ++n) {
    int cls = slab_class(n);
    ASSERT_GE(slab_bytes(cls), n);
    ASSERT_LT(cls, kSlabClasses);
    ASSERT_TRUE(cls == 0 || slab_bytes(cls - 1) < n);
    ASSERT_TRUE(n <= 512 || slab_bytes(cls) * 8 <= (n + 63) / 64 * 64 * 9);
  }
}

TEST(Pool, BlocksAreAlignedDisjointAndKeepTheirBytes) {
  std::mt19937_64 random(7);
  struct Block {
    unsigned char* p;
    size_t bytes, capacity;
    unsigned char mark;
  };
  std::vector<Block> live;
  for (int i = 0; i < 20'000; ++i) {
    if (live.size() < 200 && (live.empty() || random() % 2)) {
      size_t bytes = random() % 8 == 0 ? 1 + random() % 500'000 : 1 + random() % 3000;
      size_t capacity = 0;
      auto* p = static_cast<unsigned char*>(pool_alloc(bytes, &capacity));
      ASSERT_NE(p, nullptr);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
      ASSERT_GE(capacity, bytes);
      ASSERT_EQ(capacity, pool_capacity(bytes));
      auto mark = static_cast<unsigned char>(random());
      std::memset(p, mark, bytes);
      live.push_back({p, bytes, capacity, mark});
    } else {
      size_t k = random() % live.size();
      Block b = live[k];
      ASSERT_EQ(b.p[0], b.mark);
      ASSERT_EQ(b.p[b.bytes / 2], b.mark);
      ASSERT_EQ(b.p[b.bytes - 1], b.mark);
      pool_free(b.p, b.capacity);
      live[k] = live.back();
      live.pop_back();
    }
  }
  for (Block& b : live) pool_free(b.p, b.capacity);
}

TEST(Pool, FreedOnAnotherThreadComesBackToTheProcess) {
  if (kAddressSanitizer) GTEST_SKIP() << "under AddressSanitizer blocks come from its allocator";
  for (int round = 0; round < 50; ++round) {
    std::vector<void*> blocks;
    size_t capacity = 0;
    for (int i = 0; i < 4000; ++i) blocks.push_back(pool_alloc(1024, &capacity));
    std::thread([&] {
      for (void* p : blocks) pool_free(p, capacity);
    }).join();
  }
  pool_trim();
  EXPECT_LT(slab_stats(Heap::data).page_bytes, size_t{16} << 20);
}

TEST(Pool, ResidentMemoryFollowsLiveMemory) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator and shadow decide what is resident";
  for (size_t bytes : {size_t{2000}, size_t{256} << 10, size_t{5} << 20}) {
    trim();
    size_t base = resident().total;
    size_t count = (size_t{300} << 20) / bytes;
    std::vector<HeldOf<Storage>> keep;
    for (size_t i = 0; i < count; ++i) {
      keep.push_back(bytes_of(bytes));
      std::memset(keep.back()->data(), 1, bytes);
    }
    EXPECT_GT(resident().total, base + (size_t{280} << 20));
    keep.resize(count / 100);  // the oldest hundredth stays
    size_t live = now().live_bytes, rss = resident().total - base;
    EXPECT_LE(rss, live + std::max(size_t{32} << 20, live / 10) + live / 50 + (size_t{6} << 20)) << "buffers of " << bytes << " bytes";
    keep.clear();
    trim();
    EXPECT_LE(resident().total, base + (size_t{6} << 20)) << "after trim, buffers of " << bytes << " bytes";
  }
}

TEST(Pool, ASparseSurvivorDoesNotPinSpans) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer's allocator and shadow decide what is resident";
  trim();
  size_t base = resident().total;
  std::vector<HeldOf<Storage>> all, survivors;
  for (int i = 0; i < 2000; ++i) {
    all.push_back(bytes_of(256 << 10));
    std::memset(all.back()->data(), 1, 256 << 10);
    if (i % 100 == 0) survivors.push_back(all.back());
  }
  all.clear();
  EXPECT_LE(resident().total - base, size_t{41} << 20);  // 5 MiB live, 32 MiB kept
  trim();
  EXPECT_LE(resident().total - base, size_t{9} << 20);
}

TEST(Pool, TrimTellsWhatItGaveBack) {
  if (kAddressSanitizer) GTEST_SKIP() << "under AddressSanitizer blocks come from its allocator";
  trim();
  {
    HeldOf<Storage> s = bytes_of(8 << 20);
    std::memset(s->data(), 1, s->bytes());
  }
  EXPECT_GE(now().cached_bytes, size_t{8} << 20);
  EXPECT_GE(trim(), size_t{8} << 20);
  EXPECT_LT(now().cached_bytes, size_t{1} << 20);
}

}  // namespace
}  // namespace tenure::memory

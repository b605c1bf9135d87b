#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "graph/plan.h"
#include "graph/tile.h"

namespace tenure {
namespace {

std::vector<Placed> random_buffers(std::mt19937& random, size_t n, int32_t time) {
  std::vector<Placed> out;
  for (size_t i = 0; i < n; ++i) {
    auto first = static_cast<int32_t>(random() % static_cast<unsigned>(time));
    auto last = std::min<int32_t>(time - 1, first + static_cast<int32_t>(random() % 8 == 0 ? random() % static_cast<unsigned>(time) : random() % 4));
    out.push_back({random() % 10 == 0 ? random() % 1'000'000 : random() % 5000, first, last, 0});
  }
  return out;
}

// Overlap found without any cleverness.
bool overlaps(const std::vector<Placed>& b, size_t arena) {
  for (size_t i = 0; i < b.size(); ++i) {
    if (b[i].bytes && (b[i].offset % 64 || b[i].offset + b[i].bytes > arena)) return true;
    for (size_t j = 0; j < i; ++j) {
      bool time = b[i].first <= b[j].last && b[j].first <= b[i].last;
      bool space = b[i].offset < b[j].offset + b[j].bytes && b[j].offset < b[i].offset + b[i].bytes;
      if (time && space && b[i].bytes && b[j].bytes) return true;
    }
  }
  return false;
}

TEST(Plan, PlacesAnyBuffersWithoutOverlapAndNotBelowTheBound) {
  std::mt19937 random(5);
  double worst = 1;
  for (int round = 0; round < 300; ++round) {
    auto buffers = random_buffers(random, random() % 120, 1 + static_cast<int32_t>(random() % 80));
    size_t arena = place(buffers), bound = lower_bound_of(buffers);
    ASSERT_FALSE(overlaps(buffers, arena)) << round;
    ASSERT_EQ(check_plan(buffers, arena), "") << round;
    ASSERT_GE(arena, bound);
    if (bound) worst = std::max(worst, static_cast<double>(arena) / static_cast<double>(bound));
  }
  EXPECT_LT(worst, 1.5);
}

TEST(Plan, TheCheckerFindsEveryInjectedOverlap) {
  std::mt19937 random(6);
  int broken = 0;
  for (int round = 0; round < 300; ++round) {
    auto buffers = random_buffers(random, 40, 20);
    size_t arena = place(buffers);
    Placed& b = buffers[random() % buffers.size()];
    b.offset = random() % (arena / 64 + 2) * 64;
    bool wrong = overlaps(buffers, arena);
    broken += wrong;
    ASSERT_EQ(wrong, !check_plan(buffers, arena).empty()) << round;
  }
  EXPECT_GT(broken, 100);
  std::vector<Placed> misaligned{{100, 0, 1, 32}};
  EXPECT_NE(check_plan(misaligned, 1000), "");
}

TEST(Plan, AChainNeedsTwoBuffers) {
  std::vector<Placed> chain;
  for (int32_t i = 0; i < 50; ++i) chain.push_back({6400, i, i + 1, 0});
  EXPECT_EQ(place(chain), 12'800u);
  EXPECT_EQ(lower_bound_of(chain), 12'800u);
}

TEST(Plan, NothingNeedsNothing) {
  std::vector<Placed> none;
  EXPECT_EQ(place(none), 0u);
  std::vector<Placed> empty{{0, 0, 3, 0}};
  EXPECT_EQ(place(empty), 0u);
  EXPECT_EQ(check_plan(empty, 0), "");
}

}  // namespace
}  // namespace tenure

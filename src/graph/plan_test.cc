#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "graph/plan.h"
#include "graph/stacking.h"

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

// The training step of a chain of dense layers with dropout: activations die in the order opposite to their births, each step of the way back has a
// short buffer of its own, gradients live until the updates at the end. At several moments nothing may be wasted.
std::vector<Placed> training_step(int32_t layers) {
  std::vector<Placed> out;
  auto width = [](int32_t i) { return static_cast<size_t>(64 + 32 * (i % 5)); };
  auto back = [&](int32_t i) { return 3 * layers + 5 * (layers - i); };  // where the way back reaches layer i
  const int32_t end = back(0);
  for (int32_t i = 0; i < layers; ++i) {
    out.push_back({width(i) * 256, 3 * i, back(i) + 3, 0});
    out.push_back({64, 3 * i + 1, end + 2 * layers, 0});
    out.push_back({width(i) * 256, 3 * i + 2, back(i), 0});
  }
  for (int32_t i = layers; i-- > 1;) {
    out.push_back({width(i) * 256, back(i) - 1, back(i) + 6, 0});
    out.push_back({width(i) * width(i - 1) * 4, back(i), end + 2 * i, 0});
    out.push_back({width(i) * 4, back(i) + 1, end + 2 * i + 1, 0});
  }
  return out;
}

TEST(Plan, TrainingStepsReachTheBound) {
  for (int layers : {3, 6, 12, 24, 40}) {
    auto buffers = training_step(layers);
    size_t arena = place(buffers), bound = lower_bound_of(buffers);
    EXPECT_EQ(check_plan(buffers, arena), "");
    EXPECT_LE(static_cast<double>(arena), 1.002 * static_cast<double>(bound)) << layers;
  }
}

// A rectangle cut into pieces can be put together again without a gap; few planners can.
TEST(Plan, PuzzlesComeNearTheBound) {
  std::mt19937 random(9);
  double sum = 0;
  for (int round = 0; round < 10; ++round) {
    std::vector<Placed> pieces{{64 * 20'000, 0, 199, 0}};
    while (pieces.size() < 100) {
      Placed& p = pieces[random() % pieces.size()];
      Placed other = p;
      if (random() % 2) {
        if (p.first == p.last) continue;
        p.last = p.first + static_cast<int32_t>(random() % static_cast<uint32_t>(p.last - p.first));
        other.first = p.last + 1;
      } else {
        if (p.bytes == 64) continue;
        p.bytes = 64 * (1 + random() % (p.bytes / 64 - 1));
        other.bytes -= p.bytes;
      }
      pieces.push_back(other);
    }
    size_t arena = place(pieces);
    EXPECT_EQ(check_plan(pieces, arena), "");
    EXPECT_EQ(lower_bound_of(pieces), 64u * 20'000);
    sum += static_cast<double>(arena) / (64 * 20'000);
  }
  EXPECT_LT(sum / 10, 1.08);
  std::printf("  ten puzzles of 100 pieces: on average %.3f of the bound\n", sum / 10);
}

TEST(Stacking, FitsWhereItFitsAndGivesUpWhenItsChecksAreUsedUp) {
  auto buffers = training_step(24);
  size_t bound = lower_bound_of(buffers), checks = 10'000'000;
  Stacking stacking(buffers);
  ASSERT_TRUE(stacking.fits(bound + bound / 100, Stacking::by_end, checks));
  EXPECT_LT(checks, 10'000'000u);
  EXPECT_EQ(stacking.order().size(), buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) buffers[i].offset = stacking.offset(i);
  EXPECT_EQ(check_plan(buffers, bound + bound / 100), "");
  EXPECT_FALSE(stacking.fits(bound - 64, Stacking::by_end, checks));
  checks = 1000;
  EXPECT_FALSE(stacking.fits(bound, Stacking::by_end, checks));
  EXPECT_EQ(checks, 0u);
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

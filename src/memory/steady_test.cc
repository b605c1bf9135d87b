#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <deque>
#include <random>

#include "memory/test_owner.h"
#include "sanitizer.h"

namespace tenure::memory {
namespace {

using Action = std::function<void()>;

TEST(Steady, AnActionThatKeepsNothingIsClean) {
  Steadiness s = steadiness([] { bytes_of(1000); });
  EXPECT_EQ(s.verdict, Verdict::clean);
  EXPECT_EQ(s.calls, 160);
  EXPECT_EQ(s.before.live_bytes, s.after.live_bytes);
  EXPECT_TRUE(s.growing.empty());
  EXPECT_GT(s.micros_per_call, 0);
}

TEST(Steady, AKeptBufferACallIsALeakWithItsAccountAndHolder) {
  Handle<Box> kept(new Box("audit log"));
  Steadiness s = steadiness([&] {
    Enter at("matmul");
    kept->put(bytes_of(4000).get());
  });
  EXPECT_EQ(s.verdict, Verdict::leak);
  EXPECT_EQ(s.calls, 640);  // confirmed at four times the calls
  ASSERT_EQ(s.growing.size(), 1u);
  EXPECT_EQ(s.growing[0].what, "/matmul");
  EXPECT_DOUBLE_EQ(s.growing[0].per_call, 1);
  EXPECT_DOUBLE_EQ(s.growing[0].bytes_per_call, 4000);
  ASSERT_FALSE(s.growing[0].holders.empty());
  EXPECT_NE(s.growing[0].holders[0].find("audit log as held["), std::string::npos) << s.text();
  EXPECT_NE(s.text().find("leak after 640 calls"), std::string::npos);
  // Below the line the card: the signature, and each holder with its standing.
  std::string card = s.growing[0].cards.at(0);
  EXPECT_EQ(card.substr(0, 4), "sig ") << card;
  EXPECT_EQ(card.substr(card.find('\n') + 1),
            "+- other     audit log                                    Unknown\n"
            "|    . held[*]\n"
            "|      ~~~~~~~\n"
            "`> buffer    buffer of 4000 bytes, temporary, asked for by /matmul\n");
  EXPECT_NE(s.text().find("      " + card.substr(0, card.find('\n'))), std::string::npos) << s.text();
  EXPECT_NE(s.json().find("\"cards\""), std::string::npos);
  EXPECT_NE(s.json().find("\"verdict\": \"leak\""), std::string::npos);
}

TEST(Steady, AGrowingKindWithoutBuffersIsNamedToo) {
  Handle<Box> kept(new Box("the graph"));
  Steadiness s = steadiness([&] { kept->put(new Box("a node", Kind::node)); });
  EXPECT_EQ(s.verdict, Verdict::leak);
  ASSERT_EQ(s.growing.size(), 1u) << s.text();
  EXPECT_EQ(s.growing[0].what, "node objects");
  EXPECT_DOUBLE_EQ(s.growing[0].per_call, 1);
  ASSERT_FALSE(s.growing[0].holders.empty());
  EXPECT_NE(s.growing[0].holders[0].find("the graph"), std::string::npos);
}

// What keeps a bounded number of buffers: at most `cap`, emptied when full if it is a sawtooth.
Action bounded(std::deque<HeldOf<Storage>>& kept, size_t cap, bool sawtooth) {
  return [&kept, cap, sawtooth] {
    kept.push_back(bytes_of(100));
    if (kept.size() <= cap) return;
    if (sawtooth) kept.clear();
    else kept.pop_front();
  };
}

TEST(Steady, CachesThatFillAndSawteethAreNotLeaks) {
  for (auto [cap, sawtooth] : {std::pair{size_t{60}, false}, {size_t{64}, false}, {size_t{200}, false}, {size_t{100}, true}, {size_t{300}, true}}) {
    std::deque<HeldOf<Storage>> kept;
    Steadiness s = steadiness(bounded(kept, cap, sawtooth));
    EXPECT_EQ(s.verdict, Verdict::clean) << cap << (sawtooth ? " sawtooth" : " cache") << "\n" << s.text();
  }
}

TEST(Steady, SlowAndNoisyLeaksAreFound) {
  for (int every : {1, 5, 10, 20}) {
    std::mt19937 random(static_cast<unsigned>(every));
    std::vector<HeldOf<Storage>> leaked, churn;
    int call = 0;
    Steadiness s = steadiness([&] {
      if (++call % every == 0) leaked.push_back(bytes_of(100));
      churn.clear();
      for (unsigned i = random() % 6; i > 0; --i) churn.push_back(bytes_of(100));
    });
    EXPECT_EQ(s.verdict, Verdict::leak) << "one in " << every << "\n" << s.text();
  }
}

TEST(Steady, ChurnWithoutALeakIsClean) {
  std::mt19937 random(3);
  std::vector<HeldOf<Storage>> churn;
  Steadiness s = steadiness([&] {
    churn.clear();
    for (unsigned i = random() % 20; i > 0; --i) churn.push_back(bytes_of(100 + random() % 100));
  });
  EXPECT_NE(s.verdict, Verdict::leak) << s.text();
}

TEST(Steady, GrowthThatSlowsDownIsNotCalledALeak) {
  std::vector<HeldOf<Storage>> kept;
  int call = 0;
  Steadiness s = steadiness([&] {
    ++call;
    while (kept.size() < static_cast<size_t>(20 * std::log2(static_cast<double>(call)))) kept.push_back(bytes_of(64));
  });
  EXPECT_NE(s.verdict, Verdict::leak) << s.text();
}

TEST(Steady, ExpectSteadyThrowsTheReport) {
  Handle<Box> kept(new Box("registry"));
  try {
    expect_steady([&] { kept->put(bytes_of(64).get()); }, {.calls = 32});
    ADD_FAILURE() << "expected a leak";
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find("registry"), std::string::npos) << e.what(); }
  expect_steady([] {});
}

TEST(Steady, RssIsAWitnessOnly) {
  Steadiness s = steadiness([] { bytes_of(100); }, {.calls = 640, .rss = true});
  EXPECT_EQ(s.verdict, Verdict::clean);
  EXPECT_GT(s.after.rss_bytes, 0u);
  EXPECT_LE(s.rss_slope_low, s.rss_slope);
  EXPECT_GE(s.rss_slope_high, s.rss_slope);
  // Memory that is not ours grows: the slope tells, the verdict does not.
  constexpr size_t kCalls = 2000, kPage = 4096;
  void* foreign = mmap(nullptr, (kCalls + 20) * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(foreign, MAP_FAILED);
  madvise(foreign, (kCalls + 20) * kPage, MADV_NOHUGEPAGE);
  char* next = static_cast<char*>(foreign);
  Steadiness f = steadiness([&] { *next = 1, next += kPage; }, {.calls = kCalls, .rss = true});
  munmap(foreign, (kCalls + 20) * kPage);
  EXPECT_EQ(f.verdict, Verdict::clean);
  EXPECT_GT(f.rss_slope, 3500);
  EXPECT_LT(f.rss_slope, kThreadSanitizer ? 20'000 : 5000);  // there its shadow grows with the pages
}

TEST(Steady, RejectsWhatItCannotJudge) {
  EXPECT_THROW(steadiness({}), Error);
  EXPECT_THROW(steadiness([] {}, {.calls = 3}), Error);
}

}  // namespace
}  // namespace tenure::memory

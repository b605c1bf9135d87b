// Philox against its published vectors, and the distributions made of it.
#include <algorithm>
#include <numeric>

#include "kernels/test_tools.h"

namespace tenure::kernels {
namespace {
using test::everywhere, test::numbers;

TEST(Philox, GivesThePublishedKnownAnswers) {  // kat_vectors of Random123, philox4x32 with 10 rounds
  struct Known {
    uint32_t counter[4], key[2], out[4];
  };
  const Known known[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (const Known& k : known) {
    uint32_t out[4];
    philox_block(k.counter, k.key, out);
    EXPECT_TRUE(std::equal(out, out + 4, k.out));
  }
}

TEST(Philox, VectorsMakeTheSameWordsAsSingleBlocks) {
  everywhere([] {
    const uint64_t key = 0x299f31d0a4093822u, counter = 0x0370734413198a2eu;
    std::vector<uint64_t> y(2 * 77 + 1);
    philox_bits64(key, counter, y.data(), static_cast<int64_t>(y.size()));
    for (size_t b = 0; b < 77; ++b) {
      const uint32_t c[4] = {static_cast<uint32_t>(b), 0, static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32)};
      const uint32_t k[2] = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
      uint32_t out[4];
      philox_block(c, k, out);
      EXPECT_EQ(y[2 * b], out[0] | static_cast<uint64_t>(out[1]) << 32);
      EXPECT_EQ(y[2 * b + 1], out[2] | static_cast<uint64_t>(out[3]) << 32);
    }
  });
}

/// Every distribution, n values from one stream.
template <class T>
std::vector<std::vector<T>> draw(int64_t n) {
  std::vector<std::vector<T>> all(4, std::vector<T>(static_cast<size_t>(n)));
  const std::vector<T> ones(static_cast<size_t>(n), T{1});
  philox_uniform<T>(7, 1, all[0].data(), n, -1, 3);
  philox_normal<T>(7, 2, all[1].data(), n, T(0.5), T(2));
  philox_truncated_normal<T>(7, 3, all[2].data(), n, T(-1), T(0.5));
  philox_dropout<T>(7, 4, ones.data(), all[3].data(), nullptr, n, 0.25, T(1 / 0.75));
  return all;
}

TEST(Distributions, DependOnKeyCounterAndIndexOnly) {
  const int bound = max_threads();
  set_max_threads(1);
  const auto one = draw<float>(100001);
  set_max_threads(2);
  const auto two = draw<float>(100001);
  EXPECT_EQ(one, two);
  for (const int64_t n : {int64_t{0}, int64_t{1}, int64_t{6}, int64_t{515}}) {
    const auto few = draw<float>(n);
    const auto few_double = draw<double>(n), many = draw<double>(600);
    for (size_t k = 0; k < few.size(); ++k) {
      EXPECT_TRUE(std::equal(few[k].begin(), few[k].end(), one[k].begin()));
      EXPECT_TRUE(std::equal(few_double[k].begin(), few_double[k].end(), many[k].begin()));
    }
  }
  set_max_threads(bound);
}

template <class T>
void check_moments() {
  const int64_t n = 400000;
  const auto all = draw<T>(n);
  // mean, deviation, tolerances of 5 standard errors
  const double truncated = 0.5 * 0.8796256610342398;
  const double want[][2] = {{1, 4 / std::sqrt(12)}, {0.5, 2}, {-1, truncated}, {1, std::sqrt(1 / 0.75 - 1)}};
  for (size_t k = 0; k < all.size(); ++k) {
    double m = 0, v = 0;
    for (const T x : all[k]) m += static_cast<double>(x) / static_cast<double>(n);
    for (const T x : all[k]) v += (static_cast<double>(x) - m) * (static_cast<double>(x) - m) / static_cast<double>(n);
    EXPECT_NEAR(m, want[k][0], 5 * want[k][1] / std::sqrt(static_cast<double>(n)));
    EXPECT_NEAR(std::sqrt(v), want[k][1], 0.01 * want[k][1]);
  }
  EXPECT_GE(*std::min_element(all[0].begin(), all[0].end()), T(-1));
  EXPECT_LT(*std::max_element(all[0].begin(), all[0].end()), T(3));
  const auto [lo, hi] = std::minmax_element(all[2].begin(), all[2].end());
  EXPECT_GE(*lo, T(-2.000001));
  EXPECT_LE(*hi, T(0.000001));
  // the normal's distribution function at some points
  for (const double z : {-2.0, -1.0, 0.0, 0.5, 1.5}) {
    const double below = static_cast<double>(std::count_if(all[1].begin(), all[1].end(), [&](T x) { return static_cast<double>(x) < 0.5 + 2 * z; }));
    EXPECT_NEAR(below / static_cast<double>(n), 0.5 * std::erfc(-z * std::sqrt(0.5)), 0.004);
  }
}
TEST(Distributions, HaveTheirMomentsInFloatAndDouble) {
  everywhere([] { check_moments<float>(); });
  check_moments<double>();
}

TEST(Dropout, WritesTheMaskAndRepeatsItForTheGradient) {
  everywhere([] {
    const int64_t n = 10007;
    const auto x = numbers<float>(n, 1, 2), dy = numbers<float>(n, 1, 2, 3);
    std::vector<float> y(x.size()), dx = dy;
    std::vector<uint8_t> mask(x.size());
    philox_dropout(1, 2, x.data(), y.data(), mask.data(), n, 0.4, 2.0f);
    philox_dropout(1, 2, dx.data(), dx.data(), nullptr, n, 0.4, 2.0f);
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(y[i], mask[i] ? 2 * x[i] : 0);
      EXPECT_EQ(dx[i], mask[i] ? 2 * dy[i] : 0);
    }
    philox_dropout(1, 2, x.data(), y.data(), mask.data(), n, 0.0, 1.0f);
    EXPECT_EQ(x, y);
    philox_dropout(1, 2, x.data(), y.data(), mask.data(), n, 1.0, 1.0f);
    EXPECT_EQ(std::accumulate(y.begin(), y.end(), 0.0f), 0);
    philox_bernoulli(1, 2, mask.data(), n, 1.0);
    EXPECT_EQ(std::accumulate(mask.begin(), mask.end(), 0), n);
  });
}

TEST(Integers, StayInRangeAndPermutationsArePermutations) {
  const int64_t n = 60000;
  std::vector<int64_t> y(n);
  philox_integers(3, 4, y.data(), n, -2, 4);
  std::vector<int> count(6);
  for (const int64_t v : y) {
    ASSERT_TRUE(v >= -2 && v < 4);
    ++count[static_cast<size_t>(v + 2)];
  }
  for (const int c : count) EXPECT_NEAR(c, 10000, 500);
  philox_integers(3, 4, y.data(), 100, INT64_MIN, INT64_MAX);
  philox_permutation(3, 5, y.data(), 1000);
  EXPECT_NE(y[0] * 1000 + y[1], 1);
  std::sort(y.begin(), y.begin() + 1000);
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(y[static_cast<size_t>(i)], i);
  int first[3] = {};  // each of three comes first a third of the time
  for (uint64_t k = 0; k < 3000; ++k) {
    philox_permutation(k, 0, y.data(), 3);
    ++first[y[0]];
  }
  for (const int f : first) EXPECT_NEAR(f, 1000, 150);
  philox_permutation(1, 1, y.data(), 0);
}

}  // namespace
}  // namespace tenure::kernels

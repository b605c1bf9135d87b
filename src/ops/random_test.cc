#include <algorithm>

#include <tenure/error.h>
#include <tenure/ops.h>
#include <tenure/ops_random.h>

#include "base/parallel.h"
#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

double mean_of(const Tensor& t) { return mean(cast(t, float64)).item<double>(); }

TEST(Random, ADrawAdvancesTheStateAndIsAFunctionOfIt) {
  SeedGenerator a(5), b(5), c(6);
  expect_values(a.state(), {2}, {5, 0});
  Tensor first = random::uniform({100}, a), second = random::uniform({100}, a);
  expect_values(a.state(), {2}, {5, 2});
  EXPECT_EQ(values(first), values(random::uniform({100}, b)));
  EXPECT_NE(values(first), values(second));
  EXPECT_NE(values(first), values(random::uniform({100}, c)));
}

TEST(Random, GammaAndBetaHaveTheirMoments) {
  SeedGenerator g(11);
  for (double a : {0.05, 0.7, 1.0, 2.5, 30.0}) {
    SCOPED_TRACE(a);
    const Tensor y = random::gamma({40000}, g, a);
    EXPECT_NEAR(mean_of(y), a, 0.03 * std::max(a, 0.2));
    EXPECT_NEAR(mean_of(square(y - a)), a, 0.08 * std::max(a, 0.2));
    for (double b : {0.05, 1.0, 4.0}) {
      const Tensor z = random::beta({40000}, g, a, b, float64);
      EXPECT_NEAR(mean_of(z), a / (a + b), 0.01);
      EXPECT_NEAR(mean_of(square(z - a / (a + b))), a * b / ((a + b) * (a + b) * (a + b + 1)), 0.01);
      EXPECT_GE(min(z).item<double>(), 0);
      EXPECT_LE(max(z).item<double>(), 1);
    }
  }
  // So small that gammas are below any float: still one or the other.
  const Tensor ends = random::beta({1000}, g, 1e-6, 1e-6);
  EXPECT_NEAR(mean_of(ends), 0.5, 0.06);
  EXPECT_EQ(values(random::gamma({50}, SeedGenerator(3), 0.4)), values(random::gamma({50}, SeedGenerator(3), 0.4)));
  EXPECT_THROW((void)random::gamma({2}, g, 0), Error);
  EXPECT_THROW((void)random::beta({2}, g, 1, -1), Error);
  EXPECT_TRUE(isnan(random::log_gamma(full({1}, -1), g)).item<bool>());
}

TEST(Random, TheNumberOfThreadsDoesNotMatter) {
  const int before = max_threads();
  std::vector<double> one;
  for (int threads : {1, 2, 3}) {
    set_max_threads(threads);
    SeedGenerator g(1);
    Tensor y = random::normal({50000}, g);
    if (threads == 1) one = values(y);
    EXPECT_EQ(one, values(y));
  }
  set_max_threads(before);
}

TEST(Random, LawsHaveTheirMoments) {
  SeedGenerator g(3);
  for (DType t : {float32, float64}) {
    Tensor u = random::uniform({40000}, g, -2, 4, t);
    EXPECT_EQ(u.dtype(), t);
    EXPECT_NEAR(mean_of(u), 1, 0.05);
    EXPECT_GE(min(u).item<double>(), -2);
    EXPECT_LT(max(u).item<double>(), 4);
    Tensor n = random::normal({40000}, g, 1, 2, t);
    EXPECT_NEAR(mean_of(n), 1, 0.05);
    EXPECT_NEAR(std(n).item<double>(), 2, 0.05);
    Tensor cut = random::truncated_normal({40000}, g, 1, 2, t);
    EXPECT_NEAR(mean_of(cut), 1, 0.05);
    EXPECT_NEAR(std(cut).item<double>(), 2 * 0.8796, 0.05);
    EXPECT_LE(max(abs(cut - 1.0)).item<double>(), 4);
  }
  EXPECT_EQ(random::uniform({3}, g, 0, 1, bfloat16).dtype(), bfloat16);
  EXPECT_NEAR(mean_of(random::bernoulli({40000}, g, 0.3)), 0.3, 0.02);
  EXPECT_EQ(random::bernoulli({3}, g, 1, bool_).at(0), 1);
  Tensor r = random::randint({40000}, g, -3, 5);
  EXPECT_EQ(min(r).item<int>(), -3);
  EXPECT_EQ(max(r).item<int>(), 4);
  EXPECT_THROW(random::randint({2}, g, 5, 5), Error);
  EXPECT_THROW(random::uniform({2}, g, 0, 1, int32), Error);
}

TEST(Random, APermutationHoldsEachNumberOnce) {
  SeedGenerator g(4);
  Tensor p = random::permutation(1000, g);
  EXPECT_EQ(p.dtype(), int32);
  std::vector<double> v = values(p), sorted = v;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_NE(v, sorted);
  EXPECT_EQ(sorted, values(arange(0, 1000)));
  EXPECT_EQ(random::permutation(0, g).size(), 0);
}

TEST(Random, DropoutScalesWhatItKeeps) {
  SeedGenerator g(9);
  Tensor x = ones({20000});
  Tensor y = random::dropout(x, 0.25, g);
  EXPECT_NEAR(mean_of(y), 1, 0.03);
  EXPECT_NEAR(mean_of(cast(equal(y, 0.0), float32)), 0.25, 0.02);
  EXPECT_NEAR(max(y).item<double>(), 1 / 0.75, 1e-6);
  expect_values(g.state(), {2}, {9, 1});
  expect_same(random::dropout(x, 0, g), x);
  expect_values(g.state(), {2}, {9, 1});
  EXPECT_EQ(max(random::dropout(x, 1, g)).item<float>(), 0);
  Tensor rows = random::dropout(ones({64, 8}), 0.5, g, {-1, 1});
  expect_same(rows, broadcast_to(slice_axis(rows, 1, 0, 1), {64, 8}));
  EXPECT_THROW(random::dropout(x, 1.5, g), Error);
  EXPECT_THROW(random::dropout(x, 0.5, g, {3}), Error);
}

TEST(Random, DropoutKeepsTheStateNotAMask) {
  SeedGenerator g(2);
  Tensor x = ones({1000});
  GradientTape tape;
  tape.watch(x);
  Tensor y = random::dropout(x, 0.5, g);
  EXPECT_EQ(tape.saved_bytes(), 16u);
  Tensor dx = tape.gradient(y, x);
  EXPECT_EQ(values(dx), values(y));
  Tensor one = noise({3, 4}, 1);
  SeedGenerator fixed(7);
  auto f = [&](const Tensors& t) {
    SeedGenerator again(7);
    return random::dropout(t[0], 0.5, again) * t[0];
  };
  expect_gradients(f, {one});
  expect_second_gradients(f, {one});
}

}  // namespace
}  // namespace tenure

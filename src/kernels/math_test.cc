// Elementwise functions against double precision.
#include <bit>
#include <cstring>

#include "kernels/scalar.h"
#include "kernels/test_tools.h"

namespace tenure::kernels {
namespace {
using test::everywhere, test::expect_close, test::numbers, test::odd_sizes;

constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();

std::vector<Unary> all_unary() {
  std::vector<Unary> v;
  for (int i = 0; i <= static_cast<int>(Unary::sign); ++i) v.push_back(static_cast<Unary>(i));
  return v;
}
/// Floats over the whole range between two bit patterns.
std::vector<float> spread(uint32_t from, uint32_t to, uint32_t step) {
  std::vector<float> v;
  for (uint32_t b = from; b < to; b += step) v.push_back(std::bit_cast<float>(b));
  return v;
}
/// The largest relative error over x; results below `least` count absolutely against it.
double worst(Unary op, const std::vector<float>& x, double least = 1.18e-38) {
  std::vector<float> y(x.size());
  unary(op, x.data(), y.data(), static_cast<int64_t>(x.size()));
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = scalar::unary(op, static_cast<double>(x[i]), 0);
    if (std::isnan(want) || std::fabs(want) > std::numeric_limits<float>::max()) continue;
    const double error = std::fabs(static_cast<double>(y[i]) - want) / std::max(std::fabs(want), least);
    worst = std::max(worst, error);
  }
  return worst;
}

TEST(ElementwiseMath, IsWithinFewUlpOverTheWholeRange) {
  const std::vector<float> positive = spread(1, 0x7f800000, 4801), negative = spread(0x80000001, 0xff800000, 4801);
  everywhere([&] {
    for (const Unary op : {Unary::exp, Unary::tanh, Unary::sigmoid, Unary::erf, Unary::expm1, Unary::log1p, Unary::log}) {
      SCOPED_TRACE(static_cast<int>(op));
      EXPECT_LE(worst(op, positive), 5e-7);
      if (op != Unary::log) { EXPECT_LE(worst(op, negative), 5e-7); }
    }
    for (const Unary op : {Unary::sqrt, Unary::rsqrt, Unary::reciprocal}) EXPECT_LE(worst(op, positive), 2.4e-7);
    EXPECT_LE(worst(Unary::softplus, numbers<float>(20000, -80, 80)), 5e-7);
    EXPECT_LE(worst(Unary::mish, numbers<float>(20000, -30, 30)), 1e-6);
    EXPECT_LE(worst(Unary::silu, numbers<float>(20000, -80, 80)), 5e-7);
    EXPECT_LE(worst(Unary::sin, numbers<float>(20000, -8000, 8000), 0.1), 1e-6);
    EXPECT_LE(worst(Unary::cos, numbers<float>(20000, -1e6, 1e6), 0.1), 1e-6);
    EXPECT_LE(worst(Unary::gelu, numbers<float>(20000, -6, 6), 1), 1.5e-6);
    EXPECT_LE(worst(Unary::gelu_tanh, numbers<float>(20000, -6, 6), 1), 1.5e-6);
  });
}

TEST(ElementwiseMath, GeluOfLargeNumbersIsExact) {
  everywhere([] {
    for (const Unary op : {Unary::gelu, Unary::gelu_tanh}) {
      const float x[] = {-1e4f, -30, -7, 7, 1e4f};
      float y[5];
      unary(op, x, y, 5);
      for (int i = 0; i < 5; ++i) EXPECT_EQ(y[i], x[i] < 0 ? 0 : x[i]);
    }
  });
}

TEST(ElementwiseMath, GivesExpOfDenormalResultsAndLogOfDenormals) {
  everywhere([] {
    const std::vector<float> x = {-88, -95, -100, -103, -104, -110, 88.7f, 89, 1e30f, -1e30f};
    std::vector<float> y(x.size()), want;
    for (const float v : x) want.push_back(static_cast<float>(std::exp(static_cast<double>(v))));
    exp(x.data(), y.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isinf(want[i])) EXPECT_EQ(y[i], want[i]);
      else EXPECT_NEAR(y[i], want[i], 5e-7f * want[i] + 1.5e-45f) << x[i];
    }
  });
}

TEST(ElementwiseMath, TreatsInfinityNanAndZeroAsLibmDoes) {
  everywhere([] {
    const std::vector<float> x = {inf, -inf, nan, 0.0f, -0.0f};
    for (const Unary op : all_unary()) {
      SCOPED_TRACE(static_cast<int>(op));
      std::vector<float> y(x.size());
      std::vector<double> want;
      for (const float v : x) want.push_back(scalar::unary(op, static_cast<double>(v), 0.5));
      if (op == Unary::gelu_tanh || op == Unary::mish || op == Unary::silu || op == Unary::hard_silu) {
        unary(op, x.data() + 2, y.data() + 2, 3, 0.5f);
        EXPECT_TRUE(std::isnan(y[2]));
        EXPECT_EQ(y[3], 0);
        continue;
      }
      unary(op, x.data(), y.data(), static_cast<int64_t>(x.size()), 0.5f);
      expect_close(y, want, 1e-6);
    }
  });
}

TEST(ElementwiseMath, HandlesOddSizesInPlaceForEveryFunctionAndType) {
  everywhere([] {
    for (const Unary op : all_unary()) {
      SCOPED_TRACE(static_cast<int>(op));
      const bool positive = op == Unary::log || op == Unary::log1p || op == Unary::sqrt || op == Unary::rsqrt;
      for (const int64_t n : odd_sizes()) {
        std::vector<float> x = numbers<float>(n, positive ? 0.1 : -3, 3);
        std::vector<double> xd(x.begin(), x.end()), want;
        for (const double v : xd) want.push_back(scalar::unary(op, v, 0.25));
        unary(op, x.data(), x.data(), n, 0.25f);
        unary(op, xd.data(), xd.data(), n, 0.25f);
        expect_close(x, want, 5e-7);
        expect_close(xd, want, 1e-15);
      }
    }
  });
}

TEST(ElementwiseMath, NeverWritesBehindTheEnd) {
  everywhere([] {
    for (int64_t n = 0; n < 40; ++n) {
      std::vector<float> x(static_cast<size_t>(n) + 1, 2.0f), y(static_cast<size_t>(n) + 1, -7.0f);
      unary(Unary::tanh, x.data(), y.data(), n);
      add(x.data(), x.data(), y.data(), n);
      EXPECT_EQ(y[static_cast<size_t>(n)], -7.0f);
    }
  });
}

TEST(ElementwiseGradients, AgreeWithCentralDifferences) {
  everywhere([] {
    for (const Unary op : all_unary()) {
      SCOPED_TRACE(static_cast<int>(op));
      const bool positive = op == Unary::log || op == Unary::log1p || op == Unary::sqrt || op == Unary::rsqrt;
      std::vector<double> x = numbers<double>(37, positive ? 0.1 : -4, 4), y(x.size()), dy = numbers<double>(37, -1, 1, 2), want(x.size()),
                          dx(x.size());
      const double h = 1e-5, a = 0.25;
      const bool flat = op == Unary::floor || op == Unary::ceil || op == Unary::round || op == Unary::sign;
      for (size_t i = 0; i < x.size(); ++i) {
        want[i] = flat ? 0 : dy[i] * (scalar::unary(op, x[i] + h, a) - scalar::unary(op, x[i] - h, a)) / (2 * h);
        y[i] = scalar::unary(op, x[i], a);
      }
      const std::vector<double>& ref = grad_takes_output(op) ? y : x;
      unary_grad(op, dy.data(), ref.data(), dx.data(), 37, 0.25f);
      expect_close(dx, want, 1e-7);
      std::vector<float> dyf(dy.begin(), dy.end()), reff(ref.begin(), ref.end());
      unary_grad(op, dyf.data(), reff.data(), dyf.data(), 37, 0.25f);
      expect_close(dyf, want, 2e-6);
    }
  });
}

TEST(Arithmetic, OfArraysMatchesPlainLoops) {
  const auto plain = [](Binary op, double a, double b) {
    switch (op) {
      case Binary::add: return a + b;
      case Binary::sub: return a - b;
      case Binary::mul: return a * b;
      case Binary::div: return a / b;
      case Binary::max: return a > b ? a : b;
      case Binary::min: return a < b ? a : b;
      default: return (a - b) * (a - b);
    }
  };
  everywhere([&] {
    for (int i = 0; i <= static_cast<int>(Binary::squared_difference); ++i) {
      const Binary op = static_cast<Binary>(i);
      for (const int64_t n : odd_sizes()) {
        const auto a = numbers<float>(n), b = numbers<float>(n, 0.5, 2, 3);
        std::vector<float> y(a.size());
        std::vector<double> want(a.size());
        for (size_t k = 0; k < a.size(); ++k) want[k] = plain(op, a[k], b[k]);
        binary(op, a.data(), b.data(), y.data(), n);
        expect_close(y, want, 3e-7);
      }
    }
  });
}

TEST(Arithmetic, MaximumAndMinimumKeepNanFromEitherSide) {
  everywhere([] {
    const std::vector<float> a = {nan, 1, nan, inf, -inf}, b = {1, nan, nan, 1, 1};
    std::vector<float> y(5);
    max(a.data(), b.data(), y.data(), 5);
    expect_close(y, std::vector<float>{nan, nan, nan, inf, 1}, 0);
    min(a.data(), b.data(), y.data(), 5);
    expect_close(y, std::vector<float>{nan, nan, nan, 1, -inf}, 0);
    clip(a.data(), -2.0f, 2.0f, y.data(), 5);
    expect_close(y, std::vector<float>{nan, 1, nan, 2, -2}, 0);
  });
}

TEST(Arithmetic, AProductAndASumRoundTwice) {
  everywhere([] {
    for (const int64_t n : odd_sizes()) {
      const auto a = numbers<float>(n), b = numbers<float>(n, -1, 1, 2), c = numbers<float>(n, -1, 1, 3);
      std::vector<float> plus, minus, from, y(a.size());
      for (size_t i = 0; i < a.size(); ++i) {
        const float product = a[i] * b[i];
        plus.push_back(product + c[i]), minus.push_back(product - c[i]), from.push_back(c[i] - product);
      }
      multiply_add(Product::plus, a.data(), b.data(), c.data(), y.data(), n);
      EXPECT_EQ(y, plus);
      multiply_add(Product::minus, a.data(), b.data(), c.data(), y.data(), n);
      EXPECT_EQ(y, minus);
      y = c;
      multiply_add(Product::from, a.data(), b.data(), y.data(), y.data(), n);
      EXPECT_EQ(y, from);
    }
  });
}

}  // namespace
}  // namespace tenure::kernels

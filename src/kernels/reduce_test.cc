// Reductions, softmax and normalization against double precision.
#include <algorithm>

#include "kernels/test_tools.h"

namespace tenure::kernels {
namespace {
using test::everywhere, test::expect_close, test::numbers;

template <class T>
std::vector<double> plain_reduce(Reduce op, const std::vector<T>& x, int64_t outer, int64_t n, int64_t inner) {
  std::vector<double> y;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t j = 0; j < inner; ++j) {
      const bool squares = op == Reduce::sum_squares || op == Reduce::mean_squares;
      double s = op == Reduce::prod ? 1 : op == Reduce::max ? -INFINITY : op == Reduce::min ? INFINITY : 0;
      for (int64_t i = 0; i < n; ++i) {
        const double v = static_cast<double>(x[static_cast<size_t>((o * n + i) * inner + j)]);
        s = op == Reduce::prod ? s * v : op == Reduce::max ? std::max(s, v) : op == Reduce::min ? std::min(s, v) : s + (squares ? v * v : v);
      }
      y.push_back(op == Reduce::mean || op == Reduce::mean_squares ? s / static_cast<double>(n) : s);
    }
  }
  return y;
}
const Reduce all_reduce[] = {Reduce::sum, Reduce::mean, Reduce::prod, Reduce::max, Reduce::min, Reduce::sum_squares, Reduce::mean_squares};

TEST(Reductions, OfEveryShapeAgreeWithPlainLoops) {
  const int64_t shapes[][3] = {{1, 1, 1},     {3, 7, 1},   {1, 1001, 1}, {2, 100003, 1}, {700, 33, 1},   {1, 5, 3},   {1, 999, 10},
                               {1, 2000, 67}, {4, 9, 130}, {2, 65, 257}, {1, 30011, 5},  {1, 4001, 129}, {65, 3, 17}, {5, 1, 9}};
  everywhere([&] {
    for (const auto& s : shapes) {
      const auto x = numbers<float>(s[0] * s[1] * s[2], -1, 2);
      const std::vector<double> xd(x.begin(), x.end());
      for (const Reduce op : all_reduce) {
        SCOPED_TRACE(std::to_string(static_cast<int>(op)) + " of " + std::to_string(s[0]) + "," + std::to_string(s[1]) + "," + std::to_string(s[2]));
        std::vector<float> y(static_cast<size_t>(s[0] * s[2]));
        std::vector<double> yd(y.size());
        const auto want = plain_reduce(op, x, s[0], s[1], s[2]);
        reduce(op, x.data(), y.data(), s[0], s[1], s[2]);
        expect_close(y, want, 1e-6);
        reduce(op, xd.data(), yd.data(), s[0], s[1], s[2]);
        expect_close(yd, want, 1e-13);
      }
    }
  });
}

TEST(Reductions, OfAMillionFloatsAreExactToOneInAMillion) {
  const int64_t n = 1000003;
  const auto x = numbers<float>(n, 0, 1);
  double want = 0, squares = 0;
  for (const float v : x) {
    want += v;
    squares += double{v} * v;
  }
  everywhere([&] {
    EXPECT_NEAR(sum(x.data(), n) / want, 1, 1e-7);
    EXPECT_NEAR(dot(x.data(), x.data(), n) / squares, 1, 1e-7);
    float column[1];
    reduce_columns(Reduce::sum, x.data(), column, n, 1);
    EXPECT_NEAR(column[0] / want, 1, 1e-7);
    std::vector<float> columns(3);
    reduce_columns(Reduce::sum, x.data(), columns.data(), n / 3, 3);
    EXPECT_NEAR((double{columns[0]} + columns[1] + columns[2]) / (want - x.back()), 1, 2e-7);
  });
}

TEST(Reductions, AreBitEqualForAnyNumberOfThreads) {
  const auto x = numbers<float>(300000);
  const int bound = max_threads();
  set_max_threads(1);
  float one[5], two[5];
  reduce_columns(Reduce::sum, x.data(), one, 60000, 5);
  const float a = sum(x.data(), 300000);
  set_max_threads(2);
  reduce_columns(Reduce::sum, x.data(), two, 60000, 5);
  EXPECT_EQ(a, sum(x.data(), 300000));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(one[i], two[i]);
  set_max_threads(bound);
}

TEST(Reductions, OfNothingGiveTheNeutralElement) {
  float y[2] = {7, 7};
  reduce(Reduce::sum, static_cast<const float*>(nullptr), y, 2, 0, 1);
  EXPECT_EQ(y[0] + y[1], 0);
  reduce(Reduce::max, static_cast<const float*>(nullptr), y, 1, 0, 2);
  EXPECT_EQ(y[1], -INFINITY);
  reduce(Reduce::mean, static_cast<const float*>(nullptr), y, 2, 0, 1);
  EXPECT_TRUE(std::isnan(y[0]));
  int32_t i = 7;
  reduce(Reduce::prod, static_cast<const int32_t*>(nullptr), &i, 1, 0, 1);
  EXPECT_EQ(i, 1);
  reduce(Reduce::min, static_cast<const int32_t*>(nullptr), &i, 1, 0, 1);
  EXPECT_EQ(i, INT32_MAX);
  reduce(Reduce::sum, static_cast<const float*>(nullptr), y, 0, 5, 0);
}

TEST(Reductions, OfIntegersWrapAndCount) {
  const auto x = numbers<int32_t>(3 * 50 * 4, -100, 100);
  for (const Reduce op : {Reduce::sum, Reduce::max, Reduce::min, Reduce::sum_squares}) {
    std::vector<int32_t> y(12);
    reduce(op, x.data(), y.data(), 3, 50, 4);
    expect_close(y, plain_reduce(op, x, 3, 50, 4), 0);
  }
  const std::vector<uint8_t> b(300, 1);
  uint8_t s;
  reduce(Reduce::sum, b.data(), &s, 1, 300, 1);
  EXPECT_EQ(s, 300 - 256);
  const std::vector<int8_t> c(300, -100);
  int64_t big[1], values[3] = {INT64_MAX, 1, 0};
  reduce(Reduce::sum, values, big, 1, 3, 1);
  EXPECT_EQ(big[0], INT64_MIN);
  int8_t m;
  reduce(Reduce::max, c.data(), &m, 1, 300, 1);
  EXPECT_EQ(m, -100);
}

TEST(Reductions, KeepNanInExtremes) {
  everywhere([] {
    for (const int64_t n : {int64_t{3}, int64_t{40}, int64_t{200}}) {
      for (int64_t at = 0; at < n; at += 7) {
        auto x = numbers<float>(n);
        x[static_cast<size_t>(at)] = NAN;
        float y;
        reduce(Reduce::max, x.data(), &y, 1, n, 1);
        EXPECT_TRUE(std::isnan(y));
        reduce(Reduce::min, x.data(), &y, 1, n, 1);
        EXPECT_TRUE(std::isnan(y));
        int32_t k;
        arg_max(x.data(), &k, 1, n, 1);
        EXPECT_EQ(k, at);
      }
    }
  });
}

TEST(ArgMax, TakesTheFirstOfEqualsInRowsAndColumns) {
  everywhere([] {
    const std::vector<float> x = {1, 5, 5, 2, 9, 9, 0, 9};
    int32_t y[4];
    arg_max(x.data(), y, 2, 4, 1);
    EXPECT_EQ(y[0], 1);
    EXPECT_EQ(y[1], 0);
    arg_max(x.data(), y, 1, 2, 4);
    EXPECT_EQ(std::vector<int32_t>(y, y + 4), (std::vector<int32_t>{1, 1, 0, 1}));
    arg_max(x.data(), y, 2, 4, 1, true);
    EXPECT_EQ(y[0], 0);
    EXPECT_EQ(y[1], 2);
    const auto big = numbers<float>(1000);
    arg_max(big.data(), y, 1, 1000, 1);
    EXPECT_EQ(y[0], std::max_element(big.begin(), big.end()) - big.begin());
    const std::vector<uint8_t> bytes = {3, 200, 200};
    arg_max(bytes.data(), y, 1, 3, 1);
    EXPECT_EQ(y[0], 1);
  });
}

TEST(Softmax, AndItsLogarithmAndGradientsMatchDoublePrecision) {
  everywhere([] {
    for (const int64_t n : {int64_t{1}, int64_t{3}, int64_t{10}, int64_t{16}, int64_t{100}, int64_t{4097}}) {
      const int64_t rows = n > 1000 ? 9 : 333;
      const auto x = numbers<float>(rows * n, -20, 20), dy = numbers<float>(rows * n, -1, 1, 2);
      std::vector<double> p, lp, lse, g, lg, xd(x.begin(), x.end());
      for (int64_t r = 0; r < rows; ++r) {
        const float* row = x.data() + r * n;
        double s = 0, top = *std::max_element(row, row + n), dot = 0, total = 0;
        for (int64_t i = 0; i < n; ++i) s += std::exp(row[i] - top);
        lse.push_back(std::log(s) + top);
        for (int64_t i = 0; i < n; ++i) {
          p.push_back(std::exp(row[i] - top) / s);
          lp.push_back(row[i] - top - std::log(s));
          dot += p.back() * dy[static_cast<size_t>(r * n + i)];
          total += dy[static_cast<size_t>(r * n + i)];
        }
        for (size_t i = static_cast<size_t>(r * n); i < static_cast<size_t>(r * n + n); ++i) {
          g.push_back(p[i] * (dy[i] - dot));
          lg.push_back(dy[i] - p[i] * total);
        }
      }
      auto y = x;
      softmax(y.data(), y.data(), rows, n);
      expect_close(y, p, 5e-7);
      auto dx = dy;
      softmax_grad(dx.data(), y.data(), dx.data(), rows, n);
      expect_close(dx, g, 2e-6);
      log_softmax(x.data(), y.data(), rows, n);
      expect_close(y, lp, 5e-7);
      dx = dy;
      log_softmax_grad(dx.data(), y.data(), dx.data(), rows, n);
      expect_close(dx, lg, 2e-6);
      log_sum_exp(x.data(), y.data(), rows, n);
      y.resize(lse.size());
      expect_close(y, lse, 5e-7);
      std::vector<double> yd(xd.size());
      softmax(xd.data(), yd.data(), rows, n);
      expect_close(yd, p, 1e-14);
    }
  });
}

TEST(LayerNorm, AndItsGradientMatchDoublePrecision) {
  everywhere([] {
    for (const auto& [rows, n] : {std::pair<int64_t, int64_t>{1, 1}, {7, 5}, {300, 33}, {1000, 96}, {3, 5000}}) {
      const auto x = numbers<float>(rows * n, 9, 11), gamma = numbers<float>(n, 0.5, 2, 2), beta = numbers<float>(n, -1, 1, 3),
                 dy = numbers<float>(rows * n, -1, 1, 4);
      const double eps = 1e-3f;
      std::vector<double> y, means, rstds, dx, dg(static_cast<size_t>(n)), db(static_cast<size_t>(n));
      for (int64_t r = 0; r < rows; ++r) {
        double m = 0, v = 0, a = 0, b = 0;
        const auto at = [r, n = n](const std::vector<float>& t, int64_t i) { return static_cast<double>(t[static_cast<size_t>(r * n + i)]); };
        for (int64_t i = 0; i < n; ++i) m += at(x, i) / static_cast<double>(n);
        for (int64_t i = 0; i < n; ++i) v += (at(x, i) - m) * (at(x, i) - m) / static_cast<double>(n);
        const double s = 1 / std::sqrt(v + eps);
        means.push_back(m);
        rstds.push_back(s);
        for (int64_t i = 0; i < n; ++i) {
          const size_t k = static_cast<size_t>(i);
          const double hat = (at(x, i) - m) * s;
          y.push_back(hat * gamma[k] + beta[k]);
          a += at(dy, i) * gamma[k] / static_cast<double>(n);
          b += at(dy, i) * gamma[k] * hat / static_cast<double>(n);
          dg[k] += at(dy, i) * hat;
          db[k] += at(dy, i);
        }
        for (int64_t i = 0; i < n; ++i) dx.push_back(s * (at(dy, i) * gamma[static_cast<size_t>(i)] - a - (at(x, i) - m) * s * b));
      }
      std::vector<float> out(x.size()), mean(means.size()), rstd(mean.size()), gx(x.size()), gg(gamma.size()), gb(gamma.size());
      layer_norm(x.data(), gamma.data(), beta.data(), 1e-3f, out.data(), mean.data(), rstd.data(), rows, n);
      expect_close(out, y, 5e-6);
      expect_close(mean, means, 2e-7);
      expect_close(rstd, rstds, 2e-6);
      layer_norm_grad(dy.data(), x.data(), gamma.data(), mean.data(), rstd.data(), gx.data(), gg.data(), gb.data(), rows, n);
      expect_close(gx, dx, 1e-5);
      expect_close(gg, dg, 2e-5);
      expect_close(gb, db, 2e-6);
    }
  });
}

TEST(BatchNorm, StatisticsStayExactFarFromZero) {
  everywhere([] {
    for (const auto& [rows, c] : {std::pair<int64_t, int64_t>{1, 3}, {65, 1}, {1000, 7}, {20011, 33}, {3001, 130}, {500, 600}}) {
      const auto x = numbers<float>(rows * c, 1000, 1001);
      std::vector<double> m(static_cast<size_t>(c)), v(m.size());
      for (size_t i = 0; i < x.size(); ++i) m[i % m.size()] += double{x[i]} / static_cast<double>(rows);
      for (size_t i = 0; i < x.size(); ++i) v[i % m.size()] += (x[i] - m[i % m.size()]) * (x[i] - m[i % m.size()]) / static_cast<double>(rows);
      std::vector<float> mean(m.size()), variance(m.size());
      channel_moments(x.data(), mean.data(), variance.data(), rows, c);
      expect_close(mean, m, 1e-7);
      expect_close(variance, v, 1e-7);
      const auto t = numbers<float>(rows * c, 1000, 1001, 9);
      std::vector<float> rm(static_cast<size_t>(rows)), rv(rm.size());
      row_moments(t.data(), rm.data(), rv.data(), rows, c);
      for (int64_t r = 0; r < rows; r += 97) {
        double a = 0, b = 0;
        for (int64_t i = 0; i < c; ++i) a += t[static_cast<size_t>(r * c + i)] / static_cast<double>(c);
        for (int64_t i = 0; i < c; ++i) b += std::pow(t[static_cast<size_t>(r * c + i)] - a, 2) / static_cast<double>(c);
        EXPECT_NEAR(rm[static_cast<size_t>(r)], a, 1e-4);
        EXPECT_NEAR(rv[static_cast<size_t>(r)], b, 1e-6);
      }
    }
  });
}

TEST(BatchNorm, GradientAndScaleShiftMatchDoublePrecision) {
  everywhere([] {
    for (const auto& [rows, c] : {std::pair<int64_t, int64_t>{5, 3}, {4001, 35}, {300, 257}}) {
      const auto x = numbers<float>(rows * c, 4, 6), dy = numbers<float>(rows * c, -1, 1, 2), gamma = numbers<float>(c, 0.5, 2, 3);
      std::vector<float> mean(gamma.size()), variance(gamma.size()), rstd, s1(gamma.size()), s2(gamma.size()), dx(x.size()), y(x.size());
      channel_moments(x.data(), mean.data(), variance.data(), rows, c);
      for (const float v : variance) rstd.push_back(1 / std::sqrt(v + 1e-3f));
      channel_grad_sums(dy.data(), x.data(), mean.data(), rstd.data(), s1.data(), s2.data(), rows, c);
      std::vector<double> w1(gamma.size()), w2(gamma.size()), wdx, wy;
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t k = i % gamma.size();
        w1[k] += dy[i];
        w2[k] += double{dy[i]} * (double{x[i]} - mean[k]) * rstd[k];
      }
      expect_close(s1, w1, 2e-6);
      expect_close(s2, w2, 1e-5);
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t k = i % gamma.size();
        const double n = static_cast<double>(rows);
        wdx.push_back(double{gamma[k]} * rstd[k] * (dy[i] - w1[k] / n - (double{x[i]} - mean[k]) * rstd[k] * w2[k] / n));
        wy.push_back(std::max(0.0, double{x[i]} * rstd[k] - mean[k]));
      }
      batch_norm_grad(dy.data(), x.data(), gamma.data(), mean.data(), rstd.data(), s1.data(), s2.data(), dx.data(), rows, c);
      expect_close(dx, wdx, 5e-6);
      std::vector<float> shift;
      for (const float m : mean) shift.push_back(-m);
      scale_shift(x.data(), rstd.data(), shift.data(), y.data(), rows, c, true);
      expect_close(y, wy, 1e-6);
      scale_shift<float>(x.data(), nullptr, nullptr, y.data(), rows, c);
      expect_close(y, x, 0);
    }
  });
}

}  // namespace
}  // namespace tenure::kernels

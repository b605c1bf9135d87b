// For the tests of ops: values, and gradients against central differences in float64. Owns nothing.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include <tenure/ops.h>
#include <tenure/tape.h>

namespace tenure::test {

inline std::vector<double> values(const Tensor& t) {
  std::vector<double> v;
  for (int64_t i = 0; i < t.size(); ++i) v.push_back(t.at(i));
  return v;
}

inline void expect_values(const Tensor& t, const Shape& shape, const std::vector<double>& want, double tolerance = 1e-6) {
  ASSERT_EQ(to_string(t.shape()), to_string(shape));
  ASSERT_EQ(static_cast<size_t>(t.size()), want.size());
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_NEAR(t.at(static_cast<int64_t>(i)), want[i], tolerance * std::max(1.0, std::fabs(want[i]))) << "element " << i;
}

inline void expect_same(const Tensor& a, const Tensor& b, double tolerance = 1e-6) { expect_values(a, b.shape(), values(b), tolerance); }

/// Numbers in (-1, 1) without pattern; the same on every run.
inline std::vector<double> noise_values(int64_t n, double seed) {
  std::vector<double> v;
  for (int64_t i = 0; i < n; ++i) v.push_back(std::sin(12.9898 * static_cast<double>(i + 1) + 78.233 * seed));
  return v;
}
inline Tensor noise(const Shape& shape, double seed, DType dtype = float64, double low = -1, double high = 1) {
  std::vector<double> v = noise_values(shape.elements(), seed);
  for (double& x : v) x = low + (x + 1) / 2 * (high - low);
  return cast(Tensor::from<double>(v, shape), dtype);
}
inline Tensor counting(const Shape& shape, DType dtype = float32) {
  std::vector<double> v;
  for (int64_t i = 0; i < shape.elements(); ++i) v.push_back(static_cast<double>(i));
  return cast(Tensor::from<double>(v, shape), dtype);
}

using Map = std::function<Tensor(const Tensors&)>;

/// The derivative of sum(f(xs) * weights) by each of xs.
inline Tensors gradients(const Map& f, const Tensors& xs, double seed = 7) {
  GradientTape tape;
  for (const Tensor& x : xs) tape.watch(x);
  Tensor y = f(xs);
  return tape.gradient(y, xs, Unconnected::zero, noise(y.shape(), seed, y.dtype()));
}

/// Compares gradients() with central differences; xs are float64.
inline void expect_gradients(const Map& f, const Tensors& xs, double tolerance = 1e-6) {
  auto loss = [&](const Tensors& at) {
    Tensor y = f(at);
    double total = 0;
    std::vector<double> w = noise_values(y.size(), 7);
    for (int64_t i = 0; i < y.size(); ++i) total += y.at(i) * w[static_cast<size_t>(i)];
    return total;
  };
  Tensors g = gradients(f, xs);
  for (size_t k = 0; k < xs.size(); ++k) {
    ASSERT_EQ(to_string(g[k].spec()), to_string(xs[k].spec()));
    for (int64_t i = 0; i < xs[k].size(); ++i) {
      constexpr double h = 1e-5;
      std::vector<double> v = values(xs[k]);
      auto shifted = [&](double by) {
        std::vector<double> moved = v;
        moved[static_cast<size_t>(i)] += by;
        Tensors at = xs;
        at[k] = Tensor::from<double>(moved, xs[k].shape());
        return loss(at);
      };
      const double want = (shifted(h) - shifted(-h)) / (2 * h);
      EXPECT_NEAR(g[k].at(i), want, tolerance * std::max(1.0, std::fabs(want))) << "input " << k << " element " << i;
    }
  }
}

/// The same one derivative further: of the gradients by input `by`.
inline void expect_second_gradients(const Map& f, const Tensors& xs, size_t by = 0, double tolerance = 1e-5) {
  expect_gradients(
      [&](const Tensors& at) {
        GradientTape tape;
        tape.watch(at[by]);
        Tensor y = f(at);
        // A weight that depends on y keeps the outer derivative from vanishing for linear functions.
        return tape.gradient(square(y), at[by], Unconnected::zero, noise(y.shape(), 5, y.dtype()));
      },
      xs, tolerance);
}

}  // namespace tenure::test

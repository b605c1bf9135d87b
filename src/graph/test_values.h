// For the tests of functions: small tensors of known values, and comparison at a tolerance. Owns nothing.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/body.h"

namespace tenure {

inline Tensor scalar(float v) { return Tensor::from({v}, {}); }
inline Tensor filled(const Shape& shape, float from, float step = 0.01f) {
  Tensor t = Tensor::empty(shape);
  auto* p = reinterpret_cast<float*>(mutable_data(t));
  for (int64_t i = 0; i < t.size(); ++i) p[i] = from + step * static_cast<float>(i % 97);
  return t;
}
inline void expect_near(const Tensor& a, const Tensor& b, double tolerance = 1e-5) {
  ASSERT_EQ(a.shape(), b.shape());
  double most = 1, off = 0;
  for (int64_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(b.at(i))), off = std::max(off, std::abs(a.at(i) - b.at(i)));
  EXPECT_LE(off, tolerance * most);
}

}  // namespace tenure

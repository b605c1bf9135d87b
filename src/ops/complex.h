// Complex numbers as two real tensors of one shape: what ops that know them are made of.
#pragma once

#include <utility>

#include <tenure/ops.h>

namespace tenure::ops {

/// Stack-bound.
struct Complex {
  Tensor re, im;  // stack-bound

  Complex(Tensor real, Tensor imaginary) : re(std::move(real)), im(std::move(imaginary)) {}
  /// Of pairs of real and imaginary part on the last axis, as pairs() makes them.
  explicit Complex(const Tensor& pairs) : Complex(take(pairs, 0, -1), take(pairs, 1, -1)) {}
  Tensor pairs() const { return stack({re, im}, -1); }
  /// The size, squared.
  Tensor squares() const { return square(re) + square(im); }
};

inline Complex times(const Complex& a, const Complex& b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
inline Complex polar(const Tensor& size, const Tensor& angle) { return {size * cos(angle), size * sin(angle)}; }

}  // namespace tenure::ops

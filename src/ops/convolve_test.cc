#include <tenure/error.h>
#include <tenure/ops.h>

#include "core/body.h"
#include "ops/fused.h"
#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

// The definition, with "same" padding as TensorFlow: the odd pixel at the end.
Tensor reference(const Tensor& x, const Tensor& w, const ConvOptions& o, bool depthwise) {
  const int64_t n = x.dim(0), h = x.dim(1), v = x.dim(2), c = x.dim(3), kh = w.dim(0), kw = w.dim(1);
  const int64_t out = depthwise ? c * w.dim(3) : w.dim(3), groups = depthwise ? c : o.groups, ci = c / groups, co = out / groups;
  const Pair s = o.strides, d = o.dilation_rate;
  const int64_t eh = (kh - 1) * d.h + 1, ew = (kw - 1) * d.w + 1;
  const bool same = o.padding == "same";
  const int64_t oh = same ? (h + s.h - 1) / s.h : (h - eh) / s.h + 1, ow = same ? (v + s.w - 1) / s.w : (v - ew) / s.w + 1;
  const int64_t top = same ? std::max<int64_t>(0, (oh - 1) * s.h + eh - h) / 2 : 0,
                left = same ? std::max<int64_t>(0, (ow - 1) * s.w + ew - v) / 2 : 0;
  std::vector<double> xs = values(x), ws = values(w), y;
  for (int64_t i = 0; i < n * oh * ow * out; ++i) {
    const int64_t f = i % out, px = i / out % ow, py = i / out / ow % oh, b = i / out / ow / oh;
    double sum = 0;
    for (int64_t a = 0; a < kh; ++a)
      for (int64_t e = 0; e < kw; ++e)
        for (int64_t k = 0; k < ci; ++k) {
          const int64_t iy = py * s.h - top + a * d.h, ix = px * s.w - left + e * d.w;
          if (iy < 0 || iy >= h || ix < 0 || ix >= v) continue;
          sum += xs[static_cast<size_t>(((b * h + iy) * v + ix) * c + f / co * ci + k)] * ws[static_cast<size_t>(((a * kw + e) * ci + k) * out + f)];
        }
    y.push_back(sum);
  }
  return Tensor::from<double>(y, {n, oh, ow, out});
}

struct Case {
  Shape x, w;
  ConvOptions o;
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {{2, 6, 5, 3}, {3, 3, 3, 4}, {}},
      {{1, 7, 6, 3}, {3, 2, 3, 5}, {.strides = {2, 1}, .padding = "same"}},
      {{1, 4, 4, 2}, {3, 3, 2, 3}, {.strides = 2, .padding = "same"}},
      {{1, 8, 7, 4}, {3, 3, 2, 6}, {.dilation_rate = {2, 1}, .groups = 2}},
      {{2, 5, 5, 3}, {1, 1, 3, 8}, {.strides = 2}},
      {{1, 1, 9, 2}, {1, 3, 2, 3}, {.padding = "same", .dilation_rate = {1, 3}}},
  };
  return all;
}

TEST(Convolutions, MatchTheDefinitionInBothPrecisions) {
  for (const Case& c : cases())
    for (DType t : {float32, float64}) {
      Tensor x = noise(c.x, 1, t), w = noise(c.w, 2, t);
      expect_same(conv2d(x, w, c.o), reference(x, w, c.o, false), 1e-5);
    }
}

TEST(Convolutions, DepthwiseMatchesTheDefinition) {
  for (DType t : {float32, float64})
    for (int64_t multiplier : {1, 2})
      for (ConvOptions o : {ConvOptions{}, ConvOptions{.strides = 2, .padding = "same"}, ConvOptions{.padding = "same", .dilation_rate = 2}}) {
        Tensor x = noise({2, 6, 7, 5}, 1, t), w = noise({3, 3, 5, multiplier}, 2, t);
        expect_same(depthwise_conv2d(x, w, o), reference(x, w, o, true), 1e-5);
      }
}

TEST(Convolutions, SamePaddingPutsTheOddPixelAtTheEnd) {
  Tensor x = Tensor::from<float>({1, 2, 3, 4}, {1, 1, 4, 1}), w = ones({1, 3, 1, 1});
  expect_values(conv2d(x, w, {.strides = 2, .padding = "same"}), {1, 1, 2, 1}, {6, 7});
}

TEST(Convolutions, BiasActivationAndResidualAreFused) {
  Tensor x = noise({1, 5, 5, 3}, 1, float32), w = noise({3, 3, 3, 4}, 2, float32), b = noise({4}, 3, float32), r = noise({1, 3, 3, 4}, 4, float32);
  Tensor z = conv2d(x, w) + b;
  for (const char* name : {"", "relu", "silu", "tanh", "leaky_relu", "softmax"})
    expect_same(conv2d(x, w, {.activation = name}, b), ops::activate(z, name, ops::default_alpha(name)), 1e-5);
  ops::ConvAttrs a;
  a.epilogue = {true, "relu", 0, true};
  expect_same(apply_with(ops::conv_op, a, x, w, b, r), relu(z + r), 1e-5);
  expect_same(apply_with(ops::conv_op, a, cast(x, float64), cast(w, float64), cast(b, float64), cast(r, float64)), relu(z + r), 1e-5);
  a.padding = "explicit";
  a.pads = {1, 0, 2, 1};
  a.epilogue = {};
  expect_same(apply_with(ops::conv_op, a, x, w), conv2d(pad(x, {{0, 0}, {1, 0}, {2, 1}, {0, 0}}), w), 1e-5);
  EXPECT_EQ(conv2d(cast(x, bfloat16), cast(w, bfloat16), {}, cast(b, bfloat16)).dtype(), bfloat16);
}

TEST(Convolutions, EmptySizes) {
  EXPECT_EQ(to_string(conv2d(zeros({0, 5, 5, 3}), zeros({3, 3, 3, 2})).shape()), "[0,3,3,2]");
  expect_values(conv2d(zeros({1, 1, 1, 0}), zeros({1, 1, 0, 2}), {}, Tensor::from<float>({1, 2})), {1, 1, 1, 2}, {1, 2});
  Tensor x = zeros({0, 3, 3, 2}), w = ones({2, 2, 2, 3});
  Tensors g = gradients([](const Tensors& t) { return conv2d(t[0], t[1]); }, {x, w});
  EXPECT_EQ(to_string(g[0].shape()), "[0,3,3,2]");
  expect_same(g[1], zeros({2, 2, 2, 3}));
}

TEST(Convolutions, MistakesAreNamed) {
  try {
    conv2d(zeros({1, 5, 5, 3}), zeros({3, 3, 4, 8}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Shape);
    EXPECT_EQ(e.message(), "conv: the kernel float32[3,3,4,8] takes 4 channels, got float32[1,5,5,3]");
  }
  EXPECT_THROW(conv2d(zeros({1, 2, 5, 3}), zeros({3, 3, 3, 8})), Error);
  EXPECT_THROW(conv2d(zeros({1, 5, 5, 4}), zeros({3, 3, 2, 3}), {.groups = 2}), Error);
  EXPECT_THROW(conv2d(zeros({5, 5, 3}), zeros({3, 3, 3, 8})), Error);
  EXPECT_THROW(conv2d(zeros({1, 5, 5, 3}), zeros({3, 3, 3, 8}), {.padding = "causal"}), Error);
  EXPECT_THROW(conv2d(zeros({1, 5, 5, 3}), zeros({3, 3, 3, 8}), {.strides = 0}), Error);
  EXPECT_THROW(conv2d(zeros({1, 5, 5, 3}), zeros({3, 3, 3, 8}), {}, zeros({3})), Error);
}

TEST(Convolutions, GradientsInDouble) {
  for (const Case& c : cases())
    expect_gradients([&](const Tensors& t) { return conv2d(t[0], t[1], c.o, t[2]); }, {noise(c.x, 1), noise(c.w, 2), noise({c.w[3]}, 3)});
  expect_gradients([](const Tensors& t) { return depthwise_conv2d(t[0], t[1], {.strides = 2, .padding = "same", .activation = "tanh"}, t[2]); },
                   {noise({1, 4, 5, 2}, 1), noise({3, 3, 2, 2}, 2), noise({4}, 3)});
  ops::ConvAttrs fused;
  fused.epilogue = {true, "gelu", 0, true};
  expect_gradients([&](const Tensors& t) { return apply_with(ops::conv_op, fused, t[0], t[1], t[2], t[3]); },
                   {noise({1, 3, 3, 2}, 1), noise({2, 2, 2, 2}, 2), noise({2}, 3), noise({1, 2, 2, 2}, 4)});
}

TEST(Convolutions, FloatGradientsMatchDoubleOnes) {
  for (const Case& c : cases()) {
    auto f = [&](const Tensors& t) { return conv2d(t[0], t[1], c.o, t[2]); };
    Tensors narrow = gradients(f, {noise(c.x, 1, float32), noise(c.w, 2, float32), noise({c.w[3]}, 3, float32)});
    Tensors wide = gradients(f, {noise(c.x, 1), noise(c.w, 2), noise({c.w[3]}, 3)});
    for (size_t i = 0; i < 3; ++i) expect_same(narrow[i], wide[i], 1e-5);
  }
  for (int64_t multiplier : {1, 3}) {
    auto f = [](const Tensors& t) { return depthwise_conv2d(t[0], t[1], {.padding = "same"}, t[2]); };
    Tensors narrow = gradients(f, {noise({2, 5, 4, 3}, 1, float32), noise({3, 3, 3, multiplier}, 2, float32), noise({3 * multiplier}, 3, float32)});
    Tensors wide = gradients(f, {noise({2, 5, 4, 3}, 1), noise({3, 3, 3, multiplier}, 2), noise({3 * multiplier}, 3)});
    for (size_t i = 0; i < 3; ++i) expect_same(narrow[i], wide[i], 1e-5);
  }
}

TEST(Convolutions, SecondGradients) {
  Tensors xs{noise({1, 4, 3, 2}, 1), noise({2, 2, 2, 2}, 2), noise({2}, 3)};
  auto f = [](const Tensors& t) { return conv2d(t[0], t[1], {.padding = "same"}, t[2]); };
  for (size_t by : {0u, 1u, 2u}) expect_second_gradients(f, xs, by);
  expect_second_gradients([](const Tensors& t) { return depthwise_conv2d(t[0], t[1], {.strides = 2}); },
                          {noise({1, 4, 4, 2}, 1), noise({2, 2, 2, 1}, 2)}, 1);
}

TEST(Convolutions, ATapeKeepsInputsAndTheActivationsOutputOnly) {
  Tensor x = noise({1, 6, 6, 2}, 1, float32), w = noise({3, 3, 2, 4}, 2, float32), b = zeros({4});
  GradientTape tape;
  tape.watch(w);
  Tensor y = conv2d(x, w, {}, b);
  EXPECT_EQ(tape.saved_bytes(), x.spec().bytes() + w.spec().bytes() + b.spec().bytes());
  y = relu(std::move(y));
  EXPECT_EQ(tape.saved_bytes(), x.spec().bytes() + w.spec().bytes() + b.spec().bytes() + y.spec().bytes());
}

}  // namespace
}  // namespace tenure

#include <tenure/error.h>
#include <tenure/ops_linalg.h>

#include "core/body.h"
#include "ops/fused.h"
#include "ops/test_gradients.h"

namespace tenure {
namespace {

using namespace test;

// The plain definition, in double, of one matrix product.
std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, int64_t m, int64_t k, int64_t n, bool ta, bool tb) {
  std::vector<double> y(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t p = 0; p < k; ++p)
        y[static_cast<size_t>(i * n + j)] += a[static_cast<size_t>(ta ? p * m + i : i * k + p)] * b[static_cast<size_t>(tb ? j * k + p : p * n + j)];
  return y;
}

TEST(Products, EveryTransposeOfEveryDTypeMatchesTheDefinition) {
  for (DType type : {float32, float64, int32, int64})
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = flags & 1, tb = flags & 2;
      Tensor a = cast(noise(ta ? Shape{5, 3} : Shape{3, 5}, 1, float64, -9, 9), type),
             b = cast(noise(tb ? Shape{7, 5} : Shape{5, 7}, 2, float64, -9, 9), type);
      expect_values(matmul(a, b, ta, tb), {3, 7}, product(values(a), values(b), 3, 5, 7, ta, tb), 1e-5);
    }
}

TEST(Products, BatchAxesBroadcast) {
  Tensor a = noise({2, 1, 3, 4}, 1, float32), b = noise({5, 4, 2}, 2, float32);
  Tensor y = matmul(a, b);
  ASSERT_EQ(to_string(y.shape()), "[2,5,3,2]");
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 5; ++j) {
      Tensor one = matmul(slice_axis(reshape(a, {2, 3, 4}), 0, i, i + 1), slice_axis(b, 0, j, j + 1));
      expect_same(reshape(slice_axis(reshape(y, {10, 3, 2}), 0, i * 5 + j, i * 5 + j + 1), {3, 2}), reshape(one, {3, 2}));
    }
  Tensor wide = matmul(noise({2, 3, 4}, 1), noise({4, 5}, 2));
  expect_same(reshape(wide, {6, 5}), matmul(reshape(noise({2, 3, 4}, 1), {6, 4}), noise({4, 5}, 2)));
  Tensor whole = matmul(cast(a * 9, int32), cast(b * 9, int32), false, false);
  expect_same(whole, matmul(cast(cast(a * 9, int32), float64), cast(cast(b * 9, int32), float64)));
}

TEST(Products, VectorsFollowNumPy) {
  Tensor v = Tensor::from<float>({1, 2, 3}), m = counting({3, 2});
  expect_values(matmul(v, m), {2}, {16, 22});
  expect_values(matmul(transpose(m), v), {2}, {16, 22});
  expect_values(matmul(v, v), {}, {14});
  EXPECT_EQ(to_string(matmul(zeros({4, 2, 3}), v).shape()), "[4,2]");
  EXPECT_EQ(matmul(cast(v, int8), cast(v, int8)).dtype(), int32);
  EXPECT_EQ(matmul(cast(v, bfloat16), cast(v, bfloat16)).dtype(), bfloat16);
  EXPECT_EQ(matmul(cast(v, int32), v).dtype(), float32);
}

TEST(Products, EmptySizes) {
  EXPECT_EQ(to_string(matmul(zeros({0, 3}), zeros({3, 2})).shape()), "[0,2]");
  expect_values(matmul(zeros({2, 0}), zeros({0, 2})), {2, 2}, {0, 0, 0, 0});
  expect_values(linear(zeros({1, 0}), zeros({0, 2}), Tensor::from<float>({-1, 3}), "relu"), {1, 2}, {0, 3});
}

TEST(Products, MistakesAreNamed) {
  try {
    matmul(zeros({2, 3}), zeros({2, 3}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Shape);
    EXPECT_EQ(e.message(), "matmul: inner sizes differ: float32[2,3] · float32[2,3]");
  }
  EXPECT_THROW(matmul(zeros({2, 2, 3}), zeros({3, 3, 4})), Error);
  EXPECT_THROW(matmul(1.0, zeros({2, 2})), Error);
  EXPECT_THROW(linear(zeros({2, 3}), zeros({3, 4}), zeros({3})), Error);
  EXPECT_THROW(linear(zeros({2, 3}), zeros({3, 4}), {}, "rellu"), Error);
}

TEST(Products, LinearFusesWhatTheActivationsSay) {
  Tensor x = noise({3, 5}, 1, float32), w = noise({5, 4}, 2, float32), b = noise({4}, 3, float32);
  Tensor z = matmul(x, w) + b;
  for (const char* name :
       {"",     "linear",    "relu",         "relu6",     "leaky_relu", "elu",  "selu",        "tanh",    "sigmoid",  "silu",
        "gelu", "gelu_tanh", "hard_sigmoid", "hard_silu", "softplus",   "mish", "exponential", "softmax", "softsign", "log_sigmoid"})
    expect_same(linear(x, w, b, name), ops::activate(z, name, ops::default_alpha(name)), 2e-6);
  expect_same(linear(reshape(x, {3, 1, 5}), w, b), reshape(z, {3, 1, 4}));
  Tensor first = slice_axis(reshape(x, {15}), 0, 0, 5);
  expect_same(linear(first, w, b), slice_axis(reshape(z, {12}), 0, 0, 4));
}

TEST(Products, LinearAddsAResidual) {
  Tensor x = noise({3, 5}, 1), w = noise({5, 4}, 2), b = noise({4}, 3), r = noise({3, 4}, 4);
  ops::LinearAttrs a;
  a.epilogue = {true, "relu", 0, true};
  expect_same(apply_with(ops::linear_op, a, x, w, b, r), relu(matmul(x, w) + b + r));
  a.transpose_x = a.transpose_w = true;
  expect_same(apply_with(ops::linear_op, a, transpose(x), transpose(w), b, r), relu(matmul(x, w) + b + r));
}

TEST(Products, PackedWeightsGiveTheSame) {
  Spec in[] = {{{32, 784}, float32}, {{784, 128}, float32}}, out[] = {{{32, 128}, float32}};
  Tensor x = noise({32, 784}, 1, float32), w = noise({784, 128}, 2, float32), y = Tensor::empty({32, 128});
  ops::LinearAttrs a;
  auto prepared = ops::linear_op.prepare(Prep(in, out, &a, 1));
  Prep p(in, out, &a, 1, prepared.get());
  const size_t bytes = ops::linear_op.pack_bytes(p);
  if (bytes == 0) GTEST_SKIP() << "this kernel does not pack";
  Tensor packed = Tensor::empty({static_cast<int64_t>(bytes)}, uint8),
         scratch = Tensor::empty({static_cast<int64_t>(ops::linear_op.scratch(p)) + 1}, uint8);
  ops::linear_op.pack(p, w.bytes().data(), mutable_data(packed));
  const void* ins[] = {x.bytes().data(), w.bytes().data()};
  void* outs[] = {mutable_data(y)};
  Status s = ops::linear_op.run(tenure::Run(in, out, &a, 1, prepared.get(), ins, outs, mutable_data(scratch), mutable_data(packed)));
  ASSERT_TRUE(s.ok()) << s.what;
  expect_same(y, matmul(x, w), 1e-5);
}

TEST(Products, Gradients) {
  for (int flags = 0; flags < 4; ++flags) {
    const bool ta = flags & 1, tb = flags & 2;
    auto f = [=](const Tensors& t) { return matmul(t[0], t[1], ta, tb); };
    auto sides = [&](Shape a, Shape b) {
      const int ar = a.rank(), br = b.rank();
      if (ta) std::swap(a[ar - 2], a[ar - 1]);
      if (tb) std::swap(b[br - 2], b[br - 1]);
      return Tensors{noise(a, 1), noise(b, 2)};
    };
    expect_gradients(f, sides({3, 4}, {4, 2}));
    expect_gradients(f, sides({2, 3, 4}, {4, 2}));
    expect_gradients(f, sides({2, 1, 3, 2}, {3, 2, 2}));
    expect_gradients(f, sides({3, 2}, {2, 2, 2}));
    expect_second_gradients(f, sides({2, 3}, {3, 2}));
    expect_second_gradients(f, sides({2, 2, 3}, {3, 2}), 1);
  }
  auto vectors = [](const Tensors& t) { return matmul(t[0], t[1]); };
  expect_gradients(vectors, {noise({3}, 1), noise({3}, 2)});
  expect_gradients(vectors, {noise({2, 3}, 1), noise({3}, 2)});
}

TEST(Products, LinearGradients) {
  for (const char* name : {"", "relu", "gelu", "tanh", "leaky_relu", "exponential", "softmax"}) {
    auto f = [=](const Tensors& t) { return linear(t[0], t[1], t[2], name); };
    expect_gradients(f, {noise({2, 3, 4}, 1), noise({4, 3}, 2), noise({3}, 3)});
    expect_gradients(f, {noise({4}, 1), noise({4, 3}, 2), noise({3}, 3)});
  }
  expect_second_gradients([](const Tensors& t) { return linear(t[0], t[1], t[2], "tanh"); }, {noise({2, 3}, 1), noise({3, 2}, 2), noise({2}, 3)}, 1);
  // The fused form, as the fusion pass makes it.
  for (const char* name : {"relu", "silu", "sigmoid", "elu", "hard_swish"}) {
    ops::LinearAttrs a;
    a.epilogue = {true, name, 1, true};
    auto fused = [=](const Tensors& t) { return apply_with(ops::linear_op, a, t[0], t[1], t[2], t[3]); };
    expect_gradients(fused, {noise({2, 4}, 1), noise({4, 3}, 2), noise({3}, 3), noise({2, 3}, 4)});
  }
}

// a · v = v · diag(w) with complex w, and gradients through what no choice of vectors changes and through the choice.
TEST(Eig, TakesRealMatricesApart) {
  const Tensor a = sin(square(counting({2, 4, 4}, float64)));  // noise() has a rank of 2
  const Tensors e = eig(a);
  auto part = [](const Tensor& x, int i) { return take(x, i, -1); };
  const Tensor wr = expand_dims(part(e[0], 0), -2), wi = expand_dims(part(e[0], 1), -2), vr = part(e[1], 0), vi = part(e[1], 1);
  EXPECT_GT(max(abs(wi)).item<double>(), 0.01) << "no complex eigenvalue among them";
  expect_same(matmul(a, vr), vr * wr - vi * wi, 1e-9);
  expect_same(matmul(a, vi), vr * wi + vi * wr, 1e-9);
  expect_same(sum(square(vr) + square(vi), {-2}), ones({2, 4}, float64), 1e-9);
  for (int k : {0, 1}) {
    expect_gradients([k](const Tensors& x) { return eig(x[0])[static_cast<size_t>(k)]; }, {a}, 1e-5);
    expect_second_gradients([k](const Tensors& x) { return eig(x[0])[static_cast<size_t>(k)]; }, {a});
  }
  EXPECT_EQ(eig(cast(a, bfloat16))[0].dtype(), bfloat16);
  EXPECT_THROW(eig(zeros({2, 3})), Error);
}

}  // namespace
}  // namespace tenure

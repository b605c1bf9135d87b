#include <gtest/gtest.h>

#include <tenure/control.h>
#include <tenure/function.h>
#include <tenure/jacobian.h>
#include <tenure/ops.h>

namespace tenure {
namespace {

std::vector<float> values(const Tensor& t) { return t.to_vector<float>(); }

TEST(Control, CondRunsOneBranchAndRecordsBoth) {
  int ran = 0;
  auto f = [&](const Tensor& x) -> Tensor {
    return cond(
        greater(sum(x), 0.0), [&]() -> Outputs { return ++ran, multiply(x, 2.0); }, [&]() -> Outputs { return ++ran, negative(x); });
  };
  const Tensor up = Tensor::from<float>({1, 2}), down = Tensor::from<float>({-1, -2});
  EXPECT_EQ(values(f(up)), (std::vector<float>{2, 4}));
  EXPECT_EQ(values(f(down)), (std::vector<float>{1, 2}));
  EXPECT_EQ(ran, 2);
  Function traced([&](const Tensors& x) { return Tensors{f(x[0])}; });
  EXPECT_EQ(values(traced.call({up})[0]), (std::vector<float>{2, 4}));
  EXPECT_EQ(values(traced.call({down})[0]), (std::vector<float>{1, 2}));
  EXPECT_EQ(ran, 4);  // both branches, once
  GradientTape tape;
  tape.watch(down);
  const Tensor y = traced.call({down})[0];
  EXPECT_EQ(values(tape.gradient(y, down)), (std::vector<float>{-1, -1}));
}

TEST(Control, ARecordedBranchMayNotAssign) {
  Variable v(Tensor::from<float>({0}), "v");
  Function traced([&](const Tensors& x) {
    return Tensors{Tensor(cond(
        greater(sum(x[0]), 0.0),
        [&]() -> Outputs {
          v.assign(x[0]);
          return x[0];
        },
        [&]() -> Outputs { return x[0]; }))};
  });
  try {
    traced.call({Tensor::from<float>({1})});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Unsupported);
    EXPECT_NE(e.message().find("Variable v"), std::string::npos) << e.message();
  }
}

TEST(Control, SwitchClampsItsIndex) {
  auto f = [](Tensor i) -> Tensor {
    return switch_(i, {[] { return Outputs(Tensor(10)); }, [] { return Outputs(Tensor(20)); }, [] { return Outputs(Tensor(30)); }});
  };
  Function traced([&](const Tensors& x) { return Tensors{f(x[0])}; });
  for (int i : {-1, 0, 1, 2, 7}) {
    const int want = i <= 0 ? 10 : i == 1 ? 20 : 30;
    EXPECT_EQ(f(Tensor(i)).item<int>(), want);
    EXPECT_EQ(traced.call({Tensor::from<int32_t>({i}, {})})[0].item<int>(), want);
  }
}

TEST(Control, WhileLoopsRunUntilTheirConditionFails) {
  auto halve = [](const Tensor& x, std::optional<int64_t> most) -> Tensor {
    return while_loop([](const Tensors& v) { return greater(sum(v[0]), 1.0); }, [](const Tensors& v) -> Outputs { return multiply(v[0], 0.5); }, {x},
                      most);
  };
  const Tensor x = Tensor::from<float>({6, 4});
  EXPECT_EQ(values(halve(x, {})), (std::vector<float>{0.375F, 0.25F}));
  EXPECT_EQ(values(halve(x, 2)), (std::vector<float>{1.5F, 1}));
  Function traced([&](const Tensors& a) { return Tensors{halve(a[0], 8)}; });
  EXPECT_EQ(values(traced.call({x})[0]), (std::vector<float>{0.375F, 0.25F}));
  GradientTape tape;
  tape.watch(x);
  const Tensor y = traced.call({x})[0];
  EXPECT_EQ(values(tape.gradient(y, x)), (std::vector<float>{0.0625F, 0.0625F}));
  Function endless([&](const Tensors& a) { return Tensors{halve(a[0], {})}; });
  EXPECT_THROW(endless.call({x}), Error);
  EXPECT_EQ(fori_loop(
                0, 5, [](const Tensor& i, const Tensor& s) { return add(s, i); }, Tensor(0))
                .item<int>(),
            10);
}

TEST(Control, ScanCarriesAndStacks) {
  const Tensor xs = Tensor::from<float>({1, 2, 3, 4});
  auto step = [](const Tensors& c, const Tensors& x) {
    Tensor s = add(c[0], x[0]);
    return std::pair<Tensors, Tensors>({s}, {s});
  };
  auto [carry, ys] = scan(step, {Tensor(0.0)}, {xs});
  EXPECT_EQ(carry[0].item<float>(), 10);
  EXPECT_EQ(values(ys[0]), (std::vector<float>{1, 3, 6, 10}));
  EXPECT_EQ(values(scan(step, {Tensor(0.0)}, {xs}, {}, true).second[0]), (std::vector<float>{10, 9, 7, 4}));
  GradientTape tape;
  tape.watch(xs);
  const Tensor total = sum(scan(step, {Tensor(0.0)}, {xs}).second[0]);
  EXPECT_EQ(values(tape.gradient(total, xs)), (std::vector<float>{4, 3, 2, 1}));
  EXPECT_EQ(values(map([](const Tensor& x) -> Outputs { return square(x); }, xs)), (std::vector<float>{1, 4, 9, 16}));
}

TEST(Control, AssociativeScanGivesAllRunningResults) {
  auto sums = [](const Tensors& a, const Tensors& b) { return Tensors{add(a[0], b[0])}; };
  for (int64_t n : {1, 2, 3, 4, 7, 8, 13}) {
    const Tensor x = reshape(arange(1, static_cast<double>(2 * n + 1), 1, float32), {n, 2});
    EXPECT_EQ(values(associative_scan(sums, {x})[0]), values(cumsum(x, 0))) << n;
    EXPECT_EQ(values(associative_scan(sums, {x}, true)[0]), values(flip(cumsum(flip(x, {0}), 0), {0}))) << n;
  }
}

TEST(Jacobian, OfFunctionsOfVectors) {
  const Tensor x = Tensor::from<float>({1, 2, 3});
  const Tensor j = jacobian([](const Tensor& v) { return multiply(square(v), sum(v)); }, x);
  ASSERT_EQ(j.shape(), (Shape{3, 3}));
  for (int i = 0; i < 3; ++i)
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(j.at(3 * i + k), x.at(i) * x.at(i) + (i == k ? 2 * x.at(i) * 6 : 0), 1e-5);
  const Tensor h = hessian([](const Tensor& v) { return multiply(sum(v), sum(square(v))); }, x);
  for (int i = 0; i < 3; ++i)
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(h.at(3 * i + k), 2 * x.at(i) + 2 * x.at(k) + (i == k ? 12 : 0), 1e-5);
  auto [y, d] = jvp([](const Tensors& v) { return multiply(v[0], v[0]); }, {x}, {Tensor::from<float>({1, 0, -1})});
  EXPECT_EQ(values(y), (std::vector<float>{1, 4, 9}));
  EXPECT_EQ(values(d), (std::vector<float>{2, 0, -6}));
}

TEST(Jacobian, OfBatchesRowByRow) {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4}, {2, 2});
  GradientTape tape({.persistent = true});
  tape.watch(x);
  const Tensor y = multiply(square(x), sum(x, {1}, true));
  const Tensor rows = batch_jacobian(tape, y, x), whole = jacobian(tape, y, x);
  ASSERT_EQ(rows.shape(), (Shape{2, 2, 2}));
  ASSERT_EQ(whole.shape(), (Shape{2, 2, 2, 2}));
  for (int b = 0; b < 2; ++b)
    for (int i = 0; i < 2; ++i)
      for (int k = 0; k < 2; ++k) EXPECT_EQ(rows.at(4 * b + 2 * i + k), whole.at(((2 * b + i) * 2 + b) * 2 + k));
}

}  // namespace
}  // namespace tenure

#include <gtest/gtest.h>

#include <cmath>

#include <tenure/function.h>
#include <tenure/memory.h>
#include <tenure/ops.h>

#include "core/context.h"
#include "graph/plan.h"
#include "graph/test_values.h"

namespace tenure {
namespace {

using memory::now;

class Log {
 public:
  Log() {
    set_log_sink([this](std::string_view t) { text += std::string(t) + "\n"; });
  }
  ~Log() { set_log_sink({}); }
  std::string text;
};

// ---- tracing -------------------------------------------------------------------------------------------------------------------------

TEST(Function, TheLambdaRunsOnceInAThousandCallsAndDispatchIsNotEntered) {
  int runs = 0;
  Variable w(filled({8, 4}, 0.1f), "w"), b(filled({4}, -0.2f), "b");
  Function f([&](Tensor x) {
    ++runs;
    return relu(matmul(x, w.value()) + b.value());
  });
  Tensor x = filled({5, 8}, -1, 0.1f);
  Tensor eager = relu(matmul(x, w.value()) + b.value());
  Tensor first = f(x);
  expect_near(first, eager);
  uint64_t ops = eager_ops();
  for (int i = 1; i < 1000; ++i) {
    Tensor y = f(x);
    ASSERT_EQ(y.at(7), first.at(7));
  }
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(f.traces(), 1);
  EXPECT_EQ(eager_ops(), ops);
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

TEST(Function, ThePlanHasFewerInstructionsThanOpsTraced) {
  Variable w(filled({8, 4}, 0.1f), "w"), b(filled({4}, -0.2f), "b");
  Function f([&](Tensor x) { return sigmoid(exp(relu(matmul(x, w.value()) + b.value()) * 2.0f) + 1.0f); });
  Plan p = f.prepare({{Shape{5, 8}, float32}});
  EXPECT_EQ(p.traced_ops, 7u);
  EXPECT_LT(p.instructions, p.traced_ops);
  EXPECT_LE(p.instructions, 2u) << p.text;
  EXPECT_NE(p.signature.find("float32[5,8]"), std::string::npos);
  Tensor x = filled({5, 8}, -1, 0.1f);
  expect_near(f(x), sigmoid(exp(relu(matmul(x, w.value()) + b.value()) * 2.0f) + 1.0f));
}

TEST(Function, ThePictureOfThePlanIsItsArena) {
  Variable w(filled({64, 64}, 0.01f), "w");
  Function f([&](Tensor x) {
    Tensor a = matmul(x, w.value()), b = matmul(relu(a), w.value());
    return sum(matmul(b, w.value()) + matmul(a, w.value()));
  });
  Plan p = f.prepare({{Shape{32, 64}, float32}});
  const memory::PlanPicture& picture = p.picture;
  EXPECT_EQ(picture.arena_bytes, p.arena_bytes);
  EXPECT_EQ(picture.lower_bound, p.lower_bound);
  EXPECT_EQ(picture.instructions.size(), p.instructions);
  ASSERT_FALSE(picture.blocks.empty());
  std::vector<Placed> blocks;
  for (const memory::PlanBlock& b : picture.blocks) {
    EXPECT_GE(b.first, 0);
    EXPECT_LE(static_cast<size_t>(b.last), p.instructions);
    EXPECT_NE(b.what.find('/'), std::string::npos) << b.what;
    blocks.push_back({b.bytes, b.first, b.last, b.offset});
  }
  EXPECT_EQ(check_plan(blocks, p.arena_bytes), "");
  EXPECT_EQ(lower_bound_of(blocks), p.lower_bound);
}

TEST(Function, ShapesAndDtypesHaveTracesOfTheirOwn) {
  Function f([](Tensor x) { return x * 2.0f; });
  f(filled({3}, 1));
  f(filled({4}, 1));
  f(filled({3}, 1));
  f(cast(filled({3}, 1), float64));
  EXPECT_EQ(f.traces(), 3);
}

TEST(Function, AHundredNumbersAreOneTraceAndStaticsOneEach) {
  Function scale([](Tensor x, Tensor n) { return x * n; });
  Tensor x = Tensor::from({1.0f, 2.0f});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(static_cast<Tensor>(scale(x, 0.5f * static_cast<float>(i))).at(1), i);
  EXPECT_EQ(scale.traces(), 1);
  Function power_of([](Tensor x, Static<int> n) {
    Tensor y = x;
    for (int i = 1; i < n; ++i) y = y * x;
    return y;
  });
  for (int i = 1; i < 5; ++i) EXPECT_EQ(static_cast<Tensor>(power_of(x, Static<int>{i})).at(1), 1 << i);
  power_of(x, Static<int>{2});
  EXPECT_EQ(power_of.traces(), 4);
}

TEST(Function, TheCacheIsBoundedAndTheLeastRecentlyUsedGoes) {
  Function f([](Tensor x) { return exp(x); }, {.max_entries = 3});
  for (int64_t n : {1, 2, 3}) f(filled({n}, 0));
  f(filled({1}, 0));  // 1 is now the newest, 2 the oldest
  f(filled({4}, 0));
  EXPECT_EQ(f.cached(), 3u);
  EXPECT_EQ(f.traces(), 4);
  f(filled({1}, 0));
  EXPECT_EQ(f.traces(), 4);
  f(filled({2}, 0));
  EXPECT_EQ(f.traces(), 5);
  EXPECT_NE(f.plans()[0].signature.find("[2]"), std::string::npos);
}

TEST(Function, TheCacheIsBoundedByBytesToo) {
  Function f([](Tensor x) { return x + filled({1000}, 1); }, {.max_entries = 100, .max_bytes = 10'000});
  for (int64_t n = 1; n <= 6; ++n) f(filled({n, 1000}, 0));
  EXPECT_EQ(f.cached(), 2u);
}

TEST(Function, FrequentRetracesNameTheArgument) {
  Log log;
  Function f([](Tensor, Tensor x) { return exp(x); }, {.name = "embed"});
  Tensor first = filled({2}, 0);
  for (int64_t n = 1; n <= 9; ++n) f(first, filled({n}, 0));
  EXPECT_NE(log.text.find("Function embed: traced 9 times"), std::string::npos) << log.text;
  EXPECT_NE(log.text.find("argument 1 was float32[8] and is now float32[9]"), std::string::npos) << log.text;
}

TEST(Function, RetracesByAStaticNameIt) {
  Log log;
  Function f([](Tensor x, Static<int> n) { return x * static_cast<float>(n.value); });
  for (int i = 0; i < 9; ++i) f(scalar(1), Static<int>{i});
  EXPECT_NE(log.text.find("Static argument 0 was 7 and is now 8"), std::string::npos) << log.text;
}

TEST(Function, ATraceIsOfTheTensorsItSaw) {
  Tensor stored;
  Function f([&](Tensor x) {
    stored = x * 2.0f;
    return stored + 1.0f;
  });
  f(scalar(1));
  try {
    exp(stored);
    FAIL();
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find("belongs to a trace that has ended"), std::string::npos) << e.what(); }
  EXPECT_THROW(stored.item(), Error);
}

TEST(Function, BranchingOnValuesIsAnError) {
  Function f([](Tensor x) { return x.item() > 0 ? x : -x; });
  EXPECT_THROW(f(scalar(1)), Error);
  EXPECT_EQ(f.cached(), 0u);
  Tensor ok = exp(scalar(0));  // the failed trace left nothing open
  EXPECT_EQ(ok.item(), 1.0f);
}

TEST(Function, AVariableMadeOnASecondTraceIsRefused) {
  std::vector<Variable> made;
  Function f([&](Tensor x) {
    Eagerly eagerly;
    made.emplace_back(Tensor::from({2.0f}), "fresh");
    return x;
  });
  f(filled({1}, 0));
  try {
    f(filled({2}, 0));
    FAIL();
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find("Variable fresh is made on a second trace"), std::string::npos) << e.what(); }
  EXPECT_EQ(made.size(), 1u);
}

TEST(Function, ConcreteTensorsAreCapturedAndHeld) {
  auto before = now();
  Log log;
  {
    Tensor big = filled({600'000}, 1);
    Function f([big](Tensor x) { return x + big; });
    Tensor x = filled({600'000}, 0);
    f(x);
    EXPECT_NE(log.text.find("2400000 bytes"), std::string::npos) << log.text;
    std::string text = memory::explain(big).text();
    EXPECT_NE(text.find("traced function as constants[0]"), std::string::npos) << text;
    EXPECT_EQ(f.plans()[0].constant_bytes, 2'400'000u);
    EXPECT_TRUE(memory::audit().ok());
  }
  EXPECT_EQ(now().objects, before.objects);
  EXPECT_EQ(now().live_bytes, before.live_bytes);
}

TEST(Function, FunctionsInsideFunctionsAreInlined) {
  Function inner([](Tensor x) { return x * x; });
  Function outer([inner](Tensor x) { return static_cast<Tensor>(inner(x)) + 1.0f; });
  EXPECT_EQ(static_cast<Tensor>(outer(scalar(3))).item(), 10.0f);
  EXPECT_EQ(inner.traces(), 0);
  EXPECT_EQ(outer.traces(), 1);
}

TEST(Function, OutputsMayBeInputsConstantsVariablesAndViews) {
  Variable v(Tensor::from({5.0f, 6.0f}), "v");
  Tensor constant = Tensor::from({7.0f});
  Function f([&](Tensor x) {
    Tensor y = x * 2.0f;
    return Tensors{x, constant, v.value(), reshape(y, {4}), reshape(x, {4}), y, slice(y, {1, 0}, {1, 2})};
  });
  Tensor x = filled({2, 2}, 1, 1);
  for (int i = 0; i < 3; ++i) {
    Outputs out = f(x);
    EXPECT_EQ(out[0].id(), x.id());
    EXPECT_EQ(out[1].item(), 7.0f);
    EXPECT_EQ(out[2].to_vector<float>(), (std::vector<float>{5, 6}));
    EXPECT_EQ(out[3].to_vector<float>(), (std::vector<float>{2, 4, 6, 8}));
    EXPECT_EQ(out[4].to_vector<float>(), (std::vector<float>{1, 2, 3, 4}));
    EXPECT_EQ(out[5].shape(), (Shape{2, 2}));
    EXPECT_EQ(out[6].to_vector<float>(), (std::vector<float>{6, 8}));
    EXPECT_TRUE(memory::audit().ok());
  }
}

TEST(Function, ZeroSizedTensorsGoThroughThePlan) {
  Function f([](Tensor x) { return exp(matmul(exp(x) + 1.0f, ones({3, 2})) * 2.0f); });
  EXPECT_EQ(static_cast<Tensor>(f(filled({0, 3}, 0))).shape(), (Shape{0, 2}));
}

TEST(Function, ManyOutputsOfOneOp) {
  Function f([](Tensor x) {
    Tensors parts = split(x * 1.0f, 50);
    Tensor sum_of = parts[0];
    for (size_t i = 1; i < parts.size(); ++i) sum_of = sum_of + parts[i];
    return sum_of;
  });
  EXPECT_EQ(static_cast<Tensor>(f(ones({50, 3}))).to_vector<float>(), (std::vector<float>{50, 50, 50}));
}

// A group writes one of its outputs over an input that a later member still reads.
TEST(Function, AGroupDoesNotOverwriteWhatItStillReads) {
  Variable w(filled({16, 16}, -0.5f), "w");
  auto body = [&](Tensor x) {
    Tensor r = matmul(x, w.value());
    Tensor y1 = r + 1.0f;
    Tensor y2 = y1 * r;
    return matmul(y1, w.value()) + matmul(y2, w.value());
  };
  Function f(body);
  Tensor x = filled({40, 16}, 0.3f);
  expect_near(f(x), body(x));
}

TEST(Function, RandomNumbersAreDrawnAtEachCall) {
  SeedGenerator seed(7), same(7);
  Function f([&](Tensor x) { return x + random::uniform({4}, seed) + random::uniform({4}, seed); });
  Tensor x = zeros({4});
  Tensor a = f(x), b = f(x);
  EXPECT_NE(a.to_vector<float>(), b.to_vector<float>());
  Tensor first = random::uniform({4}, same), second = random::uniform({4}, same);
  EXPECT_NE(first.to_vector<float>(), second.to_vector<float>());
  expect_near(a, first + second);
  first = random::uniform({4}, same);
  expect_near(b, first + random::uniform({4}, same));
}

// ---- passes ------------------------------------------------------------------------------------------------------------------------

TEST(FunctionPasses, WhatOnlyLooksAlikeIsNotMerged) {
  Function f([](Tensor x) {
    Tensor low = pad(x, {{1, 0}}, "constant", -INFINITY), high = pad(x, {{1, 0}}, "constant", INFINITY);
    return Tensors{low, high};
  });
  Outputs out = f(Tensor::from({1.0f}));
  EXPECT_EQ(out[0].at(0), -INFINITY);
  EXPECT_EQ(out[1].at(0), INFINITY);
}

TEST(FunctionPasses, CommonWorkIsDoneOnceAndDeadWorkNever) {
  Function f([](Tensor x) {
    Tensor unused = exp(x);
    return matmul(x, x) + matmul(x, x);
  });
  Plan p = f.prepare({{Shape{4, 4}, float32}});
  EXPECT_EQ(p.traced_ops, 4u);
  EXPECT_LE(p.instructions, 2u) << p.text;
}

// A product that only a sum or a difference reads is one step with it, and rounds as the two ops do.
TEST(FunctionPasses, AProductInASumIsOneStep) {
  auto body = [](Tensor w, Tensor g) {
    Tensor product = w * g;  // read twice: stays
    return Tensors{w - g * 0.01f, abs(g) * w - 3.0f, exp(w) + g * g, product + w, product - 1.0f};
  };
  Function f(body);
  SeedGenerator seed(3);
  Tensor w = random::normal({7, 13}, seed), g = random::normal({7, 13}, seed);
  Outputs traced = f(w, g);
  Tensors eager = body(w, g);
  for (size_t i = 0; i < eager.size(); ++i) EXPECT_EQ(Tensor(traced[i]).to_vector<float>(), eager[i].to_vector<float>()) << i;
  Plan p = f.prepare({{Shape{7, 13}, float32}, {Shape{7, 13}, float32}});
  size_t fused = 0;
  for (size_t at = 0; (at = p.text.find("multiply_add", at)) != std::string::npos; ++at) ++fused;
  EXPECT_EQ(fused, 3u) << p.text;
}

TEST(Function, ANumberTakesTheDtypeOfWhatItMeetsAlsoInATrace) {
  Function f([](Tensor x, Tensor k) { return concatenate({x * k, x + k}, 0); });
  for (DType dtype : {bfloat16, float16, float64, float32}) {
    Tensor x = cast(Tensor::from({1.0f, 2.0f}), dtype);
    EXPECT_EQ(Tensor(f(x, 3)).dtype(), dtype);
    EXPECT_EQ(cast(f(x, 0.5), float32).to_vector<float>(), (std::vector<float>{0.5f, 1.0f, 1.5f, 2.5f}));
    EXPECT_EQ(Tensor(f(x, cast(scalar(2), dtype))).dtype(), dtype);
  }
}

// ---- padding that the kernel does ----------------------------------------------------------------------------------------------------

TEST(FunctionPasses, ZerosAroundAnImageBecomeTheKernelsOwnPadding) {
  Tensor x = filled({2, 9, 8, 4}, -0.5f), w = filled({3, 3, 4, 6}, -0.4f), d = filled({3, 2, 6, 1}, -0.1f);
  auto model = [&](Tensor in) {
    Tensor y = relu(conv2d(pad(in, {{0, 0}, {2, 1}, {0, 3}, {0, 0}}), w, {.strides = 2}));
    y = relu(depthwise_conv2d(pad(y, {{0, 0}, {1, 1}, {1, 0}, {0, 0}}), d));
    return max_pool2d(pad(y, {{0, 0}, {0, 1}, {1, 0}, {0, 0}}), {.pool_size = 2, .strides = 2});
  };
  Function f(model);
  expect_near(f(x), model(x));
  EXPECT_EQ(f.plans()[0].text.find("pad"), std::string::npos) << f.plans()[0].text;
}

TEST(FunctionPasses, PaddingStaysWhereAPoolWouldSeeTheZeros) {
  Tensor x = filled({1, 4, 4, 2}, -2);
  Function f([](Tensor in) { return max_pool2d(pad(in, {{0, 0}, {1, 1}, {1, 1}, {0, 0}}), {.pool_size = 2, .strides = 1}); });
  Tensor y = f(x);
  EXPECT_EQ(y.to_vector<float>()[0], 0.0f);  // the corner's window sees three zeros
  EXPECT_NE(f.plans()[0].text.find("pad"), std::string::npos);
}

}  // namespace
}  // namespace tenure

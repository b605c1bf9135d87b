#include <gtest/gtest.h>

#include <cmath>

#include <tenure/memory.h>
#include <tenure/ops.h>
#include <tenure/tape.h>

#include "core/variable_body.h"

namespace tenure {
namespace {

using memory::now;

Tensor scalar(float v) { return Tensor::from({v}, {}); }
size_t tapes() { return now().count[static_cast<size_t>(memory::Kind::tape)]; }

TEST(Tape, GivesTheGradientOfAWatchedTensor) {
  Tensor x = Tensor::from({1.0f, 2.0f, 3.0f});
  GradientTape tape;
  tape.watch(x);
  Tensor y = square(x) * 2.0f;
  Tensor g = tape.gradient(y, x);
  EXPECT_EQ(g.to_vector<float>(), (std::vector<float>{4, 8, 12}));
}

TEST(Tape, WhatIsNotWatchedIsNotRecorded) {
  Tensor x = scalar(3);
  GradientTape tape;
  Tensor y = square(x);
  EXPECT_EQ(tape.entries(), 0u);
  EXPECT_EQ(tape.saved_bytes(), 0u);
  EXPECT_FALSE(tape.gradient(y, x).defined());
}

TEST(Tape, UnconnectedIsNoneOrZeros) {
  Tensor x = Tensor::from({1.0f, 2.0f}), z = Tensor::from({1.0f, 2.0f, 3.0f});
  GradientTape tape({.persistent = true});
  tape.watch(x);
  tape.watch(z);
  Tensor y = square(x);
  EXPECT_FALSE(tape.gradient(y, z).defined());
  Tensor zero = tape.gradient(y, z, Unconnected::zero);
  EXPECT_EQ(zero.to_vector<float>(), (std::vector<float>{0, 0, 0}));
}

TEST(Tape, SumsOverEveryUse) {
  Tensor x = scalar(3);
  GradientTape tape;
  tape.watch(x);
  Tensor y = x * x + x * 2.0f + x;
  EXPECT_EQ(tape.gradient(y, x).item(), 9.0f);
}

TEST(Tape, ATargetMayBeItsOwnSource) {
  Tensor x = scalar(3);
  GradientTape tape;
  tape.watch(x);
  EXPECT_EQ(tape.gradient(x, x).item(), 1.0f);
}

TEST(Tape, IntermediatesAreSources) {
  Tensor x = scalar(2);
  GradientTape tape;
  tape.watch(x);
  Tensor m = square(x);
  Tensor y = m * m;
  Tensors g = tape.gradient(y, Tensors{x, m});
  EXPECT_EQ(g[0].item(), 32.0f);
  EXPECT_EQ(g[1].item(), 8.0f);
}

TEST(Tape, OutputGradientsScaleTheTarget) {
  Tensor x = Tensor::from({1.0f, 2.0f});
  GradientTape tape({.persistent = true});
  tape.watch(x);
  Tensor y = square(x);
  EXPECT_EQ(tape.gradient(y, x, Unconnected::none, Tensor::from({10.0f, 100.0f})).to_vector<float>(), (std::vector<float>{20, 400}));
  EXPECT_THROW(tape.gradient(y, x, Unconnected::none, Tensor::from({1.0f})), Error);
}

TEST(Tape, ReadingATrainableVariableWatchesIt) {
  Variable w(Tensor::from({2.0f, 3.0f}), "w"), frozen(Tensor::from({5.0f, 5.0f}), {.name = "frozen", .trainable = false});
  GradientTape tape;
  Tensor y = square(w.value()) * frozen.value();
  Tensors g = tape.gradient(y, Variables{w, frozen});
  EXPECT_EQ(g[0].to_vector<float>(), (std::vector<float>{20, 30}));
  EXPECT_FALSE(g[1].defined());
}

TEST(Tape, WatchesOnlyWhatItIsToldWhenAsked) {
  Variable a(scalar(2), "a"), b(scalar(3), "b");
  GradientTape tape({.watch_accessed_variables = false});
  tape.watch(b);
  Tensor y = a.value() * b.value();
  Tensors g = tape.gradient(y, Variables{a, b});
  EXPECT_FALSE(g[0].defined());
  EXPECT_EQ(g[1].item(), 2.0f);
}

TEST(Tape, EachValueOfAVariableCountsAndAssignmentsPassNoGradient) {
  Variable v(scalar(3), "v");
  Tensor x = scalar(5);
  GradientTape tape({.persistent = true});
  tape.watch(x);
  Tensor first = v.value() * 2.0f;
  v.assign(x * 10.0f);
  Tensor second = v.value() * 7.0f;
  EXPECT_EQ(second.item(), 350.0f);
  EXPECT_EQ(tape.gradient(first + second, v).item(), 9.0f);
  EXPECT_FALSE(tape.gradient(second, x).defined());
}

TEST(Tape, AVariableMadeOfAWatchedTensorIsASourceOfItsOwn) {
  Tensor x = scalar(5);
  GradientTape tape({.persistent = true});
  tape.watch(x);
  Variable v(x * 2.0f, "v");
  Tensor y = v.value() * 3.0f;
  EXPECT_FALSE(tape.gradient(y, x).defined());
  EXPECT_EQ(tape.gradient(y, v).item(), 3.0f);
}

TEST(Tape, NestsForHigherOrders) {
  Tensor x = scalar(2);
  GradientTape outer;
  outer.watch(x);
  Tensor g;
  {
    GradientTape inner;
    inner.watch(x);
    Tensor y = x * x * x;
    g = inner.gradient(y, x);
  }
  EXPECT_EQ(g.item(), 12.0f);
  EXPECT_EQ(outer.gradient(g, x).item(), 12.0f);
}

TEST(Tape, ThirdOrderOfAPolynomialAndOfExp) {
  Tensor x = scalar(1.5f);
  GradientTape a, b, c;
  for (auto* t : {&a, &b, &c}) t->watch(x);
  Tensor y = x * x * x * x + exp(x);
  Tensor g1 = c.gradient(y, x);
  Tensor g2 = b.gradient(g1, x);
  Tensor g3 = a.gradient(g2, x);
  EXPECT_NEAR(g1.item(), 4 * 3.375 + std::exp(1.5), 1e-4);
  EXPECT_NEAR(g2.item(), 12 * 2.25 + std::exp(1.5), 1e-4);
  EXPECT_NEAR(g3.item(), 24 * 1.5 + std::exp(1.5), 1e-3);
}

TEST(Tape, APersistentTapeMayBeAskedAgainAndOthersMayNot) {
  Tensor x = scalar(3);
  {
    GradientTape tape({.persistent = true});
    tape.watch(x);
    Tensor y = square(x), z = y * y;
    EXPECT_EQ(tape.gradient(y, x).item(), 6.0f);
    EXPECT_EQ(tape.gradient(z, x).item(), 108.0f);
  }
  GradientTape tape;
  tape.watch(x);
  Tensor y = square(x);
  tape.gradient(y, x);
  EXPECT_THROW(tape.gradient(y, x), Error);
  Tensor after = square(x);  // it no longer listens
  EXPECT_EQ(tape.entries(), 0u);
}

TEST(Tape, StopsAndResumes) {
  Tensor x = scalar(3);
  GradientTape tape;
  tape.watch(x);
  Tensor y = x * 2.0f;
  tape.stop();
  Tensor unseen = y * 100.0f;
  tape.resume();
  Tensor z = y + unseen;
  EXPECT_EQ(tape.entries(), 2u);
  EXPECT_EQ(tape.gradient(z, x).item(), 2.0f);
  GradientTape other;
  other.watch(x);
  {
    StopRecording stop;
    y = x * 5.0f;
  }
  EXPECT_EQ(other.entries(), 0u);
}

TEST(Tape, ResetForgetsAndGoesOn) {
  Tensor x = scalar(3);
  GradientTape tape;
  tape.watch(x);
  Tensor y = square(x);
  tape.reset();
  EXPECT_EQ(tape.entries(), 0u);
  EXPECT_EQ(tape.saved_bytes(), 0u);
  tape.watch(x);
  y = x * 4.0f;
  EXPECT_EQ(tape.gradient(y, x).item(), 4.0f);
}

TEST(Tape, KeepsExactlyWhatTheGradientsRead) {
  Tensor x = Tensor::empty({1000});
  for (float& f : std::span(reinterpret_cast<float*>(mutable_data(x)), 1000)) f = 1;
  auto before = now();
  GradientTape tape;
  tape.watch(x);
  Tensor y = x + 1.0f;  // saves nothing
  EXPECT_EQ(tape.saved_bytes(), 0u);
  y = exp(std::move(y));  // saves its output
  EXPECT_EQ(tape.saved_bytes(), 4000u);
  y = square(std::move(y));  // saves its input: the same buffer
  EXPECT_EQ(tape.saved_bytes(), 4000u);
  EXPECT_EQ(tape.entries(), 3u);
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
  EXPECT_EQ(now().live_bytes, before.live_bytes + 8000);  // y, and what is saved
  std::string text = memory::explain(y).text();
  y.release();
  EXPECT_EQ(now().live_bytes, before.live_bytes + 4000);
}

TEST(Tape, AHolderOfASavedTensorIsTheTape) {
  Tensor x = scalar(3);
  GradientTape tape;
  tape.watch(x);
  Tensor y = exp(x);
  std::string text = memory::explain(y).text();
  EXPECT_NE(text.find("held by GradientTape with 1 entries as entries[0]"), std::string::npos) << text;
}

TEST(Tape, ATensorThatATapeSavedIsNotOverwritten) {
  Tensor x = Tensor::from({1.0f, 2.0f});
  GradientTape tape;
  tape.watch(x);
  Tensor y = exp(x);
  Tensor z = std::move(y) * 3.0f;  // may not take the buffer that exp's gradient reads
  Tensor g = tape.gradient(z, x);
  EXPECT_NEAR(g.at(1), 3 * std::exp(2.0), 1e-4);
}

TEST(Tape, MemoryFallsWhileTheGradientIsComputed) {
  constexpr int n = 8;
  constexpr size_t bytes = 40'004;  // what exp and multiply save: a tensor and a number
  Tensor x = Tensor::empty({10'000});
  for (float& f : std::span(reinterpret_cast<float*>(mutable_data(x)), 10'000)) f = 0.5f;
  std::vector<size_t> live;
  GradientTape tape;
  tape.watch(x);
  Tensor y = x;
  for (int i = 0; i < n; ++i) {
    y = exp(std::move(y)) * 0.1f;
    Tensors probed = custom_gradient({y}, [&](const Tensors& in) {
      return std::pair{in, GradientFunction([&live](const Tensors& dy) {
                         live.push_back(now().live_bytes);
                         return dy;
                       })};
    });
    y = probed[0];
  }
  EXPECT_EQ(tape.saved_bytes(), n * bytes);
  Tensor g = tape.gradient(y, x);
  ASSERT_EQ(live.size(), static_cast<size_t>(n));
  for (size_t i = 1; i < live.size(); ++i) EXPECT_EQ(live[i - 1] - live[i], bytes) << i;
}

TEST(Tape, EndsWithNothingLeft) {
  auto before = now();
  {
    Tensor x = scalar(3);
    GradientTape tape({.persistent = true});
    tape.watch(x);
    Tensor y = square(exp(x));
    tape.gradient(y, x);
    EXPECT_EQ(tapes(), before.count[static_cast<size_t>(memory::Kind::tape)] + 1);
    EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
  }
  EXPECT_EQ(now().objects, before.objects);
  EXPECT_EQ(now().live_bytes, before.live_bytes);
}

TEST(Tape, AHundredThousandEntriesAreFreedAtOnce) {
  auto before = now();
  Tensor x = scalar(1);
  {
    GradientTape tape;
    tape.watch(x);
    Tensor y = x;
    for (int i = 0; i < 100'000; ++i) y = y * 1.00001f;
    EXPECT_EQ(tape.entries(), 100'000u);
  }
  EXPECT_EQ(now().objects, before.objects + 2);
}

TEST(CustomGradient, IsUsedAndDiesWithTheTape) {
  auto token = std::make_shared<int>(0);
  Tensor x = scalar(3);
  {
    GradientTape tape;
    tape.watch(x);
    Tensors y = custom_gradient({x}, [&](const Tensors& in) {
      Tensor kept = exp(in[0]);
      return std::pair{Tensors{kept * 2.0f}, GradientFunction([token, kept](const Tensors& dy) { return Tensors{dy[0] * 1000.0f}; })};
    });
    EXPECT_GT(token.use_count(), 1);
    EXPECT_TRUE(memory::audit().ok());
    Tensor g = tape.gradient(y[0] * 5.0f, x);
    EXPECT_EQ(g.item(), 5000.0f);
    EXPECT_EQ(token.use_count(), 1);  // a tape that is not persistent lets go as it walks
  }
  {
    GradientTape tape({.persistent = true});
    tape.watch(x);
    custom_gradient({x}, [&](const Tensors& in) {
      return std::pair{Tensors{in[0] + 1.0f}, GradientFunction([token](const Tensors& dy) { return dy; })};
    });
    EXPECT_GT(token.use_count(), 1);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(CustomGradient, SeesZerosForOutputsThatNobodyUsedAndMustAnswerForEachInput) {
  Tensor x = scalar(3), z = scalar(1);
  GradientTape tape({.persistent = true});
  tape.watch(x);
  std::vector<float> seen;
  Tensors y = custom_gradient({x, z}, [&](const Tensors& in) {
    return std::pair{Tensors{in[0] * 1.0f, in[1] * 1.0f}, GradientFunction([&](const Tensors& dy) {
                       seen = {dy[0].item(), dy[1].item()};
                       return Tensors{dy[0] + 7.0f, Tensor()};
                     })};
  });
  EXPECT_EQ(tape.gradient(y[0], x).item(), 8.0f);
  EXPECT_EQ(seen, (std::vector<float>{1, 0}));
  Tensors wrong = custom_gradient({x, z}, [&](const Tensors& in) {
    return std::pair{Tensors{in[0] * 1.0f}, GradientFunction([](const Tensors& dy) { return dy; })};
  });
  EXPECT_THROW(tape.gradient(wrong[0], x), Error);
}

TEST(CustomGradient, WithoutATapeKeepsNothing) {
  auto token = std::make_shared<int>(0);
  Tensors y = custom_gradient({scalar(1)}, [&](const Tensors& in) {
    return std::pair{in, GradientFunction([token](const Tensors& dy) { return dy; })};
  });
  EXPECT_EQ(token.use_count(), 1);
}

TEST(ValueAndGradient, IsATapeBornAndDeadInside) {
  Variable w(Tensor::from({2.0f, 3.0f}), "w");
  size_t before = tapes();
  auto [value, grads] = value_and_gradient([&] { return sum(square(w.value())); }, {w});
  EXPECT_EQ(value.item(), 13.0f);
  EXPECT_EQ(grads[0].to_vector<float>(), (std::vector<float>{4, 6}));
  EXPECT_EQ(tapes(), before);
}

TEST(Tape, SaysWhatIsWrong) {
  GradientTape tape({.persistent = true});
  EXPECT_THROW(tape.watch(Tensor()), Error);
  EXPECT_THROW(tape.watch(Tensor::from({1, 2})), Error);
  EXPECT_THROW(tape.gradient(Tensor(), scalar(1)), Error);
  EXPECT_THROW(tape.gradient(scalar(1), Variable()), Error);
}

TEST(Tape, GradientsAreChargedToTheOpsBackwardAccount) {
  Tensor x = Tensor::from({1.0f, 2.0f});
  GradientTape tape;
  tape.watch(x);
  Tensor y = exp(x);
  Tensor g = tape.gradient(y, x);
  auto e = memory::explain(g);
  EXPECT_EQ(e.account, "/exp/backward/multiply");
  EXPECT_EQ(e.category, memory::Category::gradient);
}

}  // namespace
}  // namespace tenure

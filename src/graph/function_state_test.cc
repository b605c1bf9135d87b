// What traced calls do to variables, memory and tapes. What is traced and cached: function_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <thread>

#include <tenure/function.h>
#include <tenure/memory.h>
#include <tenure/ops.h>
#include <tenure/tape.h>

#include "core/context.h"
#include "graph/test_values.h"

namespace tenure {
namespace {

using memory::now;

// ---- state --------------------------------------------------------------------------------------------------------------------------

TEST(FunctionState, AnAssignmentHappensAtRunTime) {
  Variable step(scalar(0), "step");
  Function f([&](Tensor x) {
    step.assign(step.value() + 1.0f);
    return x;
  });
  for (int i = 1; i <= 5; ++i) {
    f(scalar(1));
    EXPECT_EQ(step.value().item(), static_cast<float>(i));
  }
  EXPECT_EQ(f.traces(), 1);
}

TEST(FunctionState, AReadAfterAnAssignmentSeesIt) {
  Variable v(scalar(1), "v");
  Function f([&](Tensor x) {
    Tensor before = v.value();
    v.assign(x * 10.0f);
    Tensor between = v.value();
    v.assign(between + 1.0f);
    return Tensors{before, between, v.value()};
  });
  Outputs out = f(scalar(3));
  EXPECT_EQ(out[0].item(), 1.0f);
  EXPECT_EQ(out[1].item(), 30.0f);
  EXPECT_EQ(out[2].item(), 31.0f);
  EXPECT_EQ(v.value().item(), 31.0f);
  out = f(scalar(4));
  EXPECT_EQ(out[0].item(), 31.0f);
  EXPECT_EQ(v.value().item(), 41.0f);
}

TEST(FunctionState, TwoVariablesSwap) {
  Variable a(Tensor::from({1.0f, 2.0f}), "a"), b(Tensor::from({3.0f, 4.0f}), "b");
  Function f([&] {
    Tensor old = a.value();
    a.assign(b.value());
    b.assign(old);
  });
  f();
  EXPECT_EQ(a.value().to_vector<float>(), (std::vector<float>{3, 4}));
  EXPECT_EQ(b.value().to_vector<float>(), (std::vector<float>{1, 2}));
  f();
  EXPECT_EQ(a.value().to_vector<float>(), (std::vector<float>{1, 2}));
  a.assign(Tensor::from({9.0f, 9.0f}));
  EXPECT_EQ(b.value().to_vector<float>(), (std::vector<float>{3, 4}));  // they share nothing
}

TEST(FunctionState, TheOldValueMayBeReturnedWhileTheNewIsWritten) {
  Variable v(Tensor::from({1.0f, 2.0f}), "v");
  Function f([&](Tensor x) {
    Tensor old = v.value();
    v.assign(old + x);
    return Tensors{old, reshape(old, {2, 1})};
  });
  Tensor x = Tensor::from({10.0f, 20.0f});
  Outputs one = f(x), two = f(x);
  EXPECT_EQ(one[0].to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(two[0].to_vector<float>(), (std::vector<float>{11, 22}));
  EXPECT_EQ(two[1].to_vector<float>(), (std::vector<float>{11, 22}));
  EXPECT_EQ(v.value().to_vector<float>(), (std::vector<float>{21, 42}));
}

TEST(FunctionState, OneValueInTwoVariables) {
  Variable a(Tensor::from({1.0f, 2.0f}), "a"), b(Tensor::from({0.0f, 0.0f}), "b");
  Function f([&](Tensor x) {
    Tensor y = a.value() * x;
    a.assign(y);
    b.assign(y);
    return y;
  });
  Tensor y = f(scalar(3));
  f(scalar(2));
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{3, 6}));
  EXPECT_EQ(a.value().to_vector<float>(), (std::vector<float>{6, 12}));
  EXPECT_EQ(b.value().to_vector<float>(), (std::vector<float>{6, 12}));
}

TEST(FunctionState, WritesInPlaceOnlyWhenAlone) {
  Variable v(filled({1000}, 0), "v");
  Function f([&] { v.assign(v.value() * 0.5f + 1.0f); });
  f();
  const void* where = v.value().data<float>().data();
  f();
  EXPECT_EQ(v.value().data<float>().data(), where);
  Tensor seen = v.value();
  float old = seen.data<float>()[10];
  f();
  EXPECT_NE(v.value().data<float>().data(), where);
  EXPECT_EQ(seen.data<float>()[10], old);
  EXPECT_EQ(v.value().data<float>()[10], old * 0.5f + 1.0f);
}

TEST(FunctionState, LaterReadersOfTheOldValueAreRunBeforeTheWriteOrCopied) {
  Variable v(filled({64, 64}, 0.01f, 0.001f), "v");
  auto body = [&](Tensor x) {
    Tensor old = v.value();
    v.assign(old * 2.0f);
    return matmul(matmul(x, old), v.value());
  };
  Tensor x = filled({3, 64}, 0.1f);
  Tensor expected = matmul(matmul(x, v.value()), v.value() * 2.0f);
  Function f(body);
  expect_near(f(x), expected);
  expect_near(v.value(), filled({64, 64}, 0.01f, 0.001f) * 2.0f);
}

TEST(FunctionState, ARefusedBudgetLeavesVariablesUnchanged) {
  Variable w(filled({256, 256}, 0.01f, 0.0001f), "w");
  Function step([&](Tensor x) {
    auto [loss, grads] = value_and_gradient([&] { return sum(square(matmul(x, w.value()))); }, {w});
    w.assign(w.value() - grads[0] * 0.001f);
    return loss;
  });
  Tensor x = filled({128, 256}, 0.1f);
  step(x);
  std::vector<float> before = w.value().to_vector<float>();
  auto counts = now();
  for (size_t room = 0;; room += 64 << 10) {
    memory::set_budget(now().in_use_bytes + room + 1);
    try {
      Tensor loss = step(x);
      memory::set_budget(0);
      break;
    } catch (const Error& e) {
      memory::set_budget(0);
      EXPECT_EQ(e.code(), Code::OutOfMemory);
    }
    ASSERT_EQ(w.value().to_vector<float>(), before);
    ASSERT_EQ(now().buffers, counts.buffers);
    ASSERT_LT(room, size_t{64} << 20);
  }
  EXPECT_NE(w.value().to_vector<float>(), before);
}

// A kernel that fails at run time (an index out of range) comes after the assignments of the trace: none of them has happened.
TEST(FunctionState, AKernelThatFailsLeavesVariablesUnchanged) {
  Variable count(Tensor::from({1.0f, 2.0f, 3.0f}), "count"), seen(Tensor::from({5.0f, 5.0f, 5.0f}), "seen");
  Tensor table = Tensor::from({10.0f, 20.0f, 30.0f});
  Function f([&](Tensor i, Tensor x) {
    count.assign(count.value() + x);
    Tensor picked = take(table, i, 0);  // fails for an index that is not there
    seen.assign(count.value() * 2.0f);  // read again after the write
    Tensor more = take(table, i, 0) + sum(count.value());
    return picked + more;
  });
  Tensor one = Tensor::from({1.0f, 1.0f, 1.0f});
  f(Tensor::from({0, 1, 2}), one);
  EXPECT_EQ(count.value().to_vector<float>(), (std::vector<float>{2, 3, 4}));
  EXPECT_EQ(seen.value().to_vector<float>(), (std::vector<float>{4, 6, 8}));
  EXPECT_THROW(f(Tensor::from({0, 1, 7}), one), Error);
  EXPECT_EQ(count.value().to_vector<float>(), (std::vector<float>{2, 3, 4}));
  EXPECT_EQ(seen.value().to_vector<float>(), (std::vector<float>{4, 6, 8}));
  f(Tensor::from({2, 1, 2}), one);
  EXPECT_EQ(count.value().to_vector<float>(), (std::vector<float>{3, 4, 5}));
  EXPECT_EQ(f.traces(), 1);
}

TEST(FunctionState, PredictBesideAWriterSeesWholeTensors) {
  constexpr int64_t n = 4096;
  Variable v(zeros({n}), "v");
  Function write([&](Tensor x) { v.assign(zeros({n}) + x); });
  Function read([&](Tensor x) { return v.value() + x; });
  write(scalar(0));
  read(scalar(0));
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0}, calls{0};
  std::vector<std::thread> readers;
  for (int k = 0; k < 8; ++k)
    readers.emplace_back([&] {
      do {
        Tensor y = read(scalar(0));
        auto d = y.data<float>();
        for (size_t i = 1; i < d.size(); ++i) torn += d[i] != d[0];
        ++calls;
      } while (!stop);
    });
  for (int i = 0; i < 500; ++i) write(scalar(static_cast<float>(i)));
  stop = true;
  for (auto& t : readers) t.join();
  EXPECT_EQ(torn, 0);
  EXPECT_GE(calls, 8);
  EXPECT_EQ(read.traces(), 1);
}

TEST(FunctionState, EightThreadsGetTheSameNumbers) {
  Variable w(filled({32, 32}, 0.01f), "w");
  Function f([&](Tensor x) { return tanh(matmul(x, w.value())); });
  Tensor x = filled({16, 32}, 0.2f);
  std::vector<float> expected = static_cast<Tensor>(f(x)).to_vector<float>();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int k = 0; k < 8; ++k)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) wrong += static_cast<Tensor>(f(x)).to_vector<float>() != expected;
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(f.traces(), 1);
}

// ---- memory --------------------------------------------------------------------------------------------------------------------------

TEST(FunctionMemory, ACallTakesOneArenaAndItsOutputsAsPlanned) {
  Variable w(filled({64, 64}, 0.01f, 0.0001f), "w");
  Function f([&](Tensor x) {
    Tensor h = matmul(x, w.value());
    Tensor y = matmul(exp(h * 0.01f), w.value());
    return Tensors{y, sum(matmul(y, w.value()), {1})};
  });
  Tensor x = filled({32, 64}, 0.1f);
  f(x);
  Plan p = f.plans()[0];
  EXPECT_GT(p.arena_bytes, 0u);
  EXPECT_EQ(p.output_bytes, 32u * 64 * 4 + 32 * 4);
  EXPECT_GE(p.arena_bytes, p.lower_bound);
  f(x);
  auto before = now();
  memory::reset_peak();
  Outputs y = f(x);
  auto after = now();
  EXPECT_EQ(after.allocations - before.allocations, 3u);  // the arena and two outputs
  EXPECT_EQ(after.live_bytes - before.live_bytes, p.output_bytes);
  EXPECT_LE(memory::peak().bytes - before.live_bytes, p.peak_bytes());
}

TEST(FunctionMemory, ThePlannedPeakIsTheMeasuredOne) {
  Function f([](Tensor x) {
    Tensor h = matmul(x, ones({512, 512}));
    Tensor g = matmul(h * 2.0f, ones({512, 512}));
    return matmul(g + h, ones({512, 512}));
  });
  Tensor x = ones({512, 512});
  f(x);
  f(x);
  Plan p = f.plans()[0];
  EXPECT_GE(p.peak_bytes(), 2u << 20);
  auto before = now();
  memory::reset_peak();
  { Tensor y = f(x); }
  EXPECT_EQ(memory::peak().bytes - before.live_bytes, p.peak_bytes()) << p.text;
}

TEST(FunctionMemory, SteadyStateLeavesNothing) {
  Variable w(filled({8, 8}, 0.1f), "w");
  Function f([&](Tensor x) {
    w.assign(w.value() * 0.999f);
    return matmul(x, w.value());
  });
  Tensor x = filled({4, 8}, 1);
  memory::expect_steady([&] { f(x); });
}

TEST(FunctionMemory, DroppingTheFunctionDropsItAll) {
  auto before = now();
  {
    Variable w(filled({64, 64}, 0.1f), "w");
    Function f([w](Tensor x) { return matmul(x, w.value()) + filled({64}, 1); });
    for (int64_t n : {1, 2, 3}) f(filled({n, 64}, 1));
    f.clear();
    EXPECT_EQ(f.cached(), 0u);
    f(filled({2, 64}, 1));
    Function copy = f;
  }
  EXPECT_EQ(now().objects, before.objects);
  EXPECT_EQ(now().live_bytes, before.live_bytes);
}

// ---- with tapes --------------------------------------------------------------------------------------------------------------------

TEST(FunctionTape, GradientsPassThroughACall) {
  Variable w(filled({4, 3}, 0.1f, 0.1f), "w");
  auto body = [&](Tensor x) { return tanh(matmul(x, w.value())) * 2.0f; };
  Function f(body);
  Tensor x = filled({2, 4}, -0.3f, 0.1f);
  f(x);
  auto gradients = [&](auto&& g) {
    GradientTape tape;
    tape.watch(x);
    Tensor y = sum(square(static_cast<Tensor>(g(x))));
    EXPECT_TRUE(memory::audit().ok());
    return std::pair{tape.gradient(y, Tensors{x})[0], y};
  };
  auto [eager, y] = gradients(body);
  auto [traced, z] = gradients(f);
  expect_near(traced, eager);
  expect_near(z, y);
  GradientTape tape;
  Tensor loss = sum(square(static_cast<Tensor>(f(x))));
  Tensor dw = tape.gradient(loss, w);
  GradientTape second;
  Tensor same = sum(square(body(x)));
  expect_near(dw, second.gradient(same, w));
  EXPECT_EQ(f.traces(), 1);
}

TEST(FunctionTape, AssignmentsOfATapedCallHappenOnce) {
  Variable step(scalar(0), "step"), w(scalar(3), "w");
  Function f([&](Tensor x) {
    step.assign(step.value() + 1.0f);
    return x * w.value();
  });
  GradientTape tape;
  Tensor y = f(scalar(2));
  EXPECT_EQ(step.value().item(), 1.0f);
  EXPECT_EQ(tape.gradient(y, w).item(), 2.0f);
  f(scalar(2));
  EXPECT_EQ(step.value().item(), 2.0f);
}

TEST(FunctionTape, ATapeInsideATrace) {
  Variable w(Tensor::from({2.0f, 3.0f}), "w");
  Function f([&](Tensor x) {
    GradientTape tape;
    Tensor y = sum(square(w.value()) * x);
    return tape.gradient(y, w);
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(static_cast<Tensor>(f(Tensor::from({1.0f, 10.0f}))).to_vector<float>(), (std::vector<float>{4, 60}));
  w.assign(Tensor::from({1.0f, 1.0f}));
  EXPECT_EQ(static_cast<Tensor>(f(Tensor::from({1.0f, 10.0f}))).to_vector<float>(), (std::vector<float>{2, 20}));
  EXPECT_EQ(f.traces(), 1);
}

TEST(FunctionTape, SecondOrderBothWays) {
  Function cube([](Tensor x) { return x * x * x; });
  Tensor x = scalar(2);
  {  // tapes outside
    GradientTape outer;
    outer.watch(x);
    Tensor g;
    {
      GradientTape inner;
      inner.watch(x);
      g = inner.gradient(static_cast<Tensor>(cube(x)), x);
    }
    EXPECT_EQ(g.item(), 12.0f);
    EXPECT_EQ(outer.gradient(g, x).item(), 12.0f);
  }
  Function first([](Tensor x) {  // one inside, one outside
    GradientTape tape;
    tape.watch(x);
    Tensor y = x * x * x;
    return tape.gradient(y, x);
  });
  first(x);
  GradientTape outer;
  outer.watch(x);
  Tensor g = first(x);
  EXPECT_EQ(outer.gradient(g, x).item(), 12.0f);
  Function both([](Tensor x) {  // both inside
    GradientTape outer;
    outer.watch(x);
    Tensor g;
    {
      GradientTape inner;
      inner.watch(x);
      Tensor y = x * x * x;
      g = inner.gradient(y, x);
    }
    return outer.gradient(g, x);
  });
  EXPECT_EQ(static_cast<Tensor>(both(x)).item(), 12.0f);
}

TEST(FunctionTape, AnOuterTapesGradientInsideATraceLeavesTheTapesInOrder) {
  Tensor x = scalar(2);
  {
    auto tape = std::make_unique<GradientTape>();
    tape->watch(x);
    Tensor y = square(x);
    Function f([&](Tensor z) {
      tape->gradient(y, x);
      tape.reset();
      return z * 2.0f;
    });
    EXPECT_EQ(static_cast<Tensor>(f(scalar(1))).item(), 2.0f);
  }
  EXPECT_EQ(exp(scalar(0)).item(), 1.0f);
  EXPECT_EQ(thread_context.tapes, nullptr);
}

}  // namespace
}  // namespace tenure

// The train step is one planned function: from the third step on nothing is dispatched, and the pool gives one arena and the outputs.
#include <gtest/gtest.h>

#include <tenure/tenure.h>

namespace tenure {
namespace {

Model network() {
  return Sequential({layers::InputLayer{.shape = {8, 8, 2}}, layers::Conv2D{.filters = 4, .kernel_size = 3, .padding = "same", .use_bias = false},
                     layers::BatchNormalization{}, layers::ReLU{}, layers::MaxPooling2D{}, layers::Flatten{}, layers::Dropout{.rate = 0.2},
                     layers::Dense{.units = 3}});
}

class Watch : public CallbackBase {
 public:
  struct Step {
    uint64_t eager, allocations;
    size_t live;
  };
  std::vector<Step> steps;
  bool wants_batches() const override { return false; }
  void on_train_batch_end(int64_t, const Logs&) override { steps.push_back({eager_ops(), memory::now().allocations, memory::now().live_bytes}); }
};

TEST(TrainingSteady, StepsAfterTheSecondDispatchNothingAndTakeOneArena) {
  Model model = network();
  model.compile({.optimizer = optimizers::Adam{}, .loss = losses::SparseCategoricalCrossentropy{.from_logits = true}, .metrics = {"accuracy"}});
  SeedGenerator seed(1);
  Tensor x = random::normal({8, 8, 8, 2}, seed), y = random::randint({8}, seed, 0, 3);
  for (int i = 0; i < 3; ++i) model.train_on_batch(x, y);
  const Function& step = model.train_function();
  ASSERT_EQ(step.traces(), 1);
  uint64_t eager = eager_ops();
  memory::Now before = memory::now();
  for (int i = 0; i < 20; ++i) model.train_on_batch(x, y);
  memory::Now after = memory::now();
  EXPECT_EQ(eager_ops(), eager);
  EXPECT_EQ(step.traces(), 1);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.objects, before.objects);
  std::vector<Plan> plans = step.plans();
  ASSERT_EQ(plans.size(), 1u);
  EXPECT_LT(plans[0].instructions, plans[0].traced_ops);
  // One arena a step; what else is taken are the outputs.
  EXPECT_LE((after.allocations - before.allocations) / 20, 4u);
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

TEST(TrainingSteady, FitAgainAndAgainLeavesTheCountsOfTheFirst) {
  Model model = network();
  model.compile({.optimizer = "adam", .loss = losses::SparseCategoricalCrossentropy{.from_logits = true}});
  SeedGenerator seed(1);
  Tensor x = random::normal({20, 8, 8, 2}, seed), y = random::randint({20}, seed, 0, 3);
  model.fit(x, y, {.batch_size = 8, .verbose = 0});
  memory::Now first = memory::now();
  for (int i = 0; i < 5; ++i) model.fit(x, y, {.batch_size = 8, .verbose = 0});
  memory::Now last = memory::now();
  EXPECT_EQ(first.live_bytes, last.live_bytes);
  EXPECT_EQ(first.objects, last.objects);
}

TEST(TrainingSteady, ABudgetTooSmallForAStepLeavesEverythingAsItWas) {
  Model model = network();
  model.compile({.optimizer = "adam", .loss = losses::SparseCategoricalCrossentropy{.from_logits = true}});
  SeedGenerator seed(1);
  Tensor x = random::normal({8, 8, 8, 2}, seed), y = random::randint({8}, seed, 0, 3);
  model.train_on_batch(x, y);
  std::vector<std::vector<std::byte>> before;
  auto state = [&] {
    std::vector<std::vector<std::byte>> all;
    Variables vs = model.variables();
    for (const Variable& v : model.optimizer().variables()) vs.push_back(v);
    for (const Variable& v : vs) {
      Tensor t = v.value();
      all.emplace_back(t.bytes().begin(), t.bytes().end());
    }
    return all;
  };
  before = state();
  memory::set_budget(memory::now().in_use_bytes + 1024);
  try {
    model.train_on_batch(x, y);
    ADD_FAILURE() << "expected OutOfMemory";
  } catch (const Error& e) { EXPECT_EQ(e.code(), Code::OutOfMemory) << e.what(); }
  memory::set_budget(0);
  EXPECT_EQ(state(), before);
  model.train_on_batch(x, y);
}

TEST(TrainingSteady, PrepareTellsThePeakOfACall) {
  Model model = network();
  Plan plan = model.prepare({.shapes = {{16, 8, 8, 2}}});
  Tensor x = random::normal({16, 8, 8, 2}, SeedGenerator(1));
  model.predict_on_batch(x).size();
  memory::reset_peak();
  size_t live = memory::now().live_bytes;
  Tensor y = model.predict_on_batch(x);
  // The peak is exact to 64 KiB a thread; arena and outputs are what the plan said.
  EXPECT_NEAR(static_cast<double>(memory::peak().bytes - live), static_cast<double>(plan.peak_bytes()), 64.0 * 1024);
  EXPECT_EQ(model.predict_function().plans()[0].peak_bytes(), plan.peak_bytes());
}

}  // namespace
}  // namespace tenure

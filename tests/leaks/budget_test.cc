// Budgets: the ladder and its log, the refusal word for word, and the strong guarantee: whichever allocation of a training step fails,
// weights, slots, random states and counters are what they were, or the step is complete.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <thread>

#include "leaks/catalogue.h"
#include "memory/fail_nth.h"

namespace tenure::leaks {
namespace {

using Bytes = std::vector<std::byte>;

class Log {
 public:
  Log() {
    set_log_sink([this](std::string_view t) { text += std::string(t) + "\n"; });
  }
  ~Log() { set_log_sink({}); }
  std::string text;
};

std::string refused(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::OutOfMemory) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "expected OutOfMemory";
  return "";
}

// Each trace has a table of 256 KiB of its own.
Tensor scaled_by_a_table(Tensor x, Static<int> n) { return sum(x * Tensor::from(std::vector<float>(65536, static_cast<float>(n.value)), {65536})); }

TEST(BudgetLadder, OldTracesGoBeforeACallIsRefused) {
  Function f(scaled_by_a_table);
  Tensor x = ones({65536});
  for (int n = 1; n <= 8; ++n) f(x, Static<int>{n});
  EXPECT_EQ(f.cached(), 8u);
  Log log;
  memory::set_budget(memory::now().in_use_bytes + 64_KiB);
  Tensor y = ones({65536});
  memory::set_budget(0);
  EXPECT_EQ(f.cached(), 1u);
  EXPECT_TRUE(std::regex_search(log.text, std::regex("memory is short: [0-9]+ bytes are wanted; old traces gave back [1-9][0-9]+"))) << log.text;
  EXPECT_EQ(Tensor(f(x, Static<int>{3})).item(), 3 * 65536.0f);  // traced anew
}

TEST(BudgetLadder, PackedWeightsGoBeforeTracesAndAreMadeAgain) {
  Model model = Sequential({layers::InputLayer{.shape = {8, 8, 64}}, layers::Conv2D{.filters = 128, .kernel_size = 3}});
  Tensor x = ones({4, 8, 8, 64}), before = model.predict_on_batch(x);
  Log log;
  memory::set_budget(memory::now().in_use_bytes + 64_KiB);
  Tensor y = ones({65536});
  memory::set_budget(0);
  EXPECT_TRUE(std::regex_search(log.text, std::regex("packed weights gave back [1-9]"))) << log.text;
  EXPECT_EQ(log.text.find("old traces"), std::string::npos) << "enough was won before";
  Tensor after = model.predict_on_batch(x);
  EXPECT_TRUE(std::ranges::equal(before.bytes(), after.bytes()));
  EXPECT_TRUE(memory::audit().ok());
}

TEST(BudgetLadder, EveryStepIsTriedInItsOrder) {
  Log log;
  memory::set_budget(memory::now().in_use_bytes + 64_KiB);
  refused([] { zeros({1 << 20}); });
  memory::set_budget(0);
  size_t at = 0;
  for (const char* step :
       {"; pool and idle arenas gave back to the system", "; packed weights gave back", "; old traces gave back", "; prefetch depth gave back"}) {
    size_t found = log.text.find(step);
    ASSERT_NE(found, std::string::npos) << step << "\n" << log.text;
    EXPECT_GE(found, at) << log.text;
    at = found;
  }
}

TEST(BudgetLadder, AScopeThatIsShortAsksTheSameLadder) {
  memory::Scope request("request", {.budget = 1200_KiB});
  Function f(scaled_by_a_table);
  Tensor x = ones({65536});
  for (int n = 1; n <= 12; ++n) f(x, Static<int>{n});
  EXPECT_LT(f.cached(), 12u);
}

TEST(BudgetLadder, QueuesRunLessFarAhead) {
  Log log;
  Dataset d = data::generator([i = 0]() mutable -> std::optional<Batch> {
                if (i++ == 200) return {};
                return Batch{{zeros({4096})}};
              }).prefetch(64);
  data::Iterator it = d.open();
  Batch b;
  it.next(b);
  memory::set_budget(memory::now().in_use_bytes + 4_MiB);
  refused([] { zeros({4 << 20}); });
  memory::set_budget(0);
  EXPECT_NE(log.text.find("prefetch depth gave back 0"), std::string::npos) << log.text;
  while (it.next(b)) EXPECT_EQ(b.x[0].size(), 4096);
}

// Every number but the sizes that are known is written as N.
std::string numbers_out(std::string s) { return std::regex_replace(s, std::regex("[0-9]+"), "N"); }

TEST(BudgetRefusal, SaysWhoAskedWhoHasWhatWasTriedAndTheCheapestWayOut) {
  memory::Scope serving("serving");
  Tensor cache, batch;
  {
    memory::Scope at("cache");
    cache = zeros({1 << 20});
  }
  {
    memory::Scope at("batch");
    batch = zeros({1 << 18});
  }
  memory::set_budget(memory::now().in_use_bytes + 64_KiB);
  std::string text = refused([] { zeros({1 << 17}); });
  memory::set_budget(0);
  EXPECT_NE(text.find("/serving/full asked for 524288 bytes"), std::string::npos) << text;
  EXPECT_EQ(numbers_out(text.substr(text.find("memory budget"))),
            "memory budget: /serving/full asked for N bytes, but the budget of the process is N bytes and N are in use: N bytes too few; "
            "nothing was written\n"
            "  largest accounts:\n"
            "         N bytes  /serving/cache/full, held by N handle of your own program\n"
            "         N bytes  /serving/batch/full, held by N handle of your own program\n"
            "  tried: pool and idle arenas N bytes, packed weights N bytes, old traces N bytes, prefetch depth N bytes\n"
            "  cheapest way out: dropping what /serving/batch/full has (N bytes; held by N handle of your own program); or a budget of N bytes");
}

TEST(BudgetRefusal, NamesOwnersAndDoesNotAdviseToDropWeights) {
  Variable table(zeros({1 << 20}), "embedding/table");
  auto asked = [] {
    memory::set_budget(memory::now().in_use_bytes + 64_KiB);
    std::string text = refused([] { zeros({1 << 17}); });
    memory::set_budget(0);
    return numbers_out(text.substr(text.find("  largest")));
  };
  const std::string tried = "  tried: pool and idle arenas N bytes, packed weights N bytes, old traces N bytes, prefetch depth N bytes\n";
  EXPECT_EQ(asked(), "  largest accounts:\n         N bytes  /full, held by Variable embedding/table as value\n" + tried +
                         "  cheapest way out: a budget of N bytes");
  // Where other threads have tensors nobody is looked at, since one of them may be at work: accounts speak alone.
  std::atomic<int> state{0};
  std::thread other([&] {
    Tensor t = zeros({8});
    for (state = 1; state == 1;) std::this_thread::yield();
  });
  while (state == 0) std::this_thread::yield();
  std::string beside = asked();
  state = 2;
  other.join();
  EXPECT_EQ(beside.find("held by"), beside.npos) << beside;
  EXPECT_NE(beside.find("names who holds it"), beside.npos) << beside;
}

TEST(BudgetRefusal, OfATracedCallNamesTheBatchThatWouldFit) {
  Model model = small_model();
  Tensor x = ones({4096, 8});
  model.predict_on_batch(ones({1, 8}));
  model.prepare({.shapes = {{4096, 8}}});
  memory::set_budget(memory::now().in_use_bytes + 100_KiB);
  std::string text = refused([&] { model.predict_on_batch(x); });
  memory::set_budget(0);
  EXPECT_TRUE(std::regex_search(text, std::regex("cheapest way out: a batch of at most [0-9]+ % of this one"))) << text;
}

// ---- the strong guarantee ------------------------------------------------------------------------------------------------------------

Model network() {
  Model model = Sequential({layers::InputLayer{.shape = {6}}, layers::Dense{.units = 5}, layers::BatchNormalization{}, layers::ReLU{},
                            layers::Dropout{.rate = 0.3, .seed = 5}, layers::Dense{.units = 3}});
  model.compile({.optimizer = optimizers::Adam{}, .loss = losses::SparseCategoricalCrossentropy{.from_logits = true}, .metrics = {"accuracy"}});
  return model;
}

// Everything that a step may change: weights, random states, slots, iteration and rate.
std::vector<Bytes> state_of(const Model& model) {
  std::vector<Bytes> all;
  Variables vs = model.variables();
  for (const Variable& v : model.optimizer().variables()) vs.push_back(v);
  for (const Variable& v : vs) {
    Tensor t = v.value();
    all.emplace_back(t.bytes().begin(), t.bytes().end());
  }
  return all;
}

template <class Step>
void expect_strong(const Model& model, Step step) {
  int64_t refusals = 0;
  for (int64_t n = 1; n < 2000; ++n) {
    std::vector<Bytes> before = state_of(model);
    memory::Now counts = memory::now();
    int64_t iterations = model.optimizer().iterations().value().item<int64_t>();
    memory::testing::fail_nth(n);
    bool threw = false;
    try {
      step();
    } catch (const Error& e) {
      threw = true;
      EXPECT_EQ(e.code(), Code::OutOfMemory) << e.what();
    }
    bool failed = memory::testing::failed_and_reset();
    std::vector<Bytes> after = state_of(model);
    int64_t steps = model.optimizer().iterations().value().item<int64_t>() - iterations;
    EXPECT_TRUE(steps == 0 || steps == 1) << n;
    if (steps == 0) {
      EXPECT_EQ(after, before) << "allocation " << n << " failed and the state changed";
      EXPECT_TRUE(threw) << n;
    } else {
      EXPECT_NE(after, before) << n;
    }
    memory::Now left = memory::now();
    EXPECT_EQ(left.live_bytes, counts.live_bytes) << "allocation " << n;
    EXPECT_EQ(left.buffers, counts.buffers) << "allocation " << n;
    EXPECT_EQ(left.tensors, counts.tensors) << "allocation " << n;
    refusals += failed;
    if (!failed) {
      EXPECT_FALSE(threw);
      EXPECT_EQ(steps, 1);
      EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
      EXPECT_GT(refusals, 0);
      std::printf("  %lld allocations a step, each failed once\n", static_cast<long long>(refusals));
      return;
    }
  }
  FAIL() << "no end of allocations";
}

TEST(StrongGuarantee, OfATrainStepForEveryAllocation) {
  Model model = network();
  SeedGenerator seed(1);
  Tensor x = random::normal({8, 6}, seed), y = random::randint({8}, seed, 0, 3);
  for (int i = 0; i < 3; ++i) model.train_on_batch(x, y);
  expect_strong(model, [&] { model.train_on_batch(x, y); });
}

TEST(StrongGuarantee, OfFitForEveryAllocation) {
  Model model = network();
  SeedGenerator seed(1);
  Tensor x = random::normal({8, 6}, seed), y = random::randint({8}, seed, 0, 3);
  FitOptions options{.batch_size = 8, .verbose = 0};
  for (int i = 0; i < 2; ++i) model.fit(x, y, options);
  expect_strong(model, [&] { model.fit(x, y, options); });
}

// A first step builds slots and traces: those may stay, a failure in between changes no weight.
TEST(StrongGuarantee, OfAFirstStepLeavesWeightsAlone) {
  SeedGenerator seed(1);
  Tensor x = random::normal({8, 6}, seed), y = random::randint({8}, seed, 0, 3);
  for (int64_t n = 1; n < 2000; ++n) {
    Model model = network();
    std::vector<Bytes> before;
    for (const Variable& v : model.variables()) {
      Tensor t = v.value();
      before.emplace_back(t.bytes().begin(), t.bytes().end());
    }
    memory::testing::fail_nth(n);
    try {
      model.train_on_batch(x, y);
    } catch (const Error& e) { EXPECT_EQ(e.code(), Code::OutOfMemory) << e.what(); }
    if (!memory::testing::failed_and_reset()) return;
    if (!model.optimizer().built() || model.optimizer().iterations().value().item<int64_t>() == 0) {
      size_t i = 0;
      for (const Variable& v : model.variables()) {
        Tensor t = v.value();
        EXPECT_EQ(Bytes(t.bytes().begin(), t.bytes().end()), before[i++]) << v.name() << ", allocation " << n;
      }
    }
    model.train_on_batch(x, y);  // and it goes on
    if (n > 40) n += n / 10;     // tracing itself makes hundreds: later ones by steps
  }
  FAIL() << "no end of allocations";
}

}  // namespace
}  // namespace tenure::leaks

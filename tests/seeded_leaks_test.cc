// Five leaks planted on purpose, in different rooms. Each is found by exact counts and its holder named; without the seed: clean.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include <tenure/tenure.h>

namespace tenure {
namespace {

// A program: one call, with the leak or without.
using Program = std::function<void()>;

std::string report_of(const memory::Steadiness& s) { return s.text(); }

void expect_found(Program seeded, Program clean, std::initializer_list<std::string_view> names) {
  memory::Steadiness found = memory::steadiness(seeded);
  EXPECT_EQ(found.verdict, memory::Verdict::leak) << report_of(found);
  for (std::string_view name : names)
    EXPECT_NE(report_of(found).find(name), std::string::npos) << "expected '" << name << "' in\n" << report_of(found);
  memory::Steadiness none = memory::steadiness(clean);
  EXPECT_EQ(none.verdict, memory::Verdict::clean) << report_of(none);
  EXPECT_TRUE(memory::audit().ok());
}

TEST(SeededLeaks, ATapeThatIsKept) {
  std::vector<std::unique_ptr<GradientTape>> kept;
  Tensor x = ones({100});
  auto call = [&](bool leak) {
    auto tape = std::make_unique<GradientTape>(TapeOptions{.persistent = true});
    tape->watch(x);
    Tensor y = exp(x);
    tape->gradient(y, x);
    tape->stop();
    if (leak) kept.push_back(std::move(tape));
  };
  expect_found([&] { call(true); }, [&] { call(false); }, {"/exp", "GradientTape (persistent)", "entries[", "tape objects"});
}

class KeepsOutputs : public CallbackBase {
 public:
  explicit KeepsOutputs(bool leak) : leak_(leak) {}
  void on_train_batch_end(int64_t, const Logs&) override {
    std::vector<Tensor> all = leak_ ? kept("outputs") : std::vector<Tensor>{};
    all.push_back(model().predict_on_batch(ones({4, 3})));
    keep("outputs", std::move(all));
  }

 private:
  bool leak_;
};

TEST(SeededLeaks, ACallbackThatStoresOutputs) {
  Model model = Sequential({layers::InputLayer{.shape = {3}}, layers::Dense{.units = 2}});
  model.compile({.optimizer = "sgd", .loss = "mse"});
  Tensor x = ones({4, 3}), y = ones({4, 2});
  Callback leaking = make_callback<KeepsOutputs>(true), tidy = make_callback<KeepsOutputs>(false);
  auto call = [&](const Callback& c) { model.fit(x, y, {.batch_size = 4, .verbose = 0, .callbacks = {c}}); };
  expect_found([&] { call(leaking); }, [&] { call(tidy); }, {"KeepsOutputs as outputs["});
}

TEST(SeededLeaks, AQueueThatIsNeverDrained) {
  std::vector<data::Iterator> kept;
  Dataset numbers = data::generator([i = 0]() mutable -> std::optional<data::Batch> {
    if (i == 50) return {};
    return data::Batch{{full({16}, i++)}};
  });
  auto call = [&](bool leak) {
    data::Iterator it = numbers.shuffle(8, 1).open();
    data::Batch b;
    it.next(b);
    if (leak) kept.push_back(std::move(it));
  };
  expect_found([&] { call(true); }, [&] { call(false); }, {"Iterator stage shuffle(8) as buffer[", "queue objects"});
}

TEST(SeededLeaks, AClosureThatKeepsTensors) {
  struct Handlers {
    std::vector<std::function<float()>> later;
    std::vector<Tensor*> captured;  // what the closures hold, for the report
  } handlers;
  memory::Holder holder("event handlers", [&](memory::Visitor& v) {
    for (size_t i = 0; i < handlers.captured.size(); ++i) v.tensor(*handlers.captured[i], "captures", static_cast<int64_t>(i));
  });
  Tensor x = ones({100});
  auto call = [&](bool leak) {
    auto mine = std::make_shared<Tensor>(exp(x));
    auto when_done = [mine] { return mine->item(); };
    if (!leak) return;
    handlers.captured.push_back(mine.get());
    handlers.later.emplace_back(when_done);
  };
  expect_found([&] { call(true); }, [&] { call(false); }, {"/exp", "event handlers as captures["});
}

TEST(SeededLeaks, AViewThatPinsItsBase) {
  std::vector<Tensor> thumbnails;
  memory::Holder holder("thumbnails", [&](memory::Visitor& v) {
    for (size_t i = 0; i < thumbnails.size(); ++i) v.tensor(thumbnails[i], "rows", static_cast<int64_t>(i));
  });
  Tensor x = ones({100, 100});
  auto call = [&](bool leak) {
    Tensor row = slice(exp(x), {3, 0}, {1, 100});
    if (leak) thumbnails.push_back(row);
  };
  // 400 bytes are kept, 40,000 are pinned: the report shows the base.
  expect_found([&] { call(true); }, [&] { call(false); }, {"+40000.0 bytes a call: /exp", "view float32[1,100] as buffer", "thumbnails as rows["});
  ASSERT_FALSE(thumbnails.empty());
  EXPECT_TRUE(memory::explain(thumbnails[0]).view);
  thumbnails.clear();
  auto unpinned = [&] { thumbnails.push_back(slice(exp(x), {3, 0}, {1, 100}).clone()); };
  unpinned();
  EXPECT_EQ(memory::explain(thumbnails[0]).bytes, 400u);
}

}  // namespace
}  // namespace tenure

// Twenty leaks planted on purpose, each in another room. Each must be found by exact counts and its holder named; without the seed the same
// program must be clean, and so must twenty programs of the catalogue. The table is printed.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <thread>

#include "leaks/catalogue.h"

namespace tenure::leaks {
namespace {

struct Seed {
  const char* room;
  std::function<Action(bool leak)> make;
  std::vector<std::string> names;  ///< what the report must say
};

// A list of the program's that has a name in reports.
struct Shelf {
  Shelf(std::string name, std::string label)
      : holder(std::move(name), [this, label = std::move(label)](memory::Visitor& v) {
          for (size_t i = 0; i < items.size(); ++i) v.tensor(items[i], label, static_cast<int64_t>(i));
        }) {}
  std::vector<Tensor> items;
  memory::Holder holder;
};

class KeepsOutputs : public CallbackBase {
 public:
  explicit KeepsOutputs(bool leak) : leak_(leak) {}
  void on_train_batch_end(int64_t, const Logs&) override {
    std::vector<Tensor> all = leak_ ? kept("outputs") : std::vector<Tensor>{};
    all.push_back(model().predict_on_batch(ones({4, 8})));
    keep("outputs", std::move(all));
  }

 private:
  bool leak_;
};

class KeepsInput : public LayerBase {
 public:
  explicit KeepsInput(bool leak) : leak_(leak) {}
  Tensor call(Tensor x, const Call&) override {
    if (!leak_) seen_.clear();
    seen_.push_back(x);
    return x * 2.0f;
  }
  void trace(memory::Visitor& v) const override {
    for (size_t i = 0; i < seen_.size(); ++i) v.tensor(seen_[i], "seen", static_cast<int64_t>(i));
  }

 private:
  bool leak_;
  std::vector<Tensor> seen_;
};

std::vector<Model>& global_models() {
  static std::vector<Model> models;
  return models;
}

Dataset numbers() {
  return data::generator([i = 0]() mutable -> std::optional<Batch> {
    if (i == 50) return {};
    return Batch{{full({16}, i++)}};
  });
}

std::vector<Seed> seeds() {
  std::vector<Seed> all;
  all.push_back({"a tape that is kept",
                 [](bool leak) -> Action {
                   auto kept = std::make_shared<std::vector<std::unique_ptr<GradientTape>>>();
                   return [=, x = ones({100})] {
                     auto tape = std::make_unique<GradientTape>(TapeOptions{.persistent = true});
                     tape->watch(x);
                     Tensor y = exp(x);
                     tape->gradient(y, x);
                     tape->stop();
                     if (leak) kept->push_back(std::move(tape));
                   };
                 },
                 {"/exp", "GradientTape (persistent)", "entries[", "tape objects"}});
  all.push_back({"a tape that is never closed",
                 [](bool leak) -> Action {
                   auto tape = std::make_shared<GradientTape>();
                   return [=, w = Variable(ones({32}), "w")] {
                     if (!leak) tape->reset();
                     exp(w.value());
                   };
                 },
                 {"/exp", "GradientTape with", "entries["}});
  all.push_back({"a callback that stores outputs",
                 [](bool leak) -> Action {
                   return [model = small_model(), keeps = make_callback<KeepsOutputs>(leak), x = ones({4, 8}), y = ones({4, 4})] {
                     model.fit(x, y, {.batch_size = 4, .verbose = 0, .callbacks = {keeps}});
                   };
                 },
                 {"KeepsOutputs as outputs["}});
  all.push_back({"a shuffle buffer never drained",
                 [](bool leak) -> Action {
                   auto kept = std::make_shared<std::vector<data::Iterator>>();
                   return [=, d = numbers().shuffle(8, 1)] {
                     data::Iterator it = d.open();
                     Batch b;
                     it.next(b);
                     if (leak) kept->push_back(std::move(it));
                   };
                 },
                 {"Iterator stage shuffle(8) as buffer[", "queue objects"}});
  all.push_back({"an iterator that is kept",
                 [](bool leak) -> Action {
                   auto kept = std::make_shared<std::vector<data::Iterator>>();
                   return [=, d = numbers().cache()] {
                     data::Iterator it = d.skip(1).batch(2).open();
                     Batch b;
                     it.next(b);
                     if (leak) kept->push_back(std::move(it));
                   };
                 },
                 {"queue objects", "Iterator stage", "of your own program"}});
  all.push_back({"a cache keyed by identity",
                 [](bool leak) -> Action {
                   auto cache = std::make_shared<Shelf>("norms by tensor id", "entries");
                   return [=] {
                     Tensor x = ones({64});
                     Tensor norm = sqrt(square(x));
                     if (!leak) cache->items.clear();
                     cache->items.push_back(norm);
                   };
                 },
                 {"norms by tensor id as entries["}});
  all.push_back({"a view that pins its base",
                 [](bool leak) -> Action {
                   auto kept = std::make_shared<Shelf>("thumbnails", "rows");
                   return [=, x = ones({100, 100})] {
                     Tensor row = slice(exp(x), {3, 0}, {1, 100});
                     if (leak) kept->items.push_back(row);
                   };
                 },
                 {"+40000.0 bytes a call: /exp", "view float32[1,100] as buffer", "thumbnails as rows["}});
  all.push_back({"a layer that holds its input",
                 [](bool leak) -> Action { return [layer = make_layer<KeepsInput>(leak)] { layer(exp(ones({32}))); }; },
                 {"/exp", "KeepsInput", " as seen["}});
  all.push_back({"the state of a host function in map()",
                 [](bool leak) -> Action {
                   auto state = std::make_shared<Shelf>("running statistics", "elements");
                   Dataset d = numbers().take(2).map([=](Batch b) {
                     if (!leak) state->items.clear();
                     state->items.push_back(b.x[0] + 1.0f);
                     return b;
                   });
                   return [=] {
                     for (Batch& b : d) require(!b.x.empty(), "no value");
                   };
                 },
                 {"running statistics as elements["}});
  all.push_back({"a metric that keeps batches",
                 [](bool leak) -> Action {
                   auto batches = std::make_shared<Shelf>("confusion metric", "batches");
                   Metric metric(
                       [=](Tensor y, Tensor p) {
                         if (!leak) batches->items.clear();
                         batches->items.push_back(p.clone());
                         return abs(y - p);
                       },
                       "confusion");
                   return [=, y = ones({8})] { metric.update_state(y, y); };
                 },
                 {"confusion metric as batches["}});
  all.push_back({"closures that wait for an event",
                 [](bool leak) -> Action {
                   auto captured = std::make_shared<Shelf>("event handlers", "captures");
                   return [=, x = ones({100})] {
                     Tensor mine = exp(x);
                     if (leak) captured->items.push_back(mine);
                   };
                 },
                 {"/exp", "event handlers as captures["}});
  all.push_back({"a Function keyed by a changing Static",
                 [](bool leak) -> Action {
                   Function f([big = ones({64})](Tensor x, Static<int> n) { return x * big * static_cast<float>(n.value); },
                              {.name = "keyed", .max_entries = 1 << 20});
                   return [=, x = ones({64}), n = 0]() mutable { f(x, Static<int>{leak ? ++n : 0}); };
                 },
                 {"executable objects", "Function keyed as traces["}});
  all.push_back({"a symbolic graph that is kept",
                 [](bool leak) -> Action {
                   auto kept = std::make_shared<Shelf>("architectures", "outputs");
                   return [=, in = Input({.shape = {8}})] {
                     Tensor out = relu(exp(in));
                     if (leak) kept->items.push_back(out);
                   };
                 },
                 {"node objects", "architectures as outputs["}});
  all.push_back({"optimizers and their slots",
                 [](bool leak) -> Action {
                   auto kept = std::make_shared<std::vector<Optimizer>>();
                   return [=, w = Variable(ones({64}), "w"), g = ones({64})] {
                     Optimizer adam = "adam";
                     adam.apply({g}, {w});
                     if (leak) kept->push_back(adam);
                   };
                 },
                 {"optimizer objects", "Optimizer adam"}});
  all.push_back({"a list of a thread's own",
                 [](bool leak) -> Action {
                   struct Mine {
                     Shelf shelf{"scratch of thread 7", "slots"};
                   };
                   auto mine = std::make_shared<Mine>();
                   return [=] {
                     std::thread([&] {
                       Tensor t = exp(ones({32}));
                       if (leak) mine->shelf.items.push_back(t);
                     }).join();
                   };
                 },
                 {"/exp", "scratch of thread 7 as slots["}});
  all.push_back({"constants of functions that are kept",
                 [](bool leak) -> Action {
                   auto kept = std::make_shared<std::vector<Function>>();
                   return [=, x = ones({64})] {
                     Function f([big = exp(x)](Tensor t) { return t * big; }, {.name = "baked"});
                     f(x);
                     if (leak) kept->push_back(f);
                   };
                 },
                 {"traced baked as constants[", "Function baked as traces["}});
  all.push_back({"a history of tensors",
                 [](bool leak) -> Action {
                   auto history = std::make_shared<Shelf>("history", "loss");
                   return [=, x = ones({16})] {
                     Tensor loss = mean(square(x));
                     if (leak) history->items.push_back(loss);
                   };
                 },
                 {"/mean", "history as loss["}});
  all.push_back({"a global list of models",
                 [](bool leak) -> Action {
                   std::shared_ptr<void> cleared(nullptr, [](void*) { global_models().clear(); });
                   return [=] {
                     (void)cleared;
                     Model model = small_model(false);
                     if (leak) global_models().push_back(model);
                   };
                 },
                 {"layer objects", "Sequential", "handle of your own program"}});
  all.push_back({"what custom gradients capture",
                 [](bool leak) -> Action {
                   auto tape = std::make_shared<GradientTape>();
                   auto captures = std::make_shared<Shelf>("custom gradients", "captured");
                   return [=, x = ones({16})] {
                     if (!leak) tape->reset(), captures->items.clear();
                     tape->watch(x);
                     Tensor kept = exp(x);
                     captures->items.push_back(kept);
                     custom_gradient({x}, [kept](const Tensors& in) {
                       return std::pair<Tensors, GradientFunction>({in[0] * 2.0f}, [kept](const Tensors& g) { return Tensors{g[0] * kept}; });
                     });
                   };
                 },
                 {"/exp", "custom gradients as captured["}});
  all.push_back({"masks that are kept",
                 [](bool leak) -> Action {
                   auto masks = std::make_shared<Shelf>("masks", "kept");
                   Layer masking = layers::Masking{};
                   return [=, x = ones({4, 5, 3})] {
                     Tensor y = masking(x);
                     if (leak) masks->items.push_back(mask_of(y));
                   };
                 },
                 {"masks as kept["}});
  return all;
}

memory::SteadyOptions options() { return {.calls = 32, .warmup = 20}; }

TEST(SeededLeaks, TwentyAreFoundAndTheirHoldersNamed) {
  int found = 0, named = 0, alarms = 0, clean = 0;
  std::string table;
  for (const Seed& s : seeds()) {
    Action leaking = s.make(true);
    memory::Steadiness seeded = memory::steadiness(leaking, options());
    leaking = {};
    bool right = true;
    for (const std::string& name : s.names)
      if (seeded.text().find(name) == std::string::npos) {
        right = false;
        ADD_FAILURE() << s.room << ": expected '" << name << "' in\n" << seeded.text();
      }
    EXPECT_EQ(seeded.verdict, memory::Verdict::leak) << s.room << ": " << seeded.text();
    found += seeded.verdict == memory::Verdict::leak, named += right;
    Action tidy = s.make(false);
    memory::Steadiness none = memory::steadiness(tidy, options());
    EXPECT_EQ(none.verdict, memory::Verdict::clean) << s.room << ": " << none.text();
    alarms += none.verdict != memory::Verdict::clean, ++clean;
    EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
    double bytes = 0;
    for (const memory::Growth& g : seeded.growing) bytes += g.bytes_per_call;
    char line[160];
    std::snprintf(line, sizeof line, "  %-42s %-6s %10.0f B a call  %-7s %s\n", s.room, to_string(seeded.verdict), bytes, right ? "named" : "WRONG",
                  to_string(none.verdict));
    table += line;
  }
  for (const Scenario& s : catalogue()) {
    if (!s.holder.empty() || clean == 40 || s.warmup != 20) continue;  // those whose bounded caches fill are in the catalogue's own test
    memory::Steadiness none = memory::steadiness(s.make(), options());
    EXPECT_EQ(none.verdict, memory::Verdict::clean) << s.id << " " << s.what << ": " << none.text();
    alarms += none.verdict != memory::Verdict::clean, ++clean;
  }
  std::printf("%s  seeded %zu: found %d, holders right %d; clean programs %d: alarms %d\n", table.c_str(), seeds().size(), found, named, clean,
              alarms);
  EXPECT_EQ(seeds().size(), 20u);
  EXPECT_EQ(found, 20);
  EXPECT_EQ(named, 20);
  EXPECT_EQ(clean, 40);
  EXPECT_EQ(alarms, 0);
}

}  // namespace
}  // namespace tenure::leaks

// What the program itself holds: the report must name the holder and the way to it.
#include "leaks/catalogue.h"

namespace tenure::leaks {
namespace {

// A list of the program's, with its name for reports.
struct NamedList {
  explicit NamedList(std::string name, std::string label)
      : holder(std::move(name), [this, label = std::move(label)](memory::Visitor& v) {
          for (size_t i = 0; i < items.size(); ++i) v.tensor(items[i], label, static_cast<int64_t>(i));
        }) {}
  std::vector<Tensor> items;
  memory::Holder holder;
};

class KeepsWeights : public CallbackBase {
 public:
  void on_train_batch_end(int64_t, const Logs&) override {
    std::vector<Tensor> all = kept("hist");
    for (const Tensor& w : model().get_weights()) all.push_back(w.clone());
    keep("hist", std::move(all));
  }
};

}  // namespace

void held_scenarios(std::vector<Scenario>& to) {
  to.push_back({"26", "persistent tapes kept in a list",
                [] {
                  auto kept = std::make_shared<std::vector<std::unique_ptr<GradientTape>>>();
                  return [kept, x = ones({100})] {
                    auto tape = std::make_unique<GradientTape>(TapeOptions{.persistent = true});
                    tape->watch(x);
                    Tensor y = exp(x);
                    tape->gradient(y, x);
                    tape->stop();
                    kept->push_back(std::move(tape));
                  };
                },
                5, 40, "tensor float32[*] as buffer <- GradientTape (persistent) with 2 entries as entries[*] <- 1 handle of your own program"});
  to.push_back({"27", "one tape around the epoch, total = total + loss",
                [] {
                  auto tape = std::make_shared<GradientTape>();
                  auto total = std::make_shared<Tensor>(zeros({}));
                  Variable w(ones({16}), "w");
                  return [tape, total, w] { *total = *total + mean(square(exp(w.value()))); };
                },
                5, 40, "tensor float32[*] as buffer <- GradientTape with 660 entries as entries[*] <- 1 handle of your own program"});
  to.push_back(
      {"35", "a callback that keeps the weights of each batch",
       [] {
         Model model = small_model();
         Callback keeps = make_callback<KeepsWeights>();
         return [model, keeps, x = ones({16, 8}), y = ones({16, 4})] { model.fit(x, y, {.batch_size = 16, .verbose = 0, .callbacks = {keeps}}); };
       },
       5, 16, "tensor float32[*] as buffer <- KeepsWeights as hist[*] <- 1 handle of your own program"});
  to.push_back({"50", "total = total + loss on symbols: a chain without end",
                [] {
                  Tensor in = Input({.shape = {8}});
                  auto total = std::make_shared<NamedList>("running figures", "total");
                  total->items.push_back(sum(in));
                  return [in, total] { total->items[0] = total->items[0] + sum(square(in)); };
                },
                5, 40,
                "symbolic tensor float32[?,8] as node <- node of sum as inputs[*] <- symbolic tensor float32[] as node"
                " <- node of add as inputs[*] <- symbolic tensor float32[] as node <- running figures as total[*]"});
  to.push_back({"50b", "total = total + loss, eagerly and without a tape: one number", [] {
                  auto total = std::make_shared<Tensor>(zeros({}));
                  return [total, x = ones({16})] { *total = *total + mean(square(x)); };
                }});
  to.push_back({"51", "losses kept in a list",
                [] {
                  auto losses = std::make_shared<NamedList>("losses", "epoch");
                  return [losses, x = ones({16})] { losses->items.push_back(mean(square(x))); };
                },
                5, 40, "tensor float32[] as buffer <- losses as epoch[*]"});
  to.push_back({"54", "16 bytes of 256 KB kept",
                [] {
                  auto kept = std::make_shared<NamedList>("thumbnails", "rows");
                  return [kept] { kept->items.push_back(slice(ones({65536}), {0}, {4})); };
                },
                5, 40, "view float32[*] as buffer <- thumbnails as rows[*]"});
}

}  // namespace tenure::leaks

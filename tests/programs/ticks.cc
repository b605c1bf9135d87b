// A program for tests of `tenure memcheck -- PROGRAM`: its argument says what it does between ticks.
#include <cstdlib>
#include <iostream>
#include <string>

#include <tenure/tenure.h>

using namespace tenure;

namespace {

class KeepsOutputs : public CallbackBase {
 public:
  void on_train_batch_end(int64_t, const Logs&) override {
    std::vector<Tensor> all = kept("outputs");
    all.push_back(model().predict_on_batch(ones({2, 3})));
    keep("outputs", std::move(all));
  }
};

void fit(bool leak) {
  Model model = Sequential({layers::InputLayer{.shape = {3}}, layers::Dense{.units = 2}});
  model.compile({.optimizer = "sgd", .loss = "mse"});
  FitOptions options{.batch_size = 2, .epochs = 2, .verbose = 0};
  if (leak) options.callbacks = {make_callback<KeepsOutputs>()};
  model.fit(ones({200, 3}), ones({200, 2}), options);
}

void predict() {
  Model model = Sequential({layers::InputLayer{.shape = {3}}, layers::Dense{.units = 2}});
  for (int i = 0; i < 250; ++i) model.predict(ones({2, 3}));
}

// `leak` keeps every result; `now and then` one of ten; `sawtooth` drops them every 50.
void loop(int ticks, const std::string& what) {
  std::vector<Tensor> log;
  memory::Holder holder("audit log", [&](memory::Visitor& v) {
    for (size_t i = 0; i < log.size(); ++i) v.tensor(log[i], "entries", static_cast<int64_t>(i));
  });
  Tensor x = ones({100});
  for (int i = 0; i < ticks; ++i) {
    Tensor y = exp(x);
    if (what == "leak" || what == "sawtooth" || (what == "slow" && i % 10 == 0)) log.push_back(y);
    if (what == "sawtooth" && log.size() == 50) log.clear();
    memory::tick();
  }
}

void filling() {
  Function f([](const Tensor& x) { return exp(x) + x; }, {.name = "shapes", .max_entries = 5000});
  for (int i = 0; i < 200; ++i) {
    f(ones({i + 1}));
    memory::tick("shape");
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "";
  int ticks = argc > 2 ? std::atoi(argv[2]) : 700;
  std::cout << "at work\n";
  if (what == "fit" || what == "fit-leak") fit(what == "fit-leak");
  else if (what == "predict") predict();
  else if (what == "filling") filling();
  else if (what == "fail") return 7;
  else loop(ticks, what);
  return 0;
}

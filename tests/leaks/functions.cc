// Traced functions: the cache of traces is bounded, a dropped function frees its traces in the same statement.
#include "leaks/catalogue.h"

namespace tenure::leaks {
namespace {

struct Stepper {
  float rate = 2;
  Tensor step(Tensor x) const { return exp(x) * rate; }
};

Tensor training_step(Tensor x) {
  GradientTape tape;
  tape.watch(x);
  Tensor y = sum(square(exp(x)));
  return tape.gradient(y, x);
}

}  // namespace

void function_scenarios(std::vector<Scenario>& to) {
  to.push_back({"18", "a changing number as argument: an input, one trace", [] {
                  Function f([](Tensor x, Tensor n) { return x * n; });
                  return [f, x = ones({4}), n = 0]() mutable {
                    f(x, ++n);
                    require(f.traces() == 1, "a number made a trace of its own");
                  };
                }});
  to.push_back({"18b", "a changing Static: 16 traces at most", [] {
                  Function f([](Tensor x, Static<int> n) { return x * static_cast<float>(n.value); });
                  return [f, x = ones({4}), n = 0]() mutable {
                    f(x, Static<int>{++n});
                    require(f.cached() <= 16, "more than 16 traces are kept");
                  };
                }});
  to.push_back({"19", "a new shape each call: 16 traces at most", [] {
                  Function f([](Tensor x) { return sum(exp(x) + 1.0f); });
                  return [f, n = int64_t{0}]() mutable {
                    f(ones({++n}));
                    require(f.cached() <= 16, "more than 16 traces are kept");
                  };
                }});
  to.push_back({"20", "functions made and dropped", [] { return [x = ones({4})] { Function([](Tensor t) { return exp(t) + 1.0f; })(x); }; }});
  to.push_back({"21", "the same with a tape inside", [] { return [x = ones({4})] { Function{training_step}(x); }; }});
  to.push_back({"22", "a dropped function whose closure captured 256 KB", [] {
                  return [x = ones({4})] {
                    Tensor big = ones({65536});
                    Function([big](Tensor t) { return sum(big) + t; })(x);
                  };
                }});
  to.push_back({"23", "a bound method traced anew each call",
                [] { return [x = ones({4}), self = Stepper()] { Function([&self](Tensor t) { return self.step(std::move(t)); })(x); }; }});
  to.push_back({"43", "a custom gradient inside a dropped function", [] {
                  return [x = ones({4})] {
                    Function([](Tensor t) {
                      GradientTape tape;
                      tape.watch(t);
                      Tensor y = custom_gradient({t}, [](const Tensors& in) {
                        Tensor kept = exp(in[0]);
                        return std::pair<Tensors, GradientFunction>({kept}, [kept](const Tensors& g) { return Tensors{g[0] * kept}; });
                      })[0];
                      return tape.gradient(y, t);
                    })(x);
                  };
                }});
  to.push_back({"55", "traced convolutions on ever-changing shapes",
                [] {
                  Function f([](Tensor x, Tensor k) { return conv2d(x, k, {.padding = "same"}); });
                  return [f, k = ones({3, 3, 2, 4}), n = int64_t{0}]() mutable { f(ones({1, 4 + n++ % 30, 8, 2}), k); };
                },
                40, 60});
  to.push_back({"57", "a function, clear() and drop", [] {
                  return [x = ones({4})] {
                    Function f([](Tensor t) { return exp(t) + 1.0f; });
                    f(x);
                    f.clear();
                    require(f.cached() == 0, "clear() kept a trace");
                  };
                }});
}

}  // namespace tenure::leaks

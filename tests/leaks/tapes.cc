// Tapes: an entry keeps what its gradient reads; the tape's death frees all of it.
#include "leaks/catalogue.h"

namespace tenure::leaks {

void tape_scenarios(std::vector<Scenario>& to) {
  to.push_back({"24", "an eager tape around a training step", [] {
                  Variable w(ones({8, 4}), "w");
                  return [w, x = ones({16, 8})]() mutable {
                    GradientTape tape;
                    Tensor loss = mean(square(matmul(x, w)));
                    w.assign_sub(tape.gradient(loss, w) * 0.01f);
                    require(tape.entries() == 0, "a tape that was walked keeps entries");
                  };
                }});
  to.push_back({"25", "a persistent tape, dropped", [] {
                  return [x = ones({100})] {
                    GradientTape tape({.persistent = true});
                    tape.watch(x);
                    Tensor y = exp(square(x));
                    tape.gradient(y, x);
                    tape.gradient(y, x);
                  };
                }});
  to.push_back({"33", "a host callback with a gradient of its own, eagerly", [] {
                  return [x = ones({16})] {
                    custom_gradient({x}, [captured = ones({64})](const Tensors& in) {
                      return std::pair<Tensors, GradientFunction>({in[0] * 2.0f}, [captured](const Tensors& g) { return Tensors{g[0] * 2.0f}; });
                    });
                  };
                }});
  to.push_back({"33b", "the same under a tape that dies", [] {
                  return [x = ones({16})] {
                    GradientTape tape;
                    tape.watch(x);
                    custom_gradient({x}, [captured = ones({64})](const Tensors& in) {
                      return std::pair<Tensors, GradientFunction>({in[0] * 2.0f}, [captured](const Tensors& g) { return Tensors{g[0] * 2.0f}; });
                    });
                    require(tape.entries() > 0, "the callback was not recorded");
                  };
                }});
  to.push_back({"52", "gradients of gradients of a dropped variable", [] {
                  return [] {
                    Variable w(ones({64, 64}), "w");
                    GradientTape outer;
                    Tensor inner_gradient;
                    {
                      GradientTape inner;
                      Tensor y = sum(square(exp(w.value())));
                      inner_gradient = inner.gradient(y, w);
                    }
                    outer.gradient(sum(inner_gradient), w);
                  };
                }});
}

}  // namespace tenure::leaks

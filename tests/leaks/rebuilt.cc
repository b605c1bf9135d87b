// Made anew each call: variables, metrics, layers, optimizers, seeds, numbers. No cache is keyed by who asks.
#include "leaks/catalogue.h"

namespace tenure::leaks {

void rebuilt_scenarios(std::vector<Scenario>& to) {
  to.push_back({"28", "a variable, unnamed", [] { return [] { Variable(ones({64})); }; }});
  to.push_back({"28b", "a variable of a new name each call",
                [] { return [n = 0]() mutable { Variable(ones({64}), "w" + std::to_string(n++)).assign_add(ones({64})); }; }});
  to.push_back({"36", "a metric", [] {
                  return [y = ones({8})] {
                    Metric mae = metrics::MeanAbsoluteError{};
                    mae.update_state(y, y);
                    mae.value();
                  };
                }});
  to.push_back({"37", "an LSTM with dropout, called eagerly", [] {
                  Layer lstm = layers::LSTM{.units = 4, .dropout = 0.2, .recurrent_dropout = 0.2};
                  return [lstm, x = ones({2, 5, 3})] { lstm(x, {.training = true}); };
                }});
  to.push_back({"38", "a tensor times an ever-changing number",
                [] { return [x = ones({64}), rate = 1.0]() mutable { x* static_cast<float>(rate *= 0.999); }; }});
  to.push_back({"39", "a convolution on ever-changing shapes",
                [] {
                  return [k = ones({3, 3, 2, 4}), n = int64_t{0}]() mutable { conv2d(ones({1, 4 + n++ % 30, 8, 2}), k); };
                },
                40, 60});
  to.push_back({"41", "a layer, used once", [] { return [x = ones({4, 8})] { layers::Dense{.units = 32}(x); }; }});
  to.push_back(
      {"42", "random numbers with a new seed each call", [] { return [n = int64_t{0}]() mutable { random::normal({64}, SeedGenerator(n++)); }; }});
  to.push_back({"44", "an optimizer and its slots", [] {
                  Variable w(ones({64}), "w");
                  return [w, g = ones({64})] { Optimizer("adam").apply({g}, {w}); };
                }});
}

}  // namespace tenure::leaks

// Symbols: nodes belong to their outputs, layers know nothing of their callers.
#include "leaks/catalogue.h"

namespace tenure::leaks {

void symbolic_scenarios(std::vector<Scenario>& to) {
  to.push_back({"04", "one model called on one Input, result dropped", [] {
                  Model model = small_model(false);
                  Tensor in = Input({.shape = {8}});
                  return [=] { model(in); };
                }});
  to.push_back({"05", "one model called on a fresh Input", [] {
                  Model model = small_model(false);
                  return [=] { model(Input({.shape = {8}})); };
                }});
  to.push_back({"06", "a sub-model over shared layers, dropped", [] {
                  Layer first = layers::Dense{.units = 16}, second = layers::Dense{.units = 4};
                  Tensor x = ones({2, 8});
                  return [=] {
                    Tensor in = Input({.shape = {8}});
                    Tensor hidden = first(in);
                    Model sub({in, second(hidden)});
                    sub(x);
                  };
                }});
  to.push_back({"07", "a chain of ops on a symbol, dropped", [] {
                  Tensor in = Input({.shape = {8}});
                  return [=] { relu(exp(in) + 1.0f); };
                }});
  to.push_back({"08", "functional models in a loop", [] {
                  return [] {
                    Tensor in = Input({.shape = {8}});
                    Tensor hidden = layers::Dense{.units = 16, .activation = "relu"}(in);
                    Model model({in, layers::Dense{.units = 4}(hidden)});
                  };
                }});
  to.push_back({"09", "the same in a scope that fails if anything escapes", [] {
                  return [] {
                    memory::Scope scope("search", {.on_escape = memory::OnEscape::fail});
                    {
                      Tensor in = Input({.shape = {8}});
                      Model model({in, layers::Dense{.units = 4}(in)});
                    }
                    scope.close();
                  };
                }});
}

}  // namespace tenure::leaks

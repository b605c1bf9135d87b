// What the blocks of optimizers.cc and optimizers_more.cc are written with.
#pragma once

#include <span>
#include <utility>

#include <tenure/ops.h>

#include "nn/optimizer_body.h"

namespace tenure::optimizers {

inline Optimizer handle(OptimizerBody* b) {
  memory::HeldOf<OptimizerBody> held(b);
  return Optimizer(b);
}

/// slot + (target - slot) * fraction, assigned and returned.
inline Tensor moved(Variable& slot, Tensor target, double fraction) {
  Tensor old = slot.value();
  Tensor now = add(old, multiply(subtract(std::move(target), old), fraction));
  slot.assign(now);
  return now;
}
/// 1 - base ^ step.
inline Tensor rest_of_power(double base, Tensor step) { return subtract(1.0, power(full({}, base), std::move(step))); }

/// An optimizer of the aggregate C, with `fields` (without what all share) beside it.
template <class C>
class OptimizerOf : public OptimizerBody {
 public:
  OptimizerOf(C c, const char* class_name)
      : OptimizerBody(
            {c.learning_rate, c.weight_decay, c.clipnorm, c.clipvalue, c.global_clipnorm, c.name.empty() ? nn::snake_case(class_name) : c.name}),
        config(std::move(c)),
        class_(class_name) {}
  std::string class_name() const override { return class_; }

 protected:
  void fields_of(Fields& v) const override { fields(v, const_cast<C&>(config)); }  // writes only
  C config;

 private:
  const char* class_;
};

/// One of configuration `config`, by its aggregate.
template <class C>
Optimizer make(const char* name, const nn::Json& config) {
  C c{};
  nn::ConfigReader r(config, name);
  fields(r, c);
  r("name", c.name), r("learning_rate", c.learning_rate), r("weight_decay", c.weight_decay);
  r("clipnorm", c.clipnorm), r("clipvalue", c.clipvalue), r("global_clipnorm", c.global_clipnorm);
  // Keras' values while these are unused; use_ema and the rest are refused by finish().
  r.ignore({"ema_momentum", "is_legacy_optimizer", "jit_compile", "decay"});
  r.finish();
  return c;
}

struct Class {
  const char* name;
  Optimizer (*make)(const char* name, const nn::Json& config);
};
std::span<const Class> more_classes();

}  // namespace tenure::optimizers

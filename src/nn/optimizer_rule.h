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

/// What Adam and its kin have in common.
template <class C>
void moment_fields(Fields& v, C& c) {
  v("beta_1", c.beta_1), v("beta_2", c.beta_2), v("epsilon", c.epsilon);
}
/// rate * sqrt(1 - beta_2^t) / (1 - beta_1^t): epsilon stands outside of the correction.
inline Tensor adam_rate(Tensor rate, const Tensor& step, double beta_1, double beta_2) {
  return divide(multiply(std::move(rate), sqrt(rest_of_power(beta_2, step))), rest_of_power(beta_1, step));
}
/// Adam's new value of `w`; slots are the two moments and, with amsgrad, the greatest second one.
inline Tensor adam_update(const Tensor& w, Tensor g, const Tensor& rate, Variables& slots, double beta_1, double beta_2, double epsilon) {
  Tensor m = moved(slots[0], g, 1 - beta_1);
  Tensor v = moved(slots[1], square(std::move(g)), 1 - beta_2);
  if (slots.size() > 2) {
    v = maximum(slots[2].value(), std::move(v));
    slots[2].assign(v);
  }
  return subtract(w, divide(multiply(std::move(m), cast(rate, w.dtype())), add(sqrt(std::move(v)), epsilon)));
}

/// An optimizer of the aggregate C, with `fields` (without what all share) beside it.
template <class C>
class OptimizerOf : public OptimizerBody {
 public:
  OptimizerOf(C c, const char* class_name)
      : OptimizerBody({c.learning_rate, c.weight_decay, c.clipnorm, c.clipvalue, c.global_clipnorm, c.use_ema, c.ema_momentum,
                       c.ema_overwrite_frequency, c.loss_scale_factor, c.gradient_accumulation_steps,
                       c.name.empty() ? nn::snake_case(class_name) : c.name}),
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
  r("name", c.name), r("learning_rate", c.learning_rate);
  shared_fields(r, c);
  r.ignore({"is_legacy_optimizer", "jit_compile", "decay"});
  r.finish();
  return c;
}

struct Class {
  const char* name;
  Optimizer (*make)(const char* name, const nn::Json& config);
};
std::span<const Class> more_classes();

}  // namespace tenure::optimizers

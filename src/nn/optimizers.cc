// Optimizers: one block each. An update is a few elementwise ops, so that a trace makes one pass over weight, gradient and slots of it.
#include <tenure/ops.h>

#include "nn/loss_scale.h"
#include "nn/optimizer_rule.h"

namespace tenure {

namespace optimizers {

// ---- SGD ----------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, SGD& c) {
  v("momentum", c.momentum), v("nesterov", c.nesterov);
  check(c.momentum >= 0 && c.momentum <= 1, Code::InvalidArgument, "SGD: expected momentum in [0, 1], got {}", c.momentum);
}

class SGDRule final : public OptimizerOf<SGD> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return config.momentum != 0 ? SlotGroups{{"momentum"}} : SlotGroups{}; }
  Tensors begin(Tensor rate, Tensor) const override { return {std::move(rate)}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    Tensor step = multiply(std::move(g), cast(shared[0], w.dtype()));
    if (config.momentum == 0) return subtract(std::move(w), std::move(step));
    Tensor m = subtract(multiply(slots[0].value(), config.momentum), step);
    slots[0].assign(m);
    if (!config.nesterov) return add(std::move(w), std::move(m));
    return add(std::move(w), subtract(multiply(std::move(m), config.momentum), std::move(step)));
  }
};
SGD::operator Optimizer() const { return handle(new SGDRule(*this, "SGD")); }

// ---- RMSprop ------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RMSprop& c) { v("rho", c.rho), v("momentum", c.momentum), v("epsilon", c.epsilon), v("centered", c.centered); }

class RMSpropRule final : public OptimizerOf<RMSprop> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override {
    SlotGroups s{{"velocity"}};
    if (config.momentum > 0) s.push_back({"momentum"});
    if (config.centered) s.push_back({"average_gradient"});
    return s;
  }
  Tensors begin(Tensor rate, Tensor) const override { return {std::move(rate)}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    Tensor v = moved(slots[0], square(g), 1 - config.rho);
    if (config.centered) v = subtract(std::move(v), square(moved(slots.back(), g, 1 - config.rho)));
    Tensor step = divide(multiply(std::move(g), cast(shared[0], w.dtype())), sqrt(add(std::move(v), config.epsilon)));
    if (config.momentum > 0) {
      step = add(multiply(slots[1].value(), config.momentum), std::move(step));
      slots[1].assign(step);
    }
    return subtract(std::move(w), std::move(step));
  }
};
RMSprop::operator Optimizer() const { return handle(new RMSpropRule(*this, "RMSprop")); }

// ---- Adam ---------------------------------------------------------------------------------------------------------------------------

// Of Adam and AdamW, which differ in the default of weight_decay only.
template <class C>
void visit_adam(Fields& v, C& c) {
  v("beta_1", c.beta_1), v("beta_2", c.beta_2), v("epsilon", c.epsilon), v("amsgrad", c.amsgrad);
}

void fields(Fields& v, Adam& c) { visit_adam(v, c); }
void fields(Fields& v, AdamW& c) { visit_adam(v, c); }

template <class C>
class AdamRule final : public OptimizerOf<C> {
 public:
  using OptimizerOf<C>::OptimizerOf;
  using typename OptimizerBody::SlotGroups;
  SlotGroups slots() const override {
    SlotGroups s{{"momentum", "velocity"}};
    if (this->config.amsgrad) s.push_back({"velocity_hat"});
    return s;
  }
  // rate * sqrt(1 - beta_2^t) / (1 - beta_1^t): epsilon stands outside of the correction.
  Tensors begin(Tensor rate, Tensor step) const override {
    Tensor first = subtract(1.0, power(full({}, this->config.beta_1), step));
    Tensor second = sqrt(subtract(1.0, power(full({}, this->config.beta_2), std::move(step))));
    return {divide(multiply(std::move(rate), std::move(second)), std::move(first))};
  }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const C& c = this->config;
    Tensor m = moved(slots[0], g, 1 - c.beta_1);
    Tensor v = moved(slots[1], square(std::move(g)), 1 - c.beta_2);
    if (c.amsgrad) {
      v = maximum(slots[2].value(), std::move(v));
      slots[2].assign(v);
    }
    return subtract(w, divide(multiply(std::move(m), cast(shared[0], w.dtype())), add(sqrt(std::move(v)), c.epsilon)));
  }
};
Adam::operator Optimizer() const { return handle(new AdamRule<Adam>(*this, "Adam")); }
AdamW::operator Optimizer() const { return handle(new AdamRule<AdamW>(*this, "AdamW")); }

// ---- by name ------------------------------------------------------------------------------------------------------------------------

constexpr Class classes[] = {{"SGD", make<SGD>}, {"RMSprop", make<RMSprop>}, {"Adam", make<Adam>}, {"AdamW", make<AdamW>}};

}  // namespace optimizers

Optimizer Optimizer::from_json(const std::string& text) {
  nn::Named n = nn::named_from(nn::parse(text, "optimizer"), "an optimizer");
  std::string known;
  std::vector<optimizers::Class> all(std::begin(optimizers::classes), std::end(optimizers::classes));
  for (const optimizers::Class& c : optimizers::more_classes()) all.push_back(c);
  for (const optimizers::Class& c : all) {
    std::string lower = c.name;
    for (char& l : lower) l = static_cast<char>(std::tolower(static_cast<unsigned char>(l)));
    if (n.class_name == c.name || n.class_name == lower || n.class_name == nn::snake_case(c.name)) return c.make(c.name, n.config);
    known += (known.empty() ? "" : ", ") + lower;
  }
  if (n.class_name == "LossScaleOptimizer") return loss_scale_from(n.config);
  fail(Code::NotFound, "optimizer: there is no '{}'; there are: {}", n.class_name, known);
}

}  // namespace tenure

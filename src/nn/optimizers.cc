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
  moment_fields(v, c), v("amsgrad", c.amsgrad);
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
  Tensors begin(Tensor rate, Tensor step) const override { return {adam_rate(std::move(rate), step, this->config.beta_1, this->config.beta_2)}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const C& c = this->config;
    return adam_update(w, std::move(g), shared[0], slots, c.beta_1, c.beta_2, c.epsilon);
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
  for (auto classes : {std::span<const optimizers::Class>(optimizers::classes), optimizers::more_classes()})
    for (const optimizers::Class& c : classes) {
      std::string lower = c.name;
      for (char& l : lower) l = static_cast<char>(std::tolower(static_cast<unsigned char>(l)));
      if (n.class_name == c.name || n.class_name == lower || n.class_name == nn::snake_case(c.name)) return c.make(c.name, n.config);
      known += (known.empty() ? "" : ", ") + lower;
    }
  if (n.class_name == "LossScaleOptimizer") return loss_scale_from(n.config);
  fail(Code::NotFound, "optimizer: there is no '{}'; there are: {}", n.class_name, known);
}

}  // namespace tenure

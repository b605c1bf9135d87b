// LossScaleOptimizer owns its inner optimizer and two variables of its own: steps since the scale was changed, and the scale.
#include "nn/loss_scale.h"

#include <tenure/ops.h>
#include <tenure/tape.h>

#include "core/context.h"

namespace tenure {

using memory::HeldOf;
using nn::Json;

namespace {

class LossScaleBody final : public OptimizerBody {
 public:
  LossScaleBody(const optimizers::LossScaleOptimizer& c, bool automatic)
      : OptimizerBody({.learning_rate = 0.0, .name = c.name.empty() ? "loss_scale_optimizer" : c.name}),
        inner_(c.inner_optimizer.body()),
        initial_(c.initial_scale),
        growth_(c.dynamic_growth_steps),
        automatic_(automatic) {
    check(inner_.get() != nullptr, Code::InvalidArgument, "LossScaleOptimizer: expected an inner optimizer");
    check(c.initial_scale > 0 && c.dynamic_growth_steps > 0, Code::InvalidArgument,
          "LossScaleOptimizer: expected initial_scale and dynamic_growth_steps > 0, got {} and {}", c.initial_scale, c.dynamic_growth_steps);
  }
  std::string class_name() const override { return "LossScaleOptimizer"; }
  void build(const Variables& variables) override {
    check(!built(), Code::InvalidArgument, "optimizer {}: built already; a new set of variables needs a new optimizer", name());
    Eagerly eagerly;
    counter_ = make("step_counter", zeros({}, int64));
    scale_ = make("dynamic_scale", full({}, initial_));
    if (!inner_->built()) inner_->build(variables);
    OptimizerBody::build({});
  }
  void apply(const Tensors& gradients, const Variables& variables) override {
    if (!built()) build(variables);
    StopRecording no_tape;
    const Tensor scale = own(scale_).value(), steps = own(counter_).value();
    Tensor finite;
    Tensors back;
    for (const Tensor& g : gradients) {
      back.push_back(g.defined() ? divide(g, cast(scale, g.dtype())) : g);
      if (!g.defined()) continue;
      Tensor whole = all(isfinite(g));
      finite = finite.defined() ? logical_and(std::move(finite), std::move(whole)) : std::move(whole);
    }
    check(finite.defined() || variables.empty(), Code::InvalidArgument, "optimizer {}: no variable has a gradient", name());
    if (variables.empty()) return;
    // The inner step is taken in any case; where a gradient was not finite all that it changed is set back.
    Variables touched = variables;
    for (const Variable& v : inner_->variables()) touched.push_back(v);
    change_where(finite, std::move(touched), [&] { inner_->apply(back, variables); });
    const Tensor grows = logical_and(finite, equal(steps, growth_ - 1));
    const Tensor begins_anew = logical_or(logical_not(finite), grows);
    own(counter_).assign(where(begins_anew, zeros({}, int64), add(steps, 1)));
    Tensor factor = where(grows, full({}, 2), where(finite, full({}, 1), full({}, 0.5)));
    own(scale_).assign(multiply(scale, std::move(factor)));
  }
  Tensor scaled(Tensor loss) const override {
    Tensor scale = built() ? own(scale_).value() : full({}, initial_);
    return multiply(loss, cast(std::move(scale), loss.dtype()));
  }
  void finalize(const Variables& variables) override { inner_->finalize(variables); }
  Variable iterations() const override { return inner_->iterations(); }
  Variable rate() const override { return inner_->rate(); }
  Variables variables() const override {
    Variables all = OptimizerBody::variables();
    for (const Variable& v : inner_->variables()) all.push_back(v);
    return all;
  }
  const OptimizerBody& given() const override { return automatic_ ? *inner() : *this; }
  const OptimizerBody* inner() const override { return inner_.get(); }
  Json config() const override {
    Json j{{"name", name()}};
    j["inner_optimizer"] = Json::parse(Optimizer(inner_.get()).to_json());
    j["initial_scale"] = initial_;
    j["dynamic_growth_steps"] = growth_;
    return j;
  }
  void trace(memory::EdgeVisitor& v) const override {
    OptimizerBody::trace(v);
    v.edge(inner_.get(), "inner_optimizer");
  }

 protected:
  // The inner optimizer has the rule.
  Tensors begin(Tensor, Tensor) const override { return {}; }
  Tensor update(Tensor w, Tensor, const Tensors&, Variables&) const override { return w; }
  void fields_of(Fields&) const override {}

 private:
  Variable own(size_t i) const { return OptimizerBody::variables().at(i); }
  HeldOf<OptimizerBody> inner_;
  double initial_;
  int64_t growth_;
  bool automatic_;
  size_t counter_ = 0, scale_ = 0;
};

Optimizer made(const optimizers::LossScaleOptimizer& c, bool automatic) {
  HeldOf<OptimizerBody> held(new LossScaleBody(c, automatic));
  return Optimizer(held.get());
}

bool has_mixed_float16(const LayerBody& l) {
  if (l.policy().name() == "mixed_float16") return true;
  for (const auto& c : l.children())
    if (has_mixed_float16(*c.layer)) return true;
  return false;
}

}  // namespace

optimizers::LossScaleOptimizer::operator Optimizer() const { return made(*this, false); }

Optimizer scaled_for(const LayerBody& model, const Optimizer& given) {
  if (!has_mixed_float16(model) || given.class_name() == "LossScaleOptimizer") return given;
  return made({.inner_optimizer = given}, true);
}

Optimizer loss_scale_from(const Json& config) {
  nn::ConfigReader r(config, "LossScaleOptimizer");
  optimizers::LossScaleOptimizer c;
  check(config.contains("inner_optimizer"), Code::InvalidArgument, "LossScaleOptimizer: expected an inner_optimizer in {}", config.dump());
  c.inner_optimizer = Optimizer::from_json(config["inner_optimizer"].dump());
  r("name", c.name), r("initial_scale", c.initial_scale), r("dynamic_growth_steps", c.dynamic_growth_steps);
  r.ignore({"inner_optimizer", "dynamic"});
  r.finish();
  return c;
}

}  // namespace tenure

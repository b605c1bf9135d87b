// More optimizers: one block each, as in optimizers.cc.
#include <algorithm>
#include <cmath>
#include <regex>

#include <tenure/optimizers_more.h>

#include "nn/optimizer_rule.h"

namespace tenure::optimizers {

// ---- Adadelta -----------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Adadelta& c) { v("rho", c.rho), v("epsilon", c.epsilon); }

class AdadeltaRule final : public OptimizerOf<Adadelta> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"accumulated_grad", "accumulated_delta_var"}}; }
  Tensors begin(Tensor rate, Tensor) const override { return {std::move(rate)}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const auto root = [&](Tensor x) { return sqrt(add(std::move(x), config.epsilon)); };
    Tensor squares = moved(slots[0], square(g), 1 - config.rho);
    Tensor step = negative(divide(multiply(root(slots[1].value()), std::move(g)), root(std::move(squares))));
    moved(slots[1], square(step), 1 - config.rho);
    return add(w, multiply(std::move(step), cast(shared[0], w.dtype())));
  }
};
Adadelta::operator Optimizer() const { return handle(new AdadeltaRule(*this, "Adadelta")); }

// ---- Adafactor ----------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Adafactor& c) {
  v("beta_2_decay", c.beta_2_decay), v("epsilon_1", c.epsilon_1), v("epsilon_2", c.epsilon_2), v("clip_threshold", c.clip_threshold);
  v("relative_step", c.relative_step);
}

class AdafactorRule final : public OptimizerOf<Adafactor> {
 public:
  using OptimizerOf::OptimizerOf;
  // Rows and columns of a matrix are named like the variable itself; of others both are a number that nobody reads, as in Keras.
  void make_slots(const Variables& variables) override {
    for (const Variable& v : variables) {
      const Shape& s = v.shape();
      const int r = s.rank();
      const std::string name = v.name().substr(v.name().rfind('/') + 1);
      if (r < 2) {
        for (int i = 0; i < 2; ++i) add_slot(v, name, zeros({}, int32), true);
      } else {
        Shape columns = s.slice(0, r - 2);
        columns.push_back(s.back());
        add_slot(v, name, zeros(s.slice(0, r - 1), v.dtype()));
        add_slot(v, name, zeros(columns, v.dtype()));
      }
      add_slot(v, slot_path(v) + "_velocity", zeros(s, v.dtype()));
    }
  }
  // The rate, and how much of the old moments stays.
  Tensors begin(Tensor rate, Tensor step) const override {
    return {minimum(std::move(rate), rsqrt(step)), subtract(1.0, power(step, config.beta_2_decay))};
  }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const auto rms = [](Tensor x) { return sqrt(mean(square(std::move(x)))); };
    Tensor rate = multiply(maximum(rms(w), config.epsilon_2), cast(shared[0], w.dtype())), keep = cast(shared[1], w.dtype());
    Tensor squares = add(square(g), config.epsilon_1);
    const auto mixed = [&](Variable& slot, Tensor now) {
      Tensor both = add(multiply(keep, slot.value()), multiply(subtract(1.0, keep), std::move(now)));
      slot.assign(both);
      return both;
    };
    Tensor v;
    if (w.rank() >= 2) {
      Tensor rows = mixed(slots[0], mean(squares, {-1})), columns = mixed(slots[1], mean(squares, {-2}));
      Tensor part = divide(rows, mean(rows, {-1}, true));
      v = multiply(expand_dims(std::move(part), -1), expand_dims(std::move(columns), -2));
      slots[2].assign(v);
    } else {
      v = mixed(slots[2], std::move(squares));
    }
    Tensor step = divide(std::move(g), sqrt(std::move(v)));
    Tensor scale = maximum(divide(rms(step), config.clip_threshold), 1.0);
    return subtract(std::move(w), multiply(divide(std::move(step), std::move(scale)), std::move(rate)));
  }
};
Adafactor::operator Optimizer() const { return handle(new AdafactorRule(*this, "Adafactor")); }

// ---- Adagrad ------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Adagrad& c) { v("initial_accumulator_value", c.initial_accumulator_value), v("epsilon", c.epsilon); }

class AdagradRule final : public OptimizerOf<Adagrad> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"accumulator"}}; }
  Tensor initial(const char*, const Variable& v) const override { return full(v.shape(), config.initial_accumulator_value, v.dtype()); }
  Tensors begin(Tensor rate, Tensor) const override { return {std::move(rate)}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    Tensor sum = add(slots[0].value(), square(g));
    slots[0].assign(sum);
    return subtract(w, divide(multiply(std::move(g), cast(shared[0], w.dtype())), sqrt(add(std::move(sum), config.epsilon))));
  }
};
Adagrad::operator Optimizer() const { return handle(new AdagradRule(*this, "Adagrad")); }

// ---- Adamax -------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Adamax& c) { moment_fields(v, c); }

class AdamaxRule final : public OptimizerOf<Adamax> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"momentum", "norm"}}; }
  Tensors begin(Tensor rate, Tensor step) const override { return {divide(std::move(rate), rest_of_power(config.beta_1, std::move(step)))}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    Tensor norm = maximum(multiply(slots[1].value(), config.beta_2), abs(g));
    slots[1].assign(norm);
    Tensor m = moved(slots[0], std::move(g), 1 - config.beta_1);
    return subtract(w, divide(multiply(std::move(m), cast(shared[0], w.dtype())), add(std::move(norm), config.epsilon)));
  }
};
Adamax::operator Optimizer() const { return handle(new AdamaxRule(*this, "Adamax")); }

// ---- Ftrl ---------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Ftrl& c) {
  v("learning_rate_power", c.learning_rate_power), v("initial_accumulator_value", c.initial_accumulator_value);
  v("l1_regularization_strength", c.l1_regularization_strength), v("l2_regularization_strength", c.l2_regularization_strength);
  v("l2_shrinkage_regularization_strength", c.l2_shrinkage_regularization_strength), v("beta", c.beta);
  check(c.learning_rate_power <= 0, Code::InvalidArgument, "Ftrl: expected learning_rate_power <= 0, got {}", c.learning_rate_power);
  for (const double part :
       {c.initial_accumulator_value, c.l1_regularization_strength, c.l2_regularization_strength, c.l2_shrinkage_regularization_strength})
    check(part >= 0, Code::InvalidArgument, "Ftrl: expected strengths and initial_accumulator_value >= 0, got {}", part);
}

class FtrlRule final : public OptimizerOf<Ftrl> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"accumulator", "linear"}}; }
  Tensor initial(const char* slot, const Variable& v) const override {
    return slot == std::string_view("accumulator") ? full(v.shape(), config.initial_accumulator_value, v.dtype()) : OptimizerBody::initial(slot, v);
  }
  Tensors begin(Tensor rate, Tensor) const override { return {std::move(rate)}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const auto root = [&](Tensor x) { return power(std::move(x), -config.learning_rate_power); };
    Tensor rate = cast(shared[0], w.dtype()), old = slots[0].value();
    Tensor sum = add(old, square(g)), power_now = root(sum);
    if (config.l2_shrinkage_regularization_strength != 0) g = add(std::move(g), multiply(w, 2 * config.l2_shrinkage_regularization_strength));
    Tensor pull = multiply(divide(subtract(power_now, root(std::move(old))), rate), std::move(w));
    Tensor linear = add(slots[1].value(), subtract(std::move(g), std::move(pull)));
    Tensor ridge = add(divide(config.beta, rate), 2 * config.l2_regularization_strength);
    Tensor quadratic = add(divide(std::move(power_now), std::move(rate)), std::move(ridge));
    slots[0].assign(std::move(sum)), slots[1].assign(linear);
    return divide(subtract(tenure::clip(linear, -config.l1_regularization_strength, config.l1_regularization_strength), linear),
                  std::move(quadratic));
  }
};
Ftrl::operator Optimizer() const { return handle(new FtrlRule(*this, "Ftrl")); }

// ---- Lamb ---------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Lamb& c) { moment_fields(v, c); }

class LambRule final : public OptimizerOf<Lamb> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"momentum", "velocity"}}; }
  Tensors begin(Tensor rate, Tensor step) const override {
    return {std::move(rate), rest_of_power(config.beta_1, step), rest_of_power(config.beta_2, step)};
  }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const auto own = [&](size_t i) { return cast(shared[i], w.dtype()); };
    const auto norm = [](Tensor x) { return sqrt(sum(square(std::move(x)))); };
    Tensor m = moved(slots[0], g, 1 - config.beta_1), v = moved(slots[1], square(std::move(g)), 1 - config.beta_2);
    Tensor step = divide(divide(std::move(m), own(1)), add(sqrt(divide(std::move(v), own(2))), config.epsilon));
    Tensor of_w = norm(w), of_step = norm(step);
    Tensor both = logical_and(greater(of_w, 0.0), greater(of_step, 0.0));
    Tensor ratio = where(both, divide(of_w, where(both, of_step, 1.0)), 1.0);
    return subtract(w, multiply(multiply(std::move(ratio), own(0)), std::move(step)));
  }
};
Lamb::operator Optimizer() const { return handle(new LambRule(*this, "Lamb")); }

// ---- Lion ---------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Lion& c) {
  v("beta_1", c.beta_1), v("beta_2", c.beta_2);
  check(c.beta_1 > 0 && c.beta_1 <= 1, Code::InvalidArgument, "Lion: expected beta_1 in (0, 1], got {}", c.beta_1);
}

class LionRule final : public OptimizerOf<Lion> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"momentum"}}; }
  Tensors begin(Tensor rate, Tensor) const override { return {std::move(rate)}; }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    Tensor m = slots[0].value();
    const auto mixed = [&](double keep) { return add(multiply(m, keep), multiply(g, 1 - keep)); };
    Tensor step = multiply(sign(mixed(config.beta_1)), cast(shared[0], w.dtype()));
    slots[0].assign(mixed(config.beta_2));
    return subtract(std::move(w), std::move(step));
  }
};
Lion::operator Optimizer() const { return handle(new LionRule(*this, "Lion")); }

// ---- Muon ---------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Muon& c) {
  v("adam_beta_1", c.adam_beta_1), v("adam_beta_2", c.adam_beta_2), v("epsilon", c.epsilon), v("exclude_layers", c.exclude_layers);
  v("muon_a", c.muon_a), v("muon_b", c.muon_b), v("muon_c", c.muon_c), v("adam_lr_ratio", c.adam_lr_ratio), v("momentum", c.momentum);
  v("ns_steps", c.ns_steps), v("nesterov", c.nesterov), v("exclude_embeddings", c.exclude_embeddings);
  v("adam_weight_decay", c.adam_weight_decay), v("rms_rate", c.rms_rate);
}

class MuonRule final : public OptimizerOf<Muon> {
 public:
  using OptimizerOf::OptimizerOf;
  void make_slots(const Variables& variables) override {
    for (const Variable& v : variables) {
      add_slot(v, slot_path(v) + "_momentum", zeros(v.shape(), v.dtype()));
      if (takes_adam(v)) add_slot(v, slot_path(v) + "_velocity", zeros(v.shape(), v.dtype()));
    }
  }
  std::optional<double> decay_of(const Variable& v) const override { return takes_adam(v) ? config.adam_weight_decay : config.weight_decay; }
  Tensors begin(Tensor rate, Tensor step) const override {
    return {rate, adam_rate(multiply(rate, config.adam_lr_ratio), step, config.adam_beta_1, config.adam_beta_2)};
  }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    if (slots.size() == 2) return adam_update(w, std::move(g), shared[1], slots, config.adam_beta_1, config.adam_beta_2, config.epsilon);
    Tensor m = add(multiply(slots[0].value(), config.momentum), g);
    slots[0].assign(m);
    Tensor step = orthogonal(config.nesterov ? add(std::move(g), multiply(std::move(m), config.momentum)) : std::move(m));
    Tensor rate = cast(shared[0], w.dtype());
    if (config.rms_rate) rate = multiply(std::move(rate), std::sqrt(static_cast<double>(std::max(w.dim(0), w.dim(1)))) * *config.rms_rate);
    return subtract(std::move(w), multiply(std::move(step), std::move(rate)));
  }

 private:
  bool takes_adam(const Variable& v) const {
    const std::string path = v.name();
    if (v.shape().rank() != 2) return true;
    std::string lower = path;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (config.exclude_embeddings && lower.find("embedding") != lower.npos) return true;
    const auto excluded = config.exclude_layers.items.value_or(std::vector<std::string>{});
    return std::any_of(excluded.begin(), excluded.end(), [&](const std::string& e) { return std::regex_search(path, std::regex(e)); });
  }
  // Nearly the nearest matrix whose singular values are 1.
  Tensor orthogonal(Tensor x) const {
    const bool tall = x.dim(0) > x.dim(1);
    if (tall) x = transpose(std::move(x));
    Tensor norm = add(sqrt(sum(square(x))), 1e-7);
    x = divide(std::move(x), std::move(norm));
    for (int64_t i = 0; i < config.ns_steps; ++i) {
      Tensor a = matmul(x, x, false, true);
      Tensor b = add(multiply(a, config.muon_b), matmul(multiply(a, config.muon_c), a));
      x = add(multiply(x, config.muon_a), matmul(std::move(b), x));
    }
    return tall ? transpose(std::move(x)) : x;
  }
};
Muon::operator Optimizer() const { return handle(new MuonRule(*this, "Muon")); }

// ---- Nadam --------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Nadam& c) { moment_fields(v, c); }

// The last of its variables is the product of its momentum schedule.
class NadamRule final : public OptimizerOf<Nadam> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"momentum", "velocity"}}; }
  void make_slots(const Variables& variables) override {
    OptimizerBody::make_slots(variables);
    product_ = make("variable", full({}, 1.0, variables.empty() ? float32 : variables[0].dtype()), true);
  }
  // Factors of the momentum, of the gradient and of the second moment; the rate.
  Tensors begin(Tensor rate, Tensor step) const override {
    const auto schedule = [&](Tensor t) { return multiply(subtract(1.0, multiply(power(full({}, 0.96), std::move(t)), 0.5)), config.beta_1); };
    Variable product = kept(product_);
    Tensor now = schedule(step), next = schedule(add(step, 1.0)), so_far = multiply(cast(product.value(), float32), now);
    product.assign(cast(so_far, product.dtype()));
    Tensor of_momentum = divide(next, subtract(1.0, multiply(so_far, next)));
    Tensor of_gradient = divide(subtract(1.0, std::move(now)), subtract(1.0, std::move(so_far)));
    return {std::move(of_momentum), std::move(of_gradient), rest_of_power(config.beta_2, step), std::move(rate)};
  }
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const auto own = [&](size_t i) { return cast(shared[i], w.dtype()); };
    Tensor m = moved(slots[0], g, 1 - config.beta_1), v = moved(slots[1], square(g), 1 - config.beta_2);
    Tensor step = add(multiply(std::move(m), own(0)), multiply(std::move(g), own(1)));
    return subtract(w, divide(multiply(std::move(step), own(3)), add(sqrt(divide(std::move(v), own(2))), config.epsilon)));
  }

 private:
  size_t product_ = 0;
};
Nadam::operator Optimizer() const { return handle(new NadamRule(*this, "Nadam")); }

// ---- ScheduleFreeAdamW --------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ScheduleFreeAdamW& c) { moment_fields(v, c), v("warmup_steps", c.warmup_steps); }

class ScheduleFreeAdamWRule final : public OptimizerOf<ScheduleFreeAdamW> {
 public:
  using OptimizerOf::OptimizerOf;
  SlotGroups slots() const override { return {{"momentum", "velocity"}}; }
  Tensor initial(const char* slot, const Variable& v) const override {
    return slot == std::string_view("momentum") ? v.value() : OptimizerBody::initial(slot, v);
  }
  Tensors begin(Tensor rate, Tensor step) const override {
    if (config.warmup_steps > 0) rate = multiply(std::move(rate), minimum(divide(step, static_cast<double>(config.warmup_steps)), 1.0));
    return {std::move(rate), rest_of_power(config.beta_2, step), divide(1.0, step)};
  }
  // `w` is y of the paper, between the momentum z and the average x. Keras reads z after its step where the paper has it before.
  Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const override {
    const auto own = [&](size_t i) { return cast(shared[i], w.dtype()); };
    Tensor v = moved(slots[1], square(g), 1 - config.beta_2);
    Tensor scale = add(sqrt(divide(std::move(v), own(1))), config.epsilon);
    Tensor z = subtract(slots[0].value(), divide(multiply(std::move(g), own(0)), std::move(scale)));
    slots[0].assign(z);
    Tensor x = divide(subtract(w, multiply(z, 1 - config.beta_1)), config.beta_1), part = own(2);
    Tensor average = add(multiply(std::move(x), subtract(1.0, part)), multiply(z, part));
    return add(multiply(std::move(z), 1 - config.beta_1), multiply(std::move(average), config.beta_1));
  }
};
ScheduleFreeAdamW::operator Optimizer() const { return handle(new ScheduleFreeAdamWRule(*this, "ScheduleFreeAdamW")); }

// ---- by name ------------------------------------------------------------------------------------------------------------------------

namespace {
constexpr Class further[] = {{"Adadelta", make<Adadelta>}, {"Adafactor", make<Adafactor>},
                             {"Adagrad", make<Adagrad>},   {"Adamax", make<Adamax>},
                             {"Ftrl", make<Ftrl>},         {"Lamb", make<Lamb>},
                             {"Lion", make<Lion>},         {"Muon", make<Muon>},
                             {"Nadam", make<Nadam>},       {"ScheduleFreeAdamW", make<ScheduleFreeAdamW>}};
}
std::span<const Class> more_classes() { return further; }

}  // namespace tenure::optimizers

// What all optimizers share: state, clipping, decay, the step. See optimizer_body.h for who owns what.
#include <algorithm>
#include <cmath>
#include <numbers>

#include <tenure/ops.h>
#include <tenure/schedules.h>
#include <tenure/tape.h>

#include "core/context.h"
#include "nn/optimizer_body.h"

namespace tenure {

using memory::HeldOf;
using nn::Json;

OptimizerBody::OptimizerBody(OptimizerCommon common) : Counted(memory::Kind::optimizer), common_(std::move(common)) {
  check_options();
  Eagerly eagerly;
  make("iteration", zeros({}, int64));
  if (!common_.learning_rate.scheduled()) make("learning_rate", full({}, common_.learning_rate.rate()));
}

void OptimizerBody::check_options() const {
  int clips = (common_.clipnorm ? 1 : 0) + (common_.clipvalue ? 1 : 0) + (common_.global_clipnorm ? 1 : 0);
  check(clips <= 1, Code::InvalidArgument, "optimizer {}: only one of clipnorm, clipvalue and global_clipnorm may be given", common_.name);
  for (const auto& c : {common_.clipnorm, common_.clipvalue, common_.global_clipnorm})
    check(!c || *c > 0, Code::InvalidArgument, "optimizer {}: expected a clipping bound > 0, got {}", common_.name, c.value_or(0));
  check(!common_.use_ema || (common_.ema_momentum >= 0 && common_.ema_momentum <= 1), Code::InvalidArgument,
        "optimizer {}: expected ema_momentum in [0, 1], got {}", common_.name, common_.ema_momentum);
  check(common_.ema_overwrite_frequency.value_or(1) >= 1, Code::InvalidArgument, "optimizer {}: expected ema_overwrite_frequency >= 1, got {}",
        common_.name, common_.ema_overwrite_frequency.value_or(1));
  check(common_.gradient_accumulation_steps.value_or(2) >= 2, Code::InvalidArgument,
        "optimizer {}: expected gradient_accumulation_steps >= 2, got {}", common_.name, common_.gradient_accumulation_steps.value_or(2));
  check(common_.loss_scale_factor.value_or(1) != 0, Code::InvalidArgument, "optimizer {}: expected a loss_scale_factor other than 0", common_.name);
}

std::string OptimizerBody::slot_path(const Variable& v) {
  std::string path = v.name();
  std::replace(path.begin(), path.end(), '/', '_');
  return path;
}

size_t OptimizerBody::make(std::string name, Tensor value, bool whole) {
  Variable v(std::move(value), VariableOptions{whole ? std::move(name) : common_.name + "/" + name, false});
  v.body()->set_category(memory::Category::optimizer_state);
  state_.emplace_back(v.body());
  return state_.size() - 1;
}

void OptimizerBody::build(const Variables& variables) {
  check(!built_, Code::InvalidArgument, "optimizer {}: built already for {} variables; a new set needs a new optimizer", common_.name, slots_.size());
  Eagerly eagerly;
  memory::Enter at(std::string_view("optimizer"));
  memory::As as(memory::Category::optimizer_state);
  for (const Variable& v : variables) slots_[v.body()->birth()];
  if (common_.use_ema) averages_ = make_beside(variables, "average");
  if (common_.gradient_accumulation_steps) sums_ = make_beside(variables, "gradient_accumulator");
  first_slot_ = state_.size();
  make_slots(variables);
  built_ = true;
}

OptimizerBody::Places OptimizerBody::make_beside(const Variables& variables, const char* name) {
  Places places;
  for (const Variable& v : variables) places[v.body()->birth()] = make(slot_path(v) + "_" + name, zeros(v.shape(), v.dtype()));
  return places;
}

Tensor OptimizerBody::initial(const char*, const Variable& v) const { return zeros(v.shape(), v.dtype()); }

void OptimizerBody::make_slots(const Variables& variables) {
  for (const auto& group : slots())
    for (const Variable& v : variables)
      for (const char* slot : group) add_slot(v, slot_path(v) + "_" + slot, initial(slot, v));
}

void OptimizerBody::add_slot(const Variable& v, const std::string& name, Tensor value, bool whole) {
  slots_[v.body()->birth()].push_back(make(name, std::move(value), whole));
}

namespace {
template <class Map>
const auto& known(const Map& map, const Variable& v, const std::string& optimizer) {
  auto it = map.find(v.body()->birth());
  check(it != map.end(), Code::InvalidArgument,
        "optimizer {}: Variable {} is not among those it was built for; compile again, or make a new optimizer", optimizer, v.name());
  return it->second;
}
}  // namespace

Variable OptimizerBody::beside(const Places& places, const Variable& v) const { return kept(known(places, v, common_.name)); }

Variables OptimizerBody::slots_of(const Variable& v) const {
  Variables out;
  for (size_t i : known(slots_, v, common_.name)) out.push_back(Variable(state_[i].get()));
  return out;
}

// Norms are those of each gradient, or of all together.
void OptimizerBody::clip(Tensors& gs) const {
  if (common_.clipvalue)
    for (Tensor& g : gs) g = tenure::clip(std::move(g), -*common_.clipvalue, *common_.clipvalue);
  if (common_.clipnorm) {
    for (Tensor& g : gs) {
      Tensor norm = sqrt(sum(square(g)));
      g = multiply(std::move(g), divide(*common_.clipnorm, maximum(std::move(norm), *common_.clipnorm)));
    }
  }
  if (common_.global_clipnorm && !gs.empty()) {
    Tensor total;
    for (const Tensor& g : gs) total = total.defined() ? add(std::move(total), sum(square(g))) : sum(square(g));
    Tensor scale = divide(*common_.global_clipnorm, maximum(sqrt(std::move(total)), *common_.global_clipnorm));
    for (Tensor& g : gs) {
      Tensor by = cast(scale, g.dtype());
      g = multiply(std::move(g), std::move(by));
    }
  }
}

void OptimizerBody::apply(const Tensors& gradients, const Variables& variables) {
  check(gradients.size() == variables.size(), Code::InvalidArgument, "optimizer {}: expected a gradient for each of {} variables, got {}",
        common_.name, variables.size(), gradients.size());
  if (!built_) build(variables);
  StopRecording no_tape;
  memory::Enter at(std::string_view("optimizer"));
  Tensors gs;
  Variables vs;
  for (size_t i = 0; i < variables.size(); ++i) {
    if (!gradients[i].defined()) continue;
    check(gradients[i].shape() == variables[i].shape(), Code::Shape, "optimizer {}: Variable {} is {}, its gradient {}", common_.name,
          variables[i].name(), variables[i].spec(), gradients[i].spec());
    gs.push_back(gradients[i].dtype() == variables[i].dtype() ? gradients[i] : cast(gradients[i], variables[i].dtype()));
    vs.push_back(variables[i]);
  }
  check(!vs.empty() || variables.empty(), Code::InvalidArgument, "optimizer {}: no variable has a gradient", common_.name);
  if (common_.loss_scale_factor)
    for (Tensor& g : gs) g = divide(std::move(g), *common_.loss_scale_factor);
  Tensor iteration = iterations().value();
  if (common_.gradient_accumulation_steps) accumulate(std::move(gs), vs, iteration);
  else step(std::move(gs), vs, iteration);
  if (common_.use_ema) average(variables, iteration);
  iterations().assign(add(std::move(iteration), 1));
}

// One update. `iteration` counts batches: schedules go by that, rules by updates.
void OptimizerBody::step(Tensors gs, const Variables& vs, const Tensor& iteration) {
  clip(gs);
  Tensor rate = common_.learning_rate.scheduled() ? common_.learning_rate.at(cast(iteration, float32)) : Variable(state_[1].get()).value();
  Tensors shared = begin(rate, cast(add(updates(iteration), 1), float32));
  double last = 0;
  Tensor decay;  // of the last variable that has one; nearly always that of all
  for (size_t i = 0; i < vs.size(); ++i) {
    Tensor w = vs[i].value();
    if (const double part = decay_of(vs[i]).value_or(0); part != 0) {
      if (part != last) decay = multiply(rate, last = part);
      w = subtract(w, multiply(w, cast(decay, w.dtype())));
    }
    Variables slots = slots_of(vs[i]);
    Variable v = vs[i];
    v.assign(update(std::move(w), std::move(gs[i]), shared, slots));
  }
}

// The update is made with every batch; all that it changed is set back but for the last of gradient_accumulation_steps.
void OptimizerBody::accumulate(Tensors gs, const Variables& vs, const Tensor& iteration) {
  const int64_t steps = *common_.gradient_accumulation_steps;
  const Tensor full_now = equal(mod(add(iteration, 1), steps), 0);
  Tensors means;
  for (size_t i = 0; i < vs.size(); ++i) {
    Variable sum = beside(sums_, vs[i]);
    Tensor all = add(std::move(gs[i]), sum.value());
    means.push_back(divide(all, static_cast<double>(steps)));
    sum.assign(where(full_now, zeros(all.shape(), all.dtype()), all));
  }
  Variables touched = vs;
  for (size_t i = first_slot_; i < state_.size(); ++i) touched.push_back(kept(i));
  change_where(full_now, std::move(touched), [&] { step(std::move(means), vs, iteration); });
}

void OptimizerBody::change_where(const Tensor& condition, Variables touched, const std::function<void()>& change) {
  Tensors before;
  for (const Variable& v : touched) before.push_back(v.value());
  change();
  for (size_t i = 0; i < touched.size(); ++i) touched[i].assign(where(condition, touched[i].value(), std::move(before[i])));
}

// How many updates came before the batch.
Tensor OptimizerBody::updates(const Tensor& iteration) const {
  return common_.gradient_accumulation_steps ? floor_divide(iteration, *common_.gradient_accumulation_steps) : iteration;
}

void OptimizerBody::average(const Variables& vs, const Tensor& iteration) {
  const Tensor before = updates(iteration);
  const Tensor keep = multiply(cast(not_equal(before, 0), float32), common_.ema_momentum);
  const Tensor now = common_.ema_overwrite_frequency ? equal(mod(add(before, 1), *common_.ema_overwrite_frequency), 0) : Tensor();
  for (Variable v : vs) {
    Variable mean = beside(averages_, v);
    const Tensor part = cast(keep, v.dtype()), w = v.value();
    Tensor next = add(multiply(part, mean.value()), multiply(subtract(1.0, part), w));
    mean.assign(next);
    if (now.defined()) v.assign(where(now, std::move(next), w));
  }
}

Tensor OptimizerBody::scaled(Tensor loss) const { return common_.loss_scale_factor ? multiply(std::move(loss), *common_.loss_scale_factor) : loss; }

void OptimizerBody::finalize(const Variables& variables) {
  if (!common_.use_ema || !built_) return;
  for (Variable v : variables) v.assign(beside(averages_, v).value());
}

Variable OptimizerBody::rate() const {
  check(!common_.learning_rate.scheduled(), Code::Unsupported, "optimizer {}: its learning rate follows a schedule and cannot be set", common_.name);
  return Variable(state_[1].get());
}

Variables OptimizerBody::variables() const {
  Variables out;
  for (const auto& s : state_) out.push_back(Variable(s.get()));
  return out;
}

void OptimizerBody::trace(memory::EdgeVisitor& v) const {
  for (size_t i = 0; i < state_.size(); ++i) v.edge(state_[i].get(), "state", static_cast<int64_t>(i));
}

Json OptimizerBody::config() const {
  nn::ConfigWriter w;
  w.out["name"] = common_.name;
  if (common_.learning_rate.scheduled()) w.out["learning_rate"] = nn::parse(common_.learning_rate.to_json(), "learning rate");
  else w.out["learning_rate"] = state_[1]->read().item<double>();
  OptimizerCommon shared = common_;
  shared_fields(w, shared);
  fields_of(w);
  return std::move(w.out);
}

Optimizer OptimizerBody::fresh() const { return Optimizer::from_json(nn::envelope("keras.optimizers", class_name(), config()).dump()); }

// ---- learning rates ---------------------------------------------------------------------------------------------------------------------

class LearningRate::Rule {
 public:
  virtual ~Rule() = default;
  virtual Tensor at(Tensor iteration) const = 0;
  virtual Json json() const = 0;
};

namespace schedules {

namespace {

// What decays by a rate, a part of it or all of it at each of decay_steps.
template <class C>
void rate_fields(Fields& v, C& c, const char* class_name) {
  v("initial_learning_rate", c.initial_learning_rate), v("decay_steps", c.decay_steps), v("decay_rate", c.decay_rate), v("staircase", c.staircase),
      v("name", c.name);
  check(c.decay_steps > 0, Code::InvalidArgument, "{}: expected decay_steps > 0, got {}", class_name, c.decay_steps);
}
template <class C>
Tensor periods(const C& c, Tensor iteration) {
  Tensor p = divide(std::move(iteration), static_cast<double>(c.decay_steps));
  return c.staircase ? floor(std::move(p)) : p;
}

}  // namespace

void fields(Fields& v, ExponentialDecay& c) { rate_fields(v, c, "ExponentialDecay"); }
Tensor at(const ExponentialDecay& c, Tensor iteration) {
  return multiply(power(full({}, c.decay_rate), periods(c, std::move(iteration))), c.initial_learning_rate);
}

void fields(Fields& v, PiecewiseConstantDecay& c) {
  v("boundaries", c.boundaries), v("values", c.values), v("name", c.name);
  check(!c.boundaries.empty() && c.boundaries.size() + 1 == c.values.size(), Code::InvalidArgument,
        "PiecewiseConstantDecay: expected one value more than boundaries, got {} and {}", c.values.size(), c.boundaries.size());
}
Tensor at(const PiecewiseConstantDecay& c, Tensor iteration) {
  Tensor rate = full({}, c.values.back());
  for (size_t i = c.boundaries.size(); i-- > 0;) rate = where(less_equal(iteration, c.boundaries[i]), c.values[i], std::move(rate));
  return rate;
}

void fields(Fields& v, PolynomialDecay& c) {
  v("initial_learning_rate", c.initial_learning_rate), v("decay_steps", c.decay_steps), v("end_learning_rate", c.end_learning_rate);
  v("power", c.power), v("cycle", c.cycle), v("name", c.name);
  check(c.decay_steps > 0, Code::InvalidArgument, "PolynomialDecay: expected decay_steps > 0, got {}", c.decay_steps);
}
Tensor at(const PolynomialDecay& c, Tensor iteration) {
  const auto steps = static_cast<double>(c.decay_steps);
  Tensor whole = full({}, steps);
  if (c.cycle) whole = multiply(maximum(ceil(divide(iteration, steps)), 1.0), steps);
  else iteration = minimum(std::move(iteration), steps);
  Tensor left = power(subtract(1.0, divide(std::move(iteration), std::move(whole))), c.power);
  return add(multiply(std::move(left), c.initial_learning_rate - c.end_learning_rate), c.end_learning_rate);
}

void fields(Fields& v, InverseTimeDecay& c) { rate_fields(v, c, "InverseTimeDecay"); }
Tensor at(const InverseTimeDecay& c, Tensor iteration) {
  return divide(full({}, c.initial_learning_rate), add(multiply(periods(c, std::move(iteration)), c.decay_rate), 1.0));
}

// (1 - alpha) factor (1 + cos(pi part)) / 2 + alpha.
Tensor half_cosine(Tensor part, double alpha, Tensor factor) {
  Tensor wave = multiply(add(cos(multiply(std::move(part), std::numbers::pi)), 1.0), 0.5 * (1 - alpha));
  return add(multiply(std::move(wave), std::move(factor)), alpha);
}

void fields(Fields& v, CosineDecay& c) {
  v("initial_learning_rate", c.initial_learning_rate), v("decay_steps", c.decay_steps), v("alpha", c.alpha), v("name", c.name);
  v("warmup_target", c.warmup_target), v("warmup_steps", c.warmup_steps);
  check(c.decay_steps > 0 && c.warmup_steps >= 0, Code::InvalidArgument, "CosineDecay: expected decay_steps > 0 and warmup_steps >= 0, got {} and {}",
        c.decay_steps, c.warmup_steps);
}
Tensor at(const CosineDecay& c, Tensor iteration) {
  const auto steps = static_cast<double>(c.decay_steps), warm = c.warmup_target ? static_cast<double>(c.warmup_steps) : 0;
  const double top = c.warmup_target.value_or(c.initial_learning_rate);
  iteration = minimum(std::move(iteration), steps + warm);
  Tensor after = multiply(half_cosine(divide(subtract(iteration, warm), steps), c.alpha, full({}, 1.0)), top);
  if (warm == 0) return after;
  Tensor rising = add(multiply(iteration, (top - c.initial_learning_rate) / warm), c.initial_learning_rate);
  return where(less(iteration, warm), std::move(rising), std::move(after));
}

void fields(Fields& v, CosineDecayRestarts& c) {
  v("initial_learning_rate", c.initial_learning_rate), v("first_decay_steps", c.first_decay_steps), v("t_mul", c.t_mul), v("m_mul", c.m_mul);
  v("alpha", c.alpha), v("name", c.name);
  check(c.first_decay_steps > 0 && c.t_mul > 0, Code::InvalidArgument,
        "CosineDecayRestarts: expected first_decay_steps > 0 and t_mul > 0, got {} and {}", c.first_decay_steps, c.t_mul);
}
Tensor at(const CosineDecayRestarts& c, Tensor iteration) {
  Tensor part = divide(std::move(iteration), static_cast<double>(c.first_decay_steps)), again;
  if (c.t_mul == 1) {
    again = floor(part);
    part = subtract(std::move(part), again);
  } else {
    again = floor(divide(log(subtract(1.0, multiply(part, 1 - c.t_mul))), full({}, std::log(c.t_mul))));
    const Tensor length = power(full({}, c.t_mul), again);
    part = divide(subtract(std::move(part), divide(subtract(1.0, length), 1 - c.t_mul)), length);
  }
  Tensor factor = power(full({}, c.m_mul), std::move(again));
  return multiply(half_cosine(std::move(part), c.alpha, std::move(factor)), c.initial_learning_rate);
}

template <class C>
class ScheduleOf final : public LearningRate::Rule {
 public:
  ScheduleOf(C c, const char* name) : config_(std::move(c)), name_(name) {}
  Tensor at(Tensor iteration) const override { return schedules::at(config_, std::move(iteration)); }
  Json json() const override { return nn::envelope("keras.optimizers.schedules", name_, nn::config_of(config_)); }

 private:
  C config_;
  const char* name_;
};

template <class C>
LearningRate of(const C& c, const char* name) {
  return LearningRate(std::make_shared<ScheduleOf<C>>(c, name));
}
ExponentialDecay::operator LearningRate() const { return of(*this, "ExponentialDecay"); }
PiecewiseConstantDecay::operator LearningRate() const { return of(*this, "PiecewiseConstantDecay"); }
PolynomialDecay::operator LearningRate() const { return of(*this, "PolynomialDecay"); }
InverseTimeDecay::operator LearningRate() const { return of(*this, "InverseTimeDecay"); }
CosineDecay::operator LearningRate() const { return of(*this, "CosineDecay"); }
CosineDecayRestarts::operator LearningRate() const { return of(*this, "CosineDecayRestarts"); }

namespace {

struct Class {
  const char* name;
  LearningRate (*make)(const Json& config, const char* name);
};
template <class C>
LearningRate make(const Json& config, const char* name) {
  return of(nn::config_from<C>(config, name), name);
}
constexpr Class classes[] = {
    {"ExponentialDecay", make<ExponentialDecay>}, {"PiecewiseConstantDecay", make<PiecewiseConstantDecay>},
    {"PolynomialDecay", make<PolynomialDecay>},   {"InverseTimeDecay", make<InverseTimeDecay>},
    {"CosineDecay", make<CosineDecay>},           {"CosineDecayRestarts", make<CosineDecayRestarts>},
};

}  // namespace

}  // namespace schedules

Tensor LearningRate::at(Tensor iteration) const { return schedule_ ? schedule_->at(std::move(iteration)) : full({}, rate_); }
std::string LearningRate::to_json() const { return schedule_ ? schedule_->json().dump() : Json(rate_).dump(); }
void LearningRate::from_json(const std::string& text) {
  Json j = nn::parse(text, "learning rate");
  if (j.is_number()) return *this = LearningRate(j.get<double>()), void();
  nn::Named n = nn::named_from(j, "a number or a learning rate schedule");
  std::string known;
  for (const auto& c : schedules::classes) {
    if (n.class_name == c.name) return *this = c.make(n.config, c.name), void();
    known += (known.empty() ? "" : ", ") + std::string(c.name);
  }
  fail(Code::Unsupported, "learning rate schedule: there is no '{}'; there are: {}", n.class_name, known);
}

// ---- the handle ---------------------------------------------------------------------------------------------------------------------------

namespace {
OptimizerBody& body_of(OptimizerBody* b) {
  check(b != nullptr, Code::InvalidArgument, "optimizer: this handle is empty (default-made or moved from)");
  return *b;
}
}  // namespace

Optimizer::Optimizer(OptimizerBody* body) noexcept : body_(body) {
  if (body_) body_->retain(memory::Counted::kUser);
}
Optimizer::Optimizer(const Optimizer& o) noexcept : Optimizer(o.body_) {}
Optimizer::~Optimizer() {
  if (body_) body_->release(memory::Counted::kUser);
}
Optimizer::Optimizer(std::string name) { *this = from_json(Json(name).dump()); }

void Optimizer::build(const Variables& variables) const { body_of(body_).build(variables); }
bool Optimizer::built() const { return body_of(body_).built(); }
void Optimizer::apply(const Tensors& gradients, const Variables& variables) const { body_of(body_).apply(gradients, variables); }
void Optimizer::finalize_variable_values(const Variables& variables) const { body_of(body_).finalize(variables); }
Variable Optimizer::learning_rate() const { return body_of(body_).rate(); }
Variable Optimizer::iterations() const { return body_of(body_).iterations(); }
Variables Optimizer::variables() const { return body_of(body_).variables(); }
std::string Optimizer::name() const { return body_of(body_).name(); }
std::string Optimizer::class_name() const { return body_of(body_).class_name(); }
std::string Optimizer::get_config() const { return body_of(body_).config().dump(); }
std::string Optimizer::to_json() const { return nn::envelope("keras.optimizers", class_name(), body_of(body_).config()).dump(); }

}  // namespace tenure

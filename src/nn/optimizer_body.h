// The counted body of an optimizer: owns its state (iteration, rate, slots), never the variables it updates.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <tenure/optimizers.h>

#include "core/variable_body.h"
#include "nn/config.h"

namespace tenure {

/// The options that all optimizers share.
struct OptimizerCommon {
  LearningRate learning_rate;
  std::optional<double> weight_decay = {}, clipnorm = {}, clipvalue = {}, global_clipnorm = {};
  bool use_ema = false;
  double ema_momentum = 0.99;
  std::optional<int64_t> ema_overwrite_frequency = {};
  std::optional<double> loss_scale_factor = {};
  std::optional<int64_t> gradient_accumulation_steps = {};
  std::string name;
};

/// Of an aggregate or of OptimizerCommon: what files say of them.
template <class C>
void shared_fields(Fields& v, C& c) {
  v("weight_decay", c.weight_decay), v("clipnorm", c.clipnorm), v("global_clipnorm", c.global_clipnorm), v("clipvalue", c.clipvalue);
  v("use_ema", c.use_ema), v("ema_momentum", c.ema_momentum), v("ema_overwrite_frequency", c.ema_overwrite_frequency);
  v("loss_scale_factor", c.loss_scale_factor), v("gradient_accumulation_steps", c.gradient_accumulation_steps);
}

class OptimizerBody : public memory::Counted {
 public:
  virtual void build(const Variables& variables);
  bool built() const noexcept { return built_; }
  virtual void apply(const Tensors& gradients, const Variables& variables);
  virtual Variable iterations() const { return Variable(state_[0].get()); }
  virtual Variable rate() const;
  virtual Variables variables() const;
  /// The loss whose gradients apply() takes.
  virtual Tensor scaled(Tensor loss) const;
  /// Averages become the values of `variables`, if averages are kept.
  virtual void finalize(const Variables& variables);
  /// What compile() was given: files say that.
  virtual const OptimizerBody& given() const { return *this; }
  /// The optimizer that this one is around, or none. Its variables are the last of this one's.
  virtual const OptimizerBody* inner() const { return nullptr; }
  std::string name() const { return common_.name; }
  virtual std::string class_name() const = 0;
  /// Keras' keys, with the present learning rate.
  virtual nn::Json config() const;
  /// A new one of the same configuration and the present rate, without other state.
  Optimizer fresh() const;

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override { return "Optimizer " + common_.name; }

 protected:
  explicit OptimizerBody(OptimizerCommon common);
  ~OptimizerBody() override = default;

  /// Names of the slots that each variable has, in groups: the state lists a group variable by variable, then the next group.
  using SlotGroups = std::vector<std::vector<const char*>>;
  virtual SlotGroups slots() const { return {}; }
  /// What a slot begins with; zeros if nothing else is said.
  virtual Tensor initial(const char* slot, const Variable& v) const;
  /// Makes all slots with add_slot(); those of slots() if nothing else is said.
  virtual void make_slots(const Variables& variables);
  static std::string slot_path(const Variable& v);
  /// `name` becomes a path below the optimizer's, unless it is `whole`.
  void add_slot(const Variable& v, const std::string& name, Tensor value, bool whole = false);
  /// How much of `v` goes in a step, times the rate.
  virtual std::optional<double> decay_of(const Variable&) const { return common_.weight_decay; }
  /// What all variables of a step share, made once: `rate` and `step` (1 at the first) are float32 of rank 0.
  virtual Tensors begin(Tensor rate, Tensor step) const = 0;
  /// The new value of `w` for gradient `g`. Slots are assigned here.
  virtual Tensor update(Tensor w, Tensor g, const Tensors& shared, Variables& slots) const = 0;
  virtual void fields_of(Fields& v) const = 0;
  /// A variable of the state; returns its place.
  size_t make(std::string name, Tensor value, bool whole = false);
  Variable kept(size_t place) const { return Variable(state_[place].get()); }
  /// Runs `change`; where `condition` (of rank 0) is false the variables have their values back.
  static void change_where(const Tensor& condition, Variables touched, const std::function<void()>& change);

 private:
  using Places = std::unordered_map<uint64_t, size_t>;  // by birth of the variable: into state_
  void clip(Tensors& gradients) const;
  void check_options() const;
  Variables slots_of(const Variable& v) const;
  Variable beside(const Places& places, const Variable& v) const;
  Places make_beside(const Variables& variables, const char* name);
  void step(Tensors gradients, const Variables& variables, const Tensor& iteration);
  void accumulate(Tensors gradients, const Variables& variables, const Tensor& iteration);
  void average(const Variables& variables, const Tensor& iteration);
  Tensor updates(const Tensor& iteration) const;

  OptimizerCommon common_;
  bool built_ = false;
  Places averages_, sums_;
  size_t first_slot_ = 0;                                    // in state_
  std::vector<memory::HeldOf<VariableBody>> state_;          // iteration, the rate unless scheduled, slots
  std::unordered_map<uint64_t, std::vector<size_t>> slots_;  // by birth of the variable: into state_
};

}  // namespace tenure

// Optimizers: what turns gradients into updates of Variables. Names, defaults, order of state and numbers are Keras'.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <tenure/fields.h>
#include <tenure/tensor.h>
#include <tenure/variable.h>

namespace tenure {

class OptimizerBody;  // internal

/// A number, or a function of the iteration (0 at the first step).
class TENURE_API LearningRate : public ConfigObject {
 public:
  class Rule;
  LearningRate(double rate = 0.001) : rate_(rate) {}
  explicit LearningRate(std::shared_ptr<const Rule> schedule) : schedule_(std::move(schedule)) {}
  bool scheduled() const noexcept { return schedule_ != nullptr; }
  double rate() const noexcept { return rate_; }
  /// The rate at an iteration given as float32.
  Tensor at(Tensor iteration) const;
  std::string to_json() const override;
  void from_json(const std::string& text) override;

 private:
  double rate_ = 0.001;
  std::shared_ptr<const Rule> schedule_;
};

namespace schedules {
/// initial · decay_rate ^ (step / decay_steps), with whole powers only when staircase.
struct TENURE_API ExponentialDecay {
  double initial_learning_rate;
  int64_t decay_steps;
  double decay_rate;
  bool staircase = false;
  std::string name = "ExponentialDecay";
  operator LearningRate() const;
};
}  // namespace schedules

/// A counted handle to an optimizer and its state. From Keras' name ("adam") or an aggregate of `optimizers`.
class TENURE_API Optimizer {
 public:
  Optimizer() noexcept = default;
  Optimizer(const char* name) : Optimizer(std::string(name)) {}
  /// Throws NotFound listing the known names.
  Optimizer(std::string name);
  Optimizer(const Optimizer& o) noexcept;
  Optimizer(Optimizer&& o) noexcept : body_(std::exchange(o.body_, nullptr)) {}
  Optimizer& operator=(Optimizer o) noexcept {
    std::swap(body_, o.body_);
    return *this;
  }
  ~Optimizer();

  /// Makes the state for these variables; apply() does so at its first call. Once only.
  void build(const Variables& variables) const;
  bool built() const;
  /// One update: gradients[i] of variables[i]; an empty gradient leaves its variable as it is. Eagerly, or as part of a trace.
  void apply(const Tensors& gradients, const Variables& variables) const;
  /// With use_ema each variable takes its average, as at the end of fit(); without it nothing happens.
  void finalize_variable_values(const Variables& variables) const;
  /// float32, rank 0. Assigning it takes effect in the next step, traced or not. Throws Unsupported where a schedule decides.
  Variable learning_rate() const;
  /// Steps taken, int64; with gradient_accumulation_steps the batches that were seen.
  Variable iterations() const;
  /// iteration, learning_rate (without a schedule), averages, sums of gradients, then the slots in Keras' order.
  Variables variables() const;
  std::string name() const;
  std::string class_name() const;
  /// Keras' get_config() as JSON text.
  std::string get_config() const;
  /// {"module", "class_name", "config", "registered_name"}
  std::string to_json() const;
  /// From such text or a name.
  static Optimizer from_json(const std::string& text);
  bool defined() const noexcept { return body_ != nullptr; }
  OptimizerBody* body() const noexcept { return body_; }
  explicit Optimizer(OptimizerBody* body) noexcept;  // adds a handle

 private:
  OptimizerBody* body_ = nullptr;
};

// What all of them share, beside the rule:
// - weight_decay: w -= rate * weight_decay * w before the update; of AdamW and its kin a part of the rule.
// - clipnorm, clipvalue, global_clipnorm: bounds for the norm of each gradient, for its elements, for the norm of all together. One of them only.
// - use_ema: beside every weight its moving average, average = ema_momentum * average + (1 - ema_momentum) * weight after each step, the weight itself
//   after the first. Every ema_overwrite_frequency steps, and at the end of fit(), the averages become the weights.
// - loss_scale_factor: the loss is multiplied by it and the gradients are divided by it.
// - gradient_accumulation_steps, 2 or more: gradients of so many batches are averaged for one update. `iterations` counts batches then.
namespace optimizers {

/// v = momentum · v - rate · g; w += v. weight_decay is decoupled: w -= rate · weight_decay · w first.
struct TENURE_API SGD {
  LearningRate learning_rate = 0.01;
  double momentum = 0;
  bool nesterov = false;
  std::optional<double> weight_decay = {}, clipnorm = {}, clipvalue = {}, global_clipnorm = {};
  bool use_ema = false;
  double ema_momentum = 0.99;
  std::optional<int64_t> ema_overwrite_frequency = {};
  std::optional<double> loss_scale_factor = {};
  std::optional<int64_t> gradient_accumulation_steps = {};
  std::string name = {};
  operator Optimizer() const;
};

struct TENURE_API RMSprop {
  LearningRate learning_rate = 0.001;
  double rho = 0.9, momentum = 0, epsilon = 1e-7;
  bool centered = false;
  std::optional<double> weight_decay = {}, clipnorm = {}, clipvalue = {}, global_clipnorm = {};
  bool use_ema = false;
  double ema_momentum = 0.99;
  std::optional<int64_t> ema_overwrite_frequency = {};
  std::optional<double> loss_scale_factor = {};
  std::optional<int64_t> gradient_accumulation_steps = {};
  std::string name = {};
  operator Optimizer() const;
};

/// Kingma and Ba 2014, with epsilon outside of the bias correction.
struct TENURE_API Adam {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  bool amsgrad = false;
  std::optional<double> weight_decay = {}, clipnorm = {}, clipvalue = {}, global_clipnorm = {};
  bool use_ema = false;
  double ema_momentum = 0.99;
  std::optional<int64_t> ema_overwrite_frequency = {};
  std::optional<double> loss_scale_factor = {};
  std::optional<int64_t> gradient_accumulation_steps = {};
  std::string name = {};
  operator Optimizer() const;
};

/// Loshchilov and Hutter 2017.
struct TENURE_API AdamW {
  LearningRate learning_rate = 0.001;
  std::optional<double> weight_decay = 0.004;
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  bool amsgrad = false;
  std::optional<double> clipnorm = {}, clipvalue = {}, global_clipnorm = {};
  bool use_ema = false;
  double ema_momentum = 0.99;
  std::optional<int64_t> ema_overwrite_frequency = {};
  std::optional<double> loss_scale_factor = {};
  std::optional<int64_t> gradient_accumulation_steps = {};
  std::string name = {};
  operator Optimizer() const;
};

}  // namespace optimizers
}  // namespace tenure

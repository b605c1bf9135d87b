// Learning rates by the iteration, beside ExponentialDecay of optimizers.h: names, defaults and numbers are Keras'.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenure/optimizers.h>

namespace tenure::schedules {

/// values[i] up to and with iteration boundaries[i], the last one behind all of them.
struct TENURE_API PiecewiseConstantDecay {
  std::vector<double> boundaries, values;
  std::string name = "PiecewiseConstant";
  operator LearningRate() const;
};

/// From the first rate to the end's by (1 - step / decay_steps) ^ power; with `cycle` decay_steps grows to its next multiple.
struct TENURE_API PolynomialDecay {
  double initial_learning_rate;
  int64_t decay_steps;
  double end_learning_rate = 0.0001, power = 1;
  bool cycle = false;
  std::string name = "PolynomialDecay";
  operator LearningRate() const;
};

/// initial / (1 + decay_rate step / decay_steps), with whole parts only when staircase.
struct TENURE_API InverseTimeDecay {
  double initial_learning_rate;
  int64_t decay_steps;
  double decay_rate;
  bool staircase = false;
  std::string name = "InverseTimeDecay";
  operator LearningRate() const;
};

/// Half a cosine down to alpha of the rate (Loshchilov and Hutter, 2016); before it, with a warmup_target, a line from the first rate to that one.
struct TENURE_API CosineDecay {
  double initial_learning_rate;
  int64_t decay_steps;
  double alpha = 0;
  std::string name = "CosineDecay";
  std::optional<double> warmup_target = {};
  int64_t warmup_steps = 0;
  operator LearningRate() const;
};

/// The same again and again, each time t_mul as long and from m_mul of the rate.
struct TENURE_API CosineDecayRestarts {
  double initial_learning_rate;
  int64_t first_decay_steps;
  double t_mul = 2, m_mul = 1, alpha = 0;
  std::string name = "SGDRDecay";
  operator LearningRate() const;
};

}  // namespace tenure::schedules

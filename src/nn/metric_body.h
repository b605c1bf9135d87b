// The counted body of a metric: owns its state.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tenure/metrics.h>

#include "core/variable_body.h"
#include "nn/config.h"

namespace tenure {

class MetricBody final : public memory::Counted {
 public:
  enum class Kind : uint8_t { mean, sum, function, accuracy };
  /// `json`: how it is written; a string for what was given by name.
  MetricBody(Kind kind, std::string name, Metric::Function f, nn::Json json);

  void update(Tensor a, Tensor b, Tensor weight);
  Tensor result() const;
  double value() const;
  void reset();
  const std::string& name() const noexcept { return name_; }
  Variables variables() const;
  const nn::Json& json() const noexcept { return json_; }
  /// A metric of this kind with state of its own.
  MetricBody* fresh() const;
  /// Chooses for "accuracy" by shapes; once.
  void choose(const Shape& y_true, const Shape& y_pred);
  /// What "accuracy" became.
  const char* chosen() const noexcept { return chosen_; }

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override { return "Metric " + name_; }

 private:
  ~MetricBody() override = default;
  void add(Tensor values, Tensor weight);

  Kind kind_;
  std::string name_;
  Metric::Function f_;
  const char* chosen_ = nullptr;
  nn::Json json_;
  memory::HeldOf<VariableBody> total_, count_;
};

}  // namespace tenure

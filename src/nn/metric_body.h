// The counted body of a metric: owns its state.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tenure/metrics.h>
#include <tenure/ops.h>

#include "core/variable_body.h"
#include "nn/config.h"

namespace tenure {

class MetricBody : public memory::Counted {
 public:
  /// (values, weight) or (y_true, y_pred, weight).
  virtual void update(Tensor a, Tensor b, Tensor weight) = 0;
  virtual Tensor result() const = 0;
  /// The result as a number; the mean of several.
  virtual double value() const;
  void reset();
  const std::string& name() const noexcept { return name_; }
  Variables variables() const;
  /// How it is written; a string for what was given by name.
  const nn::Json& json() const noexcept { return json_; }
  void write_as(nn::Json json) { json_ = std::move(json); }

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override { return "Metric " + name_; }

 protected:
  MetricBody(std::string name, nn::Json json);
  ~MetricBody() override = default;
  /// Zeros that updates add to. `label` is a literal.
  void add_state(const char* label, const Shape& shape, DType dtype = float32);
  size_t states() const noexcept { return states_.size(); }
  Variable state(size_t i) const { return Variable(states_[i].second.get()); }
  Tensor now(size_t i) const { return state(i).value(); }
  void grow(size_t i, Tensor by) const { state(i).assign(add(now(i), std::move(by))); }

 private:
  std::string name_;
  nn::Json json_;
  std::vector<std::pair<const char*, memory::HeldOf<VariableBody>>> states_;
};

namespace metrics {

/// Keras' envelope of a metric: {"name", "dtype"} and `fields`.
inline nn::Json written(const char* class_name, const std::string& name, const nn::Json& fields, const char* dtype = "float32") {
  nn::Json config{{"name", name}, {"dtype", dtype}};
  config.update(fields);
  return nn::envelope("keras.metrics", class_name, std::move(config));
}
/// The running mean of what `f` gives for (y_true, y_pred), one value a sample.
Metric averaged(const char* class_name, const std::string& name, Metric::Function f, const nn::Json& fields = nn::Json::object());

/// The metric of an aggregate C with `fields` beside it: {"name", "dtype"} and those.
template <class C>
class MetricOf : public MetricBody {
 public:
  explicit MetricOf(C c, const char* class_name, const char* dtype = "float32")
      : MetricBody(c.name, written(class_name, c.name, nn::config_of(c), dtype)), config(std::move(c)) {}

 protected:
  C config;
};

/// One of configuration `config`, by its aggregate.
template <class C>
Metric make(const char* class_name, const nn::Json& config) {
  C c{};
  nn::ConfigReader r(config, class_name);
  fields(r, c);
  r("name", c.name);
  r.ignore({"dtype"});
  r.finish();
  return c;
}
struct Class {
  const char* name;
  Metric (*make)(const char* class_name, const nn::Json& config);
};
/// Those of metrics_counting.cc and of metrics_more.cc.
std::span<const Class> counting_classes();
std::span<const Class> more_classes();

inline constexpr double kTiny = 1e-7;  ///< Keras' epsilon
inline Tensor as_float(Tensor x) { return x.dtype() == float32 ? x : cast(std::move(x), float32); }
inline Tensor numbers(const std::vector<double>& v) { return Tensor::from(std::vector<float>(v.begin(), v.end()), {static_cast<int64_t>(v.size())}); }

inline Metric handle(MetricBody* b) {
  memory::HeldOf<MetricBody> held(b);
  return Metric(b);
}

}  // namespace metrics

}  // namespace tenure

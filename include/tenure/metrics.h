// Metrics: running figures over batches. Their state is a few Variables, updated inside the train or test step.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include <tenure/tensor.h>
#include <tenure/variable.h>

namespace tenure {

class MetricBody;  // internal

/// A counted handle to a running figure. From Keras' name ("accuracy", "mae"), an aggregate of `metrics`, or a function (y_true, y_pred)
/// whose values are averaged. "accuracy" chooses by shapes at its first update: last size 1 binary, sizes equal categorical, else sparse.
class TENURE_API Metric {
 public:
  using Function = std::function<Tensor(Tensor y_true, Tensor y_pred)>;

  Metric() noexcept = default;
  Metric(const char* name) : Metric(std::string(name)) {}
  /// Throws NotFound listing the known names.
  Metric(std::string name);
  template <class F,
            class = std::enable_if_t < std::is_invocable_r_v<Tensor, F&, Tensor, Tensor> && !std::is_base_of_v<Metric, F> && !requires(const F& f) {
    f.operator Metric();
  }
  >> Metric(F f, std::string name) : Metric(Function(std::move(f)), std::move(name), 0) {}
  Metric(const Metric& o) noexcept;
  Metric(Metric&& o) noexcept : body_(std::exchange(o.body_, nullptr)) {}
  Metric& operator=(Metric o) noexcept {
    std::swap(body_, o.body_);
    return *this;
  }
  ~Metric();

  /// Metrics of values (Mean, Sum): (values, sample_weight). All others: (y_true, y_pred, sample_weight).
  void update_state(Tensor a, Tensor b = {}, Tensor sample_weight = {}) const;
  Tensor result() const;
  /// The result as a number, read on the host: no op runs.
  double value() const;
  void reset_state() const;
  const std::string& name() const;
  Variables variables() const;
  bool defined() const noexcept { return body_ != nullptr; }
  /// A string where it was made from one, else Keras' envelope.
  std::string to_json() const;
  /// From such text or a name.
  static Metric from_json(const std::string& text);
  MetricBody* body() const noexcept { return body_; }
  explicit Metric(MetricBody* body) noexcept;  // adds a handle

 private:
  Metric(Function f, std::string name, int);
  MetricBody* body_ = nullptr;
};

namespace metrics {
struct TENURE_API Mean {
  std::string name = "mean";
  operator Metric() const;
};
struct TENURE_API Sum {
  std::string name = "sum";
  operator Metric() const;
};
struct TENURE_API Accuracy {
  std::string name = "accuracy";
  operator Metric() const;
};
struct TENURE_API BinaryAccuracy {
  std::string name = "binary_accuracy";
  double threshold = 0.5;
  operator Metric() const;
};
struct TENURE_API CategoricalAccuracy {
  std::string name = "categorical_accuracy";
  operator Metric() const;
};
struct TENURE_API SparseCategoricalAccuracy {
  std::string name = "sparse_categorical_accuracy";
  operator Metric() const;
};
struct TENURE_API MeanSquaredError {
  std::string name = "mean_squared_error";
  operator Metric() const;
};
struct TENURE_API MeanAbsoluteError {
  std::string name = "mean_absolute_error";
  operator Metric() const;
};
struct TENURE_API BinaryCrossentropy {
  std::string name = "binary_crossentropy";
  bool from_logits = false;
  double label_smoothing = 0;
  operator Metric() const;
};
struct TENURE_API CategoricalCrossentropy {
  std::string name = "categorical_crossentropy";
  bool from_logits = false;
  double label_smoothing = 0;
  operator Metric() const;
};
struct TENURE_API SparseCategoricalCrossentropy {
  std::string name = "sparse_categorical_crossentropy";
  bool from_logits = false;
  operator Metric() const;
};
}  // namespace metrics

}  // namespace tenure

// Losses: functions of (y_true, y_pred) and the reducing objects that compile() takes. Names, defaults and numbers are Keras'.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include <tenure/fields.h>
#include <tenure/tensor.h>

namespace tenure {

/// A loss reduced to one number (reduction "none": one a sample). From Keras' name, an aggregate of `losses`, or a function that gives
/// one value a sample. Reduction sum_over_batch_size divides by the number of elements, whatever their weights.
class TENURE_API Loss : public ConfigObject {
 public:
  using Function = std::function<Tensor(Tensor y_true, Tensor y_pred)>;
  class Rule;

  Loss() = default;
  Loss(const char* name) : Loss(std::string(name)) {}
  /// Throws NotFound listing the known names.
  Loss(std::string name);
  template <class F,
            class = std::enable_if_t < std::is_invocable_r_v<Tensor, F&, Tensor, Tensor> && !std::is_base_of_v<Loss, F> && !requires(const F& f) {
    f.operator Loss();
  }
  >> Loss(F f, std::string name = "loss", std::string reduction = "sum_over_batch_size")
      : Loss(Function(std::move(f)), std::move(name), std::move(reduction), 0) {}
  explicit Loss(std::shared_ptr<const Rule> rule) : rule_(std::move(rule)) {}

  explicit operator bool() const noexcept { return rule_ != nullptr; }
  /// Targets are converted to the predictions' dtype; (n,) against (n,1) is aligned, not broadcast.
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  std::string name() const;
  /// Targets are class indices, one a sample.
  bool sparse() const;
  /// A string where it was made from one, else {"module", "class_name", "config", "registered_name"}.
  std::string to_json() const override;
  void from_json(const std::string& text) override;

 private:
  Loss(Function f, std::string name, std::string reduction, int);
  std::shared_ptr<const Rule> rule_;
};

namespace losses {

// One value a sample: the mean over the last axis.
TENURE_API Tensor mean_squared_error(Tensor y_true, Tensor y_pred);
TENURE_API Tensor mean_absolute_error(Tensor y_true, Tensor y_pred);
TENURE_API Tensor binary_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits = false, double label_smoothing = 0, int axis = -1);
TENURE_API Tensor categorical_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits = false, double label_smoothing = 0, int axis = -1);
/// Targets are class indices.
TENURE_API Tensor sparse_categorical_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits = false, std::optional<int64_t> ignore_class = {},
                                                  int axis = -1);

/// reduction: sum_over_batch_size, sum, mean, mean_with_sample_weight or none.
struct TENURE_API MeanSquaredError {
  std::string reduction = "sum_over_batch_size", name = "mean_squared_error";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
struct TENURE_API MeanAbsoluteError {
  std::string reduction = "sum_over_batch_size", name = "mean_absolute_error";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
struct TENURE_API BinaryCrossentropy {
  bool from_logits = false;
  double label_smoothing = 0;
  int axis = -1;
  std::string reduction = "sum_over_batch_size", name = "binary_crossentropy";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
struct TENURE_API CategoricalCrossentropy {
  bool from_logits = false;
  double label_smoothing = 0;
  int axis = -1;
  std::string reduction = "sum_over_batch_size", name = "categorical_crossentropy";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
struct TENURE_API SparseCategoricalCrossentropy {
  bool from_logits = false;
  std::optional<int64_t> ignore_class = {};
  std::string reduction = "sum_over_batch_size";
  int axis = -1;
  std::string name = "sparse_categorical_crossentropy";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};

}  // namespace losses
}  // namespace tenure

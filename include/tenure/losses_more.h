// More losses, beside those of losses.h: names, defaults and numbers are Keras'. Each gives one value a sample, reduced as `reduction` says.
#pragma once

#include <optional>
#include <string>

#include <tenure/layer_values.h>
#include <tenure/losses.h>

namespace tenure::losses {

/// Cross entropy times (1 - the probability of what is true) ^ gamma; with balancing times alpha for 1 and 1 - alpha for 0 (Lin et al., 2017).
struct TENURE_API BinaryFocalCrossentropy {
  bool apply_class_balancing = false;
  double alpha = 0.25, gamma = 2;
  bool from_logits = false;
  double label_smoothing = 0;
  int axis = -1;
  std::string reduction = "sum_over_batch_size", name = "binary_focal_crossentropy";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// alpha (1 - p) ^ gamma times the cross entropy of one-hot targets.
struct TENURE_API CategoricalFocalCrossentropy {
  double alpha = 0.25, gamma = 2;
  bool from_logits = false;
  double label_smoothing = 0;
  int axis = -1;
  std::string reduction = "sum_over_batch_size", name = "categorical_focal_crossentropy";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// (1 - p ^ q) / q of the probability p of the class that the integer target names; q in (0, 1) (Zhang and Sabuncu, 2018).
struct TENURE_API CategoricalGeneralizedCrossEntropy {
  double q = 0.5;
  std::string reduction = "sum_over_batch_size", name = "categorical_generalized_cross_entropy";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// max(0, 1 + the largest prediction of a wrong class - the right one's).
struct TENURE_API CategoricalHinge {
  std::string reduction = "sum_over_batch_size", name = "categorical_hinge";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// Of embeddings [batch, size] of length 1 and integer labels [batch] (Sun et al., 2020). What costs nothing does not count in the mean.
struct TENURE_API Circle {
  double gamma = 80, margin = 0.4;
  bool remove_diagonal = true;
  std::string reduction = "sum_over_batch_size", name = "circle";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// The negated cosine of the angle between the two.
struct TENURE_API CosineSimilarity {
  int axis = -1;
  std::string reduction = "sum_over_batch_size", name = "cosine_similarity";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// ctc_loss of integer targets [batch, labels], 0 behind their end, and logits [batch, steps, classes].
struct TENURE_API CTC {
  std::string reduction = "sum_over_batch_size", name = "ctc";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// 1 - 2 |both| / (|target| + |prediction|), summed over the axes (all without any).
struct TENURE_API Dice {
  std::string reduction = "sum_over_batch_size", name = "dice";
  std::optional<AxisList> axis = {};
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// max(0, 1 - y_true y_pred) with targets -1 or 1; of targets that are all 0 or 1, 0 stands for -1.
struct TENURE_API Hinge {
  std::string reduction = "sum_over_batch_size", name = "hinge";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// Half of the squared error up to delta, linear beyond.
struct TENURE_API Huber {
  double delta = 1;
  std::string reduction = "sum_over_batch_size", name = "huber_loss";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// sum of y_true log(y_true / y_pred) over the last axis.
struct TENURE_API KLDivergence {
  std::string reduction = "sum_over_batch_size", name = "kl_divergence";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// log(cosh(error)).
struct TENURE_API LogCosh {
  std::string reduction = "sum_over_batch_size", name = "log_cosh";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// 100 |error| / |y_true|.
struct TENURE_API MeanAbsolutePercentageError {
  std::string reduction = "sum_over_batch_size", name = "mean_absolute_percentage_error";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// (log(1 + y_pred) - log(1 + y_true))².
struct TENURE_API MeanSquaredLogarithmicError {
  std::string reduction = "sum_over_batch_size", name = "mean_squared_logarithmic_error";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// y_pred - y_true log(y_pred).
struct TENURE_API Poisson {
  std::string reduction = "sum_over_batch_size", name = "poisson";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// The square of Hinge's values.
struct TENURE_API SquaredHinge {
  std::string reduction = "sum_over_batch_size", name = "squared_hinge";
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};
/// 1 - |both| / (|both| + alpha |missed| + beta |wrongly found|), summed over the axes (all without any).
struct TENURE_API Tversky {
  double alpha = 0.5, beta = 0.5;
  std::string reduction = "sum_over_batch_size", name = "tversky";
  std::optional<AxisList> axis = {};
  Tensor operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight = {}) const;
  operator Loss() const;
};

}  // namespace tenure::losses

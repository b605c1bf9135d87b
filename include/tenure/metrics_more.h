// More metrics, beside those of metrics.h: names, defaults and numbers are Keras'. Given to compile(), or used by themselves as a Metric.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenure/metrics.h>

namespace tenure::metrics {

/// Numbers in [0, 1]; one or several. Of none, 0.5.
using Thresholds = std::optional<std::vector<double>>;

// ---- counts by threshold: a prediction above it says yes. Scalars for one threshold, else vectors.

struct TENURE_API TruePositives {
  Thresholds thresholds = {};
  std::string name = "true_positives";
  operator Metric() const;
};
struct TENURE_API TrueNegatives {
  Thresholds thresholds = {};
  std::string name = "true_negatives";
  operator Metric() const;
};
struct TENURE_API FalsePositives {
  Thresholds thresholds = {};
  std::string name = "false_positives";
  operator Metric() const;
};
struct TENURE_API FalseNegatives {
  Thresholds thresholds = {};
  std::string name = "false_negatives";
  operator Metric() const;
};
/// Right among those that say yes. Of the last axis only the greatest top_k count, and only the class class_id, where these are given.
struct TENURE_API Precision {
  Thresholds thresholds = {};
  std::optional<int64_t> top_k = {}, class_id = {};
  std::string name = "precision";
  operator Metric() const;
};
/// Those that say yes among the true.
struct TENURE_API Recall {
  Thresholds thresholds = {};
  std::optional<int64_t> top_k = {}, class_id = {};
  std::string name = "recall";
  operator Metric() const;
};

// ---- the best of one figure where another is reached, over num_thresholds thresholds in [0, 1]

struct TENURE_API SensitivityAtSpecificity {
  double specificity = 0.5;
  int64_t num_thresholds = 200;
  std::optional<int64_t> class_id = {};
  std::string name = "sensitivity_at_specificity";
  operator Metric() const;
};
struct TENURE_API SpecificityAtSensitivity {
  double sensitivity = 0.5;
  int64_t num_thresholds = 200;
  std::optional<int64_t> class_id = {};
  std::string name = "specificity_at_sensitivity";
  operator Metric() const;
};
struct TENURE_API PrecisionAtRecall {
  double recall = 0.5;
  int64_t num_thresholds = 200;
  std::optional<int64_t> class_id = {};
  std::string name = "precision_at_recall";
  operator Metric() const;
};
struct TENURE_API RecallAtPrecision {
  double precision = 0.5;
  int64_t num_thresholds = 200;
  std::optional<int64_t> class_id = {};
  std::string name = "recall_at_precision";
  operator Metric() const;
};

/// The area under a curve: "ROC", "PR" or "PRGAIN"; summed by "interpolation", "minoring" or "majoring". multi_label: one area a column of
/// predictions [batch, labels], averaged.
struct TENURE_API AUC {
  int64_t num_thresholds = 200;
  std::string curve = "ROC", summation_method = "interpolation", name = "auc";
  Thresholds thresholds = {};  ///< inner ones, in place of num_thresholds even ones
  bool multi_label = false;
  std::optional<int64_t> num_labels = {};
  std::optional<std::vector<double>> label_weights = {};
  bool from_logits = false;
  operator Metric() const;
};

// ---- intersection over union of classes; integers, or scores whose greatest counts (sparse_y_true, sparse_y_pred false). Weights are cut to integers.

struct TENURE_API IoU {
  int64_t num_classes = 0;
  std::vector<int64_t> target_class_ids = {};
  std::string name = "io_u";
  std::optional<int64_t> ignore_class = {};
  bool sparse_y_true = true, sparse_y_pred = true;
  int axis = -1;
  operator Metric() const;
};
/// Of scores at a threshold.
struct TENURE_API BinaryIoU {
  std::vector<int64_t> target_class_ids = {0, 1};
  double threshold = 0.5;
  std::string name = "binary_io_u";
  operator Metric() const;
};
struct TENURE_API MeanIoU {
  int64_t num_classes = 0;
  std::string name = "mean_io_u";
  std::optional<int64_t> ignore_class = {};
  bool sparse_y_true = true, sparse_y_pred = true;
  int axis = -1;
  operator Metric() const;
};
struct TENURE_API OneHotIoU {
  int64_t num_classes = 0;
  std::vector<int64_t> target_class_ids = {};
  std::string name = "one_hot_io_u";
  std::optional<int64_t> ignore_class = {};
  bool sparse_y_pred = false;
  int axis = -1;
  operator Metric() const;
};
struct TENURE_API OneHotMeanIoU {
  int64_t num_classes = 0;
  std::string name = "one_hot_mean_io_u";
  std::optional<int64_t> ignore_class = {};
  bool sparse_y_pred = false;
  int axis = -1;
  operator Metric() const;
};

/// (1 + beta²) precision · recall / (beta² precision + recall) of predictions [batch, classes]: those above the threshold, or the greatest. average:
/// none (a vector), "micro", "macro" or "weighted".
struct TENURE_API FBetaScore {
  std::optional<std::string> average = {};
  double beta = 1;
  std::optional<double> threshold = {};
  std::string name = "fbeta_score";
  operator Metric() const;
};
struct TENURE_API F1Score {
  std::optional<std::string> average = {};
  std::optional<double> threshold = {};
  std::string name = "f1_score";
  operator Metric() const;
};
/// 1 - residual / variance of predictions [batch, outputs]. class_aggregation: none (a vector), "uniform_average" or "variance_weighted_average".
struct TENURE_API R2Score {
  std::optional<std::string> class_aggregation = "uniform_average";
  int64_t num_regressors = 0;  ///< for the adjusted score
  std::string name = "r2_score";
  operator Metric() const;
};

// ---- averages of functions

struct TENURE_API TopKCategoricalAccuracy {
  int64_t k = 5;
  std::string name = "top_k_categorical_accuracy";
  operator Metric() const;
};
struct TENURE_API SparseTopKCategoricalAccuracy {
  int64_t k = 5;
  std::string name = "sparse_top_k_categorical_accuracy";
  bool from_sorted_ids = false;
  operator Metric() const;
};
struct TENURE_API PearsonCorrelation {
  std::string name = "pearson_correlation";
  int axis = -1;
  operator Metric() const;
};
struct TENURE_API ConcordanceCorrelation {
  std::string name = "concordance_correlation";
  int axis = -1;
  operator Metric() const;
};

}  // namespace tenure::metrics

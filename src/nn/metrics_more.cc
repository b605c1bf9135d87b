// Metrics of overlap, scores with more state than a mean, and averages of functions: one block each. Updates are ops, as in metrics_counting.cc.
#include <tenure/metrics_more.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <tenure/ops_numpy.h>

#include "core/context.h"
#include "nn/losses.h"
#include "nn/metric_body.h"

namespace tenure::metrics {

// ---- intersection over union ----------------------------------------------------------------------------------------------------------

/// How labels are read.
struct Overlap {
  int64_t classes;
  std::vector<int64_t> targets;
  std::optional<int64_t> ignored = {};
  bool sparse_true = true, sparse_pred = true;
  int axis = -1;
  std::optional<double> threshold = {};
};

template <class C>
class IoUBody final : public MetricOf<C> {
 public:
  IoUBody(C c, const char* class_name, Overlap o) : MetricOf<C>(std::move(c), class_name, "int32"), o_(std::move(o)) {
    check(o_.classes > 0, Code::InvalidArgument, "{}: expected num_classes > 0, got {}", class_name, o_.classes);
    for (const int64_t t : o_.targets)
      check(t >= 0 && t < o_.classes, Code::InvalidArgument, "{}: expected target_class_ids in [0, {}), got {}", class_name, o_.classes, t);
    this->add_state("total_confusion_matrix", {o_.classes, o_.classes}, int32);
  }
  void update(Tensor t, Tensor p, Tensor w) override {
    memory::Enter at(std::string_view("metric"));
    check(p.defined(), Code::InvalidArgument, "metric {}: expected targets and predictions", this->name());
    if (o_.threshold) p = greater_equal(as_float(std::move(p)), *o_.threshold);
    if (!o_.sparse_true) t = argmax(std::move(t), o_.axis);
    if (!o_.sparse_pred) p = argmax(std::move(p), o_.axis);
    t = reshape(cast(std::move(t), int32), {-1}), p = reshape(cast(std::move(p), int32), {-1});
    w = w.defined() ? broadcast_to(reshape(cast(std::move(w), int32), {-1}), t.shape()) : ones(t.shape(), int32);
    const auto inside = [&](const Tensor& x) { return logical_and(greater_equal(x, 0), less(x, o_.classes)); };
    Tensor counts = logical_and(inside(t), inside(p));
    if (o_.ignored) counts = logical_and(std::move(counts), not_equal(t, *o_.ignored));
    Tensor ids = where(std::move(counts), add(multiply(std::move(t), o_.classes), std::move(p)), -1);
    Tensor matrix = segment_sum(std::move(w), std::move(ids), o_.classes * o_.classes);
    this->grow(0, reshape(std::move(matrix), {o_.classes, o_.classes}));
  }
  Tensor result() const override {
    Tensor m = cast(this->now(0), float32), hit = diagonal(m);
    Tensor all = subtract(add(sum(m, {0}), sum(m, {1})), hit);
    const Tensor chosen = Tensor::from(o_.targets, {static_cast<int64_t>(o_.targets.size())});
    hit = take(std::move(hit), chosen, 0), all = take(std::move(all), chosen, 0);
    Tensor present = greater(all, 1e-9);
    Tensor each = where(present, divide(std::move(hit), add(std::move(all), kTiny)), 0.0);
    return divide(sum(std::move(each)), add(sum(cast(std::move(present), float32)), kTiny));
  }

 private:
  Overlap o_;
};
std::vector<int64_t> every(int64_t n) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < n; ++i) all.push_back(i);
  return all;
}

void fields(Fields& v, IoU& c) {
  v("num_classes", c.num_classes), v("target_class_ids", c.target_class_ids), v("ignore_class", c.ignore_class);
  v("sparse_y_true", c.sparse_y_true), v("sparse_y_pred", c.sparse_y_pred), v("axis", c.axis);
}
IoU::operator Metric() const {
  return handle(new IoUBody(*this, "IoU", {num_classes, target_class_ids, ignore_class, sparse_y_true, sparse_y_pred, axis}));
}
void fields(Fields& v, BinaryIoU& c) { v("target_class_ids", c.target_class_ids), v("threshold", c.threshold); }
BinaryIoU::operator Metric() const {
  return handle(new IoUBody(*this, "BinaryIoU", {.classes = 2, .targets = target_class_ids, .threshold = threshold}));
}
void fields(Fields& v, MeanIoU& c) {
  v("num_classes", c.num_classes), v("ignore_class", c.ignore_class), v("sparse_y_true", c.sparse_y_true), v("sparse_y_pred", c.sparse_y_pred);
  v("axis", c.axis);
}
MeanIoU::operator Metric() const {
  return handle(new IoUBody(*this, "MeanIoU", {num_classes, every(num_classes), ignore_class, sparse_y_true, sparse_y_pred, axis}));
}
void fields(Fields& v, OneHotIoU& c) {
  v("num_classes", c.num_classes), v("target_class_ids", c.target_class_ids), v("ignore_class", c.ignore_class);
  v("sparse_y_pred", c.sparse_y_pred), v("axis", c.axis);
}
OneHotIoU::operator Metric() const {
  return handle(new IoUBody(*this, "OneHotIoU", {num_classes, target_class_ids, ignore_class, false, sparse_y_pred, axis}));
}
void fields(Fields& v, OneHotMeanIoU& c) {
  v("num_classes", c.num_classes), v("ignore_class", c.ignore_class), v("sparse_y_pred", c.sparse_y_pred), v("axis", c.axis);
}
OneHotMeanIoU::operator Metric() const {
  return handle(new IoUBody(*this, "OneHotMeanIoU", {num_classes, every(num_classes), ignore_class, false, sparse_y_pred, axis}));
}

// ---- FBetaScore -----------------------------------------------------------------------------------------------------------------------

template <class C>
void score_fields(Fields& v, C& c, const char* metric) {
  v("average", c.average), v("threshold", c.threshold);
  check(!c.average || *c.average == "micro" || *c.average == "macro" || *c.average == "weighted", Code::InvalidArgument,
        "{}: expected average null, micro, macro or weighted, got '{}'", metric, c.average.value_or(""));
  check(!c.threshold || (*c.threshold > 0 && *c.threshold <= 1), Code::InvalidArgument, "{}: expected threshold in (0, 1], got {}", metric,
        c.threshold.value_or(0));
}

template <class C>
class ScoreBody final : public MetricOf<C> {
 public:
  ScoreBody(C c, const char* class_name, double beta) : MetricOf<C>(std::move(c), class_name), beta_(beta * beta) {
    check(beta > 0, Code::InvalidArgument, "{}: expected beta > 0, got {}", class_name, beta);
  }
  void update(Tensor t, Tensor p, Tensor w) override {
    memory::Enter at(std::string_view("metric"));
    check(p.defined() && t.rank() == 2 && p.rank() == 2, Code::Shape, "metric {}: expected targets and predictions [batch, classes], got {} and {}",
          this->name(), t.spec(), p.defined() ? p.shape() : Shape{});
    const bool micro = this->config.average == "micro";
    if (!this->states())
      for (const char* label : {"true_positives", "false_positives", "false_negatives", "intermediate_weights"})
        this->add_state(label, micro ? Shape{} : Shape{p.dim(1)});
    t = as_float(std::move(t)), p = as_float(std::move(p));
    Tensor yes =
        this->config.threshold ? greater(p, *this->config.threshold) : logical_and(greater_equal(p, max(p, {-1}, true)), greater(abs(p), 1e-9));
    Tensor said = cast(std::move(yes), float32);
    if (w.defined()) w = expand_dims(as_float(std::move(w)), 1);
    const auto total = [&](Tensor x) {
      if (w.defined()) x = multiply(std::move(x), w);
      return micro ? sum(std::move(x)) : sum(std::move(x), {0});
    };
    this->grow(0, total(multiply(said, t)));
    this->grow(1, total(multiply(said, subtract(1.0, t))));
    this->grow(2, total(multiply(subtract(1.0, said), t)));
    this->grow(3, total(t));
  }
  Tensor result() const override {
    if (!this->states()) return zeros({});
    const auto share = [&](size_t other) { return divide(this->now(0), add(add(this->now(0), this->now(other)), kTiny)); };
    Tensor precision = share(1), recall = share(2);
    Tensor score = multiply(divide(multiply(precision, recall), add(add(multiply(precision, beta_), recall), kTiny)), 1 + beta_);
    if (!this->config.average) return score;
    if (this->config.average != "weighted") return mean(std::move(score));
    return sum(multiply(std::move(score), divide(this->now(3), add(sum(this->now(3)), kTiny))));
  }

 private:
  double beta_;
};
void fields(Fields& v, FBetaScore& c) { score_fields(v, c, "FBetaScore"), v("beta", c.beta); }
FBetaScore::operator Metric() const { return handle(new ScoreBody(*this, "FBetaScore", beta)); }
void fields(Fields& v, F1Score& c) { score_fields(v, c, "F1Score"); }
F1Score::operator Metric() const { return handle(new ScoreBody(*this, "F1Score", 1)); }

// ---- R2Score --------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, R2Score& c) {
  v("class_aggregation", c.class_aggregation), v("num_regressors", c.num_regressors);
  check(!c.class_aggregation || *c.class_aggregation == "uniform_average" || *c.class_aggregation == "variance_weighted_average",
        Code::InvalidArgument, "R2Score: expected class_aggregation null, uniform_average or variance_weighted_average, got '{}'",
        c.class_aggregation.value_or(""));
  check(c.num_regressors >= 0, Code::InvalidArgument, "R2Score: expected num_regressors >= 0, got {}", c.num_regressors);
}

class R2ScoreBody final : public MetricOf<R2Score> {
 public:
  explicit R2ScoreBody(const R2Score& c) : MetricOf(c, "R2Score") { add_state("num_samples", {}); }
  void update(Tensor t, Tensor p, Tensor w) override {
    memory::Enter at(std::string_view("metric"));
    check(p.defined(), Code::InvalidArgument, "metric {}: expected targets and predictions", name());
    auto [truth, said] = nn::same_rank(as_float(std::move(t)), as_float(std::move(p)));
    check(truth.rank() == 2, Code::Shape, "metric {}: expected predictions [batch, outputs], got {}", name(), said.spec());
    if (states() == 1)
      for (const char* label : {"squared_sum", "sum", "residual", "count"}) add_state(label, {truth.dim(1)});
    Tensor weight = w.defined() ? as_float(std::move(w)) : ones(truth.shape());
    if (weight.rank() == 1) weight = expand_dims(std::move(weight), 1);
    weight = broadcast_to(std::move(weight), truth.shape());
    Tensor weighted = multiply(truth, weight);
    const double size = static_cast<double>(truth.size());
    grow(0, size);
    grow(1, sum(multiply(truth, weighted), {0}));
    grow(2, sum(std::move(weighted), {0}));
    grow(3, sum(multiply(square(subtract(truth, said)), weight), {0}));
    grow(4, sum(std::move(weight), {0}));
  }
  Tensor result() const override {
    if (states() == 1) return zeros({});
    Tensor total = subtract(now(1), multiply(now(2), divide(now(2), now(4))));
    Tensor raw = subtract(1.0, divide(now(3), total));
    raw = where(isinf(raw), 0.0, raw);
    Tensor score = raw;
    if (config.class_aggregation == "uniform_average") score = mean(std::move(raw));
    else if (config.class_aggregation) score = divide(sum(multiply(total, std::move(raw))), sum(total));
    if (config.num_regressors == 0) return score;
    // Where there are no more samples than regressors, the plain score.
    Tensor n = now(0), rest = subtract(subtract(n, static_cast<double>(config.num_regressors)), 1.0), enough = greater(rest, 0.0);
    Tensor adjusted = subtract(1.0, divide(multiply(subtract(1.0, score), subtract(std::move(n), 1.0)), where(enough, rest, 1.0)));
    return where(std::move(enough), std::move(adjusted), std::move(score));
  }
};
R2Score::operator Metric() const { return handle(new R2ScoreBody(*this)); }

// ---- averages of functions ------------------------------------------------------------------------------------------------------------

/// Scores [n, classes] and classes [n].
std::pair<Tensor, Tensor> in_rows(Tensor t, Tensor p) {
  const int64_t classes = p.shape().back();
  return {reshape(cast(std::move(t), int32), {-1}), reshape(as_float(std::move(p)), {-1, classes})};
}

void fields(Fields& v, TopKCategoricalAccuracy& c) { v("k", c.k); }
TopKCategoricalAccuracy::operator Metric() const {
  return averaged(
      "TopKCategoricalAccuracy", name,
      [n = k](Tensor t, Tensor p) {
        t = argmax(std::move(t), -1);
        const Shape shape = t.shape();
        auto [truth, scores] = in_rows(std::move(t), std::move(p));
        return reshape(cast(in_top_k(truth, scores, n), float32), shape);
      },
      nn::config_of(*this));
}

void fields(Fields& v, SparseTopKCategoricalAccuracy& c) { v("k", c.k), v("from_sorted_ids", c.from_sorted_ids); }
SparseTopKCategoricalAccuracy::operator Metric() const {
  return averaged(
      "SparseTopKCategoricalAccuracy", name,
      [n = k, ids = from_sorted_ids](Tensor t, Tensor p) {
        const Shape shape = t.shape();
        auto [truth, scores] = in_rows(std::move(t), std::move(p));
        Tensor hit = ids ? any(equal(expand_dims(cast(truth, float32), 1), slice_axis(scores, 1, 0, n)), {1}) : in_top_k(truth, scores, n);
        return reshape(cast(std::move(hit), float32), shape);
      },
      nn::config_of(*this));
}

void fields(Fields& v, PearsonCorrelation& c) { v("axis", c.axis); }
PearsonCorrelation::operator Metric() const {
  return averaged(
      "PearsonCorrelation", name,
      [a = axis](Tensor t, Tensor p) {
        auto [truth, said] = nn::same_rank(as_float(std::move(t)), as_float(std::move(p)));
        const auto normal = [&](Tensor x) {
          x = subtract(x, mean(x, {a}, true));
          return divide(x, std(x, {a}, true));
        };
        return mean(multiply(normal(truth), normal(said)), {a});
      },
      nn::config_of(*this));
}

void fields(Fields& v, ConcordanceCorrelation& c) { v("axis", c.axis); }
ConcordanceCorrelation::operator Metric() const {
  return averaged(
      "ConcordanceCorrelation", name,
      [a = axis](Tensor t, Tensor p) {
        auto [truth, said] = nn::same_rank(as_float(std::move(t)), as_float(std::move(p)));
        Tensor of_truth = mean(truth, {a}, true), of_said = mean(said, {a}, true);
        Tensor both = multiply(subtract(truth, of_said), subtract(said, of_said));  // as Keras has it
        Tensor norm = add(add(var(truth, {a}, true), var(said, {a}, true)), square(subtract(of_truth, of_said)));
        return mean(divide(multiply(std::move(both), 2.0), add(std::move(norm), kTiny)), {a});
      },
      nn::config_of(*this));
}

// ---- by name --------------------------------------------------------------------------------------------------------------------------

namespace {
constexpr Class more_table[] = {{"BinaryIoU", make<BinaryIoU>},
                                {"ConcordanceCorrelation", make<ConcordanceCorrelation>},
                                {"F1Score", make<F1Score>},
                                {"FBetaScore", make<FBetaScore>},
                                {"IoU", make<IoU>},
                                {"MeanIoU", make<MeanIoU>},
                                {"OneHotIoU", make<OneHotIoU>},
                                {"OneHotMeanIoU", make<OneHotMeanIoU>},
                                {"PearsonCorrelation", make<PearsonCorrelation>},
                                {"R2Score", make<R2Score>},
                                {"SparseTopKCategoricalAccuracy", make<SparseTopKCategoricalAccuracy>},
                                {"TopKCategoricalAccuracy", make<TopKCategoricalAccuracy>}};
}
std::span<const Class> more_classes() { return more_table; }

}  // namespace tenure::metrics

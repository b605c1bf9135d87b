// Metrics of what is right and wrong by threshold, one block each. Updates are ops, so that they are part of a traced step.
#include <tenure/metrics_more.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <tenure/ops_numpy.h>

#include "core/context.h"
#include "nn/losses.h"
#include "nn/metric_body.h"

namespace tenure::metrics {
namespace {

constexpr double kNever = -1e10;  // a score that no threshold is below

void visit_thresholds(Fields& v, const char* metric, Thresholds& t) {
  v("thresholds", t);
  for (const double one : t.value_or(std::vector<double>{}))
    check(one >= 0 && one <= 1, Code::InvalidArgument, "{}: expected thresholds in [0, 1], got {}", metric, one);
}

/// `n` numbers from 0 to 1.
std::vector<double> even(int64_t n) {
  std::vector<double> t;
  for (int64_t i = 0; i < n; ++i) t.push_back(n == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(n - 1));
  return t;
}
bool is_even(const std::vector<double>& t) {
  if (t.size() < 3) return false;
  const std::vector<double> want = even(static_cast<int64_t>(t.size()));
  for (size_t i = 0; i < t.size(); ++i)
    if (std::fabs(t[i] - want[i]) > 1e-7 + 1e-5 * std::fabs(want[i])) return false;
  return true;
}

// ---- counts by threshold --------------------------------------------------------------------------------------------------------------

/// The places of the four counts among what an update adds, [thresholds] or [thresholds, labels] each.
enum Count : uint8_t { kTp, kFp, kTn, kFn };

/// How predictions become counts.
struct Counting {
  std::vector<double> thresholds;  ///< rising
  std::optional<int64_t> top_k = {}, class_id = {};
  bool by_label = false;
  std::vector<double> label_weights = {};
};

/// Only the greatest k of the last axis keep their score.
Tensor greatest(Tensor p, int64_t k) {
  Tensor among = sum(one_hot(top_k(p, k)[1], p.shape().back()), {-2});
  return add(multiply(std::move(p), among), multiply(subtract(1.0, among), kNever));
}

/// Sums of `x` [n, labels] over the predictions that pass each threshold, by sorting them into the spaces between even ones.
Tensor passed(const Tensor& x, const Tensor& place, int64_t thresholds) {
  const int64_t labels = x.dim(1);
  Tensor ids = where(less(place, 0), -1, add(place, multiply(arange(0, static_cast<double>(labels), 1, int32), thresholds)));
  Tensor in_each = segment_sum(reshape(x, {-1}), reshape(std::move(ids), {-1}), labels * thresholds);
  Tensor falling = flip(cumsum(flip(reshape(std::move(in_each), {labels, thresholds}), {1}), 1), {1});
  return transpose(std::move(falling));
}

Tensors count(const Counting& how, Tensor t, Tensor p, Tensor w) {
  auto [truth, said] = nn::same_rank(as_float(std::move(t)), as_float(std::move(p)));
  if (w.defined()) {
    // One a sample, or already one a prediction.
    auto [same, weight] = nn::same_rank(truth, expand_dims(as_float(std::move(w)), -1), false);
    w = weight;
  }
  if (how.top_k) said = greatest(std::move(said), *how.top_k);
  if (how.class_id) {
    check(said.rank() >= 2, Code::Shape, "metric: class_id wants predictions [batch, classes], got {}", said.spec());
    said = slice_axis(std::move(said), -1, *how.class_id, *how.class_id + 1);
    truth = slice_axis(std::move(truth), -1, *how.class_id, *how.class_id + 1);
  }
  Tensor weight = w.defined() ? broadcast_to(std::move(w), said.shape()) : ones(said.shape());
  if (!how.label_weights.empty()) weight = multiply(std::move(weight), numbers(how.label_weights));
  const Shape rows = how.by_label ? Shape{-1, said.shape().back()} : Shape{-1, 1};
  said = reshape(std::move(said), rows), truth = reshape(std::move(truth), rows), weight = reshape(as_float(std::move(weight)), rows);
  Tensor is_true = not_equal(std::move(truth), 0.0);
  Tensor yes = where(is_true, weight, 0.0), no = where(is_true, 0.0, weight);

  const auto n = static_cast<int64_t>(how.thresholds.size());
  std::vector<double> inner = how.thresholds;
  inner.front() = std::max(inner.front(), 0.0), inner.back() = std::min(inner.back(), 1.0);
  Tensor tp, fp;
  if (is_even(inner)) {
    Tensor place = subtract(ceil(multiply(clip(std::move(said), 0, 1), static_cast<double>(n - 1))), 1.0);
    if (how.thresholds.front() < 0) place = maximum(std::move(place), 0.0);
    place = cast(std::move(place), int32);
    tp = passed(yes, place, n), fp = passed(no, place, n);
  } else {
    Tensor over = greater(expand_dims(std::move(said), 0), reshape(numbers(how.thresholds), {n, 1, 1}));
    const auto passing = [&](const Tensor& x) { return sum(where(over, expand_dims(x, 0), 0.0), {1}); };
    tp = passing(yes), fp = passing(no);
  }
  Tensor fn = subtract(sum(std::move(yes), {0}, true), tp), tn = subtract(sum(std::move(no), {0}, true), fp);
  Tensors counts{std::move(tp), std::move(fp), std::move(tn), std::move(fn)};
  if (!how.by_label)
    for (Tensor& c : counts) c = squeeze(std::move(c), {-1});
  return counts;
}

/// A metric whose state is some of the four counts.
template <class C>
class CountingBody : public MetricOf<C> {
 public:
  CountingBody(C c, const char* class_name, Counting how, std::vector<Count> kept)
      : MetricOf<C>(std::move(c), class_name), how_(std::move(how)), kept_(std::move(kept)) {}

  void update(Tensor t, Tensor p, Tensor w) override {
    memory::Enter at(std::string_view("metric"));
    check(p.defined(), Code::InvalidArgument, "metric {}: expected targets and predictions", this->name());
    make_states(p.shape());
    Tensors counts = count(how_, std::move(t), std::move(p), std::move(w));
    for (size_t i = 0; i < kept_.size(); ++i) this->grow(i, std::move(counts[kept_[i]]));
  }

 protected:
  /// Once, when labels are known.
  void make_states(const Shape& predictions) {
    if (this->states()) return;
    Shape s{static_cast<int64_t>(how_.thresholds.size())};
    if (how_.by_label) {
      check(predictions.rank() == 2, Code::Shape, "metric {}: expected predictions [batch, labels], got {}", this->name(), predictions);
      s.push_back(predictions[1]);
    }
    constexpr const char* labels[] = {"true_positives", "false_positives", "true_negatives", "false_negatives"};
    for (const Count k : kept_) this->add_state(kept_.size() == 1 ? "accumulator" : labels[k], s);
  }
  /// Of one threshold a scalar.
  Tensor figure(Tensor x) const { return how_.thresholds.size() == 1 ? squeeze(std::move(x), {0}) : x; }
  bool made() const { return this->states() > 0; }

  Counting how_;
  std::vector<Count> kept_;
};

std::vector<double> sorted(const Thresholds& t, double otherwise = 0.5) {
  std::vector<double> all = t.value_or(std::vector<double>{otherwise});
  check(!all.empty(), Code::InvalidArgument, "metric: expected one threshold or more, got none");
  return all;
}

template <class C>
class CountBody final : public CountingBody<C> {
 public:
  CountBody(C c, const char* class_name, Count which) : CountingBody<C>(c, class_name, {.thresholds = sorted(c.thresholds)}, {which}) {
    this->make_states({});
  }
  Tensor result() const override { return this->figure(this->now(0)); }
};

/// Part over part and other.
template <class C>
class ShareBody final : public CountingBody<C> {
 public:
  ShareBody(C c, const char* class_name, Count other)
      : CountingBody<C>(c, class_name, {.thresholds = sorted(c.thresholds, c.top_k ? kNever : 0.5), .top_k = c.top_k, .class_id = c.class_id},
                        {kTp, other}) {
    this->make_states({});
  }
  Tensor result() const override { return this->figure(divide_no_nan(this->now(0), add(this->now(0), this->now(1)))); }
};

/// The greatest of one share where another reaches a value.
template <class C>
class BestBody final : public CountingBody<C> {
 public:
  enum Share : uint8_t { sensitivity, specificity, precision };
  BestBody(C c, const char* class_name, double least, Share limited, Share wanted)
      : CountingBody<C>(c, class_name, {.thresholds = even(c.num_thresholds), .class_id = c.class_id}, {kTp, kFp, kTn, kFn}),
        least_(least),
        limited_(limited),
        wanted_(wanted) {
    this->make_states({});
  }
  Tensor result() const override {
    const auto share = [&](Share s) {
      const size_t part = s == specificity ? kTn : kTp, other = s == sensitivity ? kFn : kFp;
      return divide_no_nan(this->now(part), add(this->now(part), this->now(other)));
    };
    return maximum(max(where(greater_equal(share(limited_), least_), share(wanted_), 0.0)), 0.0);
  }

 private:
  double least_;
  Share limited_, wanted_;
};

template <class C>
void best_fields(Fields& v, C& c, const char* metric, const char* key, double& value) {
  v("class_id", c.class_id), v("num_thresholds", c.num_thresholds), v(key, value);
  check(c.num_thresholds > 0, Code::InvalidArgument, "{}: expected num_thresholds > 0, got {}", metric, c.num_thresholds);
  check(value >= 0 && value <= 1, Code::InvalidArgument, "{}: expected {} in [0, 1], got {}", metric, key, value);
}

}  // namespace

void fields(Fields& v, TruePositives& c) { visit_thresholds(v, "TruePositives", c.thresholds); }
TruePositives::operator Metric() const { return handle(new CountBody(*this, "TruePositives", kTp)); }
void fields(Fields& v, TrueNegatives& c) { visit_thresholds(v, "TrueNegatives", c.thresholds); }
TrueNegatives::operator Metric() const { return handle(new CountBody(*this, "TrueNegatives", kTn)); }
void fields(Fields& v, FalsePositives& c) { visit_thresholds(v, "FalsePositives", c.thresholds); }
FalsePositives::operator Metric() const { return handle(new CountBody(*this, "FalsePositives", kFp)); }
void fields(Fields& v, FalseNegatives& c) { visit_thresholds(v, "FalseNegatives", c.thresholds); }
FalseNegatives::operator Metric() const { return handle(new CountBody(*this, "FalseNegatives", kFn)); }

void fields(Fields& v, Precision& c) { visit_thresholds(v, "Precision", c.thresholds), v("top_k", c.top_k), v("class_id", c.class_id); }
Precision::operator Metric() const { return handle(new ShareBody(*this, "Precision", kFp)); }
void fields(Fields& v, Recall& c) { visit_thresholds(v, "Recall", c.thresholds), v("top_k", c.top_k), v("class_id", c.class_id); }
Recall::operator Metric() const { return handle(new ShareBody(*this, "Recall", kFn)); }

void fields(Fields& v, SensitivityAtSpecificity& c) { best_fields(v, c, "SensitivityAtSpecificity", "specificity", c.specificity); }
SensitivityAtSpecificity::operator Metric() const {
  using B = BestBody<SensitivityAtSpecificity>;
  return handle(new B(*this, "SensitivityAtSpecificity", specificity, B::specificity, B::sensitivity));
}
void fields(Fields& v, SpecificityAtSensitivity& c) { best_fields(v, c, "SpecificityAtSensitivity", "sensitivity", c.sensitivity); }
SpecificityAtSensitivity::operator Metric() const {
  using B = BestBody<SpecificityAtSensitivity>;
  return handle(new B(*this, "SpecificityAtSensitivity", sensitivity, B::sensitivity, B::specificity));
}
void fields(Fields& v, PrecisionAtRecall& c) { best_fields(v, c, "PrecisionAtRecall", "recall", c.recall); }
PrecisionAtRecall::operator Metric() const {
  using B = BestBody<PrecisionAtRecall>;
  return handle(new B(*this, "PrecisionAtRecall", recall, B::sensitivity, B::precision));
}
void fields(Fields& v, RecallAtPrecision& c) { best_fields(v, c, "RecallAtPrecision", "precision", c.precision); }
RecallAtPrecision::operator Metric() const {
  using B = BestBody<RecallAtPrecision>;
  return handle(new B(*this, "RecallAtPrecision", precision, B::precision, B::sensitivity));
}

// ---- AUC ------------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, AUC& c) {
  v("num_thresholds", c.num_thresholds), v("curve", c.curve), v("summation_method", c.summation_method);
  v("multi_label", c.multi_label), v("num_labels", c.num_labels), v("label_weights", c.label_weights), v("from_logits", c.from_logits);
  visit_thresholds(v, "AUC", c.thresholds);
  const auto one_of = [](const char* key, std::string& text, std::initializer_list<const char*> names) {
    for (const char* n : names) {
      std::string lower = n, given = text;
      for (std::string* s : {&lower, &given})
        std::transform(s->begin(), s->end(), s->begin(), [](unsigned char l) { return static_cast<char>(std::tolower(l)); });
      if (lower == given) return void(text = n);
    }
    fail(Code::InvalidArgument, "AUC: expected {} among {}, got '{}'", key, fmt::join(names, ", "), text);
  };
  one_of("curve", c.curve, {"ROC", "PR", "PRGAIN"});
  one_of("summation_method", c.summation_method, {"interpolation", "minoring", "majoring"});
  check(c.num_thresholds > 1, Code::InvalidArgument, "AUC: expected num_thresholds > 1, got {}", c.num_thresholds);
  check(c.multi_label || !c.num_labels, Code::InvalidArgument, "AUC: num_labels is for multi_label only");
}

class AUCBody final : public CountingBody<AUC> {
 public:
  explicit AUCBody(const AUC& c)
      : CountingBody(c, "AUC",
                     {.thresholds = thresholds_of(c),
                      .by_label = c.multi_label,
                      .label_weights = c.multi_label ? std::vector<double>{} : c.label_weights.value_or(std::vector<double>{})},
                     {kTp, kFp, kTn, kFn}) {
    if (!c.multi_label || c.num_labels) make_states({-1, c.num_labels.value_or(0)});
  }
  void update(Tensor t, Tensor p, Tensor w) override {
    CountingBody::update(std::move(t), config.from_logits ? sigmoid(as_float(std::move(p))) : std::move(p), std::move(w));
  }
  Tensor result() const override {
    if (!made()) return zeros({});
    Tensor tp = now(0), fp = now(1), tn = now(2), fn = now(3), x, y;
    if (config.curve == "PR" && config.summation_method == "interpolation") return joined(precision_recall(tp, fp, fn));
    Tensor recall = divide_no_nan(tp, add(tp, fn));
    if (config.curve == "ROC") {
      x = divide_no_nan(fp, add(fp, tn)), y = std::move(recall);
    } else if (config.curve == "PR") {
      x = std::move(recall), y = divide_no_nan(tp, add(tp, fp));
    } else {
      Tensor scale = divide_no_nan(add(tp, fn), add(tn, fp)), none = equal(tp, 0.0);
      const auto gain = [&](const Tensor& wrong, double otherwise) {
        return where(none, otherwise, subtract(1.0, multiply(scale, divide_no_nan(wrong, tp))));
      };
      x = maximum(gain(fn, 0), 0.0), y = gain(fp, 1);
    }
    Tensor a = before(y), b = after(y);
    Tensor height = config.summation_method == "interpolation" ? divide(add(a, b), 2.0)
                    : config.summation_method == "minoring"    ? minimum(a, b)
                                                               : maximum(a, b);
    return joined(multiply(subtract(before(x), after(x)), std::move(height)));
  }

 private:
  // A little outside of [0, 1] at the ends.
  static std::vector<double> thresholds_of(const AUC& c) {
    std::vector<double> t = even(c.num_thresholds);
    if (c.thresholds) {
      t = *c.thresholds;
      std::sort(t.begin(), t.end());
      t.insert(t.begin(), 0.0), t.push_back(1.0);
    }
    t.front() -= kTiny, t.back() += kTiny;
    return t;
  }
  static Tensor before(const Tensor& x) { return slice_axis(x, 0, 0, x.dim(0) - 1); }
  static Tensor after(const Tensor& x) { return slice_axis(x, 0, 1); }
  // Davis and Goadrich, The relationship between precision-recall and ROC curves, 2006.
  static Tensor precision_recall(const Tensor& tp, const Tensor& fp, const Tensor& fn) {
    Tensor p = add(tp, fp), p0 = before(p), p1 = after(p), dtp = subtract(before(tp), after(tp));
    Tensor slope = divide_no_nan(dtp, maximum(subtract(p0, p1), 0.0)), intercept = subtract(after(tp), multiply(slope, p1));
    Tensor ratio = where(logical_and(greater(p0, 0.0), greater(p1, 0.0)), divide_no_nan(p0, maximum(p1, 0.0)), 1.0);
    Tensor part = multiply(std::move(slope), add(std::move(dtp), multiply(std::move(intercept), log(std::move(ratio)))));
    return divide_no_nan(std::move(part), maximum(add(after(tp), after(fn)), 0.0));
  }
  Tensor joined(Tensor parts) const {
    if (!config.multi_label) return sum(std::move(parts));
    Tensor by_label = sum(std::move(parts), {0});
    if (!config.label_weights) return mean(std::move(by_label));
    Tensor w = numbers(*config.label_weights);
    return divide_no_nan(sum(multiply(std::move(by_label), w)), sum(w));
  }
};
AUC::operator Metric() const { return handle(new AUCBody(*this)); }

// ---- by name --------------------------------------------------------------------------------------------------------------------------

namespace {
constexpr Class counting_table[] = {{"AUC", make<AUC>},
                                    {"FalseNegatives", make<FalseNegatives>},
                                    {"FalsePositives", make<FalsePositives>},
                                    {"Precision", make<Precision>},
                                    {"PrecisionAtRecall", make<PrecisionAtRecall>},
                                    {"Recall", make<Recall>},
                                    {"RecallAtPrecision", make<RecallAtPrecision>},
                                    {"SensitivityAtSpecificity", make<SensitivityAtSpecificity>},
                                    {"SpecificityAtSensitivity", make<SpecificityAtSensitivity>},
                                    {"TrueNegatives", make<TrueNegatives>},
                                    {"TruePositives", make<TruePositives>}};
}
std::span<const Class> counting_classes() { return counting_table; }

}  // namespace tenure::metrics

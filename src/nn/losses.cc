// Losses: one block each. A Loss owns its immutable, shared rule; no rule owns tensors.
#include "nn/losses.h"

#include <tenure/layer.h>
#include <tenure/losses.h>
#include <tenure/losses_more.h>
#include <tenure/ops.h>
#include <tenure/ops_ctc.h>
#include <tenure/ops_nn.h>

#include <cmath>
#include <tuple>

#include "core/context.h"
#include "nn/layer_body.h"

namespace tenure {

using nn::Json;

namespace nn {

std::pair<Tensor, Tensor> same_rank(Tensor a, Tensor b, bool expand_rank_1) {
  auto fit = [&](Tensor& high, Tensor& low) {
    if (high.rank() != low.rank() + 1 || high.shape().back() != 1) return;
    if (low.rank() == 1 && expand_rank_1) low = expand_dims(std::move(low), -1);
    else high = squeeze(std::move(high), {-1});
  };
  fit(a, b);
  fit(b, a);
  return {std::move(a), std::move(b)};
}

}  // namespace nn

// ---- functions --------------------------------------------------------------------------------------------------------------------

namespace losses {

namespace {

// Targets in the predictions' dtype and rank.
std::pair<Tensor, Tensor> aligned(Tensor y_true, Tensor y_pred) {
  if (!is_float(y_pred.dtype())) y_pred = cast(std::move(y_pred), float32);
  if (y_true.dtype() != y_pred.dtype()) y_true = cast(std::move(y_true), y_pred.dtype());
  return nn::same_rank(std::move(y_true), std::move(y_pred));
}

// A step's logits in place of the softmax or sigmoid that they went into.
void seek_logits(Tensor& y_pred, bool& from_logits) {
  if (!nn_context.logits) return;
  if (Tensor x = nn_context.logits->of(y_pred); x.defined()) y_pred = std::move(x), from_logits = true;
}

}  // namespace

Tensor mean_squared_error(Tensor y_true, Tensor y_pred) {
  auto [t, p] = aligned(std::move(y_true), std::move(y_pred));
  return mean(square(subtract(std::move(t), std::move(p))), {-1});
}

Tensor mean_absolute_error(Tensor y_true, Tensor y_pred) {
  auto [t, p] = aligned(std::move(y_true), std::move(y_pred));
  return mean(abs(subtract(std::move(t), std::move(p))), {-1});
}

Tensor binary_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits, double label_smoothing, int axis) {
  seek_logits(y_pred, from_logits);
  auto [t, p] = aligned(std::move(y_true), std::move(y_pred));
  if (label_smoothing != 0) t = add(multiply(std::move(t), 1 - label_smoothing), 0.5 * label_smoothing);
  return mean(tenure::binary_crossentropy(std::move(t), std::move(p), from_logits), {axis});
}

Tensor categorical_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits, double label_smoothing, int axis) {
  seek_logits(y_pred, from_logits);
  auto [t, p] = aligned(std::move(y_true), std::move(y_pred));
  if (label_smoothing != 0) {
    auto classes = static_cast<double>(p.shape().dim(axis));
    t = add(multiply(std::move(t), 1 - label_smoothing), label_smoothing / classes);
  }
  return tenure::categorical_crossentropy(std::move(t), std::move(p), from_logits, axis);
}

Tensor sparse_categorical_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits, std::optional<int64_t> ignore_class, int axis) {
  seek_logits(y_pred, from_logits);
  if (!is_integer(y_true.dtype())) y_true = cast(std::move(y_true), int32);
  if (y_true.rank() == y_pred.rank() && y_true.rank() > 0 && y_true.shape().back() == 1) y_true = squeeze(std::move(y_true), {-1});
  if (!ignore_class) return tenure::sparse_categorical_crossentropy(std::move(y_true), std::move(y_pred), from_logits, axis);
  // Samples of the ignored class cost nothing, whatever their predictions.
  Tensor valid = not_equal(y_true, cast(Tensor(static_cast<double>(*ignore_class)), y_true.dtype()));
  y_true = multiply(y_true, cast(valid, y_true.dtype()));
  Tensor loss = tenure::sparse_categorical_crossentropy(std::move(y_true), std::move(y_pred), from_logits, axis);
  return where(std::move(valid), std::move(loss), 0.0);
}

}  // namespace losses

// ---- rules --------------------------------------------------------------------------------------------------------------------------

class Loss::Rule {
 public:
  virtual ~Rule() = default;
  /// One value a sample.
  virtual Tensor values(Tensor y_true, Tensor y_pred) const = 0;
  /// Where `values` counts, or empty: everywhere.
  virtual Tensor mask(const Tensor&) const { return {}; }
  /// Which of the values count, or empty: all.
  virtual Tensor counted(const Tensor&) const { return {}; }
  virtual Json json() const = 0;
  std::string name, reduction;
  bool by_name = false, sparse = false;
};

namespace {

constexpr double kEpsilon = 1e-7;

void check_reduction(const std::string& r) {
  check(r == "sum_over_batch_size" || r == "sum" || r == "mean" || r == "mean_with_sample_weight" || r == "none", Code::InvalidArgument,
        "loss: expected reduction sum_over_batch_size, sum, mean, mean_with_sample_weight or none, got '{}'", r);
}

// total / count, 0 where nothing is counted.
Tensor divide_no_nan(Tensor total, Tensor count) {
  Tensor none = equal(count, 0.0);
  return where(none, 0.0, divide(std::move(total), where(none, 1.0, std::move(count))));
}

Tensor reduced(Tensor values, Tensor weight, Tensor mask, const std::string& reduction) {
  bool mean = reduction != "sum" && reduction != "none";
  if (mask.defined()) {
    // The mean over what is kept: kept samples are scaled up by what is left out.
    mask = cast(std::move(mask), values.dtype());
    if (mean && reduction != "mean_with_sample_weight") mask = multiply(mask, divide(static_cast<double>(mask.size()), add(sum(mask), kEpsilon)));
    if (weight.defined()) {
      auto [w, m] = nn::same_rank(cast(std::move(weight), values.dtype()), std::move(mask));
      weight = multiply(std::move(w), std::move(m));
    } else {
      weight = std::move(mask);
    }
  }
  if (weight.defined()) {
    if (weight.dtype() != values.dtype()) weight = cast(std::move(weight), values.dtype());
    auto [v, w] = nn::same_rank(std::move(values), std::move(weight), false);
    values = multiply(std::move(v), w);
    weight = std::move(w);
  }
  if (reduction == "none" || values.rank() == 0) return values;
  auto count = static_cast<double>(values.size());
  Tensor total = sum(std::move(values));
  if (!mean) return total;
  if (reduction == "mean_with_sample_weight" && weight.defined()) return divide_no_nan(std::move(total), sum(std::move(weight)));
  return count == 0 ? total : divide(std::move(total), count);
}

// A rule of an aggregate C with `fields` and `values_of` beside it.
template <class C>
class LossOf final : public Loss::Rule {
 public:
  LossOf(C c, const char* class_name) : config_(std::move(c)), class_(class_name) {
    check_reduction(config_.reduction);
    name = config_.name, reduction = config_.reduction;
    sparse = std::is_same_v<C, losses::SparseCategoricalCrossentropy>;
  }
  Tensor values(Tensor t, Tensor p) const override { return values_of(config_, std::move(t), std::move(p)); }
  Tensor mask(const Tensor& t) const override {
    if constexpr (requires { config_.ignore_class; }) {
      if (!config_.ignore_class) return {};
      Tensor labels = is_integer(t.dtype()) ? t : cast(t, int32);
      return not_equal(labels, cast(Tensor(static_cast<double>(*config_.ignore_class)), labels.dtype()));
    } else {
      return {};
    }
  }
  Tensor counted(const Tensor& values) const override {
    if constexpr (requires { config_.remove_diagonal; }) return greater(values, 0.0);
    else return {};
  }
  Json json() const override {
    Json config{{"name", name}, {"reduction", reduction}};
    config.update(nn::config_of(config_));
    return nn::envelope("keras.losses", class_, std::move(config));
  }

 private:
  C config_;
  const char* class_;
};

class FunctionLoss final : public Loss::Rule {
 public:
  explicit FunctionLoss(Loss::Function f) : f_(std::move(f)) {}
  Tensor values(Tensor t, Tensor p) const override { return f_(std::move(t), std::move(p)); }
  Json json() const override { return nn::envelope("builtins", "function", name); }

 private:
  Loss::Function f_;
};

}  // namespace

namespace losses {

void fields(Fields&, MeanSquaredError&) {}
Tensor values_of(const MeanSquaredError&, Tensor t, Tensor p) { return mean_squared_error(std::move(t), std::move(p)); }

void fields(Fields&, MeanAbsoluteError&) {}
Tensor values_of(const MeanAbsoluteError&, Tensor t, Tensor p) { return mean_absolute_error(std::move(t), std::move(p)); }

void fields(Fields& v, BinaryCrossentropy& c) { v("from_logits", c.from_logits), v("label_smoothing", c.label_smoothing), v("axis", c.axis); }
Tensor values_of(const BinaryCrossentropy& c, Tensor t, Tensor p) {
  return binary_crossentropy(std::move(t), std::move(p), c.from_logits, c.label_smoothing, c.axis);
}

void fields(Fields& v, CategoricalCrossentropy& c) { v("from_logits", c.from_logits), v("label_smoothing", c.label_smoothing), v("axis", c.axis); }
Tensor values_of(const CategoricalCrossentropy& c, Tensor t, Tensor p) {
  return categorical_crossentropy(std::move(t), std::move(p), c.from_logits, c.label_smoothing, c.axis);
}

void fields(Fields& v, SparseCategoricalCrossentropy& c) { v("from_logits", c.from_logits), v("ignore_class", c.ignore_class), v("axis", c.axis); }
Tensor values_of(const SparseCategoricalCrossentropy& c, Tensor t, Tensor p) {
  return sparse_categorical_crossentropy(std::move(t), std::move(p), c.from_logits, c.ignore_class, c.axis);
}

// ---- more losses (losses_more.h) ------------------------------------------------------------------------------------------------------

namespace {

// The targets in the predictions' dtype, which is a float.
std::pair<Tensor, Tensor> floats_of(Tensor t, Tensor p) {
  if (!is_float(p.dtype())) p = cast(std::move(p), float32);
  return {cast(std::move(t), p.dtype()), std::move(p)};
}
void visit_axis(Fields& v, std::optional<AxisList>& axis) {
  if (!v.present("axis", axis.has_value())) return axis.reset();
  if (!axis) axis.emplace(-1);
  v("axis", *axis);
}
Axes axes_of(const std::optional<AxisList>& axis) { return axis ? Axes(axis->axes.begin(), axis->axes.end()) : Axes{}; }
Tensor smoothed(Tensor t, double by, double classes) { return by == 0 ? t : add(multiply(std::move(t), 1 - by), by / classes); }
// How far predictions are from the right side of the margin. Targets that are all 0 or 1 become -1 and 1.
Tensor hinges(Tensor t, Tensor p) {
  std::tie(t, p) = floats_of(std::move(t), std::move(p));
  const Tensor binary = all(logical_or(equal(t, 0.0), equal(t, 1.0)));
  t = where(binary, subtract(multiply(t, 2.0), 1.0), t);
  return maximum(subtract(1.0, multiply(std::move(t), std::move(p))), 0.0);
}

}  // namespace

void fields(Fields& v, BinaryFocalCrossentropy& c) {
  v("from_logits", c.from_logits), v("label_smoothing", c.label_smoothing), v("axis", c.axis);
  v("apply_class_balancing", c.apply_class_balancing), v("alpha", c.alpha), v("gamma", c.gamma);
}
Tensor values_of(const BinaryFocalCrossentropy& c, Tensor y, Tensor y_pred) {
  auto [t, p] = floats_of(std::move(y), std::move(y_pred));
  t = smoothed(std::move(t), c.label_smoothing, 2);
  if (c.from_logits) p = sigmoid(std::move(p));
  const Tensor right = add(multiply(t, p), multiply(subtract(1.0, t), subtract(1.0, p)));
  Tensor loss = multiply(power(subtract(1.0, right), c.gamma), tenure::binary_crossentropy(t, std::move(p), false));
  if (c.apply_class_balancing) loss = multiply(add(multiply(t, c.alpha), multiply(subtract(1.0, t), 1 - c.alpha)), std::move(loss));
  return mean(std::move(loss), {c.axis});
}

void fields(Fields& v, CategoricalFocalCrossentropy& c) {
  v("from_logits", c.from_logits), v("label_smoothing", c.label_smoothing), v("axis", c.axis), v("alpha", c.alpha), v("gamma", c.gamma);
}
Tensor values_of(const CategoricalFocalCrossentropy& c, Tensor y, Tensor y_pred) {
  auto [t, p] = floats_of(std::move(y), std::move(y_pred));
  const auto classes = static_cast<double>(t.shape().dim(-1));
  t = smoothed(std::move(t), c.label_smoothing, classes);
  if (c.from_logits) p = softmax(std::move(p), c.axis);
  p = clip(divide(p, sum(p, {c.axis}, true)), kEpsilon, 1 - kEpsilon);
  Tensor factor = multiply(power(subtract(1.0, p), c.gamma), c.alpha);
  return negative(sum(multiply(std::move(factor), multiply(std::move(t), log(std::move(p)))), {c.axis}));
}

void fields(Fields& v, CategoricalGeneralizedCrossEntropy& c) {
  v("q", c.q);
  check(c.q > 0 && c.q < 1, Code::InvalidArgument, "CategoricalGeneralizedCrossEntropy: expected q in (0, 1), got {}", c.q);
}
Tensor values_of(const CategoricalGeneralizedCrossEntropy& c, Tensor t, Tensor p) {
  const Tensor one = one_hot(cast(std::move(t), int32), p.shape().dim(-1), -1, p.dtype());
  return divide(subtract(1.0, power(sum(multiply(std::move(p), one), {-1}), c.q)), c.q);
}

void fields(Fields&, CategoricalHinge&) {}
Tensor values_of(const CategoricalHinge&, Tensor y, Tensor y_pred) {
  auto [t, p] = floats_of(std::move(y), std::move(y_pred));
  Tensor wrong = max(multiply(subtract(1.0, t), p), {-1});
  return maximum(add(subtract(std::move(wrong), sum(multiply(std::move(t), std::move(p)), {-1})), 1.0), 0.0);
}

void fields(Fields& v, Circle& c) { v("gamma", c.gamma), v("margin", c.margin), v("remove_diagonal", c.remove_diagonal); }
Tensor values_of(const Circle& c, Tensor t, Tensor p) {
  constexpr double never = -1e30;  // in place of what does not count
  check(p.rank() == 2, Code::Shape, "Circle: expected embeddings [batch, size], got {}", p.spec());
  t = cast(std::move(t), int32);
  if (t.rank() == 1) t = expand_dims(std::move(t), -1);
  const Tensor far = maximum(subtract(1.0, matmul(p, p, false, true)), 0.0);
  Tensor same = equal(t, transpose(t));
  const Tensor other = logical_not(same);
  if (c.remove_diagonal) same = logical_and(std::move(same), cast(subtract(1.0, eye(p.shape()[0], p.shape()[0], float32)), bool_));
  const Tensor pull = multiply(multiply(add(far, c.margin), subtract(c.margin, far)), -c.gamma);
  const Tensor push = multiply(multiply(maximum(subtract(1 + c.margin, far), 0.0), subtract(1 - c.margin, far)), c.gamma);
  return softplus(add(logsumexp(where(same, pull, never), {1}), logsumexp(where(other, push, never), {1})));
}

void fields(Fields& v, CosineSimilarity& c) {
  if (nn::reads(v)) v("axis", c.axis);  // which Keras does not write
}
Tensor values_of(const CosineSimilarity& c, Tensor y, Tensor y_pred) {
  auto [t, p] = aligned(std::move(y), std::move(y_pred));
  return negative(sum(multiply(normalize(std::move(t), {c.axis}), normalize(std::move(p), {c.axis})), {c.axis}));
}

void fields(Fields&, CTC&) {}
Tensor values_of(const CTC&, Tensor t, Tensor p) {
  check(t.rank() == 2 && p.rank() == 3, Code::Shape, "CTC: expected targets [batch, labels] and logits [batch, steps, classes], got {} and {}",
        t.spec(), p.spec());
  Tensor labels = sum(cast(not_equal(t, 0), int32), {1});
  Tensor steps = full({p.shape()[0]}, static_cast<double>(p.shape()[1]), int32);
  return ctc_loss(std::move(t), std::move(p), std::move(labels), std::move(steps));
}

void fields(Fields& v, Dice& c) { visit_axis(v, c.axis); }
Tensor values_of(const Dice& c, Tensor y, Tensor y_pred) {
  auto [t, p] = floats_of(std::move(y), std::move(y_pred));
  const Axes axes = axes_of(c.axis);
  Tensor both = multiply(sum(multiply(t, p), axes), 2.0), all = add(add(sum(t, axes), sum(p, axes)), kEpsilon);
  return subtract(1.0, divide(std::move(both), std::move(all)));
}

void fields(Fields&, Hinge&) {}
Tensor values_of(const Hinge&, Tensor t, Tensor p) { return mean(hinges(std::move(t), std::move(p)), {-1}); }
void fields(Fields&, SquaredHinge&) {}
Tensor values_of(const SquaredHinge&, Tensor t, Tensor p) { return mean(square(hinges(std::move(t), std::move(p))), {-1}); }

void fields(Fields& v, Huber& c) {
  if (nn::reads(v) || c.delta != 1) v("delta", c.delta);  // Keras leaves it out, and takes it
}
Tensor values_of(const Huber& c, Tensor y, Tensor y_pred) {
  auto [t, p] = aligned(std::move(y), std::move(y_pred));
  const Tensor error = subtract(std::move(p), std::move(t)), size = abs(error);
  Tensor linear = subtract(multiply(size, c.delta), 0.5 * c.delta * c.delta);
  return mean(where(less_equal(size, c.delta), multiply(square(error), 0.5), std::move(linear)), {-1});
}

void fields(Fields&, KLDivergence&) {}
Tensor values_of(const KLDivergence&, Tensor y, Tensor y_pred) {
  auto [t, p] = floats_of(std::move(y), std::move(y_pred));
  t = clip(std::move(t), kEpsilon, 1), p = clip(std::move(p), kEpsilon, 1);
  return sum(multiply(t, log(divide(t, std::move(p)))), {-1});
}

void fields(Fields&, LogCosh&) {}
Tensor values_of(const LogCosh&, Tensor y, Tensor y_pred) {
  auto [t, p] = aligned(std::move(y), std::move(y_pred));
  const Tensor error = subtract(std::move(p), std::move(t));
  return mean(subtract(add(error, softplus(multiply(error, -2.0))), std::log(2.0)), {-1});
}

void fields(Fields&, MeanAbsolutePercentageError&) {}
Tensor values_of(const MeanAbsolutePercentageError&, Tensor y, Tensor y_pred) {
  auto [t, p] = aligned(std::move(y), std::move(y_pred));
  return multiply(mean(abs(divide(subtract(t, std::move(p)), maximum(abs(t), kEpsilon))), {-1}), 100.0);
}

void fields(Fields&, MeanSquaredLogarithmicError&) {}
Tensor values_of(const MeanSquaredLogarithmicError&, Tensor y, Tensor y_pred) {
  auto [t, p] = aligned(std::move(y), std::move(y_pred));
  auto logarithm = [](Tensor x) { return log(add(maximum(std::move(x), kEpsilon), 1.0)); };
  return mean(square(subtract(logarithm(std::move(p)), logarithm(std::move(t)))), {-1});
}

void fields(Fields&, Poisson&) {}
Tensor values_of(const Poisson&, Tensor y, Tensor y_pred) {
  auto [t, p] = floats_of(std::move(y), std::move(y_pred));
  return mean(subtract(p, multiply(std::move(t), log(add(p, kEpsilon)))), {-1});
}

void fields(Fields& v, Tversky& c) {
  v("alpha", c.alpha), v("beta", c.beta);
  visit_axis(v, c.axis);
}
Tensor values_of(const Tversky& c, Tensor y, Tensor y_pred) {
  auto [t, p] = floats_of(std::move(y), std::move(y_pred));
  const Axes axes = axes_of(c.axis);
  const Tensor both = sum(multiply(t, p), axes);
  Tensor missed = multiply(sum(multiply(subtract(1.0, p), t), axes), c.alpha), wrong = multiply(sum(multiply(p, subtract(1.0, t)), axes), c.beta);
  return subtract(1.0, divide(both, add(add(add(both, std::move(missed)), std::move(wrong)), kEpsilon)));
}

template <class C>
Loss of(const C& c, const char* name) {
  return Loss(std::make_shared<LossOf<C>>(c, name));
}
MeanSquaredError::operator Loss() const { return of(*this, "MeanSquaredError"); }
MeanAbsoluteError::operator Loss() const { return of(*this, "MeanAbsoluteError"); }
BinaryCrossentropy::operator Loss() const { return of(*this, "BinaryCrossentropy"); }
CategoricalCrossentropy::operator Loss() const { return of(*this, "CategoricalCrossentropy"); }
SparseCategoricalCrossentropy::operator Loss() const { return of(*this, "SparseCategoricalCrossentropy"); }
BinaryFocalCrossentropy::operator Loss() const { return of(*this, "BinaryFocalCrossentropy"); }
CategoricalFocalCrossentropy::operator Loss() const { return of(*this, "CategoricalFocalCrossentropy"); }
CategoricalGeneralizedCrossEntropy::operator Loss() const { return of(*this, "CategoricalGeneralizedCrossEntropy"); }
CategoricalHinge::operator Loss() const { return of(*this, "CategoricalHinge"); }
Circle::operator Loss() const { return of(*this, "Circle"); }
CosineSimilarity::operator Loss() const { return of(*this, "CosineSimilarity"); }
CTC::operator Loss() const { return of(*this, "CTC"); }
Dice::operator Loss() const { return of(*this, "Dice"); }
Hinge::operator Loss() const { return of(*this, "Hinge"); }
Huber::operator Loss() const { return of(*this, "Huber"); }
KLDivergence::operator Loss() const { return of(*this, "KLDivergence"); }
LogCosh::operator Loss() const { return of(*this, "LogCosh"); }
MeanAbsolutePercentageError::operator Loss() const { return of(*this, "MeanAbsolutePercentageError"); }
MeanSquaredLogarithmicError::operator Loss() const { return of(*this, "MeanSquaredLogarithmicError"); }
Poisson::operator Loss() const { return of(*this, "Poisson"); }
SquaredHinge::operator Loss() const { return of(*this, "SquaredHinge"); }
Tversky::operator Loss() const { return of(*this, "Tversky"); }

Tensor MeanSquaredError::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor MeanAbsoluteError::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor BinaryCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor CategoricalCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor SparseCategoricalCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor BinaryFocalCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor CategoricalFocalCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor CategoricalGeneralizedCrossEntropy::operator()(Tensor t, Tensor p, Tensor w) const {
  return Loss(*this)(std::move(t), std::move(p), std::move(w));
}
Tensor CategoricalHinge::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor Circle::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor CosineSimilarity::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor CTC::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor Dice::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor Hinge::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor Huber::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor KLDivergence::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor LogCosh::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor MeanAbsolutePercentageError::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor MeanSquaredLogarithmicError::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor Poisson::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor SquaredHinge::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor Tversky::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }

namespace {

template <class C>
std::shared_ptr<Loss::Rule> make(const char* name, const Json& config) {
  C c{};
  nn::ConfigReader r(config, name);
  fields(r, c);
  r("name", c.name), r("reduction", c.reduction);
  r.ignore({"dtype"});
  r.finish();
  return std::make_shared<LossOf<C>>(c, name);
}

struct Class {
  const char* name;
  const char* alias;
  std::shared_ptr<Loss::Rule> (*make)(const char* name, const Json& config);
};
constexpr Class classes[] = {
    {"MeanSquaredError", "mse", make<MeanSquaredError>},
    {"MeanAbsoluteError", "mae", make<MeanAbsoluteError>},
    {"BinaryCrossentropy", "bce", make<BinaryCrossentropy>},
    {"CategoricalCrossentropy", "cce", make<CategoricalCrossentropy>},
    {"SparseCategoricalCrossentropy", "scce", make<SparseCategoricalCrossentropy>},
    {"BinaryFocalCrossentropy", "binary_focal_crossentropy", make<BinaryFocalCrossentropy>},
    {"CategoricalFocalCrossentropy", "categorical_focal_crossentropy", make<CategoricalFocalCrossentropy>},
    {"CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy", make<CategoricalGeneralizedCrossEntropy>},
    {"CategoricalHinge", "categorical_hinge", make<CategoricalHinge>},
    {"Circle", "circle", make<Circle>},
    {"CosineSimilarity", "cosine_similarity", make<CosineSimilarity>},
    {"CTC", "ctc", make<CTC>},
    {"Dice", "dice", make<Dice>},
    {"Hinge", "hinge", make<Hinge>},
    {"Huber", "huber", make<Huber>},
    {"KLDivergence", "kld", make<KLDivergence>},
    {"LogCosh", "logcosh", make<LogCosh>},
    {"MeanAbsolutePercentageError", "mape", make<MeanAbsolutePercentageError>},
    {"MeanSquaredLogarithmicError", "msle", make<MeanSquaredLogarithmicError>},
    {"Poisson", "poisson", make<Poisson>},
    {"SquaredHinge", "squared_hinge", make<SquaredHinge>},
    {"Tversky", "tversky", make<Tversky>},
};

const Class& class_named(const std::string& name) {
  std::string known;
  for (const Class& c : classes) {
    if (name == c.name || name == nn::snake_case(c.name) || nn::snake_case(name) == c.alias) return c;
    known += (known.empty() ? "" : ", ") + nn::snake_case(c.name);
  }
  fail(Code::NotFound, "loss: there is no '{}'; there are: {}", name, known);
}

}  // namespace
}  // namespace losses

// ---- Loss ---------------------------------------------------------------------------------------------------------------------------

Loss::Loss(std::string name) {
  const auto& c = losses::class_named(name);
  auto rule = c.make(c.name, Json::object());
  rule->by_name = true;
  rule->name = std::move(name);
  rule_ = std::move(rule);
}

Loss::Loss(Function f, std::string name, std::string reduction, int) {
  check_reduction(reduction);
  auto rule = std::make_shared<FunctionLoss>(std::move(f));
  rule->name = std::move(name), rule->reduction = std::move(reduction);
  rule_ = std::move(rule);
}

Tensor Loss::operator()(Tensor y_true, Tensor y_pred, Tensor sample_weight) const {
  check(rule_ != nullptr, Code::InvalidArgument, "loss: this one is empty; give it a name or one of tenure::losses");
  memory::Enter at(std::string_view("loss"));
  Tensor kept = mask_of(y_pred);
  auto [t, p] = nn::same_rank(std::move(y_true), std::move(y_pred));
  Tensor mask = rule_->mask(t);
  if (kept.defined()) mask = mask.defined() ? logical_and(std::move(mask), std::move(kept)) : std::move(kept);
  Tensor values = rule_->values(std::move(t), std::move(p));
  if (mask.defined() && mask.rank() == values.rank() + 1) mask = squeeze(std::move(mask), {-1});
  if (Tensor own = rule_->counted(values); own.defined()) mask = mask.defined() ? logical_and(std::move(mask), std::move(own)) : std::move(own);
  return reduced(std::move(values), std::move(sample_weight), std::move(mask), rule_->reduction);
}

std::string Loss::name() const { return rule_ ? rule_->name : ""; }
bool Loss::sparse() const { return rule_ && rule_->sparse; }
std::string Loss::to_json() const { return !rule_ ? "null" : rule_->by_name ? Json(rule_->name).dump() : rule_->json().dump(); }
void Loss::from_json(const std::string& text) {
  Json j = nn::parse(text, "loss");
  if (j.is_null()) return rule_.reset();
  nn::Named n = nn::named_from(j, "a loss");
  if (n.plain) return *this = Loss(n.class_name), void();
  check(n.class_name != "function", Code::NotFound, "loss: the function {} is not known here; compile the model with it", n.config.dump());
  const auto& c = losses::class_named(n.class_name);
  rule_ = c.make(c.name, n.config);
}

}  // namespace tenure

// Losses: one block each. A Loss owns its immutable, shared rule; no rule owns tensors.
#include "nn/losses.h"

#include <tenure/layer.h>
#include <tenure/losses.h>
#include <tenure/ops.h>

#include "core/context.h"
#include "nn/config.h"

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
  auto [t, p] = aligned(std::move(y_true), std::move(y_pred));
  if (label_smoothing != 0) t = add(multiply(std::move(t), 1 - label_smoothing), 0.5 * label_smoothing);
  return mean(tenure::binary_crossentropy(std::move(t), std::move(p), from_logits), {axis});
}

Tensor categorical_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits, double label_smoothing, int axis) {
  auto [t, p] = aligned(std::move(y_true), std::move(y_pred));
  if (label_smoothing != 0) {
    auto classes = static_cast<double>(p.shape().dim(axis));
    t = add(multiply(std::move(t), 1 - label_smoothing), label_smoothing / classes);
  }
  return tenure::categorical_crossentropy(std::move(t), std::move(p), from_logits, axis);
}

Tensor sparse_categorical_crossentropy(Tensor y_true, Tensor y_pred, bool from_logits, std::optional<int64_t> ignore_class, int axis) {
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

template <class C>
Loss of(const C& c, const char* name) {
  return Loss(std::make_shared<LossOf<C>>(c, name));
}
MeanSquaredError::operator Loss() const { return of(*this, "MeanSquaredError"); }
MeanAbsoluteError::operator Loss() const { return of(*this, "MeanAbsoluteError"); }
BinaryCrossentropy::operator Loss() const { return of(*this, "BinaryCrossentropy"); }
CategoricalCrossentropy::operator Loss() const { return of(*this, "CategoricalCrossentropy"); }
SparseCategoricalCrossentropy::operator Loss() const { return of(*this, "SparseCategoricalCrossentropy"); }

Tensor MeanSquaredError::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor MeanAbsoluteError::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor BinaryCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor CategoricalCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }
Tensor SparseCategoricalCrossentropy::operator()(Tensor t, Tensor p, Tensor w) const { return Loss(*this)(std::move(t), std::move(p), std::move(w)); }

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

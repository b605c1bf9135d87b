// Metrics: functions that are averaged, and their counted bodies.
#include <cmath>

#include <tenure/layer.h>
#include <tenure/losses.h>
#include <tenure/losses_more.h>
#include <tenure/ops.h>

#include "core/context.h"
#include "nn/losses.h"
#include "nn/metric_body.h"

namespace tenure {

using memory::HeldOf;
using nn::Json;

// ---- functions of (y_true, y_pred): one value a sample -------------------------------------------------------------------------------

namespace {

Tensor binary_matches(Tensor t, Tensor p, double threshold) {
  if (!is_float(p.dtype())) p = cast(std::move(p), float32);
  auto [a, b] = nn::same_rank(std::move(t), std::move(p));
  Tensor said = greater(std::move(b), threshold);
  if (a.dtype() == bool_) return cast(equal(std::move(a), std::move(said)), float32);
  return cast(equal(a, cast(std::move(said), a.dtype())), float32);
}

Tensor categorical_matches(Tensor t, Tensor p) { return cast(equal(argmax(std::move(t), -1), argmax(std::move(p), -1)), float32); }

Tensor sparse_matches(Tensor t, Tensor p) {
  if (t.rank() == p.rank() && t.rank() > 0 && t.shape().back() == 1) t = squeeze(std::move(t), {-1});
  Tensor best = argmax(std::move(p), -1);
  Tensor truth = cast(std::move(t), best.dtype());
  return cast(equal(std::move(truth), std::move(best)), float32);
}

Tensor binary_half(Tensor t, Tensor p) { return binary_matches(std::move(t), std::move(p), 0.5); }
Tensor mse(Tensor t, Tensor p) { return losses::mean_squared_error(std::move(t), std::move(p)); }
Tensor mae(Tensor t, Tensor p) { return losses::mean_absolute_error(std::move(t), std::move(p)); }
Tensor bce(Tensor t, Tensor p) { return losses::binary_crossentropy(std::move(t), std::move(p)); }
Tensor cce(Tensor t, Tensor p) { return losses::categorical_crossentropy(std::move(t), std::move(p)); }
Tensor scce(Tensor t, Tensor p) { return losses::sparse_categorical_crossentropy(std::move(t), std::move(p)); }

// Of a loss by its class: one value a sample.
template <class C>
Tensor each(Tensor t, Tensor p) {
  C c;
  c.reduction = "none";
  return static_cast<Loss>(c)(std::move(t), std::move(p));
}
Tensor cosine(Tensor t, Tensor p) { return negative(each<losses::CosineSimilarity>(std::move(t), std::move(p))); }

Tensor squared_error(Tensor t, Tensor p) {
  if (!is_float(p.dtype())) p = cast(std::move(p), float32);
  auto [a, b] = nn::same_rank(std::move(t), std::move(p));
  Tensor truth = cast(std::move(a), b.dtype());
  return square(subtract(std::move(b), std::move(truth)));
}

// `root`: of the mean of a function.
enum class MetricKind : uint8_t { mean, sum, function, accuracy, root };

struct Class {
  const char* name;
  const char* alias;
  MetricKind kind;
  Tensor (*f)(Tensor, Tensor);
};
constexpr Class classes[] = {
    {"Accuracy", "acc", MetricKind::accuracy, nullptr},
    {"BinaryAccuracy", nullptr, MetricKind::function, binary_half},
    {"CategoricalAccuracy", nullptr, MetricKind::function, categorical_matches},
    {"SparseCategoricalAccuracy", nullptr, MetricKind::function, sparse_matches},
    {"MeanSquaredError", "mse", MetricKind::function, mse},
    {"MeanAbsoluteError", "mae", MetricKind::function, mae},
    {"BinaryCrossentropy", "bce", MetricKind::function, bce},
    {"CategoricalCrossentropy", "cce", MetricKind::function, cce},
    {"SparseCategoricalCrossentropy", "scce", MetricKind::function, scce},
    {"MeanAbsolutePercentageError", "mape", MetricKind::function, each<losses::MeanAbsolutePercentageError>},
    {"MeanSquaredLogarithmicError", "msle", MetricKind::function, each<losses::MeanSquaredLogarithmicError>},
    {"CosineSimilarity", nullptr, MetricKind::function, cosine},
    {"LogCoshError", "logcosh", MetricKind::function, each<losses::LogCosh>},
    {"Hinge", nullptr, MetricKind::function, each<losses::Hinge>},
    {"SquaredHinge", nullptr, MetricKind::function, each<losses::SquaredHinge>},
    {"CategoricalHinge", nullptr, MetricKind::function, each<losses::CategoricalHinge>},
    {"KLDivergence", "kld", MetricKind::function, each<losses::KLDivergence>},
    {"Poisson", nullptr, MetricKind::function, each<losses::Poisson>},
    {"RootMeanSquaredError", nullptr, MetricKind::root, squared_error},
    {"Mean", nullptr, MetricKind::mean, nullptr},
    {"Sum", nullptr, MetricKind::sum, nullptr},
};

bool is_named(const char* class_name, const std::string& name) { return name == class_name || name == nn::snake_case(class_name); }
const Class* class_named(const std::string& name) {
  for (const Class& c : classes)
    if (is_named(c.name, name) || (c.alias && nn::snake_case(name) == c.alias)) return &c;
  return nullptr;
}
// One that keeps more than a mean, or null.
const metrics::Class* kept_class(const std::string& name, bool snake) {
  for (auto classes : {metrics::counting_classes(), metrics::more_classes()})
    for (const metrics::Class& c : classes)
      if (name == c.name || (snake && is_named(c.name, name))) return &c;
  return nullptr;
}
[[noreturn]] void unknown(const std::string& name) {
  std::string known;
  for (const Class& c : classes) known += nn::snake_case(c.name) + ", ";
  for (auto more : {metrics::counting_classes(), metrics::more_classes()})
    for (const metrics::Class& c : more) known += nn::snake_case(c.name) + ", ";
  fail(Code::NotFound, "metric: there is no '{}'; there are: {}", name, known.substr(0, known.size() - 2));
}

// Running sums of values and of their weights.
class MeanBody final : public MetricBody {
 public:
  MeanBody(MetricKind kind, std::string name, Metric::Function f, Json json)
      : MetricBody(std::move(name), std::move(json)), kind_(kind), f_(std::move(f)) {
    add_state("total", {});
    if (kind_ != MetricKind::sum) add_state("count", {});
  }
  void update(Tensor a, Tensor b, Tensor weight) override;
  Tensor result() const override;
  double value() const override;

 private:
  // For "accuracy", by shapes; once.
  void choose(const Shape& t, const Shape& p);
  void add(Tensor values, Tensor weight);

  MetricKind kind_;
  Metric::Function f_;
};

using metrics::handle;

Metric of(MetricKind kind, const char* class_name, const std::string& name, Metric::Function f) {
  return handle(new MeanBody(kind, name, std::move(f), metrics::written(class_name, name, Json::object())));
}

void MeanBody::choose(const Shape& t, const Shape& p) {
  if (kind_ != MetricKind::accuracy || f_) return;
  check(p.rank() >= 1, Code::Shape, "metric {}: expected predictions of rank 1 or more, got {}", name(), p);
  if (p.back() == 1) f_ = binary_half;
  else if (t.rank() == p.rank() && t.rank() > 0 && t.back() == p.back()) f_ = categorical_matches;
  else f_ = sparse_matches;
}

void MeanBody::update(Tensor a, Tensor b, Tensor weight) {
  memory::Enter at(std::string_view("metric"));
  if (kind_ == MetricKind::mean || kind_ == MetricKind::sum) return add(std::move(a), std::move(b));
  check(b.defined(), Code::InvalidArgument, "metric {}: expected targets and predictions", name());
  choose(a.shape(), b.shape());
  // What the predictions' mask leaves out does not count.
  if (Tensor mask = mask_of(b); mask.defined()) {
    if (weight.defined()) {
      mask = cast(std::move(mask), weight.dtype());
      while (weight.rank() < mask.rank()) weight = expand_dims(std::move(weight), -1);
      weight = multiply(std::move(weight), std::move(mask));
    } else {
      weight = cast(std::move(mask), float32);
    }
  }
  add(f_(std::move(a), std::move(b)), std::move(weight));
}

void MeanBody::add(Tensor values, Tensor weight) {
  if (values.dtype() != float32) values = cast(std::move(values), float32);
  Tensor count = static_cast<double>(values.size());
  if (weight.defined()) {
    if (weight.dtype() != float32) weight = cast(std::move(weight), float32);
    auto [v, w] = nn::same_rank(std::move(values), std::move(weight), false);
    // Values are averaged down to the weights' rank.
    Axes rest;
    for (int i = w.rank(); i < v.rank(); ++i) rest.push_back(i);
    if (!rest.empty()) v = mean(std::move(v), rest);
    if (w.shape() != v.shape()) w = broadcast_to(std::move(w), v.shape());
    values = multiply(std::move(v), w);
    count = sum(std::move(w));
  }
  grow(0, values.rank() == 0 ? std::move(values) : sum(std::move(values)));
  if (states() > 1) grow(1, std::move(count));
}

Tensor MeanBody::result() const {
  Tensor total = now(0);
  if (states() == 1) return total;
  Tensor count = now(1), none = equal(count, 0.0);
  Tensor mean = where(none, 0.0, divide(std::move(total), where(none, 1.0, count)));
  return kind_ == MetricKind::root ? sqrt(std::move(mean)) : mean;
}

double MeanBody::value() const {
  const auto number = [&](size_t i) { return state(i).body()->read().item<double>(); };
  if (states() == 1) return number(0);
  const double count = number(1);
  // As a float32, which is what Keras' result is.
  const float mean = count == 0 ? 0 : static_cast<float>(number(0)) / static_cast<float>(count);
  return static_cast<double>(kind_ == MetricKind::root ? std::sqrt(mean) : mean);
}

}  // namespace

// ---- MetricBody -----------------------------------------------------------------------------------------------------------------------

MetricBody::MetricBody(std::string name, Json json) : Counted(memory::Kind::metric), name_(std::move(name)), json_(std::move(json)) {}

void MetricBody::add_state(const char* label, const Shape& shape, DType dtype) {
  Eagerly eagerly;
  Variable v(zeros(shape, dtype), VariableOptions{name_ + "/" + label, false});
  states_.emplace_back(label, HeldOf<VariableBody>(v.body()));
}

double MetricBody::value() const {
  Eagerly eagerly;
  return mean(cast(result(), float32)).item<double>();
}

void MetricBody::reset() {
  Eagerly eagerly;
  for (const auto& [label, v] : states_) v->write(zeros(v->spec().shape, v->spec().dtype));
}

Variables MetricBody::variables() const {
  Variables out;
  for (size_t i = 0; i < states_.size(); ++i) out.push_back(state(i));
  return out;
}

void MetricBody::trace(memory::EdgeVisitor& v) const {
  for (const auto& [label, state] : states_) v.edge(state.get(), label);
}

// ---- Metric -----------------------------------------------------------------------------------------------------------------------------

namespace {
MetricBody& body_of(MetricBody* b) {
  check(b != nullptr, Code::InvalidArgument, "metric: this handle is empty (default-made or moved from)");
  return *b;
}
}  // namespace

Metric::Metric(MetricBody* body) noexcept : body_(body) {
  if (body_) body_->retain(memory::Counted::kUser);
}
Metric::Metric(const Metric& o) noexcept : Metric(o.body_) {}
Metric::~Metric() {
  if (body_) body_->release(memory::Counted::kUser);
}

Metric::Metric(std::string name) {
  // A metric given by name keeps that name in logs ("mae").
  if (const Class* c = class_named(name)) {
    *this = handle(new MeanBody(c->kind, name, c->f ? Function(c->f) : Function(), Json(name)));
    return;
  }
  const metrics::Class* c = kept_class(name, true);
  if (!c) unknown(name);
  *this = c->make(c->name, Json{{"name", name}});
  body_->write_as(Json(name));
}
Metric::Metric(Function f, std::string name, int) {
  *this = handle(new MeanBody(MetricKind::function, name, std::move(f), nn::envelope("builtins", "function", name)));
}

void Metric::update_state(Tensor a, Tensor b, Tensor w) const { body_of(body_).update(std::move(a), std::move(b), std::move(w)); }
Tensor Metric::result() const { return body_of(body_).result(); }
double Metric::value() const { return body_of(body_).value(); }
void Metric::reset_state() const { body_of(body_).reset(); }
const std::string& Metric::name() const { return body_of(body_).name(); }
Variables Metric::variables() const { return body_of(body_).variables(); }
std::string Metric::to_json() const { return body_of(body_).json().dump(); }

Metric Metric::from_json(const std::string& text) {
  nn::Named n = nn::named_from(nn::parse(text, "metric"), "a metric");
  if (n.plain) return Metric(n.class_name);
  check(n.class_name != "function", Code::NotFound, "metric: the function {} is not known here; compile the model with it", n.config.dump());
  if (const metrics::Class* c = kept_class(n.class_name, false)) return c->make(c->name, n.config);
  nn::ConfigReader r(n.config, n.class_name);
  std::string name = nn::snake_case(n.class_name);
  r("name", name);
  r.ignore({"dtype", "axis", "fn"});
  if (n.class_name == "BinaryAccuracy") {
    metrics::BinaryAccuracy m{.name = name};
    r("threshold", m.threshold);
    r.finish();
    return m;
  }
  bool logits = false;
  double smoothing = 0;
  r("from_logits", logits), r("label_smoothing", smoothing);
  r.finish();
  if (n.class_name == "BinaryCrossentropy") return metrics::BinaryCrossentropy{name, logits, smoothing};
  if (n.class_name == "CategoricalCrossentropy") return metrics::CategoricalCrossentropy{name, logits, smoothing};
  if (n.class_name == "SparseCategoricalCrossentropy") return metrics::SparseCategoricalCrossentropy{name, logits};
  const Class* c = class_named(n.class_name);
  if (!c) unknown(n.class_name);
  return of(c->kind, c->name, name, c->f ? Function(c->f) : Function());
}

namespace metrics {
Metric averaged(const char* class_name, const std::string& name, Metric::Function f, const Json& fields) {
  return handle(new MeanBody(MetricKind::function, name, std::move(f), written(class_name, name, fields)));
}

Mean::operator Metric() const { return of(MetricKind::mean, "Mean", name, {}); }
Sum::operator Metric() const { return of(MetricKind::sum, "Sum", name, {}); }
// keras.metrics.Accuracy itself counts equal values; "accuracy" in compile() chooses by shapes, which is what is meant here.
Accuracy::operator Metric() const { return handle(new MeanBody(MetricKind::accuracy, name, {}, Json("accuracy"))); }
BinaryAccuracy::operator Metric() const {
  return averaged(
      "BinaryAccuracy", name, [t = threshold](Tensor a, Tensor b) { return binary_matches(std::move(a), std::move(b), t); },
      Json{{"threshold", threshold}});
}
CategoricalAccuracy::operator Metric() const { return averaged("CategoricalAccuracy", name, categorical_matches); }
SparseCategoricalAccuracy::operator Metric() const { return averaged("SparseCategoricalAccuracy", name, sparse_matches); }
MeanSquaredError::operator Metric() const { return averaged("MeanSquaredError", name, mse); }
MeanAbsoluteError::operator Metric() const { return averaged("MeanAbsoluteError", name, mae); }
BinaryCrossentropy::operator Metric() const {
  return averaged(
      "BinaryCrossentropy", name,
      [l = from_logits, s = label_smoothing](Tensor a, Tensor b) { return losses::binary_crossentropy(std::move(a), std::move(b), l, s); },
      Json{{"from_logits", from_logits}, {"label_smoothing", label_smoothing}});
}
CategoricalCrossentropy::operator Metric() const {
  return averaged(
      "CategoricalCrossentropy", name,
      [l = from_logits, s = label_smoothing](Tensor a, Tensor b) { return losses::categorical_crossentropy(std::move(a), std::move(b), l, s); },
      Json{{"from_logits", from_logits}, {"label_smoothing", label_smoothing}});
}
SparseCategoricalCrossentropy::operator Metric() const {
  return averaged(
      "SparseCategoricalCrossentropy", name,
      [l = from_logits](Tensor a, Tensor b) { return losses::sparse_categorical_crossentropy(std::move(a), std::move(b), l); },
      Json{{"from_logits", from_logits}});
}
}  // namespace metrics

}  // namespace tenure

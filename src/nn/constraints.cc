// Regularizers, constraints and dtype policies. Rules are immutable and shared; none owns tensors.
#include <tenure/initializers.h>
#include <tenure/ops.h>

#include "nn/config.h"

namespace tenure {

using nn::Json;

class Regularizer::Rule {
 public:
  virtual ~Rule() = default;
  virtual Tensor apply(Tensor x) const = 0;
  virtual Json json() const = 0;
};
class Constraint::Rule {
 public:
  virtual ~Rule() = default;
  virtual Tensor apply(Tensor w) const = 0;
  virtual Json json() const = 0;
};

namespace {

constexpr double kEpsilon = 1e-7;  // keras.config.epsilon()

// A rule of an aggregate C with `fields` and `apply` beside it.
template <class Rule, class C>
class RuleOf final : public Rule {
 public:
  RuleOf(C c, const char* module, const char* name) : config_(std::move(c)), module_(module), name_(name) {}
  Tensor apply(Tensor x) const override { return apply_rule(config_, std::move(x)); }
  Json json() const override { return nn::envelope(module_, name_, nn::config_of(config_)); }

 private:
  C config_;
  const char *module_, *name_;
};

template <class Rule, class Function>
class FunctionRule final : public Rule {
 public:
  FunctionRule(Function f, std::string name, const char* what) : f_(std::move(f)), name_(std::move(name)), what_(what) {}
  Tensor apply(Tensor x) const override { return f_(std::move(x)); }
  Json json() const override {
    check(!name_.empty(), Code::Unsupported, "a {} made from an unnamed function cannot be written; give it a name", what_);
    return nn::envelope("builtins", "function", name_);
  }

 private:
  Function f_;
  std::string name_;
  const char* what_;
};

template <class Value>
struct Class {
  const char* name;
  const char* alias;
  Value (*make)(const char* name, const Json& config);
};

template <class Value, size_t N>
const Class<Value>& class_named(const Class<Value> (&classes)[N], const std::string& name, const char* what) {
  std::string known;
  for (const auto& c : classes) {
    if (name == c.name || name == c.alias || nn::snake_case(name) == nn::snake_case(c.name)) return c;
    known += (known.empty() ? "" : ", ") + nn::snake_case(c.name);
  }
  fail(Code::NotFound, "{}: there is no '{}'; there are: {}", what, name, known);
}

}  // namespace

// ---- regularizers ---------------------------------------------------------------------------------------------------------------

namespace regularizers {

void fields(Fields& v, L1& c) { v("l1", c.l1); }
Tensor apply_rule(const L1& c, Tensor x) { return multiply(sum(abs(std::move(x))), c.l1); }

void fields(Fields& v, L2& c) { v("l2", c.l2); }
Tensor apply_rule(const L2& c, Tensor x) { return multiply(sum(square(std::move(x))), c.l2); }

void fields(Fields& v, L1L2& c) { v("l1", c.l1), v("l2", c.l2); }
Tensor apply_rule(const L1L2& c, Tensor x) {
  Tensor y;
  if (c.l1 != 0) y = multiply(sum(abs(x)), c.l1);
  if (c.l2 != 0) {
    Tensor squares = multiply(sum(square(x)), c.l2);
    y = y.defined() ? add(std::move(y), std::move(squares)) : std::move(squares);
  }
  return y.defined() ? y : zeros({}, x.dtype());
}

void fields(Fields& v, OrthogonalRegularizer& c) {
  v("factor", c.factor), v("mode", c.mode);
  check(c.mode == "rows" || c.mode == "columns", Code::InvalidArgument, "OrthogonalRegularizer: expected mode rows or columns, got '{}'", c.mode);
}
Tensor apply_rule(const OrthogonalRegularizer& c, Tensor x) {
  check(x.rank() == 2, Code::Shape, "OrthogonalRegularizer: expected a matrix, got {}", x.spec());
  const bool rows = c.mode == "rows";
  const int64_t n = x.shape()[rows ? 0 : 1];
  Tensor factor = minimum(rsqrt(sum(square(x), {rows ? 1 : 0}, true)), 1 / kEpsilon);
  x = multiply(std::move(x), std::move(factor));
  Tensor cosines = multiply(matmul(x, x, !rows, rows), subtract(1.0, eye(n, n, x.dtype())));
  return multiply(sum(abs(std::move(cosines))), c.factor / static_cast<double>(n * (n - 1)));
}

template <class C>
Regularizer of(const C& c, const char* name) {
  return Regularizer(std::make_shared<RuleOf<Regularizer::Rule, C>>(c, "keras.regularizers", name));
}
L1::operator Regularizer() const { return of(*this, "L1"); }
L2::operator Regularizer() const { return of(*this, "L2"); }
L1L2::operator Regularizer() const { return of(*this, "L1L2"); }
OrthogonalRegularizer::operator Regularizer() const { return of(*this, "OrthogonalRegularizer"); }

template <class C>
Regularizer make(const char* name, const Json& config) {
  return of(nn::config_from<C>(config, name), name);
}
constexpr Class<Regularizer> classes[] = {{"L1", "l1", make<L1>},
                                          {"L2", "l2", make<L2>},
                                          {"L1L2", "l1_l2", make<L1L2>},
                                          {"OrthogonalRegularizer", "orthogonal", make<OrthogonalRegularizer>}};

}  // namespace regularizers

Regularizer::Regularizer(std::string name) {
  const auto& c = class_named(regularizers::classes, name, "regularizer");
  // Keras' string "l1_l2" means 0.01 of both; the class' defaults are 0.
  *this = std::string_view(c.name) == "L1L2" ? static_cast<Regularizer>(regularizers::L1L2{.l1 = 0.01, .l2 = 0.01}) : c.make(c.name, Json::object());
}
Regularizer::Regularizer(Function f, std::string name)
    : rule_(std::make_shared<FunctionRule<Rule, Function>>(std::move(f), std::move(name), "regularizer")) {}
Tensor Regularizer::operator()(Tensor x) const { return rule_->apply(std::move(x)); }
std::string Regularizer::to_json() const { return rule_ ? rule_->json().dump() : "null"; }
void Regularizer::from_json(const std::string& text) {
  Json j = nn::parse(text, "regularizer");
  if (j.is_null()) return rule_.reset();
  nn::Named n = nn::named_from(j, "a regularizer");
  if (n.plain) return *this = Regularizer(n.class_name), void();
  const auto& c = class_named(regularizers::classes, n.class_name, "regularizer");
  *this = c.make(c.name, n.config);
}

// ---- constraints ----------------------------------------------------------------------------------------------------------------

namespace constraints {

namespace {
Tensor norms(Tensor w, int axis) { return sqrt(sum(square(std::move(w)), {axis}, true)); }
}  // namespace

void fields(Fields& v, MaxNorm& c) { v("max_value", c.max_value), v("axis", c.axis); }
Tensor apply_rule(const MaxNorm& c, Tensor w) {
  Tensor n = norms(w, c.axis);
  Tensor wanted = clip(n, 0, c.max_value);
  return multiply(std::move(w), divide(std::move(wanted), add(std::move(n), kEpsilon)));
}

void fields(Fields&, NonNeg&) {}
Tensor apply_rule(const NonNeg&, Tensor w) { return relu(std::move(w)); }

void fields(Fields& v, UnitNorm& c) { v("axis", c.axis); }
Tensor apply_rule(const UnitNorm& c, Tensor w) {
  Tensor n = norms(w, c.axis);
  return divide(std::move(w), add(std::move(n), kEpsilon));
}

void fields(Fields& v, MinMaxNorm& c) { v("min_value", c.min_value), v("max_value", c.max_value), v("rate", c.rate), v("axis", c.axis); }
Tensor apply_rule(const MinMaxNorm& c, Tensor w) {
  Tensor n = norms(w, c.axis);
  Tensor wanted = add(multiply(clip(n, c.min_value, c.max_value), c.rate), multiply(n, 1 - c.rate));
  return multiply(std::move(w), divide(std::move(wanted), add(std::move(n), kEpsilon)));
}

template <class C>
Constraint of(const C& c, const char* name) {
  return Constraint(std::make_shared<RuleOf<Constraint::Rule, C>>(c, "keras.constraints", name));
}
MaxNorm::operator Constraint() const { return of(*this, "MaxNorm"); }
NonNeg::operator Constraint() const { return of(*this, "NonNeg"); }
UnitNorm::operator Constraint() const { return of(*this, "UnitNorm"); }
MinMaxNorm::operator Constraint() const { return of(*this, "MinMaxNorm"); }

template <class C>
Constraint make(const char* name, const Json& config) {
  return of(nn::config_from<C>(config, name), name);
}
constexpr Class<Constraint> classes[] = {{"MaxNorm", "max_norm", make<MaxNorm>},
                                         {"NonNeg", "nonneg", make<NonNeg>},
                                         {"UnitNorm", "unit_norm", make<UnitNorm>},
                                         {"MinMaxNorm", "min_max_norm", make<MinMaxNorm>}};

}  // namespace constraints

Constraint::Constraint(std::string name) {
  const auto& c = class_named(constraints::classes, name, "constraint");
  *this = c.make(c.name, Json::object());
}
Constraint::Constraint(Function f, std::string name)
    : rule_(std::make_shared<FunctionRule<Rule, Function>>(std::move(f), std::move(name), "constraint")) {}
Tensor Constraint::operator()(Tensor w) const { return rule_->apply(std::move(w)); }
std::string Constraint::to_json() const { return rule_ ? rule_->json().dump() : "null"; }
void Constraint::from_json(const std::string& text) {
  Json j = nn::parse(text, "constraint");
  if (j.is_null()) return rule_.reset();
  nn::Named n = nn::named_from(j, "a constraint");
  const auto& c = class_named(constraints::classes, n.class_name, "constraint");
  *this = c.make(c.name, n.config);
}

// ---- dtype policies -------------------------------------------------------------------------------------------------------------

DTypePolicy::DTypePolicy(DType dtype) : DTypePolicy(std::string(to_string(dtype))) {}

namespace {

[[noreturn]] void refuse_quantized(const std::string& class_name, const std::string& what) {
  fail(Code::Unsupported,
       "dtype policy: {} {} is quantized, and only floating-point weights are supported: save the model as it was before quantize()", class_name,
       what);
}
bool quantized(const std::string& name) {
  for (std::string_view mode : {"int8", "int4", "float8", "gptq", "awq"})
    if (name.starts_with(mode)) return true;
  return false;
}
// The one policy that a DTypePolicyMap gives everything. Throws Unsupported if there are several.
DTypePolicy common_policy(const Json& config, const std::string& text) {
  std::optional<DTypePolicy> only;
  auto add = [&](const Json& j) {
    check(!j.is_object() || !j.contains("class_name") || j["class_name"] != "DTypePolicyMap", Code::InvalidArgument,
          "dtype policy: a DTypePolicyMap inside another one");
    DTypePolicy p;
    p.from_json(j.dump());
    if (only && !(*only == p))
      fail(Code::Unsupported, "dtype policy: a DTypePolicyMap with {} and {}: a layer and its parts have one policy here, not one for each path",
           only->name(), p.name());
    only = p;
  };
  check(config.is_object(), Code::InvalidArgument, "dtype policy: expected a DTypePolicyMap with policies, got {}", text);
  if (config.contains("default_policy") && !config["default_policy"].is_null()) add(config["default_policy"]);
  if (config.contains("policy_map") && config["policy_map"].is_object())
    for (const Json& j : config["policy_map"]) add(j);
  return only.value_or(DTypePolicy());
}

}  // namespace

DTypePolicy::DTypePolicy(std::string name) {
  constexpr std::string_view mixed = "mixed_";
  bool split = name.starts_with(mixed);
  std::string type = split ? name.substr(mixed.size()) : name;
  bool known = type == "float16" || type == "bfloat16" || (!split && (type == "float32" || type == "float64" || type == "int32" || type == "int64"));
  if (!known && quantized(name)) refuse_quantized("policy", name);
  check(known, Code::Unsupported,
        "dtype policy: expected float32, float64, float16, bfloat16, mixed_float16, mixed_bfloat16, int32 or int64, got '{}'", name);
  compute_ = dtype_from(type);
  variable_ = split ? float32 : compute_;
}

std::string DTypePolicy::name() const { return std::string(compute_ == variable_ ? "" : "mixed_") + to_string(compute_); }

std::string DTypePolicy::to_json() const { return nn::envelope("keras", "DTypePolicy", Json{{"name", name()}}).dump(); }

void DTypePolicy::from_json(const std::string& text) {
  Json j = nn::parse(text, "dtype policy");
  if (j.is_null()) return *this = DTypePolicy(), void();
  nn::Named n = nn::named_from(j, "a dtype policy");
  if (n.plain) return *this = DTypePolicy(n.class_name), void();
  if (n.class_name == "DTypePolicyMap") return *this = common_policy(n.config, text), void();
  for (const char* kind : {"QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy", "Int4DTypePolicy", "GPTQDTypePolicy", "AWQDTypePolicy"})
    if (n.class_name == kind) refuse_quantized(kind, n.config.contains("mode") ? n.config["mode"].dump() : "");
  bool known = n.class_name == "DTypePolicy" || n.class_name == "Policy" || n.class_name == "FloatDTypePolicy";
  check(known && n.config.contains("name") && n.config["name"].is_string(), Code::Unsupported,
        "dtype policy: expected a DTypePolicy with a name, got {}", text);
  *this = DTypePolicy(n.config["name"].get<std::string>());
}

}  // namespace tenure

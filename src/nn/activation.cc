// Activations: functions by Keras' name, and the layers made of them. An ActivationFunction owns its layer, if it is one.
#include <algorithm>

#include <tenure/ops_nn.h>

#include "nn/attention.h"
#include "nn/families.h"
#include "ops/fused.h"

namespace tenure {

using nn::Json;

// ---- functions by name ------------------------------------------------------------------------------------------------------------

namespace {

struct Known {
  std::string_view name;
  Tensor (*apply)(Tensor);
};
constexpr Known functions[] = {
    {"linear", [](Tensor x) { return x; }},
    {"relu", [](Tensor x) { return relu(std::move(x)); }},
    {"relu6", [](Tensor x) { return relu6(std::move(x)); }},
    {"leaky_relu", [](Tensor x) { return leaky_relu(std::move(x)); }},
    {"elu", [](Tensor x) { return elu(std::move(x)); }},
    {"celu", [](Tensor x) { return celu(std::move(x)); }},
    {"selu", [](Tensor x) { return selu(std::move(x)); }},
    {"sigmoid", [](Tensor x) { return noting_logits(std::move(x), [](Tensor z) { return sigmoid(std::move(z)); }); }},
    {"hard_sigmoid", [](Tensor x) { return hard_sigmoid(std::move(x)); }},
    {"log_sigmoid", [](Tensor x) { return log_sigmoid(std::move(x)); }},
    {"sparse_sigmoid", [](Tensor x) { return sparse_sigmoid(std::move(x)); }},
    {"tanh", [](Tensor x) { return tanh(std::move(x)); }},
    {"hard_tanh", [](Tensor x) { return hard_tanh(std::move(x)); }},
    {"tanh_shrink", [](Tensor x) { return tanh_shrink(std::move(x)); }},
    {"hard_shrink", [](Tensor x) { return hard_shrink(std::move(x)); }},
    {"soft_shrink", [](Tensor x) { return soft_shrink(std::move(x)); }},
    {"silu", [](Tensor x) { return silu(std::move(x)); }},
    {"swish", [](Tensor x) { return silu(std::move(x)); }},
    {"hard_silu", [](Tensor x) { return hard_silu(std::move(x)); }},
    {"hard_swish", [](Tensor x) { return hard_silu(std::move(x)); }},
    {"gelu", [](Tensor x) { return gelu(std::move(x), false); }},
    {"mish", [](Tensor x) { return mish(std::move(x)); }},
    {"glu", [](Tensor x) { return glu(std::move(x)); }},
    {"softplus", [](Tensor x) { return softplus(std::move(x)); }},
    {"softsign", [](Tensor x) { return softsign(std::move(x)); }},
    {"squareplus", [](Tensor x) { return squareplus(std::move(x)); }},
    {"sparse_plus", [](Tensor x) { return sparse_plus(std::move(x)); }},
    {"exponential", [](Tensor x) { return exp(std::move(x)); }},
    {"softmax", [](Tensor x) { return noting_logits(std::move(x), [](Tensor z) { return softmax(std::move(z)); }); }},
    {"log_softmax", [](Tensor x) { return log_softmax(std::move(x)); }},
    {"sparsemax", [](Tensor x) { return sparsemax(std::move(x)); }},
};

const Known* find(std::string_view name) {
  auto it = std::find_if(std::begin(functions), std::end(functions), [&](const Known& f) { return f.name == name; });
  return it == std::end(functions) ? nullptr : it;
}

}  // namespace

ActivationFunction::ActivationFunction(std::string name) : name_(std::move(name)) {
  if (name_.empty()) return;
  std::string known;
  for (const Known& f : functions) known += (known.empty() ? "" : ", ") + std::string(f.name);
  const Known* f = find(name_);
  check(name_ != "threshold", Code::InvalidArgument,
        "activation: 'threshold' needs a threshold and a default value, which a name cannot give: use keras.ops' op or a function");
  check(f != nullptr, Code::NotFound, "activation: there is no '{}'; there are: {}", name_, known);
  function_ = f->apply;
}

std::string ActivationFunction::name() const { return linear() ? "linear" : name_; }
bool ActivationFunction::linear() const { return !layer_.defined() && (name_ == "linear" || !function_); }

Tensor ActivationFunction::operator()(Tensor x) const {
  if (layer_.defined()) return layer_(std::move(x));
  return linear() ? std::move(x) : function_(std::move(x));
}

std::string ActivationFunction::to_json() const {
  if (layer_.defined()) return layer_json(*layer_.body()).dump();
  check(linear() || !name_.empty(), Code::Unsupported, "an activation made from an unnamed function cannot be written; give it a name");
  if (linear() || find(name_)) return Json(name()).dump();
  return nn::envelope("builtins", "function", name_).dump();
}

void ActivationFunction::from_json(const std::string& text) {
  Json j = nn::parse(text, "activation");
  if (j.is_null()) return *this = ActivationFunction(), void();
  if (j.is_string()) return *this = ActivationFunction(j.get<std::string>()), void();
  nn::Named n = nn::named_from(j, "an activation");
  if (n.class_name == "function" && n.config.is_string()) return *this = ActivationFunction(n.config.get<std::string>()), void();
  *this = ActivationFunction(layer_from(j));
}

namespace nn {

Fused::Fused(const ActivationFunction& a) {
  if (a.linear() || a.layer().defined()) return;
  const Known* f = find(a.name());
  if (f && ops::fusable_activation(f->name)) name_ = f->name;
}
Fused::operator std::string_view() const noexcept { return nn_context.logits && name_ == "sigmoid" ? std::string_view() : name_; }
Tensor finish(const ActivationFunction& a, std::string_view done, Tensor y) { return done.empty() ? a(std::move(y)) : std::move(y); }

}  // namespace nn

// ---- AxisList -------------------------------------------------------------------------------------------------------------------

std::string AxisList::to_json() const { return one ? Json(axes.front()).dump() : Json(axes).dump(); }
void AxisList::from_json(const std::string& text) {
  Json j = nn::parse(text, "axis");
  if (j.is_null()) return;
  one = j.is_number_integer();
  check(one || (j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& a) { return a.is_number_integer(); })), Code::InvalidArgument,
        "expected an axis or a list of axes, got {}", text);
  axes = one ? std::vector<int>{j.get<int>()} : j.get<std::vector<int>>();
}

namespace layers {

// ---- Activation -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Activation& c) { v("activation", c.activation); }

class ActivationLayer final : public LayerOf<Activation> {
 public:
  explicit ActivationLayer(const Activation& c) : LayerOf(c) { nn::adopt_activation(*this, config.activation); }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override { return config.activation(std::move(x)); }
};
Activation::operator Layer() const { return make_layer<ActivationLayer>(*this); }
Outputs Activation::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ReLU -----------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ReLU& c) { v("max_value", c.max_value), v("negative_slope", c.negative_slope), v("threshold", c.threshold); }

// x where x >= threshold (at most max_value), negative_slope * (x - threshold) below.
class ReLULayer final : public LayerOf<ReLU> {
 public:
  explicit ReLULayer(const ReLU& c) : LayerOf(c) {
    check(!c.max_value || *c.max_value >= 0, Code::InvalidArgument, "ReLU: expected max_value >= 0, got {}", c.max_value.value_or(0));
    check(c.negative_slope >= 0 && c.threshold >= 0, Code::InvalidArgument, "ReLU: expected negative_slope and threshold >= 0, got {} and {}",
          c.negative_slope, c.threshold);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override {
    const auto& c = config;
    if (c.threshold == 0 && c.negative_slope == 0 && !c.max_value) return relu(std::move(x));
    if (c.threshold == 0 && c.negative_slope == 0 && *c.max_value == 6) return relu6(std::move(x));
    if (c.threshold == 0 && !c.max_value) return leaky_relu(std::move(x), c.negative_slope);
    Tensor low = c.negative_slope == 0 ? Tensor() : multiply(relu(c.threshold - x), -c.negative_slope);
    Tensor kept = c.threshold == 0 ? relu(std::move(x)) : where(greater(x, c.threshold), x, 0.0);
    if (c.max_value) kept = clip(std::move(kept), 0, *c.max_value);
    return low.defined() ? add(std::move(kept), std::move(low)) : kept;
  }
};
ReLU::operator Layer() const { return make_layer<ReLULayer>(*this); }
Outputs ReLU::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- LeakyReLU ------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, LeakyReLU& c) { v("negative_slope", c.negative_slope); }

class LeakyReLULayer final : public LayerOf<LeakyReLU> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override { return leaky_relu(std::move(x), config.negative_slope); }
};
LeakyReLU::operator Layer() const { return make_layer<LeakyReLULayer>(*this); }
Outputs LeakyReLU::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ELU ------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ELU& c) { v("alpha", c.alpha); }

class ELULayer final : public LayerOf<ELU> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override { return elu(std::move(x), config.alpha); }
};
ELU::operator Layer() const { return make_layer<ELULayer>(*this); }
Outputs ELU::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- PReLU ----------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, PReLU& c) {
  v("alpha_initializer", c.alpha_initializer), v("alpha_regularizer", c.alpha_regularizer), v("alpha_constraint", c.alpha_constraint),
      v("shared_axes", c.shared_axes);
}

class PReLULayer final : public LayerOf<PReLU> {
 public:
  using LayerOf::LayerOf;
  void build(const Shape& in) override {
    check(in.rank() >= 2, Code::Shape, "PReLU: expected an input with a batch, got {}", in);
    Shape s = in.slice(1, in.rank());
    for (int a : config.shared_axes.value_or(std::vector<int>{})) {
      check(a >= 1 && a < in.rank(), Code::InvalidArgument, "PReLU: expected shared axes in [1, {}), got {}", in.rank(), a);
      s[a - 1] = 1;
    }
    alpha_ = weight("alpha", s, config.alpha_initializer, {.regularizer = config.alpha_regularizer, .constraint = config.alpha_constraint});
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override {
    Tensor low = multiply(relu(negative(x)), alpha_.value());
    return subtract(relu(std::move(x)), std::move(low));
  }

 private:
  Weight alpha_;
};
PReLU::operator Layer() const { return make_layer<PReLULayer>(*this); }
Outputs PReLU::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Softmax --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Softmax& c) { v("axis", c.axis); }

class SoftmaxLayer final : public LayerOf<Softmax> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    if (c.mask.defined() || config.axis.axes.size() != 1) return nn::masked_softmax(std::move(x), c.mask, config.axis.axes);
    return noting_logits(std::move(x), [&](Tensor z) { return softmax(std::move(z), config.axis.axes[0]); });
  }
};
Softmax::operator Layer() const { return make_layer<SoftmaxLayer>(*this); }
Outputs Softmax::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_activation_layers(LayerRegistry& r) {
  r.add<layers::Activation>("Activation");
  r.add<layers::ReLU>("ReLU");
  r.add<layers::LeakyReLU>("LeakyReLU");
  r.add<layers::ELU>("ELU");
  r.add<layers::PReLU>("PReLU");
  r.add<layers::Softmax>("Softmax");
}

}  // namespace tenure

// Activations, each with a vector kernel, and their gradients: one op `activation_grad` for all, differentiable once more by composition.
#include <array>

#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;
using kernels::Unary;

constexpr std::array<std::pair<std::string_view, Unary>, 16> functions = {{{"relu", Unary::relu},
                                                                           {"relu6", Unary::relu6},
                                                                           {"leaky_relu", Unary::leaky_relu},
                                                                           {"elu", Unary::elu},
                                                                           {"selu", Unary::selu},
                                                                           {"tanh", Unary::tanh},
                                                                           {"sigmoid", Unary::sigmoid},
                                                                           {"log_sigmoid", Unary::log_sigmoid},
                                                                           {"softplus", Unary::softplus},
                                                                           {"softsign", Unary::softsign},
                                                                           {"silu", Unary::silu},
                                                                           {"gelu", Unary::gelu},
                                                                           {"gelu_tanh", Unary::gelu_tanh},
                                                                           {"mish", Unary::mish},
                                                                           {"hard_sigmoid", Unary::hard_sigmoid},
                                                                           {"hard_silu", Unary::hard_silu}}};

struct Slope {
  Unary function = Unary::relu;
  double alpha = 0;
};
template <class V>
void fields(V& v, Slope& a) {
  std::string name;
  for (auto& [text, function] : functions)
    if (function == a.function) name = text;
  v("function", name), v("alpha", a.alpha);
  bool known = false;
  for (auto& [text, function] : functions)
    if (text == name) a.function = function, known = true;
  check(known, Code::InvalidArgument, "activation_grad: '{}' is not an activation with a gradient here", name);
}

Tensor slope(Slope s, Tensor dy, Tensor ref);

// The derivative of the slope by what it is computed from (`r`: the output or the input); undefined where it is zero.
Tensor curvature(const Slope& s, const Tensor& r) {
  switch (s.function) {
    case Unary::tanh: return multiply(r, -2.0);
    case Unary::sigmoid: return subtract(1.0, multiply(r, 2.0));
    case Unary::elu:
    case Unary::selu: return cast(less(r, 0.0), r.dtype());
    case Unary::hard_silu: return multiply(cast(less(abs(r), 3.0), r.dtype()), 1.0 / 3);
    case Unary::log_sigmoid: {
      Tensor y = sigmoid(r);
      return multiply(y, subtract(y, 1.0));
    }
    case Unary::softplus: {
      Tensor y = sigmoid(r);
      return multiply(y, subtract(1.0, y));
    }
    case Unary::softsign: {
      Tensor d = reciprocal(add(abs(r), 1.0));
      return multiply(multiply(sign(r), -2.0), multiply(square(d), d));
    }
    case Unary::silu: {  // y(1-y)(2 + x(1-2y)) with y = sigmoid(x)
      Tensor y = sigmoid(r);
      return multiply(multiply(y, subtract(1.0, y)), add(multiply(r, subtract(1.0, multiply(y, 2.0))), 2.0));
    }
    case Unary::gelu: {  // phi(x)(2 - x^2)
      constexpr double phi0 = 0.3989422804014327;
      Tensor x2 = square(r);
      return multiply(multiply(exp(multiply(x2, -0.5)), phi0), subtract(2.0, x2));
    }
    case Unary::gelu_tanh: {  // (1-t^2)(u' + x/2 (u'' - 2t u'^2)) with t = tanh(u), u = c(x + 0.044715 x^3)
      constexpr double c = 0.7978845608028654, k = 0.044715;
      Tensor x2 = square(r), t = tanh(multiply(multiply(r, add(multiply(x2, k), 1.0)), c));
      Tensor du = multiply(add(multiply(x2, 3 * k), 1.0), c), ddu = multiply(r, 6 * k * c);
      Tensor inner = add(du, multiply(multiply(r, 0.5), subtract(ddu, multiply(multiply(t, 2.0), square(du)))));
      return multiply(subtract(1.0, square(t)), inner);
    }
    case Unary::mish: {  // (1-w^2) s (2 + x(1 - s - 2ws)) with w = tanh(softplus(x)), s = sigmoid(x)
      Tensor w = tanh(softplus(r)), y = sigmoid(r);
      Tensor inner = add(multiply(r, subtract(subtract(1.0, y), multiply(multiply(w, y), 2.0))), 2.0);
      return multiply(multiply(subtract(1.0, square(w)), y), inner);
    }
    default: return {};
  }
}

/// dy * f'(.), from f's output where kernels::grad_takes_output says so, else from its input.
const Op activation_grad_op = {
    .name = "activation_grad",
    .infer =
        [](Infer& c) {
          check(is_float(c.dtype(0)), Code::DType, "activation_grad: expected floating-point inputs, got {}", c.x(0));
          infer_broadcast(c);
        },
    .tile =
        [](const Tile& t) noexcept {
          float_tile<2>(t, [](const Tile& p, auto type) {
            using T = typename decltype(type)::type;
            const auto& a = p.attr<Slope>();
            kernels::unary_grad(a.function, p.x<T>(0), p.x<T>(1), p.y<T>(), p.n, static_cast<float>(a.alpha));
          });
        },
    .grad = [](const Grad& g) -> Tensors {
      const auto& a = g.attr<Slope>();
      Tensor by_dy = g.needs(0) ? sum_to(slope(a, g.dy(), g.x(1)), g.xspec(0).shape) : Tensor{}, by_ref;
      Tensor bend = g.needs(1) ? curvature(a, g.x(1)) : Tensor{};
      if (bend) by_ref = sum_to(multiply(multiply(g.dy(), g.x(0)), bend), g.xspec(1).shape);
      return {by_dy, by_ref};
    },
    .saves = saves_inputs(0, 1),
    .traits = elementwise | inplace,
    .attrs = attrs_of<Slope>,
    .specimens = R"(f32[2,3], f32[2,3]{0.1..2} ; {"function": "relu"} | f32[0], f32[0] | f32[1003], f32[1003]{-0.9..0.9} ; {"function": "tanh"}
                    | f32[4,5], f32[5]{0.1..0.9} ; {"function": "sigmoid"} | f32[2,3,1,2], f32[2,3,1,2]{0.1..5.9} ; {"function": "relu6"}
                    | f32[7], f32[7] ; {"function": "leaky_relu", "alpha": 0.25} | f32[7], f32[7]{-0.3..0.5} ; {"function": "elu", "alpha": 0.5}
                    | f32[7], f32[7] ; {"function": "selu"} | f32[9], f32[9] ; {"function": "log_sigmoid"} | f32[9], f32[9] ; {"function": "softplus"}
                    | f32[9], f32[9]{0.1..2} ; {"function": "softsign"} | f32[9], f32[9] ; {"function": "silu"} | f32[9], f32[9] ; {"function": "gelu"}
                    | f32[9], f32[9] ; {"function": "gelu_tanh"} | f32[9], f32[9] ; {"function": "mish"} | f32[9], f32[9] ; {"function": "hard_sigmoid"}
                    | f32[9], f32[9] ; {"function": "hard_silu"} | f64[4], f64[4] ; {"function": "silu"} | bf16[300], bf16[300] ; {"function": "gelu"}
                    | f16[3], f16[3] ; {"function": "mish"})",
};

Tensor slope(Slope s, Tensor dy, Tensor ref) { return apply_with(activation_grad_op, s, std::move(dy), std::move(ref)); }

template <Unary f>
void activate(const Tile& t, double alpha = 0) noexcept {
  float_tile<1>(t, [&](const Tile& p, auto type) {
    using T = typename decltype(type)::type;
    kernels::unary(f, p.x<T>(0), p.y<T>(), p.n, static_cast<float>(alpha));
  });
}
template <Unary f>
void activate_tile(const Tile& t) noexcept {
  activate<f>(t);
}

template <Unary f>
Tensors slope_of(const Grad& g, double alpha = 0) {
  return {slope({f, alpha}, g.dy(), kernels::grad_takes_output(f) ? g.y() : g.x(0))};
}
template <Unary f>
Tensors activation_gradient(const Grad& g) {
  return slope_of<f>(g);
}
constexpr Saves saved_by(Unary f) noexcept { return kernels::grad_takes_output(f) ? saves_output() : saves_input(0); }

constexpr std::string_view inputs = "f32[2,3] | f32[0] | f32[1003]{-4..4} | f64[4] | f32[2,3,4,5] | bf16[300] | f16[3]";

// --------------------------------------------------------------------------------------------------------------- rectifiers

const Op relu_op = {
    .name = "relu",
    .infer = infer_float,
    .tile = activate_tile<Unary::relu>,
    .grad = activation_gradient<Unary::relu>,
    .saves = saved_by(Unary::relu),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

/// min(max(x, 0), 6).
const Op relu6_op = {
    .name = "relu6",
    .infer = infer_float,
    .tile = activate_tile<Unary::relu6>,
    .grad = activation_gradient<Unary::relu6>,
    .saves = saved_by(Unary::relu6),
    .traits = elementwise | inplace,
    .specimens = "f32[2,3] | f32[0] | f32[1003]{-9..9} | f64[4] | f32[2,3,4,5] | bf16[300] | f16[3]",
};

struct LeakyRelu {
  double negative_slope = 0.2;
};
template <class V>
void fields(V& v, LeakyRelu& a) {
  v("negative_slope", a.negative_slope);
}

/// x, or negative_slope * x below 0.
const Op leaky_relu_op = {
    .name = "leaky_relu",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { activate<Unary::leaky_relu>(t, t.attr<LeakyRelu>().negative_slope); },
    .grad = [](const Grad& g) -> Tensors { return slope_of<Unary::leaky_relu>(g, g.attr<LeakyRelu>().negative_slope); },
    .saves = saved_by(Unary::leaky_relu),
    .traits = elementwise | inplace,
    .attrs = attrs_of<LeakyRelu>,
    .specimens =
        R"(f32[2,3] | f32[0] | f32[1003] ; {"negative_slope": 0.05} | f64[4] ; {"negative_slope": 0.25} | f32[2,3,4,5] | bf16[300] | f16[3])",
};

struct Elu {
  double alpha = 1;
};
template <class V>
void fields(V& v, Elu& a) {
  v("alpha", a.alpha);
}

/// x, or alpha * (exp(x) - 1) below 0.
const Op elu_op = {
    .name = "elu",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { activate<Unary::elu>(t, t.attr<Elu>().alpha); },
    .grad = [](const Grad& g) -> Tensors { return slope_of<Unary::elu>(g, g.attr<Elu>().alpha); },
    .saves = saved_by(Unary::elu),
    .traits = elementwise | inplace,
    .attrs = attrs_of<Elu>,
    .specimens = R"(f32[2,3] | f32[0] | f32[1003] ; {"alpha": 0.5} | f64[4] ; {"alpha": 0.5} | f32[2,3,4,5] | bf16[300] | f16[3])",
};

const Op selu_op = {
    .name = "selu",
    .infer = infer_float,
    .tile = activate_tile<Unary::selu>,
    .grad = activation_gradient<Unary::selu>,
    .saves = saved_by(Unary::selu),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

// -------------------------------------------------------------------------------------------------------------------- smooth

const Op tanh_op = {
    .name = "tanh",
    .infer = infer_float,
    .tile = activate_tile<Unary::tanh>,
    .grad = activation_gradient<Unary::tanh>,
    .saves = saved_by(Unary::tanh),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

const Op sigmoid_op = {
    .name = "sigmoid",
    .infer = infer_float,
    .tile = activate_tile<Unary::sigmoid>,
    .grad = activation_gradient<Unary::sigmoid>,
    .saves = saved_by(Unary::sigmoid),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

/// log(sigmoid(x)), without underflow.
const Op log_sigmoid_op = {
    .name = "log_sigmoid",
    .infer = infer_float,
    .tile = activate_tile<Unary::log_sigmoid>,
    .grad = activation_gradient<Unary::log_sigmoid>,
    .saves = saved_by(Unary::log_sigmoid),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

/// log(1 + exp(x)), without overflow.
const Op softplus_op = {
    .name = "softplus",
    .infer = infer_float,
    .tile = activate_tile<Unary::softplus>,
    .grad = activation_gradient<Unary::softplus>,
    .saves = saved_by(Unary::softplus),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

/// x / (1 + |x|).
const Op softsign_op = {
    .name = "softsign",
    .infer = infer_float,
    .tile = activate_tile<Unary::softsign>,
    .grad = activation_gradient<Unary::softsign>,
    .saves = saved_by(Unary::softsign),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

/// x * sigmoid(x).
const Op silu_op = {
    .name = "silu",
    .infer = infer_float,
    .tile = activate_tile<Unary::silu>,
    .grad = activation_gradient<Unary::silu>,
    .saves = saved_by(Unary::silu),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

struct Gelu {
  bool approximate = true;
};
template <class V>
void fields(V& v, Gelu& a) {
  v("approximate", a.approximate);
}

/// x * Phi(x), by erf or by Hendrycks and Gimpel's tanh formula (arXiv 1606.08415).
const Op gelu_op = {
    .name = "gelu",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { t.attr<Gelu>().approximate ? activate<Unary::gelu_tanh>(t) : activate<Unary::gelu>(t); },
    .grad = [](const Grad& g) -> Tensors { return g.attr<Gelu>().approximate ? slope_of<Unary::gelu_tanh>(g) : slope_of<Unary::gelu>(g); },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .attrs = attrs_of<Gelu>,
    .specimens =
        R"(f32[2,3] | f32[0] | f32[1003]{-4..4} ; {"approximate": false} | f64[4] | f64[4] ; {"approximate": false} | f32[2,3,4,5] | bf16[300] | f16[3])",
};

/// x * tanh(softplus(x)).
const Op mish_op = {
    .name = "mish",
    .infer = infer_float,
    .tile = activate_tile<Unary::mish>,
    .grad = activation_gradient<Unary::mish>,
    .saves = saved_by(Unary::mish),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

// ---------------------------------------------------------------------------------------------------------------- by pieces

/// relu6(x + 3) / 6.
const Op hard_sigmoid_op = {
    .name = "hard_sigmoid",
    .infer = infer_float,
    .tile = activate_tile<Unary::hard_sigmoid>,
    .grad = activation_gradient<Unary::hard_sigmoid>,
    .saves = saved_by(Unary::hard_sigmoid),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

/// x * hard_sigmoid(x).
const Op hard_silu_op = {
    .name = "hard_silu",
    .infer = infer_float,
    .tile = activate_tile<Unary::hard_silu>,
    .grad = activation_gradient<Unary::hard_silu>,
    .saves = saved_by(Unary::hard_silu),
    .traits = elementwise | inplace,
    .specimens = inputs,
};

}  // namespace

Tensor relu(Tensor x) { return apply(relu_op, to_float(std::move(x))); }
Tensor relu6(Tensor x) { return apply(relu6_op, to_float(std::move(x))); }
Tensor leaky_relu(Tensor x, double negative_slope) { return apply_with(leaky_relu_op, LeakyRelu{negative_slope}, to_float(std::move(x))); }
Tensor elu(Tensor x, double alpha) { return apply_with(elu_op, Elu{alpha}, to_float(std::move(x))); }
Tensor celu(Tensor x, double alpha) {
  check(alpha > 0, Code::InvalidArgument, "celu: expected alpha > 0, got {}", alpha);
  return alpha == 1 ? elu(std::move(x)) : multiply(elu(divide(std::move(x), alpha)), alpha);
}
Tensor selu(Tensor x) { return apply(selu_op, to_float(std::move(x))); }
Tensor tanh(Tensor x) { return apply(tanh_op, to_float(std::move(x))); }
Tensor sigmoid(Tensor x) { return apply(sigmoid_op, to_float(std::move(x))); }
Tensor log_sigmoid(Tensor x) { return apply(log_sigmoid_op, to_float(std::move(x))); }
Tensor softplus(Tensor x) { return apply(softplus_op, to_float(std::move(x))); }
Tensor softsign(Tensor x) { return apply(softsign_op, to_float(std::move(x))); }
Tensor silu(Tensor x) { return apply(silu_op, to_float(std::move(x))); }
Tensor gelu(Tensor x, bool approximate) { return apply_with(gelu_op, Gelu{approximate}, to_float(std::move(x))); }
Tensor mish(Tensor x) { return apply(mish_op, to_float(std::move(x))); }
Tensor hard_sigmoid(Tensor x) { return apply(hard_sigmoid_op, to_float(std::move(x))); }
Tensor hard_silu(Tensor x) { return apply(hard_silu_op, to_float(std::move(x))); }
Tensor hard_tanh(Tensor x) { return clip(to_float(std::move(x)), -1, 1); }
Tensor tanh_shrink(Tensor x) {
  x = to_float(std::move(x));
  Tensor y = tanh(x);
  return subtract(std::move(x), std::move(y));
}

void register_activation(Registry& r) {
  for (const Op* op : {&relu_op, &relu6_op, &leaky_relu_op, &elu_op, &selu_op, &tanh_op, &sigmoid_op, &log_sigmoid_op, &softplus_op, &softsign_op,
                       &silu_op, &gelu_op, &mish_op, &hard_sigmoid_op, &hard_silu_op, &activation_grad_op})
    r.add(*op);
}

}  // namespace tenure

// Epilogues: names of activations, checks, and what an epilogue means where no fused kernel runs. Nothing here owns anything.
#include "ops/fused.h"

#include <cstring>

#include "core/context.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

using kernels::Unary;

struct Name {
  std::string_view name;
  Unary function;
  Tensor (*apply)(Tensor x, double alpha);
};

constexpr Name names[] = {
    {"", Unary::identity, [](Tensor x, double) { return x; }},
    {"linear", Unary::identity, [](Tensor x, double) { return x; }},
    {"relu", Unary::relu, [](Tensor x, double) { return relu(std::move(x)); }},
    {"relu6", Unary::relu6, [](Tensor x, double) { return relu6(std::move(x)); }},
    {"leaky_relu", Unary::leaky_relu, [](Tensor x, double alpha) { return leaky_relu(std::move(x), alpha); }},
    {"elu", Unary::elu, [](Tensor x, double alpha) { return elu(std::move(x), alpha); }},
    {"selu", Unary::selu, [](Tensor x, double) { return selu(std::move(x)); }},
    {"tanh", Unary::tanh, [](Tensor x, double) { return tanh(std::move(x)); }},
    {"sigmoid", Unary::sigmoid, [](Tensor x, double) { return sigmoid(std::move(x)); }},
    {"silu", Unary::silu, [](Tensor x, double) { return silu(std::move(x)); }},
    {"swish", Unary::silu, [](Tensor x, double) { return silu(std::move(x)); }},
    {"gelu", Unary::gelu, [](Tensor x, double) { return gelu(std::move(x), false); }},
    {"gelu_tanh", Unary::gelu_tanh, [](Tensor x, double) { return gelu(std::move(x), true); }},
    {"hard_sigmoid", Unary::hard_sigmoid, [](Tensor x, double) { return hard_sigmoid(std::move(x)); }},
    {"hard_silu", Unary::hard_silu, [](Tensor x, double) { return hard_silu(std::move(x)); }},
    {"hard_swish", Unary::hard_silu, [](Tensor x, double) { return hard_silu(std::move(x)); }},
    {"softplus", Unary::softplus, [](Tensor x, double) { return softplus(std::move(x)); }},
    {"mish", Unary::mish, [](Tensor x, double) { return mish(std::move(x)); }},
    {"exponential", Unary::exp, [](Tensor x, double) { return exp(std::move(x)); }},
    {"exp", Unary::exp, [](Tensor x, double) { return exp(std::move(x)); }},
    {"square", Unary::square, [](Tensor x, double) { return square(std::move(x)); }},
    {"abs", Unary::abs, [](Tensor x, double) { return abs(std::move(x)); }},
    {"sqrt", Unary::sqrt, [](Tensor x, double) { return sqrt(std::move(x)); }},
};

// Not fused, but known by name.
struct Other {
  std::string_view name;
  Tensor (*apply)(Tensor x);
};
constexpr Other others[] = {
    {"softmax", [](Tensor x) { return softmax(std::move(x)); }},         {"log_softmax", [](Tensor x) { return log_softmax(std::move(x)); }},
    {"softsign", [](Tensor x) { return softsign(std::move(x)); }},       {"celu", [](Tensor x) { return celu(std::move(x)); }},
    {"hard_tanh", [](Tensor x) { return hard_tanh(std::move(x)); }},     {"tanh_shrink", [](Tensor x) { return tanh_shrink(std::move(x)); }},
    {"log_sigmoid", [](Tensor x) { return log_sigmoid(std::move(x)); }},
};

const Name* find(std::string_view name) noexcept {
  for (const Name& n : names)
    if (n.name == name) return &n;
  return nullptr;
}

}  // namespace

const kernels::Unary* fusable_activation(std::string_view name) noexcept {
  const Name* n = find(name);
  return n ? &n->function : nullptr;
}

double default_alpha(std::string_view name) noexcept { return name == "leaky_relu" ? 0.2 : name == "elu" ? 1 : 0; }

kernels::Epilogue epilogue_of(const EpilogueAttrs& a) noexcept {
  const Unary* f = fusable_activation(a.activation);
  return {f ? *f : Unary::identity, static_cast<float>(a.alpha), a.bias, a.sum};
}

void check_epilogue(const Infer& c, const EpilogueAttrs& a, const Spec& y, int first) {
  const std::string_view op = c.op().name;
  check(find(a.activation) != nullptr, Code::InvalidArgument, "{}: '{}' is not an activation that can be fused", op, a.activation);
  check(c.inputs() == first + a.bias + a.sum, Code::InvalidArgument, "{}: expected {} inputs, got {}", op, first + a.bias + a.sum, c.inputs());
  for (int i = first; i < c.inputs(); ++i)
    check(c.dtype(i) == y.dtype, Code::DType, "{}: expected inputs of one dtype, got {} and {}", op, c.x(0), c.x(i));
  if (a.bias) {
    const Shape& b = c.shape(first);
    check(b.rank() == 1 && (b[0] == y.shape.back() || b[0] < 0 || y.shape.back() < 0), Code::Shape, "{}: expected a bias of [{}], got {}", op,
          y.shape.back(), c.x(first));
  }
  if (a.sum) {
    const Shape& s = c.shape(first + a.bias);
    bool fits = s.rank() == y.shape.rank();
    for (int i = 0; fits && i < s.rank(); ++i) fits = s[i] == y.shape[i] || s[i] < 0 || y.shape[i] < 0;
    check(fits, Code::Shape, "{}: expected a residual of {}, got {}", op, y, c.x(first + a.bias));
  }
}

Tensor activate(Tensor x, std::string_view name, double alpha) {
  if (const Name* n = find(name)) return n->apply(std::move(x), alpha);
  for (const Other& o : others)
    if (o.name == name) return o.apply(std::move(x));
  fail(Code::InvalidArgument,
       "activation '{}' is not known; there are linear, relu, relu6, leaky_relu, elu, selu, celu, tanh, sigmoid, silu, gelu, hard_sigmoid, "
       "hard_silu, hard_tanh, tanh_shrink, softplus, softsign, log_sigmoid, mish, exponential, softmax, log_softmax",
       name);
}

Tensor activate_backward(const Tensor& x, const Tensor& dy, std::string_view name, double alpha) {
  const Unary* f = fusable_activation(name);
  ensure(f != nullptr, "an activation without a fused form has no gradient here");
  switch (*f) {
    case Unary::identity: return dy;
    case Unary::exp: return multiply(dy, exp(x));
    case Unary::square: return multiply(dy, multiply(x, 2.0));
    case Unary::abs: return multiply(dy, sign(x));
    case Unary::sqrt: return multiply(dy, multiply(rsqrt(x), 0.5));
    default: break;
  }
  static const Op* const op = Registry::global().find("activation_grad");
  ensure(op != nullptr, "the op activation_grad is missing");
  const AttrType* type = op->attrs();
  std::unique_ptr<void, void (*)(void*) noexcept> attrs(type->fresh(), type->destroy);
  const std::string_view plain = name == "swish" ? "silu" : name == "hard_swish" ? "hard_silu" : name;
  from_json(fmt::format(R"({{"function": "{}", "alpha": {}}})", plain, alpha), type, attrs.get());
  Tensor in[] = {dy, kernels::grad_takes_output(*f) ? activate(x, name, alpha) : x};
  return apply(*op, in, AttrRef{attrs.get(), type});
}

bool recording() noexcept { return thread_context.tapes && !thread_context.stopped; }

void place_residual(const Run& r, const EpilogueAttrs& a, int first) noexcept {
  if (a.sum && r.in(first + a.bias) != r.out()) kernels::copy(r.in(first + a.bias), r.out(), r.y().bytes());
}

void run_empty_product(const Run& r, const EpilogueAttrs& a, int first) noexcept {
  if (r.y().bytes() == 0) return;
  if (a.sum) place_residual(r, a, first);
  else std::memset(r.out(), 0, r.y().bytes());
  kernels::Epilogue e = epilogue_of(a);
  e.sum = false;
  const int64_t cols = r.y().shape.back(), n = r.y().shape.elements() / cols;
  with_real(r.y().dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    kernels::apply_epilogue(e, r.out<T>(), a.bias ? r.in<T>(first) : nullptr, r.out<T>(), n, cols);
  });
}

}  // namespace tenure::ops

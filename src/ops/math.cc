// Exponential, trigonometric and error functions of floats. Integers become float32 first, as in Keras.
#include <cmath>

#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;
using kernels::Unary;

template <Unary op>
void vector_tile(const Tile& t) noexcept {
  float_tile<1>(t, [](const Tile& p, auto type) {
    using T = typename decltype(type)::type;
    kernels::unary(op, p.x<T>(0), p.y<T>(), p.n);
  });
}
// For functions that have no vector kernel.
template <class F>
void scalar_tile(const Tile& t, F f) noexcept {
  float_tile<1>(t, [&](const Tile& p, auto type) { map1<typename decltype(type)::type>(p, f); });
}

constexpr std::string_view anywhere = "f32[2,3] | f32[0] | f32[1003] | f64[4] | f32[2,3,4,5] | bf16[300] | f16[3]";
constexpr std::string_view wide =
    "f32[2,3]{-9..9} | f32[0] | f32[1003]{-9..9} | f64[4]{-9..9} | f32[2,3,4,5]{-9..9} | bf16[300]{-4..4} | f16[3]{-4..4}";
constexpr std::string_view positive =
    "f32[2,3]{0.2..4} | f32[0] | f32[1003]{0.2..4} | f64[4]{0.2..4} | f32[2,3,4,5]{0.2..4} | bf16[300]{0.2..4} | f16[3]{0.2..4}";
constexpr std::string_view unit =
    "f32[2,3]{-0.9..0.9} | f32[0] | f32[1003]{-0.9..0.9} | f64[4]{-0.9..0.9} | f32[2,3,4,5]{-0.9..0.9} | bf16[300]{-0.9..0.9} | f16[3]{-0.9..0.9}";

const Op exp_op = {
    .name = "exp",
    .infer = infer_float,
    .tile = vector_tile<Unary::exp>,
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), g.y())}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};

/// exp(x) - 1, exact near 0.
const Op expm1_op = {
    .name = "expm1",
    .infer = infer_float,
    .tile = vector_tile<Unary::expm1>,
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), add(g.y(), 1.0))}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};

const Op log_op = {
    .name = "log",
    .infer = infer_float,
    .tile = vector_tile<Unary::log>,
    .grad = [](const Grad& g) -> Tensors { return {divide(g.dy(), g.x(0))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = positive,
};

/// log(1 + x), exact near 0.
const Op log1p_op = {
    .name = "log1p",
    .infer = infer_float,
    .tile = vector_tile<Unary::log1p>,
    .grad = [](const Grad& g) -> Tensors { return {divide(g.dy(), add(g.x(0), 1.0))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = unit,
};

const Op sin_op = {
    .name = "sin",
    .infer = infer_float,
    .tile = vector_tile<Unary::sin>,
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), cos(g.x(0)))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = wide,
};

const Op cos_op = {
    .name = "cos",
    .infer = infer_float,
    .tile = vector_tile<Unary::cos>,
    .grad = [](const Grad& g) -> Tensors { return {negative(multiply(g.dy(), sin(g.x(0))))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = wide,
};

const Op tan_op = {
    .name = "tan",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { scalar_tile(t, [](auto x) { return std::tan(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), add(square(g.y()), 1.0))}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = unit,
};

const Op arcsin_op = {
    .name = "arcsin",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { scalar_tile(t, [](auto x) { return std::asin(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), rsqrt(subtract(1.0, square(g.x(0)))))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = unit,
};

const Op arccos_op = {
    .name = "arccos",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { scalar_tile(t, [](auto x) { return std::acos(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {negative(multiply(g.dy(), rsqrt(subtract(1.0, square(g.x(0))))))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = unit,
};

const Op arctan_op = {
    .name = "arctan",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { scalar_tile(t, [](auto x) { return std::atan(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {divide(g.dy(), add(square(g.x(0)), 1.0))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = wide,
};

const Op sinh_op = {
    .name = "sinh",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { scalar_tile(t, [](auto x) { return std::sinh(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), cosh(g.x(0)))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};

const Op cosh_op = {
    .name = "cosh",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { scalar_tile(t, [](auto x) { return std::cosh(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), sinh(g.x(0)))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};

/// The error function.
const Op erf_op = {
    .name = "erf",
    .infer = infer_float,
    .tile = vector_tile<Unary::erf>,
    .grad = [](const Grad& g) -> Tensors {
      constexpr double two_over_root_pi = 1.1283791670955126;
      return {multiply(g.dy(), multiply(exp(negative(square(g.x(0)))), two_over_root_pi))};
    },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};

}  // namespace

Tensor exp(Tensor x) { return apply(exp_op, to_float(std::move(x))); }
Tensor expm1(Tensor x) { return apply(expm1_op, to_float(std::move(x))); }
Tensor log(Tensor x) { return apply(log_op, to_float(std::move(x))); }
Tensor log1p(Tensor x) { return apply(log1p_op, to_float(std::move(x))); }
Tensor sin(Tensor x) { return apply(sin_op, to_float(std::move(x))); }
Tensor cos(Tensor x) { return apply(cos_op, to_float(std::move(x))); }
Tensor tan(Tensor x) { return apply(tan_op, to_float(std::move(x))); }
Tensor arcsin(Tensor x) { return apply(arcsin_op, to_float(std::move(x))); }
Tensor arccos(Tensor x) { return apply(arccos_op, to_float(std::move(x))); }
Tensor arctan(Tensor x) { return apply(arctan_op, to_float(std::move(x))); }
Tensor sinh(Tensor x) { return apply(sinh_op, to_float(std::move(x))); }
Tensor cosh(Tensor x) { return apply(cosh_op, to_float(std::move(x))); }
Tensor erf(Tensor x) { return apply(erf_op, to_float(std::move(x))); }

void register_math(Registry& r) {
  for (const Op* op :
       {&exp_op, &expm1_op, &log_op, &log1p_op, &sin_op, &cos_op, &tan_op, &arcsin_op, &arccos_op, &arctan_op, &sinh_op, &cosh_op, &erf_op})
    r.add(*op);
}

}  // namespace tenure

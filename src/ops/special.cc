// Hyperbolic inverses, logarithms and powers to other bases, error and Bessel functions of floats, arctan2. Nothing here owns anything.
#include <cmath>

#include <tenure/ops_numpy.h>

#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

template <class F>
void float_map(const Tile& t, F f) noexcept {
  float_tile<1>(t, [&](const Tile& p, auto type) { map1<typename decltype(type)::type>(p, f); });
}

constexpr std::string_view anywhere = "f32[2,3] | f32[0] | f32[1003] | f64[4] | f32[2,3,4,5] | bf16[300] | f16[3]";
constexpr std::string_view unit =
    "f32[2,3]{-0.9..0.9} | f32[0] | f32[1003]{-0.9..0.9} | f64[4]{-0.9..0.9} | f32[2,3,4,5]{-0.9..0.9} | bf16[300]{-0.9..0.9} | f16[3]{-0.9..0.9}";
constexpr std::string_view positive =
    "f32[2,3]{0.2..4} | f32[0] | f32[1003]{0.2..4} | f64[4]{0.2..4} | f32[2,3,4,5]{0.2..4} | bf16[300]{0.2..4} | f16[3]{0.2..4}";
constexpr std::string_view above_one =
    "f32[2,3]{1.2..4} | f32[0] | f32[1003]{1.2..4} | f64[4]{1.2..4} | f32[2,3,4,5]{1.2..4} | bf16[300]{1.2..4} | f16[3]{1.2..4}";
constexpr double ln2 = 0.69314718055994530942, ln10 = 2.30258509299404568402;

const Op arcsinh_op = {
    .name = "arcsinh",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::asinh(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), rsqrt(add(square(g.x(0)), 1.0)))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};
const Op arccosh_op = {
    .name = "arccosh",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::acosh(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), rsqrt(subtract(square(g.x(0)), 1.0)))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = above_one,
};
const Op arctanh_op = {
    .name = "arctanh",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::atanh(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {divide(g.dy(), subtract(1.0, square(g.x(0))))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = unit,
};
const Op exp2_op = {
    .name = "exp2",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::exp2(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), multiply(g.y(), ln2))}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};
const Op log2_op = {
    .name = "log2",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::log2(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {divide(g.dy(), multiply(g.x(0), ln2))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = positive,
};
const Op log10_op = {
    .name = "log10",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::log10(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {divide(g.dy(), multiply(g.x(0), ln10))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = positive,
};
const Op cbrt_op = {
    .name = "cbrt",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::cbrt(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {divide(g.dy(), multiply(square(g.y()), 3.0))}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = positive,
};
/// Towards zero; its gradient is 0.
const Op trunc_op = {
    .name = "trunc",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::trunc(x); }); },
    .grad = [](const Grad& g) -> Tensors { return {zeros_like(g.dy())}; },
    .traits = elementwise | inplace,
    .specimens = "f32[2,3]{0.1..0.9} | f32[0] | f32[1003]{1.1..1.9} | f64[4]{2.1..2.9} | f32[2,3,4,5]{0.1..0.9} | bf16[300] | f16[3]",
};
/// 1 - erf(x), exact for large x.
const Op erfc_op = {
    .name = "erfc",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return std::erfc(x); }); },
    .grad = [](const Grad& g) -> Tensors {
      constexpr double two_over_root_pi = 1.1283791670955126;
      return {multiply(g.dy(), multiply(exp(negative(square(g.x(0)))), -two_over_root_pi))};
    },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = anywhere,
};

// Giles' approximation, then two steps of Newton's method in double.
double inverse_erf(double x) noexcept {
  if (!(std::fabs(x) < 1)) return x == 1 ? INFINITY : x == -1 ? -INFINITY : NAN;
  double w = -std::log((1 - x) * (1 + x)), p;
  if (w < 5) {
    w -= 2.5;
    p = 2.81022636e-08;
    for (double c : {3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941})
      p = p * w + c;
  } else {
    w = std::sqrt(w) - 3;
    p = -0.000200214257;
    for (double c : {0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682})
      p = p * w + c;
  }
  double y = p * x;
  for (int i = 0; i < 2; ++i) {
    const double off = x >= 0 ? (1 - x) - std::erfc(y) : std::erfc(-y) - (1 + x);
    y -= off / (1.1283791670955126 * std::exp(-y * y));
  }
  return y;
}

/// The inverse of erf.
const Op erfinv_op = {
    .name = "erfinv",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return inverse_erf(static_cast<double>(x)); }); },
    .grad = [](const Grad& g) -> Tensors {
      constexpr double half_root_pi = 0.88622692545275801365;
      return {multiply(g.dy(), multiply(exp(square(g.y())), half_root_pi))};
    },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = unit,
};

// The modified Bessel function of order n by its power series, or for large x its asymptotic one.
double bessel(int n, double x) noexcept {
  const double a = std::fabs(x);
  double sum = 1, term = 1;
  if (a < 25) {
    for (int k = 1; k < 200 && term > sum * 1e-17; ++k) sum += term *= a * a / 4 / (static_cast<double>(k) * (k + n));
    if (n == 1) sum *= a / 2;
  } else {
    for (int k = 1; k < 30; ++k) {
      const double next = -term * (4.0 * n * n - (2.0 * k - 1) * (2.0 * k - 1)) / (8.0 * k * a);
      if (std::fabs(next) > std::fabs(term)) break;
      sum += term = next;
    }
    sum *= std::exp(a) / std::sqrt(6.283185307179586 * a);
  }
  return n == 1 && x < 0 ? -sum : sum;
}

extern const Op i1_op;
/// The modified Bessel function of order 0.
const Op i0_op = {
    .name = "i0",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return bessel(0, static_cast<double>(x)); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), apply(i1_op, Tensor(g.x(0))))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = positive,
};
/// The modified Bessel function of order 1.
const Op i1_op = {
    .name = "i1",
    .infer = infer_float,
    .tile = [](const Tile& t) noexcept { float_map(t, [](auto x) { return bessel(1, static_cast<double>(x)); }); },
    .grad = [](const Grad& g) -> Tensors {
      const Tensor zero = equal(g.x(0), 0.0), share = where(zero, 0.5, divide(g.y(), where(zero, 1.0, g.x(0))));
      return {multiply(g.dy(), subtract(apply(i0_op, Tensor(g.x(0))), share))};
    },
    .saves = saves_input(0) | saves_output(),
    .traits = elementwise | inplace,
    .specimens = positive,
};

/// The angle of the point (b, a).
const Op arctan2_op = {
    .name = "arctan2",
    .infer =
        [](Infer& c) {
          check(is_float(c.dtype(0)), Code::DType, "arctan2: expected floating-point inputs, got {}", c.x(0));
          infer_broadcast(c);
        },
    .tile =
        [](const Tile& t) noexcept {
          float_tile<2>(t, [](const Tile& p, auto type) { map2<typename decltype(type)::type>(p, [](auto a, auto b) { return std::atan2(a, b); }); });
        },
    .grad = [](const Grad& g) -> Tensors {
      const Tensor share = divide(g.dy(), add(square(g.x(0)), square(g.x(1))));
      return {g.needs(0) ? sum_to(multiply(share, g.x(1)), g.xspec(0).shape) : Tensor{},
              g.needs(1) ? sum_to(negative(multiply(share, g.x(0))), g.xspec(1).shape) : Tensor{}};
    },
    .saves = saves_inputs(0, 1),
    .traits = elementwise | inplace,
    .specimens =
        "f32[2,3]{0.2..4}, f32[2,3] | f32[4,5], f32[5]{0.2..4} | f32[2,1,5], f32[4,1]{0.5..2} | f32[0,3], f32[3] | f32[1003]{0.2..4}, f32[1]"
        " | f32[2,3,1,2]{0.5..1}, f32[3,4,1] | f64[3,2], f64[2]{0.5..1} | bf16[5], bf16[5]{1..2} | f16[300]{1..2}, f16[1]",
};

/// The next number from a towards b.
const Op nextafter_op = {
    .name = "nextafter",
    .infer =
        [](Infer& c) {
          check(c.dtype(0) == float32 || c.dtype(0) == float64, Code::DType, "nextafter: expected float32 or float64, got {}", c.x(0));
          infer_broadcast(c);
        },
    .tile =
        [](const Tile& t) noexcept {
          with_real(t.dtype, [&](auto type) { map2<typename decltype(type)::type>(t, [](auto a, auto b) { return std::nextafter(a, b); }); });
        },
    .traits = elementwise | inplace,
    .specimens = "f32[2,3], f32[2,3] | f32[4,5], f32[5] | f32[0,3], f32[3] | f32[1003], f32[1] | f64[3,2], f64[2] | f32[2,3,1,2], f32[3,4,1]",
};

/// Whether the sign bit is set, of -0 too.
const Op signbit_op = {
    .name = "signbit",
    .infer =
        [](Infer& c) {
          check(is_float(c.dtype(0)), Code::DType, "signbit: expected a floating-point input, got {}", c.x(0));
          c.output(c.shape(0), bool_);
        },
    .tile =
        [](const Tile& t) noexcept {
          float_tile<1>(t, [](const Tile& p, auto type) { map1<typename decltype(type)::type, bool>(p, [](auto x) { return std::signbit(x); }); });
        },
    .traits = elementwise | inplace,
    .specimens = anywhere,
};

Tensor of_float(const Op& op, Tensor x) { return apply(op, to_float(std::move(x))); }
Tensor of_floats(const Op& op, Tensor a, Tensor b) {
  promote_pair(a, b);
  return apply(op, to_float(std::move(a)), to_float(std::move(b)));
}

}  // namespace

Tensor arcsinh(Tensor x) { return of_float(arcsinh_op, std::move(x)); }
Tensor arccosh(Tensor x) { return of_float(arccosh_op, std::move(x)); }
Tensor arctanh(Tensor x) { return of_float(arctanh_op, std::move(x)); }
Tensor exp2(Tensor x) { return of_float(exp2_op, std::move(x)); }
Tensor log2(Tensor x) { return of_float(log2_op, std::move(x)); }
Tensor log10(Tensor x) { return of_float(log10_op, std::move(x)); }
Tensor cbrt(Tensor x) { return of_float(cbrt_op, std::move(x)); }
Tensor trunc(Tensor x) { return is_float(x.dtype()) ? apply(trunc_op, std::move(x)) : x; }
Tensor erfc(Tensor x) { return of_float(erfc_op, std::move(x)); }
Tensor erfinv(Tensor x) { return of_float(erfinv_op, std::move(x)); }
Tensor i0(Tensor x) { return of_float(i0_op, std::move(x)); }
Tensor arctan2(Tensor x1, Tensor x2) { return of_floats(arctan2_op, std::move(x1), std::move(x2)); }
Tensor nextafter(Tensor x1, Tensor x2) { return of_floats(nextafter_op, std::move(x1), std::move(x2)); }
Tensor signbit(Tensor x) { return is_float(x.dtype()) ? apply(signbit_op, std::move(x)) : less(std::move(x), 0); }

void register_special(Registry& r) {
  for (const Op* op : {&arcsinh_op, &arccosh_op, &arctanh_op, &exp2_op, &log2_op, &log10_op, &cbrt_op, &trunc_op, &erfc_op, &erfinv_op, &i0_op,
                       &i1_op, &arctan2_op, &nextafter_op, &signbit_op})
    r.add(*op);
}

}  // namespace tenure

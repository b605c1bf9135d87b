// Arithmetic on numbers: binary ops with broadcasting and promotion, and the simple functions of one number. Assignment by adding, too.
#include <cmath>
#include <limits>

#include <tenure/variable.h>

#include "core/context.h"
#include "core/variable_body.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;
using kernels::Binary;
using kernels::Unary;

// Float kernels by Highway, integers and bool by `integer`.
template <Binary op, class F>
void binary_tile(const Tile& t, F integer) noexcept {
  number_tile<2>(t, [&](const Tile& p, auto type) {
    using T = typename decltype(type)::type;
    if constexpr (std::is_floating_point_v<T>) kernels::binary(op, p.x<T>(0), p.x<T>(1), p.y<T>(), p.n);
    else map2<T>(p, integer);
  });
}
template <Unary op, class F>
void unary_tile(const Tile& t, F integer) noexcept {
  number_tile<1>(t, [&](const Tile& p, auto type) {
    using T = typename decltype(type)::type;
    if constexpr (std::is_floating_point_v<T>) kernels::unary(op, p.x<T>(0), p.y<T>(), p.n);
    else map1<T>(p, integer);
  });
}
template <Unary op>
void unary_float_tile(const Tile& t) noexcept {
  float_tile<1>(t, [](const Tile& p, auto type) {
    using T = typename decltype(type)::type;
    kernels::unary(op, p.x<T>(0), p.y<T>(), p.n);
  });
}

void infer_no_bool(Infer& c) {
  check(c.dtype(0) != bool_, Code::DType, "{}: expected numbers, got bool; use the logical functions", c.op().name);
  infer_broadcast(c);
}
void infer_float_broadcast(Infer& c) {
  check(is_float(c.dtype(0)), Code::DType, "{}: expected floating-point inputs, got {}", c.op().name, c.x(0));
  infer_broadcast(c);
}

// The gradient of input i, before broadcasting is undone; nothing where it is not wanted.
template <class F>
Tensor wanted(const Grad& g, int i, F make) {
  return g.needs(i) ? sum_to(make(), g.xspec(i).shape) : Tensor{};
}

constexpr std::string_view pairs =
    "f32[2,3], f32[2,3] | f32[4,5], f32[5] | f32[2,1,5], f32[4,1] | f32[], f32[3] | f32[0,3], f32[3] | f32[1003], f32[1] | f32[2,3,1,2], f32[3,4,1]"
    " | f64[3,2], f64[2] | i32[4,3], i32[3] | i64[5], i64[5] | u8[7], u8[1] | bf16[5], bf16[5] | f16[3], f16[]";
constexpr std::string_view pairs_and_bool =
    "f32[2,3], f32[2,3] | f32[4,5], f32[5] | f32[2,1,5], f32[4,1] | f32[], f32[3] | f32[0,3], f32[3] | f32[1003], f32[1] | f32[2,3,1,2], f32[3,4,1]"
    " | f64[3,2], f64[2] | i32[4,3], i32[3] | i64[5], i64[5] | u8[7], u8[1] | bf16[5], bf16[5] | f16[3], f16[] | b[4,3], b[3]";

// ----------------------------------------------------------------------------------------------------- add, subtract, multiply

const Op add_op = {
    .name = "add",
    .infer = infer_broadcast,
    .tile =
        [](const Tile& t) noexcept {
          binary_tile<Binary::add>(t, [](auto a, auto b) { return static_cast<decltype(a)>(Wrap<decltype(a)>(a) + Wrap<decltype(a)>(b)); });
        },
    .grad = [](const Grad& g) -> Tensors {
      return {wanted(g, 0, [&] { return g.dy(); }), wanted(g, 1, [&] { return g.dy(); })};
    },
    .traits = elementwise | inplace | commutative,
    .specimens = pairs_and_bool,
};

const Op subtract_op = {
    .name = "subtract",
    .infer = infer_no_bool,
    .tile =
        [](const Tile& t) noexcept {
          binary_tile<Binary::sub>(t, [](auto a, auto b) { return static_cast<decltype(a)>(Wrap<decltype(a)>(a) - Wrap<decltype(a)>(b)); });
        },
    .grad = [](const Grad& g) -> Tensors {
      return {wanted(g, 0, [&] { return g.dy(); }), wanted(g, 1, [&] { return negative(g.dy()); })};
    },
    .traits = elementwise | inplace,
    .specimens = pairs,
};

const Op multiply_op = {
    .name = "multiply",
    .infer = infer_broadcast,
    .tile =
        [](const Tile& t) noexcept {
          binary_tile<Binary::mul>(t, [](auto a, auto b) { return static_cast<decltype(a)>(Wrap<decltype(a)>(a) * Wrap<decltype(a)>(b)); });
        },
    .grad = [](const Grad& g) -> Tensors {
      return {wanted(g, 0, [&] { return multiply(g.dy(), g.x(1)); }), wanted(g, 1, [&] { return multiply(g.dy(), g.x(0)); })};
    },
    .saves = saves_inputs(0, 1),
    .traits = elementwise | inplace | commutative,
    .specimens = pairs_and_bool,
};

// ------------------------------------------------------------------------------------------------------------------- division

/// Of floats.
const Op divide_op = {
    .name = "divide",
    .infer = infer_float_broadcast,
    .tile =
        [](const Tile& t) noexcept {
          float_tile<2>(t, [](const Tile& p, auto type) {
            using T = typename decltype(type)::type;
            kernels::binary(Binary::div, p.x<T>(0), p.x<T>(1), p.y<T>(), p.n);
          });
        },
    .grad = [](const Grad& g) -> Tensors {
      return {wanted(g, 0, [&] { return divide(g.dy(), g.x(1)); }), wanted(g, 1, [&] { return negative(divide(multiply(g.dy(), g.y()), g.x(1))); })};
    },
    .saves = saves_input(1) | saves_output(),
    .traits = elementwise | inplace,
    .specimens =
        "f32[2,3], f32[2,3]{0.5..2} | f32[4,5], f32[5]{-2..-0.5} | f32[2,1,5], f32[4,1]{0.5..2} | f32[], f32[3]{0.5..2} | f32[0,3], f32[3]{0.5..2}"
        " | f32[1003], f32[1]{0.5..2} | f32[2,3,1,2], f32[3,4,1]{0.5..2} | f64[3,2], f64[2]{0.5..2} | bf16[5], bf16[5]{0.5..2} | f16[3], "
        "f16[]{0.5..2}",
};

template <class T>
T floor_quotient(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::floor(a / b);
  } else if constexpr (std::is_same_v<T, bool>) {
    return a && b;
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return static_cast<T>(-static_cast<uint64_t>(a));
    }
    T q = static_cast<T>(a / b);
    return static_cast<T>(a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
  }
}
template <class T>
T floor_remainder(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    T r = std::fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  } else if constexpr (std::is_same_v<T, bool>) {
    return false;
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    T r = static_cast<T>(a % b);
    return static_cast<T>(r != 0 && (r < 0) != (b < 0) ? r + b : r);
  }
}

/// Rounded towards minus infinity; an integer divided by 0 is 0, as in NumPy.
const Op floor_divide_op = {
    .name = "floor_divide",
    .infer = infer_no_bool,
    .tile =
        [](const Tile& t) noexcept {
          number_tile<2>(
              t, [](const Tile& p, auto type) { map2<typename decltype(type)::type>(p, [](auto a, auto b) { return floor_quotient(a, b); }); });
        },
    .traits = elementwise | inplace,
    .specimens =
        "f32[2,3], f32[2,3]{0.5..2} | f32[4,5], f32[5]{-2..-0.5} | f32[0,3], f32[3] | f32[1003], f32[1]{0.5..2} | f32[2,3,1,2], f32[3,4,1]{0.5..2}"
        " | f64[3,2], f64[2]{0.5..2} | i32[4,30], i32[30] | i8[40], i8[40]{-1..1} | u8[7], u8[1]{2..3} | bf16[5], bf16[5]{0.5..2}",
};

/// With the sign of the divisor; an integer modulo 0 is 0.
const Op mod_op = {
    .name = "mod",
    .infer = infer_no_bool,
    .tile =
        [](const Tile& t) noexcept {
          number_tile<2>(
              t, [](const Tile& p, auto type) { map2<typename decltype(type)::type>(p, [](auto a, auto b) { return floor_remainder(a, b); }); });
        },
    .grad = [](const Grad& g) -> Tensors {
      return {wanted(g, 0, [&] { return g.dy(); }), wanted(g, 1, [&] { return negative(multiply(g.dy(), floor_divide(g.x(0), g.x(1)))); })};
    },
    .saves = saves_inputs(0, 1),
    .traits = elementwise | inplace,
    .specimens =
        "f32[2,3]{3.2..3.4}, f32[2,3]{1.2..1.3} | f32[4,5]{0.1..0.9}, f32[5]{1..2} | f32[0,3], f32[3] | f32[1003]{3.2..3.4}, f32[1]{-1.3..-1.2}"
        " | f32[2,3,1,2]{-3.4..-3.2}, f32[3,4,1]{1.2..1.3} | f64[3,2]{3.2..3.4}, f64[2]{1.2..1.3} | i32[4,30], i32[30] | u8[7], u8[1]{2..3}",
};

// ---------------------------------------------------------------------------------------------------------------------- power

template <class T>
T integer_power(T a, T b) noexcept {
  if constexpr (std::is_signed_v<T>) {
    if (b < 0) return static_cast<T>(a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0);
  }
  uint64_t base = static_cast<uint64_t>(a), result = 1;
  for (uint64_t e = static_cast<uint64_t>(b); e; e >>= 1, base *= base)
    if (e & 1) result *= base;
  return static_cast<T>(result);
}

/// a to the power b. An integer to a negative power is rounded towards 0.
const Op power_op = {
    .name = "power",
    .infer = infer_broadcast,
    .tile =
        [](const Tile& t) noexcept {
          number_tile<2>(t, [](const Tile& p, auto type) {
            using T = typename decltype(type)::type;
            if constexpr (std::is_floating_point_v<T>) map2<T>(p, [](T a, T b) { return std::pow(a, b); });
            else map2<T>(p, [](T a, T b) { return integer_power(a, b); });
          });
        },
    .grad = [](const Grad& g) -> Tensors {
      const Tensor &a = g.x(0), &b = g.x(1);
      auto log_a = [&] {  // 0 where a is not positive, as TensorFlow
        Tensor positive = greater(a, 0.0);
        return where(positive, log(where(positive, a, 1.0)), 0.0);
      };
      return {wanted(g, 0, [&] { return multiply(g.dy(), multiply(b, power(a, subtract(b, 1.0)))); }),
              wanted(g, 1, [&] { return multiply(g.dy(), multiply(g.y(), log_a())); })};
    },
    .saves = saves_inputs(0, 1) | saves_output(),
    .traits = elementwise | inplace,
    .specimens =
        "f32[2,3]{0.2..3}, f32[2,3] | f32[4,5]{0.2..3}, f32[5] | f32[2,1,5]{0.2..3}, f32[4,1] | f32[0,3], f32[3] | f32[1003]{0.2..3}, f32[1]"
        " | f32[2,3,1,2]{0.2..3}, f32[3,4,1] | f64[3,2]{0.2..3}, f64[2] | i32[4,3], i32[3]{0..5} | i64[9], i64[9] | f16[3]{0.5..2}, f16[]",
};

// --------------------------------------------------------------------------------------------------------- maximum and minimum

// The gradient goes to the chosen input, to the first where both are equal.
Tensors choice_gradient(const Grad& g, Tensor first) {
  return {wanted(g, 0, [&] { return where(first, g.dy(), 0.0); }), wanted(g, 1, [&] { return where(first, 0.0, g.dy()); })};
}

/// The greater; a NaN wins.
const Op maximum_op = {
    .name = "maximum",
    .infer = infer_broadcast,
    .tile = [](const Tile& t) noexcept { binary_tile<Binary::max>(t, [](auto a, auto b) { return a < b ? b : a; }); },
    .grad = [](const Grad& g) -> Tensors { return choice_gradient(g, greater_equal(g.x(0), g.x(1))); },
    .saves = saves_inputs(0, 1),
    .traits = elementwise | inplace | commutative,
    .specimens = pairs_and_bool,
};

/// The less; a NaN wins.
const Op minimum_op = {
    .name = "minimum",
    .infer = infer_broadcast,
    .tile = [](const Tile& t) noexcept { binary_tile<Binary::min>(t, [](auto a, auto b) { return b < a ? b : a; }); },
    .grad = [](const Grad& g) -> Tensors { return choice_gradient(g, less_equal(g.x(0), g.x(1))); },
    .saves = saves_inputs(0, 1),
    .traits = elementwise | inplace | commutative,
    .specimens = pairs_and_bool,
};

// -------------------------------------------------------------------------------------------------------------- of one number

constexpr std::string_view singles = "f32[2,3] | f32[0] | f32[1003] | f64[4] | f32[2,3,4,5] | i32[7] | i64[3] | u8[5] | bf16[300] | f16[3]";

template <class T>
T integer_abs(T a) noexcept {
  if constexpr (std::is_signed_v<T>) return static_cast<T>(a < 0 ? -static_cast<uint64_t>(a) : static_cast<uint64_t>(a));
  else return a;
}
template <class T>
T integer_sign(T a) noexcept {
  if constexpr (std::is_signed_v<T>) return static_cast<T>((a > 0) - (a < 0));
  else return static_cast<T>(a != 0);
}

const Op negative_op = {
    .name = "negative",
    .infer = infer_no_bool,
    .tile = [](const Tile& t) noexcept { unary_tile<Unary::neg>(t, [](auto a) { return static_cast<decltype(a)>(-Wrap<decltype(a)>(a)); }); },
    .grad = [](const Grad& g) -> Tensors { return {negative(g.dy())}; },
    .traits = elementwise | inplace,
    .specimens = singles,
};

const Op abs_op = {
    .name = "abs",
    .infer = infer_same,
    .tile = [](const Tile& t) noexcept { unary_tile<Unary::abs>(t, [](auto a) { return integer_abs(a); }); },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), sign(g.x(0)))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = singles,
};

const Op sign_op = {
    .name = "sign",
    .infer = infer_no_bool,
    .tile = [](const Tile& t) noexcept { unary_tile<Unary::sign>(t, [](auto a) { return integer_sign(a); }); },
    .grad = [](const Grad& g) -> Tensors { return {zeros_like(g.dy())}; },
    .traits = elementwise | inplace,
    .specimens = singles,
};

const Op square_op = {
    .name = "square",
    .infer = infer_same,
    .tile =
        [](const Tile& t) noexcept {
          unary_tile<Unary::square>(t, [](auto a) { return static_cast<decltype(a)>(Wrap<decltype(a)>(a) * Wrap<decltype(a)>(a)); });
        },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), multiply(g.x(0), 2.0))}; },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = singles,
};

constexpr std::string_view positives =
    "f32[2,3]{0.2..3} | f32[0] | f32[1003]{0.2..3} | f64[4]{0.2..3} | f32[2,3,4,5]{0.2..3} | bf16[300]{0.2..3} | f16[3]{0.2..3}";

const Op sqrt_op = {
    .name = "sqrt",
    .infer = infer_float,
    .tile = unary_float_tile<Unary::sqrt>,
    .grad = [](const Grad& g) -> Tensors { return {divide(multiply(g.dy(), 0.5), g.y())}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = positives,
};

const Op rsqrt_op = {
    .name = "rsqrt",
    .infer = infer_float,
    .tile = unary_float_tile<Unary::rsqrt>,
    .grad = [](const Grad& g) -> Tensors { return {multiply(multiply(g.dy(), -0.5), multiply(square(g.y()), g.y()))}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = positives,
};

const Op reciprocal_op = {
    .name = "reciprocal",
    .infer = infer_float,
    .tile = unary_float_tile<Unary::reciprocal>,
    .grad = [](const Grad& g) -> Tensors { return {negative(multiply(g.dy(), square(g.y())))}; },
    .saves = saves_output(),
    .traits = elementwise | inplace,
    .specimens = positives,
};

constexpr std::string_view floats =
    "f32[2,3]{-4..4} | f32[0] | f32[1003]{-4..4} | f64[4]{-4..4} | f32[2,3,4,5]{-4..4} | bf16[300]{-4..4} | f16[3]{-4..4}";

const Op floor_op = {
    .name = "floor", .infer = infer_float, .tile = unary_float_tile<Unary::floor>, .traits = elementwise | inplace, .specimens = floats};
const Op ceil_op = {
    .name = "ceil", .infer = infer_float, .tile = unary_float_tile<Unary::ceil>, .traits = elementwise | inplace, .specimens = floats};
/// Half to even.
const Op round_op = {
    .name = "round", .infer = infer_float, .tile = unary_float_tile<Unary::round>, .traits = elementwise | inplace, .specimens = floats};

// ----------------------------------------------------------------------------------------------------------------------- clip

struct Clip {
  double min = 0, max = 0;
};
template <class V>
void fields(V& v, Clip& a) {
  v("min", a.min), v("max", a.max);
}

// The nearest value that T has.
template <class T>
T bound(double v) noexcept {
  using L = std::numeric_limits<T>;
  if constexpr (L::is_iec559) return static_cast<T>(v);
  else return v <= static_cast<double>(L::lowest()) ? L::lowest() : v >= static_cast<double>(L::max()) ? L::max() : static_cast<T>(v);
}

/// min(max(x, min), max); NaN stays.
const Op clip_op = {
    .name = "clip",
    .infer = infer_no_bool,
    .tile =
        [](const Tile& t) noexcept {
          number_tile<1>(t, [](const Tile& p, auto type) {
            using T = typename decltype(type)::type;
            const T lo = bound<T>(p.attr<Clip>().min), hi = bound<T>(p.attr<Clip>().max);
            if constexpr (std::is_floating_point_v<T>) kernels::clip(p.x<T>(0), lo, hi, p.y<T>(), p.n);
            else map1<T>(p, [=](T a) { return a < lo ? lo : hi < a ? hi : a; });
          });
        },
    .grad = [](const Grad& g) -> Tensors {
      const auto& a = g.attr<Clip>();
      return {where(logical_and(greater_equal(g.x(0), a.min), less_equal(g.x(0), a.max)), g.dy(), 0.0)};
    },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .attrs = attrs_of<Clip>,
    .specimens = R"(f32[2,3] ; {"min": -0.5, "max": 0.7} | f32[0] | f32[1003] ; {"min": -0.5, "max": 0.7} | f64[4] ; {"min": 0, "max": 1}
                    | f32[2,3,4,5] ; {"min": -0.1, "max": 6} | i32[9] ; {"min": -2, "max": 3} | u8[9] ; {"min": -2, "max": 3} | bf16[300] ; {"min": 0, "max": 1})",
};

Tensor binary(const Op& op, Tensor a, Tensor b) {
  promote_pair(a, b);
  return apply(op, std::move(a), std::move(b));
}

// A Variable's present value, unseen by tapes: assignments are not differentiated.
Tensor unrecorded(const Variable& v) {
  struct Pause {
    bool saved = std::exchange(thread_context.stopped, true);
    ~Pause() { thread_context.stopped = saved; }
  } pause;
  return v.value();
}

}  // namespace

const Op ops::multiply_add_op = {
    .name = "multiply_add",
    .tile =
        [](const Tile& t) noexcept {
          auto product = static_cast<kernels::Product>(t.attr<MultiplyAddAttrs>().product);
          kernels::multiply_add(product, t.x<float>(0), t.x<float>(1), t.x<float>(2), t.y<float>(), t.n);
        },
};

Tensor add(Tensor a, Tensor b) { return binary(add_op, std::move(a), std::move(b)); }
Tensor subtract(Tensor a, Tensor b) { return binary(subtract_op, std::move(a), std::move(b)); }
Tensor multiply(Tensor a, Tensor b) { return binary(multiply_op, std::move(a), std::move(b)); }
Tensor divide(Tensor a, Tensor b) {
  promote_pair(a, b);
  return apply(divide_op, to_float(std::move(a)), to_float(std::move(b)));
}
Tensor floor_divide(Tensor a, Tensor b) { return binary(floor_divide_op, std::move(a), std::move(b)); }
Tensor mod(Tensor a, Tensor b) { return binary(mod_op, std::move(a), std::move(b)); }
Tensor power(Tensor a, Tensor b) {
  if (is_float(a.dtype()) && b.body() && b.body()->exact() && b.body()->number() == 2) return square(std::move(a));
  return binary(power_op, std::move(a), std::move(b));
}
Tensor maximum(Tensor a, Tensor b) { return binary(maximum_op, std::move(a), std::move(b)); }
Tensor minimum(Tensor a, Tensor b) { return binary(minimum_op, std::move(a), std::move(b)); }
Tensor negative(Tensor x) { return apply(negative_op, std::move(x)); }
Tensor abs(Tensor x) { return apply(abs_op, std::move(x)); }
Tensor sign(Tensor x) { return apply(sign_op, std::move(x)); }
Tensor square(Tensor x) { return apply(square_op, std::move(x)); }
Tensor sqrt(Tensor x) { return apply(sqrt_op, to_float(std::move(x))); }
Tensor rsqrt(Tensor x) { return apply(rsqrt_op, to_float(std::move(x))); }
Tensor reciprocal(Tensor x) { return apply(reciprocal_op, to_float(std::move(x))); }
Tensor floor(Tensor x) { return apply(floor_op, to_float(std::move(x))); }
Tensor ceil(Tensor x) { return apply(ceil_op, to_float(std::move(x))); }
Tensor round(Tensor x) { return is_float(x.dtype()) ? apply(round_op, std::move(x)) : x; }

Tensor clip(Tensor x, double min, double max) {
  check(!(min > max), Code::InvalidArgument, "clip: expected min <= max, got {} and {}", min, max);
  if (x.dtype() == bool_) x = cast(std::move(x), int32);
  auto whole = [](double v) { return std::floor(v) == v; };  // infinities are whole, too
  if (!whole(min) || !whole(max)) x = to_float(std::move(x));
  return apply_with(clip_op, Clip{min, max}, std::move(x));
}

void Variable::assign_add(Tensor delta) { assign(add(unrecorded(*this), std::move(delta))); }
void Variable::assign_sub(Tensor delta) { assign(subtract(unrecorded(*this), std::move(delta))); }

void register_arithmetic(Registry& r) {
  for (const Op* op :
       {&add_op, &subtract_op, &multiply_op, &divide_op, &floor_divide_op, &mod_op,        &power_op, &maximum_op, &minimum_op, &negative_op,
        &abs_op, &sign_op,     &square_op,   &sqrt_op,   &rsqrt_op,        &reciprocal_op, &floor_op, &ceil_op,    &round_op,   &clip_op})
    r.add(*op);
}

}  // namespace tenure

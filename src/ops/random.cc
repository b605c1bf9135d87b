// Random draws: pure functions of an int64[2] state (key, counter) by Philox, the same at any number of threads. A SeedGenerator owns its state, a
// Variable that every draw advances. Dropout's gradient is the same draw again: it keeps the state, not a mask.
#include <tenure/ops_random.h>
#include <tenure/variable.h>

#include <cmath>
#include <numbers>

#include "base/parallel.h"
#include "ops/draws.h"
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

struct State {
  uint64_t key, counter;
  explicit State(const void* p) noexcept {
    const auto* words = static_cast<const int64_t*>(p);
    key = static_cast<uint64_t>(words[0]);
    counter = static_cast<uint64_t>(words[1]);
  }
};

void check_state(const Infer& c, int i) {
  const Spec& s = c.x(i);
  check(s.dtype == int64 && s.shape.rank() == 1 && (s.shape[0] == 2 || s.shape[0] < 0), Code::Shape,
        "{}: expected a generator's state int64[2], got {}", c.op().name, s);
}

void check_real(const Infer& c, DType t) {
  check(t == float32 || t == float64, Code::DType, "{}: expected dtype float32 or float64, got {}", c.op().name, t);
}

const Op seed_advance_op = {
    .name = "seed_advance",
    .infer =
        [](Infer& c) {
          check_state(c, 0);
          c.output(c.x(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const State s(r.in(0));
      r.out<int64_t>()[0] = static_cast<int64_t>(s.key);
      r.out<int64_t>()[1] = static_cast<int64_t>(s.counter + 1);
      return {};
    },
    .traits = inplace,
    .specimens = "i64[2]",
};

// ---- reals ----------------------------------------------------------------------------------------------------------------------

// a and b: bounds of uniform; mean and standard deviation of the normals; a: bernoulli's p.
struct DrawAttrs {
  Shape shape;
  DType dtype = float32;
  double a = 0, b = 1;
};
template <class V>
void fields(V& v, DrawAttrs& a) {
  v("shape", a.shape), v("dtype", a.dtype), v("a", a.a), v("b", a.b);
}

void infer_draw(Infer& c) {
  const auto& a = c.attr<DrawAttrs>();
  check_state(c, 0);
  check_real(c, a.dtype);
  check(a.shape.known(), Code::Shape, "{}: expected a known shape, got {}", c.op().name, a.shape);
  c.output(a.shape, a.dtype);
}

enum class Law : uint8_t { uniform, normal, truncated };

template <Law law>
Status run_draw(const Run& r) noexcept {
  const auto& a = r.attr<DrawAttrs>();
  const State s(r.in(0));
  with_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const int64_t n = r.y().shape.elements();
    if constexpr (law == Law::uniform) kernels::philox_uniform(s.key, s.counter, r.out<T>(), n, static_cast<T>(a.a), static_cast<T>(a.b));
    else if constexpr (law == Law::normal) kernels::philox_normal(s.key, s.counter, r.out<T>(), n, static_cast<T>(a.a), static_cast<T>(a.b));
    else kernels::philox_truncated_normal(s.key, s.counter, r.out<T>(), n, static_cast<T>(a.a), static_cast<T>(a.b));
  });
  return {};
}

constexpr std::string_view draws = R"(i64[2]{0..99} ; {"shape": [2,3]} | i64[2]{0..99} ; {"shape": [0]}
                  | i64[2]{0..99} ; {"shape": [1003], "a": -2, "b": 3} | i64[2]{0..99} ; {"shape": [5], "dtype": "float64"}
                  | i64[2]{0..99} ; {"shape": [2,3,1,4]} | i64[2]{0..99} ; {"shape": []})";

const Op random_uniform_op = {.name = "random_uniform",
                              .infer = infer_draw,
                              .run = run_draw<Law::uniform>,
                              .traits = stateful,
                              .attrs = attrs_of<DrawAttrs>,
                              .specimens = draws};
const Op random_normal_op = {
    .name = "random_normal", .infer = infer_draw, .run = run_draw<Law::normal>, .traits = stateful, .attrs = attrs_of<DrawAttrs>, .specimens = draws};
const Op random_truncated_normal_op = {.name = "random_truncated_normal",
                                       .infer = infer_draw,
                                       .run = run_draw<Law::truncated>,
                                       .traits = stateful,
                                       .attrs = attrs_of<DrawAttrs>,
                                       .specimens = draws};

// ---- integers -------------------------------------------------------------------------------------------------------------------

const Op random_bernoulli_op = {
    .name = "random_bernoulli",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<DrawAttrs>();
          check_state(c, 0);
          check(a.shape.known(), Code::Shape, "random_bernoulli: expected a known shape, got {}", a.shape);
          check(a.a >= 0 && a.a <= 1, Code::InvalidArgument, "random_bernoulli: expected a probability in [0, 1], got {}", a.a);
          check(a.dtype != DType::string, Code::DType, "random_bernoulli: expected a number type or bool, got {}", a.dtype);
          c.output(a.shape, a.dtype);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<DrawAttrs>();
      const State s(r.in(0));
      const int64_t n = r.y().shape.elements();
      const bool bytes = size_of(a.dtype) == 1;
      auto* drawn = bytes ? r.out<uint8_t>() : r.scratch<uint8_t>();
      kernels::philox_bernoulli(s.key, s.counter, drawn, n, a.a);
      if (!bytes) kernels::convert(DType::uint8, drawn, a.dtype, r.out(), n);
      return {};
    },
    .traits = stateful,
    .attrs = attrs_of<DrawAttrs>,
    .scratch = [](const Prep& p) -> size_t { return size_of(p.y().dtype) == 1 ? 0 : static_cast<size_t>(p.y().shape.elements()); },
    .specimens = R"(i64[2]{0..99} ; {"shape": [2,3], "a": 0.5} | i64[2]{0..99} ; {"shape": [0], "a": 0.5}
                  | i64[2]{0..99} ; {"shape": [1003], "a": 0.25, "dtype": "bool"} | i64[2]{0..99} ; {"shape": [5], "a": 1, "dtype": "float64"}
                  | i64[2]{0..99} ; {"shape": [2,3,1,4], "dtype": "int32"})",
};

struct RangeAttrs {
  Shape shape;
  DType dtype = int32;
  int64_t minval = 0, maxval = 0;
};
template <class V>
void fields(V& v, RangeAttrs& a) {
  v("shape", a.shape), v("dtype", a.dtype), v("minval", a.minval), v("maxval", a.maxval);
}

size_t wide_scratch(const Prep& p) { return p.y().dtype == int64 ? 0 : static_cast<size_t>(p.y().shape.elements()) * sizeof(int64_t); }

// draw(int64 buffer, n), then converted to the output's dtype.
template <class F>
Status integers(const Run& r, F draw) noexcept {
  const int64_t n = r.y().shape.elements();
  const bool direct = r.y().dtype == int64;
  auto* drawn = direct ? r.out<int64_t>() : r.scratch<int64_t>();
  draw(drawn, n);
  if (!direct) kernels::convert(DType::int64, drawn, r.y().dtype, r.out(), n);
  return {};
}

const Op random_randint_op = {
    .name = "random_randint",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<RangeAttrs>();
          check_state(c, 0);
          check(a.shape.known(), Code::Shape, "random_randint: expected a known shape, got {}", a.shape);
          check(is_integer(a.dtype), Code::DType, "random_randint: expected an integer dtype, got {}", a.dtype);
          check(a.minval < a.maxval, Code::InvalidArgument, "random_randint: expected minval < maxval, got {} and {}", a.minval, a.maxval);
          c.output(a.shape, a.dtype);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<RangeAttrs>();
      const State s(r.in(0));
      return integers(r, [&](int64_t* y, int64_t n) { kernels::philox_integers(s.key, s.counter, y, n, a.minval, a.maxval); });
    },
    .traits = stateful,
    .attrs = attrs_of<RangeAttrs>,
    .scratch = wide_scratch,
    .specimens = R"(i64[2]{0..99} ; {"shape": [2,3], "maxval": 7} | i64[2]{0..99} ; {"shape": [0], "maxval": 7}
                  | i64[2]{0..99} ; {"shape": [1003], "minval": -5, "maxval": 5, "dtype": "int64"}
                  | i64[2]{0..99} ; {"shape": [2,1,3,5], "maxval": 255, "dtype": "uint8"})",
};

struct PermutationAttrs {
  int64_t n = 0;
};
template <class V>
void fields(V& v, PermutationAttrs& a) {
  v("n", a.n);
}

const Op random_permutation_op = {
    .name = "random_permutation",
    .infer =
        [](Infer& c) {
          const int64_t n = c.attr<PermutationAttrs>().n;
          check_state(c, 0);
          check(n >= 0 && n <= std::numeric_limits<int32_t>::max(), Code::InvalidArgument,
                "random_permutation: expected n in [0, 2147483647], got {}", n);
          c.output({n}, int32);
        },
    .run = [](const Run& r) noexcept -> Status {
      const State s(r.in(0));
      return integers(r, [&](int64_t* y, int64_t n) { kernels::philox_permutation(s.key, s.counter, y, n); });
    },
    .traits = stateful,
    .attrs = attrs_of<PermutationAttrs>,
    .scratch = wide_scratch,
    .specimens = R"(i64[2]{0..99} ; {"n": 17} | i64[2]{0..99} ; {"n": 0} | i64[2]{0..99} ; {"n": 1})",
};

// ---- dropout --------------------------------------------------------------------------------------------------------------------

struct DropoutAttrs {
  double rate = 0.5;
};
template <class V>
void fields(V& v, DropoutAttrs& a) {
  v("rate", a.rate);
}

const Op dropout_op = {
    .name = "dropout",
    .infer =
        [](Infer& c) {
          const double rate = c.attr<DropoutAttrs>().rate;
          check_real(c, c.dtype(0));
          check_state(c, 1);
          check(rate >= 0 && rate <= 1, Code::InvalidArgument, "dropout: expected a rate in [0, 1], got {}", rate);
          c.output(c.x(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const double rate = r.attr<DropoutAttrs>().rate;
      const State s(r.in(1));
      with_real(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T scale = rate < 1 ? static_cast<T>(1 / (1 - rate)) : T{0};
        kernels::philox_dropout(s.key, s.counter, r.in<T>(0), r.out<T>(), nullptr, r.x(0).shape.elements(), rate, scale);
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      return {g.needs(0) ? apply_with(dropout_op, g.attr<DropoutAttrs>(), g.dy(), g.x(1)) : Tensor{}, Tensor{}};
    },
    .saves = saves_input(1),
    .traits = inplace | stateful,
    .attrs = attrs_of<DropoutAttrs>,
    .specimens = R"(f32[4,5], i64[2]{0..99} | f64[17], i64[2]{0..99} ; {"rate": 0.25} | f32[0], i64[2]{0..99}
                  | f32[2,3,1,5], i64[2]{0..99} ; {"rate": 0} | f32[7], i64[2]{0..99} ; {"rate": 1})",
};

// ---- gamma ----------------------------------------------------------------------------------------------------------------------

// The logarithm of value i (Marsaglia and Tsang 2000): an attempt takes a block of its own, and one in twenty is refused at most. Below 1 the value
// for alpha + 1 is multiplied by a uniform number to the power of 1 / alpha.
double log_gamma_at(const State& s, int64_t i, double alpha) noexcept {
  if (!(alpha > 0)) return std::numeric_limits<double>::quiet_NaN();
  constexpr uint64_t attempts = 64;
  const double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  const uint32_t key[2] = {static_cast<uint32_t>(s.key), static_cast<uint32_t>(s.key >> 32)};
  double y = 0;
  for (uint64_t k = 0; k < attempts; ++k) {
    const uint64_t block = static_cast<uint64_t>(i) * attempts + k;
    const uint32_t at[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(s.counter),
                            static_cast<uint32_t>(s.counter >> 32)};
    uint32_t words[4];
    kernels::philox_block(at, key, words);
    auto unit = [&](int w) { return (static_cast<double>(words[w]) + 0.5) * 0x1p-32; };
    const double x = std::sqrt(-2 * std::log(unit(0))) * std::cos(2 * std::numbers::pi * unit(1)), root = 1 + c * x;
    if (root <= 0) continue;
    const double log_v = 3 * std::log(root);
    if (std::log(unit(2)) >= 0.5 * x * x + d - d * root * root * root + d * log_v) continue;
    y = std::log(d) + log_v + (alpha < 1 ? std::log(unit(3)) / alpha : 0);
    break;
  }
  return y;
}

const Op random_log_gamma_op = {
    .name = "random_log_gamma",
    .infer =
        [](Infer& c) {
          check_state(c, 0);
          check_real(c, c.dtype(1));
          c.output(c.x(1));
        },
    .run = [](const Run& r) noexcept -> Status {
      const State s(r.in(0));
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T* alpha = r.in<T>(1);
        T* y = r.out<T>();
        parallel_for(r.y().shape.elements(), 256, [&](int64_t b, int64_t e) {
          for (int64_t i = b; i < e; ++i) y[i] = static_cast<T>(log_gamma_at(s, i, static_cast<double>(alpha[i])));
        });
      });
      return {};
    },
    .traits = stateful,
    .specimens = R"(i64[2]{0..99}, f32[2,3]{0.1..3} | i64[2]{0..99}, f32[0] | i64[2]{0..99}, f32[1003]{0.5..9} | i64[2]{0..99}, f64[5]{0.01..1}
                  | i64[2]{0..99}, f32[2,3,1,4]{1..2} | i64[2]{0..99}, f32[]{1..2})",
};

// A draw of reals; halves are drawn as float32.
Tensor draw_at(const Op& op, Tensor state, const Shape& shape, DType dtype, double a, double b) {
  DrawAttrs attrs{shape, is_half(dtype) ? float32 : dtype, a, b};
  Tensor y = apply_with(op, attrs, std::move(state));
  return is_half(dtype) ? cast(std::move(y), dtype) : y;
}
Tensor draw(const Op& op, const SeedGenerator& seed, const Shape& shape, DType dtype, double a, double b) {
  return draw_at(op, seed.next(), shape, dtype, a, b);
}

}  // namespace

Tensor normal_at(Tensor state, const Shape& shape, DType dtype) { return draw_at(random_normal_op, std::move(state), shape, dtype, 0, 1); }

}  // namespace tenure::ops

namespace tenure {

using namespace ops;

SeedGenerator::SeedGenerator(int64_t seed) : state_(Tensor::from<int64_t>({seed, 0}), VariableOptions{"seed_generator_state", false}) {}

Tensor SeedGenerator::next() const {
  Tensor now = state_.value();
  Variable state = state_;
  state.assign(apply(seed_advance_op, now));
  return now;
}

namespace random {

Tensor uniform(const Shape& shape, const SeedGenerator& seed, double minval, double maxval, DType dtype) {
  return draw(random_uniform_op, seed, shape, dtype, minval, maxval);
}
Tensor normal(const Shape& shape, const SeedGenerator& seed, double mean, double stddev, DType dtype) {
  return draw(random_normal_op, seed, shape, dtype, mean, stddev);
}
Tensor truncated_normal(const Shape& shape, const SeedGenerator& seed, double mean, double stddev, DType dtype) {
  return draw(random_truncated_normal_op, seed, shape, dtype, mean, stddev);
}
Tensor bernoulli(const Shape& shape, const SeedGenerator& seed, double p, DType dtype) {
  return apply_with(random_bernoulli_op, DrawAttrs{shape, dtype, p, 0}, seed.next());
}
Tensor randint(const Shape& shape, const SeedGenerator& seed, int64_t minval, int64_t maxval, DType dtype) {
  return apply_with(random_randint_op, RangeAttrs{shape, dtype, minval, maxval}, seed.next());
}
Tensor permutation(int64_t n, const SeedGenerator& seed) { return apply_with(random_permutation_op, PermutationAttrs{n}, seed.next()); }

Tensor log_gamma(Tensor alpha, const SeedGenerator& seed) { return apply(random_log_gamma_op, seed.next(), std::move(alpha)); }
Tensor gamma(const Shape& shape, const SeedGenerator& seed, double alpha, DType dtype) {
  check(alpha > 0, Code::InvalidArgument, "random::gamma: expected alpha > 0, got {}", alpha);
  return cast(exp(log_gamma(full(shape, alpha, dtype == float64 ? float64 : float32), seed)), dtype);
}
Tensor beta(const Shape& shape, const SeedGenerator& seed, double alpha, double beta, DType dtype) {
  check(alpha > 0 && beta > 0, Code::InvalidArgument, "random::beta: expected alpha > 0 and beta > 0, got {} and {}", alpha, beta);
  const DType t = dtype == float64 ? float64 : float32;
  return cast(random::beta(full(shape, alpha, t), full(shape, beta, t), seed), dtype);
}
Tensor beta(Tensor alpha, Tensor beta, const SeedGenerator& seed) {
  Tensor a = log_gamma(std::move(alpha), seed), b = log_gamma(std::move(beta), seed);
  return sigmoid(subtract(std::move(a), std::move(b)));
}

Tensor dropout(Tensor x, double rate, const SeedGenerator& seed, const Shape& noise_shape) {
  check(rate >= 0 && rate <= 1, Code::InvalidArgument, "dropout: expected a rate in [0, 1], got {}", rate);
  x = to_float(std::move(x));
  if (rate == 0) return x;
  const DType t = x.dtype();
  if (is_half(t)) return cast(dropout(cast(std::move(x), float32), rate, seed, noise_shape), t);
  if (noise_shape.rank() == 0) return apply_with(dropout_op, DropoutAttrs{rate}, std::move(x), seed.next());
  // One draw for all elements along axes of size 1: the small mask is drawn and broadcast.
  check(noise_shape.rank() == x.rank(), Code::Shape, "dropout: expected a noise_shape of rank {}, got {}", x.rank(), noise_shape);
  Shape noise = noise_shape;
  for (int i = 0; i < noise.rank(); ++i) {
    if (noise[i] < 0) noise[i] = x.shape()[i];
    check(noise[i] == 1 || noise[i] == x.shape()[i], Code::Shape, "dropout: noise_shape {} does not broadcast to {}", noise_shape, x.spec());
  }
  Tensor mask = apply_with(dropout_op, DropoutAttrs{rate}, ones(noise, t), seed.next());
  return std::move(x) * std::move(mask);
}

}  // namespace random

void register_random(Registry& r) {
  for (const Op* op : {&seed_advance_op, &random_uniform_op, &random_normal_op, &random_truncated_normal_op, &random_bernoulli_op, &random_randint_op,
                       &random_permutation_op, &random_log_gamma_op, &dropout_op})
    r.add(*op);
}

}  // namespace tenure

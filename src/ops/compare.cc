// Comparison and logic: bool out, no gradient. And where, which chooses.
#include <cmath>

#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

template <class F>
void compare_tile(const Tile& t, F f) noexcept {
  number_tile<2>(t, [&](const Tile& p, auto type) { map2<typename decltype(type)::type, bool>(p, f); });
}

constexpr std::string_view compared_pairs =
    "f32[2,3], f32[2,3] | f32[4,5], f32[5] | f32[2,1,5], f32[4,1] | f32[], f32[3] | f32[0,3], f32[3] | f32[1003], f32[1] | f32[2,3,1,2], f32[3,4,1]"
    " | f64[3,2], f64[2] | i32[4,30]{0..2}, i32[30]{0..2} | i64[9], i64[9] | u8[40]{0..2}, u8[1] | b[9], b[9] | bf16[5], bf16[5] | f16[300], f16[1]";

const Op equal_op = {
    .name = "equal",
    .infer = infer_compare,
    .tile = [](const Tile& t) noexcept { compare_tile(t, [](auto a, auto b) { return a == b; }); },
    .traits = elementwise | inplace | commutative,
    .specimens = compared_pairs,
};
const Op not_equal_op = {
    .name = "not_equal",
    .infer = infer_compare,
    .tile = [](const Tile& t) noexcept { compare_tile(t, [](auto a, auto b) { return a != b; }); },
    .traits = elementwise | inplace | commutative,
    .specimens = compared_pairs,
};
const Op less_op = {
    .name = "less",
    .infer = infer_compare,
    .tile = [](const Tile& t) noexcept { compare_tile(t, [](auto a, auto b) { return a < b; }); },
    .traits = elementwise | inplace,
    .specimens = compared_pairs,
};
const Op less_equal_op = {
    .name = "less_equal",
    .infer = infer_compare,
    .tile = [](const Tile& t) noexcept { compare_tile(t, [](auto a, auto b) { return a <= b; }); },
    .traits = elementwise | inplace,
    .specimens = compared_pairs,
};
const Op greater_op = {
    .name = "greater",
    .infer = infer_compare,
    .tile = [](const Tile& t) noexcept { compare_tile(t, [](auto a, auto b) { return a > b; }); },
    .traits = elementwise | inplace,
    .specimens = compared_pairs,
};
const Op greater_equal_op = {
    .name = "greater_equal",
    .infer = infer_compare,
    .tile = [](const Tile& t) noexcept { compare_tile(t, [](auto a, auto b) { return a >= b; }); },
    .traits = elementwise | inplace,
    .specimens = compared_pairs,
};

// ---------------------------------------------------------------------------------------------------------------------- logic

void infer_logical(Infer& c) {
  check(c.dtype(0) == bool_, Code::DType, "{}: expected bool inputs, got {}", c.op().name, c.x(0));
  infer_compare(c);
}

constexpr std::string_view bools =
    "b[2,3], b[2,3] | b[4,5], b[5] | b[2,1,5], b[4,1] | b[], b[3] | b[0,3], b[3] | b[1003], b[1] | b[2,3,1,2], b[3,4,1]";

const Op logical_and_op = {
    .name = "logical_and",
    .infer = infer_logical,
    .tile = [](const Tile& t) noexcept { map2<bool>(t, [](bool a, bool b) { return a & b; }); },
    .traits = elementwise | inplace | commutative,
    .specimens = bools,
};
const Op logical_or_op = {
    .name = "logical_or",
    .infer = infer_logical,
    .tile = [](const Tile& t) noexcept { map2<bool>(t, [](bool a, bool b) { return a | b; }); },
    .traits = elementwise | inplace | commutative,
    .specimens = bools,
};
const Op logical_xor_op = {
    .name = "logical_xor",
    .infer = infer_logical,
    .tile = [](const Tile& t) noexcept { map2<bool>(t, [](bool a, bool b) { return a != b; }); },
    .traits = elementwise | inplace | commutative,
    .specimens = bools,
};
const Op logical_not_op = {
    .name = "logical_not",
    .infer = infer_logical,
    .tile = [](const Tile& t) noexcept { map1<bool>(t, [](bool a) { return !a; }); },
    .traits = elementwise | inplace,
    .specimens = "b[2,3] | b[0] | b[1003] | b[2,3,4,5]",
};

// ------------------------------------------------------------------------------------------------------------ kinds of tested_floats

void infer_float_test(Infer& c) {
  check(is_float(c.dtype(0)), Code::DType, "{}: expected a floating-point input, got {}", c.op().name, c.x(0));
  c.output(c.shape(0), bool_);
}
template <class F>
void test_tile(const Tile& t, F f) noexcept {
  float_tile<1>(t, [&](const Tile& p, auto type) { map1<typename decltype(type)::type, bool>(p, f); });
}

constexpr std::string_view tested_floats = "f32[2,3] | f32[0] | f32[1003] | f64[4] | f32[2,3,4,5] | bf16[300] | f16[3]";

const Op isnan_op = {
    .name = "isnan",
    .infer = infer_float_test,
    .tile = [](const Tile& t) noexcept { test_tile(t, [](auto x) { return x != x; }); },
    .traits = elementwise | inplace,
    .specimens = tested_floats,
};
const Op isinf_op = {
    .name = "isinf",
    .infer = infer_float_test,
    .tile = [](const Tile& t) noexcept { test_tile(t, [](auto x) { return std::isinf(x); }); },
    .traits = elementwise | inplace,
    .specimens = tested_floats,
};
const Op isfinite_op = {
    .name = "isfinite",
    .infer = infer_float_test,
    .tile = [](const Tile& t) noexcept { test_tile(t, [](auto x) { return std::isfinite(x); }); },
    .traits = elementwise | inplace,
    .specimens = tested_floats,
};

// ---------------------------------------------------------------------------------------------------------------------- where

/// a where the condition holds, else b; every element type, by its bits.
const Op where_op = {
    .name = "where",
    .infer =
        [](Infer& c) {
          check(c.dtype(0) == bool_, Code::DType, "where: expected a bool condition, got {}", c.x(0));
          check(c.dtype(1) == c.dtype(2), Code::DType, "where: expected choices of one dtype, got {} and {}", c.x(1), c.x(2));
          c.output(broadcast(broadcast(c.shape(0), c.shape(1)), c.shape(2)), c.dtype(1));
        },
    .tile =
        [](const Tile& t) noexcept {
          with_size(size_of(t.out_dtype), [&](auto type) {
            using T = typename decltype(type)::type;
            const bool* chosen = t.x<bool>(0);
            const T *a = t.x<T>(1), *b = t.x<T>(2);
            T* y = t.y<T>();
            for (int64_t i = 0; i < t.n; ++i) y[i] = chosen[i] ? a[i] : b[i];
          });
        },
    .grad = [](const Grad& g) -> Tensors {
      return {Tensor{}, g.needs(1) ? sum_to(where(g.x(0), g.dy(), 0.0), g.xspec(1).shape) : Tensor{},
              g.needs(2) ? sum_to(where(g.x(0), 0.0, g.dy()), g.xspec(2).shape) : Tensor{}};
    },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens =
        "b[2,3], f32[2,3], f32[2,3] | b[3,1], f32[4], f32[2,1,1] | b[0,4], f32[0,4], f32[4] | b[1003], f32[1003], f32[1] | b[2,3,1,2], f32[3,4,1], "
        "f32[]"
        " | b[4], f64[4], f64[4] | b[9], i32[9], i32[9] | b[9], u8[1], u8[9] | b[9], bf16[9], bf16[9] | b[9], b[9], b[1] | b[], i64[9], i64[9]",
};

Tensor compare(const Op& op, Tensor a, Tensor b) {
  promote_pair(a, b);
  return apply(op, std::move(a), std::move(b));
}
Tensor logical(const Op& op, Tensor a, Tensor b) { return apply(op, cast(std::move(a), bool_), cast(std::move(b), bool_)); }
// What no integer is.
Tensor float_test(const Op& op, Tensor x) { return apply(op, to_float(std::move(x))); }

}  // namespace

Tensor equal(Tensor a, Tensor b) { return compare(equal_op, std::move(a), std::move(b)); }
Tensor not_equal(Tensor a, Tensor b) { return compare(not_equal_op, std::move(a), std::move(b)); }
Tensor less(Tensor a, Tensor b) { return compare(less_op, std::move(a), std::move(b)); }
Tensor less_equal(Tensor a, Tensor b) { return compare(less_equal_op, std::move(a), std::move(b)); }
Tensor greater(Tensor a, Tensor b) { return compare(greater_op, std::move(a), std::move(b)); }
Tensor greater_equal(Tensor a, Tensor b) { return compare(greater_equal_op, std::move(a), std::move(b)); }
Tensor logical_and(Tensor a, Tensor b) { return logical(logical_and_op, std::move(a), std::move(b)); }
Tensor logical_or(Tensor a, Tensor b) { return logical(logical_or_op, std::move(a), std::move(b)); }
Tensor logical_xor(Tensor a, Tensor b) { return logical(logical_xor_op, std::move(a), std::move(b)); }
Tensor logical_not(Tensor x) { return apply(logical_not_op, cast(std::move(x), bool_)); }
Tensor isnan(Tensor x) { return float_test(isnan_op, std::move(x)); }
Tensor isinf(Tensor x) { return float_test(isinf_op, std::move(x)); }
Tensor isfinite(Tensor x) { return float_test(isfinite_op, std::move(x)); }

Tensor where(Tensor condition, Tensor a, Tensor b) {
  promote_pair(a, b);
  return apply(where_op, cast(std::move(condition), bool_), std::move(a), std::move(b));
}

void register_compare(Registry& r) {
  for (const Op* op : {&equal_op, &not_equal_op, &less_op, &less_equal_op, &greater_op, &greater_equal_op, &logical_and_op, &logical_or_op,
                       &logical_xor_op, &logical_not_op, &isnan_op, &isinf_op, &isfinite_op, &where_op})
    r.add(*op);
}

}  // namespace tenure

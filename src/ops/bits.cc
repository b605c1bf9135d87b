// Whole numbers: bits, shifts, common divisors. No gradients. Nothing here owns anything.
#include <numeric>

#include <tenure/ops_numpy.h>

#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

template <bool with_bool>
void infer_whole(Infer& c) {
  check(is_integer(c.dtype(0)) || (with_bool && c.dtype(0) == bool_), Code::DType, "{}: expected integers{}, got {}", c.op().name,
        with_bool ? " or bool" : "", c.x(0));
  infer_broadcast(c);
}

// In unsigned arithmetic, so that nothing overflows.
template <class F>
void bits_tile(const Tile& t, F f) noexcept {
  with_integer(t.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    map2<T>(t, [&](T a, T b) { return f(static_cast<int64_t>(a), static_cast<int64_t>(b)); });
  });
}

constexpr std::string_view bit_pairs =
    "i32[2,3], i32[2,3] | i32[4,5], i32[5] | i32[2,1,5], i32[4,1] | i32[0,3], i32[3] | i32[1003], i32[1] | i32[2,3,1,2], i32[3,4,1] | i64[9], i64[9]"
    " | u8[40], u8[1] | i8[9], i8[9] | u64[5], u64[5]";
constexpr std::string_view with_bools =
    "i32[2,3], i32[2,3] | i32[4,5], i32[5] | i32[2,1,5], i32[4,1] | i32[0,3], i32[3] | i32[1003], i32[1] | i32[2,3,1,2], i32[3,4,1] | i64[9], i64[9]"
    " | u8[40], u8[1] | b[9], b[9]";
constexpr std::string_view shifts =
    "i32[2,3], i32[2,3]{0..9} | i32[4,5], i32[5]{0..9} | i32[2,1,5], i32[4,1]{0..9} | i32[0,3], i32[3] | i32[1003], i32[1]{0..9}"
    " | i32[2,3,1,2], i32[3,4,1]{0..3} | i64[9], i64[9]{0..40} | u8[40], u8[1]{0..7} | i8[9], i8[9]{0..7}";

const Op bitwise_and_op = {.name = "bitwise_and",
                           .infer = infer_whole<true>,
                           .tile = [](const Tile& t) noexcept { bits_tile(t, [](int64_t a, int64_t b) { return a & b; }); },
                           .traits = elementwise | inplace | commutative,
                           .specimens = with_bools};
const Op bitwise_or_op = {.name = "bitwise_or",
                          .infer = infer_whole<true>,
                          .tile = [](const Tile& t) noexcept { bits_tile(t, [](int64_t a, int64_t b) { return a | b; }); },
                          .traits = elementwise | inplace | commutative,
                          .specimens = with_bools};
const Op bitwise_xor_op = {.name = "bitwise_xor",
                           .infer = infer_whole<true>,
                           .tile = [](const Tile& t) noexcept { bits_tile(t, [](int64_t a, int64_t b) { return a ^ b; }); },
                           .traits = elementwise | inplace | commutative,
                           .specimens = with_bools};
/// By 64 and more, or by less than 0: 0.
const Op left_shift_op = {
    .name = "left_shift",
    .infer = infer_whole<false>,
    .tile =
        [](const Tile& t) noexcept {
          bits_tile(t, [](int64_t a, int64_t b) { return b < 0 || b > 63 ? int64_t{0} : static_cast<int64_t>(static_cast<uint64_t>(a) << b); });
        },
    .traits = elementwise | inplace,
    .specimens = shifts};
/// Keeps the sign; by 64 and more as by 63.
const Op right_shift_op = {.name = "right_shift",
                           .infer = infer_whole<false>,
                           .tile =
                               [](const Tile& t) noexcept {
                                 with_integer(t.dtype, [&](auto type) {
                                   using T = typename decltype(type)::type;
                                   map2<T>(t, [&](T a, T b) {
                                     const int64_t by = std::clamp<int64_t>(static_cast<int64_t>(b), 0, 63);
                                     if constexpr (std::is_signed_v<T>) return static_cast<int64_t>(a) >> by;
                                     else return static_cast<uint64_t>(a) >> by;
                                   });
                                 });
                               },
                           .traits = elementwise | inplace,
                           .specimens = shifts};
const Op bitwise_not_op = {.name = "bitwise_not",
                           .infer =
                               [](Infer& c) {
                                 check(is_integer(c.dtype(0)) || c.dtype(0) == bool_, Code::DType, "bitwise_not: expected integers or bool, got {}",
                                       c.x(0));
                                 c.output(c.x(0));
                               },
                           .tile =
                               [](const Tile& t) noexcept {
                                 with_integer(t.dtype, [&](auto type) {
                                   using T = typename decltype(type)::type;
                                   if constexpr (std::is_same_v<T, bool>) map1<T>(t, [](bool x) { return !x; });
                                   else map1<T>(t, [](T x) { return ~static_cast<uint64_t>(x); });
                                 });
                               },
                           .traits = elementwise | inplace,
                           .specimens = "i32[2,3] | i32[0] | i32[1003] | i64[4] | u8[2,3,4,5] | b[7]"};

uint64_t size_without_sign(int64_t a) noexcept { return a < 0 ? uint64_t{0} - static_cast<uint64_t>(a) : static_cast<uint64_t>(a); }
uint64_t common(int64_t a, int64_t b) noexcept { return std::gcd(size_without_sign(a), size_without_sign(b)); }

const Op gcd_op = {.name = "gcd",
                   .infer = infer_whole<false>,
                   .tile = [](const Tile& t) noexcept { bits_tile(t, [](int64_t a, int64_t b) { return common(a, b); }); },
                   .traits = elementwise | inplace | commutative,
                   .specimens = bit_pairs};
const Op lcm_op = {.name = "lcm",
                   .infer = infer_whole<false>,
                   .tile =
                       [](const Tile& t) noexcept {
                         bits_tile(t, [](int64_t a, int64_t b) {
                           const uint64_t d = common(a, b);
                           return d == 0 ? uint64_t{0} : size_without_sign(a) / d * size_without_sign(b);
                         });
                       },
                   .traits = elementwise | inplace | commutative,
                   .specimens = bit_pairs};

Tensor whole(const Op& op, Tensor a, Tensor b) {
  promote_pair(a, b);
  return apply(op, std::move(a), std::move(b));
}

}  // namespace

Tensor bitwise_and(Tensor x, Tensor y) { return whole(bitwise_and_op, std::move(x), std::move(y)); }
Tensor bitwise_or(Tensor x, Tensor y) { return whole(bitwise_or_op, std::move(x), std::move(y)); }
Tensor bitwise_xor(Tensor x, Tensor y) { return whole(bitwise_xor_op, std::move(x), std::move(y)); }
Tensor bitwise_not(Tensor x) { return apply(bitwise_not_op, std::move(x)); }
Tensor left_shift(Tensor x, Tensor y) { return whole(left_shift_op, std::move(x), std::move(y)); }
Tensor right_shift(Tensor x, Tensor y) { return whole(right_shift_op, std::move(x), std::move(y)); }
Tensor gcd(Tensor x1, Tensor x2) { return whole(gcd_op, std::move(x1), std::move(x2)); }
Tensor lcm(Tensor x1, Tensor x2) { return whole(lcm_op, std::move(x1), std::move(x2)); }

void register_bits(Registry& r) {
  for (const Op* op : {&bitwise_and_op, &bitwise_or_op, &bitwise_xor_op, &bitwise_not_op, &left_shift_op, &right_shift_op, &gcd_op, &lcm_op})
    r.add(*op);
}

}  // namespace tenure

// Sums, means, products, extremes, any and all; and sum_to, which undoes broadcasting. One kernel call where the reduced axes are neighbours,
// else one for each group of them, over scratch. Halves are computed in float32.
#include "ops/families.h"
#include "ops/reduce_ops.h"

namespace tenure {
namespace {

using namespace ops;
using kernels::Reduce;

// Partial results between groups: two areas in turn.
size_t groups_scratch(Groups g, size_t element) noexcept {
  size_t bytes = 0;
  for (int areas = 0; areas < 2 && g.reduced_groups > 1; ++areas, --g.reduced_groups) {
    int at = g.last_reduced();
    g.size[at] = 1;
    g.reduced[at] = false;
    bytes += (static_cast<size_t>(g.span(0, g.count)) * element + 63) / 64 * 64;
  }
  return bytes;
}

// `empty` is the result for no elements.
template <class T>
void reduce_groups(Reduce op, Groups g, const T* x, T* y, void* scratch, T empty) noexcept {
  int64_t reduced = 1, kept = 1;
  for (int i = 0; i < g.count; ++i) (g.reduced[i] ? reduced : kept) *= g.size[i];
  if (reduced == 0) {
    std::fill_n(y, kept, empty);
    return;
  }
  if (g.reduced_groups == 0) return kernels::copy(x, y, static_cast<size_t>(kept) * sizeof(T));
  T* areas[2] = {static_cast<T*>(scratch), nullptr};
  for (int pass = 0; g.reduced_groups > 0; ++pass, --g.reduced_groups) {
    int at = g.last_reduced();
    int64_t outer = g.span(0, at), inner = g.span(at + 1, g.count);
    if (pass == 0 && g.reduced_groups > 2) areas[1] = areas[0] + (static_cast<size_t>(outer * inner) * sizeof(T) + 63) / 64 * 64 / sizeof(T);
    T* to = g.reduced_groups == 1 ? y : areas[pass % 2];
    kernels::reduce(op, x, to, outer, g.size[at], inner);
    x = to;
    g.size[at] = 1;
    g.reduced[at] = false;
  }
}

Groups groups_of(const Prep& p) noexcept {
  AxisSet axes = p.attr<Reduction>().axis;
  return Groups(p.x(0).shape, [axes](int i) { return axes.has(i); });
}
size_t reduce_scratch(const Prep& p) { return groups_scratch(groups_of(p), size_of(p.x(0).dtype)); }

template <Reduce op>
Status run_reduce(const Run& r) noexcept {
  with_number(r.x(0).dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if constexpr (!std::is_same_v<T, bool>) {
      T empty = op == Reduce::prod ? T{1} : op == Reduce::mean ? std::numeric_limits<T>::quiet_NaN() : T{0};
      reduce_groups<T>(op, groups_of(r), r.in<T>(0), r.out<T>(), r.scratch(), empty);
    }
  });
  return {};
}

// bool as bytes of 0 and 1.
template <Reduce op>
Status run_logical(const Run& r) noexcept {
  reduce_groups<uint8_t>(op, groups_of(r), r.in<uint8_t>(0), r.out<uint8_t>(), r.scratch(), op == Reduce::min);
  return {};
}

void infer_numbers(Infer& c) {
  check(!is_half(c.dtype(0)) && c.dtype(0) != bool_, Code::DType, "{}: expected float32, float64 or integers, got {}", c.op().name, c.x(0));
  c.output(infer_reduced(c), c.dtype(0));
}
void infer_extreme(Infer& c) {
  infer_numbers(c);
  check(reduced_count(c.shape(0), c.attr<Reduction>().axis) != 0 || c.y(0).shape.elements() == 0, Code::Shape,
        "{}: expected at least one element to choose from, got {}", c.op().name, c.x(0));
}
void infer_bools(Infer& c) {
  check(c.dtype(0) == bool_, Code::DType, "{}: expected bool, got {}", c.op().name, c.x(0));
  c.output(infer_reduced(c), bool_);
}

constexpr std::string_view sums = R"(f32[2,3] | f32[2,3] ; {"axis": [1]} | f32[2,3] ; {"axis": [0], "keepdims": true} | f32[3,4,5] ; {"axis": [0, 2]}
    | f32[2,3,4,5] ; {"axis": [1, 2]} | f32[2,3,4,5] ; {"axis": [0, 1, 2]} | f32[2,3,2,3,2,3] ; {"axis": [0, 2, 4]} | f32[0,3] ; {"axis": [0]} | f32[0,3] ; {"axis": [1]}
    | f32[1003] | f32[7,1003] ; {"axis": [1]} | f32[] | f64[3,4] ; {"axis": [1]} | i32[3,4] ; {"axis": [0]} | i64[5] | u32[9])";
constexpr std::string_view extremes =
    R"(f32[2,3] | f32[2,3] ; {"axis": [1]} | f32[2,3] ; {"axis": [0], "keepdims": true} | f32[3,4,5] ; {"axis": [0, 2]}
    | f32[2,3,4,5] ; {"axis": [1, 2]} | f32[2,3,2,3,2,3] ; {"axis": [0, 2, 4]} | f32[0,3] ; {"axis": [1]} | f32[1003] | f32[7,1003] ; {"axis": [1]} | f32[]
    | f64[3,4] ; {"axis": [1]} | i32[3,4] ; {"axis": [0]} | i64[5] | u8[9] | i8[9] | i16[9] | u32[9])";
constexpr std::string_view bools =
    R"(b[2,3] | b[2,3] ; {"axis": [1]} | b[2,3] ; {"axis": [0], "keepdims": true} | b[3,4,5] ; {"axis": [0, 2]} | b[2,3,4,5] ; {"axis": [1, 2]}
    | b[0,3] ; {"axis": [0]} | b[0,3] ; {"axis": [1]} | b[1003] | b[])";

// --------------------------------------------------------------------------------------------------------------- sum and mean

const Op sum_op = {
    .name = "sum",
    .infer = infer_numbers,
    .run = run_reduce<Reduce::sum>,
    .grad = [](const Grad& g) -> Tensors { return {broadcast_to(kept(g, g.dy()), g.xspec(0).shape)}; },
    .attrs = attrs_of<Reduction>,
    .scratch = reduce_scratch,
    .specimens = sums,
};

/// Of floats; of nothing it is NaN.
const Op mean_op = {
    .name = "mean",
    .infer =
        [](Infer& c) {
          check(is_float(c.dtype(0)), Code::DType, "mean: expected floats, got {}", c.x(0));
          infer_numbers(c);
        },
    .run = run_reduce<Reduce::mean>,
    .grad = [](const Grad& g) -> Tensors {
      auto n = static_cast<double>(reduced_count(g.xspec(0).shape, g.attr<Reduction>().axis));
      return {broadcast_to(kept(g, divide(g.dy(), n)), g.xspec(0).shape)};
    },
    .attrs = attrs_of<Reduction>,
    .scratch = reduce_scratch,
    .specimens =
        R"(f32[2,3] | f32[2,3] ; {"axis": [1]} | f32[2,3] ; {"axis": [0], "keepdims": true} | f32[3,4,5] ; {"axis": [0, 2]} | f32[2,3,4,5] ; {"axis": [1, 2]}
                    | f32[2,3,2,3,2,3] ; {"axis": [0, 2, 4]} | f32[0,3] ; {"axis": [1]} | f32[1003] | f32[7,1003] ; {"axis": [1]} | f32[] | f64[3,4] ; {"axis": [1]})",
};

// -------------------------------------------------------------------------------------------------------------------- product

// Products of all other elements, from those before and those after: exact where an element is 0.
Tensor prod_gradient(const Grad& g) {
  const Shape& shape = g.xspec(0).shape;
  AxisSet axes = g.attr<Reduction>().axis;
  std::vector<int> order, back(static_cast<size_t>(shape.rank()));
  for (int reduced = 0; reduced < 2; ++reduced)
    for (int i = 0; i < shape.rank(); ++i)
      if (axes.has(i) == (reduced == 1)) order.push_back(i);
  Shape moved;
  for (size_t i = 0; i < order.size(); ++i) {
    back[static_cast<size_t>(order[i])] = static_cast<int>(i);
    moved.push_back(shape[order[i]]);
  }
  int64_t n = reduced_count(shape, axes);
  Tensor rows = reshape(transpose(g.x(0), order), {n ? shape.elements() / n : 0, n});
  Tensor others = multiply(cumulate_product(rows, 1, true, false), cumulate_product(rows, 1, true, true));
  return multiply(kept(g, g.dy()), transpose(reshape(std::move(others), moved), back));
}

const Op prod_op = {
    .name = "prod",
    .infer = infer_numbers,
    .run = run_reduce<Reduce::prod>,
    .grad = [](const Grad& g) -> Tensors { return {prod_gradient(g)}; },
    .saves = saves_input(0),
    .attrs = attrs_of<Reduction>,
    .scratch = reduce_scratch,
    .specimens =
        R"(f32[2,3] | f32[2,3] ; {"axis": [1]} | f32[2,3] ; {"axis": [0], "keepdims": true} | f32[3,4,5] ; {"axis": [0, 2]} | f32[2,3,4,5] ; {"axis": [1, 2]}
                    | f32[0,3] ; {"axis": [0]} | f32[0,3] ; {"axis": [1]} | f32[103]{0.9..1.1} | f32[] | f64[3,4] ; {"axis": [1]} | i32[3,4] ; {"axis": [0]} | i64[5])",
};

// ------------------------------------------------------------------------------------------------------------------- extremes

// Equal extremes share the gradient.
Tensors extreme_gradient(const Grad& g) {
  const auto& a = g.attr<Reduction>();
  Tensor chosen = cast(equal(g.x(0), kept(g, g.y())), g.xspec(0).dtype);
  Tensor share = divide(kept(g, g.dy()), apply_sum(chosen, a.axis));
  return {multiply(std::move(chosen), std::move(share))};
}

/// A NaN wins.
const Op max_op = {
    .name = "max",
    .infer = infer_extreme,
    .run = run_reduce<Reduce::max>,
    .grad = extreme_gradient,
    .saves = saves_input(0) | saves_output(),
    .attrs = attrs_of<Reduction>,
    .scratch = reduce_scratch,
    .specimens = extremes,
};
/// A NaN wins.
const Op min_op = {
    .name = "min",
    .infer = infer_extreme,
    .run = run_reduce<Reduce::min>,
    .grad = extreme_gradient,
    .saves = saves_input(0) | saves_output(),
    .attrs = attrs_of<Reduction>,
    .scratch = reduce_scratch,
    .specimens = extremes,
};

const Op any_op = {.name = "any",
                   .infer = infer_bools,
                   .run = run_logical<Reduce::max>,
                   .attrs = attrs_of<Reduction>,
                   .scratch = reduce_scratch,
                   .specimens = bools};
const Op all_op = {.name = "all",
                   .infer = infer_bools,
                   .run = run_logical<Reduce::min>,
                   .attrs = attrs_of<Reduction>,
                   .scratch = reduce_scratch,
                   .specimens = bools};

// --------------------------------------------------------------------------------------------------------------------- sum_to

struct Target {
  Shape shape;
};
template <class V>
void fields(V& v, Target& a) {
  v("shape", a.shape);
}

Groups broadcast_groups(const Shape& x, const Shape& y) noexcept {
  int shift = x.rank() - y.rank();
  return Groups(x, [&](int i) { return i < shift || y[i - shift] != x[i]; });
}

/// Sums every dimension that broadcasting from `shape` would add or stretch.
const Op sum_to_op = {
    .name = "sum_to",
    .infer =
        [](Infer& c) {
          const Shape &x = c.shape(0), &y = c.attr<Target>().shape;
          check(!is_half(c.dtype(0)) && c.dtype(0) != bool_, Code::DType, "sum_to: expected float32, float64 or integers, got {}", c.x(0));
          bool fits = y.rank() <= x.rank();
          for (int i = 1; fits && i <= y.rank(); ++i) {
            int64_t from = x[x.rank() - i], to = y[y.rank() - i];
            fits = to == 1 || from < 0 || to < 0 || from == to;
          }
          check(fits, Code::Shape, "sum_to: {} is not what a tensor of shape {} broadcasts to", c.x(0), y);
          c.output(y, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      with_number(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        if constexpr (!std::is_same_v<T, bool>)
          reduce_groups<T>(Reduce::sum, broadcast_groups(r.x(0).shape, r.y().shape), r.in<T>(0), r.out<T>(), r.scratch(), T{0});
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors { return {broadcast_to(g.dy(), g.xspec(0).shape)}; },
    .attrs = attrs_of<Target>,
    .scratch = [](const Prep& p) { return groups_scratch(broadcast_groups(p.x(0).shape, p.y().shape), size_of(p.x(0).dtype)); },
    .specimens =
        R"(f32[2,3] ; {"shape": [3]} | f32[0,3] ; {"shape": [1, 3]} | f32[1003] ; {"shape": []} | f32[7,1003] ; {"shape": [7, 1]} | f32[2,3,4,5] ; {"shape": [3, 1, 5]}
                    | f32[2,3,2,3,2,3] ; {"shape": [3, 1, 3, 1, 3]} | f64[3,4] ; {"shape": [3, 1]} | i32[3,4] ; {"shape": [4]} | f32[2,3] ; {"shape": [2, 3]})",
};

// Halves through float32, narrow integers and bool through the type that Keras sums them in.
DType sum_dtype(DType t) noexcept {
  switch (t) {
    case DType::int8:
    case DType::int16:
    case DType::bool_: return int32;
    case DType::uint8: return uint32;
    default: return t;
  }
}

Tensor reduce(const Op& op, Tensor x, const Axes& axis, bool keepdims) {
  Reduction a = reduction(x, axis, keepdims, op.name);
  DType dtype = x.dtype();
  if (is_half(dtype)) return cast(apply_with(op, a, cast(std::move(x), float32)), dtype);
  return apply_with(op, a, std::move(x));
}

}  // namespace

namespace ops {
Tensor apply_sum(Tensor x, AxisSet axes) { return apply_with(sum_op, Reduction{axes, true}, std::move(x)); }
}  // namespace ops

Tensor sum(Tensor x, const Axes& axis, bool keepdims) {
  DType to = sum_dtype(x.dtype());
  return reduce(sum_op, cast(std::move(x), to), axis, keepdims);
}
Tensor mean(Tensor x, const Axes& axis, bool keepdims) { return reduce(mean_op, to_float(std::move(x)), axis, keepdims); }
Tensor prod(Tensor x, const Axes& axis, bool keepdims) {
  DType to = sum_dtype(x.dtype());
  return reduce(prod_op, cast(std::move(x), to), axis, keepdims);
}
Tensor max(Tensor x, const Axes& axis, bool keepdims) {
  if (x.dtype() != bool_) return reduce(max_op, std::move(x), axis, keepdims);
  return cast(reduce(max_op, cast(std::move(x), uint8), axis, keepdims), bool_);
}
Tensor min(Tensor x, const Axes& axis, bool keepdims) {
  if (x.dtype() != bool_) return reduce(min_op, std::move(x), axis, keepdims);
  return cast(reduce(min_op, cast(std::move(x), uint8), axis, keepdims), bool_);
}
Tensor any(Tensor x, const Axes& axis, bool keepdims) { return reduce(any_op, cast(std::move(x), bool_), axis, keepdims); }
Tensor all(Tensor x, const Axes& axis, bool keepdims) { return reduce(all_op, cast(std::move(x), bool_), axis, keepdims); }

Tensor sum_to(Tensor x, const Shape& shape) {
  if (x.shape() == shape) return x;
  DType dtype = x.dtype();
  if (is_half(dtype)) return cast(apply_with(sum_to_op, Target{shape}, cast(std::move(x), float32)), dtype);
  return apply_with(sum_to_op, Target{shape}, std::move(x));
}

void register_reduce(Registry& r) {
  for (const Op* op : {&sum_op, &mean_op, &prod_op, &max_op, &min_op, &any_op, &all_op, &sum_to_op}) r.add(*op);
}

}  // namespace tenure

// Moments, variance, log of sums of exponentials, and the places of extremes.
#include "ops/families.h"
#include "ops/reduce_ops.h"

namespace tenure {
namespace {

using namespace ops;

Groups groups_of(const Prep& p) noexcept {
  AxisSet axes = p.attr<Reduction>().axis;
  return Groups(p.x(0).shape, [axes](int i) { return axes.has(i); });
}

void infer_real(Infer& c, int outputs) {
  check(c.dtype(0) == float32 || c.dtype(0) == float64, Code::DType, "{}: expected float32 or float64, got {}", c.op().name, c.x(0));
  for (int i = 0; i < outputs; ++i) c.output(infer_reduced(c), c.dtype(0));
}

constexpr std::string_view reduced_specimens =
    R"(f32[2,3] | f32[2,3] ; {"axis": [1]} | f32[2,3] ; {"axis": [0], "keepdims": true} | f32[3,4,5] ; {"axis": [0, 2]}
    | f32[2,3,4,5] ; {"axis": [1, 2]} | f32[2,3,4,5] ; {"axis": [0, 1, 2]} | f32[0,3] ; {"axis": [1]} | f32[1003] | f32[7,1003] ; {"axis": [1]} | f32[]
    | f64[3,4] ; {"axis": [1]})";

// -------------------------------------------------------------------------------------------------------------------- moments

/// Mean and biased variance.
const Op moments_op = {
    .name = "moments",
    .infer = [](Infer& c) { infer_real(c, 2); },
    .run = [](const Run& r) noexcept -> Status {
      with_real(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        Groups g = groups_of(r);
        int64_t n = reduced_count(r.x(0).shape, r.attr<Reduction>().axis), kept = r.y().shape.elements();
        const T* x = r.in<T>(0);
        if (n == 0) {
          for (int i = 0; i < 2; ++i) std::fill_n(r.out<T>(i), kept, std::numeric_limits<T>::quiet_NaN());
        } else if (g.columns() && g.count == 2) {
          kernels::channel_moments(x, r.out<T>(0), r.out<T>(1), n, kept);
        } else {
          if (!g.rows()) gather_rows(r.x(0).shape, r.attr<Reduction>().axis, x, r.scratch(), sizeof(T)), x = r.scratch<T>();
          kernels::row_moments(x, r.out<T>(0), r.out<T>(1), kept, n);
        }
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      auto n = static_cast<double>(reduced_count(g.xspec(0).shape, g.attr<Reduction>().axis));
      Tensor dx;
      if (g.dy(0)) dx = broadcast_to(kept(g, divide(g.dy(0), n)), g.xspec(0).shape);
      if (g.dy(1)) {
        Tensor by_variance = multiply(subtract(g.x(0), kept(g, g.y(0))), kept(g, multiply(g.dy(1), 2 / n)));
        dx = dx ? add(std::move(dx), std::move(by_variance)) : std::move(by_variance);
      }
      return {dx};
    },
    .saves = saves_input(0) | saves_output(0),
    .attrs = attrs_of<Reduction>,
    .scratch = [](const Prep& p) -> size_t {
      Groups g = groups_of(p);
      return g.rows() || (g.columns() && g.count == 2) ? 0 : p.x(0).bytes();
    },
    .specimens = reduced_specimens,
};

// ------------------------------------------------------------------------------------------------------------------ logsumexp

/// log(sum(exp(x))), stable.
const Op logsumexp_op = {
    .name = "logsumexp",
    .infer = [](Infer& c) { infer_real(c, 1); },
    .run = [](const Run& r) noexcept -> Status {
      with_real(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        int64_t n = reduced_count(r.x(0).shape, r.attr<Reduction>().axis), rows = r.y().shape.elements();
        const T* x = r.in<T>(0);
        if (n == 0) {
          std::fill_n(r.out<T>(), rows, -std::numeric_limits<T>::infinity());
        } else {
          if (!groups_of(r).rows()) gather_rows(r.x(0).shape, r.attr<Reduction>().axis, x, r.scratch(), sizeof(T)), x = r.scratch<T>();
          kernels::log_sum_exp(x, r.out<T>(), rows, n);
        }
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors { return {multiply(exp(subtract(g.x(0), kept(g, g.y()))), kept(g, g.dy()))}; },
    .saves = saves_input(0) | saves_output(),
    .attrs = attrs_of<Reduction>,
    .scratch = [](const Prep& p) -> size_t { return groups_of(p).rows() ? 0 : p.x(0).bytes(); },
    .specimens = reduced_specimens,
};

// ------------------------------------------------------------------------------------------------------------ places of extremes

// One axis, or the flattened tensor.
Around place(const Prep& p) noexcept {
  AxisSet set = p.attr<Reduction>().axis;
  if (!set.all()) {
    int axis = 0;
    while ((set.bits >> axis & 1) == 0) ++axis;
    return {p.x(0).shape, axis};
  }
  return {Shape{p.x(0).shape.elements()}, 0};
}

void infer_place(Infer& c) {
  AxisSet set = c.attr<Reduction>().axis;
  check(!is_half(c.dtype(0)) && c.dtype(0) != bool_, Code::DType, "{}: expected float32, float64 or integers, got {}", c.op().name, c.x(0));
  check((set.bits & (set.bits - 1)) == 0, Code::InvalidArgument, "{}: expected one axis or none", c.op().name);
  c.output(infer_reduced(c), int32);
  check(reduced_count(c.shape(0), set) != 0 || c.y(0).shape.elements() == 0, Code::Shape, "{}: expected at least one element to choose from, got {}",
        c.op().name, c.x(0));
}

Status run_place(const Run& r, bool least) noexcept {
  with_number(r.x(0).dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    Around s = place(r);
    if constexpr (!std::is_same_v<T, bool>) kernels::arg_max(r.in<T>(0), r.out<int32_t>(), s.outer, s.n, s.inner, least);
  });
  return {};
}

constexpr std::string_view places =
    R"(f32[2,3] | f32[2,3] ; {"axis": [1]} | f32[2,3] ; {"axis": [0], "keepdims": true} | f32[2,3,4,5] ; {"axis": [2]} | f32[0,3] ; {"axis": [1]}
    | f32[1003] | f32[7,1003] ; {"axis": [1]} | f32[] | f64[3,4] ; {"axis": [1]} | i32[3,4]{0..2} ; {"axis": [1]} | i64[5] | u8[9])";

/// The first place of the greatest element; a NaN counts as that.
const Op argmax_op = {
    .name = "argmax",
    .infer = infer_place,
    .run = [](const Run& r) noexcept { return run_place(r, false); },
    .attrs = attrs_of<Reduction>,
    .specimens = places,
};
/// The first place of the least element; a NaN counts as that.
const Op argmin_op = {
    .name = "argmin",
    .infer = infer_place,
    .run = [](const Run& r) noexcept { return run_place(r, true); },
    .attrs = attrs_of<Reduction>,
    .specimens = places,
};

Tensor find_place(const Op& op, Tensor x, std::optional<int> axis, bool keepdims) {
  Reduction a = reduction(x, axis ? Axes{*axis} : Axes{}, keepdims, op.name);
  if (is_half(x.dtype())) x = cast(std::move(x), float32);
  if (x.dtype() == bool_) x = cast(std::move(x), uint8);
  return apply_with(op, a, std::move(x));
}

}  // namespace

std::pair<Tensor, Tensor> moments(Tensor x, const Axes& axes, bool keepdims) {
  Reduction a = reduction(x, axes, keepdims, "moments");
  DType dtype = is_float(x.dtype()) ? x.dtype() : float32;
  Tensors both = apply_all_with(moments_op, a, cast(std::move(x), dtype == float64 ? float64 : float32));
  return {cast(std::move(both[0]), dtype), cast(std::move(both[1]), dtype)};
}
Tensor var(Tensor x, const Axes& axis, bool keepdims) { return moments(std::move(x), axis, keepdims).second; }
Tensor std(Tensor x, const Axes& axis, bool keepdims) { return sqrt(var(std::move(x), axis, keepdims)); }

Tensor logsumexp(Tensor x, const Axes& axis, bool keepdims) {
  Reduction a = reduction(x, axis, keepdims, "logsumexp");
  DType dtype = is_float(x.dtype()) ? x.dtype() : float32;
  return cast(apply_with(logsumexp_op, a, cast(std::move(x), dtype == float64 ? float64 : float32)), dtype);
}

Tensor argmax(Tensor x, std::optional<int> axis, bool keepdims) { return find_place(argmax_op, std::move(x), axis, keepdims); }
Tensor argmin(Tensor x, std::optional<int> axis, bool keepdims) { return find_place(argmin_op, std::move(x), axis, keepdims); }

void register_statistics(Registry& r) {
  for (const Op* op : {&moments_op, &logsumexp_op, &argmax_op, &argmin_op}) r.add(*op);
}

}  // namespace tenure

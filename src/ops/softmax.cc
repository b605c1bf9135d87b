// Softmax and its logarithm along one axis. The kernels work on rows; another axis goes through a transposed copy in scratch.
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

struct SoftmaxAxis {
  int axis = 0;
};
template <class V>
void fields(V& v, SoftmaxAxis& a) {
  v("axis", a.axis);
}

void infer_rows(Infer& c) {
  int axis = c.attr<SoftmaxAxis>().axis;
  check(c.dtype(0) == float32 || c.dtype(0) == float64, Code::DType, "{}: expected float32 or float64, got {}", c.op().name, c.x(0));
  check(axis >= 0 && axis < c.shape(0).rank(), Code::InvalidArgument, "{}: expected an axis in [0, {}), got {}", c.op().name, c.shape(0).rank(),
        axis);
  for (int i = 1; i < c.inputs(); ++i)
    check(c.x(i).dtype == c.dtype(0) && c.shape(i).rank() == c.shape(0).rank(), Code::Shape, "{}: expected inputs alike, got {} and {}", c.op().name,
          c.x(0), c.x(i));
  c.output(c.x(0));
}

// Room for transposed inputs; none when the axis is the last.
size_t rows_scratch(const Prep& p) {
  Around s(p.x(0).shape, p.attr<SoftmaxAxis>().axis);
  return s.inner == 1 ? 0 : p.x(0).bytes() * static_cast<size_t>(p.inputs());
}

// rows(x0, x1 or null, y, rows, n); y may be x0.
template <class F>
Status by_rows(const Run& r, F rows) noexcept {
  Around s(r.x(0).shape, r.attr<SoftmaxAxis>().axis);
  with_real(r.x(0).dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* second = r.inputs() > 1 ? r.in<T>(1) : nullptr;
    if (s.inner == 1) return rows(r.in<T>(0), second, r.out<T>(), s.outer, s.n);
    const int64_t total = s.outer * s.n * s.inner, forward[] = {s.outer, s.n, s.inner}, back[] = {s.outer, s.inner, s.n};
    constexpr int swap[] = {0, 2, 1};
    T *a = r.scratch<T>(), *b = second ? a + total : nullptr;
    kernels::permute(r.in(0), a, forward, swap, 3, sizeof(T));
    if (b) kernels::permute(second, b, forward, swap, 3, sizeof(T));
    rows(a, b, a, s.outer * s.inner, s.n);
    kernels::permute(a, r.out(), back, swap, 3, sizeof(T));
  });
  return {};
}

constexpr std::string_view one =
    R"(f32[2,3] ; {"axis": 1} | f32[0] | f32[0,3] ; {"axis": 1} | f32[1003] | f64[3,4] ; {"axis": 1} | f32[2,3,4,5] ; {"axis": 3}
                                    | f32[2,3,4,5] ; {"axis": 1} | f64[3,4] | f32[7,17] ; {"axis": 1})";
constexpr std::string_view two =
    R"(f32[2,3], f32[2,3]{-2..-0.1} ; {"axis": 1} | f32[0], f32[0] | f32[1003], f32[1003]{-2..-0.1} | f64[3,4], f64[3,4]{-2..-0.1} ; {"axis": 1}
                                    | f32[2,3,4,5], f32[2,3,4,5]{-2..-0.1} ; {"axis": 3} | f32[2,3,4,5], f32[2,3,4,5]{-2..-0.1} ; {"axis": 1})";

Tensor softmax_grad(Tensor dy, Tensor y, int axis);
Tensor log_softmax_grad(Tensor dy, Tensor y, int axis);
Tensor along(Tensor x, int axis) { return sum(std::move(x), {axis}, true); }

/// exp(x) / sum(exp(x)).
const Op softmax_op = {
    .name = "softmax",
    .infer = infer_rows,
    .run =
        [](const Run& r) noexcept { return by_rows(r, [](auto* x, auto*, auto* y, int64_t rows, int64_t n) { kernels::softmax(x, y, rows, n); }); },
    .grad = [](const Grad& g) -> Tensors { return {softmax_grad(g.dy(), g.y(), g.attr<SoftmaxAxis>().axis)}; },
    .saves = saves_output(),
    .traits = inplace,
    .attrs = attrs_of<SoftmaxAxis>,
    .scratch = rows_scratch,
    .specimens = one,
};

/// y * (dy - sum(dy * y)).
const Op softmax_grad_op = {
    .name = "softmax_grad",
    .infer = infer_rows,
    .run =
        [](const Run& r) noexcept {
          return by_rows(r, [](auto* dy, auto* y, auto* dx, int64_t rows, int64_t n) { kernels::softmax_grad(dy, y, dx, rows, n); });
        },
    .grad = [](const Grad& g) -> Tensors {
      int axis = g.attr<SoftmaxAxis>().axis;
      const Tensor &dy = g.x(0), &y = g.x(1);
      Tensor by_dy = g.needs(0) ? softmax_grad(g.dy(), y, axis) : Tensor{}, by_y;
      if (g.needs(1)) by_y = subtract(multiply(g.dy(), subtract(dy, along(multiply(dy, y), axis))), multiply(dy, along(multiply(g.dy(), y), axis)));
      return {by_dy, by_y};
    },
    .saves = saves_inputs(0, 1),
    .traits = inplace,
    .attrs = attrs_of<SoftmaxAxis>,
    .scratch = rows_scratch,
    .specimens = two,
};

/// x - log(sum(exp(x))).
const Op log_softmax_op = {
    .name = "log_softmax",
    .infer = infer_rows,
    .run =
        [](const Run& r) noexcept {
          return by_rows(r, [](auto* x, auto*, auto* y, int64_t rows, int64_t n) { kernels::log_softmax(x, y, rows, n); });
        },
    .grad = [](const Grad& g) -> Tensors { return {log_softmax_grad(g.dy(), g.y(), g.attr<SoftmaxAxis>().axis)}; },
    .saves = saves_output(),
    .traits = inplace,
    .attrs = attrs_of<SoftmaxAxis>,
    .scratch = rows_scratch,
    .specimens = one,
};

/// dy - exp(y) * sum(dy).
const Op log_softmax_grad_op = {
    .name = "log_softmax_grad",
    .infer = infer_rows,
    .run =
        [](const Run& r) noexcept {
          return by_rows(r, [](auto* dy, auto* y, auto* dx, int64_t rows, int64_t n) { kernels::log_softmax_grad(dy, y, dx, rows, n); });
        },
    .grad = [](const Grad& g) -> Tensors {
      int axis = g.attr<SoftmaxAxis>().axis;
      Tensor p = exp(g.x(1)), by_dy, by_y;
      if (g.needs(0)) by_dy = subtract(g.dy(), along(multiply(g.dy(), p), axis));
      if (g.needs(1)) by_y = negative(multiply(multiply(g.dy(), p), along(g.x(0), axis)));
      return {by_dy, by_y};
    },
    .saves = saves_inputs(0, 1),
    .traits = inplace,
    .attrs = attrs_of<SoftmaxAxis>,
    .scratch = rows_scratch,
    .specimens = two,
};

Tensor softmax_grad(Tensor dy, Tensor y, int axis) { return apply_with(softmax_grad_op, SoftmaxAxis{axis}, std::move(dy), std::move(y)); }
Tensor log_softmax_grad(Tensor dy, Tensor y, int axis) { return apply_with(log_softmax_grad_op, SoftmaxAxis{axis}, std::move(dy), std::move(y)); }

// bfloat16 and float16 are computed in float32.
Tensor along_axis(const Op& op, Tensor x, int axis) {
  SoftmaxAxis attrs{normalize_axis(axis, x.rank())};
  DType dtype = x.dtype();
  if (is_half(dtype)) return cast(apply_with(op, attrs, cast(std::move(x), float32)), dtype);
  return apply_with(op, attrs, to_float(std::move(x)));
}

}  // namespace

Tensor softmax(Tensor x, int axis) { return along_axis(softmax_op, std::move(x), axis); }
Tensor log_softmax(Tensor x, int axis) { return along_axis(log_softmax_op, std::move(x), axis); }

void register_softmax(Registry& r) {
  for (const Op* op : {&softmax_op, &softmax_grad_op, &log_softmax_op, &log_softmax_grad_op}) r.add(*op);
}

}  // namespace tenure

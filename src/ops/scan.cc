// Running sums and products along one axis.
#include "base/parallel.h"
#include "ops/families.h"
#include "ops/helpers.h"
#include "ops/reduce_ops.h"

namespace tenure {
namespace {

using namespace ops;

struct Scan {
  int axis = 0;
  bool exclusive = false, reverse = false;
};
template <class V>
void fields(V& v, Scan& a) {
  v("axis", a.axis), v("exclusive", a.exclusive), v("reverse", a.reverse);
}

void infer_scan(Infer& c) {
  int axis = c.attr<Scan>().axis;
  check(!is_half(c.dtype(0)) && c.dtype(0) != bool_, Code::DType, "{}: expected float32, float64 or integers, got {}", c.op().name, c.x(0));
  check(axis >= 0 && axis < c.shape(0).rank(), Code::InvalidArgument, "{}: expected an axis in [0, {}), got {}", c.op().name, c.shape(0).rank(),
        axis);
  c.output(c.x(0));
}

// y[i] = y[i-1] op x[i] row by row (`inner` columns at once); exclusive takes x[i-1]. y must not be x.
template <class T, class F>
void scan(const T* x, T* y, const Around& s, const Scan& a, T start, F op) noexcept {
  if (s.n == 0) return;
  parallel_for(s.outer, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, s.n * s.inner)), [&](int64_t from, int64_t to) {
    for (int64_t o = from; o < to; ++o) {
      int64_t step = a.reverse ? -s.inner : s.inner;
      const T* xs = x + o * s.n * s.inner + (a.reverse ? (s.n - 1) * s.inner : 0);
      T* ys = y + (xs - x);
      for (int64_t j = 0; j < s.inner; ++j) ys[j] = a.exclusive ? start : xs[j];
      for (int64_t i = 1; i < s.n; ++i, xs += step, ys += step) {
        const T *add = a.exclusive ? xs : xs + step, *last = ys;
        T* next = ys + step;
        for (int64_t j = 0; j < s.inner; ++j) next[j] = op(last[j], add[j]);
      }
    }
  });
}

template <class F>
Status run_scan(const Run& r, int start, F op) noexcept {
  with_number(r.x(0).dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if constexpr (!std::is_same_v<T, bool>)
      scan<T>(r.in<T>(0), r.out<T>(), Around(r.x(0).shape, r.attr<Scan>().axis), r.attr<Scan>(), static_cast<T>(start), op);
  });
  return {};
}

constexpr std::string_view specimens = R"(f32[5]{0.5..1.5} | f32[2,3]{0.5..1.5} ; {"axis": 1} | f32[0,3] | f32[3,0] ; {"axis": 1} | f32[103]{0.9..1.1}
    | f32[2,3,4,5]{0.5..1.5} ; {"axis": 2} | f32[7]{0.5..1.5} ; {"exclusive": true} | f32[7]{0.5..1.5} ; {"reverse": true}
    | f32[3,7]{0.5..1.5} ; {"axis": 1, "exclusive": true, "reverse": true} | f64[3,4]{0.5..1.5} ; {"axis": 1} | i32[3,4] | i64[5] | u8[9])";

Tensor scanned(const Op& op, Tensor x, Scan a) { return apply_with(op, a, std::move(x)); }
extern const Op cumsum_op;

const Op cumsum_op = {
    .name = "cumsum",
    .infer = infer_scan,
    .run =
        [](const Run& r) noexcept {
          return run_scan(r, 0, [](auto a, auto b) { return static_cast<decltype(a)>(Wrap<decltype(a)>(a) + Wrap<decltype(a)>(b)); });
        },
    .grad = [](const Grad& g) -> Tensors {
      Scan a = g.attr<Scan>();
      a.reverse = !a.reverse;
      return {scanned(cumsum_op, g.dy(), a)};
    },
    .attrs = attrs_of<Scan>,
    .specimens = specimens,
};

const Op cumprod_op = {
    .name = "cumprod",
    .infer = infer_scan,
    .run =
        [](const Run& r) noexcept {
          return run_scan(r, 1, [](auto a, auto b) { return static_cast<decltype(a)>(Wrap<decltype(a)>(a) * Wrap<decltype(a)>(b)); });
        },
    .grad = [](const Grad& g) -> Tensors {  // not finite where an element is 0, as TensorFlow
      Scan a = g.attr<Scan>();
      a.reverse = !a.reverse;
      return {divide(scanned(cumsum_op, multiply(g.dy(), g.y()), a), g.x(0))};
    },
    .saves = saves_input(0) | saves_output(),
    .attrs = attrs_of<Scan>,
    .specimens = specimens,
};

}  // namespace

namespace ops {
Tensor cumulate_product(Tensor x, int axis, bool exclusive, bool reverse) { return scanned(cumprod_op, std::move(x), {axis, exclusive, reverse}); }
}  // namespace ops

Tensor cumsum(Tensor x, int axis) {
  Scan a{normalize_axis(axis, x.rank()), false, false};
  DType dtype = x.dtype();
  if (is_half(dtype)) return cast(scanned(cumsum_op, cast(std::move(x), float32), a), dtype);
  return scanned(cumsum_op, dtype == bool_ ? cast(std::move(x), int32) : std::move(x), a);
}

void register_scan(Registry& r) {
  r.add(cumsum_op);
  r.add(cumprod_op);
}

}  // namespace tenure

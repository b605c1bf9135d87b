// Max and average pooling of [batch, height, width, channels]. Max pooling has two ops: plain, and, under a tape, one with a hidden second output
// (the place of each maximum in its window, a byte for windows up to 256) that is all its gradient needs. Nothing here owns anything.
#include "ops/box.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

using kernels::Pool2DDesc;

// Of a gradient: the pooling, and the shape of its input.
struct PoolGradAttrs {
  PoolAttrs pool;
  Shape shape;
};
template <class V>
void fields(V& v, PoolGradAttrs& a) {
  fields(v, a.pool), v("shape", a.shape);
}

Pool2DDesc describe(const Shape& x, const PoolAttrs& a) noexcept {
  Pool2DDesc d;
  d.n = x[0], d.h = x[1], d.w = x[2], d.c = x[3];
  d.kh = a.pool_size[0], d.kw = a.pool_size[1];
  d.stride_h = a.strides[0], d.stride_w = a.strides[1];
  if (a.padding == "same") {
    const int64_t h = kernels::same_padding(d.h, d.kh, d.stride_h, 1), w = kernels::same_padding(d.w, d.kw, d.stride_w, 1);
    d.pad_top = h / 2, d.pad_bottom = h - h / 2;
    d.pad_left = w / 2, d.pad_right = w - w / 2;
  } else if (a.padding == "explicit") {
    d.pad_top = a.pads[0], d.pad_bottom = a.pads[1], d.pad_left = a.pads[2], d.pad_right = a.pads[3];
  }
  return d;
}

bool empty(const Pool2DDesc& d) noexcept { return d.n == 0 || d.h == 0 || d.w == 0 || d.c == 0; }

Shape pooled(std::string_view op, const Spec& x, const PoolAttrs& a) {
  check(x.dtype == float32 || x.dtype == float64, Code::DType, "{}: expected float32 or float64, got {}", op, x);
  check(x.shape.rank() == 4, Code::Shape, "{}: expected [batch, height, width, channels], got {}", op, x);
  const bool given = a.padding == "explicit";
  check(a.padding == "valid" || a.padding == "same" || (given && a.pads.size() == 4), Code::InvalidArgument,
        "{}: expected padding valid or same, got '{}'", op, a.padding);
  check(a.pool_size.size() == 2 && a.strides.size() == 2 && std::min({a.pool_size[0], a.pool_size[1], a.strides[0], a.strides[1]}) >= 1,
        Code::InvalidArgument, "{}: expected two window sizes and two strides >= 1, got [{}] and [{}]", op, fmt::join(a.pool_size, ", "),
        fmt::join(a.strides, ", "));
  Shape y = x.shape;
  for (int i = 1; i < 3; ++i) {
    const int64_t k = a.pool_size[static_cast<size_t>(i - 1)], s = a.strides[static_cast<size_t>(i - 1)];
    if (y[i] < 0) continue;
    const size_t side = static_cast<size_t>(2 * (i - 1));
    const int64_t n = y[i] + (given ? a.pads[side] + a.pads[side + 1] : 0);
    check(a.padding == "same" || n >= k || n == 0, Code::Shape, "{}: a window of {} does not fit axis {} of {}", op, k, i, x);
    y[i] = a.padding == "same" ? (n + s - 1) / s : n < k ? 0 : (n - k) / s + 1;
  }
  return y;
}

void check_dy(std::string_view op, const Shape& want, const Spec& dy) {
  bool fits = dy.shape.rank() == 4;
  for (int i = 0; fits && i < 4; ++i) fits = want[i] == dy.shape[i] || want[i] < 0 || dy.shape[i] < 0;
  check(fits, Code::Shape, "{}: expected a gradient of {}, got {}", op, want, dy);
}

// f(Type<T>, desc) unless there is nothing to do; then the output is zeros.
template <class F>
Status pooling(const Run& r, const Shape& x, const PoolAttrs& a, F f) noexcept {
  const Pool2DDesc d = describe(x, a);
  if (!empty(d)) with_real(r.y().dtype, [&](auto type) { f(type, d); });
  else if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
  return {};
}

// ---- max ----------------------------------------------------------------------------------------------------------------------

extern const Op max_pool_places_op, max_pool_grad_op, max_pool_pick_op, average_pool_grad_op;

DType place_type(const PoolAttrs& a) noexcept { return a.pool_size[0] * a.pool_size[1] <= 256 ? uint8 : int32; }

template <bool places>
Status run_max_pool(const Run& r) noexcept {
  return pooling(r, r.x(0).shape, r.attr<PoolAttrs>(), [&](auto type, const Pool2DDesc& d) {
    using T = typename decltype(type)::type;
    kernels::max_pool(d, r.in<T>(0), r.out<T>(), places ? r.out(1) : nullptr);
  });
}

}  // namespace

const Op max_pool_op = {
    .name = "max_pool2d",
    .infer = [](Infer& c) { c.output(pooled("max_pool2d", c.x(0), c.attr<PoolAttrs>()), c.dtype(0)); },
    .run = run_max_pool<false>,
    .grad = [](const Grad& g) -> Tensors {
      Tensors both = apply_all_with(max_pool_places_op, g.attr<PoolAttrs>(), Tensor(g.x(0)));
      return {apply_with(max_pool_grad_op, PoolGradAttrs{g.attr<PoolAttrs>(), g.xspec(0).shape}, g.dy(), both[1])};
    },
    .saves = saves_input(0),
    .attrs = attrs_of<PoolAttrs>,
    .specimens = R"(f32[2,4,4,3] | f32[1,7,5,17] ; {"pool_size": [3,3], "strides": [2,2], "padding": "same"}
                  | f64[2,5,4,2] ; {"pool_size": [2,3], "strides": [1,2]} | f32[0,4,4,3] | f32[2,0,4,3]
                  | f32[1,17,17,2] ; {"pool_size": [17,17], "strides": [1,1]} | f32[1,1,9,4] ; {"pool_size": [1,2], "strides": [1,2]})",
};

namespace {

// The same with the places of the maxima.
const Op max_pool_places_op = {
    .name = "max_pool2d_places",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<PoolAttrs>();
          const Shape y = pooled("max_pool2d_places", c.x(0), a);
          c.output(y, c.dtype(0));
          c.output(y, place_type(a));
        },
    .run = run_max_pool<true>,
    .grad = [](const Grad& g) -> Tensors {
      if (!g.dy(0).defined()) return {Tensor{}};
      return {apply_with(max_pool_grad_op, PoolGradAttrs{g.attr<PoolAttrs>(), g.xspec(0).shape}, g.dy(0), g.y(1))};
    },
    .saves = saves_output(1),
    .attrs = attrs_of<PoolAttrs>,
    .specimens = R"(f32[2,4,4,3] | f64[1,7,5,3] ; {"pool_size": [3,3], "strides": [2,2], "padding": "same"} | f32[0,4,4,3]
                  | f32[1,17,17,2] ; {"pool_size": [17,17], "strides": [1,1]})",
};

void infer_places(std::string_view op, const Spec& dy, const Spec& places, const Shape& x, const PoolAttrs& a) {
  check_dy(op, pooled(op, {x, dy.dtype}, a), dy);
  check(places.dtype == place_type(a) && (places.shape == dy.shape || !dy.shape.known() || !places.shape.known()), Code::Shape,
        "{}: expected places of {} {}, got {}", op, place_type(a), dy.shape, places);
}

const Op max_pool_grad_op = {
    .name = "max_pool2d_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<PoolGradAttrs>();
          infer_places("max_pool2d_grad", c.x(0), c.x(1), a.shape, a.pool);
          c.output(a.shape, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<PoolGradAttrs>();
      return pooling(r, a.shape, a.pool, [&](auto type, const Pool2DDesc& d) {
        using T = typename decltype(type)::type;
        kernels::max_pool_grad(d, r.in<T>(0), r.in(1), r.out<T>());
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(0)) return {Tensor{}, Tensor{}};
      return {apply_with(max_pool_pick_op, g.attr<PoolGradAttrs>().pool, g.dy(), g.x(1)), Tensor{}};
    },
    .saves = saves_input(1),
    .attrs = attrs_of<PoolGradAttrs>,
    .specimens = R"(f32[2,2,2,3], u8[2,2,2,3]{0..3} ; {"shape": [2,4,4,3]}
                  | f64[1,2,2,3], u8[1,2,2,3]{0..8} ; {"pool_size": [3,3], "strides": [2,2], "shape": [1,5,5,3]}
                  | f32[0,2,2,3], u8[0,2,2,3] ; {"shape": [0,4,4,3]}
                  | f32[1,1,1,2], i32[1,1,1,2]{0..288} ; {"pool_size": [17,17], "strides": [1,1], "shape": [1,17,17,2]})",
};

// x at the places: the adjoint of max_pool2d_grad. A place outside its window or in the padding is an error.
template <class T, class P>
Status pick(const Pool2DDesc& d, const T* x, const P* place, T* y) noexcept {
  const int64_t oh = d.out_h(), ow = d.out_w();
  for (int64_t i = 0; i < d.n * oh * ow * d.c; ++i) {
    const int64_t c = i % d.c, ox = i / d.c % ow, oy = i / d.c / ow % oh, n = i / d.c / ow / oh, p = place[i];
    const int64_t iy = oy * d.stride_h - d.pad_top + p / d.kw, ix = ox * d.stride_w - d.pad_left + p % d.kw;
    if (p < 0 || p >= d.kh * d.kw || iy < 0 || iy >= d.h || ix < 0 || ix >= d.w)
      return {Code::NotFound, "place is outside its window", i, static_cast<double>(p)};
    y[i] = x[((n * d.h + iy) * d.w + ix) * d.c + c];
  }
  return {};
}

const Op max_pool_pick_op = {
    .name = "max_pool2d_pick",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<PoolAttrs>();
          const Shape y = pooled("max_pool2d_pick", c.x(0), a);
          infer_places("max_pool2d_pick", {y, c.dtype(0)}, c.x(1), c.shape(0), a);
          c.output(y, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      Status s;
      pooling(r, r.x(0).shape, r.attr<PoolAttrs>(), [&](auto type, const Pool2DDesc& d) {
        using T = typename decltype(type)::type;
        s = d.index_size() == 1 ? pick(d, r.in<T>(0), r.in<uint8_t>(1), r.out<T>()) : pick(d, r.in<T>(0), r.in<int32_t>(1), r.out<T>());
      });
      return s;
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(0)) return {Tensor{}, Tensor{}};
      return {apply_with(max_pool_grad_op, PoolGradAttrs{g.attr<PoolAttrs>(), g.xspec(0).shape}, g.dy(), g.x(1)), Tensor{}};
    },
    .saves = saves_input(1),
    .attrs = attrs_of<PoolAttrs>,
    .specimens = R"(f32[2,4,4,3], u8[2,2,2,3]{0..3} | f64[1,5,5,3], u8[1,2,2,3]{0..8} ; {"pool_size": [3,3]} | f32[0,4,4,3], u8[0,2,2,3]
                  | f32[1,17,17,2], i32[1,1,1,2]{0..288} ; {"pool_size": [17,17], "strides": [1,1]})",
};

// ---- average ------------------------------------------------------------------------------------------------------------------

const Op average_pool_op = {
    .name = "average_pool2d",
    .infer = [](Infer& c) { c.output(pooled("average_pool2d", c.x(0), c.attr<PoolAttrs>()), c.dtype(0)); },
    .run = [](const Run& r) noexcept -> Status {
      return pooling(r, r.x(0).shape, r.attr<PoolAttrs>(), [&](auto type, const Pool2DDesc& d) {
        using T = typename decltype(type)::type;
        kernels::avg_pool(d, r.in<T>(0), r.out<T>());
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      return {apply_with(average_pool_grad_op, PoolGradAttrs{g.attr<PoolAttrs>(), g.xspec(0).shape}, Tensor(g.dy()))};
    },
    .attrs = attrs_of<PoolAttrs>,
    .specimens = R"(f32[2,4,4,3] | f32[1,7,5,17] ; {"pool_size": [3,3], "strides": [2,2], "padding": "same"}
                  | f64[2,5,4,2] ; {"pool_size": [2,3], "strides": [1,2]} | f32[0,4,4,3] | f32[2,3,0,3]
                  | f32[1,1,9,4] ; {"pool_size": [1,2], "strides": [1,2]})",
};

const Op average_pool_grad_op = {
    .name = "average_pool2d_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<PoolGradAttrs>();
          check_dy("average_pool2d_grad", pooled("average_pool2d_grad", {a.shape, c.dtype(0)}, a.pool), c.x(0));
          c.output(a.shape, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<PoolGradAttrs>();
      return pooling(r, a.shape, a.pool, [&](auto type, const Pool2DDesc& d) {
        using T = typename decltype(type)::type;
        kernels::avg_pool_grad(d, r.in<T>(0), r.out<T>());
      });
    },
    .grad = [](const Grad& g) -> Tensors { return {apply_with(average_pool_op, g.attr<PoolGradAttrs>().pool, Tensor(g.dy()))}; },
    .attrs = attrs_of<PoolGradAttrs>,
    .specimens = R"(f32[2,2,2,3] ; {"shape": [2,4,4,3]} | f64[1,4,3,2] ; {"pool_size": [3,3], "padding": "same", "shape": [1,7,5,2]}
                  | f32[0,2,2,3] ; {"shape": [0,4,4,3]})",
};

PoolAttrs attrs_from(const PoolOptions& o) {
  const Pair strides = o.strides.value_or(o.pool_size);
  return {{o.pool_size.h, o.pool_size.w}, {strides.h, strides.w}, std::string(o.padding)};
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor max_pool2d(Tensor x, const PoolOptions& options) {
  x = to_float(std::move(x));
  if (is_half(x.dtype())) {
    const DType t = x.dtype();
    return cast(max_pool2d(cast(std::move(x), float32), options), t);
  }
  const PoolAttrs a = attrs_from(options);
  return recording() ? apply_all_with(max_pool_places_op, a, std::move(x))[0] : apply_with(max_pool_op, a, std::move(x));
}

Tensor average_pool2d(Tensor x, const PoolOptions& options) {
  x = to_float(std::move(x));
  if (is_half(x.dtype())) {
    const DType t = x.dtype();
    return cast(average_pool2d(cast(std::move(x), float32), options), t);
  }
  return apply_with(average_pool_op, attrs_from(options), std::move(x));
}

void register_pool(Registry& r) {
  for (const Op* op : {&max_pool_op, &max_pool_places_op, &max_pool_grad_op, &max_pool_pick_op, &average_pool_op, &average_pool_grad_op}) r.add(*op);
}

}  // namespace tenure

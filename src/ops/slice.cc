// Boxes of a tensor: slice, slice_axis, slice_update. A slice of leading axes is a view that shares the buffer. Nothing here owns anything.
#include "ops/box.h"
#include "ops/helpers.h"
#include "ops/index_ops.h"

namespace tenure::ops {
namespace {

// A box of sizes `y` at element `offset` of `x` is contiguous when behind the first cut axis everything is whole and before it all sizes are 1.
int64_t contiguous(const Shape& x, const Shape& y, const int64_t* start, size_t size) noexcept {
  if (y.elements() == 0) return -1;
  int cut = x.rank() - 1;
  while (cut > 0 && y[cut] == x[cut]) --cut;
  for (int i = 0; i < cut; ++i)
    if (y[i] != 1) return -1;
  return part_of(x, start).offset * static_cast<int64_t>(size);
}

// ---- slice --------------------------------------------------------------------------------------------------------------------

struct SliceAttrs {
  std::vector<int64_t> start, shape;
};
template <class V>
void fields(V& v, SliceAttrs& a) {
  v("start", a.start), v("shape", a.shape);
}

void infer_slice(Infer& c) {
  const auto& a = c.attr<SliceAttrs>();
  Shape y = c.shape(0);
  check(static_cast<int>(a.start.size()) == y.rank() && a.shape.size() == a.start.size(), Code::InvalidArgument,
        "slice: expected {} starts and sizes for {}, got {} and {}", y.rank(), c.x(0), a.start.size(), a.shape.size());
  for (int i = 0; i < y.rank(); ++i) {
    const int64_t start = a.start[static_cast<size_t>(i)], n = a.shape[static_cast<size_t>(i)], room = y[i];
    y[i] = n >= 0 ? n : room < 0 ? -1 : room - start;
    check(start >= 0 && n >= -1 && (room < 0 || (start <= room && start + y[i] <= room)), Code::InvalidArgument,
          "slice: {} elements from {} do not lie in axis {} of {}", n, start, i, c.x(0));
  }
  c.output(y, c.dtype(0));
}

Tensors slice_grad(const Grad& g) {
  const auto& start = g.attr<SliceAttrs>().start;
  const Shape &x = g.xspec(0).shape, &y = g.yspec().shape;
  std::vector<std::pair<int64_t, int64_t>> around;
  for (int i = 0; i < x.rank(); ++i) around.emplace_back(start[static_cast<size_t>(i)], x[i] - start[static_cast<size_t>(i)] - y[i]);
  return {pad(g.dy(), around)};
}

const Op slice_op = {
    .name = "slice",
    .infer = infer_slice,
    .run = [](const Run& r) noexcept -> Status {
      const Shape& y = r.y().shape;
      copy_box(y, r.in(0), part_of(r.x(0).shape, r.attr<SliceAttrs>().start.data()), r.out(), row_major(y), size_of(r.y().dtype));
      return {};
    },
    .grad = slice_grad,
    .attrs = attrs_of<SliceAttrs>,
    .view = [](const Prep& p) -> int64_t { return contiguous(p.x(0).shape, p.y().shape, p.attr<SliceAttrs>().start.data(), size_of(p.y().dtype)); },
    .specimens = R"(f32[5] ; {"start": [1], "shape": [3]} | f64[4,5] ; {"start": [1,2], "shape": [2,-1]}
                  | f32[4,3] ; {"start": [2,0], "shape": [2,3]} | f32[0,3] ; {"start": [0,1], "shape": [0,2]}
                  | f32[3] ; {"start": [3], "shape": [0]} | i32[2,3,4,5] ; {"start": [1,0,2,1], "shape": [1,3,1,3]})",
};

// ---- slice_axis ---------------------------------------------------------------------------------------------------------------

struct SliceAxisAttrs {
  int axis = 0;
  int64_t start = 0, stop = std::numeric_limits<int64_t>::max(), step = 1;
};
template <class V>
void fields(V& v, SliceAxisAttrs& a) {
  v("axis", a.axis), v("start", a.start), v("stop", a.stop), v("step", a.step);
}

// First index and number of indices of NumPy's start:stop:step among n.
std::pair<int64_t, int64_t> range_of(const SliceAxisAttrs& a, int64_t n) noexcept {
  auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
  const int64_t first = clamp(a.start), last = clamp(a.stop);
  return {first, last > first ? (last - first - 1) / a.step + 1 : 0};
}

// The box inside x: offset and step on the axis.
Box strided(const Shape& x, const SliceAxisAttrs& a) noexcept {
  Box b = row_major(x);
  const int axis = a.axis < 0 ? a.axis + x.rank() : a.axis;
  b.offset = range_of(a, x[axis]).first * b.step[axis];
  b.step[axis] *= a.step;
  return b;
}

int64_t slice_axis_view(const Prep& p) {
  const auto& a = p.attr<SliceAxisAttrs>();
  const Shape& x = p.x(0).shape;
  const int axis = a.axis < 0 ? a.axis + x.rank() : a.axis;
  int64_t start[Shape::max_rank] = {};
  start[axis] = range_of(a, x[axis]).first;
  return a.step != 1 && p.y().shape[axis] > 1 ? -1 : contiguous(x, p.y().shape, start, size_of(p.y().dtype));
}

struct SliceAxisGradAttrs {
  SliceAxisAttrs slice;
  Shape shape;
};
template <class V>
void fields(V& v, SliceAxisGradAttrs& a) {
  fields(v, a.slice), v("shape", a.shape);
}
extern const Op slice_axis_grad_op;

Shape infer_range(std::string_view op, const Spec& x, const SliceAxisAttrs& a) {
  Shape y = x.shape;
  check(a.step >= 1, Code::InvalidArgument, "{}: expected a step >= 1, got {}", op, a.step);
  int64_t& d = y[normalize_axis(a.axis, y.rank())];
  if (d >= 0) d = range_of(a, d).second;
  return y;
}

const Op slice_axis_op = {
    .name = "slice_axis",
    .infer = [](Infer& c) { c.output(infer_range("slice_axis", c.x(0), c.attr<SliceAxisAttrs>()), c.dtype(0)); },
    .run = [](const Run& r) noexcept -> Status {
      const Shape& y = r.y().shape;
      copy_box(y, r.in(0), strided(r.x(0).shape, r.attr<SliceAxisAttrs>()), r.out(), row_major(y), size_of(r.y().dtype));
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      return {apply_with(slice_axis_grad_op, SliceAxisGradAttrs{g.attr<SliceAxisAttrs>(), g.xspec(0).shape}, Tensor(g.dy()))};
    },
    .attrs = attrs_of<SliceAxisAttrs>,
    .view = slice_axis_view,
    .specimens = R"(f32[7] ; {"axis": 0, "start": 1, "stop": 6, "step": 2} | f64[3,5] ; {"axis": -1, "start": -3}
                  | f32[4,3] ; {"axis": 0, "start": 1, "stop": 3} | f32[0,3] ; {"axis": 0} | f32[3] ; {"axis": 0, "start": 2, "stop": 1}
                  | i32[2,3,4,5] ; {"axis": 2, "start": 0, "stop": 100, "step": 3})",
};

const Op slice_axis_grad_op = {
    .name = "slice_axis_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<SliceAxisGradAttrs>();
          const Shape y = infer_range("slice_axis_grad", {a.shape, c.dtype(0)}, a.slice);
          check(y == c.shape(0) || !c.shape(0).known(), Code::Shape, "slice_axis_grad: expected {}, got {}", y, c.x(0));
          c.output(a.shape, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<SliceAxisGradAttrs>();
      const Shape& y = r.x(0).shape;
      if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
      copy_box(y, r.in(0), row_major(y), r.out(), strided(a.shape, a.slice), size_of(r.y().dtype));
      return {};
    },
    .grad = [](const Grad& g) -> Tensors { return {apply_with(slice_axis_op, g.attr<SliceAxisGradAttrs>().slice, Tensor(g.dy()))}; },
    .attrs = attrs_of<SliceAxisGradAttrs>,
    .specimens = R"(f32[3] ; {"axis": 0, "start": 1, "stop": 6, "step": 2, "shape": [7]}
                  | f64[3,2] ; {"axis": 1, "start": 1, "stop": 3, "shape": [3,4]} | f32[0] ; {"axis": 0, "start": 5, "shape": [5]})",
};

// ---- slice_update -------------------------------------------------------------------------------------------------------------

struct StartAttrs {
  std::vector<int64_t> start;
};
template <class V>
void fields(V& v, StartAttrs& a) {
  v("start", a.start);
}

const Op slice_update_op = {
    .name = "slice_update",
    .infer =
        [](Infer& c) {
          const auto& start = c.attr<StartAttrs>().start;
          const Shape &x = c.shape(0), &u = c.shape(1);
          check(c.dtype(0) == c.dtype(1), Code::DType, "slice_update: expected inputs of one dtype, got {} and {}", c.x(0), c.x(1));
          check(u.rank() == x.rank() && static_cast<int>(start.size()) == x.rank(), Code::Shape,
                "slice_update: expected updates and {} starts of rank {}, got {} and {}", x.rank(), x.rank(), c.x(1), start.size());
          for (int i = 0; i < x.rank(); ++i) {
            const int64_t s = start[static_cast<size_t>(i)];
            check(s >= 0 && (x[i] < 0 || u[i] < 0 || s + u[i] <= x[i]), Code::InvalidArgument,
                  "slice_update: {} elements from {} do not lie in axis {} of {}", u[i], s, i, c.x(0));
          }
          c.output(c.x(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      if (r.out() != r.in(0)) kernels::copy(r.in(0), r.out(), r.x(0).bytes());
      const Shape& u = r.x(1).shape;
      copy_box(u, r.in(1), row_major(u), r.out(), part_of(r.x(0).shape, r.attr<StartAttrs>().start.data()), size_of(r.y().dtype));
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      const auto& start = g.attr<StartAttrs>().start;
      const Spec& u = g.xspec(1);
      Tensor dx, du;
      if (g.needs(0)) dx = slice_update(g.dy(), start, zeros(u.shape, u.dtype));
      if (g.needs(1)) du = slice(g.dy(), start, std::vector<int64_t>(u.shape.begin(), u.shape.end()));
      return {dx, du};
    },
    .traits = inplace,
    .attrs = attrs_of<StartAttrs>,
    .specimens = R"(f32[5], f32[2] ; {"start": [3]} | f64[3,4], f64[2,2] ; {"start": [1,2]} | f32[3], f32[0] ; {"start": [1]}
                  | f32[0,2], f32[0,1] ; {"start": [0,1]} | i32[2,3,2,5], i32[1,3,1,4] ; {"start": [1,0,1,0]})",
};

}  // namespace

void register_slice(Registry& r) {
  for (const Op* op : {&slice_op, &slice_axis_op, &slice_axis_grad_op, &slice_update_op}) r.add(*op);
}

}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor slice(Tensor x, const std::vector<int64_t>& start, const std::vector<int64_t>& shape) {
  return apply_with(slice_op, SliceAttrs{start, shape}, std::move(x));
}

Tensor slice_axis(Tensor x, int axis, int64_t start, int64_t stop, int64_t step) {
  return apply_with(slice_axis_op, SliceAxisAttrs{axis, start, stop, step}, std::move(x));
}

Tensor slice_update(Tensor x, const std::vector<int64_t>& start, Tensor updates) {
  promote_pair(x, updates);
  return apply_with(slice_update_op, StartAttrs{start}, std::move(x), std::move(updates));
}

}  // namespace tenure

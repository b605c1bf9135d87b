// Shapes: views that share a buffer (reshape, expand_dims, squeeze), and ops that move elements (transpose, broadcast, join, split).
// Nothing here owns anything. tile, repeat, flip and pad stand in pad.cc.
#include <numeric>

#include "ops/box.h"
#include "ops/families.h"
#include "ops/helpers.h"
#include "ops/shape_ops.h"

namespace tenure::ops {
namespace {

// ---- views --------------------------------------------------------------------------------------------------------------------

Status copy_run(const Run& r) noexcept {
  if (r.out() != r.in(0)) kernels::copy(r.in(0), r.out(), r.x(0).bytes());
  return {};
}
int64_t whole_view(const Prep&) { return 0; }
Tensors reshape_back(const Grad& g) { return {reshape(g.dy(), g.xspec(0).shape)}; }

struct ReshapeAttrs {
  Shape shape;
};
template <class V>
void fields(V& v, ReshapeAttrs& a) {
  v("shape", a.shape);
}

void infer_reshape(Infer& c) {
  const Shape &x = c.shape(0), &target = c.attr<ReshapeAttrs>().shape;
  Shape y = target;
  int free = -1;
  int64_t rest = 1;
  for (int i = 0; i < target.rank(); ++i) {
    if (target[i] >= 0) {
      check(!__builtin_mul_overflow(rest, target[i], &rest), Code::Shape, "reshape: {} has more elements than can be counted", target);
      continue;
    }
    check(free < 0, Code::Shape, "reshape: only one size may be -1, got {}", target);
    free = i;
  }
  if (int64_t n = x.elements(); n >= 0) {
    if (free >= 0 && rest > 0 && n % rest == 0) y[free] = n / rest;
    check(y.known() && y.elements() == n, Code::Shape, "reshape: {} has {} elements, which do not fit {}", c.x(0), n, target);
  }
  c.output(y, c.dtype(0));
}

struct AxisAttrs {
  int axis = 0;
};
template <class V>
void fields(V& v, AxisAttrs& a) {
  v("axis", a.axis);
}
struct AxesAttrs {
  std::vector<int> axes;
};
template <class V>
void fields(V& v, AxesAttrs& a) {
  v("axis", a.axes);
}

void infer_squeeze(Infer& c) {
  const Shape& x = c.shape(0);
  AxisSet axes(c.attr<AxesAttrs>().axes, x.rank(), "squeeze");
  Shape y;
  for (int i = 0; i < x.rank(); ++i) {
    bool named = !axes.all() && axes.has(i);
    check(!named || x[i] == 1 || x[i] < 0, Code::Shape, "squeeze: expected size 1 at axis {}, got {}", i, c.x(0));
    if (!named && !(axes.all() && x[i] == 1)) y.push_back(x[i]);
  }
  c.output(y, c.dtype(0));
}

const Op reshape_op = {
    .name = "reshape",
    .infer = infer_reshape,
    .run = copy_run,
    .grad = reshape_back,
    .attrs = attrs_of<ReshapeAttrs>,
    .view = whole_view,
    .specimens = R"(f32[2,3,4] ; {"shape": [4,-1]} | f64[6] ; {"shape": [1,3,2]} | f32[0,3] ; {"shape": [3,0]} | i32[1] ; {"shape": []}
                  | f32[] ; {"shape": [1,1]})",
};
const Op expand_dims_op = {
    .name = "expand_dims",
    .infer =
        [](Infer& c) {
          Shape y = c.shape(0);
          int axis = c.attr<AxisAttrs>().axis, rank = y.rank() + 1;
          y.insert(normalize_axis(axis, rank), 1);
          c.output(y, c.dtype(0));
        },
    .run = copy_run,
    .grad = reshape_back,
    .attrs = attrs_of<AxisAttrs>,
    .view = whole_view,
    .specimens = R"(f32[3] ; {"axis": 0} | f64[2,3] ; {"axis": -1} | f32[0] ; {"axis": 1} | i32[] ; {"axis": 0} | f32[1,2,3,4] ; {"axis": 2})",
};
const Op squeeze_op = {
    .name = "squeeze",
    .infer = infer_squeeze,
    .run = copy_run,
    .grad = reshape_back,
    .attrs = attrs_of<AxesAttrs>,
    .view = whole_view,
    .specimens = R"(f32[1,3,1] ; {"axis": []} | f64[1,3,1,2] ; {"axis": [0,-2]} | f32[0,1] ; {"axis": [1]} | u8[1] ; {"axis": [0]})",
};

// ---- transpose ----------------------------------------------------------------------------------------------------------------

void infer_transpose(Infer& c) {
  const Shape& x = c.shape(0);
  const auto& axes = c.attr<AxesAttrs>().axes;
  check(static_cast<int>(axes.size()) == x.rank(), Code::InvalidArgument, "transpose: expected {} axes for {}, got {}", x.rank(), c.x(0),
        axes.size());
  AxisSet each(axes, x.rank(), "transpose");
  Shape y;
  for (int a : axes) y.push_back(x.dim(a));
  c.output(y, c.dtype(0));
}

// Only axes of size 1 move: the elements stay in order.
int64_t transpose_view(const Prep& p) {
  const Shape& x = p.x(0).shape;
  int last = -1;
  for (int a : p.attr<AxesAttrs>().axes) {
    if (a < 0) a += x.rank();
    if (x[a] == 1) continue;
    if (a < last) return -1;
    last = a;
  }
  return 0;
}

Status run_transpose(const Run& r) noexcept {
  const Shape& x = r.x(0).shape;
  int axes[Shape::max_rank] = {};
  for (int i = 0; i < x.rank(); ++i) {
    int a = r.attr<AxesAttrs>().axes[static_cast<size_t>(i)];
    axes[i] = a < 0 ? a + x.rank() : a;
  }
  if (x.elements() > 0) kernels::permute(r.in(0), r.out(), x.begin(), axes, x.rank(), size_of(r.x(0).dtype));
  return {};
}

Tensors transpose_grad(const Grad& g) {
  const auto& axes = g.attr<AxesAttrs>().axes;
  const int rank = static_cast<int>(axes.size());
  std::vector<int> back(axes.size());
  for (int i = 0; i < rank; ++i) back[static_cast<size_t>((axes[static_cast<size_t>(i)] + rank) % rank)] = i;
  return {transpose(g.dy(), back)};
}

const Op transpose_op = {
    .name = "transpose",
    .infer = infer_transpose,
    .run = run_transpose,
    .grad = transpose_grad,
    .attrs = attrs_of<AxesAttrs>,
    .view = transpose_view,
    .specimens = R"(f32[3,5] ; {"axis": [1,0]} | f64[2,3,4,5] ; {"axis": [0,3,-2,1]} | f32[0,3] ; {"axis": [1,0]} | u8[17] ; {"axis": [0]}
                  | f32[2,1,3] ; {"axis": [1,0,2]})",
};

// ---- broadcast_to -------------------------------------------------------------------------------------------------------------

void infer_broadcast_to(Infer& c) {
  const Shape &x = c.shape(0), &target = c.attr<ReshapeAttrs>().shape;
  int shift = target.rank() - x.rank();
  Shape y = target;
  bool fits = shift >= 0;
  for (int i = 0; fits && i < x.rank(); ++i) {
    int64_t& d = y[i + shift];
    if (d < 0) d = x[i];
    fits = x[i] == d || x[i] == 1 || x[i] < 0 || d < 0;
  }
  check(fits, Code::Shape, "broadcast_to: {} does not broadcast to {}", c.x(0), target);
  c.output(y, c.dtype(0));
}

Status run_broadcast_to(const Run& r) noexcept {
  const Shape &x = r.x(0).shape, &y = r.y().shape;
  const int shift = y.rank() - x.rank();
  const Box own = row_major(x);
  Box from;
  for (int i = 0; i < x.rank(); ++i) from.step[i + shift] = x[i] == 1 ? 0 : own.step[i];
  copy_box(y, r.in(0), from, r.out(), row_major(y), size_of(r.x(0).dtype));
  return {};
}

const Op broadcast_to_op = {
    .name = "broadcast_to",
    .infer = infer_broadcast_to,
    .run = run_broadcast_to,
    .grad = [](const Grad& g) -> Tensors { return {sum_to(g.dy(), g.xspec(0).shape)}; },
    .attrs = attrs_of<ReshapeAttrs>,
    .view = [](const Prep& p) -> int64_t { return p.x(0).shape.elements() == p.y().shape.elements() ? 0 : -1; },
    .specimens = R"(f32[3] ; {"shape": [2,3]} | f64[2,1,3,1] ; {"shape": [2,5,3,4]} | f32[1] ; {"shape": [0]} | i32[] ; {"shape": [17]}
                  | f32[1,3] ; {"shape": [1,3]})",
};

// ---- concatenate --------------------------------------------------------------------------------------------------------------

void infer_concatenate(Infer& c) {
  Shape y = c.shape(0);
  check(y.rank() > 0, Code::Shape, "concatenate: expected at least one axis, got {}; stack joins numbers", c.x(0));
  const int axis = normalize_axis(c.attr<AxisAttrs>().axis, y.rank());
  for (int i = 1; i < c.inputs(); ++i) {
    const Shape& x = c.shape(i);
    bool fits = x.rank() == y.rank();
    for (int d = 0; fits && d < y.rank(); ++d) {
      if (d == axis) {
        y[d] = y[d] < 0 || x[d] < 0 ? -1 : y[d] + x[d];
      } else {
        fits = y[d] == x[d] || y[d] < 0 || x[d] < 0;
        if (y[d] < 0) y[d] = x[d];
      }
    }
    check(fits, Code::Shape, "concatenate: sizes must agree except on axis {}; input 0 is {}, input {} is {}", axis, c.x(0), i, c.x(i));
    check(c.dtype(i) == c.dtype(0), Code::DType, "concatenate: expected inputs of one dtype, got {} and {}", c.x(0), c.x(i));
  }
  c.output(y, c.dtype(0));
}

Status run_concatenate(const Run& r) noexcept {
  const Shape& y = r.y().shape;
  int64_t start[Shape::max_rank] = {};
  int axis = r.attr<AxisAttrs>().axis;
  if (axis < 0) axis += y.rank();
  for (int i = 0; i < r.inputs(); ++i) {
    const Shape& x = r.x(i).shape;
    copy_box(x, r.in(i), row_major(x), r.out(), part_of(y, start), size_of(r.y().dtype));
    start[axis] += x[axis];
  }
  return {};
}

Tensors concatenate_grad(const Grad& g) {
  const int axis = normalize_axis(g.attr<AxisAttrs>().axis, g.yspec().shape.rank());
  Tensors dx;
  int64_t at = 0;
  for (int i = 0; i < g.inputs(); ++i) {
    int64_t n = g.xspec(i).shape[axis];
    dx.push_back(g.needs(i) ? slice_axis(g.dy(), axis, at, at + n) : Tensor{});
    at += n;
  }
  return dx;
}

const Op concatenate_op = {
    .name = "concatenate",
    .infer = infer_concatenate,
    .run = run_concatenate,
    .grad = concatenate_grad,
    .attrs = attrs_of<AxisAttrs>,
    .specimens = R"(f32[2,3], f32[4,3] ; {"axis": 0} | f64[2,3,5], f64[2,1,5], f64[2,2,5] ; {"axis": -2} | f32[0,3], f32[2,3] ; {"axis": 0}
                  | i32[3] ; {"axis": 0} | f32[2,2,1,3], f32[2,2,1,7] ; {"axis": 3})",
};

// ---- split --------------------------------------------------------------------------------------------------------------------

// Cuts at `indices` along `axis`; the public function uses views instead where it can.
struct SplitAttrs {
  std::vector<int64_t> indices;
  int axis = 0;
};
template <class V>
void fields(V& v, SplitAttrs& a) {
  v("indices", a.indices), v("axis", a.axis);
}

// [begin, end) of part i of n elements; cuts are clamped as NumPy's.
std::pair<int64_t, int64_t> part(const std::vector<int64_t>& cuts, size_t i, int64_t n) {
  auto cut = [&](size_t k) { return std::clamp<int64_t>(cuts[k] < 0 ? cuts[k] + n : cuts[k], 0, n); };
  int64_t begin = i == 0 ? 0 : cut(i - 1), end = i == cuts.size() ? n : cut(i);
  return {begin, std::max(begin, end)};
}

const Op split_op = {
    .name = "split",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<SplitAttrs>();
          const Shape& x = c.shape(0);
          const int axis = normalize_axis(a.axis, x.rank());
          check(x[axis] >= 0, Code::Shape, "split: the size of axis {} must be known, got {}", axis, c.x(0));
          for (size_t i = 0; i <= a.indices.size(); ++i) {
            Shape y = x;
            auto [begin, end] = part(a.indices, i, x[axis]);
            y[axis] = end - begin;
            c.output(y, c.dtype(0));
          }
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<SplitAttrs>();
      const Shape& x = r.x(0).shape;
      const int axis = a.axis < 0 ? a.axis + x.rank() : a.axis;
      int64_t start[Shape::max_rank] = {};
      for (int i = 0; i < r.outputs(); ++i) {
        const Shape& y = r.y(i).shape;
        start[axis] = part(a.indices, static_cast<size_t>(i), x[axis]).first;
        copy_box(y, r.in(0), part_of(x, start), r.out(i), row_major(y), size_of(r.x(0).dtype));
      }
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      Tensors parts;
      for (int i = 0; i < g.outputs(); ++i) parts.push_back(g.dy(i).defined() ? g.dy(i) : zeros(g.yspec(i).shape, g.yspec(i).dtype));
      return {concatenate(parts, g.attr<SplitAttrs>().axis)};
    },
    .attrs = attrs_of<SplitAttrs>,
    .specimens = R"(f32[2,6] ; {"indices": [2,5], "axis": 1} | f64[7] ; {"indices": [3], "axis": 0} | f32[0,4] ; {"indices": [2], "axis": -1}
                  | i32[2,3,2,5] ; {"indices": [1,2,3,4], "axis": 3})",
};

Tensors split_at(Tensor x, const std::vector<int64_t>& cuts, int axis) {
  axis = normalize_axis(axis, x.rank());
  if (cuts.empty()) return {std::move(x)};
  const int64_t before = product(x.shape(), 0, axis), n = x.shape()[axis];
  if (before != 1 || n < 0) {
    Tensor in[] = {std::move(x)};
    SplitAttrs attrs{cuts, axis};
    return apply_all(split_op, in, AttrRef{&attrs, attrs_of<SplitAttrs>()});
  }
  Tensors parts;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    auto [begin, end] = part(cuts, i, n);
    parts.push_back(slice_axis(x, axis, begin, end));
  }
  return parts;
}

}  // namespace

Tensors promote_all(const Tensors& xs, std::string_view op) {
  check(!xs.empty(), Code::InvalidArgument, "{}: expected at least one tensor, got an empty list", op);
  for (const Tensor& x : xs) check(x.defined(), Code::InvalidArgument, "{}: an input is an empty handle (default-made, moved from, or released)", op);
  auto weak = [](const Tensor& t) { return t.body()->weak(); };
  const bool strong = !std::all_of(xs.begin(), xs.end(), weak);
  std::optional<DType> type;
  for (const Tensor& x : xs)
    if (!strong || !weak(x)) type = type ? promote(*type, x.dtype()) : x.dtype();
  bool real = std::any_of(xs.begin(), xs.end(), [](const Tensor& t) { return is_float(t.dtype()); });
  if (real && !is_float(*type)) type = DType::float32;
  Tensors out;
  for (const Tensor& x : xs) out.push_back(cast(x, *type));
  return out;
}

}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor reshape(Tensor x, const Shape& shape) { return apply_with(reshape_op, ReshapeAttrs{shape}, std::move(x)); }
Tensor expand_dims(Tensor x, int axis) { return apply_with(expand_dims_op, AxisAttrs{axis}, std::move(x)); }
Tensor squeeze(Tensor x, const Axes& axis) { return apply_with(squeeze_op, AxesAttrs{axis}, std::move(x)); }
Tensor broadcast_to(Tensor x, const Shape& shape) { return apply_with(broadcast_to_op, ReshapeAttrs{shape}, std::move(x)); }

Tensor transpose(Tensor x, const std::vector<int>& axes) {
  AxesAttrs attrs{axes};
  if (axes.empty())
    for (int i = x.rank(); i-- > 0;) attrs.axes.push_back(i);
  return apply_with(transpose_op, attrs, std::move(x));
}

Tensor concatenate(const Tensors& xs, int axis) {
  Tensors in = promote_all(xs, "concatenate");
  AxisAttrs attrs{axis};
  return apply(concatenate_op, in, AttrRef{&attrs, attrs_of<AxisAttrs>()});
}

Tensor stack(const Tensors& xs, int axis) {
  Tensors in = promote_all(xs, "stack");
  for (const Tensor& x : in)
    check(x.rank() == in[0].rank(), Code::Shape, "stack: expected tensors of one shape, got {} and {}", in[0].spec(), x.spec());
  axis = normalize_axis(axis, in[0].rank() + 1);
  for (Tensor& x : in) x = expand_dims(std::move(x), axis);
  AxisAttrs attrs{axis};
  return apply(concatenate_op, in, AttrRef{&attrs, attrs_of<AxisAttrs>()});
}

Tensors split(Tensor x, int64_t sections, int axis) {
  const int64_t n = x.dim(axis);
  check(sections > 0 && n >= 0 && n % sections == 0, Code::Shape, "split: expected a number of equal parts of axis {} of {}, got {}", axis, x.spec(),
        sections);
  std::vector<int64_t> cuts;
  for (int64_t i = 1; i < sections; ++i) cuts.push_back(i * (n / sections));
  return split_at(std::move(x), cuts, axis);
}

Tensors split(Tensor x, const std::vector<int64_t>& indices, int axis) { return split_at(std::move(x), indices, axis); }

Tensors unstack(Tensor x, int axis) {
  axis = normalize_axis(axis, x.rank());
  const int64_t n = x.shape()[axis];
  check(n >= 0, Code::Shape, "unstack: the size of axis {} must be known, got {}", axis, x.spec());
  if (n == 0) return {};
  Tensors parts = split(std::move(x), n, axis);
  for (Tensor& t : parts) t = squeeze(std::move(t), {axis});
  return parts;
}

void register_shape(Registry& r) {
  for (const Op* op : {&reshape_op, &expand_dims_op, &squeeze_op, &transpose_op, &broadcast_to_op, &concatenate_op, &split_op}) r.add(*op);
  register_pad(r);
}

}  // namespace tenure

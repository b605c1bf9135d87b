// tile, repeat, flip and pad: every output row has a source row found by arithmetic on its indices. Nothing here owns anything.
#include "ops/box.h"
#include "ops/fused.h"
#include "ops/helpers.h"
#include "ops/shape_ops.h"

namespace tenure::ops {
namespace {

// Leading axes [0, axes) are mapped; what is behind them moves as one block.
size_t block_bytes(const Spec& x, int axes) noexcept { return static_cast<size_t>(product(x.shape, axes, x.shape.rank())) * size_of(x.dtype); }

// ---- tile ---------------------------------------------------------------------------------------------------------------------

struct RepeatsAttrs {
  std::vector<int64_t> repeats;
};
template <class V>
void fields(V& v, RepeatsAttrs& a) {
  v("repeats", a.repeats);
}

void infer_tile(Infer& c) {
  const auto& repeats = c.attr<RepeatsAttrs>().repeats;
  Shape y = c.shape(0);
  check(static_cast<int>(repeats.size()) == y.rank(), Code::InvalidArgument, "tile: expected {} repeats for {}, got {}", y.rank(), c.x(0),
        repeats.size());
  for (int i = 0; i < y.rank(); ++i) {
    int64_t n = repeats[static_cast<size_t>(i)];
    check(n >= 0, Code::InvalidArgument, "tile: expected repeats >= 0, got {} for axis {}", n, i);
    if (y[i] >= 0) y[i] *= n;
  }
  c.output(y, c.dtype(0));
}

Status run_tile(const Run& r) noexcept {
  const auto& repeats = r.attr<RepeatsAttrs>().repeats;
  const Shape& x = r.x(0).shape;
  if (r.y().shape.elements() == 0) return {};
  int axes = x.rank();
  while (axes > 0 && repeats[static_cast<size_t>(axes - 1)] == 1) --axes;
  gather_mapped(x, r.y().shape, axes, block_bytes(r.x(0), axes), r.in(0), r.out(), [&](int axis, int64_t i) { return i % x[axis]; });
  return {};
}

Tensors tile_grad(const Grad& g) {
  const auto& repeats = g.attr<RepeatsAttrs>().repeats;
  const Shape& x = g.xspec(0).shape;
  if (x.elements() == 0 || g.yspec().shape.elements() == 0) return {zeros(x, g.xspec(0).dtype)};
  Tensor dx = g.dy();
  Shape now = g.yspec().shape;
  for (int i = 0; i < x.rank(); ++i) {
    if (repeats[static_cast<size_t>(i)] == 1) continue;
    dx = sum(reshape(std::move(dx), {product(now, 0, i), repeats[static_cast<size_t>(i)], x[i] * product(now, i + 1, now.rank())}), {1});
    now[i] = x[i];
  }
  return {reshape(std::move(dx), x)};
}

const Op tile_op = {
    .name = "tile",
    .infer = infer_tile,
    .run = run_tile,
    .grad = tile_grad,
    .attrs = attrs_of<RepeatsAttrs>,
    .specimens = R"(f32[3] ; {"repeats": [4]} | f64[2,3] ; {"repeats": [3,2]} | f32[0,2] ; {"repeats": [2,2]} | f32[2] ; {"repeats": [0]}
                  | i32[2,1,3,2] ; {"repeats": [1,4,2,1]})",
};

// ---- repeat -------------------------------------------------------------------------------------------------------------------

struct RepeatAttrs {
  int64_t repeats = 1;
  int axis = 0;
};
template <class V>
void fields(V& v, RepeatAttrs& a) {
  v("repeats", a.repeats), v("axis", a.axis);
}

const Op repeat_op = {
    .name = "repeat",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<RepeatAttrs>();
          check(a.repeats >= 0, Code::InvalidArgument, "repeat: expected repeats >= 0, got {}", a.repeats);
          Shape y = c.shape(0);
          int64_t& d = y[normalize_axis(a.axis, y.rank())];
          if (d >= 0) d *= a.repeats;
          c.output(y, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<RepeatAttrs>();
      if (r.y().shape.elements() == 0) return {};
      const int axis = a.axis < 0 ? a.axis + r.x(0).shape.rank() : a.axis;
      gather_mapped(r.x(0).shape, r.y().shape, axis + 1, block_bytes(r.x(0), axis + 1), r.in(0), r.out(),
                    [&](int k, int64_t i) { return k == axis ? i / a.repeats : i; });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      const auto& a = g.attr<RepeatAttrs>();
      const Shape& x = g.xspec(0).shape;
      if (x.elements() == 0 || a.repeats == 0) return {zeros(x, g.xspec(0).dtype)};
      const int axis = normalize_axis(a.axis, x.rank());
      return {reshape(sum(reshape(g.dy(), {product(x, 0, axis + 1), a.repeats, product(x, axis + 1, x.rank())}), {1}), x)};
    },
    .attrs = attrs_of<RepeatAttrs>,
    .specimens = R"(f32[3] ; {"repeats": 2, "axis": 0} | f64[2,3] ; {"repeats": 3, "axis": -1} | f32[0] ; {"repeats": 2, "axis": 0}
                  | f32[2,3,1,5] ; {"repeats": 2, "axis": 1} | i32[4] ; {"repeats": 0, "axis": 0})",
};

// ---- flip ---------------------------------------------------------------------------------------------------------------------

struct FlipAttrs {
  AxisSet axes;
};
template <class V>
void fields(V& v, FlipAttrs& a) {
  auto list = a.axes.list();
  v("axis", list);
  a.axes = AxisSet::of(list);
}

const Op flip_op = {
    .name = "flip",
    .infer = infer_same,
    .run = [](const Run& r) noexcept -> Status {
      const Shape& x = r.x(0).shape;
      const AxisSet axes = r.attr<FlipAttrs>().axes;
      Box from = row_major(x);
      for (int i = 0; i < x.rank(); ++i) {
        if (!axes.has(i)) continue;
        from.offset += from.step[i] * (x[i] - 1);
        from.step[i] = -from.step[i];
      }
      copy_box(x, r.in(0), from, r.out(), row_major(x), size_of(r.x(0).dtype));
      return {};
    },
    .grad = [](const Grad& g) -> Tensors { return {apply_with(flip_op, g.attr<FlipAttrs>(), Tensor(g.dy()))}; },
    .attrs = attrs_of<FlipAttrs>,
    .specimens = R"(f32[5] ; {"axis": [0]} | f64[2,3] ; {"axis": []} | f32[0,3] ; {"axis": [1]} | f32[2,3,4,1] ; {"axis": [1,2]}
                  | u8[3,3] ; {"axis": [1]})",
};

// ---- pad ----------------------------------------------------------------------------------------------------------------------

enum class PadMode : uint8_t { constant, reflect, symmetric, edge };

PadMode mode_of(std::string_view name) noexcept {
  return name == "reflect" ? PadMode::reflect : name == "symmetric" ? PadMode::symmetric : name == "edge" ? PadMode::edge : PadMode::constant;
}

// The source index of padded index i: k = i - before, folded into [0, n).
int64_t source_of(PadMode mode, int64_t k, int64_t n) noexcept {
  if (k >= 0 && k < n) return k;
  if (mode == PadMode::edge) return k < 0 ? 0 : n - 1;
  if (mode == PadMode::reflect) return k < 0 ? -k : 2 * (n - 1) - k;
  return k < 0 ? -k - 1 : 2 * n - 1 - k;
}

void infer_pad(Infer& c) {
  const auto& a = c.attr<PadAttrs>();
  Shape y = c.shape(0);
  check(static_cast<int>(a.pads.size()) == 2 * y.rank(), Code::InvalidArgument, "pad: expected {} pairs of amounts for {}, got {}", y.rank(), c.x(0),
        a.pads.size() / 2);
  check(a.mode == "constant" || mode_of(a.mode) != PadMode::constant, Code::InvalidArgument,
        "pad: expected mode constant, reflect, symmetric or edge, got '{}'", a.mode);
  for (int i = 0; i < y.rank(); ++i) {
    const int64_t before = a.pads[static_cast<size_t>(2 * i)], after = a.pads[static_cast<size_t>(2 * i + 1)], most = std::max(before, after);
    check(before >= 0 && after >= 0, Code::InvalidArgument, "pad: expected amounts >= 0, got ({}, {}) for axis {}", before, after, i);
    if (y[i] < 0) continue;
    const int64_t room = a.mode == "reflect" ? y[i] - 1 : a.mode == "symmetric" ? y[i] : a.mode == "edge" && y[i] == 0 ? 0 : most;
    check(most <= std::max<int64_t>(room, 0), Code::InvalidArgument, "pad: mode {} can add at most {} to axis {} of {}, got ({}, {})", a.mode,
          std::max<int64_t>(room, 0), i, c.x(0), before, after);
    y[i] += before + after;
  }
  c.output(y, c.dtype(0));
}

// One element of `type` at `to` (8 bytes) with this value.
void element_of(double value, DType type, void* to) noexcept { kernels::convert(DType::float64, &value, type, to, 1); }

int mapped_axes(const std::vector<int64_t>& pads) noexcept {
  size_t n = pads.size();
  while (n > 0 && pads[n - 1] == 0 && pads[n - 2] == 0) n -= 2;
  return static_cast<int>(n / 2);
}

Status run_pad(const Run& r) noexcept {
  const auto& a = r.attr<PadAttrs>();
  const Shape &x = r.x(0).shape, &y = r.y().shape;
  const PadMode mode = mode_of(a.mode);
  if (mode == PadMode::constant) {
    alignas(8) std::byte value[8];
    element_of(a.value, r.y().dtype, value);
    kernels::fill(value, size_of(r.y().dtype), r.out(), y.elements());
    int64_t start[Shape::max_rank] = {};
    for (int i = 0; i < x.rank(); ++i) start[i] = a.pads[static_cast<size_t>(2 * i)];
    copy_box(x, r.in(0), row_major(x), r.out(), part_of(y, start), size_of(r.y().dtype));
  } else if (y.elements() > 0) {
    const int axes = mapped_axes(a.pads);
    gather_mapped(x, y, axes, block_bytes(r.x(0), axes), r.in(0), r.out(),
                  [&](int axis, int64_t i) { return source_of(mode, i - a.pads[static_cast<size_t>(2 * axis)], x[axis]); });
  }
  return {};
}

// The gradient of the folding modes: adds each padded element to its source. attrs of the pad and the shape before it.
struct PadGradAttrs {
  PadAttrs pad;
  Shape shape;
};
template <class V>
void fields(V& v, PadGradAttrs& a) {
  fields(v, a.pad), v("shape", a.shape);
}

extern const Op pad_grad_op;

Tensors pad_grad(const Grad& g) {
  const auto& a = g.attr<PadAttrs>();
  const Shape& x = g.xspec(0).shape;
  if (a.mode != "constant") return {apply_with(pad_grad_op, PadGradAttrs{a, x}, Tensor(g.dy()))};
  std::vector<int64_t> start;
  for (int i = 0; i < x.rank(); ++i) start.push_back(a.pads[static_cast<size_t>(2 * i)]);
  return {slice(g.dy(), start, std::vector<int64_t>(x.begin(), x.end()))};
}

}  // namespace

const Op pad_op = {
    .name = "pad",
    .infer = infer_pad,
    .run = run_pad,
    .grad = pad_grad,
    .attrs = attrs_of<PadAttrs>,
    .specimens = R"(f32[3] ; {"pads": [2,1], "value": 1.5} | f64[2,3] ; {"pads": [1,0,0,2]} | f64[4,3] ; {"pads": [3,2,1,1], "mode": "reflect"}
                  | f64[2,3] ; {"pads": [2,1,0,3], "mode": "symmetric"} | f64[2,3] ; {"pads": [2,1,0,5], "mode": "edge"}
                  | f32[0,2] ; {"pads": [1,1,0,1]} | f32[1,3,3,5] ; {"pads": [0,0,1,1,0,2,0,0]} | i32[2] ; {"pads": [1,1], "value": 7})",
};

namespace {

template <class T>
void add_mapped(const PadGradAttrs& a, const Shape& y, const T* dy, T* dx) noexcept {
  const Shape& x = a.shape;
  const PadMode mode = mode_of(a.pad.mode);
  const int axes = mapped_axes(a.pad.pads);
  const int64_t block = product(x, axes, x.rank());
  std::fill(dx, dx + x.elements(), T{0});
  auto map = [&](int axis, int64_t i) { return source_of(mode, i - a.pad.pads[static_cast<size_t>(2 * axis)], x[axis]); };
  for_mapped_rows(x, y, axes, 0, product(y, 0, axes), map, [&](int64_t row, int64_t source) {
    for (int64_t i = 0; i < block; ++i) dx[source * block + i] += dy[row * block + i];
  });
}

const Op pad_grad_op = {
    .name = "pad_grad",
    .infer =
        [](Infer& c) {
          check(c.dtype(0) == float32 || c.dtype(0) == float64, Code::DType, "pad_grad: expected float32 or float64, got {}", c.x(0));
          c.output(c.attr<PadGradAttrs>().shape, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      with_real(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        add_mapped(r.attr<PadGradAttrs>(), r.x(0).shape, r.in<T>(0), r.out<T>());
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors { return {apply_with(pad_op, g.attr<PadGradAttrs>().pad, Tensor(g.dy()))}; },
    .attrs = attrs_of<PadGradAttrs>,
    .specimens = R"(f64[9,5] ; {"pads": [3,2,1,1], "mode": "reflect", "shape": [4,3]} | f32[5] ; {"pads": [1,1], "mode": "edge", "shape": [3]}
                  | f32[0] ; {"pads": [0,0], "mode": "edge", "shape": [0]}
                  | f32[1,4,6,5] ; {"pads": [0,0,1,0,1,2,0,0], "mode": "symmetric", "shape": [1,3,3,5]})",
};

}  // namespace

void register_pad(Registry& r) {
  for (const Op* op : {&tile_op, &repeat_op, &flip_op, &pad_op, &pad_grad_op}) r.add(*op);
}

}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor tile(Tensor x, const std::vector<int64_t>& repeats) {
  RepeatsAttrs attrs{repeats};
  // NumPy: the shorter of shape and repeats is filled with ones in front.
  while (static_cast<int>(attrs.repeats.size()) < x.rank()) attrs.repeats.insert(attrs.repeats.begin(), 1);
  while (static_cast<int>(attrs.repeats.size()) > x.rank()) x = expand_dims(std::move(x), 0);
  return apply_with(tile_op, attrs, std::move(x));
}

Tensor repeat(Tensor x, int64_t repeats, int axis) { return apply_with(repeat_op, RepeatAttrs{repeats, axis}, std::move(x)); }

Tensor flip(Tensor x, const Axes& axis) {
  FlipAttrs attrs{AxisSet(axis, x.rank(), "flip")};
  return apply_with(flip_op, attrs, std::move(x));
}

Tensor pad(Tensor x, const std::vector<std::pair<int64_t, int64_t>>& pad_width, std::string_view mode, double constant_values) {
  PadAttrs attrs{{}, std::string(mode), constant_values};
  for (auto [before, after] : pad_width) attrs.pads.push_back(before), attrs.pads.push_back(after);
  return apply_with(pad_op, attrs, std::move(x));
}

}  // namespace tenure

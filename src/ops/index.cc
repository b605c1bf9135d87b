// Elements by index: take, take_along_axis, scatter_add and its like, one_hot. An index that does not exist fails with its value and position.
// Nothing here owns anything.
#include "ops/index_ops.h"

#include <cstring>

#include "base/parallel.h"
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// f(Type<int32_t>) or f(Type<int64_t>).
template <class F>
auto with_index(DType t, F&& f) {
  return t == DType::int64 ? f(Type<int64_t>{}) : f(Type<int32_t>{});
}

void check_index(std::string_view op, const Spec& s) {
  check(s.dtype == int32 || s.dtype == int64, Code::DType, "{}: expected int32 or int64 indices, got {}", op, s);
}

// An error unless every index is in [-n, n).
template <class I>
Status check_range(const I* index, int64_t count, int64_t n) noexcept {
  for (int64_t i = 0; i < count; ++i)
    if (index[i] < -n || index[i] >= n) return {Code::NotFound, "index is out of range", i, static_cast<double>(index[i])};
  return {};
}

struct AxisAttrs {
  int axis = 0;
};
template <class V>
void fields(V& v, AxisAttrs& a) {
  v("axis", a.axis);
}
struct ScatterAttrs {
  Shape shape;
  int axis = 0;
};
template <class V>
void fields(V& v, ScatterAttrs& a) {
  v("shape", a.shape), v("axis", a.axis);
}

int front(int axis, const Shape& s) noexcept { return axis < 0 ? axis + s.rank() : axis; }

// ---- take and scatter_add -----------------------------------------------------------------------------------------------------

// x with `axis` replaced by the axes of the indices.
Shape taken(const Shape& x, const Shape& index, int axis) {
  Shape y = x.slice(0, axis);
  for (int64_t d : index) y.push_back(d);
  for (int i = axis + 1; i < x.rank(); ++i) y.push_back(x[i]);
  return y;
}

template <class I>
Status run_take(const Run& r) noexcept {
  const Shape& x = r.x(0).shape;
  const Around a(x, front(r.attr<AxisAttrs>().axis, x));
  const I* index = r.in<I>(1);
  const int64_t count = r.x(1).shape.elements();
  if (Status s = check_range(index, count, a.n); !s.ok()) return s;
  const size_t row = static_cast<size_t>(a.inner) * size_of(r.x(0).dtype);
  if (row == 0) return {};
  const auto* from = r.in<std::byte>(0);
  auto* to = r.out<std::byte>();
  parallel_for(a.outer * count, static_cast<int64_t>(1 + 65536 / row), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t o = k / count, i = index[k % count];
      std::memcpy(to + static_cast<size_t>(k) * row, from + static_cast<size_t>(o * a.n + (i < 0 ? i + a.n : i)) * row, row);
    }
  });
  return {};
}

extern const Op scatter_add_op;

// Sums of 16-bit numbers are taken in float32.
Tensor scattered(const Op& op, const ScatterAttrs& a, Tensor indices, Tensor updates) {
  const DType t = updates.dtype();
  if (!is_half(t)) return apply_with(op, a, std::move(indices), std::move(updates));
  return cast(apply_with(op, a, std::move(indices), cast(std::move(updates), float32)), t);
}

const Op take_op = {
    .name = "take",
    .infer =
        [](Infer& c) {
          check_index("take", c.x(1));
          check(c.shape(0).rank() > 0, Code::Shape, "take: expected at least one axis, got {}", c.x(0));
          c.output(taken(c.shape(0), c.shape(1), normalize_axis(c.attr<AxisAttrs>().axis, c.shape(0).rank())), c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      return with_index(r.x(1).dtype, [&](auto type) { return run_take<typename decltype(type)::type>(r); });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(0)) return {Tensor{}, Tensor{}};
      const Shape& x = g.xspec(0).shape;
      return {scattered(scatter_add_op, {x, normalize_axis(g.attr<AxisAttrs>().axis, x.rank())}, g.x(1), g.dy()), Tensor{}};
    },
    .saves = saves_input(1),
    .attrs = attrs_of<AxisAttrs>,
    .specimens = R"(f32[5], i32[3]{0..4} ; {"axis": 0} | f64[3,4], i64[2,3]{-4..3} ; {"axis": 1} | f32[5,17], i32[0] ; {"axis": 0}
                  | f32[3,0], i32[2]{0..2} ; {"axis": 0} | i32[2,3,4,5], i32[2]{0..2} ; {"axis": -3} | f32[5], i32[]{0..4} ; {"axis": 0})",
};

// x rows are added in index order whatever the number of threads: only outer blocks run at the same time.
template <class T, class I>
Status run_scatter_add(const Run& r) noexcept {
  const Shape& y = r.y().shape;
  const Around a(y, front(r.attr<ScatterAttrs>().axis, y));
  const I* index = r.in<I>(0);
  const int64_t count = r.x(0).shape.elements();
  if (Status s = check_range(index, count, a.n); !s.ok()) return s;
  const T* from = r.in<T>(1);
  T* to = r.out<T>();
  if (r.y().bytes()) std::memset(to, 0, r.y().bytes());
  if constexpr (std::is_floating_point_v<T>) {
    bool plain = a.outer == 1 && std::all_of(index, index + count, [](I i) { return i >= 0; });
    if (plain && a.inner > 0) {
      kernels::scatter_add_rows(to, a.n, a.inner, index, count, from);
      return {};
    }
  }
  parallel_for(a.outer, 1 + 65536 / std::max<int64_t>(1, count * a.inner), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin * count; k < end * count; ++k) {
      int64_t i = index[k % count];
      T* row = to + (k / count * a.n + (i < 0 ? i + a.n : i)) * a.inner;
      for (int64_t j = 0; j < a.inner; ++j) row[j] = static_cast<T>(static_cast<Wrap<T>>(row[j]) + static_cast<Wrap<T>>(from[k * a.inner + j]));
    }
  });
  return {};
}

void check_summable(std::string_view op, const Spec& s) {
  check(s.dtype != bool_ && s.dtype != DType::string && !is_half(s.dtype), Code::DType,
        "{}: expected updates of float32, float64 or an integer type, got {}", op, s);
}

const Op scatter_add_op = {
    .name = "scatter_add",
    .infer =
        [](Infer& c) {
          check_index("scatter_add", c.x(0));
          check_summable("scatter_add", c.x(1));
          const auto& a = c.attr<ScatterAttrs>();
          check(a.shape.rank() > 0, Code::Shape, "scatter_add: expected at least one axis, got shape {}", a.shape);
          const Shape want = taken(a.shape, c.shape(0), normalize_axis(a.axis, a.shape.rank()));
          bool fits = want.rank() == c.shape(1).rank();
          for (int i = 0; fits && i < want.rank(); ++i) fits = want[i] == c.shape(1)[i] || want[i] < 0 || c.shape(1)[i] < 0;
          check(fits, Code::Shape, "scatter_add: indices {} into {} need updates of {}, got {}", c.x(0), a.shape, want, c.x(1));
          c.output(a.shape, c.dtype(1));
        },
    .run = [](const Run& r) noexcept -> Status {
      return with_index(r.x(0).dtype, [&](auto index) {
        return with_number(r.y().dtype, [&](auto type) {
          using T = typename decltype(type)::type;
          if constexpr (std::is_same_v<T, bool>) return Status{Code::DType, "bool cannot be added"};
          else return run_scatter_add<T, typename decltype(index)::type>(r);
        });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(1)) return {Tensor{}, Tensor{}};
      return {Tensor{}, apply_with(take_op, AxisAttrs{g.attr<ScatterAttrs>().axis}, g.dy(), g.x(0))};
    },
    .saves = saves_input(0),
    .attrs = attrs_of<ScatterAttrs>,
    .specimens = R"(i32[4]{0..2}, f32[4] ; {"shape": [3], "axis": 0} | i64[5]{-3..2}, f64[5,7] ; {"shape": [3,7], "axis": 0}
                  | i32[0], f32[0,2] ; {"shape": [3,2], "axis": 0} | i32[2,3]{0..3}, f64[2,2,3,5] ; {"shape": [2,4,5], "axis": 1}
                  | i32[3]{0..1}, i32[3] ; {"shape": [2], "axis": 0})",
};

// ---- take_along_axis ----------------------------------------------------------------------------------------------------------

// Same rank and sizes, except on the axis: the indices' shape.
Shape along(std::string_view op, const Spec& x, const Spec& index, int axis) {
  check_index(op, index);
  check(x.shape.rank() == index.shape.rank() && x.shape.rank() > 0, Code::Shape, "{}: expected indices of the rank of {}, got {}", op, x, index);
  axis = normalize_axis(axis, x.shape.rank());
  for (int i = 0; i < x.shape.rank(); ++i)
    check(i == axis || x.shape[i] == index.shape[i] || x.shape[i] < 0 || index.shape[i] < 0, Code::Shape,
          "{}: sizes must agree except on axis {}: {} and {}", op, axis, x, index);
  return index.shape;
}

// f(position in x, position in the indices) for each index.
template <class I, class F>
Status for_along(const Shape& x, int axis, const Shape& shape, const I* index, F f) noexcept {
  const Around a(x, axis);
  const int64_t n = shape[axis], total = shape.elements();
  if (Status s = check_range(index, total, a.n); !s.ok()) return s;
  for (int64_t k = 0; k < total; ++k) {
    const int64_t inner = k % a.inner, outer = k / a.inner / n, i = index[k];
    f((outer * a.n + (i < 0 ? i + a.n : i)) * a.inner + inner, k);
  }
  return {};
}

extern const Op scatter_along_axis_op;

const Op take_along_axis_op = {
    .name = "take_along_axis",
    .infer = [](Infer& c) { c.output(along("take_along_axis", c.x(0), c.x(1), c.attr<AxisAttrs>().axis), c.dtype(0)); },
    .run = [](const Run& r) noexcept -> Status {
      const Shape& x = r.x(0).shape;
      return with_index(r.x(1).dtype, [&](auto index) {
        using I = typename decltype(index)::type;
        return with_size(size_of(r.x(0).dtype), [&](auto type) {
          using T = typename decltype(type)::type;
          const T* from = r.in<T>(0);
          T* to = r.out<T>();
          return for_along(x, front(r.attr<AxisAttrs>().axis, x), r.x(1).shape, r.in<I>(1), [&](int64_t at, int64_t k) { to[k] = from[at]; });
        });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(0)) return {Tensor{}, Tensor{}};
      return {scattered(scatter_along_axis_op, {g.xspec(0).shape, g.attr<AxisAttrs>().axis}, g.x(1), g.dy()), Tensor{}};
    },
    .saves = saves_input(1),
    .attrs = attrs_of<AxisAttrs>,
    .specimens = R"(f32[5], i32[3]{0..4} ; {"axis": 0} | f64[3,4], i64[3,2]{-4..3} ; {"axis": 1} | f32[0,4], i32[0,2]{0..3} ; {"axis": 1}
                  | f32[3], i32[0] ; {"axis": 0} | u8[2,3,2,5], i32[2,1,2,5]{0..2} ; {"axis": 1})",
};

const Op scatter_along_axis_op = {
    .name = "scatter_along_axis",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<ScatterAttrs>();
          check_summable("scatter_along_axis", c.x(1));
          along("scatter_along_axis", {a.shape, c.dtype(1)}, c.x(0), a.axis);
          check(c.shape(0) == c.shape(1) || !c.shape(0).known() || !c.shape(1).known(), Code::Shape,
                "scatter_along_axis: expected updates of the shape of the indices {}, got {}", c.x(0), c.x(1));
          c.output(a.shape, c.dtype(1));
        },
    .run = [](const Run& r) noexcept -> Status {
      const Shape& y = r.y().shape;
      if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
      return with_index(r.x(0).dtype, [&](auto index) {
        using I = typename decltype(index)::type;
        return with_number(r.y().dtype, [&](auto type) {
          using T = typename decltype(type)::type;
          const T* from = r.in<T>(1);
          T* to = r.out<T>();
          return for_along(y, front(r.attr<ScatterAttrs>().axis, y), r.x(0).shape, r.in<I>(0),
                           [&](int64_t at, int64_t k) { to[at] = static_cast<T>(static_cast<Wrap<T>>(to[at]) + static_cast<Wrap<T>>(from[k])); });
        });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(1)) return {Tensor{}, Tensor{}};
      return {Tensor{}, apply_with(take_along_axis_op, AxisAttrs{g.attr<ScatterAttrs>().axis}, g.dy(), g.x(0))};
    },
    .saves = saves_input(0),
    .attrs = attrs_of<ScatterAttrs>,
    .specimens = R"(i32[3]{0..4}, f32[3] ; {"shape": [5], "axis": 0} | i64[3,2]{-4..3}, f64[3,2] ; {"shape": [3,4], "axis": 1}
                  | i32[0], f32[0] ; {"shape": [3], "axis": 0} | i32[2,1,2,5]{0..2}, f64[2,1,2,5] ; {"shape": [2,3,2,5], "axis": 1})",
};

// ---- one_hot ------------------------------------------------------------------------------------------------------------------

struct OneHotAttrs {
  int64_t num_classes = 0;
  int axis = -1;
  DType dtype = float32;
};
template <class V>
void fields(V& v, OneHotAttrs& a) {
  v("num_classes", a.num_classes), v("axis", a.axis), v("dtype", a.dtype);
}

const Op one_hot_op = {
    .name = "one_hot",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<OneHotAttrs>();
          check_index("one_hot", c.x(0));
          check(a.num_classes >= 0, Code::InvalidArgument, "one_hot: expected num_classes >= 0, got {}", a.num_classes);
          check(a.dtype != DType::string, Code::DType, "one_hot: expected a number type or bool, got {}", a.dtype);
          Shape y = c.shape(0);
          y.insert(normalize_axis(a.axis, y.rank() + 1), a.num_classes);
          c.output(y, a.dtype);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<OneHotAttrs>();
      const Around y(r.y().shape, front(a.axis, r.y().shape));
      if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
      alignas(8) std::byte one[8];
      const double value = 1;
      kernels::convert(DType::float64, &value, a.dtype, one, 1);
      const size_t size = size_of(a.dtype);
      with_index(r.x(0).dtype, [&](auto type) {
        const auto* index = r.in<typename decltype(type)::type>(0);
        for (int64_t k = 0; k < y.outer * y.inner; ++k)
          if (index[k] >= 0 && index[k] < y.n)
            std::memcpy(r.out<std::byte>() + static_cast<size_t>((k / y.inner * y.n + index[k]) * y.inner + k % y.inner) * size, one, size);
      });
      return {};
    },
    .attrs = attrs_of<OneHotAttrs>,
    .specimens = R"(i32[5]{-1..3} ; {"num_classes": 3} | i64[2,3]{0..4} ; {"num_classes": 5, "axis": 0, "dtype": "float64"}
                  | i32[0] ; {"num_classes": 3} | i32[3]{0..1} ; {"num_classes": 0}
                  | i32[2,1,3]{0..6} ; {"num_classes": 7, "axis": 1, "dtype": "bool"} | i32[] ; {"num_classes": 2}
                  | i32[2,1,3,2]{0..6} ; {"num_classes": 7})",
};

// Indices as int32 or int64; other integers are converted.
Tensor to_index(Tensor t, std::string_view op) {
  if (t.dtype() == int32 || t.dtype() == int64) return t;
  check(is_integer(t.dtype()), Code::DType, "{}: expected integer indices, got {}", op, t.spec());
  const bool wide = t.dtype() == uint32 || t.dtype() == uint64;
  return cast(std::move(t), wide ? int64 : int32);
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor take(Tensor x, Tensor indices, std::optional<int> axis) {
  if (!axis) x = reshape(std::move(x), {-1});
  return apply_with(take_op, AxisAttrs{axis.value_or(0)}, std::move(x), to_index(std::move(indices), "take"));
}

Tensor take_along_axis(Tensor x, Tensor indices, int axis) {
  indices = to_index(std::move(indices), "take_along_axis");
  check(x.rank() == indices.rank(), Code::Shape, "take_along_axis: expected indices of the rank of {}, got {}", x.spec(), indices.spec());
  axis = normalize_axis(axis, x.rank());
  // NumPy broadcasts the other axes.
  Shape xs = x.shape(), is = indices.shape();
  xs[axis] = is[axis] = 1;
  Shape both = broadcast(xs, is), xt = both, it = both;
  xt[axis] = x.shape()[axis];
  it[axis] = indices.shape()[axis];
  if (x.shape() != xt) x = broadcast_to(std::move(x), xt);
  if (indices.shape() != it) indices = broadcast_to(std::move(indices), it);
  return apply_with(take_along_axis_op, AxisAttrs{axis}, std::move(x), std::move(indices));
}

Tensor scatter_add(Tensor indices, Tensor updates, const Shape& shape) {
  return scattered(scatter_add_op, {shape, 0}, to_index(std::move(indices), "scatter_add"), std::move(updates));
}

Tensor one_hot(Tensor x, int64_t num_classes, int axis, DType dtype) {
  if (is_float(x.dtype()) || x.dtype() == bool_) x = cast(std::move(x), int64);
  return apply_with(one_hot_op, OneHotAttrs{num_classes, axis, dtype}, to_index(std::move(x), "one_hot"));
}

void register_index(Registry& r) {
  for (const Op* op : {&take_op, &scatter_add_op, &take_along_axis_op, &scatter_along_axis_op, &one_hot_op}) r.add(*op);
  register_slice(r);
}

}  // namespace tenure

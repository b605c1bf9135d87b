// Rows put into a tensor by index: written, multiplied, or the larger or smaller kept. Sums are scatter_add's. Nothing here owns anything.
#include <cstring>

#include <tenure/ops_numpy.h>

#include "ops/box.h"
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

struct Joined {
  std::string mode = "set";
};
template <class V>
void fields(V& v, Joined& a) {
  v("mode", a.mode);
}

template <class T>
T joined(char mode, T a, T b) noexcept {
  switch (mode) {
    case 's': return b;
    case 'u': return static_cast<T>(static_cast<Wrap<T>>(a) * static_cast<Wrap<T>>(b));
    case 'a': return b > a || b != b ? b : a;
    default: return b < a || b != b ? b : a;
  }
}

template <class T, class I>
Status run_scatter_rows(const Run& r) noexcept {
  const Around a(r.x(0).shape, 0);
  const I* index = r.in<I>(1);
  const T* updates = r.in<T>(2);
  T* y = r.out<T>();
  const int64_t count = r.x(1).shape[0];
  for (int64_t k = 0; k < count; ++k)
    if (index[k] < -a.n || index[k] >= a.n) return {Code::NotFound, "index is out of range", k, static_cast<double>(index[k])};
  if (r.out() != r.in(0)) kernels::copy(r.in(0), r.out(), r.x(0).bytes());
  const char mode = r.attr<Joined>().mode == "set" ? 's' : r.attr<Joined>().mode[1];
  for (int64_t k = 0; k < count; ++k) {
    T* row = y + (index[k] < 0 ? index[k] + a.n : index[k]) * a.inner;
    for (int64_t j = 0; j < a.inner; ++j) row[j] = joined(mode, row[j], updates[k * a.inner + j]);
  }
  return {};
}

extern const Op scatter_rows_op;
Tensor scatter_rows(Tensor x, Tensor index, Tensor updates, std::string_view mode) {
  return apply_with(scatter_rows_op, Joined{std::string(mode)}, std::move(x), std::move(index), std::move(updates));
}

// Ones for the updates that stand in the result: the last of each place.
Tensor last_ones(const Tensor& index, const Spec& x, const Spec& updates) {
  const int64_t m = updates.shape[0];
  check(m >= 0, Code::Shape, "scatter_update: the number of updates must be known for a gradient, got {}", updates);
  const Tensor number = arange(0, static_cast<double>(m), 1, int32);
  const Tensor standing = take(scatter_rows(full({x.shape[0]}, -1, int32), index, number, "set"), index, 0);
  Shape s{m};
  for (int i = 1; i < updates.shape.rank(); ++i) s.push_back(1);
  return reshape(cast(equal(standing, number), updates.dtype), s);
}

Tensors scatter_rows_grad(const Grad& g) {
  const std::string& mode = g.attr<Joined>().mode;
  const Tensor &index = g.x(1), &dy = g.dy();
  Tensor dx, du;
  if (mode == "set") {
    if (g.needs(0)) dx = scatter_rows(dy, index, zeros(g.xspec(2).shape, dy.dtype()), "set");
    if (g.needs(2)) du = multiply(take(dy, index, 0), last_ones(index, g.xspec(0), g.xspec(2)));
  } else if (mode == "mul") {  // not finite where a factor is 0, as TensorFlow
    if (g.needs(0)) dx = divide(multiply(dy, g.y()), g.x(0));
    if (g.needs(2)) du = divide(take(multiply(dy, g.y()), index, 0), g.x(2));
  } else {  // those equal to the result share its gradient
    const Tensor here = cast(equal(g.x(0), g.y()), dy.dtype()), there = cast(equal(g.x(2), take(g.y(), index, 0)), dy.dtype());
    const Tensor share = divide(dy, add(here, scatter_add(index, there, g.xspec(0).shape)));
    dx = multiply(here, share);
    du = multiply(there, take(share, index, 0));
  }
  return {dx, Tensor{}, du};
}

/// A copy of x with rows of updates put in along axis 0.
const Op scatter_rows_op = {
    .name = "scatter_rows",
    .infer =
        [](Infer& c) {
          const std::string& mode = c.attr<Joined>().mode;
          const Shape &x = c.shape(0), &index = c.shape(1), &u = c.shape(2);
          check(mode == "set" || mode == "mul" || mode == "max" || mode == "min", Code::InvalidArgument,
                "scatter_rows: expected mode set, mul, max or min, got '{}'", mode);
          check(c.dtype(1) == int32 || c.dtype(1) == int64, Code::DType, "scatter_rows: expected int32 or int64 indices, got {}", c.x(1));
          check(c.dtype(0) == c.dtype(2) && !is_half(c.dtype(0)) && c.dtype(0) != bool_ && c.dtype(0) != DType::string, Code::DType,
                "scatter_rows: expected float32, float64 or integers of one dtype, got {} and {}", c.x(0), c.x(2));
          bool fits = x.rank() >= 1 && index.rank() == 1 && u.rank() == x.rank() && (u[0] == index[0] || u[0] < 0 || index[0] < 0);
          for (int i = 1; fits && i < x.rank(); ++i) fits = u[i] == x[i] || u[i] < 0 || x[i] < 0;
          check(fits, Code::Shape, "scatter_rows: expected a vector of indices and as many rows as updates of {}, got {} and {}", c.x(0), c.x(1),
                c.x(2));
          c.output(c.x(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      return with_number(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        if constexpr (std::is_same_v<T, bool>) return Status{Code::DType, "bool rows cannot be joined"};
        else return r.x(1).dtype == int64 ? run_scatter_rows<T, int64_t>(r) : run_scatter_rows<T, int32_t>(r);
      });
    },
    .grad = scatter_rows_grad,
    .saves = saves_inputs(0, 1) | saves_input(2) | saves_output(),
    .traits = inplace,
    .attrs = attrs_of<Joined>,
    .specimens =
        R"(f32[5,3], i32[2]{0..4}, f32[2,3] | f64[4], i64[6]{-4..3}, f64[6] | f32[5,3]{0.5..2}, i32[4]{0..4}, f32[4,3]{0.5..2} ; {"mode": "mul"}
                  | f64[3,2,1,2], i32[4]{0..2}, f64[4,2,1,2] ; {"mode": "max"} | f32[5,3], i32[4]{0..4}, f32[4,3] ; {"mode": "min"}
                  | f32[3,0], i32[2]{0..2}, f32[2,0] | f32[3], i32[0], f32[0] | i32[5], i32[3]{0..4}, i32[3] ; {"mode": "max"})",
};

// Indices [..., k] into the k leading axes of `shape` as numbers of rows [m], k, and the rows' shape [rows, inner...].
struct Places {
  Tensor index;  // stack-bound
  int axes = 0;
  int64_t count = -1;
  Shape rows;

  Places(Tensor indices, const Shape& shape, std::string_view op) {
    if (indices.dtype() != int32 && indices.dtype() != int64) {
      check(is_integer(indices.dtype()), Code::DType, "{}: expected integer indices, got {}", op, indices.spec());
      indices = cast(std::move(indices), int32);
    }
    const Shape s = indices.shape();
    check(s.rank() >= 1 && s.back() >= 1 && s.back() <= shape.rank(), Code::Shape, "{}: expected indices [..., 1 to {}], got {}", op, shape.rank(),
          indices.spec());
    axes = static_cast<int>(s.back());
    count = product(s, 0, s.rank() - 1);
    rows = Shape{product(shape, 0, axes)};
    for (int i = axes; i < shape.rank(); ++i) rows.push_back(shape[i]);
    check(product(shape, 0, axes) >= 0 || axes == 1, Code::Shape, "{}: the indexed sizes of {} must be known", op, shape);
    if (axes == 1) {
      index = reshape(std::move(indices), {count});
      return;
    }
    int64_t step = 1;
    for (int i = axes; i-- > 0; step *= shape[i]) {
      Tensor part = slice_axis(indices, -1, i, i + 1);
      if (step != 1) part = multiply(std::move(part), static_cast<int>(step));
      index = index ? add(std::move(index), std::move(part)) : std::move(part);
    }
    index = reshape(std::move(index), {count});
  }
  Tensor as_rows(Tensor values) const {
    Shape s = rows;
    s[0] = count;
    return reshape(std::move(values), s);
  }
};

// Types that rows cannot be joined in go through one that can.
DType joinable(DType t) noexcept { return is_half(t) ? float32 : t == bool_ ? DType::uint8 : t; }

struct Segments {
  Tensor index;  // stack-bound; ids below 0 are `count`, a row that is cut off in the end
  int64_t count;

  Segments(Tensor ids, std::optional<int64_t> num, std::string_view op) {
    check(is_integer(ids.dtype()) && ids.rank() == 1, Code::DType, "{}: expected a vector of integer ids, got {}", op, ids.spec());
    ids = cast(std::move(ids), int32);
    check(num || ids.concrete(), Code::Unsupported, "{}: the number of segments depends on values here; give num_segments", op);
    count = num ? *num : ids.size() ? std::max<int64_t>(0, max(ids).item<int>() + 1) : 0;
    check(count >= 0, Code::InvalidArgument, "{}: expected num_segments >= 0, got {}", op, count);
    index = where(less(ids, 0), static_cast<int>(count), ids);
  }
  Shape rows(const Shape& data) const {
    Shape s = data;
    s[0] = count + 1;
    return s;
  }
  Tensor close(Tensor y) const { return slice_axis(std::move(y), 0, 0, count); }
};

double lowest(DType t) noexcept {
  switch (t) {
    case DType::float64: return std::numeric_limits<double>::lowest();
    case DType::int8: return -128;
    case DType::int16: return -32768;
    case DType::int32: return -2147483648.0;
    case DType::int64: return -9223372036854775808.0;
    case DType::float32: return std::numeric_limits<float>::lowest();
    default: return 0;
  }
}

Tensor joined_segments(std::string_view op, Tensor data, Tensor ids, std::optional<int64_t> num, std::string_view mode, bool largest) {
  check(data.rank() >= 1, Code::Shape, "{}: expected rows of data, got {}", op, data.spec());
  const Segments s(std::move(ids), num, op);
  const DType t = data.dtype(), work = joinable(t);
  data = cast(std::move(data), work);
  Tensor start;
  if (mode == "mul") start = ones(s.rows(data.shape()), work);
  else if (largest) start = full(s.rows(data.shape()), lowest(work), work);
  else if (is_float(work)) start = full(s.rows(data.shape()), -lowest(work), work);
  else start = bitwise_not(full(s.rows(data.shape()), lowest(work), work));
  return cast(s.close(scatter_rows(std::move(start), s.index, std::move(data), mode)), t);
}

}  // namespace

Tensor scatter(Tensor indices, Tensor values, const Shape& shape) {
  const Places p(std::move(indices), shape, "scatter");
  const DType t = values.dtype(), work = joinable(t);
  return reshape(cast(scatter_add(p.index, p.as_rows(cast(std::move(values), work)), p.rows), t), shape);
}

Tensor scatter_update(Tensor inputs, Tensor indices, Tensor updates, std::string_view reduction) {
  const bool known = reduction.empty() || reduction == "add" || reduction == "max" || reduction == "min" || reduction == "mul";
  check(known, Code::InvalidArgument, "scatter_update: expected reduction add, max, min, mul or none, got '{}'", reduction);
  const Shape shape = inputs.shape();
  const Places p(std::move(indices), shape, "scatter_update");
  const DType t = inputs.dtype(), work = joinable(t);
  Tensor rows = reshape(cast(std::move(inputs), work), p.rows), values = p.as_rows(cast(std::move(updates), work));
  Tensor y = reduction == "add" ? add(rows, scatter_add(p.index, std::move(values), p.rows))
                                : scatter_rows(std::move(rows), p.index, std::move(values), reduction.empty() ? "set" : reduction);
  return reshape(cast(std::move(y), t), shape);
}

Tensor segment_sum(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments, bool) {
  check(data.rank() >= 1, Code::Shape, "segment_sum: expected rows of data, got {}", data.spec());
  const Segments s(std::move(segment_ids), num_segments, "segment_sum");
  const DType t = data.dtype(), work = joinable(t);
  const Shape rows = s.rows(data.shape());
  return cast(s.close(scatter_add(s.index, cast(std::move(data), work), rows)), t);
}
Tensor segment_max(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments, bool) {
  return joined_segments("segment_max", std::move(data), std::move(segment_ids), num_segments, "max", true);
}
Tensor segment_min(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments, bool) {
  return joined_segments("segment_min", std::move(data), std::move(segment_ids), num_segments, "min", false);
}
Tensor segment_prod(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments, bool) {
  return joined_segments("segment_prod", std::move(data), std::move(segment_ids), num_segments, "mul", false);
}

void register_scatter(Registry& r) { r.add(scatter_rows_op); }

}  // namespace tenure

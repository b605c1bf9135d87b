// Ops that make tensors from nothing or change only the element type. Creation is an op with no input, so that a trace sees it.
#include <cmath>

#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

// ---------------------------------------------------------------------------------------------------------------------- full

struct Full {
  Shape shape;
  double value = 0;
  DType dtype = float32;
};
template <class V>
void fields(V& v, Full& a) {
  v("shape", a.shape), v("value", a.value), v("dtype", a.dtype);
}

void fill(double value, DType dtype, void* y, int64_t n) noexcept {
  uint64_t element = 0;
  kernels::convert(float64, &value, dtype, &element, 1);
  kernels::fill(&element, size_of(dtype), y, n);
}

/// `value` everywhere.
const Op full_op = {
    .name = "full",
    .infer = [](Infer& c) { c.output(c.attr<Full>().shape, c.attr<Full>().dtype); },
    .run = [](const Run& r) noexcept -> Status {
      fill(r.attr<Full>().value, r.y().dtype, r.out(), r.y().shape.elements());
      return {};
    },
    .attrs = attrs_of<Full>,
    .specimens =
        R"(; {"shape": [2, 3], "value": 1.5} | ; {"shape": [0, 3]} | ; {"shape": [1003], "value": -2} | ; {"shape": [2, 1, 3, 2], "value": 7, "dtype": "int64"}
                    | ; {"shape": [5], "value": 0.1, "dtype": "float64"} | ; {"shape": [], "value": 1, "dtype": "bool"} | ; {"shape": [3], "value": 2.5, "dtype": "bfloat16"})",
};

struct FullLike {
  double value = 0;
};
template <class V>
void fields(V& v, FullLike& a) {
  v("value", a.value);
}

/// `value` in the shape and dtype of a tensor whose sizes need not be known.
const Op full_like_op = {
    .name = "full_like",
    .infer = infer_same,
    .tile = [](const Tile& t) noexcept { fill(t.attr<FullLike>().value, t.out_dtype, t.out, t.n); },
    .traits = elementwise | inplace,
    .attrs = attrs_of<FullLike>,
    .specimens = R"(f32[2,3] ; {"value": 1} | f32[0] | f32[1003] ; {"value": 0.5} | f64[4] | i32[2,1,3,2] ; {"value": 7} | b[7] ; {"value": 1})",
};

// -------------------------------------------------------------------------------------------------------------------- arange

struct Arange {
  double start = 0, stop = 0, step = 1;
  DType dtype = int32;
};
template <class V>
void fields(V& v, Arange& a) {
  v("start", a.start), v("stop", a.stop), v("step", a.step), v("dtype", a.dtype);
}

/// start, start + step, ... below stop.
const Op arange_op = {
    .name = "arange",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<Arange>();
          check(a.step != 0 && std::isfinite(a.start) && std::isfinite(a.stop) && std::isfinite(a.step), Code::InvalidArgument,
                "arange: expected finite numbers and a step other than 0, got start {}, stop {}, step {}", a.start, a.stop, a.step);
          check(a.dtype != bool_, Code::DType, "arange: expected a number type, got bool");
          double n = std::max(0.0, std::ceil((a.stop - a.start) / a.step));
          check(n < 0x1p53, Code::InvalidArgument, "arange: {} elements are too many", n);
          c.output(Shape{static_cast<int64_t>(n)}, a.dtype);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<Arange>();
      int64_t n = r.y().shape[0];
      auto* to = r.out<std::byte>();
      for (int64_t i = 0; i < n; ++i) {
        double v = a.start + static_cast<double>(i) * a.step;
        kernels::convert(float64, &v, r.y().dtype, to + static_cast<size_t>(i) * size_of(r.y().dtype), 1);
      }
      return {};
    },
    .attrs = attrs_of<Arange>,
    .specimens = R"(; {"stop": 5} | ; {"stop": 0} | ; {"start": 3, "stop": -2, "step": -2, "dtype": "float32"} | ; {"stop": 1003, "dtype": "float64"}
                    | ; {"stop": 1, "step": 0.25, "dtype": "float16"})",
};

// ----------------------------------------------------------------------------------------------------------------------- eye

struct Eye {
  int64_t n = 1, m = 1;
  DType dtype = float32;
};
template <class V>
void fields(V& v, Eye& a) {
  v("n", a.n), v("m", a.m), v("dtype", a.dtype);
}

/// Ones on the diagonal of an n by m matrix.
const Op eye_op = {
    .name = "eye",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<Eye>();
          check(a.n >= 0 && a.m >= 0, Code::InvalidArgument, "eye: expected sizes of at least 0, got {} and {}", a.n, a.m);
          c.output(Shape{a.n, a.m}, a.dtype);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<Eye>();
      size_t size = size_of(r.y().dtype);
      fill(0, r.y().dtype, r.out(), a.n * a.m);
      for (int64_t i = 0; i < std::min(a.n, a.m); ++i) fill(1, r.y().dtype, r.out<std::byte>() + static_cast<size_t>(i * (a.m + 1)) * size, 1);
      return {};
    },
    .attrs = attrs_of<Eye>,
    .specimens =
        R"(; {"n": 3, "m": 3} | ; {"n": 0, "m": 3} | ; {"n": 7, "m": 5, "dtype": "float64"} | ; {"n": 2, "m": 4, "dtype": "int32"} | ; {"n": 2, "m": 2, "dtype": "bool"})",
};

// ---------------------------------------------------------------------------------------------------------------------- cast

struct Cast {
  DType dtype = float32;
};
template <class V>
void fields(V& v, Cast& a) {
  v("dtype", a.dtype);
}

/// Another element type: towards zero from float to integer, nearest to a narrower float, anything but 0 is true.
const Op cast_op = {
    .name = "cast",
    .infer =
        [](Infer& c) {
          check(c.dtype(0) != DType::string && c.attr<Cast>().dtype != DType::string, Code::DType, "cast: strings do not convert to numbers or back");
          c.output(c.shape(0), c.attr<Cast>().dtype);
        },
    .tile = [](const Tile& t) noexcept { kernels::convert(t.dtype, t.in[0], t.out_dtype, t.out, t.n); },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(0) || !is_float(g.yspec().dtype) || !is_float(g.xspec(0).dtype)) return {Tensor{}};
      return {cast(g.dy(), g.xspec(0).dtype)};
    },
    .traits = elementwise,
    .attrs = attrs_of<Cast>,
    .specimens = R"(f32[2,3] ; {"dtype": "float64"} | f32[0] ; {"dtype": "int32"} | f32[1003]{-100..100} ; {"dtype": "int32"} | f64[4] | i32[2,1,3,2]
                    | f32[17] ; {"dtype": "bfloat16"} | f32[17] ; {"dtype": "float16"} | i64[5] ; {"dtype": "bool"} | b[7] | u8[9] ; {"dtype": "float64"})",
};

// ------------------------------------------------------------------------------------------------------------- stop_gradient

/// The same values in the same buffer; gradients end here.
const Op stop_gradient_op = {
    .name = "stop_gradient",
    .infer = infer_same,
    .tile =
        [](const Tile& t) noexcept {
          if (t.out != t.in[0]) kernels::copy(t.in[0], t.out, static_cast<size_t>(t.n) * size_of(t.dtype));
        },
    .traits = elementwise | inplace,
    .view = [](const Prep&) -> int64_t { return 0; },
    .specimens = "f32[2,3] | f32[0] | f32[1003] | f64[4] | i32[2,1,3,2] | b[7]",
};

Tensor like(const Tensor& x, double value) {
  if (x.shape().known()) return full(x.shape(), value, x.dtype());
  return apply_with(full_like_op, FullLike{value}, Tensor(x));
}

}  // namespace

Tensor full(const Shape& shape, double value, DType dtype) {
  check(shape.known(), Code::Shape, "full: expected known sizes, got {}; use zeros_like or ones_like", shape);
  return apply_with(full_op, Full{shape, value, dtype});
}
Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor zeros_like(const Tensor& x) { return like(x, 0); }
Tensor ones_like(const Tensor& x) { return like(x, 1); }
Tensor arange(double start, double stop, double step, DType dtype) { return apply_with(arange_op, Arange{start, stop, step, dtype}); }
Tensor eye(int64_t n, int64_t m, DType dtype) { return apply_with(eye_op, Eye{n, m < 0 ? n : m, dtype}); }

Tensor cast(Tensor x, DType dtype) {
  if (x.dtype() == dtype) return x;
  if (x.body()->exact()) return number(x.body()->number(), dtype);  // its exact value, not the float32 that stands for it
  return apply_with(cast_op, Cast{dtype}, std::move(x));
}

Tensor stop_gradient(Tensor x) { return apply(stop_gradient_op, std::move(x)); }

void register_making(Registry& r) {
  for (const Op* op : {&full_op, &full_like_op, &arange_op, &eye_op, &cast_op, &stop_gradient_op}) r.add(*op);
}

}  // namespace tenure

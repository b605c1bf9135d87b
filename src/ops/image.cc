// Resizing of images [batch, height, width, channels] with TensorFlow's half-pixel centres, and its gradient: linear ops, each the other's.
// float32 without antialias runs the vector kernels; float64 and the gradient of antialias run plain loops. Nothing here owns anything.
#include <cmath>

#include "ops/box.h"
#include "ops/families.h"
#include "ops/helpers.h"
#include "ops/resample.h"

namespace tenure::ops {
namespace {

using kernels::ResizeDesc;

struct ResizeAttrs {
  int64_t height = 0, width = 0;
  std::string interpolation = "bilinear";
  bool antialias = false;
};
template <class V>
void fields(V& v, ResizeAttrs& a) {
  v("height", a.height), v("width", a.width), v("interpolation", a.interpolation), v("antialias", a.antialias);
}
struct ResizeGradAttrs {
  ResizeAttrs resize;
  Shape shape;
};
template <class V>
void fields(V& v, ResizeGradAttrs& a) {
  fields(v, a.resize), v("shape", a.shape);
}

ResizeDesc describe(const Shape& x, const ResizeAttrs& a) noexcept { return {x[0], x[1], x[2], x[3], a.height, a.width}; }
bool empty(const ResizeDesc& d) noexcept { return d.n == 0 || d.h == 0 || d.w == 0 || d.c == 0 || d.out_h == 0 || d.out_w == 0; }
// Images that are worth a thread.
int64_t grain(const ResizeDesc& d) noexcept { return 1 + 65536 / (4 * d.c * std::max(d.h * d.w, d.out_h * d.out_w)); }
bool nearest(const ResizeAttrs& a) noexcept { return a.interpolation == "nearest"; }

Shape resized(std::string_view op, const Spec& x, const ResizeAttrs& a) {
  check(x.shape.rank() == 4, Code::Shape, "{}: expected images [batch, height, width, channels], got {}", op, x);
  check(a.interpolation == "bilinear" || nearest(a), Code::InvalidArgument, "{}: expected interpolation nearest or bilinear, got '{}'", op,
        a.interpolation);
  check(a.height >= 0 && a.width >= 0, Code::InvalidArgument, "{}: expected a size >= 0, got {} x {}", op, a.height, a.width);
  check((x.shape[1] != 0 && x.shape[2] != 0) || a.height * a.width == 0, Code::Shape, "{}: an image without pixels cannot grow: {} to {} x {}", op, x,
        a.height, a.width);
  return {x.shape[0], a.height, a.width, x.shape[3]};
}

// The source pixels of one output pixel along an axis, and the weight of each: two for bilinear, a triangle's width for antialias.
// Coordinates are float32, as TensorFlow computes them; T is the type of the sums.
struct Taps {
  int64_t first = 0, count = 0;
  float centre = 0, width = 1, norm = 1, second = 0;
  bool antialias;

  Taps(int64_t i, int64_t in, int64_t out, const ResizeAttrs& a) noexcept : antialias(a.antialias) {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    centre = (static_cast<float>(i) + 0.5f) * scale;
    if (nearest(a)) {
      first = std::clamp<int64_t>(static_cast<int64_t>(std::floor(centre)), 0, in - 1), count = 1, antialias = false;
      return;
    }
    if (!antialias) {
      const float at = centre - 0.5f, low = std::floor(at);
      second = at - low;
      const auto below = static_cast<int64_t>(low);
      first = std::clamp<int64_t>(below, 0, in - 1);
      count = below >= 0 && below + 1 < in ? 2 : 1;
      return;
    }
    width = std::max(scale, 1.0f);
    first = std::min(std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - width - 0.5f))), in - 1);
    count = std::max<int64_t>(1, std::min(in - 1, static_cast<int64_t>(std::floor(centre + width - 0.5f))) - first + 1);
    float total = 0;
    for (int64_t k = 0; k < count; ++k) total += triangle(k);
    norm = total > 0 ? 1 / total : 1;
  }
  float triangle(int64_t k) const noexcept { return std::max(0.0f, 1 - std::fabs((static_cast<float>(first + k) + 0.5f - centre) / width)); }
  float weight(int64_t k) const noexcept { return antialias ? triangle(k) * norm : count == 1 ? 1.0f : k == 0 ? 1 - second : second; }
};

// f(source pixel, output pixel, weight) for images [begin, end); pixels count over batch, rows and columns.
template <class F>
void for_taps(const ResizeDesc& d, const ResizeAttrs& a, int64_t begin, int64_t end, F f) noexcept {
  for (int64_t n = begin; n < end; ++n)
    for (int64_t oy = 0; oy < d.out_h; ++oy) {
      const Taps v(oy, d.h, d.out_h, a);
      for (int64_t ox = 0; ox < d.out_w; ++ox) {
        const Taps h(ox, d.w, d.out_w, a);
        for (int64_t i = 0; i < v.count; ++i)
          for (int64_t j = 0; j < h.count; ++j)
            f((n * d.h + v.first + i) * d.w + h.first + j, (n * d.out_h + oy) * d.out_w + ox, v.weight(i) * h.weight(j));
      }
    }
}

Status run_resize(const Run& r) noexcept {
  const auto& a = r.attr<ResizeAttrs>();
  const ResizeDesc d = describe(r.x(0).shape, a);
  if (empty(d)) return {};
  const DType t = r.x(0).dtype;
  if (nearest(a)) {
    kernels::resize_nearest(r.in(0), r.out(), d, size_of(t));
  } else if (t == uint8) {
    kernels::resize_bilinear(r.in<uint8_t>(0), r.out<float>(), d, a.antialias);
  } else if (t == float32) {
    kernels::resize_bilinear(r.in<float>(0), r.out<float>(), d, a.antialias);
  } else {
    std::memset(r.out(), 0, r.y().bytes());
    const double* x = r.in<double>(0);
    double* y = r.out<double>();
    parallel_for(d.n, grain(d), [&](int64_t begin, int64_t end) {
      for_taps(d, a, begin, end, [&](int64_t from, int64_t to, float w) {
        for (int64_t c = 0; c < d.c; ++c) y[to * d.c + c] += static_cast<double>(w) * x[from * d.c + c];
      });
    });
  }
  return {};
}

extern const Op resize_grad_op;

// Bilinear: float32 and float64 keep their dtype, uint8 gives float32. Nearest moves elements of any dtype.
const Op resize_op = {
    .name = "resize",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<ResizeAttrs>();
          const Shape y = resized("resize", c.x(0), a);
          const DType t = c.dtype(0);
          check(nearest(a) || t == float32 || t == float64 || t == uint8, Code::DType, "resize: expected float32, float64 or uint8, got {}", c.x(0));
          c.output(y, nearest(a) || t != uint8 ? t : float32);
        },
    .run = run_resize,
    .grad = [](const Grad& g) -> Tensors {
      if (!is_float(g.xspec(0).dtype)) return {Tensor{}};
      return {apply_with(resize_grad_op, ResizeGradAttrs{g.attr<ResizeAttrs>(), g.xspec(0).shape}, Tensor(g.dy()))};
    },
    .attrs = attrs_of<ResizeAttrs>,
    .specimens = R"(f32[2,4,6,3] ; {"height": 5, "width": 3} | f32[1,7,5,17] ; {"height": 3, "width": 2, "antialias": true}
                  | f64[1,3,4,2] ; {"height": 6, "width": 4} | f64[1,9,5,2] ; {"height": 3, "width": 3, "antialias": true}
                  | f64[1,6,3,1] ; {"height": 4, "width": 5, "interpolation": "nearest"} | u8[1,4,4,3] ; {"height": 2, "width": 3}
                  | i32[1,4,4,3] ; {"height": 6, "width": 3, "interpolation": "nearest"} | f32[0,4,4,3] ; {"height": 2, "width": 2}
                  | f32[1,4,4,0] ; {"height": 2, "width": 2})",
};

const Op resize_grad_op = {
    .name = "resize_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<ResizeGradAttrs>();
          check(c.dtype(0) == float32 || c.dtype(0) == float64, Code::DType, "resize_grad: expected float32 or float64, got {}", c.x(0));
          const Shape want = resized("resize_grad", {a.shape, c.dtype(0)}, a.resize);
          check(want == c.shape(0) || !c.shape(0).known() || !want.known(), Code::Shape, "resize_grad: expected a gradient of {}, got {}", want,
                c.x(0));
          c.output(a.shape, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<ResizeGradAttrs>();
      const ResizeDesc d = describe(a.shape, a.resize);
      if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
      if (empty(d)) return {};
      if (r.y().dtype == float32 && !a.resize.antialias) {
        nearest(a.resize) ? kernels::resize_nearest_grad(r.in<float>(0), r.out<float>(), d)
                          : kernels::resize_bilinear_grad(r.in<float>(0), r.out<float>(), d);
        return {};
      }
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T* dy = r.in<T>(0);
        T* dx = r.out<T>();
        parallel_for(d.n, grain(d), [&](int64_t begin, int64_t end) {
          for_taps(d, a.resize, begin, end, [&](int64_t from, int64_t to, float w) {
            for (int64_t c = 0; c < d.c; ++c) dx[from * d.c + c] += static_cast<T>(w) * dy[to * d.c + c];
          });
        });
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors { return {apply_with(resize_op, g.attr<ResizeGradAttrs>().resize, Tensor(g.dy()))}; },
    .attrs = attrs_of<ResizeGradAttrs>,
    .specimens = R"(f32[2,5,3,3] ; {"height": 5, "width": 3, "shape": [2,4,6,3]}
                  | f64[1,3,2,2] ; {"height": 3, "width": 2, "antialias": true, "shape": [1,7,5,2]}
                  | f64[1,4,5,1] ; {"height": 4, "width": 5, "interpolation": "nearest", "shape": [1,6,3,1]}
                  | f32[0,2,2,3] ; {"height": 2, "width": 2, "shape": [0,4,4,3]})",
};

// The least and greatest float32 that an integer type holds.
std::pair<double, double> limits(DType t) {
  return with_integer(t, [](auto type) {
    using T = typename decltype(type)::type;
    const double high = static_cast<double>(std::numeric_limits<T>::max());
    const auto near = static_cast<float>(high);
    return std::pair(static_cast<double>(std::numeric_limits<T>::min()),
                     static_cast<double>(static_cast<double>(near) > high || sizeof(T) == 8 ? std::nextafter(near, 0.0f) : near));
  });
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor resize(Tensor images, Pair size, std::string_view interpolation, bool antialias) {
  const DType t = images.dtype();
  check(images.rank() == 3 || images.rank() == 4, Code::Shape,
        "resize: expected images [batch, height, width, channels] or one without batch, got {}", images.spec());
  const bool one = images.rank() == 3;
  if (one) images = expand_dims(std::move(images), 0);
  const ResizeAttrs a{size.h, size.w, std::string(interpolation), antialias};
  // The result has the images' dtype, as in Keras: integers are rounded half to even and cut off.
  const bool filter = is_filter(interpolation);
  if (!nearest(a) && t != float32 && t != float64 && (filter || t != uint8)) images = cast(std::move(images), float32);
  Tensor y = filter ? resample(std::move(images), size, interpolation, antialias) : apply_with(resize_op, a, std::move(images));
  if (y.dtype() != t) {
    if (filter && is_integer(t)) {
      const auto [low, high] = limits(t);
      y = clip(std::move(y), low, high);
    }
    y = cast(is_float(t) ? std::move(y) : round(std::move(y)), t);
  }
  return one ? squeeze(std::move(y), {0}) : y;
}

void register_image(Registry& r) {
  r.add(resize_op);
  r.add(resize_grad_op);
}

}  // namespace tenure

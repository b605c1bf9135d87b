// Convolution over 1 to 3 dimensions, plain, grouped and depthwise, and its gradients by data (which is the transposed convolution) and by weights:
// ops of their own, each differentiable by the other two. Activations are [batch, spatial..., channels]. float32 runs prepared kernels shared with
// the cache of kernels/; float64 direct loops.
#include <tenure/convolution.h>

#include "ops/box.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

using kernels::ConvDesc;

// ---- sizes --------------------------------------------------------------------------------------------------------------------

// Fields of a ConvDesc, outermost dimension first.
constexpr int64_t ConvDesc::*sizes[] = {&ConvDesc::depth, &ConvDesc::h, &ConvDesc::w},
                  ConvDesc::*windows[] = {&ConvDesc::kd, &ConvDesc::kh, &ConvDesc::kw},
                  ConvDesc::*strides[] = {&ConvDesc::stride_d, &ConvDesc::stride_h, &ConvDesc::stride_w},
                  ConvDesc::*dilations[] = {&ConvDesc::dilation_d, &ConvDesc::dilation_h, &ConvDesc::dilation_w},
                  ConvDesc::*befores[] = {&ConvDesc::pad_front, &ConvDesc::pad_top, &ConvDesc::pad_left},
                  ConvDesc::*afters[] = {&ConvDesc::pad_back, &ConvDesc::pad_bottom, &ConvDesc::pad_right};

ConvDesc describe(const Shape& x, const Shape& w, const ConvAttrs& a, bool depthwise) noexcept {
  ConvDesc d;
  const int spatial = x.rank() - 2;
  d.n = x[0], d.c = x.back(), d.h = d.w = 1;
  for (int i = 0; i < spatial; ++i) {
    const auto at = static_cast<size_t>(i), to = static_cast<size_t>(3 - spatial + i);
    const int64_t n = x[i + 1], k = w[i], s = a.strides[at], r = a.dilation[at];
    d.*sizes[to] = n, d.*windows[to] = k, d.*strides[to] = s, d.*dilations[to] = r;
    if (a.padding == "same") {
      const int64_t total = kernels::same_padding(n, k, s, r);
      d.*befores[to] = total / 2, d.*afters[to] = total - total / 2;
    } else if (a.padding == "explicit") {
      d.*befores[to] = a.pads[2 * at], d.*afters[to] = a.pads[2 * at + 1];
    }
  }
  d.o = depthwise ? w[spatial] * w[spatial + 1] : w[spatial + 1];
  d.groups = depthwise ? d.c : a.groups;
  return d;
}

bool empty(const ConvDesc& d) noexcept { return d.in_pixels() * d.c * d.o * d.taps() * d.out_pixels() == 0; }

int64_t out_size(std::string_view op, const Spec& x, int axis, int64_t k, const ConvAttrs& a) {
  const auto i = static_cast<size_t>(axis - 1);
  const int64_t n = x.shape[axis], s = a.strides[i], reach = (k - 1) * a.dilation[i] + 1;
  if (n < 0 || k < 0) return -1;
  if (a.padding == "same") return (n + s - 1) / s;
  const int64_t room = n + (a.padding == "explicit" ? a.pads[2 * i] + a.pads[2 * i + 1] : 0);
  check(room >= reach || n == 0, Code::Shape, "{}: a window of {} (dilation included) does not fit axis {} of {}", op, reach, axis, x);
  return room < reach ? 0 : (room - reach) / s + 1;
}

void check_options(std::string_view op, const ConvAttrs& a, int spatial) {
  check(a.padding == "valid" || a.padding == "same" || a.padding == "explicit", Code::InvalidArgument, "{}: expected padding valid or same, got '{}'",
        op, a.padding);
  const auto n = static_cast<size_t>(spatial);
  check(a.padding != "explicit" || a.pads.size() == 2 * n, Code::InvalidArgument, "{}: explicit padding needs {} amounts, got {}", op, 2 * n,
        a.pads.size());
  auto positive = [](const std::vector<int64_t>& v) { return std::all_of(v.begin(), v.end(), [](int64_t i) { return i >= 1; }); };
  check(a.strides.size() == n && a.dilation.size() == n && positive(a.strides) && positive(a.dilation), Code::InvalidArgument,
        "{}: expected {} strides and dilation rates >= 1, got [{}] and [{}]", op, n, fmt::join(a.strides, ", "), fmt::join(a.dilation, ", "));
  check(a.groups >= 1, Code::InvalidArgument, "{}: expected groups >= 1, got {}", op, a.groups);
}

void check_ranks(std::string_view op, const Spec& x, const Spec& w) {
  check(x.dtype == float32 || x.dtype == float64, Code::DType, "{}: expected float32 or float64, got {}", op, x);
  check(x.dtype == w.dtype, Code::DType, "{}: expected inputs of one dtype, got {} and {}", op, x, w);
  check(x.shape.rank() >= 3 && x.shape.rank() <= 5 && w.shape.rank() == x.shape.rank(), Code::Shape,
        "{}: expected x [batch, 1 to 3 sizes, channels] and a kernel of the same rank, got {} and {}", op, x, w);
}

// The output's spec for these inputs.
Spec infer_output(std::string_view op, const Spec& x, const Spec& w, const ConvAttrs& a, bool depthwise) {
  check_ranks(op, x, w);
  const int spatial = x.shape.rank() - 2;
  check_options(op, a, spatial);
  const int64_t c = x.shape.back(), in = w.shape[spatial], groups = depthwise ? 1 : a.groups;
  check(c < 0 || in < 0 || c == in * groups, Code::Shape, "{}: the kernel {} takes {} channels{}, got {}", op, w, in * groups,
        groups > 1 ? fmt::format(" in {} groups", groups) : "", x);
  check(w.shape.back() < 0 || w.shape.back() % groups == 0, Code::Shape, "{}: expected a number of filters that {} groups divide, got kernel {}", op,
        groups, w);
  Shape y{x.shape[0]};
  for (int i = 0; i < spatial; ++i) y.push_back(out_size(op, x, i + 1, w.shape[i], a));
  y.push_back(depthwise ? product(w.shape, spatial, spatial + 2) : w.shape.back());
  return {y, x.dtype};
}

// ---- direct loops for float64 ---------------------------------------------------------------------------------------------------

// f(index in x, in w, in y) for every product of images [begin, end).
template <class F>
void for_products(const ConvDesc& d, int64_t begin, int64_t end, F f) noexcept {
  const int64_t od = d.out_d(), oh = d.out_h(), ow = d.out_w(), image = od * oh * ow, ci = d.c / d.groups, co = d.o / d.groups;
  for (int64_t pixel = begin * image; pixel < end * image; ++pixel) {
    const int64_t n = pixel / image, oz = pixel / (oh * ow) % od, oy = pixel / ow % oh, ox = pixel % ow;
    for (int64_t tap = 0; tap < d.taps(); ++tap) {
      const int64_t iz = oz * d.stride_d - d.pad_front + tap / (d.kw * d.kh) * d.dilation_d,
                    iy = oy * d.stride_h - d.pad_top + tap / d.kw % d.kh * d.dilation_h,
                    ix = ox * d.stride_w - d.pad_left + tap % d.kw * d.dilation_w;
      if (iz < 0 || iz >= d.depth || iy < 0 || iy >= d.h || ix < 0 || ix >= d.w) continue;
      const int64_t xi = (((n * d.depth + iz) * d.h + iy) * d.w + ix) * d.c, yi = pixel * d.o;
      for (int64_t c = 0; c < d.c; ++c)
        for (int64_t o = c / ci * co, last = o + co; o < last; ++o) f(xi + c, (tap * ci + c % ci) * d.o + o, yi + o);
    }
  }
}

// Images that are worth a thread.
int64_t grain(const ConvDesc& d) noexcept { return 1 + 65536 / (d.out_d() * d.out_h() * d.out_w() * d.taps() * d.c * (d.o / d.groups)); }

// ---- forward ------------------------------------------------------------------------------------------------------------------

bool is_depthwise(const Op& op) noexcept { return &op == &depthwise_conv_op; }

void infer_conv(Infer& c) {
  const auto& a = c.attr<ConvAttrs>();
  const Spec y = infer_output(c.op().name, c.x(0), c.x(1), a, is_depthwise(c.op()));
  check_epilogue(c, a.epilogue, y, 2);
  c.output(y);
}

template <bool depthwise>
std::shared_ptr<const void> prepare_conv(const Prep& p) {
  const auto& a = p.attr<ConvAttrs>();
  ConvDesc d = describe(p.x(0).shape, p.x(1).shape, a, depthwise);
  if (empty(d) || p.x(0).dtype != float32) return nullptr;
  d.epilogue = epilogue_of(a.epilogue);
  return kernels::conv(d, p.threads());
}

size_t conv_scratch(const Prep& p) { return p.prepared<kernels::Conv>() ? p.prepared<kernels::Conv>()->scratch_bytes() : 0; }
size_t conv_pack_bytes(const Prep& p) { return p.prepared<kernels::Conv>() ? p.prepared<kernels::Conv>()->packed_bytes() : 0; }
void conv_pack(const Prep& p, const void* in, void* out) noexcept { p.prepared<kernels::Conv>()->pack(static_cast<const float*>(in), out); }

template <bool depthwise>
Status run_conv(const Run& r) noexcept {
  const auto& a = r.attr<ConvAttrs>();
  if (const auto* k = r.prepared<kernels::Conv>()) {
    place_residual(r, a.epilogue, 2);
    const float* bias = a.epilogue.bias ? r.in<float>(2) : nullptr;
    return to_status(r.packed() ? k->run_packed(r.in<float>(0), r.packed(), bias, r.out<float>(), r.scratch())
                                : k->run(r.in<float>(0), r.in<float>(1), bias, r.out<float>(), r.scratch()));
  }
  const ConvDesc d = describe(r.x(0).shape, r.x(1).shape, a, depthwise);
  if (empty(d)) {
    run_empty_product(r, a.epilogue, 2);
    return {};
  }
  if (a.epilogue.sum) place_residual(r, a.epilogue, 2);
  else std::memset(r.out(), 0, r.y().bytes());
  const double *x = r.in<double>(0), *w = r.in<double>(1);
  double* y = r.out<double>();
  parallel_for(d.n, grain(d),
               [&](int64_t begin, int64_t end) { for_products(d, begin, end, [&](int64_t i, int64_t j, int64_t k) { y[k] += x[i] * w[j]; }); });
  kernels::Epilogue e = epilogue_of(a.epilogue);
  e.sum = false;
  kernels::apply_epilogue(e, y, e.bias ? r.in<double>(2) : nullptr, y, r.y().shape.elements() / d.o, d.o);
  return {};
}

// ---- gradients ----------------------------------------------------------------------------------------------------------------

// Of a convolution without epilogue. `shape` is x's (by data; sizes may be -1: what the windows reach and `extra` more at the end of each spatial
// dimension) or the kernel's (by weights); `bias`: also its gradient, the sum of dy.
struct ConvGradAttrs {
  ConvAttrs conv;
  bool depthwise = false;
  Shape shape;
  bool bias = false;
  std::vector<int64_t> extra;
};
template <class V>
void fields(V& v, ConvGradAttrs& a) {
  fields(v, a.conv), v("depthwise", a.depthwise), v("shape", a.shape), v("with_bias", a.bias), v("extra", a.extra);
}

extern const Op conv_transpose_op, conv_weights_grad_op;

Tensor forward(const ConvGradAttrs& a, const Tensor& x, const Tensor& w, const Tensor& bias) {
  ConvAttrs conv = a.conv;
  conv.epilogue.bias = bias.defined();
  const Op& op = a.depthwise ? depthwise_conv_op : conv_op;
  return bias.defined() ? apply_with(op, conv, x, w, bias) : apply_with(op, conv, x, w);
}
Tensor by_data(ConvGradAttrs a, const Tensor& dy, const Tensor& w, const Shape& x) {
  a.shape = x;
  a.bias = false;
  return apply_with(conv_transpose_op, a, dy, w);
}
Tensors by_weights(ConvGradAttrs a, const Tensor& x, const Tensor& dy, const Shape& w, bool bias) {
  a.shape = w;
  a.bias = bias;
  return apply_all_with(conv_weights_grad_op, a, x, dy);
}

Axes spatial_and_batch(const Tensor& y) {
  Axes axes;
  for (int i = 0; i < y.rank() - 1; ++i) axes.push_back(i);
  return axes;
}

template <bool depthwise>
Tensors conv_grad(const Grad& g) {
  ConvGradAttrs a{g.attr<ConvAttrs>(), depthwise, {}, false};
  const EpilogueAttrs e = a.conv.epilogue;
  const Op& op = depthwise ? depthwise_conv_op : conv_op;
  Tensor dz = g.dy();
  if (!e.activation.empty()) {
    // The value before the activation is made again: only the fusion pass and callers without a tape use this form.
    a.conv.epilogue.activation.clear();
    Tensors in;
    for (int i = 0; i < g.inputs(); ++i) in.push_back(g.x(i));
    dz = activate_backward(apply(op, in, AttrRef{&a.conv, attrs_of<ConvAttrs>()}), dz, e.activation, e.alpha);
  }
  a.conv.epilogue = {};
  Tensors d(static_cast<size_t>(g.inputs()));
  if (g.needs(0)) d[0] = by_data(a, dz, g.x(1), g.xspec(0).shape);
  const bool bias = e.bias && g.needs(2);
  if (g.needs(1)) {
    Tensors both = by_weights(a, g.x(0), dz, g.xspec(1).shape, bias);
    d[1] = std::move(both[0]);
    if (bias) d[2] = std::move(both[1]);
  } else if (bias) {
    d[2] = sum(dz, spatial_and_batch(dz));
  }
  if (e.sum && g.needs(2 + e.bias)) d[static_cast<size_t>(2 + e.bias)] = dz;
  return d;
}

void check_output(std::string_view op, const Spec& want, const Spec& dy) {
  bool fits = want.shape.rank() == dy.shape.rank() && want.dtype == dy.dtype;
  for (int i = 0; fits && i < want.shape.rank(); ++i) fits = want.shape[i] == dy.shape[i] || want.shape[i] < 0 || dy.shape[i] < 0;
  check(fits, Code::Shape, "{}: expected a gradient of {}, got {}", op, want, dy);
}

// The shape of x for this gradient: open sizes are what the windows reach.
Shape data_shape(const ConvGradAttrs& a, const Spec& dy, const Spec& w) {
  check_ranks("conv_transpose", dy, w);
  Shape x = a.shape;
  const int spatial = dy.shape.rank() - 2;
  check(x.rank() == spatial + 2 && (a.extra.empty() || a.extra.size() == static_cast<size_t>(spatial)), Code::Shape,
        "conv_transpose: expected a shape of rank {}, got {}", spatial + 2, x);
  check_options("conv_transpose", a.conv, spatial);
  if (x[0] < 0) x[0] = dy.shape[0];
  for (int i = 0; i < spatial; ++i) {
    const auto at = static_cast<size_t>(i);
    int64_t& n = x[i + 1];
    if (n >= 0 || dy.shape[i + 1] < 0 || w.shape[i] < 0) continue;
    check(a.conv.padding != "same", Code::InvalidArgument, "conv_transpose: padding same needs the whole shape, got {}", a.shape);
    const int64_t pads = a.conv.padding == "explicit" ? a.conv.pads[2 * at] + a.conv.pads[2 * at + 1] : 0;
    n = std::max<int64_t>(0, (dy.shape[i + 1] - 1) * a.conv.strides[at] + (w.shape[i] - 1) * a.conv.dilation[at] + 1 - pads) +
        (a.extra.empty() ? 0 : a.extra[at]);
    if (dy.shape[i + 1] == 0) n = 0;
  }
  if (x[spatial + 1] < 0) x[spatial + 1] = w.shape[spatial] < 0 ? -1 : a.depthwise ? w.shape[spatial] : w.shape[spatial] * a.conv.groups;
  return x;
}

ConvDesc describe_data_grad(const Prep& p) noexcept {
  const auto& a = p.attr<ConvGradAttrs>();
  return describe(p.y().shape, p.x(1).shape, a.conv, a.depthwise);
}
ConvDesc describe_weights_grad(const Prep& p) noexcept {
  const auto& a = p.attr<ConvGradAttrs>();
  return describe(p.x(0).shape, a.shape, a.conv, a.depthwise);
}

Status run_data_grad(const Run& r) noexcept {
  if (const auto* k = r.prepared<kernels::Conv>()) return to_status(k->run(r.in<float>(0), r.in<float>(1), nullptr, r.out<float>(), r.scratch()));
  const ConvDesc d = describe_data_grad(r);
  if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
  if (empty(d)) return {};
  const double *dy = r.in<double>(0), *w = r.in<double>(1);
  double* dx = r.out<double>();
  parallel_for(d.n, grain(d),
               [&](int64_t begin, int64_t end) { for_products(d, begin, end, [&](int64_t i, int64_t j, int64_t k) { dx[i] += dy[k] * w[j]; }); });
  return {};
}

Status run_weights_grad(const Run& r) noexcept {
  const bool bias = r.attr<ConvGradAttrs>().bias;
  if (const auto* k = r.prepared<kernels::ConvWeightsGrad>())
    return to_status(k->run(r.in<float>(0), r.in<float>(1), r.out<float>(), bias ? r.out<float>(1) : nullptr, r.scratch()));
  const ConvDesc d = describe_weights_grad(r);
  if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
  if (bias && d.o > 0)
    with_real(r.y().dtype, [&](auto type) {
      using T = typename decltype(type)::type;
      kernels::reduce_columns(kernels::Reduce::sum, r.in<T>(1), r.out<T>(1), r.x(1).shape.elements() / d.o, d.o);
    });
  if (empty(d)) return {};
  const double *x = r.in<double>(0), *dy = r.in<double>(1);
  double* dw = r.out<double>();
  for_products(d, 0, d.n, [&](int64_t i, int64_t j, int64_t k) { dw[j] += x[i] * dy[k]; });
  return {};
}

// By dy and by the kernel: linear in both.
const Op conv_transpose_op = {
    .name = "conv_transpose",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<ConvGradAttrs>();
          const Shape x = data_shape(a, c.x(0), c.x(1));
          check_output("conv_transpose", infer_output("conv_transpose", {x, c.dtype(0)}, c.x(1), a.conv, a.depthwise), c.x(0));
          c.output(x, c.dtype(0));
        },
    .run = run_data_grad,
    .grad = [](const Grad& g) -> Tensors {
      const auto& a = g.attr<ConvGradAttrs>();
      Tensor ddy, dw;
      if (g.needs(0)) ddy = forward(a, g.dy(), g.x(1), {});
      if (g.needs(1)) dw = by_weights(a, g.dy(), g.x(0), g.xspec(1).shape, false)[0];
      return {ddy, dw};
    },
    .saves = saves_inputs(0, 1),
    .attrs = attrs_of<ConvGradAttrs>,
    .prepare = [](const Prep& p) -> std::shared_ptr<const void> {
      const ConvDesc d = describe_data_grad(p);
      if (empty(d) || p.x(0).dtype != float32) return nullptr;
      return kernels::conv_backward_data(d, p.threads());
    },
    .scratch = conv_scratch,
    .specimens = R"(f32[2,3,3,5], f32[3,3,2,5] ; {"shape": [2,5,5,2]}
                  | f64[1,3,2,4], f64[3,3,1,4] ; {"shape": [1,5,4,2], "strides": [2,2], "padding": "same", "groups": 2}
                  | f64[2,4,4,6], f64[3,3,3,2] ; {"shape": [2,4,4,3], "padding": "same", "depthwise": true}
                  | f32[0,3,3,5], f32[1,1,2,5] ; {"shape": [0,3,3,2]} | f64[1,3,3,1], f64[3,3,1,1] ; {"shape": [1,7,7,1], "dilation": [2,2]}
                  | f64[2,3,2], f64[4,3,2] ; {"shape": [-1,-1,-1], "strides": [2], "dilation": [1], "padding": "explicit", "pads": [1,0], "extra": [1]}
                  | f32[1,2,3,2,2], f32[2,3,2,3,2] ; {"shape": [1,4,6,4,3], "strides": [2,2,2], "dilation": [1,1,1], "padding": "same"})",
};

const Op conv_weights_grad_op = {
    .name = "conv_weights_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<ConvGradAttrs>();
          check_output("conv_weights_grad", infer_output("conv_weights_grad", c.x(0), {a.shape, c.dtype(0)}, a.conv, a.depthwise), c.x(1));
          c.output(a.shape, c.dtype(0));
          const int last = a.shape.rank() - 1;
          if (a.bias) c.output({a.depthwise ? product(a.shape, last - 1, last + 1) : a.shape[last]}, c.dtype(0));
        },
    .run = run_weights_grad,
    .grad = [](const Grad& g) -> Tensors {
      const auto& a = g.attr<ConvGradAttrs>();
      const Tensor gw = g.dy(0).defined() ? g.dy(0) : zeros(g.yspec(0).shape, g.yspec(0).dtype);
      Tensor dx, ddy;
      if (g.needs(0) && g.dy(0).defined()) dx = by_data(a, g.x(1), gw, g.xspec(0).shape);
      if (g.needs(1)) ddy = forward(a, g.x(0), gw, a.bias ? g.dy(1) : Tensor{});
      return {dx, ddy};
    },
    .saves = saves_inputs(0, 1),
    .attrs = attrs_of<ConvGradAttrs>,
    .prepare = [](const Prep& p) -> std::shared_ptr<const void> {
      const ConvDesc d = describe_weights_grad(p);
      if (empty(d) || p.x(0).dtype != float32) return nullptr;
      return kernels::conv_backward_weights(d, p.threads());
    },
    .scratch = [](const Prep& p) -> size_t {
      return p.prepared<kernels::ConvWeightsGrad>() ? p.prepared<kernels::ConvWeightsGrad>()->scratch_bytes() : 0;
    },
    .specimens = R"(f32[2,5,5,2], f32[2,3,3,5] ; {"shape": [3,3,2,5], "with_bias": true}
                  | f64[1,5,4,2], f64[1,3,2,4] ; {"shape": [3,3,1,4], "strides": [2,2], "padding": "same", "groups": 2}
                  | f64[2,4,4,3], f64[2,4,4,6] ; {"shape": [3,3,3,2], "padding": "same", "depthwise": true, "with_bias": true}
                  | f32[0,3,3,2], f32[0,3,3,5] ; {"shape": [1,1,2,5], "with_bias": true}
                  | f64[1,7,7,1], f64[1,3,3,1] ; {"shape": [3,3,1,1], "dilation": [2,2]}
                  | f64[1,5,4,3,2], f64[1,4,3,2,3] ; {"shape": [2,2,2,2,3], "strides": [1,1,1], "dilation": [1,1,1]}
                  | f32[2,6,2], f32[2,3,4] ; {"shape": [2,2,4], "strides": [2], "dilation": [1]})",
};

}  // namespace

const Op conv_op = {
    .name = "conv",
    .infer = infer_conv,
    .run = run_conv<false>,
    .grad = conv_grad<false>,
    .saves = saves_inputs(0, 1) | saves_inputs(2, 3),
    .attrs = attrs_of<ConvAttrs>,
    .prepare = prepare_conv<false>,
    .scratch = conv_scratch,
    .packs = 1,
    .pack_bytes = conv_pack_bytes,
    .pack = conv_pack,
    .specimens = R"(f32[2,5,5,3], f32[3,3,3,8]
                  | f32[1,7,6,3], f32[3,3,3,17], f32[17] ; {"padding": "same", "strides": [2,2], "bias": true, "activation": "relu"}
                  | f64[1,4,5,2], f64[2,3,2,3], f64[3] ; {"padding": "same", "bias": true}
                  | f64[2,5,5,4], f64[3,3,2,6] ; {"groups": 2, "dilation": [2,2]}
                  | f64[1,4,4,2], f64[3,3,2,2], f64[2], f64[1,4,4,2] ; {"padding": "explicit", "pads": [1,1,1,1], "bias": true, "sum": true,
                    "activation": "silu"}
                  | f32[0,5,5,3], f32[3,3,3,4] | f32[1,3,3,0], f32[3,3,0,4], f32[4] ; {"bias": true}
                  | f32[1,1,9,4], f32[1,3,4,5] ; {"strides": [1,2]}
                  | f32[2,9,4], f32[3,2,6], f32[6] ; {"strides": [2], "dilation": [1], "padding": "explicit", "pads": [2,0], "groups": 2, "bias": true,
                    "activation": "relu"}
                  | f64[1,5,4,3,2], f64[2,3,2,2,3] ; {"strides": [1,2,1], "dilation": [1,1,1], "padding": "same"}
                  | f32[1,4,4,4,3], f32[3,3,3,3,5] ; {"strides": [1,1,1], "dilation": [1,1,1]})",
};

const Op depthwise_conv_op = {
    .name = "depthwise_conv",
    .infer = infer_conv,
    .run = run_conv<true>,
    .grad = conv_grad<true>,
    .saves = saves_inputs(0, 1) | saves_inputs(2, 3),
    .attrs = attrs_of<ConvAttrs>,
    .prepare = prepare_conv<true>,
    .scratch = conv_scratch,
    .packs = 1,
    .pack_bytes = conv_pack_bytes,
    .pack = conv_pack,
    .specimens = R"(f32[2,5,5,3], f32[3,3,3,1]
                  | f32[1,6,7,17], f32[3,3,17,1], f32[17] ; {"padding": "same", "strides": [2,2], "bias": true, "activation": "relu6"}
                  | f64[1,4,5,2], f64[2,3,2,3], f64[6] ; {"padding": "same", "bias": true, "activation": "tanh"}
                  | f64[2,5,5,3], f64[3,3,3,2] ; {"dilation": [2,2]} | f32[0,5,5,3], f32[3,3,3,1]
                  | f32[2,7,3], f32[3,3,2] ; {"strides": [2], "dilation": [1], "padding": "same"})",
};

namespace {

std::vector<int64_t> for_each(const std::vector<int64_t>& v, int spatial) {
  return v.size() == 1 ? std::vector<int64_t>(static_cast<size_t>(std::max(spatial, 0)), v[0]) : v;
}

ConvAttrs attrs_from(std::string_view op, const Tensor& x, const Tensor& kernel, const ConvNdOptions& o) {
  const int spatial = x.rank() - 2;
  ConvAttrs a;
  a.strides = for_each(o.strides, spatial);
  a.padding = o.padding;
  a.dilation = for_each(o.dilation_rate, spatial);
  a.groups = o.groups;
  check(a.padding != "explicit", Code::InvalidArgument, "{}: expected padding valid or same, got 'explicit'", op);
  if (a.padding == "causal" && spatial == 1 && kernel.rank() == 3 && a.dilation.size() == 1) {
    a.padding = "explicit";
    a.pads = {(kernel.shape()[0] - 1) * a.dilation[0], 0};
  }
  return a;
}

// f(x, kernel, bias) in one real dtype: halves are computed as float32.
template <class F>
Tensor in_real(Tensor x, Tensor kernel, Tensor bias, F f) {
  promote_pair(x, kernel);
  x = to_float(std::move(x));
  kernel = to_float(std::move(kernel));
  const DType t = x.dtype(), compute = is_half(t) ? float32 : t;
  for (Tensor* v : {&x, &kernel, &bias})
    if (v->defined() && v->dtype() != compute) *v = cast(std::move(*v), compute);
  Tensor y = f(std::move(x), std::move(kernel), std::move(bias));
  return compute == t ? std::move(y) : cast(std::move(y), t);
}

Tensor convolve(const Op& op, Tensor x, Tensor kernel, const ConvNdOptions& o, Tensor bias) {
  return in_real(std::move(x), std::move(kernel), std::move(bias), [&](Tensor x, Tensor kernel, Tensor bias) {
    // Under a tape the activation is an op of its own, which saves just what its gradient reads.
    const bool fuse = fusable_activation(o.activation) && !recording();
    ConvAttrs a = attrs_from(op.name, x, kernel, o);
    a.epilogue = {bias.defined(), fuse ? std::string(o.activation) : std::string(), default_alpha(o.activation), false};
    Tensor y =
        bias.defined() ? apply_with(op, a, std::move(x), std::move(kernel), std::move(bias)) : apply_with(op, a, std::move(x), std::move(kernel));
    return fuse || o.activation.empty() ? y : activate(std::move(y), o.activation, default_alpha(o.activation));
  });
}

ConvNdOptions nd(const ConvOptions& o) {
  return {.strides = {o.strides.h, o.strides.w},
          .padding = o.padding,
          .dilation_rate = {o.dilation_rate.h, o.dilation_rate.w},
          .groups = o.groups,
          .activation = o.activation};
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor conv(Tensor x, Tensor kernel, const ConvNdOptions& options, Tensor bias) {
  return convolve(conv_op, std::move(x), std::move(kernel), options, std::move(bias));
}

Tensor depthwise_conv(Tensor x, Tensor kernel, const ConvNdOptions& options, Tensor bias) {
  ConvNdOptions o = options;
  o.groups = 1;
  return convolve(depthwise_conv_op, std::move(x), std::move(kernel), o, std::move(bias));
}

Tensor conv2d(Tensor x, Tensor kernel, const ConvOptions& options, Tensor bias) {
  return conv(std::move(x), std::move(kernel), nd(options), std::move(bias));
}

Tensor depthwise_conv2d(Tensor x, Tensor kernel, const ConvOptions& options, Tensor bias) {
  return depthwise_conv(std::move(x), std::move(kernel), nd(options), std::move(bias));
}

Tensor separable_conv(Tensor x, Tensor depthwise_kernel, Tensor pointwise_kernel, const ConvNdOptions& options, Tensor bias) {
  ConvNdOptions first = options;
  first.activation = {};
  x = depthwise_conv(std::move(x), std::move(depthwise_kernel), first);
  return conv(std::move(x), std::move(pointwise_kernel), {.activation = options.activation}, std::move(bias));
}

// Keras' lengths (TensorFlow backend): valid (n-1)s + max(k, s), same n*s, with output_padding (n-1)s + k + p and (n-1)s + k % 2 + p. What the windows
// reach is cut by half of the excess at the start, the rest at the end.
Tensor conv_transpose(Tensor x, Tensor kernel, const ConvTransposeOptions& o, Tensor bias) {
  check(o.padding == "valid" || o.padding == "same", Code::InvalidArgument, "conv_transpose: expected padding valid or same, got '{}'", o.padding);
  return in_real(std::move(x), std::move(kernel), std::move(bias), [&](Tensor x, Tensor kernel, Tensor bias) {
    check_ranks("conv_transpose", x.spec(), kernel.spec());
    const int spatial = x.rank() - 2;
    ConvGradAttrs a;
    a.conv.strides = for_each(o.strides, spatial), a.conv.dilation = for_each(o.dilation_rate, spatial), a.conv.padding = "explicit";
    const std::vector<int64_t> more = for_each(o.output_padding, spatial);
    check(more.empty() || more.size() == static_cast<size_t>(spatial), Code::InvalidArgument, "conv_transpose: expected {} output paddings, got {}",
          spatial, more.size());
    a.conv.pads.resize(2 * static_cast<size_t>(spatial));
    check_options("conv_transpose", a.conv, spatial);
    a.shape = Shape{-1};
    for (size_t i = 0; i < static_cast<size_t>(spatial); ++i) {
      const int64_t s = a.conv.strides[i], k = (kernel.shape()[static_cast<int>(i)] - 1) * a.conv.dilation[i] + 1;
      check(more.empty() || (more[i] >= 0 && more[i] < s), Code::InvalidArgument, "conv_transpose: expected output_padding in [0, {}), got {}", s,
            more.empty() ? 0 : more[i]);
      // How much longer than what the windows reach, (n-1)s + k.
      const int64_t grow = o.padding == "valid" ? (more.empty() ? std::max(k, s) - k : more[i]) : (more.empty() ? s : k % 2 + more[i]) - k;
      a.conv.pads[2 * i] = std::max<int64_t>(0, -grow) / 2;
      a.conv.pads[2 * i + 1] = std::max<int64_t>(0, -grow) - a.conv.pads[2 * i];
      a.extra.push_back(std::max<int64_t>(0, grow));
      a.shape.push_back(-1);
    }
    a.shape.push_back(kernel.shape()[spatial]);
    Tensor y = apply_with(conv_transpose_op, a, std::move(x), std::move(kernel));
    if (bias.defined()) y = add(std::move(y), std::move(bias));
    return o.activation.empty() ? y : activate(std::move(y), o.activation, default_alpha(o.activation));
  });
}

void register_convolve(Registry& r) {
  for (const Op* op : {&conv_op, &depthwise_conv_op, &conv_transpose_op, &conv_weights_grad_op}) r.add(*op);
}

}  // namespace tenure

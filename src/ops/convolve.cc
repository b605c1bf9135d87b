// Two-dimensional convolution, plain, grouped and depthwise, and its gradients by data and by weights: ops of their own, each differentiable by the
// other two. Activations are [batch, height, width, channels]. float32 runs prepared kernels shared with the cache of kernels/; float64 direct loops.
#include "ops/box.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

using kernels::Conv2DDesc;

// ---- sizes --------------------------------------------------------------------------------------------------------------------

Conv2DDesc describe(const Shape& x, const Shape& w, const ConvAttrs& a, bool depthwise) noexcept {
  Conv2DDesc d;
  d.n = x[0], d.h = x[1], d.w = x[2], d.c = x[3];
  d.kh = w[0], d.kw = w[1];
  d.o = depthwise ? w[2] * w[3] : w[3];
  d.groups = depthwise ? d.c : a.groups;
  d.stride_h = a.strides[0], d.stride_w = a.strides[1];
  d.dilation_h = a.dilation[0], d.dilation_w = a.dilation[1];
  if (a.padding == "same") {
    const int64_t h = kernels::same_padding(d.h, d.kh, d.stride_h, d.dilation_h), v = kernels::same_padding(d.w, d.kw, d.stride_w, d.dilation_w);
    d.pad_top = h / 2, d.pad_bottom = h - h / 2;
    d.pad_left = v / 2, d.pad_right = v - v / 2;
  } else if (a.padding == "explicit") {
    d.pad_top = a.pads[0], d.pad_bottom = a.pads[1], d.pad_left = a.pads[2], d.pad_right = a.pads[3];
  }
  return d;
}

bool empty(const Conv2DDesc& d) noexcept {
  return d.n == 0 || d.h == 0 || d.w == 0 || d.c == 0 || d.o == 0 || d.kh == 0 || d.kw == 0 || d.out_h() == 0 || d.out_w() == 0;
}

int64_t out_size(std::string_view op, const Spec& x, int axis, int64_t k, const ConvAttrs& a) {
  const auto i = static_cast<size_t>(axis - 1);
  const int64_t n = x.shape[axis], s = a.strides[i], reach = (k - 1) * a.dilation[i] + 1;
  if (n < 0 || k < 0) return -1;
  if (a.padding == "same") return (n + s - 1) / s;
  const int64_t room = n + (a.padding == "explicit" ? a.pads[2 * i] + a.pads[2 * i + 1] : 0);
  check(room >= reach || n == 0, Code::Shape, "{}: a window of {} (dilation included) does not fit axis {} of {}", op, reach, axis, x);
  return room < reach ? 0 : (room - reach) / s + 1;
}

void check_options(std::string_view op, const ConvAttrs& a) {
  check(a.padding == "valid" || a.padding == "same" || a.padding == "explicit", Code::InvalidArgument, "{}: expected padding valid or same, got '{}'",
        op, a.padding);
  check(a.padding != "explicit" || a.pads.size() == 4, Code::InvalidArgument, "{}: explicit padding needs 4 amounts, got {}", op, a.pads.size());
  check(a.strides.size() == 2 && a.dilation.size() == 2 && std::min({a.strides[0], a.strides[1], a.dilation[0], a.dilation[1]}) >= 1,
        Code::InvalidArgument, "{}: expected two strides and two dilation rates >= 1, got [{}] and [{}]", op, fmt::join(a.strides, ", "),
        fmt::join(a.dilation, ", "));
  check(a.groups >= 1, Code::InvalidArgument, "{}: expected groups >= 1, got {}", op, a.groups);
}

// The output's spec for these inputs.
Spec infer_output(std::string_view op, const Spec& x, const Spec& w, const ConvAttrs& a, bool depthwise) {
  check_options(op, a);
  check(x.dtype == float32 || x.dtype == float64, Code::DType, "{}: expected float32 or float64, got {}", op, x);
  check(x.dtype == w.dtype, Code::DType, "{}: expected inputs of one dtype, got {} and {}", op, x, w);
  check(x.shape.rank() == 4 && w.shape.rank() == 4, Code::Shape,
        "{}: expected x [batch, height, width, channels] and a kernel of rank 4, got {} and {}", op, x, w);
  const int64_t c = x.shape[3], in = w.shape[2], groups = depthwise ? 1 : a.groups;
  check(c < 0 || in < 0 || c == in * groups, Code::Shape, "{}: the kernel {} takes {} channels{}, got {}", op, w, in * groups,
        groups > 1 ? fmt::format(" in {} groups", groups) : "", x);
  check(w.shape[3] < 0 || w.shape[3] % groups == 0, Code::Shape, "{}: expected a number of filters that {} groups divide, got kernel {}", op, groups,
        w);
  const int64_t o = depthwise ? product(w.shape, 2, 4) : w.shape[3];
  return {{x.shape[0], out_size(op, x, 1, w.shape[0], a), out_size(op, x, 2, w.shape[1], a), o}, x.dtype};
}

// ---- direct loops for float64 ---------------------------------------------------------------------------------------------------

// f(index in x, in w, in y) for every product of images [begin, end).
template <class F>
void for_products(const Conv2DDesc& d, int64_t begin, int64_t end, F f) noexcept {
  const int64_t oh = d.out_h(), ow = d.out_w(), ci = d.c / d.groups, co = d.o / d.groups;
  for (int64_t pixel = begin * oh * ow; pixel < end * oh * ow; ++pixel) {
    const int64_t n = pixel / (oh * ow), oy = pixel / ow % oh, ox = pixel % ow;
    for (int64_t tap = 0; tap < d.kh * d.kw; ++tap) {
      const int64_t iy = oy * d.stride_h - d.pad_top + tap / d.kw * d.dilation_h, ix = ox * d.stride_w - d.pad_left + tap % d.kw * d.dilation_w;
      if (iy < 0 || iy >= d.h || ix < 0 || ix >= d.w) continue;
      const int64_t xi = ((n * d.h + iy) * d.w + ix) * d.c, yi = pixel * d.o;
      for (int64_t c = 0; c < d.c; ++c)
        for (int64_t o = c / ci * co, last = o + co; o < last; ++o) f(xi + c, (tap * ci + c % ci) * d.o + o, yi + o);
    }
  }
}

// Images that are worth a thread.
int64_t grain(const Conv2DDesc& d) noexcept { return 1 + 65536 / (d.out_h() * d.out_w() * d.kh * d.kw * d.c * (d.o / d.groups)); }

// ---- forward ------------------------------------------------------------------------------------------------------------------

bool is_depthwise(const Op& op) noexcept { return &op == &depthwise_conv2d_op; }

void infer_conv(Infer& c) {
  const auto& a = c.attr<ConvAttrs>();
  const Spec y = infer_output(c.op().name, c.x(0), c.x(1), a, is_depthwise(c.op()));
  check_epilogue(c, a.epilogue, y, 2);
  c.output(y);
}

template <bool depthwise>
std::shared_ptr<const void> prepare_conv(const Prep& p) {
  const auto& a = p.attr<ConvAttrs>();
  Conv2DDesc d = describe(p.x(0).shape, p.x(1).shape, a, depthwise);
  if (empty(d) || p.x(0).dtype != float32) return nullptr;
  d.epilogue = epilogue_of(a.epilogue);
  return kernels::conv2d(d, p.threads());
}

size_t conv_scratch(const Prep& p) { return p.prepared<kernels::Conv2D>() ? p.prepared<kernels::Conv2D>()->scratch_bytes() : 0; }
size_t conv_pack_bytes(const Prep& p) { return p.prepared<kernels::Conv2D>() ? p.prepared<kernels::Conv2D>()->packed_bytes() : 0; }
void conv_pack(const Prep& p, const void* in, void* out) noexcept { p.prepared<kernels::Conv2D>()->pack(static_cast<const float*>(in), out); }

template <bool depthwise>
Status run_conv(const Run& r) noexcept {
  const auto& a = r.attr<ConvAttrs>();
  if (const auto* k = r.prepared<kernels::Conv2D>()) {
    place_residual(r, a.epilogue, 2);
    const float* bias = a.epilogue.bias ? r.in<float>(2) : nullptr;
    return to_status(r.packed() ? k->run_packed(r.in<float>(0), r.packed(), bias, r.out<float>(), r.scratch())
                                : k->run(r.in<float>(0), r.in<float>(1), bias, r.out<float>(), r.scratch()));
  }
  const Conv2DDesc d = describe(r.x(0).shape, r.x(1).shape, a, depthwise);
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

// Of a convolution without epilogue. `shape` is x's (by data) or the kernel's (by weights); `bias`: also its gradient, the sum of dy.
struct ConvGradAttrs {
  ConvAttrs conv;
  bool depthwise = false;
  Shape shape;
  bool bias = false;
};
template <class V>
void fields(V& v, ConvGradAttrs& a) {
  fields(v, a.conv), v("depthwise", a.depthwise), v("shape", a.shape), v("with_bias", a.bias);
}

extern const Op conv2d_data_grad_op, conv2d_weights_grad_op;

Tensor forward(const ConvGradAttrs& a, const Tensor& x, const Tensor& w, const Tensor& bias) {
  ConvAttrs conv = a.conv;
  conv.epilogue.bias = bias.defined();
  const Op& op = a.depthwise ? depthwise_conv2d_op : conv2d_op;
  return bias.defined() ? apply_with(op, conv, x, w, bias) : apply_with(op, conv, x, w);
}
Tensor by_data(ConvGradAttrs a, const Tensor& dy, const Tensor& w, const Shape& x) {
  a.shape = x;
  a.bias = false;
  return apply_with(conv2d_data_grad_op, a, dy, w);
}
Tensors by_weights(ConvGradAttrs a, const Tensor& x, const Tensor& dy, const Shape& w, bool bias) {
  a.shape = w;
  a.bias = bias;
  return apply_all_with(conv2d_weights_grad_op, a, x, dy);
}

template <bool depthwise>
Tensors conv_grad(const Grad& g) {
  ConvGradAttrs a{g.attr<ConvAttrs>(), depthwise, {}, false};
  const EpilogueAttrs e = a.conv.epilogue;
  const Op& op = depthwise ? depthwise_conv2d_op : conv2d_op;
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
    d[2] = sum(dz, {0, 1, 2});
  }
  if (e.sum && g.needs(2 + e.bias)) d[static_cast<size_t>(2 + e.bias)] = dz;
  return d;
}

void check_output(std::string_view op, const Spec& want, const Spec& dy) {
  bool fits = want.shape.rank() == dy.shape.rank() && want.dtype == dy.dtype;
  for (int i = 0; fits && i < 4; ++i) fits = want.shape[i] == dy.shape[i] || want.shape[i] < 0 || dy.shape[i] < 0;
  check(fits, Code::Shape, "{}: expected a gradient of {}, got {}", op, want, dy);
}

Conv2DDesc describe_data_grad(const Prep& p) noexcept {
  const auto& a = p.attr<ConvGradAttrs>();
  return describe(a.shape, p.x(1).shape, a.conv, a.depthwise);
}
Conv2DDesc describe_weights_grad(const Prep& p) noexcept {
  const auto& a = p.attr<ConvGradAttrs>();
  return describe(p.x(0).shape, a.shape, a.conv, a.depthwise);
}

Status run_data_grad(const Run& r) noexcept {
  if (const auto* k = r.prepared<kernels::Conv2D>()) return to_status(k->run(r.in<float>(0), r.in<float>(1), nullptr, r.out<float>(), r.scratch()));
  const Conv2DDesc d = describe_data_grad(r);
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
  if (const auto* k = r.prepared<kernels::Conv2DWeightsGrad>())
    return to_status(k->run(r.in<float>(0), r.in<float>(1), r.out<float>(), bias ? r.out<float>(1) : nullptr, r.scratch()));
  const Conv2DDesc d = describe_weights_grad(r);
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
const Op conv2d_data_grad_op = {
    .name = "conv2d_data_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<ConvGradAttrs>();
          check_output("conv2d_data_grad", infer_output("conv2d_data_grad", {a.shape, c.dtype(0)}, c.x(1), a.conv, a.depthwise), c.x(0));
          c.output(a.shape, c.dtype(0));
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
      const Conv2DDesc d = describe_data_grad(p);
      if (empty(d) || p.x(0).dtype != float32) return nullptr;
      return kernels::conv2d_backward_data(d, p.threads());
    },
    .scratch = conv_scratch,
    .specimens = R"(f32[2,3,3,5], f32[3,3,2,5] ; {"shape": [2,5,5,2]}
                  | f64[1,3,2,4], f64[3,3,1,4] ; {"shape": [1,5,4,2], "strides": [2,2], "padding": "same", "groups": 2}
                  | f64[2,4,4,6], f64[3,3,3,2] ; {"shape": [2,4,4,3], "padding": "same", "depthwise": true}
                  | f32[0,3,3,5], f32[1,1,2,5] ; {"shape": [0,3,3,2]} | f64[1,3,3,1], f64[3,3,1,1] ; {"shape": [1,7,7,1], "dilation": [2,2]})",
};

const Op conv2d_weights_grad_op = {
    .name = "conv2d_weights_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<ConvGradAttrs>();
          check_output("conv2d_weights_grad", infer_output("conv2d_weights_grad", c.x(0), {a.shape, c.dtype(0)}, a.conv, a.depthwise), c.x(1));
          c.output(a.shape, c.dtype(0));
          if (a.bias) c.output({a.depthwise ? a.shape[2] * a.shape[3] : a.shape[3]}, c.dtype(0));
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
      const Conv2DDesc d = describe_weights_grad(p);
      if (empty(d) || p.x(0).dtype != float32) return nullptr;
      return kernels::conv2d_backward_weights(d, p.threads());
    },
    .scratch = [](const Prep& p) -> size_t {
      return p.prepared<kernels::Conv2DWeightsGrad>() ? p.prepared<kernels::Conv2DWeightsGrad>()->scratch_bytes() : 0;
    },
    .specimens = R"(f32[2,5,5,2], f32[2,3,3,5] ; {"shape": [3,3,2,5], "with_bias": true}
                  | f64[1,5,4,2], f64[1,3,2,4] ; {"shape": [3,3,1,4], "strides": [2,2], "padding": "same", "groups": 2}
                  | f64[2,4,4,3], f64[2,4,4,6] ; {"shape": [3,3,3,2], "padding": "same", "depthwise": true, "with_bias": true}
                  | f32[0,3,3,2], f32[0,3,3,5] ; {"shape": [1,1,2,5], "with_bias": true}
                  | f64[1,7,7,1], f64[1,3,3,1] ; {"shape": [3,3,1,1], "dilation": [2,2]})",
};

}  // namespace

const Op conv2d_op = {
    .name = "conv2d",
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
                  | f32[1,1,9,4], f32[1,3,4,5] ; {"strides": [1,2]})",
};

const Op depthwise_conv2d_op = {
    .name = "depthwise_conv2d",
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
                  | f64[2,5,5,3], f64[3,3,3,2] ; {"dilation": [2,2]} | f32[0,5,5,3], f32[3,3,3,1])",
};

namespace {

Tensor convolve(const Op& op, Tensor x, Tensor kernel, const ConvOptions& o, Tensor bias) {
  promote_pair(x, kernel);
  x = to_float(std::move(x));
  kernel = to_float(std::move(kernel));
  const DType t = x.dtype();
  if (bias.defined() && bias.dtype() != t) bias = cast(std::move(bias), t);
  if (is_half(t)) {
    if (bias.defined()) bias = cast(std::move(bias), float32);
    return cast(convolve(op, cast(std::move(x), float32), cast(std::move(kernel), float32), o, std::move(bias)), t);
  }
  // Under a tape the activation is an op of its own, which saves just what its gradient reads.
  const bool fuse = fusable_activation(o.activation) && !recording();
  ConvAttrs a;
  a.strides = {o.strides.h, o.strides.w};
  a.padding = o.padding;
  a.dilation = {o.dilation_rate.h, o.dilation_rate.w};
  a.groups = o.groups;
  check(a.padding != "explicit", Code::InvalidArgument, "{}: expected padding valid or same, got 'explicit'", op.name);
  a.epilogue = {bias.defined(), fuse ? std::string(o.activation) : std::string(), default_alpha(o.activation), false};
  Tensor y =
      bias.defined() ? apply_with(op, a, std::move(x), std::move(kernel), std::move(bias)) : apply_with(op, a, std::move(x), std::move(kernel));
  return fuse || o.activation.empty() ? y : activate(std::move(y), o.activation, default_alpha(o.activation));
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor conv2d(Tensor x, Tensor kernel, const ConvOptions& options, Tensor bias) {
  return convolve(conv2d_op, std::move(x), std::move(kernel), options, std::move(bias));
}

Tensor depthwise_conv2d(Tensor x, Tensor kernel, const ConvOptions& options, Tensor bias) {
  ConvOptions o = options;
  o.groups = 1;
  return convolve(depthwise_conv2d_op, std::move(x), std::move(kernel), o, std::move(bias));
}

void register_convolve(Registry& r) {
  for (const Op* op : {&conv2d_op, &depthwise_conv2d_op, &conv2d_data_grad_op, &conv2d_weights_grad_op}) r.add(*op);
}

}  // namespace tenure

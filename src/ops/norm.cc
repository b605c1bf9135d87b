// Batch and layer normalization. The ops normalize by the last axis (batch) or by trailing axes (layer); other axes are composed of plain ops.
// First gradients are fused ops; under a further tape they are composed instead, to be differentiated again. Nothing here owns anything.
#include <cmath>

#include "ops/box.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

void check_float(std::string_view op, const Spec& x) {
  check(x.dtype == float32 || x.dtype == float64, Code::DType, "{}: expected float32 or float64, got {}", op, x);
}

// Inputs [from, inputs) have this shape and x's dtype.
void check_parameters(const Infer& c, int from, const Shape& want) {
  for (int i = from; i < c.inputs(); ++i) {
    bool fits = c.dtype(i) == c.dtype(0) && c.shape(i).rank() == want.rank();
    for (int k = 0; fits && k < want.rank(); ++k) fits = want[k] == c.shape(i)[k] || want[k] < 0 || c.shape(i)[k] < 0;
    check(fits, Code::Shape, "{}: expected input {} to be {}, got {}", c.op().name, i, Spec{want, c.dtype(0)}, c.x(i));
  }
}

struct Rows {
  int64_t rows, channels;
  explicit Rows(const Shape& x) noexcept : rows(product(x, 0, x.rank() - 1)), channels(x.back()) {}
};

// scale / sqrt(variance + eps), and what that leaves of mean and offset: y = x * factor + shift. scale and offset may be null.
template <class T>
void fold(const T* mean, const T* variance, const T* scale, const T* offset, double eps, T* factor, T* shift, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    factor[i] = (scale ? scale[i] : T{1}) / std::sqrt(variance[i] + static_cast<T>(eps));
    shift[i] = (offset ? offset[i] : T{0}) - mean[i] * factor[i];
  }
}

size_t two_vectors(const Prep& p) { return 2 * static_cast<size_t>(p.x(0).shape.back()) * size_of(p.x(0).dtype); }

Tensor per_channel(const Tensor& x) { return sum_to(x, {x.shape().back()}); }

// ---- batch normalization, inference ---------------------------------------------------------------------------------------------

Status run_batch_norm(const Run& r) noexcept {
  const auto& a = r.attr<BatchNormAttrs>();
  const Rows s(r.x(0).shape);
  with_real(r.x(0).dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T *factor = r.scratch<T>(), *shift = factor + s.channels;
    fold(r.in<T>(1), r.in<T>(2), a.scale ? r.in<T>(3) : nullptr, a.offset ? r.in<T>(3 + a.scale) : nullptr, a.epsilon, factor, shift, s.channels);
    kernels::scale_shift(r.in<T>(0), factor, shift, r.out<T>(), s.rows, s.channels);
  });
  return {};
}

Tensors batch_norm_grad(const Grad& g) {
  const auto& a = g.attr<BatchNormAttrs>();
  const Tensor &x = g.x(0), &dy = g.dy();
  const Tensor inverse = rsqrt(g.x(2) + a.epsilon), factor = a.scale ? g.x(3) * inverse : inverse;
  const int offset = 3 + a.scale;
  Tensors d(static_cast<size_t>(g.inputs()));
  if (g.needs(0)) d[0] = dy * factor;
  Tensor total = g.needs(1) || (a.offset && g.needs(offset)) ? per_channel(dy) : Tensor{};
  if (g.needs(1)) d[1] = negative(total * factor);
  if (a.offset && g.needs(offset)) d[static_cast<size_t>(offset)] = total;
  if (g.needs(2) || (a.scale && g.needs(3))) {
    Tensor along = per_channel(dy * ((x - g.x(1)) * inverse));
    if (g.needs(2)) d[2] = along * factor * inverse * -0.5;
    if (a.scale && g.needs(3)) d[3] = along;
  }
  return d;
}

}  // namespace

const Op batch_normalization_op = {
    .name = "batch_normalization",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<BatchNormAttrs>();
          check_float("batch_normalization", c.x(0));
          check(c.shape(0).rank() >= 1, Code::Shape, "batch_normalization: expected at least one axis, got {}", c.x(0));
          check(c.inputs() == 3 + a.scale + a.offset, Code::InvalidArgument, "batch_normalization: expected {} inputs, got {}",
                3 + a.scale + a.offset, c.inputs());
          check_parameters(c, 1, {c.shape(0).back()});
          c.output(c.x(0));
        },
    .run = run_batch_norm,
    .grad = batch_norm_grad,
    .saves = saves_inputs(0, 1) | saves_inputs(2, 3),
    .traits = inplace,
    .attrs = attrs_of<BatchNormAttrs>,
    .scratch = two_vectors,
    .specimens = R"(f32[4,3], f32[3], f32[3]{0.5..2} | f32[2,3,3,17], f32[17], f32[17]{0.5..2}, f32[17], f32[17] ; {"scale": true, "offset": true}
                  | f64[5,3], f64[3], f64[3]{0.5..2}, f64[3] ; {"scale": true, "epsilon": 0.1}
                  | f64[3], f64[3], f64[3]{0.5..2}, f64[3] ; {"offset": true} | f32[0,3], f32[3], f32[3]{0.5..2} | f32[4,0], f32[0], f32[0])",
};

// ---- batch normalization, training ----------------------------------------------------------------------------------------------

namespace {

// Inputs x, then scale if `scale`, then offset if `offset`; outputs y, mean, biased variance.
Status run_batch_norm_training(const Run& r) noexcept {
  const auto& a = r.attr<BatchNormAttrs>();
  const Rows s(r.x(0).shape);
  with_real(r.x(0).dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T *factor = r.scratch<T>(), *shift = factor + s.channels;
    kernels::channel_moments(r.in<T>(0), r.out<T>(1), r.out<T>(2), s.rows, s.channels);
    fold(r.out<T>(1), r.out<T>(2), a.scale ? r.in<T>(1) : nullptr, a.offset ? r.in<T>(1 + a.scale) : nullptr, a.epsilon, factor, shift, s.channels);
    kernels::scale_shift(r.in<T>(0), factor, shift, r.out<T>(), s.rows, s.channels);
  });
  return {};
}

extern const Op batch_norm_training_grad_op;

// dx, dscale, doffset by y's gradient, of plain ops.
Tensors composed_batch_norm_grad(const Tensor& dy, const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& scale, double epsilon) {
  const Tensor inverse = rsqrt(variance + epsilon), normal = (x - mean) * inverse, by_offset = per_channel(dy), by_scale = per_channel(dy * normal);
  const double n = static_cast<double>(std::max<int64_t>(1, Rows(x.shape()).rows));
  Tensor dx = (dy - by_offset / n - normal * (by_scale / n)) * (scale.defined() ? scale * inverse : inverse);
  return {std::move(dx), by_scale, by_offset};
}

Tensors batch_norm_training_grad(const Grad& g) {
  const auto& a = g.attr<BatchNormAttrs>();
  const Tensor &x = g.x(0), &mean = g.y(1), &variance = g.y(2), &dy = g.dy(0), scale = a.scale ? g.x(1) : Tensor{};
  const double n = static_cast<double>(std::max<int64_t>(1, Rows(x.shape()).rows));
  Tensors d(static_cast<size_t>(g.inputs()));
  if (dy.defined()) {
    Tensors all;
    if (recording()) all = composed_batch_norm_grad(dy, x, mean, variance, scale, a.epsilon);
    else if (a.scale) all = apply_all_with(batch_norm_training_grad_op, a, dy, x, mean, variance, scale);
    else all = apply_all_with(batch_norm_training_grad_op, a, dy, x, mean, variance);
    d[0] = std::move(all[0]);
    if (a.scale) d[1] = std::move(all[1]);
    if (a.offset) d[static_cast<size_t>(1 + a.scale)] = std::move(all[2]);
  }
  if (!g.needs(0)) return d;
  auto add_to = [&](Tensor t) { d[0] = d[0].defined() ? std::move(d[0]) + std::move(t) : std::move(t); };
  if (g.dy(1).defined()) add_to(broadcast_to(g.dy(1) / n, x.shape()));
  if (g.dy(2).defined()) add_to((x - mean) * (g.dy(2) * (2 / n)));
  return d;
}

const Op batch_norm_training_op = {
    .name = "batch_normalization_training",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<BatchNormAttrs>();
          const Shape& x = c.shape(0);
          check_float("batch_normalization_training", c.x(0));
          check(x.rank() >= 1, Code::Shape, "batch_normalization_training: expected at least one axis, got {}", c.x(0));
          check(c.inputs() == 1 + a.scale + a.offset, Code::InvalidArgument, "batch_normalization_training: expected {} inputs, got {}",
                1 + a.scale + a.offset, c.inputs());
          check_parameters(c, 1, {x.back()});
          c.output(c.x(0));
          c.output({x.back()}, c.dtype(0));
          c.output({x.back()}, c.dtype(0));
        },
    .run = run_batch_norm_training,
    .grad = batch_norm_training_grad,
    .saves = saves_inputs(0, 1) | saves_output(1) | saves_output(2),
    .attrs = attrs_of<BatchNormAttrs>,
    .scratch = two_vectors,
    .specimens = R"(f32[6,3] | f32[2,3,3,17], f32[17], f32[17] ; {"scale": true, "offset": true}
                  | f64[7,3], f64[3] ; {"scale": true, "epsilon": 0.1} | f64[5], f64[5] ; {"offset": true}
                  | f64[3,2,5], f64[5], f64[5] ; {"scale": true, "offset": true} | f32[4,0])",
};

// Inputs dy, x, mean, variance, then scale if `scale`; outputs dx, dscale, doffset.
const Op batch_norm_training_grad_op = {
    .name = "batch_normalization_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<BatchNormAttrs>();
          check_float("batch_normalization_grad", c.x(0));
          check(c.inputs() == 4 + a.scale, Code::InvalidArgument, "batch_normalization_grad: expected {} inputs, got {}", 4 + a.scale, c.inputs());
          const Shape vector{c.shape(0).back()};
          check_parameters(c, 2, vector);
          c.output(c.x(1));
          c.output(vector, c.dtype(0));
          c.output(vector, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<BatchNormAttrs>();
      const Rows s(r.x(0).shape);
      with_real(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        T* inverse = r.scratch<T>();
        for (int64_t i = 0; i < s.channels; ++i) inverse[i] = T{1} / std::sqrt(r.in<T>(3)[i] + static_cast<T>(a.epsilon));
        kernels::channel_grad_sums(r.in<T>(0), r.in<T>(1), r.in<T>(2), inverse, r.out<T>(2), r.out<T>(1), s.rows, s.channels);
        kernels::batch_norm_grad(r.in<T>(0), r.in<T>(1), a.scale ? r.in<T>(4) : nullptr, r.in<T>(2), inverse, r.out<T>(2), r.out<T>(1), r.out<T>(),
                                 s.rows, s.channels);
      });
      return {};
    },
    .attrs = attrs_of<BatchNormAttrs>,
    .scratch = two_vectors,
    .specimens = R"(f32[6,3], f32[6,3], f32[3], f32[3]{0.5..2} | f64[2,3,5], f64[2,3,5], f64[5], f64[5]{0.5..2}, f64[5] ; {"scale": true}
                  | f32[0,3], f32[0,3], f32[3], f32[3]{0.5..2} | f32[2,3,3,17], f32[2,3,3,17], f32[17], f32[17]{0.5..2}, f32[17] ; {"scale": true})",
};

// ---- layer normalization --------------------------------------------------------------------------------------------------------

struct LayerNormAttrs {
  int axes = 1;  // trailing axes that are normalized together
  double epsilon = 1e-3;
  bool gamma = false, beta = false;
};
template <class V>
void fields(V& v, LayerNormAttrs& a) {
  v("axes", a.axes), v("epsilon", a.epsilon), v("gamma", a.gamma), v("beta", a.beta);
}

extern const Op layer_norm_grad_op;

// dx, dgamma, dbeta by y's gradient, of plain ops. mean and rstd have x's leading axes.
Tensors composed_layer_norm_grad(const Tensor& dy, const Tensor& x, Tensor mean, Tensor rstd, const Tensor& gamma, int axes) {
  const Shape inner = x.shape().slice(x.rank() - axes, x.rank());
  Axes last;
  for (int i = 1; i <= axes; ++i) {
    last.push_back(-i);
    mean = expand_dims(std::move(mean), -1);
    rstd = expand_dims(std::move(rstd), -1);
  }
  const Tensor normal = (x - mean) * rstd, slope = gamma.defined() ? dy * gamma : dy;
  Tensor dx = (slope - tenure::mean(slope, last, true) - normal * tenure::mean(slope * normal, last, true)) * rstd;
  return {std::move(dx), sum_to(dy * normal, inner), sum_to(dy, inner)};
}

Tensors layer_norm_grad(const Grad& g) {
  const auto& a = g.attr<LayerNormAttrs>();
  const Tensor &x = g.x(0), &mean = g.y(1), &rstd = g.y(2), &dy = g.dy(0), gamma = a.gamma ? g.x(1) : Tensor{};
  Tensors d(static_cast<size_t>(g.inputs()));
  if (dy.defined()) {
    Tensors all;
    if (recording()) all = composed_layer_norm_grad(dy, x, mean, rstd, gamma, a.axes);
    else if (a.gamma) all = apply_all_with(layer_norm_grad_op, a, dy, x, mean, rstd, gamma);
    else all = apply_all_with(layer_norm_grad_op, a, dy, x, mean, rstd);
    d[0] = std::move(all[0]);
    if (a.gamma) d[1] = std::move(all[1]);
    if (a.beta) d[static_cast<size_t>(1 + a.gamma)] = std::move(all[2]);
  }
  if (!g.needs(0) || (!g.dy(1).defined() && !g.dy(2).defined())) return d;
  // mean and rstd as outputs of their own (second derivatives come this way).
  const double n = static_cast<double>(std::max<int64_t>(1, product(x.shape(), x.rank() - a.axes, x.rank())));
  auto spread = [&](Tensor t) {
    for (int i = 0; i < a.axes; ++i) t = expand_dims(std::move(t), -1);
    return t;
  };
  auto add_to = [&](Tensor t) { d[0] = d[0].defined() ? std::move(d[0]) + std::move(t) : std::move(t); };
  if (g.dy(1).defined()) add_to(broadcast_to(spread(g.dy(1) / n), x.shape()));
  if (g.dy(2).defined()) add_to((x - spread(mean)) * spread(g.dy(2) * rstd * rstd * rstd * (-1 / n)));
  return d;
}

void layer_norm_sizes(const Shape& x, int axes, int64_t* rows, int64_t* n) noexcept {
  *rows = product(x, 0, x.rank() - axes);
  *n = product(x, x.rank() - axes, x.rank());
}

const Op layer_norm_op = {
    .name = "layer_normalization",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<LayerNormAttrs>();
          const Shape& x = c.shape(0);
          check_float("layer_normalization", c.x(0));
          check(a.axes >= 1 && a.axes <= x.rank(), Code::InvalidArgument, "layer_normalization: expected 1 to {} axes for {}, got {}", x.rank(),
                c.x(0), a.axes);
          check(c.inputs() == 1 + a.gamma + a.beta, Code::InvalidArgument, "layer_normalization: expected {} inputs, got {}", 1 + a.gamma + a.beta,
                c.inputs());
          check_parameters(c, 1, x.slice(x.rank() - a.axes, x.rank()));
          const Shape outer = x.slice(0, x.rank() - a.axes);
          c.output(c.x(0));
          c.output(outer, c.dtype(0));
          c.output(outer, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<LayerNormAttrs>();
      int64_t rows, n;
      layer_norm_sizes(r.x(0).shape, a.axes, &rows, &n);
      with_real(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        kernels::layer_norm(r.in<T>(0), a.gamma ? r.in<T>(1) : nullptr, a.beta ? r.in<T>(1 + a.gamma) : nullptr, static_cast<T>(a.epsilon),
                            r.out<T>(), r.out<T>(1), r.out<T>(2), rows, n);
      });
      return {};
    },
    .grad = layer_norm_grad,
    .saves = saves_inputs(0, 1) | saves_output(1) | saves_output(2),
    .attrs = attrs_of<LayerNormAttrs>,
    .specimens = R"(f32[4,5] | f32[2,3,17], f32[17], f32[17] ; {"gamma": true, "beta": true}
                  | f64[3,2,5], f64[2,5] ; {"axes": 2, "gamma": true, "epsilon": 0.1} | f64[7], f64[7] ; {"beta": true} | f32[0,3]
                  | f64[2,2,2,3], f64[3], f64[3] ; {"gamma": true, "beta": true})",
};

const Op layer_norm_grad_op = {
    .name = "layer_normalization_grad",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<LayerNormAttrs>();
          const Shape& x = c.shape(1);
          check_float("layer_normalization_grad", c.x(0));
          check(a.axes >= 1 && a.axes <= x.rank(), Code::InvalidArgument, "layer_normalization_grad: expected 1 to {} axes for {}, got {}", x.rank(),
                c.x(1), a.axes);
          check(c.inputs() == 4 + a.gamma, Code::InvalidArgument, "layer_normalization_grad: expected {} inputs, got {}", 4 + a.gamma, c.inputs());
          const Shape inner = x.slice(x.rank() - a.axes, x.rank());
          c.output(c.x(1));
          c.output(inner, c.dtype(0));
          c.output(inner, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<LayerNormAttrs>();
      int64_t rows, n;
      layer_norm_sizes(r.x(1).shape, a.axes, &rows, &n);
      with_real(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        kernels::layer_norm_grad(r.in<T>(0), r.in<T>(1), a.gamma ? r.in<T>(4) : nullptr, r.in<T>(2), r.in<T>(3), r.out<T>(), r.out<T>(1), r.out<T>(2),
                                 rows, n);
      });
      return {};
    },
    .attrs = attrs_of<LayerNormAttrs>,
    .specimens = R"(f32[4,5], f32[4,5], f32[4], f32[4]{0.5..2} | f64[2,3,17], f64[2,3,17], f64[2,3], f64[2,3]{0.5..2}, f64[17] ; {"gamma": true}
                  | f32[0,3], f32[0,3], f32[0], f32[0] | f64[3,2,5], f64[3,2,5], f64[3], f64[3]{0.5..2}, f64[2,5] ; {"axes": 2, "gamma": true}
                  | f32[2,1,3,5], f32[2,1,3,5], f32[2,1,3], f32[2,1,3]{0.5..2})",
};

// x's sizes at the axes, 1 elsewhere.
Tensor beside(const Tensor& t, const Shape& x, const AxisSet& axes) {
  Shape s;
  for (int i = 0; i < x.rank(); ++i) s.push_back(axes.has(i) ? x[i] : 1);
  return reshape(t, s);
}

Tensor as(Tensor t, DType type) { return !t.defined() || t.dtype() == type ? std::move(t) : cast(std::move(t), type); }

Tensor apply_optional(const Op& op, const BatchNormAttrs& a, Tensors in) { return apply(op, in, AttrRef{&a, attrs_of<BatchNormAttrs>()}); }

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor batch_normalization(Tensor x, Tensor mean, Tensor variance, Tensor offset, Tensor scale, int axis, double epsilon) {
  x = to_float(std::move(x));
  const DType t = x.dtype(), compute = is_half(t) ? float32 : t;
  x = as(std::move(x), compute), mean = as(std::move(mean), compute), variance = as(std::move(variance), compute);
  offset = as(std::move(offset), compute), scale = as(std::move(scale), compute);
  axis = normalize_axis(axis, x.rank());
  Tensor y;
  if (axis == x.rank() - 1) {
    BatchNormAttrs a{epsilon, scale.defined(), offset.defined()};
    Tensors in{std::move(x), std::move(mean), std::move(variance)};
    if (a.scale) in.push_back(std::move(scale));
    if (a.offset) in.push_back(std::move(offset));
    y = apply_optional(batch_normalization_op, a, std::move(in));
  } else {
    const AxisSet axes({axis}, x.rank(), "batch_normalization");
    const Shape shape = x.shape();
    Tensor factor = rsqrt(beside(variance, shape, axes) + epsilon);
    if (scale.defined()) factor = factor * beside(scale, shape, axes);
    y = (std::move(x) - beside(mean, shape, axes)) * factor;
    if (offset.defined()) y = std::move(y) + beside(offset, shape, axes);
  }
  return as(std::move(y), t);
}

Tensors batch_normalization_training(Tensor x, Tensor offset, Tensor scale, int axis, double epsilon) {
  x = to_float(std::move(x));
  const DType t = x.dtype(), compute = is_half(t) ? float32 : t;
  x = as(std::move(x), compute), offset = as(std::move(offset), compute), scale = as(std::move(scale), compute);
  axis = normalize_axis(axis, x.rank());
  Tensors y;
  if (axis == x.rank() - 1) {
    BatchNormAttrs a{epsilon, scale.defined(), offset.defined()};
    Tensors in{std::move(x)};
    if (a.scale) in.push_back(std::move(scale));
    if (a.offset) in.push_back(std::move(offset));
    y = apply_all(batch_norm_training_op, in, AttrRef{&a, attrs_of<BatchNormAttrs>()});
  } else {
    Axes others;
    for (int i = 0; i < x.rank(); ++i)
      if (i != axis) others.push_back(i);
    auto [mean, variance] = moments(x, others);
    Tensor out = batch_normalization(std::move(x), mean, variance, std::move(offset), std::move(scale), axis, epsilon);
    y = {std::move(out), std::move(mean), std::move(variance)};
  }
  for (Tensor& each : y) each = as(std::move(each), t);
  return y;
}

Tensor layer_normalization(Tensor x, Tensor gamma, Tensor beta, const Axes& axis, double epsilon) {
  x = to_float(std::move(x));
  const DType t = x.dtype(), compute = is_half(t) ? float32 : t;
  x = as(std::move(x), compute), gamma = as(std::move(gamma), compute), beta = as(std::move(beta), compute);
  const AxisSet axes(axis, x.rank(), "layer_normalization");
  int trailing = 0;
  while (trailing < x.rank() && axes.has(x.rank() - 1 - trailing)) ++trailing;
  int named = 0;
  for (int i = 0; i < x.rank(); ++i) named += axes.has(i);
  Tensor y;
  if (named == trailing) {
    LayerNormAttrs a{trailing, epsilon, gamma.defined(), beta.defined()};
    Tensors in{std::move(x)};
    if (a.gamma) in.push_back(std::move(gamma));
    if (a.beta) in.push_back(std::move(beta));
    y = apply_all(layer_norm_op, in, AttrRef{&a, attrs_of<LayerNormAttrs>()})[0];
  } else {
    const Shape shape = x.shape();
    auto [mean, variance] = moments(x, axis, true);
    y = (std::move(x) - mean) * rsqrt(variance + epsilon);
    if (gamma.defined()) y = std::move(y) * beside(gamma, shape, axes);
    if (beta.defined()) y = std::move(y) + beside(beta, shape, axes);
  }
  return as(std::move(y), t);
}

void register_norm(Registry& r) {
  for (const Op* op : {&batch_normalization_op, &batch_norm_training_op, &batch_norm_training_grad_op, &layer_norm_op, &layer_norm_grad_op})
    r.add(*op);
}

}  // namespace tenure

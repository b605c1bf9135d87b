// Matrix products: matmul (batched, with transpose flags) and linear (with an epilogue). Gradients use the flags: no transposed copies.
// Prepared kernels are shared with the bounded cache of kernels/; packed weights belong to whoever asks for them.
#include "ops/box.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// Sizes of op(a) · op(b), and steps between matrices. b without batch and a not transposed: one product of all rows of a.
kernels::MatmulDesc describe(const Spec& a, const Spec& b, const Shape& y, bool ta, bool tb) noexcept {
  kernels::MatmulDesc d;
  const int ar = a.shape.rank(), br = b.shape.rank(), yr = std::max(ar, br);
  d.k = ta ? a.shape[ar - 2] : a.shape[ar - 1];
  d.n = tb ? b.shape[br - 2] : b.shape[br - 1];
  d.m = ta ? a.shape[ar - 1] : a.shape[ar - 2];
  d.transpose_a = ta;
  d.transpose_b = tb;
  d.dtype = a.dtype;
  if (!ta && product(b.shape, 0, br - 2) == 1) {
    d.m = product(a.shape, 0, ar - 1);
    return d;
  }
  d.batch_rank = yr - 2;
  int64_t as = d.m * d.k, bs = d.k * d.n;
  for (int i = yr - 3; i >= 0; --i) {
    const int64_t an = i >= yr - ar ? a.shape[i - (yr - ar)] : 1, bn = i >= yr - br ? b.shape[i - (yr - br)] : 1;
    d.batch[i] = y[i];
    d.a_stride[i] = an == 1 ? 0 : as;
    d.b_stride[i] = bn == 1 ? 0 : bs;
    as *= an;
    bs *= bn;
  }
  return d;
}

bool empty(const kernels::MatmulDesc& d) noexcept {
  int64_t n = d.m * d.n * d.k;
  for (int i = 0; i < d.batch_rank; ++i) n *= d.batch[i];
  return n == 0;
}

std::shared_ptr<const void> prepare_product(kernels::MatmulDesc d, const kernels::Epilogue& e, int threads) {
  if (empty(d) || !is_float(d.dtype)) return nullptr;
  d.epilogue = e;
  return kernels::matmul(d, threads);
}

size_t product_scratch(const Prep& p) { return p.prepared<kernels::Matmul>() ? p.prepared<kernels::Matmul>()->scratch_bytes() : 0; }
size_t product_pack_bytes(const Prep& p) { return p.prepared<kernels::Matmul>() ? p.prepared<kernels::Matmul>()->packed_bytes() : 0; }
void product_pack(const Prep& p, const void* in, void* out) noexcept { p.prepared<kernels::Matmul>()->pack(in, out); }

// ---- matmul -------------------------------------------------------------------------------------------------------------------

void infer_matmul(Infer& c) {
  const auto& at = c.attr<MatmulAttrs>();
  const Shape &a = c.shape(0), &b = c.shape(1);
  const DType t = c.dtype(0);
  check(t == c.dtype(1), Code::DType, "matmul: expected inputs of one dtype, got {} and {}", c.x(0), c.x(1));
  check(t == float32 || t == float64 || is_integer(t), Code::DType, "matmul: expected float32, float64 or integers, got {}", c.x(0));
  check(a.rank() >= 2 && b.rank() >= 2, Code::Shape, "matmul: expected matrices, got {} and {}", c.x(0), c.x(1));
  const int64_t ka = at.transpose_a ? a[a.rank() - 2] : a.back(), kb = at.transpose_b ? b.back() : b[b.rank() - 2];
  check(ka == kb || ka < 0 || kb < 0, Code::Shape, "matmul: inner sizes differ: {}{} · {}{}", c.x(0), at.transpose_a ? "ᵀ" : "", c.x(1),
        at.transpose_b ? "ᵀ" : "");
  Shape y;
  try {
    y = broadcast(a.slice(0, a.rank() - 2), b.slice(0, b.rank() - 2));
  } catch (const Error&) { fail(Code::Shape, "matmul: batch axes do not broadcast: {} · {}", c.x(0), c.x(1)); }
  y.push_back(at.transpose_a ? a.back() : a[a.rank() - 2]);
  y.push_back(at.transpose_b ? b[b.rank() - 2] : b.back());
  c.output(y, t);
}

kernels::MatmulDesc describe(const Prep& p) noexcept {
  const auto& at = p.attr<MatmulAttrs>();
  return describe(p.x(0), p.x(1), p.y().shape, at.transpose_a, at.transpose_b);
}

// Integers wrap. One matrix after the other; the batch index gives each operand's place.
template <class T>
void integer_product(const kernels::MatmulDesc& d, const T* a, const T* b, T* y, int64_t batches) noexcept {
  const int64_t am = d.transpose_a ? 1 : d.k, ak = d.transpose_a ? d.m : 1, bk = d.transpose_b ? 1 : d.n, bn = d.transpose_b ? d.k : 1;
  parallel_for(batches * d.m, 1 + 32768 / (1 + d.n * d.k), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row / d.m, ia = row % d.m * am, ib = 0;
      for (int i = d.batch_rank - 1; i >= 0; --i) {
        ia += rest % d.batch[i] * d.a_stride[i];
        ib += rest % d.batch[i] * d.b_stride[i];
        rest /= d.batch[i];
      }
      for (int64_t j = 0; j < d.n; ++j) {
        uint64_t sum = 0;
        for (int64_t k = 0; k < d.k; ++k) sum += static_cast<uint64_t>(a[ia + k * ak]) * static_cast<uint64_t>(b[ib + k * bk + j * bn]);
        y[row * d.n + j] = static_cast<T>(sum);
      }
    }
  });
}

Status run_matmul(const Run& r) noexcept {
  if (const auto* k = r.prepared<kernels::Matmul>())
    return to_status(r.packed() ? k->run_packed(r.in(0), r.packed(), nullptr, r.out(), r.scratch())
                                : k->run(r.in(0), r.in(1), nullptr, r.out(), r.scratch()));
  const kernels::MatmulDesc d = describe(r);
  if (empty(d)) {
    if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
    return {};
  }
  with_integer(d.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if constexpr (!std::is_same_v<T, bool>) integer_product(d, r.in<T>(0), r.in<T>(1), r.out<T>(), r.y().shape.elements() / (d.m * d.n));
  });
  return {};
}

Tensor rows(const Tensor& t) { return t.rank() == 2 ? t : reshape(t, {product(t.shape(), 0, t.rank() - 1), t.shape().back()}); }

// op(a)ᵀ · dy for b of rank 2, or the like for a transposed b; leading axes of a are rows.
Tensor weights_gradient(const Tensor& a, const Tensor& dy, bool ta, bool tb) {
  if (ta) return tb ? matmul(dy, a, true, true) : matmul(a, dy, false, false);
  return tb ? matmul(rows(dy), rows(a), true, false) : matmul(rows(a), rows(dy), true, false);
}

Tensors matmul_grad(const Grad& g) {
  const auto [ta, tb] = g.attr<MatmulAttrs>();
  const Tensor &a = g.x(0), &b = g.x(1), &dy = g.dy();
  Tensor da, db;
  if (g.needs(0)) da = sum_to(ta ? matmul(b, dy, tb, true) : matmul(dy, b, false, !tb), a.shape());
  if (g.needs(1)) {
    if (b.rank() == 2 && (!ta || a.rank() == 2)) db = weights_gradient(a, dy, ta, tb);
    else db = sum_to(tb ? matmul(dy, a, true, ta) : matmul(a, dy, !ta, false), b.shape());
  }
  return {da, db};
}

}  // namespace

const Op matmul_op = {
    .name = "matmul",
    .infer = infer_matmul,
    .run = run_matmul,
    .grad = matmul_grad,
    .saves = saves_inputs(0, 1),
    .attrs = attrs_of<MatmulAttrs>,
    .prepare = [](const Prep& p) -> std::shared_ptr<const void> { return prepare_product(describe(p), {}, p.threads()); },
    .scratch = product_scratch,
    .packs = 1,
    .pack_bytes = product_pack_bytes,
    .pack = product_pack,
    .specimens = R"(f32[3,5], f32[5,7] | f32[17,3], f32[17,5] ; {"transpose_a": true} | f64[2,3,4], f64[4,5]
                  | f64[2,3,4], f64[2,5,4] ; {"transpose_b": true} | f32[2,1,3,4], f32[5,4,1]
                  | f64[3,2,5,4], f64[3,1,3,5] ; {"transpose_a": true, "transpose_b": true} | f32[0,3], f32[3,2] | f32[2,0], f32[0,3]
                  | f32[0,2,3], f32[3,4] | i32[2,3], i32[3,4] | i64[2,2,3], i64[3,2] | u8[3,2], u8[3,2] ; {"transpose_a": true})",
};

// ---- linear -------------------------------------------------------------------------------------------------------------------

namespace {

void infer_linear(Infer& c) {
  const auto& a = c.attr<LinearAttrs>();
  const Shape &x = c.shape(0), &w = c.shape(1);
  const DType t = c.dtype(0);
  check(t == float32 || t == float64, Code::DType, "linear: expected float32 or float64, got {}", c.x(0));
  check(t == c.dtype(1), Code::DType, "linear: expected inputs of one dtype, got {} and {}", c.x(0), c.x(1));
  check(w.rank() == 2 && x.rank() >= 1 && (!a.transpose_x || x.rank() == 2), Code::Shape, "linear: expected x [..., k] and w [k, n], got {} and {}",
        c.x(0), c.x(1));
  const int64_t kx = a.transpose_x ? x[0] : x.back(), kw = a.transpose_w ? w[1] : w[0];
  check(kx == kw || kx < 0 || kw < 0, Code::Shape, "linear: inner sizes differ: {} · {}", c.x(0), c.x(1));
  Shape y = a.transpose_x ? x.slice(1, 2) : x.slice(0, x.rank() - 1);
  y.push_back(a.transpose_w ? w[0] : w[1]);
  check_epilogue(c, a.epilogue, {y, t}, 2);
  c.output(y, t);
}

kernels::MatmulDesc describe_linear(const Prep& p) noexcept {
  const auto& a = p.attr<LinearAttrs>();
  const Shape &x = p.x(0).shape, &w = p.x(1).shape;
  kernels::MatmulDesc d;
  d.m = a.transpose_x ? x[1] : product(x, 0, x.rank() - 1);
  d.k = a.transpose_w ? w[1] : w[0];
  d.n = a.transpose_w ? w[0] : w[1];
  d.transpose_a = a.transpose_x;
  d.transpose_b = a.transpose_w;
  d.dtype = p.x(0).dtype;
  return d;
}

Status run_linear(const Run& r) noexcept {
  const auto& e = r.attr<LinearAttrs>().epilogue;
  const auto* k = r.prepared<kernels::Matmul>();
  if (!k) {
    run_empty_product(r, e, 2);
    return {};
  }
  place_residual(r, e, 2);
  const void* bias = e.bias ? r.in(2) : nullptr;
  return to_status(r.packed() ? k->run_packed(r.in(0), r.packed(), bias, r.out(), r.scratch())
                              : k->run(r.in(0), r.in(1), bias, r.out(), r.scratch()));
}

Tensors linear_grad(const Grad& g) {
  const auto& a = g.attr<LinearAttrs>();
  const EpilogueAttrs& e = a.epilogue;
  Tensor dz = g.dy();
  if (!e.activation.empty()) {
    // The value before the activation is made again: only the fusion pass and callers without a tape use this form.
    LinearAttrs plain = a;
    plain.epilogue.activation.clear();
    Tensors in;
    for (int i = 0; i < g.inputs(); ++i) in.push_back(g.x(i));
    dz = activate_backward(apply(linear_op, in, AttrRef{&plain, attrs_of<LinearAttrs>()}), dz, e.activation, e.alpha);
  }
  Tensors d(static_cast<size_t>(g.inputs()));
  if (g.needs(0))
    d[0] = a.transpose_x ? matmul(g.x(1), dz, a.transpose_w, true) : dz.rank() >= 2 ? matmul(dz, g.x(1), false, !a.transpose_w) : Tensor{};
  if (g.needs(0) && dz.rank() == 1) d[0] = reshape(matmul(expand_dims(dz, 0), g.x(1), false, !a.transpose_w), g.xspec(0).shape);
  if (g.needs(1)) {
    const bool vector = dz.rank() == 1;
    d[1] = weights_gradient(vector ? expand_dims(g.x(0), 0) : g.x(0), vector ? expand_dims(dz, 0) : dz, a.transpose_x, a.transpose_w);
  }
  size_t next = 2;
  if (e.bias) {
    if (g.needs(2)) d[2] = sum_to(dz, g.xspec(2).shape);
    ++next;
  }
  if (e.sum && g.needs(static_cast<int>(next))) d[next] = dz;
  return d;
}

}  // namespace

const Op linear_op = {
    .name = "linear",
    .infer = infer_linear,
    .run = run_linear,
    .grad = linear_grad,
    .saves = saves_inputs(0, 1) | saves_inputs(2, 3),
    .attrs = attrs_of<LinearAttrs>,
    .prepare = [](const Prep& p) -> std::shared_ptr<const void> {
      return prepare_product(describe_linear(p), epilogue_of(p.attr<LinearAttrs>().epilogue), p.threads());
    },
    .scratch = product_scratch,
    .packs = 1,
    .pack_bytes = product_pack_bytes,
    .pack = product_pack,
    .specimens = R"(f32[3,5], f32[5,7] | f32[3,17], f32[17,10], f32[10] ; {"bias": true, "activation": "relu"}
                  | f64[2,3,4], f64[4,5], f64[5] ; {"bias": true, "activation": "tanh"} | f64[4], f64[4,3], f64[3] ; {"bias": true}
                  | f64[5,3], f64[4,5] ; {"transpose_x": true, "transpose_w": true}
                  | f64[3,4], f64[4,2], f64[2], f64[3,2] ; {"bias": true, "sum": true, "activation": "gelu"}
                  | f32[0,3], f32[3,2], f32[2] ; {"bias": true} | f32[2,0], f32[0,3], f32[3] ; {"bias": true, "activation": "sigmoid"}
                  | f64[2,1,3,5], f64[5,1] ; {"activation": "leaky_relu", "alpha": 0.2})",
};

}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor matmul(Tensor a, Tensor b, bool transpose_a, bool transpose_b) {
  const bool bytes = a.dtype() == int8 && b.dtype() == int8;
  promote_pair(a, b);
  const DType t = a.dtype();
  check(a.rank() >= 1 && b.rank() >= 1, Code::Shape, "matmul: expected at least one axis, got {} and {}", a.spec(), b.spec());
  // The kernels know float32, float64 and wrapping integers. Two int8 give int32, as in Keras.
  if (is_half(t)) return cast(matmul(cast(std::move(a), float32), cast(std::move(b), float32), transpose_a, transpose_b), t);
  if (t == int8 || t == bool_) {
    Tensor y = matmul(cast(std::move(a), int32), cast(std::move(b), int32), transpose_a, transpose_b);
    return bytes ? y : cast(std::move(y), t);
  }
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) a = expand_dims(std::move(a), 0);
  if (column) b = expand_dims(std::move(b), 1);
  Tensor y = apply_with(matmul_op, MatmulAttrs{transpose_a && !row, transpose_b && !column}, std::move(a), std::move(b));
  if (column) y = squeeze(std::move(y), {-1});
  if (row) y = squeeze(std::move(y), {column ? -1 : -2});
  return y;
}

Tensor linear(Tensor x, Tensor w, Tensor b, std::string_view activation) {
  promote_pair(x, w);
  x = to_float(std::move(x));
  w = to_float(std::move(w));
  const DType t = x.dtype();
  if (b.defined() && b.dtype() != t) b = cast(std::move(b), t);
  if (is_half(t))
    return cast(linear(cast(std::move(x), float32), cast(std::move(w), float32), b.defined() ? cast(std::move(b), float32) : b, activation), t);
  // Under a tape the activation is an op of its own, which saves just what its gradient reads.
  const bool fuse = fusable_activation(activation) && !recording();
  LinearAttrs attrs;
  attrs.epilogue = {b.defined(), fuse ? std::string(activation) : std::string(), default_alpha(activation), false};
  Tensor y =
      b.defined() ? apply_with(linear_op, attrs, std::move(x), std::move(w), std::move(b)) : apply_with(linear_op, attrs, std::move(x), std::move(w));
  return fuse || activation.empty() ? y : activate(std::move(y), activation, default_alpha(activation));
}

void register_linalg(Registry& r) {
  r.add(matmul_op);
  r.add(linear_op);
}

}  // namespace tenure

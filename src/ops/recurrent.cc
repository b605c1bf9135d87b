// Recurrence over time as one op: the inputs were projected for all steps at once, what is left is a small product and the gates of each step.
// LSTM: Hochreiter & Schmidhuber 1997 with forget gates; GRU: Cho et al. 2014 in the form of keras.layers.GRU(reset_after=True).
// The gates take the buffer of the projected inputs, which the gradient reads instead of them. Nothing here owns anything.
#include "ops/recurrent.h"

#include <cstring>

#include "kernels/dnn.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/recurrent_parts.h"

namespace tenure::ops {
namespace {

void infer_recurrent(Infer& c) {
  const auto& a = c.attr<RecurrentAttrs>();
  check_attrs(c, a);
  const Cell cell = cell_of(a);
  const int64_t gates = gates_of(cell);
  const int want = 3 + (cell != Cell::simple) + a.masked;
  check(c.inputs() == want, Code::InvalidArgument, "recurrent: expected {} inputs, got {}", want, c.inputs());
  const Shape &z = c.shape(0), &k = c.shape(1);
  check(k.rank() == 2 && z.rank() == 3, Code::Shape,
        "recurrent: expected z [time, batch, gates * units] and a kernel [units, gates * units], got {}, {}", c.x(0), c.x(1));
  const int64_t u = k[0], n = u < 0 ? -1 : gates * u;
  bool fits = agrees(z, {-1, -1, n}) && agrees(k, {u, n}) && agrees(c.shape(2), {z[1], u});
  if (cell == Cell::lstm) fits &= agrees(c.shape(3), {z[1], u});
  if (cell == Cell::gru) fits &= agrees(c.shape(3), {n});
  if (a.masked) fits &= agrees(c.shape(want - 1), {z[0], z[1]}) && c.dtype(want - 1) == bool_;
  check(fits, Code::Shape, "recurrent ({}): the inputs' shapes do not agree", a.cell);
  const DType t = c.dtype(0);
  for (int i = 0; i < 3 + (cell != Cell::simple); ++i)
    check((t == float32 || t == float64) && c.dtype(i) == t, Code::DType, "recurrent: expected float32 or float64 everywhere, got {}", c.x(i));
  c.output(z, t);
  if (cell == Cell::simple) return;
  c.output({z[0], z[1], u}, t);
  c.output({z[0], z[1], u}, t);
}

// ---- forward ------------------------------------------------------------------------------------------------------------------

struct Forward {
  std::shared_ptr<const kernels::Matmul> step;
};

std::shared_ptr<const void> prepare_recurrent(const Prep& p) {
  const Sizes s = sizes_of(p.attr<RecurrentAttrs>(), p.x(0).shape, p.x(1).shape);
  if (s.empty()) return nullptr;
  auto f = std::make_shared<Forward>();
  kernels::MatmulDesc d{.m = s.batch, .n = s.gates * s.units, .k = s.units, .accumulate = s.cell != Cell::gru, .dtype = p.x(0).dtype};
  if (s.cell == Cell::gru) d.epilogue.bias = true;
  f->step = kernels::matmul(d, p.threads());
  return f;
}

// Scratch: of the product, the packed kernel, then gru's product of a step.
size_t recurrent_scratch(const Prep& p) {
  const auto* f = p.prepared<Forward>();
  if (!f) return 0;
  const Sizes s = sizes_of(p.attr<RecurrentAttrs>(), p.x(0).shape, p.x(1).shape);
  return rounded(f->step->scratch_bytes()) + rounded(f->step->packed_bytes()) +
         (s.cell == Cell::gru ? rounded(static_cast<size_t>(s.step()) * size_of(p.x(0).dtype)) : 0);
}

template <class T>
void simple_row(Curves c, T* h, const T* before, bool kept, int64_t u) noexcept {
  if (kept) apply_curve(c.own, h, u);
  else std::memcpy(h, before, static_cast<size_t>(u) * sizeof(T));
}

template <class T>
void lstm_row(Curves k, T* g, const T* h0, const T* c0, T* h, T* c, bool kept, int64_t u) noexcept {
  if (!kept) {
    std::memset(g, 0, static_cast<size_t>(4 * u) * sizeof(T));
    std::memcpy(h, h0, static_cast<size_t>(u) * sizeof(T));
    std::memcpy(c, c0, static_cast<size_t>(u) * sizeof(T));
    return;
  }
  apply_curve(k.gate, g, 2 * u);
  apply_curve(k.own, g + 2 * u, u);
  apply_curve(k.gate, g + 3 * u, u);
  for (int64_t i = 0; i < u; ++i) h[i] = c[i] = g[u + i] * c0[i] + g[i] * g[2 * u + i];
  apply_curve(k.own, h, u);
  for (int64_t i = 0; i < u; ++i) h[i] *= g[3 * u + i];
}

template <class T>
void gru_row(Curves k, T* g, const T* product, const T* h0, T* h, T* inner, bool kept, int64_t u) noexcept {
  if (!kept) {
    std::memset(g, 0, static_cast<size_t>(3 * u) * sizeof(T));
    std::memset(inner, 0, static_cast<size_t>(u) * sizeof(T));
    std::memcpy(h, h0, static_cast<size_t>(u) * sizeof(T));
    return;
  }
  for (int64_t i = 0; i < 2 * u; ++i) g[i] += product[i];
  apply_curve(k.gate, g, 2 * u);
  for (int64_t i = 0; i < u; ++i) {
    inner[i] = product[2 * u + i];
    g[2 * u + i] += g[u + i] * inner[i];
  }
  apply_curve(k.own, g + 2 * u, u);
  for (int64_t i = 0; i < u; ++i) h[i] = g[i] * h0[i] + (1 - g[i]) * g[2 * u + i];
}

template <class T>
Status forward(const Run& r, const Sizes& s) noexcept {
  const auto& a = r.attr<RecurrentAttrs>();
  const auto* f = r.prepared<Forward>();
  const Curves curves{curve_of(a.activation), curve_of(a.recurrent_activation)};
  T* gates = r.out<T>(0);
  if (gates != r.in<T>(0)) std::memcpy(gates, r.in<T>(0), r.x(0).bytes());
  const bool* mask = a.masked ? r.in<bool>(r.inputs() - 1) : nullptr;
  auto* scratch = r.scratch<std::byte>();
  auto* packed = scratch + rounded(f->step->scratch_bytes());
  T* product = reinterpret_cast<T*>(packed + rounded(f->step->packed_bytes()));
  const void* weights = r.packed();
  if (!weights && f->step->packed_bytes() && s.steps > 2) {
    if (!f->step->pack(r.in(1), packed)) return {Code::Internal, "the kernel failed"};
    weights = packed;
  }
  T *h = s.cell == Cell::simple ? gates : r.out<T>(1), *third = s.cell == Cell::simple ? nullptr : r.out<T>(2);
  const T *h0 = r.in<T>(2), *c0 = s.cell == Cell::lstm ? r.in<T>(3) : nullptr, *bias = s.cell == Cell::gru ? r.in<T>(3) : nullptr;
  for (int64_t t = 0; t < s.steps; ++t, gates += s.step(), h += s.state(), third += third ? s.state() : 0) {
    T* y = s.cell == Cell::gru ? product : gates;
    const kernels::Status done = weights ? f->step->run_packed(h0, weights, bias, y, scratch) : f->step->run(h0, r.in(1), bias, y, scratch);
    if (!done) return to_status(done);
    each_row(s, [&](int64_t b) {
      const bool kept = !mask || mask[t * s.batch + b];
      const int64_t at = b * s.units, wide = at * s.gates;
      if (s.cell == Cell::simple) simple_row(curves, h + at, h0 + at, kept, s.units);
      else if (s.cell == Cell::lstm) lstm_row(curves, gates + wide, h0 + at, c0 + at, h + at, third + at, kept, s.units);
      else gru_row(curves, gates + wide, product + wide, h0 + at, h + at, third + at, kept, s.units);
    });
    h0 = h;
    if (s.cell == Cell::lstm) c0 = third;
  }
  return {};
}

Status run_recurrent(const Run& r) noexcept {
  const Sizes s = sizes_of(r.attr<RecurrentAttrs>(), r.x(0).shape, r.x(1).shape);
  if (s.empty()) {
    for (int i = 0; i < r.outputs(); ++i)
      if (r.y(i).bytes()) std::memset(r.out(i), 0, r.y(i).bytes());
    return {};
  }
  return with_real(r.x(0).dtype, [&](auto type) { return forward<typename decltype(type)::type>(r, s); });
}

/// All steps of a recurrent layer.
const Op recurrent_op = {
    .name = "recurrent",
    .infer = infer_recurrent,
    .run = run_recurrent,
    .grad = recurrent_grad,
    .saves = saves_inputs(1, 2) | saves_inputs(3, 4) | saves_output(0) | saves_output(1) | saves_output(2),
    .traits = inplace,
    .attrs = attrs_of<RecurrentAttrs>,
    .prepare = prepare_recurrent,
    .scratch = recurrent_scratch,
    .specimens =
        R"(f32[3,2,5], f32[5,5], f32[2,5] ; {"cell": "simple_rnn"} | f64[4,2,3], f64[3,3], f64[2,3], b[4,2] ; {"cell": "simple_rnn", "masked": true}
                  | f32[3,2,20], f32[5,20], f32[2,5], f32[2,5] | f64[3,2,12], f64[3,12], f64[2,3], f64[2,3], b[3,2] ; {"masked": true}
                  | f64[2,3,8], f64[2,8], f64[3,2], f64[3,2] ; {"activation": "relu", "recurrent_activation": "hard_sigmoid"}
                  | f32[5,3,9], f32[3,9], f32[3,3], f32[9] ; {"cell": "gru"} | f64[4,2,6], f64[2,6], f64[2,2], f64[6], b[4,2] ; {"cell": "gru", "masked": true}
                  | f64[1,2,3], f64[1,3], f64[2,1], f64[3] ; {"cell": "gru", "activation": "linear"} | f32[2,0,12], f32[3,12], f32[0,3], f32[0,3])",
};

}  // namespace

bool recurrent_activation(std::string_view name) noexcept { return name == "linear" || curve_of(name) != Curve::linear; }

Tensors recurrent(const RecurrentAttrs& attrs, Tensor z, Tensor kernel, Tensor h0, Tensor second, Tensor mask) {
  RecurrentAttrs a = attrs;
  a.masked = mask.defined();
  const DType t = z.dtype();
  Tensors in{std::move(z), std::move(kernel), std::move(h0)};
  if (second.defined()) in.push_back(std::move(second));
  for (Tensor& x : in)
    if (is_half(t)) x = cast(std::move(x), float32);
  if (mask.defined()) in.push_back(std::move(mask));
  Tensors out = apply_all(recurrent_op, in, AttrRef{&a, attrs_of<RecurrentAttrs>()});
  const Cell cell = cell_of(a);
  Tensors states{std::move(out[cell == Cell::simple ? 0 : 1])};
  if (cell == Cell::lstm) states.push_back(std::move(out[2]));
  for (Tensor& s : states)
    if (is_half(t)) s = cast(std::move(s), t);
  return states;
}

}  // namespace tenure::ops

namespace tenure {

void register_recurrent_ops(Registry& r) {
  r.add(ops::recurrent_op);
  r.add(ops::recurrent_grad_op);
}

}  // namespace tenure

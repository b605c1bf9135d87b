// The gradient of a recurrence: one op that goes back through time, or, where its own gradient will be asked for, the same in ordinary ops.
// Nothing here owns anything.
#include <cstring>
#include <vector>

#include "kernels/dnn.h"
#include "ops/fused.h"
#include "ops/recurrent_parts.h"

namespace tenure::ops {
namespace {

// ---- the gradient as one op ------------------------------------------------------------------------------------------------------
// Inputs: the gradients that arrived (bits of `given`), the outputs, the recurrent kernel, h0, lstm's c0, the mask.
// Outputs: of z, of the kernel, of h0, and of lstm's c0 or gru's bias.

struct BackAttrs {
  RecurrentAttrs of;
  int given = 0;
};
template <class V>
void fields(V& v, BackAttrs& a) {
  fields(v, a.of), v("given", a.given);
}

int arrived(const BackAttrs& a) noexcept { return (a.given & 1) + (a.given >> 1 & 1) + (a.given >> 2 & 1); }

void infer_back(Infer& c) {
  const auto& a = c.attr<BackAttrs>();
  check_attrs(c, a.of);
  const Cell cell = cell_of(a.of);
  const int first = arrived(a), ys = outputs_of(cell), want = first + ys + 2 + (cell == Cell::lstm) + a.of.masked;
  check(a.given >= 0 && a.given < 1 << ys && c.inputs() == want, Code::InvalidArgument, "recurrent_grad: expected {} inputs, got {}", want,
        c.inputs());
  const Shape &z = c.shape(first), &k = c.shape(first + ys), &h0 = c.shape(first + ys + 1);
  const int64_t gates = gates_of(cell);
  bool fits = z.rank() == 3 && k.rank() == 2 && h0.rank() == 2 && agrees(k, {h0[1], h0[1] < 0 ? -1 : gates * h0[1]}) && agrees(z, {-1, h0[0], k[1]});
  for (int i = 0, at = 0; fits && i < ys; ++i)
    if (a.given >> i & 1) fits = agrees(c.shape(at++), {z[0], z[1], i == 0 ? z[2] : h0[1]});
  for (int i = 1; fits && i < ys; ++i) fits = agrees(c.shape(first + i), {z[0], z[1], h0[1]});
  if (fits && cell == Cell::lstm) fits = agrees(c.shape(first + ys + 2), {h0[0], h0[1]});
  if (fits && a.of.masked) fits = agrees(c.shape(want - 1), {z[0], z[1]}) && c.dtype(want - 1) == bool_;
  check(fits, Code::Shape, "recurrent_grad ({}): the inputs' shapes do not agree", a.of.cell);
  const DType t = c.dtype(first);
  for (int i = 0; i < want - a.of.masked; ++i)
    check((t == float32 || t == float64) && c.dtype(i) == t, Code::DType, "recurrent_grad: expected float32 or float64 everywhere, got {}", c.x(i));
  c.output(z, t);
  c.output(k, t);
  c.output(h0, t);
  if (cell == Cell::lstm) c.output(h0, t);
  if (cell == Cell::gru) c.output({k[1]}, t);
}

struct Backward {
  std::shared_ptr<const kernels::Matmul> step, weights, first;
};

// What a call of recurrent_grad reads, by name.
struct BackSizes : Sizes {
  int first;
  BackSizes(const Prep& p) noexcept
      : Sizes(sizes_of(p.attr<BackAttrs>().of, p.x(arrived(p.attr<BackAttrs>())).shape,
                       p.x(arrived(p.attr<BackAttrs>()) + outputs_of(cell_of(p.attr<BackAttrs>().of))).shape)),
        first(arrived(p.attr<BackAttrs>())) {}
};

std::shared_ptr<const void> prepare_back(const Prep& p) {
  const BackSizes s(p);
  if (s.empty()) return nullptr;
  auto f = std::make_shared<Backward>();
  const DType t = p.y().dtype;
  const int64_t n = s.gates * s.units;
  f->step = kernels::matmul({.m = s.batch, .n = s.units, .k = n, .transpose_b = true, .accumulate = true, .dtype = t}, p.threads());
  f->first = kernels::matmul({.m = s.units, .n = n, .k = s.batch, .transpose_a = true, .dtype = t}, p.threads());
  if (s.steps > 1)
    f->weights =
        kernels::matmul({.m = s.units, .n = n, .k = s.batch * (s.steps - 1), .transpose_a = true, .accumulate = true, .dtype = t}, p.threads());
  return f;
}

// Scratch: of the products, the packed kernel, a row of tanh for each row of the batch, gru's gradients of the products.
size_t products_scratch(const Backward& f) noexcept {
  size_t n = std::max(f.step->scratch_bytes(), f.first->scratch_bytes());
  return rounded(f.weights ? std::max(n, f.weights->scratch_bytes()) : n);
}
size_t back_scratch(const Prep& p) {
  const auto* f = p.prepared<Backward>();
  if (!f) return 0;
  const BackSizes s(p);
  const size_t size = size_of(p.y().dtype);
  return products_scratch(*f) + rounded(f->step->packed_bytes()) + rounded(static_cast<size_t>(s.state()) * size) +
         (s.cell == Cell::gru ? rounded(static_cast<size_t>(s.step() * s.steps) * size) : 0);
}

// Pointers into one step; null where nothing arrived.
template <class T>
struct Step {
  const T *dgates, *dh, *dthird;  // arrived
  const T *gates, *h_before, *third, *c_before;
  T *dz, *dproduct, *carry_h, *carry_c, *row;
};

template <class T>
void simple_back(Curves k, const Step<T>& s, bool kept, int64_t u) noexcept {
  for (int64_t i = 0; i < u; ++i) {
    const T dh = s.carry_h[i] + (s.dgates ? s.dgates[i] : 0);
    s.dz[i] = kept ? dh * slope(k.own, s.gates[i]) : 0;
    s.carry_h[i] = kept ? 0 : dh;
  }
}

template <class T>
void lstm_back(Curves k, const Step<T>& s, bool kept, int64_t u) noexcept {
  if (!kept) {
    std::memset(s.dz, 0, static_cast<size_t>(4 * u) * sizeof(T));
    for (int64_t i = 0; i < u; ++i) {
      if (s.dh) s.carry_h[i] += s.dh[i];
      if (s.dthird) s.carry_c[i] += s.dthird[i];
    }
    return;
  }
  std::memcpy(s.row, s.third, static_cast<size_t>(u) * sizeof(T));
  apply_curve(k.own, s.row, u);
  const T *in = s.gates, *forget = in + u, *cand = in + 2 * u, *out = in + 3 * u;
  for (int64_t i = 0; i < u; ++i) {
    const T dh = s.carry_h[i] + (s.dh ? s.dh[i] : 0);
    const T dc = s.carry_c[i] + (s.dthird ? s.dthird[i] : 0) + dh * out[i] * slope(k.own, s.row[i]);
    T di = dc * cand[i], df = dc * s.c_before[i], dg = dc * in[i], dout = dh * s.row[i];
    if (s.dgates) di += s.dgates[i], df += s.dgates[u + i], dg += s.dgates[2 * u + i], dout += s.dgates[3 * u + i];
    s.dz[i] = di * slope(k.gate, in[i]);
    s.dz[u + i] = df * slope(k.gate, forget[i]);
    s.dz[2 * u + i] = dg * slope(k.own, cand[i]);
    s.dz[3 * u + i] = dout * slope(k.gate, out[i]);
    s.carry_h[i] = 0;
    s.carry_c[i] = dc * forget[i];
  }
}

template <class T>
void gru_back(Curves k, const Step<T>& s, bool kept, int64_t u) noexcept {
  if (!kept) {
    std::memset(s.dz, 0, static_cast<size_t>(3 * u) * sizeof(T));
    std::memset(s.dproduct, 0, static_cast<size_t>(3 * u) * sizeof(T));
    for (int64_t i = 0; s.dh && i < u; ++i) s.carry_h[i] += s.dh[i];
    return;
  }
  const T *update = s.gates, *reset = update + u, *cand = update + 2 * u;
  for (int64_t i = 0; i < u; ++i) {
    const T dh = s.carry_h[i] + (s.dh ? s.dh[i] : 0);
    T du = dh * (s.h_before[i] - cand[i]), dcand = dh * (1 - update[i]);
    if (s.dgates) du += s.dgates[i], dcand += s.dgates[2 * u + i];
    const T da = dcand * slope(k.own, cand[i]);
    const T dr = da * s.third[i] + (s.dgates ? s.dgates[u + i] : 0);
    s.dz[i] = s.dproduct[i] = du * slope(k.gate, update[i]);
    s.dz[u + i] = s.dproduct[u + i] = dr * slope(k.gate, reset[i]);
    s.dz[2 * u + i] = da;
    s.dproduct[2 * u + i] = da * reset[i] + (s.dthird ? s.dthird[i] : 0);
    s.carry_h[i] = dh * update[i];
  }
}

template <class T>
Status backward(const Run& r, const BackSizes& s) noexcept {
  const auto& a = r.attr<BackAttrs>();
  const auto* f = r.prepared<Backward>();
  const Curves curves{curve_of(a.of.activation), curve_of(a.of.recurrent_activation)};
  const T* dy[3] = {};
  for (int i = 0, at = 0; i < outputs_of(s.cell); ++i)
    if (a.given >> i & 1) dy[i] = r.in<T>(at++);
  const int k = s.first + outputs_of(s.cell);
  const T *gates = r.in<T>(s.first), *h = s.cell == Cell::simple ? gates : r.in<T>(s.first + 1),
          *third = s.cell == Cell::simple ? nullptr : r.in<T>(s.first + 2), *h0 = r.in<T>(k + 1),
          *c0 = s.cell == Cell::lstm ? r.in<T>(k + 2) : nullptr;
  const bool* mask = a.of.masked ? r.in<bool>(r.inputs() - 1) : nullptr;
  auto* scratch = r.scratch<std::byte>();
  auto* packed = scratch + products_scratch(*f);
  T* rows = reinterpret_cast<T*>(packed + rounded(f->step->packed_bytes()));
  T* dproducts = s.cell == Cell::gru ? reinterpret_cast<T*>(reinterpret_cast<std::byte*>(rows) + rounded(static_cast<size_t>(s.state()) * sizeof(T)))
                                     : r.out<T>(0);
  const bool pack = f->step->packed_bytes() && s.steps > 2;
  if (pack && !f->step->pack(r.in(k), packed)) return {Code::Internal, "the kernel failed"};
  T *dz = r.out<T>(0), *carry_h = r.out<T>(2), *carry_c = s.cell == Cell::lstm ? r.out<T>(3) : nullptr;
  std::memset(carry_h, 0, r.y(2).bytes());
  if (carry_c) std::memset(carry_c, 0, r.y(3).bytes());
  for (int64_t t = s.steps - 1; t >= 0; --t) {
    const int64_t wide = t * s.step(), narrow = t * s.state();
    each_row(s, [&](int64_t b) {
      const bool kept = !mask || mask[t * s.batch + b];
      const int64_t at = b * s.units, in = narrow + at, gate = wide + at * s.gates;
      auto from = [](const T* p, int64_t i) { return p ? p + i : nullptr; };
      const Step<T> step{from(dy[0], gate),
                         from(dy[1], in),
                         from(dy[2], in),
                         gates + gate,
                         t > 0 ? h + in - s.state() : h0 + at,
                         from(third, in),
                         t > 0 ? from(third, in - s.state()) : from(c0, at),
                         dz + gate,
                         dproducts + gate,
                         carry_h + at,
                         carry_c ? carry_c + at : nullptr,
                         rows + at};
      if (s.cell == Cell::simple) simple_back(curves, step, kept, s.units);
      else if (s.cell == Cell::lstm) lstm_back(curves, step, kept, s.units);
      else gru_back(curves, step, kept, s.units);
    });
    const T* d = dproducts + wide;
    const kernels::Status done =
        pack ? f->step->run_packed(d, packed, nullptr, carry_h, scratch) : f->step->run(d, r.in(k), nullptr, carry_h, scratch);
    if (!done) return to_status(done);
  }
  if (kernels::Status done = f->first->run(h0, dproducts, nullptr, r.out(1), scratch); !done) return to_status(done);
  if (f->weights)
    if (kernels::Status done = f->weights->run(h, dproducts + s.step(), nullptr, r.out(1), scratch); !done) return to_status(done);
  if (s.cell == Cell::gru) kernels::reduce_columns(kernels::Reduce::sum, dproducts, r.out<T>(3), s.steps * s.batch, s.gates * s.units);
  return {};
}

Status run_back(const Run& r) noexcept {
  const BackSizes s(r);
  if (s.empty()) {
    for (int i = 0; i < r.outputs(); ++i)
      if (r.y(i).bytes()) std::memset(r.out(i), 0, r.y(i).bytes());
    return {};
  }
  return with_real(r.y().dtype, [&](auto type) { return backward<typename decltype(type)::type>(r, s); });
}

}  // namespace

const Op recurrent_grad_op = {
    .name = "recurrent_grad",
    .infer = infer_back,
    .run = run_back,
    .attrs = attrs_of<BackAttrs>,
    .prepare = prepare_back,
    .scratch = back_scratch,
    .specimens = R"(f32[3,2,5], f32[3,2,5], f32[5,5], f32[2,5] ; {"cell": "simple_rnn", "given": 1}
                  | f64[3,2,3], f64[3,2,12], f64[3,2,3], f64[3,2,3], f64[3,12], f64[2,3], f64[2,3] ; {"given": 2}
                  | f32[1,2,1], f32[1,2,3], f32[1,2,1], f32[1,2,1], f32[1,3], f32[2,1], b[1,2] ; {"cell": "gru", "given": 4, "masked": true}
                  | f32[2,0,3], f32[2,0,12], f32[2,0,3], f32[2,0,3], f32[3,12], f32[0,3], f32[0,3] ; {"given": 2})",
};

namespace {

// ---- the gradient in ops, for gradients of it --------------------------------------------------------------------------------------

Tensor at(const Tensor& x, int64_t t) { return squeeze(slice_axis(x, 0, t, t + 1), {0}); }

Tensor curved(Tensor dy, const Tensor& y, std::string_view name) {
  switch (curve_of(name)) {
    case Curve::linear: return dy;
    case Curve::tanh: return std::move(dy) * (1.0 - square(y));
    case Curve::sigmoid: return std::move(dy) * y * (1.0 - y);
    case Curve::hard_sigmoid: return std::move(dy) * cast(logical_and(greater(y, 0.0), less(y, 1.0)), y.dtype()) * (1.0 / 6);
    case Curve::relu: return std::move(dy) * cast(greater(y, 0.0), y.dtype());
  }
  return dy;
}

struct Carried {
  Tensor h, c;  // stack-bound
};

// One step back: the gradients of z and of the product with the state (the same but for gru).
std::pair<Tensor, Tensor> step_back(const Grad& g, Cell cell, int64_t t, Carried& carry) {
  const auto& a = g.attr<RecurrentAttrs>();
  auto add_given = [&](Tensor& d, int output) {
    if (g.dy(output).defined()) d = d.defined() ? std::move(d) + at(g.dy(output), t) : at(g.dy(output), t);
  };
  const Tensor y = at(g.y(0), t);
  Tensor before = t > 0 ? at(g.y(cell == Cell::simple ? 0 : 1), t - 1) : g.x(2);
  if (cell == Cell::simple) {
    add_given(carry.h, 0);
    Tensor dz = curved(carry.h, y, a.activation);
    carry.h = zeros_like(carry.h);
    return {dz, dz};
  }
  add_given(carry.h, 1);
  Tensors gate = split(y, gates_of(cell), -1), given(4);
  if (g.dy(0).defined()) given = split(at(g.dy(0), t), gates_of(cell), -1);
  auto with = [&](Tensor d, size_t i) { return given[i].defined() ? std::move(d) + given[i] : std::move(d); };
  if (cell == Cell::lstm) {
    add_given(carry.c, 2);
    Tensor out = a.activation == "linear" ? at(g.y(2), t) : activate(at(g.y(2), t), a.activation, 0);
    Tensor c0 = t > 0 ? at(g.y(2), t - 1) : g.x(3);
    Tensor dc = carry.c + curved(carry.h * gate[3], out, a.activation);
    Tensor dz =
        concatenate({curved(with(dc * gate[2], 0), gate[0], a.recurrent_activation), curved(with(dc * c0, 1), gate[1], a.recurrent_activation),
                     curved(with(dc * gate[0], 2), gate[2], a.activation), curved(with(carry.h * out, 3), gate[3], a.recurrent_activation)},
                    -1);
    carry.h = zeros_like(carry.h);
    carry.c = dc * gate[1];
    return {dz, dz};
  }
  Tensor inner = at(g.y(2), t), dinner;
  Tensor da = curved(with(carry.h * (1.0 - gate[0]), 2), gate[2], a.activation);
  Tensor du = curved(with(carry.h * (before - gate[2]), 0), gate[0], a.recurrent_activation);
  Tensor dr = curved(with(da * inner, 1), gate[1], a.recurrent_activation);
  dinner = da * gate[1];
  add_given(dinner, 2);
  carry.h = carry.h * gate[0];
  return {concatenate({du, dr, da}, -1), concatenate({du, dr, dinner}, -1)};
}

Tensors by_steps(const Grad& g) {
  const auto& a = g.attr<RecurrentAttrs>();
  const Cell cell = cell_of(a);
  const Tensor &kernel = g.x(1), &h0 = g.x(2);
  const int64_t steps = g.yspec(0).shape[0], mask = g.inputs() - 1;
  const Shape wide = g.yspec(0).shape;
  Carried carry{zeros_like(h0), cell == Cell::lstm ? zeros_like(h0) : Tensor()};
  Tensors dz(static_cast<size_t>(steps)), dproduct(static_cast<size_t>(steps));
  for (int64_t t = steps - 1; t >= 0; --t) {
    Carried stay = carry;
    auto [d, p] = step_back(g, cell, t, carry);
    if (a.masked) {
      // Where the mask is false nothing happened but what arrived here passes on.
      Tensor kept = expand_dims(cast(at(g.x(static_cast<int>(mask)), t), h0.dtype()), -1), left = 1.0 - kept;
      const int state = cell == Cell::simple ? 0 : 1;
      if (g.dy(state).defined()) stay.h = stay.h + at(g.dy(state), t);
      if (cell == Cell::lstm && g.dy(2).defined()) stay.c = stay.c + at(g.dy(2), t);
      d = d * kept, p = p * kept;
      carry.h = carry.h * kept + stay.h * left;
      if (cell == Cell::lstm) carry.c = carry.c * kept + stay.c * left;
    }
    carry.h = carry.h + matmul(p, kernel, false, true);
    dz[static_cast<size_t>(t)] = d, dproduct[static_cast<size_t>(t)] = p;
  }
  if (steps == 0) return {zeros(wide, h0.dtype()), zeros_like(kernel), carry.h, carry.c};
  const Tensor& h = g.y(cell == Cell::simple ? 0 : 1);
  Tensor before = concatenate({expand_dims(h0, 0), slice_axis(h, 0, 0, steps - 1)}, 0), all = stack(dproduct, 0);
  Tensor dk = matmul(reshape(before, {wide[0] * wide[1], h0.dim(1)}), reshape(all, {wide[0] * wide[1], wide[2]}), true, false);
  Tensors out{stack(dz, 0), dk, carry.h};
  if (cell == Cell::lstm) out.push_back(carry.c);
  if (cell == Cell::gru) out.push_back(sum(all, {0, 1}));
  if (a.masked) out.emplace_back();
  return out;
}

}  // namespace

Tensors recurrent_grad(const Grad& g) {
  if (recording()) return by_steps(g);
  const auto& a = g.attr<RecurrentAttrs>();
  const Cell cell = cell_of(a);
  Tensors in;
  BackAttrs back{a, 0};
  for (int i = 0; i < g.outputs(); ++i) {
    if (!g.dy(i).defined()) continue;
    in.push_back(g.dy(i));
    back.given |= 1 << i;
  }
  for (int i = 0; i < g.outputs(); ++i) in.push_back(g.y(i));
  for (int i = 1; i < g.inputs(); ++i)
    if (i != 3 || cell != Cell::gru) in.push_back(g.x(i));
  Tensors out = apply_all(recurrent_grad_op, in, AttrRef{&back, attrs_of<BackAttrs>()});
  if (a.masked) out.emplace_back();
  return out;
}

}  // namespace tenure::ops

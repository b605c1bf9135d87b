// Recurrence over time as one op: the inputs were projected for all steps at once, what is left is a small product and the gates of each step.
// LSTM: Hochreiter & Schmidhuber 1997 with forget gates; GRU: Cho et al. 2014 in the form of keras.layers.GRU(reset_after=True).
// The gates take the buffer of the projected inputs, which the gradient reads instead of them. Nothing here owns anything.
#include "ops/recurrent.h"

#include <cstring>
#include <vector>

#include "base/parallel.h"
#include "kernels/dnn.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

enum class Cell : uint8_t { simple, lstm, gru };
enum class Curve : uint8_t { linear, tanh, sigmoid, hard_sigmoid, relu };

Cell cell_of(const RecurrentAttrs& a) noexcept { return a.cell == "lstm" ? Cell::lstm : a.cell == "gru" ? Cell::gru : Cell::simple; }
int64_t gates_of(Cell c) noexcept { return c == Cell::lstm ? 4 : c == Cell::gru ? 3 : 1; }
int outputs_of(Cell c) noexcept { return c == Cell::simple ? 1 : 3; }

Curve curve_of(std::string_view name) noexcept {
  return name == "tanh"           ? Curve::tanh
         : name == "sigmoid"      ? Curve::sigmoid
         : name == "hard_sigmoid" ? Curve::hard_sigmoid
         : name == "relu"         ? Curve::relu
                                  : Curve::linear;
}

template <class T>
void apply_curve(Curve c, T* x, int64_t n) noexcept {
  switch (c) {
    case Curve::linear: return;
    case Curve::tanh: return kernels::tanh(x, x, n);
    case Curve::sigmoid: return kernels::sigmoid(x, x, n);
    case Curve::hard_sigmoid: return kernels::unary(kernels::Unary::hard_sigmoid, x, x, n);
    case Curve::relu: return kernels::relu(x, x, n);
  }
}
/// The derivative by the value.
template <class T>
T slope(Curve c, T y) noexcept {
  switch (c) {
    case Curve::linear: return 1;
    case Curve::tanh: return 1 - y * y;
    case Curve::sigmoid: return y * (1 - y);
    case Curve::hard_sigmoid: return y > 0 && y < 1 ? static_cast<T>(1.0 / 6) : 0;
    case Curve::relu: return y > 0 ? 1 : 0;
  }
  return 0;
}

// ---- sizes --------------------------------------------------------------------------------------------------------------------

struct Sizes {
  Cell cell;
  int64_t steps, batch, units, gates;
  int64_t state() const noexcept { return batch * units; }
  int64_t step() const noexcept { return batch * gates * units; }
  bool empty() const noexcept { return steps * batch * units == 0; }
};
Sizes sizes_of(const RecurrentAttrs& a, const Shape& z, const Shape& kernel) noexcept {
  const Cell c = cell_of(a);
  return {c, z[0], z[1], kernel[0], gates_of(c)};
}

bool agrees(const Shape& s, std::initializer_list<int64_t> want) noexcept {
  if (s.rank() != static_cast<int>(want.size())) return false;
  int i = 0;
  for (int64_t w : want) {
    if (s[i] >= 0 && w >= 0 && s[i] != w) return false;
    ++i;
  }
  return true;
}

void check_attrs(const Infer& c, const RecurrentAttrs& a) {
  check(a.cell == "simple_rnn" || a.cell == "lstm" || a.cell == "gru", Code::InvalidArgument, "{}: expected simple_rnn, lstm or gru, got '{}'",
        c.op().name, a.cell);
  for (const std::string& name : {a.activation, a.recurrent_activation})
    check(recurrent_activation(name), Code::InvalidArgument, "{}: expected tanh, sigmoid, hard_sigmoid, relu or linear, got '{}'", c.op().name, name);
}

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

constexpr size_t kAlign = 64;
size_t rounded(size_t bytes) noexcept { return (bytes + kAlign - 1) / kAlign * kAlign; }

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

constexpr int64_t kWork = 4096;  // elements of a piece
template <class F>
void each_row(const Sizes& s, F&& f) noexcept {
  parallel_for(s.batch, std::max<int64_t>(1, kWork / std::max<int64_t>(1, s.gates * s.units)), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) f(b);
  });
}

struct Curves {
  Curve own, gate;
};

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

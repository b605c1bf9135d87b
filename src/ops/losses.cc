// Cross entropies, unreduced, with Keras' numbers: probabilities are clipped to [1e-7, 1 - 1e-7]; logits go through fused, stable ops that save their
// inputs only. Under a further tape first gradients are composed of plain ops, so that they can be differentiated again. Nothing here owns anything.
#include "ops/box.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

constexpr double kEpsilon = 1e-7;

// ---- from logits: sigmoid -------------------------------------------------------------------------------------------------------

template <class T>
void sigmoid_cross_entropy(const T* target, const T* x, T* y, int64_t n) noexcept {
  constexpr int64_t piece = 256;
  T soft[piece];
  for (int64_t at = 0; at < n; at += piece) {
    const int64_t m = std::min(piece, n - at);
    kernels::unary(kernels::Unary::softplus, x + at, soft, m);
    for (int64_t i = 0; i < m; ++i) y[at + i] = soft[i] - x[at + i] * target[at + i];
  }
}

// log(1 + exp(x)) - x * target, elementwise.
const Op sigmoid_cross_entropy_op = {
    .name = "sigmoid_cross_entropy",
    .infer =
        [](Infer& c) {
          check(is_float(c.dtype(0)), Code::DType, "sigmoid_cross_entropy: expected floating-point inputs, got {}", c.x(0));
          infer_broadcast(c);
        },
    .tile =
        [](const Tile& t) noexcept {
          float_tile<2>(t, [](const Tile& p, auto type) {
            using T = typename decltype(type)::type;
            sigmoid_cross_entropy(p.x<T>(0), p.x<T>(1), p.y<T>(), p.n);
          });
        },
    .grad = [](const Grad& g) -> Tensors {
      Tensor dt, dx;
      if (g.needs(0)) dt = sum_to(negative(g.dy() * g.x(1)), g.xspec(0).shape);
      if (g.needs(1)) dx = sum_to((sigmoid(g.x(1)) - g.x(0)) * g.dy(), g.xspec(1).shape);
      return {dt, dx};
    },
    .saves = saves_inputs(0, 1),
    .traits = elementwise | inplace,
    .specimens =
        "f32[2,3]{0..1}, f32[2,3] | f32[0], f32[0] | f64[5]{0..1}, f64[5] | f32[1003]{0..1}, f32[1003] | f64[2,3,1,2]{0..1}, f64[2,3,1,2] | "
        "f64[3,1], f64[4]",
};

// ---- from logits: softmax -------------------------------------------------------------------------------------------------------

void check_rows(const Infer& c, int logits) {
  const Spec& x = c.x(logits);
  check(x.dtype == float32 || x.dtype == float64, Code::DType, "{}: expected float32 or float64 logits, got {}", c.op().name, x);
  check(x.shape.rank() >= 1, Code::Shape, "{}: expected logits with a class axis, got {}", c.op().name, x);
}

void check_like(const Infer& c, int i, const Shape& want) {
  bool fits = c.shape(i).rank() == want.rank();
  for (int k = 0; fits && k < want.rank(); ++k) fits = c.shape(i)[k] == want[k] || c.shape(i)[k] < 0 || want[k] < 0;
  check(fits, Code::Shape, "{}: expected input {} of shape {}, got {}", c.op().name, i, want, c.x(i));
}

Shape outer(const Shape& x) { return x.slice(0, x.rank() - 1); }

// f(row of target, row of x, log-sum-exp of the row, row number) after y holds the log-sum-exp of each row.
template <class T, class F>
void each_row(const Run& r, const T* x, T* y, F f) noexcept {
  const Shape& s = r.x(1).shape;
  const int64_t rows = product(s, 0, s.rank() - 1), n = s.back();
  kernels::log_sum_exp(x, y, rows, n);
  parallel_for(rows, 1 + 16384 / (1 + n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i, n);
  });
}

extern const Op softmax_cross_entropy_grad_op, sparse_softmax_cross_entropy_grad_op;

// sum(target * (logsumexp(x) - x)) over the last axis.
const Op softmax_cross_entropy_op = {
    .name = "softmax_cross_entropy",
    .infer =
        [](Infer& c) {
          check_rows(c, 1);
          check(c.dtype(0) == c.dtype(1), Code::DType, "softmax_cross_entropy: expected inputs of one dtype, got {} and {}", c.x(0), c.x(1));
          check_like(c, 0, c.shape(1));
          c.output(outer(c.shape(1)), c.dtype(1));
        },
    .run = [](const Run& r) noexcept -> Status {
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T *t = r.in<T>(0), *x = r.in<T>(1);
        T* y = r.out<T>();
        each_row(r, x, y, [&](int64_t row, int64_t n) {
          T loss = 0;
          for (int64_t i = row * n; i < (row + 1) * n; ++i)
            if (t[i] != 0) loss += t[i] * (y[row] - x[i]);
          y[row] = loss;
        });
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      const Tensor &t = g.x(0), &x = g.x(1), &dy = g.dy();
      Tensor dt, dx;
      if (g.needs(0)) dt = negative(expand_dims(dy, -1) * log_softmax(x));
      if (g.needs(1)) dx = recording() ? expand_dims(dy, -1) * (softmax(x) * sum(t, {-1}, true) - t) : apply(softmax_cross_entropy_grad_op, dy, t, x);
      return {dt, dx};
    },
    .saves = saves_inputs(0, 1),
    .specimens =
        "f32[3,5]{0..1}, f32[3,5] | f64[2,3,4]{0..1}, f64[2,3,4] | f64[7]{0..1}, f64[7] | f32[0,3], f32[0,3] | f32[5,1003]{0..1}, f32[5,1003] | "
        "f64[2,1,2,3]{0..1}, f64[2,1,2,3]",
};

// dlogits = dy * (softmax(x) * sum(target) - target).
const Op softmax_cross_entropy_grad_op = {
    .name = "softmax_cross_entropy_grad",
    .infer =
        [](Infer& c) {
          check_rows(c, 2);
          check_like(c, 1, c.shape(2));
          check_like(c, 0, outer(c.shape(2)));
          c.output(c.x(2));
        },
    .run = [](const Run& r) noexcept -> Status {
      const Shape& s = r.y().shape;
      const int64_t rows = product(s, 0, s.rank() - 1), n = s.back();
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T *dy = r.in<T>(0), *t = r.in<T>(1);
        T* dx = r.out<T>();
        kernels::softmax(r.in<T>(2), dx, rows, n);
        parallel_for(rows, 1 + 16384 / (1 + n), [&](int64_t begin, int64_t end) {
          for (int64_t row = begin; row < end; ++row) {
            const T total = kernels::sum(t + row * n, n);
            for (int64_t i = row * n; i < (row + 1) * n; ++i) dx[i] = dy[row] * (dx[i] * total - t[i]);
          }
        });
      });
      return {};
    },
    .specimens =
        "f32[3], f32[3,5]{0..1}, f32[3,5] | f64[2,3], f64[2,3,4]{0..1}, f64[2,3,4] | f64[], f64[7]{0..1}, f64[7] | f32[0], f32[0,3], f32[0,3]",
};

// The first label outside [0, n), as a Status.
template <class I>
Status check_labels(const I* label, int64_t rows, int64_t n) noexcept {
  for (int64_t i = 0; i < rows; ++i)
    if (label[i] < 0 || label[i] >= n) return {Code::NotFound, "label is out of range", i, static_cast<double>(label[i])};
  return {};
}

template <class F>
Status with_labels(const Run& r, int input, int64_t n, F f) noexcept {
  const int64_t rows = r.x(input).shape.elements();
  auto go = [&](const auto* label) {
    Status s = check_labels(label, rows, n);
    if (s.ok()) with_real(r.y().dtype, [&](auto type) { f(type, label); });
    return s;
  };
  return r.x(input).dtype == int64 ? go(r.in<int64_t>(input)) : go(r.in<int32_t>(input));
}

void check_label_type(std::string_view op, const Spec& s) {
  check(s.dtype == int32 || s.dtype == int64, Code::DType, "{}: expected int32 or int64 labels, got {}", op, s);
}

// logsumexp(x) - x[label] over the last axis.
const Op sparse_softmax_cross_entropy_op = {
    .name = "sparse_softmax_cross_entropy",
    .infer =
        [](Infer& c) {
          check_rows(c, 1);
          check_label_type("sparse_softmax_cross_entropy", c.x(0));
          check_like(c, 0, outer(c.shape(1)));
          c.output(outer(c.shape(1)), c.dtype(1));
        },
    .run = [](const Run& r) noexcept -> Status {
      return with_labels(r, 0, r.x(1).shape.back(), [&](auto type, const auto* label) {
        using T = typename decltype(type)::type;
        const T* x = r.in<T>(1);
        T* y = r.out<T>();
        each_row(r, x, y, [&](int64_t row, int64_t n) { y[row] -= x[row * n + label[row]]; });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(1)) return {Tensor{}, Tensor{}};
      const Tensor &label = g.x(0), &x = g.x(1), &dy = g.dy();
      if (!recording()) return {Tensor{}, apply(sparse_softmax_cross_entropy_grad_op, dy, label, x)};
      return {Tensor{}, expand_dims(dy, -1) * (softmax(x) - one_hot(label, x.shape().back(), -1, x.dtype()))};
    },
    .saves = saves_inputs(0, 1),
    .specimens = "i32[3]{0..4}, f32[3,5] | i64[2,3]{0..3}, f64[2,3,4] | i32[]{0..6}, f64[7] | i32[0], f32[0,3] | i32[5]{0..1002}, f32[5,1003]",
};

// dlogits = dy * (softmax(x) - one_hot(label)).
const Op sparse_softmax_cross_entropy_grad_op = {
    .name = "sparse_softmax_cross_entropy_grad",
    .infer =
        [](Infer& c) {
          check_rows(c, 2);
          check_label_type("sparse_softmax_cross_entropy_grad", c.x(1));
          check_like(c, 0, outer(c.shape(2)));
          check_like(c, 1, outer(c.shape(2)));
          c.output(c.x(2));
        },
    .run = [](const Run& r) noexcept -> Status {
      const Shape& s = r.y().shape;
      const int64_t rows = product(s, 0, s.rank() - 1), n = s.back();
      return with_labels(r, 1, n, [&](auto type, const auto* label) {
        using T = typename decltype(type)::type;
        const T* dy = r.in<T>(0);
        T* dx = r.out<T>();
        kernels::softmax(r.in<T>(2), dx, rows, n);
        parallel_for(rows, 1 + 16384 / (1 + n), [&](int64_t begin, int64_t end) {
          for (int64_t row = begin; row < end; ++row) {
            dx[row * n + label[row]] -= T{1};
            for (int64_t i = row * n; i < (row + 1) * n; ++i) dx[i] *= dy[row];
          }
        });
      });
    },
    .specimens = "f32[3], i32[3]{0..4}, f32[3,5] | f64[2,3], i64[2,3]{0..3}, f64[2,3,4] | f64[], i32[]{0..6}, f64[7] | f32[0], i32[0], f32[0,3]",
};

// ---- arguments ------------------------------------------------------------------------------------------------------------------

void check_same_shape(std::string_view op, const Tensor& target, const Tensor& output) {
  const Shape &t = target.shape(), &o = output.shape();
  bool fits = t.rank() == o.rank();
  for (int i = 0; fits && i < t.rank(); ++i) fits = t[i] == o[i] || t[i] < 0 || o[i] < 0;
  check(fits, Code::Shape, "{}: expected target and output of one shape, got {} and {}", op, target.spec(), output.spec());
}

// The class axis to the end.
Tensor last(Tensor x, int axis) {
  if (axis == x.rank() - 1) return x;
  std::vector<int> order;
  for (int i = 0; i < x.rank(); ++i)
    if (i != axis) order.push_back(i);
  order.push_back(axis);
  return transpose(std::move(x), order);
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor binary_crossentropy(Tensor target, Tensor output, bool from_logits) {
  check_same_shape("binary_crossentropy", target, output);
  output = to_float(std::move(output));
  target = cast(std::move(target), output.dtype());
  if (from_logits) return apply(sigmoid_cross_entropy_op, std::move(target), std::move(output));
  output = clip(std::move(output), kEpsilon, 1 - kEpsilon);
  Tensor yes = target * log(output), no = (1.0 - std::move(target)) * log(1.0 - std::move(output));
  return negative(std::move(yes) + std::move(no));
}

Tensor categorical_crossentropy(Tensor target, Tensor output, bool from_logits, int axis) {
  check(output.rank() >= 1, Code::Shape, "categorical_crossentropy: expected an output with a class axis, got {}", output.spec());
  check_same_shape("categorical_crossentropy", target, output);
  output = to_float(std::move(output));
  const DType t = output.dtype();
  if (is_half(t)) return cast(categorical_crossentropy(cast(std::move(target), float32), cast(std::move(output), float32), from_logits, axis), t);
  target = cast(std::move(target), t);
  axis = normalize_axis(axis, output.rank());
  if (from_logits) return apply(softmax_cross_entropy_op, last(std::move(target), axis), last(std::move(output), axis));
  Tensor total = sum(output, {axis}, true);
  output = clip(std::move(output) / std::move(total), kEpsilon, 1 - kEpsilon);
  return negative(sum(std::move(target) * log(std::move(output)), {axis}));
}

Tensor sparse_categorical_crossentropy(Tensor target, Tensor output, bool from_logits, int axis) {
  check(output.rank() >= 1, Code::Shape, "sparse_categorical_crossentropy: expected an output with a class axis, got {}", output.spec());
  output = to_float(std::move(output));
  const DType t = output.dtype();
  if (is_half(t)) return cast(sparse_categorical_crossentropy(std::move(target), cast(std::move(output), float32), from_logits, axis), t);
  if (target.dtype() != int32 && target.dtype() != int64) target = cast(std::move(target), int64);
  axis = normalize_axis(axis, output.rank());
  if (target.rank() == output.rank() && target.shape()[axis] == 1) target = squeeze(std::move(target), {axis});
  check(target.rank() == output.rank() - 1, Code::Shape, "sparse_categorical_crossentropy: expected one label for each row of {}, got {}",
        output.spec(), target.spec());
  // Probabilities: softmax of their logarithms renormalizes them.
  if (!from_logits) output = log(clip(std::move(output), kEpsilon, 1 - kEpsilon));
  return apply(sparse_softmax_cross_entropy_op, std::move(target), last(std::move(output), axis));
}

void register_losses(Registry& r) {
  for (const Op* op : {&sigmoid_cross_entropy_op, &softmax_cross_entropy_op, &softmax_cross_entropy_grad_op, &sparse_softmax_cross_entropy_op,
                       &sparse_softmax_cross_entropy_grad_op})
    r.add(*op);
}

}  // namespace tenure

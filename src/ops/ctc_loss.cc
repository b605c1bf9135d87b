// The loss of sequences without alignment: forward and backward sums over the states blank, label, blank, ... in float64. Nothing here owns anything.
#include <cmath>
#include <limits>

#include <tenure/ops_ctc.h>
#include <tenure/ops_numpy.h>

#include "base/parallel.h"
#include "ops/ctc.h"
#include "ops/families.h"
#include "ops/fused.h"

namespace tenure::ops {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
// log(1e-307), as TensorFlow: an alignment may begin and end anywhere for it, so that every loss is finite.
constexpr double kPrice = -706.89362335459;
constexpr double kAlmostNever = -1e30;  // where a gradient must not become NaN

struct CtcLoss {
  int64_t mask_index = 0;
};
template <class V>
void fields(V& v, CtcLoss& a) {
  v("mask_index", a.mask_index);
}

// One sample: its labels, its logits, and the states blank, label 0, blank, label 1, ..., blank.
template <class T>
struct Sample {
  const int32_t* target;
  const T* x;
  int64_t length, steps, classes, blank;

  int64_t states() const noexcept { return 2 * length + 1; }
  int64_t label(int64_t s) const noexcept { return s % 2 ? target[s / 2] : blank; }
  // Whether state s may follow state s - 2: two labels that differ need no blank between them.
  bool skips(int64_t s) const noexcept { return s >= 2 && s % 2 && target[s / 2] != target[s / 2 - 1]; }
  // log of the sum of exp(x) at step t.
  double norm(int64_t t) const noexcept {
    const T* row = x + t * classes;
    const T top = *std::max_element(row, row + classes);
    double total = 0;
    for (int64_t c = 0; c < classes; ++c) total += std::exp(static_cast<double>(row[c]) - static_cast<double>(top));
    return static_cast<double>(top) + std::log(total);
  }
  double emit(int64_t t, int64_t s, double norm) const noexcept { return static_cast<double>(x[t * classes + label(s)]) - norm; }

  // Log probability of every state after step t, from that after step t - 1. `to` may be `from`.
  void forward(int64_t t, double norm, const double* from, double* to) const noexcept {
    for (int64_t s = states(); s-- > 0;) {
      double p = t > 0 ? from[s] : s < 2 ? log_add(0.0, kPrice) : kPrice;
      if (s > 0) p = log_add(p, t > 0 ? from[s - 1] : kPrice);
      if (skips(s)) p = log_add(p, t > 0 ? from[s - 2] : kPrice);
      to[s] = p + emit(t, s, norm);
    }
  }
  // Log probability of all that follows step t, for every state, from that of step t + 1.
  void backward(int64_t t, double next_norm, double* beta) const noexcept {
    const int64_t n = states();
    if (t == steps - 1) {
      for (int64_t s = 0; s < n; ++s) beta[s] = ending(s);
      return;
    }
    for (int64_t s = 0; s < n; ++s) beta[s] += emit(t + 1, s, next_norm);
    for (int64_t s = 0; s < n; ++s) {
      if (s + 1 < n) beta[s] = log_add(beta[s], beta[s + 1]);
      if (s + 2 < n && skips(s + 2)) beta[s] = log_add(beta[s], beta[s + 2]);
    }
  }
  double ending(int64_t s) const noexcept { return s >= states() - 2 ? 0 : kPrice; }
  double likelihood(const double* alpha) const noexcept {
    if (steps == 0) return length == 0 ? 0 : kPrice;
    double total = kNever;
    for (int64_t s = 0; s < states(); ++s) total = log_add(total, alpha[s] + ending(s));
    return total;
  }
};

// Shapes of target, logits and the two lengths, from input `first` on.
void check_ctc(const Infer& c, int first) {
  const Spec &target = c.x(first), &x = c.x(first + 1);
  check(target.dtype == int32 && target.shape.rank() == 2, Code::Shape, "{}: expected int32 labels [batch, labels], got {}", c.op().name, target);
  check((x.dtype == float32 || x.dtype == float64) && x.shape.rank() == 3, Code::Shape, "{}: expected float logits [batch, steps, classes], got {}",
        c.op().name, x);
  for (int i : {first + 2, first + 3})
    check(c.dtype(i) == int32 && c.shape(i).rank() == 1, Code::Shape, "{}: expected int32 lengths [batch], got {}", c.op().name, c.x(i));
  for (int i : {first, first + 2, first + 3})
    check(c.shape(i)[0] == x.shape[0] || c.shape(i)[0] < 0 || x.shape[0] < 0, Code::Shape, "{}: expected one batch size, got {} and {}", c.op().name,
          x, c.x(i));
  check_blank(c, c.attr<CtcLoss>().mask_index, x.shape[2]);
}

// f(sample, its number) for every sample; the first length or label that is wrong as a Status.
template <class T, class F>
Status each_sample(const Run& r, int first, F f) noexcept {
  const Shape& x = r.x(first + 1).shape;
  const int64_t batch = x[0], labels = r.x(first).shape[1], steps = x[1], classes = x[2], blank = blank_of(r.attr<CtcLoss>().mask_index, classes);
  const auto *target = r.in<int32_t>(first), *lengths = r.in<int32_t>(first + 2), *used = r.in<int32_t>(first + 3);
  for (int64_t b = 0; b < batch; ++b) {
    if (lengths[b] < 0 || lengths[b] > labels) return {Code::InvalidArgument, "target_length is out of range", b, static_cast<double>(lengths[b])};
    if (used[b] < 0 || used[b] > steps) return {Code::InvalidArgument, "output_length is out of range", b, static_cast<double>(used[b])};
    for (int64_t i = b * labels; i < b * labels + lengths[b]; ++i) {
      if (target[i] < 0 || target[i] >= classes) return {Code::NotFound, "label is out of range", i, static_cast<double>(target[i])};
      if (target[i] == blank) return {Code::InvalidArgument, "label is the class for no label", i, static_cast<double>(target[i])};
    }
  }
  parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      f(Sample<T>{target + b * labels, r.in<T>(first + 1) + b * steps * classes, lengths[b], used[b], classes, blank}, b);
  });
  return {};
}

int64_t most_states(const Prep& p, int target) { return 2 * p.x(target).shape[1] + 1; }

Tensor composed_gradient(const Grad& g);
extern const Op ctc_loss_grad_op;

const Op ctc_loss_op = {
    .name = "ctc_loss",
    .infer =
        [](Infer& c) {
          check_ctc(c, 0);
          c.output(Shape{c.shape(1)[0]}, c.dtype(1));
        },
    .run = [](const Run& r) noexcept -> Status {
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const int64_t row = most_states(r, 0);
        return each_sample<T>(r, 0, [&](const Sample<T>& sample, int64_t b) {
          double* alpha = r.scratch<double>() + b * row;
          for (int64_t t = 0; t < sample.steps; ++t) sample.forward(t, sample.norm(t), alpha, alpha);
          r.out<T>()[b] = static_cast<T>(-sample.likelihood(alpha));
        });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.needs(1)) return {Tensor{}, Tensor{}, Tensor{}, Tensor{}};
      if (recording()) return {Tensor{}, composed_gradient(g), Tensor{}, Tensor{}};
      return {Tensor{}, apply_with(ctc_loss_grad_op, g.attr<CtcLoss>(), g.dy(), g.x(0), g.x(1), g.x(2), g.x(3)), Tensor{}, Tensor{}};
    },
    .saves = saves_all_inputs(),
    .attrs = attrs_of<CtcLoss>,
    .scratch = [](const Prep& p) { return static_cast<size_t>(p.x(1).shape[0] * most_states(p, 0)) * sizeof(double); },
    .specimens =
        R"(i32[3,2]{1..4}, f32[3,6,5], i32[3]{0..2}, i32[3]{4..6} | i32[2,3]{0..2}, f64[2,7,4], i32[2]{1..3}, i32[2]{6..7} ; {"mask_index": 3}
                  | i32[2,1]{1..2}, f64[2,3,3], i32[2]{0..1}, i32[2]{2..3} ; {"mask_index": -3} | i32[0,2], f32[0,3,4], i32[0], i32[0]
                  | i32[1,0], f32[1,17,3], i32[1]{0..0}, i32[1]{17..17})",
};

// dlogits = dy * (softmax(x) - how often each class is expected at each step), 0 where a row does not count.
const Op ctc_loss_grad_op = {
    .name = "ctc_loss_grad",
    .infer =
        [](Infer& c) {
          check_ctc(c, 1);
          check(c.dtype(0) == c.dtype(2) && c.shape(0).rank() == 1, Code::Shape, "ctc_loss_grad: expected dy [batch] of {}, got {}", c.x(2), c.x(0));
          c.output(c.x(2));
        },
    .run = [](const Run& r) noexcept -> Status {
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const int64_t steps = r.y().shape[1], classes = r.y().shape[2], states = most_states(r, 1);
        const int64_t row = steps * (states + 1) + states + classes;
        return each_sample<T>(r, 1, [&](const Sample<T>& sample, int64_t b) {
          double *alpha = r.scratch<double>() + b * row, *norms = alpha + steps * states, *beta = norms + steps, *expected = beta + states;
          T* dx = r.out<T>() + b * steps * classes;
          const auto dy = static_cast<double>(r.in<T>(0)[b]);
          const int64_t n = sample.states();
          for (int64_t t = 0; t < sample.steps; ++t) {
            norms[t] = sample.norm(t);
            sample.forward(t, norms[t], alpha + std::max<int64_t>(t - 1, 0) * states, alpha + t * states);
          }
          const double total = sample.likelihood(alpha + std::max<int64_t>(sample.steps - 1, 0) * states);
          for (int64_t t = sample.steps; t-- > 0;) {
            sample.backward(t, t + 1 < sample.steps ? norms[t + 1] : 0, beta);
            std::fill(expected, expected + classes, 0.0);
            for (int64_t s = 0; s < n; ++s) expected[sample.label(s)] += std::exp(alpha[t * states + s] + beta[s] - total);
            for (int64_t c = 0; c < classes; ++c) {
              const double p = std::exp(static_cast<double>(sample.x[t * classes + c]) - norms[t]);
              dx[t * classes + c] = static_cast<T>(dy * (p - expected[c]));
            }
          }
          std::fill(dx + sample.steps * classes, dx + steps * classes, T{0});
        });
      });
    },
    .attrs = attrs_of<CtcLoss>,
    .scratch =
        [](const Prep& p) {
          const int64_t states = most_states(p, 1), steps = p.y().shape[1];
          return static_cast<size_t>(p.y().shape[0] * (steps * (states + 1) + states + p.y().shape[2])) * sizeof(double);
        },
    .specimens = R"(f32[3], i32[3,2]{1..4}, f32[3,6,5], i32[3]{0..2}, i32[3]{4..6}
                  | f64[2], i32[2,3]{0..2}, f64[2,7,4], i32[2]{1..3}, i32[2]{6..7} ; {"mask_index": 3} | f32[0], i32[0,2], f32[0,3,4], i32[0], i32[0])",
};

// The same gradient in ops, for gradients of gradients: the sums over states as tensors [batch, states], a step at a time.
Tensor composed_gradient(const Grad& g) {
  const Tensor &x = g.x(1), &lengths = g.x(2), &used = g.x(3);
  const int64_t batch = x.shape()[0], steps = x.shape()[1], classes = x.shape()[2], labels = g.xspec(0).shape[1], states = 2 * labels + 1;
  if (steps == 0) return zeros_like(x);
  const auto blank = static_cast<int>(blank_of(g.attr<CtcLoss>().mask_index, classes));
  const Tensor target = reshape(clip(g.x(0), 0, static_cast<double>(classes - 1)), {batch, labels, 1});
  const Tensor pairs = reshape(concatenate({full({batch, labels, 1}, blank, int32), target}, 2), {batch, 2 * labels});
  const Tensor label = concatenate({pairs, full({batch, 1}, blank, int32)}, 1);
  auto right = [&](const Tensor& a, int64_t by, double fill = kAlmostNever) {
    if (by >= states) return full({batch, states}, fill, a.dtype());
    return pad(slice_axis(a, 1, 0, states - by), {{0, 0}, {by, 0}}, "constant", fill);
  };
  auto left = [&](const Tensor& a, int64_t by) {
    if (by >= states) return full({batch, states}, kAlmostNever, x.dtype());
    return pad(slice_axis(a, 1, by, states), {{0, 0}, {0, by}}, "constant", kAlmostNever);
  };
  const Tensor place = arange(0, static_cast<double>(states), 1, int32), last = expand_dims(multiply(lengths, 2), 1);
  const Tensor skips = logical_and(greater_equal(place, 2), logical_and(not_equal(label, blank), not_equal(label, right(label, 2, -1))));
  const Tensor counts = expand_dims(less_equal(place, last), 1);
  const Tensor ends = where(less_equal(place, last), where(greater_equal(place, subtract(last, 1)), 0.0, full({}, kPrice, x.dtype())), kAlmostNever);
  Tensor emits = take_along_axis(log_softmax(x), broadcast_to(expand_dims(label, 1), {batch, steps, states}), 2);
  emits = where(counts, std::move(emits), kAlmostNever);
  auto emitted = [&](int64_t t) { return squeeze(slice_axis(emits, 1, t, t + 1), {1}); };
  auto alive = [&](int64_t t) { return expand_dims(greater(used, static_cast<int>(t)), 1); };
  auto joined = [](Tensor a, Tensor b, Tensor c) { return logsumexp(stack({std::move(a), std::move(b), std::move(c)}, 0), {0}); };
  const Tensor anywhere = full({batch, states}, kPrice, x.dtype()), start = where(less(place, 2), 0.0, full({}, kAlmostNever, x.dtype()));
  Tensors alpha{add(joined(anywhere, right(anywhere, 1), logaddexp(where(skips, anywhere, kAlmostNever), start)), emitted(0))};
  for (int64_t t = 1; t < steps; ++t) {
    const Tensor& a = alpha.back();
    Tensor next = add(joined(a, right(a, 1), where(skips, right(a, 2), kAlmostNever)), emitted(t));
    alpha.push_back(where(alive(t), std::move(next), a));
  }
  const Tensor total = logsumexp(add(alpha.back(), ends), {1}, true);
  Tensors chances(static_cast<size_t>(steps));
  Tensor beta = ends;
  for (int64_t t = steps; t-- > 0;) {
    if (t + 1 < steps) {
      const Tensor next = add(beta, emitted(t + 1));
      beta = where(alive(t + 1), joined(next, left(next, 1), left(where(skips, next, kAlmostNever), 2)), ends);
    }
    const auto i = static_cast<size_t>(t);
    chances[i] = where(alive(t), exp(subtract(add(alpha[i], beta), total)), 0.0);
  }
  const Tensor expected = matmul(stack(chances, 1), one_hot(label, classes, -1, x.dtype()));
  const Tensor kept = less(arange(0, static_cast<double>(steps), 1, int32), expand_dims(used, 1));
  const Tensor soft = where(expand_dims(kept, 2), softmax(x), 0.0);
  return multiply(reshape(g.dy(), {batch, 1, 1}), subtract(soft, expected));
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor ctc_loss(Tensor target, Tensor output, Tensor target_length, Tensor output_length, int64_t mask_index) {
  const DType t = promote(output.dtype(), float32);
  output = cast(std::move(output), t);
  return apply_with(ctc_loss_op, CtcLoss{mask_index}, cast(std::move(target), int32), std::move(output), cast(std::move(target_length), int32),
                    cast(std::move(output_length), int32));
}

void register_ctc_loss(Registry& r) {
  for (const Op* op : {&ctc_loss_op, &ctc_loss_grad_op}) r.add(*op);
}

}  // namespace tenure

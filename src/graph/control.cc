// Control flow. Eager it simply runs; where a condition is not known yet, what both ways give is recorded and chosen from. Owns nothing.
#include <tenure/control.h>

#include <tenure/op.h>
#include <tenure/ops.h>

#include "base/check.h"
#include "core/context.h"
#include "core/variable_body.h"

namespace tenure {
namespace {

// Stands before the innermost trace while branches are recorded that may not be taken: effects are refused. Stack-bound.
class Pure final : public TraceRecorder {
 public:
  explicit Pure(const char* op) : op_(op), traced_(thread_context.trace) {
    outer = traced_;
    if (traced_) thread_context.trace = this;
  }
  ~Pure() override {
    if (traced_) thread_context.trace = traced_;
  }
  Pure(const Pure&) = delete;
  Pure& operator=(const Pure&) = delete;

  uint64_t id() const noexcept override { return traced_->id(); }
  void record(const Op& op, AttrRef attrs, std::span<Tensor> xs, std::span<const Spec> yspecs, std::span<Tensor> ys) override {
    check(!(op.traits & stateful), Code::Unsupported,
          "{}: '{}' has an effect; where the condition is not known while tracing, branches must have none", op_, op.name);
    traced_->record(op, attrs, xs, yspecs, ys);
  }
  Tensor read(VariableBody& v) override { return traced_->read(v); }
  void assign(VariableBody& v, Tensor) override {
    fail(Code::Unsupported, "{}: Variable {} is assigned; where the condition is not known while tracing, branches must have no effects", op_,
         v.name());
  }
  void created(VariableBody& v) override { traced_->created(v); }

 private:
  const char* op_;
  TraceRecorder* traced_;
};

void check_condition(const char* op, const Tensor& c) {
  check(c.defined() && c.size() == 1, Code::InvalidArgument, "{}: expected one bool as condition, got {}", op,
        c.defined() ? to_string(c.spec()) : std::string("an empty handle"));
}
bool holds(const Tensor& c) { return c.item<double>() != 0; }
Tensor as_number(Tensor c) { return c.rank() == 0 ? std::move(c) : reshape(std::move(c), {}); }

// a where the condition holds, else b, one by one.
Tensors chosen(const char* op, const Tensor& condition, Tensors a, const Tensors& b) {
  check(a.size() == b.size(), Code::InvalidArgument, "{}: the branches give {} and {} results", op, a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    check(a[i].defined() && b[i].defined() && a[i].shape() == b[i].shape() && a[i].dtype() == b[i].dtype(), Code::Shape,
          "{}: expected results of one shape and dtype from both branches, got {} and {}", op,
          a[i].defined() ? to_string(a[i].spec()) : std::string("nothing"), b[i].defined() ? to_string(b[i].spec()) : std::string("nothing"));
    if (a[i].id() != b[i].id()) a[i] = where(condition, std::move(a[i]), b[i]);
  }
  return a;
}

Tensor slice_at(const Tensor& x, int64_t i) { return squeeze(slice_axis(x, 0, i, i + 1), {0}); }

int64_t steps_of(const char* op, const Tensor& x) {
  check(x.rank() >= 1 && x.shape()[0] >= 0, Code::Shape, "{}: the size of axis 0 must be known, got {}", op, x.spec());
  return x.shape()[0];
}

}  // namespace

Outputs cond(Tensor pred, const Branch& true_fn, const Branch& false_fn) {
  check_condition("cond", pred);
  if (pred.concrete()) return holds(pred) ? true_fn() : false_fn();
  Pure pure("cond");
  Tensors a = true_fn().items();
  const Tensors b = false_fn().items();
  return chosen("cond", as_number(cast(std::move(pred), bool_)), std::move(a), b);
}

Outputs switch_(Tensor index, const std::vector<Branch>& branches) {
  check(!branches.empty(), Code::InvalidArgument, "switch: expected at least one branch");
  check_condition("switch", index);
  if (index.concrete()) {
    const auto last = static_cast<int64_t>(branches.size()) - 1;
    return branches[static_cast<size_t>(std::clamp<int64_t>(index.item<int64_t>(), 0, last))]();
  }
  Pure pure("switch");
  index = as_number(std::move(index));
  Tensors y = branches.back()().items();
  for (size_t i = branches.size() - 1; i-- > 0;) y = chosen("switch", less_equal(index, static_cast<int>(i)), branches[i]().items(), y);
  return y;
}

Outputs while_loop(const std::function<Tensor(const Tensors&)>& cond, const std::function<Outputs(const Tensors&)>& body, Tensors loop_vars,
                   std::optional<int64_t> maximum_iterations) {
  Tensor running;  // defined once a condition was not known
  for (int64_t i = 0; !maximum_iterations || i < *maximum_iterations; ++i) {
    Tensor goes_on = cond(loop_vars);
    check_condition("while_loop", goes_on);
    if (goes_on.concrete() && !running) {
      if (!holds(goes_on)) break;
      loop_vars = body(loop_vars).items();
      continue;
    }
    check(maximum_iterations.has_value(), Code::Unsupported,
          "while_loop: the condition depends on values that are not known while tracing; give maximum_iterations");
    goes_on = as_number(cast(std::move(goes_on), bool_));
    running = running ? logical_and(std::move(running), std::move(goes_on)) : std::move(goes_on);
    Pure pure("while_loop");
    loop_vars = chosen("while_loop", running, body(loop_vars).items(), loop_vars);
  }
  return loop_vars;
}

Tensor fori_loop(int64_t lower, int64_t upper, const std::function<Tensor(const Tensor&, const Tensor&)>& body_fun, Tensor init_val) {
  for (int64_t i = lower; i < upper; ++i) init_val = body_fun(Tensor(static_cast<int32_t>(i)), init_val);
  return init_val;
}

std::pair<Tensors, Tensors> scan(const ScanStep& f, Tensors init, const Tensors& xs, std::optional<int64_t> length, bool reverse) {
  check(!xs.empty() || length, Code::InvalidArgument, "scan: expected xs or a length");
  const int64_t n = xs.empty() ? *length : steps_of("scan", xs[0]);
  check(n >= 0 && (!length || *length == n), Code::InvalidArgument, "scan: expected {} steps, xs have {}", length.value_or(n), n);
  for (const Tensor& x : xs) check(steps_of("scan", x) == n, Code::Shape, "scan: expected {} slices of each of xs, got {}", n, x.spec());
  std::vector<Tensors> kept;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = reverse ? n - 1 - i : i;
    Tensors x;
    for (const Tensor& t : xs) x.push_back(slice_at(t, at));
    auto [carry, y] = f(init, x);
    check(carry.size() == init.size(), Code::InvalidArgument, "scan: a step got {} carried tensors and gave {}", init.size(), carry.size());
    check(kept.empty() || kept.size() == y.size(), Code::InvalidArgument, "scan: the steps keep {} and {} tensors", kept.size(), y.size());
    init = std::move(carry);
    kept.resize(y.size());
    for (size_t k = 0; k < y.size(); ++k) kept[k].push_back(std::move(y[k]));
  }
  Tensors ys;
  for (Tensors& steps : kept) {
    if (reverse) std::reverse(steps.begin(), steps.end());
    ys.push_back(stack(steps, 0));
  }
  return {std::move(init), std::move(ys)};
}

Outputs map(const std::function<Outputs(const Tensor&)>& f, const Tensor& xs) {
  check(steps_of("map", xs) > 0, Code::Shape, "map: expected at least one slice, got {}", xs.spec());
  auto step = [&](const Tensors&, const Tensors& x) { return std::pair<Tensors, Tensors>({}, f(x[0]).items()); };
  return scan(step, {}, {xs}).second;
}
Outputs vectorized_map(const std::function<Outputs(const Tensor&)>& f, const Tensor& xs) { return map(f, xs); }

namespace {

// Every other element of axis `axis` from `start`.
Tensors strided(const Tensors& xs, int axis, int64_t start, int64_t stop, int64_t step) {
  Tensors out;
  for (const Tensor& x : xs) out.push_back(slice_axis(x, axis, start, stop, step));
  return out;
}

// even[0] odd[0] even[1] odd[1] ...
Tensor interleaved(const Tensor& even, const Tensor& odd, int axis) {
  const int64_t n = odd.shape()[axis];
  Shape s = even.shape();
  s[axis] = 2 * n;
  Tensor front = reshape(stack({slice_axis(even, axis, 0, n), odd}, axis + 1), s);
  return even.shape()[axis] == n ? front : concatenate({front, slice_axis(even, axis, n)}, axis);
}

Tensors running(const std::function<Tensors(const Tensors&, const Tensors&)>& f, const Tensors& xs, int axis) {
  const int64_t n = xs[0].shape()[axis];
  constexpr int64_t end = std::numeric_limits<int64_t>::max();
  if (n < 2) return xs;
  // Pairs joined give the odd results; each even one joins the odd one before it with its own element.
  const Tensors pairs = f(strided(xs, axis, 0, n - 1, 2), strided(xs, axis, 1, end, 2));
  check(pairs.size() == xs.size(), Code::InvalidArgument, "associative_scan: the function got {} tensors and gave {}", xs.size(), pairs.size());
  const Tensors odd = running(f, pairs, axis);
  Tensors rest;
  if (n > 2) rest = f(strided(odd, axis, 0, (n - 1) / 2, 1), strided(xs, axis, 2, end, 2));
  Tensors out;
  for (size_t i = 0; i < xs.size(); ++i) {
    Tensor even = slice_axis(xs[i], axis, 0, 1);
    if (n > 2) even = concatenate({std::move(even), rest[i]}, axis);
    out.push_back(interleaved(even, odd[i], axis));
  }
  return out;
}

}  // namespace

Tensors associative_scan(const std::function<Tensors(const Tensors&, const Tensors&)>& f, const Tensors& elems, bool reverse, int axis) {
  check(!elems.empty(), Code::InvalidArgument, "associative_scan: expected at least one tensor");
  axis = normalize_axis(axis, elems[0].rank());
  Tensors xs;
  for (const Tensor& x : elems) {
    check(x.rank() > axis && x.shape()[axis] >= 0 && x.shape()[axis] == elems[0].shape()[axis], Code::Shape,
          "associative_scan: expected the same known size of axis {}, got {} and {}", axis, elems[0].spec(), x.spec());
    xs.push_back(reverse ? flip(x, {axis}) : x);
  }
  xs = running(f, xs, axis);
  if (reverse)
    for (Tensor& x : xs) x = flip(std::move(x), {axis});
  return xs;
}

}  // namespace tenure

// Every op of the registry, on every one of its specimens, through every check. The table at the end has a cell for each op and check; a cell that
// no specimen has filled, though the op claims it, is a failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include <tenure/function.h>
#include <tenure/memory.h>
#include <tenure/ops.h>
#include <tenure/tape.h>

#include "base/parallel.h"
#include "conformance.h"
#include "core/body.h"
#include "core/context.h"
#include "graph/graph.h"

namespace tenure {
namespace {

using namespace conformance;

enum Check { infers, runs, traces, optimizes, differentiates, agrees, twice, allocates, roundtrips, releases, checks };
constexpr const char* check_names[checks] = {"infer", "run", "traced", "optimized", "gradient", "f32=f64", "second", "no alloc", "attrs", "live"};

// One op's row of the table.
struct Row {
  int passed[checks] = {}, failed[checks] = {};
  std::vector<std::string> problems;
};

Tensors call(const Op& op, AttrRef attrs, Tensors xs) { return apply_all(op, xs, attrs); }

Tensors make_inputs(const Specimen& c, const std::vector<std::vector<double>>& values) {
  Tensors xs;
  for (size_t i = 0; i < c.inputs.size(); ++i) xs.push_back(make(values[i], c.inputs[i].spec));
  return xs;
}

bool same_bytes(const Tensors& a, const Tensors& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].spec() != b[i].spec() || !std::equal(a[i].bytes().begin(), a[i].bytes().end(), b[i].bytes().begin())) return false;
  return true;
}
bool close(const Tensors& a, const Tensors& b, double tolerance) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].spec() != b[i].spec() || !(difference(values_of(a[i]), values_of(b[i])) <= tolerance)) return false;
  return true;
}
// Fused kernels round differently than single ones.
double rounding(const Tensors& ys) {
  double t = 0;
  for (const Tensor& y : ys) t = std::max(t, y.dtype() == float64 ? 1e-13 : y.dtype() == float32 ? 2e-6 : is_float(y.dtype()) ? 1e-2 : 0);
  return t;
}

std::vector<Spec> specs_of(const Tensors& ts) {
  std::vector<Spec> s;
  for (const Tensor& t : ts) s.push_back(t.spec());
  return s;
}

std::vector<Spec> infer(const Op& op, const void* attrs, const std::vector<Spec>& xs) {
  Infer c(op, xs, attrs);
  op.infer(c);
  std::vector<Spec> ys;
  for (size_t i = 0; i < c.outputs(); ++i) ys.push_back(c.y(i));
  return ys;
}
bool accepts(const Op& op, const void* attrs, const std::vector<Spec>& xs) {
  try {
    infer(op, attrs, xs);
    return true;
  } catch (const Error&) { return false; }
}

// A graph as it was traced, node by node through the eager path.
Tensors interpret(const Graph& g, const Tensors& inputs) {
  Tensors values(g.values.size());
  for (size_t i = 0; i < g.values.size(); ++i) {
    const Value& v = g.values[i];
    if (v.kind == Value::input) values[i] = inputs[static_cast<size_t>(v.index)];
    if (v.kind == Value::constant) values[i] = g.constants[static_cast<size_t>(v.index)].tensor();
  }
  for (const GraphNode& n : g.nodes) {
    Tensors xs;
    for (ValueId v : n.in) xs.push_back(values[static_cast<size_t>(v)]);
    Tensors ys = apply_all(*n.op, xs, n.attrs.ref());
    for (size_t i = 0; i < ys.size(); ++i) values[static_cast<size_t>(n.out[i])] = ys[i];
  }
  Tensors out;
  for (ValueId v : g.outputs) out.push_back(values[static_cast<size_t>(v)]);
  return out;
}

// ---- one op ------------------------------------------------------------------------------------------------------------------

class Bench {
 public:
  Bench(const Op& op, Row& row) : op_(op), row_(row) {}

  void specimen(const Specimen& c) {
    text_ = c.text;
    random_.seed(std::hash<std::string_view>()(op_.name) + c.text.size());
    Attrs attrs(op_, c.attrs);
    std::vector<std::vector<double>> values;
    for (const Input& in : c.inputs) values.push_back(draw(in, random_));
    call(op_, attrs.ref(), make_inputs(c, values));  // kernels that are prepared once are prepared now
    memory::Now before = memory::now();
    {
      Tensors xs = make_inputs(c, values);
      Tensors ys = call(op_, attrs.ref(), xs);
      guarded(infers, [&] { infer_equals_run(attrs.ref(), xs, ys); });
      guarded(runs, [&] { writes_all(attrs.ref(), xs, ys, c, values); });
      guarded(traces, [&] { traced(attrs.ref(), xs, ys); });
      guarded(optimizes, [&] { optimized(attrs.ref(), xs, ys); });
      guarded(allocates, [&] { allocations(attrs.ref(), xs); });
      guarded(roundtrips, [&] { round_trip(attrs.ref(), c); });
    }
    if (op_.grad) gradients(attrs.ref(), c, values);
    memory::Now after = memory::now();
    report(releases, after.live_bytes == before.live_bytes && after.tensors == before.tensors && after.nodes == before.nodes,
           fmt::format("{} bytes and {} tensors before, {} and {} after", before.live_bytes, before.tensors, after.live_bytes, after.tensors));
  }

 private:
  template <class F>
  void guarded(Check check, F f) {
    try {
      f();
    } catch (const std::exception& e) { report(check, false, e.what()); }
  }
  void report(Check check, bool ok, const std::string& why) {
    ++(ok ? row_.passed : row_.failed)[check];
    if (!ok) row_.problems.push_back(fmt::format("{} on '{}': {}: {}", op_.name, text_, check_names[check], why));
  }

  void infer_equals_run(AttrRef attrs, const Tensors& xs, const Tensors& ys) {
    Tensors abstract;
    for (const Tensor& x : xs) abstract.push_back(make_abstract(x.spec()));
    if (!xs.empty()) report(infers, specs_of(call(op_, attrs, abstract)) == specs_of(ys), "abstract and eager outputs differ");
    std::vector<Spec> unknown = specs_of(xs), got;
    bool batch = false;
    int64_t size = xs.empty() || xs[0].rank() == 0 ? 1 : xs[0].dim(0);
    for (Spec& s : unknown)
      if (size != 1 && s.shape.rank() && s.shape[0] == size) s.shape[0] = -1, batch = true;
    try {
      got = infer(op_, attrs.p, unknown);
    } catch (const Error& e) {
      if (batch && e.message().find("must be known") != std::string::npos) return;  // it says so
      throw;
    }
    bool fits = got.size() == ys.size();
    for (size_t i = 0; fits && i < got.size(); ++i) {
      const Shape &a = got[i].shape, &b = ys[i].shape();
      fits = got[i].dtype == ys[i].dtype() && a.rank() == b.rank();
      for (int d = 0; fits && d < a.rank(); ++d) fits = a[d] == b[d] || (a[d] == -1 && batch);
    }
    report(infers, fits, fmt::format("with an unknown batch size the output is {}", got.empty() ? "none" : to_string(got[0])));
  }

  // The kernel writes every byte of its outputs, none beyond, whatever stood there; an input's buffer may be given to it.
  void writes_all(AttrRef attrs, const Tensors& xs, const Tensors& ys, const Specimen& c, const std::vector<std::vector<double>>& values) {
    std::vector<Spec> xspecs = specs_of(xs), yspecs = specs_of(ys);
    std::vector<const void*> in;
    for (const Tensor& x : xs) in.push_back(x.body()->data());  // strings too: where their table begins
    constexpr size_t guard = 128;
    for (int pattern : {0x00, 0x5a}) {
      std::vector<std::vector<uint64_t>> memory;
      std::vector<void*> out;
      for (const Spec& y : yspecs) {
        memory.emplace_back(y.bytes() / 8 + 2 * guard / 8 + 17, 0x0101010101010101u * static_cast<uint64_t>(pattern));
        auto at = reinterpret_cast<uintptr_t>(memory.back().data());
        out.push_back(reinterpret_cast<void*>((at + 63) / 64 * 64));
      }
      Status s = run_kernel(op_, attrs.p, xspecs, yspecs, in.data(), out.data());
      bool ok = s.ok();
      for (size_t i = 0; ok && i < ys.size(); ++i) {
        const auto* bytes = static_cast<const std::byte*>(out[i]);
        ok = std::equal(ys[i].bytes().begin(), ys[i].bytes().end(), bytes);
        for (size_t k = 0; ok && k < guard; ++k) ok = bytes[yspecs[i].bytes() + k] == static_cast<std::byte>(pattern);
      }
      report(runs, ok, pattern ? "the output depends on what stood there before, or bytes beyond it were written" : "a second run differs");
    }
    Tensors given = make_inputs(c, values);
    report(runs, same_bytes(apply_all(op_, given, attrs), ys), "with buffers given away the outputs differ");
  }

  void traced(AttrRef attrs, const Tensors& xs, const Tensors& ys) {
    Graph g = trace_graph([&](const Tensors& args) { return call(op_, attrs, args); }, specs_of(xs), std::vector<char>(xs.size(), 0), true);
    report(traces, same_bytes(interpret(g, xs), ys), "the traced graph gives other values");
  }

  void optimized(AttrRef attrs, const Tensors& xs, const Tensors& ys) {
    Function f([&](const Tensors& args) { return call(op_, attrs, args); }, {.name = "conformance"});
    for (int i = 0; i < 2; ++i) {
      Tensors got = f.call(xs).items();
      report(optimizes, close(got, ys, rounding(ys)), "the optimized function gives other values");
    }
  }

  void allocations(AttrRef attrs, const Tensors& xs) {
    std::vector<Spec> xspecs = specs_of(xs), yspecs = infer(op_, attrs.p, xspecs);
    Team team;
    std::shared_ptr<const void> prepared = op_.prepare ? op_.prepare(Prep(xspecs, yspecs, attrs.p, team.threads())) : nullptr;
    Prep p(xspecs, yspecs, attrs.p, team.threads(), prepared.get());
    bool view = op_.view && op_.view(p) >= 0;
    uint64_t expected = view ? 0 : yspecs.size() + (op_.scratch && op_.scratch(p) ? 1 : 0);
    Tensors held = xs;  // nothing is given away
    uint64_t before = memory::now().allocations;
    Tensors ys = apply_all(op_, held, attrs);
    uint64_t taken = memory::now().allocations - before;
    report(allocates, taken == expected, fmt::format("{} buffers were allocated, {} expected", taken, expected));
  }

  void round_trip(AttrRef attrs, const Specimen& c) {
    if (!attrs.p) return report(roundtrips, c.attrs.empty(), "attributes given to an op without any");
    std::string json = to_json(attrs);
    Attrs again(op_, json);
    report(roundtrips, to_json(again.ref()) == json && (c.attrs.empty() || json != "{}"), json);
  }

  // ---- gradients ----

  void gradients(AttrRef attrs, const Specimen& c, const std::vector<std::vector<double>>& values) {
    Specimen wide = c, narrow = c;
    bool any = false;
    for (size_t i = 0; i < c.inputs.size(); ++i)
      if (DType t = c.inputs[i].spec.dtype; t == float32 || t == float64)
        wide.inputs[i].spec.dtype = float64, narrow.inputs[i].spec.dtype = float32, any = true;
    auto specs = [](const Specimen& s) {
      std::vector<Spec> out;
      for (const Input& in : s.inputs) out.push_back(in.spec);
      return out;
    };
    if (!any) return;
    bool has64 = accepts(op_, attrs.p, specs(wide)) && infer(op_, attrs.p, specs(wide))[0].dtype == float64;
    bool has32 = accepts(op_, attrs.p, specs(narrow)) && infer(op_, attrs.p, specs(narrow))[0].dtype == float32;
    if (has64) {
      guarded(differentiates, [&] { check_gradient(attrs, make_inputs(wide, values), 1e-5, 1e-6); });
      guarded(twice, [&] { check_second(attrs, make_inputs(wide, values)); });
    } else if (has32) {
      guarded(differentiates, [&] { check_gradient(attrs, make_inputs(narrow, values), 1e-2, 2e-2); });
    }
    auto real = [&](const Specimen& s) { return accepts(op_, attrs.p, specs(s)) && infer(op_, attrs.p, specs(s))[0].dtype <= float64; };
    if (real(narrow) && real(wide)) guarded(agrees, [&] { compare_types(attrs, make_inputs(narrow, values), make_inputs(wide, values)); });
  }

  Tensors cotangents(const Tensors& ys) {
    std::mt19937_64 random(7);
    Tensors out;
    for (const Tensor& y : ys) out.push_back(is_float(y.dtype()) ? make(draw({y.spec()}, random), y.spec()) : Tensor{});
    return out;
  }
  // sum of outputs * cotangents, as a tensor.
  static Tensor weighted(const Tensors& ys, const Tensors& cots) {
    Tensor total;
    for (size_t i = 0; i < ys.size(); ++i) {
      if (!cots[i]) continue;
      Tensor part = sum(multiply(ys[i], cots[i]));
      total = total ? add(total, part) : part;
    }
    return total;
  }
  double weighted_value(AttrRef attrs, const Tensors& xs, const Tensors& cots) {
    double total = 0;
    Tensors ys = call(op_, attrs, xs);
    for (size_t i = 0; i < ys.size(); ++i) {
      if (!cots[i]) continue;
      std::vector<double> y = values_of(ys[i]), w = values_of(cots[i]);
      for (size_t k = 0; k < y.size(); ++k) total += y[k] * w[k];
    }
    return total;
  }
  static Tensors float_inputs(const Tensors& xs) {
    Tensors out;
    for (const Tensor& x : xs)
      if (is_float(x.dtype())) out.push_back(x);
    return out;
  }
  // Up to 24 positions of n.
  std::vector<size_t> positions(size_t n) {
    std::vector<size_t> p;
    for (size_t i = 0; i < std::min<size_t>(n, 24); ++i) p.push_back(n <= 24 ? i : random_() % n);
    return p;
  }

  Tensors tape_gradient(AttrRef attrs, const Tensors& xs, const Tensors& cots) {
    GradientTape tape;
    for (const Tensor& x : float_inputs(xs)) tape.watch(x);
    Tensor loss = weighted(call(op_, attrs, xs), cots);
    return tape.gradient(loss, float_inputs(xs), Unconnected::zero);
  }

  // d f / d x[i][k] by central differences of `f(xs)`.
  template <class F>
  double central(Tensors xs, size_t i, size_t k, double step, F f) {
    std::vector<double> v = values_of(xs[i]);
    double x = v[k], h = step * std::max(1.0, std::fabs(x)), y[2];
    for (int side = 0; side < 2; ++side) {
      v[k] = side ? x - h : x + h;
      xs[i] = make(v, xs[i].spec());
      y[side] = f(xs);
    }
    return (y[0] - y[1]) / (2 * h);
  }

  void check_gradient(AttrRef attrs, const Tensors& xs, double step, double tolerance) {
    Tensors cots = cotangents(call(op_, attrs, xs));
    Tensors grads = tape_gradient(attrs, xs, cots);
    size_t g = 0;
    for (size_t i = 0; i < xs.size(); ++i) {
      if (!is_float(xs[i].dtype())) continue;
      report(differentiates, grads[g].spec() == xs[i].spec(),
             fmt::format("the gradient of input {} is {}, not {}", i, grads[g].spec(), xs[i].spec()));
      std::vector<double> got = values_of(grads[g++]);
      double scale = 1;
      for (double v : got) scale = std::max(scale, std::fabs(v));
      for (size_t k : positions(got.size())) {
        double want = central(xs, i, k, step, [&](const Tensors& at) { return weighted_value(attrs, at, cots); });
        report(differentiates, std::fabs(got[k] - want) <= tolerance * scale,
               fmt::format("input {} at {}: {} by the op, {} by differences", i, k, got[k], want));
      }
    }
  }

  // Gradient of the gradient.
  void check_second(AttrRef attrs, const Tensors& xs) {
    Tensors cots = cotangents(call(op_, attrs, xs)), sources = float_inputs(xs), weights = cotangents(sources);
    auto first = [&](const Tensors& at) {
      double total = 0;
      Tensors grads = tape_gradient(attrs, at, cots);
      for (size_t i = 0; i < grads.size(); ++i) {
        std::vector<double> v = values_of(grads[i]), w = values_of(weights[i]);
        for (size_t k = 0; k < v.size(); ++k) total += v[k] * w[k];
      }
      return total;
    };
    Tensors grads;
    {
      GradientTape outer;
      for (const Tensor& s : sources) outer.watch(s);
      Tensor loss = weighted(tape_gradient(attrs, xs, cots), weights);
      grads = outer.gradient(loss, sources, Unconnected::zero);
    }
    size_t g = 0;
    for (size_t i = 0; i < xs.size(); ++i) {
      if (!is_float(xs[i].dtype())) continue;
      std::vector<double> got = values_of(grads[g++]);
      double scale = 1;
      for (double v : got) scale = std::max(scale, std::fabs(v));
      for (size_t k : positions(got.size())) {
        double want = central(xs, i, k, 1e-5, first);
        report(twice, std::fabs(got[k] - want) <= 1e-5 * scale, fmt::format("input {} at {}: {} by the op, {} by differences", i, k, got[k], want));
      }
    }
  }

  void compare_types(AttrRef attrs, const Tensors& narrow, const Tensors& wide) {
    Tensors rounded;  // the same values, as float32 has them
    for (size_t i = 0; i < wide.size(); ++i) rounded.push_back(is_float(wide[i].dtype()) ? make(values_of(narrow[i]), wide[i].spec()) : wide[i]);
    Tensors a = tape_gradient(attrs, narrow, cotangents(call(op_, attrs, narrow))),
            b = tape_gradient(attrs, rounded, cotangents(call(op_, attrs, rounded)));
    for (size_t i = 0; i < a.size(); ++i) {
      double d = difference(values_of(a[i]), values_of(b[i]));
      report(agrees, d <= 1e-4, fmt::format("gradient {} differs by {}", i, d));
    }
  }

  const Op& op_;
  Row& row_;
  std::string text_;
  std::mt19937_64 random_;
};

bool claims(const Op& op, int check) {
  bool gradient = check == differentiates || check == agrees || check == twice;
  return !gradient || op.grad;
}

// What an op's specimens lack, of what it takes.
std::vector<std::string> missing_kinds(const Op& op) {
  bool zero = false, odd = false, broadcast = false, rank1 = false, rank4 = false, has64 = false, takes1 = false, takes4 = false, takes64 = false,
       takes0 = false, inputs = false;
  for (const Specimen& c : specimens_of(op)) {
    Attrs attrs(op, c.attrs);
    std::vector<Spec> xs, ones, fours, wide, none;
    for (const Input& in : c.inputs) {
      xs.push_back(in.spec);
      none.push_back(in.spec);
      if (in.spec.shape.rank()) none.back().shape[0] = 0;
      ones.push_back({{3}, in.spec.dtype});
      fours.push_back({{3, 3, 3, 3}, in.spec.dtype});
      wide.push_back({in.spec.shape, in.spec.dtype == float32 ? float64 : in.spec.dtype});
      rank1 |= in.spec.shape.rank() == 1, rank4 |= in.spec.shape.rank() == 4, has64 |= in.spec.dtype == float64;
      broadcast |= in.spec.shape != c.inputs[0].spec.shape;
      inputs = true;
    }
    std::vector<Spec> all = infer(op, attrs.ref().p, xs);
    if (c.inputs.empty())
      for (const Spec& y : all) rank1 |= y.shape.rank() == 1, rank4 |= y.shape.rank() == 4, has64 |= y.dtype == float64;
    all.insert(all.end(), xs.begin(), xs.end());
    for (const Spec& s : all) {
      zero |= s.shape.elements() == 0;
      odd |= op.traits & elementwise ? s.shape.elements() % 2 == 1 && s.shape.elements() > 16 : s.shape.elements() % 4 != 0;
    }
    takes1 |= inputs && accepts(op, attrs.ref().p, ones), takes4 |= inputs && accepts(op, attrs.ref().p, fours);
    takes0 |= accepts(op, attrs.ref().p, none);
    takes64 |= wide != xs && accepts(op, attrs.ref().p, wide);
  }
  std::vector<std::string> missing;
  if (takes0 && !zero) missing.emplace_back("a zero-sized dimension");
  if (!odd) missing.emplace_back("a size that is no multiple of a vector");
  if ((op.traits & elementwise) && specimens_of(op)[0].inputs.size() > 1 && !broadcast) missing.emplace_back("broadcasting");
  if (takes1 && !rank1) missing.emplace_back("rank 1");
  if (takes4 && !rank4) missing.emplace_back("rank 4");
  if (takes64 && !has64) missing.emplace_back("float64");
  return missing;
}

TEST(Conformance, EveryOpPassesEveryCheckOnItsSpecimens) {
  std::string table = fmt::format("{:<32}", "op");
  for (const char* name : check_names) table += fmt::format("{:>10}", name);
  table += '\n';
  const char* only = std::getenv("TENURE_CONFORMANCE_OP");
  for (const Op* op : Registry::global().all()) {
    if (only && op->name != only) continue;
    Row row;
    for (const Specimen& c : specimens_of(*op)) {
      try {
        Bench(*op, row).specimen(c);
      } catch (const std::exception& e) { ADD_FAILURE() << op->name << " on '" << c.text << "': " << e.what(); }
    }
    table += fmt::format("{:<32}", op->name);
    for (int k = 0; k < checks; ++k) {
      bool empty = row.passed[k] + row.failed[k] == 0;
      table += fmt::format("{:>10}", row.failed[k] ? fmt::format("{} BAD", row.failed[k])
                                     : empty       ? (claims(*op, k) ? "EMPTY" : "-")
                                                   : std::to_string(row.passed[k]));
      if (empty && claims(*op, k)) ADD_FAILURE() << op->name << ": no specimen exercises '" << check_names[k] << "'";
    }
    table += '\n';
    for (size_t i = 0; i < row.problems.size() && i < 5; ++i) ADD_FAILURE() << row.problems[i];
  }
  std::printf("%s", table.c_str());
}

TEST(Conformance, SpecimensHoldZeroSizesOddSizesBroadcastingRanksAndFloat64) {
  for (const Op* op : Registry::global().all())
    for (const std::string& kind : missing_kinds(*op)) ADD_FAILURE() << op->name << ": its specimens lack " << kind;
}

// Mistakes that an op's author may make; never registered.
const Op wrong_gradient = {
    .name = "wrong_gradient",
    .infer = infer_float,
    .tile =
        [](const Tile& t) noexcept {
          for (int64_t i = 0; i < t.n; ++i) {
            if (t.dtype == float64) t.y<double>()[i] = t.x<double>(0)[i] * 3;
            else t.y<float>()[i] = t.x<float>(0)[i] * 3;
          }
        },
    .grad = [](const Grad& g) -> Tensors { return {multiply(g.dy(), 2.0)}; },
    .traits = elementwise | inplace,
    .specimens = "f32[5]",
};
const Op unwritten_output = {
    .name = "unwritten_output",
    .infer = infer_same,
    .run = [](const Run& r) noexcept -> Status {
      for (int64_t i = 0; i + 1 < r.y().shape.elements(); ++i) r.out<float>()[i] = 1;
      return {};
    },
    .specimens = "f32[5]",
};
const Op allocating_kernel = {
    .name = "allocating_kernel",
    .infer = infer_same,
    .run = [](const Run& r) noexcept -> Status {
      Tensor extra = make_tensor(r.y());
      kernels::copy(r.in(0), r.out(), r.y().bytes());
      return {};
    },
    .specimens = "f32[5]",
};
const Op batch_blind = {
    .name = "batch_blind",
    .infer = [](Infer& c) { c.output(Shape{5}, c.dtype(0)); },
    .run = [](const Run& r) noexcept -> Status {
      kernels::copy(r.in(0), r.out(), r.y().bytes());
      return {};
    },
    .specimens = "f32[5], f32[4]",
};

TEST(Conformance, EachCheckFindsTheMistakeItIsFor) {
  auto failed = [](const Op& op, Check check) {
    Row row;
    for (const Specimen& c : specimens_of(op)) Bench(op, row).specimen(c);
    return row.failed[check];
  };
  EXPECT_GT(failed(wrong_gradient, differentiates), 0);
  EXPECT_EQ(failed(wrong_gradient, infers), 0);
  EXPECT_GT(failed(unwritten_output, runs), 0);
  EXPECT_GT(failed(allocating_kernel, allocates), 0);
  EXPECT_EQ(missing_kinds(batch_blind).size(), 3U);  // no zero size, rank 4 or float64
}

TEST(Conformance, TheRegistryFindsOpsByNameAndRefusesASecondOfTheSameName) {
  const Op* add = Registry::global().find("add");
  ASSERT_NE(add, nullptr);
  EXPECT_EQ(add->name, "add");
  EXPECT_EQ(Registry::global().find("no_such_op"), nullptr);
  EXPECT_THROW(Registry::global().add(*add), Error);
}

}  // namespace
}  // namespace tenure

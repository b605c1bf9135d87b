// Sums of products by letters (Einstein's summation). Two operands are one matrix product between permutations; the rest is made of that.
// Nothing here owns anything.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "kernels/dnn.h"
#include "ops/families.h"
#include "ops/fused.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

/// "abc,cd->abd": two operands, no letter twice in one of them, none that stands in one operand only and not in the output.
struct EinsumAttrs {
  std::string subscripts;
};
template <class V>
void fields(V& v, EinsumAttrs& a) {
  v("subscripts", a.subscripts);
}

struct Terms {
  std::string a, b, out;
};
Terms terms_of(const std::string& s) {
  const size_t comma = s.find(','), arrow = s.find("->");
  check(comma != std::string::npos && arrow != std::string::npos && comma < arrow, Code::InvalidArgument,
        "einsum: expected \"ab,bc->ac\", got \"{}\"", s);
  return {s.substr(0, comma), s.substr(comma + 1, arrow - comma - 1), s.substr(arrow + 2)};
}

bool has(const std::string& s, char c) { return s.find(c) != std::string::npos; }
bool repeats(const std::string& s) {
  for (size_t i = 0; i < s.size(); ++i)
    if (s.find(s[i], i + 1) != std::string::npos) return true;
  return false;
}

void infer_einsum(Infer& c) {
  const std::string& text = c.attr<EinsumAttrs>().subscripts;
  const Terms t = terms_of(text);
  check(c.inputs() == 2 && static_cast<int>(t.a.size()) == c.shape(0).rank() && static_cast<int>(t.b.size()) == c.shape(1).rank(), Code::Shape,
        "einsum: \"{}\" does not fit {} and {}", text, c.x(0), c.inputs() > 1 ? to_string(c.x(1)) : "nothing");
  check(!repeats(t.a) && !repeats(t.b) && !repeats(t.out), Code::Unsupported, "einsum: a letter twice in one term of \"{}\"", text);
  const DType type = c.dtype(0);
  check((type == float32 || type == float64) && c.dtype(1) == type, Code::DType, "einsum: expected float32 or float64, got {} and {}", c.x(0),
        c.x(1));
  std::array<int64_t, 128> size;
  size.fill(-2);
  for (int i = 0; i < 2; ++i) {
    const std::string& term = i == 0 ? t.a : t.b;
    for (size_t d = 0; d < term.size(); ++d) {
      int64_t &known = size[static_cast<size_t>(term[d])], got = c.shape(i)[static_cast<int>(d)];
      check(known < 0 || got < 0 || known == got, Code::Shape, "einsum: sizes of '{}' in \"{}\" differ: {}, {}", term[d], text, c.x(0), c.x(1));
      if (known < 0) known = std::max(got, known);
    }
  }
  for (char l : t.a + t.b)
    check(has(t.out, l) || (has(t.a, l) && has(t.b, l)), Code::InvalidArgument, "einsum: '{}' of \"{}\" stands in one term only", l, text);
  Shape y;
  for (char l : t.out) {
    check(size[static_cast<size_t>(l)] > -2, Code::InvalidArgument, "einsum: '{}' of \"{}\" stands in no operand", l, text);
    y.push_back(size[static_cast<size_t>(l)]);
  }
  c.output(y, type);
}

/// How a call becomes a product [batch, m, k] · [batch, k, n]: of operands `first` and `1 - first`, each perhaps permuted before, the result after.
struct Plan {
  std::shared_ptr<const kernels::Matmul> product;
  int first = 0;
  std::vector<int> permute[2], after;  // axes; empty: as it stands
  std::vector<int64_t> after_dims;
  size_t bytes[3] = {};  // of the permuted operands and the result before its permutation
};

std::vector<int> order(const std::string& from, const std::string& to) {
  std::vector<int> axes;
  for (char l : to) axes.push_back(static_cast<int>(from.find(l)));
  return axes;
}

int64_t volume(const std::string& letters, const Terms& t, const Prep& p) {
  int64_t n = 1;
  for (char l : letters) {
    const size_t at = t.a.find(l);
    n *= at != std::string::npos ? p.x(0).shape[static_cast<int>(at)] : p.x(1).shape[static_cast<int>(t.b.find(l))];
  }
  return n;
}

size_t rounded(size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

std::shared_ptr<const void> prepare_einsum(const Prep& p) {
  const Terms t = terms_of(p.attr<EinsumAttrs>().subscripts);
  auto plan = std::make_shared<Plan>();
  std::string batch, m, n, k;
  for (char l : t.out) (has(t.a, l) && has(t.b, l) ? batch : has(t.a, l) ? m : n) += l;
  for (char l : t.a)
    if (!has(t.out, l)) k += l;
  // The operand whose letters come last in the output is the right one.
  std::string left = t.a, right = t.b;
  if (t.out == batch + n + m && !n.empty() && !m.empty()) {
    plan->first = 1;
    std::swap(left, right), std::swap(m, n);
  }
  kernels::MatmulDesc d;
  d.dtype = p.y().dtype;
  d.m = volume(m, t, p), d.n = volume(n, t, p), d.k = volume(k, t, p);
  const int64_t count = volume(batch, t, p);
  if (d.m * d.n * d.k * count == 0) return nullptr;
  if (!batch.empty()) {
    d.batch_rank = 1;
    d.batch[0] = count, d.a_stride[0] = d.m * d.k, d.b_stride[0] = d.k * d.n;
  }
  d.transpose_a = left != batch + m + k && left == batch + k + m;
  d.transpose_b = right != batch + k + n && right == batch + n + k;
  if (left != batch + m + k && !d.transpose_a) plan->permute[0] = order(left, batch + m + k);
  if (right != batch + k + n && !d.transpose_b) plan->permute[1] = order(right, batch + k + n);
  for (int i = 0; i < 2; ++i)
    if (!plan->permute[i].empty()) plan->bytes[i] = rounded(p.x(i == 0 ? plan->first : 1 - plan->first).bytes());
  if (const std::string made = batch + m + n; made != t.out) {
    plan->after = order(made, t.out);
    for (char l : made) plan->after_dims.push_back(p.y().shape[static_cast<int>(t.out.find(l))]);
    plan->bytes[2] = rounded(p.y().bytes());
  }
  plan->product = kernels::matmul(d, p.threads());
  return plan;
}

size_t einsum_scratch(const Prep& p) {
  const auto* plan = p.prepared<Plan>();
  return plan ? rounded(plan->product->scratch_bytes()) + plan->bytes[0] + plan->bytes[1] + plan->bytes[2] : 0;
}

Status run_einsum(const Run& r) noexcept {
  const auto* plan = r.prepared<Plan>();
  if (!plan) {
    if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
    return {};
  }
  const size_t size = size_of(r.y().dtype);
  auto* room = r.scratch<std::byte>() + rounded(plan->product->scratch_bytes());
  const void* in[2];
  for (int i = 0; i < 2; ++i) {
    const int x = i == 0 ? plan->first : 1 - plan->first;
    in[i] = r.in(x);
    if (plan->permute[i].empty()) continue;
    kernels::permute(in[i], room, r.x(x).shape.begin(), plan->permute[i].data(), r.x(x).shape.rank(), size);
    in[i] = room;
    room += plan->bytes[i];
  }
  void* y = plan->after.empty() ? r.out() : room;
  const kernels::Status done = plan->product->run(in[0], in[1], nullptr, y, r.scratch());
  if (done && !plan->after.empty())
    kernels::permute(y, r.out(), plan->after_dims.data(), plan->after.data(), static_cast<int>(plan->after.size()), size);
  return to_status(done);
}

Tensors einsum_grad(const Grad& g) {
  const Terms t = terms_of(g.attr<EinsumAttrs>().subscripts);
  Tensors d(2);
  if (g.needs(0)) d[0] = einsum(t.out + "," + t.b + "->" + t.a, {g.dy(), g.x(1)});
  if (g.needs(1)) d[1] = einsum(t.out + "," + t.a + "->" + t.b, {g.dy(), g.x(0)});
  return d;
}

const Op einsum_op = {
    .name = "einsum",
    .infer = infer_einsum,
    .run = run_einsum,
    .grad = einsum_grad,
    .saves = saves_inputs(0, 1),
    .attrs = attrs_of<EinsumAttrs>,
    .prepare = prepare_einsum,
    .scratch = einsum_scratch,
    .specimens = R"(f32[2,3,5], f32[5,7] ; {"subscripts": "abc,cd->abd"} | f64[2,3,2,5], f64[2,4,2,5] ; {"subscripts": "aecd,abcd->acbe"}
                  | f64[2,2,4,3], f64[2,3,2,5] ; {"subscripts": "acbe,aecd->abcd"} | f32[2,3,5], f32[2,3,5] ; {"subscripts": "abc,abc->ab"}
                  | f64[3], f64[5] ; {"subscripts": "a,b->ba"} | f32[0,3], f32[3,2] ; {"subscripts": "ab,bc->ac"}
                  | f64[3,5], f64[5,3] ; {"subscripts": "ab,ba->"} | f64[2,3,5], f64[3,5,7] ; {"subscripts": "abc,bcd->dab"})",
};

// ---- any subscripts to those of the op --------------------------------------------------------------------------------------------

struct Parsed {
  std::vector<std::string> in;
  std::string out;
};

char unused(const std::string& taken) {
  for (char c = 'z'; c >= 'a'; --c)
    if (!has(taken, c)) return c;
  for (char c = 'Z'; c >= 'A'; --c)
    if (!has(taken, c)) return c;
  fail(Code::Unsupported, "einsum: more than 52 letters");
}

// Ellipses become letters, a missing output NumPy's: letters that stand once, sorted.
Parsed parse(std::string text, const Tensors& xs) {
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const std::string given = text;
  Parsed p;
  const size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  for (size_t at = 0; at <= left.size();) {
    const size_t end = std::min(left.find(',', at), left.size());
    p.in.push_back(left.substr(at, end - at));
    at = end + 1;
  }
  check(p.in.size() == xs.size(), Code::InvalidArgument, "einsum: \"{}\" has {} terms for {} tensors", given, p.in.size(), xs.size());
  std::string dots, taken = text;
  for (size_t i = 0; i < xs.size(); ++i) {
    const size_t at = p.in[i].find("...");
    if (at == std::string::npos) continue;
    const int more = xs[i].rank() - static_cast<int>(p.in[i].size() - 3);
    check(more >= 0, Code::Shape, "einsum: \"{}\" does not fit input {}, {}", given, i, xs[i].spec());
    while (static_cast<int>(dots.size()) < more) {
      dots.insert(dots.begin(), unused(taken));
      taken += dots[0];
    }
    p.in[i].replace(at, 3, dots.substr(dots.size() - static_cast<size_t>(more)));
  }
  if (arrow != std::string::npos) {
    p.out = text.substr(arrow + 2);
    if (const size_t at = p.out.find("..."); at != std::string::npos) p.out.replace(at, 3, dots);
  } else {
    std::string all;
    for (const std::string& term : p.in) all += term;
    for (char l : all)
      if (std::count(all.begin(), all.end(), l) == 1 && !has(dots, l)) p.out += l;
    std::sort(p.out.begin(), p.out.end());
    p.out = dots + p.out;
  }
  for (size_t i = 0; i < xs.size(); ++i) {
    check(static_cast<int>(p.in[i].size()) == xs[i].rank(), Code::Shape, "einsum: \"{}\" does not fit input {}, {}", given, i, xs[i].spec());
    check(!repeats(p.in[i]), Code::Unsupported, "einsum: a letter twice in one term of \"{}\" (a diagonal) is not supported", given);
    for (char l : p.in[i])
      check(std::isalpha(static_cast<unsigned char>(l)) != 0, Code::InvalidArgument, "einsum: '{}' in \"{}\" is no letter", l, given);
  }
  for (char l : p.out)
    check(std::any_of(p.in.begin(), p.in.end(), [&](const std::string& t) { return has(t, l); }), Code::InvalidArgument,
          "einsum: '{}' of the output of \"{}\" stands in no operand", l, given);
  return p;
}

// Sums over letters that stand neither in the output nor elsewhere; then in the output's order if it is the last.
Tensor summed(Tensor x, std::string& letters, const std::string& needed) {
  Axes away;
  std::string rest;
  for (size_t i = 0; i < letters.size(); ++i) {
    if (has(needed, letters[i])) rest += letters[i];
    else away.push_back(static_cast<int>(i));
  }
  if (away.empty()) return x;
  letters = rest;
  return sum(std::move(x), away);
}

// One matrix product of rows: a = m k, b = k n, out = m n, sizes known. Then it is that, with all that products have.
bool is_rows(const std::string& a, const std::string& b, const std::string& out) {
  std::string k;
  for (char l : a)
    if (has(b, l)) k += l;
  if (k.empty() || k.size() == a.size() || k.size() == b.size()) return false;
  const std::string m = a.substr(0, a.size() - k.size()), n = b.substr(k.size());
  return a == m + k && b == k + n && out == m + n;
}

Tensor pair(Tensor a, std::string ta, Tensor b, std::string tb, const std::string& out) {
  a = summed(std::move(a), ta, tb + out);
  b = summed(std::move(b), tb, ta + out);
  if (is_rows(ta, tb, out) && a.shape().known() && b.shape().known() && a.size() > 0 && b.size() > 0) {
    int64_t k = 1;
    Shape y;
    for (size_t i = 0; i < ta.size(); ++i) {
      if (has(tb, ta[i])) k *= a.shape()[static_cast<int>(i)];
      else y.push_back(a.shape()[static_cast<int>(i)]);
    }
    for (size_t i = 0; i < tb.size(); ++i)
      if (!has(ta, tb[i])) y.push_back(b.shape()[static_cast<int>(i)]);
    const int64_t m = a.size() / k, n = b.size() / k;
    return reshape(matmul(reshape(std::move(a), {m, k}), reshape(std::move(b), {k, n})), y);
  }
  return apply_with(einsum_op, EinsumAttrs{ta + "," + tb + "->" + out}, std::move(a), std::move(b));
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor einsum(std::string_view subscripts, const Tensors& operands) {
  check(!operands.empty(), Code::InvalidArgument, "einsum: expected at least one tensor");
  Tensors xs = operands;
  DType t = xs[0].dtype();
  for (const Tensor& x : xs) t = promote(t, x.dtype());
  // The kernels know float32 and float64; integers below 2^53 come back exactly.
  const DType work = t == float64 || is_integer(t) || t == bool_ ? float64 : float32;
  for (Tensor& x : xs)
    if (x.dtype() != work) x = cast(std::move(x), work);
  Parsed p = parse(std::string(subscripts), xs);
  Tensor y = std::move(xs[0]);
  std::string term = p.in[0];
  for (size_t i = 1; i < xs.size(); ++i) {
    std::string needed = p.out, out;
    for (size_t j = i + 1; j < xs.size(); ++j) needed += p.in[j];
    if (i + 1 == xs.size()) {
      out = p.out;
    } else {
      for (char l : term + p.in[i])
        if (has(needed, l) && !has(out, l)) out += l;
    }
    y = pair(std::move(y), term, std::move(xs[i]), p.in[i], out);
    term = out;
  }
  y = summed(std::move(y), term, p.out);
  if (term != p.out) y = transpose(std::move(y), order(term, p.out));
  return work == t ? y : cast(std::move(y), t);
}

void register_einsum(Registry& r) { r.add(einsum_op); }

}  // namespace tenure

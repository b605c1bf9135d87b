// Simplification of a traced graph: dead code, constants, common subexpressions, arithmetic identities. Assignments are never dead code:
// they are the graph's `writes`. Stateful ops are left alone.
#include <algorithm>
#include <unordered_map>

#include "core/context.h"
#include "graph/graph.h"

namespace tenure {

std::vector<int32_t> Graph::uses() const {
  std::vector<int32_t> n(values.size(), 0);
  for (const GraphNode& node : nodes)
    for (ValueId v : node.in) ++n[static_cast<size_t>(v)];
  for (ValueId v : outputs) ++n[static_cast<size_t>(v)];
  for (ValueId v : writes)
    if (v >= 0) ++n[static_cast<size_t>(v)];
  return n;
}

void Graph::replace(ValueId from, ValueId to) {
  for (GraphNode& node : nodes) std::replace(node.in.begin(), node.in.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
  std::replace(writes.begin(), writes.end(), from, to);
}

namespace {

// Removes nodes marked dead and renumbers producers.
void compact(Graph& g, const std::vector<char>& dead) {
  std::vector<GraphNode> kept;
  kept.reserve(g.nodes.size());
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    if (dead[i]) continue;
    for (ValueId v : g.nodes[i].out) g.values[static_cast<size_t>(v)].node = static_cast<int32_t>(kept.size());
    kept.push_back(std::move(g.nodes[i]));
  }
  g.nodes = std::move(kept);
}

bool pure(const GraphNode& n) { return n.op && !(n.op->traits & stateful); }

}  // namespace

void eliminate_dead(Graph& g) {
  for (size_t k = 0; k < g.writes.size(); ++k)
    if (g.writes[k] >= 0 && g.writes[k] == g.reads[k]) g.writes[k] = -1;  // assigned its own value
  std::vector<char> live(g.values.size(), 0), dead(g.nodes.size(), 0);
  for (ValueId v : g.outputs) live[static_cast<size_t>(v)] = 1;
  for (ValueId v : g.writes)
    if (v >= 0) live[static_cast<size_t>(v)] = 1;
  for (size_t i = g.nodes.size(); i-- > 0;) {
    const GraphNode& n = g.nodes[i];
    bool needed = n.op && (n.op->traits & stateful);
    for (ValueId v : n.out) needed |= live[static_cast<size_t>(v)];
    if (!needed) {
      dead[i] = 1;
      continue;
    }
    for (ValueId v : n.in) live[static_cast<size_t>(v)] = 1;
  }
  compact(g, dead);
  // Constants and reads that nothing uses any more are let go.
  for (size_t v = 0; v < g.values.size(); ++v)
    if (!live[v] && g.values[v].kind == Value::constant) g.constants[static_cast<size_t>(g.values[v].index)].reset();
  for (ValueId& r : g.reads)
    if (r >= 0 && !live[static_cast<size_t>(r)]) r = -1;
}

void fold_constants(Graph& g) {
  constexpr size_t kMost = 64 << 10;  // bytes: larger results are cheaper to make than to keep
  std::vector<char> dead(g.nodes.size(), 0);
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    GraphNode& n = g.nodes[i];
    if (!pure(n)) continue;
    bool constant = true;
    for (ValueId v : n.in) constant &= g.values[static_cast<size_t>(v)].kind == Value::constant;
    size_t bytes = 0;
    for (ValueId v : n.out) bytes += g.spec(v).bytes();
    if (!constant || bytes > kMost) continue;
    Eagerly eagerly;
    memory::As as(memory::Category::constant);
    Tensors xs;
    for (ValueId v : n.in) xs.push_back(g.constant_of(v));
    Tensors ys = apply_all(*n.op, xs, n.attrs.ref());
    for (size_t k = 0; k < ys.size(); ++k) {
      g.constants.emplace_back(std::move(ys[k]));
      Value& v = g.values[static_cast<size_t>(n.out[k])];
      v.kind = Value::constant, v.index = static_cast<int32_t>(g.constants.size() - 1), v.node = -1;
    }
    dead[i] = 1;
  }
  compact(g, dead);
}

void merge_common(Graph& g) {
  std::unordered_map<std::string, size_t> seen;
  std::vector<ValueId> alias(g.values.size());
  for (size_t v = 0; v < alias.size(); ++v) alias[v] = static_cast<ValueId>(v);
  // Equal small constants are one.
  std::unordered_map<std::string, ValueId> constants;
  for (size_t v = 0; v < g.values.size(); ++v) {
    const Spec& spec = g.spec(static_cast<ValueId>(v));
    if (g.values[v].kind != Value::constant || spec.dtype == DType::string || spec.bytes() > 64) continue;
    Tensor t = g.constant_of(static_cast<ValueId>(v));
    if (!t.defined()) continue;
    auto bytes = t.bytes();
    std::string key = to_string(spec) + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    alias[v] = constants.try_emplace(key, static_cast<ValueId>(v)).first->second;
  }
  std::vector<char> dead(g.nodes.size(), 0);
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    GraphNode& n = g.nodes[i];
    for (ValueId& v : n.in) v = alias[static_cast<size_t>(v)];
    if (!pure(n)) continue;
    std::vector<ValueId> in = n.in;
    if (n.op->traits & commutative) std::sort(in.begin(), in.end());
    std::string key = fmt::format("{} {} {}", static_cast<const void*>(n.op), n.attrs.json(), fmt::join(in, ","));
    auto [it, fresh] = seen.try_emplace(key, i);
    if (fresh) continue;
    const GraphNode& first = g.nodes[it->second];
    for (size_t k = 0; k < n.out.size(); ++k) alias[static_cast<size_t>(n.out[k])] = first.out[k];
    dead[i] = 1;
  }
  for (ValueId& v : g.outputs) v = alias[static_cast<size_t>(v)];
  for (ValueId& v : g.writes)
    if (v >= 0) v = alias[static_cast<size_t>(v)];
  compact(g, dead);
}

namespace {

// The one number that every element of a constant is, if so.
bool uniform_value(const Graph& g, ValueId v, double* number) {
  const Value& value = g.values[static_cast<size_t>(v)];
  if (value.kind != Value::constant || value.spec.dtype == DType::string) return false;
  Tensor t = g.constant_of(v);
  if (!t.defined() || t.size() == 0 || t.size() > 65536) return false;
  *number = t.at(0);
  for (int64_t i = 1; i < t.size(); ++i)
    if (t.at(i) != *number) return false;
  return true;
}

// Element count and dtype equal: then one stands for the other where only values matter and shapes agree.
bool same_spec(const Graph& g, ValueId a, ValueId b) { return g.spec(a) == g.spec(b); }

}  // namespace

void simplify(Graph& g) {
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    GraphNode& n = g.nodes[i];
    if (!pure(n) || n.out.size() != 1) continue;
    ValueId y = n.out[0];
    double c = 0;
    if (n.in.size() == 2 && (n.op->name == "multiply" || n.op->name == "add" || n.op->name == "subtract" || n.op->name == "divide")) {
      bool commutes = n.op->name == "multiply" || n.op->name == "add";
      double neutral = n.op->name == "multiply" || n.op->name == "divide" ? 1 : 0;
      for (int side = commutes ? 0 : 1; side < 2; ++side) {
        ValueId other = n.in[static_cast<size_t>(1 - side)];
        if (same_spec(g, other, y) && uniform_value(g, n.in[static_cast<size_t>(side)], &c) && c == neutral) {
          g.replace(y, other);
          break;
        }
      }
    }
    // A tensor that is one number everywhere, beside an operand that has the full shape: a scalar does.
    if (n.op->tile && n.in.size() >= 2) {
      for (size_t k = 0; k < n.in.size(); ++k) {
        const Spec& s = g.spec(n.in[k]);
        if (s.shape.rank() == 0 || s.shape.elements() <= 1 || !uniform_value(g, n.in[k], &c)) continue;
        bool shaped = false;
        for (size_t j = 0; j < n.in.size(); ++j) shaped |= j != k && g.spec(n.in[j]).shape == g.spec(y).shape;
        if (!shaped) continue;
        Tensor whole = g.constant_of(n.in[k]);
        memory::As as(memory::Category::constant);
        Tensor scalar = make_view(whole, {Shape{}, s.dtype}, 0).clone();
        n.in[k] = g.add_constant(std::move(scalar));
      }
    }
  }
}

void optimize(Graph& g) {
  eliminate_dead(g);
  fold_constants(g);
  simplify(g);
  merge_common(g);
  eliminate_dead(g);
  fuse_epilogues(g);
  eliminate_dead(g);
  fold_pads(g);
  eliminate_dead(g);
  fuse_tiles(g);
}

}  // namespace tenure

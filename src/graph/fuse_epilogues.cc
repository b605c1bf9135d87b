// Products take what follows them: matmul, linear, conv and depthwise_conv absorb a bias, a residual and an activation.
// The fused node stands where the last absorbed node stood, so everything it reads is there.
#include "graph/graph.h"
#include "ops/fused.h"

namespace tenure {
namespace {

using namespace ops;

// The epilogue of a product node, or null; a matmul is turned into a linear first.
EpilogueAttrs* epilogue_of(GraphNode& n) {
  if (n.op == &linear_op) return &n.attrs.get<LinearAttrs>().epilogue;
  if (n.op == &conv_op || n.op == &depthwise_conv_op) return &n.attrs.get<ConvAttrs>().epilogue;
  return nullptr;
}

bool is_float_product(const Graph& g, const GraphNode& n) { return g.spec(n.out[0]).dtype == DType::float32; }

// A matmul of a plain matrix on the right is a linear without epilogue.
void as_linear(Graph& g, GraphNode& n) {
  if (n.op != &matmul_op || n.in.size() != 2 || g.spec(n.in[1]).shape.rank() != 2) return;
  const auto& m = n.attrs.get<MatmulAttrs>();
  if (m.transpose_a && g.spec(n.in[0]).shape.rank() != 2) return;
  LinearAttrs attrs;
  attrs.transpose_x = m.transpose_a, attrs.transpose_w = m.transpose_b;
  n.op = &linear_op;
  n.attrs = AttrBox(AttrRef{&attrs, attrs_of<LinearAttrs>()});
}

bool is_bias(const Spec& b, const Spec& y) { return b.dtype == y.dtype && b.shape.rank() == 1 && y.shape.rank() > 1 && b.shape[0] == y.shape.back(); }

// Tries to absorb node c into the product that makes its input `side`. Returns true when c became the fused node.
bool absorb(Graph& g, size_t c, size_t side, const std::vector<int32_t>& uses) {
  GraphNode& last = g.nodes[c];
  ValueId v = last.in[side];
  const Value& value = g.values[static_cast<size_t>(v)];
  if (value.kind != Value::result || uses[static_cast<size_t>(v)] != 1) return false;
  GraphNode& product = g.nodes[static_cast<size_t>(value.node)];
  if (product.out.size() != 1 || !product.op || !is_float_product(g, product)) return false;
  GraphNode fused = product;
  as_linear(g, fused);
  EpilogueAttrs* e = epilogue_of(fused);
  if (!e || !(g.spec(last.out[0]) == g.spec(v)) || (!e->activation.empty() && e->activation != "linear")) return false;
  if (last.op->name == "add") {
    ValueId other = last.in[1 - side];
    if (!e->bias && !e->sum && is_bias(g.spec(other), g.spec(v))) {
      e->bias = true;
      fused.in.insert(fused.in.begin() + 2, other);
    } else if (!e->sum && other != v && g.spec(other) == g.spec(v)) {
      e->sum = true;
      fused.in.push_back(other);
    } else {
      return false;
    }
  } else if (!last.op->attrs && last.in.size() == 1 && fusable_activation(last.op->name)) {
    e->activation = std::string(last.op->name);
  } else {
    return false;
  }
  fused.out = last.out;
  fused.account = product.account;
  g.nodes[c] = std::move(fused);
  // The old product's value is used by nobody now: dead code.
  return true;
}

}  // namespace

void fuse_epilogues(Graph& g) {
  std::vector<int32_t> uses = g.uses();
  for (size_t c = 0; c < g.nodes.size(); ++c) {
    const GraphNode& n = g.nodes[c];
    if (!n.op || n.out.size() != 1 || !n.op->tile) continue;
    for (size_t side = 0; side < n.in.size() && side < 2; ++side)
      if (absorb(g, c, side, uses)) break;
  }
}

}  // namespace tenure

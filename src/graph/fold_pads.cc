// Padding with zeros that only a convolution or a max pooling reads: the kernel does it, the padded copy is never made.
#include "graph/graph.h"
#include "ops/fused.h"

namespace tenure {
namespace {

using namespace ops;

// The spatial dimensions are padded with zeros, nothing else is: before and after each; else empty.
std::vector<int64_t> zeros_around(const GraphNode& n) {
  if (n.op != &pad_op) return {};
  const auto& a = n.attrs.get<PadAttrs>();
  const size_t all = a.pads.size();
  if (a.mode != "constant" || a.value != 0 || all < 6 || a.pads[0] || a.pads[1] || a.pads[all - 2] || a.pads[all - 1]) return {};
  return {a.pads.begin() + 2, a.pads.end() - 2};
}

bool keeps_sign(std::string_view activation) {
  for (std::string_view name : {"relu", "relu6", "sigmoid", "softplus", "exp", "square", "abs", "sqrt", "hard_sigmoid"})
    if (activation == name) return true;
  return false;
}

// Every element of v is 0 or more (a NaN stays one either way).
bool not_negative(const Graph& g, ValueId v) {
  const Value& value = g.values[static_cast<size_t>(v)];
  if (value.kind != Value::result) return false;
  const GraphNode& n = g.nodes[static_cast<size_t>(value.node)];
  if (!n.op) return false;
  if (n.op == &linear_op) return keeps_sign(n.attrs.get<LinearAttrs>().epilogue.activation);
  if (n.op == &conv_op || n.op == &depthwise_conv_op) return keeps_sign(n.attrs.get<ConvAttrs>().epilogue.activation);
  return n.op->tile && n.in.size() == 1 && keeps_sign(n.op->name);
}

template <class A>
bool take(A& a, const std::vector<int64_t>& zeros) {
  if (a.padding != "valid" && a.padding != "explicit") return false;
  if (a.padding == "valid") a.pads.assign(zeros.size(), 0);
  if (a.pads.size() != zeros.size()) return false;
  for (size_t i = 0; i < zeros.size(); ++i) a.pads[i] += zeros[i];
  a.padding = "explicit";
  return true;
}

}  // namespace

void fold_pads(Graph& g) {
  const std::vector<int32_t> uses = g.uses();
  for (GraphNode& n : g.nodes) {
    const bool conv = n.op == &conv_op || n.op == &depthwise_conv_op;
    if (!conv && n.op != &max_pool_op) continue;
    const Value& x = g.values[static_cast<size_t>(n.in[0])];
    if (x.kind != Value::result || uses[static_cast<size_t>(n.in[0])] != 1) continue;
    const GraphNode& pad = g.nodes[static_cast<size_t>(x.node)];
    const std::vector<int64_t> zeros = zeros_around(pad);
    if (zeros.empty()) continue;
    if (conv) {
      if (!take(n.attrs.get<ConvAttrs>(), zeros)) continue;
    } else {
      auto& a = n.attrs.get<PoolAttrs>();
      if (zeros.size() != 4 || std::max(zeros[0], zeros[1]) >= a.pool_size[0] || std::max(zeros[2], zeros[3]) >= a.pool_size[1] ||
          !not_negative(g, pad.in[0]) || !take(a, zeros))
        continue;
    }
    n.in[0] = pad.in[0];  // the padded value is used by nobody now: dead code
  }
}

}  // namespace tenure

// A traced function before it runs: values, nodes, variables, constants. A value is made once; nodes are in an order that can run.
// Owns its constants and variables for as long as it exists; the tensors of the trace itself are gone when tracing ends.
#pragma once

#include <string>
#include <vector>

#include <tenure/op.h>

#include "core/variable_body.h"
#include "graph/tile.h"

namespace tenure {

using ValueId = int32_t;

struct Value {
  enum Kind : uint8_t { input, constant, variable, result } kind = result;
  int32_t index = 0;  ///< of the input, constant or variable; for results: of the output of `node`
  int32_t node = -1;  ///< producer of a result
  Spec spec;
};

struct GraphNode {
  const Op* op = nullptr;  ///< null for a tile group
  AttrBox attrs;
  std::vector<ValueId> in, out;
  memory::AccountId account = 0;
  memory::Category category = memory::Category::activation;
  std::shared_ptr<TileProgram> tiles;  ///< of a tile group
};

struct Graph {
  std::vector<Value> values;
  std::vector<GraphNode> nodes;
  std::vector<ValueId> outputs;
  std::vector<memory::HeldOf<VariableBody>> variables;
  std::vector<ValueId> reads;   ///< by variable: the value read at the start, -1 if only written
  std::vector<ValueId> writes;  ///< by variable: the value it holds at the end, -1 if unchanged
  std::vector<Held> constants;
  size_t inputs = 0;
  size_t traced_ops = 0;

  ValueId add_value(Value v) {
    values.push_back(v);
    return static_cast<ValueId>(values.size() - 1);
  }
  const Spec& spec(ValueId v) const { return values[static_cast<size_t>(v)].spec; }
  ValueId add_constant(Tensor t) {
    constants.emplace_back(t);
    return add_value({Value::constant, static_cast<int32_t>(constants.size() - 1), -1, t.spec()});
  }
  /// The constant's tensor if v is one, else undefined.
  Tensor constant_of(ValueId v) const {
    const Value& value = values[static_cast<size_t>(v)];
    return value.kind == Value::constant ? constants[static_cast<size_t>(value.index)].tensor() : Tensor();
  }
  /// Values used by outputs, writes or nodes, with the number of uses.
  std::vector<int32_t> uses() const;
  /// Replaces `from` by `to` everywhere it is read.
  void replace(ValueId from, ValueId to);
};

// ---- passes: each keeps the meaning, none touches random or stateful ops but dead-code elimination of pure ones ----
void eliminate_dead(Graph& g);
void fold_constants(Graph& g);
void merge_common(Graph& g);
void simplify(Graph& g);
/// Zeros added before a convolution (or, of values that are not negative, before a max pooling) become its own padding.
void fold_pads(Graph& g);
/// conv/matmul + bias + activation (+ residual) into one node.
void fuse_epilogues(Graph& g);
/// Elementwise neighbours into tile groups.
void fuse_tiles(Graph& g);
/// All of them, in order.
void optimize(Graph& g);

/// Runs `f` with traced tensors of `inputs` specs (`weak`: those that stand for C++ numbers) and records what it does. A second trace may not make
/// Variables.
class Trace;
Graph trace_graph(const std::function<Tensors(const Tensors&)>& f, const std::vector<Spec>& inputs, const std::vector<char>& weak, bool first);

}  // namespace tenure

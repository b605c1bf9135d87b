// Retained sizes: what would be freed with an object. Dominators of the graph of owner references, from the program's own handles.
#pragma once

#include <cstdint>

#include "memory/big.h"
#include "memory/counted.h"

namespace tenure::memory {

/// A graph of n nodes: node i points at to[start[i]] … to[start[i + 1] - 1].
struct References {
  Big<uint32_t> start, to;
  Big<char> root;  ///< held from outside the graph
};
inline constexpr uint32_t kNobody = ~0u;

struct Dominators {
  Big<uint32_t> parent;  ///< the one node without which this one would not be reached; kNobody: none
  Big<uint32_t> order;   ///< parents before children
};
/// Where references form no cycle: one pass from the holders down, O(m log n); what nobody holds is taken as held from outside. Else
/// dominators_with_cycles().
Dominators dominators(const References& graph);
/// Lengauer and Tarjan, A fast algorithm for finding dominators in a flowgraph (TOPLAS 1979), with path compression: O(m log n), no recursion.
/// What no root reaches (cycles) is taken as held from outside, first come first, but nothing before its only holder if it leads nowhere itself.
Dominators dominators_with_cycles(const References& graph);

/// Everything that is alive, and what each retains.
struct Retained {
  Big<Counted*> objects;   ///< raw: valid while nothing is dropped
  Big<uint32_t> parent;    ///< index of the dominator or kNobody
  Big<uint32_t> order;     ///< parents before children
  Big<uint32_t> holders;   ///< references that hold it, the program's own handles counted as one
  Big<size_t> self;        ///< bytes of its buffer; 0 for what is no buffer, and for borrowed bytes
  Big<size_t> retained;    ///< self and all that it dominates
  Big<uint32_t> together;  ///< objects among them, itself included
  size_t edges = 0;
};
/// Wants the other threads quiet, as audit() does.
Retained retained_sizes();

}  // namespace tenure::memory

// Retained sizes: what would be freed with an object. Dominators of the graph of owner references, from the program's own handles.
#pragma once

#include <cstdint>
#include <vector>

#include "memory/counted.h"

namespace tenure::memory {

/// A graph of n nodes: node i points at to[start[i]] … to[start[i + 1] - 1].
struct References {
  std::vector<uint32_t> start, to;
  std::vector<char> root;  ///< held from outside the graph
};
inline constexpr uint32_t kNobody = ~0u;

struct Dominators {
  std::vector<uint32_t> parent;  ///< the one node without which this one would not be reached; kNobody: none
  std::vector<uint32_t> order;   ///< parents before children
};
/// Lengauer and Tarjan, A fast algorithm for finding dominators in a flowgraph (TOPLAS 1979), with path compression: O(m log n), no recursion.
/// What no root reaches (cycles) is taken as held from outside, first come first, but nothing before its only holder if it leads nowhere itself.
Dominators dominators(const References& graph);

/// Everything that is alive, and what each retains.
struct Retained {
  std::vector<Counted*> objects;   ///< raw: valid while nothing is dropped
  std::vector<uint32_t> parent;    ///< index of the dominator or kNobody
  std::vector<uint32_t> order;     ///< parents before children
  std::vector<uint32_t> holders;   ///< references that hold it, the program's own handles counted as one
  std::vector<size_t> self;        ///< bytes of its buffer; 0 for what is no buffer, and for borrowed bytes
  std::vector<size_t> retained;    ///< self and all that it dominates
  std::vector<uint32_t> together;  ///< objects among them, itself included
  size_t edges = 0;
};
/// Wants the other threads quiet, as audit() does.
Retained retained_sizes();

}  // namespace tenure::memory

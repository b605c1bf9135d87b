// Who holds what: all live objects and the edges between them, gathered when somebody asks.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>

#include "memory/storage.h"
#include "memory/walk.h"

namespace tenure::memory {

struct Edge {
  const Counted* from;
  std::string label;
  bool user;  // a named holder of a user's handle
};

/// The reference graph of a moment. While it exists nothing is destroyed: its pointers stay readable beside threads at work.
struct HolderGraph {
  std::shared_ptr<Walk> walk = std::make_shared<Walk>();
  std::vector<Counted*> objects;
  std::unordered_map<const Counted*, std::vector<Edge>> holders;  ///< target to its sources
  size_t edges = 0;

  static HolderGraph gather();
  size_t owner_edges(const Counted* target) const;
  size_t user_edges(const Counted* target) const;
  /// Chains from `target` outwards to roots, at most `most`, shortest first.
  std::vector<std::vector<Hop>> paths(const Counted* target, size_t most) const;
};

namespace testing {
/// Tests only: looks at what is alive leave out the trace() of this kind, as if its author had forgotten it; nothing is left out for std::nullopt.
void mute(std::optional<Kind> kind) noexcept;
bool muted(Kind kind) noexcept;
}  // namespace testing

}  // namespace tenure::memory

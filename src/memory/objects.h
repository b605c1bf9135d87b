// All live objects and the references between them, as arrays: gathered from the living or read from a file, asked the same way.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "memory/dominators.h"
#include "memory/lifecycle.h"
#include "memory/walk.h"

namespace tenure::memory {

/// What only core knows of a tensor body; null until core is linked.
struct TensorFacts {
  size_t bytes = 0;  ///< of its own values
  size_t elements = 0;
};
extern TensorFacts (*tensor_facts)(const Counted& tensor);

class Strings {
 public:
  uint32_t of(std::string_view text);
  const std::string& at(uint32_t i) const { return list_[i]; }
  const std::vector<std::string>& list() const noexcept { return list_; }
  void assign(std::vector<std::string> list);

 private:
  std::unordered_map<std::string, uint32_t> index_;
  std::vector<std::string> list_;
};

struct ObjectGraph {
  struct Object {
    uint64_t id = 0;
    Kind kind = Kind::other;
    Category category = Category::temporary;
    Standing standing = Standing::unknown;
    bool bounded = false;                   ///< a container below its bound
    uint32_t account = 0, name = 0;         ///< strings; the name of a living object is asked for
    uint32_t reason = 0, fix = 0;           ///< strings
    uint32_t handles = 0, unexplained = 0;  ///< references of the program that no named holder tells of | owner references that nobody names
    uint32_t owners = 0, traced = 0;        ///< owner references counted | named by somebody's trace(); equal unless there is a mistake
    size_t bytes = 0;                       ///< of a buffer
    size_t seen = 0, elements = 0;          ///< bytes and elements of a tensor's own values
    const Counted* live = nullptr;          ///< while `walk` exists
  };
  struct Reference {
    uint32_t to = 0, label = 0;  ///< label: a string
    int32_t index = -1;
    bool named = false;  ///< a named holder tells of a handle of the program
  };

  std::shared_ptr<Walk> walk;   ///< of living objects: nothing is destroyed
  Strings strings;              ///< 0 is ""
  std::vector<Object> objects;  ///< by birth
  std::vector<uint32_t> start;  ///< references of i: start[i] … start[i + 1] - 1
  std::vector<Reference> references;
  struct Stray {
    uint32_t from = 0;
    std::string label;
  };
  std::vector<Stray> strays;  ///< references that are named and lead to nothing alive: mistakes

  /// Visits all live objects. With `detached`, names are written down and nothing refers to the living.
  static ObjectGraph gather(bool detached);
  std::string name(uint32_t i) const;
  std::string label(const Reference& r) const;
  /// By birth number; kNobody if there is none.
  uint32_t find(uint64_t id) const;
};

/// Answers about one graph. Refers to it.
class Chains {
 public:
  /// `retained`: also computes dominators, once.
  explicit Chains(const ObjectGraph& graph, bool retained = true);
  std::vector<Chain> of(uint32_t target, size_t most = 8) const;
  /// The same with each chain in one line, from the target outwards: "inner as held[0] <- outer as held[1] <- 1 handle of your own program".
  struct Held {
    std::string line;
    Chain chain;
    /// Signature and retained bytes, then the chain with its standings, indices as [*].
    std::string card() const;
  };
  std::vector<Held> held(uint32_t target, size_t most) const;
  Why why(uint32_t target) const;
  size_t retained(uint32_t i) const { return retained_.empty() ? 0 : retained_[i]; }
  const Big<uint32_t>& dominator() const noexcept { return dominator_; }
  /// Whether every chain of `target` passes a bounded container that is not full yet; `what` is then told its name.
  bool filling(uint32_t target, std::string& what) const;

 private:
  struct Step {
    uint32_t at;
    int64_t next;   // the step towards the target, -1 at it
    uint32_t edge;  // the reference from `at` to it
  };
  struct Found {
    int64_t step;
    int rank, length;
    uint32_t named_edge;  // the reference of a named holder, kNobody otherwise
    uint32_t holder;      // that holder
  };
  std::vector<Found> search(uint32_t target, size_t most, std::vector<Step>& steps) const;
  Chain chain(const Found& f, const std::vector<Step>& steps) const;
  Link link(uint32_t i) const;
  bool root(uint32_t i) const;

  const ObjectGraph& g_;
  std::vector<uint32_t> before_start_, before_edge_, from_;  // references that lead to i; where reference e comes from
  std::vector<size_t> most_seen_;                            // of a buffer: the most that one tensor sees
  Big<uint32_t> dominator_;
  std::vector<size_t> retained_;
};

namespace testing {
/// Tests only: looks at what is alive leave out the trace() of this kind, as if its author had forgotten it; nothing is left out for std::nullopt.
void mute(std::optional<Kind> kind) noexcept;
bool muted(Kind kind) noexcept;
}  // namespace testing

/// Eight hexadecimal digits of `text` (FNV-1a).
std::string short_hash(std::string_view text);

}  // namespace tenure::memory

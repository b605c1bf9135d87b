// Executable: a planned graph. Instructions with resolved places, one arena a call, primitives kept, weights packed once a version.
// Owns its variables, constants and packed weights; the arena of a call belongs to the call. One Executable may run on many threads:
// each call has an arena of its own.
#pragma once

#include <mutex>

#include <tenure/function.h>

#include "base/object_mutex.h"
#include "graph/graph.h"
#include "graph/plan.h"
#include "memory/lifecycle.h"

namespace tenure {

/// Where a value lies during a call.
struct Location {
  enum Space : uint8_t { arena, input, constant, var_in, var_out, output } space = arena;
  int32_t index = 0;
  size_t offset = 0;
};

struct Instruction {
  const Op* op = nullptr;  ///< null: a tile group, or a plain copy
  std::shared_ptr<TileProgram> tiles;
  AttrBox attrs;
  std::vector<Location> in, out;
  std::vector<Spec> xs, ys;
  size_t scratch_offset = 0, scratch_bytes = 0;
  int32_t pack = -1;  ///< index of its packed input
  memory::AccountId account = 0;
};

/// Packed weights of one version of the variables they come from. Immutable once made; calls share it.
class PackSet final : public memory::Counted, public memory::Lifecycle {
 public:
  PackSet() : Counted(memory::Kind::other) {}
  std::vector<memory::HeldOf<memory::Storage>> packed;
  std::vector<uint64_t> sources;  ///< birth numbers of the tensors that were packed
  std::vector<uint64_t> versions;
  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override { return "packed weights"; }
  Says says() const override { return {memory::Standing::expected, "weights as the kernels want them, of one version"}; }
};

/// The counted object behind a Function, for those who keep one and name it in trace(); null for an empty handle.
const memory::Counted* counted(const Function& f) noexcept;

class Executable final : public memory::Counted {
 public:
  /// Plans the optimized graph. `replay` is the graph as traced, for calls under a tape. Throws what preparing kernels throws.
  Executable(Graph graph, Graph replay, std::string name);

  /// Runs. `args` have the specs that were traced. Throws OutOfMemory before anything is written.
  Tensors run(std::span<const Tensor> args);
  /// The same, op by op through apply, so that open tapes record it.
  Tensors replay(std::span<const Tensor> args);
  const Plan& plan() const noexcept { return plan_; }
  size_t kept_bytes() const;
  /// A tape of this thread wants a variable or an argument of this call.
  bool taped(std::span<const Tensor> args) const;

  /// A budget is short: packed weights go, but for those of calls under way; the next call packs anew. Bytes won.
  static size_t drop_packs(size_t);

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override { return "traced " + name_; }

 private:
  struct Result {
    enum Kind : uint8_t { own, input, constant, variable } kind = own;
    int32_t index = 0;
    size_t offset = 0;
    Spec spec;
  };
  struct Write {
    int32_t variable;
    bool copy;  ///< from `from` at the end; else an instruction writes in place
    Location from;
  };
  struct Pack {
    int32_t instruction;
    Location source;  ///< var_in or constant
  };
  struct Prepared {
    std::vector<std::shared_ptr<const void>> primitives;
    std::vector<size_t> scratch;
    size_t extra = 0;  ///< scratch of the neediest instruction that needs more than the arena holds for it
    int threads = 1;
    bool ready = false;
  };
  class Planner;

  ~Executable() override;
  const Prepared& prepared(int threads);
  memory::HeldOf<PackSet> packs(std::span<const Tensor> reads);

  std::string name_;
  Graph replay_;
  std::vector<Instruction> instructions_;
  std::vector<memory::HeldOf<VariableBody>> variables_;
  std::vector<char> read_;  ///< by variable: its value is wanted
  std::vector<Held> constants_;
  std::vector<Result> results_;
  std::vector<size_t> own_bytes_;  ///< by output buffer
  std::vector<Spec> own_specs_;
  std::vector<Write> writes_;
  std::vector<Pack> pack_rules_;
  int32_t first_write_ = 0;  ///< instruction before which variables are taken for writing
  size_t arena_bytes_ = 0;
  Plan plan_;
  mutable ObjectMutex<std::recursive_mutex> mutex_;  // around serial_ and packs_; packing may find a budget short and be asked for packs
  ObjectMutex<std::mutex> writer_;                   // one call at a time where variables are written
  Prepared team_, serial_;
  memory::HeldOf<PackSet> packs_;
};

}  // namespace tenure

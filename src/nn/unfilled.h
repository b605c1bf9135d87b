// Weights whose values come from a file: made without running their initializers.
#pragma once

#include <vector>

#include <tenure/initializers.h>

#include "core/variable_body.h"

namespace tenure::nn {

/// While one lives, weights made on its thread have memory and no values; whoever fills them writes to their variables.
/// finish() gives the others what their initializers say, so that no weight is ever read before it has a value. Stack-bound, one a thread.
class Unfilled {
 public:
  Unfilled();
  ~Unfilled();
  Unfilled(const Unfilled&) = delete;
  Unfilled& operator=(const Unfilled&) = delete;

  /// Weights made from here on are filled as usual.
  void close() noexcept;
  /// Runs the initializers of weights that nobody has written to.
  void finish();

  /// The start value of a weight: memory without values where the thread has an Unfilled open, else `initializer`'s values.
  static Tensor value(const Initializer& initializer, const Spec& spec);
  /// To be called with the weight that got such a value.
  static void note(VariableBody* weight, const Initializer& initializer);

 private:
  struct Waiting {
    Variable weight;
    Initializer initializer;
  };
  std::vector<Waiting> waiting_;
};

}  // namespace tenure::nn

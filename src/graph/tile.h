// Tile programs: a group of elementwise ops run tile by tile, so that what is between them never goes to memory.
#pragma once

#include <memory>
#include <vector>

#include <tenure/op.h>

namespace tenure {

struct TileProgram {
  struct Step {
    const Op* op;
    AttrBox attrs;
    int inputs;
    int in[4];  ///< registers
    int out;    ///< register
    DType dtype, out_dtype;
  };
  static constexpr int kMaxInputs = 16, kMaxOutputs = 16, kMaxRegisters = 24, kMaxSteps = 64;

  // Registers 0 .. inputs-1 are the inputs, then one for each step: register inputs + s is made by step s.
  std::vector<Spec> inputs;
  std::vector<Step> steps;
  std::vector<int> outputs;  ///< registers that go to memory
  Shape shape;               ///< of every output

  /// Assigns tile buffers to registers; false if more are alive at once than fit. Call once after the last change.
  bool finish();
  /// A step after `step` reads register `r`.
  bool reads_after(size_t step, int r) const noexcept;
  /// `in` and `out` in the order of inputs and outputs. Output k may be the same memory as an input of the same shape and element size
  /// that is of no broadcast kind and that no step after the output's reads.
  void run(const void* const* in, void* const* out) const noexcept;

 private:
  std::vector<int> buffer_;  // by register: tile buffer, or -1 for memory
  int buffers_ = 0;
};

}  // namespace tenure

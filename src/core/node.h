// One symbolic application. A node owns its inputs and its callee: history, never the future. Whoever holds an output holds the node.
#pragma once

#include <vector>

#include "core/body.h"

namespace tenure {

/// What a node may call besides an op: a layer. The seam by which nn is seen from below.
class Callee : public memory::Counted {
 protected:
  using Counted::Counted;
};

class Node final : public memory::Counted {
 public:
  /// An op node. Inputs become owned.
  Node(const Op& op, AttrRef attrs, std::span<Tensor> inputs);
  /// A layer node; `extra` are tensors given besides the inputs (masks), `arguments` is JSON of the call's other arguments.
  Node(memory::HeldOf<Callee> callee, std::span<const Tensor> inputs, std::span<const Tensor> extra = {}, std::string arguments = {});

  const Op* op() const noexcept { return op_; }
  Callee* callee() const noexcept { return callee_.get(); }
  AttrRef attrs() const noexcept { return attrs_.ref(); }
  size_t inputs() const noexcept { return inputs_.size() - extra_; }
  Tensor input(size_t i) const noexcept { return inputs_[i].tensor(); }
  const TensorBody* input_body(size_t i) const noexcept { return inputs_[i].get(); }
  size_t extras() const noexcept { return extra_; }
  Tensor extra(size_t i) const noexcept { return inputs_[inputs() + i].tensor(); }
  const std::string& arguments() const noexcept { return arguments_; }

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override;

 private:
  ~Node() override = default;

  const Op* op_ = nullptr;
  memory::HeldOf<Callee> callee_;
  AttrBox attrs_;
  std::vector<Held> inputs_;
  size_t extra_ = 0;
  std::string arguments_;
};

}  // namespace tenure

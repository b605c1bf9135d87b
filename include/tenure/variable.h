// Variable: a named, assignable tensor.
#pragma once

#include <string>
#include <type_traits>

#include <tenure/tensor.h>

namespace tenure {

class VariableBody;

struct VariableOptions {
  std::string name = {};
  bool trainable = true;
};

/// A counted handle to one value that can be replaced. Reading is a recorded operation: tapes see it as a source, traces as an input.
/// Copies name the same variable. Its storage dies with its last handle and owner, whatever its name.
/// Threads: reads may run beside an assignment and see the old or the new value, whole.
class TENURE_API Variable {
 public:
  Variable() noexcept = default;
  explicit Variable(Tensor initial, VariableOptions options = {});
  template <class S, class = std::enable_if_t<std::is_convertible_v<const S&, std::string>>>  // a template, so that {.name = …} means the options
  Variable(Tensor initial, const S& name) : Variable(std::move(initial), VariableOptions{std::string(name)}) {}
  Variable(const Variable& o) noexcept;
  Variable(Variable&& o) noexcept : body_(std::exchange(o.body_, nullptr)) {}
  Variable& operator=(Variable o) noexcept {
    std::swap(body_, o.body_);
    return *this;
  }
  ~Variable();

  bool defined() const noexcept { return body_ != nullptr; }
  /// The present value. In a trace: a node.
  Tensor value() const;
  operator Tensor() const { return value(); }
  const Shape& shape() const;
  DType dtype() const;
  Spec spec() const { return {shape(), dtype()}; }
  int rank() const { return shape().rank(); }
  /// Replaces the value. Throws Shape or DType unless it fits exactly. In a trace: a node that is never dropped.
  void assign(Tensor value);
  void assign_add(Tensor delta);
  void assign_sub(Tensor delta);
  const std::string& name() const;
  bool trainable() const;
  void set_trainable(bool on);
  void release() noexcept { Variable().swap(*this); }
  void swap(Variable& o) noexcept { std::swap(body_, o.body_); }
  bool same(const Variable& o) const noexcept { return body_ == o.body_; }
  VariableBody* body() const noexcept { return body_; }
  explicit Variable(VariableBody* body) noexcept;  // adds a handle

 private:
  VariableBody* body_ = nullptr;
};

using Variables = std::vector<Variable>;

}  // namespace tenure

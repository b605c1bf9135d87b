// The body of a tensor, and `Held`: how the library keeps one.
// A body owns its Storage or its Node (and perhaps a mask); nothing points from those back to it.
#pragma once

#include <tenure/op.h>
#include <tenure/tensor.h>

#include "base/check.h"
#include "memory/storage.h"

namespace tenure {

class Node;

class TensorBody final : public memory::Counted {
 public:
  /// Concrete: takes over one owner reference of `storage`.
  TensorBody(const Spec& spec, memory::Storage* storage, size_t offset) noexcept
      : Counted(memory::Kind::tensor), spec_(spec), storage_(memory::HeldOf<memory::Storage>::adopt(storage)), offset_(offset) {}
  /// Symbolic: output `index` of `node`.
  TensorBody(const Spec& spec, memory::HeldOf<Node> node, uint32_t index) noexcept;
  /// Value `index` of the open trace `trace`.
  TensorBody(const Spec& spec, uint64_t trace, uint32_t index) noexcept : Counted(memory::Kind::tensor), spec_(spec), index_(index), trace_(trace) {}
  /// Abstract: only a spec.
  explicit TensorBody(const Spec& spec) noexcept : Counted(memory::Kind::tensor), spec_(spec) {}

  const Spec& spec() const noexcept { return spec_; }
  bool concrete() const noexcept { return static_cast<bool>(storage_); }
  bool traced() const noexcept { return trace_ != 0; }
  bool symbolic() const noexcept { return node_.get() != nullptr; }
  bool abstract() const noexcept { return !concrete() && !traced() && !symbolic(); }
  memory::Storage* storage() const noexcept { return storage_.get(); }
  size_t offset() const noexcept { return offset_; }
  std::byte* data() const noexcept { return static_cast<std::byte*>(storage_->data()) + offset_; }
  Node* node() const noexcept { return node_.get(); }
  uint32_t index() const noexcept { return index_; }
  uint64_t trace_id() const noexcept { return trace_; }
  /// A C++ number: takes the other operand's dtype.
  bool weak() const noexcept { return flags_ & 1; }
  /// The number's exact value is known: number(). In a trace the argument of a call is weak and its value is not known.
  bool exact() const noexcept { return flags_ & 2; }
  double number() const noexcept { return number_; }
  void set_number(double v) noexcept { flags_ |= 3, number_ = v; }
  void set_weak() noexcept { flags_ |= 1; }
  /// Nobody else can see the buffer: one handle, no owner, and the body is the Storage's one owner.
  bool sole() const noexcept { return refs() == kUser && storage_ && storage_->refs() == kOwner && !storage_->borrowed(); }
  /// Moves the storage out of a body that is about to die.
  memory::Storage* take_storage() noexcept { return storage_.leave(); }
  const TensorBody* mask() const noexcept { return mask_.get(); }
  void set_mask(TensorBody* mask) noexcept { mask_ = memory::HeldOf<TensorBody>(mask); }

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override;

 private:
  ~TensorBody() override;

  Spec spec_;
  memory::HeldOf<memory::Storage> storage_;
  size_t offset_ = 0;
  memory::HeldOf<Node> node_;
  memory::HeldOf<TensorBody> mask_;
  uint32_t index_ = 0;
  uint64_t trace_ = 0;
  double number_ = 0;
};

/// An owner's reference to a tensor. Moving a Tensor in converts its count; tensor() makes a handle.
class Held {
 public:
  Held() noexcept = default;
  Held(const Tensor& t) noexcept : body_(t.body()) {}
  Held(Tensor&& t) noexcept {
    if (TensorBody* b = t.detach()) {
      b->convert(memory::Counted::kUser, memory::Counted::kOwner);
      body_ = memory::HeldOf<TensorBody>::adopt(b);
    }
  }
  Tensor tensor() const noexcept {
    if (body_) body_->retain(memory::Counted::kUser);
    return Tensor(body_.get());
  }
  /// The reference becomes a handle.
  Tensor take() noexcept {
    TensorBody* b = body_.leave();
    if (b) b->convert(memory::Counted::kOwner, memory::Counted::kUser);
    return Tensor(b);
  }
  TensorBody* get() const noexcept { return body_.get(); }
  TensorBody* operator->() const noexcept { return body_.get(); }
  const Spec& spec() const noexcept { return body_->spec(); }
  explicit operator bool() const noexcept { return static_cast<bool>(body_); }
  void reset() noexcept { body_.reset(); }
  bool operator==(const Held& o) const noexcept { return body_ == o.body_; }

 private:
  memory::HeldOf<TensorBody> body_;
};
static_assert(sizeof(Held) == sizeof(void*));

/// Refuses a spec whose known sizes alone no machine can hold, so that arithmetic on sizes cannot overflow. Throws OutOfMemory.
void check_holdable(const Spec& spec);
/// A new concrete tensor of the current account and category, uninitialized.
Tensor make_tensor(const Spec& spec);
/// A tensor of part of another's bytes.
Tensor make_view(const Tensor& base, const Spec& spec, size_t byte_offset);
Tensor make_abstract(const Spec& spec);
inline std::byte* mutable_data(const Tensor& t) noexcept { return t.body()->data(); }
inline memory::Storage* storage_of(const Tensor& t) noexcept { return t.body() ? t.body()->storage() : nullptr; }

/// Attributes as JSON text, for reports and comparison.
std::string to_json(AttrRef attrs);
/// Sets attributes from JSON text; missing fields keep their default. Throws on unknown fields and wrong types.
void from_json(const std::string& text, const AttrType* type, void* attrs);

}  // namespace tenure

#include "core/node.h"  // a body owns a node: its destructor wants to see it

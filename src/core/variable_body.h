// The body of a Variable: owns its present value, nothing else. Values are replaced whole; a reader keeps the one it got.
#pragma once

#include <atomic>
#include <mutex>

#include <tenure/variable.h>

#include "base/object_mutex.h"
#include "core/body.h"

namespace tenure {

class VariableBody final : public memory::Counted {
 public:
  VariableBody(Tensor initial, std::string name, bool trainable);

  /// The present value, plainly (no trace, no tape).
  Tensor read() const;
  /// Replaces the value, plainly. In place when nobody else sees the buffer.
  void write(Tensor value);
  /// A plain exchange of the body's tensor; `value` has the right spec.
  void replace(Tensor value);
  /// For a planned write in place. The caller holds `mine`, its one handle to the value it read. Returns the bytes to write if nobody else
  /// sees them; readers then wait until end_write(). Null: others do see them, or the value was replaced; use replace().
  std::byte* begin_write(const Tensor& mine);
  void end_write() noexcept;
  const Spec& spec() const noexcept { return spec_; }
  const std::string& name() const noexcept { return name_; }
  /// Grows with each write: what was packed from an older value is stale.
  uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  void touched() noexcept { version_.fetch_add(1, std::memory_order_acq_rel); }
  bool trainable() const noexcept { return trainable_.load(std::memory_order_relaxed); }
  void set_trainable(bool on) noexcept { trainable_.store(on, std::memory_order_relaxed); }
  void set_name(std::string name) { name_ = std::move(name); }
  memory::Category category() const noexcept { return category_; }
  void set_category(memory::Category c) noexcept;

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override;

 private:
  ~VariableBody() override = default;
  /// The lock, taken while nobody writes in place.
  std::unique_lock<std::mutex> settled() const;

  Spec spec_;
  mutable ObjectMutex<std::mutex> mutex_;  // around value_ and changes of writing_ only; never held while a tensor is freed
  std::atomic<int> writing_{0};            // 1 between begin_write and end_write
  Held value_;
  std::atomic<uint64_t> version_{1};
  std::atomic<bool> trainable_;
  std::string name_;
};

/// What a Variable does at a read or an assignment when a trace or tapes are open, else plainly.
Tensor read_variable(VariableBody& v);
void assign_variable(VariableBody& v, Tensor value);

}  // namespace tenure

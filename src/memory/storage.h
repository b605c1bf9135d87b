// Storage: a counted block of bytes that knows who asked for it. Owned by tensor bodies only.
// Its bytes come from the pool, or from somebody else with a release function that is called once, by the thread of the last reference.
#pragma once

#include <functional>

#include "memory/counted.h"
#include "memory/record.h"

namespace tenure::memory {

class Storage final : public Counted {
 public:
  /// Bytes from the pool, uninitialized, stamped with the current account and category. Throws OutOfMemory.
  static Storage* make(size_t bytes);
  static Storage* make(size_t bytes, AccountId account, Category category);
  /// Somebody else's bytes.
  static Storage* borrow(void* data, size_t bytes, std::function<void()> release);

  void* data() const noexcept { return data_; }
  size_t bytes() const noexcept { return bytes_; }
  size_t capacity() const noexcept { return capacity_; }
  Category category() const noexcept { return category_; }
  void set_category(Category c) noexcept {
    if (c == category_) return;
    note(true);
    category_ = c;
    note(false);
  }
  /// The buffer goes to another op: account and category of now.
  void restamp() noexcept {
    note(true);
    set_account(recharge(account(), current_account(), bytes_));
    category_ = current_category();
    note(false);
  }
  bool borrowed() const noexcept { return flags_ & 1; }
  /// It dies: a recording hears of it once, while its birth number is still its own.
  void leave() noexcept {
    if (flags_ & 2) return;
    note(true);
    flags_ |= 2;
  }

  /// Ends a buffer that nobody refers to where nothing unusual is to be done: no call, no wait. False: nothing was done, `delete` it.
  static bool end_plainly(Storage* dead) noexcept;

  void trace(EdgeVisitor&) const override {}
  std::string describe() const override;

 private:
  Storage(void* data, size_t bytes, size_t capacity, AccountId account, Category category, detail::BudgetNode* budget) noexcept;
  Storage(void* data, size_t bytes, int cls, AccountId account, Category category, Plain plain) noexcept;
  static Storage* make_fully(size_t bytes, AccountId account, Category category);
  static Storage* recorded(Storage* made) noexcept;
  ~Storage() override;
  void give_back() noexcept;  // somebody else's bytes
  void note(bool released) const noexcept {
    if (!borrowed()) record_buffer(released, category_, account(), birth(), bytes_);
  }

  // class_: of a small block of the pool that no budget was charged for, or kNotPlain.
  static constexpr uint8_t kNotPlain = 255;
  void* data_;
  size_t bytes_, capacity_;
  union {
    detail::BudgetNode* budget_;      // of bytes from the pool
    std::function<void()>* release_;  // of borrowed bytes
  };
};
static_assert(sizeof(Storage) == 64);

}  // namespace tenure::memory

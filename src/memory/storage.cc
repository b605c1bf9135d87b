#include "memory/storage.h"

#include "base/check.h"
#include "memory/pool.h"

namespace tenure::memory {
namespace {
alignas(64) std::byte nothing[64];  // where zero-sized tensors point
}

Storage::Storage(void* data, size_t bytes, size_t capacity, AccountId account, Category category, detail::BudgetNode* budget) noexcept
    : Counted(Kind::storage, account), data_(data), bytes_(bytes), capacity_(capacity), budget_(budget) {
  category_ = category;
}

Storage* Storage::make(size_t bytes) { return make(bytes, current_account(), current_category()); }

Storage* Storage::make(size_t bytes, AccountId account, Category category) {
  auto* budget = detail::thread_state.budget;
  size_t capacity = bytes ? pool_capacity(bytes) : 0;
#if TENURE_LEDGER
  charge(account, bytes, capacity, budget);
#else
  budget = nullptr;
#endif
  void* data = bytes ? pool_alloc(bytes, &capacity) : nothing;
  if (!data) {
    size_t asked = capacity;
#if TENURE_LEDGER
    discharge(account, bytes, capacity, budget);
#endif
    fail(Code::OutOfMemory, "memory: {} asked for {} bytes and the system has none to give", path_of(account), asked);
  }
  return new Storage(data, bytes, capacity, account, category, budget);
}

Storage* Storage::borrow(void* data, size_t bytes, std::function<void()> release) {
  auto* s = new Storage(data, bytes, 0, current_account(), Category::input, nullptr);
  s->flags_ |= 1;
  if (release) s->release_ = new std::function<void()>(std::move(release));
  return s;
}

Storage::~Storage() {
  if (borrowed()) {
    if (release_) {
      (*release_)();
      delete release_;
    }
    return;
  }
  if (bytes_) pool_free(data_, capacity_);
#if TENURE_LEDGER
  discharge(account(), bytes_, capacity_, budget_);
#endif
}

std::string Storage::describe() const { return fmt::format("buffer of {} bytes, {}, asked for by {}", bytes_, to_string(category_), path_of(account())); }

}  // namespace tenure::memory

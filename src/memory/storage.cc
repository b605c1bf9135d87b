#include "memory/storage.h"

#include <memory>

#include "base/check.h"
#include "memory/charge.h"
#include "memory/pool.h"

namespace tenure::memory {
namespace {
alignas(64) std::byte nothing[64];                                      // where zero-sized tensors point
constexpr size_t kPlainLimit = slab_bytes(slab_class(kSlabLimit) - 1);  // of the largest class that a thread counts without publishing
static_assert(kPlainLimit < static_cast<size_t>(detail::kBatch));
}  // namespace

Storage::Storage(void* data, size_t bytes, size_t capacity, AccountId account, Category category, detail::BudgetNode* budget) noexcept
    : Counted(Kind::storage, account), data_(data), bytes_(bytes), capacity_(capacity), budget_(budget) {
  category_ = category;
  class_ = kNotPlain;
}

Storage::Storage(void* data, size_t bytes, int cls, AccountId account, Category category, Plain plain) noexcept
    : Counted(Kind::storage, account, plain), data_(data), bytes_(bytes), capacity_(slab_bytes(cls)), budget_(nullptr) {
  category_ = category;
  class_ = static_cast<uint8_t>(cls);
}

Storage* Storage::make(size_t bytes) { return make(bytes, current_account(), current_category()); }

// Nearly always a thread of its own counts makes a small buffer from its own free blocks: no call then, and no register to save.
Storage* Storage::make(size_t bytes, AccountId account, Category category) {
#if TENURE_LEDGER && !TENURE_MALLOC_POOL
  if (bytes - 1 >= kPlainLimit) [[unlikely]]
    return make_fully(bytes, account, category);
  constexpr int own = slab_class(sizeof(Storage));
  const int cls = slab_class(bytes);
  const size_t capacity = slab_bytes(cls);
  detail::Row* row;
  if (!plain_charge(account, bytes, capacity, row) || !slab_peek(Heap::data, cls) || !slab_peek(Heap::objects, own) || !birth_is_ready()) [[unlikely]]
    return not_plain(), make_fully(bytes, account, category);
  commit_charge(row, bytes, capacity);
  void* const data = slab_take(Heap::data, cls);
  auto* made = ::new (slab_take(Heap::objects, own)) Storage(data, bytes, cls, account, category, Plain{});
  if (detail::recording_on.load(std::memory_order_relaxed)) [[unlikely]]
    return recorded(made);
  return made;
#else
  return make_fully(bytes, account, category);
#endif
}

[[gnu::noinline]] Storage* Storage::recorded(Storage* made) noexcept {
  made->note(false);
  return made;
}

[[gnu::noinline]] Storage* Storage::make_fully(size_t bytes, AccountId account, Category category) {
  auto* budget = detail::thread_state.budget;
  const PoolSize size = bytes ? pool_size(bytes) : PoolSize{0, -1};
  const size_t capacity = size.capacity;
#if TENURE_LEDGER
  account = detail::charge_fully(account, bytes, capacity, budget);
#else
  budget = nullptr;
#endif
  void* data = bytes ? pool_take(size) : nothing;
  if (!data) detail::reclaim(capacity), pool_trim(), data = pool_take(size);  // the system has none: free blocks of other sizes go back first
  if (!data) {
#if TENURE_LEDGER
    detail::discharge_fully(account, bytes, capacity, budget);
#endif
    fail(Code::OutOfMemory, "memory: {} asked for {} bytes and the system has none to give\n  tried: {}", path_of(account), capacity,
         detail::tried());
  }
  try {
    auto* made = new Storage(data, bytes, capacity, account, category, budget);
    if (!budget && size.cls >= 0 && bytes - 1 < kPlainLimit) made->class_ = static_cast<uint8_t>(size.cls);
    made->note(false);
    return made;
  } catch (...) {
    if (bytes) pool_free(data, capacity);
#if TENURE_LEDGER
    detail::discharge_fully(account, bytes, capacity, budget);
#endif
    throw;
  }
}

Storage* Storage::borrow(void* data, size_t bytes, std::function<void()> release) {
  auto keep = release ? std::make_unique<std::function<void()>>(std::move(release)) : nullptr;
  auto* s = new Storage(data, bytes, 0, current_account(), Category::input, nullptr);
  s->flags_ |= 1;
  s->release_ = keep.release();
  return s;
}

void Storage::give_back() noexcept {
  std::unique_ptr<std::function<void()>> release(release_);
  try {
    if (release) (*release)();
  } catch (const std::exception& e) {
    log(fmt::format("Tensor::borrow: the release function threw, which nobody can catch here: {}", e.what()));
  } catch (...) { log("Tensor::borrow: the release function threw, which nobody can catch here"); }
}

Storage::~Storage() {
  if (borrowed()) [[unlikely]] {
    give_back();
    return;
  }
  leave();
  if (bytes_) pool_free(data_, capacity_);
#if TENURE_LEDGER
  detail::discharge_fully(account(), bytes_, capacity_, budget_);
#endif
}

std::string Storage::describe() const {
  return fmt::format("buffer of {} bytes, {}, asked for by {}", bytes_, to_string(category_), path_of(account()));
}

}  // namespace tenure::memory

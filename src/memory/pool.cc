#include "memory/pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>

#include "memory/fork.h"
#include "memory/os.h"

namespace tenure::memory {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kRegion = size_t{64} << 20;

// Rounds to pages with at most an eighth of waste, so that near sizes can reuse each other's spans.
size_t span_bytes(size_t bytes) noexcept {
  size_t pages = (bytes + kPage - 1) / kPage;
  int log = 63 - __builtin_clzll(pages);
  size_t step = log > 4 ? size_t{1} << (log - 4) : 1;
  return (pages + step - 1) / step * step * kPage;
}

struct Free {
  size_t bytes;
  bool dirty;  // resident
  uint64_t age;
};

class Spans {
 public:
  static Spans& get() {
    static Spans* spans = new Spans;  // never destroyed: tensors may die after main
    return *spans;
  }

  void* alloc(size_t bytes) {
    std::lock_guard lock(mutex_);
    auto it = by_size_.lower_bound({bytes, nullptr});
    if (it == by_size_.end()) {
      if (!grow(bytes)) return nullptr;
      it = by_size_.lower_bound({bytes, nullptr});
    }
    auto* at = it->second;
    auto node = free_.find(at);
    Free span = node->second;
    remove(node);
    if (span.bytes > bytes) insert(at + bytes, {span.bytes - bytes, span.dirty, span.age}, false);
    in_use_ += bytes;
    return at;
  }

  void release(void* p, size_t bytes) {
    std::lock_guard lock(mutex_);
    in_use_ -= bytes;
    insert(static_cast<std::byte*>(p), {bytes, true, ++clock_}, true);
    size_t cap = std::max(kKeepFree, in_use_ / 10), slabs = slab_stats(Heap::data).free_bytes + slab_stats(Heap::objects).free_bytes;
    cap = std::max(cap / 4, cap > slabs ? cap - slabs : 0);
    while (dirty_ > cap) purge_one();
  }

  size_t trim() {
    std::lock_guard lock(mutex_);
    size_t before = dirty_;
    while (dirty_ > 0) purge_one();
    return before;
  }

  PoolStats stats() {
    std::lock_guard lock(mutex_);
    return {in_use_, dirty_};
  }
  size_t free_resident() {
    std::lock_guard lock(mutex_);
    size_t sum = 0;
    for (const auto& [at, span] : free_)
      if (span.dirty) sum += resident_in(at, span.bytes);
    return sum;
  }
  std::mutex& mutex() noexcept { return mutex_; }

 private:
  using Map = std::map<std::byte*, Free>;

  bool grow(size_t bytes) {
    size_t region = std::max(kRegion, bytes);
    void* p = mmap(nullptr, region, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED && region > bytes)
      p = mmap(nullptr, region = bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return false;
    madvise(p, region, MADV_HUGEPAGE);  // a hint: weights of many megabytes are read through few address translations; refused without harm
    insert(static_cast<std::byte*>(p), {region, false, 0}, true);
    return true;
  }

  void remove(Map::iterator it) {
    by_size_.erase({it->second.bytes, it->first});
    if (it->second.dirty) {
      dirty_ -= it->second.bytes;
      by_age_.erase({it->second.age, it->first});
    }
    free_.erase(it);
    span_free_bytes.store(dirty_, std::memory_order_relaxed);
  }

  // Neighbours of the same kind join: dirty with dirty, clean with clean.
  void insert(std::byte* at, Free span, bool join) {
    if (join) {
      auto next = free_.lower_bound(at);
      if (next != free_.end() && at + span.bytes == next->first && next->second.dirty == span.dirty) {
        span.bytes += next->second.bytes;
        auto gone = next++;
        remove(gone);
      }
      if (next != free_.begin()) {
        auto prev = std::prev(next);
        if (prev->first + prev->second.bytes == at && prev->second.dirty == span.dirty) {
          at = prev->first;
          span.bytes += prev->second.bytes;
          remove(prev);
        }
      }
    }
    free_.emplace(at, span);
    by_size_.insert({span.bytes, at});
    if (span.dirty) {
      dirty_ += span.bytes;
      by_age_.insert({span.age, at});
      span_free_bytes.store(dirty_, std::memory_order_relaxed);
    }
  }

  void purge_one() {  // the longest unused
    auto it = free_.find(by_age_.begin()->second);
    std::byte* at = it->first;
    Free span = it->second;
    madvise(at, span.bytes, MADV_DONTNEED);
    remove(it);
    insert(at, {span.bytes, false, 0}, true);
  }

  std::mutex mutex_;
  Map free_;
  std::set<std::pair<size_t, std::byte*>> by_size_;
  std::set<std::pair<uint64_t, std::byte*>> by_age_;
  size_t in_use_ = 0, dirty_ = 0;
  uint64_t clock_ = 0;
};

}  // namespace

void fork_pool(Fork when) noexcept { when == Fork::prepare ? Spans::get().mutex().lock() : Spans::get().mutex().unlock(); }

PoolSize pool_size_large(size_t bytes) noexcept { return {TENURE_MALLOC_POOL ? (bytes + 63) / 64 * 64 : span_bytes(bytes), -1}; }

size_t pool_capacity(size_t bytes) noexcept { return pool_size(bytes).capacity; }

void* pool_take_large(PoolSize size) noexcept {
  if (TENURE_MALLOC_POOL) return std::aligned_alloc(64, size.capacity);
  try {
    return Spans::get().alloc(size.capacity);
  } catch (const std::bad_alloc&) { return nullptr; }
}

void* pool_alloc(size_t bytes, size_t* capacity) noexcept {
  PoolSize size = pool_size(bytes);
  *capacity = size.capacity;
  return pool_take(size);
}

void pool_free_large(void* block, size_t capacity) noexcept {
  if (TENURE_MALLOC_POOL) return std::free(block);
  Spans::get().release(block, capacity);
}

PoolStats pool_stats() noexcept {
  if (TENURE_MALLOC_POOL) return {};
  PoolStats s = Spans::get().stats();
  SlabStats small = slab_stats(Heap::data);
  s.in_use += small.page_bytes - small.free_bytes;
  s.cached += small.free_bytes;
  return s;
}

size_t pool_cached_resident() noexcept {
  if (TENURE_MALLOC_POOL) return 0;
  const SlabStats small = slab_stats(Heap::data);
  const size_t taken = small.page_bytes - small.free_bytes, resident = slab_resident(Heap::data);
  return Spans::get().free_resident() + (resident > taken ? resident - taken : 0);
}

size_t pool_trim() noexcept {
  if (TENURE_MALLOC_POOL) return 0;
  return Spans::get().trim() + slab_trim(Heap::data) + slab_trim(Heap::objects);
}

}  // namespace tenure::memory

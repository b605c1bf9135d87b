// The process cache of prepared kernels: a list in order of use and an index of it, never more than `capacity` entries.
#include <algorithm>
#include <bit>
#include <list>
#include <mutex>
#include <unordered_map>

#include "kernels/prepared.h"

namespace tenure::kernels {
namespace {

struct Hash {
  size_t operator()(const CacheKey& k) const noexcept { return k.hash(); }
};

struct Cache {
  struct Entry {
    CacheKey key;
    std::shared_ptr<const void> kernel;
  };
  std::mutex mutex;
  std::list<Entry> order;  // most recently used first
  std::unordered_map<CacheKey, std::list<Entry>::iterator, Hash> index;
  int64_t capacity = 1024, hits = 0, misses = 0, evictions = 0;

  /// Moves what is over the capacity to `dropped`, to be destroyed without the lock.
  void shrink(std::list<Entry>& dropped) {
    while (static_cast<int64_t>(order.size()) > capacity) {
      index.erase(order.back().key);
      dropped.splice(dropped.begin(), order, std::prev(order.end()));
      ++evictions;
    }
  }
};

/// Never destroyed: kernels may run while the process ends.
Cache& cache() noexcept {
  static Cache* const c = new Cache;
  return *c;
}

}  // namespace

void CacheKey::add(const Epilogue& e) noexcept {
  add(static_cast<int64_t>(e.act) | int64_t{e.bias} << 8 | int64_t{e.sum} << 9 | static_cast<int64_t>(std::bit_cast<uint32_t>(e.alpha)) << 16);
}
bool CacheKey::operator==(const CacheKey& o) const noexcept {
  return count_ == o.count_ && std::equal(values_.begin(), values_.begin() + count_, o.values_.begin());
}
size_t CacheKey::hash() const noexcept {
  uint64_t h = 0x9E3779B97F4A7C15u;
  for (int i = 0; i < count_; ++i) {
    h = (h ^ static_cast<uint64_t>(values_[static_cast<size_t>(i)])) * 0xBF58476D1CE4E5B9u;
    h ^= h >> 29;
  }
  return static_cast<size_t>(h);
}

std::shared_ptr<const void> cached(const CacheKey& key, const std::function<std::shared_ptr<const void>()>& make) {
  Cache& c = cache();
  {
    const std::lock_guard lock(c.mutex);
    if (const auto found = c.index.find(key); found != c.index.end()) {
      ++c.hits;
      c.order.splice(c.order.begin(), c.order, found->second);
      return found->second->kernel;
    }
    ++c.misses;
  }
  std::shared_ptr<const void> kernel = make();
  std::list<Cache::Entry> dropped;
  const std::lock_guard lock(c.mutex);
  if (const auto found = c.index.find(key); found != c.index.end()) return found->second->kernel;  // another thread was first
  c.order.push_front({key, kernel});
  c.index.emplace(key, c.order.begin());
  c.shrink(dropped);
  return kernel;
}

KernelCacheStats kernel_cache_stats() noexcept {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  return {static_cast<int64_t>(c.order.size()), c.capacity, c.hits, c.misses, c.evictions};
}
void kernel_cache_clear() noexcept {
  Cache& c = cache();
  std::list<Cache::Entry> dropped;
  const std::lock_guard lock(c.mutex);
  c.index.clear();
  dropped.swap(c.order);
}
void set_kernel_cache_capacity(int64_t entries) noexcept {
  Cache& c = cache();
  std::list<Cache::Entry> dropped;
  const std::lock_guard lock(c.mutex);
  c.capacity = std::max<int64_t>(1, entries);
  c.shrink(dropped);
}

}  // namespace tenure::kernels

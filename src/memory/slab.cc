#include "memory/slab.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "memory/fork.h"
#include "memory/os.h"

namespace tenure::memory {
namespace {

constexpr size_t kSlabRegion = 4 << 20;
constexpr size_t kHeader = 64;
constexpr size_t page_bytes_of(int cls) noexcept { return slab_bytes(cls) <= 4096 ? 64 << 10 : 1 << 20; }

using detail::Slot;

// At the start of each page; lives as long as the page is mapped to a class.
struct Page {
  int32_t cls;  // -1: not in use
  uint32_t slots;
  uint32_t free_count;  // scratch of trim
};

// All pages of one size in one heap.
struct PageList {
  std::vector<Page*> in_use;
  std::vector<Page*> idle;  // given back to the system, address range kept
};

struct Central {
  std::mutex mutex;
  Slot* free[kSlabClasses] = {};
  size_t free_count[kSlabClasses] = {};
  PageList small, large;
  std::byte* region = nullptr;
  size_t region_left = 0;
  std::atomic<size_t> page_bytes{0};
  std::atomic<size_t> free_bytes{0};             // of free_count
  std::atomic<size_t> trim_at{size_t{4} << 20};  // free bytes below which trimming is not tried

  void count_free(int cls, int64_t slots) noexcept {  // under the mutex
    free_count[cls] += static_cast<size_t>(slots);
    free_bytes.store(free_bytes.load(std::memory_order_relaxed) + static_cast<size_t>(slots) * slab_bytes(cls), std::memory_order_relaxed);
  }
  Page* new_page(int cls) noexcept;
  void trim_locked(size_t* returned) noexcept;
};

Central& central(Heap heap) noexcept {
  static Central* both = new Central[2];  // never destroyed: tensors may die after main
  return both[static_cast<size_t>(heap)];
}

thread_local constinit detail::SlabCache own_cache{};
detail::SlabCache& cache() noexcept { return own_cache; }
constinit detail::SlabCache nothing_cached{};  // of threads until their first use

constexpr uint32_t cache_limit(int cls) noexcept {
  size_t n = (size_t{256} << 10) / slab_bytes(cls);
  return static_cast<uint32_t>(n < 4 ? 4 : n > 512 ? 512 : n);
}

void give_back(Heap heap, int cls, uint32_t keep) noexcept {
  int h = static_cast<int>(heap);
  Central& c = central(heap);
  std::lock_guard lock(c.mutex);
  while (cache().classes[h][cls].count > keep) {
    Slot* s = cache().classes[h][cls].head;
    cache().classes[h][cls].head = s->next;
    --cache().classes[h][cls].count;
    s->next = c.free[cls];
    c.free[cls] = s;
    c.count_free(cls, 1);
  }
}

void flush(void*) noexcept {
  for (Heap heap : {Heap::data, Heap::objects}) {
    for (int cls = 0; cls < kSlabClasses; ++cls)
      if (cache().classes[static_cast<int>(heap)][cls].count) give_back(heap, cls, 0);
  }
  cache().dead = true;  // later frees of this dying thread go straight home
  for (auto& heap : cache().classes)
    for (auto& c : heap) c.limit = 0;
}

void register_thread() noexcept {
  static pthread_key_t key = [] {
    pthread_key_t k;
    pthread_key_create(&k, flush);
    return k;
  }();
  pthread_setspecific(key, &cache());
  cache().registered = true;
  detail::slab_cache = &cache();
  for (auto& heap : cache().classes)
    for (int cls = 0; cls < kSlabClasses; ++cls) heap[cls].limit = cache_limit(cls);
}

std::byte* map_aligned(size_t bytes) noexcept {
  void* p = mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  auto* raw = static_cast<std::byte*>(p);
  auto address = reinterpret_cast<uintptr_t>(raw);
  size_t skip = (bytes - address % bytes) % bytes;
  if (skip) munmap(raw, skip);
  munmap(raw + skip + bytes, bytes - skip);
  return raw + skip;
}

Page* Central::new_page(int cls) noexcept {
  size_t bytes = page_bytes_of(cls);
  PageList& list = bytes == (64 << 10) ? small : large;
  if (list.idle.empty()) {
    if (region_left < bytes || reinterpret_cast<uintptr_t>(region) % bytes != 0) {
      // What is left of a region serves small pages.
      for (; region_left >= (64 << 10); region += 64 << 10, region_left -= 64 << 10) {
        auto* p = reinterpret_cast<Page*>(region);
        small.idle.push_back(p);
      }
      region = map_aligned(kSlabRegion);
      region_left = region ? kSlabRegion : 0;
      if (!region) return nullptr;
    }
    list.idle.push_back(reinterpret_cast<Page*>(region));
    region += bytes;
    region_left -= bytes;
  }
  Page* page = list.idle.back();
  list.idle.pop_back();
  size_t slot = slab_bytes(cls);
  *page = {cls, static_cast<uint32_t>((bytes - kHeader) / slot), 0};
  list.in_use.push_back(page);
  page_bytes.fetch_add(bytes, std::memory_order_relaxed);
  auto* base = reinterpret_cast<std::byte*>(page) + kHeader;
  for (uint32_t i = page->slots; i-- > 0;) {
    auto* s = reinterpret_cast<Slot*>(base + i * slot);
    s->word.store(0, std::memory_order_relaxed);
    s->next = free[cls];
    free[cls] = s;
  }
  count_free(cls, page->slots);
  return page;
}

Page* page_of(Slot* s, size_t bytes) noexcept { return reinterpret_cast<Page*>(reinterpret_cast<uintptr_t>(s) & ~(uintptr_t{bytes} - 1)); }

void Central::trim_locked(size_t* returned) noexcept {
  for (PageList* list : {&small, &large})
    for (Page* p : list->in_use) p->free_count = 0;
  for (int cls = 0; cls < kSlabClasses; ++cls)
    for (Slot* s = free[cls]; s; s = s->next) ++page_of(s, page_bytes_of(cls))->free_count;
  for (int cls = 0; cls < kSlabClasses; ++cls) {
    Slot** link = &free[cls];
    while (*link) {
      Page* p = page_of(*link, page_bytes_of(cls));
      if (p->free_count == p->slots) {
        *link = (*link)->next;
        count_free(cls, -1);
      } else {
        link = &(*link)->next;
      }
    }
  }
  for (PageList* list : {&small, &large}) {
    size_t bytes = list == &small ? 64 << 10 : 1 << 20;
    auto gone = std::partition(list->in_use.begin(), list->in_use.end(), [](Page* p) { return p->free_count != p->slots; });
    for (auto it = gone; it != list->in_use.end(); ++it) {
      madvise(*it, bytes, MADV_DONTNEED);
      list->idle.push_back(*it);
      *returned += bytes;
      page_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    }
    list->in_use.erase(gone, list->in_use.end());
  }
}

}  // namespace

namespace {
// Free slots in this thread's cache, in bytes.
size_t cached_bytes(Heap heap) noexcept {
  size_t sum = 0;
  for (int cls = 0; cls < kSlabClasses; ++cls) sum += cache().classes[static_cast<int>(heap)][cls].count * slab_bytes(cls);
  return sum;
}
size_t free_of(const Central& c) noexcept { return c.free_bytes.load(std::memory_order_relaxed); }

void trim_if_much(Heap heap) noexcept {
  Central& c = central(heap);
  if (free_of(c) <= c.trim_at.load(std::memory_order_relaxed)) return;  // nearly always, and cheaper to know than what follows
  const SlabStats data = slab_stats(Heap::data), objects = slab_stats(Heap::objects);
  const size_t all = data.free_bytes + objects.free_bytes + span_free_bytes.load(std::memory_order_relaxed);
  if (all <= std::max(kKeepFree, (data.page_bytes + objects.page_bytes) / 10)) return;
  std::lock_guard lock(c.mutex);
  size_t returned = 0;
  c.trim_locked(&returned);
  size_t left = free_of(c);
  // Slots in partly used pages cannot go: do not try again at once.
  c.trim_at.store(std::max(size_t{4} << 20, left + left / 2), std::memory_order_relaxed);
}
}  // namespace

TENURE_HOT_TLS thread_local constinit detail::SlabCache* detail::slab_cache = &nothing_cached;

void* detail::slab_refill(Heap heap, int cls) noexcept {
  int h = static_cast<int>(heap);
  if (!cache().registered) register_thread();
  auto& mine = cache().classes[h][cls];
  {
    Central& c = central(heap);
    std::lock_guard lock(c.mutex);
    if (!c.free[cls] && !c.new_page(cls)) return nullptr;
    uint32_t take = cache().dead ? 1 : cache_limit(cls) / 2 + 1;
    for (; take && c.free[cls]; --take) {
      Slot* s = c.free[cls];
      c.free[cls] = s->next;
      c.count_free(cls, -1);
      s->next = mine.head;
      mine.head = s;
      ++mine.count;
    }
  }
  Slot* s = mine.head;
  mine.head = s->next;
  --mine.count;
  return s;
}

void detail::slab_overflow(Heap heap, int cls, void* block) noexcept {
  if (!cache().registered) register_thread();
  slab_put(heap, cls, block);
  if (cache().classes[static_cast<int>(heap)][cls].count <= cache().classes[static_cast<int>(heap)][cls].limit) return;
  give_back(heap, cls, cache().dead ? 0 : cache_limit(cls) / 2);
  if (!cache().dead) trim_if_much(heap);
}

void fork_slabs(Fork when) noexcept {
  for (Heap heap : {Heap::data, Heap::objects}) when == Fork::prepare ? central(heap).mutex.lock() : central(heap).mutex.unlock();
}

void for_each_object_slot(void* context, void (*visit)(void* context, void* slot)) {
  Central& c = central(Heap::objects);
  std::vector<Page*> pages;
  {
    std::lock_guard lock(c.mutex);
    pages = c.small.in_use;
    pages.insert(pages.end(), c.large.in_use.begin(), c.large.in_use.end());
  }
  for (Page* p : pages) {
    size_t slot = slab_bytes(p->cls);
    auto* base = reinterpret_cast<std::byte*>(p) + kHeader;
    for (uint32_t i = 0; i < p->slots; ++i) visit(context, base + i * slot);
  }
}

size_t slab_resident(Heap heap) noexcept {
  Central& c = central(heap);
  std::lock_guard lock(c.mutex);
  size_t sum = 0;
  for (const PageList* list : {&c.small, &c.large})
    for (const Page* p : list->in_use) sum += resident_in(p, page_bytes_of(p->cls));
  return sum;
}

SlabStats slab_stats(Heap heap) noexcept {
  Central& c = central(heap);
  const size_t pages = c.page_bytes.load(std::memory_order_relaxed), free = free_of(c) + cached_bytes(heap);
  return {pages, std::min(pages, free)};
}

size_t slab_trim(Heap heap) noexcept {
  for (int cls = 0; cls < kSlabClasses; ++cls)
    if (cache().classes[static_cast<int>(heap)][cls].count) give_back(heap, cls, 0);
  Central& c = central(heap);
  std::lock_guard lock(c.mutex);
  size_t returned = 0;
  c.trim_locked(&returned);
  return returned;
}

}  // namespace tenure::memory

// Small blocks in size classes: tensor data up to 64 KiB, and the counted objects themselves.
// Owns: 4 MiB regions cut into aligned pages of equal slots. A page whose slots are all free goes back to the system on trim.
// Threads: each thread caches some free slots of every class; the cache goes home when the thread ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "memory/hot.h"

namespace tenure::memory {

inline constexpr size_t kSlabLimit = 64 << 10;  // largest slot
inline constexpr int kSlabClasses = 64;

namespace detail {
// Sizes of the classes, multiples of 64 up to 512, then eight steps a doubling; and by units of 64 bytes the class that takes so many.
struct SlabTable {
  uint32_t bytes[kSlabClasses] = {};
  uint8_t of[kSlabLimit / 64 + 1] = {};
  consteval SlabTable() {
    for (int cls = 0; cls < kSlabClasses; ++cls) {
      const int log = (cls - 8) / 8 + 3;
      bytes[cls] = static_cast<uint32_t>(cls < 8 ? (cls + 1) * 64 : ((1 << log) + ((cls - 8) % 8 + 1) * (1 << (log - 3))) * 64);
    }
    uint8_t cls = 0;
    for (size_t units = 0; units <= kSlabLimit / 64; ++units) {
      while (units * 64 > bytes[cls]) ++cls;
      of[units] = cls;
    }
  }
};
inline constexpr SlabTable slab_table;
}  // namespace detail

/// Class of a size in [0, kSlabLimit].
constexpr int slab_class(size_t bytes) noexcept { return detail::slab_table.of[(bytes + 63) / 64]; }
constexpr size_t slab_bytes(int cls) noexcept { return detail::slab_table.bytes[cls]; }
static_assert(slab_bytes(slab_class(64)) == 64 && slab_bytes(slab_class(512)) == 512 && slab_bytes(slab_class(513)) == 576);
static_assert(slab_bytes(slab_class(kSlabLimit)) == kSlabLimit && slab_class(kSlabLimit) < kSlabClasses);

/// Two heaps that share the code: `data` for tensor bytes, `objects` for counted objects (which can be enumerated).
enum class Heap : uint8_t { data, objects };

/// Free memory that stays resident, all heaps and the pool's spans together: beyond this, what can go goes back.
inline constexpr size_t kKeepFree = size_t{32} << 20;
/// The pool's part of it, told by the pool.
inline std::atomic<size_t> span_free_bytes{0};

namespace detail {
struct Slot {
  Slot* next;
  std::atomic<uint64_t> word;  // lies where a counted object keeps its reference word: 0 says "free"
};
/// Free slots of one thread. Trivially destructible; goes home through a pthread key.
struct SlabCache {
  struct Class {
    Slot* head;
    uint32_t count, limit;  // limit 0: not set up yet, or the thread is ending
  } classes[2][kSlabClasses];
  bool registered, dead;
};
/// The thread's own, once it has one: until then an empty one that is never written to. The cache itself is too large for the threads' static block.
TENURE_HOT_TLS extern thread_local constinit SlabCache* slab_cache;
void* slab_refill(Heap heap, int cls) noexcept;
void slab_overflow(Heap heap, int cls, void* block) noexcept;
}  // namespace detail

/// The block that slab_take() takes from the thread's cache; null where that is empty.
inline detail::Slot* slab_peek(Heap heap, int cls) noexcept { return detail::slab_cache->classes[static_cast<int>(heap)][cls].head; }
inline void* slab_take(Heap heap, int cls) noexcept {
  auto& c = detail::slab_cache->classes[static_cast<int>(heap)][cls];
  detail::Slot* s = c.head;
  c.head = s->next;
  --c.count;
  return s;
}
/// Whether slab_free() would only put a block into the thread's cache.
inline bool slab_has_room(Heap heap, int cls) noexcept {
  const auto& c = detail::slab_cache->classes[static_cast<int>(heap)][cls];
  return c.count < c.limit;
}
inline void slab_put(Heap heap, int cls, void* block) noexcept {
  auto& c = detail::slab_cache->classes[static_cast<int>(heap)][cls];
  auto* s = static_cast<detail::Slot*>(block);
  s->word.store(0, std::memory_order_relaxed);
  s->next = c.head;
  c.head = s;
  ++c.count;
}
/// A block of the class; null when the system has no memory.
inline void* slab_alloc(Heap heap, int cls) noexcept {
  if (!slab_peek(heap, cls)) [[unlikely]]
    return detail::slab_refill(heap, cls);
  return slab_take(heap, cls);
}
inline void slab_free(Heap heap, int cls, void* block) noexcept {
  if (!slab_has_room(heap, cls)) [[unlikely]]
    return detail::slab_overflow(heap, cls, block);
  slab_put(heap, cls, block);
}

/// Visits every slot of every page of the objects heap, free or not. Slots may change while it runs.
void for_each_object_slot(void* context, void (*visit)(void* context, void* slot));

/// Bytes of pages that hold at least one live slot or a cached one | bytes of free slots in the central lists and the calling thread's cache;
/// those in other threads' caches count as taken.
struct SlabStats {
  size_t page_bytes = 0, free_bytes = 0;
};
SlabStats slab_stats(Heap heap) noexcept;
/// Of page_bytes what is resident: a slot's memory becomes so when it is first written. Asks the system about every page; for reports.
size_t slab_resident(Heap heap) noexcept;
/// Returns wholly free pages to the system; bytes returned.
size_t slab_trim(Heap heap) noexcept;

}  // namespace tenure::memory

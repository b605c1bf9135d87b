// The pool: where tensor bytes come from. Slabs up to 64 KiB, spans of whole pages above.
// Owns: mmapped regions. Free memory, slabs' and spans' together, is kept up to a cap (the larger of 32 MiB and a tenth of what is
// in use) and given back beyond it, so that resident memory follows live memory. Under AddressSanitizer each block is malloc's own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "memory/slab.h"

#if defined(__SANITIZE_ADDRESS__)
#define TENURE_MALLOC_POOL 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TENURE_MALLOC_POOL 1
#endif
#endif
#ifndef TENURE_MALLOC_POOL
#define TENURE_MALLOC_POOL 0
#endif

namespace tenure::memory {

/// What a request becomes: its bytes after rounding, and its size class or -1 for a span.
struct PoolSize {
  size_t capacity;
  int cls;
};
PoolSize pool_size_large(size_t bytes) noexcept;  // beyond slabs, as the other two
inline PoolSize pool_size(size_t bytes) noexcept {
  if (TENURE_MALLOC_POOL || bytes > kSlabLimit) [[unlikely]]
    return pool_size_large(bytes);
  int cls = slab_class(bytes);
  return {slab_bytes(cls), cls};
}
void* pool_take_large(PoolSize size) noexcept;
/// A block of that size (capacity > 0), aligned to 64. Null: the system has no memory.
inline void* pool_take(PoolSize size) noexcept {
  return TENURE_MALLOC_POOL || size.cls < 0 ? pool_take_large(size) : slab_alloc(Heap::data, size.cls);
}
/// A block of at least `bytes` (> 0), aligned to 64. `*capacity` is what it takes after rounding. Null: the system has no memory.
void* pool_alloc(size_t bytes, size_t* capacity) noexcept;
void pool_free_large(void* block, size_t capacity) noexcept;
/// `capacity` as pool_alloc gave it.
inline void pool_free(void* block, size_t capacity) noexcept {
  if (TENURE_MALLOC_POOL || capacity > kSlabLimit) [[unlikely]]
    return pool_free_large(block, capacity);
  slab_free(Heap::data, slab_class(capacity), block);
}
/// What pool_alloc(bytes) would take.
size_t pool_capacity(size_t bytes) noexcept;

struct PoolStats {
  size_t in_use = 0;  ///< capacities of live blocks (spans exact, slabs by pages minus free slots)
  size_t cached = 0;  ///< free, and resident where it was ever written
};
PoolStats pool_stats() noexcept;
/// Of what is cached what is resident. Asks the system about every page; for reports.
size_t pool_cached_resident() noexcept;
/// Gives all free memory back to the system; bytes given back.
size_t pool_trim() noexcept;

}  // namespace tenure::memory

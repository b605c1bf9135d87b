// The pool: where tensor bytes come from. Slabs up to 64 KiB, spans of whole pages above.
// Owns: mmapped regions. Free memory, slabs' and spans' together, is kept up to a cap (the larger of 32 MiB and a tenth of what is
// in use) and given back beyond it, so that resident memory follows live memory. Under AddressSanitizer each block is malloc's own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tenure::memory {

/// What a request becomes: its bytes after rounding, and its size class or -1 for a span.
struct PoolSize {
  size_t capacity;
  int cls;
};
PoolSize pool_size(size_t bytes) noexcept;
/// A block of that size (capacity > 0), aligned to 64. Null: the system has no memory.
void* pool_take(PoolSize size) noexcept;
/// A block of at least `bytes` (> 0), aligned to 64. `*capacity` is what it takes after rounding. Null: the system has no memory.
void* pool_alloc(size_t bytes, size_t* capacity) noexcept;
/// `capacity` as pool_alloc gave it.
void pool_free(void* block, size_t capacity) noexcept;
/// What pool_alloc(bytes) would take.
size_t pool_capacity(size_t bytes) noexcept;

struct PoolStats {
  size_t in_use = 0;  ///< capacities of live blocks (spans exact, slabs by pages minus free slots)
  size_t cached = 0;  ///< free but resident
};
PoolStats pool_stats() noexcept;
/// Gives all free memory back to the system; bytes given back.
size_t pool_trim() noexcept;

}  // namespace tenure::memory

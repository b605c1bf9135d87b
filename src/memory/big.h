// Arrays that are read anywhere: of many megabytes in huge pages where the system gives them, so that an address is found without a walk.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <vector>

namespace tenure::memory {

template <class T>
struct BigAllocator {
  using value_type = T;
  BigAllocator() noexcept = default;
  template <class U>
  BigAllocator(const BigAllocator<U>&) noexcept {}

  T* allocate(size_t n) {
    if (n * sizeof(T) < kBig) return static_cast<T*>(::operator new(n * sizeof(T)));
    const size_t bytes = (n * sizeof(T) + kHuge - 1) / kHuge * kHuge;
    void* p = std::aligned_alloc(kHuge, bytes);
    if (!p) throw std::bad_alloc();
    madvise(p, bytes, MADV_HUGEPAGE);  // a hint: refused without harm
    return static_cast<T*>(p);
  }
  void deallocate(T* p, size_t n) noexcept { n * sizeof(T) < kBig ? ::operator delete(p) : std::free(p); }
  bool operator==(const BigAllocator&) const noexcept { return true; }

 private:
  static constexpr size_t kHuge = size_t{2} << 20, kBig = 2 * kHuge;
};
template <class T>
using Big = std::vector<T, BigAllocator<T>>;

}  // namespace tenure::memory

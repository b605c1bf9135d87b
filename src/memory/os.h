// The one operating-system file: resident memory, a fence for all threads.
#pragma once

#include <cstddef>

namespace tenure::memory {

struct Resident {
  size_t total = 0;        ///< resident set
  size_t file_backed = 0;  ///< code, libraries, mapped files
};
/// Reads /proc/self/statm; zeros where there is none.
Resident resident() noexcept;
/// The highest resident set of the process so far, by the kernel's own mark; 0 where there is none.
size_t resident_peak() noexcept;
/// Resident pages of the program break, which is where malloc has its blocks of the first thread but the large ones. 0 where it cannot be known.
size_t heap_resident() noexcept;
/// Anonymous resident memory when the library was loaded, and the program break's part of it.
struct AtLoad {
  size_t anonymous, heap;
};
const AtLoad& at_load() noexcept;

/// Of `bytes` of private memory that begin at a page, how many are in memory: pages that were never written are not. All of them where the system does
/// not say.
size_t resident_in(const void* at, size_t bytes) noexcept;

/// A full memory fence in every running thread of the process: what they stored before is seen here, what is stored here before is seen by them. Costs
/// some microseconds. False where the system has no such call, or refuses it.
bool fence_all_threads() noexcept;

}  // namespace tenure::memory

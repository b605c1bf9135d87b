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
/// Resident pages by which the program break grew since the library was loaded: malloc's blocks of the first thread, but for the large ones.
size_t heap_resident() noexcept;
/// Anonymous resident memory when the library was loaded.
size_t resident_at_load() noexcept;

/// Of `bytes` of private memory that begin at a page, how many are in memory: pages that were never written are not. All of them where the system does
/// not say.
size_t resident_in(const void* at, size_t bytes) noexcept;

/// A full memory fence in every running thread of the process: what they stored before is seen here, what is stored here before is seen by them. Costs
/// some microseconds. False where the system has no such call, or refuses it.
bool fence_all_threads() noexcept;

}  // namespace tenure::memory

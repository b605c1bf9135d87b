// The one operating-system file: resident memory.
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
/// Anonymous resident memory when the library was loaded.
size_t resident_at_load() noexcept;

}  // namespace tenure::memory

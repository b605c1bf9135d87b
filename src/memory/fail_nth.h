// For tests: the N-th allocation from now on is refused, as if a budget had no room for it. Off, it costs nothing.
#pragma once

#include <cstdint>

namespace tenure::memory::testing {

/// The n-th charge from now, on whichever thread, throws OutOfMemory; those after it succeed. Wants no budget to be set meanwhile.
void fail_nth(int64_t n) noexcept;
/// Ends that. True if the allocation was refused, false if there were fewer than n.
bool failed_and_reset() noexcept;

}  // namespace tenure::memory::testing

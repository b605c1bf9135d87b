// fork(): the child has one thread and the parent's memory. The locks are taken before and released on both sides; in the child
// what the other threads had counted is folded into the totals.
#pragma once

#include <cstdint>

namespace tenure::memory {

enum class Fork : uint8_t { prepare, parent, child };
void fork_ledger(Fork when) noexcept;
void fork_counted(Fork when) noexcept;
void fork_slabs(Fork when) noexcept;
void fork_pool(Fork when) noexcept;
/// Registers the four with the system; called once.
void hook_fork() noexcept;

}  // namespace tenure::memory

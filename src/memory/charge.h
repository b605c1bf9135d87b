// What an allocation and a release cost the ledger, inline: a thread at an account of its own, far from the next publication and from the limit, adds
// and stores and calls nothing. Where a plain charge is not to be had, charge_fully() and discharge_fully() do it. For storage.cc and counted.cc.
#pragma once

#include "memory/ledger_table.h"

namespace tenure::memory {
namespace detail {

inline void add_plain(std::atomic<int64_t>& n, int64_t d) noexcept { n.store(n.load(std::memory_order_relaxed) + d, std::memory_order_relaxed); }
/// Adds to one of the thread's deltas, which other threads read.
inline void add_delta(int64_t& delta, int64_t d) noexcept {
  const std::atomic_ref n(delta);
  n.store(n.load(std::memory_order_relaxed) + d, std::memory_order_relaxed);
}
/// The thread is about to count for itself: between these two nobody takes its counts to be final. Neither locks nor waits may lie between them.
[[gnu::always_inline]] inline void begin_counting() noexcept {
  std::atomic_ref(thread_state.busy).store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the other side's fence is every thread's: fence_all_threads()
}
[[gnu::always_inline]] inline void end_counting() noexcept { std::atomic_ref(thread_state.busy).store(0, std::memory_order_release); }

/// Whether an account is this thread's own, with nothing but plain counts to be changed; its row. The thread is counting then, until commit or not_plain().
[[gnu::always_inline]] inline bool plain_row(AccountId account, Row*& row) noexcept {
  const ThreadState& s = thread_state;
  if (!s.rows) [[unlikely]]
    return false;
  begin_counting();
  if (limit_is_near.load(std::memory_order_relaxed)) [[unlikely]]
    return false;
  row = s.rows + (account & kIndexMask);
  return row->owner.load(std::memory_order_relaxed) == s.token;
}
inline int64_t delta_of(int64_t& delta) noexcept { return std::atomic_ref(delta).load(std::memory_order_relaxed); }

}  // namespace detail

/// Whether a charge only adds and stores: commit_charge() does it, in the account's row. Who does not come to that calls not_plain().
[[gnu::always_inline]] inline bool plain_charge(AccountId account, size_t bytes, size_t capacity, detail::Row*& row) noexcept {
  auto& s = detail::thread_state;
  if (s.budget || !detail::plain_row(account, row) || row->id.load(std::memory_order_relaxed) != account) [[unlikely]]
    return false;
  if (detail::delta_of(s.delta) + static_cast<int64_t>(bytes) >= detail::kBatch) [[unlikely]]
    return false;
  return detail::delta_of(s.capacity_delta) + static_cast<int64_t>(capacity) < detail::kBatch;
}
[[gnu::always_inline]] inline void commit_charge(detail::Row* row, size_t bytes, size_t capacity) noexcept {
  detail::add_plain(row->own.asked, static_cast<int64_t>(bytes));
  detail::add_plain(row->own.allocations, 1);
  row->raise_peak();
  detail::add_delta(detail::thread_state.delta, static_cast<int64_t>(bytes));
  detail::add_delta(detail::thread_state.capacity_delta, static_cast<int64_t>(capacity));
  detail::end_counting();
}

inline void not_plain() noexcept { detail::end_counting(); }

/// The same for the release of fewer than kBatch bytes that no scope's budget was charged for.
[[gnu::always_inline]] inline bool plain_discharge(AccountId account, size_t bytes, size_t capacity, detail::Row*& row) noexcept {
  auto& s = detail::thread_state;
  if (!detail::plain_row(account, row)) [[unlikely]]
    return false;
  if (detail::delta_of(s.delta) - static_cast<int64_t>(bytes) <= -detail::kBatch) [[unlikely]]
    return false;
  return detail::delta_of(s.capacity_delta) - static_cast<int64_t>(capacity) > -detail::kBatch;
}
[[gnu::always_inline]] inline void commit_discharge(detail::Row* row, size_t bytes, size_t capacity) noexcept {
  detail::add_plain(row->own.returned, static_cast<int64_t>(bytes));
  detail::add_plain(row->own.released, 1);
  detail::add_delta(detail::thread_state.delta, -static_cast<int64_t>(bytes));
  detail::add_delta(detail::thread_state.capacity_delta, -static_cast<int64_t>(capacity));
  detail::end_counting();
}

}  // namespace tenure::memory

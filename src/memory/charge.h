// What an allocation and a release cost the ledger, inline: a thread at an account of its own, far from the next publication, without limits, adds
// and stores and calls nothing. Only storage.cc includes this.
#pragma once

#include "memory/ledger_table.h"

namespace tenure::memory {
namespace detail {

/// The table, if nothing but a thread's own plain counts is to be changed; null: the long way.
inline Table* plain_table(const ThreadState& s, const BudgetNode* budget) noexcept {
  Table* t = the_table.load(std::memory_order_acquire);
  return t && s.token && !budget && !t->limit.load(std::memory_order_relaxed) ? t : nullptr;
}
inline void add_plain(std::atomic<int64_t>& n, int64_t d) noexcept { n.store(n.load(std::memory_order_relaxed) + d, std::memory_order_relaxed); }
inline void set_deltas(ThreadState& s, int64_t live, int64_t capacity) noexcept {
  std::atomic_ref(s.delta).store(live, std::memory_order_relaxed);
  std::atomic_ref(s.capacity_delta).store(capacity, std::memory_order_relaxed);
}

}  // namespace detail

/// Charges and records an allocation before it is made. Throws OutOfMemory when a budget would be exceeded; nothing is then charged.
/// Returns the account that was charged: discharge() wants the same.
[[gnu::always_inline]] inline AccountId charge(AccountId account, size_t bytes, size_t capacity, detail::BudgetNode* budget) {
  auto& s = detail::thread_state;
  detail::Table* t = detail::plain_table(s, budget);
  if (!t) [[unlikely]]
    return detail::charge_fully(account, bytes, capacity, budget);
  detail::Row* r = t->find(account);
  int64_t live = s.delta + static_cast<int64_t>(bytes), taken = s.capacity_delta + static_cast<int64_t>(capacity);
  if (!r || r->owner.load(std::memory_order_relaxed) != s.token || live >= detail::kBatch || taken >= detail::kBatch) [[unlikely]]
    return detail::charge_fully(account, bytes, capacity, budget);
  detail::add_plain(r->own.asked, static_cast<int64_t>(bytes));
  detail::add_plain(r->own.allocations, 1);
  r->raise_peak();
  detail::set_deltas(s, live, taken);
  return account;
}

/// Undoes charge() when the buffer is released.
[[gnu::always_inline]] inline void discharge(AccountId account, size_t bytes, size_t capacity, detail::BudgetNode* budget) noexcept {
  auto& s = detail::thread_state;
  detail::Table* t = detail::plain_table(s, budget);
  if (!t) [[unlikely]]
    return detail::discharge_fully(account, bytes, capacity, budget);
  detail::Row& r = t->row(account);
  int64_t live = s.delta - static_cast<int64_t>(bytes), taken = s.capacity_delta - static_cast<int64_t>(capacity);
  if (r.owner.load(std::memory_order_relaxed) != s.token || live <= -detail::kBatch || taken <= -detail::kBatch ||
      bytes >= static_cast<size_t>(detail::kBatch)) [[unlikely]]
    return detail::discharge_fully(account, bytes, capacity, budget);
  detail::add_plain(r.own.returned, static_cast<int64_t>(bytes));
  detail::add_plain(r.own.released, 1);
  detail::set_deltas(s, live, taken);
}

}  // namespace tenure::memory

// Charges that are not plain, and limits: what the process may have and what a scope may.
//
// Threads count rounded bytes for themselves, each less than kBatch of them, and add them to the process' total now and then. Far from the limit
// (total + kBatch for every thread <= limit) that goes on as if there were none. Near it every charge is held against the limit by itself: who finds it
// near says so to all threads, fences them and waits until none is in the middle of counting; from then on their own counts stand still.
#include "memory/charge.h"

#include <cstdlib>
#include <thread>
#include <utility>

#include "base/check.h"
#include "memory/fail_nth.h"
#include "memory/os.h"
#include "memory/record.h"

namespace tenure::memory {

using namespace detail;

void BudgetNode::release() noexcept {
  if (refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  BudgetNode* up = parent;
  delete this;
  if (up) up->release();
}

namespace {

constexpr int64_t kFailing = INT64_MAX / 4;  // the limit while an allocation is to fail

// Adds to a count unless that would pass the limit; nobody ever sees it above. Returns what is in use without it.
bool add_within(std::atomic<int64_t>& count, int64_t bytes, int64_t limit, int64_t& in_use) noexcept {
  in_use = count.load(std::memory_order_relaxed);
  do {
    if (in_use + bytes > limit) return false;
  } while (!count.compare_exchange_weak(in_use, in_use + bytes, std::memory_order_relaxed));
  return true;
}

// Call under the mutex of registered(): what all threads together may hold that the total does not show.
int64_t unseen() noexcept { return static_cast<int64_t>(registered().threads.size()) * kBatch; }

bool fences_work = true;  // else the limit is taken for near as long as there is one; under the mutex of registered()

// Call under the mutex of registered().
void come_near() noexcept {
  limit_is_near.store(true, std::memory_order_seq_cst);
  fences_work = fence_all_threads();
  for (ThreadState* s : registered().threads)
    while (s != &thread_state && std::atomic_ref(s->busy).load(std::memory_order_acquire)) std::this_thread::yield();
}

void limit_process(int64_t limit) {
  std::lock_guard lock(registered().mutex);
  process_limit.store(limit, std::memory_order_relaxed);
  come_near();
  if (!limit) limit_is_near.store(false, std::memory_order_relaxed);  // else the next charge finds out how far it is
}

// Of the running thread's own count; less than kBatch of it, or it is added to the total.
void batch_capacity(int64_t bytes) noexcept {
  auto& s = thread_state;
  int64_t d = s.capacity_delta + bytes;
  if (d <= -kBatch || d >= kBatch) table().capacity.fetch_add(std::exchange(d, 0), std::memory_order_relaxed);
  std::atomic_ref(s.capacity_delta).store(d, std::memory_order_relaxed);
}

// Where the thread may count for itself: without a limit, or far from it and not yet a whole batch.
bool count_here(int64_t cap) noexcept {
  begin_counting();
  const bool here = !limit_is_near.load(std::memory_order_relaxed) &&
                    (!process_limit.load(std::memory_order_relaxed) || std::abs(thread_state.capacity_delta + cap) < kBatch);
  if (here) batch_capacity(cap);
  end_counting();
  return here;
}

// Adds to what the process has in use unless that would pass its limit.
bool charge_process(Table& t, int64_t cap, int64_t& limit, int64_t& in_use) {
  if (count_here(cap)) return true;
  std::lock_guard lock(registered().mutex);
  limit = process_limit.load(std::memory_order_relaxed);
  auto& own = thread_state.capacity_delta;
  if (!limit) return batch_capacity(cap), true;
  if (!limit_is_near.load(std::memory_order_relaxed)) {
    if (add_within(t.capacity, own + cap, limit - unseen(), in_use)) {
      std::atomic_ref(own).store(0, std::memory_order_relaxed);
      return true;
    }
    come_near();
  }
  int64_t pending = 0;
  for (ThreadState* s : registered().threads) pending += std::atomic_ref(s->capacity_delta).load(std::memory_order_relaxed);
  const bool refused = fail_countdown.load(std::memory_order_relaxed) > 0 && fail_countdown.fetch_sub(1) == 1;
  const bool fits = add_within(t.capacity, cap, refused ? INT64_MIN : limit - pending, in_use);
  const bool far = in_use + cap <= limit - 2 * unseen() - std::abs(pending);  // twice: not to come back at once
  if (fits && far && fences_work && limit != kFailing) limit_is_near.store(false, std::memory_order_relaxed);
  in_use += pending;
  return fits;
}

void discharge_process(Table& t, int64_t cap) noexcept {
  if (count_here(-cap)) return;
  std::lock_guard lock(registered().mutex);
  if (limit_is_near.load(std::memory_order_relaxed)) t.capacity.fetch_sub(cap, std::memory_order_relaxed);
  else batch_capacity(-cap);
}

}  // namespace

void detail::room_for_thread() {
  const int64_t limit = process_limit.load(std::memory_order_relaxed);
  if (limit && !limit_is_near.load(std::memory_order_relaxed) && table().capacity.load(std::memory_order_relaxed) > limit - unseen()) come_near();
}

std::atomic<int64_t> detail::fail_countdown{0};
void testing::fail_nth(int64_t n) noexcept {
  fail_countdown = n;
  limit_process(kFailing);
}
bool testing::failed_and_reset() noexcept {
  limit_process(0);
  return fail_countdown.exchange(0) <= 0;
}

AccountId detail::charge_fully(AccountId account, size_t bytes, size_t capacity, BudgetNode* budget) {
  Table& t = table();
  if (!thread_state.token) [[unlikely]]
    register_counting();
  auto cap = static_cast<int64_t>(capacity);
  int64_t in_use = 0, limit = 0;
  auto undo = [&](const BudgetNode* end) {
    for (BudgetNode* u = budget; u != end; u = u->parent) u->used.fetch_sub(cap, std::memory_order_relaxed);
  };
  for (BudgetNode* b = budget; b; b = b->parent)
    if (!add_within(b->used, cap, b->limit, in_use)) {
      undo(b);
      if (reclaim(static_cast<size_t>(in_use + cap - b->limit))) return charge_fully(account, bytes, capacity, budget);
      refuse(capacity, b->limit, in_use, "this scope");
    }
  if (!charge_process(t, cap, limit, in_use)) {
    undo(nullptr);
    if (limit == kFailing) refuse(capacity, in_use, in_use, "a test");
    if (reclaim(static_cast<size_t>(in_use + cap - limit))) return charge_fully(account, bytes, capacity, budget);
    refuse(capacity, limit, in_use, "the process");
  }
  if (budget) budget->retain();
  Row* own = t.find(account);
  if (!own) [[unlikely]]
    account = 0;
  Row& r = own ? *own : t.row(0);
  r.add(static_cast<int64_t>(bytes), 0, 1, 0);
  r.raise_peak();
  add_live(static_cast<int64_t>(bytes));
  return account;
}

void detail::discharge_fully(AccountId account, size_t bytes, size_t capacity, BudgetNode* budget) noexcept {
  Table& t = table();
  if (!thread_state.token) [[unlikely]]
    register_counting();
  drop_live(static_cast<int64_t>(bytes));
  t.row(account).add(0, static_cast<int64_t>(bytes), 0, 1);
  discharge_process(t, static_cast<int64_t>(capacity));
  for (BudgetNode* b = budget; b; b = b->parent) b->used.fetch_sub(static_cast<int64_t>(capacity), std::memory_order_relaxed);
  if (budget) budget->release();
}

void set_budget(size_t bytes) {
  limit_process(static_cast<int64_t>(bytes));
  record_rare(NoteKind::limit, 0, static_cast<int64_t>(bytes), capacity_in_use(), [] { return "the process"; });
}
size_t budget() { return static_cast<size_t>(process_limit.load(std::memory_order_relaxed)); }

}  // namespace tenure::memory

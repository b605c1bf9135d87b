// The tables of the ledger, shared by what writes them (ledger.cc) and what reads them (ledger_read.cc). Nobody else includes this.
#pragma once

#include <mutex>
#include <unordered_map>

#include "memory/ledger.h"

namespace tenure::memory::detail {

inline constexpr uint32_t kIndexBits = 20, kIndexMask = (1u << kIndexBits) - 1, kUnused = ~0u;

// Counts of one account in two parts: what the thread that made the account did (plain adds, that thread alone writes them) and what
// all others did (locked adds). Their sum has meaning.
struct alignas(64) Row {
  struct Counts {
    // Bytes ever asked for | of them no longer live; a buffer that another account takes over counts in `returned` of both.
    std::atomic<int64_t> asked{0}, returned{0};
    std::atomic<int64_t> allocations{0}, released{0};  // live buffers: allocations - released
    int64_t live() const noexcept { return asked.load(std::memory_order_relaxed) - returned.load(std::memory_order_relaxed); }
  };
  Counts own;
  std::atomic<int64_t> peak{0};
  std::atomic<AccountId> id{kUnused};  // whose row this is now
  std::atomic<uint32_t> owner{0};      // the token of the thread that made it
  uint32_t generation = 0;             // of the last account here
  AccountId parent = 0;
  NameId name = 0;
  alignas(64) Counts others;

  void add(int64_t asked, int64_t returned, int64_t allocations, int64_t released) noexcept {
    auto plain = [](std::atomic<int64_t>& n, int64_t d) { n.store(n.load(std::memory_order_relaxed) + d, std::memory_order_relaxed); };
    auto locked = [](std::atomic<int64_t>& n, int64_t d) { n.fetch_add(d, std::memory_order_relaxed); };
    auto each = [&](Counts& c, auto add_to) {
      if (asked) add_to(c.asked, asked);
      if (returned) add_to(c.returned, returned);
      if (allocations) add_to(c.allocations, allocations);
      if (released) add_to(c.released, released);
    };
    if (owner.load(std::memory_order_relaxed) == thread_state.token) each(own, plain);
    else each(others, locked);
  }
  void raise_peak() noexcept {
    if (int64_t now = live(); now > peak.load(std::memory_order_relaxed)) peak.store(now, std::memory_order_relaxed);
  }
  int64_t live() const noexcept { return own.live() + others.live(); }
  int64_t asked() const noexcept { return own.asked.load(std::memory_order_relaxed) + others.asked.load(std::memory_order_relaxed); }
  int64_t allocations() const noexcept {
    return own.allocations.load(std::memory_order_relaxed) + others.allocations.load(std::memory_order_relaxed);
  }
  int64_t released() const noexcept { return own.released.load(std::memory_order_relaxed) + others.released.load(std::memory_order_relaxed); }
  int64_t count() const noexcept { return allocations() - released(); }
  bool used() const noexcept { return id.load(std::memory_order_relaxed) != kUnused; }
};

struct Name {
  std::string text;
  bool owned = false;  // by an object that may die
  bool alive = false;  // its owner lives
  bool used = false;
};

inline constexpr size_t kMostRows = size_t{1} << kIndexBits;

struct Table {
  std::mutex mutex;
  Row* const rows;  // address space for all, made one by one: what is not reached takes no memory
  size_t room;      // rows that the system gave address space for
  size_t next = 1;  // first index never used
  std::vector<AccountId> free;
  std::unordered_map<uint64_t, AccountId> children;
  std::vector<Name> names{1};
  std::vector<NameId> free_names;
  std::unordered_map<std::string, NameId> interned;
  size_t dead_names = 0, sweep_at = 256;
  std::vector<std::pair<const char*, Reclaimer>> reclaimers;

  // Process totals.
  std::atomic<int64_t> live{0}, peak{0}, capacity{0};
  std::atomic<uint64_t> next_birth{1};
  std::vector<int64_t> peak_rows;  // live bytes by account at the last recorded peak
  std::atomic<int64_t> peak_recorded{0};
  // Deltas of threads that ended are folded into live by their key's destructor.

  // The row at an id's place, whoever has it now.
  Row& row(AccountId id) noexcept { return rows[id & kIndexMask]; }
  // The account's own row, or null if it was recycled (or never was). A row that was not made yet reads as zeros: no account's.
  Row* find(AccountId id) noexcept {
    Row& r = row(id);
    return r.id.load(std::memory_order_relaxed) == id ? &r : nullptr;
  }
  Table(Row* rows, size_t room);
};

/// Made at first use, never destroyed: tensors may die after main.
Table& table() noexcept;
/// Of the process, 0 for none.
inline constinit std::atomic<int64_t> process_limit{0};
/// Whether every charge is held against the process' limit by itself: the limit is near. Beside the table, for the fast path.
inline constinit std::atomic<bool> limit_is_near{false};
/// Bytes that a thread counts for itself before it adds them to the process' totals.
inline constexpr int64_t kBatch = 64 << 10;

/// charge() and discharge() of charge.h, whatever limits, budgets and threads there are.
AccountId charge_fully(AccountId account, size_t bytes, size_t capacity, BudgetNode* budget);
void discharge_fully(AccountId account, size_t bytes, size_t capacity, BudgetNode* budget) noexcept;

/// Threads with an unpublished delta, so that totals are exact.
struct Registered {
  std::mutex mutex;
  std::atomic<int64_t> count{0};  // of threads
  std::vector<detail::ThreadState*> threads;
  uint32_t next_token = 1;
};
Registered& registered();

/// The breakdown at the peak, taken when live bytes start to fall from a new high.
void record_peak(Table& t, int64_t peak);
/// Rounded bytes of the process, what threads have not added to the total included; never above a limit that holds.
int64_t capacity_in_use();
/// Makes the running thread known, which counts for itself from then on.
void register_counting();
/// Lets the limit watch closer if it must, with one thread more that counts for itself. Call under the mutex of registered().
void room_for_thread();
/// Adds to the live bytes of the running thread, or takes from them.
void add_live(int64_t bytes);
void drop_live(int64_t bytes);
std::string path_locked(Table& t, AccountId id);

/// Memory is short: asks one after another who can give some back, until `wanted` bytes that count against budgets are won; tells the log of each
/// step, and keeps what it tried for the refusal that may follow on this thread. Returns the bytes won; 0 from within itself.
size_t reclaim(size_t wanted);
/// What the last reclaim() of this thread tried, "old traces 4096 bytes"; asking forgets it.
std::string tried();

/// > 0: so many charges from now the budget refuses once (memory/fail_nth.h).
extern std::atomic<int64_t> fail_countdown;

}  // namespace tenure::memory::detail

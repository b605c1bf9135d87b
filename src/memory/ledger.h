// The ledger: accounts by origin path, the counts of the process, budgets.
// Owns: the table of accounts and names, never destroyed. An account is an index and a generation; an id whose account was recycled
// stands for the root. Threads: counters are relaxed atomics; the tables are under one mutex. A forked child starts with the counts as they were.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/memory.h>

#include "memory/hot.h"

namespace tenure::memory {

/// Index (low 20 bits) and generation of an account; 0 is the root "/". Never resolves to an account made later in the same place.
using AccountId = uint32_t;
/// A name on a path. Interned text, or one that its owner may change (a layer).
using NameId = uint32_t;

/// Process-wide text, for names known at compile time (op names, "fit", "backward"). Never released: call with literals only.
NameId static_name(std::string_view text);

/// A name owned by an object (layer, user scope). Paths show its present text; when the object is gone and nothing
/// of its accounts lives, they are recycled.
class OwnedName {
 public:
  OwnedName() noexcept = default;
  explicit OwnedName(std::string_view text);
  OwnedName(OwnedName&& o) noexcept : id_(std::exchange(o.id_, 0)) {}
  OwnedName& operator=(OwnedName&& o) noexcept {
    std::swap(id_, o.id_);
    return *this;
  }
  ~OwnedName();
  void rename(std::string_view text);
  NameId id() const noexcept { return id_; }

 private:
  NameId id_ = 0;
};

namespace detail {

/// A budget of a scope: charged with what is allocated inside, for as long as it lives. Counted by hand: the scope and each buffer.
struct BudgetNode {
  std::atomic<int64_t> refs{1};
  std::atomic<int64_t> used{0};
  int64_t limit = 0;
  BudgetNode* parent = nullptr;  // one reference
  void retain() noexcept { refs.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
};

/// The children that a thread entered lately. Owned by the thread; until its first use one empty table serves all.
struct RecentAccounts {
  uint64_t epoch;
  struct Entry {
    uint64_t key;
    AccountId account;
  } by_name[256];
  struct Literal {
    const void* text;
    AccountId parent, account;
  } by_literal[64];
};

struct Row;  // of the table of accounts: ledger_table.h

/// What the ledger knows of the running thread. Trivially destructible and small: it lies in the static block of the thread.
struct ThreadState {
  AccountId account;
  Category category;
  BudgetNode* budget;      // of the innermost scope with one; raw, the scope outlives it
  int64_t delta;           // live bytes not yet in the process total
  int64_t capacity_delta;  // rounded bytes not yet in the process total
  uint64_t birth, birth_end;
  Row* rows;       // of the table of accounts; null: not registered, here or among the counts of kinds
  uint32_t token;  // never given to another thread; 0: not registered
  uint32_t busy;   // 1 while the thread looks whether the limit is near and then counts (charge.cc)
  RecentAccounts* recent;
};
TENURE_HOT_TLS extern thread_local constinit ThreadState thread_state;
/// Births below this have been marked: a thread gives up the smaller numbers it had reserved.
extern std::atomic<uint64_t> birth_floor;
uint64_t reserve_births() noexcept;
/// Grows when accounts were recycled: entries of `recent` from before are void.
extern std::atomic<uint64_t> table_epoch;

AccountId child_slow(AccountId parent, NameId name);
AccountId child_slow(AccountId parent, std::string_view literal);
constexpr size_t slot_of(AccountId parent, NameId name) noexcept { return (parent * 31 + name) & 255; }
inline size_t slot_of(AccountId parent, const void* literal) noexcept { return ((reinterpret_cast<uintptr_t>(literal) >> 2) + parent * 7) & 63; }

}  // namespace detail

/// The account of `name` under `parent`, made at first use.
inline AccountId child(AccountId parent, NameId name) {
  uint64_t key = (uint64_t{parent} << 32) | name;
  auto& recent = *detail::thread_state.recent;
  auto& e = recent.by_name[detail::slot_of(parent, name)];
  if (e.key == key && recent.epoch == detail::table_epoch.load(std::memory_order_relaxed)) [[likely]]
    return e.account;
  return detail::child_slow(parent, name);
}
/// The same for a literal (an op's name), known by its address.
inline AccountId child(AccountId parent, std::string_view literal) {
  auto& recent = *detail::thread_state.recent;
  auto& e = recent.by_literal[detail::slot_of(parent, literal.data())];
  if (e.text == literal.data() && e.parent == parent && recent.epoch == detail::table_epoch.load(std::memory_order_relaxed)) [[likely]]
    return e.account;
  return detail::child_slow(parent, literal);
}
inline AccountId current_account() noexcept { return detail::thread_state.account; }
inline Category current_category() noexcept { return detail::thread_state.category; }

/// Moves this thread's account for a block of code: to a child by name, or to a given account.
class Enter {
 public:
  explicit Enter(NameId name) : saved_(detail::thread_state.account) { detail::thread_state.account = child(saved_, name); }
  explicit Enter(std::string_view literal) : saved_(detail::thread_state.account) { detail::thread_state.account = child(saved_, literal); }
  struct At {
    AccountId account;
  };
  explicit Enter(At at) noexcept : saved_(detail::thread_state.account) { detail::thread_state.account = at.account; }
  ~Enter() { detail::thread_state.account = saved_; }
  Enter(const Enter&) = delete;
  Enter& operator=(const Enter&) = delete;

 private:
  AccountId saved_;
};
/// Sets what buffers allocated in a block of code are for.
class As {
 public:
  explicit As(Category c) noexcept : saved_(detail::thread_state.category) { detail::thread_state.category = c; }
  ~As() { detail::thread_state.category = saved_; }
  As(const As&) = delete;
  As& operator=(const As&) = delete;

 private:
  Category saved_;
};

/// The context that a worker thread takes over from who started it. Who keeps it beyond the starter's scopes retains the budget.
struct Context {
  AccountId account = 0;
  Category category = Category::temporary;
  detail::BudgetNode* budget = nullptr;
  static Context current() noexcept;
};
class Adopt {
 public:
  explicit Adopt(const Context& c) noexcept;
  ~Adopt();
  Adopt(const Adopt&) = delete;
  Adopt& operator=(const Adopt&) = delete;

 private:
  Context saved_;
};

/// "/fit/step/conv2d/conv".
std::string path_of(AccountId account);

/// Whether next_birth() calls nothing: the thread's next number.
inline bool birth_is_ready() noexcept {
  const auto& s = detail::thread_state;
  return s.birth != s.birth_end && s.birth >= detail::birth_floor.load(std::memory_order_relaxed);
}
/// The next birth number of this thread; numbers grow over the process and are never used again.
inline uint64_t next_birth() noexcept {
  if (!birth_is_ready()) [[unlikely]]
    return detail::reserve_births();
  return detail::thread_state.birth++;
}
/// Births after this call, on any thread, get larger numbers than the returned one.
uint64_t birth_mark() noexcept;

/// Moves a live buffer's bytes to another account (it was given to another op). Returns the account that has them now.
AccountId recharge(AccountId from, AccountId to, size_t bytes) noexcept;
/// What would exceed: throws the explained refusal.
[[noreturn]] void refuse(size_t bytes, int64_t limit, int64_t used, const char* whose);

struct Totals {
  size_t live_bytes, peak_bytes, capacity_bytes;
  uint64_t allocations;
};
Totals totals() noexcept;
/// Live bytes alone, exact; cheap enough to ask after every call.
size_t live_bytes() noexcept;
/// Accounts with live bytes or a peak.
std::vector<Account> accounts();
/// Live bytes of an account and everything below it.
size_t live_under(AccountId account);
bool is_under(AccountId account, AccountId ancestor);
/// Number of accounts in the table (for tests of recycling).
size_t account_count();

/// Something that can give memory back when a budget is short (trace caches, idle queues). Called without locks; returns bytes freed.
using Reclaimer = size_t (*)(size_t wanted);
void add_reclaimer(const char* name, Reclaimer r);

void log(std::string_view text);

}  // namespace tenure::memory

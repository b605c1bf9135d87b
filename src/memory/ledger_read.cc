// What the ledger tells: totals, accounts, the peak and its breakdown.
#include <algorithm>

#include "base/check.h"
#include "memory/ledger_table.h"
#include "memory/ledger_totals.h"

namespace tenure::memory {

using namespace detail;

namespace {
// The present id at an index.
AccountId id_at(Table& t, size_t index) { return t.row(static_cast<AccountId>(index)).id.load(std::memory_order_relaxed); }
}  // namespace

void detail::record_peak(Table& t, int64_t peak) {
  std::lock_guard lock(t.mutex);
  if (peak <= t.peak_recorded.load()) return;
  t.peak_rows.assign(t.next, 0);
  for (size_t i = 0; i < t.next; ++i) t.peak_rows[i] = t.row(static_cast<AccountId>(i)).live();
  t.peak_recorded.store(peak);
}

int64_t detail::capacity_in_use() {
  std::lock_guard lock(registered().mutex);
  int64_t total = 0;
  for (auto* s : registered().threads) total += std::atomic_ref(s->capacity_delta).load(std::memory_order_acquire);
  // The total after the threads' parts: what is freed meanwhile may be missed, nothing counts twice.
  return std::max<int64_t>(0, total + table().capacity.load(std::memory_order_relaxed));
}

std::string detail::path_locked(Table& t, AccountId id) {
  std::string path;
  for (Row* r = t.find(id); id && r; id = r->parent, r = t.find(id)) path.insert(0, t.names[r->name].text).insert(0, 1, '/');
  return path.empty() ? "/" : path;
}

size_t live_bytes() noexcept {
  std::lock_guard lock(registered().mutex);
  int64_t live = table().live.load(std::memory_order_relaxed);
  for (auto* s : registered().threads) live += std::atomic_ref(s->delta).load(std::memory_order_relaxed);
  return live > 0 ? static_cast<size_t>(live) : 0;
}

Totals totals() noexcept {
  Table& t = table();
  auto live = static_cast<int64_t>(live_bytes());
  int64_t peak = std::max(t.peak.load(std::memory_order_relaxed), live);
  uint64_t allocations = 0;
  std::lock_guard lock(t.mutex);
  for (size_t i = 0; i < t.next; ++i) allocations += static_cast<uint64_t>(t.row(static_cast<AccountId>(i)).allocations());
  return {static_cast<size_t>(live), static_cast<size_t>(peak), static_cast<size_t>(capacity_in_use()), allocations};
}

std::vector<Account> accounts() {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  std::vector<Account> out;
  for (size_t i = 0; i < t.next; ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (!r.used() || (!r.live() && !r.peak.load())) continue;
    out.push_back({path_locked(t, id_at(t, i)), static_cast<size_t>(r.live()), static_cast<size_t>(r.count()), static_cast<size_t>(r.peak.load()),
                   static_cast<uint64_t>(r.allocations())});
  }
  std::stable_sort(out.begin(), out.end(), [](const Account& a, const Account& b) { return a.live_bytes > b.live_bytes; });
  return out;
}

std::vector<AccountTotals> account_totals() {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  std::vector<AccountTotals> out;
  for (size_t i = 0; i < t.next; ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (!r.used() || (!r.asked() && !r.peak.load())) continue;
    out.push_back({path_locked(t, id_at(t, i)), static_cast<size_t>(r.live()), static_cast<size_t>(r.count()), static_cast<size_t>(r.peak.load()),
                   static_cast<uint64_t>(r.allocations()), static_cast<uint64_t>(r.asked())});
  }
  std::stable_sort(out.begin(), out.end(), [](const AccountTotals& a, const AccountTotals& b) { return a.live_bytes > b.live_bytes; });
  return out;
}

void visit_accounts(const std::function<void(AccountId, int64_t count, int64_t bytes)>& visit) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  for (size_t i = 0; i < t.next; ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (r.used()) visit(id_at(t, i), r.count(), r.live());
  }
}

bool is_under(AccountId account, AccountId ancestor) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  for (Row* r = t.find(account); r && account != ancestor && account; account = r->parent, r = t.find(account)) {}
  return account == ancestor;
}

size_t live_under(AccountId ancestor) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  int64_t sum = 0;
  for (size_t i = 0; i < t.next; ++i) {
    AccountId id = id_at(t, i);
    if (id == kUnused) continue;
    AccountId up = id;
    while (up && up != ancestor) up = t.row(up).parent;
    if (up == ancestor) sum += t.row(id).live();
  }
  return static_cast<size_t>(sum);
}

size_t account_count() {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  return t.next - t.free.size();
}

void reset_peak() {
  Totals now = totals();
  Table& t = table();
  std::lock_guard lock(t.mutex);
  t.peak.store(static_cast<int64_t>(now.live_bytes));
  t.peak_recorded.store(static_cast<int64_t>(now.live_bytes));
  t.peak_rows.assign(t.next, 0);
  for (size_t i = 0; i < t.next; ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    r.peak.store(r.live());
    t.peak_rows[i] = r.live();
  }
}

Peak peak() {
  Totals now = totals();
  Table& t = table();
  if (static_cast<int64_t>(now.live_bytes) > t.peak_recorded.load()) record_peak(t, static_cast<int64_t>(now.live_bytes));
  std::lock_guard lock(t.mutex);
  Peak p;
  p.bytes = std::max<size_t>(static_cast<size_t>(t.peak.load()), static_cast<size_t>(t.peak_recorded.load()));
  for (size_t i = 0; i < t.peak_rows.size(); ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (!r.used() || t.peak_rows[i] <= 0) continue;
    Account a;
    a.path = path_locked(t, id_at(t, i));
    a.live_bytes = static_cast<size_t>(t.peak_rows[i]);
    a.peak_bytes = static_cast<size_t>(r.peak.load());
    p.accounts.push_back(std::move(a));
  }
  std::stable_sort(p.accounts.begin(), p.accounts.end(), [](const Account& a, const Account& b) { return a.live_bytes > b.live_bytes; });
  return p;
}

}  // namespace tenure::memory

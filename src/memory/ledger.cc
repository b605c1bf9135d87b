#include "memory/ledger.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "base/check.h"
#include "memory/fork.h"

namespace tenure {
namespace {
constinit std::mutex sink_mutex;
std::function<void(std::string_view)>& sink() {
  static auto* f = new std::function<void(std::string_view)>;
  return *f;
}
}  // namespace

void set_log_sink(std::function<void(std::string_view)> s) {
  std::lock_guard lock(sink_mutex);
  sink() = std::move(s);
}

namespace memory {

void log(std::string_view text) {
  std::function<void(std::string_view)> f;
  {
    std::lock_guard lock(sink_mutex);
    f = sink();
  }
  if (f) f(text);
}

const char* to_string(Category c) noexcept {
  constexpr const char* names[] = {"temporary", "parameter", "optimizer state", "gradient", "activation", "input", "constant", "cache"};
  return static_cast<size_t>(c) < std::size(names) ? names[static_cast<size_t>(c)] : "unknown";
}

namespace detail {
thread_local constinit ThreadState thread_state{};
std::atomic<uint64_t> table_epoch{1};
}  // namespace detail
using detail::BudgetNode;
using detail::thread_state;

namespace {

constexpr uint32_t kIndexBits = 20, kIndexMask = (1u << kIndexBits) - 1, kUnused = ~0u;

struct Row {
  std::atomic<int64_t> live{0}, peak{0}, released{0};  // live buffers: allocations - released
  std::atomic<uint64_t> allocations{0};
  int64_t count() const noexcept {
    return static_cast<int64_t>(allocations.load(std::memory_order_relaxed)) - released.load(std::memory_order_relaxed);
  }
  std::atomic<AccountId> id{kUnused};  // whose row this is now
  uint32_t generation = 0;             // of the last account here
  AccountId parent = 0;
  NameId name = 0;
  bool used() const noexcept { return id.load(std::memory_order_relaxed) != kUnused; }
};

struct Name {
  std::string text;
  bool owned = false;  // by an object that may die
  bool alive = false;  // its owner lives
  bool used = false;
};

constexpr size_t kChunk = 1024, kChunks = 1024;

struct Table {
  std::mutex mutex;
  std::atomic<Row*> chunks[kChunks] = {};
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
  std::atomic<uint64_t> next_birth{1}, birth_floor{0};
  std::atomic<int64_t> limit{0};
  std::vector<int64_t> peak_rows;  // live bytes by account at the last recorded peak
  std::atomic<int64_t> peak_recorded{0};
  // Deltas of threads that ended are folded into live by their key's destructor.

  // The row at an id's place, whoever has it now.
  Row& row(AccountId id) noexcept { return chunks[(id & kIndexMask) / kChunk].load(std::memory_order_acquire)[(id & kIndexMask) % kChunk]; }
  // The account's own row, or null if it was recycled (or never was).
  Row* find(AccountId id) noexcept {
    Row* chunk = chunks[(id & kIndexMask) / kChunk].load(std::memory_order_acquire);
    if (!chunk) return nullptr;
    Row& r = chunk[(id & kIndexMask) % kChunk];
    return r.id.load(std::memory_order_relaxed) == id ? &r : nullptr;
  }
  Table() {
    chunks[0] = new Row[kChunk];
    row(0).id = 0;
  }
};

Table& table() noexcept {
  static Table* t = [] {
    hook_fork();
    return new Table;  // never destroyed: tensors may die after main
  }();
  return *t;
}

constexpr int64_t kBatch = 64 << 10;

// Threads with an unpublished delta, so that totals() is exact.
struct Registered {
  std::mutex mutex;
  std::vector<detail::ThreadState*> threads;
};
Registered& registered() {
  static auto* r = new Registered;
  return *r;
}

void publish(detail::ThreadState& t) noexcept {
  int64_t d = t.delta;
  if (!d) return;
  std::atomic_ref(t.delta).store(0, std::memory_order_relaxed);
  Table& tab = table();
  int64_t now = tab.live.fetch_add(d, std::memory_order_relaxed) + d;
  int64_t peak = tab.peak.load(std::memory_order_relaxed);
  while (now > peak && !tab.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {}
}

void register_thread() {
  static pthread_key_t key = [] {
    pthread_key_t k;
    pthread_key_create(&k, [](void* p) {
      auto* t = static_cast<detail::ThreadState*>(p);
      publish(*t);
      table().capacity.fetch_add(std::exchange(t->capacity_delta, 0), std::memory_order_relaxed);
      t->registered = false;
      std::lock_guard lock(registered().mutex);
      std::erase(registered().threads, t);
    });
    return k;
  }();
  thread_state.registered = true;
  {
    std::lock_guard lock(registered().mutex);
    registered().threads.push_back(&thread_state);
  }
  pthread_setspecific(key, &thread_state);
}

// The breakdown at the peak, taken when live bytes start to fall from a new high.
void record_peak(Table& t, int64_t peak) {
  std::lock_guard lock(t.mutex);
  if (peak <= t.peak_recorded.load()) return;
  t.peak_rows.assign(t.next, 0);
  for (size_t i = 0; i < t.next; ++i) t.peak_rows[i] = t.row(static_cast<AccountId>(i)).live.load(std::memory_order_relaxed);
  t.peak_recorded.store(peak);
}

void add_live(int64_t bytes) {
  auto& s = thread_state;
  if (!s.registered) [[unlikely]]
    register_thread();
  int64_t d = s.delta + bytes;
  std::atomic_ref(s.delta).store(d, std::memory_order_relaxed);
  if (d > -kBatch && d < kBatch) [[likely]]
    return;
  publish(s);
}

void drop_live(int64_t bytes) {
  Table& t = table();
  auto& s = thread_state;
  if (!s.registered) [[unlikely]]
    register_thread();
  if (bytes >= kBatch || s.delta - bytes <= -kBatch) {
    publish(s);
    int64_t now = t.live.load(std::memory_order_relaxed), high = t.peak_recorded.load(std::memory_order_relaxed);
    if (now > high + std::max<int64_t>(kBatch, high / 128)) record_peak(t, now);
  }
  std::atomic_ref(s.delta).store(s.delta - bytes, std::memory_order_relaxed);
  if (s.delta <= -kBatch) publish(s);
}

// Rounded bytes: in the thread's delta while there is no limit, in the process total at once while there is one.
void batch_capacity(int64_t bytes) noexcept {
  auto& s = thread_state;
  int64_t d = s.capacity_delta + bytes;
  if (d <= -kBatch || d >= kBatch) {
    table().capacity.fetch_add(d, std::memory_order_relaxed);
    d = 0;
  }
  std::atomic_ref(s.capacity_delta).store(d, std::memory_order_relaxed);
}

// Adds to the process total and returns it, with what threads have not published.
int64_t add_capacity(int64_t bytes) {
  int64_t total = table().capacity.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  std::lock_guard lock(registered().mutex);
  for (auto* s : registered().threads) total += std::atomic_ref(s->capacity_delta).load(std::memory_order_relaxed);
  return total;
}

// Frees accounts whose owned name is dead and which, with all below them, hold nothing.
void sweep(Table& t) {
  std::vector<char> keep(t.next, 0), dead(t.next, 0);
  for (size_t i = t.next; i-- > 0;) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (r.used() && (r.count() != 0 || r.live.load() != 0)) keep[i] = 1;
  }
  // A child may have a smaller index than its parent once indices are reused: repeat until nothing changes.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 1; i < t.next; ++i) {
      Row& r = t.row(static_cast<AccountId>(i));
      if (!r.used()) continue;
      size_t up = r.parent & kIndexMask;
      if (keep[i] && !keep[up]) keep[up] = 1, changed = true;
      bool d = dead[up] || (t.names[r.name].owned && !t.names[r.name].alive);
      if (d && !dead[i]) dead[i] = 1, changed = true;
    }
  }
  std::vector<char> named(t.names.size(), 0);
  std::vector<AccountId> parent_of(t.next);
  for (size_t i = 0; i < t.next; ++i) parent_of[i] = t.row(static_cast<AccountId>(i)).parent;
  for (size_t i = 1; i < t.next; ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (!r.used()) continue;
    if (dead[i] && !keep[i]) {
      AccountId up = parent_of[i];
      while (up && dead[up & kIndexMask] && !keep[up & kIndexMask]) up = parent_of[up & kIndexMask];
      t.row(up).allocations.fetch_add(r.allocations.load(), std::memory_order_relaxed);
      if (i < t.peak_rows.size()) {
        if (size_t to = up & kIndexMask; to < t.peak_rows.size()) t.peak_rows[to] += t.peak_rows[i];
        t.peak_rows[i] = 0;
      }
      t.children.erase((uint64_t{r.parent} << 32) | r.name);
      r.id.store(kUnused, std::memory_order_relaxed);
      t.row(up).released.fetch_add(r.released.load(), std::memory_order_relaxed);
      r.peak = 0, r.allocations = 0, r.released = 0;
      t.free.push_back(static_cast<AccountId>(i));
    } else {
      named[r.name] = 1;
    }
  }
  for (size_t n = 1; n < t.names.size(); ++n)
    if (t.names[n].used && t.names[n].owned && !t.names[n].alive && !named[n]) {
      t.names[n] = {};
      t.free_names.push_back(static_cast<NameId>(n));
    }
  t.dead_names = 0;
  detail::table_epoch.fetch_add(1, std::memory_order_relaxed);  // thread tables of recent accounts are stale now
}

NameId new_name(Table& t, std::string_view text, bool owned) {
  NameId id;
  if (t.free_names.empty()) {
    id = static_cast<NameId>(t.names.size());
    t.names.emplace_back();
  } else {
    id = t.free_names.back();
    t.free_names.pop_back();
  }
  t.names[id] = {std::string(text), owned, owned, true};
  return id;
}

std::string path_locked(Table& t, AccountId id) {
  std::string path;
  for (Row* r = t.find(id); id && r; id = r->parent, r = t.find(id)) path = "/" + t.names[r->name].text + path;
  return path.empty() ? "/" : path;
}
// The present id at an index.
AccountId id_at(Table& t, size_t index) { return t.row(static_cast<AccountId>(index)).id.load(std::memory_order_relaxed); }

}  // namespace

NameId static_name(std::string_view text) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  auto [it, fresh] = t.interned.try_emplace(std::string(text), 0);
  if (fresh) it->second = new_name(t, text, false);
  return it->second;
}

OwnedName::OwnedName(std::string_view text) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  id_ = new_name(t, text, true);
}

OwnedName::~OwnedName() {
  if (!id_) return;
  Table& t = table();
  std::lock_guard lock(t.mutex);
  t.names[id_].alive = false;
  if (++t.dead_names >= t.sweep_at) {
    sweep(t);
    size_t in_use = t.next - t.free.size();
    t.sweep_at = std::max({size_t{256}, in_use / 4, (t.names.size() - t.free_names.size()) / 4});
  }
}

void OwnedName::rename(std::string_view text) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  t.names[id_].text = text;
}

AccountId detail::child_slow(AccountId parent, NameId name) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  if (thread_state.epoch != table_epoch.load(std::memory_order_relaxed)) {
    thread_state.epoch = table_epoch.load(std::memory_order_relaxed);
    for (auto& e : thread_state.recent) e = {};
  }
  if (!t.find(parent)) parent = 0;
  uint64_t key = (uint64_t{parent} << 32) | name;
  if (auto it = t.children.find(key); it != t.children.end()) return it->second;
  AccountId index;
  if (!t.free.empty()) {
    index = t.free.back();
  } else {
    if (t.next == kChunk * kChunks - 1) return parent;  // full: count under the parent rather than fail an allocation
    index = static_cast<AccountId>(t.next);
    if (index % kChunk == 0 && !t.chunks[index / kChunk].load()) t.chunks[index / kChunk].store(new Row[kChunk], std::memory_order_release);
  }
  Row& r = t.row(index);
  AccountId id = index | ((r.generation + 1) << kIndexBits);
  t.children.emplace(key, id);
  if (t.free.empty()) ++t.next;
  else t.free.pop_back();
  ++r.generation;
  r.parent = parent, r.name = name;
  r.id.store(id, std::memory_order_relaxed);
  return id;
}

void fork_ledger(Fork when) noexcept {
  for (std::mutex* m : {&sink_mutex, &table().mutex, &registered().mutex}) when == Fork::prepare ? m->lock() : m->unlock();
  if (when != Fork::child) return;
  // The other threads are not here; what they had counted is.
  for (auto* s : registered().threads)
    if (s != &thread_state) publish(*s);
  registered().threads.assign(thread_state.registered ? 1 : 0, &thread_state);
}

Context Context::current() noexcept { return {thread_state.account, thread_state.category, thread_state.budget}; }
Adopt::Adopt(const Context& c) noexcept : saved_(Context::current()) {
  thread_state.account = c.account, thread_state.category = c.category, thread_state.budget = c.budget;
}
Adopt::~Adopt() { thread_state.account = saved_.account, thread_state.category = saved_.category, thread_state.budget = saved_.budget; }

std::string path_of(AccountId account) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  return path_locked(t, account);
}

uint64_t next_birth() noexcept {
  auto& s = thread_state;
  Table& t = table();
  if (s.birth == s.birth_end || s.birth < t.birth_floor.load(std::memory_order_relaxed)) [[unlikely]] {
    s.birth = t.next_birth.fetch_add(256, std::memory_order_relaxed);
    s.birth_end = s.birth + 256;
  }
  return s.birth++;
}

uint64_t birth_mark() noexcept {
  Table& t = table();
  uint64_t mark = t.next_birth.fetch_add(1, std::memory_order_relaxed);
  uint64_t floor = t.birth_floor.load(std::memory_order_relaxed);
  while (floor <= mark && !t.birth_floor.compare_exchange_weak(floor, mark + 1, std::memory_order_relaxed)) {}
  return mark;  // every thread gives up the numbers it had reserved below
}

void BudgetNode::release() noexcept {
  if (refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  BudgetNode* up = parent;
  delete this;
  if (up) up->release();
}

AccountId charge(AccountId account, size_t bytes, size_t capacity, BudgetNode* budget) {
  Table& t = table();
  auto cap = static_cast<int64_t>(capacity);
  for (BudgetNode* b = budget; b; b = b->parent) {
    int64_t used = b->used.fetch_add(cap, std::memory_order_relaxed) + cap;
    if (used > b->limit) {
      for (BudgetNode* u = budget;; u = u->parent) {
        u->used.fetch_sub(cap, std::memory_order_relaxed);
        if (u == b) break;
      }
      refuse(capacity, b->limit, used - cap, "this scope");
    }
  }
  int64_t limit = t.limit.load(std::memory_order_relaxed);
  int64_t total = limit ? add_capacity(cap) : 0;
  if (limit && total > limit) [[unlikely]] {
    t.capacity.fetch_sub(cap, std::memory_order_relaxed);
    for (BudgetNode* u = budget; u; u = u->parent) u->used.fetch_sub(cap, std::memory_order_relaxed);
    std::vector<std::pair<const char*, Reclaimer>> ladder;
    {
      std::lock_guard lock(t.mutex);
      ladder = t.reclaimers;
    }
    static thread_local bool reclaiming = false;
    if (!reclaiming) {
      reclaiming = true;
      size_t won = 0;
      for (auto& [name, r] : ladder) won += r(capacity);
      reclaiming = false;
      if (won) return charge(account, bytes, capacity, budget);
    }
    refuse(capacity, limit, total - cap, "the process");
  }
  if (budget) budget->retain();
  Row* own = t.find(account);
  if (!own) [[unlikely]]
    account = 0;
  Row& r = own ? *own : t.row(0);
  int64_t now = r.live.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed) + static_cast<int64_t>(bytes);
  r.allocations.fetch_add(1, std::memory_order_relaxed);
  if (now > r.peak.load(std::memory_order_relaxed)) r.peak.store(now, std::memory_order_relaxed);
  add_live(static_cast<int64_t>(bytes));
  if (!limit) batch_capacity(cap);
  return account;
}

void discharge(AccountId account, size_t bytes, size_t capacity, BudgetNode* budget) noexcept {
  Table& t = table();
  drop_live(static_cast<int64_t>(bytes));
  Row& r = t.row(account);
  r.live.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  r.released.fetch_add(1, std::memory_order_relaxed);
  if (t.limit.load(std::memory_order_relaxed)) t.capacity.fetch_sub(static_cast<int64_t>(capacity), std::memory_order_relaxed);
  else batch_capacity(-static_cast<int64_t>(capacity));
  for (BudgetNode* b = budget; b; b = b->parent) b->used.fetch_sub(static_cast<int64_t>(capacity), std::memory_order_relaxed);
  if (budget) budget->release();
}

AccountId recharge(AccountId from, AccountId to, size_t bytes) noexcept {
  if (from == to) return to;
  Table& t = table();
  if (!t.find(to)) [[unlikely]]
    to = 0;
  auto n = static_cast<int64_t>(bytes);
  Row &a = t.row(from), &b = t.row(to);
  a.live.fetch_sub(n, std::memory_order_relaxed);
  a.released.fetch_add(1, std::memory_order_relaxed);
  int64_t now = b.live.fetch_add(n, std::memory_order_relaxed) + n;
  b.released.fetch_sub(1, std::memory_order_relaxed);
  if (now > b.peak.load(std::memory_order_relaxed)) b.peak.store(now, std::memory_order_relaxed);
  return to;
}

void refuse(size_t bytes, int64_t limit, int64_t used, const char* whose) {
  auto rows = accounts();
  std::string top;
  for (size_t i = 0; i < rows.size() && i < 3 && rows[i].live_bytes; ++i)
    top += fmt::format("\n    {:>12} bytes  {}", rows[i].live_bytes, rows[i].path);
  std::string tried;
  {
    Table& t = table();
    std::lock_guard lock(t.mutex);
    for (auto& [name, r] : t.reclaimers) tried += std::string(tried.empty() ? "" : ", ") + name;
  }
  fail(Code::OutOfMemory,
       "memory budget: {} asked for {} bytes, but the budget of {} is {} bytes and {} are in use; nothing was written\n  largest accounts:{}\n"
       "  tried: {}\n  ways out: a larger budget, a smaller batch, or dropping tensors of the accounts above",
       path_of(current_account()), bytes, whose, limit, used, top, tried.empty() ? "no cache to give back" : tried);
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
  for (size_t i = 0; i < t.next; ++i) allocations += t.row(static_cast<AccountId>(i)).allocations.load(std::memory_order_relaxed);
  return {static_cast<size_t>(live), static_cast<size_t>(peak), static_cast<size_t>(add_capacity(0)), allocations};
}

std::vector<Account> accounts() {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  std::vector<Account> out;
  for (size_t i = 0; i < t.next; ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (!r.used() || (!r.live.load() && !r.peak.load())) continue;
    out.push_back({path_locked(t, id_at(t, i)), static_cast<size_t>(r.live.load()), static_cast<size_t>(r.count()),
                   static_cast<size_t>(r.peak.load()), r.allocations.load()});
  }
  std::stable_sort(out.begin(), out.end(), [](const Account& a, const Account& b) { return a.live_bytes > b.live_bytes; });
  return out;
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
    if (up == ancestor) sum += t.row(id).live.load(std::memory_order_relaxed);
  }
  return static_cast<size_t>(sum);
}

size_t account_count() {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  return t.next - t.free.size();
}

void add_reclaimer(const char* name, Reclaimer r) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  for (auto& [n, f] : t.reclaimers)
    if (f == r) return;
  t.reclaimers.emplace_back(name, r);
}

void set_budget(size_t bytes) { table().limit.store(static_cast<int64_t>(bytes), std::memory_order_relaxed); }
size_t budget() { return static_cast<size_t>(table().limit.load(std::memory_order_relaxed)); }

void reset_peak() {
  Totals now = totals();
  Table& t = table();
  std::lock_guard lock(t.mutex);
  t.peak.store(static_cast<int64_t>(now.live_bytes));
  t.peak_recorded.store(static_cast<int64_t>(now.live_bytes));
  t.peak_rows.assign(t.next, 0);
  for (size_t i = 0; i < t.next; ++i) {
    Row& r = t.row(static_cast<AccountId>(i));
    r.peak.store(r.live.load());
    t.peak_rows[i] = r.live.load();
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

}  // namespace memory
}  // namespace tenure

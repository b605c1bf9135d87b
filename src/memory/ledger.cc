#include "memory/ledger.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/check.h"
#include "memory/counted.h"
#include "memory/fork.h"
#include "memory/ledger_table.h"
#include "memory/record.h"

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
namespace {
constinit RecentAccounts nothing_recent{};  // of every thread until its first use; never written, its epoch is never the table's
}
TENURE_HOT_TLS thread_local constinit ThreadState thread_state{.recent = &nothing_recent};
std::atomic<uint64_t> table_epoch{1}, birth_floor{0};
}  // namespace detail
using namespace detail;

namespace {
struct Space {
  Row* rows;
  size_t room;
};
// As much address space as the system gives, up to kMostRows.
Space reserve_rows() {
  for (size_t room = kMostRows; room >= 1024; room /= 2) {
    void* p = mmap(nullptr, room * sizeof(Row), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED) return {static_cast<Row*>(p), room};
  }
  fail(Code::OutOfMemory, "memory: the system has no {} bytes for the table of accounts", 1024 * sizeof(Row));
}
}  // namespace

Table::Table(Row* r, size_t n) : rows(r), room(n) {
  new (rows) Row;
  row(0).id = 0;
  row(0).owner = 1;  // the first thread that registers
}

Table& detail::table() noexcept {
  static Table* const t = [] {
    hook_fork();
    const Space space = reserve_rows();
    return new Table(space.rows, space.room);
  }();
  return *t;
}

Registered& detail::registered() {
  static auto* r = new Registered;
  return *r;
}

namespace {

void publish(detail::ThreadState& t) noexcept {
  int64_t d = t.delta;
  if (!d) return;
  std::atomic_ref(t.delta).store(0, std::memory_order_relaxed);
  Table& tab = table();
  int64_t now = tab.live.fetch_add(d, std::memory_order_relaxed) + d;
  int64_t peak = tab.peak.load(std::memory_order_relaxed);
  while (now > peak && !tab.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {}
}

}  // namespace

void detail::register_counting() {
  static pthread_key_t key = [] {
    pthread_key_t k;
    pthread_key_create(&k, [](void* p) {
      auto* t = static_cast<detail::ThreadState*>(p);
      publish(*t);
      t->token = 0;
      t->rows = nullptr;
      if (t->recent != &detail::nothing_recent) delete std::exchange(t->recent, &detail::nothing_recent);
      std::lock_guard lock(registered().mutex);
      table().capacity.fetch_add(std::exchange(t->capacity_delta, 0), std::memory_order_relaxed);
      std::erase(registered().threads, t);
      registered().count = static_cast<int64_t>(registered().threads.size());
    });
    return k;
  }();
  if (!kind_counts.registered) register_kind_counts();
  {
    std::lock_guard lock(registered().mutex);
    registered().threads.push_back(&thread_state);
    registered().count = static_cast<int64_t>(registered().threads.size());
    thread_state.token = registered().next_token++;
    thread_state.rows = table().rows;
    room_for_thread();
  }
  pthread_setspecific(key, &thread_state);
}

void detail::add_live(int64_t bytes) {
  auto& s = thread_state;
  int64_t d = s.delta + bytes;
  std::atomic_ref(s.delta).store(d, std::memory_order_relaxed);
  if (d > -kBatch && d < kBatch) [[likely]]
    return;
  publish(s);
}

void detail::drop_live(int64_t bytes) {
  Table& t = table();
  auto& s = thread_state;
  if (bytes >= kBatch || s.delta - bytes <= -kBatch) {
    publish(s);
    int64_t now = t.live.load(std::memory_order_relaxed), high = t.peak_recorded.load(std::memory_order_relaxed);
    if (now > high + std::max<int64_t>(kBatch, high / 128)) record_peak(t, now);
  }
  std::atomic_ref(s.delta).store(s.delta - bytes, std::memory_order_relaxed);
  if (s.delta <= -kBatch) publish(s);
}

namespace {
// Frees accounts whose owned name is dead and which, with all below them, hold nothing.
void sweep(Table& t) {
  std::vector<char> keep(t.next, 0), dead(t.next, 0);
  for (size_t i = t.next; i-- > 0;) {
    Row& r = t.row(static_cast<AccountId>(i));
    if (r.used() && (r.count() != 0 || r.live() != 0)) keep[i] = 1;
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
      auto& to = t.row(up).others;
      to.allocations.fetch_add(r.allocations(), std::memory_order_relaxed);
      to.asked.fetch_add(r.asked(), std::memory_order_relaxed);
      if (i < t.peak_rows.size()) {
        if (size_t at = up & kIndexMask; at < t.peak_rows.size()) t.peak_rows[at] += t.peak_rows[i];
        t.peak_rows[i] = 0;
      }
      t.children.erase((uint64_t{r.parent} << 32) | r.name);
      r.id.store(kUnused, std::memory_order_relaxed);
      to.released.fetch_add(r.released(), std::memory_order_relaxed);
      to.returned.fetch_add(r.asked() - r.live(), std::memory_order_relaxed);
      for (auto* c : {&r.own, &r.others}) c->asked = 0, c->returned = 0, c->allocations = 0, c->released = 0;
      r.peak = 0;
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

namespace {
// The table of recent accounts of a registered thread (its key frees it), made at first use and emptied when accounts were recycled. Call under
// the table's mutex.
RecentAccounts& own_recent() {
  uint64_t epoch = detail::table_epoch.load(std::memory_order_relaxed);
  auto*& recent = thread_state.recent;
  if (recent == &detail::nothing_recent) recent = new detail::RecentAccounts{};
  if (recent->epoch != epoch) *recent = {.epoch = epoch};
  return *recent;
}
}  // namespace

AccountId detail::child_slow(AccountId parent, NameId name) {
  if (!thread_state.token) register_counting();  // before the table's mutex: a fork takes that after those of the registers
  Table& t = table();
  std::lock_guard lock(t.mutex);
  auto& recent = own_recent();
  AccountId& known = recent.by_name[slot_of(parent, name)].account;
  recent.by_name[slot_of(parent, name)].key = (uint64_t{parent} << 32) | name;
  if (!t.find(parent)) parent = 0;
  uint64_t key = (uint64_t{parent} << 32) | name;
  if (auto it = t.children.find(key); it != t.children.end()) return known = it->second;
  AccountId index;
  if (!t.free.empty()) {
    index = t.free.back();
  } else {
    if (t.next == t.room) return known = parent;  // full: count under the parent rather than fail an allocation
    index = static_cast<AccountId>(t.next);
    new (&t.row(index)) Row;
  }
  Row& r = t.row(index);
  AccountId id = index | ((r.generation + 1) << kIndexBits);
  t.children.emplace(key, id);
  if (t.free.empty()) ++t.next;
  else t.free.pop_back();
  ++r.generation;
  r.parent = parent, r.name = name;
  r.owner.store(thread_state.token, std::memory_order_relaxed);
  r.id.store(id, std::memory_order_relaxed);
  return known = id;
}

AccountId detail::child_slow(AccountId parent, std::string_view literal) {
  AccountId id = child_slow(parent, static_name(literal));
  auto& recent = *thread_state.recent;
  recent.by_literal[slot_of(parent, literal.data())] = {literal.data(), parent, id};
  return id;
}

void fork_ledger(Fork when) noexcept {
  for (std::mutex* m : {&record_mutex(), &sink_mutex, &table().mutex, &registered().mutex}) when == Fork::prepare ? m->lock() : m->unlock();
  if (when != Fork::child) return;
  // The other threads are not here; what they had counted is.
  for (auto* s : registered().threads)
    if (s != &thread_state) publish(*s), table().capacity.fetch_add(std::exchange(s->capacity_delta, 0), std::memory_order_relaxed);
  registered().threads.assign(thread_state.token ? 1 : 0, &thread_state);
  registered().count = static_cast<int64_t>(registered().threads.size());
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

uint64_t detail::reserve_births() noexcept {
  auto& s = thread_state;
  s.birth = table().next_birth.fetch_add(256, std::memory_order_relaxed);
  s.birth_end = s.birth + 256;
  return s.birth++;
}

uint64_t birth_mark() noexcept {
  Table& t = table();
  uint64_t mark = t.next_birth.fetch_add(1, std::memory_order_relaxed);
  uint64_t floor = detail::birth_floor.load(std::memory_order_relaxed);
  while (floor <= mark && !detail::birth_floor.compare_exchange_weak(floor, mark + 1, std::memory_order_relaxed)) {}
  return mark;  // every thread gives up the numbers it had reserved below
}

AccountId recharge(AccountId from, AccountId to, size_t bytes) noexcept {
  if (from == to) return to;
  Table& t = table();
  if (!t.find(to)) [[unlikely]]
    to = 0;
  auto n = static_cast<int64_t>(bytes);
  if (!thread_state.token) [[unlikely]]
    register_counting();
  t.row(from).add(0, n, 0, 1);
  t.row(to).add(0, -n, 0, -1);
  t.row(to).raise_peak();
  return to;
}

}  // namespace memory
}  // namespace tenure

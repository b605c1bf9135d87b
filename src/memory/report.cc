// Questions to the ledger: now, snapshot, diff, peak, balance, audit. Nothing here is on a hot path.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "memory/balance.h"
#include "memory/objects.h"
#include "memory/os.h"
#include "memory/pool.h"
#include "memory/record.h"
#include "memory/slab.h"
#include "memory/storage.h"

namespace tenure::memory {

Now now(bool rss) {
  Now n;
  Totals t = totals();
  live_counts(n.count);
  n.live_bytes = t.live_bytes;
  n.peak_bytes = t.peak_bytes;
  n.in_use_bytes = t.capacity_bytes;
  n.allocations = t.allocations;
  n.buffers = n.count[static_cast<size_t>(Kind::storage)];
  n.tensors = n.count[static_cast<size_t>(Kind::tensor)];
  n.nodes = n.count[static_cast<size_t>(Kind::node)];
  for (size_t c : n.count) n.objects += c;
  n.cached_bytes = pool_stats().cached;
  n.object_bytes = slab_stats(Heap::objects).page_bytes;
  if (rss) n.rss_bytes = resident().total;
  return n;
}

namespace {

Buffer buffer_of(const Storage& s) { return {s.birth(), s.bytes(), path_of(s.account()), s.category()}; }

std::string table(const std::vector<Account>& accounts, size_t most) {
  std::string out;
  size_t shown = 0, rest = 0, rest_bytes = 0;
  for (const Account& a : accounts) {
    if (a.live_bytes == 0) continue;
    if (shown < most) {
      out += fmt::format("  {:>14}  {:>6}  {}\n", a.live_bytes, a.live_count, a.path);
      ++shown;
    } else {
      ++rest;
      rest_bytes += a.live_bytes;
    }
  }
  if (rest) out += fmt::format("  {:>14}          in {} more accounts\n", rest_bytes, rest);
  return out;
}

}  // namespace

Snapshot snapshot() {
  Snapshot s;
  s.sequence = birth_mark();
  s.counts = now(true);
  s.accounts = accounts();
  const std::vector<BufferStamp> stamps = live_buffers(true);
  std::unordered_map<AccountId, std::string> paths;
  AccountId last = 0;
  const std::string* path = &(paths[0] = path_of(0));
  s.buffers.reserve(stamps.size());
  for (const BufferStamp& b : stamps) {
    if (b.account != last) {
      auto [it, fresh] = paths.try_emplace(last = b.account);
      if (fresh) it->second = path_of(b.account);
      path = &it->second;
    }
    s.buffers.push_back({b.birth, b.bytes, *path, b.category});
  }
  return s;
}

std::string Snapshot::text() const {
  std::string out = fmt::format("live {} bytes in {} buffers, {} tensors, {} nodes, {} objects; peak {} bytes; pool keeps {} bytes; RSS {} bytes\n",
                                counts.live_bytes, counts.buffers, counts.tensors, counts.nodes, counts.objects, counts.peak_bytes,
                                counts.cached_bytes, counts.rss_bytes);
  out += fmt::format("  {:>14}  {:>6}  {}\n", "bytes", "count", "account");
  return out + table(accounts, 24);
}

std::string Snapshot::json() const {
  nlohmann::ordered_json j;
  j["version"] = 1;
  j["live_bytes"] = counts.live_bytes, j["peak_bytes"] = counts.peak_bytes, j["buffers"] = counts.buffers, j["tensors"] = counts.tensors;
  j["nodes"] = counts.nodes, j["objects"] = counts.objects, j["in_use_bytes"] = counts.in_use_bytes, j["cached_bytes"] = counts.cached_bytes;
  j["object_bytes"] = counts.object_bytes, j["allocations"] = counts.allocations, j["rss_bytes"] = counts.rss_bytes;
  for (size_t k = 0; k < kinds; ++k) j["by_kind"][to_string(static_cast<Kind>(k))] = counts.count[k];
  j["accounts"] = nlohmann::ordered_json::array();
  for (const Account& a : accounts)
    j["accounts"].push_back(
        {{"path", a.path}, {"live_bytes", a.live_bytes}, {"live_count", a.live_count}, {"peak_bytes", a.peak_bytes}, {"allocations", a.allocations}});
  return j.dump(1);
}

std::string Steadiness::json() const {
  auto counts = [](const Now& n) {
    nlohmann::ordered_json j;
    j["live_bytes"] = n.live_bytes, j["buffers"] = n.buffers, j["tensors"] = n.tensors, j["nodes"] = n.nodes, j["objects"] = n.objects,
    j["rss_bytes"] = n.rss_bytes;
    return j;
  };
  nlohmann::ordered_json j;
  j["version"] = 1, j["verdict"] = to_string(verdict), j["calls"] = calls, j["micros_per_call"] = micros_per_call;
  j["before"] = counts(before), j["after"] = counts(after);
  j["rss"] = {{"slope", rss_slope}, {"low", rss_slope_low}, {"high", rss_slope_high}, {"conclusive", rss_conclusive}};
  j["growing"] = nlohmann::ordered_json::array();
  for (const Growth& g : growing)
    j["growing"].push_back(
        {{"what", g.what}, {"per_call", g.per_call}, {"bytes_per_call", g.bytes_per_call}, {"holders", g.holders}, {"cards", g.cards}});
  return j.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Diff diff(const Snapshot& before, const Snapshot& after) {
  Diff d;
  d.bytes = static_cast<int64_t>(after.counts.live_bytes) - static_cast<int64_t>(before.counts.live_bytes);
  auto less = [](const Buffer& a, const Buffer& b) { return a.id < b.id; };
  std::set_difference(after.buffers.begin(), after.buffers.end(), before.buffers.begin(), before.buffers.end(), std::back_inserter(d.born), less);
  std::set_difference(before.buffers.begin(), before.buffers.end(), after.buffers.begin(), after.buffers.end(), std::back_inserter(d.died), less);
  return d;
}

std::string Diff::text() const {
  std::string out = fmt::format("{:+} bytes: {} buffers born, {} died\n", bytes, born.size(), died.size());
  for (size_t i = 0; i < born.size() && i < 12; ++i)
    out += fmt::format("  + {:>12}  {} ({}, born as {})\n", born[i].bytes, born[i].account, to_string(born[i].category), born[i].id);
  if (born.size() > 12) out += fmt::format("  + and {} more\n", born.size() - 12);
  return out;
}

std::string Peak::text() const { return fmt::format("peak {} bytes\n", bytes) + table(accounts, 16); }

Balance balance() {
  Balance b;
  Resident r = resident();
  Totals t = totals();
  b.rss = r.total;
  b.code_and_libraries = r.file_backed;
  b.baseline = resident_at_load();
  b.heap = heap_resident();
  for (const Account& a : accounts())
    if (a.path.size() >= 6 && a.path.compare(a.path.size() - 6, 6, "/arena") == 0) b.arena += a.live_bytes;
  b.live = t.live_bytes - b.arena;
  b.rounding = t.capacity_bytes > t.live_bytes ? t.capacity_bytes - t.live_bytes : 0;
  b.pool = pool_cached_resident();
  b.objects = slab_resident(Heap::objects);
  int64_t rest = static_cast<int64_t>(b.rss);
  each_row(b, [&](const char*, auto bytes, const char*) { rest -= static_cast<int64_t>(bytes); });
  b.unexplained = rest;
  return b;
}

std::string Balance::text() const {
  std::string out;
  auto row = [&](const char* name, auto bytes, const char* what) { out += fmt::format("  {:<20} {:>14}  {}\n", name, bytes, what); };
  each_row(*this, row);
  row("RSS", rss, "resident memory of the process");
  return out;
}

Audit audit() {
  const ObjectGraph g = ObjectGraph::gather(false);
  Audit a;
  a.objects = g.objects.size();
  a.edges = g.references.size() + g.strays.size();
  for (uint32_t i = 0; i < g.objects.size(); ++i)
    if (const auto& o = g.objects[i]; o.traced != o.owners)
      a.problems.push_back(
          fmt::format("{}: {} owner references counted, {} traced; asked for by {}", g.name(i), o.owners, o.traced, g.strings.at(o.account)));
  for (const auto& s : g.strays)
    a.problems.push_back(fmt::format("{} names a reference '{}' to something that is not alive", g.name(s.from), s.label));
  return a;
}

std::string Audit::text() const {
  std::string out =
      fmt::format("audit of {} objects, {} edges: {}\n", objects, edges, ok() ? "every owner reference is explained" : "unexplained references");
  for (const std::string& p : problems) out += "  " + p + "\n";
  return out;
}

void expect_empty() {
  Now n = now();
  Audit a = audit();
  if (n.buffers == 0 && n.tensors == 0 && n.nodes == 0 && a.ok()) return;
  std::string text = snapshot().text();
  const ObjectGraph g = ObjectGraph::gather(false);
  const Chains chains(g);
  size_t shown = 0;
  for (uint32_t i = 0; i < g.objects.size() && shown < 6; ++i) {
    if (g.objects[i].kind != Kind::storage && g.objects[i].kind != Kind::node) continue;
    ++shown;
    for (const Chain& c : chains.of(i, 1)) {
      text += fmt::format("  {}\n", g.name(i));
      for (size_t k = c.links.size() - 1; k-- > 0;) {
        const Link& l = c.links[k];
        text += fmt::format("    held by {}{}{}, {}{}{}\n", l.holder, l.label.empty() ? "" : " as ", l.label, to_string(l.standing),
                            l.reason.empty() ? "" : ": ", l.reason);
      }
      text += fmt::format("    sig {}  retained {} bytes{}{}\n", c.signature, c.retained, c.fix.empty() ? "" : "; fix: ", c.fix);
    }
  }
  fail(Code::InvalidArgument, "expected no live tensors, got {} buffers, {} tensors, {} nodes\n{}{}", n.buffers, n.tensors, n.nodes, text,
       a.ok() ? "" : a.text());
}

size_t trim() { return pool_trim(); }

// ---- Scope -------------------------------------------------------------------------------------------------------------------------

struct Scope::Impl {
  OwnedName name;
  AccountId saved = 0, account = 0;
  detail::BudgetNode* budget = nullptr;  // one reference
  detail::BudgetNode* saved_budget = nullptr;
  detail::ThreadState* thread = nullptr;
  Impl* outer = nullptr;  // the thread's scopes form a chain, innermost first, so that one may close before those inside it
  uint64_t mark = 0;
  OnEscape on_escape = OnEscape::ignore;
  std::string text;
  std::unordered_set<uint64_t> kept;  // birth numbers of the buffers that were let out
};

namespace {
thread_local constinit void* innermost_scope = nullptr;
}

Scope::Scope(std::string_view name, ScopeOptions options) : impl_(std::make_unique<Impl>()) {
  auto& t = detail::thread_state;
  impl_->name = OwnedName(name);
  impl_->text = std::string(name);
  impl_->account = child(t.account, impl_->name.id());
  impl_->on_escape = options.on_escape;
  impl_->mark = options.on_escape == OnEscape::ignore ? 0 : birth_mark();
  impl_->saved = t.account, impl_->saved_budget = t.budget, impl_->thread = &t;
  if (options.budget) {
    impl_->budget = new detail::BudgetNode;
    impl_->budget->limit = static_cast<int64_t>(options.budget);
    impl_->budget->parent = t.budget;
    if (t.budget) t.budget->retain();
    t.budget = impl_->budget;
  }
  t.account = impl_->account;
  impl_->outer = static_cast<Impl*>(std::exchange(innermost_scope, impl_.get()));
}

void Scope::let_out(uint64_t id) {
  if (impl_ && impl_->on_escape != OnEscape::ignore) impl_->kept.insert(id);
}

std::vector<Buffer> Scope::escaping() const {
  std::vector<Buffer> out;
  if (!impl_) return out;
  for_each_live([&](Counted& c) {
    if (c.kind() != Kind::storage || c.birth() <= impl_->mark) return;
    auto& s = static_cast<Storage&>(c);
    if (s.borrowed() || s.category() == Category::cache || s.category() == Category::constant) return;  // caches and what traces keep stay by design
    if (!impl_->kept.count(s.birth()) && is_under(s.account(), impl_->account)) out.push_back(buffer_of(s));
  });
  std::sort(out.begin(), out.end(), [](const Buffer& a, const Buffer& b) { return a.id < b.id; });
  return out;
}

size_t Scope::live_bytes() const { return impl_ ? live_under(impl_->account) : 0; }

void Scope::close() {
  if (!impl_) return;
  auto& t = detail::thread_state;
  check(impl_->thread == &t, Code::InvalidArgument, "scope '{}': a scope ends on the thread that opened it", impl_->text);
  std::vector<Buffer> escaped;
  if (impl_->on_escape != OnEscape::ignore) escaped = escaping();
  auto impl = std::move(impl_);
  if (innermost_scope == impl.get()) {
    innermost_scope = impl->outer;
    t.account = impl->saved;
  } else {
    for (auto* inner = static_cast<Impl*>(innermost_scope); inner; inner = inner->outer) {
      if (inner->saved_budget == impl->budget) inner->saved_budget = impl->saved_budget;
      if (inner->outer != impl.get()) continue;
      inner->outer = impl->outer;
      inner->saved = impl->saved;
      break;
    }
  }
  if (impl->budget) {
    if (t.budget == impl->budget) t.budget = impl->saved_budget;
    impl->budget->release();
  }
  if (escaped.empty()) return;
  std::string text = fmt::format("scope '{}': {} buffers escaped\n", impl->text, escaped.size());
  for (size_t i = 0; i < escaped.size() && i < 8; ++i)
    text += fmt::format("  {:>12} bytes  {} ({}, born as {})\n", escaped[i].bytes, escaped[i].account, to_string(escaped[i].category), escaped[i].id);
  if (impl->on_escape == OnEscape::fail) fail(Code::InvalidArgument, "{}", text);
  log(text);
}

Scope::~Scope() {
  if (!impl_) return;
  if (impl_->on_escape == OnEscape::fail) impl_->on_escape = OnEscape::report;
  try {
    close();
  } catch (...) {  // a report that cannot be made is not worth the program
  }
  static_cast<void>(impl_.release());  // left only on a thread that is not the scope's: its chain still refers to it
}

}  // namespace tenure::memory

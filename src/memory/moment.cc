// Moments: what was alive, gathered, kept in a file, read again, compared. The file's format is told in docs/memory.md.
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "memory/balance.h"
#include "memory/moment.h"
#include "memory/write_file.h"

namespace tenure::memory {
namespace {

using nlohmann::ordered_json;
using Object = ObjectGraph::Object;

constexpr int kVersion = 1;
constexpr const char* kObjectFields[] = {"id",     "kind", "category", "standing",    "bounded", "account", "name",
                                         "reason", "fix",  "handles",  "unexplained", "bytes",   "seen",    "elements"};
constexpr const char* kReferenceFields[] = {"from", "to", "label", "index", "named"};

// Says which process a moment is of: birth numbers mean the same within one.
std::string this_process() {
  std::ifstream stat("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {}), field;
  size_t at = text.rfind(')');
  for (int i = 0; i < 20 && at != text.npos; ++i) at = text.find(' ', at + 1);  // the start time is the 22nd field
  if (at != text.npos) field = text.substr(at + 1, text.find(' ', at + 1) - at - 1);
  return fmt::format("{}.{}", getpid(), field);
}

// The columns of a Now that have a name of their own.
template <class N, class F>
void each_count(N& n, F&& f) {
  f("live_bytes", n.live_bytes), f("peak_bytes", n.peak_bytes), f("buffers", n.buffers), f("tensors", n.tensors), f("nodes", n.nodes);
  f("objects", n.objects), f("in_use_bytes", n.in_use_bytes), f("cached_bytes", n.cached_bytes), f("object_bytes", n.object_bytes);
  f("allocations", n.allocations), f("rss_bytes", n.rss_bytes);
}
// A row's name in the file.
std::string key(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

ordered_json to_json(const MomentData& m) {
  ordered_json j;
  j["tenure_snapshot"] = kVersion, j["made"] = m.made, j["process"] = m.process;
  each_count(m.counts, [&](const char* name, const auto& v) { j["counts"][name] = v; });
  for (size_t k = 0; k < kinds; ++k) j["by_kind"][to_string(static_cast<Kind>(k))] = m.counts.count[k];
  each_row(m.balance, [&](const char* name, auto bytes, const char*) { j["balance"][key(name)] = bytes; });
  j["balance"]["rss"] = m.balance.rss;
  j["audit"] = {{"objects", m.audit.objects}, {"edges", m.audit.edges}, {"problems", m.audit.problems}};
  j["accounts"] = ordered_json::array();
  for (const AccountTotals& a : m.accounts)
    j["accounts"].push_back({{"path", a.path},
                             {"live_bytes", a.live_bytes},
                             {"live_count", a.live_count},
                             {"peak_bytes", a.peak_bytes},
                             {"allocations", a.allocations},
                             {"allocated_bytes", a.allocated_bytes}});
  for (int c = 0; c <= static_cast<int>(Category::cache); ++c) j["categories"].push_back(to_string(static_cast<Category>(c)));
  for (size_t k = 0; k < kinds; ++k) j["kinds"].push_back(to_string(static_cast<Kind>(k)));
  j["strings"] = m.graph.strings.list();
  j["object_fields"] = kObjectFields, j["reference_fields"] = kReferenceFields;
  ordered_json objects = ordered_json::array(), references = ordered_json::array();
  for (const Object& o : m.graph.objects)
    for (uint64_t v : {o.id, uint64_t(o.kind), uint64_t(o.category), uint64_t(o.standing), uint64_t(o.bounded), uint64_t{o.account}, uint64_t{o.name},
                       uint64_t{o.reason}, uint64_t{o.fix}, uint64_t{o.handles}, uint64_t{o.unexplained}, uint64_t{o.bytes}, uint64_t{o.seen},
                       uint64_t{o.elements}})
      objects.push_back(v);
  for (uint32_t i = 0; i < m.graph.objects.size(); ++i)
    for (uint32_t e = m.graph.start[i]; e < m.graph.start[i + 1]; ++e) {
      const auto& r = m.graph.references[e];
      for (int64_t v : {int64_t{i}, int64_t{r.to}, int64_t{r.label}, int64_t{r.index}, int64_t{r.named}}) references.push_back(v);
    }
  j["objects"] = std::move(objects), j["references"] = std::move(references);
  return j;
}

// Numbers of a file that somebody may have changed: each below its bound.
class Reader {
 public:
  Reader(const std::string& path, const ordered_json& list, size_t fields) : path_(path), list_(list) {
    if (!list.is_array() || list.size() % fields != 0) damaged();
  }
  size_t rows(size_t fields) const { return list_.size() / fields; }
  uint64_t next(uint64_t below = UINT64_MAX) {
    const ordered_json& v = list_[at_++];
    if (!v.is_number_integer() || (below != UINT64_MAX && v.get<uint64_t>() >= below)) damaged();
    return v.get<uint64_t>();
  }
  int64_t index() {
    const ordered_json& v = list_[at_++];
    if (!v.is_number_integer() || v.get<int64_t>() < -1 || v.get<int64_t>() > INT32_MAX) damaged();
    return v.get<int64_t>();
  }
  [[noreturn]] void damaged() const { fail(Code::Io, "{} is damaged: its numbers do not fit together", path_); }

 private:
  const std::string& path_;
  const ordered_json& list_;
  size_t at_ = 0;
};

void read_graph(const std::string& path, const ordered_json& j, ObjectGraph& g) {
  g.strings.assign(j.at("strings").get<std::vector<std::string>>());
  size_t strings = g.strings.list().size();
  Reader objects(path, j.at("objects"), std::size(kObjectFields));
  size_t n = objects.rows(std::size(kObjectFields));
  if (n >= kNobody || strings == 0) objects.damaged();
  constexpr uint64_t address_space = uint64_t{1} << 47;
  uint64_t bytes = 0;
  auto number = [&](uint64_t below = UINT64_MAX) { return objects.next(below); };
  auto small = [&](uint64_t below) { return static_cast<uint32_t>(objects.next(below)); };
  for (size_t i = 0; i < n; ++i) {
    Object o;
    o.id = number(), o.kind = static_cast<Kind>(number(kinds)),
    o.category = static_cast<Category>(number(static_cast<uint64_t>(Category::cache) + 1));
    o.standing = static_cast<Standing>(number(3)), o.bounded = number(2) != 0;
    o.account = small(strings), o.name = small(strings), o.reason = small(strings), o.fix = small(strings);
    o.handles = small(uint64_t{1} << 32), o.unexplained = small(uint64_t{1} << 32);
    o.bytes = number(address_space), o.seen = number(), o.elements = number();
    if ((i && o.id <= g.objects.back().id) || (bytes += o.bytes) >= address_space) objects.damaged();
    g.objects.push_back(o);
  }
  Reader references(path, j.at("references"), std::size(kReferenceFields));
  size_t m = references.rows(std::size(kReferenceFields));
  uint64_t last = 0;
  for (size_t e = 0; e < m; ++e) {
    uint64_t from = references.next(n);
    if (from < last) references.damaged();
    last = from;
    while (g.start.size() <= from) g.start.push_back(static_cast<uint32_t>(e));
    ObjectGraph::Reference r;
    r.to = static_cast<uint32_t>(references.next(n)), r.label = static_cast<uint32_t>(references.next(strings));
    r.index = static_cast<int32_t>(references.index()), r.named = references.next(2) != 0;
    g.references.push_back(r);
  }
  while (g.start.size() <= n) g.start.push_back(static_cast<uint32_t>(m));
}

}  // namespace

Moment Moment::now() {
  auto m = std::make_shared<MomentData>();
  m->made = utc_now(), m->process = this_process();
  m->counts = memory::now(true);
  m->balance = memory::balance();
  m->audit = memory::audit();
  m->accounts = account_totals();
  m->graph = ObjectGraph::gather(true);
  return Moment(std::move(m));
}

void Moment::write(const std::string& path) const {
  write_file("write_snapshot", path, to_json(*data_).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

Moment Moment::read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  check(static_cast<bool>(in), Code::Io, "{}: there is no such file, or it cannot be read", path);
  auto m = std::make_shared<MomentData>();
  try {
    ordered_json j = ordered_json::parse(in);
    check(j.is_object() && j.contains("tenure_snapshot"), Code::Io, "{} is no snapshot of memory::write_snapshot()", path);
    check(j.at("tenure_snapshot") == kVersion, Code::Io, "{} is a snapshot of version {}; this Tenure reads version {}", path,
          j.at("tenure_snapshot").dump(), kVersion);
    m->made = j.at("made"), m->process = j.at("process");
    each_count(m->counts, [&](const char* name, auto& v) { j.at("counts").at(name).get_to(v); });
    for (size_t k = 0; k < kinds; ++k) j.at("by_kind").at(to_string(static_cast<Kind>(k))).get_to(m->counts.count[k]);
    const ordered_json& rows = j.at("balance");
    each_row(m->balance, [&](std::string_view name, auto& bytes, const char*) {
      if (name != "heap" || rows.contains(name)) rows.at(key(std::string(name))).get_to(bytes);  // older snapshots have no heap of their own
    });
    rows.at("rss").get_to(m->balance.rss);
    j.at("audit").at("objects").get_to(m->audit.objects), j.at("audit").at("edges").get_to(m->audit.edges);
    j.at("audit").at("problems").get_to(m->audit.problems);
    for (const ordered_json& a : j.at("accounts"))
      m->accounts.push_back({a.at("path"), a.at("live_bytes"), a.at("live_count"), a.at("peak_bytes"), a.at("allocations"), a.at("allocated_bytes")});
    read_graph(path, j, m->graph);
  } catch (const nlohmann::json::exception& e) { fail(Code::Io, "{} is damaged, or no snapshot: {}", path, e.what()); }
  return Moment(std::move(m));
}

const Now& Moment::counts() const { return data_->counts; }
const Balance& Moment::balance() const { return data_->balance; }
const Audit& Moment::audit() const { return data_->audit; }
const std::vector<AccountTotals>& Moment::accounts() const { return data_->accounts; }

std::vector<uint64_t> Moment::largest(size_t n) const {
  std::vector<const Object*> buffers;
  for (const Object& o : data_->graph.objects)
    if (o.kind == Kind::storage) buffers.push_back(&o);
  std::stable_sort(buffers.begin(), buffers.end(), [](const Object* a, const Object* b) { return a->bytes > b->bytes; });
  std::vector<uint64_t> out;
  for (size_t i = 0; i < buffers.size() && i < n; ++i) out.push_back(buffers[i]->id);
  return out;
}

std::vector<uint64_t> Moment::with_signature(std::string_view signature, size_t n) const {
  Chains chains(data_->graph, false);
  std::vector<uint64_t> out;
  for (uint32_t i = 0; i < data_->graph.objects.size() && out.size() < n; ++i) {
    if (data_->graph.objects[i].kind != Kind::storage) continue;
    for (const Chain& c : chains.of(i))
      if (c.signature == signature) {
        out.push_back(data_->graph.objects[i].id);
        break;
      }
  }
  return out;
}

Why Moment::why(uint64_t id) const {
  uint32_t i = data_->graph.find(id);
  check(i != kNobody, Code::NotFound, "nothing that was alive was born as {}", id);
  return Chains(data_->graph).why(i);
}

std::string Moment::diff(const Moment& after) const {
  struct Row {
    int64_t bytes = 0, count = 0;
    uint64_t newest = 0;
  };
  std::map<std::pair<std::string, Category>, Row> rows;
  const MomentData &a = *data_, &b = *after.data_;
  bool same = a.process == b.process;
  size_t born = 0, died = 0, stayed = 0;
  auto buffers = [](const MomentData& m, auto&& f) {
    for (const Object& o : m.graph.objects)
      if (o.kind == Kind::storage) f(o, std::pair{m.graph.strings.at(o.account), o.category});
  };
  buffers(a, [&](const Object& o, const auto& key) {
    if (same && b.graph.find(o.id) != kNobody) return;
    auto& row = rows[key];
    row.bytes -= static_cast<int64_t>(o.bytes), --row.count, ++died;
  });
  buffers(b, [&](const Object& o, const auto& key) {
    if (same && a.graph.find(o.id) != kNobody) return ++stayed, void();
    auto& row = rows[key];
    row.bytes += static_cast<int64_t>(o.bytes), ++row.count, ++born, row.newest = o.id;
  });
  auto change = [](const char* what, size_t before, size_t now) {
    return fmt::format("{} {} -> {} bytes ({:+})\n", what, before, now, static_cast<int64_t>(now - before));
  };
  std::string out = change("peak", a.counts.peak_bytes, b.counts.peak_bytes) + change("live", a.counts.live_bytes, b.counts.live_bytes);
  out += same ? fmt::format("{} buffers born, {} died, {} stayed\n", born, died, stayed) : std::string("two processes, compared by account\n");
  std::vector<std::pair<std::pair<std::string, Category>, Row>> sorted(rows.begin(), rows.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](auto& x, auto& y) { return std::abs(x.second.bytes) > std::abs(y.second.bytes); });
  Chains chains(b.graph, false);
  size_t shown = 0;
  for (auto& [key, row] : sorted) {
    if ((!row.bytes && !row.count) || shown++ >= 24) continue;
    out += fmt::format("  {:>+14}  {:>+6}  {} ({})", row.bytes, row.count, key.first, to_string(key.second));
    if (uint32_t i = row.newest ? b.graph.find(row.newest) : kNobody; i != kNobody)
      if (auto held = chains.of(i, 1); !held.empty()) out += fmt::format(", held by {}, sig {}", held[0].links[0].holder, held[0].signature);
    out += "\n";
  }
  if (shown > 24) out += fmt::format("  and {} more accounts\n", shown - 24);
  return out;
}

void write_snapshot(const std::string& path) { Moment::now().write(path); }

std::string Why::json() const {
  ordered_json j{{"version", 1},
                 {"id", id},
                 {"what", what},
                 {"bytes", bytes},
                 {"account", account},
                 {"category", to_string(category)},
                 {"unexplained", unexplained}};
  j["chains"] = ordered_json::array();
  for (const Chain& c : chains) {
    ordered_json links = ordered_json::array();
    for (const Link& l : c.links)
      links.push_back({{"holder", l.holder},
                       {"kind", l.kind},
                       {"label", l.label},
                       {"standing", to_string(l.standing)},
                       {"reason", l.reason},
                       {"suspect", l.suspect}});
    j["chains"].push_back({{"signature", c.signature}, {"retained", c.retained}, {"fix", c.fix}, {"links", links}});
  }
  return j.dump(1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tenure::memory

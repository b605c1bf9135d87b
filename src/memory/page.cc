// memory::write_report(): gathers what the page shows, as one JSON object. The format is told in report/README.md; page and this file change together.
#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "memory/balance.h"
#include "memory/dominators.h"
#include "memory/objects.h"
#include "memory/page.h"
#include "memory/record.h"
#include "memory/storage.h"
#include "memory/write_file.h"

namespace tenure::memory {
namespace {

using detail::NoteKind;
using nlohmann::json;

constexpr size_t kListedBuffers = 100000, kListedObjects = 2500;

// Unsigned LEB128 numbers, written out as base64.
class Numbers {
 public:
  void add(uint64_t n) {
    for (; n >= 128; n >>= 7) bytes_.push_back(static_cast<unsigned char>(n | 128));
    bytes_.push_back(static_cast<unsigned char>(n));
  }
  void add_signed(int64_t n) { add(static_cast<uint64_t>(n) << 1 ^ static_cast<uint64_t>(n >> 63)); }
  std::string base64() const {
    constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve(bytes_.size() / 3 * 4 + 4);
    for (size_t i = 0; i < bytes_.size(); i += 3) {
      size_t left = std::min<size_t>(3, bytes_.size() - i);
      uint32_t v = uint32_t{bytes_[i]} << 16 | (left > 1 ? uint32_t{bytes_[i + 1]} << 8 : 0) | (left > 2 ? bytes_[i + 2] : 0);
      for (size_t k = 0; k < 4; ++k) out.push_back(k <= left ? digits[v >> (18 - 6 * k) & 63] : '=');
    }
    return out;
  }

 private:
  std::vector<unsigned char> bytes_;
};

class PageTexts {
 public:
  size_t of(const std::string& text) {
    auto [it, fresh] = index_.try_emplace(text, list_.size());
    if (fresh) list_.push_back(text);
    return it->second;
  }
  json list() const { return list_; }

 private:
  std::unordered_map<std::string, size_t> index_;
  std::vector<std::string> list_;
};

// A buffer's stamp, written once for all buffers that share it.
class Stamps {
 public:
  Stamps(PageTexts& strings, const Recording* recording) : strings_(strings), recording_(recording) {}
  size_t of(const BufferStamp& b) {
    auto key = std::make_tuple(b.account, b.category, b.bytes);
    auto it = index_.find(key);
    if (it != index_.end()) return it->second;
    for (size_t n : {strings_.of(path(b.account)), static_cast<size_t>(b.category), b.bytes}) list_.push_back(n);
    size_t id = index_.size();
    index_.emplace(key, id);
    return id;
  }
  std::string path(AccountId a) const {
    if (recording_)
      if (auto it = recording_->paths.find(a); it != recording_->paths.end()) return it->second;
    return path_of(a);
  }
  json list() const { return list_; }

 private:
  PageTexts& strings_;
  const Recording* recording_;
  std::map<std::tuple<AccountId, Category, size_t>, size_t> index_;
  std::vector<size_t> list_;
};

json counts_of(const Now& n) {
  json by_kind = json::array();
  for (size_t k = 0; k < kinds; ++k) by_kind.push_back(n.count[k]);
  return {{"live_bytes", n.live_bytes},
          {"peak_bytes", n.peak_bytes},
          {"buffers", n.buffers},
          {"tensors", n.tensors},
          {"nodes", n.nodes},
          {"objects", n.objects},
          {"in_use_bytes", n.in_use_bytes},
          {"cached_bytes", n.cached_bytes},
          {"object_bytes", n.object_bytes},
          {"allocations", n.allocations},
          {"by_kind", by_kind}};
}

json balance_rows(const Balance& b) {
  json rows = json::array();
  each_row(b, [&](const char* name, auto bytes, const char* what) { rows.push_back({name, bytes, what}); });
  return rows;
}

json verdict_of(const std::vector<Steadiness>& judged, const Audit& audit) {
  const Steadiness* worst = nullptr;
  auto rank = [](Verdict v) { return v == Verdict::leak ? 2 : v == Verdict::inconclusive ? 1 : 0; };
  for (const Steadiness& s : judged)
    if (!worst || rank(s.verdict) > rank(worst->verdict)) worst = &s;
  std::string text = "No action was repeated and judged for this report.";
  if (worst) text = worst->text().substr(0, worst->text().find('\n'));
  json state = worst ? to_string(worst->verdict) : "unjudged";
  if (!audit.ok() && !worst) text = "References are held that nobody names: a mistake of the library, or threads at work while it was asked.";
  return {{"state", state}, {"text", text}, {"audit", {{"objects", audit.objects}, {"edges", audit.edges}, {"problems", audit.problems}}}};
}

json leaks_of(const std::vector<Steadiness>& judged) {
  json out = json::array();
  for (const Steadiness& s : judged)
    for (const Growth& g : s.growing)
      out.push_back({{"what", g.what},
                     {"per_call", g.per_call},
                     {"bytes_per_call", g.bytes_per_call},
                     {"calls", s.calls},
                     {"holders", g.holders},
                     {"cards", g.cards}});
  return out;
}

json events_of(const Recording& r, Stamps& stamps) {
  Numbers data;
  int64_t time = 0;
  uint64_t birth = 0;
  for (const RecordedEvent& e : r.events) {
    data.add(static_cast<uint64_t>(e.nanoseconds - time));
    data.add(stamps.of(e.buffer) * 2 + e.released);
    data.add_signed(static_cast<int64_t>(e.buffer.birth - birth));
    time = e.nanoseconds, birth = e.buffer.birth;
  }
  return {{"count", r.events.size()}, {"lost", r.lost}, {"duration", r.duration}, {"data", data.base64()}};
}

// The largest buffers one by one, the rest by account and category.
json live_of(std::vector<BufferStamp> live, const Recording* recording, Stamps& stamps, PageTexts& strings) {
  std::vector<char> listed(live.size(), 1);
  json rest = json::array();
  if (live.size() > kListedBuffers) {
    // What the events speak of is always listed: the page follows single buffers through them.
    std::unordered_map<uint64_t, char> spoken;
    if (recording)
      for (const RecordedEvent& e : recording->events) spoken[e.buffer.birth] = 1;
    std::vector<size_t> order(live.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return live[a].bytes > live[b].bytes; });
    std::map<std::pair<AccountId, Category>, std::pair<size_t, size_t>> sums;
    for (size_t k = kListedBuffers; k < order.size(); ++k) {
      const BufferStamp& b = live[order[k]];
      if (spoken.count(b.birth)) continue;
      listed[order[k]] = 0;
      auto& [bytes, count] = sums[{b.account, b.category}];
      bytes += b.bytes, ++count;
    }
    for (auto& [key, sum] : sums)
      for (size_t n : {strings.of(stamps.path(key.first)), static_cast<size_t>(key.second), sum.first, sum.second}) rest.push_back(n);
  }
  Numbers data;
  uint64_t birth = 0;
  size_t count = 0;
  for (size_t i = 0; i < live.size(); ++i) {
    if (!listed[i]) continue;
    data.add(live[i].birth - birth);
    data.add(stamps.of(live[i]));
    birth = live[i].birth;
    ++count;
  }
  return {{"count", count}, {"data", data.base64()}, {"rest", rest}};
}

// The label under which the listed parent holds each listed object, where it holds it itself.
class Labels final : public EdgeVisitor {
 public:
  explicit Labels(std::unordered_map<const Counted*, std::string> wanted) : wanted_(std::move(wanted)) {}
  void edge(const Counted* target, std::string_view label, int64_t index) override { see(target, label, index); }
  void user_edge(const Counted* target, std::string_view label, int64_t index) override { see(target, label, index); }
  std::unordered_map<const Counted*, std::string> wanted_;

 private:
  void see(const Counted* target, std::string_view label, int64_t index) {
    auto it = wanted_.find(target);
    if (it != wanted_.end() && it->second.empty()) it->second = edge_text(label, index);
  }
};

json objects_of(const Retained& r, PageTexts& strings) {
  size_t n = r.objects.size();
  std::vector<uint32_t> rank(n), by_size(r.order.begin(), r.order.end());
  for (size_t i = 0; i < n; ++i) rank[r.order[i]] = static_cast<uint32_t>(i);
  std::stable_sort(by_size.begin(), by_size.end(), [&](uint32_t a, uint32_t b) { return r.retained[a] > r.retained[b]; });
  by_size.resize(std::min(n, kListedObjects));  // a parent retains no less than its children and stands before them: the list is closed upwards
  std::sort(by_size.begin(), by_size.end(), [&](uint32_t a, uint32_t b) { return rank[a] < rank[b]; });
  std::vector<int64_t> place(n, -1);
  std::unordered_map<uint32_t, std::unordered_map<const Counted*, std::string>> children;
  for (size_t i = 0; i < by_size.size(); ++i) {
    place[by_size[i]] = static_cast<int64_t>(i);
    if (r.parent[by_size[i]] != kNobody) children[r.parent[by_size[i]]][r.objects[by_size[i]]];
  }
  std::unordered_map<const Counted*, std::string> label;
  for (auto& [parent, wanted] : children) {
    Labels labels(std::move(wanted));
    r.objects[parent]->trace(labels);
    label.merge(labels.wanted_);
  }
  json o = {{"of", n}, {"rest", json::array()}};
  for (const char* column : {"parent", "kind", "name", "edge", "self", "retained", "holders"}) o[column] = json::array();
  for (uint32_t v : by_size) {
    o["parent"].push_back(r.parent[v] == kNobody ? -1 : place[r.parent[v]]);
    o["kind"].push_back(static_cast<int>(r.objects[v]->kind()));
    o["name"].push_back(strings.of(r.objects[v]->describe()));
    o["edge"].push_back(strings.of(label[r.objects[v]]));
    o["self"].push_back(r.self[v]);
    o["retained"].push_back(r.retained[v]);
    o["holders"].push_back(r.holders[v]);
  }
  std::map<int64_t, std::pair<size_t, size_t>> rest;
  for (size_t v = 0; v < n; ++v) {
    bool hangs = place[v] < 0 && (r.parent[v] == kNobody || place[r.parent[v]] >= 0);
    if (!hangs) continue;
    auto& [count, bytes] = rest[r.parent[v] == kNobody ? -1 : place[r.parent[v]]];
    count += r.together[v], bytes += r.retained[v];
  }
  for (auto& [parent, sum] : rest) o["rest"].push_back({parent, sum.first, sum.second});
  return o;
}

json diff_of(const ReportOptions& options, PageTexts& strings) {
  if (!options.before || !options.after) return nullptr;
  Diff d = diff(*options.before, *options.after);
  std::map<std::pair<std::string, Category>, std::array<size_t, 4>> rows;
  for (const Buffer& b : d.born) {
    auto& row = rows[{b.account, b.category}];
    ++row[0], row[1] += b.bytes;
  }
  for (const Buffer& b : d.died) {
    auto& row = rows[{b.account, b.category}];
    ++row[2], row[3] += b.bytes;
  }
  json flat = json::array();
  for (auto& [key, row] : rows) {
    flat.push_back(strings.of(key.first));
    flat.push_back(static_cast<int>(key.second));
    for (size_t n : row) flat.push_back(n);
  }
  auto side = [](const Snapshot& s) { return json{{"bytes", s.counts.live_bytes}, {"buffers", s.counts.buffers}}; };
  return {{"before", side(*options.before)}, {"after", side(*options.after)}, {"rows", flat}};
}

json plans_of(const std::vector<PlanPicture>& plans, PageTexts& strings) {
  json out = json::array();
  for (const PlanPicture& p : plans) {
    json steps = json::array(), blocks = json::array();
    for (const std::string& s : p.instructions) steps.push_back(strings.of(s));
    for (const PlanBlock& b : p.blocks) {
      for (size_t n : {b.offset, b.bytes, static_cast<size_t>(b.first), static_cast<size_t>(b.last), strings.of(b.what)}) blocks.push_back(n);
    }
    out.push_back({{"name", p.name},
                   {"arena", p.arena_bytes},
                   {"bound", p.lower_bound},
                   {"outputs", p.output_bytes},
                   {"constants", p.constant_bytes},
                   {"steps", steps},
                   {"blocks", blocks}});
  }
  return out;
}

void add_notes(json& j, const Recording& r) {
  for (const RecordedNote& n : r.notes) {
    if (n.kind == NoteKind::mark) j["marks"].push_back({n.nanoseconds, n.before, n.text});
    else
      j["budget"].push_back({n.nanoseconds,
                             n.kind == NoteKind::refused     ? "refused"
                             : n.kind == NoteKind::reclaimed ? "reclaimed"
                                                             : "limit",
                             n.bytes, n.limit, n.used, n.text});
  }
}

}  // namespace

std::string report_json(const ReportOptions& options) {
  record(false);
  std::shared_ptr<const Recording> recording = last_recording();
  PageTexts strings;
  Stamps stamps(strings, recording.get());
  Now counts = now();
  Balance b = balance();
  Peak top = peak();
  json j = {{"tenure", 1}, {"title", options.title}, {"made", utc_now()}, {"counts", counts_of(counts)}, {"balance", balance_rows(b)},
            {"rss", b.rss}};
  for (int c = 0; c <= static_cast<int>(Category::cache); ++c) j["categories"].push_back(to_string(static_cast<Category>(c)));
  for (size_t k = 0; k < kinds; ++k) j["kinds"].push_back(to_string(static_cast<Kind>(k)));
  j["verdict"] = verdict_of(options.judged, audit());
  j["leaks"] = leaks_of(options.judged);
  j["accounts"] = json::array();
  for (const Account& a : accounts())
    for (uint64_t n : {uint64_t{strings.of(a.path)}, uint64_t{a.live_bytes}, uint64_t{a.peak_bytes}, a.allocations}) j["accounts"].push_back(n);
  j["ledger_peak"] = {{"bytes", top.bytes}, {"rows", json::array()}};
  for (const Account& a : top.accounts)
    for (size_t n : {strings.of(a.path), a.live_bytes}) j["ledger_peak"]["rows"].push_back(n);
  j["marks"] = j["budget"] = json::array();
  j["events"] = events_of(recording ? *recording : Recording{}, stamps);
  if (recording) add_notes(j, *recording);
  j["live"] = live_of(recording ? recording->live : live_buffers(), recording.get(), stamps, strings);
  j["objects"] = objects_of(retained_sizes(), strings);
  j["diff"] = diff_of(options, strings);
  j["plans"] = plans_of(options.plans, strings);
  j["stamps"] = stamps.list();
  j["strings"] = strings.list();
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool can_report() noexcept { return !detail::report_page().empty(); }

void write_report(const std::string& path, const ReportOptions& options) {
  std::string_view page = detail::report_page();
  check(!page.empty(), Code::Unsupported,
        "write_report: this library was built without the page (npm was not found, or could not fetch its packages); build it again where npm works, "
        "or take "
        "report_json() for the data alone");
  size_t at = page.find(detail::page_data_marker);
  ensure(at != page.npos, "the report's page has no place for data");
  std::string data;
  for (char c : report_json(options)) c == '<' ? data.append("\\u003c") : data.append(1, c);
  size_t value = at + detail::page_data_marker.find("null<");
  std::string whole(page.substr(0, value));
  whole += data;
  whole += page.substr(value + 4);
  write_file("write_report", path, whole);
}

}  // namespace tenure::memory

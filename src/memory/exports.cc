// Formats of others: heap snapshots of Chrome's developer tools, Chrome trace events, Prometheus' text.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "memory/moment.h"
#include "memory/record.h"
#include "memory/write_file.h"

namespace tenure::memory {
namespace {

std::string json_text(std::string_view text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

}  // namespace

// ---- .heapsnapshot -----------------------------------------------------------------------------------------------------------

void Moment::export_heapsnapshot(const std::string& path) const {
  const ObjectGraph& g = data_->graph;
  Strings strings;
  std::string nodes, edges;
  size_t edge_count = 0;
  constexpr int kObject = 3, kNative = 8, kSynthetic = 9, kProperty = 2, kFields = 7;
  auto node = [&](int type, std::string_view name, uint64_t id, size_t bytes, size_t count) {
    if (!nodes.empty()) nodes += ",\n";
    nodes += fmt::format("{},{},{},{},{},0,0", type, strings.of(name), id, bytes, count);
  };
  auto edge = [&](int type, uint64_t name, size_t to) {
    if (edge_count++) edges += ",\n";
    edges += fmt::format("{},{},{}", type, name, to * kFields);
  };
  size_t roots = 0;
  for (uint32_t i = 0; i < g.objects.size(); ++i) {
    const auto& o = g.objects[i];
    if (!o.handles && !o.unexplained) continue;
    ++roots;
    edge(kProperty, strings.of(o.unexplained ? "references that no owner names" : "handles of the program"), i + 1);
  }
  node(kSynthetic, "", 1, 0, roots);
  for (uint32_t i = 0; i < g.objects.size(); ++i) {
    const auto& o = g.objects[i];
    bool buffer = o.kind == Kind::storage;
    node(buffer ? kNative : kObject, buffer ? fmt::format("buffer, {}, {}", to_string(o.category), g.strings.at(o.account)) : g.name(i), 2 * o.id + 1,
         o.bytes, g.start[i + 1] - g.start[i]);
    for (uint32_t e = g.start[i]; e < g.start[i + 1]; ++e) edge(kProperty, strings.of(g.label(g.references[e])), g.references[e].to + 1);
  }
  std::string out = fmt::format(
      R"({{"snapshot":{{"meta":{{"node_fields":["type","name","id","self_size","edge_count","trace_node_id","detachedness"],)"
      R"("node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic","concatenated string","sliced string",)"
      R"("symbol","bigint","object shape"],"string","number","number","number","number","number"],"edge_fields":["type","name_or_index","to_node"],)"
      R"("edge_types":[["context","element","property","internal","hidden","shortcut","weak"],"string_or_number","node"],)"
      R"("trace_function_info_fields":["function_id","name","script_name","script_id","line","column"],)"
      R"("trace_node_fields":["id","function_info_index","count","size","children"],"sample_fields":["timestamp_us","last_assigned_id"],)"
      R"("location_fields":["object_index","script_id","line","column"]}},"node_count":{},"edge_count":{},"trace_function_count":0}},)",
      g.objects.size() + 1, edge_count);
  out += "\n\"nodes\":[" + nodes + "],\n\"edges\":[" + edges +
         "],\n\"trace_function_infos\":[],\"trace_tree\":[],\"samples\":[],\"locations\":[],\n\"strings\":[";
  for (size_t i = 0; i < strings.list().size(); ++i) out += (i ? ",\n" : "") + json_text(strings.list()[i]);
  write_file("export_heapsnapshot", path, out + "]}\n");
}

void export_heapsnapshot(const std::string& path) { Moment::now().export_heapsnapshot(path); }

// ---- Chrome trace events ---------------------------------------------------------------------------------------------------------

namespace {

constexpr size_t kCategories = static_cast<size_t>(Category::cache) + 1, kPoints = 4096;

class Trace {
 public:
  void add(std::string event) { out_ += (out_.empty() ? "" : ",\n") + std::move(event); }
  static std::string when(int64_t nanoseconds) { return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000); }
  void counters(int64_t at, const std::array<int64_t, kCategories>& bytes) {
    std::string args;
    for (size_t c = 0; c < kCategories; ++c) args += fmt::format("{}\"{}\":{}", c ? "," : "", to_string(static_cast<Category>(c)), bytes[c]);
    add(fmt::format(R"({{"ph":"C","pid":1,"tid":1,"cat":"memory","name":"live bytes","ts":{},"args":{{{}}}}})", when(at), args));
  }
  void span(bool end, int64_t at, const BufferStamp& b, const std::string& path) {
    add(fmt::format(R"({{"ph":"{}","pid":1,"tid":1,"cat":"buffer","id":"{}","name":{},"ts":{},"args":{{"bytes":{},"category":"{}"}}}})",
                    end ? 'e' : 'b', b.birth, json_text(path), when(at), b.bytes, to_string(b.category)));
  }
  void instant(const RecordedNote& n) {
    using detail::NoteKind;
    const char* what = n.kind == NoteKind::mark        ? "mark"
                       : n.kind == NoteKind::refused   ? "refused"
                       : n.kind == NoteKind::reclaimed ? "reclaimed"
                                                       : "limit";
    std::string name = n.kind == NoteKind::mark ? n.text : fmt::format("{}: {}", what, n.text);
    add(fmt::format(R"({{"ph":"i","s":"p","pid":1,"tid":1,"cat":"{}","name":{},"ts":{},"args":{{"bytes":{},"limit":{},"used":{}}}}})",
                    n.kind == NoteKind::mark ? "mark" : "budget", json_text(name), when(n.nanoseconds), n.bytes, n.limit, n.used));
  }
  std::string finish(uint64_t lost) const {
    return fmt::format("{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"lost events\":\"{}\"}},\"traceEvents\":[\n{}\n]}}\n", lost, out_);
  }

 private:
  std::string out_;
};

}  // namespace

void export_trace(const std::string& path, size_t from_bytes) {
  record(false);
  auto recording = last_recording();
  Recording empty;
  const Recording& r = recording ? *recording : empty;
  Trace trace;
  trace.add(R"({"ph":"M","pid":1,"tid":1,"name":"process_name","args":{"name":"Tenure"}})");
  trace.add(R"({"ph":"M","pid":1,"tid":1,"name":"thread_name","args":{"name":"buffers"}})");
  auto path_of_buffer = [&](const BufferStamp& b) {
    auto it = r.paths.find(b.account);
    return it == r.paths.end() ? std::string("/") : it->second;
  };
  // What lived at the start follows from the end. A buffer that changed its category is told of as released and born: one span all the same.
  std::array<int64_t, kCategories> bytes{};
  std::unordered_map<uint64_t, BufferStamp> open;
  for (const BufferStamp& b : r.live) bytes[static_cast<size_t>(b.category)] += static_cast<int64_t>(b.bytes), open[b.birth] = b;
  for (size_t i = r.events.size(); i-- > 0;) {
    const RecordedEvent& e = r.events[i];
    bytes[static_cast<size_t>(e.buffer.category)] += (e.released ? 1 : -1) * static_cast<int64_t>(e.buffer.bytes);
    if (e.released) open[e.buffer.birth] = e.buffer;
    else open.erase(e.buffer.birth);
  }
  trace.counters(0, bytes);
  for (auto& [birth, b] : open)
    if (b.bytes >= from_bytes) trace.span(false, 0, b, path_of_buffer(b));
  std::unordered_map<uint64_t, BufferStamp> spans;
  for (auto& [birth, b] : open)
    if (b.bytes >= from_bytes) spans.emplace(birth, b);
  // Counters at no more than kPoints moments: of each group of events the fullest and the last.
  size_t group = std::max<size_t>(1, r.events.size() / kPoints), note = 0;
  int64_t total = 0, most = 0, most_at = 0;
  for (int64_t b : bytes) total += b;
  std::array<int64_t, kCategories> most_bytes = bytes;
  for (size_t i = 0; i < r.events.size(); ++i) {
    for (; note < r.notes.size() && r.notes[note].before <= i; ++note) trace.instant(r.notes[note]);
    const RecordedEvent& e = r.events[i];
    int64_t d = (e.released ? -1 : 1) * static_cast<int64_t>(e.buffer.bytes);
    bytes[static_cast<size_t>(e.buffer.category)] += d, total += d;
    if (i % group == 0 || total > most) most = total, most_bytes = bytes, most_at = e.nanoseconds;
    if (i % group == group - 1 || i + 1 == r.events.size()) {
      if (most_at < e.nanoseconds) trace.counters(most_at, most_bytes);
      trace.counters(e.nanoseconds, bytes);
    }
    if (e.buffer.bytes < from_bytes) continue;
    bool next_goes_on = e.released && i + 1 < r.events.size() && !r.events[i + 1].released && r.events[i + 1].buffer.birth == e.buffer.birth;
    if (!e.released && spans.emplace(e.buffer.birth, e.buffer).second) trace.span(false, e.nanoseconds, e.buffer, path_of_buffer(e.buffer));
    if (e.released && !next_goes_on)
      if (auto it = spans.find(e.buffer.birth); it != spans.end())
        trace.span(true, e.nanoseconds, it->second, path_of_buffer(it->second)), spans.erase(it);
  }
  for (; note < r.notes.size(); ++note) trace.instant(r.notes[note]);
  for (auto& [birth, b] : spans) trace.span(true, r.duration, b, path_of_buffer(b));
  write_file("export_trace", path, trace.finish(r.lost));
}

// ---- Prometheus ------------------------------------------------------------------------------------------------------------------

namespace {

constexpr size_t kListedAccounts = 50;

std::string label_value(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out;
}

class Exposition {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void sample(uint64_t value, const char* label = nullptr, std::string_view text = {}) {
    out_ += label ? fmt::format("{}{{{}=\"{}\"}} {}\n", name_, label, label_value(text), value) : fmt::format("{} {}\n", name_, value);
  }
  const std::string& text() const noexcept { return out_; }

 private:
  std::string name_, out_;
};

}  // namespace

std::string prometheus() {
  Now n = now(true);
  Exposition e;
  auto gauge = [&](const char* name, const char* help, size_t value) {
    e.family(name, "gauge", help);
    e.sample(value);
  };
  gauge("tenure_live_bytes", "Bytes of live buffers, as asked for.", n.live_bytes);
  gauge("tenure_peak_bytes", "Highest live bytes since start or reset.", n.peak_bytes);
  gauge("tenure_in_use_bytes", "What live buffers take after rounding.", n.in_use_bytes);
  gauge("tenure_cached_bytes", "Free blocks that the pool keeps.", n.cached_bytes);
  gauge("tenure_object_bytes", "Slabs of the library's own objects.", n.object_bytes);
  gauge("tenure_resident_bytes", "Resident memory of the process.", n.rss_bytes);
  gauge("tenure_budget_bytes", "Limit on bytes in use; 0: none.", budget());
  e.family("tenure_allocations_total", "counter", "Buffers ever allocated.");
  e.sample(n.allocations);
  e.family("tenure_objects", "gauge", "Live objects by kind.");
  for (size_t k = 0; k < kinds; ++k) e.sample(n.count[k], "kind", to_string(static_cast<Kind>(k)));
  std::array<size_t, kCategories> by_category{};
  for (const BufferStamp& b : live_buffers()) by_category[static_cast<size_t>(b.category)] += b.bytes;
  e.family("tenure_category_bytes", "gauge", "Live bytes by what they are for.");
  for (size_t c = 0; c < kCategories; ++c) e.sample(by_category[c], "category", to_string(static_cast<Category>(c)));
  e.family("tenure_account_bytes", "gauge", "Live bytes of the largest accounts.");
  // Accounts of different owners may read equal: one sample a path.
  std::map<std::string, size_t> by_path;
  for (const AccountTotals& a : account_totals())
    if (a.live_bytes) by_path[a.path] += a.live_bytes;
  std::vector<std::pair<std::string, size_t>> rows(by_path.begin(), by_path.end());
  std::stable_sort(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.second > b.second; });
  for (size_t i = 0; i < rows.size() && i < kListedAccounts; ++i) e.sample(rows[i].second, "account", rows[i].first);
  return e.text();
}

}  // namespace tenure::memory

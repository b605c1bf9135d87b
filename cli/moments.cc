// tenure mem why | diff | audit | balance | snapshot | export: questions to a snapshot file, or to a model that is called once for it.
#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "terminal.h"

namespace cli {

using namespace tenure;

namespace {

bool is_snapshot(const std::string& path) { return path.size() > 5 && path.substr(path.size() - 5) == ".json"; }

// A model at work: loaded, called twice, alive for as long as this is.
struct Running {
  Running(const std::string& path, int64_t batch, bool record) : model(load_model(path)), args(made_up_inputs(model, batch)) {
    last = model.predict(args);
    if (record) memory::record(true);
    last = model.predict(args);
    if (record) memory::record(false);
  }
  Model model;
  TensorList args;
  Outputs last;
};

memory::Moment moment_of(const std::string& path, int64_t batch = 1) {
  if (is_snapshot(path)) return memory::Moment::read(path);
  Running running(path, batch, false);
  return memory::Moment::now();
}

// "+2%", "2%", "2" -> 2.
double percent(const std::string& text) {
  size_t used = 0;
  double v = 0;
  try {
    v = std::stod(text, &used);
  } catch (const std::exception&) {}
  if (used == 0 || (text.substr(used) != "%" && used != text.size()))
    throw Error(Code::InvalidArgument, "expected a percentage such as +2%, got " + text);
  return v;
}

struct WhyQuestion {
  std::string source, signature;
  std::vector<uint64_t> ids;
  size_t largest = 3;
  bool json = false;
};

int why(const WhyQuestion& q) {
  memory::Moment m = moment_of(q.source);
  std::vector<uint64_t> ids = q.ids;
  if (!q.signature.empty()) ids = m.with_signature(q.signature);
  else if (ids.empty()) ids = m.largest(q.largest);
  if (ids.empty()) {
    fmt::print(stderr, "mem why: {}\n", q.signature.empty() ? "no buffer is alive" : "no buffer has a chain of signature " + q.signature);
    return 1;
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (uint64_t id : ids) {
    memory::Why w = m.why(id);
    if (q.json) all.push_back(nlohmann::ordered_json::parse(w.json()));
    else fmt::print("{}{}", id == ids.front() ? "" : "\n", w.text());
  }
  if (q.json) fmt::print("{}\n", all.dump(1));
  return 0;
}

int diff(const std::string& before, const std::string& after, const std::string& fail_if_peak) {
  memory::Moment a = memory::Moment::read(before), b = memory::Moment::read(after);
  fmt::print("{}", a.diff(b));
  if (fail_if_peak.empty()) return 0;
  double most = static_cast<double>(a.counts().peak_bytes) * (1 + percent(fail_if_peak) / 100);
  bool within = static_cast<double>(b.counts().peak_bytes) <= most;
  fmt::print("the peak {} {} of the first's\n", within ? "is within" : "is beyond", fail_if_peak);
  return within ? 0 : 1;
}

int audit(const std::string& source) {
  memory::Audit a = moment_of(source).audit();
  fmt::print("{}", a.text());
  return a.ok() ? 0 : 1;
}

int balance(const std::string& source, const std::string& residual) {
  memory::Balance b = moment_of(source).balance();
  fmt::print("{}", b.text());
  if (residual.empty()) return 0;
  double share = b.rss ? 100 * std::abs(static_cast<double>(b.unexplained)) / static_cast<double>(b.rss) : 0;
  bool within = share <= percent(residual);
  fmt::print("unexplained: {:.1f} % of RSS, {} {}\n", share, within ? "within" : "beyond", residual);
  return within ? 0 : 1;
}

int export_as(const std::string& source, const std::string& format, const std::string& out, int64_t batch) {
  bool file = is_snapshot(source);
  if (file && (format == "trace" || format == "prometheus"))
    throw Error(Code::InvalidArgument,
                "mem export: a snapshot has no " + std::string(format == "trace" ? "recording" : "running program") + "; give a model");
  if (file) {
    memory::Moment m = memory::Moment::read(source);
    format == "pprof" ? m.export_pprof(out) : m.export_heapsnapshot(out);
  } else {
    Running running(source, batch, format == "trace");
    if (format == "pprof") memory::export_pprof(out);
    else if (format == "heapsnapshot") memory::export_heapsnapshot(out);
    else if (format == "trace") memory::export_trace(out, 0);
    else if (std::ofstream to(out); !(to << memory::prometheus())) throw Error(Code::Io, "mem export: expected to write " + out);
  }
  fmt::print("{} written\n", out);
  return 0;
}

}  // namespace

void add_moments(CLI::App& mem, Action& action) {
  const char* source_help = "A snapshot (.json, of memory::write_snapshot()), or a .keras file, which is then called for it";
  auto* w = mem.add_subcommand("why", "Why is it alive: chains of holders, what is wrong with them, the way out");
  auto q = std::make_shared<WhyQuestion>();
  w->add_option("source", q->source, source_help)->required();
  w->add_option("id", q->ids, "Birth numbers of buffers; else the largest");
  w->add_option("--largest", q->largest, "How many of the largest buffers")->capture_default_str()->check(CLI::PositiveNumber);
  w->add_option("--signature", q->signature, "Buffers that have a chain of this signature");
  w->add_flag("--json", q->json, "As JSON");
  w->footer("Example:\n  tenure mem why snapshot.json --largest 5\n");
  w->callback([=, &action] { action = [=] { return why(*q); }; });

  auto a = std::make_shared<std::string>(), b = std::make_shared<std::string>(), limit = std::make_shared<std::string>();
  auto* d = mem.add_subcommand("diff", "What changed between two snapshots: exact within a process, by account between two");
  d->add_option("before", *a, "A snapshot")->required();
  d->add_option("after", *b, "A snapshot")->required();
  d->add_option("--fail-if-peak", *limit, "Exit code 1 if the second's peak is higher by more than this, e.g. +2%");
  d->footer("Example:\n  tenure mem diff yesterday.json today.json --fail-if-peak +2%\n");
  d->callback([=, &action] { action = [=] { return diff(*a, *b, *limit); }; });

  auto* u = mem.add_subcommand("audit", "Every owner reference against every traced edge; exit code 1 if one is unexplained");
  u->add_option("source", *a, source_help)->required();
  u->callback([=, &action] { action = [=] { return audit(*a); }; });

  auto* l = mem.add_subcommand("balance", "Where the resident memory is");
  l->add_option("source", *a, source_help)->required();
  l->add_option("--assert-residual", *limit, "Exit code 1 if more than this share is unexplained, e.g. 3%");
  l->callback([=, &action] { action = [=] { return balance(*a, *limit); }; });

  auto batch = std::make_shared<int64_t>(1);
  auto format = std::make_shared<std::string>(), out = std::make_shared<std::string>("snapshot.json");
  auto* s = mem.add_subcommand("snapshot", "Call a model and write what is then alive to a file");
  s->add_option("model", *a, "A .keras file")->required();
  s->add_option("-o,--output", *out, "The file to write")->capture_default_str();
  s->add_option("--batch", *batch, "Examples a call")->capture_default_str()->check(CLI::PositiveNumber);
  s->callback([=, &action] {
    action = [=] {
      moment_of(*a, *batch).write(*out);
      fmt::print("{} written\n", *out);
      return 0;
    };
  });

  auto* e = mem.add_subcommand("export", "Write a snapshot or a model's call in a format that other programs read");
  e->add_option("source", *a, source_help)->required();
  e->add_option("--format", *format, "pprof (go tool pprof), heapsnapshot (Chrome's developer tools), trace (Perfetto), prometheus")
      ->required()
      ->check(CLI::IsMember({"pprof", "heapsnapshot", "trace", "prometheus"}));
  e->add_option("-o,--output", *out, "The file to write")->required();
  e->add_option("--batch", *batch, "Examples a call")->capture_default_str()->check(CLI::PositiveNumber);
  e->footer("Example:\n  tenure mem export snapshot.json --format pprof -o memory.pb.gz && go tool pprof -top memory.pb.gz\n");
  e->callback([=, &action] { action = [=] { return export_as(*a, *format, *out, *batch); }; });
}

}  // namespace cli

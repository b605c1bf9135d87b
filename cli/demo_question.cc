// Step 4: the model called 10,000 times in each of eight ways; exact counts before and after, RSS as a witness.
#include <fmt/format.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "demo.h"
#include "terminal.h"

namespace cli {

using namespace tenure;

namespace {

struct Row {
  const char* name;
  const char* peer;      // TensorFlow 2.21 with Keras 3.15: KB that stay a call, recorded
  const char* peer_key;  // in the live measurement
  int64_t calls, warmup;
  std::function<void()> call;
};

// One small model through its whole life.
void one_life(const Tensor& x, const Tensor& y) {
  Sequential m{layers::Dense{.units = 16, .activation = "relu"}, layers::Dense{.units = 1}};
  m.compile({.optimizer = "adam", .loss = "mse"});
  m.fit(x, y, {.epochs = 1, .verbose = 0});
}

nlohmann::json live_peers() {
  std::filesystem::path here = std::filesystem::path(self_path()).parent_path();
  std::string script = (std::filesystem::weakly_canonical(here / "../../tools/peer_leaks.py").string());
  std::filesystem::path python = here.parent_path() / "venv/bin/python";
  if (!std::filesystem::exists(script) || !std::filesystem::exists(python))
    throw Error(Code::NotFound, "demo --peers: run `tools/setup python` first; there is no " + python.string());
  Progress bar("measuring TensorFlow");
  std::string said = capture(shell_word(python.string()) + " " + shell_word(script));
  size_t at = said.rfind("\n{");  // the figures are the last line; TensorFlow's own words may stand before it
  auto result = nlohmann::json::parse(at == std::string::npos ? said : said.substr(at));
  bar.finish("TensorFlow " + result.value("version", std::string("?")));
  return result;
}

std::string interval(const memory::Steadiness& s) {
  double half = (s.rss_slope_high - s.rss_slope_low) / 2;
  return fmt::format("{:+.0f} ±{:.0f} B", s.rss_slope, half);
}

}  // namespace

void demo_question(const DemoOptions& o, const Model& model, DemoResult& r) {
  SeedGenerator seed(7);
  Tensor x = random::uniform({1, 28, 28, 1}, seed, 0, 255);
  Tensor small_x = random::uniform({64, 8}, seed), small_y = random::uniform({64, 1}, seed);
  Tensor input = Input({.shape = {28, 28, 1}});
  Function traced{model};
  Function scaled([&](Tensor a, Tensor factor) { return Tensor(model(a)) * factor; }, {.name = "scaled"});
  Variables weights = model.trainable_variables();
  int64_t k = 0;
  std::vector<Row> rows = {
      {"eagerly", "0.02", "eager", 10000, 20, [&] { model(x); }},
      {"in a traced function", "0", "function", 10000, 20, [&] { traced(x); }},
      {"under a tape, with gradients", "0.4", "tape", 10000, 20, [&] { value_and_gradient([&] { return sum(Tensor(model(x))); }, weights); }},
      {"on one symbolic input", "1.3", "symbolic", 10000, 20, [&] { model(input); }},
      {"on a fresh symbolic input", "13.2", "fresh", 10000, 20,
       [&] {
         model(Input({.shape = {28, 28, 1}}));
       }},
      {"through predict", "1.5", "predict", 10000, 20, [&] { model.predict(x); }},
      {"traced, 100 different scalars", "130", "scalars", 10000, 20, [&] { scaled(x, static_cast<float>(k++ % 100)); }},
      {"build, compile, fit, drop", "3,682", "lifecycle", 100, 5, [&] { one_life(small_x, small_y); }},
  };
  nlohmann::json peers;
  if (o.peers) peers = live_peers();
  fmt::print("  {:<30} {:>7} {:>8}  {:^15} {:^20} {:^8}  {:>14} {:>9}  {:<12} {}\n", "the model called", "calls", "us/call", "live tensors",
             "live bytes", "nodes", "RSS a call", "verdict", "",
             o.peers ? "TensorFlow, KB kept a call (measured)" : "TensorFlow, KB kept a call (recorded, 2.21)");
  for (Row& row : rows) {
    memory::Steadiness s = memory::steadiness(row.call, {.calls = row.calls, .warmup = row.warmup, .rss = true});
    ++r.ways;
    r.clean += s.verdict == memory::Verdict::clean;
    std::string peer = o.peers && peers.contains(row.peer_key) ? fmt::format("{:.2f}", peers[row.peer_key].get<double>()) : row.peer;
    fmt::print("  {:<30} {:>7} {:>8.1f}  {:>6} -> {:<5} {:>8} -> {:<8} {:>2} -> {:<2}  {:>14} {:>9}  {:<12} {}\n", row.name, grouped(s.calls),
               s.micros_per_call, s.before.tensors, s.after.tensors, s.before.live_bytes, s.after.live_bytes, s.before.nodes, s.after.nodes,
               interval(s), memory::to_string(s.verdict), s.rss_conclusive ? "" : "(RSS noisy)", peer);
    std::fflush(stdout);
    if (s.verdict != memory::Verdict::clean) fmt::print("{}", s.text());
  }
  fmt::print("  Counts are exact and decide; RSS is a witness (95 % interval). TensorFlow's figures include Python objects.\n");
}

void demo_leak(const Model& model, DemoResult& r) {
  SeedGenerator seed(9);
  Tensor x = random::uniform({8, 28, 28, 1}, seed, 0, 255);
  {
    std::vector<Tensor> kept;
    memory::Holder holder("kept outputs (the demo's std::vector)", [&](memory::Visitor& v) {
      for (size_t i = 0; i < kept.size(); ++i) v.tensor(kept[i], "kept", static_cast<int64_t>(i));
    });
    memory::Steadiness s = memory::steadiness([&] { kept.push_back(model(x)); });
    std::string text = s.text();
    r.leak_found = s.verdict == memory::Verdict::leak && text.find("kept outputs") != std::string::npos;
    fmt::print("  a vector that keeps one output a call: {}\n", memory::to_string(s.verdict));
    for (size_t at = 0, end; at < text.size(); at = end + 1) {
      end = std::min(text.find('\n', at), text.size());
      fmt::print("    {}\n", text.substr(at, end - at));
    }
    if (!kept.empty()) fmt::print("    one of them: {}", memory::explain(kept.back()).text());
  }
  memory::Steadiness clean = memory::steadiness([&] { model(x); });
  r.leak_gone = clean.verdict == memory::Verdict::clean;
  fmt::print("  the vector removed: {}\n", memory::to_string(clean.verdict));

  Tensor labels = cast(random::randint({8}, seed, 0, 10), int32);
  Tensors before = model.get_weights();
  size_t live = memory::now().in_use_bytes;
  memory::set_budget(live + (64 << 10));
  std::string refusal;
  try {
    model.train_on_batch(x, labels);
  } catch (const Error& e) { refusal = e.what(); }
  memory::set_budget(0);
  Tensors after = model.get_weights();
  bool same = !refusal.empty() && before.size() == after.size();
  for (size_t i = 0; same && i < before.size(); ++i) {
    auto a = before[i].bytes(), b = after[i].bytes();
    same = std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
  r.budget_kept = same;
  fmt::print("  a budget of 64 KiB above what is live, for a train step: {}\n", refusal.empty() ? "NOT refused" : "refused");
  if (!refusal.empty()) fmt::print("    {}\n", refusal.substr(0, refusal.find('\n')));
  fmt::print("    weights bitwise as before: {}\n", same ? "yes" : "NO");
}

}  // namespace cli

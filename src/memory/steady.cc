// Does it leak? An action is repeated, the exact counts after each call are judged by their floors. Nothing here owns tensors.
// A series is kept as the lowest and highest value of each block (a sixteenth of the judged calls), so that judging itself does not grow.
#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "base/check.h"
#include "memory/objects.h"
#include "memory/os.h"
#include "memory/series.h"

namespace tenure::memory {

const char* to_string(Verdict v) noexcept {
  constexpr const char* names[] = {"clean", "leak", "inconclusive"};
  return names[static_cast<size_t>(v)];
}

namespace {

constexpr int64_t kBlocks = 16;
constexpr size_t kBytes = kinds, kKeys = kinds + 1;  // a series for each kind, one for live bytes
using Counts = std::array<int64_t, kKeys>;

Counts counts_now() noexcept {
  size_t live[kinds];
  live_counts(live);
  Counts c;
  for (size_t k = 0; k < kinds; ++k) c[k] = static_cast<int64_t>(live[k]);
  c[kBytes] = static_cast<int64_t>(live_bytes());
  return c;
}

// Repeats the action and keeps what was seen.
class Trial {
 public:
  Trial(const std::function<void()>& action, const SteadyOptions& options)
      : action_(action), options_(options), per_(std::min(kBlocks, options.calls)) {
    for (auto& key : blocks_) key.reserve(static_cast<size_t>(16 * kBlocks));
    samples_.reserve(options.rss ? 1200 : 0);
  }

  void run(int64_t until) {
    for (; calls_ < until; ++calls_) {
      auto start = std::chrono::steady_clock::now();
      action_();
      double took = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
      auto block = static_cast<size_t>(calls_ * per_ / options_.calls);
      Counts now = counts_now();
      if (block == blocks_[0].size()) {
        finish_block();
        for (size_t k = 0; k < kKeys; ++k) blocks_[k].push_back({now[k], now[k]});
      }
      for (size_t k = 0; k < kKeys; ++k) {
        Range& b = blocks_[k][block];
        b.low = std::min(b.low, now[k]), b.high = std::max(b.high, now[k]);
      }
      micros_ += took, ++timed_;
      if (options_.rss && calls_ % std::max<int64_t>(1, options_.calls / 64) == 0)
        samples_.emplace_back(static_cast<double>(calls_), static_cast<double>(resident().total));
    }
  }
  Verdict verdict() const {
    Verdict all = Verdict::clean;
    for (size_t k = 0; k < kKeys; ++k) {
      Verdict v = judge(blocks_[k]);
      if (v == Verdict::leak) return v;
      if (v == Verdict::inconclusive) all = v;
    }
    return all;
  }
  bool rises(size_t key) const { return judge(blocks_[key]) != Verdict::clean; }
  /// Growth of a series' floor, a call.
  double slope(size_t key) const { return static_cast<double>(rise(blocks_[key])) / (0.75 * static_cast<double>(calls_)); }
  int64_t calls() const noexcept { return calls_; }
  /// The mean of the quietest block: only the action is timed.
  double micros() {
    finish_block();
    return best_;
  }
  void fit_rss(Steadiness& s) const {
    Line line = line_of(samples_);
    s.rss_slope = line.slope, s.rss_slope_low = line.low, s.rss_slope_high = line.high, s.rss_conclusive = line.conclusive;
  }

 private:
  void finish_block() {
    if (timed_) best_ = best_ < 0 ? micros_ / static_cast<double>(timed_) : std::min(best_, micros_ / static_cast<double>(timed_));
    micros_ = 0, timed_ = 0;
  }

  const std::function<void()>& action_;
  const SteadyOptions& options_;
  int64_t per_, calls_ = 0, timed_ = 0;
  double micros_ = 0, best_ = -1;
  std::array<std::vector<Range>, kKeys> blocks_;
  std::vector<std::pair<double, double>> samples_;
};

// A growth with who holds the newest of `objects` (ascending): each kind of chain once.
Growth held_growth(std::string what, double per_call, double bytes_per_call, const Chains& chains, const std::vector<uint32_t>& objects) {
  Growth out{std::move(what), per_call, bytes_per_call, {}, {}};
  for (size_t i = objects.size(); i-- > 0 && i + 4 > objects.size();)
    for (const Chains::Held& h : chains.held(objects[i], 3)) {
      std::string card = h.card();
      if (out.cards.size() == 6 || std::find(out.cards.begin(), out.cards.end(), card) != out.cards.end()) continue;
      out.holders.push_back(h.line), out.cards.push_back(std::move(card));
    }
  return out;
}

struct Since {
  std::map<std::string, Account> accounts;
  uint64_t mark = 0;
};

Since remember() {
  Since s;
  for (Account& a : accounts()) s.accounts[a.path] = a;
  s.mark = birth_mark();
  return s;
}

// Accounts whose live buffers grew, then kinds that grew beside them, each with who holds the newest.
std::vector<Growth> growing(const Trial& trial, const Since& before) {
  std::vector<Growth> out;
  const ObjectGraph graph = ObjectGraph::gather(false);
  const Chains chains(graph);
  auto newest = [&](auto&& wanted) {
    std::vector<uint32_t> found;
    for (uint32_t i = 0; i < graph.objects.size(); ++i)
      if (graph.objects[i].id > before.mark && wanted(*graph.objects[i].live)) found.push_back(i);
    return found;
  };
  auto calls = static_cast<double>(trial.calls());
  double buffers = 0;
  for (const Account& a : accounts()) {
    auto it = before.accounts.find(a.path);
    auto count = static_cast<double>(a.live_count) - static_cast<double>(it == before.accounts.end() ? 0 : it->second.live_count);
    auto bytes = static_cast<double>(a.live_bytes) - static_cast<double>(it == before.accounts.end() ? 0 : it->second.live_bytes);
    if (count < std::max(2.0, calls / 1000) && bytes < std::max(64.0, calls / 10)) continue;
    auto objects = newest([&](const Counted& c) { return c.kind() == Kind::storage && path_of(c.account()) == a.path; });
    out.push_back(held_growth(a.path, count / calls, bytes / calls, chains, objects));
    buffers += count / calls;
  }
  std::stable_sort(out.begin(), out.end(), [](const Growth& a, const Growth& b) { return a.bytes_per_call > b.bytes_per_call; });
  if (out.size() > 8) out.resize(8);
  for (size_t k = 0; k < kinds; ++k) {
    auto kind = static_cast<Kind>(k);
    if (!trial.rises(k) || trial.slope(k) <= 0) continue;
    if ((kind == Kind::storage || kind == Kind::tensor) && trial.slope(k) <= buffers * 1.25) continue;  // told by the accounts above
    auto objects = newest([&](const Counted& c) { return c.kind() == kind; });
    out.push_back(held_growth(fmt::format("{} objects", to_string(kind)), trial.slope(k), 0, chains, objects));
  }
  return out;
}

std::string indented(std::string_view text, size_t by) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    out += std::string(by, ' ') + std::string(text.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return out;
}

}  // namespace

Steadiness steadiness(const std::function<void()>& action, const SteadyOptions& options) {
  check(static_cast<bool>(action), Code::InvalidArgument, "steadiness: expected an action to repeat, got an empty function");
  check(options.calls >= 8 && options.warmup >= 0, Code::InvalidArgument,
        "steadiness: expected at least 8 calls and a warm-up of 0 or more, got {} and {}", options.calls, options.warmup);
  for (int64_t i = 0; i < options.warmup; ++i) action();
  Steadiness s;
  Since before = remember();
  s.before = now(options.rss);
  Trial trial(action, options);
  trial.run(options.calls);
  s.verdict = trial.verdict();
  // A rising floor is looked at again over four times as many calls; what is still open, over twice and four times that.
  for (int64_t times = 4; s.verdict != Verdict::clean && times <= 16; times *= 2) {
    trial.run(times * options.calls);
    s.verdict = trial.verdict();
    if (s.verdict == Verdict::leak) break;
  }
  s.calls = trial.calls();
  s.micros_per_call = trial.micros();
  s.after = now(options.rss);
  trial.fit_rss(s);
  if (s.verdict != Verdict::clean) s.growing = growing(trial, before);
  return s;
}

void expect_steady(const std::function<void()>& action, const SteadyOptions& options) {
  Steadiness s = steadiness(action, options);
  if (s.verdict != Verdict::clean) fail(Code::InvalidArgument, "expected a steady state, got:\n{}", s.text());
}

std::string Steadiness::text() const {
  auto change = [](size_t a, size_t b) { return a == b ? fmt::format("{}", a) : fmt::format("{} -> {}", a, b); };
  std::string out =
      fmt::format("{} after {} calls: {} bytes, {} buffers, {} tensors, {} nodes, {} objects; {:.2f} us a call\n", to_string(verdict), calls,
                  change(before.live_bytes, after.live_bytes), change(before.buffers, after.buffers), change(before.tensors, after.tensors),
                  change(before.nodes, after.nodes), change(before.objects, after.objects), micros_per_call);
  for (const Growth& g : growing) {
    out += fmt::format("  {:+.3f} a call, {:+.1f} bytes a call: {}\n", g.per_call, g.bytes_per_call, g.what);
    for (size_t i = 0; i < g.holders.size(); ++i) {
      out += fmt::format("    held by {}\n", g.holders[i]);
      if (i == 0) out += indented(g.cards[i], 6);  // one card a growth
    }
  }
  if (after.rss_bytes)
    out += fmt::format("  RSS {:+.1f} bytes a call, 95 % interval [{:.1f}, {:.1f}]{}\n", rss_slope, rss_slope_low, rss_slope_high,
                       rss_conclusive ? "" : " (inconclusive)");
  if (verdict == Verdict::clean)
    out += fmt::format("  the slowest leak that is surely seen: one object in {} calls\n", std::max<int64_t>(1, calls / 8));
  return out;
}

}  // namespace tenure::memory

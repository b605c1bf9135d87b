// memory::tick() and the judge behind it, which `tenure memcheck -- PROGRAM` wakes through the environment:
//   TENURE_MEMCHECK=FILE           where the verdict goes at exit (JSON); without it a tick is one load
//   TENURE_MEMCHECK_ITERS, _WARMUP ticks judged at first (160) and left out before (20), of each point
// Exact counts decide: totals by kind and in bytes, account by account for the name. A point is judged after `iters` ticks and whenever their number has
// doubled; who holds what grew is asked at those moments, while it lives. A growth that is seen is confirmed at four times as many ticks.
#include <tenure/moment.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "memory/ledger_totals.h"
#include "memory/objects.h"
#include "memory/os.h"
#include "memory/series.h"
#include "memory/write_file.h"

namespace tenure::memory {
namespace {

using nlohmann::ordered_json;

constexpr size_t kTickBlocks = 16, kMostAccounts = 20000, kMostSamples = 256, kMostCards = 12, kMostPoints = 64;
constexpr size_t kByteSeries = kinds;  // the series after those of the kinds
constexpr std::string_view kOwnPoints[] = {"fit.batch", "fit.epoch", "fit", "evaluate", "predict"};

// A growth and who holds it.
struct Card {
  std::string what, filling;  // filling: the bounded container that has it, below its bound
  double per_tick = 0, bytes_per_tick = 0;
  Chain chain;
};

// The iterations of one point of the program. Blocks are as long as needed to be 16 to 32 of them.
class Point {
 public:
  Point(std::string name, int64_t iters, int64_t warmup)
      : name_(std::move(name)),
        iters_(iters),
        warmup_(warmup),
        per_block_(std::max<int64_t>(1, iters / static_cast<int64_t>(kTickBlocks))),
        next_(iters) {}

  void tick() {
    if (warmup_ > 0) {
      if (--warmup_ == 0) mark_ = birth_mark();
      return;
    }
    count();
    if (samples_.size() >= kMostSamples) {
      for (size_t i = 0; i < samples_.size() / 2; ++i) samples_[i] = samples_[2 * i];
      samples_.resize(samples_.size() / 2), stride_ *= 2;
    }
    if (ticks_ % stride_ == 0) samples_.emplace_back(static_cast<double>(ticks_), static_cast<double>(resident().total));
    if (++ticks_ == next_) {
      evaluate(true);
      next_ *= 2;
    }
  }
  /// At the end of the program: what it did since the last look is looked at too; holders are those of the last look.
  void finish() {
    if (ticks_ > iters_ && ticks_ < next_ && ticks_ - next_ / 2 >= per_block_) evaluate(false);
  }

  const std::string& name() const noexcept { return name_; }
  bool judged() const noexcept { return ticks_ >= iters_; }
  bool own() const { return std::find(std::begin(kOwnPoints), std::end(kOwnPoints), name_) != std::end(kOwnPoints); }
  Verdict verdict() const noexcept { return verdict_; }
  const std::vector<Card>& cards() const noexcept { return cards_; }

  ordered_json json() const {
    Line rss = line_of(samples_);
    bool filling = verdict_ == Verdict::clean && !cards_.empty();
    ordered_json j = {{"name", name_},
                      {"ticks", ticks_},
                      {"verdict", !judged() ? "too few ticks" : to_string(verdict_)},
                      {"confirmed", confirmed_},
                      {"filling", filling},
                      {"resolution_ticks", std::max<int64_t>(1, ticks_ / 8)},
                      {"rss", {{"slope", rss.slope}, {"low", rss.low}, {"high", rss.high}, {"conclusive", rss.conclusive}}}};
    j["cards"] = ordered_json::array();
    for (const Card& c : cards_) {
      ordered_json links = ordered_json::array();
      for (const Link& l : c.chain.links)
        links.push_back({{"holder", l.holder}, {"kind", l.kind}, {"label", l.label}, {"standing", to_string(l.standing)}});
      j["cards"].push_back({{"signature", c.chain.signature},
                            {"what", c.what},
                            {"per_tick", c.per_tick},
                            {"bytes_per_tick", c.bytes_per_tick},
                            {"retained", c.chain.retained},
                            {"filling", c.filling},
                            {"fix", c.chain.fix},
                            {"links", links},
                            {"text", text_of(c)}});
    }
    return j;
  }

 private:
  struct Seen {
    std::vector<Range> count, bytes;
  };

  static void add(std::vector<Range>& series, size_t block, int64_t value) {
    while (series.size() < block) series.push_back({0, 0});  // it came later than the first block
    if (series.size() == block) series.push_back({value, value});
    series[block].low = std::min(series[block].low, value), series[block].high = std::max(series[block].high, value);
  }
  static void halve(std::vector<Range>& series) {
    for (size_t i = 0; i < series.size(); i += 2) {
      Range r = series[i];
      if (i + 1 < series.size()) r = {std::min(r.low, series[i + 1].low), std::max(r.high, series[i + 1].high)};
      series[i / 2] = r;
    }
    series.resize((series.size() + 1) / 2);
  }

  void count() {
    auto block = static_cast<size_t>(ticks_ / per_block_);
    if (block == 2 * kTickBlocks) {
      for (auto& t : totals_) halve(t);
      for (auto& [id, seen] : accounts_) halve(seen.count), halve(seen.bytes);
      std::erase_if(accounts_,
                    [](auto& a) { return std::all_of(a.second.bytes.begin(), a.second.bytes.end(), [](const Range& r) { return r.high == 0; }); });
      per_block_ *= 2, block = kTickBlocks;
    }
    size_t live[kinds];
    live_counts(live);
    for (size_t k = 0; k < kinds; ++k) add(totals_[k], block, static_cast<int64_t>(live[k]));
    add(totals_[kByteSeries], block, static_cast<int64_t>(live_bytes()));
    visit_accounts([&](AccountId id, int64_t n, int64_t bytes) {
      auto it = accounts_.find(id);
      if (it == accounts_.end()) {
        if (n == 0 || accounts_.size() >= kMostAccounts) return;
        it = accounts_.emplace(id, Seen{}).first;
      }
      add(it->second.count, block, n), add(it->second.bytes, block, bytes);
    });
  }

  Verdict judge_totals() const {
    Verdict all = Verdict::clean;
    for (auto& t : totals_) {
      Verdict v = judge(t);
      if (v == Verdict::leak) return v;
      if (v == Verdict::inconclusive) all = v;
    }
    if (all == Verdict::inconclusive)
      for (auto& [id, seen] : accounts_)
        if (judge(seen.count) == Verdict::leak) return Verdict::leak;
    return all;
  }

  void evaluate(bool ask_holders) {
    verdict_ = judge_totals();
    if (verdict_ == Verdict::clean) {
      suspect_since_ = 0, confirmed_ = false;
      cards_.clear();
      return;
    }
    if (!suspect_since_) suspect_since_ = ticks_;
    confirmed_ = verdict_ == Verdict::leak && ticks_ >= 4 * suspect_since_;
    if (ask_holders) cards_ = ask();
    if (!cards_.empty() && std::all_of(cards_.begin(), cards_.end(), [](const Card& c) { return !c.filling.empty(); })) verdict_ = Verdict::clean;
  }

  double slope(const std::vector<Range>& series) const { return static_cast<double>(rise(series)) / (0.75 * static_cast<double>(ticks_)); }

  // What rose, with the holders of the newest of it: accounts first, then kinds that they do not explain.
  std::vector<Card> ask() const {
    ObjectGraph graph = ObjectGraph::gather(false);
    Chains chains(graph);
    std::vector<Card> out;
    double buffers = 0;
    auto add_card = [&](std::string what, double per_tick, double bytes, auto&& wanted) {
      Card card{std::move(what), "", per_tick, bytes, {}};
      int looked = 0;
      bool filling = true;
      std::string container;
      for (size_t i = graph.objects.size(); i-- > 0 && looked < 4;) {
        const auto& o = graph.objects[i];
        if (o.id <= mark_) break;
        if (!wanted(o)) continue;
        // The oldest of the newest four: what the iteration still works on comes before it.
        auto found = chains.of(static_cast<uint32_t>(i), 1);
        if (!found.empty()) card.chain = std::move(found[0]);
        filling &= chains.filling(static_cast<uint32_t>(i), container);
        ++looked;
      }
      if (looked && filling) card.filling = container;
      out.push_back(std::move(card));
    };
    for (auto& [id, seen] : accounts_) {
      if (judge(seen.count) == Verdict::clean && judge(seen.bytes) == Verdict::clean) continue;
      buffers += slope(seen.count);
      AccountId account = id;
      add_card(path_of(id), slope(seen.count), slope(seen.bytes),
               [&](const ObjectGraph::Object& o) { return o.kind == Kind::storage && o.live->account() == account; });
    }
    for (size_t k = 0; k < kinds; ++k) {
      auto kind = static_cast<Kind>(k);
      if (judge(totals_[k]) == Verdict::clean) continue;
      if ((kind == Kind::storage || kind == Kind::tensor) && slope(totals_[k]) <= buffers * 1.25) continue;
      add_card(fmt::format("{} objects", to_string(kind)), slope(totals_[k]), 0, [&](const ObjectGraph::Object& o) { return o.kind == kind; });
    }
    std::stable_sort(out.begin(), out.end(), [](const Card& a, const Card& b) { return a.bytes_per_tick > b.bytes_per_tick; });
    std::vector<Card> merged;  // equal signatures are one leak
    for (Card& c : out) {
      auto same = std::find_if(merged.begin(), merged.end(),
                               [&](const Card& m) { return !c.chain.signature.empty() && m.chain.signature == c.chain.signature; });
      if (same == merged.end() && merged.size() < kMostCards) merged.push_back(std::move(c));
      else if (same != merged.end()) same->per_tick += c.per_tick, same->bytes_per_tick += c.bytes_per_tick;
    }
    return merged;
  }

  std::string text_of(const Card& c) const {
    const char* head = !c.filling.empty() ? "FILLING" : verdict_ == Verdict::leak ? "LEAK" : "GROWS";
    std::string out = fmt::format("{}  sig {}  {:+.3f}, {:+.1f} bytes a tick of '{}' ({} ticks{})  retained {} bytes\n  {}\n", head,
                                  c.chain.signature.empty() ? "--------" : c.chain.signature, c.per_tick, c.bytes_per_tick, name_, ticks_,
                                  confirmed_ ? ", confirmed" : "", c.chain.retained, c.what);
    return out + c.chain.text(true);
  }

  std::string name_;
  int64_t iters_, warmup_, per_block_, next_, ticks_ = 0, suspect_since_ = 0, stride_ = 1;
  uint64_t mark_ = 0;
  std::array<std::vector<Range>, kinds + 1> totals_;
  std::map<AccountId, Seen> accounts_;
  std::vector<std::pair<double, double>> samples_;  // resident bytes by tick
  Verdict verdict_ = Verdict::clean;
  bool confirmed_ = false;
  std::vector<Card> cards_;
};

struct Judge {
  std::string file;
  int64_t iters = 160, warmup = 20;
  pid_t process = 0;
  std::mutex mutex;
  std::map<std::string, Point, std::less<>> points;
  bool over = false;  // the program ends: no tick counts any more
};
std::atomic<Judge*> the_judge{nullptr};

// The points that decide: the program's own, if one was judged; else the library's.
ordered_json verdict_of(Judge& judge) {
  ordered_json j = {{"version", 1}, {"iters", judge.iters}, {"warmup", judge.warmup}, {"points", ordered_json::array()}};
  bool programs = false;
  for (auto& [name, p] : judge.points) {
    p.finish();
    programs |= p.judged() && !p.own();
  }
  bool any = false, leak = false, open = false;
  for (auto& [name, p] : judge.points) {
    bool decides = p.judged() && (!programs || !p.own());
    any |= decides;
    leak |= decides && p.verdict() == Verdict::leak, open |= decides && p.verdict() == Verdict::inconclusive;
    ordered_json point = p.json();
    point["decides"] = decides;
    j["points"].push_back(point);
  }
  Audit audit = memory::audit();
  j["audit"] = {{"ok", audit.ok()}, {"objects", audit.objects}, {"edges", audit.edges}, {"problems", audit.problems}};
  int exit = leak || !audit.ok() ? 1 : open || !any ? 2 : 0;
  j["verdict"] = to_string(exit == 1 ? Verdict::leak : exit == 2 ? Verdict::inconclusive : Verdict::clean);
  j["exit"] = exit;
  return j;
}

void at_end() noexcept {
  Judge* judge = the_judge.load(std::memory_order_acquire);
  if (!judge || judge->process != getpid()) return;  // a forked child is not the program
  try {
    std::lock_guard lock(judge->mutex);
    judge->over = true;
    write_file("memcheck", judge->file, verdict_of(*judge).dump(1, ' ', false, ordered_json::error_handler_t::replace));
  } catch (...) {  // no verdict is written: who asked for one says so
  }
}

[[maybe_unused]] const bool awake = [] {
  const char* file = std::getenv("TENURE_MEMCHECK");
  if (!file || !*file) return false;
  auto number = [](const char* name, int64_t otherwise, int64_t least) {
    const char* text = std::getenv(name);
    return text ? std::max<int64_t>(least, std::atoll(text)) : otherwise;
  };
  auto* judge = new Judge;  // never destroyed
  judge->file = file, judge->process = getpid();
  judge->iters = number("TENURE_MEMCHECK_ITERS", 160, 16), judge->warmup = number("TENURE_MEMCHECK_WARMUP", 20, 1);
  unsetenv("TENURE_MEMCHECK");  // programs that this one starts are not meant
  the_judge = judge;
  std::atexit([] { at_end(); });
  return true;
}();

}  // namespace

void tick(std::string_view point) {
  Judge* judge = the_judge.load(std::memory_order_acquire);
  if (!judge) [[likely]]
    return;
  std::lock_guard lock(judge->mutex);
  if (judge->over) return;
  auto it = judge->points.find(point);
  if (it == judge->points.end() && judge->points.size() >= kMostPoints) return;
  if (it == judge->points.end()) it = judge->points.emplace(point, Point(std::string(point), judge->iters, judge->warmup)).first;
  it->second.tick();
}

}  // namespace tenure::memory

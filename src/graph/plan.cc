#include "graph/plan.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <set>

#include <fmt/format.h>

#include "graph/stacking.h"

namespace tenure {
namespace {

size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Best fit in a given order: a newcomer takes the smallest gap between those that live when it does.
class BestFit {
 public:
  explicit BestFit(const std::vector<Placed>& buffers) : buffers_(buffers) {
    int32_t end = 0;
    for (const Placed& b : buffers) end = std::max(end, b.last + 1);
    span_ = end / kSpans + 1;
  }
  /// Writes offsets[i] for buffer i and returns the arena's size; gives up with SIZE_MAX once it would be `limit` bytes. The first `fixed` of the order
  /// stay where offsets says. Counts what it looked at.
  size_t operator()(const std::vector<size_t>& order, size_t limit, std::vector<size_t>& offsets, size_t& looked, size_t fixed) {
    for (auto& list : in_span_) list.clear();
    all_.clear();
    size_t arena = 0;
    for (size_t i : order) {
      const Placed& b = buffers_[i];
      const size_t need = rounded(b.bytes);
      // What lives within one span of time only looks at those that live in it.
      const auto from = static_cast<size_t>(b.first / span_), to = static_cast<size_t>(b.last / span_);
      const std::vector<Taken>& taken = from == to ? in_span_[from] : all_;
      if (fixed > 0) --fixed;
      else offsets[i] = gap_for(b, need, taken), looked += taken.size();
      const size_t offset = offsets[i];
      arena = std::max(arena, offset + need);
      if (arena >= limit) return SIZE_MAX;
      auto insert = [&](std::vector<Taken>& list) {
        auto where = std::upper_bound(list.begin(), list.end(), offset, [](size_t off, const Taken& o) { return off < o.offset; });
        list.insert(where, {offset, offset + need, b.first, b.last});
      };
      insert(all_);
      for (size_t s = from; s <= to; ++s) insert(in_span_[s]);
    }
    return arena;
  }

 private:
  struct Taken {
    size_t offset, end;
    int32_t first, last;
  };
  static size_t gap_for(const Placed& b, size_t need, const std::vector<Taken>& taken) {
    size_t best = SIZE_MAX, best_gap = SIZE_MAX, at = 0;
    for (const Taken& o : taken) {
      if (o.last < b.first || o.first > b.last) continue;
      if (o.offset >= at + need && o.offset - at < best_gap) best = at, best_gap = o.offset - at;
      at = std::max(at, o.end);
    }
    return best != SIZE_MAX ? best : at;
  }

  static constexpr int32_t kSpans = 12;
  const std::vector<Placed>& buffers_;
  int32_t span_;
  std::vector<Taken> all_;
  std::array<std::vector<Taken>, kSpans> in_span_;  // by offset
};

// The first moment at which the most bytes live, and how many they are.
struct Fullest {
  int32_t when = 0;
  int64_t bytes = 0;
};
Fullest fullest_of(const std::vector<Placed>& buffers) {
  std::vector<std::pair<int32_t, int64_t>> events;
  for (const Placed& b : buffers) {
    events.emplace_back(b.first, static_cast<int64_t>(rounded(b.bytes)));
    events.emplace_back(b.last + 1, -static_cast<int64_t>(rounded(b.bytes)));
  }
  std::sort(events.begin(), events.end());
  int64_t live = 0;
  Fullest most;
  for (auto& [t, d] : events)
    if ((live += d) > most.bytes) most = {t, live};
  return most;
}

// What the parts may cost, some 10 ms each: looks at neighbours in plain orders, checks of the search, looks of the local moves.
constexpr size_t kLooks = 12'000'000, kChecks = 8'000'000, kMoves = 2'000'000;

// The best placement so far.
class Placing {
 public:
  explicit Placing(const std::vector<Placed>& buffers)
      : buffers_(buffers), fullest_(fullest_of(buffers)), bound_(static_cast<size_t>(fullest_.bytes)), best_fit_(buffers), trial_(buffers.size()) {}

  size_t bytes() const noexcept { return best_; }
  size_t offset(size_t i) const { return offsets_[i]; }

  // Five plain orders; then what lives at the fullest moment first, where it lies without a gap, in three orders, and the rest in three.
  void in_plain_orders() {
    auto full = [&](size_t i) { return buffers_[i].first <= fullest_.when && buffers_[i].last >= fullest_.when; };
    auto away = [&](const Placed& p) { return p.first > fullest_.when ? p.first - fullest_.when : fullest_.when - p.last; };
    for (int kind = 0; kind < 14 && open() && looked_ < kLooks; ++kind) {
      std::vector<size_t> order(buffers_.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t k) {
        const Placed &a = buffers_[i], &b = buffers_[k];
        int by = kind;
        if (kind >= 5) {
          if (full(i) != full(k)) return full(i);
          by = full(i) ? 2 + (kind - 5) % 3 : std::array{0, 5, 1}[static_cast<size_t>(kind - 5) / 3];
        }
        switch (by) {
          case 0: return a.bytes != b.bytes ? a.bytes > b.bytes : length(a) > length(b);
          case 1: return a.bytes * length(a) > b.bytes * length(b);
          case 2: return length(a) > length(b);
          case 3: return a.last != b.last ? a.last > b.last : a.bytes > b.bytes;
          case 4: return a.first != b.first ? a.first < b.first : a.bytes > b.bytes;
          default: return away(a) < away(b);
        }
      });
      attempt(order, 0);
    }
  }

  // Towards the bound: of all buffers, and of the large ones alone with room left for the small. Where nothing fits, towards the middle between the
  // bound and the best, with twice the checks.
  void by_search() {
    if (!open() || bound_ / 64 >= (size_t{1} << 30)) return;
    std::vector<Placed> large = buffers_, small = buffers_;
    for (size_t i = 0; i < buffers_.size(); ++i) (buffers_[i].bytes < bound_ / 256 ? large : small)[i].bytes = 0;
    const size_t aside = bound_ - std::min(bound_, lower_bound_of(large));
    Stacking all(buffers_), most(large);
    size_t checks = kChecks, room = bound_;
    for (size_t share = std::max(kChecks / 64, all.descent() * 5 / 4); open() && room + 64 <= best_ && checks >= share; share *= 2) {
      bool fits = false;
      for (auto by : {Stacking::by_end, Stacking::by_birth, Stacking::by_area, Stacking::by_length, Stacking::by_size})
        for (Stacking* s : {&all, &most}) {
          if (fits || checks < share || (s == &most && aside == 0)) continue;
          size_t left = share;
          fits = s->fits(s == &all ? room : room - aside, by, left) && take(*s);
          checks -= share - left;
        }
      room = ((fits ? bound_ : room) + best_) / 128 * 64;
    }
  }

  // What reaches the top, or something that lives beside it, goes earlier in the order; kept unless the arena grows.
  void by_local_moves() {
    const size_t n = buffers_.size(), most = std::min<size_t>(4000, kMoves / (n * n / 4 + 1));
    std::minstd_rand random(1);
    auto below = [&](size_t m) { return static_cast<size_t>(random()) % m; };
    std::vector<size_t> candidates;
    for (size_t trial = 0; trial < most && open(); ++trial) {
      candidates.clear();
      for (size_t i = 0; i < n; ++i)
        if (offsets_[i] + rounded(buffers_[i].bytes) == best_) candidates.push_back(i);
      size_t moved = candidates[below(candidates.size())];
      if (below(2)) {
        const Placed& top = buffers_[moved];
        candidates.clear();
        for (size_t i = 0; i < n; ++i)
          if (buffers_[i].first <= top.last && buffers_[i].last >= top.first) candidates.push_back(i);
        moved = candidates[below(candidates.size())];
      }
      std::vector<size_t> order = order_;
      auto at = std::find(order.begin(), order.end(), moved);
      auto from = static_cast<size_t>(at - order.begin());
      if (from == 0) continue;
      size_t to = below(4) ? below(from) : 0;
      std::rotate(order.begin() + static_cast<std::ptrdiff_t>(to), at, at + 1);
      attempt(order, 1);
    }
  }

 private:
  static size_t length(const Placed& p) { return static_cast<size_t>(p.last - p.first + 1); }
  bool open() const noexcept { return best_ > bound_; }
  void attempt(const std::vector<size_t>& order, size_t slack, size_t fixed = 0) {
    size_t size = best_fit_(order, best_ == SIZE_MAX ? best_ : best_ + slack, trial_, looked_, fixed);
    if (size != SIZE_MAX) best_ = size, order_ = order, offsets_ = trial_;
  }

  // What was searched for, and best fit for what was left out, longest first.
  bool take(const Stacking& found) {
    std::vector<size_t> order = found.order();
    for (size_t i : order) trial_[i] = found.offset(i);
    const auto fixed = static_cast<std::ptrdiff_t>(order.size());
    std::vector<char> there(buffers_.size(), 0);
    for (size_t i : order) there[i] = 1;
    for (size_t i = 0; i < buffers_.size(); ++i)
      if (!there[i]) order.push_back(i);
    std::stable_sort(order.begin() + fixed, order.end(), [&](size_t i, size_t k) { return length(buffers_[i]) > length(buffers_[k]); });
    size_t before = best_;
    attempt(order, 0, static_cast<size_t>(fixed));
    return best_ < before;
  }

  const std::vector<Placed>& buffers_;
  const Fullest fullest_;
  const size_t bound_;
  BestFit best_fit_;
  size_t looked_ = 0, best_ = SIZE_MAX;
  std::vector<size_t> order_, offsets_, trial_;
};

}  // namespace

size_t lower_bound_of(const std::vector<Placed>& buffers) { return static_cast<size_t>(fullest_of(buffers).bytes); }

size_t place(std::vector<Placed>& buffers) {
  if (buffers.empty()) return 0;
  Placing p(buffers);
  p.in_plain_orders();
  p.by_search();
  p.by_local_moves();
  for (size_t i = 0; i < buffers.size(); ++i) buffers[i].offset = p.offset(i);
  return p.bytes();
}

std::string check_plan(const std::vector<Placed>& buffers, size_t arena) {
  // A sweep over time; at each birth the newcomer is compared with its neighbours in address order.
  std::vector<size_t> by_birth(buffers.size());
  std::iota(by_birth.begin(), by_birth.end(), size_t{0});
  std::sort(by_birth.begin(), by_birth.end(), [&](size_t a, size_t b) { return buffers[a].first < buffers[b].first; });
  std::multiset<std::pair<int32_t, size_t>> deaths;
  std::set<std::pair<size_t, size_t>> live;
  for (size_t i : by_birth) {
    const Placed& b = buffers[i];
    if (b.bytes == 0) continue;
    if (b.offset % 64 != 0 || b.offset + b.bytes > arena)
      return fmt::format("buffer {} at {} does not lie in the arena of {} bytes", i, b.offset, arena);
    while (!deaths.empty() && deaths.begin()->first < b.first) {
      live.erase({buffers[deaths.begin()->second].offset, deaths.begin()->second});
      deaths.erase(deaths.begin());
    }
    auto at = live.insert({b.offset, i}).first;
    if (auto next = std::next(at); next != live.end() && b.offset + b.bytes > next->first)
      return fmt::format("buffers {} and {} overlap", i, next->second);
    if (at != live.begin()) {
      const Placed& p = buffers[std::prev(at)->second];
      if (p.offset + p.bytes > b.offset) return fmt::format("buffers {} and {} overlap", std::prev(at)->second, i);
    }
    deaths.insert({b.last, i});
  }
  return {};
}

}  // namespace tenure

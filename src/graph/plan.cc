#include "graph/plan.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <set>

#include <fmt/format.h>

namespace tenure {
namespace {

size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

// What has a place already, by offset; together in memory, since every newcomer looks at all of them.
struct Taken {
  size_t offset, end;
  int32_t first, last;
};

// Best fit in the given order: a newcomer takes the smallest gap between those that live when it does. Writes offsets[i] for buffer i. Gives up
// with SIZE_MAX once `limit` bytes would be reached.
size_t place_in(const std::vector<Placed>& buffers, const std::vector<size_t>& order, size_t limit, std::vector<size_t>& offsets,
                std::vector<Taken>& taken) {
  taken.clear();
  size_t arena = 0;
  for (size_t i : order) {
    const Placed& b = buffers[i];
    size_t need = rounded(b.bytes);
    size_t best = SIZE_MAX, best_gap = SIZE_MAX, at = 0;
    for (const Taken& o : taken) {
      if (o.last < b.first || o.first > b.last) continue;
      if (o.offset >= at + need && o.offset - at < best_gap) best = at, best_gap = o.offset - at;
      at = std::max(at, o.end);
    }
    size_t offset = best != SIZE_MAX ? best : at;
    arena = std::max(arena, offset + need);
    if (arena >= limit) return SIZE_MAX;
    offsets[i] = offset;
    auto where = std::upper_bound(taken.begin(), taken.end(), offset, [](size_t off, const Taken& o) { return off < o.offset; });
    taken.insert(where, {offset, offset + need, b.first, b.last});
  }
  return arena;
}

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

// Checks that all trials together may cost: some 20 ms.
constexpr size_t kWork = 6'000'000;

}  // namespace

size_t lower_bound_of(const std::vector<Placed>& buffers) { return static_cast<size_t>(fullest_of(buffers).bytes); }

size_t place(std::vector<Placed>& buffers) {
  if (buffers.empty()) return 0;
  const Fullest fullest = fullest_of(buffers);
  const size_t bound = static_cast<size_t>(fullest.bytes), n = buffers.size();
  std::vector<size_t> order(n), best_order, offsets(n), best_offsets;
  std::vector<Taken> taken;
  taken.reserve(n);
  size_t best = SIZE_MAX;
  auto attempt = [&](size_t slack) {
    size_t size = place_in(buffers, order, best == SIZE_MAX ? best : best + slack, offsets, taken);
    if (size != SIZE_MAX) best = size, best_order = order, best_offsets = offsets;
  };
  const int32_t peak = fullest.when;
  auto length = [&](size_t i) { return static_cast<size_t>(buffers[i].last - buffers[i].first + 1); };
  auto full = [&](size_t i) { return buffers[i].first <= peak && buffers[i].last >= peak; };
  auto away = [&](const Placed& p) { return p.first > peak ? p.first - peak : peak - p.last; };
  // Five plain orders; then what lives at the fullest moment first, where it lies without a gap, in three orders, and the rest in three.
  for (int kind = 0; kind < 14 && best > bound; ++kind) {
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t k) {
      const Placed &a = buffers[i], &b = buffers[k];
      int by = kind;
      if (kind >= 5) {
        if (full(i) != full(k)) return full(i);
        by = full(i) ? 2 + (kind - 5) % 3 : std::array{0, 5, 1}[static_cast<size_t>(kind - 5) / 3];
      }
      switch (by) {
        case 0: return a.bytes != b.bytes ? a.bytes > b.bytes : length(i) > length(k);
        case 1: return a.bytes * length(i) > b.bytes * length(k);
        case 2: return length(i) > length(k);
        case 3: return a.last != b.last ? a.last > b.last : a.bytes > b.bytes;
        case 4: return a.first != b.first ? a.first < b.first : a.bytes > b.bytes;
        default: return away(a) < away(b);
      }
    });
    attempt(0);
  }
  // Local moves: what reaches the top, or something that lives beside it, goes earlier in the order; kept unless the arena grows.
  std::minstd_rand random(1);
  auto below = [&](size_t m) { return static_cast<size_t>(random()) % m; };
  const size_t most = std::min<size_t>(4000, kWork / (n * n / 4 + 1));
  std::vector<size_t> candidates;
  for (size_t trial = 0; trial < most && best > bound; ++trial) {
    candidates.clear();
    for (size_t i = 0; i < n; ++i)
      if (best_offsets[i] + rounded(buffers[i].bytes) == best) candidates.push_back(i);
    size_t moved = candidates[below(candidates.size())];
    if (below(2)) {
      const Placed& top = buffers[moved];
      candidates.clear();
      for (size_t i = 0; i < n; ++i)
        if (buffers[i].first <= top.last && buffers[i].last >= top.first) candidates.push_back(i);
      moved = candidates[below(candidates.size())];
    }
    order = best_order;
    auto at = std::find(order.begin(), order.end(), moved);
    auto from = static_cast<size_t>(at - order.begin());
    if (from == 0) continue;
    size_t to = below(4) ? below(from) : 0;
    std::rotate(order.begin() + static_cast<std::ptrdiff_t>(to), at, at + 1);
    attempt(1);
  }
  for (size_t i = 0; i < n; ++i) buffers[i].offset = best_offsets[i];
  return best;
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

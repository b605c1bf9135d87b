#include "graph/plan.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <fmt/format.h>

namespace tenure {
namespace {

size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

size_t place_in(std::vector<Placed>& buffers, const std::vector<size_t>& order) {
  std::vector<size_t> done;  // by offset
  size_t arena = 0;
  for (size_t i : order) {
    Placed& b = buffers[i];
    size_t need = rounded(b.bytes);
    size_t best = SIZE_MAX, best_gap = SIZE_MAX, at = 0;
    for (size_t j : done) {
      const Placed& o = buffers[j];
      if (o.last < b.first || o.first > b.last) continue;
      if (o.offset >= at + need && o.offset - at < best_gap) best = at, best_gap = o.offset - at;
      at = std::max(at, o.offset + rounded(o.bytes));
    }
    b.offset = best != SIZE_MAX ? best : at;
    arena = std::max(arena, b.offset + need);
    done.insert(std::upper_bound(done.begin(), done.end(), b.offset, [&](size_t off, size_t j) { return off < buffers[j].offset; }), i);
  }
  return arena;
}

}  // namespace

size_t lower_bound_of(const std::vector<Placed>& buffers) {
  std::vector<std::pair<int32_t, int64_t>> events;
  for (const Placed& b : buffers) {
    events.emplace_back(b.first, static_cast<int64_t>(rounded(b.bytes)));
    events.emplace_back(b.last + 1, -static_cast<int64_t>(rounded(b.bytes)));
  }
  std::sort(events.begin(), events.end());
  int64_t live = 0, most = 0;
  for (auto& [t, d] : events) most = std::max(most, live += d);
  return static_cast<size_t>(most);
}

size_t place(std::vector<Placed>& buffers) {
  size_t bound = lower_bound_of(buffers);
  std::vector<size_t> order(buffers.size());
  std::vector<Placed> best;
  size_t best_size = SIZE_MAX;
  auto length = [&](size_t i) { return static_cast<size_t>(buffers[i].last - buffers[i].first + 1); };
  for (int kind = 0; kind < 3 && best_size > bound; ++kind) {
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      if (kind == 0) return buffers[a].bytes > buffers[b].bytes;
      if (kind == 1) return buffers[a].bytes * length(a) > buffers[b].bytes * length(b);
      return length(a) > length(b);
    });
    std::vector<Placed> trial = buffers;
    size_t size = place_in(trial, order);
    if (size < best_size) best_size = size, best = std::move(trial);
  }
  if (!buffers.empty()) buffers = std::move(best);
  return buffers.empty() ? 0 : best_size;
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

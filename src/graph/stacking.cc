#include "graph/stacking.h"

#include <algorithm>
#include <numeric>

namespace tenure {

Stacking::Stacking(const std::vector<Placed>& buffers) : n_(buffers.size()), size_(n_), from_(n_), to_(n_), at_(n_), rank_(n_), placed_(n_) {
  std::vector<int32_t> births;
  for (const Placed& b : buffers) births.push_back(b.first);
  std::sort(births.begin(), births.end());
  births.erase(std::unique(births.begin(), births.end()), births.end());
  rest_.resize(births.size()), lowest_.resize(births.size());
  auto moment = [&](auto it) { return static_cast<size_t>(it - births.begin()); };
  for (size_t i = 0; i < n_; ++i) {
    size_[i] = static_cast<int32_t>((buffers[i].bytes + 63) / 64);
    from_[i] = moment(std::lower_bound(births.begin(), births.end(), buffers[i].first));
    to_[i] = moment(std::upper_bound(births.begin(), births.end(), buffers[i].last));
  }
}

size_t Stacking::descent() const {
  size_t lives = 0;
  for (size_t i = 0; i < n_; ++i) lives += to_[i] - from_[i];
  return n_ * (n_ + lives) / 2;
}

std::vector<size_t> Stacking::order() const {
  std::vector<size_t> order;
  for (const Step& s : steps_)
    if (s.taken != kNobody) order.push_back(s.taken);
  return order;
}

bool Stacking::fits(size_t room, By by, size_t& checks) {
  rank(by);
  const auto most = static_cast<int32_t>(room / 64);
  std::fill(at_.begin(), at_.end(), 0), std::fill(rest_.begin(), rest_.end(), 0);
  size_t left = 0;
  for (size_t i = 0; i < n_; ++i) {
    left += size_[i] > 0, placed_[i] = size_[i] == 0;  // what has no bytes lies anywhere
    for (size_t t = from_[i]; t < to_[i]; ++t) rest_[t] += size_[i];
  }
  steps_.clear(), children_.clear(), moved_.clear();
  open(0);
  while (steps_.size() <= left) {
    Step& s = steps_.back();
    if (s.taken != kNobody) take_back();
    if (s.next == children_.size()) {
      children_.resize(s.first);
      steps_.pop_back();
      if (steps_.empty()) return false;
      continue;
    }
    const size_t i = children_[s.next++];
    const int32_t floor = at_[i];
    put(i);
    size_t cost = n_;
    const bool good = may_fit(floor, most, cost);
    if (cost > checks) return checks = 0, false;
    checks -= cost;
    if (good) open(floor);
  }
  return true;
}

void Stacking::rank(By by) {
  auto length = [&](size_t i) { return to_[i] - from_[i]; };
  auto area = [&](size_t i) { return length(i) * static_cast<size_t>(size_[i]); };
  std::vector<size_t> order(n_);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t k) {
    switch (by) {
      case by_end: return to_[i] > to_[k];
      case by_area: return area(i) > area(k);
      case by_length: return length(i) > length(k);
      case by_birth: return from_[i] < from_[k];
      case by_size: break;
    }
    return size_[i] > size_[k];
  });
  for (size_t i = 0; i < n_; ++i) rank_[order[i]] = i;
}

// The buffers that could come next. None lies above the end of another that would still fit below it: that one could be moved there.
void Stacking::open(int32_t floor) {
  const size_t first = children_.size();
  int32_t end = INT32_MAX;
  for (size_t i = 0; i < n_; ++i)
    if (!placed_[i]) end = std::min(end, at_[i] + size_[i]);
  for (size_t i = 0; i < n_; ++i)
    if (!placed_[i] && at_[i] >= floor && at_[i] < end) children_.push_back(i);
  auto begin = children_.begin() + static_cast<std::ptrdiff_t>(first);
  auto kept = begin + static_cast<std::ptrdiff_t>(std::min(kWidth, children_.size() - first));
  std::partial_sort(begin, kept, children_.end(), [&](size_t a, size_t b) { return at_[a] != at_[b] ? at_[a] < at_[b] : rank_[a] < rank_[b]; });
  children_.erase(kept, children_.end());
  steps_.push_back({first, first, 0, kNobody});
}

void Stacking::put(size_t i) {
  steps_.back().taken = i, steps_.back().moved = moved_.size();
  placed_[i] = 1;
  const int32_t end = at_[i] + size_[i];
  for (size_t t = from_[i]; t < to_[i]; ++t) rest_[t] -= size_[i];
  for (size_t k = 0; k < n_; ++k)
    if (!placed_[k] && from_[k] < to_[i] && from_[i] < to_[k] && at_[k] < end) moved_.emplace_back(k, at_[k]), at_[k] = end;
}

void Stacking::take_back() {
  Step& s = steps_.back();
  for (; moved_.size() > s.moved; moved_.pop_back()) at_[moved_.back().first] = moved_.back().second;
  for (size_t t = from_[s.taken]; t < to_[s.taken]; ++t) rest_[t] += size_[s.taken];
  placed_[s.taken] = 0;
  s.taken = kNobody;
}

bool Stacking::may_fit(int32_t floor, int32_t room, size_t& cost) {
  std::fill(lowest_.begin(), lowest_.end(), INT32_MAX / 2);
  for (size_t k = 0; k < n_; ++k) {
    if (placed_[k]) continue;
    const int32_t at = std::max(at_[k], floor);
    for (size_t t = from_[k]; t < to_[k]; ++t) lowest_[t] = std::min(lowest_[t], at);
    cost += to_[k] - from_[k];
  }
  bool good = true;
  for (size_t t = 0; t < rest_.size(); ++t) good &= rest_[t] == 0 || lowest_[t] + rest_[t] <= room;
  return good;
}

}  // namespace tenure

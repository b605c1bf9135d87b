// Placement by search: whether buffers with lifetimes fit into a room of a given size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "graph/plan.h"

namespace tenure {

/// Fills a room from the bottom up: each buffer lies where everything that lives beside it and lies lower has its end, and none lies lower than
/// the one placed before it. A placement that fits can be brought into that order (Moffitt, MiniMalloc, ASPLOS 2023), so that only a search which
/// runs out of checks, or leaves out the last of many next buffers, misses one. A branch is left where at some moment the lowest buffer that can
/// still come and all those that have yet to come need more than the room. Refers to nothing; the same buffers are found in the same places.
class Stacking {
 public:
  /// Sizes up to 2^30 times 64 bytes, all together at any one moment.
  explicit Stacking(const std::vector<Placed>& buffers);

  /// Which of those that could lie lowest is tried first: the one that lives on longest, …
  enum By { by_end, by_area, by_length, by_birth, by_size };
  /// Whether all fit into `room` bytes. Takes from `checks` what it used and gives up when they are used up.
  bool fits(size_t room, By by, size_t& checks);
  /// Checks of a search that never has to go back, about.
  size_t descent() const;

  // After fits() has said yes:
  size_t offset(size_t i) const { return static_cast<size_t>(at_[i]) * 64; }
  std::vector<size_t> order() const;  ///< from the bottom up, without what has no bytes

 private:
  static constexpr size_t kNobody = SIZE_MAX, kWidth = 16;  // so many next buffers are tried
  struct Step {
    size_t first, next;  // its children in children_: where they begin, which comes next
    size_t moved;        // the length of moved_ before the child that is in place was put there
    size_t taken;        // that child
  };
  void rank(By by);
  void open(int32_t floor);
  void put(size_t i);
  void take_back();
  bool may_fit(int32_t floor, int32_t room, size_t& cost);

  size_t n_;
  std::vector<int32_t> size_;      // in units of 64 bytes, as are all places
  std::vector<size_t> from_, to_;  // life, in moments at which something is born: [from, to)
  std::vector<int32_t> at_;        // where it lies, or the lowest place that it can have
  std::vector<size_t> rank_;       // which is tried first
  std::vector<char> placed_;
  std::vector<int32_t> rest_, lowest_;  // by moment: what has yet to come | the lowest place at which it can
  std::vector<Step> steps_;
  std::vector<size_t> children_;
  std::vector<std::pair<size_t, int32_t>> moved_;  // who was raised from where
};

}  // namespace tenure

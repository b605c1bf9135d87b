// Series of exact counts, kept as the lowest and highest value of each block of iterations, and their judgement by floors.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <tenure/memory.h>

namespace tenure::memory {

struct Range {
  int64_t low, high;
};

/// The floor rises and does not come down again: leak where it rises steadily (Mann and Kendall's z above 2.58, the second half's rise between half
/// and twice the first's), inconclusive otherwise. A plateau, or a sawtooth that came down, is clean.
Verdict judge(const std::vector<Range>& blocks);
/// By how much the floor rose from the first quarter to the last.
int64_t rise(const std::vector<Range>& blocks);

/// Least squares with its 95 % interval.
struct Line {
  double slope = 0, low = 0, high = 0;
  bool conclusive = true;  ///< half-width at most 64 a unit
};
Line line_of(const std::vector<std::pair<double, double>>& samples);

}  // namespace tenure::memory

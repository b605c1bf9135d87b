#include "memory/series.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tenure::memory {
namespace {

struct Floors {
  int64_t low[4], high_first;  // lowest of each quarter, highest of the first
};

Floors floors_of(const std::vector<Range>& blocks) {
  Floors f{{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}, INT64_MIN};
  for (size_t b = 0; b < blocks.size(); ++b) {
    size_t quarter = b * 4 / blocks.size();
    f.low[quarter] = std::min(f.low[quarter], blocks[b].low);
    if (quarter == 0) f.high_first = std::max(f.high_first, blocks[b].high);
  }
  return f;
}

// The z of Mann and Kendall's test for a trend (Kendall, Rank Correlation Methods, 1975), with the correction for ties.
double trend(const std::vector<Range>& blocks) {
  auto n = static_cast<double>(blocks.size());
  int64_t s = 0;
  std::map<int64_t, int64_t> ties;
  for (size_t i = 0; i < blocks.size(); ++i) {
    ++ties[blocks[i].low];
    for (size_t j = i + 1; j < blocks.size(); ++j) s += (blocks[j].low > blocks[i].low) - (blocks[j].low < blocks[i].low);
  }
  double variance = n * (n - 1) * (2 * n + 5);
  for (auto& [value, count] : ties) {
    auto t = static_cast<double>(count);
    variance -= t * (t - 1) * (2 * t + 5);
  }
  variance /= 18;
  if (variance <= 0 || s == 0) return 0;
  return (static_cast<double>(s) - (s > 0 ? 1 : -1)) / std::sqrt(variance);
}

}  // namespace

Verdict judge(const std::vector<Range>& blocks) {
  if (blocks.size() < 4) return Verdict::clean;
  Floors f = floors_of(blocks);
  if (f.low[3] <= f.low[2] || f.low[3] <= f.low[0]) return Verdict::clean;  // a plateau, or a sawtooth that came down again
  auto first = static_cast<double>(f.low[2] - f.low[0]), second = static_cast<double>(f.low[3] - f.low[1]);
  bool steady = first > 0 && second >= first / 2 && second <= first * 2 && trend(blocks) > 2.58;
  return f.low[3] > f.high_first && steady ? Verdict::leak : Verdict::inconclusive;
}

int64_t rise(const std::vector<Range>& blocks) {
  if (blocks.size() < 4) return 0;
  Floors f = floors_of(blocks);
  return f.low[3] - f.low[0];
}

Line line_of(const std::vector<std::pair<double, double>>& samples) {
  Line line;
  if (samples.size() < 3) return line;
  auto n = static_cast<double>(samples.size());
  double mx = 0, my = 0, sxx = 0, sxy = 0, rest = 0;
  for (auto& [x, y] : samples) mx += x / n, my += y / n;
  for (auto& [x, y] : samples) sxx += (x - mx) * (x - mx), sxy += (x - mx) * (y - my);
  line.slope = sxy / sxx;
  for (auto& [x, y] : samples) {
    double r = y - my - line.slope * (x - mx);
    rest += r * r;
  }
  double half = (n > 30 ? 1.96 : 2.2) * std::sqrt(rest / (n - 2) / sxx);
  line.low = line.slope - half, line.high = line.slope + half;
  line.conclusive = half <= 64;
  return line;
}

}  // namespace tenure::memory

#include "io/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "io/weights.h"

namespace tenure::io {

using files::Array;

namespace {

/// Calls f(values as double, count) for one piece of the array after another.
template <class F>
void each_piece(const Array& array, F&& f) {
  constexpr size_t most = size_t{1} << 18;  // elements
  const size_t all = static_cast<size_t>(array.elements()), element = size_of(array.dtype);
  for (size_t at = 0; at < all; at += most) {
    const size_t n = std::min(most, all - at);
    const Array piece = Array::from(array.dtype, {static_cast<int64_t>(n)}, array.bytes.slice(at * element, n * element));
    f(piece.as_double());
    piece.bytes.let_go();
  }
}

}  // namespace

Statistics statistics_of(const Array& array) {
  Statistics s;
  s.minimum = std::numeric_limits<double>::infinity(), s.maximum = -s.minimum;
  double sum = 0;
  uint64_t finite = 0;
  each_piece(array, [&](const std::vector<double>& values) {
    for (double v : values) {
      if (!std::isfinite(v)) {
        ++s.nonfinite;
        continue;
      }
      s.minimum = std::min(s.minimum, v), s.maximum = std::max(s.maximum, v);
      sum += v;
      ++finite;
    }
  });
  if (finite == 0) s.minimum = s.maximum = 0;
  else s.mean = sum / static_cast<double>(finite);
  return s;
}

double largest_difference(const Array& a, const Array& b) {
  ensure(a.shape == b.shape, "arrays of unlike shapes have no difference");
  double worst = 0;
  size_t at = 0;
  each_piece(a, [&](const std::vector<double>& mine) {
    const size_t element = size_of(b.dtype);
    const Array piece = Array::from(b.dtype, {static_cast<int64_t>(mine.size())}, b.bytes.slice(at * element, mine.size() * element));
    const std::vector<double> theirs = piece.as_double();
    at += mine.size();
    for (size_t i = 0; i < mine.size(); ++i) {
      if (mine[i] == theirs[i] || (std::isnan(mine[i]) && std::isnan(theirs[i]))) continue;
      const double d = std::abs(mine[i] - theirs[i]);
      worst = std::max(worst, std::isfinite(d) ? d : std::numeric_limits<double>::infinity());
    }
    piece.bytes.let_go();
  });
  return worst;
}

void warn_of_nonfinite(const LayerBody& model, const std::string& file) {
  uint64_t all = 0, weights = 0;
  std::string first;
  for (const WeightGroup& g : weight_groups(model, false)) {
    if (g.again) continue;
    for (const auto& item : g.items) {
      const Tensor value = item.variable->read();
      const uint64_t n = files::count_nonfinite(value.dtype(), value.bytes());
      if (n > 0 && first.empty()) first = fmt::format("'{}' of {}", item.name, g.label);
      all += n, weights += n > 0;
    }
  }
  if (all > 0)
    memory::log(fmt::format("{}: {} value{} in {} weight{} {} NaN or infinite, first in {}", file, all, all == 1 ? "" : "s", weights,
                            weights == 1 ? "" : "s", all == 1 ? "is" : "are", first));
}

}  // namespace tenure::io

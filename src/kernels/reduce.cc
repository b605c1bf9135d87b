// Reductions: which axis, which split over threads. Splits depend on the sizes only, so sums are the same for any number of threads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/simd_reduce.h"
#include "kernels/simd_targets.h"

namespace tenure::kernels {
namespace {

constexpr int64_t strip = 128;  // columns of one piece of work
constexpr int64_t max_parts = 32;

template <class T>
constexpr bool is_real = std::numeric_limits<T>::is_iec559;
constexpr bool is_mean(Reduce op) noexcept { return op == Reduce::mean || op == Reduce::mean_squares; }
constexpr bool is_squares(Reduce op) noexcept { return op == Reduce::sum_squares || op == Reduce::mean_squares; }
constexpr bool is_extreme(Reduce op) noexcept { return op == Reduce::max || op == Reduce::min; }

template <class T>
T empty_value(Reduce op) noexcept {
  using L = std::numeric_limits<T>;
  switch (op) {
    case Reduce::prod: return T{1};
    case Reduce::max: return L::has_infinity ? -L::infinity() : L::lowest();
    case Reduce::min: return L::has_infinity ? L::infinity() : L::max();
    case Reduce::mean:
    case Reduce::mean_squares: return L::has_quiet_NaN ? L::quiet_NaN() : T{0};
    default: return T{0};
  }
}

/// How many pieces a length is cut into, and their size: a function of the length only.
struct Cut {
  int64_t parts, size;
  explicit Cut(int64_t n, int64_t least) noexcept {
    size = std::max(least, (n + max_parts - 1) / max_parts);
    size = (size + 2047) / 2048 * 2048;
    parts = (n + size - 1) / size;
  }
};

/// One long row.
template <class T>
T reduce_long_row(Reduce op, const T* x, int64_t n) noexcept {
  const auto& t = reduce_table<T>();
  const Cut cut(n, grain_elements);
  double sums[max_parts];
  T extremes[max_parts];
  parallel_for(cut.parts, 1, [&](int64_t b, int64_t e) {
    for (int64_t p = b; p < e; ++p) {
      const int64_t from = p * cut.size, count = std::min(cut.size, n - from);
      if (is_extreme(op)) extremes[p] = t.row_extreme(x + from, count, op == Reduce::min);
      else sums[p] = t.row_sum(x + from, count, is_squares(op));
    }
  });
  if (is_extreme(op)) return t.row_extreme(extremes, cut.parts, op == Reduce::min);
  double total = 0;
  for (int64_t p = 0; p < cut.parts; ++p) total += sums[p];
  return static_cast<T>(is_mean(op) ? total / static_cast<double>(n) : total);
}

template <class T>
void reduce_contiguous(Reduce op, const T* x, T* y, int64_t outer, int64_t n) noexcept {
  if (outer < 4 && n >= 4 * grain_elements) {
    for (int64_t o = 0; o < outer; ++o) y[o] = reduce_long_row(op, x + o * n, n);
    return;
  }
  const auto& t = reduce_table<T>();
  parallel_for(outer, grain_rows(n), [&](int64_t b, int64_t e) {
    for (int64_t o = b; o < e; ++o) {
      if (is_extreme(op)) {
        y[o] = t.row_extreme(x + o * n, n, op == Reduce::min);
      } else {
        const double s = t.row_sum(x + o * n, n, is_squares(op));
        y[o] = static_cast<T>(is_mean(op) ? s / static_cast<double>(n) : s);
      }
    }
  });
}

/// Columns [0, cols) of rows [from, to) of one matrix.
template <class T>
void column_piece(Reduce op, const T* x, int64_t stride, int64_t rows, int64_t cols, T* y) noexcept {
  const auto& t = reduce_table<T>();
  if (is_extreme(op)) t.column_extreme(x, stride, rows, cols, op == Reduce::min, y);
  else t.column_sum(x, stride, rows, cols, is_squares(op), y);
}

/// One strip of columns, long: row pieces in parallel, then merged in order.
template <class T>
void reduce_long_strip(Reduce op, const T* x, int64_t stride, int64_t rows, int64_t cols, T* y) noexcept {
  T parts[max_parts][strip];
  const int64_t size = std::max<int64_t>(64, ((rows + max_parts - 1) / max_parts + 63) / 64 * 64), count = (rows + size - 1) / size;
  parallel_for(count, 1, [&](int64_t b, int64_t e) {
    for (int64_t p = b; p < e; ++p) column_piece(op, x + p * size * stride, stride, std::min(size, rows - p * size), cols, parts[p]);
  });
  const Reduce merge = is_extreme(op) ? op : Reduce::sum;
  column_piece(merge, parts[0], strip, count, cols, y);
}

template <class T>
void reduce_strips(Reduce op, const T* x, T* y, int64_t outer, int64_t n, int64_t inner) noexcept {
  const int64_t strips = (inner + strip - 1) / strip, units = outer * strips;
  const bool cut = units < 4 && n * std::min(inner, strip) >= 4 * grain_elements;
  const auto unit = [&](int64_t u) {
    const int64_t o = u / strips, c = u % strips * strip, cols = std::min(strip, inner - c);
    const T* from = x + o * n * inner + c;
    T* to = y + o * inner + c;
    if (cut) reduce_long_strip(op, from, inner, n, cols, to);
    else column_piece(op, from, inner, n, cols, to);
    if (is_mean(op))
      for (int64_t i = 0; i < cols; ++i) to[i] /= static_cast<T>(n);
  };
  if (cut) {
    for (int64_t u = 0; u < units; ++u) unit(u);
  } else {
    parallel_for(units, grain_rows(n * std::min(inner, strip)), [&](int64_t b, int64_t e) {
      for (int64_t u = b; u < e; ++u) unit(u);
    });
  }
}

/// Every type, every op: integers wrap.
template <class T>
T combine(Reduce op, T a, T v) noexcept {
  using U = std::conditional_t<is_real<T>, T, uint64_t>;
  switch (op) {
    case Reduce::prod: return static_cast<T>(static_cast<U>(a) * static_cast<U>(v));
    case Reduce::max: return v > a ? v : a;
    case Reduce::min: return v < a ? v : a;
    case Reduce::sum_squares:
    case Reduce::mean_squares: return static_cast<T>(static_cast<U>(a) + static_cast<U>(v) * static_cast<U>(v));
    default: return static_cast<T>(static_cast<U>(a) + static_cast<U>(v));
  }
}
template <class T>
T mean_of(T total, int64_t n) noexcept {
  if constexpr (is_real<T>) return total / static_cast<T>(n);
  else if constexpr (std::is_same_v<T, uint64_t>) return total / static_cast<uint64_t>(n);
  else return static_cast<T>(static_cast<int64_t>(total) / n);
}
template <class T>
void reduce_plain(Reduce op, const T* x, T* y, int64_t outer, int64_t n, int64_t inner) noexcept {
  parallel_for(outer, grain_rows(n * inner), [&](int64_t b, int64_t e) {
    for (int64_t o = b; o < e; ++o) {
      T* to = y + o * inner;
      std::fill_n(to, inner, is_mean(op) ? T{0} : empty_value<T>(op));
      for (int64_t i = 0; i < n; ++i) {
        const T* row = x + (o * n + i) * inner;
        for (int64_t j = 0; j < inner; ++j) to[j] = combine(op, to[j], row[j]);
      }
      if (is_mean(op))
        for (int64_t j = 0; j < inner; ++j) to[j] = mean_of(to[j], n);
    }
  });
}

}  // namespace

template <class T>
void reduce(Reduce op, const T* x, T* y, int64_t outer, int64_t n, int64_t inner) noexcept {
  if (outer <= 0 || inner <= 0) return;
  if (n <= 0) {
    std::fill_n(y, outer * inner, empty_value<T>(op));
    return;
  }
  if constexpr (is_real<T>) {
    if (op != Reduce::prod) return inner == 1 ? reduce_contiguous(op, x, y, outer, n) : reduce_strips(op, x, y, outer, n, inner);
  }
  reduce_plain(op, x, y, outer, n, inner);
}

template <class T>
T sum(const T* x, int64_t n) noexcept {
  T y = 0;
  reduce(Reduce::sum, x, &y, 1, n, 1);
  return y;
}

template <class T>
T dot(const T* a, const T* b, int64_t n) noexcept {
  const auto& t = reduce_table<T>();
  if (n < 4 * grain_elements) return static_cast<T>(t.dot(a, b, n));
  const Cut cut(n, grain_elements);
  double parts[max_parts], total = 0;
  parallel_for(cut.parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) parts[p] = t.dot(a + p * cut.size, b + p * cut.size, std::min(cut.size, n - p * cut.size));
  });
  for (int64_t p = 0; p < cut.parts; ++p) total += parts[p];
  return static_cast<T>(total);
}

template <class T>
void dot_rows(const T* a, const T* b, T* y, int64_t rows, int64_t n) noexcept {
  const auto& t = reduce_table<T>();
  parallel_for(rows, grain_rows(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) y[r] = static_cast<T>(t.dot(a + r * n, b + r * n, n));
  });
}

template <class T>
void arg_max(const T* x, int32_t* y, int64_t outer, int64_t n, int64_t inner, bool least) noexcept {
  if (n <= 0) {
    std::fill_n(y, outer * inner, 0);
    return;
  }
  parallel_for(outer, grain_rows(n * inner), [&](int64_t b, int64_t e) {
    for (int64_t o = b; o < e; ++o) {
      const T* from = x + o * n * inner;
      int32_t* to = y + o * inner;
      if constexpr (is_real<T>) {
        if (inner == 1 && n >= 16) {
          const auto& t = reduce_table<T>();
          *to = static_cast<int32_t>(t.find(from, n, t.row_extreme(from, n, least)));
          continue;
        }
      }
      std::fill_n(to, inner, 0);
      for (int64_t i = 1; i < n; ++i) {
        for (int64_t j = 0; j < inner; ++j) {
          const T best = from[to[j] * inner + j], v = from[i * inner + j];
          const bool better = best != best ? false : v != v ? true : least ? v < best : v > best;
          if (better) to[j] = static_cast<int32_t>(i);
        }
      }
    }
  });
}

template float sum(const float*, int64_t) noexcept;
template double sum(const double*, int64_t) noexcept;
template float dot(const float*, const float*, int64_t) noexcept;
template double dot(const double*, const double*, int64_t) noexcept;
template void dot_rows(const float*, const float*, float*, int64_t, int64_t) noexcept;
template void dot_rows(const double*, const double*, double*, int64_t, int64_t) noexcept;

template void reduce(Reduce, const float*, float*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const float*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const double*, double*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const double*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const int8_t*, int8_t*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const int8_t*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const uint8_t*, uint8_t*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const uint8_t*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const int16_t*, int16_t*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const int16_t*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const int32_t*, int32_t*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const int32_t*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const int64_t*, int64_t*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const int64_t*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const uint32_t*, uint32_t*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const uint32_t*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;
template void reduce(Reduce, const uint64_t*, uint64_t*, int64_t, int64_t, int64_t) noexcept;
template void arg_max(const uint64_t*, int32_t*, int64_t, int64_t, int64_t, bool) noexcept;

}  // namespace tenure::kernels

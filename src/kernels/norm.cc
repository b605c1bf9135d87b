// Softmax and normalization: how the work is split. Column sums are cut by size only, so they are the same for any number of threads.
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/simd_norm.h"
#include "kernels/simd_reduce.h"
#include "kernels/simd_targets.h"

namespace tenure::kernels {
namespace {

constexpr int64_t strip = 128, block = 64, max_parts = 16;

/// Rows of a strip cut into at most max_parts pieces of whole blocks; one piece where other strips occupy the threads.
struct RowCut {
  int64_t parts = 1, size;
  RowCut(int64_t rows, int64_t cols) noexcept : size(std::max<int64_t>(rows, 1)) {
    if (cols > 3 * strip || rows * cols < 4 * grain_elements) return;
    size = std::max(block, ((rows + max_parts - 1) / max_parts + block - 1) / block * block);
    parts = (rows + size - 1) / size;
  }
};

/// Calls unit(strip column, columns, part, first row, rows) for all strips and parts in parallel.
template <class F>
void each_unit(int64_t rows, int64_t cols, const RowCut& cut, int64_t first_strip, int64_t strips, F unit) noexcept {
  parallel_for(strips * cut.parts, cut.parts > 1 ? 1 : grain_rows(rows * std::min(cols, strip)), [&](int64_t b, int64_t e) {
    for (int64_t u = b; u < e; ++u) {
      const int64_t c = (first_strip + u / cut.parts) * strip, p = u % cut.parts, from = p * cut.size;
      unit(c, std::min(strip, cols - c), p, from, std::min(cut.size, rows - from));
    }
  });
}

/// One part of one strip.
struct Pair {
  double first[strip], second[strip];
};

/// Fills out1, out2 [cols] with two sums a column; sums(row, rows, column, columns, s, q) gives those of at most 64 rows.
template <class T, class Sums>
void column_pairs(int64_t rows, int64_t cols, T* out1, T* out2, Sums sums) noexcept {
  const RowCut cut(rows, cols);
  const auto piece = [&](int64_t c, int64_t n, int64_t from, int64_t count, Pair& to) {
    T s[strip], q[strip];
    std::fill_n(to.first, n, 0.0);
    std::fill_n(to.second, n, 0.0);
    for (int64_t r = 0; r < count; r += block) {
      sums(from + r, std::min(block, count - r), c, n, s, q);
      for (int64_t i = 0; i < n; ++i) to.first[i] += s[i], to.second[i] += q[i];
    }
  };
  const auto store = [&](int64_t c, int64_t n, const Pair& p) {
    for (int64_t i = 0; i < n && out1; ++i) out1[c + i] = static_cast<T>(p.first[i]);
    for (int64_t i = 0; i < n && out2; ++i) out2[c + i] = static_cast<T>(p.second[i]);
  };
  const int64_t strips = (cols + strip - 1) / strip;
  if (cut.parts == 1) {
    each_unit(rows, cols, cut, 0, strips, [&](int64_t c, int64_t n, int64_t, int64_t from, int64_t count) {
      Pair p;
      piece(c, n, from, count, p);
      store(c, n, p);
    });
    return;
  }
  Pair parts[max_parts];
  for (int64_t k = 0; k < strips; ++k) {
    each_unit(rows, cols, cut, k, 1, [&](int64_t c, int64_t n, int64_t p, int64_t from, int64_t count) { piece(c, n, from, count, parts[p]); });
    const int64_t c = k * strip, n = std::min(strip, cols - c);
    for (int64_t p = 1; p < cut.parts; ++p)
      for (int64_t i = 0; i < n; ++i) parts[0].first[i] += parts[p].first[i], parts[0].second[i] += parts[p].second[i];
    store(c, n, parts[0]);
  }
}

/// Mean and sum of squared differences of a group, and of two groups together (Chan, Golub, LeVeque 1979).
void merge_moments(double na, double* mean, double* squares, double nb, const double* mean_b, const double* squares_b, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    const double delta = mean_b[i] - mean[i], total = na + nb;
    mean[i] += delta * nb / total;
    squares[i] += squares_b[i] + delta * delta * na * nb / total;
  }
}

template <class T>
void strip_moments(const T* x, int64_t stride, int64_t rows, int64_t n, Pair& to) noexcept {
  const auto& table = norm_table<T>();
  T shift[strip], s[strip], q[strip];
  Pair b;
  for (int64_t r = 0; r < rows; r += block) {
    const int64_t count = std::min(block, rows - r);
    reduce_table<T>().column_sum(x + r * stride, stride, count, n, false, shift);
    for (int64_t i = 0; i < n; ++i) shift[i] /= static_cast<T>(count);
    table.shifted_sums(x + r * stride, shift, stride, count, n, s, q);
    for (int64_t i = 0; i < n; ++i) {
      const double off = s[i];
      b.first[i] = shift[i] + off / static_cast<double>(count);
      b.second[i] = std::max(0.0, q[i] - off * off / static_cast<double>(count));
    }
    if (r == 0) {
      std::copy_n(b.first, n, to.first);
      std::copy_n(b.second, n, to.second);
    } else {
      merge_moments(static_cast<double>(r), to.first, to.second, static_cast<double>(count), b.first, b.second, n);
    }
  }
}

}  // namespace

template <class T>
void softmax(const T* x, T* y, int64_t rows, int64_t n) noexcept {
  if (n <= 0) return;
  parallel_for(rows, grain_rows(2 * n), [=](int64_t b, int64_t e) { norm_table<T>().softmax(x + b * n, y + b * n, e - b, n, false); });
}
template <class T>
void log_softmax(const T* x, T* y, int64_t rows, int64_t n) noexcept {
  if (n <= 0) return;
  parallel_for(rows, grain_rows(2 * n), [=](int64_t b, int64_t e) { norm_table<T>().softmax(x + b * n, y + b * n, e - b, n, true); });
}
template <class T>
void softmax_grad(const T* dy, const T* y, T* dx, int64_t rows, int64_t n) noexcept {
  parallel_for(rows, grain_rows(n), [=](int64_t b, int64_t e) { norm_table<T>().softmax_grad(dy + b * n, y + b * n, dx + b * n, e - b, n, false); });
}
template <class T>
void log_softmax_grad(const T* dy, const T* y, T* dx, int64_t rows, int64_t n) noexcept {
  parallel_for(rows, grain_rows(n), [=](int64_t b, int64_t e) { norm_table<T>().softmax_grad(dy + b * n, y + b * n, dx + b * n, e - b, n, true); });
}
template <class T>
void log_sum_exp(const T* x, T* y, int64_t rows, int64_t n) noexcept {
  if (n <= 0) return std::fill_n(y, rows, static_cast<T>(-INFINITY)), void();
  parallel_for(rows, grain_rows(n), [=](int64_t b, int64_t e) { norm_table<T>().log_sum_exp(x + b * n, y + b, e - b, n); });
}

template <class T>
void layer_norm(const T* x, const T* gamma, const T* beta, T eps, T* y, T* mean, T* rstd, int64_t rows, int64_t n) noexcept {
  if (n <= 0) return;
  parallel_for(rows, grain_rows(n), [=](int64_t b, int64_t e) {
    norm_table<T>().layer_norm(x + b * n, gamma, beta, eps, y + b * n, mean ? mean + b : nullptr, rstd ? rstd + b : nullptr, e - b, n);
  });
}
template <class T>
void layer_norm_grad(const T* dy, const T* x, const T* gamma, const T* mean, const T* rstd, T* dx, T* dgamma, T* dbeta, int64_t rows,
                     int64_t n) noexcept {
  const auto& t = norm_table<T>();
  if (dgamma || dbeta) {
    column_pairs(rows, n, dbeta, dgamma, [=, &t](int64_t r, int64_t count, int64_t c, int64_t cols, T* s, T* q) {
      t.row_grad_sums(dy + r * n + c, x + r * n + c, mean + r, rstd + r, n, count, cols, s, q);
    });
  }
  if (!dx) return;
  parallel_for(rows, grain_rows(n),
               [=, &t](int64_t b, int64_t e) { t.layer_norm_dx(dy + b * n, x + b * n, gamma, mean + b, rstd + b, dx + b * n, e - b, n); });
}
template <class T>
void row_moments(const T* x, T* mean, T* variance, int64_t rows, int64_t n) noexcept {
  parallel_for(rows, grain_rows(n), [=](int64_t b, int64_t e) {
    norm_table<T>().row_moments(x + b * n, mean ? mean + b : nullptr, variance ? variance + b : nullptr, e - b, n);
  });
}

template <class T>
void channel_moments(const T* x, T* mean, T* variance, int64_t rows, int64_t channels) noexcept {
  const RowCut cut(rows, channels);
  const int64_t strips = (channels + strip - 1) / strip;
  const auto store = [&](int64_t c, int64_t n, const Pair& p) {
    for (int64_t i = 0; i < n && mean; ++i) mean[c + i] = static_cast<T>(p.first[i]);
    for (int64_t i = 0; i < n && variance; ++i) variance[c + i] = static_cast<T>(p.second[i] / static_cast<double>(rows));
  };
  if (rows <= 0) {
    if (mean) std::fill_n(mean, channels, static_cast<T>(NAN));
    if (variance) std::fill_n(variance, channels, static_cast<T>(NAN));
    return;
  }
  if (cut.parts == 1) {
    each_unit(rows, channels, cut, 0, strips, [&](int64_t c, int64_t n, int64_t, int64_t, int64_t) {
      Pair p;
      strip_moments(x + c, channels, rows, n, p);
      store(c, n, p);
    });
    return;
  }
  Pair parts[max_parts];
  for (int64_t k = 0; k < strips; ++k) {
    each_unit(rows, channels, cut, k, 1, [&](int64_t c, int64_t n, int64_t p, int64_t from, int64_t count) {
      strip_moments(x + from * channels + c, channels, count, n, parts[p]);
    });
    const int64_t c = k * strip, n = std::min(strip, channels - c);
    for (int64_t p = 1; p < cut.parts; ++p) {
      const int64_t before = p * cut.size, count = std::min(cut.size, rows - before);
      merge_moments(static_cast<double>(before), parts[0].first, parts[0].second, static_cast<double>(count), parts[p].first, parts[p].second, n);
    }
    store(c, n, parts[0]);
  }
}

template <class T>
void scale_shift(const T* x, const T* scale, const T* shift, T* y, int64_t rows, int64_t channels, bool relu) noexcept {
  parallel_for(rows, grain_rows(channels),
               [=](int64_t b, int64_t e) { norm_table<T>().scale_shift(x + b * channels, scale, shift, y + b * channels, e - b, channels, relu); });
}
template <class T>
void channel_grad_sums(const T* dy, const T* x, const T* mean, const T* rstd, T* sum_dy, T* sum_dy_xhat, int64_t rows, int64_t channels) noexcept {
  const auto& t = norm_table<T>();
  column_pairs(rows, channels, sum_dy, sum_dy_xhat, [=, &t](int64_t r, int64_t count, int64_t c, int64_t cols, T* s, T* q) {
    t.grad_sums(dy + r * channels + c, x + r * channels + c, mean + c, channels, count, cols, s, q);
    for (int64_t i = 0; i < cols; ++i) q[i] *= rstd[c + i];
  });
}
template <class T>
void batch_norm_grad(const T* dy, const T* x, const T* gamma, const T* mean, const T* rstd, const T* sum_dy, const T* sum_dy_xhat, T* dx,
                     int64_t rows, int64_t channels) noexcept {
  const auto& table = norm_table<T>();
  for (int64_t c = 0; c < channels; c += strip) {
    const int64_t n = std::min(strip, channels - c);
    T a[strip], b[strip], t[strip];
    for (int64_t i = 0; i < n; ++i) {
      a[i] = (gamma ? gamma[c + i] : T{1}) * rstd[c + i];
      b[i] = -a[i] * rstd[c + i] * sum_dy_xhat[c + i] / static_cast<T>(rows);
      t[i] = -a[i] * sum_dy[c + i] / static_cast<T>(rows);
    }
    parallel_for(rows, grain_rows(n), [&](int64_t from, int64_t to) {
      const int64_t at = from * channels + c;
      table.blend(dy + at, x + at, mean + c, a, b, t, dx + at, channels, to - from, n);
    });
  }
}

template void softmax(const float*, float*, int64_t, int64_t) noexcept;
template void log_softmax(const float*, float*, int64_t, int64_t) noexcept;
template void softmax_grad(const float*, const float*, float*, int64_t, int64_t) noexcept;
template void log_softmax_grad(const float*, const float*, float*, int64_t, int64_t) noexcept;
template void log_sum_exp(const float*, float*, int64_t, int64_t) noexcept;
template void layer_norm(const float*, const float*, const float*, float, float*, float*, float*, int64_t, int64_t) noexcept;
template void layer_norm_grad(const float*, const float*, const float*, const float*, const float*, float*, float*, float*, int64_t,
                              int64_t) noexcept;
template void row_moments(const float*, float*, float*, int64_t, int64_t) noexcept;
template void channel_moments(const float*, float*, float*, int64_t, int64_t) noexcept;
template void scale_shift(const float*, const float*, const float*, float*, int64_t, int64_t, bool) noexcept;
template void channel_grad_sums(const float*, const float*, const float*, const float*, float*, float*, int64_t, int64_t) noexcept;
template void batch_norm_grad(const float*, const float*, const float*, const float*, const float*, const float*, const float*, float*, int64_t,
                              int64_t) noexcept;
template void softmax(const double*, double*, int64_t, int64_t) noexcept;
template void log_softmax(const double*, double*, int64_t, int64_t) noexcept;
template void softmax_grad(const double*, const double*, double*, int64_t, int64_t) noexcept;
template void log_softmax_grad(const double*, const double*, double*, int64_t, int64_t) noexcept;
template void log_sum_exp(const double*, double*, int64_t, int64_t) noexcept;
template void layer_norm(const double*, const double*, const double*, double, double*, double*, double*, int64_t, int64_t) noexcept;
template void layer_norm_grad(const double*, const double*, const double*, const double*, const double*, double*, double*, double*, int64_t,
                              int64_t) noexcept;
template void row_moments(const double*, double*, double*, int64_t, int64_t) noexcept;
template void channel_moments(const double*, double*, double*, int64_t, int64_t) noexcept;
template void scale_shift(const double*, const double*, const double*, double*, int64_t, int64_t, bool) noexcept;
template void channel_grad_sums(const double*, const double*, const double*, const double*, double*, double*, int64_t, int64_t) noexcept;
template void batch_norm_grad(const double*, const double*, const double*, const double*, const double*, const double*, const double*, double*,
                              int64_t, int64_t) noexcept;

}  // namespace tenure::kernels

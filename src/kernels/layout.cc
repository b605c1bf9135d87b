// Moving bytes: fill, copy, transposition, permutation, rows by index.
#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "kernels/kernels.h"
#include "kernels/simd_targets.h"

namespace tenure::kernels {
namespace {

/// Calls f(T*) with an unsigned type of `size` bytes.
template <class F>
void with_size(size_t size, F f) noexcept {
  switch (size) {
    case 1: return f(static_cast<uint8_t*>(nullptr));
    case 2: return f(static_cast<uint16_t*>(nullptr));
    case 4: return f(static_cast<uint32_t*>(nullptr));
    default: return f(static_cast<uint64_t*>(nullptr));
  }
}

/// y[c * y_stride + r] = x[r * x_stride + c] in tiles that fit the first cache.
template <class T>
void transpose_tile(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows, int64_t cols) noexcept {
  constexpr int64_t tile = sizeof(T) >= 8 ? 8 : 16;
  for (int64_t r0 = 0; r0 < rows; r0 += tile) {
    const int64_t r1 = std::min(rows, r0 + tile);
    for (int64_t c0 = 0; c0 < cols; c0 += tile) {
      const int64_t c1 = std::min(cols, c0 + tile);
      for (int64_t c = c0; c < c1; ++c)
        for (int64_t r = r0; r < r1; ++r) y[c * y_stride + r] = x[r * x_stride + c];
    }
  }
}

/// A permutation with axes of size 1 gone and neighbours that stay together merged; strides in elements.
struct Plan {
  int rank = 0;
  int64_t dims[8], from[8], to[8];  // of the output's axes: size, stride in x, stride in y

  Plan(const int64_t* x_dims, const int* axes, int n) noexcept {
    int64_t stride[8], s = 1;
    for (int i = n - 1; i >= 0; --i) {
      stride[i] = s;
      s *= x_dims[i];
    }
    for (int i = 0; i < n; ++i) {
      const int a = axes[i];
      if (x_dims[a] == 1) continue;
      if (rank > 0 && from[rank - 1] == stride[a] * x_dims[a]) {
        dims[rank - 1] *= x_dims[a];
        from[rank - 1] = stride[a];
        continue;
      }
      dims[rank] = x_dims[a];
      from[rank++] = stride[a];
    }
    s = 1;
    for (int i = rank - 1; i >= 0; --i) {
      to[i] = s;
      s *= dims[i];
    }
  }
};

/// Walks all index tuples of `rank` axes, [begin, end) of them, with the offsets in x and y.
template <class F>
void walk(const Plan& p, const int* axes, int rank, int64_t begin, int64_t end, F f) noexcept {
  int64_t at[8] = {}, x = 0, y = 0, rest = begin;
  for (int i = rank - 1; i >= 0; --i) {
    const int a = axes[i];
    at[i] = rest % p.dims[a];
    rest /= p.dims[a];
    x += at[i] * p.from[a];
    y += at[i] * p.to[a];
  }
  for (int64_t k = begin; k < end; ++k) {
    f(x, y);
    for (int i = rank - 1; i >= 0; --i) {
      const int a = axes[i];
      x += p.from[a];
      y += p.to[a];
      if (++at[i] < p.dims[a]) break;
      x -= at[i] * p.from[a];
      y -= at[i] * p.to[a];
      at[i] = 0;
    }
  }
}

/// The last axis of y runs along x as well: rows are copied.
template <class T>
void permute_rows(const Plan& p, const T* x, T* y) noexcept {
  const int last = p.rank - 1;
  int axes[8];
  int64_t n = 1;
  for (int i = 0; i < last; ++i) {
    axes[i] = i;
    n *= p.dims[i];
  }
  const int64_t row = p.dims[last];
  parallel_for(n, grain_rows(row), [&](int64_t b, int64_t e) {
    walk(p, axes, last, b, e, [&](int64_t from, int64_t to) {
      if (row <= 4) {
        for (int64_t i = 0; i < row; ++i) y[to + i] = x[from + i];
      } else {
        std::memcpy(y + to, x + from, static_cast<size_t>(row) * sizeof(T));
      }
    });
  });
}

/// x's last axis is another one of y: planes of these two axes are transposed in tiles.
template <class T>
void permute_planes(const Plan& p, const T* x, T* y) noexcept {
  const int last = p.rank - 1;
  int inner = 0;
  while (inner < last && p.from[inner] != 1) ++inner;
  int axes[8], others = 0;
  int64_t planes = 1;
  for (int i = 0; i < last; ++i) {
    if (i == inner) continue;
    axes[others++] = i;
    planes *= p.dims[i];
  }
  const int64_t rows = p.dims[last], cols = p.dims[inner], stripe = 64, stripes = (cols + stripe - 1) / stripe;
  parallel_for(planes * stripes, grain_rows(rows * std::min(cols, stripe)), [&](int64_t b, int64_t e) {
    for (int64_t u = b; u < e; ++u) {
      const int64_t c = u % stripes * stripe;
      walk(p, axes, others, u / stripes, u / stripes + 1, [&](int64_t from, int64_t to) {
        transpose_tile(x + from + c, p.from[last], y + to + c * p.to[inner], p.to[inner], rows, std::min(stripe, cols - c));
      });
    }
  });
}

}  // namespace

void fill(const void* value, size_t size, void* y, int64_t n) noexcept {
  with_size(size, [&]<class T>(T*) {
    T v;
    std::memcpy(&v, value, sizeof(T));
    T* to = static_cast<T*>(y);
    parallel_for(n, 4 * grain_elements, [=](int64_t b, int64_t e) { std::fill(to + b, to + e, v); });
  });
}

void copy(const void* x, void* y, size_t bytes) noexcept {
  if (x == y) return;
  parallel_for(static_cast<int64_t>(bytes), 16 * grain_elements,
               [=](int64_t b, int64_t e) { std::memcpy(static_cast<char*>(y) + b, static_cast<const char*>(x) + b, static_cast<size_t>(e - b)); });
}

void permute(const void* x, void* y, const int64_t* dims, const int* axes, int rank, size_t size) noexcept {
  int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dims[i];
  if (n <= 0) return;
  const Plan p(dims, axes, rank);
  if (p.rank <= 1) return copy(x, y, static_cast<size_t>(n) * size);
  with_size(size, [&]<class T>(T*) {
    if (p.from[p.rank - 1] == 1) permute_rows(p, static_cast<const T*>(x), static_cast<T*>(y));
    else permute_planes(p, static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void transpose(const void* x, void* y, int64_t rows, int64_t cols, size_t size) noexcept {
  const int64_t dims[2] = {rows, cols};
  const int axes[2] = {1, 0};
  permute(x, y, dims, axes, 2, size);
}

template <class Index>
Status gather_rows(const void* table, int64_t rows, size_t row_bytes, const Index* index, int64_t n, void* y) noexcept {
  for (int64_t i = 0; i < n; ++i)
    if (index[i] < 0 || index[i] >= rows) return {Status::index_out_of_range, i, static_cast<double>(index[i])};
  parallel_for(n, grain_rows(static_cast<int64_t>(row_bytes / 4 + 1)), [=](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i)
      std::memcpy(static_cast<char*>(y) + static_cast<size_t>(i) * row_bytes,
                  static_cast<const char*>(table) + static_cast<size_t>(index[i]) * row_bytes, row_bytes);
  });
  return {};
}

template <class T, class Index>
Status scatter_add_rows(T* table, int64_t rows, int64_t cols, const Index* index, int64_t n, const T* x) noexcept {
  for (int64_t i = 0; i < n; ++i)
    if (index[i] < 0 || index[i] >= rows) return {Status::index_out_of_range, i, static_cast<double>(index[i])};
  parallel_for(cols, std::max<int64_t>(16, grain_rows(n)), [=](int64_t b, int64_t e) {
    for (int64_t i = 0; i < n; ++i) {
      T* to = table + static_cast<int64_t>(index[i]) * cols;
      for (int64_t c = b; c < e; ++c) to[c] += x[i * cols + c];
    }
  });
  return {};
}

template Status gather_rows(const void*, int64_t, size_t, const int32_t*, int64_t, void*) noexcept;
template Status gather_rows(const void*, int64_t, size_t, const int64_t*, int64_t, void*) noexcept;
template Status scatter_add_rows(float*, int64_t, int64_t, const int32_t*, int64_t, const float*) noexcept;
template Status scatter_add_rows(float*, int64_t, int64_t, const int64_t*, int64_t, const float*) noexcept;
template Status scatter_add_rows(double*, int64_t, int64_t, const int32_t*, int64_t, const double*) noexcept;
template Status scatter_add_rows(double*, int64_t, int64_t, const int64_t*, int64_t, const double*) noexcept;

}  // namespace tenure::kernels

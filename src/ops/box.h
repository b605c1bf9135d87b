// Moving boxes of elements between layouts: what slices, joins, pads, broadcasts and flips have in common. Owns nothing.
#pragma once

#include <cstring>

#include <tenure/dtype.h>

#include "base/parallel.h"

namespace tenure::ops {

/// Where a box of elements starts in its memory, and how far its axes step; both in elements. Steps may be 0 (broadcast) or negative.
struct Box {
  int64_t offset = 0;
  int64_t step[Shape::max_rank] = {};
};
/// The row-major layout of `shape`.
Box row_major(const Shape& shape) noexcept;
/// The part of a row-major `shape` that begins at `start`; null: at the origin.
Box part_of(const Shape& shape, const int64_t* start) noexcept;

/// to[b] = from[a] for a box of `sizes` elements of `size` bytes (1, 2, 4 or 8). The two memories must not overlap.
void copy_box(const Shape& sizes, const void* from, const Box& a, void* to, const Box& b, size_t size) noexcept;

/// Product of the sizes [from, to); -1 if one is not known.
inline int64_t product(const Shape& s, int from, int to) noexcept {
  int64_t n = 1;
  for (int i = from; i < to; ++i) n = s[i] < 0 || n < 0 ? -1 : n * s[i];
  return n;
}

/// Calls f(y_row, x_row) for every row of the first `axes` axes of `ys`: x_row is the row of `xs` that map(axis, index) names, or -1.
/// Rows are visited in order; [begin, end) limits them.
template <class Map, class F>
void for_mapped_rows(const Shape& xs, const Shape& ys, int axes, int64_t begin, int64_t end, Map&& map, F&& f) noexcept {
  if (begin >= end) return;  // a size may be 0 then
  int64_t at[Shape::max_rank] = {}, rest = begin;
  for (int i = axes - 1; i >= 0; --i) at[i] = rest % ys[i], rest /= ys[i];
  for (int64_t row = begin; row < end; ++row) {
    int64_t source = 0;
    for (int i = 0; i < axes && source >= 0; ++i) {
      int64_t k = map(i, at[i]);
      source = k < 0 ? -1 : source * xs[i] + k;
    }
    f(row, source);
    for (int i = axes - 1; i >= 0 && ++at[i] == ys[i]; --i) at[i] = 0;
  }
}

/// y's rows of `block` bytes from x's by `map`, in parallel. Every row must have a source.
template <class Map>
void gather_mapped(const Shape& xs, const Shape& ys, int axes, size_t block, const void* x, void* y, Map&& map) noexcept {
  int64_t rows = product(ys, 0, axes);
  if (block == 0) return;
  parallel_for(rows, static_cast<int64_t>(1 + 65536 / block), [&](int64_t begin, int64_t end) {
    for_mapped_rows(xs, ys, axes, begin, end, map, [&](int64_t row, int64_t source) {
      std::memcpy(static_cast<std::byte*>(y) + static_cast<size_t>(row) * block,
                  static_cast<const std::byte*>(x) + static_cast<size_t>(source) * block, block);
    });
  });
}

}  // namespace tenure::ops

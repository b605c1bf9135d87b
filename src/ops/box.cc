#include "ops/box.h"

#include "kernels/kernels.h"

namespace tenure::ops {

Box row_major(const Shape& shape) noexcept { return part_of(shape, nullptr); }

Box part_of(const Shape& shape, const int64_t* start) noexcept {
  Box b;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    b.step[i] = step;
    if (start) b.offset += start[i] * step;
    step *= shape[i];
  }
  return b;
}

namespace {

// A box with sizes of 1 dropped and neighbours joined where both layouts allow it.
struct Collapsed {
  int rank = 0;
  int64_t size[Shape::max_rank], a[Shape::max_rank], b[Shape::max_rank];
};

Collapsed collapse(const Shape& sizes, const Box& a, const Box& b) noexcept {
  Collapsed p;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == 1) continue;
    int last = p.rank - 1;
    if (last >= 0 && p.a[last] == a.step[i] * sizes[i] && p.b[last] == b.step[i] * sizes[i]) {
      p.size[last] *= sizes[i];
      p.a[last] = a.step[i];
      p.b[last] = b.step[i];
    } else {
      p.size[p.rank] = sizes[i];
      p.a[p.rank] = a.step[i];
      p.b[p.rank++] = b.step[i];
    }
  }
  if (p.rank == 0) p.rank = 1, p.size[0] = p.a[0] = p.b[0] = 1;
  return p;
}

template <class T>
void copy_steps(const std::byte* from, int64_t a, std::byte* to, int64_t b, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i)
    std::memcpy(to + i * b * static_cast<int64_t>(sizeof(T)), from + i * a * static_cast<int64_t>(sizeof(T)), sizeof(T));
}

void copy_row(const std::byte* from, int64_t a, std::byte* to, int64_t b, int64_t n, size_t size) noexcept {
  if (a == 1 && b == 1) std::memcpy(to, from, static_cast<size_t>(n) * size);
  else if (a == 0 && b == 1) kernels::fill(from, size, to, n);
  else if (size == 1) copy_steps<uint8_t>(from, a, to, b, n);
  else if (size == 2) copy_steps<uint16_t>(from, a, to, b, n);
  else if (size == 4) copy_steps<uint32_t>(from, a, to, b, n);
  else copy_steps<uint64_t>(from, a, to, b, n);
}

}  // namespace

void copy_box(const Shape& sizes, const void* from, const Box& a, void* to, const Box& b, size_t size) noexcept {
  if (sizes.elements() == 0) return;
  const Collapsed p = collapse(sizes, a, b);
  const auto bytes = static_cast<int64_t>(size);
  const std::byte* x = static_cast<const std::byte*>(from) + a.offset * bytes;
  std::byte* y = static_cast<std::byte*>(to) + b.offset * bytes;
  const int last = p.rank - 1;
  int64_t rows = 1;
  for (int i = 0; i < last; ++i) rows *= p.size[i];
  parallel_for(rows, 1 + 65536 / (p.size[last] * bytes), [&](int64_t begin, int64_t end) {
    int64_t at[Shape::max_rank] = {}, rest = begin, ia = 0, ib = 0;
    for (int i = last - 1; i >= 0; --i) {
      at[i] = rest % p.size[i];
      rest /= p.size[i];
      ia += at[i] * p.a[i];
      ib += at[i] * p.b[i];
    }
    for (int64_t row = begin; row < end; ++row) {
      copy_row(x + ia * bytes, p.a[last], y + ib * bytes, p.b[last], p.size[last], size);
      for (int i = last - 1; i >= 0; --i) {
        ia += p.a[i];
        ib += p.b[i];
        if (++at[i] < p.size[i]) break;
        ia -= p.a[i] * p.size[i];
        ib -= p.b[i] * p.size[i];
        at[i] = 0;
      }
    }
  });
}

}  // namespace tenure::ops

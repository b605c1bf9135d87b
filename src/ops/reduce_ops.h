// Shared by the files of reductions.
#pragma once

#include "ops/helpers.h"

namespace tenure::ops {

/// Attributes of a reduction.
struct Reduction {
  AxisSet axis;
  bool keepdims = false;
};
template <class V>
void fields(V& v, Reduction& a) {
  std::vector<int64_t> axes = a.axis.list();
  v("axis", axes), v("keepdims", a.keepdims);
  a.axis = AxisSet::of(axes);
}

/// Attributes for a call; throws InvalidArgument for axes out of range.
inline Reduction reduction(const Tensor& x, const Axes& axis, bool keepdims, std::string_view op) { return {AxisSet(axis, x.rank(), op), keepdims}; }

/// Checks the axes against input 0 and gives the output shape.
inline Shape infer_reduced(const Infer& c) {
  const auto& a = c.attr<Reduction>();
  int rank = c.shape(0).rank();
  check(rank == Shape::max_rank || a.axis.bits >> rank == 0, Code::InvalidArgument, "{}: an axis is out of range for rank {}", c.op().name, rank);
  return reduced_shape(c.shape(0), a.axis, a.keepdims);
}

/// Elements that one output value is made of, -1 if not known.
inline int64_t reduced_count(const Shape& x, AxisSet axes) noexcept {
  int64_t n = 1;
  for (int i = 0; i < x.rank(); ++i)
    if (axes.has(i)) n = n < 0 || x[i] < 0 ? -1 : n * x[i];
  return n;
}

/// A reduced tensor with its axes back as sizes of 1, so that it broadcasts against the reduction's input.
inline Tensor kept(const Grad& g, Tensor t) {
  Shape shape = reduced_shape(g.xspec(0).shape, g.attr<Reduction>().axis, true);
  return t.shape() == shape ? std::move(t) : reshape(std::move(t), shape);
}

/// Sum over a set of axes, kept as sizes of 1.
Tensor apply_sum(Tensor x, AxisSet axes);
/// Running products along an axis; exclusive: without the element itself; reverse: from the end.
Tensor cumulate_product(Tensor x, int axis, bool exclusive, bool reverse);

/// The dims of a shape in groups: neighbours that are all reduced or all kept are one; sizes of 1 are left out.
struct Groups {
  int count = 0, reduced_groups = 0;
  int64_t size[Shape::max_rank] = {};
  bool reduced[Shape::max_rank] = {};

  template <class F>
  Groups(const Shape& x, F is_reduced) noexcept {
    for (int i = 0; i < x.rank(); ++i) {
      if (x[i] == 1) continue;
      bool r = is_reduced(i);
      if (count && reduced[count - 1] == r) {
        size[count - 1] *= x[i];
      } else {
        reduced_groups += r;
        reduced[count] = r;
        size[count++] = x[i];
      }
    }
  }
  /// Product of the groups in [from, to).
  int64_t span(int from, int to) const noexcept {
    int64_t n = 1;
    for (int i = from; i < to; ++i) n *= size[i];
    return n;
  }
  int last_reduced() const noexcept {
    int i = count - 1;
    while (i >= 0 && !reduced[i]) --i;
    return i;
  }
  /// Kept dims first, the reduced ones last, is already so.
  bool rows() const noexcept { return reduced_groups == 0 || (reduced_groups == 1 && reduced[count - 1]); }
  /// Reduced dims first.
  bool columns() const noexcept { return reduced_groups == 1 && reduced[0]; }
};

/// Copies x with all kept axes first and all reduced axes last.
inline void gather_rows(const Shape& x, AxisSet axes, const void* from, void* to, size_t size) noexcept {
  int64_t dims[Shape::max_rank];
  int order[Shape::max_rank], n = 0;
  for (int i = 0; i < x.rank(); ++i) {
    dims[i] = x[i];
    if (!axes.has(i)) order[n++] = i;
  }
  for (int i = 0; i < x.rank(); ++i)
    if (axes.has(i)) order[n++] = i;
  kernels::permute(from, to, dims, order, x.rank(), size);
}

}  // namespace tenure::ops

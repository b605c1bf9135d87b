// Promotion and axes, shared by the op files.
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// The dtype that a C++ number of dtype `number` and an operand of `other` meet in.
DType beside_number(DType number, DType other) noexcept {
  if (is_float(number)) return is_float(other) ? other : DType::float32;
  if (is_integer(number)) return other == DType::bool_ ? DType::int32 : other;
  return other;
}

}  // namespace

Tensor number(double value, DType dtype) {
  Tensor t = make_tensor({Shape{}, dtype});
  kernels::convert(DType::float64, &value, dtype, mutable_data(t), 1);
  return t;
}

void promote_pair(Tensor& a, Tensor& b) {
  DType da = a.dtype(), db = b.dtype();
  if (da == db) [[likely]]
    return;
  bool weak_a = a.body()->weak(), weak_b = b.body()->weak();
  if (weak_a == weak_b) {
    DType to = promote(da, db);
    a = cast(std::move(a), to);
    b = cast(std::move(b), to);
    return;
  }
  Tensor& weak = weak_a ? a : b;
  Tensor& other = weak_a ? b : a;
  DType to = beside_number(weak.dtype(), other.dtype());
  weak = cast(std::move(weak), to);
  other = cast(std::move(other), to);
}

AxisSet::AxisSet(const Axes& axes, int rank, std::string_view op) {
  for (int axis : axes) {
    int from_front = axis < 0 ? axis + rank : axis;
    check(from_front >= 0 && from_front < rank, Code::InvalidArgument, "{}: expected axes in [{}, {}), got {}", op, -rank, rank, axis);
    check((bits >> from_front & 1) == 0, Code::InvalidArgument, "{}: axis {} is given twice", op, axis);
    bits |= 1u << from_front;
  }
}

std::vector<int64_t> AxisSet::list() const {
  std::vector<int64_t> axes;
  for (int i = 0; i < Shape::max_rank; ++i)
    if (bits >> i & 1) axes.push_back(i);
  return axes;
}

AxisSet AxisSet::of(const std::vector<int64_t>& axes) {
  AxisSet set;
  for (int64_t axis : axes) {
    check(axis >= 0 && axis < Shape::max_rank, Code::InvalidArgument, "attributes: expected axes counted from the front, got {}", axis);
    set.bits |= 1u << axis;
  }
  return set;
}

Shape reduced_shape(const Shape& x, AxisSet axes, bool keepdims) {
  Shape y;
  for (int i = 0; i < x.rank(); ++i) {
    if (!axes.has(i)) y.push_back(x[i]);
    else if (keepdims) y.push_back(1);
  }
  return y;
}

}  // namespace tenure::ops

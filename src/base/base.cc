// Errors, element types and shapes: the vocabulary that every folder shares.
#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"

namespace tenure {

const char* to_string(Code code) noexcept {
  constexpr const char* names[] = {"InvalidArgument", "Shape", "DType", "NotFound", "Unsupported", "Io", "OutOfMemory", "Internal"};
  return names[static_cast<size_t>(code)];
}

Error::Error(Code code, std::string message)
    : std::runtime_error(message), code_(code), message_(std::move(message)), text_(std::string(to_string(code)) + ": " + message_) {}

void Error::add_frame(std::string frame) {
  text_ += "\n  in " + frame;
  frames_.push_back(std::move(frame));
}

const char* Error::what() const noexcept { return text_.c_str(); }

namespace {
constexpr const char* dtype_names[] = {"float32", "float64", "bfloat16", "float16", "int8", "uint8", "int16",
                                       "int32",   "int64",   "uint32",   "uint64",  "bool", "string"};
}

const char* to_string(DType t) noexcept { return dtype_names[static_cast<size_t>(t)]; }

DType dtype_from(std::string_view name) {
  for (size_t i = 0; i < std::size(dtype_names); ++i)
    if (name == dtype_names[i]) return static_cast<DType>(i);
  fail(Code::InvalidArgument, "dtype: expected one of float32, float64, bfloat16, float16, int8 ... bool, got '{}'", name);
}

Shape::Shape(std::span<const int64_t> dims) {
  check(dims.size() <= max_rank, Code::Shape, "shape: expected at most {} dimensions, got {}", int{max_rank}, dims.size());
  for (int64_t d : dims) {
    check(d >= -1, Code::Shape, "shape: expected sizes of at least 0 (or -1 for unknown), got {}", d);
    dims_[rank_++] = d;
  }
}

int64_t Shape::dim(int axis) const { return dims_[normalize_axis(axis, rank_)]; }

void Shape::push_back(int64_t dim) { insert(rank_, dim); }

void Shape::insert(int axis, int64_t dim) {
  check(rank_ < max_rank, Code::Shape, "shape: expected at most {} dimensions, got one more than {}", int{max_rank}, *this);
  check(axis >= 0 && axis <= rank_, Code::InvalidArgument, "shape: expected a position in [0, {}], got {}", rank_, axis);
  std::copy_backward(dims_ + axis, dims_ + rank_, dims_ + rank_ + 1);
  dims_[axis] = dim;
  ++rank_;
}

void Shape::erase(int axis) {
  axis = normalize_axis(axis, rank_);
  std::copy(dims_ + axis + 1, dims_ + rank_, dims_ + axis);
  dims_[--rank_] = 0;
}

Shape Shape::slice(int from, int to) const {
  ensure(0 <= from && from <= to && to <= rank_, "Shape::slice out of range");
  return Shape(std::span(dims_ + from, dims_ + to));
}

bool Shape::known() const noexcept {
  return std::none_of(begin(), end(), [](int64_t d) { return d < 0; });
}

int64_t Shape::elements() const noexcept {
  int64_t n = 1;
  bool unknown = false, empty = false, fits = true;
  for (int64_t d : dims()) {
    unknown |= d < 0;
    empty |= d == 0;
    fits &= !__builtin_mul_overflow(n, d, &n);
  }
  if (unknown) return -1;
  return empty ? 0 : fits ? n : std::numeric_limits<int64_t>::max();
}

bool Shape::operator==(const Shape& o) const noexcept { return std::equal(begin(), end(), o.begin(), o.end()); }

std::string to_string(const Shape& shape) {
  std::string s = "[";
  for (int i = 0; i < shape.rank(); ++i) {
    if (i) s += ',';
    s += shape[i] < 0 ? "?" : std::to_string(shape[i]);
  }
  return s + "]";
}

std::string to_string(const Spec& spec) { return to_string(spec.dtype) + to_string(spec.shape); }

Shape broadcast(const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  int shift = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    int64_t x = longer[i + shift], y = shorter[i];
    if (x == y || y == 1) continue;
    if (x == 1 || x == -1) {
      out[i + shift] = y;
    } else {
      check(y == -1, Code::Shape, "broadcast: shapes {} and {} do not fit: {} against {} at axis {}", a, b, x, y, i + shift);
    }
  }
  return out;
}

DType promote(DType a, DType b) noexcept {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  if (a == bool_ || b == bool_) return a == bool_ ? b : a;
  if (is_float(a)) {
    if (!is_float(b)) return a;
    if (a == DType::float64) return a;
    if (a == DType::float32) return b == DType::float64 ? b : a;
    return DType::float32;  // bfloat16 with float16
  }
  auto is_unsigned = [](DType t) { return t == uint8 || t == uint32 || t == uint64; };
  if (is_unsigned(a) == is_unsigned(b)) return size_of(a) > size_of(b) ? a : b;
  DType s = is_unsigned(a) ? b : a, u = is_unsigned(a) ? a : b;
  if (size_of(s) > size_of(u)) return s;
  if (size_of(u) == 1) return int16;
  return u == uint64 ? float32 : int64;  // uint64 with a signed integer has no integer type
}

int normalize_axis(int axis, int rank) {
  check(axis >= -rank && axis < rank, Code::InvalidArgument, "axis: expected a value in [{}, {}), got {}", -rank, rank, axis);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace tenure

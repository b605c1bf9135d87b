// Element types, shapes and specs: what is known of a tensor without its values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <tenure/export.h>

namespace tenure {

/// Element types. bfloat16 and float16 are stored as their 16 bits.
enum class DType : uint8_t { float32, float64, bfloat16, float16, int8, uint8, int16, int32, int64, uint32, uint64, bool_, string };

inline constexpr DType float32 = DType::float32, float64 = DType::float64, bfloat16 = DType::bfloat16, float16 = DType::float16, int8 = DType::int8,
                       uint8 = DType::uint8, int16 = DType::int16, int32 = DType::int32, int64 = DType::int64, uint32 = DType::uint32,
                       uint64 = DType::uint64, bool_ = DType::bool_;

/// Bytes of one element; 0 for string.
constexpr size_t size_of(DType t) noexcept {
  constexpr uint8_t bytes[] = {4, 8, 2, 2, 1, 1, 2, 4, 8, 4, 8, 1, 0};
  return bytes[static_cast<size_t>(t)];
}
constexpr bool is_float(DType t) noexcept { return t <= DType::float16; }
constexpr bool is_integer(DType t) noexcept { return t >= DType::int8 && t <= DType::uint64; }
/// Keras' name: "float32", "bool", ...
TENURE_API const char* to_string(DType t) noexcept;
/// The inverse of to_string. Throws InvalidArgument for an unknown name.
TENURE_API DType dtype_from(std::string_view name);

/// The DType of a C++ element type.
template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::float32;
  else if constexpr (std::is_same_v<T, double>) return DType::float64;
  else if constexpr (std::is_same_v<T, bool>) return DType::bool_;
  else if constexpr (std::is_integral_v<T> && sizeof(T) == 1) return std::is_signed_v<T> ? DType::int8 : DType::uint8;
  else if constexpr (std::is_same_v<T, int16_t>) return DType::int16;
  else if constexpr (std::is_integral_v<T> && sizeof(T) == 4) return std::is_signed_v<T> ? DType::int32 : DType::uint32;
  else if constexpr (std::is_integral_v<T> && sizeof(T) == 8) return std::is_signed_v<T> ? DType::int64 : DType::uint64;
  else static_assert(sizeof(T) == 0, "no tenure::DType for this element type");
}

/// Sizes of the dimensions, outermost first; at most 8. -1 is "not known yet" and occurs in symbolic tensors only.
class TENURE_API Shape {
 public:
  static constexpr int max_rank = 8;

  constexpr Shape() noexcept = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  /// Throws Shape for more than 8 dimensions or a size below -1.
  explicit Shape(std::span<const int64_t> dims);

  int rank() const noexcept { return rank_; }
  int64_t operator[](int axis) const noexcept { return dims_[axis]; }
  int64_t& operator[](int axis) noexcept { return dims_[axis]; }
  /// The size of an axis, which may count from the end (-1 is the last). Throws InvalidArgument out of range.
  int64_t dim(int axis) const;
  int64_t front() const noexcept { return dims_[0]; }
  int64_t back() const noexcept { return dims_[rank_ - 1]; }
  const int64_t* begin() const noexcept { return dims_; }
  const int64_t* end() const noexcept { return dims_ + rank_; }
  std::span<const int64_t> dims() const noexcept { return {dims_, static_cast<size_t>(rank_)}; }

  void push_back(int64_t dim);
  void insert(int axis, int64_t dim);
  void erase(int axis);
  /// The part [from, to).
  Shape slice(int from, int to) const;

  /// No size is -1.
  bool known() const noexcept;
  /// The number of elements; 1 for rank 0, -1 if a size is not known, the largest int64_t if there are more.
  int64_t elements() const noexcept;
  bool operator==(const Shape& o) const noexcept;

 private:
  int64_t dims_[max_rank] = {};
  int rank_ = 0;
};

/// "[32,784]"; unknown sizes print as "?".
TENURE_API std::string to_string(const Shape& shape);

/// Shape and element type.
struct Spec {
  Shape shape;
  DType dtype = DType::float32;
  bool operator==(const Spec&) const noexcept = default;
  /// Bytes of such a tensor's values.
  size_t bytes() const noexcept { return static_cast<size_t>(shape.elements()) * size_of(dtype); }
};

/// "float32[32,784]".
TENURE_API std::string to_string(const Spec& spec);

/// NumPy's broadcast of two shapes; an unknown size with 1 stays unknown. Throws Shape when they do not fit.
TENURE_API Shape broadcast(const Shape& a, const Shape& b);
/// Keras' promotion of two element types (int64 + float32 = float32, bfloat16 + float16 = float32, ...).
TENURE_API DType promote(DType a, DType b) noexcept;
/// An axis counted from the front. Throws InvalidArgument if it is not in [-rank, rank).
TENURE_API int normalize_axis(int axis, int rank);

}  // namespace tenure

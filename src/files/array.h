// Array: typed values as they stand in a file.
#pragma once

#include <bit>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tenure/dtype.h>

#include "files/bytes.h"

namespace tenure::files {

static_assert(std::endian::native == std::endian::little, "the file readers hand out little-endian bytes as they are");

/// Values in row-major order without gaps, little endian. `bytes` may start at any address: copy before use as typed memory.
/// Strings are UTF-8 of one width, filled up with zeros.
struct Array {
  DType dtype = DType::float32;
  Shape shape;
  Bytes bytes;

  int64_t elements() const noexcept { return shape.elements(); }
  Spec spec() const { return {shape, dtype}; }

  /// Shares the bytes. Throws Shape if sizes do not fit.
  static Array from(DType dtype, const Shape& shape, Bytes bytes);
  /// Copies values.
  template <class T>
  static Array of(const Shape& shape, std::span<const T> values) {
    const auto raw = std::as_bytes(values);
    return from(dtype_of<T>(), shape, Bytes::own({raw.begin(), raw.end()}));
  }
  template <class T>
  static Array of(const Shape& shape, std::initializer_list<T> values) {
    return of(shape, std::span<const T>(values.begin(), values.size()));
  }

  /// The values as stored. Throws DType unless T is exactly the element type.
  template <class T>
  std::vector<T> values() const {
    expect(dtype_of<T>());
    std::vector<T> out(bytes.size() / sizeof(T));
    if constexpr (std::is_same_v<T, bool>) {
      for (size_t i = 0; i < out.size(); ++i) out[i] = bytes.data()[i] != std::byte{0};
    } else if (!out.empty()) {
      std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    }
    return out;
  }
  /// Strings, of the width of the longest. Throws Shape if their number does not fit.
  static Array of_texts(const Shape& shape, std::span<const std::string_view> values, std::string name);
  /// String i without the zeros behind it; a view of the bytes.
  std::string_view text(int64_t i) const;
  /// Any numeric element type widened to double (float16 and bfloat16 too).
  std::vector<double> as_double() const;
  /// Any integer or bool element type as int64. Throws DType for floats, InvalidArgument for a uint64 above int64.
  std::vector<int64_t> as_int64() const;

 private:
  void expect(DType wanted) const;
};

/// An array and what the file calls it.
struct NamedArray {
  std::string name;
  Array array;
};

/// The number of bytes of such an array, or Io naming `where` if the product overflows or a size is negative.
size_t checked_bytes(const Shape& shape, size_t element, const std::string& where);
/// How many values are NaN or infinite; none of a type that has no such. `bytes` must be aligned for the type.
uint64_t count_nonfinite(DType dtype, std::span<const std::byte> bytes) noexcept;
/// A copy with the bytes of every element reversed.
Bytes swap_elements(const Bytes& bytes, size_t element);
/// bool_ values other than 0 and 1 become 1: C++ may not read them as bool otherwise. Copies only if needed.
Bytes clean_bools(const Bytes& bytes);

}  // namespace tenure::files

#include "files/array.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/parallel.h"

namespace tenure::files {
namespace {

double widen_bfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

double widen_float16(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double magnitude = exponent == 31  ? (mantissa ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity())
                           : exponent == 0 ? std::ldexp(mantissa, -24)
                                           : std::ldexp(mantissa + 1024, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

template <class Stored, class To, class F>
std::vector<To> convert(const Bytes& bytes, F&& f) {
  std::vector<To> out(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) {
    Stored s;
    std::memcpy(&s, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    out[i] = f(s);
  }
  return out;
}

/// Calls f with a value of the stored integer type.
template <class To, class F>
std::vector<To> convert_integers(DType dtype, const Bytes& bytes, F&& f) {
  switch (dtype) {
    case DType::int8: return convert<int8_t, To>(bytes, f);
    case DType::uint8:
    case DType::bool_: return convert<uint8_t, To>(bytes, f);
    case DType::int16: return convert<int16_t, To>(bytes, f);
    case DType::int32: return convert<int32_t, To>(bytes, f);
    case DType::int64: return convert<int64_t, To>(bytes, f);
    case DType::uint32: return convert<uint32_t, To>(bytes, f);
    case DType::uint64: return convert<uint64_t, To>(bytes, f);
    default: fail(Code::DType, "expected whole numbers, got {} in {}", dtype, bytes.name());
  }
}

}  // namespace

Array Array::from(DType dtype, const Shape& shape, Bytes bytes) {
  if (dtype == DType::string) {
    const size_t n = checked_bytes(shape, 1, bytes.name());
    check(n == 0 ? bytes.empty() : bytes.size() % n == 0, Code::Shape, "{}: expected strings of one width for {}, got {} bytes", bytes.name(), shape,
          bytes.size());
    return {dtype, shape, std::move(bytes)};
  }
  const size_t expected = checked_bytes(shape, size_of(dtype), bytes.name());
  check(bytes.size() == expected, Code::Shape, "{}: expected {} bytes for {}{}, got {}", bytes.name(), expected, dtype, shape, bytes.size());
  return {dtype, shape, std::move(bytes)};
}

Array Array::of_texts(const Shape& shape, std::span<const std::string_view> values, std::string name) {
  check(shape.elements() == static_cast<int64_t>(values.size()), Code::Shape, "{}: {} strings for {}", name, values.size(), shape);
  size_t width = 1;
  for (std::string_view v : values) width = std::max(width, v.size());
  size_t all = 0;
  check(!__builtin_mul_overflow(width, values.size(), &all), Code::OutOfMemory, "{}: {} strings of {} bytes are too many", name, values.size(),
        width);
  return from(DType::string, shape, Bytes::make(all, std::move(name), [&](std::span<std::byte> out) {
                std::fill(out.begin(), out.end(), std::byte{0});
                for (size_t i = 0; i < values.size(); ++i)
                  if (!values[i].empty()) std::memcpy(out.data() + i * width, values[i].data(), values[i].size());
              }));
}

std::string_view Array::text(int64_t i) const {
  expect(DType::string);
  const int64_t n = elements();
  check(i >= 0 && i < n, Code::InvalidArgument, "{}: no string {} among {}", bytes.name(), i, n);
  const size_t width = bytes.size() / static_cast<size_t>(n);
  std::string_view all(reinterpret_cast<const char*>(bytes.data()) + static_cast<size_t>(i) * width, width);
  return all.substr(0, all.find_last_not_of('\0') + 1);
}

void Array::expect(DType wanted) const { check(dtype == wanted, Code::DType, "expected {} values, got {} in {}", wanted, dtype, bytes.name()); }

std::vector<double> Array::as_double() const {
  switch (dtype) {
    case DType::float32: return convert<float, double>(bytes, [](float v) { return v; });
    case DType::float64: return values<double>();
    case DType::bfloat16: return convert<uint16_t, double>(bytes, widen_bfloat16);
    case DType::float16: return convert<uint16_t, double>(bytes, widen_float16);
    default: return convert_integers<double>(dtype, bytes, [](auto v) { return static_cast<double>(v); });
  }
}

std::vector<int64_t> Array::as_int64() const {
  return convert_integers<int64_t>(dtype, bytes, [&](auto v) {
    check(std::in_range<int64_t>(v), Code::InvalidArgument, "{} in {} does not fit into int64", v, bytes.name());
    return static_cast<int64_t>(v);
  });
}

size_t checked_bytes(const Shape& shape, size_t element, const std::string& where) {
  size_t product = element;
  bool zero = false;
  for (const int64_t d : shape) {
    check(d >= 0, Code::Io, "{}: expected known sizes, got shape {}", where, shape);
    zero |= d == 0;
    check(!__builtin_mul_overflow(product, static_cast<size_t>(std::max<int64_t>(d, 1)), &product) && std::in_range<int64_t>(product), Code::Io,
          "{}: a shape of {} is more than a machine can hold", where, shape);
  }
  return zero ? 0 : product;
}

namespace {
/// Values whose exponent is all ones.
template <class Bits>
uint64_t all_ones(std::span<const std::byte> bytes, Bits mask) noexcept {
  constexpr int64_t block = 1024;  // what a compiler counts with full vectors, in words of the values' width
  const auto* v = reinterpret_cast<const Bits*>(bytes.data());
  const auto n = static_cast<int64_t>(bytes.size() / sizeof(Bits));
  std::atomic<uint64_t> all{0};
  parallel_for((n + block - 1) / block, 256, [&](int64_t begin, int64_t end) {
    uint64_t here = 0;
    for (int64_t b = begin; b < end; ++b) {
      const Bits* of = v + b * block;
      Bits few = 0;
      if (n - b * block >= block)
        for (int64_t i = 0; i < block; ++i) few = static_cast<Bits>(few + ((of[i] & mask) == mask));
      else
        for (int64_t i = 0; i < n - b * block; ++i) few = static_cast<Bits>(few + ((of[i] & mask) == mask));
      here += few;
    }
    all.fetch_add(here, std::memory_order_relaxed);
  });
  return all;
}
}  // namespace

uint64_t count_nonfinite(DType dtype, std::span<const std::byte> bytes) noexcept {
  switch (dtype) {
    case DType::float32: return all_ones<uint32_t>(bytes, 0x7f800000u);
    case DType::float64: return all_ones<uint64_t>(bytes, 0x7ff0000000000000u);
    case DType::float16: return all_ones<uint16_t>(bytes, 0x7c00u);
    case DType::bfloat16: return all_ones<uint16_t>(bytes, 0x7f80u);
    default: return 0;
  }
}

Bytes swap_elements(const Bytes& bytes, size_t element) {
  if (element < 2) return bytes;
  return Bytes::make(bytes.size(), bytes.name(), [&](std::span<std::byte> out) {
    for (size_t i = 0; i + element <= out.size(); i += element) std::reverse_copy(bytes.data() + i, bytes.data() + i + element, out.data() + i);
  });
}

Bytes clean_bools(const Bytes& bytes) {
  const auto clean = [](std::byte b) { return b <= std::byte{1}; };
  if (std::all_of(bytes.span().begin(), bytes.span().end(), clean)) return bytes;
  return Bytes::make(bytes.size(), bytes.name(), [&](std::span<std::byte> out) {
    std::transform(bytes.span().begin(), bytes.span().end(), out.begin(), [](std::byte b) { return std::byte{b != std::byte{0}}; });
  });
}

}  // namespace tenure::files

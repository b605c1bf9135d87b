#include "files/idx.h"

#include <optional>

#include "base/check.h"
#include "files/gz.h"

namespace tenure::files {
namespace {

std::optional<DType> dtype_of_code(int code) {
  switch (code) {
    case 0x08: return DType::uint8;
    case 0x09: return DType::int8;
    case 0x0b: return DType::int16;
    case 0x0c: return DType::int32;
    case 0x0d: return DType::float32;
    case 0x0e: return DType::float64;
    default: return {};
  }
}

}  // namespace

Array read_idx(const Bytes& file) {
  const Bytes bytes = is_gzip(file) ? gunzip(file) : file;
  const auto at = [&](size_t i) { return std::to_integer<uint8_t>(bytes.data()[i]); };
  check(bytes.size() >= 4 && at(0) == 0 && at(1) == 0, Code::Io, "{}: not an idx file", bytes.name());
  const auto dtype = dtype_of_code(at(2));
  const int rank = at(3);
  check(dtype.has_value(), Code::Io, "{}: unknown idx element type {:#04x}", bytes.name(), at(2));
  check(rank >= 1 && rank <= Shape::max_rank, Code::Io, "{}: expected 1 to {} dimensions, got {}", bytes.name(), int{Shape::max_rank}, rank);
  const size_t header = 4 + 4 * static_cast<size_t>(rank);
  check(bytes.size() >= header, Code::Io, "{}: cut off inside the header", bytes.name());
  Shape shape;
  for (size_t i = 4; i < header; i += 4) shape.push_back(int64_t{at(i)} << 24 | at(i + 1) << 16 | at(i + 2) << 8 | at(i + 3));
  const size_t expected = checked_bytes(shape, size_of(*dtype), bytes.name());
  check(bytes.size() - header == expected, Code::Io, "{}: expected {} bytes of values for {}{}, got {}", bytes.name(), expected, *dtype, shape,
        bytes.size() - header);
  return Array::from(*dtype, shape, swap_elements(bytes.slice(header, expected), size_of(*dtype)));
}

Array read_idx(const std::string& path) { return read_idx(Bytes::map(path)); }

}  // namespace tenure::files

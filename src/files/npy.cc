#include "files/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace tenure::files {
namespace {

constexpr std::string_view magic = "\x93NUMPY";

/// The header is a Python dictionary of a string, a bool and a tuple; nothing else of Python is understood.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  void parse() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string();
      expect(':');
      value(key);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    check(at_ == text_.size(), Code::Io, "{}: text after the npy header at byte {}", name_, at_);
    check(!descr.empty() && fortran && shape, Code::Io, "{}: the npy header lacks descr, fortran_order or shape", name_);
  }

  std::string_view descr;
  std::optional<bool> fortran;
  std::optional<Shape> shape;

 private:
  void value(std::string_view key) {
    if (key == "descr" && descr.empty()) {
      check(!peek('['), Code::Unsupported, "{}: structured NumPy arrays are not supported", name_);
      descr = string();
    } else if (key == "fortran_order" && !fortran) {
      fortran = boolean();
    } else if (key == "shape" && !shape) {
      shape = tuple();
    } else {
      fail(Code::Io, "{}: unexpected key '{}' in the npy header", name_, key);
    }
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool peek(char c) {
    skip_space();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool accept(char c) {
    const bool yes = peek(c);
    at_ += yes;
    return yes;
  }
  void expect(char c) { check(accept(c), Code::Io, "{}: expected '{}' at byte {} of the npy header", name_, c, at_); }
  std::string_view string() {
    const char quote = peek('"') ? '"' : '\'';
    expect(quote);
    const size_t end = text_.find(quote, at_);
    check(end != std::string_view::npos, Code::Io, "{}: unfinished text in the npy header", name_);
    const std::string_view s = text_.substr(at_, end - at_);
    at_ = end + 1;
    return s;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return word == "True";
      }
    fail(Code::Io, "{}: expected True or False at byte {} of the npy header", name_, at_);
  }
  Shape tuple() {
    Shape out;
    expect('(');
    while (!accept(')')) {
      check(out.rank() < Shape::max_rank, Code::Unsupported, "{}: expected at most {} dimensions", name_, int{Shape::max_rank});
      out.push_back(number());
      accept('L');  // Python 2 wrote long integers so
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }
  int64_t number() {
    skip_space();
    int64_t n = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n);
    check(error == std::errc() && n >= 0, Code::Io, "{}: expected a size at byte {} of the npy header", name_, at_);
    at_ = static_cast<size_t>(end - text_.data());
    return n;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
};

struct Element {
  DType dtype;
  size_t stored;  // bytes in the file
  bool big;
  bool code_points = false;  // strings of 32 bits a character
};

constexpr size_t max_text = size_t{1} << 28;

Element element_of(std::string_view descr, const std::string& name) {
  struct Row {
    std::string_view code;
    DType dtype;
    size_t stored;
  };
  static constexpr Row rows[] = {{"f4", DType::float32, 4}, {"f8", DType::float64, 8}, {"f2", DType::float16, 2}, {"V2", DType::bfloat16, 2},
                                 {"i1", DType::int8, 1},    {"u1", DType::uint8, 1},   {"i2", DType::int16, 2},   {"u2", DType::uint32, 2},
                                 {"i4", DType::int32, 4},   {"i8", DType::int64, 8},   {"u4", DType::uint32, 4},  {"u8", DType::uint64, 8},
                                 {"b1", DType::bool_, 1}};
  const bool ordered = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  const std::string_view code = ordered ? descr.substr(1) : descr;
  for (const Row& row : rows)
    if (row.code == code) return {row.dtype, row.stored, descr[0] == '>' && row.stored > 1};
  const char kind = code.empty() ? '?' : code[0];
  if (kind == 'U' || kind == 'S' || kind == 'a') {
    size_t width = 0;
    const auto [end, error] = std::from_chars(code.data() + 1, code.data() + code.size(), width);
    check(error == std::errc() && end == code.data() + code.size() && width <= max_text, Code::Io, "{}: expected a width of strings, got '{}'", name,
          descr.substr(0, 40));
    return {DType::string, kind == 'U' ? 4 * width : width, kind == 'U' && descr[0] == '>', kind == 'U'};
  }
  fail(Code::Unsupported, "{}: NumPy element type '{}' ({}) is not supported", name, descr.substr(0, 40),
       kind == 'O'                  ? "Python objects"
       : kind == 'c'                ? "complex numbers"
       : kind == 'M' || kind == 'm' ? "dates"
                                    : "unknown");
}

/// Fortran order to C order.
Bytes reorder(const Bytes& bytes, const Shape& shape, size_t element) {
  int64_t stride[Shape::max_rank], index[Shape::max_rank] = {};
  for (int i = 0; i < shape.rank(); ++i) stride[i] = i == 0 ? 1 : stride[i - 1] * shape[i - 1];
  return Bytes::make(bytes.size(), bytes.name(), [&](std::span<std::byte> out) {
    for (size_t to = 0; to < out.size(); to += element) {
      int64_t from = 0;
      for (int i = 0; i < shape.rank(); ++i) from += index[i] * stride[i];
      std::memcpy(out.data() + to, bytes.data() + static_cast<size_t>(from) * element, element);
      for (int i = shape.rank() - 1; i >= 0 && ++index[i] == shape[i]; --i) index[i] = 0;
    }
  });
}

uint32_t code_point(const std::byte* p, bool big) noexcept {
  uint32_t c;
  std::memcpy(&c, p, 4);
  return big ? __builtin_bswap32(c) : c;
}

size_t put_utf8(uint32_t c, std::byte* out) noexcept {
  if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;
  const auto byte = [](uint32_t v) { return static_cast<std::byte>(v); };
  if (c < 0x80) return out[0] = byte(c), 1;
  if (c < 0x800) return out[0] = byte(0xc0 | c >> 6), out[1] = byte(0x80 | (c & 63)), 2;
  if (c < 0x10000) return out[0] = byte(0xe0 | c >> 12), out[1] = byte(0x80 | (c >> 6 & 63)), out[2] = byte(0x80 | (c & 63)), 3;
  return out[0] = byte(0xf0 | c >> 18), out[1] = byte(0x80 | (c >> 12 & 63)), out[2] = byte(0x80 | (c >> 6 & 63)), out[3] = byte(0x80 | (c & 63)), 4;
}

// The code point at `at`, which moves behind it; U+FFFD for what is none.
uint32_t take_utf8(std::string_view text, size_t& at) noexcept {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t first = byte(at++);
  const int more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
  if (more <= 0) return more == 0 ? first : 0xfffd;
  uint32_t c = first & (63u >> more);
  for (int k = 0; k < more; ++k) {
    if (at >= text.size() || (byte(at) & 0xc0) != 0x80) return 0xfffd;
    c = c << 6 | (byte(at++) & 63);
  }
  return c;
}

// UTF-8 takes no more room than code points of 32 bits: every string keeps its width.
Bytes utf8_of(const Bytes& bytes, size_t width, bool big) {
  return Bytes::make(bytes.size(), bytes.name(), [&](std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), std::byte{0});
    for (size_t begin = 0; width > 0 && begin < out.size(); begin += width)
      for (size_t i = 0, to = begin; i < width; i += 4)
        if (const uint32_t c = code_point(bytes.data() + begin + i, big); c != 0) to += put_utf8(c, out.data() + to);
  });
}

// Strings as NumPy's "<U..": the width in characters, and the code points.
std::pair<size_t, Bytes> code_points_of(const Array& a) {
  std::vector<std::vector<uint32_t>> all(static_cast<size_t>(a.elements()));
  size_t width = 1;
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string_view text = a.text(static_cast<int64_t>(i));
    for (size_t at = 0; at < text.size();) all[i].push_back(take_utf8(text, at));
    width = std::max(width, all[i].size());
  }
  return {width, Bytes::make(4 * width * all.size(), a.bytes.name(), [&](std::span<std::byte> out) {
            std::fill(out.begin(), out.end(), std::byte{0});
            for (size_t i = 0; i < all.size(); ++i)
              if (!all[i].empty()) std::memcpy(out.data() + 4 * width * i, all[i].data(), 4 * all[i].size());
          })};
}

Bytes widen_uint16(const Bytes& bytes) {
  return Bytes::make(bytes.size() * 2, bytes.name(), [&](std::span<std::byte> out) {
    for (size_t i = 0; i < bytes.size(); i += 2) {
      const std::byte wide[4] = {bytes.data()[i], bytes.data()[i + 1]};
      std::memcpy(out.data() + 2 * i, wide, 4);
    }
  });
}

std::string_view header_of(const Bytes& bytes, size_t& values_at) {
  check(bytes.size() >= 10 && bytes.text().substr(0, magic.size()) == magic, Code::Io, "{}: not a npy file", bytes.name());
  const auto at = [&](size_t i) { return std::to_integer<size_t>(bytes.data()[i]); };
  check(at(6) >= 1 && at(6) <= 3, Code::Unsupported, "{}: expected npy version 1 to 3, got {}.{}", bytes.name(), at(6), at(7));
  const size_t begin = at(6) == 1 ? 10 : 12;
  check(bytes.size() >= begin, Code::Io, "{}: cut off inside the npy header", bytes.name());
  const size_t length = at(8) | at(9) << 8 | (begin == 12 ? at(10) << 16 | at(11) << 24 : 0);
  check(length <= bytes.size() - begin && length <= 1 << 20, Code::Io, "{}: the npy header of {} bytes does not fit into the file", bytes.name(),
        length);
  values_at = begin + length;
  return bytes.text().substr(begin, length);
}

std::string descr_of(DType dtype) {
  switch (dtype) {
    case DType::float32: return "<f4";
    case DType::float64: return "<f8";
    case DType::bfloat16: return "<V2";
    case DType::float16: return "<f2";
    case DType::int8: return "|i1";
    case DType::uint8: return "|u1";
    case DType::int16: return "<i2";
    case DType::int32: return "<i4";
    case DType::int64: return "<i8";
    case DType::uint32: return "<u4";
    case DType::uint64: return "<u8";
    case DType::bool_: return "|b1";
    case DType::string: break;
  }
  fail(Code::Unsupported, "npy: arrays of {} are not supported", dtype);
}

}  // namespace

Array read_npy(const Bytes& bytes) {
  size_t begin = 0;
  HeaderParser header(header_of(bytes, begin), bytes.name());
  header.parse();
  const Element element = element_of(header.descr, bytes.name());
  const Shape& shape = *header.shape;
  check(element.stored > 0 || shape.elements() == 0, Code::Io, "{}: expected strings of some width for {}, got '{}'", bytes.name(), shape,
        header.descr);
  const size_t expected = checked_bytes(shape, element.stored, bytes.name());
  check(bytes.size() - begin == expected, Code::Io, "{}: expected {} bytes of values for {}{}, got {}", bytes.name(), expected, header.descr, shape,
        bytes.size() - begin);
  Bytes values = bytes.slice(begin, expected);
  if (*header.fortran && shape.rank() > 1 && expected > 0) values = reorder(values, shape, element.stored);
  if (element.code_points) values = utf8_of(values, element.stored, element.big);
  else if (element.big) values = swap_elements(values, element.stored);
  if (element.dtype == DType::bool_) values = clean_bools(values);
  if (element.dtype != DType::string && element.stored != size_of(element.dtype)) values = widen_uint16(values);
  return Array::from(element.dtype, shape, std::move(values));
}

Array read_npy(const std::string& path) { return read_npy(Bytes::map(path)); }

std::vector<Bytes> npy_parts(const Array& array) {
  std::string dims;
  for (const int64_t d : array.shape) dims += fmt::format("{}{}", dims.empty() ? "" : ", ", d);
  if (array.shape.rank() == 1) dims += ',';
  Bytes values = array.bytes;
  std::string descr;
  if (array.dtype == DType::string) {
    auto [width, points] = code_points_of(array);
    descr = fmt::format("<U{}", width);
    values = std::move(points);
  } else {
    descr = descr_of(array.dtype);
  }
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, dims);
  text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 11, ' ');
  text += '\n';
  std::string head(magic);
  head += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return {Bytes::copy(head + text), std::move(values)};
}

void write_npy(const std::string& path, const Array& array) {
  const std::vector<Bytes> parts = npy_parts(array);
  write_file_atomically(path, [&](FileSink& sink) {
    for (const Bytes& part : parts) sink.write(part.span());
  });
}

NpzFile::NpzFile(Bytes bytes, ZipLimits limits) : zip_(bytes, limits), file_(bytes.name()) {
  for (const ZipMember& m : zip_.members()) {
    const std::string_view name = m.name;
    check(name.size() > 4 && name.substr(name.size() - 4) == ".npy", Code::Io, "{}: expected .npy members, got '{}'", file_, name);
    names_.emplace_back(name.substr(0, name.size() - 4));
  }
}

bool NpzFile::contains(std::string_view name) const noexcept { return std::find(names_.begin(), names_.end(), name) != names_.end(); }

Array NpzFile::read(std::string_view name) const {
  check(contains(name), Code::NotFound, "{}: no array '{}'", file_, name);
  return read_npy(zip_.read(fmt::format("{}.npy", name)));
}

std::vector<NamedArray> NpzFile::read_all() const {
  std::vector<NamedArray> all;
  for (const std::string& name : names_) all.push_back({name, read(name)});
  return all;
}

namespace {
ZipWriter npz_writer(std::span<const NamedArray> arrays) {
  ZipWriter zip;
  for (const NamedArray& a : arrays) zip.add(a.name + ".npy", npy_parts(a.array));
  return zip;
}
}  // namespace

void write_npz(const std::string& path, std::span<const NamedArray> arrays) { npz_writer(arrays).write(path); }

Bytes npz_bytes(std::span<const NamedArray> arrays, std::string name) { return npz_writer(arrays).to_bytes(std::move(name)); }

}  // namespace tenure::files

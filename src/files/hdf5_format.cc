// Superblock, object headers, groups, types and attributes.
#include "files/hdf5_format.h"

#include <algorithm>
#include <cstring>

namespace tenure::files::hdf5 {
namespace {

constexpr std::string_view signature_bytes = "\x89HDF\r\n\x1a\n";
constexpr size_t max_name = 4096;

constexpr uint64_t padded(uint64_t n) { return (n + 7) & ~uint64_t{7}; }

}  // namespace

Cursor::Cursor(const Image& image, std::string_view path, uint64_t begin, uint64_t size) : image_(image), path_(path), at_(begin) {
  const uint64_t end = image.bytes.size();
  expect(begin <= end && size <= end - begin, Code::Io, "expected {} bytes here, but the file ends at {}", size, end);
  end_ = begin + size;
}

Cursor::Cursor(const Image& image, std::string_view path, uint64_t begin) : image_(image), path_(path), at_(begin) {
  end_ = image.bytes.size();
  expect(begin <= end_, Code::Io, "the file ends at {}", end_);
}

uint64_t Cursor::number(int bytes) {
  expect(left() >= static_cast<uint64_t>(bytes), Code::Io, "cut off inside a structure");
  uint64_t value = 0;
  std::memcpy(&value, image_.bytes.data() + at_, static_cast<size_t>(bytes));
  at_ += static_cast<uint64_t>(bytes);
  return value;
}

void Cursor::skip(uint64_t n) {
  expect(n <= left(), Code::Io, "cut off inside a structure");
  at_ += n;
}

Bytes Cursor::take(uint64_t n) {
  const uint64_t begin = at_;
  skip(n);
  return image_.bytes.slice(begin, n);
}

std::string Cursor::text() {
  const char* begin = reinterpret_cast<const char*>(image_.bytes.data()) + at_;
  const auto* end = static_cast<const char*>(std::memchr(begin, 0, std::min<uint64_t>(left(), max_name)));
  expect(end != nullptr, Code::Io, "a name without an end");
  at_ += static_cast<uint64_t>(end - begin) + 1;
  return {begin, end};
}

void Cursor::signature(std::string_view expected) {
  expect(left() >= expected.size() && image_.bytes.text().substr(at_, expected.size()) == expected, Code::Io, "expected a structure marked {}",
         expected);
  at_ += expected.size();
}

void Image::claim(uint64_t address, const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto [it, fresh] = claimed_.emplace(address, path);
  check(fresh || it->second == path, Code::Unsupported, "{}: group {} is also {}; groups must form a tree (byte {})", bytes.name(), path, it->second,
        address);
}

std::shared_ptr<const Image> parse_superblock(Bytes bytes, const Hdf5Limits& limits) {
  check(Hdf5File::looks_like(bytes), Code::Io, "{}: not an HDF5 file", bytes.name());
  auto image = std::make_shared<Image>();
  image->bytes = std::move(bytes);
  image->limits = limits;
  Cursor c(*image, "superblock", signature_bytes.size());
  const int version = c.u8();
  c.expect(version <= 3, Code::Unsupported, "HDF5 superblock version {}", version);
  if (version < 2) c.skip(4);
  image->offset_size = c.u8();
  image->length_size = c.u8();
  const auto known = [](int size) { return size == 2 || size == 4 || size == 8; };
  c.expect(known(image->offset_size) && known(image->length_size), Code::Io, "sizes of {} and {} bytes", image->offset_size, image->length_size);
  c.skip(version == 0 ? 9 : version == 1 ? 13 : 1);
  const uint64_t base = c.offset();
  c.expect(base == 0, Code::Unsupported, "an HDF5 file inside another (base address {})", base);
  c.offset();  // free space, or the superblock's extension
  const uint64_t end = c.offset();
  c.expect(end <= image->bytes.size(), Code::Io, "the file is cut off: expected {} bytes, got {}", end, image->bytes.size());
  if (version < 2) {
    c.offset();  // driver information
    c.offset();  // name of the root
  }
  image->root = c.offset();
  return image;
}

namespace {

/// Collects the messages of one object header and of its continuations.
class HeaderParser {
 public:
  HeaderParser(const Image& image, std::string_view path) : image_(image), path_(path) {}

  std::vector<Message> parse(uint64_t address) {
    Cursor c(image_, path_, address);
    c.expect(c.left() >= 16, Code::Io, "cut off inside an object header");
    const bool second = image_.bytes.text().substr(address, 4) == "OHDR";
    second ? begin_second(c) : begin_first(c);
    while (!blocks_.empty()) {
      const Block b = blocks_.back();
      blocks_.pop_back();
      read(b);
    }
    return std::move(messages_);
  }

 private:
  struct Block {
    uint64_t at, size;
    bool continues;
  };

  void begin_first(Cursor& c) {
    const int version = c.u8();
    c.expect(version == 1, Code::Unsupported, "object header version {}", version);
    c.skip(7);  // reserved, number of messages, reference count
    const uint64_t size = c.u32();
    c.skip(4);
    push(c, {c.at(), size, false});
  }
  void begin_second(Cursor& c) {
    second_ = true;
    c.skip(4);
    const int version = c.u8();
    c.expect(version == 2, Code::Unsupported, "object header version {}", version);
    const int flags = c.u8();
    if (flags & 0x20) c.skip(16);
    if (flags & 0x10) c.skip(4);
    ordered_ = flags & 4;
    const uint64_t size = c.number(1 << (flags & 3));
    push(c, {c.at(), size, false});
  }
  void push(const Cursor& c, Block block) {
    c.expect(seen_.insert(block.at).second, Code::Io, "an object header that leads back to itself");
    blocks_.push_back(block);
  }
  void read(const Block& block) {
    const bool marked = second_ && block.continues;  // by a signature in front and a checksum behind
    Cursor c(image_, path_, block.at, block.size);
    if (marked) c.signature("OCHK");
    const uint64_t head = second_ ? (ordered_ ? 6 : 4) : 8, tail = marked ? 4 : 0;
    while (c.left() >= head + tail) message(c);
  }
  void message(Cursor& c) {
    const uint16_t type = second_ ? c.u8() : c.u16();
    const uint64_t size = c.u16();
    const uint8_t flags = c.u8();
    c.skip(second_ ? (ordered_ ? 2 : 0) : 3);
    Message m{static_cast<MessageType>(type), flags, c.at(), size};
    c.skip(size);
    c.expect(messages_.size() < image_.limits.max_entries, Code::Io, "more than {} messages", image_.limits.max_entries);
    if (m.type == MessageType::continuation) {
      Cursor inner(image_, path_, m.at, m.size);
      const uint64_t at = inner.offset();
      push(inner, {at, inner.length(), true});
    } else if (type != 0) {
      messages_.push_back(m);
    }
  }

  const Image& image_;
  std::string_view path_;
  bool second_ = false, ordered_ = false;
  std::vector<Block> blocks_;
  std::set<uint64_t> seen_;
  std::vector<Message> messages_;
};

/// Collects the links of one group.
class LinkParser {
 public:
  explicit LinkParser(const Body& body) : body_(body), image_(*body.image) {}

  std::map<std::string, Link, NaturalLess> parse() {
    for (const Message& m : body_.messages) {
      if (m.type == MessageType::symbol_table) symbol_table(body_.open(m));
      if (m.type == MessageType::link) link_message(body_.open(m));
      if (m.type == MessageType::link_info) link_info(body_.open(m));
    }
    return std::move(links_);
  }

 private:
  void symbol_table(Cursor c) {
    const uint64_t tree = c.offset(), heap = c.offset();
    Cursor h(image_, body_.path, heap);
    h.signature("HEAP");
    const int version = h.u8();
    h.expect(version == 0, Code::Unsupported, "local heap version {}", version);
    h.skip(3);
    const uint64_t size = h.length();
    h.length();  // free list
    heap_begin_ = h.offset();
    heap_size_ = size;
    Cursor(image_, body_.path, heap_begin_, heap_size_);  // it lies inside the file
    node(tree, INT32_MAX);
  }
  void node(uint64_t address, int above) {
    Cursor c(image_, body_.path, address);
    c.expect(seen_.insert(address).second, Code::Io, "a group tree that leads back to itself");
    c.signature("TREE");
    const int type = c.u8(), level = c.u8();
    c.expect(type == 0 && level < above, Code::Io, "expected a group node below level {}, got type {} and level {}", above, type, level);
    const int used = c.u16();
    c.offset();  // siblings
    c.offset();
    for (int i = 0; i < used; ++i) {
      c.length();  // key
      const uint64_t child = c.offset();
      level > 0 ? node(child, level) : symbols(child);
    }
  }
  void symbols(uint64_t address) {
    Cursor c(image_, body_.path, address);
    c.expect(seen_.insert(address).second, Code::Io, "a group tree that leads back to itself");
    c.signature("SNOD");
    const int version = c.u8();
    c.expect(version == 1, Code::Unsupported, "symbol table version {}", version);
    c.skip(1);
    const int count = c.u16();
    for (int i = 0; i < count; ++i) {
      const uint64_t name = c.offset();
      Link link;
      link.address = c.offset();
      const uint32_t cache = c.u32();
      c.skip(4);
      const uint64_t target = c.u32();
      c.skip(12);
      if (cache == 2) {
        link.kind = Link::Kind::soft;
        link.target = heap_text(target);
      }
      add(c, heap_text(name), std::move(link));
    }
  }
  std::string heap_text(uint64_t offset) const {
    Cursor c(image_, body_.path, heap_begin_, heap_size_);
    c.skip(offset);
    return c.text();
  }
  void link_message(Cursor c) {
    const int version = c.u8(), flags = c.u8();
    c.expect(version == 1, Code::Unsupported, "link version {}", version);
    const int kind = flags & 8 ? c.u8() : 0;
    if (flags & 4) c.skip(8);
    if (flags & 16) c.skip(1);
    const uint64_t size = c.number(1 << (flags & 3));
    c.expect(size <= max_name, Code::Io, "a name of {} bytes", size);
    std::string name(c.take(size).text());
    Link link;
    if (kind == 0) {
      link.address = c.offset();
    } else {
      link.kind = kind == 1 ? Link::Kind::soft : Link::Kind::external;
      const uint64_t n = c.u16();
      link.target = std::string(c.take(n).text());
    }
    add(c, std::move(name), std::move(link));
  }
  void link_info(Cursor c) const {
    const int version = c.u8(), flags = c.u8();
    c.expect(version == 0, Code::Unsupported, "link info version {}", version);
    if (flags & 1) c.skip(8);
    c.expect(image_.undefined(c.offset()), Code::Unsupported, "a group in dense storage; save the file with h5py's default libver");
  }
  void add(const Cursor& c, std::string name, Link link) {
    const bool good = !name.empty() && name.find('/') == std::string::npos && name.find('\0') == std::string::npos && name != "." && name != "..";
    c.expect(good, Code::Io, "a link with the name '{}'", name.substr(0, 100));
    c.expect(links_.size() < image_.limits.max_entries, Code::Io, "more than {} links", image_.limits.max_entries);
    const auto [it, fresh] = links_.emplace(std::move(name), std::move(link));
    c.expect(fresh, Code::Io, "two links with the name '{}'", it->first);
  }

  const Body& body_;
  const Image& image_;
  uint64_t heap_begin_ = 0, heap_size_ = 0;
  std::set<uint64_t> seen_;
  std::map<std::string, Link, NaturalLess> links_;
};

}  // namespace

std::vector<Message> parse_header(const Image& image, std::string_view path, uint64_t address) { return HeaderParser(image, path).parse(address); }

std::map<std::string, Link, NaturalLess> parse_links(const Body& body) { return LinkParser(body).parse(); }

const Message* Body::find(MessageType type) const noexcept {
  const auto it = std::find_if(messages.begin(), messages.end(), [&](const Message& m) { return m.type == type; });
  return it == messages.end() ? nullptr : &*it;
}

Cursor Body::need(MessageType type, const char* what) const {
  const Message* m = find(type);
  check(m != nullptr, Code::Io, "{}: {}: no {} (byte {})", image->bytes.name(), path, what, address);
  check(!(m->flags & 2), Code::Unsupported, "{}: {}: a {} shared with other objects (byte {})", image->bytes.name(), path, what, m->at);
  return open(*m);
}

Shape parse_dataspace(Cursor& c, bool& null) {
  const int version = c.u8(), rank = c.u8(), flags = c.u8();
  c.expect(version == 1 || version == 2, Code::Unsupported, "dataspace version {}", version);
  c.expect(rank <= Shape::max_rank, Code::Unsupported, "{} dimensions, expected at most {}", rank, int{Shape::max_rank});
  if (version == 1) c.skip(5);
  null = version == 2 && c.u8() == 2;
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    const uint64_t d = c.length();
    c.expect(d <= INT64_MAX, Code::Io, "a size of {}", d);
    shape.push_back(static_cast<int64_t>(d));
  }
  if (flags & 1) c.skip(static_cast<uint64_t>(rank * c.image().length_size));
  return shape;
}

namespace {

void parse_integer(Cursor& c, Datatype& t, uint32_t bits) {
  const uint32_t offset = c.u16(), precision = c.u16();
  const bool is_signed = bits & 8;
  t.what = fmt::format("{}-bit {} numbers of {} bytes", precision, is_signed ? "signed" : "unsigned", t.size);
  if (offset != 0 || precision != 8 * t.size) return;
  t.big_endian = bits & 1;
  t.kind = Datatype::Kind::number;
  switch (t.size) {
    case 1: t.dtype = is_signed ? DType::int8 : DType::uint8; return;
    case 2: t.dtype = is_signed ? DType::int16 : DType::uint32; return;
    case 4: t.dtype = is_signed ? DType::int32 : DType::uint32; return;
    case 8: t.dtype = is_signed ? DType::int64 : DType::uint64; return;
    default: t.kind = Datatype::Kind::other;
  }
}

void parse_float(Cursor& c, Datatype& t, uint32_t bits) {
  struct Format {
    DType dtype;
    uint32_t size, exponent_at, exponent_bits, mantissa_bits, bias;
  };
  constexpr Format formats[] = {{DType::float16, 2, 10, 5, 10, 15},
                                {DType::bfloat16, 2, 7, 8, 7, 127},
                                {DType::float32, 4, 23, 8, 23, 127},
                                {DType::float64, 8, 52, 11, 52, 1023}};
  const uint32_t offset = c.u16(), precision = c.u16(), exponent_at = c.u8(), exponent_bits = c.u8(), mantissa_at = c.u8(), mantissa_bits = c.u8();
  const uint32_t bias = c.u32();
  t.what = fmt::format("floats of {} bytes with {} exponent bits", t.size, exponent_bits);
  for (const Format& f : formats)
    if (f.size == t.size && offset == 0 && precision == 8 * f.size && exponent_at == f.exponent_at && exponent_bits == f.exponent_bits &&
        mantissa_at == 0 && mantissa_bits == f.mantissa_bits && bias == f.bias && (bits >> 8 & 255) == 8 * f.size - 1 && (bits >> 4 & 3) == 2 &&
        !(bits & 0x40)) {
      t.kind = Datatype::Kind::number;
      t.dtype = f.dtype;
      t.big_endian = bits & 1;
    }
}

/// h5py's bool is an enumeration of FALSE and TRUE over a byte; other enumerations count as their numbers.
void parse_enum(Cursor& c, Datatype& t, int version, uint32_t bits, int depth) {
  const Datatype base = parse_datatype(c, depth + 1);
  t.what = "an enumeration of " + base.what;
  if (base.kind != Datatype::Kind::number || base.size != t.size) return;
  t.kind = base.kind, t.dtype = base.dtype, t.big_endian = base.big_endian;
  const uint32_t members = bits & 0xffff;
  if (t.size != 1 || members != 2) return;
  std::string names[2];
  for (std::string& name : names) {
    const uint64_t begin = c.at();
    name = c.text();
    if (version < 3) c.skip(padded(c.at() - begin) - (c.at() - begin));
  }
  if (names[0] == "FALSE" && names[1] == "TRUE" && c.u8() == 0 && c.u8() == 1) t.dtype = DType::bool_;
}

}  // namespace

Datatype parse_datatype(Cursor& c, int depth) {
  c.expect(depth < 4, Code::Unsupported, "types more than 4 deep");
  const uint32_t head = c.u32();
  const uint32_t kind = head & 15, bits = head >> 8;
  const int version = static_cast<int>(head >> 4 & 15);
  c.expect(version >= 1 && version <= 4, Code::Unsupported, "datatype version {}", version);
  Datatype t;
  t.size = c.u32();
  c.expect(t.size > 0, Code::Io, "a type without size");
  switch (kind) {
    case 0: parse_integer(c, t, bits); break;
    case 1: parse_float(c, t, bits); break;
    case 3: t.kind = Datatype::Kind::fixed_text, t.padding = bits & 15, t.what = "texts"; break;
    case 5: t.kind = Datatype::Kind::opaque, t.what = fmt::format("opaque values of {} bytes", t.size); break;
    case 8: parse_enum(c, t, version, bits, depth); break;
    case 9:
      t.what = (bits & 15) == 1 ? "texts" : "lists of varying length";
      if ((bits & 15) == 1 && t.size == static_cast<uint64_t>(c.image().offset_size) + 8) t.kind = Datatype::Kind::vlen_text;
      break;
    default: {
      constexpr const char* names[] = {"", "", "times", "", "bit fields", "", "compound values", "references", "", "", "nested arrays"};
      t.what = kind < std::size(names) ? names[kind] : fmt::format("values of the unknown class {}", kind);
    }
  }
  return t;
}

namespace {

struct AttributeHead {
  int version, flags;
  uint64_t name_size, type_size, space_size;
};

AttributeHead attribute_head(Cursor& c) {
  AttributeHead h{c.u8(), c.u8(), c.u16(), c.u16(), c.u16()};
  c.expect(h.version >= 1 && h.version <= 3, Code::Unsupported, "attribute version {}", h.version);
  if (h.version == 3) c.skip(1);
  return h;
}

/// A part of an attribute; version 1 pads each to 8 bytes.
Cursor attribute_part(Cursor& c, int version, uint64_t size) {
  const uint64_t begin = c.at();
  c.skip(version == 1 ? padded(size) : size);
  return {c.image(), c.path(), begin, size};
}

}  // namespace

std::string attribute_name(Cursor c) {
  const AttributeHead h = attribute_head(c);
  return attribute_part(c, h.version, h.name_size).text();
}

Attribute parse_attribute(Cursor c) {
  const AttributeHead h = attribute_head(c);
  Attribute a;
  a.name = attribute_part(c, h.version, h.name_size).text();
  Cursor type = attribute_part(c, h.version, h.type_size), space = attribute_part(c, h.version, h.space_size);
  c.expect(h.version == 1 || !(h.flags & 3), Code::Unsupported, "attribute '{}' shares its type with other objects", a.name);
  a.type = parse_datatype(type);
  a.shape = parse_dataspace(space, a.null);
  const uint64_t elements = a.null ? 0 : checked_bytes(a.shape, 1, c.image().bytes.name());
  c.expect(elements <= c.left() / a.type.size, Code::Io, "attribute '{}' of shape {} does not fit into {} bytes", a.name, a.shape, c.left());
  a.data = c.take(elements * a.type.size);
  return a;
}

}  // namespace tenure::files::hdf5

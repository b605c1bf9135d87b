// The values of datasets: layouts, chunks, filters, texts.
#include <algorithm>
#include <cstring>
#include <functional>
#include <unordered_map>

#include "files/gz.h"
#include "files/hdf5_format.h"

namespace tenure::files::hdf5 {
namespace {

constexpr uint16_t filter_gzip = 1, filter_shuffle = 2;

struct Filter {
  uint16_t id;
  uint64_t element = 0;  // of shuffle
};

std::vector<Filter> parse_filters(Cursor c) {
  const int version = c.u8(), count = c.u8();
  c.expect(version == 1 || version == 2, Code::Unsupported, "filter pipeline version {}", version);
  c.expect(count <= 32, Code::Io, "{} filters", count);
  if (version == 1) c.skip(6);
  std::vector<Filter> filters;
  for (int i = 0; i < count; ++i) {
    Filter f{c.u16()};
    const bool named = version == 1 || f.id >= 256;
    const uint64_t name = named ? c.u16() : 0;
    c.skip(2);  // flags
    const int values = c.u16();
    const std::string text(c.take(version == 1 ? (name + 7) / 8 * 8 : name).text());
    for (int v = 0; v < values; ++v) {
      const uint32_t value = c.u32();
      if (v == 0) f.element = value;
    }
    if (version == 1 && values % 2) c.skip(4);
    c.expect(f.id == filter_gzip || f.id == filter_shuffle, Code::Unsupported, "filter {} ({}); expected gzip or shuffle", f.id,
             f.id == 3      ? "fletcher32"
             : f.id == 4    ? "szip"
             : text.empty() ? "unknown"
                            : text.substr(0, text.find('\0')).c_str());
    c.expect(f.id != filter_shuffle || (f.element > 0 && f.element < 65536), Code::Io, "shuffle of {} bytes", f.element);
    filters.push_back(f);
  }
  return filters;
}

/// Bytes of equal significance stand together in `from`: puts elements together again.
void unshuffle(std::span<const std::byte> from, std::span<std::byte> to, size_t element) {
  const size_t n = from.size() / element;
  for (size_t b = 0; b < element; ++b)
    for (size_t i = 0; i < n; ++i) to[i * element + b] = from[b * n + i];
  std::copy(from.begin() + static_cast<ptrdiff_t>(n * element), from.end(), to.begin() + static_cast<ptrdiff_t>(n * element));
}

/// The bytes of one element that was never written; empty means zeros.
Bytes fill_value(const Body& body, uint64_t element) {
  const Message* m = body.find(MessageType::fill_value);
  if (!m) return {};
  Cursor c = body.need(MessageType::fill_value, "fill value");
  const int version = c.u8();
  c.expect(version >= 1 && version <= 3, Code::Unsupported, "fill value version {}", version);
  bool defined = true;
  if (version == 3) {
    defined = c.u8() & 0x20;
  } else {
    c.skip(2);
    defined = c.u8() != 0 || version == 1;
  }
  if (!defined) return {};
  const uint64_t size = c.u32();
  if (size == 0) return {};
  c.expect(size == element, Code::Io, "a fill value of {} bytes, expected {}", size, element);
  return c.take(size);
}

void fill(std::span<std::byte> to, const Bytes& value) {
  if (value.empty()) {
    std::fill(to.begin(), to.end(), std::byte{0});
  } else {
    for (size_t i = 0; i + value.size() <= to.size(); i += value.size()) std::copy_n(value.data(), value.size(), to.data() + i);
  }
}

/// A new buffer may be larger than the file, but not without bounds.
void check_expansion(const Cursor& c, uint64_t size) {
  const Image& image = c.image();
  const double most = std::max(static_cast<double>(image.limits.free_bytes), image.limits.max_ratio * static_cast<double>(image.bytes.size()));
  c.expect(static_cast<double>(size) <= most, Code::Io, "{} bytes of values in a file of {}", size, image.bytes.size());
}

/// Reads a dataset that is stored in pieces listed by a B-tree.
class ChunkReader {
 public:
  ChunkReader(const Body& body, const Datatype& type, const Shape& shape) : body_(body), image_(*body.image), element_(type.size), shape_(shape) {}

  Bytes read(Cursor c, uint64_t total) {
    const int dimensions = c.u8();
    c.expect(dimensions == shape_.rank() + 1 && shape_.rank() > 0, Code::Io, "chunks of {} dimensions for a shape of {}", dimensions - 1, shape_);
    const uint64_t tree = c.offset();
    uint64_t bytes = element_, grid = 1;
    for (int i = 0; i < shape_.rank(); ++i) {
      const uint64_t d = c.u32();
      c.expect(d > 0 && !__builtin_mul_overflow(bytes, d, &bytes), Code::Io, "chunks of size {}", d);
      const uint64_t across = (static_cast<uint64_t>(shape_[i]) + d - 1) / d;
      c.expect(!__builtin_mul_overflow(grid, across, &grid), Code::Io, "too many chunks");
      chunk_.push_back(static_cast<int64_t>(d));
    }
    c.expect(c.u32() == element_, Code::Io, "chunks of other elements than the type's {} bytes", element_);
    chunk_bytes_ = bytes;
    most_ = std::min(grid, image_.limits.max_entries);
    if (const Message* m = body_.find(MessageType::filters)) filters_ = parse_filters(body_.open(*m));
    check_expansion(c, total);
    if (__builtin_mul_overflow(grid, bytes, &grid)) grid = UINT64_MAX;
    check_expansion(c, grid);  // chunks may be larger than the shape: what they unpack to is work too
    const Bytes value = fill_value(body_, element_);
    return Bytes::make(total, image_.bytes.name(), [&](std::span<std::byte> out) {
      fill(out, value);
      out_ = out;
      if (total > 0 && !image_.undefined(tree)) node(tree, INT32_MAX);
    });
  }

 private:
  void node(uint64_t address, int above) {
    Cursor c(image_, body_.path, address);
    c.expect(seen_.insert(address).second, Code::Io, "a chunk tree that leads back to itself");
    c.signature("TREE");
    const int type = c.u8(), level = c.u8();
    c.expect(type == 1 && level < above, Code::Io, "expected a chunk node below level {}, got type {} and level {}", above, type, level);
    const int used = c.u16();
    c.offset();  // siblings
    c.offset();
    for (int i = 0; i < used; ++i) {
      const uint64_t size = c.u32();
      const uint32_t mask = c.u32();
      Shape at;
      for (int k = 0; k < shape_.rank(); ++k) at.push_back(static_cast<int64_t>(c.number(8) & INT64_MAX));
      c.skip(8);
      const uint64_t child = c.offset();
      level > 0 ? node(child, level) : chunk(c, child, size, mask, at);
    }
  }
  void chunk(const Cursor& c, uint64_t address, uint64_t size, uint32_t mask, const Shape& at) {
    c.expect(++count_ <= most_, Code::Io, "more chunks than the shape {} has room for", shape_);
    for (int i = 0; i < shape_.rank(); ++i) c.expect(at[i] < shape_[i] && at[i] % chunk_[i] == 0, Code::Io, "a chunk at {} of {}", at, shape_);
    Cursor d(image_, body_.path, address, size);
    const Bytes packed = d.take(size);
    place(unpack(d, packed, mask), at);
  }
  /// Undoes the filters, the last one first.
  Bytes unpack(const Cursor& c, Bytes bytes, uint32_t mask) const {
    const std::string where = fmt::format("{}: {}: chunk ending at byte {}", image_.bytes.name(), body_.path, c.at());
    for (size_t i = filters_.size(); i-- > 0;) {
      if (mask >> i & 1) continue;
      if (filters_[i].id == filter_gzip) {
        // Gzip gains at most a factor of about 1030: what claims more is refused before memory is taken for it.
        c.expect(chunk_bytes_ / 1100 <= bytes.size(), Code::Io, "a chunk of {} bytes packed into {}", chunk_bytes_, bytes.size());
        size_t n = 0;
        const Bytes to = Bytes::make(chunk_bytes_, where, [&](std::span<std::byte> out) { n = inflate_zlib(bytes.span(), out, where); });
        bytes = to.slice(0, n);
      } else {
        bytes = Bytes::make(bytes.size(), where, [&](std::span<std::byte> out) { unshuffle(bytes.span(), out, filters_[i].element); });
      }
    }
    c.expect(bytes.size() == chunk_bytes_, Code::Io, "a chunk of {} bytes, expected {}", bytes.size(), chunk_bytes_);
    return bytes;
  }
  /// Copies the part of a chunk that lies inside the shape, row by row.
  void place(const Bytes& bytes, const Shape& at) {
    const int rank = shape_.rank(), last = rank - 1;
    Shape size = chunk_;
    for (int i = 0; i < rank; ++i) size[i] = std::min(chunk_[i], shape_[i] - at[i]);
    const size_t row = static_cast<size_t>(size[last]) * element_;
    int64_t index[Shape::max_rank] = {};
    for (;;) {
      int64_t from = 0, to = 0;
      for (int i = 0; i < rank; ++i) {
        from = from * chunk_[i] + index[i];
        to = to * shape_[i] + at[i] + index[i];
      }
      std::memcpy(out_.data() + static_cast<size_t>(to) * element_, bytes.data() + static_cast<size_t>(from) * element_, row);
      int i = last - 1;
      while (i >= 0 && ++index[i] == size[i]) index[i--] = 0;
      if (i < 0) return;
    }
  }

  const Body& body_;
  const Image& image_;
  const uint64_t element_;
  const Shape shape_;
  Shape chunk_;
  uint64_t chunk_bytes_ = 0, count_ = 0, most_ = 0;
  std::vector<Filter> filters_;
  std::set<uint64_t> seen_;
  std::span<std::byte> out_;
};

/// Looks texts up in the collections that hold values of varying length; each collection is indexed once.
class GlobalHeap {
 public:
  GlobalHeap(const Image& image, std::string_view path) : image_(image), path_(path) {}

  Bytes find(const Cursor& from, uint64_t collection, uint32_t index) {
    auto it = collections_.find(collection);
    if (it == collections_.end()) it = collections_.emplace(collection, parse(collection)).first;
    const auto object = it->second.find(index);
    from.expect(object != it->second.end(), Code::Io, "no object {} in the collection at {}", index, collection);
    return object->second;
  }

 private:
  using Collection = std::unordered_map<uint32_t, Bytes>;
  Collection parse(uint64_t address) {
    Cursor head(image_, path_, address);
    head.signature("GCOL");
    const int version = head.u8();
    head.expect(version == 1, Code::Unsupported, "global heap version {}", version);
    head.skip(3);
    Cursor c(image_, path_, address, head.length());
    c.skip(head.at() - address);
    Collection objects;
    const uint64_t entry = 8 + static_cast<uint64_t>(image_.length_size);
    while (c.left() >= entry) {
      const uint32_t index = c.u16();
      c.skip(6);  // reference count, reserved
      const uint64_t size = c.length();
      if (index == 0) break;  // the rest is free
      c.expect(++entries_ <= image_.limits.max_entries, Code::Io, "more than {} texts", image_.limits.max_entries);
      objects.emplace(index, c.take(size));
      c.skip(std::min((8 - size % 8) % 8, c.left()));
    }
    return objects;
  }

  const Image& image_;
  std::string_view path_;
  std::unordered_map<uint64_t, Collection> collections_;
  uint64_t entries_ = 0;
};

std::string fixed_text(std::string_view text, int padding) {
  if (padding == 2) return std::string(text.substr(0, text.find_last_not_of(' ') + 1));
  if (padding == 1) return std::string(text.substr(0, text.find_last_not_of('\0') + 1));
  return std::string(text.substr(0, text.find('\0')));
}

Bytes widen_uint16(const Bytes& bytes) {
  return Bytes::make(bytes.size() * 2, bytes.name(), [&](std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), std::byte{0});
    for (size_t i = 0; i < bytes.size(); i += 2) std::copy_n(bytes.data() + i, 2, out.data() + 2 * i);
  });
}

}  // namespace

Bytes read_values(const Body& body, const Datatype& type, const Shape& shape) {
  if (const Message* m = body.find(MessageType::external_files)) body.open(*m).refuse(Code::Unsupported, "values in other files");
  Cursor c = body.need(MessageType::layout, "layout");
  const uint64_t total = checked_bytes(shape, type.size, body.image->bytes.name());
  const int version = c.u8(), kind = c.u8();
  c.expect(version == 3 || version == 4, Code::Unsupported, "layout version {}", version);
  c.expect(kind != 3, Code::Unsupported, "a virtual dataset");
  const Message* filters = body.find(MessageType::filters);
  c.expect(kind == 2 || !filters, Code::Unsupported, "filters on a dataset without chunks");
  if (kind == 0) {
    const uint64_t size = c.u16();
    c.expect(size == total, Code::Io, "{} bytes of values, expected {}", size, total);
    return c.take(size);
  }
  if (kind == 1) {
    const uint64_t address = c.offset(), size = c.length();
    if (body.image->undefined(address)) {
      check_expansion(c, total);
      return Bytes::make(total, body.image->bytes.name(), [&](std::span<std::byte> out) { fill(out, fill_value(body, type.size)); });
    }
    c.expect(size == total, Code::Io, "{} bytes of values, expected {}", size, total);
    return Cursor(*body.image, body.path, address, size).take(size);
  }
  c.expect(kind == 2, Code::Unsupported, "layout class {}", kind);
  c.expect(version == 3, Code::Unsupported, "chunks of the newer format; save the file with h5py's default libver");
  return ChunkReader(body, type, shape).read(c, total);
}

std::vector<std::string> decode_texts(const Image& image, std::string_view path, const Datatype& type, const Bytes& data) {
  std::vector<std::string> out;
  check(data.size() / type.size <= image.limits.max_entries, Code::Io, "{}: {}: more than {} texts", image.bytes.name(), path,
        image.limits.max_entries);
  if (type.kind == Datatype::Kind::fixed_text) {
    for (size_t at = 0; at + type.size <= data.size(); at += type.size) out.push_back(fixed_text(data.slice(at, type.size).text(), type.padding));
    return out;
  }
  // References are read where they stand; those of a chunked dataset were copied and get an image of their own.
  Image copy;
  const bool inside = !std::less<>()(data.data(), image.bytes.data()) && std::less<>()(data.data(), image.bytes.data() + image.bytes.size());
  if (!inside) copy.bytes = data.named(image.bytes.name()), copy.offset_size = image.offset_size;
  Cursor c = inside ? Cursor(image, path, static_cast<uint64_t>(data.data() - image.bytes.data()), data.size()) : Cursor(copy, path, 0);
  GlobalHeap heap(image, path);
  uint64_t total = 0;
  while (c.left() >= type.size) {
    const uint64_t size = c.u32(), collection = c.offset();
    const uint32_t index = c.u32();
    if (size == 0) {
      out.emplace_back();
      continue;
    }
    const Bytes text = heap.find(c, collection, index);
    total += size;
    c.expect(size <= text.size() && total <= image.bytes.size(), Code::Io, "a text of {} bytes in {}", size, text.size());
    out.push_back(fixed_text(text.slice(0, size).text(), 1));
  }
  return out;
}

Array decode_numbers(const Datatype& type, const Shape& shape, Bytes data) {
  if (type.big_endian) data = swap_elements(data, type.size);
  if (type.dtype == DType::bool_) data = clean_bools(data);
  if (type.size != size_of(type.dtype)) data = widen_uint16(data);
  return Array::from(type.dtype, shape, std::move(data));
}

}  // namespace tenure::files::hdf5

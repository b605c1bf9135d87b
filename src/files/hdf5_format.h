// The structures of HDF5, read with bounds. Internal to the reader: hdf5.h is the way in.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "files/hdf5.h"

namespace tenure::files::hdf5 {

/// One file. Addresses count from the superblock.
struct Image {
  Bytes bytes;
  Hdf5Limits limits;
  int offset_size = 8, length_size = 8;
  uint64_t root = 0;  // address of the root's object header

  bool undefined(uint64_t address) const noexcept { return address == (offset_size == 8 ? UINT64_MAX : (uint64_t{1} << 8 * offset_size) - 1); }

  /// Remembers under which path a group was opened. Throws Unsupported if it has another one: groups form a tree, so walks end.
  void claim(uint64_t address, const std::string& path) const;

 private:
  mutable std::mutex mutex_;
  mutable std::map<uint64_t, std::string> claimed_;
};

/// Reads on from a place in the file, never beyond the end it was given.
class Cursor {
 public:
  Cursor(const Image& image, std::string_view path, uint64_t begin, uint64_t size);
  /// From `begin` to the end of the file.
  Cursor(const Image& image, std::string_view path, uint64_t begin);

  uint64_t number(int bytes);
  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t offset() { return number(image_.offset_size); }
  uint64_t length() { return number(image_.length_size); }
  void skip(uint64_t n);
  Bytes take(uint64_t n);
  /// Up to a NUL, which is consumed.
  std::string text();
  void signature(std::string_view expected);
  uint64_t at() const noexcept { return at_; }
  uint64_t left() const noexcept { return end_ - at_; }
  const Image& image() const noexcept { return image_; }
  const std::string_view path() const noexcept { return path_; }

  template <class... Args>
  [[noreturn]] void refuse(Code code, fmt::format_string<Args...> text, Args&&... args) const {
    fail(code, "{}: {}: {} (byte {})", image_.bytes.name(), path_, fmt::format(text, std::forward<Args>(args)...), at_);
  }
  template <class... Args>
  void expect(bool ok, Code code, fmt::format_string<Args...> text, Args&&... args) const {
    if (!ok) refuse(code, text, std::forward<Args>(args)...);
  }

 private:
  const Image& image_;
  std::string_view path_;
  uint64_t at_ = 0, end_ = 0;
};

enum class MessageType : uint16_t {
  dataspace = 1,
  link_info = 2,
  datatype = 3,
  fill_value = 5,
  link = 6,
  external_files = 7,
  layout = 8,
  filters = 11,
  attribute = 12,
  continuation = 16,
  symbol_table = 17,
  attribute_info = 21,
};

struct Message {
  MessageType type;
  uint8_t flags;
  uint64_t at, size;
};

struct Datatype {
  enum class Kind { number, opaque, fixed_text, vlen_text, other };
  Kind kind = Kind::other;
  DType dtype = DType::float32;  // of a number; uint16 is uint32 with size 2
  bool big_endian = false;
  uint8_t padding = 0;  // of text: 0 ends at NUL, 1 padded by NUL, 2 by spaces
  uint64_t size = 0;    // bytes of one element in the file
  std::string what;     // for error messages
};

struct Link {
  enum class Kind { hard, soft, external };
  Kind kind = Kind::hard;
  uint64_t address = 0;
  std::string target;
};

struct NaturalLess {
  bool operator()(std::string_view a, std::string_view b) const noexcept { return natural_less(a, b); }
  using is_transparent = void;
};

struct Attribute {
  std::string name;
  Datatype type;
  Shape shape;
  bool null = false;
  Bytes data;
};

/// What was parsed of one object; never changes.
struct Body {
  std::shared_ptr<const Image> image;
  std::string path;
  int depth = 0;
  uint64_t address = 0;
  bool group = false;
  std::vector<Message> messages;
  std::map<std::string, Link, NaturalLess> links;

  const Message* find(MessageType type) const noexcept;
  /// The only message of this type. Throws Io if there is none, Unsupported if it is shared with other objects.
  Cursor need(MessageType type, const char* what) const;
  Cursor open(const Message& message) const { return {*image, path, message.at, message.size}; }
};

/// Finds and checks the superblock; fills the sizes and the root.
std::shared_ptr<const Image> parse_superblock(Bytes bytes, const Hdf5Limits& limits);
std::vector<Message> parse_header(const Image& image, std::string_view path, uint64_t address);
/// The links of a group, whichever way they are stored.
std::map<std::string, Link, NaturalLess> parse_links(const Body& body);
/// Consumes the message; `depth` bounds types inside types.
Datatype parse_datatype(Cursor& c, int depth = 0);
/// The shape, or `null` if the object has no values at all.
Shape parse_dataspace(Cursor& c, bool& null);
Attribute parse_attribute(Cursor c);
std::string attribute_name(Cursor c);

/// The stored values of a dataset: a slice of the file or a new buffer of exactly elements * type.size bytes.
Bytes read_values(const Body& body, const Datatype& type, const Shape& shape);
/// Texts of fixed or variable length, one every type.size bytes of `data`.
std::vector<std::string> decode_texts(const Image& image, std::string_view path, const Datatype& type, const Bytes& data);
/// Numbers as Tenure keeps them: little endian, widened, bools clean.
Array decode_numbers(const Datatype& type, const Shape& shape, Bytes data);

}  // namespace tenure::files::hdf5

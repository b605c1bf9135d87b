// A bounded reader of HDF5, straight from bytes in memory: the part of the format that Keras and h5py write by default.
// Read: superblock 0 to 3, groups as symbol tables or compact links, contiguous, compact and B-tree-chunked datasets with gzip and
// shuffle, compact attributes, fixed and variable-length text. Everything else is refused with one Error (Unsupported, or Io when
// the file is damaged) that names the file, the object and the byte. No mutation of a file may do more than that.
//
// Who owns what: every node shares the file's bytes and what was parsed of its own object; arrays share the bytes or own theirs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "files/array.h"

namespace tenure::files {

struct Hdf5Limits {
  int max_depth = 64;                        ///< groups inside each other
  uint64_t max_entries = uint64_t{1} << 20;  ///< links of one group, messages of one object, chunks of one dataset
  double max_ratio = 1100;                   ///< an unpacked dataset to the whole file
  uint64_t free_bytes = uint64_t{64} << 20;  ///< up to here the ratio does not matter
};

namespace hdf5 {
struct Body;
struct Image;
}  // namespace hdf5

/// A group or a dataset. A value that is cheap to copy; several threads may read one.
class Hdf5Node {
 public:
  /// From the root, e.g. "/layers/dense/vars"; "/" is the root.
  const std::string& path() const noexcept;
  bool is_group() const noexcept;
  bool is_dataset() const noexcept;

  // Groups
  /// Names in natural order: "2" before "10". Empty for a dataset.
  std::vector<std::string> children() const;
  /// Follows "a/b/c" from here; a leading "/" starts at this node too. Nothing if a part is missing.
  std::optional<Hdf5Node> find(std::string_view path) const;
  bool contains(std::string_view path) const { return find(path).has_value(); }
  /// As find, but throws NotFound.
  Hdf5Node at(std::string_view path) const;

  // Attributes, of groups and datasets
  std::vector<std::string> attributes() const;
  bool has_attribute(std::string_view name) const;
  /// One text. Throws NotFound, or DType if it is something else.
  std::string text(std::string_view name) const;
  /// A list of texts; one text is a list of one, an empty array of any type is an empty list.
  std::vector<std::string> texts(std::string_view name) const;
  /// A number or an array of them.
  Array attribute(std::string_view name) const;

  // Datasets
  /// Throws InvalidArgument for a group, Unsupported for values that are not numbers.
  Spec spec() const;
  /// The values. A slice of the file where it holds them in one piece, little-endian; otherwise a copy.
  /// Two opaque bytes or uint16 with the attribute dtype="bfloat16" are bfloat16; other uint16 widen to uint32.
  Array read() const;
  /// The values of a dataset of texts.
  std::vector<std::string> read_texts() const;

 private:
  friend class Hdf5File;
  explicit Hdf5Node(std::shared_ptr<const hdf5::Body> body) : body_(std::move(body)) {}
  std::shared_ptr<const hdf5::Body> body_;
};

class Hdf5File {
 public:
  /// Reads the superblock and the root group. Throws Io or Unsupported.
  explicit Hdf5File(Bytes bytes, Hdf5Limits limits = {});
  static bool looks_like(const Bytes& bytes) noexcept;
  Hdf5Node root() const noexcept { return root_; }

 private:
  Hdf5Node root_;
};

/// Compares runs of digits by value: "a2" < "a10".
bool natural_less(std::string_view a, std::string_view b) noexcept;

}  // namespace tenure::files

// Writes HDF5 through libhdf5, in the form that h5py and Keras read: old-style groups, contiguous little-endian datasets.
//
// Who owns what: the writer owns libhdf5's open file, in memory or as a temporary beside its path; arrays are copied when added.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "files/array.h"

namespace tenure::files {

/// Paths are "/a/b/c" or "a/b/c"; groups on the way are made. Throws InvalidArgument for a path that is taken or malformed, Io for
/// what libhdf5 cannot do. One thread at a time; several writers may work at once and take turns inside libhdf5.
class Hdf5Writer {
 public:
  /// Into memory, for to_bytes().
  Hdf5Writer();
  /// To a file that appears on commit(). Without commit() nothing is left.
  explicit Hdf5Writer(const std::string& path);
  ~Hdf5Writer();
  Hdf5Writer(Hdf5Writer&&) noexcept;
  Hdf5Writer& operator=(Hdf5Writer&&) noexcept;

  /// An existing group is fine.
  void add_group(std::string_view path);
  /// bfloat16 becomes two opaque bytes with the attribute dtype="bfloat16", bool h5py's enumeration.
  void add_dataset(std::string_view path, const Array& array);

  /// Attributes of a group or dataset that exists; variable-length UTF-8 as h5py writes them.
  void set_text(std::string_view path, const std::string& name, const std::string& text);
  void set_texts(std::string_view path, const std::string& name, std::span<const std::string> texts);
  /// Rank 0 is a scalar. Throws Unsupported if it takes more than 64,000 bytes, which an object header does not hold; so do more than
  /// 4,000 texts: split them as Keras does (name0, name1, ...).
  void set_numbers(std::string_view path, const std::string& name, const Array& numbers);

  /// Ends the writing: the whole file.
  Bytes to_bytes(std::string name = "<memory>");
  /// Ends the writing: makes the file durable under its name.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tenure::files

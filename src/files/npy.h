// NumPy's .npy and .npz.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "files/array.h"
#include "files/zip.h"

namespace tenure::files {

/// Reads a .npy (versions 1 to 3). The values are a slice of `bytes` when they are little-endian and in C order, else converted.
/// "<V2" (how NumPy stores ml_dtypes.bfloat16) is read as bfloat16, uint16 widens to uint32.
/// "<U.." and "|S.." are strings. Throws Io for a damaged file, Unsupported for objects, structures, complex numbers and dates.
Array read_npy(const Bytes& bytes);
Array read_npy(const std::string& path);
/// The file as parts: a header, padded so that values start at a multiple of 64, and the array's own bytes.
std::vector<Bytes> npy_parts(const Array& array);
/// Replaces `path` in one step.
void write_npy(const std::string& path, const Array& array);

/// The arrays of a .npz, read when asked for. One thread at a time.
class NpzFile {
 public:
  explicit NpzFile(Bytes bytes, ZipLimits limits = {});
  explicit NpzFile(const std::string& path) : NpzFile(Bytes::map(path)) {}
  /// In the file's order, without ".npy".
  const std::vector<std::string>& names() const noexcept { return names_; }
  bool contains(std::string_view name) const noexcept;
  /// Throws NotFound for an unknown name.
  Array read(std::string_view name) const;
  std::vector<NamedArray> read_all() const;

 private:
  ZipFile zip_;
  std::string file_;
  std::vector<std::string> names_;
};

/// Replaces `path` in one step with a .npz of stored members.
void write_npz(const std::string& path, std::span<const NamedArray> arrays);
Bytes npz_bytes(std::span<const NamedArray> arrays, std::string name = "<memory>");

}  // namespace tenure::files

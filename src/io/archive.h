// The members of a model file: a .keras zip, or the same members in a folder.
//
// Who owns what: an Archive shares the mapped file (or borrows the caller's bytes); members are slices of it that outlive the Archive.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "files/bytes.h"
#include "files/zip.h"

namespace tenure::io {

using Json = nlohmann::json;

class Archive {
 public:
  /// Throws NotFound for a missing path, Io for a damaged file, Unsupported with the way out for another kind of file (ONNX, TFLite,
  /// SavedModel, HDF5, ...).
  explicit Archive(const std::string& path);
  explicit Archive(files::Bytes bytes);

  /// The path, for messages.
  const std::string& name() const noexcept { return name_; }
  bool has(std::string_view member) const;
  /// Throws Io naming the archive and what it holds where the member is missing.
  files::Bytes read(const std::string& member) const;
  /// Names, and bytes after unpacking; of a folder, its files.
  std::vector<std::pair<std::string, uint64_t>> members_and_sizes() const;

 private:
  void open_zip(files::Bytes bytes);
  std::string members() const;

  std::string name_;
  std::string folder_;  // of the unzipped form
  std::optional<files::ZipFile> zip_;
};

/// config.json and what metadata.json says.
struct ModelConfig {
  Json config;
  std::string keras_version;
  bool keras2 = false;  ///< in the dialect of Keras 2 (tf-keras)
  Json metadata = {};   ///< metadata.json, or null
};
/// Throws Unsupported for versions Tenure does not read.
ModelConfig read_config(const Archive& archive);

/// Throws Unsupported if the bytes (or the name) are of a kind of file that is no .keras archive, naming the kind and the line of Python
/// that makes a .keras archive of it.
void refuse_other_kinds(const files::Bytes& bytes, const std::string& path);

}  // namespace tenure::io

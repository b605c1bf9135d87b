// Any file that load_model or load_weights takes, opened to be looked at.
//
// Who owns what: a ModelFile shares the mapped file; nodes of its HDF5 part share it, too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tenure/inspect.h>

#include "io/source.h"

namespace tenure::io {

struct ModelFile {
  /// Throws as inspect_file does.
  explicit ModelFile(const std::string& path);

  std::string path, kind, keras_version;
  std::vector<FileReport::Member> members;
  std::optional<Source> source;  ///< none: weights only
  std::optional<files::Hdf5Node> root;
  Problems problems;  ///< of the configuration's older forms

  struct Dataset {
    files::Hdf5Node node;
    std::string layer;
  };
  /// Datasets of numbers, in the order of the file.
  std::vector<Dataset> datasets() const;
};

}  // namespace tenure::io

// What a model is made from, whatever the kind of file: a configuration in the form of Keras 3, and where its weights are.
//
// Who owns what: a Source shares the file's bytes through `root`.
#pragma once

#include <optional>
#include <string>

#include "files/hdf5.h"
#include "io/archive.h"
#include "io/problems.h"

namespace tenure::io {

inline constexpr const char* kWeightsMember = "model.weights.h5";

struct Source {
  std::string name;
  Json config;
  std::optional<files::Hdf5Node> root;
  enum Dialect { keras3, keras2, legacy_h5 } dialect = keras3;
  const Archive* archive = nullptr;  ///< where assets are; outlives this
  Json metadata = {};
};

/// Of an archive, or the root of a legacy .h5. What cannot be said in Keras 3 is noted. Throws Io for a malformed file.
Source source_of(const Archive& archive, Problems& problems);
Source source_of(const files::Hdf5Node& root, const std::string& name, Problems& problems);

}  // namespace tenure::io

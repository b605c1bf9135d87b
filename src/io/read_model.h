// From config.json to a model: layers by the registry, graphs by replaying their nodes on symbols.
//
// Who owns what: nothing here outlives the load; the layers made belong to the model that is returned.
#pragma once

#include <map>
#include <string>

#include <tenure/saving.h>

#include "io/archive.h"
#include "io/problems.h"
#include "io/weights.h"

namespace tenure::io {

/// Limits of one file's configuration.
inline constexpr size_t kMaxLayers = 200000, kMaxNodes = 1000000;
inline constexpr int kMaxNesting = 64;

class ModelReader {
 public:
  ModelReader(const LoadOptions& options, Problems& problems) : options_(options), problems_(problems) {}
  ModelReader(const ModelReader&) = delete;
  ModelReader& operator=(const ModelReader&) = delete;

  /// The layer or model of an envelope {"class_name", "config", ...}; undefined if a problem was noted instead. `parent` is the path of
  /// the model around it. Throws Io for a malformed configuration.
  Layer read(const Json& envelope, const std::string& parent);
  /// What the file calls the layers, where they are not what the file says.
  const FileClasses& classes() const noexcept { return classes_; }
  Problems& problems() noexcept { return problems_; }
  const LoadOptions& options() const noexcept { return options_; }
  /// Layers remember what their envelopes say beyond what is read (notes.h).
  void keep_notes(bool on) noexcept { notes_ = on; }
  /// The layer that the caller put in this one's place, or undefined.
  Layer substitute(const std::string& name, const std::string& class_name);

 private:
  Layer make(const Json& envelope, const std::string& where, const std::string& name);
  Layer sequential(const Json& envelope, const std::string& where, const std::string& name);
  Layer leaf(const Json& envelope, const std::string& where, const std::string& name);
  Layer custom(const Json& envelope, const std::string& where, const std::string& name, bool& known);

  const LoadOptions& options_;
  Problems& problems_;
  FileClasses classes_;
  Layer shared(const Json& envelope, int64_t id, const std::string& name);

  std::map<int64_t, Layer> shared_;                                 // by shared_object_id
  std::multimap<std::string, std::pair<const Json*, Layer>> made_;  // by name
  size_t layers_ = 0;
  int depth_ = 0;
  bool notes_ = false;
};

/// A Functional of its envelope's config. Undefined if a problem was noted.
Layer read_functional(ModelReader& reader, const Json& config, const std::string& where, const std::string& name);

/// compile_config as options; `outputs` are the model's output names. Problems are noted.
CompileOptions read_compile(const Json& config, const std::vector<std::string>& outputs, Problems& problems);

// ---- envelopes ----
/// A member that must be an object, array or string. Throws Io naming `where`.
const Json& object_of(const Json& j, const char* member, const std::string& where);
const Json& array_of(const Json& j, const char* member, const std::string& where);
/// A string member, or empty.
std::string string_of(const Json& j, const char* member);
/// "layer 'outer/dense' (Dense)"
std::string described(const std::string& path, const std::string& class_name);
/// `.substitute = {{"name", layer}}` as a way out.
std::string substitute_way(const std::string& name);

}  // namespace tenure::io

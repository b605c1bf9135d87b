#include "io/model_file.h"

#include <filesystem>

#include "base/check.h"
#include "io/legacy.h"

namespace tenure::io {

using files::Bytes;
using files::Hdf5File;
using files::Hdf5Node;

namespace {

void gather(const Hdf5Node& node, const std::string& layer, std::vector<ModelFile::Dataset>& out) {
  for (const std::string& name : node.children()) {
    const Hdf5Node child = node.at(name);
    if (child.is_group()) {
      gather(child, child.has_attribute("name") ? child.text("name") : layer.empty() ? name : layer, out);
    } else {
      try {
        (void)child.spec();
        out.push_back({child, layer});
      } catch (const Error& e) {
        if (e.code() != Code::Unsupported) throw;  // texts: no weights
      }
    }
  }
}

}  // namespace

ModelFile::ModelFile(const std::string& path) : path(path) {
  std::error_code ec;
  if (std::filesystem::is_regular_file(path, ec)) {
    const Bytes bytes = Bytes::map(path);
    if (Hdf5File::looks_like(bytes)) {
      root = Hdf5File(bytes).root();
      if (is_legacy_model(*root)) {
        kind = "legacy model of Keras (HDF5)";
        source = source_of(*root, path, problems);
        if (root->has_attribute("keras_version")) keras_version = root->text("keras_version");
      } else if (holds_legacy_weights(*root)) {
        kind = "legacy weights of Keras (HDF5)";
      } else {
        kind = "weights";
        check(root->contains("layers") || root->contains("vars") || root->contains("_layer_checkpoint_dependencies") || !datasets().empty(),
              Code::Unsupported, "{}: an HDF5 file without weights in it; expected a .keras archive or weights that Keras saved", path);
      }
      return;
    }
  }
  const Archive archive(path);
  for (const auto& [name, size] : archive.members_and_sizes()) members.push_back({name, size});
  source = source_of(archive, problems);
  keras_version = read_config(archive).keras_version;
  kind = source->dialect == Source::keras2 ? "Keras 2 model" : "Keras 3 model";
  root = source->root;
}

std::vector<ModelFile::Dataset> ModelFile::datasets() const {
  std::vector<Dataset> out;
  if (root) gather(*root, "", out);
  return out;
}

}  // namespace tenure::io

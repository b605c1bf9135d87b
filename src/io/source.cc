#include "io/source.h"

#include "io/dialect.h"
#include "io/legacy.h"

namespace tenure::io {

Source source_of(const Archive& archive, Problems& problems) {
  ModelConfig config = read_config(archive);
  Source file{archive.name(), std::move(config.config), {}, Source::keras3, &archive, std::move(config.metadata)};
  if (config.keras2) {
    file.dialect = Source::keras2;
    const Json compile = modern_compile(file.config.value("compile_config", Json()));
    file.config = modern_layer(file.config, problems);
    file.config["compile_config"] = compile;
  }
  if (archive.has(kWeightsMember)) file.root = files::Hdf5File(archive.read(kWeightsMember)).root();
  return file;
}

Source source_of(const files::Hdf5Node& root, const std::string& name, Problems& problems) {
  return {name, legacy_config(root, name, problems), root, Source::legacy_h5};
}

}  // namespace tenure::io

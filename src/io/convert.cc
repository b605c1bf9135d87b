// From one kind of model file to another.
#include <tenure/inspect.h>
#include <tenure/saving.h>

#include "base/check.h"
#include "io/model_file.h"

namespace tenure {

namespace {

/// The bytes as they are: what Tenure does not know comes along.
void copy_to(const files::Bytes& bytes, const std::string& path) {
  files::write_file_atomically(path, [&](files::FileSink& sink) { sink.write(bytes.span()); });
}

}  // namespace

void convert_file(const std::string& from, const std::string& to) {
  const bool model = to.ends_with(".keras"), weights = to.ends_with(".weights.h5");
  check(model || weights, Code::InvalidArgument, "convert: expected a target that ends in .keras or .weights.h5, got '{}'", to);
  const io::ModelFile file(from);
  if (!file.source) {
    check(!model, Code::Unsupported, "{}: these are weights without a model; a .keras file needs the layers: build the model, load_weights, save",
          from);
    check(file.kind == "weights", Code::Unsupported,
          "{}: {}, which are known by the names of the model's layers; build the model, load_weights, save_weights", from, file.kind);
    return copy_to(files::Bytes::map(from), to);
  }
  if (model) return load_model(from).save(to);
  if (file.source->dialect == io::Source::keras3 && file.root) return copy_to(io::Archive(from).read(io::kWeightsMember), to);
  load_model(from).save_weights(to);
}

}  // namespace tenure

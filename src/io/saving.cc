// The public functions: what load_model, save_model and their relatives do, in order.
//
// Who owns what: a load owns the archive's mapping until it returns; the model owns everything else. A save owns its bytes until they
// stand under their name.
#include <tenure/saving.h>

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/check.h"
#include "files/hdf5.h"
#include "files/json.h"
#include "files/npy.h"
#include "io/legacy.h"
#include "io/notes.h"
#include "io/operation.h"
#include "io/read_model.h"
#include "io/source.h"
#include "io/statistics.h"
#include "io/verify.h"
#include "io/vocabularies.h"
#include "io/write_model.h"
#include "nn/model_state.h"
#include "nn/unfilled.h"

namespace tenure {

using files::Bytes;
using files::Hdf5File;
using files::Hdf5Node;
using io::Source;

namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kProof = "assets/tenure_proof.npz";
/// The version of Keras whose form is written.
constexpr const char* kKerasVersion = "3.15.1";

bool ends_with(const std::string& s, std::string_view end) {
  return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0;
}

/// Runs `f`; errors say which file they are about, and JSON of the wrong form is a damaged file.
template <class F>
auto about(const std::string& file, F&& f) {
  try {
    return f();
  } catch (Error& e) {
    if (e.message().find(file) == std::string::npos) e.add_frame(file);
    throw;
  } catch (const nlohmann::json::exception& e) { fail(Code::Io, "{}: the configuration is malformed: {}", file, e.what()); }
}

/// Every layer of the tree once.
void each_layer(const LayerBody& l, const std::function<void(const LayerBody&)>& visit) {
  std::vector<const LayerBody*> seen, todo{&l};
  while (!todo.empty()) {
    const LayerBody* at = todo.back();
    todo.pop_back();
    if (std::find(seen.begin(), seen.end(), at) != seen.end()) continue;
    seen.push_back(at);
    visit(*at);
    for (const auto& c : at->children()) todo.push_back(c.layer.get());
  }
}

bool has_unbuilt(const LayerBody& l) {
  bool found = false;
  each_layer(l, [&](const LayerBody& at) { found |= !at.built(); });
  return found;
}

// ---- loading ----------------------------------------------------------------------------------------------------------------------

/// What the weights of a file may take in memory: half precision in the file may be float32 here, a damaged size is many times the whole
/// file.
size_t weights_budget(uint64_t stored) { return static_cast<size_t>(8 * stored) + (32_MiB); }

/// An author's class says in build_config what it was built for; its weights are made by that.
void build_custom(const Layer& layer, const io::Json& envelope) {
  if (layer.built() && !has_unbuilt(*layer.body())) return;
  auto it = envelope.find("build_config");
  if (it == envelope.end() || !it->is_object()) return;
  io::Json shape = it->value("input_shape", io::Json());
  if (!shape.is_array() || shape.empty()) return;
  std::vector<Shape> shapes;
  if (shape[0].is_array())
    for (const io::Json& s : shape) shapes.push_back(nn::shape_from(nn::Json::parse(s.dump()), layer.name()));
  else shapes.push_back(nn::shape_from(nn::Json::parse(shape.dump()), layer.name()));
  layer.build(shapes);
}

void compile_from(const Model& model, const Source& file) {
  auto it = file.config.find("compile_config");
  if (it == file.config.end() || !it->is_object() || it->empty()) return;
  io::Problems problems;
  CompileOptions options = io::read_compile(*it, io::output_names(model), problems);
  problems.raise(file.name);
  model.compile(std::move(options));
  if (file.dialect == Source::keras3) io::remember_compile(*model.body(), *it);
  if (!model.built()) return;
  Optimizer optimizer = model.optimizer();
  optimizer.build(model.trainable_variables());
  if (!file.root) return;
  if (file.dialect == Source::legacy_h5) io::read_legacy_optimizer(optimizer, *file.root, file.name);
  else io::read_optimizer(optimizer, *file.root, file.dialect == Source::keras2);
}

void check_proof(const Model& model, const io::Archive& archive, const LoadOptions& options) {
  check(archive.has(kProof), Code::NotFound, "{}: carries no proof (recorded inputs and outputs); save_model writes one when it is given inputs",
        archive.name());
  VerifyReport report = io::verify_arrays(model, files::NpzFile(archive.read(kProof)), {.tolerance = options.tolerance});
  check(report.ok(), Code::InvalidArgument, "{}: the model does not give the outputs that the file recorded\n{}", archive.name(), report.text());
}

Model assemble(const Source& file, io::Problems& problems, const LoadOptions& options) {
  Model model;
  {
    memory::Scope scope("load", {.budget = weights_budget(file.root ? io::stored_bytes(*file.root) : 0)});
    nn::Unfilled unfilled;  // the file has the values
    io::ModelReader reader(options, problems);
    reader.keep_notes(file.dialect == Source::keras3);
    Layer layer = reader.read(file.config, "");
    if (options.compile)
      if (auto it = file.config.find("compile_config"); it != file.config.end() && it->is_object() && !it->empty())
        io::read_compile(*it, {}, problems);
    problems.raise(file.name);
    ensure(layer.defined(), "a layer was not made and no reason was noted");
    build_custom(layer, file.config);
    unfilled.close();
    model = Model(layer);
    if (file.dialect == Source::keras3) io::remember_metadata(*model.body(), file.metadata);
    check(file.root || model.weights().empty(), Code::Io, "{}: the model has weights, but the file has no {}", file.name, io::kWeightsMember);
    if (file.dialect == Source::legacy_h5) io::read_legacy_weights(*model.body(), *file.root, {});
    else if (file.root) io::read_weights(*model.body(), {*file.root}, {}, reader.classes());
    unfilled.finish();
    io::warn_of_nonfinite(*model.body(), file.name);
    if (file.archive)
      io::read_vocabularies(io::weight_groups(*model.body(), file.root && file.root->contains("layers"), reader.classes()), *file.archive, file.root);
  }
  if (options.compile) compile_from(model, file);
  return model;
}

Model load(const io::Archive& archive, const LoadOptions& options) {
  io::register_operations();
  io::Problems problems;
  const Source file = io::source_of(archive, problems);
  Model model = assemble(file, problems, options);
  if (options.verify) check_proof(model, archive, options);
  return model;
}

Model load_legacy(const Bytes& bytes, const std::string& name, const LoadOptions& options) {
  const Hdf5Node root = Hdf5File(bytes).root();
  if (!io::is_legacy_model(root)) io::refuse_other_kinds(bytes, name);
  io::register_operations();
  io::Problems problems;
  const Source file = io::source_of(root, name, problems);
  check(!options.verify, Code::NotFound, "{}: a legacy .h5 carries no proof (recorded inputs and outputs)", name);
  return assemble(file, problems, options);
}

// ---- saving -----------------------------------------------------------------------------------------------------------------------

Bytes weights_file(const Model& model, const SaveOptions& options) {
  files::Hdf5Writer out;
  io::write_weights(io::body(model), out);
  const ModelState* s = model.body()->model();
  if (options.include_optimizer && s && s->compiled) io::write_optimizer(Optimizer(s->optimizer.get()), out);
  return out.to_bytes(io::kWeightsMember);
}

nlohmann::ordered_json config_json(const Model& model, bool compile) {
  io::Problems problems;
  nn::Json j = io::ModelWriter(problems).write(io::body(model));
  problems.raise(model.name());
  j["compile_config"] = compile ? io::compile_json(*model.body()) : nn::Json::object();
  return j;
}

std::string metadata(const Model& model) {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%d@%H:%M:%S", &utc);
  nn::Json j{{"keras_version", kKerasVersion}, {"date_saved", date}};
  io::recall_metadata(*model.body(), j);
  return j.dump();
}

Bytes proof_file(const Model& model, const Tensors& inputs) {
  std::vector<files::NamedArray> arrays;
  for (size_t i = 0; i < inputs.size(); ++i) arrays.push_back({fmt::format("in_{}", i), io::array_of(inputs[i])});
  const Outputs outputs = model.predict_on_batch(TensorList(inputs));
  for (size_t i = 0; i < outputs.size(); ++i) arrays.push_back({fmt::format("out_{}", i), io::array_of(outputs[i])});
  return files::npz_bytes(arrays, kProof);
}

files::ZipWriter archive_of(const Model& model, const SaveOptions& options, const Tensors& proof) {
  files::ZipWriter zip;
  zip.add("metadata.json", Bytes::copy(metadata(model)));
  zip.add(kConfig, Bytes::copy(config_json(model, options.include_optimizer).dump()));
  zip.add(io::kWeightsMember, weights_file(model, options));
  io::write_vocabularies(io::body(model), zip);
  if (!proof.empty()) zip.add(kProof, proof_file(model, proof));
  return zip;
}

void check_target(const std::string& path, const SaveOptions& options, const char* ending) {
  check(ends_with(path, ending), Code::InvalidArgument, "save: expected a path that ends in {}, got '{}'", ending, path);
  if (!options.overwrite) check(::access(path.c_str(), F_OK) != 0, Code::InvalidArgument, "save: '{}' is there already, and overwrite = false", path);
}

// ---- weights ----------------------------------------------------------------------------------------------------------------------

/// Weights over several files beside X.weights.json, which says which.
WeightsReport load_shards(const Model& model, const std::string& path, const LoadWeightsOptions& options) {
  check(model.built(), Code::InvalidArgument, "{}: the model has no weights yet; call or build it before load_weights", model.name());
  const io::Json index = files::parse_json(Bytes::map(path));
  const io::Json& map = io::object_of(index, "weight_map", path);
  std::vector<std::string> names;
  for (const auto& [place, list] : map.items()) {
    check(list.is_array(), Code::Io, "{}: expected a list of files for '{}', got {}", path, place, list.dump().substr(0, 80));
    for (const io::Json& n : list) {
      check(n.is_string(), Code::Io, "{}: expected the name of a file for '{}', got {}", path, place, n.dump().substr(0, 80));
      const auto name = n.get<std::string>();
      check(!files::unsafe_member_name(name) && name.find('/') == std::string::npos, Code::Io, "{}: '{}' is no name of a file beside it", path, name);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  check(!names.empty() && names.size() <= 10000, Code::Io, "{}: expected the names of 1 to 10000 files in 'weight_map', got {}", path, names.size());
  const size_t slash = path.rfind('/');
  std::vector<Hdf5Node> roots;
  for (const std::string& name : names) {
    const Bytes bytes = Bytes::map((slash == std::string::npos ? "" : path.substr(0, slash + 1)) + name);
    check(Hdf5File::looks_like(bytes), Code::Io, "{}: expected weights in HDF5, got {} bytes of something else", bytes.name(), bytes.size());
    roots.push_back(Hdf5File(bytes).root());
  }
  return io::read_weights(io::body(model), roots, options);
}

WeightsReport load_weights_from(const Model& model, Bytes bytes, const LoadWeightsOptions& options) {
  const LayerBody& body = io::body(model);
  if (bytes.text().substr(0, 2) == "PK") bytes = io::Archive(std::move(bytes)).read(io::kWeightsMember);
  check(model.built(), Code::InvalidArgument, "{}: the model has no weights yet; call or build it before load_weights", model.name());
  check(!bytes.empty(), Code::Io, "{}: the file is empty, expected weights in HDF5", bytes.name());
  check(Hdf5File::looks_like(bytes), Code::Io, "{}: expected weights in HDF5 (.weights.h5), got {} bytes of something else", bytes.name(),
        bytes.size());
  const Hdf5Node root = Hdf5File(bytes).root();
  if (io::holds_legacy_weights(root)) return io::read_legacy_weights(body, root, options);
  check(!options.by_name, Code::InvalidArgument, "{}: by_name is for legacy .h5 files with weights by layer name; this one has them by position",
        bytes.name());
  WeightsReport report = io::read_weights(body, {root}, options);
  io::warn_of_nonfinite(body, bytes.name());
  const ModelState* s = body.model();
  if (s && s->compiled && root.contains("optimizer/vars")) {
    Optimizer optimizer(s->optimizer.get());
    if (!optimizer.built()) optimizer.build(model.trainable_variables());
    try {
      io::read_optimizer(optimizer, root);
    } catch (const Error& e) {
      if (!options.skip_mismatch) throw;
      report.skipped.push_back(e.message());
    }
  }
  return report;
}

}  // namespace

Layer detail::layer_from_config(const std::string& config, const std::string& class_name, const std::function<Layer(Fields&)>& make) {
  const nn::Json j = nn::parse(config, class_name);
  nn::ConfigReader reader(j, class_name);
  Layer layer = make(reader);
  reader.ignore({"name", "trainable", "dtype", "autocast"});
  reader.finish();
  return layer;
}

const LayerBody& io::body(const Model& model) { return body_of(model); }

Model load_model(const std::string& path, const LoadOptions& options) {
  return about(path, [&] {
    std::error_code ec;
    if (std::filesystem::is_regular_file(path, ec))
      if (const Bytes bytes = Bytes::map(path); Hdf5File::looks_like(bytes)) return load_legacy(bytes, path, options);
    return load(io::Archive(path), options);
  });
}

Model load_model(std::span<const std::byte> bytes, const LoadOptions& options) {
  return about("<memory>", [&] {
    const Bytes all = Bytes::borrow(bytes);
    return Hdf5File::looks_like(all) ? load_legacy(all, "<memory>", options) : load(io::Archive(all), options);
  });
}

void save_model(const Model& model, const std::string& path, const SaveOptions& options, const Tensors& proof) {
  check_target(path, options, ".keras");
  about(path, [&] { archive_of(model, options, proof).write(path); });
}

std::vector<std::byte> model_bytes(const Model& model, const SaveOptions& options, const Tensors& proof) {
  return about("<memory>", [&] {
    const Bytes bytes = archive_of(model, options, proof).to_bytes();
    return std::vector<std::byte>(bytes.span().begin(), bytes.span().end());
  });
}

WeightsReport load_weights(const Model& model, const std::string& path, const LoadWeightsOptions& options) {
  return about(path,
               [&] { return ends_with(path, ".json") ? load_shards(model, path, options) : load_weights_from(model, Bytes::map(path), options); });
}

WeightsReport load_weights(const Model& model, std::span<const std::byte> bytes, const LoadWeightsOptions& options) {
  return about("<memory>", [&] { return load_weights_from(model, Bytes::borrow(bytes), options); });
}

void save_weights(const Model& model, const std::string& path, const SaveOptions& options) {
  check_target(path, options, ".weights.h5");
  about(path, [&] {
    const Bytes bytes = weights_file(model, options);
    files::write_file_atomically(path, [&](files::FileSink& sink) { sink.write(bytes.span()); });
  });
}

void Model::save(const std::string& path, const SaveOptions& options) const { save_model(*this, path, options); }
void Model::save_weights(const std::string& path) const { tenure::save_weights(*this, path); }
void Model::load_weights(const std::string& path) const { tenure::load_weights(*this, path); }
std::string Model::to_json() const {
  return about(name(), [&] { return config_json(*this, true).dump(); });
}

}  // namespace tenure

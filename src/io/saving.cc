// The public functions: what load_model, save_model and their relatives do, in order.
//
// Who owns what: a load owns the archive's mapping until it returns; the model owns everything else. A save owns its bytes until they
// stand under their name.
#include <tenure/saving.h>

#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/check.h"
#include "files/hdf5.h"
#include "files/npy.h"
#include "io/operation.h"
#include "io/read_model.h"
#include "io/verify.h"
#include "io/write_model.h"
#include "nn/model_state.h"

namespace tenure {

using files::Bytes;
using files::Hdf5File;
using files::Hdf5Node;

namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kWeights = "model.weights.h5";
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

/// What the weights of a file may take in memory: initial values and their temporaries are several times a float32's own bytes, a
/// damaged size is many times the whole file.
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

void compile_from(const Model& model, const io::Json& config, const std::optional<Hdf5Node>& root, const std::string& file) {
  auto it = config.find("compile_config");
  if (it == config.end() || !it->is_object() || it->empty()) return;
  io::Problems problems;
  CompileOptions options = io::read_compile(*it, io::output_names(model), problems);
  problems.raise(file);
  model.compile(std::move(options));
  if (!model.built()) return;
  Optimizer optimizer = model.optimizer();
  optimizer.build(model.trainable_variables());
  if (root) io::read_optimizer(optimizer, *root);
}

void check_proof(const Model& model, const io::Archive& archive, const LoadOptions& options) {
  check(archive.has(kProof), Code::NotFound, "{}: carries no proof (recorded inputs and outputs); save_model writes one when it is given inputs",
        archive.name());
  VerifyReport report = io::verify_arrays(model, files::NpzFile(archive.read(kProof)), {.tolerance = options.tolerance});
  check(report.ok(), Code::InvalidArgument, "{}: the model does not give the outputs that the file recorded\n{}", archive.name(), report.text());
}

Model load(const io::Archive& archive, const LoadOptions& options) {
  io::register_operations();
  const io::ModelConfig file = io::read_config(archive);
  std::optional<Hdf5Node> root;
  if (archive.has(kWeights)) root = Hdf5File(archive.read(kWeights)).root();
  Model model;
  {
    memory::Scope scope("load", {.budget = weights_budget(root ? io::stored_bytes(*root) : 0)});
    io::Problems problems;
    io::ModelReader reader(options, problems);
    Layer layer = reader.read(file.config, "");
    if (options.compile)
      if (auto it = file.config.find("compile_config"); it != file.config.end() && it->is_object() && !it->empty())
        io::read_compile(*it, {}, problems);
    problems.raise(archive.name());
    ensure(layer.defined(), "a layer was not made and no reason was noted");
    build_custom(layer, file.config);
    model = Model(layer);
    check(root || model.weights().empty(), Code::Io, "{}: the model has weights, but the file has no {}", archive.name(), kWeights);
    if (root) io::read_weights(*model.body(), *root, {}, reader.classes());
  }
  if (options.compile) compile_from(model, file.config, root, archive.name());
  if (options.verify) check_proof(model, archive, options);
  return model;
}

// ---- saving -----------------------------------------------------------------------------------------------------------------------

Bytes weights_file(const Model& model, const SaveOptions& options) {
  files::Hdf5Writer out;
  io::write_weights(io::body(model), out);
  const ModelState* s = model.body()->model();
  if (options.include_optimizer && s && s->compiled) io::write_optimizer(Optimizer(s->optimizer.get()), out);
  return out.to_bytes(kWeights);
}

nlohmann::ordered_json config_json(const Model& model, bool compile) {
  io::Problems problems;
  nn::Json j = io::ModelWriter(problems).write(io::body(model));
  problems.raise(model.name());
  j["compile_config"] = compile ? io::compile_json(*model.body()) : nn::Json::object();
  return j;
}

std::string metadata() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%d@%H:%M:%S", &utc);
  return nn::Json{{"keras_version", kKerasVersion}, {"date_saved", date}}.dump();
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
  zip.add("metadata.json", Bytes::copy(metadata()));
  zip.add(kConfig, Bytes::copy(config_json(model, options.include_optimizer).dump()));
  zip.add(kWeights, weights_file(model, options));
  if (!proof.empty()) zip.add(kProof, proof_file(model, proof));
  return zip;
}

void check_target(const std::string& path, const SaveOptions& options, const char* ending) {
  check(ends_with(path, ending), Code::InvalidArgument, "save: expected a path that ends in {}, got '{}'", ending, path);
  if (!options.overwrite) check(::access(path.c_str(), F_OK) != 0, Code::InvalidArgument, "save: '{}' is there already, and overwrite = false", path);
}

// ---- weights ----------------------------------------------------------------------------------------------------------------------

WeightsReport load_weights_from(const Model& model, Bytes bytes, const LoadWeightsOptions& options) {
  const LayerBody& body = io::body(model);
  if (bytes.text().substr(0, 2) == "PK") bytes = io::Archive(std::move(bytes)).read(kWeights);
  check(model.built(), Code::InvalidArgument, "{}: the model has no weights yet; call or build it before load_weights", model.name());
  check(!bytes.empty(), Code::Io, "{}: the file is empty, expected weights in HDF5", bytes.name());
  check(Hdf5File::looks_like(bytes), Code::Io, "{}: expected weights in HDF5 (.weights.h5), got {} bytes of something else", bytes.name(),
        bytes.size());
  const Hdf5Node root = Hdf5File(bytes).root();
  const bool legacy = root.has_attribute("layer_names") || root.contains("model_weights");
  check(!legacy, Code::Unsupported,
        "{}: weights in the legacy form of Keras 2, expected .weights.h5; in Python: model.load_weights('{}'); model.save_weights('m.weights.h5')",
        bytes.name(), bytes.name());
  WeightsReport report = io::read_weights(body, root, options);
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
  return about(path, [&] { return load(io::Archive(path), options); });
}

Model load_model(std::span<const std::byte> bytes, const LoadOptions& options) {
  return about("<memory>", [&] { return load(io::Archive(Bytes::borrow(bytes)), options); });
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
  return about(path, [&] { return load_weights_from(model, Bytes::map(path), options); });
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

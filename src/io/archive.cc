#include "io/archive.h"

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "files/hdf5.h"
#include "files/json.h"

namespace tenure::io {

using files::Bytes;
namespace fs = std::filesystem;

namespace {

bool ends_with(std::string_view text, std::string_view end) {
  if (text.size() < end.size()) return false;
  return std::equal(end.begin(), end.end(), text.end() - static_cast<std::ptrdiff_t>(end.size()),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

bool starts_with(const Bytes& bytes, std::string_view start) { return bytes.text().substr(0, start.size()) == start; }

std::string stem(const std::string& path) {
  fs::path p(path);
  if (p.filename().empty()) p = p.parent_path();
  return p.replace_extension().string();
}

[[noreturn]] void refuse(const std::string& path, const std::string& what, const std::string& python) {
  fail(Code::Unsupported, "{}: this is {}, expected a .keras archive; in Python: {}", path, what, python);
}

void refuse_hdf5(const Bytes& bytes, const std::string& path) {
  files::Hdf5Node root = files::Hdf5File(bytes).root();
  bool model = root.has_attribute("model_config");
  if (!model && (root.contains("layers") || root.contains("vars") || root.contains("layer_names") || root.has_attribute("layer_names")))
    fail(Code::Unsupported, "{}: these are weights without a model; build the model first, then load_weights(model, \"{}\")", path, path);
  check(model, Code::Unsupported, "{}: an HDF5 file without a model in it (no attribute 'model_config'); expected a .keras archive", path);
}

void refuse_saved_model(const std::string& path) {
  refuse(path, "a TensorFlow SavedModel (a folder with saved_model.pb), which is a TensorFlow graph",
         fmt::format("import tf_keras; tf_keras.models.load_model('{0}').save('{1}.keras')", path, stem(path)));
}

}  // namespace

void refuse_other_kinds(const Bytes& bytes, const std::string& path) {
  check(!bytes.empty(), Code::Io, "{}: the file is empty, expected a .keras archive", path);
  if (bytes.size() > 8 && bytes.text().substr(4, 4) == "TFL3")
    refuse(path, "a TensorFlow Lite model, which no longer has the layers",
           fmt::format("model.save('{}.keras'), where the model was made that was converted", stem(path)));
  if (files::Hdf5File::looks_like(bytes)) refuse_hdf5(bytes, path);
  if (starts_with(bytes, "PK")) return;
  // An ONNX file is a bare protobuf message: a tag byte for ir_version.
  if (ends_with(path, ".onnx") || (starts_with(bytes, "\x08") && bytes.text().substr(0, 4096).find("onnx") != std::string_view::npos))
    refuse(path, "an ONNX model",
           fmt::format(
               "import onnx2tf; onnx2tf.convert(input_onnx_file_path='{}', output_keras_v3=True)  (better: model.save('m.keras') where it was made)",
               path));
  if (ends_with(path, ".tflite"))
    refuse(path, "named as a TensorFlow Lite model", fmt::format("model.save('{}.keras'), where the model was made that was converted", stem(path)));
  if (ends_with(path, "saved_model.pb")) refuse_saved_model(fs::path(path).parent_path().string());
  if (starts_with(bytes, "\x1f\x8b")) fail(Code::Io, "{}: gzip data, expected a .keras archive; unpack it first", path);
}

Archive::Archive(const std::string& path) : name_(path) {
  std::error_code ec;
  fs::file_status status = fs::status(path, ec);
  check(status.type() != fs::file_type::not_found, Code::NotFound, "{}: there is no such file or folder", path);
  if (status.type() != fs::file_type::directory) {
    open_zip(Bytes::map(path));
    return;
  }
  folder_ = path;
  if (has("config.json")) return;
  if (has("saved_model.pb") || has("saved_model.pbtxt")) refuse_saved_model(path);
  fail(Code::Io, "{}: a folder without config.json, expected the members of a .keras archive (config.json, metadata.json, model.weights.h5)", path);
}

Archive::Archive(Bytes bytes) : name_(bytes.name()) { open_zip(std::move(bytes)); }

void Archive::open_zip(Bytes bytes) {
  refuse_other_kinds(bytes, name_);
  check(starts_with(bytes, "PK"), Code::Io, "{}: expected a .keras archive (a zip, beginning with 'PK'), got {} bytes of something else", name_,
        bytes.size());
  const size_t size = bytes.size();
  try {
    zip_.emplace(std::move(bytes));
  } catch (const Error& e) {
    if (e.code() != Code::Io || e.message().find("not a readable zip") == std::string::npos) throw;
    fail(Code::Io, "{}: expected a whole .keras archive (a zip), but its {} bytes do not end as one: the file is truncated or damaged", name_, size);
  }
  check(zip_->find("config.json"), Code::Io, "{}: a zip archive without config.json is no Keras model; it holds {}", name_, members());
}

bool Archive::has(std::string_view member) const {
  if (zip_) return zip_->find(member) != nullptr;
  std::error_code ec;
  return fs::is_regular_file(fs::path(folder_) / member, ec);
}

Bytes Archive::read(const std::string& member) const {
  check(!files::unsafe_member_name(member), Code::Io, "{}: '{}' is no name of a member", name_, member);
  check(has(member), Code::Io, "{}: expected a member '{}', it holds {}", name_, member, members());
  return zip_ ? zip_->read(member) : Bytes::map((fs::path(folder_) / member).string());
}

std::vector<std::pair<std::string, uint64_t>> Archive::members_and_sizes() const {
  std::vector<std::pair<std::string, uint64_t>> out;
  if (zip_)
    for (const auto& m : zip_->members()) out.emplace_back(m.name, m.size);
  else
    for (std::error_code ec; const auto& e : fs::directory_iterator(folder_, ec))
      out.emplace_back(e.path().filename().string(), e.is_regular_file(ec) ? e.file_size(ec) : 0);
  return out;
}

std::string Archive::members() const {
  constexpr size_t kMost = 8;
  std::vector<std::string> names;
  for (const auto& [name, size] : members_and_sizes()) names.push_back(name);
  std::string text;
  for (size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i ? ", " : "") + names[i];
  return names.empty() ? "nothing" : text + (names.size() > kMost ? fmt::format(" and {} more", names.size() - kMost) : "");
}

ModelConfig read_config(const Archive& archive) {
  ModelConfig out;
  out.config = files::parse_json(archive.read("config.json"));
  check(out.config.is_object(), Code::Io, "{}: expected a JSON object in config.json", archive.name());
  if (!archive.has("metadata.json")) return out;
  out.metadata = files::parse_json(archive.read("metadata.json"));
  const Json& meta = out.metadata;
  if (meta.is_object() && meta.contains("keras_version") && meta["keras_version"].is_string())
    out.keras_version = meta["keras_version"].get<std::string>();
  const std::string& v = out.keras_version;
  out.keras2 = v.rfind("2.", 0) == 0;
  check(v.empty() || out.keras2 || v.rfind("3.", 0) == 0, Code::Unsupported, "{}: written by Keras {}, which this Tenure does not read (2.x and 3.x)",
        archive.name(), v.substr(0, 40));
  return out;
}

}  // namespace tenure::io

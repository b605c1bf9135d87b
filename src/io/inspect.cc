#include <tenure/inspect.h>

#include <algorithm>
#include <map>

#include "base/check.h"
#include "io/model_file.h"
#include "io/operation.h"
#include "io/read_model.h"
#include "io/statistics.h"
#include "nn/unfilled.h"

namespace tenure {

using nlohmann::ordered_json;

namespace {

/// What load_model would say to the configuration. Layers are made, without values, and dropped.
std::string refusal(const io::ModelFile& file) {
  io::register_operations();
  const LoadOptions options;
  io::Problems problems = file.problems;
  try {
    memory::Scope scope("inspect", {.budget = 8 * (file.root ? io::stored_bytes(*file.root) : 0) + 32_MiB});
    nn::Unfilled unfilled;
    io::ModelReader reader(options, problems);
    (void)reader.read(file.source->config, "");
    if (auto it = file.source->config.find("compile_config"); it != file.source->config.end() && it->is_object() && !it->empty())
      io::read_compile(*it, {}, problems);
    problems.raise(file.path);
  } catch (const Error& e) { return e.message(); }
  return {};
}

// ---- text -------------------------------------------------------------------------------------------------------------------------

std::string size_text(uint64_t bytes) {
  if (bytes < 10000) return fmt::format("{} B", bytes);
  if (bytes < 10000000) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 1048576);
}

/// Settings that are numbers, texts and lists of them: "units=64, activation=relu".
std::string settings_text(const ordered_json& config) {
  std::string text;
  for (const auto& [key, value] : config.items()) {
    const bool plain =
        value.is_array() ? std::none_of(value.begin(), value.end(), [](const auto& v) { return v.is_structured(); }) : !value.is_object();
    if (!plain || value.is_null() || key == "name" || (key == "trainable" && value == true) || (key == "dtype" && value == "float32")) continue;
    std::string one = value.is_string() ? value.get<std::string>() : value.dump();
    if (one.size() > 40) one = one.substr(0, 37) + "...";
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", key, one);
  }
  return text;
}

std::string text_at(const ordered_json& j, const char* key) {
  auto it = j.find(key);
  return it != j.end() && it->is_string() ? it->get<std::string>() : std::string("-");
}

void tree(const ordered_json& envelope, int depth, std::string& out) {
  if (!envelope.is_object() || !envelope.contains("config") || !envelope["config"].is_object()) return;
  const ordered_json& config = envelope["config"];
  std::string settings = config.contains("layers") ? "" : settings_text(config);
  out += fmt::format("{}{} ({}){}{}\n", std::string(static_cast<size_t>(2 * depth + 2), ' '),
                     text_at(config.contains("name") ? config : envelope, "name"), text_at(envelope, "class_name"), settings.empty() ? "" : "  ",
                     settings);
  if (depth > io::kMaxNesting) return;
  for (const char* inner : {"layer", "forward_layer", "backward_layer", "cell"})
    if (config.contains(inner)) tree(config[inner], depth + 1, out);
  if (config.contains("layers") && config["layers"].is_array())
    for (const ordered_json& l : config["layers"]) tree(l, depth + 1, out);
}

}  // namespace

uint64_t FileReport::values() const noexcept {
  uint64_t n = 0;
  for (const FileArray& a : arrays) n += static_cast<uint64_t>(a.spec.shape.elements());
  return n;
}
uint64_t FileReport::nonfinite() const noexcept {
  uint64_t n = 0;
  for (const FileArray& a : arrays) n += a.nonfinite;
  return n;
}

std::string FileReport::text() const {
  std::string out = fmt::format("{}: {}{}\n", path, kind, keras_version.empty() ? "" : ", written by Keras " + keras_version);
  if (!members.empty()) out += "\nmembers\n";
  for (const Member& m : members) out += fmt::format("  {:<40} {:>12}\n", m.name, size_text(m.bytes));
  if (!config.empty()) {
    out += "\nconfiguration\n";
    tree(ordered_json::parse(config), 0, out);
  }
  size_t width = 5;
  for (const FileArray& a : arrays) width = std::max(width, a.path.size());
  out +=
      fmt::format("\n{} arrays, {} values{}\n", arrays.size(), values(), nonfinite() ? fmt::format(", {} of them NaN or infinite", nonfinite()) : "");
  for (const FileArray& a : arrays)
    out += fmt::format("  {:<{}}  {:<24} min {:<11.4g} max {:<11.4g} mean {:<11.4g}{} {}\n", a.path, width, to_string(a.spec), a.minimum, a.maximum,
                       a.mean, a.nonfinite ? fmt::format(" {} NAN OR INFINITE", a.nonfinite) : "", a.layer);
  if (config.empty()) out += "\nThese are weights without a model: build the model, then load_weights(model, path).\n";
  else out += unsupported.empty() ? "\nload_model takes everything in it.\n" : "\nload_model refuses it:\n" + unsupported + "\n";
  return out;
}

std::string FileReport::json() const {
  ordered_json j{{"path", path}, {"kind", kind}, {"keras_version", keras_version}, {"members", ordered_json::array()}};
  for (const Member& m : members) j["members"].push_back({{"name", m.name}, {"bytes", m.bytes}});
  j["config"] = config.empty() ? ordered_json() : ordered_json::parse(config);
  j["values"] = values(), j["nonfinite"] = nonfinite();
  j["arrays"] = ordered_json::array();
  for (const FileArray& a : arrays)
    j["arrays"].push_back({{"path", a.path},
                           {"layer", a.layer},
                           {"dtype", to_string(a.spec.dtype)},
                           {"shape", std::vector<int64_t>(a.spec.shape.begin(), a.spec.shape.end())},
                           {"min", a.minimum},
                           {"max", a.maximum},
                           {"mean", a.mean},
                           {"nonfinite", a.nonfinite}});
  j["unsupported"] = unsupported;
  return j.dump(1);
}

FileReport inspect_file(const std::string& path) {
  const io::ModelFile file(path);
  FileReport r{path, file.kind, file.keras_version, file.members, {}, {}, {}};
  for (const auto& [node, layer] : file.datasets()) {
    const io::Statistics s = io::statistics_of(node.read());
    r.arrays.push_back({node.path(), layer, node.spec(), s.minimum, s.maximum, s.mean, s.nonfinite});
  }
  if (file.source) {
    r.config = file.source->config.dump();
    r.unsupported = refusal(file);
  }
  return r;
}

// ---- differences ----------------------------------------------------------------------------------------------------------------------

namespace {

/// Every setting by its place; layers by their names.
void flatten(const io::Json& j, const std::string& where, std::map<std::string, std::string>& out, int depth = 0) {
  check(depth < 256, Code::Io, "the configuration is nested too deep");
  if (!j.is_structured() || j.empty()) {
    out[where] = j.dump();
    return;
  }
  size_t i = 0;
  for (const auto& [key, value] : j.items()) {
    std::string name = j.is_array() ? std::to_string(i) : key;
    if (j.is_array() && value.is_object() && value.contains("config") && value["config"].is_object() && value["config"].contains("name"))
      name = io::string_of(value["config"], "name");
    const std::string at = name == "config" || name == "layers" ? where : where.empty() ? name : where + "/" + name;
    flatten(value, at.empty() ? "-" : at, out, depth + 1);
    ++i;
  }
}

template <class A, class B, class F>
void merge(const A& a, const B& b, F&& each) {
  auto i = a.begin();
  auto k = b.begin();
  while (i != a.end() || k != b.end()) {
    if (k == b.end() || (i != a.end() && i->first < k->first)) each(i->first, &i->second, nullptr), ++i;
    else if (i == a.end() || k->first < i->first) each(k->first, nullptr, &k->second), ++k;
    else each(i->first, &i->second, &k->second), ++i, ++k;
  }
}

std::string value_text(const std::string& s) { return s.empty() ? "nothing" : s.size() > 60 ? s.substr(0, 57) + "..." : s; }

}  // namespace

FileDifference compare_files(const std::string& first, const std::string& second) {
  const io::ModelFile a(first), b(second);
  FileDifference d;
  std::map<std::string, std::string> settings[2];
  if (a.source) flatten(a.source->config, "", settings[0]);
  if (b.source) flatten(b.source->config, "", settings[1]);
  merge(settings[0], settings[1], [&](const std::string& where, const std::string* x, const std::string* y) {
    if (!x || !y || *x != *y) d.config.push_back({where, x ? *x : "", y ? *y : ""});
  });
  std::map<std::string, files::Hdf5Node> nodes[2];
  for (const auto& set : a.datasets()) nodes[0].emplace(set.node.path(), set.node);
  for (const auto& set : b.datasets()) nodes[1].emplace(set.node.path(), set.node);
  merge(nodes[0], nodes[1], [&](const std::string& path, const files::Hdf5Node* x, const files::Hdf5Node* y) {
    if (!x || !y || x->spec() != y->spec()) {
      d.arrays.push_back({path, x ? to_string(x->spec()) : "", y ? to_string(y->spec()) : ""});
    } else if (const double largest = io::largest_difference(x->read(), y->read()); largest > 0) {
      d.values.push_back({path, largest});
    }
  });
  std::stable_sort(d.values.begin(), d.values.end(),
                   [](const FileDifference::Array& x, const FileDifference::Array& y) { return x.largest > y.largest; });
  return d;
}

std::string FileDifference::text() const {
  constexpr size_t kMost = 40;
  std::string out;
  auto list = [&](const char* what, const std::vector<Value>& list_of) {
    if (list_of.empty()) return;
    out += fmt::format("{} {}\n", list_of.size(), what);
    for (size_t i = 0; i < std::min(kMost, list_of.size()); ++i)
      out += fmt::format("  {}: {} -> {}\n", list_of[i].where, value_text(list_of[i].first), value_text(list_of[i].second));
    if (list_of.size() > kMost) out += fmt::format("  and {} more (--json lists all)\n", list_of.size() - kMost);
  };
  list("settings differ", config);
  list("arrays are missing or have another shape or type", arrays);
  if (!values.empty()) out += fmt::format("{} arrays have other values; largest difference\n", values.size());
  for (size_t i = 0; i < std::min(kMost, values.size()); ++i) out += fmt::format("  {:<11.4g} {}\n", values[i].largest, values[i].path);
  if (values.size() > kMost) out += fmt::format("  and {} more (--json lists all)\n", values.size() - kMost);
  return same() ? "same\n" : out;
}

std::string FileDifference::json() const {
  auto list = [](const std::vector<Value>& values) {
    ordered_json j = ordered_json::array();
    for (const Value& v : values) j.push_back({{"where", v.where}, {"first", v.first}, {"second", v.second}});
    return j;
  };
  ordered_json j{{"same", same()}, {"config", list(config)}, {"arrays", list(arrays)}, {"values", ordered_json::array()}};
  for (const Array& v : values) j["values"].push_back({{"path", v.path}, {"largest_difference", v.largest}});
  return j.dump(1);
}

}  // namespace tenure

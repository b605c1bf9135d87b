// For the tests of this folder: files, edited archives, comparisons.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include <tenure/tenure.h>
#include <nlohmann/json.hpp>

#include "files/npy.h"
#include "files/test_files.h"
#include "files/zip.h"
#include "paths.h"

namespace tenure::io {

using files::Bytes;

inline std::string reference(const std::string& name) { return tests::source_dir() + "/tests/reference/" + name; }

/// The largest |a-b| / max(1, max|b|).
inline double difference(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return INFINITY;
  double worst = 0, largest = 1;
  for (int64_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a.at(i) - b.at(i));
    worst = std::isnan(d) ? INFINITY : std::max(worst, d);
    largest = std::max(largest, std::abs(b.at(i)));
  }
  return worst / largest;
}

inline bool same_values(const Tensor& a, const Tensor& b) {
  return a.spec() == b.spec() && std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end());
}

/// The arrays in_0, in_1, ... or out_0, ... of a recording.
inline Tensors recorded(const std::string& path, const std::string& prefix) {
  Tensors out;
  for (const auto& [name, t] : load_npz(path))
    if (name.rfind(prefix, 0) == 0) out.push_back(t);
  return out;
}
inline Tensor recorded_one(const std::string& path, const std::string& key) {
  for (const auto& [name, t] : load_npz(path))
    if (name == key) return t;
  return {};
}

/// An archive with its members as text, to be changed and packed again.
class Edited {
 public:
  explicit Edited(const std::string& path) {
    files::ZipFile zip(Bytes::map(path));
    for (const auto& m : zip.members()) members.emplace_back(m.name, std::string(zip.read(m.name).text()));
  }
  std::string& operator[](const std::string& name) {
    for (auto& [n, text] : members)
      if (n == name) return text;
    return members.emplace_back(name, "").second;
  }
  nlohmann::ordered_json config() { return nlohmann::ordered_json::parse((*this)["config.json"]); }
  void set_config(const nlohmann::ordered_json& j) { (*this)["config.json"] = j.dump(); }
  void erase(const std::string& name) {
    members.erase(std::remove_if(members.begin(), members.end(), [&](const auto& m) { return m.first == name; }), members.end());
  }
  Bytes bytes() const {
    files::ZipWriter zip;
    for (const auto& [name, text] : members) zip.add(name, Bytes::copy(text));
    return zip.to_bytes();
  }
  Model load(const LoadOptions& options = {}) const { return load_model(bytes().span(), options); }

  std::vector<std::pair<std::string, std::string>> members;
};

/// Applies `f` to every object of the JSON.
template <class F>
void each_object(nlohmann::ordered_json& j, F&& f) {
  if (!j.is_structured()) return;
  for (auto& item : j) each_object(item, f);
  if (j.is_object()) f(j);
}

/// The Python with Keras that some tests ask, or "".
inline std::string keras_python() {
  const char* named = std::getenv("TENURE_KERAS_PYTHON");
  for (const std::string& path : {std::string(named ? named : ""), tests::source_dir() + "/build/venv/bin/python"})
    if (!path.empty() && files::have(path) && std::system((path + " -c 'import keras, h5py' >/dev/null 2>&1").c_str()) == 0) return path;
  return "";
}

}  // namespace tenure::io

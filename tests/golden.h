// Cases recorded from the real Keras: tests/reference/README.md says what stands in the files.
#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenure/layer.h>
#include <tenure/strings.h>

#include "core/body.h"
#include "files/npy.h"
#include "paths.h"

namespace tenure::golden {

using Json = nlohmann::ordered_json;

inline Tensor tensor_of(const files::Array& a) {
  if (a.dtype == DType::string) {
    std::vector<std::string_view> texts;
    for (int64_t i = 0; i < a.elements(); ++i) texts.push_back(a.text(i));
    return strings(texts, a.shape);
  }
  Tensor t = make_tensor(a.spec());
  if (!a.bytes.empty()) std::memcpy(mutable_data(t), a.bytes.data(), a.bytes.size());
  return t;
}

/// One case: its entry and its arrays.
class Case {
 public:
  Case(const files::NpzFile& file, Json entry) : file_(file), entry(std::move(entry)), name(this->entry["name"].get<std::string>()) {}
  bool has(const std::string& array) const { return file_.contains(name + "/" + array); }
  Tensor operator[](const std::string& array) const { return tensor_of(file_.read(name + "/" + array)); }
  /// prefix0, prefix1, ...
  Tensors all(const std::string& prefix) const {
    Tensors out;
    for (size_t k = 0; has(prefix + std::to_string(k)); ++k) out.push_back((*this)[prefix + std::to_string(k)]);
    return out;
  }

 private:
  const files::NpzFile& file_;

 public:
  Json entry;
  std::string name;
};

class File {
 public:
  explicit File(const std::string& name) : npz_(tests::source_dir() + "/tests/reference/" + name) {
    files::Array cases = npz_.read("cases");
    Json list =
        Json::parse(reinterpret_cast<const char*>(cases.bytes.data()), reinterpret_cast<const char*>(cases.bytes.data()) + cases.bytes.size());
    for (Json& e : list) this->cases.emplace_back(npz_, std::move(e));
  }
  std::vector<Case> cases;

 private:
  files::NpzFile npz_;
};

/// The layer as a file would make it, without weights.
inline Layer layer_of(const Case& c) { return LayerRegistry::global().make(c.entry["layer"].get<std::string>(), c.entry["config"].dump()); }

/// The layer with the recorded weights.
inline Layer made(const Case& c, const Tensors& inputs) {
  Layer layer = layer_of(c);
  std::vector<Shape> shapes;
  for (const Tensor& x : inputs) shapes.push_back(x.shape());
  layer.build(shapes);
  layer.set_weights(c.all("w"));
  return layer;
}

/// max|a-b| / max(1, max|b|); equal infinities and NaN against NaN are no difference.
inline double difference(const Tensor& a, const Tensor& b) {
  if (!a.defined() || a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  if (b.dtype() == DType::string) return to_strings(a) == to_strings(b) ? 0 : std::numeric_limits<double>::infinity();
  double worst = 0, scale = 1;
  for (int64_t i = 0; i < b.size(); ++i) {
    double x = a.at(i), y = b.at(i);
    if (std::isfinite(y)) scale = std::max(scale, std::fabs(y));
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    double d = std::fabs(x - y);
    worst = std::max(worst, std::isfinite(d) ? d : std::numeric_limits<double>::infinity());
  }
  return worst / scale;
}

}  // namespace tenure::golden

// Configurations as JSON, by the `fields` beside each aggregate. Nothing here owns anything.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/fields.h>

#include "base/check.h"

namespace tenure::nn {

using Json = nlohmann::ordered_json;

/// Adds fields to a JSON object, in order.
class ConfigWriter final : public Fields {
 public:
  Json out = Json::object();
  void field(const char* n, bool& v) override { out[n] = v; }
  void field(const char* n, int64_t& v) override { out[n] = v; }
  void field(const char* n, double& v) override { out[n] = v; }
  void field(const char* n, std::string& v) override { out[n] = v; }
  void field(const char* n, std::vector<int64_t>& v) override { out[n] = v; }
  void field(const char* n, std::vector<double>& v) override { out[n] = v; }
  void field(const char* n, ConfigObject& v) override { out[n] = Json::parse(v.to_json()); }
  bool present(const char* n, bool has) override {
    if (!has) out[n] = nullptr;
    return has;
  }
};

/// Reads fields of a JSON object written by some version of Keras. A missing key and null keep the default; a single number may stand
/// for a list; null inside a list of sizes is -1. finish() throws InvalidArgument for keys nobody asked for, unless they say nothing
/// (null, false, empty).
class ConfigReader final : public Fields {
 public:
  /// `where` stands in errors: "Dense dense_1".
  ConfigReader(const Json& in, std::string where);
  void field(const char* n, bool& v) override;
  void field(const char* n, int64_t& v) override;
  void field(const char* n, double& v) override;
  void field(const char* n, std::string& v) override;
  void field(const char* n, std::vector<int64_t>& v) override;
  void field(const char* n, std::vector<double>& v) override;
  void field(const char* n, ConfigObject& v) override;
  bool present(const char* n, bool has) override;
  /// Keys that are known and of no effect here.
  void ignore(std::initializer_list<const char*> names);
  void finish() const;

 private:
  const Json* get(const char* n);
  [[noreturn]] void wrong(const char* n, const char* expected) const;
  /// A whole number, refused beyond 2^53.
  int64_t whole(const char* n, const Json& j) const;
  const Json& in_;
  std::string where_;
  std::vector<std::string> seen_;
};

/// Whether fields are read from a file, not written.
inline bool reads(Fields& v) { return dynamic_cast<ConfigReader*>(&v) != nullptr; }

/// The aggregate's fields as an object.
template <class C>
Json config_of(const C& c) {
  ConfigWriter w;
  fields(w, const_cast<C&>(c));  // a writer reads only
  return std::move(w.out);
}
template <class C>
C config_from(const Json& in, const std::string& where) {
  C c{};
  ConfigReader r(in, where);
  fields(r, c);
  r.finish();
  return c;
}

/// Throws InvalidArgument naming `what` for text that is not JSON.
Json parse(const std::string& text, std::string_view what);

/// {"module", "class_name", "config", "registered_name": null}
Json envelope(std::string_view module, std::string_view class_name, Json config);
/// Class and configuration of an envelope or a plain name. `config` is an empty object for a name.
struct Named {
  std::string class_name;
  Json config;
  bool plain = false;
};
/// Throws InvalidArgument for anything else; `what` says what was expected: "an initializer".
Named named_from(const Json& in, const char* what);

/// "LeakyReLU" to "leaky_re_lu", as Keras names layers and groups in files.
std::string snake_case(std::string_view name);

/// Sizes with null for unknown ones, and back.
Json shape_json(const Shape& shape);
Shape shape_from(const Json& in, const std::string& where);
/// A shape that may be missing and may hold unknown sizes: -1 here, null in files.
void visit_open_shape(Fields& v, const char* name, std::optional<Shape>& shape);

/// Two sizes as a list; reads one number too.
void visit_pair(Fields& v, const char* name, int64_t& a, int64_t& b);

}  // namespace tenure::nn

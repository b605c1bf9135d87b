// Attributes as JSON and back, by one visitor each.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/body.h"

namespace tenure {
namespace {

using Json = nlohmann::ordered_json;

class Writer final : public Fields {
 public:
  Json out = Json::object();
  void field(const char* n, bool& v) override { out[n] = v; }
  void field(const char* n, int64_t& v) override { out[n] = v; }
  void field(const char* n, double& v) override {  // JSON has no infinities: as text, so that they differ
    if (std::isfinite(v)) out[n] = v;
    else out[n] = std::isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
  }
  void field(const char* n, std::string& v) override { out[n] = v; }
  void field(const char* n, std::vector<int64_t>& v) override { out[n] = v; }
  void field(const char* n, std::vector<double>& v) override { out[n] = v; }
  void field(const char* n, ConfigObject& v) override { out[n] = Json::parse(v.to_json()); }
  bool present(const char* n, bool has) override {
    if (!has) out[n] = nullptr;
    return has;
  }
};

class Reader final : public Fields {
 public:
  explicit Reader(Json in) : in_(std::move(in)) {}
  void field(const char* n, bool& v) override { get(n, v); }
  void field(const char* n, int64_t& v) override { get(n, v); }
  void field(const char* n, double& v) override {
    if (auto at = in_.find(n); at != in_.end() && at->is_string()) {
      const auto& text = at->get_ref<const std::string&>();
      check(text == "nan" || text == "inf" || text == "-inf", Code::InvalidArgument, "attributes: '{}' has the wrong type: {}", n, text);
      seen_.push_back(n);
      v = text == "nan" ? NAN : text == "inf" ? INFINITY : -INFINITY;
      return;
    }
    get(n, v);
  }
  void field(const char* n, std::string& v) override { get(n, v); }
  void field(const char* n, std::vector<int64_t>& v) override { get(n, v); }
  void field(const char* n, std::vector<double>& v) override { get(n, v); }
  void field(const char* n, ConfigObject& v) override {
    if (in_.contains(n)) v.from_json(in_[n].dump()), seen_.push_back(n);
  }
  bool present(const char* n, bool has) override {
    if (!in_.contains(n)) return has;
    seen_.push_back(n);
    return !in_[n].is_null();
  }
  void finish() const {
    for (auto& [key, value] : in_.items())
      check(std::find(seen_.begin(), seen_.end(), key) != seen_.end(), Code::InvalidArgument, "attributes: '{}' is not a field here", key);
  }

 private:
  template <class T>
  void get(const char* n, T& v) {
    if (!in_.contains(n)) return;
    seen_.push_back(n);
    try {
      v = in_[n].get<T>();
    } catch (const Json::exception&) { fail(Code::InvalidArgument, "attributes: '{}' has the wrong type: {}", n, in_[n].dump()); }
  }
  Json in_;
  std::vector<std::string> seen_;
};

}  // namespace

std::string to_json(AttrRef attrs) {
  if (!attrs.p) return "{}";
  Writer w;
  // Writing does not change the values; the visitor is shared with reading.
  attrs.type->visit(w, const_cast<void*>(attrs.p));
  return w.out.dump();
}

void from_json(const std::string& text, const AttrType* type, void* attrs) {
  Json in = Json::parse(text, nullptr, false);
  check(in.is_object(), Code::InvalidArgument, "attributes: expected a JSON object, got '{}'", text);
  Reader r(std::move(in));
  type->visit(r, attrs);
  r.finish();
}

std::string AttrBox::json() const { return to_json(ref()); }

}  // namespace tenure

#include "nn/config.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace tenure::nn {

ConfigReader::ConfigReader(const Json& in, std::string where) : in_(in), where_(std::move(where)) {
  check(in.is_object(), Code::InvalidArgument, "{}: expected a JSON object as configuration, got {}", where_, in.dump());
}

const Json* ConfigReader::get(const char* n) {
  auto it = in_.find(n);
  if (it == in_.end()) return nullptr;
  seen_.emplace_back(n);
  return it->is_null() ? nullptr : &*it;
}

void ConfigReader::wrong(const char* n, const char* expected) const {
  fail(Code::InvalidArgument, "{}: expected {} as '{}', got {}", where_, expected, n, in_[n].dump());
}

int64_t ConfigReader::whole(const char* n, const Json& j) const {
  constexpr int64_t most = int64_t{1} << 53;  // what every writer of JSON keeps exact; Keras writes some whole numbers as floats
  const bool number = j.is_number_float() ? std::abs(j.get<double>()) <= static_cast<double>(most) && std::trunc(j.get<double>()) == j.get<double>()
                      : j.is_number_unsigned() ? j.get<uint64_t>() <= static_cast<uint64_t>(most)
                                               : j.is_number_integer() && j.get<int64_t>() >= -most;
  if (!number) wrong(n, "a whole number of at most 2^53 in size");
  return j.is_number_float() ? static_cast<int64_t>(j.get<double>()) : j.get<int64_t>();
}

void ConfigReader::field(const char* n, bool& v) {
  if (const Json* j = get(n)) {
    if (!j->is_boolean()) wrong(n, "true or false");
    v = j->get<bool>();
  }
}

void ConfigReader::field(const char* n, int64_t& v) {
  if (const Json* j = get(n)) {
    v = whole(n, j->is_array() && j->size() == 1 ? (*j)[0] : *j);  // Keras 2 writes an axis as a list of one
  }
}

void ConfigReader::field(const char* n, double& v) {
  if (const Json* j = get(n)) {
    if (!j->is_number()) wrong(n, "a number");
    v = j->get<double>();
  }
}

void ConfigReader::field(const char* n, std::string& v) {
  if (const Json* j = get(n)) {
    if (!j->is_string()) wrong(n, "a string");
    v = j->get<std::string>();
  }
}

void ConfigReader::field(const char* n, std::vector<int64_t>& v) {
  if (const Json* j = get(n)) {
    if (!j->is_array() && !j->is_number_integer()) wrong(n, "a whole number or a list of them");
    v.clear();
    if (!j->is_array()) return v.push_back(whole(n, *j));
    for (const Json& item : *j) {
      if (!item.is_null() && !item.is_number_integer()) wrong(n, "a list of whole numbers");
      v.push_back(item.is_null() ? -1 : whole(n, item));
    }
  }
}

void ConfigReader::field(const char* n, std::vector<double>& v) {
  if (const Json* j = get(n)) {
    if (j->is_object() && j->value("class_name", Json()) == "__tensor__" && j->contains("config") && (*j)["config"].contains("value"))
      j = &(*j)["config"]["value"];  // as Keras writes an array
    if (!j->is_array() && !j->is_number()) wrong(n, "a number or a list of numbers");
    v.clear();
    if (!j->is_array()) return v.push_back(j->get<double>());
    for (const Json& item : *j) {
      if (!item.is_number()) wrong(n, "a list of numbers");
      v.push_back(item.get<double>());
    }
  }
}

void ConfigReader::field(const char* n, ConfigObject& v) {
  auto it = in_.find(n);
  if (it == in_.end()) return;
  seen_.emplace_back(n);
  try {
    v.from_json(it->dump());
  } catch (Error& e) {
    e.add_frame(fmt::format("'{}' of {}", n, where_));
    throw;
  }
}

bool ConfigReader::present(const char* n, bool has) {
  auto it = in_.find(n);
  if (it == in_.end()) return has;
  seen_.emplace_back(n);
  return !it->is_null();
}

void ConfigReader::ignore(std::initializer_list<const char*> names) { seen_.insert(seen_.end(), names.begin(), names.end()); }

void ConfigReader::finish() const {
  std::string unknown;
  for (auto& [key, value] : in_.items()) {
    bool says_nothing = value.is_null() || value == Json(false) || ((value.is_object() || value.is_array() || value.is_string()) && value.empty());
    if (says_nothing || std::find(seen_.begin(), seen_.end(), key) != seen_.end()) continue;
    unknown += (unknown.empty() ? "" : ", ") + fmt::format("'{}': {}", key, value.dump());
  }
  check(unknown.empty(), Code::Unsupported, "{}: not understood in the configuration: {}", where_, unknown);
}

Json parse(const std::string& text, std::string_view what) {
  Json j = Json::parse(text, nullptr, false);
  check(!j.is_discarded(), Code::InvalidArgument, "{}: expected JSON, got '{}'", what, text.substr(0, 200));
  return j;
}

Json envelope(std::string_view module, std::string_view class_name, Json config) {
  Json j = Json::object();
  j["module"] = module;
  j["class_name"] = class_name;
  j["config"] = std::move(config);
  j["registered_name"] = nullptr;
  return j;
}

Named named_from(const Json& in, const char* what) {
  if (in.is_string()) return {in.get<std::string>(), Json::object(), true};
  check(in.is_object() && in.contains("class_name") && in["class_name"].is_string(), Code::InvalidArgument,
        "expected {} (a name or an object with class_name and config), got {}", what, in.dump());
  Json config = in.contains("config") && !in["config"].is_null() ? in["config"] : Json::object();
  return {in["class_name"].get<std::string>(), std::move(config), false};
}

std::string snake_case(std::string_view name) {
  if (name == "GroupQueryAttention") return "grouped_query_attention";  // Keras' own name of the class it exports
  auto upper = [&](size_t i) { return i < name.size() && std::isupper(static_cast<unsigned char>(name[i])) != 0; };
  auto lower = [&](size_t i) { return i < name.size() && std::islower(static_cast<unsigned char>(name[i])) != 0; };
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    // A word begins at an upper-case letter before a lower-case one or behind one.
    bool begins = upper(i) && i > 0 && (lower(i + 1) || lower(i - 1));
    if (begins) out += '_';
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return out;
}

Json shape_json(const Shape& shape) {
  Json j = Json::array();
  for (int64_t d : shape) j.push_back(d < 0 ? Json(nullptr) : Json(d));
  return j;
}

Shape shape_from(const Json& in, const std::string& where) {
  check(in.is_array(), Code::InvalidArgument, "{}: expected a list of sizes, got {}", where, in.dump());
  check(in.size() <= Shape::max_rank, Code::Shape, "{}: expected at most {} sizes, got {}", where, Shape::max_rank, in.dump());
  Shape s;
  for (const Json& d : in) {
    check(d.is_null() || d.is_number_integer(), Code::InvalidArgument, "{}: expected whole numbers or null as sizes, got {}", where, in.dump());
    s.push_back(d.is_null() ? -1 : d.get<int64_t>());
  }
  return s;
}

void visit_open_shape(Fields& v, const char* name, std::optional<Shape>& shape) {
  v(name, shape);
  if (auto* writer = dynamic_cast<ConfigWriter*>(&v); writer && shape) writer->out[name] = shape_json(*shape);
}

void visit_pair(Fields& v, const char* name, int64_t& a, int64_t& b) {
  std::vector<int64_t> list{a, b};
  v(name, list);
  check(list.size() == 1 || list.size() == 2, Code::InvalidArgument, "'{}': expected one number or two, got {}", name, list.size());
  a = list.front();
  b = list.back();
}

}  // namespace tenure::nn

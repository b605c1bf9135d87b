// Specimens: the inputs on which an op is checked, in the small language of docs/specimens.md.
#pragma once

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/op.h>
#include <tenure/strings.h>

#include "base/check.h"
#include "core/body.h"
#include "kernels/kernels.h"

namespace tenure::conformance {

/// One input: its spec and the range of its values.
struct Input {
  Spec spec;
  bool ranged = false;
  double low = 0, high = 0;
};

/// One case: inputs and attributes as JSON.
struct Specimen {
  std::vector<Input> inputs;
  std::string attrs;
  std::string text;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : s_(text) {}
  std::vector<Specimen> all() {
    std::vector<Specimen> out;
    for (std::string_view part : split(s_)) {
      at_ = 0, s_ = part;
      out.push_back(one());
    }
    return out;
  }

 private:
  // At '|' outside of quotes and braces.
  static std::vector<std::string_view> split(std::string_view s) {
    std::vector<std::string_view> parts;
    bool quoted = false;
    int depth = 0;
    size_t from = 0;
    for (size_t i = 0; i < s.size(); ++i) {
      if (s[i] == '"') quoted = !quoted;
      if (!quoted) depth += (s[i] == '{') - (s[i] == '}');
      if (s[i] == '|' && !quoted && depth == 0) parts.push_back(s.substr(from, i - from)), from = i + 1;
    }
    parts.push_back(s.substr(from));
    return parts;
  }

  Specimen one() {
    Specimen c;
    c.text = std::string(trimmed(s_));
    space();
    while (at_ < s_.size() && s_[at_] != ';') {
      c.inputs.push_back(input());
      space();
      if (at_ < s_.size() && s_[at_] == ',') ++at_;
      space();
    }
    if (at_ < s_.size()) c.attrs = std::string(trimmed(s_.substr(at_ + 1)));
    return c;
  }

  Input input() {
    Input in;
    size_t from = at_;
    while (at_ < s_.size() && std::isalnum(static_cast<unsigned char>(s_[at_]))) ++at_;
    in.spec.dtype = dtype(s_.substr(from, at_ - from));
    expect('[');
    while (s_[at_] != ']') {
      in.spec.shape.push_back(static_cast<int64_t>(number()));
      if (s_[at_] == ',') ++at_;
    }
    expect(']');
    if (at_ < s_.size() && s_[at_] == '{') {
      ++at_;
      in.ranged = true;
      in.low = number();
      expect('.'), expect('.');
      in.high = number();
      expect('}');
    }
    return in;
  }

  static DType dtype(std::string_view name) {
    constexpr std::pair<std::string_view, DType> names[] = {
        {"f32", float32}, {"f64", float64}, {"bf16", bfloat16}, {"f16", float16}, {"i8", int8}, {"u8", uint8},       {"i16", int16},
        {"i32", int32},   {"i64", int64},   {"u32", uint32},    {"u64", uint64},  {"b", bool_}, {"s", DType::string}};
    for (auto& [text, t] : names)
      if (text == name) return t;
    fail(Code::InvalidArgument, "specimen: expected an element type such as f32, got '{}'", name);
  }

  double number() {
    space();
    size_t from = at_;
    if (at_ < s_.size() && s_[at_] == '-') ++at_;
    // A dot belongs to the number unless it begins "..".
    while (at_ < s_.size() && (std::isdigit(static_cast<unsigned char>(s_[at_])) || (s_[at_] == '.' && s_.substr(at_, 2) != ".."))) ++at_;
    check(at_ > from, Code::InvalidArgument, "specimen '{}': expected a number at {}", s_, from);
    double v = std::strtod(std::string(s_.substr(from, at_ - from)).c_str(), nullptr);
    space();
    return v;
  }

  void expect(char c) {
    check(at_ < s_.size() && s_[at_] == c, Code::InvalidArgument, "specimen '{}': expected '{}' at {}", s_, c, at_);
    ++at_;
  }
  void space() {
    while (at_ < s_.size() && std::isspace(static_cast<unsigned char>(s_[at_]))) ++at_;
  }
  static std::string_view trimmed(std::string_view s) {
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front()))) s.remove_prefix(1);
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.remove_suffix(1);
    return s;
  }

  std::string_view s_;
  size_t at_ = 0;
};

inline std::vector<Specimen> specimens_of(const Op& op) { return Parser(op.specimens).all(); }

/// Attributes of a case, as apply wants them. Owns them.
class Attrs {
 public:
  Attrs(const Op& op, const std::string& json) : type_(op.attrs ? op.attrs() : nullptr) {
    check(type_ || json.empty(), Code::InvalidArgument, "specimen of {}: the op has no attributes, got {}", op.name, json);
    if (!type_) return;
    p_ = type_->fresh();
    if (!json.empty()) from_json(json, type_, p_);
  }
  Attrs(const Attrs&) = delete;
  Attrs& operator=(const Attrs&) = delete;
  ~Attrs() {
    if (p_) type_->destroy(p_);
  }
  AttrRef ref() const { return {p_, type_}; }

 private:
  const AttrType* type_;
  void* p_ = nullptr;
};

/// Values: normal, or uniform in the range; integers from -5 to 5 (0 to 9 without sign) or in the range, both ends included.
inline std::vector<double> draw(const Input& in, std::mt19937_64& random) {
  std::vector<double> v(static_cast<size_t>(in.spec.shape.elements()));
  DType t = in.spec.dtype;
  for (double& x : v) {
    if (is_float(t)) {
      x = in.ranged ? std::uniform_real_distribution<double>(in.low, in.high)(random) : std::normal_distribution<double>()(random);
    } else if (t == bool_) {
      x = static_cast<double>(random() & 1);
    } else {
      bool is_signed = t == int8 || t == int16 || t == int32 || t == int64;
      double low = in.ranged ? in.low : is_signed ? -5 : 0, high = in.ranged ? in.high : is_signed ? 5 : 9;
      x = std::floor(std::uniform_real_distribution<double>(low, high + 1)(random));
    }
  }
  return v;
}

// A string is drawn as a number, and is "w" and that number.
inline Tensor make(const std::vector<double>& values, const Spec& spec) {
  if (spec.dtype == DType::string) {
    std::vector<std::string> words;
    for (double v : values) words.push_back("w" + std::to_string(static_cast<int64_t>(v)));
    return strings(words, spec.shape);
  }
  Tensor t = make_tensor(spec);
  kernels::convert(float64, values.data(), spec.dtype, mutable_data(t), spec.shape.elements());
  return t;
}

inline std::vector<double> values_of(const Tensor& t) {
  std::vector<double> v(static_cast<size_t>(t.size()));
  kernels::convert(t.dtype(), t.bytes().data(), float64, v.data(), t.size());
  return v;
}

/// Largest difference over max(1, largest magnitude of b); equal infinities and NaN against NaN are no difference.
inline double difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double worst = 0, scale = 1;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isfinite(b[i])) scale = std::max(scale, std::fabs(b[i]));
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    double d = std::fabs(a[i] - b[i]);
    worst = std::max(worst, std::isfinite(d) ? d : std::numeric_limits<double>::infinity());
  }
  return worst / scale;
}

}  // namespace tenure::conformance

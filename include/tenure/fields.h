// Named fields of attributes and configurations. One function `fields(v, a)` beside a struct gives JSON, printing, equality and hashing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <tenure/dtype.h>
#include <tenure/error.h>

namespace tenure {

/// A value that writes and reads itself as JSON text (initializers, activations, nested layers).
class TENURE_API ConfigObject {
 public:
  virtual ~ConfigObject() = default;
  virtual std::string to_json() const = 0;
  virtual void from_json(const std::string& text) = 0;
};

/// Visits fields; a reader assigns, a writer reads. Field names are Keras' names.
class TENURE_API Fields {
 public:
  virtual ~Fields() = default;
  virtual void field(const char* name, bool& v) = 0;
  virtual void field(const char* name, int64_t& v) = 0;
  virtual void field(const char* name, double& v) = 0;
  virtual void field(const char* name, std::string& v) = 0;
  virtual void field(const char* name, std::vector<int64_t>& v) = 0;
  virtual void field(const char* name, std::vector<double>& v) = 0;
  virtual void field(const char* name, ConfigObject& v) = 0;
  /// A field that may be null. Returns whether it has a value; a reader says so from its input.
  virtual bool present(const char* name, bool has) = 0;

  template <class T>
  void operator()(const char* name, T& v) {
    if constexpr (std::is_same_v<T, DType>) {
      std::string s = to_string(v);
      field(name, s);
      v = dtype_from(s);
    } else if constexpr (std::is_same_v<T, Shape>) {
      std::vector<int64_t> d(v.begin(), v.end());
      field(name, d);
      v = Shape(std::span<const int64_t>(d));
    } else if constexpr (std::is_same_v<T, bool>) {
      field(name, v);
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      auto w = static_cast<int64_t>(v);
      field(name, w);
      v = narrowed<T>(name, w);
    } else if constexpr (std::is_floating_point_v<T>) {
      auto w = static_cast<double>(v);
      field(name, w);
      v = static_cast<T>(w);
    } else if constexpr (is_array<T>::value) {
      std::vector<int64_t> d(v.begin(), v.end());
      field(name, d);
      for (size_t i = 0; i < v.size() && i < d.size(); ++i) v[i] = narrowed<typename T::value_type>(name, d[i]);
    } else if constexpr (is_optional<T>::value) {
      if (present(name, v.has_value())) {
        if (!v) v.emplace();
        (*this)(name, *v);
      } else {
        v.reset();
      }
    } else if constexpr (std::is_same_v<T, std::vector<int>>) {
      std::vector<int64_t> d(v.begin(), v.end());
      field(name, d);
      v.clear();
      for (int64_t w : d) v.push_back(narrowed<int>(name, w));
    } else if constexpr (std::is_base_of_v<ConfigObject, T>) {
      field(name, static_cast<ConfigObject&>(v));
    } else {
      field(name, v);
    }
  }

 private:
  /// The number as a T; throws InvalidArgument if it does not fit.
  template <class T>
  static T narrowed(const char* name, int64_t w) {
    if constexpr (sizeof(T) < sizeof w)
      if (static_cast<int64_t>(static_cast<T>(w)) != w)
        throw Error(Code::InvalidArgument,
                    std::string("'") + name + "': expected a whole number of " + std::to_string(8 * sizeof(T)) + " bits, got " + std::to_string(w));
    return static_cast<T>(w);
  }

  template <class T>
  struct is_array : std::false_type {};
  template <class T, size_t N>
  struct is_array<std::array<T, N>> : std::true_type {};
  template <class T>
  struct is_optional : std::false_type {};
  template <class T>
  struct is_optional<std::optional<T>> : std::true_type {};
};

}  // namespace tenure

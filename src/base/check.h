// Checks with formatted messages. Internal: fmt stays out of public headers.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include <tenure/dtype.h>
#include <tenure/error.h>

template <>
struct fmt::formatter<tenure::Shape> : fmt::formatter<std::string> {
  auto format(const tenure::Shape& s, fmt::format_context& c) const { return formatter<std::string>::format(tenure::to_string(s), c); }
};
template <>
struct fmt::formatter<tenure::Spec> : fmt::formatter<std::string> {
  auto format(const tenure::Spec& s, fmt::format_context& c) const { return formatter<std::string>::format(tenure::to_string(s), c); }
};
template <>
struct fmt::formatter<tenure::DType> : fmt::formatter<std::string> {
  auto format(tenure::DType t, fmt::format_context& c) const { return formatter<std::string>::format(tenure::to_string(t), c); }
};

namespace tenure {

/// Throws an Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(Code code, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(code, fmt::format(text, std::forward<Args>(args)...));
}

/// A caller's mistake: throws unless `ok`.
template <class... Args>
inline void check(bool ok, Code code, fmt::format_string<Args...> text, Args&&... args) {
  if (!ok) [[unlikely]]
    fail(code, text, std::forward<Args>(args)...);
}

/// Our own mistake: throws Internal with the source line unless `ok`.
inline void ensure(bool ok, const char* what, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!ok) [[unlikely]]
    fail(Code::Internal, "{} ({}:{}); this is a mistake in Tenure, please report it", what, file, line);
}

}  // namespace tenure

#include "files/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace tenure::files {
namespace {

/// Where a byte stands, for people.
std::string place(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t start = before.rfind('\n');
  return fmt::format("line {}, column {}", line, before.size() - (start == std::string_view::npos ? 0 : start + 1));
}

/// Refuses deep nesting before anything recursive can meet it. Brackets inside of texts do not count.
void check_depth(const Bytes& text, int most) {
  int depth = 0;
  bool quoted = false;
  const std::string_view s = text.text();
  for (size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      // place() reads from the start: only for the message.
      if (++depth > most) fail(Code::Io, "{}: JSON nested more than {} deep at {}", text.name(), most, place(s, i + 1));
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

}  // namespace

nlohmann::json parse_json(const Bytes& text, JsonLimits limits) {
  check(text.size() <= limits.max_bytes, Code::Io, "{}: {} bytes of JSON, expected at most {}", text.name(), text.size(), limits.max_bytes);
  check_depth(text, limits.max_depth);
  try {
    return nlohmann::json::parse(text.text());
  } catch (const nlohmann::json::parse_error& e) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ..." -> the last part
    const std::string_view what = e.what();
    const size_t from = what.find(": ");
    fail(Code::Io, "{}: malformed JSON at {}: {}", text.name(), place(text.text(), e.byte),
         from == std::string_view::npos ? what : what.substr(from + 2));
  } catch (const nlohmann::json::exception& e) { fail(Code::Io, "{}: malformed JSON: {}", text.name(), e.what()); }
}

}  // namespace tenure::files

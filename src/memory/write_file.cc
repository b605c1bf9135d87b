#include "memory/write_file.h"

#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace tenure::memory {

void write_file(const char* who, const std::string& path, std::string_view data) {
  std::string part = path + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  out << data;
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(part, path, error);
  if (!out || error) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    fail(Code::Io, "{}: expected to write {}, but {}", who, path, error ? error.message() : "the file cannot be written");
  }
}

std::string utc_now() {
  std::time_t t = std::time(nullptr);
  std::tm tm{};
  gmtime_r(&t, &tm);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm)};
}

}  // namespace tenure::memory

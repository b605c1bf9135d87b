#include "terminal.h"

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include <tenure/error.h>

namespace cli {

bool on_terminal() {
  static const bool yes = isatty(STDOUT_FILENO) == 1;
  return yes;
}

std::string human(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB"};
  int u = 0;
  while (u < 3 && (bytes >= 1024 || bytes <= -1024)) bytes /= 1024, ++u;
  return u == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[u]);
}

std::string grouped(int64_t n) {
  std::string digits = std::to_string(n < 0 ? -n : n), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return n < 0 ? "-" + out : out;
}

Progress::Progress(std::string label) : label_(std::move(label)), start_(std::chrono::steady_clock::now()), last_(start_) {}

Progress::~Progress() {
  if (open_ && on_terminal()) std::fputs("\n", stdout);
}

void Progress::show(int64_t done, int64_t total) {
  auto now = std::chrono::steady_clock::now();
  if (!on_terminal() || (now - last_ < std::chrono::milliseconds(80) && done != total)) return;
  last_ = now;
  int width = 24, full = total > 0 ? static_cast<int>(done * width / total) : 0;
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < full ? "━" : "╌";
  double seconds = std::chrono::duration<double>(now - start_).count();
  fmt::print("\r  {:<34} {} {}/{}  {:.1f}s ", label_, bar, grouped(done), grouped(total), seconds);
  std::fflush(stdout);
}

void Progress::finish(const std::string& text) {
  open_ = false;
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  fmt::print("{}  {:<34} {}  ({:.1f}s){}\n", on_terminal() ? "\r" : "", label_, text, seconds, on_terminal() ? "\033[K" : "");
  std::fflush(stdout);
}

std::string self_path() {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : "tenure";
}

std::string shared_file(const std::string& name) {
  namespace fs = std::filesystem;
  fs::path here = fs::path(self_path()).parent_path();
  for (const fs::path& folder : {here / "../share/tenure", here / "../../tests/reference"})
    if (fs::exists(folder / name)) return fs::weakly_canonical(folder / name).string();
  return {};
}

std::string capture(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen((command + " 2>&1").c_str(), "r"), pclose);
  if (!pipe) throw tenure::Error(tenure::Code::Io, "could not start: " + command);
  std::string out;
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof buffer, pipe.get())) out.append(buffer, n);
  int status = pclose(pipe.release());
  if (status != 0) throw tenure::Error(tenure::Code::Io, fmt::format("'{}' ended with status {}:\n{}", command, status, out));
  return out;
}

std::string shell_word(const std::string& word) {
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace cli

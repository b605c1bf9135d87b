#include "nn/progress.h"

#include <unistd.h>

#include <cmath>
#include <iostream>

#include "base/check.h"

namespace tenure::nn {

int verbosity(int asked, const std::ostream& out) {
  check(asked >= -1 && asked <= 2, Code::InvalidArgument, "expected verbose -1 (automatic), 0, 1 or 2, got {}", asked);
  if (asked >= 0) return asked;
  return &out == &std::cout && isatty(STDOUT_FILENO) ? 1 : 2;
}

std::string figure(double v) { return std::fabs(v) > 1e-3 || !std::isfinite(v) ? fmt::format("{:.4f}", v) : fmt::format("{:.4e}", v); }

std::string figures(const Logs& logs) {
  std::string out;
  for (auto& [name, value] : logs) out += fmt::format(" - {}: {}", name, figure(value));
  return out;
}

namespace {

std::string per_step(double seconds) {
  if (seconds >= 1 || seconds == 0) return fmt::format("{:.0f}s/step", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.0f}ms/step", seconds * 1e3);
  return fmt::format("{:.0f}us/step", seconds * 1e6);
}

std::string duration(double seconds) {
  auto s = static_cast<int64_t>(seconds);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60);
  return s >= 60 ? fmt::format("{}:{:02}", s / 60, s % 60) : fmt::format("{}s", s);
}

}  // namespace

Progress::Progress(std::ostream& out, int verbose, int64_t steps)
    : out_(out), verbose_(verbose), steps_(steps), start_(Clock::now()), last_(start_) {}

bool Progress::due() const { return verbose_ == 1 && (!drawn_ || Clock::now() - last_ >= std::chrono::milliseconds(50)); }

std::string Progress::line(int64_t done, const Logs& logs, bool last) const {
  double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  double step = done > 0 ? seconds / static_cast<double>(done) : 0;
  double shown = last || steps_ < 0 ? seconds : step * static_cast<double>(steps_ - done);
  int64_t total = last ? done : steps_;
  std::string count = fmt::format("{}/{}", done, total < 0 ? "Unknown" : std::to_string(total));
  if (verbose_ == 2) return fmt::format("{} - {} - {}{}", count, duration(seconds), per_step(step), figures(logs));
  std::string bar;
  constexpr int width = 20;
  if (total > 0) {
    // Done in green, the rest in grey, as on Keras' terminal.
    auto full = static_cast<int>(width * done / total);
    auto draw = [&](int n) {
      for (int i = 0; i < n; ++i) bar += "━";
    };
    bar += " \x1b[32m";
    draw(full);
    bar += "\x1b[0m\x1b[37m";
    draw(width - full);
    bar += "\x1b[0m";
  }
  return fmt::format("\x1b[1m{}\x1b[0m{} \x1b[1m{}\x1b[0m {}{}", count, bar, duration(shown), per_step(step), figures(logs));
}

void Progress::update(int64_t done, const Logs& logs) {
  out_ << "\r\x1b[2K" << line(done, logs, false) << std::flush;
  drawn_ = true;
  last_ = Clock::now();
}

void Progress::finish(int64_t done, const Logs& logs) {
  if (verbose_ == 0) return;
  out_ << (verbose_ == 1 ? "\r\x1b[2K" : "") << line(done, logs, true) << "\n" << std::flush;
}

}  // namespace tenure::nn

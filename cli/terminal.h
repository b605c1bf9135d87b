// What the command prints with: progress bars, sizes, files beside the program.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cli {

/// Standard output is a terminal.
bool on_terminal();
/// "3.2 MiB".
std::string human(double bytes);
/// 12,345.
std::string grouped(int64_t n);

/// One line that is redrawn while work goes on; on a file only its last state is printed.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  void show(int64_t done, int64_t total);
  /// Replaces the bar by a closing word.
  void finish(const std::string& text);

 private:
  std::string label_;
  std::chrono::steady_clock::time_point start_, last_;
  bool open_ = true;
};

/// The program's own file.
std::string self_path();
/// A data file that comes with the program, in the source tree or installed; empty if there is none.
std::string shared_file(const std::string& name);
/// Runs a command line, returns what it prints; throws tenure::Error with its output when it fails.
std::string capture(const std::string& command);
/// A word quoted for the shell.
std::string shell_word(const std::string& word);

}  // namespace cli

// The text that fit, evaluate and predict print, as Keras does.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

#include <tenure/callbacks.h>

namespace tenure::nn {

/// 0, 1 or 2 for what the caller asked (-1: 1 on a terminal, else 2). Throws InvalidArgument for other values.
int verbosity(int asked, const std::ostream& out);
/// "0.1234", or "1.2340e-04" below a thousandth.
std::string figure(double v);
/// "accuracy: 0.5000 - loss: 1.2345"
std::string figures(const Logs& logs);

/// One epoch's line: a bar that is redrawn (1), or the line at its end (2).
class Progress {
 public:
  /// `steps`: -1 if not known.
  Progress(std::ostream& out, int verbose, int64_t steps);
  /// Whether update() would draw now: reading figures costs.
  bool due() const;
  void update(int64_t done, const Logs& logs);
  /// The last line of the epoch.
  void finish(int64_t done, const Logs& logs);

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(int64_t done, const Logs& logs, bool last) const;
  std::ostream& out_;
  int verbose_;
  int64_t steps_;
  bool drawn_ = false;
  Clock::time_point start_, last_;
};

}  // namespace tenure::nn

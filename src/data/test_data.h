// For the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include <tenure/data.h>
#include <tenure/memory.h>

#include "files/npy.h"
#include "files/test_files.h"
#include "paths.h"

namespace tenure::data {

using files::caught;
using files::expect_error;
using files::Scratch;

/// One element with x = {value}, y = {2 * value}.
inline Batch number(float value) { return {{Tensor::from<float>({value})}, {Tensor::from<float>({2 * value})}}; }

/// The numbers [0, n), one element each, without rows.
inline Dataset numbers(int64_t n) {
  return generator(
      [i = int64_t{0}, n]() mutable -> std::optional<Batch> {
        if (i == n) return {};
        return number(static_cast<float>(i++));
      },
      {.cardinality = n, .name = "numbers"});
}

/// The same as rows of arrays.
inline Dataset rows(int64_t n) {
  std::vector<float> x(static_cast<size_t>(n)), y(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i), y[i] = 2 * static_cast<float>(i);
  return arrays(Tensor::from(x, {n, 1}), Tensor::from(y, {n, 1}));
}

inline std::vector<float> xs(Iterator it) {
  std::vector<float> out;
  for (Batch b; it.next(b);)
    for (float v : b.x.at(0).data<float>()) out.push_back(v);
  return out;
}
inline std::vector<float> xs(const Dataset& d) { return xs(d.open()); }
inline std::vector<int64_t> sizes(const Dataset& d) {
  std::vector<int64_t> out;
  for (Batch& b : d) out.push_back(b.size());
  return out;
}

/// What was logged while it lives.
class Logged {
 public:
  Logged() {
    set_log_sink([this](std::string_view text) {
      std::lock_guard lock(mutex_);
      lines_.emplace_back(text);
    });
  }
  ~Logged() { set_log_sink({}); }
  std::vector<std::string> lines() {
    std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

inline std::string reference(const std::string& name) { return tests::source_dir() + "/tests/reference/images/" + name; }
inline std::string mnist(const std::string& name) { return tests::source_dir() + "/../shared/data/mnist/" + name; }

}  // namespace tenure::data

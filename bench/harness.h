// The frame of a bench program: named cases, warm-up, samples, and two ways to run them: alone (rounds over all cases, a JSON line each at the
// end) or as a worker that bench/run asks for turns over standard input. Cases own what they measure; nothing here outlives main.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <tenure/tensor.h>

namespace bench {

/// Something to time. `measure(n)` does n units of work and returns nanoseconds a unit.
struct Case {
  std::string name;   ///< "dense.eager"
  int64_t inner = 1;  ///< units a sample
  std::function<double(int64_t n)> measure;
  std::vector<double> check = {};  ///< values that every contestant of the same work must agree on
};

/// A case whose units are calls of f.
template <class F>
Case calls(std::string name, int64_t inner, F f, std::vector<double> check = {}) {
  auto measure = [f = std::move(f)](int64_t n) mutable {
    const auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < n; ++i) f();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(n);
  };
  return {std::move(name), inner, std::move(measure), std::move(check)};
}

class Program {
 public:
  /// Reads --threads N (2), --rounds N (20), --serve. Sets the library's bound on threads.
  Program(int argc, char** argv);
  void add(Case c) { cases_.push_back(std::move(c)); }
  int threads() const noexcept { return threads_; }
  /// The exit status of main.
  int run();

 private:
  std::vector<double> turn(const Case& c, int samples) const;
  int alone() const;
  int serve() const;

  std::vector<Case> cases_;
  int threads_ = 2, rounds_ = 20;
  bool serve_ = false;
};

/// The instruction sets that the library's own kernels and oneDNN chose.
std::string isa();

/// Element i of stream `seed`, uniform in [-1, 1): the same bits here and in peers/common.py.
constexpr float value(uint32_t seed, uint32_t i) noexcept {
  uint32_t u = (i + seed * 0x9E3779B9u) * 2654435761u;
  u ^= u >> 15;
  u *= 2246822519u;
  u ^= u >> 13;
  return static_cast<float>(u >> 8) * 0x1p-23f - 1.0f;
}
/// A float32 tensor of value(seed, 0...) * scale.
tenure::Tensor values(const tenure::Shape& shape, uint32_t seed, float scale = 1);
/// The first elements of `t`.
std::vector<double> head(const tenure::Tensor& t, int64_t n = 4);

}  // namespace bench

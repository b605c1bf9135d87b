// One Dense layer applied a million times to one Input, results dropped: nothing may stay.
#include <stdexcept>

#include <tenure/layers.h>
#include <tenure/memory.h>

#include "harness.h"

using namespace tenure;

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  const Tensor in = Input({.shape = {10}});
  const Layer dense = layers::Dense{.units = 10};
  const auto apply_once = [&]() -> Tensor { return dense(in); };
  Tensor first = apply_once();
  const memory::Now after_first = memory::now();
  first.release();
  const auto measure = [&](int64_t n) {
    const auto start = std::chrono::steady_clock::now();
    Tensor y;
    for (int64_t i = 0; i < n; ++i) y = apply_once();
    const double spent = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
    const memory::Now now = memory::now();
    if (now.nodes != after_first.nodes || now.live_bytes != after_first.live_bytes || now.tensors != after_first.tensors)
      throw std::runtime_error("applying a layer to an Input left something behind");
    return spent / static_cast<double>(n);
  };
  program.add({"symbolic.apply", 1'000'000, measure});
  return program.run();
}

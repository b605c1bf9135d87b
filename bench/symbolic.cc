// One dense op applied a million times to one symbol, results dropped: nothing may stay.
#include <stdexcept>

#include <tenure/ops.h>

#include "core/node.h"
#include "harness.h"

using namespace tenure;

namespace {

Tensor input(const Spec& spec) {
  auto* body = new TensorBody(spec, memory::HeldOf<Node>(new Node(*Registry::global().find("add"), {}, {})), 0);
  body->retain(memory::Counted::kUser);
  return Tensor(body);
}

}  // namespace

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  const Tensor in = input({{-1, 10}, float32});
  const Tensor w = bench::values({10, 10}, 2), b = bench::values({10}, 3);
  const auto apply_once = [&] { return linear(in, w, b); };
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
      throw std::runtime_error("applying a layer to a symbol left something behind");
    return spent / static_cast<double>(n);
  };
  program.add({"symbolic.apply", 1'000'000, measure});
  return program.run();
}

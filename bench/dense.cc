// Dense(10) on 1000 x 10 float32: eagerly, in a traced function, and as a ready oneDNN product on one and on all threads.
#include <algorithm>
#include <set>

#include <tenure/function.h>
#include <tenure/layers.h>

#include "bare.h"
#include "harness.h"

using namespace tenure;

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  constexpr int64_t rows = 1000, units = 10;
  const Tensor x = bench::values({rows, units}, 1), w = bench::values({units, units}, 2), b = bench::values({units}, 3);
  const Layer layer = layers::Dense{.units = units};
  layer.build(Shape{rows, units});
  layer.set_weights({w, b});
  const auto dense = [&](const Tensor& in) -> Tensor { return layer(in); };
  const Function traced{[&](Tensor in) -> Tensor { return layer(std::move(in)); }};

  program.add(bench::calls(
      "dense.eager", 100, [&] { Tensor y = dense(x); }, bench::head(dense(x))));
  program.add(bench::calls(
      "dense.traced", 100, [&] { Tensor y = traced(x); }, bench::head(traced(x))));
  std::vector<bench::BareProduct> bare;
  bare.reserve(2);
  for (int threads : std::set{1, program.threads()}) {
    if (!bench::bare_available()) break;
    bench::BareProduct& p = bare.emplace_back(bench::BareProduct::Shape{rows, units, units}, threads);
    std::copy_n(x.data<float>().data(), rows * units, p.a());
    std::copy_n(w.data<float>().data(), units * units, p.b());
    std::copy_n(b.data<float>().data(), units, p.bias());
    p.run();
    program.add(bench::calls("dense.onednn_" + std::to_string(threads), 100, [&p] { p.run(); }, {p.c()[0], p.c()[1], p.c()[2], p.c()[3]}));
  }
  return program.run();
}

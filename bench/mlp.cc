// One SGD step of an MLP 784-128-10 on a batch of 32: forward, softmax cross entropy, gradients and update in one traced function.
// Beside it the five products of such a step as ready oneDNN primitives.
#include <cmath>

#include <tenure/function.h>
#include <tenure/ops.h>
#include <tenure/tape.h>

#include "bare.h"
#include "harness.h"

using namespace tenure;

namespace {

constexpr int64_t batch = 32, inputs = 784, hidden = 128, classes = 10;
constexpr float rate = 0.01f;

struct Mlp {
  Variable w1{bench::values({inputs, hidden}, 11, std::sqrt(6.0f / inputs)), "w1"}, b1{zeros({hidden}), "b1"};
  Variable w2{bench::values({hidden, classes}, 12, std::sqrt(6.0f / hidden)), "w2"}, b2{zeros({classes}), "b2"};

  Tensor step(const Tensor& x, const Tensor& y) const {
    const Variables weights = {w1, b1, w2, b2};
    auto [loss, gradients] = value_and_gradient(
        [&] {
          Tensor logits = linear(linear(x, w1, b1, "relu"), w2, b2);
          return mean(sparse_categorical_crossentropy(y, std::move(logits), true));
        },
        weights);
    for (size_t i = 0; i < weights.size(); ++i) Variable(weights[i]).assign_sub(gradients[i] * rate);
    return loss;
  }
};

}  // namespace

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  const Tensor x = bench::values({batch, inputs}, 10);
  std::vector<int32_t> labels(batch);
  for (int i = 0; i < batch; ++i) labels[static_cast<size_t>(i)] = i * 7 % classes;
  const Tensor y = Tensor::from(labels, {batch});

  const Mlp eager_mlp, traced_mlp;
  const Function step{[&](Tensor in, Tensor target) { return traced_mlp.step(in, target); }};
  // The first two losses: the second proves the update.
  const double e0 = eager_mlp.step(x, y).item<double>(), e1 = eager_mlp.step(x, y).item<double>();
  const double t0 = Tensor(step(x, y)).item<double>(), t1 = Tensor(step(x, y)).item<double>();
  program.add(bench::calls("mlp.eager", 5, [&] { Tensor loss = eager_mlp.step(x, y); }, {e0, e1}));
  program.add(bench::calls("mlp.traced", 5, [&] { Tensor loss = step(x, y); }, {t0, t1}));

  std::vector<bench::BareProduct> products;
  if (bench::bare_available()) {
    using Shape = bench::BareProduct::Shape;
    for (const Shape& s :
         {Shape{batch, inputs, hidden, false, false, true, true}, Shape{batch, hidden, classes}, Shape{batch, classes, hidden, false, true, false},
          Shape{hidden, batch, classes, true, false, false}, Shape{inputs, batch, hidden, true, false, false}})
      products.emplace_back(s, program.threads());
    for (bench::BareProduct& p : products) p.run();
    program.add(bench::calls("mlp.onednn_products", 5, [&] {
      for (bench::BareProduct& p : products) p.run();
    }));
  }
  return program.run();
}

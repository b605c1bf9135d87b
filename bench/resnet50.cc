// ResNet50's body, batch 1, built from ops and traced; and the same chain of bare oneDNN primitives.
#include <optional>

#include <tenure/function.h>
#include <tenure/ops.h>

#include "bare.h"
#include "harness.h"
#include "resnet50.h"

using namespace tenure;

namespace {

/// Weights as Variables, as a model keeps them.
class Body {
 public:
  Body() {
    using N = bench::ResNet50;
    for (size_t i = 0; i < net_.convs.size(); ++i) {
      const bench::ConvShape& c = net_.convs[i];
      const auto seed = static_cast<uint32_t>(i);
      kernels_.emplace_back(bench::values({c.kernel, c.kernel, c.in, c.out}, N::kernel_seed + seed, c.scale()), "kernel");
      biases_.emplace_back(bench::values({c.out}, N::bias_seed + seed, 0.1f), "bias");
    }
    dense_ = Variable(bench::values({N::features, N::classes}, N::dense_seed, std::sqrt(6.0f / N::features)), "dense");
    dense_bias_ = Variable(bench::values({N::classes}, N::dense_bias_seed, 0.1f), "dense_bias");
  }

  Tensor operator()(Tensor x) const {
    x = pad(std::move(x), {{0, 0}, {3, 3}, {3, 3}, {0, 0}});
    x = relu(conv(0, std::move(x)));
    x = pad(std::move(x), {{0, 0}, {1, 1}, {1, 1}, {0, 0}});
    x = max_pool2d(std::move(x), {.pool_size = 3, .strides = 2});
    for (const bench::Bottleneck& b : net_.blocks) {
      Tensor residual = b.shortcut < 0 ? x : conv(b.shortcut, x);
      Tensor y = relu(conv(b.second, relu(conv(b.first, std::move(x)))));
      x = relu(conv(b.third, std::move(y)) + std::move(residual));
    }
    return linear(mean(std::move(x), {1, 2}), dense_, dense_bias_);
  }

 private:
  Tensor conv(int index, Tensor x) const {
    const auto i = static_cast<size_t>(index);
    const bench::ConvShape& c = net_.convs[i];
    ConvOptions options{.strides = c.stride};
    if (c.kernel == 3) options.padding = "same";
    return conv2d(std::move(x), kernels_[i], options, biases_[i]);
  }

  bench::ResNet50 net_;
  Variables kernels_, biases_;
  Variable dense_, dense_bias_;
};

}  // namespace

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  using N = bench::ResNet50;
  const Body body;
  const Tensor x = bench::values({1, N::image, N::image, 3}, N::input_seed);
  const Function traced{[&](Tensor in) { return body(in); }};
  program.add(bench::calls(
      "resnet50.traced", 1, [&] { Tensor y = traced(x); }, bench::head(traced(x))));
  std::optional<bench::BareResNet50> bare;
  if (bench::bare_available()) {
    bare.emplace(program.threads());
    bare->run();
    program.add(bench::calls(
        "resnet50.onednn", 1, [&] { bare->run(); }, bare->head()));
  }
  return program.run();
}

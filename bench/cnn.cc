// A train step of the demonstration's network: 32 images of 28 x 28, two convolutions with normalization, dropout, Adam. Its check value is how many
// buffers such a step makes and releases: with what the ledger costs a buffer, that is the ledger's share of a step.
#include <tenure/tenure.h>

#include "harness.h"
#include "memory/record.h"

using namespace tenure;

namespace {

Model network() {
  using namespace tenure::layers;
  return Sequential({Layer(InputLayer{.shape = {28, 28, 1}}), Rescaling{.scale = 1.0 / 255},
                     Conv2D{.filters = 16, .kernel_size = 3, .padding = "same", .use_bias = false}, BatchNormalization{.momentum = 0.9},
                     Activation{.activation = "relu"}, MaxPooling2D{}, Conv2D{.filters = 32, .kernel_size = 3, .padding = "same", .use_bias = false},
                     BatchNormalization{.momentum = 0.9}, Activation{.activation = "relu"}, MaxPooling2D{}, Flatten{}, Dropout{.rate = 0.3},
                     Dense{.units = 64, .activation = "relu"}, Dense{.units = 10, .activation = "softmax"}},
                    "digits");
}

}  // namespace

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  constexpr int64_t batch = 32;
  Model model = network();
  model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
  const Tensor x = bench::values({batch, 28, 28, 1}, 30, 127);
  std::vector<int32_t> labels(batch);
  for (int i = 0; i < batch; ++i) labels[static_cast<size_t>(i)] = i * 7 % 10;
  const Tensor y = Tensor::from(labels, {batch});
  auto step = [&] { model.train_on_batch({x}, {y}); };

  for (int i = 0; i < 3; ++i) step();
  constexpr int counted = 8;
  memory::record(true);
  for (int i = 0; i < counted; ++i) step();
  memory::record(false);
  const double buffers = static_cast<double>(memory::last_recording()->events.size()) / 2 / counted;
  program.add(bench::calls("cnn.step", 1, step, {buffers}));
  return program.run();
}

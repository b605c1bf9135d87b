// The report of a ResNet50 training step: how many bytes it is and how long it takes to write. Usage: bench_report [OUT.html] [IMAGE SIZE (224)].
// How soon it is ready in a browser: node tests/browser/report_check.mjs BUILD_DIR OUT.html
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include <tenure/tenure.h>

#include "resnet50.h"

using namespace tenure;

namespace {

// ResNet50 as keras.applications builds it: convolution, normalization, activation; a residual sum ends each block.
Model resnet50(int64_t image) {
  bench::ResNet50 net;
  int number = 0;
  auto conv = [&](Tensor x, int index) -> Tensor {
    const bench::ConvShape& c = net.convs[static_cast<size_t>(index)];
    std::string name = "conv" + std::to_string(number++);
    Tensor y = layers::Conv2D{.filters = c.out, .kernel_size = c.kernel, .strides = c.stride, .padding = "same", .name = name}(x);
    return layers::BatchNormalization{.name = name + "_bn"}(y);
  };
  auto relu = [&](Tensor x) -> Tensor { return layers::Activation{.activation = "relu", .name = "relu" + std::to_string(number++)}(x); };
  Tensor in = Input({.shape = {image, image, 3}}), x = relu(conv(in, 0));
  x = layers::MaxPooling2D{.pool_size = 3, .strides = 2, .padding = "same"}(x);
  for (const bench::Bottleneck& b : net.blocks) {
    Tensor shortcut = b.shortcut < 0 ? x : conv(x, b.shortcut);
    Tensor y = conv(relu(conv(relu(conv(x, b.first)), b.second)), b.third);
    x = relu(layers::Add{}({shortcut, y}));
  }
  Tensor out = layers::Dense{.units = bench::ResNet50::classes, .activation = "softmax"}(layers::GlobalAveragePooling2D{}(x));
  return Model{{.inputs = {in}, .outputs = {out}, .name = "resnet50"}};
}

}  // namespace

int main(int argc, char** argv) {
  std::string out = argc > 1 ? argv[1] : "resnet50.html";
  int64_t image = argc > 2 ? std::atoll(argv[2]) : bench::ResNet50::image;
  Model model = resnet50(image);
  model.compile({.optimizer = "sgd", .loss = "sparse_categorical_crossentropy"});
  SeedGenerator seed(1);
  Tensor x = random::uniform({1, image, image, 3}, seed);
  memory::ReportOptions options{.title = "ResNet50, a training step"};
  PrepareOptions prepare;
  prepare.shapes = {{1, image, image, 3}};
  prepare.training = true;
  options.plans.push_back(model.prepare(prepare).picture);
  Variables weights = model.trainable_variables();
  memory::record(true);
  {
    memory::Scope scope("step");
    GradientTape tape;
    Tensor loss = sum(model(x, {.training = true})[0]);
    memory::mark("backward");
    tape.gradient(loss, weights);
  }
  memory::record(false);
  const auto start = std::chrono::steady_clock::now();
  memory::write_report(out, options);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  auto bytes = std::filesystem::file_size(out);
  std::cout << "{\"name\":\"report.resnet50\",\"bytes\":" << bytes << ",\"write_seconds\":" << seconds << "}\n";
  return bytes <= 3000000 ? 0 : 1;
}

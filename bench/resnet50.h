// ResNet50's body as Keras builds it (stride in the first 1x1 of a stage), BatchNormalization folded into kernels and biases. The order of the
// convolutions is the order of the weight streams, here and in peers/models.py.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace bench {

struct ConvShape {
  int64_t in, out, kernel, stride, pad;
  bool last = false;  ///< of a block: small weights, so that sixteen residual sums stay in range
  float scale() const noexcept { return std::sqrt(6.0f / static_cast<float>(in * kernel * kernel)) * (last ? 0.3f : 1.0f); }
};
struct Bottleneck {
  int shortcut;  ///< index of a convolution, or -1: the input itself
  int first, second, third;
};
struct ResNet50 {
  static constexpr int64_t image = 224, classes = 1000, features = 2048;
  static constexpr uint32_t kernel_seed = 100, bias_seed = 200, input_seed = 7, dense_seed = 300, dense_bias_seed = 301;
  std::vector<ConvShape> convs;
  std::vector<Bottleneck> blocks;

  ResNet50() {
    add({3, 64, 7, 2, 3});
    int64_t in = 64;
    const int64_t widths[] = {64, 128, 256, 512};
    const int depths[] = {3, 4, 6, 3};
    for (int stage = 0; stage < 4; ++stage)
      for (int i = 0; i < depths[stage]; ++i) {
        const int64_t width = widths[stage], stride = i == 0 && stage > 0 ? 2 : 1;
        Bottleneck b{};
        b.shortcut = i == 0 ? add({in, 4 * width, 1, stride, 0}) : -1;
        b.first = add({in, width, 1, stride, 0});
        b.second = add({width, width, 3, 1, 1});
        b.third = add({width, 4 * width, 1, 1, 0, true});
        blocks.push_back(b);
        in = 4 * width;
      }
  }

 private:
  int add(const ConvShape& c) {
    convs.push_back(c);
    return static_cast<int>(convs.size()) - 1;
  }
};

}  // namespace bench

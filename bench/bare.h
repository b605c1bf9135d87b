// Ready oneDNN primitives with nothing around them: the physical reference. Without oneDNN there is none: available() is false.
// Each object owns its primitives, packed weights and buffers.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace bench {

bool bare_available() noexcept;

/// c = op(a) · op(b) (+ bias, relu), m x k x n, on its own buffers; made for `threads`.
class BareProduct {
 public:
  struct Shape {
    int64_t m, k, n;
    bool transpose_a = false, transpose_b = false, bias = true, relu = false;
  };
  BareProduct(const Shape& s, int threads);
  ~BareProduct();
  BareProduct(BareProduct&&) noexcept;
  float* a();
  float* b();
  float* bias();
  const float* c() const;
  void run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The chain of convolutions, pooling and the last product of ResNet50's body over plain NHWC, bias, ReLU and the residual as post-operations.
class BareResNet50 {
 public:
  explicit BareResNet50(int threads);
  ~BareResNet50();
  void run();
  /// The first logits.
  std::vector<double> head() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bench

// The original question, eagerly: a model of one Dense(10) layer applied 1,000 times to a float64 Variable. Does it leak?
// Keras casts float64 inputs to the layer's float32: that copy lives as long as one call.
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

int main() {
  Sequential model{layers::Dense{.units = 10}};
  Variable x(random::uniform({1000, 10}, SeedGenerator(1), 0, 1, float64), "x");

  model(x.value());  // builds the kernel and the bias
  memory::Now first = memory::now();
  for (int i = 0; i < 1000; ++i) Tensor y = model(x.value());
  memory::Now last = memory::now();

  std::cout << "live after call 1:    " << first.tensors << " tensors, " << first.live_bytes << " bytes\n"
            << "live after call 1001: " << last.tensors << " tensors, " << last.live_bytes << " bytes\n";
  bool same = first.tensors == last.tensors && first.live_bytes == last.live_bytes && first.objects == last.objects;
  std::cout << (same ? "no leak: the model, its two weights and x\n" : "LEAK\n");
  return same ? 0 : 1;
}

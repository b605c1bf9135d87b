// The original question, under a tape, with the result and the Variable released explicitly at the end.
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

int main() {
  bool same = true;
  {
    Sequential model{layers::Dense{.units = 10}};
    Variable x(random::uniform({1000, 10}, SeedGenerator(1), 0, 1, float64), "x");
    Tensor y = model(x.value());
    y.release();
    memory::Now first = memory::now();
    for (int i = 0; i < 1000; ++i) {
      GradientTape tape;
      y = model(x.value());
      Tensors gradients = tape.gradient(y, model.trainable_variables());
      y.release();
    }
    memory::Now last = memory::now();
    std::cout << "live before: " << first.tensors << " tensors, " << first.live_bytes << " bytes\n"
              << "live after 1,000 tapes: " << last.tensors << " tensors, " << last.live_bytes << " bytes\n";
    same = first.tensors == last.tensors && first.live_bytes == last.live_bytes && first.objects == last.objects;
    x.release();
    std::cout << "x released: " << last.live_bytes - memory::now().live_bytes << " bytes given back\n";
    same &= last.live_bytes - memory::now().live_bytes == 1000 * 10 * sizeof(double);
  }
  memory::expect_empty();  // throws, with holders, unless nothing lives
  std::cout << (same ? "no leak\n" : "LEAK\n");
  return same ? 0 : 1;
}

// The original question, in a traced function: traced once, planned once, then one arena and one output a call.
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

int main() {
  Sequential model{layers::Dense{.units = 10}};
  Variable x(random::uniform({1000, 10}, SeedGenerator(1), 0, 1, float64), "x");
  int traced = 0;
  Function apply([&] {
    ++traced;
    return Tensor(model(x.value()));
  });

  apply();
  memory::Now first = memory::now();
  uint64_t dispatched = eager_ops();
  for (int i = 0; i < 1000; ++i) Tensor y = apply();
  memory::Now last = memory::now();

  std::cout << "live after call 1:    " << first.tensors << " tensors, " << first.live_bytes << " bytes\n"
            << "live after call 1001: " << last.tensors << " tensors, " << last.live_bytes << " bytes\n"
            << "traced " << traced << " time, ops dispatched since: " << eager_ops() - dispatched << "\n"
            << apply.plans()[0].text;
  bool same = first.tensors == last.tensors && first.live_bytes == last.live_bytes && first.objects == last.objects && traced == 1 &&
              eager_ops() == dispatched;
  std::cout << (same ? "no leak\n" : "LEAK\n");
  return same ? 0 : 1;
}

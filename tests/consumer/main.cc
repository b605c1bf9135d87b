// A program outside the project: builds a small model, runs it, and finds its memory returned.
#include <tenure/tenure.h>

#include <cstdio>

int main() {
  using namespace tenure;
  {
    Sequential model{layers::Dense{.units = 4, .activation = "relu"}, layers::Dense{.units = 2}};
    Tensor y = model(Tensor::from({1.0f, 2.0f, 3.0f}, {1, 3}));
    if (y.shape() != Shape{1, 2}) return std::puts("wrong shape"), 1;
    try {
      model(Tensor::from({1.0f, 2.0f}, {1, 2}));
      return std::puts("a wrong input was taken"), 1;
    } catch (const Error& e) {
      if (e.code() != Code::Shape) return std::puts(e.what()), 1;
    }
  }
  if (memory::now().live_bytes != 0) return std::puts("memory is still held"), 1;
  return std::puts("consumer: ok"), 0;
}

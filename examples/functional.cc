// The functional API: a tower shared by two inputs, trained on pairs.
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

int main() {
  Tensor a = Input({.shape = {8}, .name = "a"}), b = Input({.shape = {8}, .name = "b"});
  Layer tower = layers::Dense{.units = 16, .activation = "relu", .name = "tower"};  // one set of weights
  Tensor joined = layers::Concatenate{}({tower(a), tower(b)});
  Tensor out = layers::Dense{.units = 1, .name = "distance"}(joined);
  Model twin{{.inputs = {a, b}, .outputs = {out}, .name = "twin"}};
  std::cout << twin.summary();

  SeedGenerator seed(1);
  Tensor x1 = random::normal({256, 8}, seed), x2 = random::normal({256, 8}, seed);
  Tensor y = mean(square(x1 - x2), {1}, true);
  twin.compile({.optimizer = optimizers::Adam{.learning_rate = 1e-2}, .loss = "mse", .metrics = {"mae"}});
  History h = twin.fit({x1, x2}, y, {.epochs = 5, .verbose = 2});
  return h["loss"].back() < h["loss"].front() ? 0 : 1;
}

// An op of one's own in one block: what comes out, how it runs, its gradient, what the gradient reads.
#include <cmath>
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

// The first spherical Bessel function: y = sin(x) / x, and 1 at 0.
Tensor bessel_j0(Tensor x);

const Op bessel_j0_op = {
    .name = "bessel_j0",
    .infer = infer_float,
    .tile =
        [](const Tile& t) noexcept {
          auto run = [&]<class T>(T) {
            for (int64_t i = 0; i < t.n; ++i) t.y<T>()[i] = t.x<T>(0)[i] == 0 ? T(1) : std::sin(t.x<T>(0)[i]) / t.x<T>(0)[i];
          };
          if (t.dtype == float64) run(double{});
          else run(float{});
        },
    .grad = [](const Grad& g) -> Tensors {
      const Tensor& x = g.x(0);
      return {g.dy() * where(equal(x, 0.0), 0.0, (cos(x) - bessel_j0(x)) / x)};
    },
    .saves = saves_input(0),
    .traits = elementwise | inplace,
    .specimens = "f32[2,3] | f32[0] | f32[1000] | f64[4]",
};
Tensor bessel_j0(Tensor x) { return apply(bessel_j0_op, std::move(x)); }

int main() {
  Registry::global().add(bessel_j0_op);
  Variable x(Tensor::from({0.5f, 1.f, 2.f}), "x");
  auto [value, gradients] = value_and_gradient([&] { return sum(bessel_j0(x.value())); }, {x});
  std::cout << "sum " << value << "\ngradient " << gradients[0] << "\n";
  Function traced([](Tensor t) { return bessel_j0(t * 2.0) + 1.0; });  // fused with its neighbours
  std::cout << traced.prepare({{{1000}, float32}}).text;
  double expected = (std::cos(2.0) - std::sin(2.0) / 2.0) / 2.0;
  return std::abs(gradients[0].at(2) - expected) < 1e-6 ? 0 : 1;
}

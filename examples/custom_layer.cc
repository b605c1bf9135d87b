// A layer of one's own: a configuration, build, call. Gradients, tracing, shapes, saving and reports follow.
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

// y = x * scale + shift, a number each a feature.
struct Affine {
  double initial_scale = 1;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }
  operator Layer() const;
};
void fields(Fields& v, Affine& a) { v("initial_scale", a.initial_scale); }

class AffineLayer final : public LayerOf<Affine> {
 public:
  using LayerOf::LayerOf;
  void build(const Shape& input) override {
    scale_ = weight("scale", {input.back()}, initializers::Constant{config.initial_scale});
    shift_ = weight("shift", {input.back()}, "zeros");
  }
  Tensor call(Tensor x, const Call&) override { return std::move(x) * scale_ + shift_; }

 private:
  Weight scale_, shift_;
};
Affine::operator Layer() const { return make_layer<AffineLayer>(*this); }

int main() {
  LayerRegistry::global().add<Affine>("Affine", "examples");  // so that files can name it
  // Of the Dense layer's weights: some beginnings do not get far in eight epochs.
  set_random_seed(1);
  Sequential model{Affine{.initial_scale = 0.5}, layers::Dense{.units = 1}};
  SeedGenerator seed(1);
  Tensor x = random::normal({128, 4}, seed);
  Tensor y = sum(x * 2.0, {1}, true);
  model.compile({.optimizer = optimizers::SGD{.learning_rate = 0.05}, .loss = "mse"});
  History h = model.fit(x, y, {.epochs = 8, .verbose = 2});
  std::cout << model.layers()[0].get_config() << "\n";
  return h["loss"].back() < 0.2 * h["loss"].front() ? 0 : 1;
}

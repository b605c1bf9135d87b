// Layers that act in training only. The states of random generators belong to the bodies; objects refer to them.
#include <cmath>

#include "nn/families.h"

namespace tenure {
namespace layers {

namespace {

void check_rate(const char* layer, double rate) {
  check(rate >= 0 && rate <= 1, Code::InvalidArgument, "{}: expected rate in [0, 1], got {}", layer, rate);
}
// Whether this call draws at all; on specs of unknown sizes only the shape is asked for, which stays.
bool draws(const Call& c, double rate, const Tensor& x) { return c.is_training() && rate > 0 && x.shape().known(); }

// One draw for each sample and channel.
Shape channels_only(const Shape& x, std::string_view format) {
  const int channel = nn::channels_first(format) ? 1 : x.rank() - 1;
  Shape s = x;
  for (int i = 1; i < s.rank(); ++i)
    if (i != channel) s[i] = 1;
  return s;
}

}  // namespace

// ---- ActivityRegularization ---------------------------------------------------------------------------------------------------

void fields(Fields& v, ActivityRegularization& c) { v("l1", c.l1), v("l2", c.l2); }

class ActivityRegularizationLayer final : public LayerBase {
 public:
  explicit ActivityRegularizationLayer(const ActivityRegularization& c)
      : LayerBase({c.name, c.trainable, c.dtype, regularizers::L1L2{.l1 = c.l1, .l2 = c.l2}}), config(c) {}
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override { return x; }
  void visit_config(Fields& v) override { fields(v, config); }
  std::string class_name() const override { return "ActivityRegularization"; }

  ActivityRegularization config;
};
ActivityRegularization::operator Layer() const { return make_layer<ActivityRegularizationLayer>(*this); }
Outputs ActivityRegularization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GaussianNoise ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, GaussianNoise& c) { v("stddev", c.stddev), v("seed", c.seed); }

class GaussianNoiseLayer final : public LayerOf<GaussianNoise> {
 public:
  explicit GaussianNoiseLayer(const GaussianNoise& c) : LayerOf(c) {
    check(c.stddev >= 0 && c.stddev <= 1, Code::InvalidArgument, "GaussianNoise: expected stddev in [0, 1], got {}", c.stddev);
    if (c.stddev > 0) seed_ = seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    if (!draws(c, config.stddev, x)) return x;
    Tensor noise = random::normal(x.shape(), SeedGenerator(seed_.variable()), 0, config.stddev, compute_dtype());
    return add(std::move(x), std::move(noise));
  }

 private:
  Weight seed_;
};
GaussianNoise::operator Layer() const { return make_layer<GaussianNoiseLayer>(*this); }
Outputs GaussianNoise::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GaussianDropout ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, GaussianDropout& c) { v("rate", c.rate), v("seed", c.seed); }

class GaussianDropoutLayer final : public LayerOf<GaussianDropout> {
 public:
  explicit GaussianDropoutLayer(const GaussianDropout& c) : LayerOf(c) {
    check(c.rate >= 0 && c.rate < 1, Code::InvalidArgument, "GaussianDropout: expected rate in [0, 1), got {}", c.rate);
    if (c.rate > 0) seed_ = seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    if (!draws(c, config.rate, x)) return x;
    const double deviation = std::sqrt(config.rate / (1 - config.rate));
    Tensor noise = random::normal(x.shape(), SeedGenerator(seed_.variable()), 1, deviation, compute_dtype());
    return multiply(std::move(x), std::move(noise));
  }

 private:
  Weight seed_;
};
GaussianDropout::operator Layer() const { return make_layer<GaussianDropoutLayer>(*this); }
Outputs GaussianDropout::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AlphaDropout -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, AlphaDropout& c) { v("rate", c.rate), v("seed", c.seed), nn::visit_open_shape(v, "noise_shape", c.noise_shape); }

class AlphaDropoutLayer final : public LayerOf<AlphaDropout> {
 public:
  explicit AlphaDropoutLayer(const AlphaDropout& c) : LayerOf(c) {
    check_rate("AlphaDropout", c.rate);
    if (c.rate > 0) seed_ = seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    if (!draws(c, config.rate, x)) return x;
    // selu's scale and alpha; a and b bring mean and variance back.
    constexpr double lowest = -1.6732632423543772 * 1.0507009873554805;
    const double q = config.rate, a = 1 / std::sqrt((1 - q) * (1 + q * lowest * lowest)), b = -a * lowest * q;
    Tensor kept = random::bernoulli(noise(x.shape()), SeedGenerator(seed_.variable()), 1 - q);
    if (kept.dtype() != x.dtype()) kept = cast(std::move(kept), x.dtype());
    Tensor low = multiply(subtract(1.0, kept), lowest);
    return add(multiply(add(multiply(std::move(x), std::move(kept)), std::move(low)), a), b);
  }

 private:
  Shape noise(const Shape& x) const {
    if (!config.noise_shape) return x;
    Shape s = *config.noise_shape;
    check(s.rank() == x.rank(), Code::Shape, "AlphaDropout: expected a noise_shape of rank {}, got {}", x.rank(), s);
    for (int i = 0; i < s.rank(); ++i)
      if (s[i] < 0) s[i] = x[i];
    return s;
  }
  Weight seed_;
};
AlphaDropout::operator Layer() const { return make_layer<AlphaDropoutLayer>(*this); }
Outputs AlphaDropout::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- SpatialDropout1D ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, SpatialDropout1D& c) { v("rate", c.rate), v("seed", c.seed); }

class SpatialDropout1DLayer final : public LayerOf<SpatialDropout1D> {
 public:
  explicit SpatialDropout1DLayer(const SpatialDropout1D& c) : LayerOf(c) {
    check_rate("SpatialDropout1D", c.rate);
    if (c.rate > 0) seed_ = seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    check(x.rank() == 3, Code::Shape, "SpatialDropout1D: expected an input of rank 3, got {}", x.spec());
    if (!draws(c, config.rate, x)) return x;
    Shape noise = channels_only(x.shape(), "");
    return random::dropout(std::move(x), config.rate, SeedGenerator(seed_.variable()), noise);
  }

 private:
  Weight seed_;
};
SpatialDropout1D::operator Layer() const { return make_layer<SpatialDropout1DLayer>(*this); }
Outputs SpatialDropout1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- SpatialDropout2D ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, SpatialDropout2D& c) {
  v("rate", c.rate), v("seed", c.seed);
  nn::visit_format(v, c.data_format);
}

class SpatialDropout2DLayer final : public LayerOf<SpatialDropout2D> {
 public:
  explicit SpatialDropout2DLayer(const SpatialDropout2D& c) : LayerOf(c) {
    check_rate("SpatialDropout2D", c.rate);
    if (c.rate > 0) seed_ = seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    check(x.rank() == 4, Code::Shape, "SpatialDropout2D: expected an input of rank 4, got {}", x.spec());
    if (!draws(c, config.rate, x)) return x;
    Shape noise = channels_only(x.shape(), config.data_format);
    return random::dropout(std::move(x), config.rate, SeedGenerator(seed_.variable()), noise);
  }

 private:
  Weight seed_;
};
SpatialDropout2D::operator Layer() const { return make_layer<SpatialDropout2DLayer>(*this); }
Outputs SpatialDropout2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- SpatialDropout3D ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, SpatialDropout3D& c) {
  v("rate", c.rate), v("seed", c.seed);
  nn::visit_format(v, c.data_format);
}

class SpatialDropout3DLayer final : public LayerOf<SpatialDropout3D> {
 public:
  explicit SpatialDropout3DLayer(const SpatialDropout3D& c) : LayerOf(c) {
    check_rate("SpatialDropout3D", c.rate);
    if (c.rate > 0) seed_ = seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    check(x.rank() == 5, Code::Shape, "SpatialDropout3D: expected an input of rank 5, got {}", x.spec());
    if (!draws(c, config.rate, x)) return x;
    Shape noise = channels_only(x.shape(), config.data_format);
    return random::dropout(std::move(x), config.rate, SeedGenerator(seed_.variable()), noise);
  }

 private:
  Weight seed_;
};
SpatialDropout3D::operator Layer() const { return make_layer<SpatialDropout3DLayer>(*this); }
Outputs SpatialDropout3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_noise(LayerRegistry& r) {
  r.add<layers::ActivityRegularization>("ActivityRegularization");
  r.add<layers::GaussianNoise>("GaussianNoise");
  r.add<layers::GaussianDropout>("GaussianDropout");
  r.add<layers::AlphaDropout>("AlphaDropout");
  r.add<layers::SpatialDropout1D>("SpatialDropout1D");
  r.add<layers::SpatialDropout2D>("SpatialDropout2D");
  r.add<layers::SpatialDropout3D>("SpatialDropout3D");
}

}  // namespace tenure

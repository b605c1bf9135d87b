// Normalization layers. Weights belong to the bodies; objects refer to them.
#include <algorithm>

#include "nn/families.h"

namespace tenure {
namespace layers {

// ---- BatchNormalization ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, BatchNormalization& c) {
  v("axis", c.axis), v("momentum", c.momentum), v("epsilon", c.epsilon), v("center", c.center), v("scale", c.scale);
  v("beta_initializer", c.beta_initializer), v("gamma_initializer", c.gamma_initializer);
  v("moving_mean_initializer", c.moving_mean_initializer), v("moving_variance_initializer", c.moving_variance_initializer);
  v("beta_regularizer", c.beta_regularizer), v("gamma_regularizer", c.gamma_regularizer);
  v("beta_constraint", c.beta_constraint), v("gamma_constraint", c.gamma_constraint);
  // Written by Keras always; only their defaults are supported.
  bool synchronized = false, renorm = false;
  std::optional<double> clipping;
  double momentum = 0.99;
  v("synchronized", synchronized), v("renorm", renorm);
  check(!synchronized && !renorm, Code::Unsupported, "BatchNormalization: synchronized and renorm are not supported");
  v("renorm_clipping", clipping), v("renorm_momentum", momentum);
}

// The moving variance takes the biased batch variance, as in Keras.
class BatchNormalizationLayer final : public LayerOf<BatchNormalization> {
 public:
  using LayerOf::LayerOf;
  void build(const Shape& in) override {
    const auto& c = config;
    axis_ = normalize_axis(c.axis, in.rank());
    Shape s{in[axis_]};
    if (c.scale)
      gamma_ = weight("gamma", s, c.gamma_initializer, {.regularizer = c.gamma_regularizer, .constraint = c.gamma_constraint, .autocast = false});
    if (c.center)
      beta_ = weight("beta", s, c.beta_initializer, {.regularizer = c.beta_regularizer, .constraint = c.beta_constraint, .autocast = false});
    mean_ = weight("moving_mean", s, c.moving_mean_initializer, {.trainable = false, .autocast = false});
    variance_ = weight("moving_variance", s, c.moving_variance_initializer, {.trainable = false, .autocast = false});
  }
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  Tensor call(Tensor x, const Call& call) override { return nn::as(normalized(nn::widened(std::move(x)), call), compute_dtype()); }

 private:
  // Of float32 or float64.
  Tensor normalized(Tensor x, const Call& call) const {
    const auto& c = config;
    Tensor offset = beta_.defined() ? beta_.value() : Tensor(), scale = gamma_.defined() ? gamma_.value() : Tensor();
    if (!call.is_training() || !trainable())
      return batch_normalization(std::move(x), mean_, variance_, std::move(offset), std::move(scale), axis_, c.epsilon);
    if (call.mask.defined()) return masked(std::move(x), call.mask, std::move(offset), std::move(scale));
    Tensors out = batch_normalization_training(std::move(x), std::move(offset), std::move(scale), axis_, c.epsilon);
    move(mean_, std::move(out[1]));
    move(variance_, std::move(out[2]));
    return std::move(out[0]);
  }
  // Training on what the mask keeps: the moments are of that, everything is normalized by them.
  Tensor masked(Tensor x, const Tensor& mask, Tensor offset, Tensor scale) const {
    Tensor kept = cast(mask, x.dtype());
    while (kept.rank() < x.rank()) kept = expand_dims(std::move(kept), -1);
    kept = multiply(std::move(kept), ones_like(x));
    Axes axes;
    Shape spread;
    for (int i = 0; i < x.rank(); ++i) {
      if (i != axis_) axes.push_back(i);
      spread.push_back(i == axis_ ? x.shape()[i] : 1);
    }
    Tensor count = sum(kept, axes), mean = divide(sum(multiply(x, kept), axes), count);
    Tensor away = subtract(x, reshape(mean, spread)), variance = divide(sum(multiply(square(away), kept), axes), std::move(count));
    move(mean_, mean);
    move(variance_, variance);
    Tensor y = multiply(std::move(away), rsqrt(add(reshape(std::move(variance), spread), config.epsilon)));
    if (scale.defined()) y = multiply(std::move(y), reshape(std::move(scale), spread));
    return offset.defined() ? add(std::move(y), reshape(std::move(offset), spread)) : y;
  }
  void move(const Weight& kept, Tensor batch) const {
    Tensor before = nn::as(kept.value(), batch.dtype());
    kept.assign(add(multiply(std::move(before), config.momentum), multiply(stop_gradient(std::move(batch)), 1 - config.momentum)));
  }
  int axis_ = -1;
  Weight gamma_, beta_, mean_, variance_;
};
BatchNormalization::operator Layer() const { return make_layer<BatchNormalizationLayer>(*this); }
Outputs BatchNormalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- LayerNormalization ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, LayerNormalization& c) {
  // Keras writes the list, also for one axis.
  AxisList axis(c.axis.axes);
  v("axis", axis);
  c.axis = axis;
  v("epsilon", c.epsilon), v("center", c.center), v("scale", c.scale);
  bool rms = false;
  v("rms_scaling", rms);
  check(!rms, Code::Unsupported, "LayerNormalization: rms_scaling is not supported");
  v("beta_initializer", c.beta_initializer), v("gamma_initializer", c.gamma_initializer);
  v("beta_regularizer", c.beta_regularizer), v("gamma_regularizer", c.gamma_regularizer);
  v("beta_constraint", c.beta_constraint), v("gamma_constraint", c.gamma_constraint);
}

class LayerNormalizationLayer final : public LayerOf<LayerNormalization> {
 public:
  using LayerOf::LayerOf;
  void build(const Shape& in) override {
    const auto& c = config;
    for (int a : c.axis.axes) axes_.push_back(normalize_axis(a, in.rank()));
    std::sort(axes_.begin(), axes_.end());
    check(!axes_.empty(), Code::InvalidArgument, "LayerNormalization: expected at least one axis");
    Shape s;
    for (int a : axes_) s.push_back(in[a]);
    if (c.scale) gamma_ = weight("gamma", s, c.gamma_initializer, {.regularizer = c.gamma_regularizer, .constraint = c.gamma_constraint});
    if (c.center) beta_ = weight("beta", s, c.beta_initializer, {.regularizer = c.beta_regularizer, .constraint = c.beta_constraint});
  }
  bool supports_masking() const override { return true; }
  bool autocast() const override { return false; }
  Tensor call(Tensor x, const Call&) override { return nn::as(normalized(nn::widened(std::move(x))), compute_dtype()); }

 private:
  // Of float32 or float64.
  Tensor normalized(Tensor x) const {
    Tensor gamma = gamma_.defined() ? gamma_.value() : Tensor(), beta = beta_.defined() ? beta_.value() : Tensor();
    bool last = axes_.back() == x.rank() - 1 && static_cast<int>(axes_.size()) == axes_.back() - axes_.front() + 1;
    if (last) return layer_normalization(std::move(x), std::move(gamma), std::move(beta), axes_, config.epsilon);
    // Inner axes: the same in plain ops, with weights spread to the input's rank.
    Shape spread;
    for (int i = 0, k = 0; i < x.rank(); ++i)
      spread.push_back(k < static_cast<int>(axes_.size()) && axes_[static_cast<size_t>(k)] == i ? ++k, x.shape()[i] : 1);
    auto [m, var] = moments(x, axes_, true);
    Tensor y = multiply(subtract(std::move(x), std::move(m)), rsqrt(add(std::move(var), config.epsilon)));
    if (gamma.defined()) y = multiply(std::move(y), reshape(std::move(gamma), spread));
    return beta.defined() ? add(std::move(y), reshape(std::move(beta), spread)) : y;
  }
  Axes axes_;
  Weight gamma_, beta_;
};
LayerNormalization::operator Layer() const { return make_layer<LayerNormalizationLayer>(*this); }
Outputs LayerNormalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_norm(LayerRegistry& r) {
  r.add<layers::BatchNormalization>("BatchNormalization");
  r.add<layers::LayerNormalization>("LayerNormalization");
}

}  // namespace tenure

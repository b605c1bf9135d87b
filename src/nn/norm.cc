// Normalization layers. Weights belong to the bodies; objects refer to them.
#include <algorithm>
#include <cmath>

#include "nn/families.h"

namespace tenure {

using nn::Json;

std::string RenormClipping::to_json() const {
  Json j = Json::object();
  for (auto [name, value] : {std::pair("rmax", &rmax), {"rmin", &rmin}, {"dmax", &dmax}})
    if (*value) j[name] = **value;
  return j.dump();
}
void RenormClipping::from_json(const std::string& text) {
  const Json j = nn::parse(text, "renorm_clipping");
  check(j.is_object() || j.is_null(), Code::InvalidArgument, "renorm_clipping: expected rmax, rmin and dmax, got {}", text);
  *this = RenormClipping();
  for (const auto& [name, value] : j.items()) {
    std::optional<double>* to = name == "rmax" ? &rmax : name == "rmin" ? &rmin : name == "dmax" ? &dmax : nullptr;
    check(to && (value.is_number() || value.is_null()), Code::InvalidArgument, "renorm_clipping: expected numbers as rmax, rmin and dmax, got {}",
          text);
    if (value.is_number()) *to = value.get<double>();
  }
}

namespace layers {

// ---- BatchNormalization ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, BatchNormalization& c) {
  v("axis", c.axis), v("momentum", c.momentum), v("epsilon", c.epsilon), v("center", c.center), v("scale", c.scale);
  v("beta_initializer", c.beta_initializer), v("gamma_initializer", c.gamma_initializer);
  v("moving_mean_initializer", c.moving_mean_initializer), v("moving_variance_initializer", c.moving_variance_initializer);
  v("beta_regularizer", c.beta_regularizer), v("gamma_regularizer", c.gamma_regularizer);
  v("beta_constraint", c.beta_constraint), v("gamma_constraint", c.gamma_constraint);
  v("synchronized", c.synchronized), v("renorm", c.renorm), v("renorm_clipping", c.renorm_clipping), v("renorm_momentum", c.renorm_momentum);
}

// The moving variance takes the biased batch variance, as in Keras.
class BatchNormalizationLayer final : public LayerOf<BatchNormalization> {
 public:
  explicit BatchNormalizationLayer(const BatchNormalization& c) : LayerOf(c) {
    if (c.renorm && !c.renorm_clipping) config.renorm_clipping.emplace();
    if (!c.renorm_clipping) return;
    const RenormClipping& by = *c.renorm_clipping;
    check(!by.rmin || !by.rmax || *by.rmax >= *by.rmin, Code::InvalidArgument, "BatchNormalization: expected rmax >= rmin, got {} and {}",
          by.rmax.value_or(0), by.rmin.value_or(0));
    check(!by.dmax || *by.dmax >= 0, Code::InvalidArgument, "BatchNormalization: expected dmax >= 0, got {}", by.dmax.value_or(0));
  }
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
    if (!c.renorm) return;
    const Initializer deviation([of = c.moving_variance_initializer](const Shape& shape, DType t) { return sqrt(of(shape, t)); });
    deviation_ = weight("moving_stddev", s, deviation, {.trainable = false, .autocast = false});
    renorm_mean_ = weight("renorm_mean", s, c.moving_mean_initializer, {.trainable = false, .autocast = false});
    renorm_deviation_ = weight("renorm_stddev", s, deviation, {.trainable = false, .autocast = false});
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
    if (c.renorm) return renormed(std::move(x), call.mask, std::move(offset), std::move(scale));
    if (call.mask.defined()) {
      auto [mean, variance] = moments_of(x, call.mask);
      move(mean_, mean, c.momentum);
      move(variance_, variance, c.momentum);
      return batch_normalization(std::move(x), std::move(mean), std::move(variance), std::move(offset), std::move(scale), axis_, c.epsilon);
    }
    Tensors out = batch_normalization_training(std::move(x), std::move(offset), std::move(scale), axis_, c.epsilon);
    move(mean_, std::move(out[1]), c.momentum);
    move(variance_, std::move(out[2]), c.momentum);
    return std::move(out[0]);
  }
  // Mean and variance of all, or of what the mask keeps.
  std::pair<Tensor, Tensor> moments_of(const Tensor& x, const Tensor& mask) const {
    Axes axes;
    Shape spread;
    for (int i = 0; i < x.rank(); ++i) {
      if (i != axis_) axes.push_back(i);
      spread.push_back(i == axis_ ? x.shape()[i] : 1);
    }
    if (!mask.defined()) return moments(x, axes, false);
    Tensor kept = cast(mask, x.dtype());
    while (kept.rank() < x.rank()) kept = expand_dims(std::move(kept), -1);
    kept = multiply(std::move(kept), ones_like(x));
    const Tensor count = add(sum(kept, axes), 1e-7);
    Tensor mean = divide(sum(multiply(x, kept), axes), count);
    const Tensor away = subtract(x, reshape(mean, spread));
    return {std::move(mean), divide(sum(multiply(square(away), kept), axes), count)};
  }
  // The batch's result times r plus d, as the kept statistics would have it; r and d are constants to the gradient.
  Tensor renormed(Tensor x, const Tensor& mask, Tensor offset, Tensor scale) const {
    const auto& c = config;
    const RenormClipping& by = *c.renorm_clipping;
    auto [mean, variance] = moments_of(x, mask);
    const Tensor deviation = sqrt(add(variance, c.epsilon));
    const Tensor kept = maximum(nn::as(renorm_deviation_.value(), x.dtype()), std::sqrt(c.epsilon));
    Tensor r = divide(deviation, kept), d = divide(subtract(mean, nn::as(renorm_mean_.value(), x.dtype())), kept);
    if (by.rmin) r = maximum(std::move(r), *by.rmin);
    if (by.rmax) r = minimum(std::move(r), *by.rmax);
    if (by.dmax) d = clip(std::move(d), -*by.dmax, *by.dmax);
    r = stop_gradient(std::move(r)), d = stop_gradient(std::move(d));
    if (scale.defined()) {
      scale = nn::as(std::move(scale), x.dtype());
      r = multiply(std::move(r), scale), d = multiply(std::move(d), std::move(scale));
    }
    if (offset.defined()) d = add(std::move(d), nn::as(std::move(offset), x.dtype()));
    move(renorm_mean_, mean, c.renorm_momentum);
    move(renorm_deviation_, deviation, c.renorm_momentum);
    move(mean_, mean, c.momentum);
    const Tensor moved = move(deviation_, deviation, c.momentum);
    variance_.assign(relu(subtract(square(moved), c.epsilon)));
    return batch_normalization(std::move(x), std::move(mean), std::move(variance), std::move(d), std::move(r), axis_, c.epsilon);
  }
  // Assigns what is kept and the batch's, weighed, and returns it.
  Tensor move(const Weight& kept, Tensor batch, double momentum) const {
    Tensor before = nn::as(kept.value(), batch.dtype());
    Tensor after = add(multiply(std::move(before), momentum), multiply(stop_gradient(std::move(batch)), 1 - momentum));
    kept.assign(after);
    return after;
  }
  int axis_ = -1;
  Weight gamma_, beta_, mean_, variance_, deviation_, renorm_mean_, renorm_deviation_;
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
  v("rms_scaling", c.rms_scaling);
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
    if (c.scale || c.rms_scaling)
      gamma_ = weight("gamma", s, c.gamma_initializer, {.regularizer = c.gamma_regularizer, .constraint = c.gamma_constraint});
    if (c.center && !c.rms_scaling)
      beta_ = weight("beta", s, c.beta_initializer, {.regularizer = c.beta_regularizer, .constraint = c.beta_constraint});
  }
  bool supports_masking() const override { return true; }
  bool autocast() const override { return false; }
  Tensor call(Tensor x, const Call&) override { return nn::as(normalized(nn::widened(std::move(x))), compute_dtype()); }

 private:
  // Of float32 or float64.
  Tensor normalized(Tensor x) const {
    Tensor gamma = gamma_.defined() ? gamma_.value() : Tensor(), beta = beta_.defined() ? beta_.value() : Tensor();
    bool last = axes_.back() == x.rank() - 1 && static_cast<int>(axes_.size()) == axes_.back() - axes_.front() + 1;
    if (last && !config.rms_scaling) return layer_normalization(std::move(x), std::move(gamma), std::move(beta), axes_, config.epsilon);
    // Inner axes: the same in plain ops, with weights spread to the input's rank.
    Shape spread;
    for (int i = 0, k = 0; i < x.rank(); ++i)
      spread.push_back(k < static_cast<int>(axes_.size()) && axes_[static_cast<size_t>(k)] == i ? ++k, x.shape()[i] : 1);
    auto [m, var] = moments(x, axes_, true);
    Tensor factor = rsqrt(add(std::move(var), config.epsilon));
    Tensor y = multiply(config.rms_scaling ? std::move(x) : subtract(std::move(x), std::move(m)), std::move(factor));
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

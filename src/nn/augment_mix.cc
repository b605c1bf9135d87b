// Layers that mix images, and layers that choose among others. What they choose from is their children.
#include <algorithm>
#include <cmath>

#include <tenure/ops_random.h>

#include "nn/augment.h"

namespace tenure {
namespace layers {

using nn::Range;

namespace {

// What images and labels become: the order in which others are met, the part of each that stays its own.
struct Mixture {
  Tensor images, order, own;  // stack-bound
};

// Called with images, or with {images, labels [batch, classes]}.
template <class C>
class MixLayer : public nn::ImagesLayer<C> {
 public:
  using nn::ImagesLayer<C>::ImagesLayer;
  Tensors call_all(Tensors xs, const Call& c) override {
    if (xs.size() == 1) return {this->call(std::move(xs[0]), c)};
    check(xs.size() == 2, Code::InvalidArgument, "{}: expected images, or images and labels, got {} inputs", this->name(), xs.size());
    const Shape images = xs[0].shape(), labels = xs[1].shape();
    check(images.rank() == 4 && labels.rank() == 2 && (images[0] == labels[0] || images[0] < 0 || labels[0] < 0), Code::Shape,
          "{}: expected images of rank 4 and labels [batch, classes], got {} and {}", this->name(), xs[0].spec(), xs[1].spec());
    if (!this->acts()) return xs;
    const DType t = this->compute_dtype();
    if (!images.known() || !labels.known()) return {make_abstract({images, t}), make_abstract({labels, t})};
    Mixture m = mixed(nn::to_last(nn::as(std::move(xs[0]), t), this->config.data_format));
    const Tensor own = nn::as(reshape(std::move(m.own), {images[0], 1}), t), given = nn::as(std::move(xs[1]), t);
    Tensor others = multiply(take(given, std::move(m.order), 0), subtract(1.0, own));
    return {nn::from_last(std::move(m.images), this->config.data_format), add(multiply(given, own), std::move(others))};
  }

 protected:
  /// Of [batch, height, width, channels] in the compute dtype.
  virtual Mixture mixed(Tensor x) const = 0;
  Tensor changed(Tensor x) const override { return mixed(std::move(x)).images; }
  Tensor order(const Tensor& x) const { return random::permutation(x.shape()[0], this->generator()); }
  SeedGenerator generator() const { return SeedGenerator(this->seed_.variable()); }
};

}  // namespace

// ---- MixUp ----------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, MixUp& c) { v("alpha", c.alpha), nn::image_fields(v, c); }

class MixUpLayer final : public MixLayer<MixUp> {
 public:
  explicit MixUpLayer(const MixUp& c) : MixLayer(c) { check(c.alpha > 0, Code::InvalidArgument, "MixUp: expected alpha > 0, got {}", c.alpha); }

 private:
  bool keeps_integers() const override { return !acts(); }
  Mixture mixed(Tensor x) const override {
    Tensor places = order(x), own = random::beta({x.shape()[0], 1, 1, 1}, generator(), config.alpha, config.alpha);
    const Tensor part = nn::as(own, compute_dtype());
    Tensor others = multiply(take(x, places, 0), subtract(1.0, part));
    return {add(multiply(std::move(x), part), std::move(others)), std::move(places), std::move(own)};
  }
};
MixUp::operator Layer() const { return make_layer<MixUpLayer>(*this); }
Outputs MixUp::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- CutMix ---------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, CutMix& c) { v("factor", c.factor), nn::image_fields(v, c); }

class CutMixLayer final : public MixLayer<CutMix> {
 public:
  explicit CutMixLayer(const CutMix& c) : MixLayer(c), range_(nn::range_of(c.factor, 0, 1, "CutMix", "factor")) {
    config.factor = nn::list_of(range_);
  }

 private:
  Mixture mixed(Tensor x) const override {
    const int64_t n = x.shape()[0];
    const Tensor alpha = broadcast_to(add(drawn_as({}, range_), 1e-6), {n, 1, 1, 1});
    const Tensor side = sqrt(subtract(1.0, random::beta(alpha, alpha, generator())));
    const Tensor box = logical_and(within(x, 2, side), within(x, 1, side));
    Tensor places = order(x), others = take(x, places, 0);
    Tensor own = subtract(1.0, square(side));
    return {where(box, std::move(others), std::move(x)), std::move(places), std::move(own)};
  }
  // Whether the places of an axis lie within a part of its length at a random start.
  Tensor within(const Tensor& x, int axis, const Tensor& part) const {
    const auto length = static_cast<double>(x.shape()[axis]);
    const Tensor covered = multiply(part, length), start = multiply(drawn(x, {0, 1}), subtract(length, covered));
    Shape along{1, 1, 1, 1};
    along[axis] = x.shape()[axis];
    const Tensor at = reshape(arange(0, length, 1, float32), along);
    return logical_and(greater_equal(at, start), less(at, add(start, covered)));
  }
  Range range_;
};
CutMix::operator Layer() const { return make_layer<CutMixLayer>(*this); }
Outputs CutMix::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- what is chosen from --------------------------------------------------------------------------------------------------------

namespace {

template <class C>
class ChoosingLayer : public nn::ImagesLayer<C> {
 public:
  explicit ChoosingLayer(const C& c) : nn::ImagesLayer<C>(c), range_(nn::range_of(c.factor, 0, 1, this->class_name(), "factor")) {
    nn::values_of(c.value_range, this->class_name());
    this->config.factor = nn::list_of(range_);
  }

 protected:
  NumberList factor() const { return nn::list_of(range_); }
  /// A child of this configuration for images with channels last, with a seed made of this layer's.
  template <class P>
  void part(const char* name, P p) {
    p.dtype = this->config.dtype;
    if constexpr (requires { p.interpolation; }) p.interpolation = this->config.interpolation;
    if constexpr (requires { p.value_range; }) p.value_range = this->config.value_range;
    if constexpr (requires { p.seed; }) p.seed = this->seed_of_part(parts_.size());
    parts_.push_back(this->child(name, p));
  }
  void moving_parts() {
    part("random_shear", RandomShear{.x_factor = factor(), .y_factor = factor()});
    part("random_translation", RandomTranslation{.height_factor = factor(), .width_factor = factor()});
    part("random_rotation", RandomRotation{.factor = factor()});
  }
  void colouring_parts() {
    part("random_brightness", RandomBrightness{.factor = factor()});
    part("random_color_degeneration", RandomColorDegeneration{.factor = factor()});
    part("random_contrast", RandomContrast{.factor = factor()});
    part("random_sharpness", RandomSharpness{.factor = factor()});
  }
  void stepping_parts() {
    part("random_posterization", RandomPosterization{.factor = std::max(1.0, std::trunc(8 * range_.high))});
    part("solarization", Solarization{.addition_factor = factor(), .threshold_factor = factor()});
    part("auto_contrast", AutoContrast{});
    part("equalization", Equalization{});
  }
  /// x behind a part drawn with equal chance; with `or_none` perhaps behind none.
  Tensor behind_one(Tensor x, bool or_none) const {
    const auto n = static_cast<int64_t>(parts_.size());
    const Tensor chosen = random::randint({}, SeedGenerator(this->seed_.variable()), 0, or_none ? n + 1 : n);
    auto behind = [&](size_t k) { return Tensor(parts_[k](x, {.training = true})); };
    if (chosen.concrete()) {
      const auto k = chosen.template item<int64_t>();
      return k == n ? x : behind(static_cast<size_t>(k));
    }
    Tensor y = x;
    for (size_t k = 0; k < parts_.size(); ++k) y = where(equal(chosen, static_cast<double>(k)), behind(k), std::move(y));
    return y;
  }
  Range range_;
  std::vector<Child> parts_;
};

}  // namespace

// ---- RandAugment ----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandAugment& c) {
  v("value_range", c.value_range), v("num_ops", c.num_ops), v("factor", c.factor), v("interpolation", c.interpolation), nn::image_fields(v, c);
}

class RandAugmentLayer final : public ChoosingLayer<RandAugment> {
 public:
  explicit RandAugmentLayer(const RandAugment& c) : ChoosingLayer(c) {
    nn::check_positive(c.num_ops, "RandAugment", "num_ops");
    moving_parts(), colouring_parts(), stepping_parts();
  }

 private:
  Tensor changed(Tensor x) const override {
    for (int64_t i = 0; i < config.num_ops; ++i) x = behind_one(std::move(x), false);
    return x;
  }
};
RandAugment::operator Layer() const { return make_layer<RandAugmentLayer>(*this); }
Outputs RandAugment::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AugMix ---------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, AugMix& c) {
  v("value_range", c.value_range), v("num_chains", c.num_chains), v("chain_depth", c.chain_depth), v("factor", c.factor), v("alpha", c.alpha);
  v("all_ops", c.all_ops), v("interpolation", c.interpolation), nn::image_fields(v, c);
}

class AugMixLayer final : public ChoosingLayer<AugMix> {
 public:
  explicit AugMixLayer(const AugMix& c) : ChoosingLayer(c), values_(nn::values_of(c.value_range, "AugMix")) {
    nn::check_positive(c.num_chains, "AugMix", "num_chains");
    nn::check_positive(c.chain_depth, "AugMix", "chain_depth");
    check(c.alpha > 0, Code::InvalidArgument, "AugMix: expected alpha > 0, got {}", c.alpha);
    moving_parts(), stepping_parts();
    if (c.all_ops) colouring_parts();
  }

 private:
  Tensor changed(Tensor x) const override {
    const DType t = compute_dtype();
    const SeedGenerator seed(seed_.variable());
    const Tensors parts = unstack(nn::as(softmax(random::log_gamma(full({config.num_chains}, config.alpha), seed)), t));
    const Tensor own = nn::as(random::beta({1, 1, 1, 1}, seed, config.alpha, config.alpha), t);
    Tensor mixture;  // stack-bound
    for (const Tensor& part : parts) {
      Tensor y = x;
      for (int64_t i = 0; i < config.chain_depth; ++i) y = behind_one(std::move(y), true);
      y = multiply(std::move(y), part);
      mixture = mixture.defined() ? add(std::move(mixture), std::move(y)) : std::move(y);
    }
    mixture = multiply(std::move(mixture), subtract(1.0, own));
    return clip(add(multiply(std::move(x), own), std::move(mixture)), values_.low, values_.high);
  }
  Range values_;
};
AugMix::operator Layer() const { return make_layer<AugMixLayer>(*this); }
Outputs AugMix::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_augment_mix(LayerRegistry& r) {
  r.add<layers::MixUp>("MixUp");
  r.add<layers::CutMix>("CutMix");
  r.add<layers::RandAugment>("RandAugment");
  r.add<layers::AugMix>("AugMix");
}

}  // namespace tenure

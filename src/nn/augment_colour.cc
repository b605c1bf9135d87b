// Layers that change the colours of images at random.
#include <tenure/ops_image.h>

#include "nn/augment.h"

namespace tenure {
namespace layers {

using nn::factor_fields;
using nn::FactorLayer;
using nn::Range;

// ---- RandomGrayscale ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomGrayscale& c) { v("factor", c.factor), nn::image_fields(v, c); }

class RandomGrayscaleLayer final : public nn::ImagesLayer<RandomGrayscale> {
 public:
  explicit RandomGrayscaleLayer(const RandomGrayscale& c) : ImagesLayer(c) {
    check(c.factor >= 0 && c.factor <= 1, Code::InvalidArgument, "RandomGrayscale: expected factor in [0, 1], got {}", c.factor);
  }

 private:
  bool keeps_integers() const override { return true; }
  Tensor changed(Tensor x) const override {
    Tensor chosen = less(drawn(x, {0, 1}), config.factor);
    Tensor grey = rgb_to_grayscale(x);
    return where(std::move(chosen), std::move(grey), std::move(x));
  }
};
RandomGrayscale::operator Layer() const { return make_layer<RandomGrayscaleLayer>(*this); }
Outputs RandomGrayscale::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomHue ------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomHue& c) { factor_fields(v, c); }

class RandomHueLayer final : public nn::ImagesLayer<RandomHue> {
 public:
  explicit RandomHueLayer(const RandomHue& c)
      : ImagesLayer(c), range_(nn::range_of(c.factor, 0, 1, "RandomHue", "factor")), values_(nn::values_of(c.value_range, "RandomHue")) {
    config.factor = nn::list_of(range_);
  }

 private:
  bool keeps_integers() const override { return !acts(); }  // where nothing is changed
  Tensor changed(Tensor x) const override {
    const DType t = compute_dtype();
    Tensor sign = greater(drawn(x, {0, 1}, t), 0.5);
    Tensor turn = multiply(drawn(x, range_, t), 0.5);
    turn = where(std::move(sign), negative(turn), turn);
    Tensors hsv = split(rgb_to_hsv(nn::rescaled(std::move(x), values_, {0, 1})), 3, -1);
    Tensor hue = add(std::move(hsv[0]), std::move(turn));
    hue = where(greater(hue, 1.0), subtract(hue, 1.0), hue);
    hsv[0] = where(less(hue, 0.0), add(hue, 1.0), hue);
    return nn::rescaled(clip(hsv_to_rgb(concatenate(hsv, -1)), 0, 1), {0, 1}, values_);
  }
  Range range_, values_;
};
RandomHue::operator Layer() const { return make_layer<RandomHueLayer>(*this); }
Outputs RandomHue::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomSaturation -----------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomSaturation& c) { factor_fields(v, c); }

class RandomSaturationLayer final : public FactorLayer<RandomSaturation> {
 public:
  explicit RandomSaturationLayer(const RandomSaturation& c) : FactorLayer(c, -1, 1) {}

 private:
  bool keeps_integers() const override { return !acts(); }  // where nothing is changed
  Tensor changed(Tensor x) const override {
    const Tensor f = drawn(x, range_);
    Tensor factor = nn::as(divide(f, add(subtract(1.0, f), 1e-7)), compute_dtype());
    Tensors hsv = split(rgb_to_hsv(std::move(x)), 3, -1);
    hsv[1] = clipped(multiply(std::move(hsv[1]), std::move(factor)));
    return hsv_to_rgb(concatenate(hsv, -1));
  }
};
RandomSaturation::operator Layer() const { return make_layer<RandomSaturationLayer>(*this); }
Outputs RandomSaturation::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomColorDegeneration ----------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomColorDegeneration& c) { factor_fields(v, c); }

class RandomColorDegenerationLayer final : public FactorLayer<RandomColorDegeneration> {
 public:
  explicit RandomColorDegenerationLayer(const RandomColorDegeneration& c) : FactorLayer(c, -1, 1) {}

 private:
  bool keeps_integers() const override { return !acts(); }  // where nothing is changed
  Tensor changed(Tensor x) const override {
    Tensor away = subtract(rgb_to_grayscale(x), x);
    away = multiply(drawn(x, range_, compute_dtype()), std::move(away));
    return clipped(add(std::move(x), std::move(away)));
  }
};
RandomColorDegeneration::operator Layer() const { return make_layer<RandomColorDegenerationLayer>(*this); }
Outputs RandomColorDegeneration::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomColorJitter ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomColorJitter& c) {
  v("value_range", c.value_range);
  nn::visit_numbers(v, "brightness_factor", c.brightness_factor), nn::visit_numbers(v, "contrast_factor", c.contrast_factor);
  nn::visit_numbers(v, "saturation_factor", c.saturation_factor), nn::visit_numbers(v, "hue_factor", c.hue_factor);
  nn::image_fields(v, c);
}

class RandomColorJitterLayer final : public nn::ImagesLayer<RandomColorJitter> {
 public:
  explicit RandomColorJitterLayer(const RandomColorJitter& c) : ImagesLayer(c) {
    nn::values_of(c.value_range, "RandomColorJitter");
    add<RandomBrightness>("random_brightness", c.brightness_factor), add<RandomContrast>("random_contrast", c.contrast_factor);
    add<RandomSaturation>("random_saturation", c.saturation_factor), add<RandomHue>("random_hue", c.hue_factor);
  }

 private:
  template <class C>
  void add(const char* name, const std::optional<NumberList>& factor) {
    if (!factor) return;
    parts_.push_back(
        child(name, C{.factor = *factor, .value_range = config.value_range, .seed = seed_of_part(parts_.size()), .dtype = config.dtype}));
  }
  bool keeps_integers() const override { return !acts(); }  // where nothing is changed
  // Images have their channels last here.
  Tensor changed(Tensor x) const override {
    for (const Child& part : parts_) x = part(std::move(x), {.training = true});
    return x;
  }
  std::vector<Child> parts_;
};
RandomColorJitter::operator Layer() const { return make_layer<RandomColorJitterLayer>(*this); }
Outputs RandomColorJitter::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_augment_colour(LayerRegistry& r) {
  r.add<layers::RandomGrayscale>("RandomGrayscale");
  r.add<layers::RandomHue>("RandomHue");
  r.add<layers::RandomSaturation>("RandomSaturation");
  r.add<layers::RandomColorDegeneration>("RandomColorDegeneration");
  r.add<layers::RandomColorJitter>("RandomColorJitter");
}

}  // namespace tenure

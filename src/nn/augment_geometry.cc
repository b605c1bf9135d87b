// Layers that mirror and cut images at random, and what all augmenting layers share.
#include <algorithm>
#include <cmath>

#include "nn/augment.h"

namespace tenure {

namespace nn {

Range range_of(const NumberList& factor, double lowest, double highest, const std::string& layer, const char* field) {
  const auto& n = factor.numbers;
  const bool two = !factor.one && n.size() == 2 && n[0] <= highest && n[1] >= lowest;
  const bool one = factor.one && n[0] >= lowest && n[0] <= highest;
  check(one || two, Code::InvalidArgument, "{}: expected {} as a number in [{}, {}] or two of them, got {}", layer, field, lowest, highest,
        factor.to_json());
  if (two) return {std::min(n[0], n[1]), std::max(n[0], n[1])};
  const double f = std::abs(n[0]);
  return {std::max(-f, lowest), f};
}

Range values_of(const NumberList& range, const std::string& layer) {
  const auto& n = range.numbers;
  check(n.size() == 2, Code::InvalidArgument, "{}: expected a value_range of two numbers, got {}", layer, range.to_json());
  return {std::min(n[0], n[1]), std::max(n[0], n[1])};
}

Tensor rescaled(Tensor x, Range from, Range to) {
  if (from.low == to.low && from.high == to.high) return x;
  Tensor part = divide(subtract(std::move(x), from.low), from.high - from.low);
  return add(multiply(std::move(part), to.high - to.low), to.low);
}

}  // namespace nn

namespace layers {

// ---- RandomFlip -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomFlip& c) { v("mode", c.mode), nn::image_fields(v, c); }

class RandomFlipLayer final : public nn::ImagesLayer<RandomFlip> {
 public:
  explicit RandomFlipLayer(const RandomFlip& c) : ImagesLayer(c) {
    check(c.mode == "horizontal" || c.mode == "vertical" || c.mode == "horizontal_and_vertical", Code::InvalidArgument,
          "RandomFlip: expected mode horizontal, vertical or horizontal_and_vertical, got '{}'", c.mode);
  }

 private:
  Tensor changed(Tensor x) const override {
    const Tensor chosen = less_equal(drawn(x, {0, 1}), 0.5);
    Axes axes;
    if (config.mode != "horizontal") axes.push_back(1);
    if (config.mode != "vertical") axes.push_back(2);
    Tensor mirrored = flip(x, axes);
    return where(chosen, std::move(mirrored), std::move(x));
  }
};
RandomFlip::operator Layer() const { return make_layer<RandomFlipLayer>(*this); }
Outputs RandomFlip::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomCrop -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomCrop& c) { v("height", c.height), v("width", c.width), nn::image_fields(v, c); }

class RandomCropLayer final : public nn::ImagesLayer<RandomCrop> {
 public:
  explicit RandomCropLayer(const RandomCrop& c) : ImagesLayer(c) {
    nn::check_positive(c.height, "RandomCrop", "height");
    nn::check_positive(c.width, "RandomCrop", "width");
  }

 private:
  bool keeps_integers() const override { return !acts(); }
  Shape result_shape(const Shape& x) const override {
    const int at = x.rank() - (nn::channels_first(config.data_format) ? 2 : 3);
    Shape s = x;
    s[at] = config.height, s[at + 1] = config.width;
    return s;
  }
  Tensor changed(Tensor x) const override {
    const int64_t h = x.shape()[1], w = x.shape()[2];
    if (h > config.height && w > config.width) {
      x = take(std::move(x), places(h, config.height), 1);
      return take(std::move(x), places(w, config.width), 2);
    }
    // Keras' middle: of a part of the wanted shape.
    auto middle = [](int64_t size, double part) { return (size - std::max<int64_t>(std::min<int64_t>(size, static_cast<int64_t>(part)), 1)) / 2; };
    const int64_t top = middle(h, static_cast<double>(w * config.height) / static_cast<double>(config.width));
    const int64_t left = middle(w, static_cast<double>(h * config.width) / static_cast<double>(config.height));
    x = slice_axis(std::move(x), 1, top, std::min(h, top + config.height));
    x = slice_axis(std::move(x), 2, left, std::min(w, left + config.width));
    if (x.shape()[1] == config.height && x.shape()[2] == config.width) return x;
    return nn::as(resize(std::move(x), {config.height, config.width}), compute_dtype());
  }
  Tensor places(int64_t size, int64_t part) const {
    Tensor start = minimum(floor(drawn_as({}, {0, static_cast<double>(size - part + 1)})), static_cast<double>(size - part));
    return add(arange(0, static_cast<double>(part)), cast(std::move(start), int32));
  }
};
RandomCrop::operator Layer() const { return make_layer<RandomCropLayer>(*this); }
Outputs RandomCrop::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_augment_geometry(LayerRegistry& r) {
  r.add<layers::RandomFlip>("RandomFlip");
  r.add<layers::RandomCrop>("RandomCrop");
}

}  // namespace tenure

// Layers that change the values of pixels at random.
#include <cmath>

#include "nn/augment.h"

namespace tenure {
namespace layers {

using nn::factor_fields;
using nn::FactorLayer;
using nn::kBytes;
using nn::Range;

// ---- RandomBrightness -----------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomBrightness& c) { factor_fields(v, c); }

class RandomBrightnessLayer final : public FactorLayer<RandomBrightness> {
 public:
  explicit RandomBrightnessLayer(const RandomBrightness& c) : FactorLayer(c, -1, 1) {}

 private:
  bool keeps_integers() const override { return true; }
  Tensor changed(Tensor x) const override {
    Tensor more = multiply(drawn(x, range_), values_.high - values_.low);
    more = nn::as(std::move(more), x.dtype());
    return clipped(add(std::move(x), std::move(more)));
  }
};
RandomBrightness::operator Layer() const { return make_layer<RandomBrightnessLayer>(*this); }
Outputs RandomBrightness::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomContrast -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomContrast& c) { factor_fields(v, c); }

class RandomContrastLayer final : public FactorLayer<RandomContrast> {
 public:
  explicit RandomContrastLayer(const RandomContrast& c) : FactorLayer(c, 0, 1) {}

 private:
  bool keeps_integers() const override { return true; }
  Tensor changed(Tensor x) const override {
    const Tensor factor = drawn(x, {1 - range_.low, 1 + range_.high}, compute_dtype());
    const Tensor middle = mean(mean(x, {1}, true), {2}, true);
    return clipped(add(multiply(subtract(std::move(x), middle), factor), middle));
  }
};
RandomContrast::operator Layer() const { return make_layer<RandomContrastLayer>(*this); }
Outputs RandomContrast::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Solarization ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Solarization& c) {
  v("addition_factor", c.addition_factor), v("threshold_factor", c.threshold_factor), v("value_range", c.value_range), nn::image_fields(v, c);
}

class SolarizationLayer final : public nn::ImagesLayer<Solarization> {
 public:
  explicit SolarizationLayer(const Solarization& c)
      : ImagesLayer(c),
        addition_(nn::range_of(c.addition_factor, 0, 1, "Solarization", "addition_factor")),
        threshold_(nn::range_of(c.threshold_factor, 0, 1, "Solarization", "threshold_factor")),
        values_(nn::values_of(c.value_range, "Solarization")) {
    config.addition_factor = nn::list_of(addition_), config.threshold_factor = nn::list_of(threshold_);
    config.value_range = nn::list_of(values_);
  }

 private:
  Tensor changed(Tensor x) const override {
    const DType t = compute_dtype();
    Tensor more = drawn(x, {addition_.low, addition_.high * 255}, t), threshold = drawn(x, {threshold_.low, threshold_.high * 255}, t);
    x = clip(add(nn::rescaled(std::move(x), values_, kBytes), std::move(more)), 0, 255);
    x = where(less(x, std::move(threshold)), x, subtract(255.0, x));
    return nn::rescaled(std::move(x), kBytes, values_);
  }
  Range addition_, threshold_, values_;
};
Solarization::operator Layer() const { return make_layer<SolarizationLayer>(*this); }
Outputs Solarization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomInvert ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomInvert& c) { factor_fields(v, c); }

class RandomInvertLayer final : public FactorLayer<RandomInvert> {
 public:
  explicit RandomInvertLayer(const RandomInvert& c) : FactorLayer(c, 0, 1) {}

 private:
  bool keeps_integers() const override { return !acts(); }
  Tensor changed(Tensor x) const override {
    Tensor these = chosen(x);
    return where(std::move(these), subtract(values_.high, x), x);
  }
};
RandomInvert::operator Layer() const { return make_layer<RandomInvertLayer>(*this); }
Outputs RandomInvert::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomPosterization --------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomPosterization& c) { factor_fields(v, c); }

class RandomPosterizationLayer final : public FactorLayer<RandomPosterization> {
 public:
  explicit RandomPosterizationLayer(const RandomPosterization& c) : FactorLayer(c, 1, 8) {}

 private:
  bool keeps_integers() const override { return !acts(); }
  Tensor changed(Tensor x) const override {
    const int64_t n = x.shape()[0];
    const auto low = static_cast<int64_t>(range_.low), high = static_cast<int64_t>(range_.high);
    Tensor bits = low == high ? full({n}, static_cast<double>(low), int32) : random::randint({n}, SeedGenerator(seed_.variable()), low, high);
    // What the lost bits are worth, by the number of those kept.
    Tensor step = take(Tensor::from(std::vector<float>{256, 128, 64, 32, 16, 8, 4, 2, 1}, {9}), std::move(bits), 0);
    step = nn::as(reshape(std::move(step), {n, 1, 1, 1}), compute_dtype());
    x = floor(nn::rescaled(std::move(x), values_, kBytes));
    x = multiply(floor(divide(std::move(x), step)), step);
    return nn::rescaled(std::move(x), kBytes, values_);
  }
};
RandomPosterization::operator Layer() const { return make_layer<RandomPosterizationLayer>(*this); }
Outputs RandomPosterization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomSharpness ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomSharpness& c) { factor_fields(v, c); }

class RandomSharpnessLayer final : public FactorLayer<RandomSharpness> {
 public:
  explicit RandomSharpnessLayer(const RandomSharpness& c) : FactorLayer(c, 0, 1) {}

 private:
  Tensor changed(Tensor x) const override {
    const DType t = compute_dtype();
    constexpr float a = 1.0f / 13, b = 5.0f / 13;
    Tensor kernel = Tensor::from(std::vector<float>{a, a, a, a, b, a, a, a, a}, {3, 3, 1, 1});
    kernel = nn::as(tile(std::move(kernel), {1, 1, x.shape()[3], 1}), t);
    Tensor smooth = subtract(depthwise_conv2d(x, std::move(kernel), {.padding = "same"}), x);
    Tensor away = subtract(1.0, nn::as(multiply(drawn(x, range_), 2), t));
    return clipped(add(std::move(x), multiply(std::move(away), std::move(smooth))));
  }
};
RandomSharpness::operator Layer() const { return make_layer<RandomSharpnessLayer>(*this); }
Outputs RandomSharpness::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomGaussianBlur ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomGaussianBlur& c) { v("kernel_size", c.kernel_size), v("sigma", c.sigma), factor_fields(v, c); }

class RandomGaussianBlurLayer final : public FactorLayer<RandomGaussianBlur> {
 public:
  explicit RandomGaussianBlurLayer(const RandomGaussianBlur& c)
      : FactorLayer(c, 0, 1), sigma_(nn::range_of(c.sigma, 0, 1, "RandomGaussianBlur", "sigma")) {
    const auto& n = c.kernel_size.numbers;
    check(n.size() == 1 || n.size() == 2, Code::InvalidArgument, "RandomGaussianBlur: expected kernel_size as one number or two, got {}",
          c.kernel_size.to_json());
    size_ = Range{n.front(), n.back()};
    for (double s : n)
      check(s > 0 && std::fmod(s, 2) == 1, Code::InvalidArgument, "RandomGaussianBlur: expected an odd kernel_size, got {}", c.kernel_size.to_json());
    config.sigma = nn::list_of(sigma_), config.kernel_size = nn::list_of(size_);
  }

 private:
  // exp(-(i - middle)^2 / (2 sigma^2)) over its sum.
  Tensor profile(double size, Tensor sigma) const {
    Tensor at = subtract(nn::as(arange(0, size, 1, float32), compute_dtype()), (size - 1) / 2);
    Tensor y = exp(multiply(square(divide(std::move(at), std::move(sigma))), -0.5));
    return divide(y, sum(y, {0}, true));
  }
  Tensor changed(Tensor x) const override {
    const Tensor these = chosen(x);
    Tensors sigmas = split(add(drawn_as({2}, sigma_, compute_dtype()), 1e-6), 2, 0);
    const auto rows = static_cast<int64_t>(size_.low), columns = static_cast<int64_t>(size_.high);
    // As Keras has it: the deviation drawn first is that of the columns.
    Tensor across = profile(size_.low, std::move(sigmas[0])), down = profile(size_.high, std::move(sigmas[1]));
    Tensor kernel = multiply(expand_dims(std::move(down), 1), expand_dims(std::move(across), 0));
    kernel = tile(reshape(std::move(kernel), {rows, columns, 1, 1}), {1, 1, x.shape()[3], 1});
    Tensor soft = depthwise_conv2d(x, std::move(kernel), {.padding = "same"});
    return clipped(where(these, std::move(soft), std::move(x)));
  }
  Range sigma_, size_{3, 3};
};
RandomGaussianBlur::operator Layer() const { return make_layer<RandomGaussianBlurLayer>(*this); }
Outputs RandomGaussianBlur::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomErasing --------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomErasing& c) { v("scale", c.scale), nn::visit_numbers(v, "fill_value", c.fill_value), factor_fields(v, c); }

class RandomErasingLayer final : public FactorLayer<RandomErasing> {
 public:
  explicit RandomErasingLayer(const RandomErasing& c) : FactorLayer(c, 0, 1), scale_(nn::range_of(c.scale, 0, 1, "RandomErasing", "scale")) {
    check(!c.fill_value || c.fill_value->one || c.fill_value->numbers.size() == 3, Code::InvalidArgument,
          "RandomErasing: expected fill_value as a number or three, got {}", c.fill_value ? c.fill_value->to_json() : "none");
    config.scale = nn::list_of(scale_);
  }

 private:
  // Whether the places of an axis lie within a part of it: the part's length is the square root of a drawn share.
  Tensor within(const Tensor& x, int axis) const {
    const DType t = compute_dtype();
    const auto length = static_cast<double>(x.shape()[axis]);
    const Tensor part = multiply(sqrt(drawn(x, scale_, t)), length);
    const Tensor start = multiply(drawn(x, {0, 1}, t), subtract(length, part));
    Shape along{1, 1, 1, 1};
    along[axis] = x.shape()[axis];
    const Tensor at = reshape(nn::as(arange(0, length, 1, float32), t), along);
    return logical_and(greater_equal(at, start), less(at, add(start, part)));
  }
  Tensor changed(Tensor x) const override {
    const DType t = compute_dtype();
    const Tensor box = logical_and(within(x, 2), within(x, 1)), these = chosen(x);
    Tensor fill;
    if (!config.fill_value) fill = multiply(random::normal(x.shape(), SeedGenerator(seed_.variable()), 0, 1, t), values_.high);
    else if (config.fill_value->one) fill = full({}, config.fill_value->numbers[0], t);
    else fill = nn::as(Tensor::from(config.fill_value->numbers, {3}), t);
    return where(logical_and(box, these), clipped(std::move(fill)), std::move(x));
  }
  Range scale_;
};
RandomErasing::operator Layer() const { return make_layer<RandomErasingLayer>(*this); }
Outputs RandomErasing::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_augment_values(LayerRegistry& r) {
  r.add<layers::RandomBrightness>("RandomBrightness");
  r.add<layers::RandomContrast>("RandomContrast");
  r.add<layers::Solarization>("Solarization");
  r.add<layers::RandomInvert>("RandomInvert");
  r.add<layers::RandomPosterization>("RandomPosterization");
  r.add<layers::RandomSharpness>("RandomSharpness");
  r.add<layers::RandomGaussianBlur>("RandomGaussianBlur");
  r.add<layers::RandomErasing>("RandomErasing");
}

}  // namespace tenure

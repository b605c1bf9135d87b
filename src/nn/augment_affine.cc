// Layers that move the pixels of images: turned, zoomed, moved, sheared, seen from aside.
#include <algorithm>
#include <cmath>
#include <numbers>

#include <tenure/ops_image.h>

#include "nn/augment.h"
#include "ops/elastic.h"

namespace tenure {
namespace layers {

using nn::Range;

namespace {

/// Two numbers, sorted, or f for [-|f|, |f|], all within the bounds (open: above the lowest). Throws InvalidArgument.
Range part_of(const NumberList& factor, double lowest, double highest, bool open, const char* layer, const char* field) {
  const auto& n = factor.numbers;
  const bool fits = n.size() == (factor.one ? 1U : 2U) &&
                    std::all_of(n.begin(), n.end(), [&](double f) { return f <= highest && (open ? f > lowest : f >= lowest); });
  check(fits, Code::InvalidArgument, "{}: expected {} as a number in {}{}, {}] or two of them, got {}", layer, field, open ? "(" : "[", lowest,
        highest, factor.to_json());
  if (factor.one) return {-std::abs(n[0]), std::abs(n[0])};
  return {std::min(n[0], n[1]), std::max(n[0], n[1])};
}

void check_interpolation(const std::string& interpolation, const std::string& layer) {
  check(interpolation == "bilinear" || interpolation == "nearest", Code::InvalidArgument, "{}: expected interpolation bilinear or nearest, got '{}'",
        layer, interpolation);
}

template <class C>
void place_fields(Fields& v, C& c) {
  v("fill_mode", c.fill_mode), v("interpolation", c.interpolation), v("fill_value", c.fill_value), nn::image_fields(v, c);
}

// Images behind a transform of the plane, one an image.
template <class C>
class AffineLayer : public nn::ImagesLayer<C> {
 public:
  explicit AffineLayer(const C& c) : nn::ImagesLayer<C>(c) {
    check_interpolation(c.interpolation, this->class_name());
    check(c.fill_mode == "constant" || c.fill_mode == "nearest" || c.fill_mode == "wrap" || c.fill_mode == "reflect", Code::InvalidArgument,
          "{}: expected fill_mode reflect, wrap, constant or nearest, got '{}'", this->class_name(), c.fill_mode);
  }

 protected:
  // One number an image, [batch, 1].
  Tensor number(const Tensor& x, Range r) const { return this->drawn_as({x.shape()[0], 1}, r); }
  // The pixel at (x, y) is taken from (a[0] x + a[1] y + a[2], b[0] x + b[1] y + b[2]).
  Tensor moved(Tensor x, const Tensors& a, const Tensors& b) const {
    Tensors columns;
    for (const Tensors* row : {&a, &b}) columns.insert(columns.end(), row->begin(), row->end());
    columns.push_back(zeros({x.shape()[0], 2}));
    const auto& c = this->config;
    return nn::as(affine_transform(std::move(x), concatenate(columns, 1), c.interpolation, c.fill_mode, c.fill_value), this->compute_dtype());
  }
  static double middle(int64_t size) { return static_cast<double>(size - 1) / 2; }
};

}  // namespace

// ---- RandomRotation -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomRotation& c) { v("factor", c.factor), place_fields(v, c); }

class RandomRotationLayer final : public AffineLayer<RandomRotation> {
 public:
  explicit RandomRotationLayer(const RandomRotation& c) : AffineLayer(c), range_(nn::range_of(c.factor, -1, 1, "RandomRotation", "factor")) {
    config.factor = nn::list_of(range_);
  }

 private:
  Tensor changed(Tensor x) const override {
    constexpr double radian = std::numbers::pi / 180;
    const Tensor angle = multiply(number(x, {range_.low * 360, range_.high * 360}), radian);
    const Tensor c = cos(angle), s = sin(angle);
    const double across = middle(x.shape()[2]), down = middle(x.shape()[1]);
    Tensor right = subtract(across, subtract(multiply(c, across), multiply(s, down)));
    Tensor below = subtract(down, add(multiply(s, across), multiply(c, down)));
    return moved(std::move(x), {c, negative(s), std::move(right)}, {s, c, std::move(below)});
  }
  Range range_;
};
RandomRotation::operator Layer() const { return make_layer<RandomRotationLayer>(*this); }
Outputs RandomRotation::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomZoom -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomZoom& c) {
  v("height_factor", c.height_factor), nn::visit_numbers(v, "width_factor", c.width_factor), place_fields(v, c);
}

class RandomZoomLayer final : public AffineLayer<RandomZoom> {
 public:
  explicit RandomZoomLayer(const RandomZoom& c)
      : AffineLayer(c),
        height_(part_of(c.height_factor, -1, 1, true, "RandomZoom", "height_factor")),
        width_(c.width_factor ? part_of(*c.width_factor, -1, 1, true, "RandomZoom", "width_factor") : height_) {}

 private:
  Tensor changed(Tensor x) const override {
    const Tensor down = number(x, {1 + height_.low, 1 + height_.high});
    const Tensor across = config.width_factor ? number(x, {1 + width_.low, 1 + width_.high}) : down;
    const Tensor none = zeros({x.shape()[0], 1});
    Tensor right = multiply(subtract(1.0, across), middle(x.shape()[2])), below = multiply(subtract(1.0, down), middle(x.shape()[1]));
    return moved(std::move(x), {across, none, std::move(right)}, {none, down, std::move(below)});
  }
  Range height_, width_;
};
RandomZoom::operator Layer() const { return make_layer<RandomZoomLayer>(*this); }
Outputs RandomZoom::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomTranslation ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomTranslation& c) { v("height_factor", c.height_factor), v("width_factor", c.width_factor), place_fields(v, c); }

class RandomTranslationLayer final : public AffineLayer<RandomTranslation> {
 public:
  explicit RandomTranslationLayer(const RandomTranslation& c)
      : AffineLayer(c),
        height_(part_of(c.height_factor, -1, 1, false, "RandomTranslation", "height_factor")),
        width_(part_of(c.width_factor, -1, 1, false, "RandomTranslation", "width_factor")) {}

 private:
  Tensor changed(Tensor x) const override {
    const int64_t n = x.shape()[0];
    Tensor up = multiply(number(x, height_), static_cast<double>(-x.shape()[1]));
    Tensor left = multiply(number(x, width_), static_cast<double>(-x.shape()[2]));
    return moved(std::move(x), {ones({n, 1}), zeros({n, 1}), std::move(left)}, {zeros({n, 1}), ones({n, 1}), std::move(up)});
  }
  Range height_, width_;
};
RandomTranslation::operator Layer() const { return make_layer<RandomTranslationLayer>(*this); }
Outputs RandomTranslation::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomShear ----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomShear& c) { v("x_factor", c.x_factor), v("y_factor", c.y_factor), place_fields(v, c); }

class RandomShearLayer final : public AffineLayer<RandomShear> {
 public:
  explicit RandomShearLayer(const RandomShear& c)
      : AffineLayer(c), x_(factor(config.x_factor, "x_factor")), y_(factor(config.y_factor, "y_factor")) {}

 private:
  // Keras writes {-f, f} for a number and does not read it; so f is written for it.
  static Range factor(NumberList& given, const char* field) {
    const Range r = part_of(given, given.one ? 0 : -1, 1, false, "RandomShear", field);
    given = r.low < 0 && r.low == -r.high ? NumberList(r.high) : nn::list_of(r);
    return r;
  }
  Tensor changed(Tensor x) const override {
    const int64_t n = x.shape()[0];
    const Tensor sign = where(greater(number(x, {0, 1}), 0.5), full({n, 1}, -1.0), ones({n, 1}));
    Tensor columns = multiply(number(x, y_), sign), rows = multiply(number(x, x_), sign);
    const Tensor one = ones({n, 1}), none = zeros({n, 1});
    return moved(std::move(x), {one, std::move(rows), none}, {std::move(columns), one, none});
  }
  Range x_, y_;
};
RandomShear::operator Layer() const { return make_layer<RandomShearLayer>(*this); }
Outputs RandomShear::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomPerspective ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomPerspective& c) {
  v("factor", c.factor), v("scale", c.scale), v("interpolation", c.interpolation), v("fill_value", c.fill_value), nn::image_fields(v, c);
}

class RandomPerspectiveLayer final : public nn::ImagesLayer<RandomPerspective> {
 public:
  explicit RandomPerspectiveLayer(const RandomPerspective& c) : ImagesLayer(c), range_(nn::range_of(c.factor, 0, 1, "RandomPerspective", "factor")) {
    check(c.scale >= 0 && c.scale <= 1, Code::InvalidArgument, "RandomPerspective: expected scale in [0, 1], got {}", c.scale);
    check_interpolation(c.interpolation, "RandomPerspective");
    config.factor = nn::list_of(range_);
  }

 private:
  Tensor changed(Tensor x) const override {
    const int64_t n = x.shape()[0];
    const auto right = static_cast<float>(x.shape()[2] - 1), below = static_cast<float>(x.shape()[1] - 1);
    Tensor picked = chosen(x, range_);
    const Tensor corners = tile(Tensor::from(std::vector<float>{0, 0, right, 0, 0, below, right, below}, {1, 4, 2}), {n, 1, 1});
    Tensor moved = multiply(corners, add(drawn_as({n, 4, 2}, {-0.5 * config.scale, 0.5 * config.scale}), 1.0));
    Tensor y = perspective_transform(x, corners, std::move(moved), config.interpolation, config.fill_value);
    return where(std::move(picked), nn::as(std::move(y), compute_dtype()), std::move(x));
  }
  Range range_;
};
RandomPerspective::operator Layer() const { return make_layer<RandomPerspectiveLayer>(*this); }
Outputs RandomPerspective::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RandomElasticTransform -----------------------------------------------------------------------------------------------------

void fields(Fields& v, RandomElasticTransform& c) { v("factor", c.factor), v("scale", c.scale), v("value_range", c.value_range), place_fields(v, c); }

class RandomElasticTransformLayer final : public nn::ImagesLayer<RandomElasticTransform> {
 public:
  explicit RandomElasticTransformLayer(const RandomElasticTransform& c)
      : ImagesLayer(c),
        range_(nn::range_of(c.factor, 0, 1, "RandomElasticTransform", "factor")),
        scale_(nn::range_of(c.scale, 0, 1, "RandomElasticTransform", "scale")),
        values_(nn::values_of(c.value_range, "RandomElasticTransform")) {
    check_interpolation(c.interpolation, "RandomElasticTransform");
    const std::string& f = c.fill_mode;
    check(f == "reflect" || f == "wrap" || f == "constant" || f == "mirror" || f == "nearest", Code::InvalidArgument,
          "RandomElasticTransform: expected fill_mode reflect, wrap, constant, mirror or nearest, got '{}'", f);
    config.factor = nn::list_of(range_), config.scale = nn::list_of(scale_);
  }

 private:
  Tensor changed(Tensor x) const override {
    if (scale_.high == 0 || range_.high == 0 || x.shape()[0] == 0) return x;
    const int64_t n = x.shape()[0], h = x.shape()[1], w = x.shape()[2];
    const auto rows = static_cast<double>(h), columns = static_cast<double>(w);
    const Tensor picked = chosen(x, range_), strength = drawn_as({}, scale_);
    const Tensor sigma = multiply(strength, 0.05 * std::min(rows, columns)), alpha = multiply(strength, 0.1 * std::max(rows, columns));
    const Tensor profile = gaussian(sigma, static_cast<int64_t>(scale_.high * 0.05 * std::min(rows, columns)));
    auto field = [&] {
      Tensor noise = multiply(random::normal({n, h, w}, SeedGenerator(seed_.variable())), sigma);
      return multiply(ops::smoothed(std::move(noise), profile), alpha);
    };
    const Tensor across = field(), down = field();
    Tensor y = ops::displaced(x, down, across, config.interpolation, config.fill_mode, config.fill_value);
    return clip(where(picked, std::move(y), std::move(x)), values_.low, values_.high);
  }
  // A Gaussian of 6 floor(sigma) + 1 values, with zeros on both sides where sigma's floor is below `most`.
  static Tensor gaussian(const Tensor& sigma, int64_t most) {
    const auto side = static_cast<double>(3 * most);
    const Tensor at = arange(-side, side + 1, 1, float32);
    const Tensor inside = nn::as(less_equal(abs(at), multiply(floor(sigma), 3)), float32);
    Tensor y = multiply(exp(multiply(square(divide(at, maximum(sigma, 1e-12))), -0.5)), inside);
    return divide(y, sum(y));
  }
  Range range_, scale_, values_;
};
RandomElasticTransform::operator Layer() const { return make_layer<RandomElasticTransformLayer>(*this); }
Outputs RandomElasticTransform::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_augment_affine(LayerRegistry& r) {
  r.add<layers::RandomRotation>("RandomRotation");
  r.add<layers::RandomZoom>("RandomZoom");
  r.add<layers::RandomTranslation>("RandomTranslation");
  r.add<layers::RandomShear>("RandomShear");
  r.add<layers::RandomPerspective>("RandomPerspective");
  r.add<layers::RandomElasticTransform>("RandomElasticTransform");
}

}  // namespace tenure

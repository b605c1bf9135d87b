// Shared by the layers that change images. Nothing here owns anything.
#pragma once

#include <string>
#include <utility>

#include <tenure/augmentation.h>

#include "nn/families.h"

namespace tenure::nn {

/// From where to where a number is drawn.
struct Range {
  double low, high;
};
inline constexpr Range kBytes{0, 255};  ///< the values of a uint8 image

/// A factor as Keras understands it: two numbers, sorted, or f for [max(-f, lowest), f]. Throws InvalidArgument for what lies beyond the bounds.
Range range_of(const NumberList& factor, double lowest, double highest, const std::string& layer, const char* field);
/// A range of values: two numbers, sorted.
Range values_of(const NumberList& range, const std::string& layer);
inline NumberList list_of(Range r) { return NumberList(std::vector<double>{r.low, r.high}); }

/// From one range of values to another.
Tensor rescaled(Tensor x, Range from, Range to);

/// A field of numbers that may be missing.
inline void visit_numbers(Fields& v, const char* name, std::optional<NumberList>& n) {
  if (!v.present(name, n.has_value())) return n.reset();
  if (!n) n.emplace(0.0);
  v(name, *n);
}

/// Fields that all have besides their own.
template <class C>
void image_fields(Fields& v, C& c) {
  visit_format(v, c.data_format);
  if (c.bounding_box_format || reads(v)) v("bounding_box_format", c.bounding_box_format);
  if constexpr (requires { c.seed; }) v("seed", c.seed);
}

/// A layer that changes images in training, or always.
template <class C>
class ImagesLayer : public LayerOf<C> {
 public:
  explicit ImagesLayer(const C& c) : LayerOf<C>(c) {
    channels_first(c.data_format);
    if constexpr (requires { c.seed; }) seed_ = this->seed_state(c.seed);
  }
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() == 3 || x.rank() == 4, Code::Shape, "{}: expected images of rank 3 or 4, got {}", this->name(), x.spec());
    if (!acts()) return keeps_integers() ? std::move(x) : as(std::move(x), this->compute_dtype());
    // With sizes unknown only the shape is asked for.
    if (!x.shape().known()) return make_abstract({result_shape(x.shape()), this->compute_dtype()});
    const bool single = x.rank() == 3;
    if (!keeps_integers()) x = as(std::move(x), this->compute_dtype());
    if (single) x = expand_dims(std::move(x), 0);
    Tensor y = from_last(changed(to_last(std::move(x), this->config.data_format)), this->config.data_format);
    return single ? squeeze(std::move(y), {0}) : y;
  }

 protected:
  /// Of [batch, height, width, channels].
  virtual Tensor changed(Tensor x) const = 0;
  virtual Shape result_shape(const Shape& x) const { return x; }
  /// Integers stay integers on the way in.
  virtual bool keeps_integers() const { return false; }
  /// Whether this call changes anything.
  virtual bool acts() const { return trains_unless_told(); }

  /// One number an image, [batch, 1, 1, 1].
  Tensor drawn(const Tensor& x, Range r, DType t = float32) const { return drawn_as({x.shape()[0], 1, 1, 1}, r, t); }
  Tensor drawn_as(const Shape& shape, Range r, DType t = float32) const {
    return random::uniform(shape, SeedGenerator(seed_.variable()), r.low, r.high, t);
  }
  /// Whether each image is chosen: a chance is drawn from `chances`, then a number is drawn against it.
  Tensor chosen(const Tensor& x, Range chances) const {
    Tensor chance = drawn(x, chances);
    return less(drawn(x, {0, 1}), std::move(chance));
  }
  /// The seed of this layer's part number k, made of its own.
  std::optional<int64_t> seed_of_part(size_t k) const {
    std::optional<int64_t> seed = this->config.seed;
    if (seed) *seed += static_cast<int64_t>(k) + 1;
    return seed;
  }
  Weight seed_;
};

template <class C>
void factor_fields(Fields& v, C& c) {
  v("factor", c.factor), v("value_range", c.value_range), image_fields(v, c);
}

/// With a factor and a range of values, both written as two numbers.
template <class C>
class FactorLayer : public ImagesLayer<C> {
 public:
  FactorLayer(const C& c, double lowest, double highest)
      : ImagesLayer<C>(c),
        range_(range_of(c.factor, lowest, highest, this->class_name(), "factor")),
        values_(values_of(c.value_range, this->class_name())) {
    this->config.factor = list_of(range_), this->config.value_range = list_of(values_);
  }

 protected:
  Tensor clipped(Tensor x) const { return clip(std::move(x), values_.low, values_.high); }
  Tensor chosen(const Tensor& x) const { return ImagesLayer<C>::chosen(x, range_); }
  Range range_, values_;
};

}  // namespace tenure::nn

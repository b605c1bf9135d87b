// Layers that repeat steps, rows and columns; none has weights.
#include "nn/families.h"

namespace tenure {
namespace layers {

// ---- RepeatVector -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RepeatVector& c) { v("n", c.n); }

class RepeatVectorLayer final : public LayerOf<RepeatVector> {
 public:
  explicit RepeatVectorLayer(const RepeatVector& c) : LayerOf(c) { nn::check_positive(c.n, "RepeatVector", "n"); }
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() == 2, Code::Shape, "RepeatVector: expected an input [batch, features], got {}", x.spec());
    return repeat(expand_dims(std::move(x), 1), config.n, 1);
  }
};
RepeatVector::operator Layer() const { return make_layer<RepeatVectorLayer>(*this); }
Outputs RepeatVector::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- UpSampling1D -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, UpSampling1D& c) { v("size", c.size); }

class UpSampling1DLayer final : public LayerOf<UpSampling1D> {
 public:
  explicit UpSampling1DLayer(const UpSampling1D& c) : LayerOf(c) { nn::check_positive(c.size, "UpSampling1D", "size"); }
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() == 3, Code::Shape, "UpSampling1D: expected an input [batch, steps, features], got {}", x.spec());
    return repeat(std::move(x), config.size, 1);
  }
};
UpSampling1D::operator Layer() const { return make_layer<UpSampling1DLayer>(*this); }
Outputs UpSampling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- UpSampling2D -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, UpSampling2D& c) {
  nn::visit_pair(v, "size", c.size.h, c.size.w);
  nn::visit_format(v, c.data_format);
  v("interpolation", c.interpolation);
}

class UpSampling2DLayer final : public LayerOf<UpSampling2D> {
 public:
  explicit UpSampling2DLayer(const UpSampling2D& c) : LayerOf(c) {
    check(c.size.h > 0 && c.size.w > 0, Code::InvalidArgument, "UpSampling2D: expected size > 0, got ({}, {})", c.size.h, c.size.w);
    check(c.interpolation == "nearest" || c.interpolation == "bilinear", Code::InvalidArgument,
          "UpSampling2D: expected interpolation nearest or bilinear, got '{}'", c.interpolation);
    nn::channels_first(c.data_format);
  }
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() == 4, Code::Shape, "UpSampling2D: expected images of rank 4, got {}", x.spec());
    const Pair size = config.size;
    x = nn::to_last(std::move(x), config.data_format);
    if (config.interpolation == "nearest") {
      x = repeat(repeat(std::move(x), size.w, 2), size.h, 1);
    } else {
      const Shape& s = x.shape();
      const Pair to(s[1] < 0 ? -1 : s[1] * size.h, s[2] < 0 ? -1 : s[2] * size.w);
      // With a size unknown only the shape is asked for.
      if (to.h < 0 || to.w < 0) x = make_abstract({{s[0], to.h, to.w, s[3]}, x.dtype()});
      else x = resize(std::move(x), to, config.interpolation);
    }
    return nn::from_last(std::move(x), config.data_format);
  }
};
UpSampling2D::operator Layer() const { return make_layer<UpSampling2DLayer>(*this); }
Outputs UpSampling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- UpSampling3D -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, UpSampling3D& c) {
  nn::visit_triple(v, "size", c.size);
  nn::visit_format(v, c.data_format);
}

class UpSampling3DLayer final : public LayerOf<UpSampling3D> {
 public:
  explicit UpSampling3DLayer(const UpSampling3D& c) : LayerOf(c) {
    check(c.size.d > 0 && c.size.h > 0 && c.size.w > 0, Code::InvalidArgument, "UpSampling3D: expected size > 0, got ({}, {}, {})", c.size.d,
          c.size.h, c.size.w);
    nn::channels_first(c.data_format);
  }
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() == 5, Code::Shape, "UpSampling3D: expected volumes of rank 5, got {}", x.spec());
    const int axis = nn::channels_first(config.data_format) ? 2 : 1;
    x = repeat(std::move(x), config.size.w, axis + 2);
    x = repeat(std::move(x), config.size.h, axis + 1);
    return repeat(std::move(x), config.size.d, axis);
  }
};
UpSampling3D::operator Layer() const { return make_layer<UpSampling3DLayer>(*this); }
Outputs UpSampling3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_resample(LayerRegistry& r) {
  r.add<layers::RepeatVector>("RepeatVector");
  r.add<layers::UpSampling1D>("UpSampling1D");
  r.add<layers::UpSampling2D>("UpSampling2D");
  r.add<layers::UpSampling3D>("UpSampling3D");
}

}  // namespace tenure

// Pooling layers; none has weights.
#include "nn/families.h"

namespace tenure {
namespace layers {

namespace {

void check_pool(const char* layer, Pair size, const std::optional<Pair>& strides, std::string_view padding) {
  check(size.h > 0 && size.w > 0, Code::InvalidArgument, "{}: expected pool_size > 0, got ({}, {})", layer, size.h, size.w);
  check(!strides || (strides->h > 0 && strides->w > 0), Code::InvalidArgument, "{}: expected strides > 0", layer);
  nn::check_padding(padding, layer);
}

// Pooled windows; fields are the same for both kinds.
template <class C>
void visit_pool(Fields& v, C& c) {
  nn::visit_pair(v, "pool_size", c.pool_size.h, c.pool_size.w);
  v("padding", c.padding);
  Pair s = c.strides.value_or(c.pool_size);
  nn::visit_pair(v, "strides", s.h, s.w);
  c.strides = s;
  nn::visit_format(v, c.data_format);
}
template <class C>
Tensor pooled(const C& c, Tensor x, Tensor (*pool)(Tensor, const PoolOptions&)) {
  return nn::from_last(pool(nn::to_last(std::move(x), c.data_format), {.pool_size = c.pool_size, .strides = c.strides, .padding = c.padding}),
                       c.data_format);
}

// Global ones: over all axes but the batch and the channels.
template <class C>
void visit_global(Fields& v, C& c) {
  nn::visit_format(v, c.data_format);
  v("keepdims", c.keepdims);
}
template <class C>
Tensor global(const C& c, const char* layer, int spatial, Tensor x, Tensor (*reduce)(Tensor, const Axes&, bool)) {
  check(x.rank() == spatial + 2, Code::Shape, "{}: expected an input of rank {}, got {}", layer, spatial + 2, x.spec());
  Axes axes;
  for (int i = 0; i < spatial; ++i) axes.push_back(nn::channels_first(c.data_format) ? i + 2 : i + 1);
  return reduce(std::move(x), axes, c.keepdims);
}

}  // namespace

// ---- MaxPooling2D ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, MaxPooling2D& c) { visit_pool(v, c); }

class MaxPooling2DLayer final : public LayerOf<MaxPooling2D> {
 public:
  explicit MaxPooling2DLayer(const MaxPooling2D& c) : LayerOf(c) { check_pool("MaxPooling2D", c.pool_size, c.strides, c.padding); }
  Tensor call(Tensor x, const Call&) override { return pooled(config, std::move(x), max_pool2d); }
};
MaxPooling2D::operator Layer() const { return make_layer<MaxPooling2DLayer>(*this); }
Outputs MaxPooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AveragePooling2D -----------------------------------------------------------------------------------------------------------

void fields(Fields& v, AveragePooling2D& c) { visit_pool(v, c); }

class AveragePooling2DLayer final : public LayerOf<AveragePooling2D> {
 public:
  explicit AveragePooling2DLayer(const AveragePooling2D& c) : LayerOf(c) { check_pool("AveragePooling2D", c.pool_size, c.strides, c.padding); }
  Tensor call(Tensor x, const Call&) override { return pooled(config, std::move(x), average_pool2d); }
};
AveragePooling2D::operator Layer() const { return make_layer<AveragePooling2DLayer>(*this); }
Outputs AveragePooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalMaxPooling -----------------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalMaxPooling1D& c) { visit_global(v, c); }

class GlobalMaxPooling1DLayer final : public LayerOf<GlobalMaxPooling1D> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call&) override { return global(config, "GlobalMaxPooling1D", 1, std::move(x), max); }
};
GlobalMaxPooling1D::operator Layer() const { return make_layer<GlobalMaxPooling1DLayer>(*this); }
Outputs GlobalMaxPooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

void fields(Fields& v, GlobalMaxPooling2D& c) { visit_global(v, c); }

class GlobalMaxPooling2DLayer final : public LayerOf<GlobalMaxPooling2D> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call&) override { return global(config, "GlobalMaxPooling2D", 2, std::move(x), max); }
};
GlobalMaxPooling2D::operator Layer() const { return make_layer<GlobalMaxPooling2DLayer>(*this); }
Outputs GlobalMaxPooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalAveragePooling -------------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalAveragePooling1D& c) { visit_global(v, c); }

class GlobalAveragePooling1DLayer final : public LayerOf<GlobalAveragePooling1D> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call&) override { return global(config, "GlobalAveragePooling1D", 1, std::move(x), mean); }
};
GlobalAveragePooling1D::operator Layer() const { return make_layer<GlobalAveragePooling1DLayer>(*this); }
Outputs GlobalAveragePooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

void fields(Fields& v, GlobalAveragePooling2D& c) { visit_global(v, c); }

class GlobalAveragePooling2DLayer final : public LayerOf<GlobalAveragePooling2D> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call&) override { return global(config, "GlobalAveragePooling2D", 2, std::move(x), mean); }
};
GlobalAveragePooling2D::operator Layer() const { return make_layer<GlobalAveragePooling2DLayer>(*this); }
Outputs GlobalAveragePooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_pooling(LayerRegistry& r) {
  r.add<layers::MaxPooling2D>("MaxPooling2D");
  r.add<layers::AveragePooling2D>("AveragePooling2D");
  r.add<layers::GlobalMaxPooling1D>("GlobalMaxPooling1D");
  r.add<layers::GlobalMaxPooling2D>("GlobalMaxPooling2D");
  r.add<layers::GlobalAveragePooling1D>("GlobalAveragePooling1D");
  r.add<layers::GlobalAveragePooling2D>("GlobalAveragePooling2D");
}

}  // namespace tenure

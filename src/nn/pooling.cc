// Pooling layers; none has weights.
#include "nn/convolve.h"

namespace tenure {
namespace layers {

namespace {

// Pooled windows: the aggregate C says over how many dimensions.
template <class C, Tensor (*pool)(Tensor, const PoolNdOptions&)>
class Windowed final : public LayerOf<C> {
 public:
  explicit Windowed(const C& c) : LayerOf<C>(c) {
    const std::string layer = this->class_name();
    for (int64_t n : nn::sizes_of(c.pool_size)) check(n > 0, Code::InvalidArgument, "{}: expected pool_size > 0, got {}", layer, n);
    for (int64_t n : nn::sizes_of(c.strides.value_or(c.pool_size))) check(n > 0, Code::InvalidArgument, "{}: expected strides > 0, got {}", layer, n);
    nn::check_padding(c.padding, layer);
    nn::channels_first(c.data_format);
  }
  Tensor call(Tensor x, const Call&) override {
    const C& c = this->config;
    const std::vector<int64_t> size = nn::sizes_of(c.pool_size);
    check(x.rank() == static_cast<int>(size.size()) + 2, Code::Shape, "{}: expected an input of rank {}, got {}", this->class_name(), size.size() + 2,
          x.spec());
    const PoolNdOptions o{.pool_size = size, .strides = nn::sizes_of(c.strides.value_or(c.pool_size)), .padding = c.padding};
    return nn::from_last(pool(nn::to_last(std::move(x), c.data_format), o), c.data_format);
  }
};

// Their fields are the same for both kinds.
template <class C>
void visit_pool(Fields& v, C& c) {
  nn::visit_sizes(v, "pool_size", c.pool_size);
  v("padding", c.padding);
  auto s = c.strides.value_or(c.pool_size);
  nn::visit_sizes(v, "strides", s);
  c.strides = s;
  nn::visit_format(v, c.data_format);
}

// Global ones: over all axes but the batch and the channels.
template <class C, Tensor (*reduce)(Tensor, const Axes&, bool), int spatial>
class Global : public LayerOf<C> {
 public:
  using LayerOf<C>::LayerOf;
  Tensor call(Tensor x, const Call&) override {
    const C& c = this->config;
    check(x.rank() == spatial + 2, Code::Shape, "{}: expected an input of rank {}, got {}", this->class_name(), spatial + 2, x.spec());
    Axes axes;
    for (int i = 0; i < spatial; ++i) axes.push_back(nn::channels_first(c.data_format) ? i + 2 : i + 1);
    return reduce(std::move(x), axes, c.keepdims);
  }
};
template <class C>
void visit_global(Fields& v, C& c) {
  nn::visit_format(v, c.data_format);
  v("keepdims", c.keepdims);
}

// To a given size.
template <class C, Tensor (*pool)(Tensor, const std::vector<int64_t>&)>
class Adaptive final : public LayerOf<C> {
 public:
  explicit Adaptive(const C& c) : LayerOf<C>(c) {
    for (int64_t n : nn::sizes_of(c.output_size)) check(n > 0, Code::InvalidArgument, "{}: expected output_size > 0, got {}", this->class_name(), n);
    nn::channels_first(c.data_format);
  }
  Tensor call(Tensor x, const Call&) override {
    const C& c = this->config;
    return nn::from_last(pool(nn::to_last(std::move(x), c.data_format), nn::sizes_of(c.output_size)), c.data_format);
  }
};
template <class C>
void visit_adaptive(Fields& v, C& c) {
  nn::visit_sizes(v, "output_size", c.output_size);
  nn::visit_format(v, c.data_format);
}

}  // namespace

// ---- MaxPooling1D -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, MaxPooling1D& c) { visit_pool(v, c); }
MaxPooling1D::operator Layer() const { return make_layer<Windowed<MaxPooling1D, max_pool>>(*this); }
Outputs MaxPooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- MaxPooling2D -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, MaxPooling2D& c) { visit_pool(v, c); }
MaxPooling2D::operator Layer() const { return make_layer<Windowed<MaxPooling2D, max_pool>>(*this); }
Outputs MaxPooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- MaxPooling3D -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, MaxPooling3D& c) { visit_pool(v, c); }
MaxPooling3D::operator Layer() const { return make_layer<Windowed<MaxPooling3D, max_pool>>(*this); }
Outputs MaxPooling3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AveragePooling1D ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, AveragePooling1D& c) { visit_pool(v, c); }
AveragePooling1D::operator Layer() const { return make_layer<Windowed<AveragePooling1D, average_pool>>(*this); }
Outputs AveragePooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AveragePooling2D ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, AveragePooling2D& c) { visit_pool(v, c); }
AveragePooling2D::operator Layer() const { return make_layer<Windowed<AveragePooling2D, average_pool>>(*this); }
Outputs AveragePooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AveragePooling3D ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, AveragePooling3D& c) { visit_pool(v, c); }
AveragePooling3D::operator Layer() const { return make_layer<Windowed<AveragePooling3D, average_pool>>(*this); }
Outputs AveragePooling3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalMaxPooling1D -------------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalMaxPooling1D& c) { visit_global(v, c); }
GlobalMaxPooling1D::operator Layer() const { return make_layer<Global<GlobalMaxPooling1D, max, 1>>(*this); }
Outputs GlobalMaxPooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalMaxPooling2D -------------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalMaxPooling2D& c) { visit_global(v, c); }
GlobalMaxPooling2D::operator Layer() const { return make_layer<Global<GlobalMaxPooling2D, max, 2>>(*this); }
Outputs GlobalMaxPooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalMaxPooling3D -------------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalMaxPooling3D& c) { visit_global(v, c); }
GlobalMaxPooling3D::operator Layer() const { return make_layer<Global<GlobalMaxPooling3D, max, 3>>(*this); }
Outputs GlobalMaxPooling3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalAveragePooling1D ---------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalAveragePooling1D& c) { visit_global(v, c); }

class GlobalAveragePooling1DLayer final : public Global<GlobalAveragePooling1D, mean, 1> {
 public:
  using Global::Global;
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors&) override { return {}; }  // the steps are gone
  Tensor call(Tensor x, const Call& c) override {
    if (!c.mask.defined()) return Global::call(std::move(x), c);
    // The mean over the steps that count.
    const int steps = nn::channels_first(config.data_format) ? 2 : 1;
    Tensor kept = expand_dims(cast(c.mask, x.dtype()), 3 - steps);
    return divide(sum(multiply(std::move(x), kept), {steps}, config.keepdims), sum(kept, {steps}, config.keepdims));
  }
};
GlobalAveragePooling1D::operator Layer() const { return make_layer<GlobalAveragePooling1DLayer>(*this); }
Outputs GlobalAveragePooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalAveragePooling2D ---------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalAveragePooling2D& c) { visit_global(v, c); }
GlobalAveragePooling2D::operator Layer() const { return make_layer<Global<GlobalAveragePooling2D, mean, 2>>(*this); }
Outputs GlobalAveragePooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GlobalAveragePooling3D ---------------------------------------------------------------------------------------------------

void fields(Fields& v, GlobalAveragePooling3D& c) { visit_global(v, c); }
GlobalAveragePooling3D::operator Layer() const { return make_layer<Global<GlobalAveragePooling3D, mean, 3>>(*this); }
Outputs GlobalAveragePooling3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AdaptiveMaxPooling1D -----------------------------------------------------------------------------------------------------

void fields(Fields& v, AdaptiveMaxPooling1D& c) { visit_adaptive(v, c); }
AdaptiveMaxPooling1D::operator Layer() const { return make_layer<Adaptive<AdaptiveMaxPooling1D, adaptive_max_pool>>(*this); }
Outputs AdaptiveMaxPooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AdaptiveMaxPooling2D -----------------------------------------------------------------------------------------------------

void fields(Fields& v, AdaptiveMaxPooling2D& c) { visit_adaptive(v, c); }
AdaptiveMaxPooling2D::operator Layer() const { return make_layer<Adaptive<AdaptiveMaxPooling2D, adaptive_max_pool>>(*this); }
Outputs AdaptiveMaxPooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AdaptiveMaxPooling3D -----------------------------------------------------------------------------------------------------

void fields(Fields& v, AdaptiveMaxPooling3D& c) { visit_adaptive(v, c); }
AdaptiveMaxPooling3D::operator Layer() const { return make_layer<Adaptive<AdaptiveMaxPooling3D, adaptive_max_pool>>(*this); }
Outputs AdaptiveMaxPooling3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AdaptiveAveragePooling1D -------------------------------------------------------------------------------------------------

void fields(Fields& v, AdaptiveAveragePooling1D& c) { visit_adaptive(v, c); }
AdaptiveAveragePooling1D::operator Layer() const { return make_layer<Adaptive<AdaptiveAveragePooling1D, adaptive_average_pool>>(*this); }
Outputs AdaptiveAveragePooling1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AdaptiveAveragePooling2D -------------------------------------------------------------------------------------------------

void fields(Fields& v, AdaptiveAveragePooling2D& c) { visit_adaptive(v, c); }
AdaptiveAveragePooling2D::operator Layer() const { return make_layer<Adaptive<AdaptiveAveragePooling2D, adaptive_average_pool>>(*this); }
Outputs AdaptiveAveragePooling2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- AdaptiveAveragePooling3D -------------------------------------------------------------------------------------------------

void fields(Fields& v, AdaptiveAveragePooling3D& c) { visit_adaptive(v, c); }
AdaptiveAveragePooling3D::operator Layer() const { return make_layer<Adaptive<AdaptiveAveragePooling3D, adaptive_average_pool>>(*this); }
Outputs AdaptiveAveragePooling3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_pooling(LayerRegistry& r) {
  r.add<layers::MaxPooling1D>("MaxPooling1D");
  r.add<layers::MaxPooling2D>("MaxPooling2D");
  r.add<layers::MaxPooling3D>("MaxPooling3D");
  r.add<layers::AveragePooling1D>("AveragePooling1D");
  r.add<layers::AveragePooling2D>("AveragePooling2D");
  r.add<layers::AveragePooling3D>("AveragePooling3D");
  r.add<layers::GlobalMaxPooling1D>("GlobalMaxPooling1D");
  r.add<layers::GlobalMaxPooling2D>("GlobalMaxPooling2D");
  r.add<layers::GlobalMaxPooling3D>("GlobalMaxPooling3D");
  r.add<layers::GlobalAveragePooling1D>("GlobalAveragePooling1D");
  r.add<layers::GlobalAveragePooling2D>("GlobalAveragePooling2D");
  r.add<layers::GlobalAveragePooling3D>("GlobalAveragePooling3D");
  r.add<layers::AdaptiveMaxPooling1D>("AdaptiveMaxPooling1D");
  r.add<layers::AdaptiveMaxPooling2D>("AdaptiveMaxPooling2D");
  r.add<layers::AdaptiveMaxPooling3D>("AdaptiveMaxPooling3D");
  r.add<layers::AdaptiveAveragePooling1D>("AdaptiveAveragePooling1D");
  r.add<layers::AdaptiveAveragePooling2D>("AdaptiveAveragePooling2D");
  r.add<layers::AdaptiveAveragePooling3D>("AdaptiveAveragePooling3D");
}

}  // namespace tenure

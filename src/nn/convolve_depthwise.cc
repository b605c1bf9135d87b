// Depthwise and separable convolutions. Weights belong to the bodies; objects refer to them.
#include "nn/convolve.h"

namespace tenure {
namespace layers {

namespace {

// Sizes, strides and dilation of either kind; TensorFlow's restriction to equal strides is not ours.
template <class C>
void check_depthwise(const C& c, const std::string& layer) {
  nn::check_positive(c.depth_multiplier, layer.c_str(), "depth_multiplier");
  nn::check_convolution(layer, nn::sizes_of(c.kernel_size), nn::sizes_of(c.strides), nn::sizes_of(c.dilation_rate), c.padding);
  nn::channels_first(c.data_format);
}

// DepthwiseConv1D, DepthwiseConv2D: the aggregate C says which.
template <class C>
class Depthwise final : public LayerOf<C> {
 public:
  explicit Depthwise(const C& c) : LayerOf<C>(c), fused_(this->config.activation) {
    check_depthwise(c, this->class_name());
    nn::adopt_activation(*this, this->config.activation);
  }
  void build(const Shape& in) override {
    const C& c = this->config;
    const std::vector<int64_t> kernel = nn::sizes_of(c.kernel_size);
    int64_t channels = nn::channels_of(in, c.data_format, this->class_name(), kernel.size());
    kernel_ = this->weight("kernel", nn::kernel_shape(kernel, channels, c.depth_multiplier), c.depthwise_initializer,
                           {.regularizer = c.depthwise_regularizer, .constraint = c.depthwise_constraint});
    if (c.use_bias)
      bias_ = this->weight("bias", {channels * c.depth_multiplier}, c.bias_initializer,
                           {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensor call(Tensor x, const Call&) override {
    const C& c = this->config;
    Tensor y =
        depthwise_conv(nn::to_last(std::move(x), c.data_format), kernel_, nn::conv_options(c, fused_), bias_.defined() ? bias_.value() : Tensor());
    return nn::finish(c.activation, fused_, nn::from_last(std::move(y), c.data_format));
  }

 private:
  nn::Fused fused_;
  Weight kernel_, bias_;
};

// SeparableConv1D, SeparableConv2D.
template <class C>
class Separable final : public LayerOf<C> {
 public:
  explicit Separable(const C& c) : LayerOf<C>(c), fused_(this->config.activation) {
    nn::check_positive(c.filters, this->class_name().c_str(), "filters");
    check_depthwise(c, this->class_name());
    nn::adopt_activation(*this, this->config.activation);
  }
  void build(const Shape& in) override {
    const C& c = this->config;
    const std::vector<int64_t> kernel = nn::sizes_of(c.kernel_size), point(kernel.size(), 1);
    int64_t channels = nn::channels_of(in, c.data_format, this->class_name(), kernel.size());
    depthwise_ = this->weight("depthwise_kernel", nn::kernel_shape(kernel, channels, c.depth_multiplier), c.depthwise_initializer,
                              {.regularizer = c.depthwise_regularizer, .constraint = c.depthwise_constraint});
    pointwise_ = this->weight("pointwise_kernel", nn::kernel_shape(point, channels * c.depth_multiplier, c.filters), c.pointwise_initializer,
                              {.regularizer = c.pointwise_regularizer, .constraint = c.pointwise_constraint});
    if (c.use_bias)
      bias_ = this->weight("bias", {c.filters}, c.bias_initializer, {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensor call(Tensor x, const Call&) override {
    const C& c = this->config;
    Tensor y = separable_conv(nn::to_last(std::move(x), c.data_format), depthwise_, pointwise_, nn::conv_options(c, fused_),
                              bias_.defined() ? bias_.value() : Tensor());
    return nn::finish(c.activation, fused_, nn::from_last(std::move(y), c.data_format));
  }

 private:
  nn::Fused fused_;
  Weight depthwise_, pointwise_, bias_;
};

}  // namespace

// ---- DepthwiseConv1D ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, DepthwiseConv1D& c) {
  v("depth_multiplier", c.depth_multiplier);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("activation", c.activation), v("use_bias", c.use_bias);
  v("depthwise_initializer", c.depthwise_initializer), v("bias_initializer", c.bias_initializer);
  v("depthwise_regularizer", c.depthwise_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("depthwise_constraint", c.depthwise_constraint), v("bias_constraint", c.bias_constraint);
}
DepthwiseConv1D::operator Layer() const { return make_layer<Depthwise<DepthwiseConv1D>>(*this); }
Outputs DepthwiseConv1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- DepthwiseConv2D ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, DepthwiseConv2D& c) {
  v("depth_multiplier", c.depth_multiplier);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("activation", c.activation), v("use_bias", c.use_bias);
  v("depthwise_initializer", c.depthwise_initializer), v("bias_initializer", c.bias_initializer);
  v("depthwise_regularizer", c.depthwise_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("depthwise_constraint", c.depthwise_constraint), v("bias_constraint", c.bias_constraint);
}
DepthwiseConv2D::operator Layer() const { return make_layer<Depthwise<DepthwiseConv2D>>(*this); }
Outputs DepthwiseConv2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- SeparableConv1D ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, SeparableConv1D& c) {
  v("depth_multiplier", c.depth_multiplier), v("filters", c.filters);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("activation", c.activation), v("use_bias", c.use_bias);
  v("depthwise_initializer", c.depthwise_initializer), v("pointwise_initializer", c.pointwise_initializer), v("bias_initializer", c.bias_initializer);
  v("depthwise_regularizer", c.depthwise_regularizer), v("pointwise_regularizer", c.pointwise_regularizer), v("bias_regularizer", c.bias_regularizer);
  v("activity_regularizer", c.activity_regularizer), v("depthwise_constraint", c.depthwise_constraint);
  v("pointwise_constraint", c.pointwise_constraint), v("bias_constraint", c.bias_constraint);
}
SeparableConv1D::operator Layer() const { return make_layer<Separable<SeparableConv1D>>(*this); }
Outputs SeparableConv1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- SeparableConv2D ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, SeparableConv2D& c) {
  v("depth_multiplier", c.depth_multiplier), v("filters", c.filters);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("activation", c.activation), v("use_bias", c.use_bias);
  v("depthwise_initializer", c.depthwise_initializer), v("pointwise_initializer", c.pointwise_initializer), v("bias_initializer", c.bias_initializer);
  v("depthwise_regularizer", c.depthwise_regularizer), v("pointwise_regularizer", c.pointwise_regularizer), v("bias_regularizer", c.bias_regularizer);
  v("activity_regularizer", c.activity_regularizer), v("depthwise_constraint", c.depthwise_constraint);
  v("pointwise_constraint", c.pointwise_constraint), v("bias_constraint", c.bias_constraint);
}
SeparableConv2D::operator Layer() const { return make_layer<Separable<SeparableConv2D>>(*this); }
Outputs SeparableConv2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_depthwise(LayerRegistry& r) {
  r.add<layers::DepthwiseConv1D>("DepthwiseConv1D");
  r.add<layers::DepthwiseConv2D>("DepthwiseConv2D");
  r.add<layers::SeparableConv1D>("SeparableConv1D");
  r.add<layers::SeparableConv2D>("SeparableConv2D");
}

}  // namespace tenure

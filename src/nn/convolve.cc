// Convolutions. Weights belong to the bodies; objects refer to them.
#include "nn/families.h"

namespace tenure {
namespace nn {

void check_padding(std::string_view padding, std::string_view layer) {
  check(padding == "valid" || padding == "same", Code::InvalidArgument, "{}: expected padding valid or same, got '{}'", layer, padding);
}

void visit_triple(Fields& v, const char* name, Triple& t) {
  std::vector<int64_t> list{t.d, t.h, t.w};
  v(name, list);
  check(list.size() == 1 || list.size() == 3, Code::InvalidArgument, "'{}': expected one number or three, got {}", name, list.size());
  t = list.size() == 1 ? Triple(list[0]) : Triple(list[0], list[1], list[2]);
}

void visit_single(Fields& v, const char* name, int64_t& n) {
  std::vector<int64_t> list{n};
  v(name, list);
  check(list.size() == 1, Code::InvalidArgument, "'{}': expected one number, got {}", name, list.size());
  n = list[0];
}

void visit_format(Fields& v, std::string& data_format) {
  if (data_format.empty()) data_format = "channels_last";
  v("data_format", data_format);
}

bool channels_first(std::string_view f) {
  check(f.empty() || f == "channels_last" || f == "channels_first", Code::InvalidArgument,
        "expected data_format channels_last or channels_first, got '{}'", f);
  return f == "channels_first";
}

Tensor to_last(Tensor x, std::string_view f) {
  if (!channels_first(f)) return x;
  std::vector<int> order{0};
  for (int i = 2; i < x.rank(); ++i) order.push_back(i);
  order.push_back(1);
  return transpose(std::move(x), order);
}

Tensor from_last(Tensor x, std::string_view f) {
  if (!channels_first(f)) return x;
  std::vector<int> order{0, x.rank() - 1};
  for (int i = 1; i < x.rank() - 1; ++i) order.push_back(i);
  return transpose(std::move(x), order);
}

namespace {

int64_t channels_of(const Shape& in, std::string_view format, const char* layer) {
  check(in.rank() == 4, Code::Shape, "{}: expected images [batch, height, width, channels], got {}", layer, in);
  int64_t c = channels_first(format) ? in[1] : in[3];
  check(c > 0, Code::Shape, "{}: the number of channels must be known and positive, got {}", layer, in);
  return c;
}

void check_common(const char* layer, Pair kernel, Pair strides, Pair dilation, std::string_view padding) {
  check(kernel.h > 0 && kernel.w > 0, Code::InvalidArgument, "{}: expected kernel_size > 0, got ({}, {})", layer, kernel.h, kernel.w);
  check(strides.h > 0 && strides.w > 0, Code::InvalidArgument, "{}: expected strides > 0, got ({}, {})", layer, strides.h, strides.w);
  check(dilation.h > 0 && dilation.w > 0, Code::InvalidArgument, "{}: expected dilation_rate > 0, got ({}, {})", layer, dilation.h, dilation.w);
  check((strides.h == 1 && strides.w == 1) || (dilation.h == 1 && dilation.w == 1), Code::InvalidArgument,
        "{}: strides > 1 and dilation_rate > 1 exclude each other", layer);
  check_padding(padding, layer);
}

}  // namespace
}  // namespace nn

namespace layers {

// ---- Conv2D ---------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Conv2D& c) {
  v("filters", c.filters);
  nn::visit_pair(v, "kernel_size", c.kernel_size.h, c.kernel_size.w);
  nn::visit_pair(v, "strides", c.strides.h, c.strides.w);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_pair(v, "dilation_rate", c.dilation_rate.h, c.dilation_rate.w);
  v("groups", c.groups), v("activation", c.activation), v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint);
}

class Conv2DLayer final : public LayerOf<Conv2D> {
 public:
  explicit Conv2DLayer(const Conv2D& c) : LayerOf(c), fused_(nn::fusable(config.activation)) {
    nn::check_positive(c.filters, "Conv2D", "filters");
    nn::check_positive(c.groups, "Conv2D", "groups");
    nn::check_common("Conv2D", c.kernel_size, c.strides, c.dilation_rate, c.padding);
    check(c.filters % c.groups == 0, Code::InvalidArgument, "Conv2D: filters {} are no multiple of groups {}", c.filters, c.groups);
    nn::channels_first(c.data_format);
    nn::adopt_activation(*this, config.activation);
  }
  void build(const Shape& in) override {
    const auto& c = config;
    int64_t channels = nn::channels_of(in, c.data_format, "Conv2D");
    check(channels % c.groups == 0, Code::Shape, "Conv2D: {} channels are no multiple of groups {}", channels, c.groups);
    kernel_ = weight("kernel", {c.kernel_size.h, c.kernel_size.w, channels / c.groups, c.filters}, c.kernel_initializer,
                     {.regularizer = c.kernel_regularizer, .constraint = c.kernel_constraint});
    if (c.use_bias) bias_ = weight("bias", {c.filters}, c.bias_initializer, {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensor call(Tensor x, const Call&) override {
    const auto& c = config;
    ConvOptions o{.strides = c.strides, .padding = c.padding, .dilation_rate = c.dilation_rate, .groups = c.groups, .activation = fused_};
    Tensor y = conv2d(nn::to_last(std::move(x), c.data_format), kernel_, o, bias_.defined() ? bias_.value() : Tensor());
    return nn::finish(c.activation, fused_, nn::from_last(std::move(y), c.data_format));
  }

 private:
  std::string_view fused_;
  Weight kernel_, bias_;
};
Conv2D::operator Layer() const { return make_layer<Conv2DLayer>(*this); }
Outputs Conv2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- DepthwiseConv2D ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, DepthwiseConv2D& c) {
  v("depth_multiplier", c.depth_multiplier);
  nn::visit_pair(v, "kernel_size", c.kernel_size.h, c.kernel_size.w);
  nn::visit_pair(v, "strides", c.strides.h, c.strides.w);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_pair(v, "dilation_rate", c.dilation_rate.h, c.dilation_rate.w);
  v("activation", c.activation), v("use_bias", c.use_bias);
  v("depthwise_initializer", c.depthwise_initializer), v("bias_initializer", c.bias_initializer);
  v("depthwise_regularizer", c.depthwise_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("depthwise_constraint", c.depthwise_constraint), v("bias_constraint", c.bias_constraint);
}

class DepthwiseConv2DLayer final : public LayerOf<DepthwiseConv2D> {
 public:
  explicit DepthwiseConv2DLayer(const DepthwiseConv2D& c) : LayerOf(c), fused_(nn::fusable(config.activation)) {
    nn::check_positive(c.depth_multiplier, "DepthwiseConv2D", "depth_multiplier");
    nn::check_common("DepthwiseConv2D", c.kernel_size, c.strides, c.dilation_rate, c.padding);
    nn::channels_first(c.data_format);
    nn::adopt_activation(*this, config.activation);
  }
  void build(const Shape& in) override {
    const auto& c = config;
    int64_t channels = nn::channels_of(in, c.data_format, "DepthwiseConv2D");
    kernel_ = weight("kernel", {c.kernel_size.h, c.kernel_size.w, channels, c.depth_multiplier}, c.depthwise_initializer,
                     {.regularizer = c.depthwise_regularizer, .constraint = c.depthwise_constraint});
    if (c.use_bias)
      bias_ =
          weight("bias", {channels * c.depth_multiplier}, c.bias_initializer, {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensor call(Tensor x, const Call&) override {
    const auto& c = config;
    ConvOptions o{.strides = c.strides, .padding = c.padding, .dilation_rate = c.dilation_rate, .activation = fused_};
    Tensor y = depthwise_conv2d(nn::to_last(std::move(x), c.data_format), kernel_, o, bias_.defined() ? bias_.value() : Tensor());
    return nn::finish(c.activation, fused_, nn::from_last(std::move(y), c.data_format));
  }

 private:
  std::string_view fused_;
  Weight kernel_, bias_;
};
DepthwiseConv2D::operator Layer() const { return make_layer<DepthwiseConv2DLayer>(*this); }
Outputs DepthwiseConv2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_convolve(LayerRegistry& r) {
  r.add<layers::Conv2D>("Conv2D");
  r.add<layers::DepthwiseConv2D>("DepthwiseConv2D");
}

}  // namespace tenure

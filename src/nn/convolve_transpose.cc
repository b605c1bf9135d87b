// Transposed convolutions over 1 to 3 dimensions. Weights belong to the bodies; objects refer to them.
#include "nn/convolve.h"

namespace tenure {
namespace layers {

namespace {

// The aggregate C says over how many dimensions.
template <class C>
class Transposed final : public LayerOf<C> {
 public:
  explicit Transposed(const C& c) : LayerOf<C>(c), fused_(this->config.activation) {
    const std::string layer = this->class_name();
    nn::check_positive(c.filters, layer.c_str(), "filters");
    const std::vector<int64_t> strides = nn::sizes_of(c.strides);
    nn::check_convolution(layer, nn::sizes_of(c.kernel_size), strides, nn::sizes_of(c.dilation_rate), c.padding);
    const std::vector<int64_t> more = c.output_padding ? nn::sizes_of(*c.output_padding) : std::vector<int64_t>(strides.size());
    for (size_t i = 0; i < strides.size(); ++i)
      check(more[i] >= 0 && more[i] < strides[i], Code::InvalidArgument, "{}: expected output_padding in [0, {}), got {}", layer, strides[i],
            more[i]);
    nn::channels_first(c.data_format);
    nn::adopt_activation(*this, this->config.activation);
  }
  void build(const Shape& in) override {
    const C& c = this->config;
    const std::vector<int64_t> kernel = nn::sizes_of(c.kernel_size);
    int64_t channels = nn::channels_of(in, c.data_format, this->class_name(), kernel.size());
    kernel_ = this->weight("kernel", nn::kernel_shape(kernel, c.filters, channels), c.kernel_initializer,
                           {.regularizer = c.kernel_regularizer, .constraint = c.kernel_constraint});
    if (c.use_bias)
      bias_ = this->weight("bias", {c.filters}, c.bias_initializer, {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensor call(Tensor x, const Call&) override {
    const C& c = this->config;
    ConvTransposeOptions o{
        .strides = nn::sizes_of(c.strides), .padding = c.padding, .dilation_rate = nn::sizes_of(c.dilation_rate), .activation = fused_};
    if (c.output_padding) o.output_padding = nn::sizes_of(*c.output_padding);
    Tensor y = conv_transpose(nn::to_last(std::move(x), c.data_format), kernel_, o, bias_.defined() ? bias_.value() : Tensor());
    return nn::finish(c.activation, fused_, nn::from_last(std::move(y), c.data_format));
  }

 private:
  nn::Fused fused_;
  Weight kernel_, bias_;
};

// Null when not given.
template <class T>
void visit_output_padding(Fields& v, std::optional<T>& padding) {
  if (!v.present("output_padding", padding.has_value())) return padding.reset();
  if (!padding) padding.emplace(0);
  nn::visit_sizes(v, "output_padding", *padding);
}

template <class C>
void visit_transposed(Fields& v, C& c) {
  v("filters", c.filters);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  visit_output_padding(v, c.output_padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("activation", c.activation), v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint);
}

}  // namespace

// ---- Conv1DTranspose ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, Conv1DTranspose& c) { visit_transposed(v, c); }
Conv1DTranspose::operator Layer() const { return make_layer<Transposed<Conv1DTranspose>>(*this); }
Outputs Conv1DTranspose::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Conv2DTranspose ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, Conv2DTranspose& c) { visit_transposed(v, c); }
Conv2DTranspose::operator Layer() const { return make_layer<Transposed<Conv2DTranspose>>(*this); }
Outputs Conv2DTranspose::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Conv3DTranspose ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, Conv3DTranspose& c) { visit_transposed(v, c); }
Conv3DTranspose::operator Layer() const { return make_layer<Transposed<Conv3DTranspose>>(*this); }
Outputs Conv3DTranspose::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_transposed(LayerRegistry& r) {
  r.add<layers::Conv1DTranspose>("Conv1DTranspose");
  r.add<layers::Conv2DTranspose>("Conv2DTranspose");
  r.add<layers::Conv3DTranspose>("Conv3DTranspose");
}

}  // namespace tenure

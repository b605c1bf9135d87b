// Convolutions over 1 to 3 dimensions. Weights belong to the bodies; objects refer to them.
#include "nn/convolve.h"

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

int64_t channels_of(const Shape& in, std::string_view format, const std::string& layer, size_t spatial) {
  check(in.rank() == static_cast<int>(spatial) + 2, Code::Shape, "{}: expected an input of rank {}, batch and channels included, got {}", layer,
        spatial + 2, in);
  int64_t c = channels_first(format) ? in[1] : in.back();
  check(c > 0, Code::Shape, "{}: the number of channels must be known and positive, got {}", layer, in);
  return c;
}

void check_convolution(const std::string& layer, const std::vector<int64_t>& kernel, const std::vector<int64_t>& strides,
                       const std::vector<int64_t>& dilation, std::string_view padding, bool causal) {
  bool stepped = false, dilated = false;
  for (int64_t k : kernel) check(k > 0, Code::InvalidArgument, "{}: expected kernel_size > 0, got {}", layer, k);
  for (int64_t s : strides) check(s > 0, Code::InvalidArgument, "{}: expected strides > 0, got {}", layer, s), stepped |= s > 1;
  for (int64_t d : dilation) check(d > 0, Code::InvalidArgument, "{}: expected dilation_rate > 0, got {}", layer, d), dilated |= d > 1;
  check(!stepped || !dilated, Code::InvalidArgument, "{}: strides > 1 and dilation_rate > 1 exclude each other", layer);
  if (!(causal && padding == "causal")) check_padding(padding, layer);
}

}  // namespace nn

namespace layers {

namespace {

// Conv1D, Conv2D, Conv3D: the aggregate C says which.
template <class C>
class Convolution final : public LayerOf<C> {
 public:
  explicit Convolution(const C& c) : LayerOf<C>(c), fused_(this->config.activation) {
    const std::string layer = this->class_name();
    nn::check_positive(c.filters, layer.c_str(), "filters");
    nn::check_positive(c.groups, layer.c_str(), "groups");
    nn::check_convolution(layer, nn::sizes_of(c.kernel_size), nn::sizes_of(c.strides), nn::sizes_of(c.dilation_rate), c.padding,
                          nn::sizes_of(c.strides).size() == 1);
    check(c.filters % c.groups == 0, Code::InvalidArgument, "{}: filters {} are no multiple of groups {}", layer, c.filters, c.groups);
    nn::channels_first(c.data_format);
    nn::adopt_activation(*this, this->config.activation);
  }
  void build(const Shape& in) override {
    const C& c = this->config;
    const std::vector<int64_t> kernel = nn::sizes_of(c.kernel_size);
    int64_t channels = nn::channels_of(in, c.data_format, this->class_name(), kernel.size());
    check(channels % c.groups == 0, Code::Shape, "{}: {} channels are no multiple of groups {}", this->class_name(), channels, c.groups);
    kernel_ = this->weight("kernel", nn::kernel_shape(kernel, channels / c.groups, c.filters), c.kernel_initializer,
                           {.regularizer = c.kernel_regularizer, .constraint = c.kernel_constraint});
    if (c.use_bias)
      bias_ = this->weight("bias", {c.filters}, c.bias_initializer, {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensor call(Tensor x, const Call&) override {
    const C& c = this->config;
    Tensor y = conv(nn::to_last(std::move(x), c.data_format), kernel_, nn::conv_options(c, fused_), bias_.defined() ? bias_.value() : Tensor());
    return nn::finish(c.activation, fused_, nn::from_last(std::move(y), c.data_format));
  }

 private:
  nn::Fused fused_;
  Weight kernel_, bias_;
};

}  // namespace

// ---- Conv1D -------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Conv1D& c) {
  v("filters", c.filters);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("groups", c.groups), v("activation", c.activation), v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint);
}
Conv1D::operator Layer() const { return make_layer<Convolution<Conv1D>>(*this); }
Outputs Conv1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Conv2D -------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Conv2D& c) {
  v("filters", c.filters);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("groups", c.groups), v("activation", c.activation), v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint);
}
Conv2D::operator Layer() const { return make_layer<Convolution<Conv2D>>(*this); }
Outputs Conv2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Conv3D -------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Conv3D& c) {
  v("filters", c.filters);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("groups", c.groups), v("activation", c.activation), v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint);
}
Conv3D::operator Layer() const { return make_layer<Convolution<Conv3D>>(*this); }
Outputs Conv3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_convolve(LayerRegistry& r) {
  r.add<layers::Conv1D>("Conv1D");
  r.add<layers::Conv2D>("Conv2D");
  r.add<layers::Conv3D>("Conv3D");
}

}  // namespace tenure

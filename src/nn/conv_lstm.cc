// ConvLSTM1D, 2D, 3D: a cell of convolutions run over time. Weights belong to the cell's body; objects refer to them.
#include <tenure/conv_lstm.h>

#include "nn/convolve.h"
#include "nn/recurrent.h"

namespace tenure {
namespace layers {

namespace {

// One step; C is the layer's configuration. Keras has one class for all dimensions and no public one.
template <class C>
class ConvLSTMCell final : public RecurrentCell {
 public:
  explicit ConvLSTMCell(const C& c) : RecurrentCell(LayerOptions{"conv_lstm_cell", c.trainable, c.dtype, {}}), config(c) {
    const std::string layer = detail::short_name(typeid(C));
    nn::check_positive(c.filters, layer.c_str(), "filters");
    nn::check_convolution(layer, nn::sizes_of(c.kernel_size), nn::sizes_of(c.strides), nn::sizes_of(c.dilation_rate), c.padding);
    nn::channels_first(c.data_format);
    nn::check_rates(c.dropout, c.recurrent_dropout, layer);
    nn::adopt_activation(*this, config.activation);
    nn::adopt_activation(*this, config.recurrent_activation);
    if (c.dropout > 0 || c.recurrent_dropout > 0) seed_ = seed_state(c.seed);
  }
  std::string class_name() const override { return "ConvLSTMCell"; }
  std::vector<int64_t> state_size() const override { return {config.filters, config.filters}; }
  std::vector<Shape> state_shapes(const Shape& x) const override {
    const bool first = nn::channels_first(config.data_format);
    const std::vector<int64_t> kernel = sizes(config.kernel_size), strides = sizes(config.strides), dilation = sizes(config.dilation_rate);
    Shape s = x;
    s[first ? 1 : s.rank() - 1] = config.filters;
    for (size_t i = 0; i < kernel.size(); ++i) {
      int64_t& n = s[static_cast<int>(i) + (first ? 2 : 1)];
      const int64_t reach = config.padding == "same" ? 1 : (kernel[i] - 1) * dilation[i] + 1;
      n = n < reach ? 0 : (n - reach) / strides[i] + 1;
    }
    return {s, s};
  }

  void build_all(const std::vector<Shape>& inputs) override {
    const C& c = config;
    const Shape& in = inputs.at(0);
    const std::vector<int64_t> kernel = sizes(c.kernel_size);
    const int64_t channels = nn::channels_of(in, c.data_format, name(), kernel.size()), n = 4 * c.filters;
    for (int i = 1; i < in.rank(); ++i) check(in[i] > 0, Code::Shape, "{}: the input's spatial sizes must be known, got {}", name(), in);
    kernel_ = weight("kernel", nn::kernel_shape(kernel, channels, n), c.kernel_initializer,
                     {.regularizer = c.kernel_regularizer, .constraint = c.kernel_constraint});
    recurrent_ = weight("recurrent_kernel", nn::kernel_shape(kernel, c.filters, n), c.recurrent_initializer,
                        {.regularizer = c.recurrent_regularizer, .constraint = c.recurrent_constraint});
    if (!c.use_bias) return;
    const Initializer start = c.unit_forget_bias ? nn::forget_bias(c.bias_initializer, c.filters) : c.bias_initializer;
    bias_ = weight("bias", {n}, start, {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensors call_all(Tensors xs, const Call& c) override { return nn::one_step(*this, 2, std::move(xs), c.is_training()); }
  // A factor for each gate: {of the input, of the state}, with the gates side by side in the channels.
  Tensors noise(const Tensor& x, const Tensors& states, bool training) override {
    if (!training || !seed_.defined()) return {};
    auto factor = [&](const Tensor& like, double rate) {
      if (rate == 0 || rate == 1) return Tensor();  // as Keras has it
      Tensor four = side_by_side(ones_like(nn::to_last(like, config.data_format)));
      return random::dropout(std::move(four), rate, SeedGenerator(seed_.variable()));
    };
    Tensor of_x = factor(x, config.dropout);
    return {std::move(of_x), factor(states.at(0), config.recurrent_dropout)};
  }
  Tensors step(Tensor x, Tensors states, const Tensors& noise, bool) override {
    const C& c = config;
    ConvNdOptions input = nn::conv_options(c, "");
    ConvNdOptions state{.padding = "same"};
    Tensor z = product(nn::to_last(std::move(x), c.data_format), kernel_, input, noise, 0, bias_.defined() ? bias_.value() : Tensor());
    z = add(std::move(z), product(nn::to_last(std::move(states[0]), c.data_format), recurrent_, state, noise, 1, {}));
    Tensors g = split(std::move(z), 4, -1);
    const auto& gate = c.recurrent_activation;
    Tensor i = gate(std::move(g[0])), f = gate(std::move(g[1])), before = nn::to_last(std::move(states[1]), c.data_format);
    Tensor carry = add(multiply(std::move(f), std::move(before)), multiply(std::move(i), c.activation(std::move(g[2]))));
    Tensor h = nn::from_last(multiply(gate(std::move(g[3])), c.activation(carry)), c.data_format);
    return {h, h, nn::from_last(std::move(carry), c.data_format)};
  }

  C config;

 private:
  template <class N>
  static std::vector<int64_t> sizes(const N& n) {
    return nn::sizes_of(n);
  }
  static Tensor side_by_side(const Tensor& x) { return concatenate({x, x, x, x}, -1); }
  // With noise every gate sees an input of its own: four groups, which is how the kernel's gates lie.
  static Tensor product(Tensor x, Tensor kernel, ConvNdOptions& o, const Tensors& noise, size_t which, Tensor bias) {
    if (!noise.empty() && noise[which].defined()) {
      x = multiply(side_by_side(x), noise[which]);
      o.groups = 4;
    }
    return conv(std::move(x), std::move(kernel), o, std::move(bias));
  }
  Weight kernel_, recurrent_, bias_, seed_;
};

template <class C>
void conv_lstm_fields(Fields& v, C& c) {
  nn::sequence_fields(v, c);
  v("filters", c.filters);
  nn::visit_sizes(v, "kernel_size", c.kernel_size);
  nn::visit_sizes(v, "strides", c.strides);
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
  nn::visit_sizes(v, "dilation_rate", c.dilation_rate);
  v("activation", c.activation), v("recurrent_activation", c.recurrent_activation), v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("recurrent_initializer", c.recurrent_initializer), v("bias_initializer", c.bias_initializer);
  v("unit_forget_bias", c.unit_forget_bias);
  v("kernel_regularizer", c.kernel_regularizer), v("recurrent_regularizer", c.recurrent_regularizer), v("bias_regularizer", c.bias_regularizer);
  v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("recurrent_constraint", c.recurrent_constraint), v("bias_constraint", c.bias_constraint);
  v("dropout", c.dropout), v("recurrent_dropout", c.recurrent_dropout), v("seed", c.seed);
}

template <class C>
Layer made(const C& c) {
  return make_layer<RecurrentLayer<C>>(c, make_layer<ConvLSTMCell<C>>(c));
}

}  // namespace

// ---- ConvLSTM1D ----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ConvLSTM1D& c) { conv_lstm_fields(v, c); }
ConvLSTM1D::operator Layer() const { return made(*this); }
Outputs ConvLSTM1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ConvLSTM2D ----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ConvLSTM2D& c) { conv_lstm_fields(v, c); }
ConvLSTM2D::operator Layer() const { return made(*this); }
Outputs ConvLSTM2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ConvLSTM3D ----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ConvLSTM3D& c) { conv_lstm_fields(v, c); }
ConvLSTM3D::operator Layer() const { return made(*this); }
Outputs ConvLSTM3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_conv_lstm(LayerRegistry& r) {
  r.add<layers::ConvLSTM1D>("ConvLSTM1D");
  r.add<layers::ConvLSTM2D>("ConvLSTM2D");
  r.add<layers::ConvLSTM3D>("ConvLSTM3D");
}

}  // namespace tenure

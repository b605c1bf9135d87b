// Networks of keras.applications: tables of their stages, and one function a block.
#include <tenure/applications.h>

#include <algorithm>
#include <cmath>

#include <tenure/layers.h>

#include "base/check.h"

namespace tenure::applications {

using namespace layers;

namespace {

// ---- what they share ----------------------------------------------------------------------------------------------------------------

Tensor images(const std::optional<Shape>& shape, bool include_top, const std::string& name) {
  constexpr int64_t usual = 224, smallest = 32;
  const Shape s = shape.value_or(include_top ? Shape{usual, usual, 3} : Shape{-1, -1, 3});
  check(s.rank() == 3 && s[2] > 0, Code::Shape, "{}: expected input_shape [height, width, channels], got {}", name, s);
  for (int i = 0; i < 2; ++i) {
    check(s[i] >= 0 || !include_top, Code::Shape, "{}: with include_top the input_shape must be known, got {}", name, s);
    check(s[i] < 0 || s[i] >= smallest, Code::Shape, "{}: expected an input_shape of at least {}x{}, got {}", name, smallest, smallest, s);
  }
  return Input({.shape = s});
}

/// What comes out where there is no classifier. Keras names the layers or leaves it to their class.
Tensor pooled(Tensor x, const std::string& pooling, bool named, const std::string& net) {
  check(pooling.empty() || pooling == "avg" || pooling == "max", Code::InvalidArgument, "{}: expected pooling \"avg\", \"max\" or \"\", got \"{}\"",
        net, pooling);
  if (pooling == "avg") return GlobalAveragePooling2D{.name = named ? "avg_pool" : ""}(std::move(x));
  if (pooling == "max") return GlobalMaxPooling2D{.name = named ? "max_pool" : ""}(std::move(x));
  return x;
}

/// Zeros around an image for a kernel that halves it, as TensorFlow's "same" would place them; of an unknown size as of an even one.
Border half_padding(const Tensor& x, int64_t kernel) {
  auto side = [&](int axis) {
    const int64_t size = x.shape()[axis];
    return Pair(kernel / 2 - (x.shape()[1] < 0 ? 1 : 1 - size % 2), kernel / 2);
  };
  return {side(1), side(2)};
}

/// The nearest multiple of 8 that is at least nine tenths of `filters`.
int64_t round_filters(double filters) {
  const int64_t r = std::max<int64_t>(8, static_cast<int64_t>(filters + 4) / 8 * 8);
  return static_cast<double>(r) < 0.9 * filters ? r + 8 : r;
}

int64_t channels(const Tensor& x) { return x.shape().back(); }

struct Stage {
  int64_t filters, blocks, stride = 1, expansion = 6, kernel = 3;
};

}  // namespace

// ---- ResNet and DenseNet --------------------------------------------------------------------------------------------------------------

namespace {

Tensor norm(Tensor x, const std::string& name) { return BatchNormalization{.axis = 3, .epsilon = 1.001e-5, .name = name}(std::move(x)); }
Tensor relu(Tensor x, const std::string& name) { return Activation{.activation = "relu", .name = name}(std::move(x)); }

Tensor residual(const Tensor& x, int64_t filters, int64_t stride, bool project, const std::string& name) {
  Tensor shortcut = x;
  if (project) {
    shortcut = Conv2D{.filters = 4 * filters, .kernel_size = 1, .strides = stride, .name = name + "_0_conv"}(x);
    shortcut = norm(std::move(shortcut), name + "_0_bn");
  }
  Tensor y = Conv2D{.filters = filters, .kernel_size = 1, .strides = stride, .name = name + "_1_conv"}(x);
  y = relu(norm(std::move(y), name + "_1_bn"), name + "_1_relu");
  y = Conv2D{.filters = filters, .kernel_size = 3, .padding = "same", .name = name + "_2_conv"}(y);
  y = relu(norm(std::move(y), name + "_2_bn"), name + "_2_relu");
  y = Conv2D{.filters = 4 * filters, .kernel_size = 1, .name = name + "_3_conv"}(y);
  y = norm(std::move(y), name + "_3_bn");
  return relu(Add{.name = name + "_add"}({shortcut, y}), name + "_out");
}

Tensor dense_block(const Tensor& x, const std::string& name) {
  constexpr int64_t growth = 32;
  Tensor y = relu(norm(x, name + "_0_bn"), name + "_0_relu");
  y = Conv2D{.filters = 4 * growth, .kernel_size = 1, .use_bias = false, .name = name + "_1_conv"}(y);
  y = relu(norm(std::move(y), name + "_1_bn"), name + "_1_relu");
  y = Conv2D{.filters = growth, .kernel_size = 3, .padding = "same", .use_bias = false, .name = name + "_2_conv"}(y);
  return Concatenate{.axis = 3, .name = name + "_concat"}({x, y});
}

}  // namespace

ResNet50::operator Model() const {
  const Tensor in = images(input_shape, include_top, "ResNet50");
  Tensor x = ZeroPadding2D{.padding = 3, .name = "conv1_pad"}(in);
  x = Conv2D{.filters = 64, .kernel_size = 7, .strides = 2, .name = "conv1_conv"}(x);
  x = ZeroPadding2D{.name = "pool1_pad"}(relu(norm(std::move(x), "conv1_bn"), "conv1_relu"));
  x = MaxPooling2D{.pool_size = 3, .strides = 2, .name = "pool1_pool"}(x);
  int number = 2;
  for (const Stage& s : {Stage{64, 3, 1}, Stage{128, 4, 2}, Stage{256, 6, 2}, Stage{512, 3, 2}}) {
    for (int64_t b = 1; b <= s.blocks; ++b) x = residual(x, s.filters, b == 1 ? s.stride : 1, b == 1, fmt::format("conv{}_block{}", number, b));
    ++number;
  }
  if (!include_top) return Functional{{in}, {pooled(std::move(x), pooling, true, "ResNet50")}, name};
  x = GlobalAveragePooling2D{.name = "avg_pool"}(x);
  return Functional{{in}, {Dense{.units = classes, .activation = classifier_activation, .name = "predictions"}(x)}, name};
}

DenseNet121::operator Model() const {
  const Tensor in = images(input_shape, include_top, "DenseNet121");
  Tensor x = ZeroPadding2D{.padding = 3}(in);
  x = Conv2D{.filters = 64, .kernel_size = 7, .strides = 2, .use_bias = false, .name = "conv1_conv"}(x);
  x = ZeroPadding2D{}(relu(norm(std::move(x), "conv1_bn"), "conv1_relu"));
  x = MaxPooling2D{.pool_size = 3, .strides = 2, .name = "pool1"}(x);
  int number = 2;
  for (int64_t blocks : {6, 12, 24, 16}) {
    if (number > 2) {
      const std::string pool = fmt::format("pool{}", number - 1);
      x = relu(norm(std::move(x), pool + "_bn"), pool + "_relu");
      x = Conv2D{.filters = channels(x) / 2, .kernel_size = 1, .use_bias = false, .name = pool + "_conv"}(x);
      x = AveragePooling2D{.strides = 2, .name = pool + "_pool"}(x);
    }
    for (int64_t b = 1; b <= blocks; ++b) x = dense_block(x, fmt::format("conv{}_block{}", number, b));
    ++number;
  }
  x = relu(norm(std::move(x), "bn"), "relu");
  if (!include_top) return Functional{{in}, {pooled(std::move(x), pooling, true, "DenseNet121")}, name};
  x = GlobalAveragePooling2D{.name = "avg_pool"}(x);
  return Functional{{in}, {Dense{.units = classes, .activation = classifier_activation, .name = "predictions"}(x)}, name};
}

// ---- MobileNetV2 ----------------------------------------------------------------------------------------------------------------------

namespace {

Tensor slow_norm(Tensor x, const std::string& name) { return BatchNormalization{.momentum = 0.999, .name = name}(std::move(x)); }
Tensor relu6(Tensor x, const std::string& name) { return ReLU{.max_value = 6, .name = name}(std::move(x)); }

Tensor inverted_residual(const Tensor& in, const Stage& s, int64_t stride, int64_t filters, bool expand, const std::string& name) {
  Tensor x = in;
  if (expand) {
    x = Conv2D{.filters = s.expansion * channels(in), .kernel_size = 1, .padding = "same", .use_bias = false, .name = name + "expand"}(x);
    x = relu6(slow_norm(std::move(x), name + "expand_BN"), name + "expand_relu");
  }
  if (stride == 2) x = ZeroPadding2D{.padding = half_padding(x, 3), .name = name + "pad"}(x);
  x = DepthwiseConv2D{
      .kernel_size = 3, .strides = stride, .padding = stride == 1 ? "same" : "valid", .use_bias = false, .name = name + "depthwise"}(x);
  x = relu6(slow_norm(std::move(x), name + "depthwise_BN"), name + "depthwise_relu");
  x = Conv2D{.filters = filters, .kernel_size = 1, .padding = "same", .use_bias = false, .name = name + "project"}(x);
  x = slow_norm(std::move(x), name + "project_BN");
  if (stride == 2 || channels(in) != filters) return x;
  return Add{.name = name + "add"}({in, x});
}

}  // namespace

MobileNetV2::operator Model() const {
  check(std::isfinite(alpha) && alpha > 0, Code::InvalidArgument, "MobileNetV2: expected alpha > 0, got {}", alpha);
  const Tensor in = images(input_shape, include_top, "MobileNetV2");
  Tensor x = Conv2D{.filters = round_filters(32 * alpha), .kernel_size = 3, .strides = 2, .padding = "same", .use_bias = false, .name = "Conv1"}(in);
  x = relu6(slow_norm(std::move(x), "bn_Conv1"), "Conv1_relu");
  int number = 0;
  for (const Stage& s : {Stage{16, 1, 1, 1}, Stage{24, 2, 2}, Stage{32, 3, 2}, Stage{64, 4, 2}, Stage{96, 3}, Stage{160, 3, 2}, Stage{320, 1}})
    for (int64_t b = 0; b < s.blocks; ++b, ++number)
      x = inverted_residual(x, s, b == 0 ? s.stride : 1, round_filters(std::floor(static_cast<double>(s.filters) * alpha)), number > 0,
                            number > 0 ? fmt::format("block_{}_", number) : "expanded_conv_");
  x = Conv2D{.filters = alpha > 1 ? round_filters(1280 * alpha) : 1280, .kernel_size = 1, .use_bias = false, .name = "Conv_1"}(x);
  x = relu6(slow_norm(std::move(x), "Conv_1_bn"), "out_relu");
  const int64_t rows = in.shape()[1];
  const std::string model_name = !name.empty() ? name : fmt::format("mobilenetv2_{:.2f}_{}", alpha, rows < 0 ? "None" : std::to_string(rows));
  if (!include_top) return Functional{{in}, {pooled(std::move(x), pooling, false, "MobileNetV2")}, model_name};
  x = GlobalAveragePooling2D{}(x);
  return Functional{{in}, {Dense{.units = classes, .activation = classifier_activation, .name = "predictions"}(x)}, model_name};
}

// ---- EfficientNetB0 -------------------------------------------------------------------------------------------------------------------

namespace {

Initializer fan_out() { return initializers::VarianceScaling{.scale = 2, .mode = "fan_out", .distribution = "truncated_normal"}; }
Tensor swish_norm(Tensor x, const std::string& norm, const std::string& activation) {
  return Activation{.activation = "silu", .name = activation}(BatchNormalization{.axis = 3, .name = norm}(std::move(x)));
}

Tensor conv1(const Tensor& x, int64_t filters, const std::string& name, bool use_bias = false, ActivationFunction activation = {}) {
  return Conv2D{.filters = filters,
                .kernel_size = 1,
                .padding = "same",
                .activation = std::move(activation),
                .use_bias = use_bias,
                .kernel_initializer = fan_out(),
                .name = name}(x);
}

/// A quarter of `narrow` channels says how much of each channel goes through.
Tensor squeeze_excite(const Tensor& x, int64_t narrow, const std::string& name) {
  Tensor s = GlobalAveragePooling2D{.name = name + "se_squeeze"}(x);
  s = Reshape{.target_shape = {1, 1, channels(x)}, .name = name + "se_reshape"}(s);
  s = conv1(s, std::max<int64_t>(1, narrow / 4), name + "se_reduce", true, "silu");
  return Multiply{.name = name + "se_excite"}({x, conv1(s, channels(x), name + "se_expand", true, "sigmoid")});
}

Tensor efficient_block(const Tensor& in, const Stage& s, int64_t stride, double drop_rate, const std::string& name) {
  Tensor x = in;
  if (s.expansion != 1) x = swish_norm(conv1(x, s.expansion * channels(in), name + "expand_conv"), name + "expand_bn", name + "expand_activation");
  if (stride == 2) x = ZeroPadding2D{.padding = half_padding(x, s.kernel), .name = name + "dwconv_pad"}(x);
  x = DepthwiseConv2D{.kernel_size = s.kernel,
                      .strides = stride,
                      .padding = stride == 1 ? "same" : "valid",
                      .use_bias = false,
                      .depthwise_initializer = fan_out(),
                      .name = name + "dwconv"}(x);
  x = squeeze_excite(swish_norm(std::move(x), name + "bn", name + "activation"), channels(in), name);
  x = BatchNormalization{.axis = 3, .name = name + "project_bn"}(conv1(x, s.filters, name + "project_conv"));
  if (stride == 2 || channels(in) != s.filters) return x;
  if (drop_rate > 0) x = Dropout{.rate = drop_rate, .noise_shape = Shape{-1, 1, 1, 1}, .name = name + "drop"}(x);
  return Add{.name = name + "add"}({x, in});
}

}  // namespace

EfficientNetB0::operator Model() const {
  constexpr double drop_connect = 0.2, dropout = 0.2;
  const Stage stages[] = {{16, 1, 1, 1, 3},  {24, 2, 2, 6, 3},  {40, 2, 2, 6, 5}, {80, 3, 2, 6, 3},
                          {112, 3, 1, 6, 5}, {192, 4, 2, 6, 5}, {320, 1, 1, 6, 3}};
  int64_t all = 0, number = 0;
  for (const Stage& s : stages) all += s.blocks;
  const Tensor in = images(input_shape, include_top, "EfficientNetB0");
  Tensor x = Normalization{.axis = 3}(Rescaling{.scale = 1.0 / 255.0}(in));
  x = ZeroPadding2D{.padding = half_padding(x, 3), .name = "stem_conv_pad"}(x);
  x = Conv2D{.filters = 32, .kernel_size = 3, .strides = 2, .use_bias = false, .kernel_initializer = fan_out(), .name = "stem_conv"}(x);
  x = swish_norm(std::move(x), "stem_bn", "stem_activation");
  int stage = 1;
  for (const Stage& s : stages) {
    for (int64_t b = 0; b < s.blocks; ++b, ++number)
      x = efficient_block(x, s, b == 0 ? s.stride : 1, drop_connect * static_cast<double>(number) / static_cast<double>(all),
                          fmt::format("block{}{}_", stage, static_cast<char>('a' + b)));
    ++stage;
  }
  x = swish_norm(conv1(x, 1280, "top_conv"), "top_bn", "top_activation");
  if (!include_top) return Functional{{in}, {pooled(std::move(x), pooling, true, "EfficientNetB0")}, name};
  x = Dropout{.rate = dropout, .name = "top_dropout"}(GlobalAveragePooling2D{.name = "avg_pool"}(x));
  const Initializer kernel = initializers::VarianceScaling{.scale = 1.0 / 3.0, .mode = "fan_out", .distribution = "uniform"};
  return Functional{
      {in}, {Dense{.units = classes, .activation = classifier_activation, .kernel_initializer = kernel, .name = "predictions"}(x)}, name};
}

// ---- ConvNeXtTiny -----------------------------------------------------------------------------------------------------------------------

namespace {

LayerNormalization layer_norm(std::string name = {}) { return {.epsilon = 1e-6, .name = std::move(name)}; }

Tensor next_block(const Tensor& in, const std::string& name) {
  const int64_t width = channels(in);
  Tensor x = Conv2D{.filters = width, .kernel_size = 7, .padding = "same", .groups = width, .name = name + "_depthwise_conv"}(in);
  x = layer_norm(name + "_layernorm")(x);
  x = Dense{.units = 4 * width, .name = name + "_pointwise_conv_1"}(x);
  x = Dense{.units = width, .name = name + "_pointwise_conv_2"}(Activation{.activation = "gelu", .name = name + "_gelu"}(x));
  x = LayerScale{.init_values = 1e-6, .projection_dim = width, .name = name + "_layer_scale"}(x);
  return in + Tensor(Activation{.activation = "linear", .name = name + "_identity"}(x));
}

}  // namespace

ConvNeXtTiny::operator Model() const {
  const Tensor in = images(input_shape, include_top, "ConvNeXtTiny");
  Tensor x = in;
  if (include_preprocessing && channels(in) == 3) {
    auto square = [](double v) { return v * v; };
    x = Normalization{.mean = NumberList{0.485 * 255, 0.456 * 255, 0.406 * 255},
                      .variance = NumberList{square(0.229 * 255), square(0.224 * 255), square(0.225 * 255)},
                      .name = name + "_prestem_normalization"}(x);
  }
  int stage = 0;
  for (const Stage& s : {Stage{96, 3}, Stage{192, 3}, Stage{384, 9}, Stage{768, 3}}) {
    const Layer down =
        stage == 0
            ? Sequential(
                  {Conv2D{.filters = s.filters, .kernel_size = 4, .strides = 4, .name = name + "_stem_conv"}, layer_norm(name + "_stem_layernorm")},
                  name + "_stem")
            : Sequential(
                  {layer_norm(fmt::format("{}_downsampling_layernorm_{}", name, stage - 1)),
                   Conv2D{.filters = s.filters, .kernel_size = 2, .strides = 2, .name = fmt::format("{}_downsampling_conv_{}", name, stage - 1)}},
                  fmt::format("{}_downsampling_block_{}", name, stage - 1));
    x = down(x);
    for (int64_t b = 0; b < s.blocks; ++b) x = next_block(x, fmt::format("{}_stage_{}_block_{}", name, stage, b));
    ++stage;
  }
  if (!include_top) return Functional{{in}, {layer_norm()(pooled(std::move(x), pooling, false, "ConvNeXtTiny"))}, name};
  x = layer_norm(name + "_head_layernorm")(GlobalAveragePooling2D{.name = name + "_head_gap"}(x));
  return Functional{{in}, {Dense{.units = classes, .activation = classifier_activation, .name = name + "_head_dense"}(x)}, name};
}

}  // namespace tenure::applications

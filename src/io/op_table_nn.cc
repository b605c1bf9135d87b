// keras.ops.nn and the Fourier transforms. One row an op; nothing here owns anything.
#include <algorithm>
#include <array>

#include <tenure/convolution.h>
#include <tenure/ops_ctc.h>
#include <tenure/ops_nn.h>
#include <tenure/ops_signal.h>

#include "io/op_rows.h"

namespace tenure::io {

namespace {

Tensors polar_op(Args a) {
  const Tensor size = a.tensor(0, "abs_");
  return {ops::polar(size, a.tensor(1, "angle")).pairs()};
}

// ---- activations ------------------------------------------------------------------------------------------------------------------

template <Tensor (*F)(Tensor, int)>
Tensors on_axis(Args a) {
  Tensor x = a.tensor(0, "x");
  return {F(std::move(x), axis_of(a, 1, -1))};
}
template <Tensor (*F)(Tensor, double)>
Tensors with_threshold(Args a) {
  Tensor x = a.tensor(0, "x");
  return {F(std::move(x), a.number(1, "threshold", 0.5))};
}
Tensors squareplus_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {squareplus(std::move(x), a.number(1, "b", 4.0))};
}
Tensors threshold_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const double at = a.number(1, "threshold");
  return {threshold(std::move(x), at, a.number(2, "default_value"))};
}

// ---- normalization ----------------------------------------------------------------------------------------------------------------

Axes last_axis(Args a, int position) {
  const Axes axes = a.axes(position, "axis");
  return axes.empty() ? Axes{-1} : axes;
}
Tensors batch_norm_op(Args a) {
  Tensor x = a.tensor(0, "x"), mean = a.tensor(1, "mean"), variance = a.tensor(2, "variance");
  Tensor offset = a.maybe_tensor(3, "offset"), scale = a.maybe_tensor(4, "scale");
  const int axis = axis_of(a, -1, -1);
  return {batch_normalization(std::move(x), std::move(mean), std::move(variance), std::move(offset), std::move(scale), axis,
                              a.number(-1, "epsilon", 1e-3))};
}
Tensors layer_norm_op(Args a) {
  Tensor x = a.tensor(0, "x");
  Tensor gamma = a.maybe_tensor(1, "gamma"), beta = a.maybe_tensor(2, "beta");
  const Axes axes = last_axis(a, -1);
  const double epsilon = a.number(-1, "epsilon", 1e-7);
  if (!a.flag(-1, "rms_scaling")) return {layer_normalization(std::move(x), std::move(gamma), std::move(beta), axes, epsilon)};
  // By the variance, and without beta: as Keras has it.
  Tensor factor = rsqrt(add(var(x, axes, true), epsilon));
  if (gamma.defined() && gamma.rank() < x.rank()) {
    Shape beside = x.shape();
    for (int i = 0; i < x.rank(); ++i)
      if (std::none_of(axes.begin(), axes.end(), [&](int axis) { return normalize_axis(axis, x.rank()) == i; })) beside[i] = 1;
    gamma = reshape(std::move(gamma), beside);
  }
  Tensor y = multiply(std::move(x), std::move(factor));
  return {gamma.defined() ? multiply(std::move(y), std::move(gamma)) : y};
}
Tensors rms_norm_op(Args a) {
  Tensor x = a.tensor(0, "x");
  Tensor scale = a.maybe_tensor(1, "scale");
  const Axes axes = last_axis(a, -1);
  return {rms_normalization(std::move(x), std::move(scale), axes, a.maybe_number(-1, "epsilon"))};
}
Tensors normalize_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Axes axes = last_axis(a, 1);
  const auto order = static_cast<int>(a.integer(2, "order", 2));
  return {normalize(std::move(x), axes, order, a.maybe_number(3, "epsilon"))};
}
Tensors moments_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Axes axes = a.axes(1, "axes");
  auto [mean, variance] = moments(std::move(x), axes, a.flag(2, "keepdims"));
  a.flag(3, "synchronized");
  return {std::move(mean), std::move(variance)};
}

// ---- losses -----------------------------------------------------------------------------------------------------------------------

Tensors binary_crossentropy_op(Args a) {
  Tensor target = a.tensor(0, "target"), output = a.tensor(1, "output");
  return {binary_crossentropy(std::move(target), std::move(output), a.flag(2, "from_logits"))};
}
template <Tensor (*F)(Tensor, Tensor, bool, int)>
Tensors crossentropy(Args a) {
  Tensor target = a.tensor(0, "target"), output = a.tensor(1, "output");
  const bool logits = a.flag(2, "from_logits");
  return {F(std::move(target), std::move(output), logits, axis_of(a, 3, -1))};
}
Tensors ctc_loss_op(Args a) {
  Tensor target = a.tensor(0, "target"), output = a.tensor(1, "output"), labels = a.tensor(2, "target_length"), steps = a.tensor(3, "output_length");
  return {ctc_loss(std::move(target), std::move(output), std::move(labels), std::move(steps), a.integer(4, "mask_index", 0))};
}
Tensors ctc_decode_op(Args a) {
  Tensor x = a.tensor(0, "inputs"), steps = a.tensor(1, "sequence_lengths");
  const std::string strategy = a.text(2, "strategy", "greedy");
  const int64_t width = a.integer(3, "beam_width", 100), paths = a.integer(4, "top_paths", 1);
  const bool merge = a.flag(5, "merge_repeated", true);
  return ctc_decode(std::move(x), std::move(steps), strategy, width, paths, merge, a.maybe_integer(6, "mask_index"));
}
Tensors psnr_op(Args a) {
  Tensor x = a.tensor(0, "x1"), y = a.tensor(1, "x2");
  return {psnr(std::move(x), std::move(y), a.number(2, "max_val"))};
}

// ---- windows ----------------------------------------------------------------------------------------------------------------------

template <Tensor (*F)(Tensor, const std::vector<int64_t>&)>
Tensors adaptive_pool(Args a) {
  Tensor x = a.tensor(0, "inputs");
  std::vector<int64_t> size = a.integers(1, "output_size");
  if (size.size() == 1) size.resize(static_cast<size_t>(std::max(1, x.rank() - 2)), size[0]);
  return {channels_last(a, 2, std::move(x), [&](Tensor t) { return F(std::move(t), size); })};
}
Tensors conv_transpose_op(Args a) {
  Tensor x = a.tensor(0, "inputs"), k = a.tensor(1, "kernel");
  const std::vector<int64_t> strides = a.integers(2, "strides", {1});
  const std::string padding = a.text(3, "padding", "valid");
  const std::vector<int64_t> more = a.integers(4, "output_padding");
  const std::vector<int64_t> dilation = a.integers(6, "dilation_rate", {1});
  return {channels_last(a, 5, std::move(x), [&](Tensor t) {
    return conv_transpose(std::move(t), std::move(k), {.strides = strides, .padding = padding, .output_padding = more, .dilation_rate = dilation});
  })};
}
Tensors separable_conv_op(Args a) {
  Tensor x = a.tensor(0, "inputs"), depth = a.tensor(1, "depthwise_kernel"), point = a.tensor(2, "pointwise_kernel");
  const std::vector<int64_t> strides = a.integers(3, "strides", {1});
  const std::string padding = a.text(4, "padding", "valid");
  const std::vector<int64_t> dilation = a.integers(6, "dilation_rate", {1});
  return {channels_last(a, 5, std::move(x), [&](Tensor t) {
    return separable_conv(std::move(t), std::move(depth), std::move(point), {.strides = strides, .padding = padding, .dilation_rate = dilation});
  })};
}
template <Tensor (*F)(Tensor, int64_t, std::string_view)>
Tensors blocks(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t n = a.integer(1, "block_size");
  return {F(std::move(x), n, a.text(2, "data_format", "channels_last"))};
}
Tensors unfold_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Pair kernel = pair_of(a, 1, "kernel_size", {}), dilation = pair_of(a, 2, "dilation", Pair(1)), padding = pair_of(a, 3, "padding", Pair(0));
  return {unfold(std::move(x), kernel, dilation, padding, pair_of(a, 4, "stride", Pair(1)))};
}
Tensors fold_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Pair size = pair_of(a, 1, "output_size", {}), kernel = pair_of(a, 2, "kernel_size", {}), dilation = pair_of(a, 3, "dilation", Pair(1));
  const Pair padding = pair_of(a, 4, "padding", Pair(0));
  return {fold(std::move(x), size, kernel, dilation, padding, pair_of(a, 5, "stride", Pair(1)))};
}
Tensors multi_hot_op(Args a) {
  Tensor x = a.tensor(0, "inputs");
  const int64_t classes = a.integer(1, "num_classes");
  const int axis = axis_of(a, 2, -1);
  a.text(-1, "dtype_policy", "");
  return {multi_hot(std::move(x), classes, axis, dtype_of_argument(a, 3, "dtype").value_or(float32))};
}
Tensors attention_op(Args a) {
  Tensor q = a.tensor(0, "query"), k = a.tensor(1, "key"), v = a.tensor(2, "value");
  Tensor bias = a.maybe_tensor(3, "bias"), mask = a.maybe_tensor(4, "mask");
  const std::optional<double> scale = a.maybe_number(5, "scale");
  return {dot_product_attention(std::move(q), std::move(k), std::move(v), std::move(bias), std::move(mask), scale, a.flag(6, "is_causal"))};
}

// ---- Fourier ----------------------------------------------------------------------------------------------------------------------

std::pair<Tensor, Tensor> pair_of_parts(Args a) {
  Tensors x = a.tensors(0, "x");
  if (x.size() != 2) a.wrong("x", Json(x.size()), "a real and an imaginary part");
  return {std::move(x[0]), std::move(x[1])};
}
template <Tensors (*F)(Tensor, Tensor)>
Tensors transform(Args a) {
  auto [re, im] = pair_of_parts(a);
  return F(std::move(re), std::move(im));
}
Tensors rfft_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return rfft(std::move(x), a.maybe_integer(1, "fft_length"));
}
Tensors irfft_op(Args a) {
  auto [re, im] = pair_of_parts(a);
  return {irfft(std::move(re), std::move(im), a.maybe_integer(1, "fft_length"))};
}
Tensors extract_sequences_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t n = a.integer(1, "sequence_length");
  return {extract_sequences(std::move(x), n, a.integer(2, "sequence_stride"))};
}

// A window by name, by values or none.
struct Window {
  std::string name;
  Tensor values;  // stack-bound
  Window(Args a, int position) {
    const Json& j = a.value(position, "window");
    if (j.is_string()) name = j.get<std::string>();
    else if (!j.is_null()) values = a.tensor(position, "window");
  }
};
Tensors stft_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const int64_t n = a.integer(1, "sequence_length"), stride = a.integer(2, "sequence_stride"), length = a.integer(3, "fft_length");
  const Window w(a, 4);
  return stft(std::move(x), n, stride, length, w.name, a.flag(5, "center", true), w.values);
}
Tensors istft_op(Args a) {
  auto [re, im] = pair_of_parts(a);
  const int64_t n = a.integer(1, "sequence_length"), stride = a.integer(2, "sequence_stride"), fft_length = a.integer(3, "fft_length");
  const std::optional<int64_t> length = a.maybe_integer(4, "length");
  const Window w(a, 5);
  return {istft(std::move(re), std::move(im), n, stride, fft_length, length, w.name, a.flag(6, "center", true), w.values)};
}

constexpr std::array nn_table = std::to_array<OpRow>({
    {"AdaptiveAveragePool", adaptive_pool<adaptive_average_pool>},
    {"AdaptiveMaxPool", adaptive_pool<adaptive_max_pool>},
    {"BatchNorm", batch_norm_op},
    {"BinaryCrossentropy", binary_crossentropy_op},
    {"CTCDecode", ctc_decode_op},
    {"CTCLoss", ctc_loss_op},
    {"CategoricalCrossentropy", crossentropy<categorical_crossentropy>},
    {"ConvTranspose", conv_transpose_op},
    {"DepthToSpace", blocks<depth_to_space>},
    {"DotProductAttention", attention_op},
    {"ExtractSequences", extract_sequences_op},
    {"FFT", transform<fft>},
    {"FFT2", transform<fft2>},
    {"Fold", fold_op},
    {"Glu", on_axis<glu>},
    {"HardShrink", with_threshold<hard_shrink>},
    {"IFFT2", transform<ifft2>},
    {"IRFFT", irfft_op},
    {"ISTFT", istft_op},
    {"LayerNorm", layer_norm_op},
    {"Moments", moments_op},
    {"MultiHot", multi_hot_op},
    {"Normalize", normalize_op},
    {"PSNR", psnr_op},
    {"Polar", polar_op, OpRow::complex},
    {"RFFT", rfft_op},
    {"RMSNorm", rms_norm_op},
    {"STFT", stft_op},
    {"SeparableConv", separable_conv_op},
    {"SoftShrink", with_threshold<soft_shrink>},
    {"SpaceToDepth", blocks<space_to_depth>},
    {"SparseCategoricalCrossentropy", crossentropy<sparse_categorical_crossentropy>},
    {"SparsePlus", one<sparse_plus>},
    {"SparseSigmoid", one<sparse_sigmoid>},
    {"Sparsemax", on_axis<sparsemax>},
    {"Squareplus", squareplus_op},
    {"Threshold", threshold_op},
    {"Unfold", unfold_op},
});
static_assert(std::is_sorted(nn_table.begin(), nn_table.end(), [](const OpRow& a, const OpRow& b) { return a.name < b.name; }));

}  // namespace

std::span<const OpRow> nn_rows() { return nn_table; }

}  // namespace tenure::io

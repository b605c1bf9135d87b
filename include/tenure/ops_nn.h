// More of keras.ops.nn: names, argument names and defaults are Keras'. Shape, DType or InvalidArgument is thrown, naming the op and what it was
// called with.
#pragma once

#include <optional>
#include <string_view>

#include <tenure/ops.h>

namespace tenure {

// ---- activations ----
/// The first half of an axis times sigmoid of the second.
TENURE_API Tensor glu(Tensor x, int axis = -1);
/// 0 where |x| <= threshold.
TENURE_API Tensor hard_shrink(Tensor x, double threshold = 0.5);
/// x moved towards 0 by threshold, 0 where |x| <= threshold.
TENURE_API Tensor soft_shrink(Tensor x, double threshold = 0.5);
/// 0 up to -1, (x + 1)² / 4 between, x from 1.
TENURE_API Tensor sparse_plus(Tensor x);
/// 0 up to -1, (x + 1) / 2 between, 1 from 1.
TENURE_API Tensor sparse_sigmoid(Tensor x);
/// The nearest point of the probability simplex.
TENURE_API Tensor sparsemax(Tensor x, int axis = -1);
/// (x + sqrt(x² + b)) / 2.
TENURE_API Tensor squareplus(Tensor x, double b = 4);
/// default_value where x <= threshold.
TENURE_API Tensor threshold(Tensor x, double threshold, double default_value);
/// Over several axes at once.
TENURE_API Tensor softmax(Tensor x, const Axes& axis);

// ---- normalization ----
/// x over its norm of an order along axes; order 2 multiplies by the smaller of 1 / norm and 1 / epsilon. epsilon: 1e-7.
TENURE_API Tensor normalize(Tensor x, const Axes& axis = {-1}, int order = 2, std::optional<double> epsilon = {});
/// x over the root of its mean square along axes, times scale where given. epsilon: 1e-7.
TENURE_API Tensor rms_normalization(Tensor x, Tensor scale = {}, const Axes& axis = {-1}, std::optional<double> epsilon = {});

// ---- layouts: [batch, height, width, channels], or with channels_first [batch, channels, height, width] ----
/// Blocks of block_size² channels become pixels.
TENURE_API Tensor depth_to_space(Tensor x, int64_t block_size, std::string_view data_format = "channels_last");
/// Blocks of block_size x block_size pixels become channels.
TENURE_API Tensor space_to_depth(Tensor x, int64_t block_size, std::string_view data_format = "channels_last");
/// The windows of [batch, channels, height, width] as columns: [batch, channels * kernel elements, windows].
TENURE_API Tensor unfold(Tensor x, Pair kernel_size, Pair dilation = 1, Pair padding = 0, Pair stride = 1);
/// Sums columns of windows back into [batch, channels, height, width]: the gradient of unfold.
TENURE_API Tensor fold(Tensor x, Pair output_size, Pair kernel_size, Pair dilation = 1, Pair padding = 0, Pair stride = 1);

// ---- others ----
/// 1 for every class among an input's second axis (or, of a vector, among all).
TENURE_API Tensor multi_hot(Tensor x, int64_t num_classes, int axis = -1, DType dtype = float32);
/// Attention of [batch, steps, heads, size] with as many key and value heads, or fewer that are repeated. bias is added to the scores
/// [batch, heads, queries, keys]; where mask is false a score counts for nothing. scale: 1 / sqrt(size).
TENURE_API Tensor dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor bias = {}, Tensor mask = {}, std::optional<double> scale = {},
                                        bool is_causal = false);
/// The peak signal-to-noise ratio in decibels.
TENURE_API Tensor psnr(Tensor x1, Tensor x2, double max_val);

}  // namespace tenure

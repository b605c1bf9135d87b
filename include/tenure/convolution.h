// Convolution and pooling of [batch, spatial..., channels] with 1 to 3 spatial dimensions; one number in a list of sizes stands for all of them.
// ops.h has those of images with sizes as pairs. As there: Shape, DType or InvalidArgument is thrown, naming the op and what it was called with.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <tenure/tensor.h>

namespace tenure {

struct ConvNdOptions {
  std::vector<int64_t> strides = {1};
  std::string_view padding = "valid";  ///< valid, same or, for one dimension, causal
  std::vector<int64_t> dilation_rate = {1};
  int64_t groups = 1;
  std::string_view activation = {};  ///< fused: "", relu, relu6, silu, ...
};
/// kernel [spatial..., in / groups, out]; bias [out] may be empty.
TENURE_API Tensor conv(Tensor x, Tensor kernel, const ConvNdOptions& options = {}, Tensor bias = {});
/// kernel [spatial..., in, multiplier]; groups is ignored.
TENURE_API Tensor depthwise_conv(Tensor x, Tensor kernel, const ConvNdOptions& options = {}, Tensor bias = {});
/// Depthwise, then pointwise with a kernel [1..., in * multiplier, out].
TENURE_API Tensor separable_conv(Tensor x, Tensor depthwise_kernel, Tensor pointwise_kernel, const ConvNdOptions& options = {}, Tensor bias = {});
struct ConvTransposeOptions {
  std::vector<int64_t> strides = {1};
  std::string_view padding = "valid";  ///< valid or same
  std::vector<int64_t> output_padding = {}, dilation_rate = {1};
  std::string_view activation = {};
};
/// The gradient of a convolution by its input, as a layer; kernel [spatial..., out, in].
TENURE_API Tensor conv_transpose(Tensor x, Tensor kernel, const ConvTransposeOptions& options = {}, Tensor bias = {});

struct PoolNdOptions {
  std::vector<int64_t> pool_size = {2}, strides = {};  ///< one number for all dimensions; strides: pool_size when empty
  std::string_view padding = "valid";
};
/// Over 1 to 3 spatial dimensions.
TENURE_API Tensor max_pool(Tensor x, const PoolNdOptions& options = {});
/// Padding does not count.
TENURE_API Tensor average_pool(Tensor x, const PoolNdOptions& options = {});
/// Window i of each spatial dimension covers floor(i n / size) to ceil((i + 1) n / size). output_size has a number for each dimension.
TENURE_API Tensor adaptive_max_pool(Tensor x, const std::vector<int64_t>& output_size);
TENURE_API Tensor adaptive_average_pool(Tensor x, const std::vector<int64_t>& output_size);

}  // namespace tenure

// Ops of images [batch, height, width, channels] or of one image without batch. Names, argument names and defaults are keras.ops.image's.
// data_format "channels_first" takes [batch, channels, height, width]. Shape, DType or InvalidArgument is thrown, naming the op and what it was
// called with. All have gradients where the function has one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/ops.h>

namespace tenure {

/// Weighted sum of red, green and blue (0.2989, 0.5870, 0.1140) in the images' dtype; images of one channel stay as they are.
TENURE_API Tensor rgb_to_grayscale(Tensor images, std::string_view data_format = "channels_last");
/// Hue, saturation and value, each in [0, 1], of float images in [0, 1].
TENURE_API Tensor rgb_to_hsv(Tensor images, std::string_view data_format = "channels_last");
/// The inverse of rgb_to_hsv.
TENURE_API Tensor hsv_to_rgb(Tensor images, std::string_view data_format = "channels_last");
/// The pixel at (x, y) is taken from ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) with k = c0 x + c1 y + 1 and transform
/// [a0, a1, a2, b0, b1, b2, c0, c1], one ([8]) or one an image ([batch, 8]). interpolation: bilinear or nearest; fill_mode: constant, nearest, wrap
/// or reflect. Integer images are interpolated in float32 and cut off. The gradient is the function's own (TensorFlow's is an approximation by the
/// inverse transform), by images and by transforms.
TENURE_API Tensor affine_transform(Tensor images, Tensor transform, std::string_view interpolation = "bilinear",
                                   std::string_view fill_mode = "constant", double fill_value = 0, std::string_view data_format = "channels_last");
/// affine_transform by the projection that takes four start_points to four end_points, (x, y) each: [4, 2], or [batch, 4, 2].
TENURE_API Tensor perspective_transform(Tensor images, Tensor start_points, Tensor end_points, std::string_view interpolation = "bilinear",
                                        double fill_value = 0, std::string_view data_format = "channels_last");
/// Values of `inputs` (any rank) at `coordinates` [rank, ...]: order 0 takes the nearest element, 1 interpolates. fill_mode: constant, nearest,
/// wrap, mirror or reflect.
TENURE_API Tensor map_coordinates(Tensor inputs, Tensor coordinates, int order, std::string_view fill_mode = "constant", double fill_value = 0);

/// How images become another size: keras.ops.image.resize's arguments.
struct ResizeOptions {
  Pair size = 1;                           ///< height and width, needed
  std::string interpolation = "bilinear";  ///< or nearest, bicubic, lanczos3, lanczos5
  bool antialias = false;                  ///< widens the filter where images become smaller
  bool crop_to_aspect_ratio = false;       ///< takes the largest middle part with the proportions of `size`
  bool pad_to_aspect_ratio = false;        ///< puts a border of fill_value around, to the proportions of `size`
  std::string fill_mode = "constant";
  double fill_value = 0;
  std::string data_format = "channels_last";
};
/// As the resize of ops.h, with the parts of the image that it concerns.
TENURE_API Tensor resize(Tensor images, const ResizeOptions& options);

/// Rows and columns to leave out or to add; of top, bottom and target_height (left, right and target_width) two are given, or none for no change.
struct ImageBorders {
  std::optional<int64_t> top = {}, left = {}, bottom = {}, right = {}, target_height = {}, target_width = {};
};
/// A part of every image.
TENURE_API Tensor crop_images(Tensor images, const ImageBorders& cropping, std::string_view data_format = "channels_last");
/// Zeros around every image.
TENURE_API Tensor pad_images(Tensor images, const ImageBorders& padding, std::string_view data_format = "channels_last");
/// Patches of size[0] x size[1] (or, for volumes, three sizes) pixels as channels, row by row: [batch, rows, columns, pixels * channels].
/// Empty strides are the size. padding: valid or same.
TENURE_API Tensor extract_patches(Tensor images, const std::vector<int64_t>& size, const std::vector<int64_t>& strides = {},
                                  int64_t dilation_rate = 1, std::string_view padding = "valid", std::string_view data_format = "channels_last");
/// Sobel's derivatives by rows and by columns: one more axis of 2 at the end. The border is reflected.
TENURE_API Tensor sobel_edges(Tensor images, std::string_view data_format = "channels_last");
/// A Gaussian filter with zeros around the image.
TENURE_API Tensor gaussian_blur(Tensor images, Pair kernel_size = 3, double sigma_y = 1, double sigma_x = 1,
                                std::string_view data_format = "channels_last");
/// How far elastic_transform moves pixels, and what it takes where nothing is: keras.ops.image.elastic_transform's arguments.
struct ElasticOptions {
  double alpha = 20;                       ///< how far; 0 moves nothing
  double sigma = 5;                        ///< of the Gaussian that makes neighbours move alike, in pixels, above 0; its reach is 3 floor(sigma)
  std::string interpolation = "bilinear";  ///< or nearest
  std::string fill_mode = "reflect";       ///< or constant, nearest, wrap
  double fill_value = 0;
  std::string data_format = "channels_last";
};
/// Float images bent by random fields, another one for each image and each of its two axes (TensorFlow's Keras takes the same field for both): Simard,
/// Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document analysis" (2003). One draw.
TENURE_API Tensor elastic_transform(Tensor images, const SeedGenerator& seed, const ElasticOptions& options = {});
/// Resamples the axes in spatial_dims to output_shape: what was at i stands at scale * i + translation, zero where nothing was. scale, translation:
/// [number of spatial_dims]; method: linear, cubic, lanczos3 or lanczos5. antialias widens the filter where it makes images smaller. Integer
/// images are rounded and kept within their own values.
TENURE_API Tensor scale_and_translate(Tensor images, const Shape& output_shape, Tensor scale, Tensor translation, const Axes& spatial_dims,
                                      std::string_view method, bool antialias = true);
/// Structural similarity, in [-1, 1], one for each pair of images: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility
/// to structural similarity" (2004). max_val is the range of the values.
TENURE_API Tensor ssim(Tensor image1, Tensor image2, double max_val = 1, int64_t filter_size = 11, double filter_sigma = 1.5, double k1 = 0.01,
                       double k2 = 0.03, std::string_view data_format = "channels_last");

}  // namespace tenure

// keras.ops.image. One row an op; nothing here owns anything.
#include <algorithm>
#include <array>

#include <tenure/ops_image.h>

#include "io/op_rows.h"
#include "ops/elastic.h"

namespace tenure::io {

namespace {

std::string format_of(Args a, int position) { return a.text(position, "data_format", "channels_last"); }

template <Tensor (*F)(Tensor, std::string_view)>
Tensors in_format(Args a) {
  Tensor x = a.tensor(0, "images");
  return {F(std::move(x), format_of(a, 1))};
}
Tensors resize_op(Args a) {
  Tensor x = a.tensor(0, "images");
  ResizeOptions o;
  o.size = pair_of(a, 1, "size", {});
  o.interpolation = a.text(2, "interpolation", "bilinear");
  o.antialias = a.flag(3, "antialias");
  o.crop_to_aspect_ratio = a.flag(-1, "crop_to_aspect_ratio"), o.pad_to_aspect_ratio = a.flag(-1, "pad_to_aspect_ratio");
  o.fill_mode = a.text(-1, "fill_mode", "constant"), o.fill_value = a.number(-1, "fill_value", 0.0);
  o.data_format = format_of(a, -1);
  return {resize(std::move(x), o)};
}
Tensors affine_transform_op(Args a) {
  Tensor x = a.tensor(0, "images"), t = a.tensor(1, "transform");
  const std::string how = a.text(2, "interpolation", "bilinear"), mode = a.text(3, "fill_mode", "constant");
  const double value = a.number(4, "fill_value", 0.0);
  return {affine_transform(std::move(x), std::move(t), how, mode, value, format_of(a, 5))};
}
Tensors perspective_transform_op(Args a) {
  Tensor x = a.tensor(0, "images"), start = a.tensor(1, "start_points"), end = a.tensor(2, "end_points");
  const std::string how = a.text(3, "interpolation", "bilinear");
  const double value = a.number(4, "fill_value", 0.0);
  return {perspective_transform(std::move(x), std::move(start), std::move(end), how, value, format_of(a, 5))};
}
Tensors map_coordinates_op(Args a) {
  Tensor x = a.tensor(0, "inputs");
  Tensor at = a.value(1, "coordinates").is_array() && a.has_tensor_inside(1, "coordinates") ? stack(a.tensors(1, "coordinates"), 0)
                                                                                            : a.tensor(1, "coordinates");
  const auto order = static_cast<int>(a.integer(2, "order"));
  const std::string mode = a.text(3, "fill_mode", "constant");
  return {map_coordinates(std::move(x), std::move(at), order, mode, a.number(4, "fill_value", 0.0))};
}
ImageBorders borders(Args a, const char* kind) {
  const std::string end = kind;
  auto number = [&](const char* side) { return a.maybe_integer(-1, (side + end).c_str()); };
  ImageBorders b{number("top_"), number("left_"), number("bottom_"), number("right_")};
  b.target_height = a.maybe_integer(-1, "target_height");
  b.target_width = a.maybe_integer(-1, "target_width");
  return b;
}
Tensors crop_images_op(Args a) {
  Tensor x = a.tensor(0, "images");
  const ImageBorders b = borders(a, "cropping");
  return {crop_images(std::move(x), b, format_of(a, -1))};
}
Tensors pad_images_op(Args a) {
  Tensor x = a.tensor(0, "images");
  const ImageBorders b = borders(a, "padding");
  return {pad_images(std::move(x), b, format_of(a, -1))};
}
Tensors extract_patches_op(Args a) {
  Tensor x = a.tensor(0, "images");
  std::vector<int64_t> size = a.integers(1, "size"), strides = a.integers(2, "strides");
  const int64_t dilation = a.integer(3, "dilation_rate", 1);
  const std::string padding = a.text(4, "padding", "valid");
  return {extract_patches(std::move(x), size, strides, dilation, padding, format_of(a, 5))};
}
Tensors gaussian_blur_op(Args a) {
  Tensor x = a.tensor(0, "images");
  const Pair size = pair_of(a, 1, "kernel_size", Pair(3));
  std::vector<double> sigma = a.numbers(2, "sigma");
  if (sigma.empty()) sigma = {1, 1};
  if (sigma.size() > 2) a.wrong("sigma", Json(sigma), "one number or two");
  return {gaussian_blur(std::move(x), size, sigma.front(), sigma.back(), format_of(a, 3))};
}
Tensors elastic_transform_op(Args a) {
  Tensor x = a.tensor(0, "images");
  const ElasticOptions o{.alpha = a.number(1, "alpha", 20.0),
                         .sigma = a.number(2, "sigma", 5.0),
                         .interpolation = a.text(3, "interpolation", "bilinear"),
                         .fill_mode = a.text(4, "fill_mode", "reflect"),
                         .fill_value = a.number(5, "fill_value", 0.0),
                         .data_format = format_of(a, 7)};
  return {ops::elastic_at(std::move(x), a.random_state(6, "seed"), o)};
}
Tensors scale_and_translate_op(Args a) {
  Tensor x = a.tensor(0, "images");
  const std::vector<int64_t> shape = a.integers(1, "output_shape"), dims = a.integers(-1, "spatial_dims");
  Tensor scale = a.tensor(2, "scale"), translation = a.tensor(3, "translation");
  const bool antialias = a.flag(-1, "antialias", true);
  return {scale_and_translate(std::move(x), Shape(shape), std::move(scale), std::move(translation), Axes(dims.begin(), dims.end()),
                              a.text(-1, "method", "linear"), antialias)};
}
Tensors ssim_op(Args a) {
  Tensor x = a.tensor(0, "image1"), y = a.tensor(1, "image2");
  const double range = a.number(2, "max_val", 1);
  const int64_t size = a.integer(3, "filter_size", 11);
  const double sigma = a.number(4, "filter_sigma", 1.5), k1 = a.number(5, "k1", 0.01), k2 = a.number(6, "k2", 0.03);
  return {ssim(std::move(x), std::move(y), range, size, sigma, k1, k2, format_of(a, 7))};
}

constexpr std::array image_table = std::to_array<OpRow>({
    {"AffineTransform", affine_transform_op},
    {"CropImages", crop_images_op},
    {"ElasticTransform", elastic_transform_op, OpRow::draws},
    {"ExtractPatches", extract_patches_op},
    {"GaussianBlur", gaussian_blur_op},
    {"HSVToRGB", in_format<hsv_to_rgb>},
    {"MapCoordinates", map_coordinates_op},
    {"PadImages", pad_images_op},
    {"PerspectiveTransform", perspective_transform_op},
    {"RGBToGrayscale", in_format<rgb_to_grayscale>},
    {"RGBToHSV", in_format<rgb_to_hsv>},
    {"Resize", resize_op},
    {"SSIM", ssim_op},
    {"ScaleAndTranslate", scale_and_translate_op},
    {"SobelEdges", in_format<sobel_edges>},
});
static_assert(std::is_sorted(image_table.begin(), image_table.end(), [](const OpRow& a, const OpRow& b) { return a.name < b.name; }));

}  // namespace

std::span<const OpRow> image_rows() { return image_table; }

}  // namespace tenure::io

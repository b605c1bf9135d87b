// Resizing and CenterCrop. Nothing here owns anything.
#include <tenure/ops_image.h>

#include "nn/preprocessing.h"

namespace tenure {
namespace layers {

namespace {

// Where the two axes of an image's size stand.
int height_axis(const Tensor& x, std::string_view format) { return nn::channels_first(format) ? x.rank() - 2 : x.rank() - 3; }

void check_images(const Tensor& x, const char* layer) {
  check(x.rank() == 3 || x.rank() == 4, Code::Shape, "{}: expected images of rank 4, or one of rank 3, got {}", layer, x.spec());
}

// With a height or width unknown only the shape is asked for.
Tensor only_shape(const Tensor& x, int axis, int64_t height, int64_t width) {
  Shape s = x.shape();
  s[axis] = height, s[axis + 1] = width;
  return make_abstract({s, x.dtype()});
}

void check_size(int64_t height, int64_t width, const char* layer) {
  nn::check_positive(height, layer, "height");
  nn::check_positive(width, layer, "width");
}

}  // namespace

// ---- Resizing -----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Resizing& c) {
  nn::visit_format(v, c.data_format);
  v("height", c.height), v("width", c.width), v("interpolation", c.interpolation);
  v("crop_to_aspect_ratio", c.crop_to_aspect_ratio), v("pad_to_aspect_ratio", c.pad_to_aspect_ratio);
  v("fill_mode", c.fill_mode), v("fill_value", c.fill_value), v("antialias", c.antialias);
}

class ResizingLayer final : public LayerOf<Resizing> {
 public:
  explicit ResizingLayer(const Resizing& c) : LayerOf(c) {
    check_size(c.height, c.width, "Resizing");
    const std::string_view i = c.interpolation;
    check(i == "bilinear" || i == "nearest" || i == "bicubic" || i == "lanczos3" || i == "lanczos5", Code::InvalidArgument,
          "Resizing: expected interpolation bilinear, nearest, bicubic, lanczos3 or lanczos5, got '{}'", i);
    check(c.fill_mode == "constant", Code::InvalidArgument, "Resizing: expected fill_mode constant, got '{}'", c.fill_mode);
    check(!c.crop_to_aspect_ratio || !c.pad_to_aspect_ratio, Code::InvalidArgument,
          "Resizing: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other");
    nn::channels_first(c.data_format);
  }
  Tensor call(Tensor x, const Call&) override {
    check_images(x, "Resizing");
    const auto& c = config;
    return resize(std::move(x), {.size = {c.height, c.width},
                                 .interpolation = c.interpolation,
                                 .antialias = c.antialias,
                                 .crop_to_aspect_ratio = c.crop_to_aspect_ratio,
                                 .pad_to_aspect_ratio = c.pad_to_aspect_ratio,
                                 .fill_value = c.fill_value,
                                 .data_format = c.data_format});
  }
};
Resizing::operator Layer() const { return make_layer<ResizingLayer>(*this); }
Outputs Resizing::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- CenterCrop ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, CenterCrop& c) {
  nn::visit_format(v, c.data_format);
  v("height", c.height), v("width", c.width);
}

class CenterCropLayer final : public LayerOf<CenterCrop> {
 public:
  explicit CenterCropLayer(const CenterCrop& c) : LayerOf(c) {
    check_size(c.height, c.width, "CenterCrop");
    nn::channels_first(c.data_format);
  }
  Tensor call(Tensor x, const Call&) override {
    check_images(x, "CenterCrop");
    const auto& c = config;
    if (x.dtype() != compute_dtype()) x = cast(std::move(x), compute_dtype());
    const int axis = height_axis(x, c.data_format);
    const int64_t h = x.shape()[axis], w = x.shape()[axis + 1];
    if (h < 0 || w < 0) return only_shape(x, axis, c.height, c.width);
    if (h < c.height || w < c.width)
      return resize(std::move(x), {.size = {c.height, c.width}, .crop_to_aspect_ratio = true, .data_format = c.data_format});
    const int64_t top = (h - c.height) / 2, left = (w - c.width) / 2;
    return slice_axis(slice_axis(std::move(x), axis, top, top + c.height), axis + 1, left, left + c.width);
  }
};
CenterCrop::operator Layer() const { return make_layer<CenterCropLayer>(*this); }
Outputs CenterCrop::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_preprocess_images(LayerRegistry& r) {
  r.add<layers::Resizing>("Resizing");
  r.add<layers::CenterCrop>("CenterCrop");
}

}  // namespace tenure

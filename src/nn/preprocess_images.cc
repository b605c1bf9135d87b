// Resizing and CenterCrop. Nothing here owns anything.
#include <algorithm>
#include <cmath>

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

// Keras computes the proportions in float32.
int64_t in_proportion(int64_t a, int64_t b, int64_t c) { return static_cast<int64_t>(static_cast<float>(a * b) / static_cast<float>(c)); }

// The largest middle part with the proportions of the target.
Tensor cropped_to_aspect(Tensor x, int axis, int64_t height, int64_t width) {
  const int64_t h = x.shape()[axis], w = x.shape()[axis + 1];
  const int64_t ch = std::max<int64_t>(std::min(h, in_proportion(w, height, width)), 1);
  const int64_t cw = std::max<int64_t>(std::min(w, in_proportion(h, width, height)), 1);
  const int64_t top = (h - ch) / 2, left = (w - cw) / 2;
  if (ch != h) x = slice_axis(std::move(x), axis, top, top + ch);
  return cw == w ? std::move(x) : slice_axis(std::move(x), axis + 1, left, left + cw);
}

// The same border before and behind: as Keras has it one less than the proportions ask for where that is odd.
Tensor padded_to_aspect(Tensor x, int axis, int64_t height, int64_t width, double value) {
  const int64_t h = x.shape()[axis], w = x.shape()[axis + 1];
  const int64_t rows = (std::max(h, in_proportion(w, height, width)) - h) / 2, columns = (std::max(w, in_proportion(h, width, height)) - w) / 2;
  if (rows == 0 && columns == 0) return x;
  std::vector<std::pair<int64_t, int64_t>> borders(static_cast<size_t>(x.rank()));
  borders[static_cast<size_t>(axis)] = {rows, rows}, borders[static_cast<size_t>(axis) + 1] = {columns, columns};
  return pad(std::move(x), borders, "constant", value);
}

// channels_last images of rank 3 or 4 and back: a batch of one where there is none.
Tensor resized(Tensor x, Pair size, std::string_view interpolation, bool antialias, std::string_view format) {
  const bool one = x.rank() == 3;
  if (one) x = expand_dims(std::move(x), 0);
  x = resize(nn::to_last(std::move(x), format), size, interpolation, antialias);
  x = nn::from_last(std::move(x), format);
  return one ? squeeze(std::move(x), {0}) : std::move(x);
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
    const int axis = height_axis(x, c.data_format);
    if (x.shape()[axis] < 0 || x.shape()[axis + 1] < 0) return only_shape(x, axis, c.height, c.width);
    if (c.crop_to_aspect_ratio) x = cropped_to_aspect(std::move(x), axis, c.height, c.width);
    if (c.pad_to_aspect_ratio) x = padded_to_aspect(std::move(x), axis, c.height, c.width, c.fill_value);
    return resized(std::move(x), {c.height, c.width}, c.interpolation, c.antialias, c.data_format);
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
    if (h < c.height || w < c.width) {
      x = cropped_to_aspect(std::move(x), axis, c.height, c.width);
      return resized(std::move(x), {c.height, c.width}, "bilinear", false, c.data_format);
    }
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

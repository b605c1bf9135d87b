// Layers that spread the values of images: no random numbers. And MaxNumBoundingBoxes.
#include <algorithm>

#include "nn/augment.h"

namespace tenure {
namespace layers {

using nn::kBytes;
using nn::Range;

namespace {
constexpr int64_t kValues = 256;
}  // namespace

// ---- AutoContrast ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, AutoContrast& c) { v("value_range", c.value_range), nn::image_fields(v, c); }

class AutoContrastLayer final : public LayerOf<AutoContrast> {
 public:
  explicit AutoContrastLayer(const AutoContrast& c) : LayerOf(c), values_(nn::values_of(c.value_range, "AutoContrast")) {
    config.value_range = nn::list_of(values_);
  }
  // As Keras has it: over the first two axes of an image, whatever data_format says.
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() == 3 || x.rank() == 4, Code::Shape, "{}: expected images of rank 3 or 4, got {}", name(), x.spec());
    const Axes axes = x.rank() == 4 ? Axes{1, 2} : Axes{0, 1};
    const DType t = compute_dtype();
    const Tensor given = nn::as(std::move(x), t), y = nn::rescaled(given, values_, kBytes);
    const Tensor low = min(y, axes, true), scale = divide(255.0, subtract(max(y, axes, true), low));
    Tensor spread = clip(subtract(multiply(y, scale), multiply(low, scale)), 0, 255);
    // A channel of one value stays as it is.
    const Tensor flat = logical_not(isfinite(scale));
    return where(flat, given, nn::rescaled(std::move(spread), kBytes, values_));
  }

 private:
  Range values_;
};
AutoContrast::operator Layer() const { return make_layer<AutoContrastLayer>(*this); }
Outputs AutoContrast::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Equalization ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Equalization& c) { v("bins", c.bins), v("value_range", c.value_range), nn::image_fields(v, c); }

class EqualizationLayer final : public nn::ImagesLayer<Equalization> {
 public:
  explicit EqualizationLayer(const Equalization& c) : ImagesLayer(c), values_(nn::values_of(c.value_range, "Equalization")) {
    nn::check_positive(c.bins, "Equalization", "bins");
    config.value_range = nn::list_of(values_);
  }

 private:
  bool keeps_integers() const override { return !acts(); }
  Tensor changed(Tensor x) const override {
    const int64_t n = x.shape().back();
    Tensors channels = split(std::move(x), n, -1);
    for (Tensor& c : channels) c = equalized(std::move(c));
    return concatenate(channels, -1);
  }
  Tensor equalized(Tensor x) const {
    const auto most = static_cast<double>(config.bins - 1);
    x = nn::rescaled(std::move(x), values_, kBytes);
    const Tensor wide = nn::as(x, float32);
    Tensor index = clip(cast(divide(multiply(wide, most), 255), int32), 0, most);
    const int64_t n = x.size();
    Tensor counts = cast(scatter_add(reshape(std::move(index), {n}), ones({n}), {config.bins}), float64);
    const Tensor used = sum(cast(greater(counts, 0), int32)), total = cumsum(std::move(counts), 0);
    const Tensor first = min(where(greater(total, 0), total, full({}, 1e300, float64)));
    Tensor rest = subtract(static_cast<double>(n), first);
    rest = where(equal(rest, 0), full({}, 1, float64), rest);
    Tensor table = clip(round(divide(multiply(subtract(total, first), 255), std::move(rest))), 0, 255);
    Tensor place = cast(clip(multiply(divide(wide, 255), most), 0, most), int32);
    Tensor y = nn::as(take(std::move(table), std::move(place), 0), x.dtype());
    return nn::rescaled(where(less_equal(used, 1), x, std::move(y)), kBytes, values_);
  }
  Range values_;
};
Equalization::operator Layer() const { return make_layer<EqualizationLayer>(*this); }
Outputs Equalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ContrastLimitedAdaptiveHistogramEqualization -------------------------------------------------------------------------------

void fields(Fields& v, ContrastLimitedAdaptiveHistogramEqualization& c) {
  v("value_range", c.value_range), v("clip_limit", c.clip_limit);
  nn::visit_pair(v, "tile_grid_size", c.tile_grid_size.h, c.tile_grid_size.w);
  nn::image_fields(v, c);
}

class ContrastLimitedAdaptiveHistogramEqualizationLayer final : public nn::ImagesLayer<ContrastLimitedAdaptiveHistogramEqualization> {
 public:
  explicit ContrastLimitedAdaptiveHistogramEqualizationLayer(const ContrastLimitedAdaptiveHistogramEqualization& c)
      : ImagesLayer(c), values_(nn::values_of(c.value_range, class_name())) {
    check(c.tile_grid_size.h > 0 && c.tile_grid_size.w > 0, Code::InvalidArgument, "{}: expected a tile_grid_size > 0, got {} x {}", class_name(),
          c.tile_grid_size.h, c.tile_grid_size.w);
  }

 private:
  // Tiles of one axis, and between which two of them each place lies: `from` and `to` count the first and the last tile twice.
  struct Axis {
    int64_t tiles, size;
    std::vector<int32_t> from, to;
    std::vector<float> share;
    Axis(int64_t length, int64_t grid) : tiles(grid), size((length + grid - 1) / grid) {
      for (int64_t i = 0; i < tiles * size; ++i) {
        const float at = (static_cast<float>(i) - static_cast<float>(size) / 2.0f) / static_cast<float>(size) + 1.0f;
        const auto f = static_cast<int32_t>(at);
        from.push_back(f), to.push_back(std::min<int32_t>(f + 1, static_cast<int32_t>(tiles) + 1)), share.push_back(at - static_cast<float>(f));
      }
    }
  };
  bool acts() const override { return true; }
  bool keeps_integers() const override { return true; }
  Tensor changed(Tensor x) const override {
    const DType t = x.dtype();
    return nn::as(nn::rescaled(spread(nn::rescaled(nn::as(std::move(x), float32), values_, kBytes)), kBytes, values_), t);
  }
  Tensor spread(Tensor x) const {
    const int64_t n = x.shape()[0], h = x.shape()[1], w = x.shape()[2], channels = x.shape()[3];
    const Axis rows(h, config.tile_grid_size.h), columns(w, config.tile_grid_size.w);
    const Shape down{1, rows.tiles * rows.size, 1, 1}, across{1, 1, columns.tiles * columns.size, 1};
    auto steps = [](int64_t count, int64_t stride, const Shape& s) {
      return reshape(arange(0, static_cast<double>(count * stride), static_cast<double>(stride)), s);
    };
    const int64_t pixels = rows.size * columns.size, tiles = n * rows.tiles * columns.tiles * channels;
    x = pad(std::move(x), {{0, 0}, {0, rows.tiles * rows.size - h}, {0, columns.tiles * columns.size - w}, {0, 0}}, "symmetric");
    Tensor value = cast(clip(std::move(x), 0, 255), int32);
    // Histograms of [batch, rows, columns, channels] of tiles, cut and given back evenly.
    Tensor tiled = reshape(value, {n, rows.tiles, rows.size, columns.tiles, columns.size, channels});
    tiled = reshape(transpose(std::move(tiled), {0, 1, 3, 5, 2, 4}), {tiles, pixels});
    Tensor numbers = steps(tiles, kValues, {tiles, 1});
    Tensor index = reshape(add(std::move(tiled), std::move(numbers)), {tiles * pixels});
    Tensor counts = reshape(scatter_add(std::move(index), ones({tiles * pixels}), {tiles * kValues}), {tiles, kValues});
    if (config.clip_limit > 0) {
      Tensor cut = clip(counts, 0, static_cast<float>(config.clip_limit * static_cast<double>(pixels) / kValues));
      Tensor over = divide(sum(subtract(counts, cut), {-1}, true), static_cast<double>(kValues));
      counts = add(std::move(cut), std::move(over));
    }
    const Tensor total = cumsum(std::move(counts), 1), first = min(total, {-1}, true);
    Tensor rest = subtract(static_cast<double>(pixels), first);
    rest = where(equal(rest, 0), ones_like(rest), rest);
    Tensor map = clip(divide(multiply(subtract(total, first), 255), std::move(rest)), 0, 255);
    map = reshape(std::move(map), {n, rows.tiles, columns.tiles, channels, kValues});
    map = pad(std::move(map), {{0, 0}, {1, 1}, {1, 1}, {0, 0}, {0, 0}}, "edge");
    map = reshape(std::move(map), {-1});
    // Each pixel by the maps of the four tiles around it.
    const int64_t stride_x = kValues * channels, stride_y = stride_x * (columns.tiles + 2), stride_n = stride_y * (rows.tiles + 2);
    const Tensor base = add(add(steps(n, stride_n, {n, 1, 1, 1}), steps(channels, kValues, {1, 1, 1, channels})), std::move(value));
    auto at = [&](const Tensor& y, const Tensor& z) {
      Tensor place = add(multiply(y, static_cast<int>(stride_y)), multiply(z, static_cast<int>(stride_x)));
      return take(map, add(base, std::move(place)), 0);
    };
    auto between = [](Tensor a, Tensor b, const Tensor& part) {
      return add(multiply(std::move(a), subtract(1.0, part)), multiply(std::move(b), part));
    };
    const Tensor low_y = Tensor::from(rows.from, down), high_y = Tensor::from(rows.to, down), part_y = Tensor::from(rows.share, down);
    const Tensor low_x = Tensor::from(columns.from, across), high_x = Tensor::from(columns.to, across), part_x = Tensor::from(columns.share, across);
    Tensor top = between(at(low_y, low_x), at(low_y, high_x), part_x);
    Tensor bottom = between(at(high_y, low_x), at(high_y, high_x), part_x);
    Tensor y = between(std::move(top), std::move(bottom), part_y);
    return slice_axis(slice_axis(std::move(y), 1, 0, h), 2, 0, w);
  }
  Range values_;
};
ContrastLimitedAdaptiveHistogramEqualization::operator Layer() const { return make_layer<ContrastLimitedAdaptiveHistogramEqualizationLayer>(*this); }
Outputs ContrastLimitedAdaptiveHistogramEqualization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- MaxNumBoundingBoxes --------------------------------------------------------------------------------------------------------

void fields(Fields& v, MaxNumBoundingBoxes& c) {
  v("max_number", c.max_number);
  if (c.fill_value != -1 || nn::reads(v)) v("fill_value", c.fill_value);  // Keras reads it and does not write it
  nn::image_fields(v, c);
}

class MaxNumBoundingBoxesLayer final : public LayerOf<MaxNumBoundingBoxes> {
 public:
  explicit MaxNumBoundingBoxesLayer(const MaxNumBoundingBoxes& c) : LayerOf(c) {
    nn::check_positive(c.max_number, "MaxNumBoundingBoxes", "max_number");
  }
  Tensors call_all(Tensors xs, const Call&) override {
    if (xs.size() == 1) return xs;
    check(xs.size() == 3 && xs[1].rank() == 3 && xs[2].rank() == 2, Code::Shape,
          "{}: expected images, or {{images, boxes [batch, n, 4], labels [batch, n]}}, got {} tensors", name(), xs.size());
    for (size_t i = 1; i < 3; ++i) {
      const int64_t more = std::max<int64_t>(config.max_number - xs[i].shape()[1], 0);
      xs[i] = slice_axis(std::move(xs[i]), 1, 0, config.max_number);
      std::vector<std::pair<int64_t, int64_t>> around(static_cast<size_t>(xs[i].rank()));
      around[1].second = more;
      if (more > 0) xs[i] = pad(std::move(xs[i]), around, "constant", static_cast<double>(config.fill_value));
    }
    return xs;
  }
};
MaxNumBoundingBoxes::operator Layer() const { return make_layer<MaxNumBoundingBoxesLayer>(*this); }
Outputs MaxNumBoundingBoxes::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_augment_histogram(LayerRegistry& r) {
  r.add<layers::AutoContrast>("AutoContrast");
  r.add<layers::Equalization>("Equalization");
  r.add<layers::ContrastLimitedAdaptiveHistogramEqualization>("ContrastLimitedAdaptiveHistogramEqualization");
  r.add<layers::MaxNumBoundingBoxes>("MaxNumBoundingBoxes");
}

}  // namespace tenure

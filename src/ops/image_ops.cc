// Ops of images as compositions: colours, sampling at transformed places, borders, patches, filters. Nothing here owns anything.
#include <tenure/ops_image.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <tenure/ops_linalg.h>
#include <tenure/ops_numpy.h>

#include "core/context.h"
#include "ops/draws.h"
#include "ops/elastic.h"
#include "ops/helpers.h"
#include "ops/patches.h"
#include "ops/sample.h"

namespace tenure {
namespace {

using namespace ops;

// Images as [batch, height, width, channels] for the time of an op; close() puts a result of that rank back in the caller's form.
struct Images {
  Tensor x;  // stack-bound
  bool single, first;

  Images(Tensor images, std::string_view data_format, std::string_view op) : x(std::move(images)), single(x.rank() == 3), first(false) {
    check(data_format == "channels_last" || data_format == "channels_first", Code::InvalidArgument,
          "{}: expected data_format channels_last or channels_first, got '{}'", op, data_format);
    check(x.rank() == 3 || x.rank() == 4, Code::Shape, "{}: expected images [batch, height, width, channels] or one without batch, got {}", op,
          x.spec());
    first = data_format == "channels_first";
    if (single) x = expand_dims(std::move(x), 0);
    if (first) x = transpose(std::move(x), {0, 2, 3, 1});
  }
  int64_t height() const { return x.shape()[1]; }
  int64_t width() const { return x.shape()[2]; }
  int64_t channels() const { return x.shape()[3]; }
  void need_size(std::string_view op) const {
    check(height() >= 0 && width() >= 0 && channels() >= 0, Code::Shape, "{}: height, width and channels must be known, got {}", op, x.spec());
  }
  Tensor close(Tensor y) const {
    const int rank = y.rank();
    if (first) y = transpose(std::move(y), rank == 5 ? std::vector<int>{0, 3, 1, 2, 4} : std::vector<int>{0, 3, 1, 2});
    return single ? squeeze(std::move(y), {0}) : y;
  }
};

Tensors colours(const Images& images, std::string_view op) {
  check(is_float(images.x.dtype()), Code::DType, "{}: expected float images, got {}", op, images.x.spec());
  check(images.channels() == 3, Code::Shape, "{}: expected 3 channels, got {}", op, images.x.spec());
  return split(images.x, 3, -1);
}

// ---- size -----------------------------------------------------------------------------------------------------------------------

// Keras computes the proportions in float32.
int64_t in_proportion(int64_t a, int64_t b, int64_t c) { return static_cast<int64_t>(static_cast<float>(a * b) / static_cast<float>(c)); }

// The largest middle part with the proportions of the target.
Tensor cropped_to_aspect(const Images& images, Pair to) {
  const int64_t h = images.height(), w = images.width();
  const int64_t ch = std::max<int64_t>(std::min(h, in_proportion(w, to.h, to.w)), 1);
  const int64_t cw = std::max<int64_t>(std::min(w, in_proportion(h, to.w, to.h)), 1);
  const int64_t top = (h - ch) / 2, left = (w - cw) / 2;
  Tensor x = ch == h ? images.x : slice_axis(images.x, 1, top, top + ch);
  return cw == w ? x : slice_axis(std::move(x), 2, left, left + cw);
}

// The same border before and behind: as Keras has it one less than the proportions ask for where that is odd.
Tensor padded_to_aspect(const Images& images, Pair to, double value) {
  const int64_t h = images.height(), w = images.width();
  const int64_t rows = (std::max(h, in_proportion(w, to.h, to.w)) - h) / 2, columns = (std::max(w, in_proportion(h, to.w, to.h)) - w) / 2;
  if (rows == 0 && columns == 0) return images.x;
  return pad(images.x, {{0, 0}, {rows, rows}, {columns, columns}, {0, 0}}, "constant", value);
}

// ---- sampling -------------------------------------------------------------------------------------------------------------------

// Coordinates on an axis of n pixels, moved into it as TensorFlow's image transform does.
Tensor folded(Tensor at, int64_t n, std::string_view mode) {
  if (mode == "constant") return at;
  const auto last = static_cast<double>(n - 1), size = static_cast<double>(n);
  if (mode == "nearest") return clip(std::move(at), 0, last);
  if (n <= 1) return zeros_like(at);
  const Tensor below = less(at, 0.0), above = greater(at, last);
  Tensor left, right;
  if (mode == "reflect") {
    const double turn = 2 * size;
    const Tensor l = add(at, multiply(floor(divide(negative(at), turn)), turn)), r = subtract(at, multiply(floor(divide(at, turn)), turn));
    left = where(less(l, -size), add(l, turn), subtract(-1.0, l));
    right = where(greater_equal(r, size), subtract(turn - 1, r), r);
  } else {
    left = add(at, multiply(add(floor(divide(negative(at), last)), 1.0), size));
    right = subtract(at, multiply(floor(divide(at, last)), size));
  }
  return clip(where(below, std::move(left), where(above, std::move(right), std::move(at))), 0, last);
}

// Terms of a sum of rows: places in the flattened input (-1: outside) and their weights, each with the terms as last axis.
struct RowTerms {
  Tensors index, weight;  // stack-bound

  // Of a product of per-axis terms: floors[a] and 1 - fractions[a] | fractions[a] (undefined fractions: the floor alone).
  void add_all(const Tensors& floors, const Tensors& fractions, const std::vector<int64_t>& sizes, size_t axis, Tensor at, Tensor inside, Tensor w) {
    if (axis == floors.size()) {
      index.push_back(where(inside, at, -1));
      weight.push_back(where(std::move(inside), std::move(w), 0.0));
      return;
    }
    const auto n = static_cast<double>(sizes[axis]);
    for (int upper = 0; upper <= (fractions[axis] ? 1 : 0); ++upper) {
      Tensor place = upper ? add(floors[axis], 1.0) : floors[axis];
      Tensor ok = logical_and(greater_equal(place, 0.0), less(place, n));
      place = cast(where(ok, std::move(place), 0.0), int32);
      Tensor share = !fractions[axis] ? Tensor() : upper ? fractions[axis] : subtract(1.0, fractions[axis]);
      add_all(floors, fractions, sizes, axis + 1, at ? add(multiply(at, static_cast<int>(sizes[axis])), place) : place,
              inside ? logical_and(inside, ok) : ok,
              !share ? (w ? w : ones_like(floors[axis]))
              : w    ? multiply(w, share)
                     : share);
    }
  }
};

// x [batch, n, c] sampled by terms over [batch or 1, points].
Tensor sum_of(Tensor x, const RowTerms& t, double fill) {
  Tensor index = stack(t.index, -1), weight = stack(t.weight, -1);
  Tensor y = gather_sum(std::move(x), std::move(index), weight);
  if (fill == 0) return y;
  return add(std::move(y), multiply(subtract(1.0, sum(std::move(weight), {-1}, true)), fill));
}

DType working_type(DType t) noexcept { return t == float64 ? float64 : float32; }

void check_sampling(std::string_view op, std::string_view interpolation, std::string_view fill_mode) {
  check(interpolation == "bilinear" || interpolation == "nearest", Code::InvalidArgument, "{}: expected interpolation bilinear or nearest, got '{}'",
        op, interpolation);
  check(fill_mode == "constant" || fill_mode == "nearest" || fill_mode == "wrap" || fill_mode == "reflect", Code::InvalidArgument,
        "{}: expected fill_mode constant, nearest, wrap or reflect, got '{}'", op, fill_mode);
}

// What stands around coordinates [batch or 1, points], one tensor an axis, in map_coordinates' way: each corner's index is moved into the axis by
// itself, as Keras does.
RowTerms corners(const Tensors& coordinates, const std::vector<int64_t>& sizes, bool nearest, std::string_view fill_mode) {
  Tensors floors, fractions;
  for (const Tensor& at : coordinates) {
    floors.push_back(nearest ? round(at) : floor(at));
    fractions.push_back(nearest ? Tensor() : subtract(at, floors.back()));
  }
  auto inside = [&](Tensor at, int64_t size) {
    const auto n = static_cast<double>(size);
    if (fill_mode == "nearest") return clip(std::move(at), 0, n - 1);
    if (fill_mode == "wrap") return mod(std::move(at), n);
    const Tensor turned = mod(abs(std::move(at)), 2 * n);
    return clip(where(less(turned, n), turned, subtract(fill_mode == "reflect" ? 2 * n - 1 : 2 * n, turned)), 0, n - 1);
  };
  RowTerms terms;
  for (int corner = 0; corner < (nearest ? 1 : 1 << sizes.size()); ++corner) {
    Tensors places;
    Tensor weight;
    for (size_t a = 0; a < floors.size(); ++a) {
      const bool upper = (corner >> a & 1) != 0;
      Tensor at = upper ? add(floors[a], 1.0) : floors[a];
      places.push_back(fill_mode == "constant" ? std::move(at) : inside(std::move(at), sizes[a]));
      if (nearest) continue;
      Tensor share = upper ? fractions[a] : subtract(1.0, fractions[a]);
      weight = weight ? multiply(std::move(weight), std::move(share)) : std::move(share);
    }
    terms.add_all(places, Tensors(places.size()), sizes, 0, {}, {}, std::move(weight));
  }
  return terms;
}

// images at x and y [batch or 1, height · width], in their own dtype.
Tensor sample(const Images& images, Tensor x, Tensor y, std::string_view interpolation, std::string_view fill_mode, double fill_value) {
  const DType dtype = images.x.dtype(), work = working_type(dtype);
  const int64_t h = images.height(), w = images.width(), c = images.channels(), batch = images.x.shape()[0];
  x = folded(std::move(x), w, fill_mode);
  y = folded(std::move(y), h, fill_mode);
  Tensors floors, fractions(2);
  for (Tensor* at : {&y, &x}) {
    if (interpolation == "nearest") {  // half away from zero
      floors.push_back(multiply(sign(*at), floor(add(abs(*at), 0.5))));
      continue;
    }
    floors.push_back(floor(*at));
    fractions[floors.size() - 1] = cast(subtract(*at, floors.back()), work);
  }
  RowTerms terms;
  terms.add_all(floors, fractions, {h, w}, 0, {}, {}, {});
  for (Tensor& weight : terms.weight) weight = cast(std::move(weight), work);
  Tensor rows = reshape(cast(images.x, work), {batch < 0 ? -1 : batch, h * w, c});
  return cast(reshape(sum_of(std::move(rows), terms, fill_value), {batch < 0 ? -1 : batch, h, w, c}), dtype);
}

}  // namespace

// ---- size -----------------------------------------------------------------------------------------------------------------------

Tensor resize(Tensor images, const ResizeOptions& o) {
  check(!o.crop_to_aspect_ratio || !o.pad_to_aspect_ratio, Code::InvalidArgument,
        "resize: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other");
  check(o.fill_mode == "constant", Code::InvalidArgument, "resize: expected fill_mode constant, got '{}'", o.fill_mode);
  check(o.size.h > 0 && o.size.w > 0, Code::InvalidArgument, "resize: expected a size of at least 1x1, got {}x{}", o.size.h, o.size.w);
  Images i(std::move(images), o.data_format, "resize");
  // The shape alone is the same whatever part is taken.
  const bool open = thread_context.abstract && (i.height() < 0 || i.width() < 0);
  if ((o.crop_to_aspect_ratio || o.pad_to_aspect_ratio) && !open) {
    i.need_size("resize");
    i.x = o.crop_to_aspect_ratio ? cropped_to_aspect(i, o.size) : padded_to_aspect(i, o.size, o.fill_value);
  }
  return i.close(resize(std::move(i.x), o.size, o.interpolation, o.antialias));
}

// ---- colours --------------------------------------------------------------------------------------------------------------------

Tensor rgb_to_grayscale(Tensor images, std::string_view data_format) {
  Images in(std::move(images), data_format, "rgb_to_grayscale");
  check(in.channels() == 1 || in.channels() == 3, Code::Shape, "rgb_to_grayscale: expected 3 channels or 1, got {}", in.x.spec());
  if (in.channels() == 1) return in.close(in.x);
  const DType t = in.x.dtype();
  Tensor weights = cast(Tensor::from<float>({0.2989F, 0.5870F, 0.1140F}, {3, 1}), is_float(t) ? t : float32);
  return in.close(cast(matmul(to_float(in.x), std::move(weights)), t));
}

Tensor rgb_to_hsv(Tensor images, std::string_view data_format) {
  const Images in(std::move(images), data_format, "rgb_to_hsv");
  const Tensors c = colours(in, "rgb_to_hsv");
  const Tensor &r = c[0], &g = c[1], &b = c[2];
  const Tensor value = maximum(r, maximum(g, b)), range = subtract(value, minimum(r, minimum(g, b)));
  const Tensor positive = greater(value, 0.0), coloured = greater(range, 0.0);
  Tensor saturation = where(positive, divide(range, where(positive, value, 1.0)), 0.0);
  const Tensor norm = divide(1.0, multiply(where(coloured, range, 1.0), 6.0));
  Tensor hue = where(equal(r, value), multiply(norm, subtract(g, b)),
                     where(equal(g, value), add(multiply(norm, subtract(b, r)), 2.0 / 6.0), add(multiply(norm, subtract(r, g)), 4.0 / 6.0)));
  hue = where(coloured, std::move(hue), 0.0);
  hue = where(less(hue, 0.0), add(hue, 1.0), hue);
  return in.close(concatenate({hue, saturation, value}, -1));
}

Tensor hsv_to_rgb(Tensor images, std::string_view data_format) {
  const Images in(std::move(images), data_format, "hsv_to_rgb");
  const Tensors c = colours(in, "hsv_to_rgb");
  const Tensor six = multiply(c[0], 6.0);
  auto colour = [&](Tensor share) { return multiply(add(subtract(1.0, c[1]), multiply(c[1], clip(std::move(share), 0, 1))), c[2]); };
  return in.close(concatenate({colour(subtract(abs(subtract(six, 3.0)), 1.0)), colour(subtract(2.0, abs(subtract(six, 2.0)))),
                               colour(subtract(2.0, abs(subtract(six, 4.0))))},
                              -1));
}

// ---- sampling -------------------------------------------------------------------------------------------------------------------

Tensor affine_transform(Tensor images, Tensor transform, std::string_view interpolation, std::string_view fill_mode, double fill_value,
                        std::string_view data_format) {
  check_sampling("affine_transform", interpolation, fill_mode);
  const Images in(std::move(images), data_format, "affine_transform");
  in.need_size("affine_transform");
  const int64_t batch = in.x.shape()[0], h = in.height(), w = in.width();
  const Shape ts = transform.shape();
  check((ts.rank() == 1 || ts.rank() == 2) && ts.back() == 8 && (ts.rank() == 1 || ts[0] == 1 || ts[0] < 0 || batch < 0 || ts[0] == batch),
        Code::Shape, "affine_transform: expected a transform [8] or one an image, got {} for {}", transform.spec(), in.x.spec());
  check(h * w < (int64_t{1} << 31), Code::Shape, "affine_transform: an image of {} pixels is too large", h * w);
  if (ts.rank() == 1) transform = expand_dims(std::move(transform), 0);
  const Tensors t = split(cast(std::move(transform), working_type(in.x.dtype())), 8, 1);
  std::vector<float> columns, rows;
  for (int64_t i = 0; i < h * w; ++i) columns.push_back(static_cast<float>(i % w)), rows.push_back(static_cast<float>(i / w));
  const DType type = t[0].dtype();
  const Tensor x = cast(Tensor::from(columns, {1, h * w}), type), y = cast(Tensor::from(rows, {1, h * w}), type);
  auto plane = [&](size_t i) { return add(multiply(t[i], x), multiply(t[i + 1], y)); };
  const Tensor k = add(plane(6), 1.0);
  return in.close(sample(in, divide(add(plane(0), t[2]), k), divide(add(plane(3), t[5]), k), interpolation, fill_mode, fill_value));
}

Tensor perspective_transform(Tensor images, Tensor start_points, Tensor end_points, std::string_view interpolation, double fill_value,
                             std::string_view data_format) {
  auto fits = [](const Shape& s) { return (s.rank() == 2 || s.rank() == 3) && s[s.rank() - 2] == 4 && s.back() == 2; };
  check(fits(start_points.shape()) && fits(end_points.shape()) && start_points.rank() == end_points.rank(), Code::Shape,
        "perspective_transform: expected points [4, 2] or [batch, 4, 2], got {} and {}", start_points.spec(), end_points.spec());
  const bool one = start_points.rank() == 2;
  if (one) start_points = expand_dims(std::move(start_points), 0), end_points = expand_dims(std::move(end_points), 0);
  const Tensors from = split(cast(std::move(start_points), float32), 2, -1), to = split(cast(std::move(end_points), float32), 2, -1);
  // Two equations a point for the eight numbers of the transform that takes the end back to the start; [batch, 4, 8] each.
  const Tensor &x = to[0], &y = to[1], unit = ones_like(x), none = zeros_like(x);
  const Tensor rows = concatenate({x, y, unit, none, none, none, negative(multiply(from[0], x)), negative(multiply(from[0], y))}, -1);
  const Tensor columns = concatenate({none, none, none, x, y, unit, negative(multiply(from[1], x)), negative(multiply(from[1], y))}, -1);
  Tensor t = solve(concatenate({rows, columns}, 1), concatenate({from[0], from[1]}, 1));
  t = squeeze(std::move(t), {-1});
  if (one) t = squeeze(std::move(t), {0});
  return affine_transform(std::move(images), std::move(t), interpolation, "constant", fill_value, data_format);
}

Tensor map_coordinates(Tensor inputs, Tensor coordinates, int order, std::string_view fill_mode, double fill_value) {
  const Shape xs = inputs.shape(), cs = coordinates.shape();
  check(cs.rank() >= 2 && cs[0] == xs.rank(), Code::Shape, "map_coordinates: expected coordinates [{}, ...] for {}, got {}", xs.rank(), inputs.spec(),
        coordinates.spec());
  check(xs.known() && xs.elements() > 0, Code::Shape, "map_coordinates: expected inputs of known sizes with elements, got {}", inputs.spec());
  check(order == 0 || order == 1, Code::InvalidArgument, "map_coordinates: expected order 0 or 1, got {}", order);
  check(fill_mode == "constant" || fill_mode == "nearest" || fill_mode == "wrap" || fill_mode == "mirror" || fill_mode == "reflect",
        Code::InvalidArgument, "map_coordinates: expected fill_mode constant, nearest, wrap, mirror or reflect, got '{}'", fill_mode);
  const DType dtype = inputs.dtype(), work = working_type(is_float(coordinates.dtype()) ? coordinates.dtype() : float32);
  Tensors at = unstack(reshape(cast(std::move(coordinates), work), {cs[0], -1}), 0);
  for (Tensor& axis : at) axis = expand_dims(std::move(axis), 0);
  const RowTerms terms = corners(at, {xs.begin(), xs.end()}, order == 0, fill_mode);
  Shape ys = cs.slice(1, cs.rank());
  Tensor y = sum_of(reshape(cast(std::move(inputs), work), {1, xs.elements(), 1}), terms, fill_value);
  if (!ys.known()) {
    int unknown = 0;
    for (int64_t d : ys) unknown += d < 0;
    check(unknown == 1, Code::Shape, "map_coordinates: more than one size of {} is not known", ys);
  }
  y = reshape(std::move(y), ys);
  return cast(is_float(dtype) ? std::move(y) : round(std::move(y)), dtype);
}

// ---- borders --------------------------------------------------------------------------------------------------------------------

namespace {

// What stands before and behind on one axis when two of three numbers are given; `sign` is 1 where the target is larger than the size.
std::pair<int64_t, int64_t> ends(std::string_view op, std::optional<int64_t> before, std::optional<int64_t> behind, std::optional<int64_t> target,
                                 int64_t size, int sign) {
  const int given = (before ? 1 : 0) + (behind ? 1 : 0) + (target ? 1 : 0);
  check(given == 2 || given == 0, Code::InvalidArgument, "{}: expected two of the borders and the target size of an axis, got {}", op, given);
  if (given == 0) return {0, 0};
  check(size >= 0 || !target, Code::Shape, "{}: the images' size must be known where a target is given", op);
  if (!before) before = sign * (*target - size) - *behind;
  if (!behind) behind = sign * (*target - size) - *before;
  check(*before >= 0 && *behind >= 0, Code::InvalidArgument, "{}: borders of {} and {} around {} pixels are not possible", op, *before, *behind,
        size);
  return {*before, *behind};
}

}  // namespace

Tensor crop_images(Tensor images, const ImageBorders& c, std::string_view data_format) {
  const Images in(std::move(images), data_format, "crop_images");
  const auto rows = ends("crop_images", c.top, c.bottom, c.target_height, in.height(), -1),
             columns = ends("crop_images", c.left, c.right, c.target_width, in.width(), -1);
  check((in.height() < 0 || rows.first + rows.second <= in.height()) && (in.width() < 0 || columns.first + columns.second <= in.width()), Code::Shape,
        "crop_images: more is cut off than {} has", in.x.spec());
  auto cut = [](Tensor x, int axis, std::pair<int64_t, int64_t> e) {
    if (e.first == 0 && e.second == 0) return x;
    return slice_axis(std::move(x), axis, e.first, e.second == 0 ? std::numeric_limits<int64_t>::max() : -e.second);
  };
  return in.close(cut(cut(in.x, 1, rows), 2, columns));
}

Tensor pad_images(Tensor images, const ImageBorders& p, std::string_view data_format) {
  const Images in(std::move(images), data_format, "pad_images");
  return in.close(pad(in.x, {{0, 0},
                             ends("pad_images", p.top, p.bottom, p.target_height, in.height(), 1),
                             ends("pad_images", p.left, p.right, p.target_width, in.width(), 1),
                             {0, 0}}));
}

Tensor extract_patches(Tensor images, const std::vector<int64_t>& size, const std::vector<int64_t>& strides, int64_t dilation_rate,
                       std::string_view padding, std::string_view data_format) {
  const int spatial = size.size() == 3 ? 3 : 2;
  check(!size.empty() && size.size() <= 3, Code::InvalidArgument, "extract_patches: expected one to three sizes, got {}", size.size());
  check(images.rank() == spatial + 1 || images.rank() == spatial + 2, Code::Shape, "extract_patches: expected images or volumes, got {}",
        images.spec());
  const bool single = images.rank() == spatial + 1, first = data_format == "channels_first";
  if (single) images = expand_dims(std::move(images), 0);
  std::vector<int> last{0}, back{0, spatial + 1};
  for (int i = 0; i < spatial; ++i) last.push_back(i + 2), back.push_back(i + 1);
  last.push_back(1);
  if (first) images = transpose(std::move(images), last);
  Patches p{size, strides.empty() ? size : strides, {dilation_rate}, std::string(padding)};
  Tensor y = patches_of(std::move(images), p, spatial, "extract_patches");
  if (first) y = transpose(std::move(y), back);
  return single ? squeeze(std::move(y), {0}) : y;
}

// ---- filters --------------------------------------------------------------------------------------------------------------------

Tensor sobel_edges(Tensor images, std::string_view data_format) {
  const Images in(std::move(images), data_format, "sobel_edges");
  in.need_size("sobel_edges");
  const int64_t c = in.channels();
  constexpr float rows[9] = {-1, -2, -1, 0, 0, 0, 1, 2, 1}, columns[9] = {-1, 0, 1, -2, 0, 2, -1, 0, 1};
  std::vector<float> kernel;
  for (int i = 0; i < 9; ++i)
    for (int64_t k = 0; k < c; ++k) kernel.push_back(rows[i]), kernel.push_back(columns[i]);
  const DType t = in.x.dtype();
  Tensor y = depthwise_conv2d(pad(in.x, {{0, 0}, {1, 1}, {1, 1}, {0, 0}}, "reflect"), cast(Tensor::from(kernel, {3, 3, c, 2}), t));
  return in.close(reshape(std::move(y), {in.x.shape()[0], in.height(), in.width(), c, 2}));
}

namespace {

// n values around the middle of the bell curve; their sum is 1.
std::vector<double> gaussian(int64_t n, double sigma) {
  std::vector<double> v;
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double at = (static_cast<double>(i) - static_cast<double>(n - 1) / 2) / sigma;
    v.push_back(std::exp(-0.5 * at * at));
    total += v.back();
  }
  for (double& x : v) x /= total;
  return v;
}

}  // namespace

Tensor gaussian_blur(Tensor images, Pair kernel_size, double sigma_y, double sigma_x, std::string_view data_format) {
  const Images in(std::move(images), data_format, "gaussian_blur");
  in.need_size("gaussian_blur");
  check(is_float(in.x.dtype()), Code::DType, "gaussian_blur: expected float images, got {}", in.x.spec());
  check(kernel_size.h > 0 && kernel_size.w > 0 && sigma_y > 0 && sigma_x > 0, Code::InvalidArgument,
        "gaussian_blur: expected sizes and sigmas above 0, got {} x {}, {} and {}", kernel_size.h, kernel_size.w, sigma_y, sigma_x);
  // Keras lays the product of both lines out as [width, height] and reads it as [height, width].
  std::vector<double> kernel;
  const std::vector<double> first = gaussian(kernel_size.h, sigma_y), second = gaussian(kernel_size.w, sigma_x);
  const int64_t c = in.channels();
  for (double b : second)
    for (double a : first) kernel.insert(kernel.end(), static_cast<size_t>(c), a * b);
  return in.close(depthwise_conv2d(in.x, cast(Tensor::from(kernel, {kernel_size.h, kernel_size.w, c, 1}), in.x.dtype()), {.padding = "same"}));
}

// ---- elastic --------------------------------------------------------------------------------------------------------------------

namespace ops {

Tensor smoothed(Tensor fields, const Tensor& profile) {
  const int64_t size = profile.dim(0);
  if (size == 1) return fields;
  Tensor y = expand_dims(std::move(fields), -1);
  y = depthwise_conv2d(std::move(y), reshape(profile, {size, 1, 1, 1}), {.padding = "same"});
  return squeeze(depthwise_conv2d(std::move(y), reshape(profile, {1, size, 1, 1}), {.padding = "same"}), {-1});
}

Tensor displaced(const Tensor& images, const Tensor& down, const Tensor& across, std::string_view interpolation, std::string_view fill_mode,
                 double fill_value) {
  const Shape s = images.shape();
  const int64_t n = s[0], h = s[1], w = s[2];
  const DType dtype = images.dtype(), work = down.dtype();
  auto at = [&](const Tensor& field, int64_t size, const Shape& line) {
    return reshape(add(field, reshape(arange(0, static_cast<double>(size), 1, work), line)), {n, h * w});
  };
  const RowTerms terms = corners({at(down, h, {1, h, 1}), at(across, w, {1, 1, w})}, {h, w}, interpolation == "nearest", fill_mode);
  return cast(reshape(sum_of(reshape(cast(images, work), {n, h * w, s[3]}), terms, fill_value), s), dtype);
}

Tensor elastic_at(Tensor images, Tensor state, const ElasticOptions& o) {
  check_sampling("elastic_transform", o.interpolation, o.fill_mode);
  check(std::isfinite(o.alpha) && o.sigma > 0 && o.sigma <= 1e4, Code::InvalidArgument,
        "elastic_transform: expected a finite alpha and sigma in (0, 10000], got {} and {}", o.alpha, o.sigma);
  check(is_float(images.dtype()), Code::DType, "elastic_transform: expected float images, got {}", images.spec());
  const Images in(std::move(images), o.data_format, "elastic_transform");
  if (thread_context.abstract && !in.x.shape().known()) return in.close(in.x);
  check(in.x.shape().known() && in.height() * in.width() < (int64_t{1} << 31), Code::Shape,
        "elastic_transform: expected images of known sizes, of less than 2^31 pixels each, got {}", in.x.spec());
  if (in.x.size() == 0) return in.close(in.x);
  const DType work = working_type(in.x.dtype());
  const Shape s = in.x.shape();
  const Tensor noise = multiply(normal_at(std::move(state), {2 * s[0], s[1], s[2]}, work), o.sigma);
  const int64_t size = 6 * static_cast<int64_t>(o.sigma) + 1;
  const Tensor profile = cast(Tensor::from(gaussian(size, o.sigma), {size}), work);
  const Tensors fields = split(multiply(smoothed(noise, profile), o.alpha), 2, 0);
  return in.close(displaced(in.x, fields[0], fields[1], o.interpolation, o.fill_mode, o.fill_value));
}

}  // namespace ops

Tensor elastic_transform(Tensor images, const SeedGenerator& seed, const ElasticOptions& options) {
  return elastic_at(std::move(images), seed.next(), options);
}

// ---- scale and translate --------------------------------------------------------------------------------------------------------

namespace {

// How much of a pixel at distance x >= 0 a sample takes.
Tensor pixel_share(const Tensor& x, std::string_view method) {
  if (method == "linear" || method == "bilinear" || method == "trilinear" || method == "triangle") return maximum(1.0 - x, 0.0);
  if (method == "cubic" || method == "bicubic" || method == "tricubic") {
    const Tensor near = ((1.5 * x - 2.5) * x) * x + 1.0, far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
    return where(greater_equal(x, 2.0), 0.0, where(greater_equal(x, 1.0), far, near));
  }
  check(method == "lanczos3" || method == "lanczos5", Code::InvalidArgument,
        "scale_and_translate: expected method linear, cubic, lanczos3 or lanczos5, got '{}'", method);
  const double radius = method == "lanczos3" ? 3 : 5, pi = std::acos(-1.0);
  const Tensor y = radius * sin(pi * x) * sin(pi * x / radius), under = where(equal(x, 0.0), 1.0, pi * pi * x * x);
  return where(greater(x, radius), 0.0, where(greater(x, 1e-3), y / under, 1.0));
}

// [in, out]: the share of every input place in every output place of one axis.
Tensor shares_of(int64_t in, int64_t out, Tensor scale, Tensor translation, std::string_view method, bool antialias) {
  const Tensor inverse = 1.0 / std::move(scale);
  const Tensor at = (arange(0, static_cast<double>(out), 1, inverse.dtype()) + 0.5) * inverse - std::move(translation) * inverse - 0.5;
  Tensor x = abs(expand_dims(at, 0) - expand_dims(arange(0, static_cast<double>(in), 1, inverse.dtype()), 1));
  if (antialias) x = std::move(x) / maximum(inverse, 1.0);
  Tensor w = pixel_share(x, method);
  const Tensor total = sum(w, {0}, true);
  w = where(greater(abs(total), 1000.0 * std::numeric_limits<float>::epsilon()), w / where(equal(total, 0.0), 1.0, total), 0.0);
  return where(expand_dims(logical_and(greater_equal(at, -0.5), less_equal(at, static_cast<double>(in) - 0.5)), 0), std::move(w), 0.0);
}

}  // namespace

Tensor scale_and_translate(Tensor images, const Shape& output_shape, Tensor scale, Tensor translation, const Axes& spatial_dims,
                           std::string_view method, bool antialias) {
  const int rank = images.rank();
  const auto n = static_cast<int64_t>(spatial_dims.size());
  check(static_cast<int>(output_shape.rank()) == rank, Code::Shape, "scale_and_translate: expected an output_shape of rank {}, got {}", rank,
        output_shape);
  for (const Tensor* t : {&scale, &translation})
    check(t->shape() == Shape{n}, Code::Shape, "scale_and_translate: expected a scale and a translation for each of {} spatial_dims, got {}", n,
          t->spec());
  Axes axes;
  std::vector<bool> chosen(static_cast<size_t>(rank), false);
  for (int d : spatial_dims) {
    check(d >= -rank && d < rank, Code::InvalidArgument, "scale_and_translate: expected spatial_dims below {}, got {}", rank, d);
    const auto axis = static_cast<size_t>(axes.emplace_back(normalize_axis(d, rank)));
    check(!chosen[axis], Code::InvalidArgument, "scale_and_translate: axis {} stands twice in spatial_dims", axis);
    check(images.shape()[axis] >= 0 && output_shape[axis] >= 0, Code::Shape, "scale_and_translate: axis {} must be known, got {} for {}", axis,
          images.spec(), output_shape);
    chosen[axis] = true;
  }
  for (size_t i = 0; i < chosen.size(); ++i)
    check(chosen[i] || output_shape[i] == images.shape()[i] || output_shape[i] < 0 || images.shape()[i] < 0, Code::Shape,
          "scale_and_translate: axis {} is no spatial dim, expected {} in output_shape {}", i, images.shape()[i], output_shape);
  if (n == 0) return images;
  const DType given = images.dtype(), t = is_float(scale.dtype()) ? scale.dtype() : is_float(translation.dtype()) ? translation.dtype() : float32;
  scale = cast(std::move(scale), t), translation = cast(std::move(translation), t);
  Tensor y = is_float(given) ? images : cast(images, float32);
  for (int64_t i = 0; i < n; ++i) {
    const int axis = axes[static_cast<size_t>(i)];
    auto at = [i](const Tensor& of) { return reshape(slice(of, {i}, {1}), {}); };
    Tensor w =
        shares_of(images.shape()[static_cast<size_t>(axis)], output_shape[static_cast<size_t>(axis)], at(scale), at(translation), method, antialias);
    w = cast(std::move(w), y.dtype());
    y = moveaxis(tensordot(std::move(y), std::move(w), Axes{axis}, Axes{0}), {-1}, {axis});
  }
  if (is_float(given)) return y;
  return cast(minimum(maximum(round(std::move(y)), cast(min(images), float32)), cast(max(images), float32)), given);
}

// ---- likeness ---------------------------------------------------------------------------------------------------------------------

Tensor ssim(Tensor image1, Tensor image2, double max_val, int64_t filter_size, double filter_sigma, double k1, double k2,
            std::string_view data_format) {
  check(image1.shape() == image2.shape(), Code::Shape, "ssim: expected images of one shape, got {} and {}", image1.spec(), image2.spec());
  check(filter_size > 0 && filter_sigma > 0, Code::InvalidArgument, "ssim: expected filter_size and filter_sigma above 0, got {} and {}", filter_size,
        filter_sigma);
  const DType given = image1.dtype(), t = is_float(given) ? given : float32;
  const Images a(cast(std::move(image1), t), data_format, "ssim"), b(cast(std::move(image2), t), data_format, "ssim");
  a.need_size("ssim");
  check(a.height() >= filter_size && a.width() >= filter_size, Code::Shape, "ssim: the filter of {} is larger than the images, {}", filter_size,
        a.x.spec());
  const std::vector<double> line = gaussian(filter_size, filter_sigma);
  std::vector<double> kernel;
  for (double v : line)
    for (double w : line) kernel.insert(kernel.end(), static_cast<size_t>(a.channels()), v * w);
  const Tensor filter = cast(Tensor::from(kernel, {filter_size, filter_size, a.channels(), 1}), t);
  auto blurred = [&](const Tensor& x) { return depthwise_conv2d(x, filter); };
  const double c1 = k1 * max_val * k1 * max_val, c2 = k2 * max_val * k2 * max_val;
  const Tensor m1 = blurred(a.x), m2 = blurred(b.x), m11 = m1 * m1, m22 = m2 * m2, m12 = m1 * m2;
  const Tensor v1 = blurred(a.x * a.x) - m11, v2 = blurred(b.x * b.x) - m22, v12 = blurred(a.x * b.x) - m12;
  const Tensor likeness = ((2.0 * m12 + c1) * (2.0 * v12 + c2)) / ((m11 + m22 + c1) * (v1 + v2 + c2));
  Tensor y = mean(likeness, {1, 2, 3});
  if (a.single) y = squeeze(std::move(y), {0});
  return cast(std::move(y), given);
}

}  // namespace tenure

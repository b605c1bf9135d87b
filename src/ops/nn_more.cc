// More of keras.ops.nn, as compositions. Nothing here owns anything.
#include <tenure/ops_nn.h>

#include <cmath>

#include <tenure/ops_linalg.h>
#include <tenure/ops_numpy.h>

#include "ops/box.h"
#include "ops/helpers.h"
#include "ops/patches.h"
#include "ops/sample.h"

namespace tenure {
namespace {

using namespace ops;

// [batch, h, w, c] of either format and back.
Tensor to_last(Tensor x, std::string_view format, std::string_view op) {
  check(format == "channels_last" || format == "channels_first", Code::InvalidArgument,
        "{}: expected data_format channels_last or channels_first, got '{}'", op, format);
  check(x.rank() == 4, Code::Shape, "{}: expected images [batch, height, width, channels], got {}", op, x.spec());
  return format == "channels_first" ? transpose(std::move(x), {0, 2, 3, 1}) : x;
}
Tensor from_last(Tensor x, std::string_view format) { return format == "channels_first" ? transpose(std::move(x), {0, 3, 1, 2}) : x; }

// reshape where only the batch may be unknown.
Tensor shaped(Tensor x, const Shape& shape, std::string_view op) {
  for (int i = 1; i < shape.rank(); ++i) check(shape[i] >= 0, Code::Shape, "{}: all sizes but the batch must be known, got {}", op, x.spec());
  return reshape(std::move(x), shape);
}

}  // namespace

Tensor glu(Tensor x, int axis) {
  const Tensors halves = split(std::move(x), 2, axis);
  return multiply(halves[0], sigmoid(halves[1]));
}
Tensor hard_shrink(Tensor x, double threshold) { return where(greater(abs(x), threshold), x, 0.0); }
Tensor soft_shrink(Tensor x, double threshold) {
  return where(greater(x, threshold), subtract(x, threshold), where(less(x, -threshold), add(x, threshold), 0.0));
}
Tensor sparse_plus(Tensor x) { return where(less_equal(x, -1.0), 0.0, where(less(x, 1.0), multiply(square(add(x, 1.0)), 0.25), x)); }
Tensor sparse_sigmoid(Tensor x) { return where(less_equal(x, -1.0), 0.0, where(greater_equal(x, 1.0), 1.0, multiply(add(x, 1.0), 0.5))); }
Tensor squareplus(Tensor x, double b) { return multiply(add(x, sqrt(add(square(x), b))), 0.5); }
Tensor threshold(Tensor x, double threshold, double default_value) { return where(greater(x, threshold), x, default_value); }

Tensor sparsemax(Tensor x, int axis) {
  axis = normalize_axis(axis, x.rank());
  const int64_t n = x.shape()[axis];
  check(n > 0, Code::Shape, "sparsemax: the size of axis {} must be known, got {}", axis, x.spec());
  const Tensor falling = flip(sort(x, axis), {axis}), sums = cumsum(falling, axis);
  Shape s;
  for (int i = 0; i < x.rank(); ++i) s.push_back(i == axis ? n : 1);
  const Tensor place = reshape(arange(1, static_cast<double>(n) + 1, 1, x.dtype()), s);
  const Tensor support = greater(subtract(falling, divide(subtract(sums, 1.0), place)), 0.0);
  const Tensor k = sum(cast(support, x.dtype()), {axis}, true);
  const Tensor tau = divide(subtract(sum(where(support, sums, 0.0), {axis}, true), 1.0), k);
  return maximum(subtract(std::move(x), tau), 0.0);
}

Tensor softmax(Tensor x, const Axes& axis) {
  if (axis.size() == 1) return softmax(std::move(x), axis[0]);
  const Tensor powers = exp(subtract(x, stop_gradient(max(x, axis, true))));
  return divide(powers, sum(powers, axis, true));
}

Tensor normalize(Tensor x, const Axes& axis, int order, std::optional<double> epsilon) {
  check(order >= 1, Code::InvalidArgument, "normalize: expected an order of at least 1, got {}", order);
  const double least = epsilon.value_or(1e-7);
  if (x.rank() == 0) x = expand_dims(std::move(x), 0);
  x = to_float(std::move(x));
  if (order == 2) return multiply(x, minimum(rsqrt(sum(square(x), axis, true)), 1 / least));
  return divide(x, maximum(norm(x, static_cast<double>(order), axis, true), least));
}

Tensor rms_normalization(Tensor x, Tensor scale, const Axes& axis, std::optional<double> epsilon) {
  const DType t = x.dtype();
  if (x.rank() == 0) x = expand_dims(std::move(x), 0);
  x = cast(std::move(x), t == float64 ? float64 : float32);
  Tensor y = multiply(x, rsqrt(add(mean(square(x), axis, true), epsilon.value_or(1e-7))));
  if (scale) y = multiply(std::move(y), cast(std::move(scale), x.dtype()));
  return cast(std::move(y), t);
}

Tensor depth_to_space(Tensor x, int64_t block, std::string_view data_format) {
  x = to_last(std::move(x), data_format, "depth_to_space");
  const Shape s = x.shape();
  check(block > 0 && s[3] % (block * block) == 0, Code::Shape, "depth_to_space: the channels of {} are no multiple of {} x {}", x.spec(), block,
        block);
  const int64_t c = s[3] / (block * block);
  x = transpose(shaped(std::move(x), {s[0], s[1], s[2], block, block, c}, "depth_to_space"), {0, 1, 3, 2, 4, 5});
  return from_last(reshape(std::move(x), {s[0], s[1] * block, s[2] * block, c}), data_format);
}

Tensor space_to_depth(Tensor x, int64_t block, std::string_view data_format) {
  x = to_last(std::move(x), data_format, "space_to_depth");
  const Shape s = x.shape();
  check(block > 0 && s[1] >= 0 && s[2] >= 0 && s[1] % block == 0 && s[2] % block == 0, Code::Shape,
        "space_to_depth: height and width of {} must be known multiples of {}", x.spec(), block);
  x = transpose(shaped(std::move(x), {s[0], s[1] / block, block, s[2] / block, block, s[3]}, "space_to_depth"), {0, 1, 3, 2, 4, 5});
  return from_last(reshape(std::move(x), {s[0], s[1] / block, s[2] / block, block * block * s[3]}), data_format);
}

namespace {

Windows padded_windows(const char* op, int64_t h, int64_t w, Pair kernel, Pair dilation, Pair padding, Pair stride) {
  check(padding.h >= 0 && padding.w >= 0, Code::InvalidArgument, "{}: expected padding >= 0, got {} and {}", op, padding.h, padding.w);
  return windows_of({h + 2 * padding.h, w + 2 * padding.w}, {{kernel.h, kernel.w}, {stride.h, stride.w}, {dilation.h, dilation.w}}, op);
}

}  // namespace

Tensor unfold(Tensor x, Pair kernel_size, Pair dilation, Pair padding, Pair stride) {
  const Shape s = x.shape();
  check(s.rank() == 4 && s[1] >= 0 && s[2] >= 0 && s[3] >= 0, Code::Shape, "unfold: expected [batch, channels, height, width] of known sizes, got {}",
        x.spec());
  const Windows w = padded_windows("unfold", s[2], s[3], kernel_size, dilation, padding, stride);
  const int64_t h2 = s[2] + 2 * padding.h, w2 = s[3] + 2 * padding.w, windows = w.counts[0] * w.counts[1];
  if (padding.h || padding.w) x = pad(std::move(x), {{0, 0}, {0, 0}, {padding.h, padding.h}, {padding.w, padding.w}});
  // Column by column: the pixels of all windows, one pixel after the other.
  std::vector<int32_t> places(w.places.size());
  for (int64_t i = 0; i < windows; ++i)
    for (int64_t k = 0; k < w.pixels; ++k) places[static_cast<size_t>(k * windows + i)] = w.places[static_cast<size_t>(i * w.pixels + k)];
  x = take(reshape(std::move(x), {s[0], s[1], h2 * w2}), Tensor::from(places, {w.pixels * windows}), 2);
  return reshape(std::move(x), {s[0], s[1] * w.pixels, windows});
}

Tensor fold(Tensor x, Pair output_size, Pair kernel_size, Pair dilation, Pair padding, Pair stride) {
  const Shape s = x.shape();
  const Windows w = padded_windows("fold", output_size.h, output_size.w, kernel_size, dilation, padding, stride);
  const int64_t windows = w.counts[0] * w.counts[1], h2 = output_size.h + 2 * padding.h, w2 = output_size.w + 2 * padding.w;
  check(s.rank() == 3 && s[1] >= 0 && s[1] % w.pixels == 0 && s[2] == windows, Code::Shape,
        "fold: expected [batch, channels * {}, {}] for these windows, got {}", w.pixels, windows, x.spec());
  check(is_float(x.dtype()), Code::DType, "fold: expected floats, got {}", x.spec());
  const int64_t c = s[1] / w.pixels;
  // For every pixel that stays, the columns' elements that lie on it.
  std::vector<std::vector<int32_t>> on(static_cast<size_t>(h2 * w2));
  size_t most = 1;
  for (int64_t i = 0; i < windows; ++i)
    for (int64_t k = 0; k < w.pixels; ++k) {
      auto& list = on[static_cast<size_t>(w.places[static_cast<size_t>(i * w.pixels + k)])];
      list.push_back(static_cast<int32_t>(k * windows + i));
      most = std::max(most, list.size());
    }
  std::vector<int32_t> index;
  for (int64_t row = padding.h; row < padding.h + output_size.h; ++row)
    for (int64_t column = padding.w; column < padding.w + output_size.w; ++column) {
      auto& list = on[static_cast<size_t>(row * w2 + column)];
      list.resize(most, -1);
      index.insert(index.end(), list.begin(), list.end());
    }
  const DType t = x.dtype(), work = t == float64 ? float64 : float32;
  const Shape terms{1, output_size.h * output_size.w, static_cast<int64_t>(most)};
  x = reshape(transpose(shaped(cast(std::move(x), work), {s[0], c, w.pixels * windows}, "fold"), {0, 2, 1}), {s[0], w.pixels * windows, c});
  Tensor y = gather_sum(std::move(x), Tensor::from(index, terms), ones(terms, work));
  return cast(reshape(transpose(std::move(y), {0, 2, 1}), {s[0], c, output_size.h, output_size.w}), t);
}

Tensor multi_hot(Tensor x, int64_t num_classes, int axis, DType dtype) {
  const int reduced = x.rank() > 1 ? 1 : 0;
  return max(one_hot(std::move(x), num_classes, axis, dtype), {reduced});
}

Tensor dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor bias, Tensor mask, std::optional<double> scale, bool is_causal) {
  const Tensor* all[] = {&query, &key, &value};
  for (const Tensor* t : all) check(t->rank() == 4, Code::Shape, "dot_product_attention: expected [batch, steps, heads, size], got {}", t->spec());
  const DType type = promote(promote(query.dtype(), key.dtype()), value.dtype());
  const int64_t heads = query.dim(2), own = key.dim(2), size = key.dim(3);
  check(size > 0, Code::Shape, "dot_product_attention: the heads' size must be known, got {}", key.spec());
  query = cast(std::move(query), type), key = cast(std::move(key), type), value = cast(std::move(value), type);
  if (heads > own && own > 1) {
    check(heads % own == 0, Code::Shape, "dot_product_attention: {} heads cannot share {} of key and value", heads, own);
    key = repeat(std::move(key), heads / own, 2), value = repeat(std::move(value), heads / own, 2);
  }
  const DType work = type == float64 ? float64 : float32;
  auto by_head = [](Tensor x) { return transpose(std::move(x), {0, 2, 1, 3}); };
  Tensor scores = cast(matmul(by_head(std::move(query)), by_head(std::move(key)), false, true), work);
  scores = multiply(std::move(scores), scale.value_or(1 / std::sqrt(static_cast<double>(size))));
  if (bias) scores = add(std::move(scores), cast(std::move(bias), work));
  if (is_causal) {
    const int64_t t = scores.dim(2), s = scores.dim(3);
    check(t >= 0 && s >= 0, Code::Shape, "dot_product_attention: a causal mask needs known numbers of steps, got {}", scores.spec());
    Tensor before = tril(ones({t, s}, bool_));
    mask = mask ? logical_and(std::move(mask), std::move(before)) : std::move(before);
  }
  if (mask) scores = where(std::move(mask), std::move(scores), -0.7 * static_cast<double>(std::numeric_limits<float>::max()));
  return by_head(matmul(cast(softmax(std::move(scores), -1), type), by_head(std::move(value))));
}

Tensor psnr(Tensor x1, Tensor x2, double max_val) {
  check(x1.shape() == x2.shape(), Code::Shape, "psnr: expected two tensors of one shape, got {} and {}", x1.spec(), x2.spec());
  const Tensor error = mean(square(subtract(std::move(x1), std::move(x2))));
  return subtract(20 * std::log10(max_val), multiply(log10(error), 10.0));
}

}  // namespace tenure

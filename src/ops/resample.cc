// bicubic, lanczos3 and lanczos5 with TensorFlow's weights: half-pixel centres, pixels outside of the image left out, weights that sum to one.
#include "ops/resample.h"

#include <cmath>
#include <numbers>

#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// Keys' cubic convolution kernel, a = -1/2.
float cubic(float x) noexcept {
  x = std::fabs(x);
  if (x >= 2) return 0;
  return x >= 1 ? ((-0.5f * x + 2.5f) * x - 4) * x + 2 : (1.5f * x - 2.5f) * x * x + 1;
}

float lanczos(float x, float radius) noexcept {
  constexpr auto pi = static_cast<float>(std::numbers::pi);
  x = std::fabs(x);
  if (x > radius) return 0;
  return x <= 1e-3f ? 1 : radius * std::sin(pi * x) * std::sin(pi * x / radius) / (pi * pi * x * x);
}

// Without antialias TensorFlow reads bicubic weights from a table of 1024 steps between two pixels.
void cubic_row(float* row, int64_t i, int64_t in, float scale) noexcept {
  constexpr int64_t steps = 1024;
  const float at = (static_cast<float>(i) + 0.5f) * scale - 0.5f, low = std::floor(at);
  const auto first = static_cast<int64_t>(low) - 1;
  const float step = static_cast<float>(std::lrint((at - low) * steps)) / steps;
  const float weights[4] = {cubic(step + 1), cubic(step), cubic(1 - step), cubic(2 - step)};
  float total = 0;
  for (int64_t k = 0; k < 4; ++k)
    if (first + k >= 0 && first + k < in) total += weights[k];
  for (int64_t k = 0; k < 4; ++k)
    if (first + k >= 0 && first + k < in) row[first + k] = std::fabs(total) >= 1000 * 1.17549435e-38f ? weights[k] / total : weights[k];
}

void filter_row(float* row, int64_t i, int64_t in, float inverse, float radius, bool is_cubic, bool antialias) noexcept {
  const float stretch = antialias ? std::max(inverse, 1.0f) : 1.0f, centre = (static_cast<float>(i) + 0.5f) * inverse;
  if (centre < 0 || centre > static_cast<float>(in)) return;
  const auto first = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(centre - radius * stretch - 0.5f)));
  const auto last = std::min<int64_t>(in - 1, static_cast<int64_t>(std::floor(centre + radius * stretch - 0.5f)));
  float total = 0;
  for (int64_t k = first; k <= last; ++k) {
    const float x = (static_cast<float>(k) + 0.5f - centre) / stretch;
    row[k] = is_cubic ? cubic(x) : lanczos(x, radius);
    total += row[k];
  }
  for (int64_t k = first; k <= last; ++k) row[k] = std::fabs(total) >= 1000 * 1.17549435e-38f ? row[k] / total : 0;
}

// [out, in]
Tensor weights(int64_t out, int64_t in, std::string_view interpolation, bool antialias) {
  const bool is_cubic = interpolation == "bicubic";
  const float radius = is_cubic ? 2.0f : interpolation == "lanczos3" ? 3.0f : 5.0f;
  std::vector<float> w(static_cast<size_t>(out * in));
  for (int64_t i = 0; i < out; ++i) {
    float* row = w.data() + i * in;
    if (is_cubic && !antialias) cubic_row(row, i, in, static_cast<float>(in) / static_cast<float>(out));
    else filter_row(row, i, in, 1.0f / (static_cast<float>(out) / static_cast<float>(in)), radius, is_cubic, antialias);
  }
  return Tensor::from(w, {out, in});
}

}  // namespace

bool is_filter(std::string_view interpolation) noexcept {
  return interpolation == "bicubic" || interpolation == "lanczos3" || interpolation == "lanczos5";
}

Tensor resample(Tensor images, Pair size, std::string_view interpolation, bool antialias) {
  const Shape s = images.shape();
  check(s.rank() == 4, Code::Shape, "resize: expected images [batch, height, width, channels], got {}", images.spec());
  check(s[1] > 0 && s[2] > 0, Code::Shape, "resize: {} needs images of known height and width, got {}", interpolation, images.spec());
  check(size.h >= 0 && size.w >= 0, Code::InvalidArgument, "resize: expected a size >= 0, got {} x {}", size.h, size.w);
  auto of = [&](int64_t out, int64_t in) {
    Tensor w = weights(out, in, interpolation, antialias);
    return images.dtype() == float32 ? std::move(w) : cast(std::move(w), images.dtype());
  };
  Tensor rows = of(size.h, s[1]), columns = of(size.w, s[2]);
  const int64_t inner = s[3] < 0 ? -1 : s[2] * s[3], all = s[0] < 0 ? -1 : s[0] * size.h;
  Tensor y = matmul(std::move(rows), reshape(std::move(images), {s[0], s[1], inner}));
  y = matmul(std::move(columns), reshape(std::move(y), {all, s[2], s[3]}));
  return reshape(std::move(y), {s[0], size.h, size.w, s[3]});
}

}  // namespace tenure::ops

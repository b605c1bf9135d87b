// Pooling over any number of spatial dimensions, out of pooling over two; adaptive pooling out of takes. A box's maximum is the maximum of its planes',
// and as padding does not count in a plane either, its mean the mean of theirs. Nothing here owns anything.
#include <tenure/convolution.h>

#include "core/context.h"
#include "ops/box.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

using Pool2D = Tensor (*)(Tensor, const PoolOptions&);

struct Windows {
  std::vector<int64_t> size, step;
};

Windows windows_of(std::string_view op, const Tensor& x, const PoolNdOptions& o) {
  const int spatial = x.rank() - 2;
  check(spatial >= 1 && spatial <= 3, Code::Shape, "{}: expected [batch, 1 to 3 sizes, channels], got {}", op, x.spec());
  const auto n = static_cast<size_t>(spatial);
  auto all = [&](const std::vector<int64_t>& v) { return v.size() == 1 ? std::vector<int64_t>(n, v[0]) : v; };
  Windows w{all(o.pool_size), all(o.strides.empty() ? o.pool_size : o.strides)};
  check(w.size.size() == n && w.step.size() == n, Code::InvalidArgument, "{}: expected {} window sizes and strides, got {} and {}", op, n,
        w.size.size(), w.step.size());
  return w;
}

// The length of one dimension after pooling; -1 stays.
int64_t pooled_length(int64_t n, int64_t k, int64_t s, std::string_view padding) {
  if (n < 0) return -1;
  return padding == "same" ? (n + s - 1) / s : n < k ? 0 : (n - k) / s + 1;
}

// [n, d, h, w, c]: first rows and columns of every plane, then planes.
Tensor pool_volume(Tensor x, const Windows& w, std::string_view padding, Pool2D pool) {
  const Shape s = x.shape();
  if (thread_context.abstract && !s.known()) {
    Shape y = s;
    for (int i = 0; i < 3; ++i) y[i + 1] = pooled_length(s[i + 1], w.size[static_cast<size_t>(i)], w.step[static_cast<size_t>(i)], padding);
    return make_abstract({y, x.dtype()});
  }
  const int64_t planes = s[0] < 0 || s[1] < 0 ? -1 : s[0] * s[1];
  x = pool(reshape(std::move(x), {planes, s[2], s[3], s[4]}),
           {.pool_size = {w.size[1], w.size[2]}, .strides = Pair(w.step[1], w.step[2]), .padding = padding});
  const int64_t h = x.shape()[1], v = x.shape()[2];
  const int64_t area = h < 0 || v < 0 ? -1 : h * v;
  x = pool(reshape(std::move(x), {s[0], s[1], area, s[4]}), {.pool_size = {w.size[0], 1}, .strides = Pair(w.step[0], 1), .padding = padding});
  const int64_t d = x.shape()[1];
  return reshape(std::move(x), {s[0], d, h, v, s[4]});
}

Tensor pool_any(std::string_view op, Tensor x, const PoolNdOptions& o, Pool2D pool) {
  const Windows w = windows_of(op, x, o);
  if (x.rank() == 4) return pool(std::move(x), {.pool_size = {w.size[0], w.size[1]}, .strides = Pair(w.step[0], w.step[1]), .padding = o.padding});
  if (x.rank() == 5) return pool_volume(std::move(x), w, o.padding, pool);
  x = pool(expand_dims(std::move(x), 2), {.pool_size = {w.size[0], 1}, .strides = Pair(w.step[0], 1), .padding = o.padding});
  return squeeze(std::move(x), {2});
}

// One dimension of n elements in windows that may overlap: indices [size, most], short windows filled with their last element.
struct AdaptiveWindows {
  std::vector<int32_t> index;
  std::vector<double> weight;  // 1 / length, 0 for what fills
  int64_t most = 1;
  AdaptiveWindows(int64_t n, int64_t size) {
    auto begin = [&](int64_t i) { return i * n / size; };
    auto end = [&](int64_t i) { return ((i + 1) * n + size - 1) / size; };
    for (int64_t i = 0; i < size; ++i) most = std::max(most, end(i) - begin(i));
    for (int64_t i = 0; i < size; ++i)
      for (int64_t k = 0; k < most; ++k) {
        const int64_t at = begin(i) + k, last = end(i) - 1;
        index.push_back(static_cast<int32_t>(std::min(at, last)));
        weight.push_back(at <= last ? 1.0 / static_cast<double>(last + 1 - begin(i)) : 0);
      }
  }
};

Tensor adapt_axis(Tensor x, int axis, int64_t size, bool greatest) {
  const int64_t n = x.shape()[axis];
  const AdaptiveWindows w(n, size);
  Tensor windows = take(std::move(x), Tensor::from<int32_t>(w.index, {size, w.most}), axis);
  if (greatest) return max(std::move(windows), {axis + 1});
  Shape spread(std::vector<int64_t>(static_cast<size_t>(windows.rank()), 1));
  spread[axis] = size, spread[axis + 1] = w.most;
  Tensor weight = cast(reshape(Tensor::from<double>(w.weight, {size, w.most}), spread), windows.dtype());
  return sum(multiply(std::move(windows), std::move(weight)), {axis + 1});
}

Tensor adaptive_pool(std::string_view op, Tensor x, const std::vector<int64_t>& output_size, bool greatest) {
  const int spatial = x.rank() - 2;
  check(spatial >= 1 && output_size.size() == static_cast<size_t>(spatial), Code::Shape, "{}: expected {} output sizes for {}, got {}", op,
        std::max(spatial, 0), x.spec(), output_size.size());
  x = to_float(std::move(x));
  Shape y = x.shape();
  bool open = false;
  for (int i = 0; i < spatial; ++i) {
    const int64_t size = output_size[static_cast<size_t>(i)], n = y[i + 1];
    check(size > 0, Code::InvalidArgument, "{}: expected output sizes > 0, got {}", op, size);
    check(n != 0, Code::Shape, "{}: axis {} of {} is empty", op, i + 1, x.spec());
    open |= n < 0;
    y[i + 1] = size;
  }
  if (thread_context.abstract && open) return make_abstract({y, x.dtype()});
  check(!open, Code::Shape, "{}: expected known sizes, got {}", op, x.spec());
  for (int i = 0; i < spatial; ++i)
    if (x.shape()[i + 1] != y[i + 1]) x = adapt_axis(std::move(x), i + 1, y[i + 1], greatest);
  return x;
}

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor max_pool(Tensor x, const PoolNdOptions& options) { return pool_any("max_pool", std::move(x), options, max_pool2d); }
Tensor average_pool(Tensor x, const PoolNdOptions& options) { return pool_any("average_pool", std::move(x), options, average_pool2d); }
Tensor adaptive_max_pool(Tensor x, const std::vector<int64_t>& output_size) {
  return adaptive_pool("adaptive_max_pool", std::move(x), output_size, true);
}
Tensor adaptive_average_pool(Tensor x, const std::vector<int64_t>& output_size) {
  return adaptive_pool("adaptive_average_pool", std::move(x), output_size, false);
}

}  // namespace tenure

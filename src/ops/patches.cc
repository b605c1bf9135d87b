// Windows as lists of element numbers, so that one take (and its gradient) moves them. Nothing here owns anything.
#include "ops/patches.h"

#include "ops/helpers.h"

namespace tenure::ops {
namespace {

std::vector<int64_t> spread(std::vector<int64_t> v, size_t n, const char* what, const char* op) {
  if (v.size() == 1) v.assign(n, v[0]);
  bool fits = v.size() == n;
  for (int64_t i : v) fits &= i > 0;
  check(fits, Code::InvalidArgument, "{}: expected {} numbers above 0 as {}, got {}", op, n, what, v.size());
  return v;
}

}  // namespace

Windows windows_of(const std::vector<int64_t>& spatial, const Patches& p, const char* op) {
  const size_t n = spatial.size();
  const std::vector<int64_t> size = spread(p.size, n, "size", op), strides = spread(p.strides, n, "strides", op),
                             dilation = spread(p.dilation, n, "dilation", op);
  Windows w;
  int64_t windows = 1, elements = 1;
  for (size_t i = 0; i < n; ++i) {
    const int64_t reach = (size[i] - 1) * dilation[i] + 1;
    w.counts.push_back(spatial[i] < reach ? 0 : (spatial[i] - reach) / strides[i] + 1);
    windows *= w.counts[i], w.pixels *= size[i], elements *= spatial[i];
  }
  check(elements < (int64_t{1} << 31) && windows * w.pixels < (int64_t{1} << 31), Code::Shape, "{}: {} windows of {} elements are too many", op,
        windows, w.pixels);
  w.places.reserve(static_cast<size_t>(windows * w.pixels));
  for (int64_t window = 0; window < windows; ++window)
    for (int64_t pixel = 0; pixel < w.pixels; ++pixel) {
      int64_t at = 0, step = 1, a = window, b = pixel;
      for (size_t i = n; i-- > 0;) {
        at += (a % w.counts[i] * strides[i] + b % size[i] * dilation[i]) * step;
        a /= w.counts[i], b /= size[i], step *= spatial[i];
      }
      w.places.push_back(static_cast<int32_t>(at));
    }
  return w;
}

Tensor patches_of(Tensor x, Patches p, int spatial, const char* op) {
  const auto n = static_cast<size_t>(spatial);
  Shape s = x.shape();
  std::vector<int64_t> sizes(s.begin() + 1, s.begin() + 1 + spatial);
  check(p.padding == "valid" || p.padding == "same", Code::InvalidArgument, "{}: expected padding valid or same, got '{}'", op, p.padding);
  bool known = s.back() >= 0;
  for (int64_t d : sizes) known &= d >= 0;
  check(known, Code::Shape, "{}: spatial sizes and channels must be known, got {}", op, x.spec());
  if (p.padding == "same") {
    p.size = spread(p.size, n, "size", op), p.strides = spread(p.strides, n, "strides", op), p.dilation = spread(p.dilation, n, "dilation", op);
    std::vector<std::pair<int64_t, int64_t>> around{{0, 0}};
    bool any = false;
    for (size_t i = 0; i < n; ++i) {
      const int64_t windows = (sizes[i] + p.strides[i] - 1) / p.strides[i];
      const int64_t total = std::max<int64_t>(0, (windows - 1) * p.strides[i] + (p.size[i] - 1) * p.dilation[i] + 1 - sizes[i]);
      around.emplace_back(total / 2, total - total / 2);
      sizes[i] += total;
      any |= total > 0;
    }
    around.emplace_back(0, 0);
    if (any) x = pad(std::move(x), around);
  }
  const Windows w = windows_of(sizes, p, op);
  int64_t rows = 1;
  for (int64_t d : sizes) rows *= d;
  Shape y{s[0]};
  for (int64_t d : w.counts) y.push_back(d);
  y.push_back(w.pixels * s.back());
  x = reshape(std::move(x), {s[0], rows, s.back()});
  return reshape(take(std::move(x), Tensor::from(w.places, {static_cast<int64_t>(w.places.size())}), 1), y);
}

}  // namespace tenure::ops

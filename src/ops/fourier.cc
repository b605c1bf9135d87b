// The Fourier transform of pairs of tensors, and the transforms of real signals and of their parts made of it. Nothing here owns anything.
#include <tenure/ops_signal.h>

#include <cmath>

#include <tenure/ops_numpy.h>

#include "core/context.h"
#include "kernels/fourier.h"
#include "ops/box.h"
#include "ops/families.h"
#include "ops/helpers.h"
#include "ops/sample.h"

namespace tenure {
namespace {

using namespace ops;

struct Direction {
  bool inverse = false;
};
template <class V>
void fields(V& v, Direction& a) {
  v("inverse", a.inverse);
}

extern const Op fft_op;
Tensors transform(Tensor re, Tensor im, bool inverse) { return apply_all_with(fft_op, Direction{inverse}, std::move(re), std::move(im)); }

/// Real and imaginary part of the transform; inverse: with the other sign, not divided.
const Op fft_op = {
    .name = "fft",
    .infer =
        [](Infer& c) {
          check((c.dtype(0) == float32 || c.dtype(0) == float64) && c.dtype(0) == c.dtype(1), Code::DType,
                "fft: expected two of float32 or two of float64, got {} and {}", c.x(0), c.x(1));
          bool fits = c.shape(0).rank() >= 1 && c.shape(0).rank() == c.shape(1).rank();
          for (int i = 0; fits && i < c.shape(0).rank(); ++i) fits = c.shape(0)[i] == c.shape(1)[i] || c.shape(0)[i] < 0 || c.shape(1)[i] < 0;
          check(fits, Code::Shape, "fft: expected real and imaginary parts of one shape, got {} and {}", c.x(0), c.x(1));
          c.output(c.x(0));
          c.output(c.x(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const Shape& s = r.y().shape;
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        kernels::fourier_rows(product(s, 0, s.rank() - 1), s.back(), r.attr<Direction>().inverse, r.in<T>(0), r.in<T>(1), r.out<T>(0), r.out<T>(1),
                              r.scratch<std::complex<double>>(), r.threads());
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.dy(0) && !g.dy(1)) return {Tensor{}, Tensor{}};
      const Tensor re = g.dy(0) ? g.dy(0) : zeros_like(g.dy(1)), im = g.dy(1) ? g.dy(1) : zeros_like(g.dy(0));
      return transform(re, im, !g.attr<Direction>().inverse);
    },
    .attrs = attrs_of<Direction>,
    .scratch =
        [](const Prep& p) { return static_cast<size_t>(kernels::fourier_scratch(p.x(0).shape.back(), p.threads())) * sizeof(std::complex<double>); },
    .specimens = R"(f32[8], f32[8] | f64[3,7], f64[3,7] ; {"inverse": true} | f64[2,1,2,12], f64[2,1,2,12] | f32[0,4], f32[0,4] | f32[3,0], f32[3,0]
                  | f64[30], f64[30] | f64[2,1], f64[2,1] | f64[22], f64[22])",
};

void check_length(std::string_view op, int64_t n) { check(n > 0, Code::InvalidArgument, "{}: expected a length above 0, got {}", op, n); }
int64_t last_size(std::string_view op, const Tensor& x) {
  check(x.rank() >= 1 && x.dim(-1) >= 0, Code::Shape, "{}: the size of the last axis must be known, got {}", op, x.spec());
  return x.dim(-1);
}

// The last axis cut or filled with zeros.
Tensor fitted(Tensor x, int64_t n, int64_t want) {
  if (n > want) return slice_axis(std::move(x), -1, 0, want);
  if (n == want) return x;
  std::vector<std::pair<int64_t, int64_t>> around(static_cast<size_t>(x.rank()));
  around.back().second = want - n;
  return pad(std::move(x), around);
}

Tensors over_rows(Tensor re, Tensor im, bool inverse) {
  check(re.rank() >= 2, Code::Shape, "fft2: expected at least two axes, got {}", re.spec());
  Tensors y = transform(std::move(re), std::move(im), inverse);
  y = transform(swapaxes(y[0], -1, -2), swapaxes(y[1], -1, -2), inverse);
  return {swapaxes(y[0], -1, -2), swapaxes(y[1], -1, -2)};
}
Tensors shared(Tensors y, double n) { return {divide(y[0], n), divide(y[1], n)}; }

// The window of a part within an fft_length; undefined for none.
Tensor window_of(std::string_view op, std::string_view name, Tensor values, int64_t n, int64_t fft_length, DType t) {
  if (!values && name.empty()) return {};
  const Eagerly eagerly;  // its values are asked for, also while only shapes are
  check(!values || values.concrete(), Code::Unsupported, "{}: the window must be a constant", op);
  if (!values) {
    check(name == "hann" || name == "hamming", Code::InvalidArgument, "{}: expected window hann or hamming, got '{}'", op, name);
    // Of an odd number of values it is symmetric, of an even one periodic: TensorFlow's.
    const double low = name == "hann" ? 0.5 : 0.54, period = static_cast<double>(n % 2 ? n - 1 : n);
    std::vector<double> v;
    for (int64_t i = 0; i < n; ++i)
      v.push_back(n == 1 ? 1 : low - (1 - low) * std::cos(2 * 3.14159265358979323846 * static_cast<double>(i) / period));
    values = Tensor::from(v, {n});
  }
  check(values.rank() == 1 && values.dim(0) == n, Code::Shape, "{}: expected a window of {} values, got {}", op, n, values.spec());
  const int64_t left = (fft_length - n) / 2;
  return pad(cast(std::move(values), t), {{left, fft_length - n - left}});
}

void check_parts(std::string_view op, const Tensor& x, int64_t length, int64_t stride, int64_t fft_length) {
  check(x.dtype() == float32 || x.dtype() == float64, Code::DType, "{}: expected float32 or float64, got {}", op, x.spec());
  check(length > 0 && stride > 0 && fft_length >= length, Code::InvalidArgument,
        "{}: expected lengths above 0 and an fft_length of at least sequence_length, got {}, {} and {}", op, length, stride, fft_length);
}

}  // namespace

Tensors fft(Tensor real, Tensor imag) { return transform(std::move(real), std::move(imag), false); }
Tensors ifft(Tensor real, Tensor imag) {
  const auto n = static_cast<double>(last_size("ifft", real));
  return shared(transform(std::move(real), std::move(imag), true), n);
}
Tensors fft2(Tensor real, Tensor imag) { return over_rows(std::move(real), std::move(imag), false); }
Tensors ifft2(Tensor real, Tensor imag) {
  const int64_t w = last_size("ifft2", real), h = real.rank() >= 2 ? real.dim(-2) : 1;
  check(h >= 0, Code::Shape, "ifft2: the sizes of the last two axes must be known, got {}", real.spec());
  return shared(over_rows(std::move(real), std::move(imag), true), static_cast<double>(h * w));
}

Tensors rfft(Tensor x, std::optional<int64_t> fft_length) {
  const int64_t have = last_size("rfft", x), n = fft_length.value_or(have);
  check_length("rfft", n);
  x = fitted(std::move(x), have, n);
  Tensor zero = zeros_like(x);
  const Tensors y = transform(std::move(x), std::move(zero), false);
  return {slice_axis(y[0], -1, 0, n / 2 + 1), slice_axis(y[1], -1, 0, n / 2 + 1)};
}

Tensor irfft(Tensor real, Tensor imag, std::optional<int64_t> fft_length) {
  const int64_t have = last_size("irfft", real), n = fft_length.value_or(2 * (have - 1));
  check_length("irfft", n);
  real = fitted(std::move(real), have, n / 2 + 1);
  imag = fitted(std::move(imag), have, n / 2 + 1);
  // The terms behind the middle are conjugates; the first, and of an even number the middle one, is real.
  std::vector<int32_t> places;
  std::vector<float> signs;
  for (int64_t k = 0; k < n; ++k) {
    const bool front = k <= n / 2;
    places.push_back(static_cast<int32_t>(front ? k : n - k));
    signs.push_back(k == 0 || 2 * k == n ? 0.0F : front ? 1.0F : -1.0F);
  }
  const Tensor at = Tensor::from(places, {n});
  Tensor re = take(std::move(real), at, -1), im = take(std::move(imag), at, -1);
  Tensor sign = cast(Tensor::from(signs, {n}), im.dtype());
  im = multiply(std::move(im), std::move(sign));
  return divide(transform(std::move(re), std::move(im), true)[0], static_cast<double>(n));
}

Tensor extract_sequences(Tensor x, int64_t sequence_length, int64_t sequence_stride) {
  check(sequence_length > 0 && sequence_stride > 0, Code::InvalidArgument, "extract_sequences: expected a length and a stride above 0, got {} and {}",
        sequence_length, sequence_stride);
  const int64_t n = last_size("extract_sequences", x), parts = n < sequence_length ? 0 : (n - sequence_length) / sequence_stride + 1;
  std::vector<int32_t> places;
  for (int64_t i = 0; i < parts; ++i)
    for (int64_t k = 0; k < sequence_length; ++k) places.push_back(static_cast<int32_t>(i * sequence_stride + k));
  return take(std::move(x), Tensor::from(places, {parts, sequence_length}), -1);
}

Tensors stft(Tensor x, int64_t sequence_length, int64_t sequence_stride, int64_t fft_length, std::string_view window, bool center, Tensor values) {
  check_parts("stft", x, sequence_length, sequence_stride, fft_length);
  if (center) {
    std::vector<std::pair<int64_t, int64_t>> around(static_cast<size_t>(x.rank()));
    around.back() = {fft_length / 2, fft_length / 2};
    x = pad(std::move(x), around, "reflect");
  }
  const Tensor w = window_of("stft", window, std::move(values), sequence_length, fft_length, x.dtype());
  Tensor parts = extract_sequences(std::move(x), fft_length, sequence_stride);
  return rfft(w ? multiply(std::move(parts), w) : std::move(parts), fft_length);
}

Tensor istft(Tensor real, Tensor imag, int64_t sequence_length, int64_t sequence_stride, int64_t fft_length, std::optional<int64_t> length,
             std::string_view window, bool center, Tensor values) {
  check_parts("istft", real, sequence_length, sequence_stride, fft_length);
  const DType t = real.dtype();
  Tensor parts = irfft(std::move(real), std::move(imag), fft_length);
  const Shape s = parts.shape();
  check(s.rank() >= 2 && s[s.rank() - 2] > 0, Code::Shape, "istft: expected a known number of parts, got {}", parts.spec());
  const int64_t count = s[s.rank() - 2], total = fft_length + sequence_stride * (count - 1);
  if (const Tensor w = window_of("istft", window, std::move(values), sequence_length, fft_length, t)) {
    // Divided by the sum of the squares of the windows that overlap.
    std::vector<double> squares(static_cast<size_t>(sequence_stride), 0.0), inverse;
    for (int64_t i = 0; i < fft_length; ++i) squares[static_cast<size_t>(i % sequence_stride)] += w.at(i) * w.at(i);
    for (int64_t i = 0; i < fft_length; ++i) inverse.push_back(w.at(i) / squares[static_cast<size_t>(i % sequence_stride)]);
    parts = multiply(std::move(parts), cast(Tensor::from(inverse, {fft_length}), t));
  }
  // Overlapping parts are summed: for each place its elements in them.
  const int64_t overlap = (fft_length + sequence_stride - 1) / sequence_stride;
  std::vector<int32_t> index;
  for (int64_t at = 0; at < total; ++at)
    for (int64_t k = 0, last = at / sequence_stride; k < overlap; ++k) {
      const int64_t part = last - k, inside = at - part * sequence_stride;
      index.push_back(part >= 0 && part < count && inside < fft_length ? static_cast<int32_t>(part * fft_length + inside) : -1);
    }
  const Shape terms{1, total, overlap};
  Tensor y = gather_sum(reshape(std::move(parts), {product(s, 0, s.rank() - 2), count * fft_length, 1}), Tensor::from(index, terms), ones(terms, t));
  Shape out = s.slice(0, s.rank() - 2);
  out.push_back(total);
  y = reshape(std::move(y), out);
  const int64_t start = center ? fft_length / 2 : 0, end = length ? start + *length : center ? total - fft_length / 2 : total;
  return slice_axis(std::move(y), -1, start, std::min(end, total));
}

void register_fourier(Registry& r) { r.add(fft_op); }

}  // namespace tenure

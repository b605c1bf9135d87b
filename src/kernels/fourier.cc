#include "kernels/fourier.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace tenure::kernels {
namespace {

using Complex = std::complex<double>;

Complex times(Complex a, Complex b) noexcept { return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()}; }

int64_t smallest_factor(int64_t n) noexcept {
  for (int64_t p : {4, 2, 3, 5, 7})
    if (n % p == 0) return p;
  for (int64_t p = 11; p * p <= n; p += 2)
    if (n % p == 0) return p;
  return n;
}

// out[0..n) of in[0], in[step], ...; `turn` are the `all` roots of one for the whole row, `spare` holds the largest prime factor.
void transform(int64_t n, const Complex* in, int64_t step, Complex* out, const Complex* turn, int64_t all, Complex* spare) noexcept {
  if (n == 1) {
    out[0] = in[0];
    return;
  }
  const int64_t p = smallest_factor(n), m = n / p;
  for (int64_t j = 0; j < p; ++j) transform(m, in + j * step, step * p, out + j * m, turn, all, spare);
  for (int64_t k = 0; k < m; ++k) {
    for (int64_t j = 0; j < p; ++j) spare[j] = times(out[j * m + k], turn[j * k * step % all]);
    if (p == 2) {
      out[k] = spare[0] + spare[1], out[m + k] = spare[0] - spare[1];
      continue;
    }
    for (int64_t q = 0; q < p; ++q) {
      Complex sum = spare[0];
      for (int64_t j = 1; j < p; ++j) sum += times(spare[j], turn[j * q % p * (all / p)]);
      out[q * m + k] = sum;
    }
  }
}

}  // namespace

int64_t fourier_scratch(int64_t n, int threads) noexcept { return n * (1 + 3 * threads); }

template <class T>
void fourier_rows(int64_t rows, int64_t n, bool inverse, const T* re, const T* im, T* out_re, T* out_im, Complex* scratch, int threads) noexcept {
  if (rows * n == 0) return;
  for (int64_t k = 0; k < n; ++k) {
    const double angle = (inverse ? 2 : -2) * 3.14159265358979323846 * static_cast<double>(k) / static_cast<double>(n);
    scratch[k] = {std::cos(angle), std::sin(angle)};
  }
  const int64_t pieces = std::min<int64_t>(rows, threads);
  parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      Complex *in = scratch + n * (1 + 3 * piece), *out = in + n, *spare = out + n;
      for (int64_t row = rows * piece / pieces; row < rows * (piece + 1) / pieces; ++row) {
        for (int64_t i = 0; i < n; ++i) in[i] = {static_cast<double>(re[row * n + i]), static_cast<double>(im[row * n + i])};
        transform(n, in, 1, out, scratch, n, spare);
        for (int64_t i = 0; i < n; ++i) out_re[row * n + i] = static_cast<T>(out[i].real()), out_im[row * n + i] = static_cast<T>(out[i].imag());
      }
    }
  });
}
template void fourier_rows(int64_t, int64_t, bool, const float*, const float*, float*, float*, Complex*, int) noexcept;
template void fourier_rows(int64_t, int64_t, bool, const double*, const double*, double*, double*, Complex*, int) noexcept;

}  // namespace tenure::kernels

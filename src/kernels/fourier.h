// The discrete Fourier transform of rows of complex numbers, in double. Mixed radix: a row of n = p q r ... costs n (p + q + r + ...).
#pragma once

#include <complex>
#include <cstdint>

namespace tenure::kernels {

/// Complex numbers that `fourier_rows` needs as work space for rows of n on `threads` threads.
int64_t fourier_scratch(int64_t n, int threads) noexcept;
/// out = the transform (inverse: with the other sign of the exponent, not divided by n) of `rows` rows of n.
template <class T>
void fourier_rows(int64_t rows, int64_t n, bool inverse, const T* re, const T* im, T* out_re, T* out_im, std::complex<double>* scratch,
                  int threads) noexcept;

}  // namespace tenure::kernels

// Fourier transforms along the last axis. Complex numbers are pairs of tensors, real and imaginary part, as in keras.ops. Names, argument names and
// defaults are Keras'. float32 and float64; all are linear and have gradients.
#pragma once

#include <optional>
#include <string_view>

#include <tenure/ops.h>

namespace tenure {

/// {real, imaginary} of the discrete Fourier transform.
TENURE_API Tensors fft(Tensor real, Tensor imag);
/// Its inverse.
TENURE_API Tensors ifft(Tensor real, Tensor imag);
/// Over the last two axes.
TENURE_API Tensors fft2(Tensor real, Tensor imag);
TENURE_API Tensors ifft2(Tensor real, Tensor imag);
/// The first fft_length / 2 + 1 terms of a real signal's transform; the signal is cut or filled with zeros to fft_length.
TENURE_API Tensors rfft(Tensor x, std::optional<int64_t> fft_length = {});
/// The real signal of fft_length (2 (terms - 1)) values.
TENURE_API Tensor irfft(Tensor real, Tensor imag, std::optional<int64_t> fft_length = {});
/// Overlapping parts of the last axis: [..., parts, sequence_length].
TENURE_API Tensor extract_sequences(Tensor x, int64_t sequence_length, int64_t sequence_stride);
/// The transforms of windowed parts: {real, imaginary} [..., parts, fft_length / 2 + 1]. window: hann, hamming (as TensorFlow's: periodic for an
/// even number of values, symmetric for an odd one), or "" for none; `values` of sequence_length numbers take its place. With center the signal is
/// reflected at both ends by half an fft_length.
TENURE_API Tensors stft(Tensor x, int64_t sequence_length, int64_t sequence_stride, int64_t fft_length, std::string_view window = "hann",
                        bool center = true, Tensor values = {});
/// The signal of parts made by stft, windowed again and summed; `length` cuts it.
TENURE_API Tensor istft(Tensor real, Tensor imag, int64_t sequence_length, int64_t sequence_stride, int64_t fft_length,
                        std::optional<int64_t> length = {}, std::string_view window = "hann", bool center = true, Tensor values = {});

}  // namespace tenure

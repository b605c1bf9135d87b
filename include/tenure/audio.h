// Layers that turn sound into spectrograms. Aggregates as in layers.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenure/layer_values.h>

namespace tenure::layers {

/// The short-time Fourier transform of signals [batch, time, channels] of floats, every channel by itself: convolutions with a cosine and a sine kernel
/// [frame_length, 1, fft_length / 2 + 1], which are weights and train unless trainable is false.
/// mode: log, magnitude, psd (power, doubled except at the first and last frequency), real, imag, angle, or stft (real, then imaginary parts).
/// frame_step: half of frame_length when not given; fft_length: the next power of two. The window is divided as the initializer STFT says by scaling.
/// Result: [batch, frames, channels * frequencies]; with expand_dims [batch, frames, frequencies, channels]. channels_first: [batch, channels, time] to
/// [batch, channels * frequencies, frames] or [batch, channels, frames, frequencies].
struct TENURE_API STFTSpectrogram {
  std::string mode = "log";
  int64_t frame_length = 256;
  std::optional<int64_t> frame_step = {}, fft_length = {};
  std::optional<std::string> window = "hann";
  bool periodic = false;
  std::optional<std::string> scaling = "density";  ///< density, spectrum or none
  std::string padding = "valid";                   ///< valid or same
  bool expand_dims = false;
  std::string data_format = {};
  std::vector<double> window_values = {};  ///< frame_length numbers instead of a window by name
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Energy of signals [time] or [batch, time] in bands that are equally wide on the mel scale (HTK's: 1127 ln(1 + f / 700)), from min_freq to max_freq
/// hertz (half of sampling_rate when not given): [..., num_mel_bins, frames]. Frames of sequence_length (fft_length when not given) lie
/// sequence_stride apart, the first one's middle at the first sample; the signal is reflected at both ends and must be longer than half of fft_length.
/// Magnitudes are raised to mag_exp. power_to_db: in decibels against ref_power, at least min_power, and no more than top_db below the loudest value of
/// the whole batch. 16-bit policies compute in float32.
struct TENURE_API MelSpectrogram {
  int64_t fft_length = 2048, sequence_stride = 512;
  std::optional<int64_t> sequence_length = {};
  std::optional<std::string> window = "hann";  ///< hann, hamming or none
  double sampling_rate = 16000;                ///< samples a second
  int64_t num_mel_bins = 128;
  double min_freq = 20;
  std::optional<double> max_freq = {};
  bool power_to_db = true;
  double top_db = 80, mag_exp = 2, min_power = 1e-10, ref_power = 1;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

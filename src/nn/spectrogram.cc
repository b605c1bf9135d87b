// Spectrograms. Weights belong to the layers' bodies, as does the matrix of the mel bands.
#include <tenure/audio.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include <tenure/ops_numpy.h>
#include <tenure/ops_signal.h>

#include "nn/convolve.h"
#include "nn/window.h"

namespace tenure {
namespace layers {

// ---- STFTSpectrogram ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, STFTSpectrogram& c) {
  v("mode", c.mode), v("frame_length", c.frame_length), v("frame_step", c.frame_step), v("fft_length", c.fft_length);
  nn::visit_window(v, c.window, c.window_values, "STFTSpectrogram");
  v("periodic", c.periodic), v("scaling", c.scaling), v("padding", c.padding), nn::visit_format(v, c.data_format), v("expand_dims", c.expand_dims);
}

namespace {

constexpr double kSmallest = 1e-7;  // Keras' epsilon

bool one_of(std::string_view x, std::initializer_list<std::string_view> all) { return std::find(all.begin(), all.end(), x) != all.end(); }

}  // namespace

class STFTSpectrogramLayer final : public LayerOf<STFTSpectrogram> {
 public:
  explicit STFTSpectrogramLayer(const STFTSpectrogram& c) : LayerOf(c) {
    constexpr auto bad = Code::InvalidArgument;
    check(one_of(c.mode, {"log", "magnitude", "psd", "real", "imag", "angle", "stft"}), bad,
          "STFTSpectrogram: expected mode log, magnitude, psd, real, imag, angle or stft, got '{}'", c.mode);
    nn::check_positive(c.frame_length, "STFTSpectrogram", "frame_length");
    check(!c.frame_step || (*c.frame_step > 0 && *c.frame_step <= c.frame_length), bad,
          "STFTSpectrogram: expected frame_step from 1 to frame_length {}, got {}", c.frame_length, c.frame_step.value_or(0));
    check(!c.fft_length || *c.fft_length >= c.frame_length, bad, "STFTSpectrogram: expected fft_length of at least frame_length {}, got {}",
          c.frame_length, c.fft_length.value_or(0));
    check(!c.scaling || one_of(*c.scaling, {"density", "spectrum"}), bad, "STFTSpectrogram: expected scaling density, spectrum or none, got '{}'",
          c.scaling.value_or(""));
    nn::check_padding(c.padding, "STFTSpectrogram");
    nn::channels_first(c.data_format);
    if (!c.window_values.empty())
      check(static_cast<int64_t>(c.window_values.size()) == c.frame_length, bad, "STFTSpectrogram: expected {} values of the window, got {}",
            c.frame_length, c.window_values.size());
    else if (c.window) nn::check_window(*c.window, "STFTSpectrogram");
    step_ = c.frame_step.value_or(std::max<int64_t>(c.frame_length / 2, 1));
    const auto length = static_cast<uint64_t>(c.fft_length.value_or(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(c.frame_length)))));
    frequencies_ = static_cast<int64_t>(length / 2 + 1);
  }
  void build(const Shape& in) override {
    nn::channels_of(in, config.data_format, "STFTSpectrogram", 1);
    if (config.mode != "imag") real_ = kernel("real");
    if (config.mode != "real") imag_ = kernel("imag");
  }
  Tensor call(Tensor x, const Call&) override {
    check(is_float(x.dtype()), Code::DType, "{}: expected floats, got {}", name(), x.spec());
    const auto& c = config;
    const bool first = nn::channels_first(c.data_format);
    const int64_t channels = nn::channels_of(x.shape(), c.data_format, "STFTSpectrogram", 1);
    const int64_t batch = x.shape()[0], time = x.shape()[first ? 2 : 1], frames = frames_of(time);
    const int64_t frequencies = c.mode == "stft" ? 2 * frequencies_ : frequencies_;
    // With sizes unknown only the shape is asked for.
    if (!x.shape().known()) return make_abstract({result_shape(batch, channels, frames, frequencies), x.dtype()});
    if (!first) x = transpose(std::move(x), {0, 2, 1});
    Tensor y = spectrum(reshape(std::move(x), {batch * channels, time, 1}));
    y = reshape(std::move(y), {batch, channels, frames, frequencies});
    if (c.expand_dims) return first ? std::move(y) : transpose(std::move(y), {0, 2, 3, 1});
    y = transpose(std::move(y), first ? std::vector<int>{0, 1, 3, 2} : std::vector<int>{0, 2, 1, 3});
    return reshape(std::move(y), result_shape(batch, channels, frames, frequencies));
  }

 private:
  Weight kernel(const char* side) {
    const auto& c = config;
    return weight(
        std::string(side) + "_kernel", {c.frame_length, 1, frequencies_},
        initializers::STFT{.side = side, .window = c.window, .scaling = c.scaling, .periodic = c.periodic, .window_values = c.window_values});
  }
  int64_t frames_of(int64_t time) const {
    if (time < 0) return -1;
    if (config.padding == "same") return (time + step_ - 1) / step_;
    check(time >= config.frame_length, Code::Shape, "{}: expected a signal of at least frame_length {} samples, got {}", name(), config.frame_length,
          time);
    return (time - config.frame_length) / step_ + 1;
  }
  Shape result_shape(int64_t batch, int64_t channels, int64_t frames, int64_t frequencies) const {
    const bool first = nn::channels_first(config.data_format);
    if (config.expand_dims) return first ? Shape{batch, channels, frames, frequencies} : Shape{batch, frames, frequencies, channels};
    return first ? Shape{batch, channels * frequencies, frames} : Shape{batch, frames, channels * frequencies};
  }
  // Of signals [n, time, 1]: [n, frames, frequencies].
  Tensor spectrum(Tensor x) const {
    const std::string& mode = config.mode;
    const ConvNdOptions how{.strides = {step_}, .padding = config.padding};
    if (mode == "real") return conv(std::move(x), real_, how);
    if (mode == "imag") return conv(std::move(x), imag_, how);
    Tensor real = conv(x, real_, how), imag = conv(std::move(x), imag_, how);
    if (mode == "angle") return arctan2(std::move(imag), std::move(real));
    if (mode == "stft") return concatenate({real, imag}, -1);
    Tensor power = add(square(std::move(real)), square(std::move(imag)));
    if (mode == "psd") {
      Tensor inner = slice_axis(power, -1, 1, std::max<int64_t>(frequencies_ - 1, 1));
      return add(std::move(power), pad(std::move(inner), {{0, 0}, {0, 0}, {1, 1}}));
    }
    Tensor y = sqrt(maximum(std::move(power), kSmallest));
    return mode == "magnitude" ? std::move(y) : log(maximum(std::move(y), kSmallest));
  }
  int64_t step_ = 1, frequencies_ = 1;
  Weight real_, imag_;
};
STFTSpectrogram::operator Layer() const { return make_layer<STFTSpectrogramLayer>(*this); }
Outputs STFTSpectrogram::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- MelSpectrogram -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, MelSpectrogram& c) {
  v("fft_length", c.fft_length), v("sequence_stride", c.sequence_stride), v("sequence_length", c.sequence_length), v("window", c.window);
  v("sampling_rate", c.sampling_rate), v("num_mel_bins", c.num_mel_bins), v("min_freq", c.min_freq), v("max_freq", c.max_freq);
  v("power_to_db", c.power_to_db), v("top_db", c.top_db), v("mag_exp", c.mag_exp), v("min_power", c.min_power), v("ref_power", c.ref_power);
}

class MelSpectrogramLayer final : public LayerOf<MelSpectrogram> {
 public:
  explicit MelSpectrogramLayer(const MelSpectrogram& c) : LayerOf(c) {
    nn::check_positive(c.fft_length, "MelSpectrogram", "fft_length");
    nn::check_positive(c.sequence_stride, "MelSpectrogram", "sequence_stride");
    nn::check_positive(c.num_mel_bins, "MelSpectrogram", "num_mel_bins");
    // As Keras has it, 0 means not given.
    if (!c.sequence_length || *c.sequence_length == 0) config.sequence_length = c.fft_length;
    if (!c.max_freq || *c.max_freq == 0) config.max_freq = std::trunc(c.sampling_rate / 2);
    constexpr auto bad = Code::InvalidArgument;
    check(*config.sequence_length > 0 && *config.sequence_length <= c.fft_length, bad,
          "MelSpectrogram: expected sequence_length from 1 to fft_length {}, got {}", c.fft_length, *config.sequence_length);
    check(!c.window || *c.window == "hann" || *c.window == "hamming", bad, "MelSpectrogram: expected window hann, hamming or none, got '{}'",
          c.window.value_or(""));
    check(c.sampling_rate > 0 && c.min_freq >= 0 && c.min_freq < *config.max_freq, bad,
          "MelSpectrogram: expected sampling_rate > 0 and 0 <= min_freq < max_freq, got {}, {} and {}", c.sampling_rate, c.min_freq,
          *config.max_freq);
    check(c.min_power > 0, bad, "MelSpectrogram: expected min_power > 0, got {}", c.min_power);
  }
  void build(const Shape&) override { body().kept.emplace_back(bands()); }
  Tensor call(Tensor x, const Call&) override {
    const auto& c = config;
    check(x.rank() == 1 || x.rank() == 2, Code::Shape, "{}: expected signals [time] or [batch, time], got {}", name(), x.spec());
    const DType t = compute_dtype() == float64 ? float64 : float32;
    if (!x.shape().known()) return make_abstract({result_shape(x.shape()), compute_dtype()});
    check(x.dim(-1) > c.fft_length / 2, Code::Shape, "{}: expected a signal of more than fft_length / 2 = {} samples, got {}", name(),
          c.fft_length / 2, x.dim(-1));
    Tensors parts = stft(nn::as(std::move(x), t), *c.sequence_length, c.sequence_stride, c.fft_length, c.window.value_or(""));
    Tensor y = power(sqrt(add(square(std::move(parts[0])), square(std::move(parts[1])))), c.mag_exp);
    y = matmul(std::move(y), nn::as(body().kept[0].tensor(), t));
    if (c.power_to_db) y = decibels(std::move(y));
    return nn::as(swapaxes(std::move(y), -1, -2), compute_dtype());
  }

 private:
  Shape result_shape(const Shape& in) const {
    Shape s = in;
    const int64_t n = in.back(), half = config.fft_length / 2;
    s[s.rank() - 1] = config.num_mel_bins;
    s.push_back(n < 0 ? -1 : (n + 2 * half - config.fft_length) / config.sequence_stride + 1);
    return s;
  }
  Tensor decibels(Tensor x) const {
    const auto& c = config;
    const bool empty = x.size() == 0;
    Tensor y = multiply(log10(maximum(std::move(x), c.min_power)), 10);
    y = subtract(std::move(y), 10 * std::log10(std::max(std::abs(c.ref_power), c.min_power)));
    if (empty) return y;  // there is no loudest value
    Tensor quietest = subtract(max(y), c.top_db);
    return maximum(std::move(y), std::move(quietest));
  }
  // [frequencies, bands]: triangles over the mel scale of height 1, the first frequency left out. In float32, as Keras has it.
  Tensor bands() const {
    const auto& c = config;
    auto mel = [](float hertz) { return 1127.0F * std::log(1.0F + hertz / 700.0F); };
    const int64_t frequencies = c.fft_length / 2 + 1, n = c.num_mel_bins;
    auto between = [](float low, float high, int64_t i, int64_t last) {
      return i == last ? high : low + static_cast<float>(i) * ((high - low) / static_cast<float>(std::max<int64_t>(last, 1)));
    };
    const float low = mel(static_cast<float>(c.min_freq)), high = mel(static_cast<float>(*c.max_freq));
    const float nyquist = static_cast<float>(c.sampling_rate) / 2.0F;
    std::vector<float> weights(static_cast<size_t>(frequencies * n), 0.0F);
    for (int64_t f = 1; f < frequencies; ++f) {
      const float at = mel(between(0, nyquist, f, frequencies - 1));
      for (int64_t b = 0; b < n; ++b) {
        const float left = between(low, high, b, n + 1), middle = between(low, high, b + 1, n + 1), right = between(low, high, b + 2, n + 1);
        const float slope = std::min((at - left) / (middle - left), (right - at) / (right - middle));
        weights[static_cast<size_t>(f * n + b)] = std::max(0.0F, slope);
      }
    }
    return Tensor::from(weights, {frequencies, n});
  }
};
MelSpectrogram::operator Layer() const { return make_layer<MelSpectrogramLayer>(*this); }
Outputs MelSpectrogram::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_spectrograms(LayerRegistry& r) {
  r.add<layers::STFTSpectrogram>("STFTSpectrogram");
  r.add<layers::MelSpectrogram>("MelSpectrogram");
}

}  // namespace tenure

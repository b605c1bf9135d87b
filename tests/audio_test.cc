// Spectrograms: the kernels that they start with, channels_first, what is refused. Values against Keras: layers_more_golden_test.cc.
#include <gtest/gtest.h>

#include <string>

#include <tenure/tenure.h>

#include "golden.h"
#include "refused.h"

namespace tenure {
namespace {

using golden::Case;
using golden::difference;

TEST(Audio, KernelsStartAsInKeras) {
  golden::File file("audio.npz");
  size_t compared = 0;
  for (const Case& c : file.cases) {
    SCOPED_TRACE(c.name);
    const Layer layer = golden::layer_of(c);
    layer.build(c["in0"].shape());
    const Tensors want = c.all("w"), got = layer.get_weights();
    ASSERT_EQ(got.size(), want.size());
    for (size_t k = 0; k < want.size(); ++k, ++compared) EXPECT_LE(difference(got[k], want[k]), 1e-6);
  }
  EXPECT_GT(compared, 30u);
}

TEST(Audio, ChannelsFirstIsChannelsLastTurned) {
  const Tensor x = random::normal({2, 30, 3}, SeedGenerator(3));
  for (const std::string mode : {"log", "psd", "stft"})
    for (const std::string padding : {"valid", "same"}) {
      layers::STFTSpectrogram last{.mode = mode, .frame_length = 8, .frame_step = 3, .padding = padding, .expand_dims = true}, first = last;
      first.data_format = "channels_first";
      const Tensor turned = transpose(x, {0, 2, 1});
      const Tensor want = Layer(last)(x), got = Layer(first)(turned);
      EXPECT_EQ(difference(got, transpose(want, {0, 3, 1, 2})), 0);
      last.expand_dims = first.expand_dims = false;
      const Tensor flat = Layer(last)(x), flat_first = Layer(first)(turned);
      EXPECT_EQ(difference(flat_first, transpose(flat, {0, 2, 1})), 0);
      // The frequencies of one channel stand together.
      EXPECT_EQ(difference(reshape(flat_first, {2, 3, -1, want.dim(1)}), transpose(want, {0, 3, 2, 1})), 0);
    }
}

TEST(Audio, SizesMayBeUnknown) {
  const Tensor x = Input({.shape = {-1, 2}});
  EXPECT_EQ(Tensor(layers::STFTSpectrogram{.frame_length = 8}(x)).shape(), Shape({-1, -1, 10}));
  const Tensor sound = Input({.shape = {-1}});
  EXPECT_EQ(Tensor(layers::MelSpectrogram{.num_mel_bins = 7}(sound)).shape(), Shape({-1, 7, -1}));
  const Tensor second = Input({.shape = {16000}});
  EXPECT_EQ(Tensor(layers::MelSpectrogram{}(second)).shape(), Shape({-1, 128, 32}));
}

TEST(Audio, WhatIsWrongIsRefused) {
  auto refused = [](const Layer& l, const Tensor& x, const char* part) { expect_refused([&] { return l(x); }, part); };
  auto bad = [](const auto& c, const char* part) { expect_refused([&] { return Layer(c); }, part); };
  using S = layers::STFTSpectrogram;
  using M = layers::MelSpectrogram;
  bad(S{.mode = "decibel"}, "mode log, magnitude, psd, real, imag, angle or stft, got 'decibel'");
  bad(S{.frame_length = 0}, "frame_length > 0, got 0");
  bad(S{.frame_length = 8, .frame_step = 9}, "frame_step from 1 to frame_length 8, got 9");
  bad(S{.frame_length = 8, .fft_length = 4}, "fft_length of at least frame_length 8, got 4");
  bad(S{.window = "round"}, "STFTSpectrogram: there is no window 'round'");
  bad(S{.frame_length = 3, .window_values = {1, 2}}, "3 values of the window, got 2");
  bad(S{.scaling = "loud"}, "scaling density, spectrum or none, got 'loud'");
  bad(S{.padding = "causal"}, "padding valid or same, got 'causal'");
  bad(M{.fft_length = 64, .sequence_length = 65}, "sequence_length from 1 to fft_length 64, got 65");
  bad(M{.window = "blackman"}, "window hann, hamming or none, got 'blackman'");
  bad(M{.num_mel_bins = 0}, "num_mel_bins > 0, got 0");
  bad(M{.min_freq = 9000}, "0 <= min_freq < max_freq, got 16000, 9000 and 8000");
  bad(M{.min_power = 0}, "min_power > 0, got 0");
  refused(S{.frame_length = 8}, ones({2, 7, 1}), "at least frame_length 8 samples, got 7");
  refused(S{}, ones({2, 7}), "rank 3");
  refused(S{.frame_length = 4}, ones({2, 7, 1}, int32), "expected floats");
  refused(M{.fft_length = 64}, ones({2, 32}), "more than fft_length / 2 = 32 samples, got 32");
  refused(M{}, ones({2, 3, 4}), "[time] or [batch, time]");
}

}  // namespace
}  // namespace tenure

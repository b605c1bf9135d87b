// Specimens of the layers' conformance test, by class.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <tenure/tenure.h>

namespace tenure::specimens {

struct Specimen {
  std::string config;        // JSON, without name, trainable and dtype
  std::vector<Spec> inputs;  // integers are drawn from 0 to 4
};
using Table = std::map<std::string, std::vector<Specimen>>;

inline const Spec kImage{{2, 6, 5, 4}, float32}, kPicture{{2, 6, 5, 3}, float32}, kMatrix{{3, 4}, float32}, kSeries{{2, 5, 4}, float32},
    kVolume{{2, 4, 3, 5, 2}, float32};

// Layers of numbers and texts before a network.
inline void add_preprocessing(Table& t) {
  const Spec codes{{3, 4}, int64}, texts{{3, 4}, DType::string};
  t["Resizing"] = {{R"({"height": 4, "width": 7})", {kImage}}, {R"({"height": 9, "width": 3, "interpolation": "nearest"})", {kImage}}};
  t["CenterCrop"] = {{R"({"height": 4, "width": 3})", {kImage}}, {R"({"height": 8, "width": 3})", {kImage}}};
  t["Discretization"] = {{R"({"bin_boundaries": [-1.0, 0.0, 0.5]})", {kMatrix}}};
  t["CategoryEncoding"] = {{R"({"num_tokens": 5})", {codes}}, {R"({"num_tokens": 6, "output_mode": "count"})", {codes}}};
  t["Hashing"] = {{R"({"num_bins": 3})", {codes}}, {R"({"num_bins": 5, "salt": [1, 2], "mask_value": ""})", {texts}}};
  t["HashedCrossing"] = {{R"({"num_bins": 3})", {{{3, 1}, int64}, {{3, 1}, DType::string}}}};
  t["IntegerLookup"] = {{R"({"vocabulary": [3, 1, 2]})", {codes}}};
  t["StringLookup"] = {{R"({"vocabulary": ["w1", "w0"], "mask_token": ""})", {texts}}};
  t["TextVectorization"] = {{R"({"vocabulary": ["w1", "w0"], "output_sequence_length": 4})", {{{3, 1}, DType::string}}}};
}

// Layers of sound.
inline void add_audio(Table& t) {
  t["STFTSpectrogram"] = {{R"({"frame_length": 4, "frame_step": 2})", {kSeries}},
                          {R"({"mode": "psd", "frame_length": 3, "window": [0.5, 1.0, 0.5], "padding": "same", "expand_dims": true})", {kSeries}},
                          {R"({"mode": "stft", "frame_length": 3, "scaling": null, "data_format": "channels_first"})", {kSeries}}};
  t["MelSpectrogram"] = {{R"({"fft_length": 16, "sequence_stride": 5, "num_mel_bins": 4, "min_freq": 0.0})", {{{3, 30}, float32}}},
                         {R"({"fft_length": 12, "sequence_length": 10, "num_mel_bins": 3, "power_to_db": false})", {{{2, 20}, float32}}}};
}

// Layers of images, series and volumes.
inline void add_vision(Table& t) {
  t["Dot"] = {{R"({"axes": 1})", {kMatrix, kMatrix}}, {R"({"axes": [2, 1], "normalize": true})", {kSeries, {{2, 4, 3}, float32}}}};
  t["RepeatVector"] = {{R"({"n": 3})", {kMatrix}}};
  t["Cropping1D"] = {{"{}", {kSeries}}, {R"({"cropping": [0, 2]})", {kSeries}}};
  t["Cropping2D"] = {{R"({"cropping": [1, 1]})", {kImage}}, {R"({"cropping": [[1, 0], [0, 2]], "data_format": "channels_first"})", {kImage}}};
  t["Cropping3D"] = {{"{}", {kVolume}}, {R"({"cropping": [[1, 0], [0, 2], [1, 0]], "data_format": "channels_first"})", {{{2, 2, 4, 3, 5}, float32}}}};
  t["ZeroPadding1D"] = {{"{}", {kSeries}}, {R"({"padding": [0, 2], "data_format": "channels_first"})", {kSeries}}};
  t["ZeroPadding3D"] = {{"{}", {kVolume}}, {R"({"padding": [1, 0, 2]})", {kVolume}}};
  t["UpSampling1D"] = {{"{}", {kSeries}}};
  t["UpSampling2D"] = {{"{}", {kImage}}, {R"({"size": [1, 2], "interpolation": "bilinear", "data_format": "channels_first"})", {kImage}}};
  t["UpSampling3D"] = {{"{}", {kVolume}}, {R"({"size": [1, 2, 1], "data_format": "channels_first"})", {kVolume}}};
  t["ActivityRegularization"] = {{R"({"l1": 0.01, "l2": 0.02})", {kMatrix}}};
  t["GaussianNoise"] = {{R"({"stddev": 0.1, "seed": 3})", {kMatrix}}};
  t["GaussianDropout"] = {{R"({"rate": 0.2})", {kMatrix}}};
  t["AlphaDropout"] = {{R"({"rate": 0.2, "seed": 5})", {kMatrix}}, {R"({"rate": 0.2, "noise_shape": [null, 1, 4]})", {kSeries}}};
  t["SpatialDropout1D"] = {{R"({"rate": 0.3, "seed": 2})", {kSeries}}};
  t["SpatialDropout2D"] = {{R"({"rate": 0.3})", {kImage}}, {R"({"rate": 0.3, "seed": 4, "data_format": "channels_first"})", {kImage}}};
  const Spec first{{2, 4, 6, 5}, float32};
  t["Conv1D"] = {{R"({"filters": 3, "kernel_size": 3, "padding": "causal", "activation": "relu"})", {kSeries}},
                 {R"({"filters": 4, "kernel_size": 2, "strides": 2, "groups": 2, "padding": "same"})", {kSeries}},
                 {R"({"filters": 3, "kernel_size": 2, "data_format": "channels_first"})", {{{2, 4, 5}, float32}}}};
  t["Conv3D"] = {{R"({"filters": 3, "kernel_size": [2, 1, 3], "padding": "same"})", {kVolume}},
                 {R"({"filters": 4, "kernel_size": 2, "strides": 2, "groups": 2})", {kVolume}},
                 {R"({"filters": 3, "kernel_size": 2, "data_format": "channels_first"})", {{{2, 2, 4, 3, 5}, float32}}}};
  t["Conv1DTranspose"] = {{R"({"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"})", {kSeries}},
                          {R"({"filters": 3, "kernel_size": 2, "dilation_rate": 2, "data_format": "channels_first"})", {kSeries}}};
  t["Conv2DTranspose"] = {{R"({"filters": 3, "kernel_size": [3, 2], "strides": 2, "output_padding": 1, "activation": "relu"})", {kImage}},
                          {R"({"filters": 3, "kernel_size": 3, "padding": "same", "data_format": "channels_first"})", {first}}};
  t["Conv3DTranspose"] = {{R"({"filters": 2, "kernel_size": 3, "strides": [2, 1, 2], "padding": "same"})", {kVolume}}};
  t["DepthwiseConv1D"] = {{R"({"kernel_size": 3, "depth_multiplier": 2, "padding": "same"})", {kSeries}},
                          {R"({"kernel_size": 2, "data_format": "channels_first", "activation": "tanh"})", {{{2, 4, 5}, float32}}}};
  t["SeparableConv1D"] = {{R"({"filters": 3, "kernel_size": 3, "strides": 2, "activation": "relu"})", {kSeries}}};
  t["SeparableConv2D"] = {{R"({"filters": 3, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"})", {kImage}},
                          {R"({"filters": 3, "kernel_size": [2, 3], "data_format": "channels_first"})", {first}}};
  for (const std::string kind : {"Max", "Average"}) {
    t[kind + "Pooling1D"] = {{"{}", {kSeries}}, {R"({"pool_size": 3, "strides": 1, "padding": "same", "data_format": "channels_first"})", {kSeries}}};
    t[kind + "Pooling3D"] = {{"{}", {kVolume}}, {R"({"pool_size": [2, 3, 1], "strides": 1, "padding": "same"})", {kVolume}}};
    t["Global" + kind + "Pooling3D"] = {{"{}", {kVolume}}, {R"({"data_format": "channels_first", "keepdims": true})", {kVolume}}};
    t["Adaptive" + kind + "Pooling1D"] = {{R"({"output_size": 3})", {kSeries}}};
    t["Adaptive" + kind + "Pooling2D"] = {{R"({"output_size": [4, 2]})", {kImage}},
                                          {R"({"output_size": 2, "data_format": "channels_first"})", {first}}};
    t["Adaptive" + kind + "Pooling3D"] = {{R"({"output_size": [3, 2, 1]})", {kVolume}}};
  }
  t["GroupNormalization"] = {{R"({"groups": 2})", {kImage}}, {R"({"groups": -1, "axis": 1, "scale": false})", {kSeries}}};
  t["RMSNormalization"] = {{"{}", {kSeries}}, {R"({"axis": [1, 2]})", {kSeries}}};
  t["UnitNormalization"] = {{"{}", {kMatrix}}, {R"({"axis": [1, 2]})", {kSeries}}};
  t["Normalization"] = {{"{}", {kMatrix}}, {R"({"mean": 1.0, "variance": 4.0, "invert": true, "axis": []})", {kSeries}}};
  t["LayerScale"] = {{R"({"init_values": 0.5, "projection_dim": 4})", {kImage}}};
  t["CustomScaleLayer"] = {{R"({"scale": 0.2})", {kMatrix, kMatrix}}};
  t["ConvLSTM1D"] = {{R"({"filters": 2, "kernel_size": 2})", {{{2, 3, 5, 4}, float32}}}};
  t["ConvLSTM2D"] = {{R"({"filters": 2, "kernel_size": [2, 3], "padding": "same", "return_sequences": true})", {kVolume}},
                     {R"({"filters": 2, "kernel_size": 2, "data_format": "channels_first", "go_backwards": true})", {kVolume}}};
  t["ConvLSTM3D"] = {{R"({"filters": 2, "kernel_size": 2})", {{{2, 2, 3, 3, 4, 2}, float32}}}};
  t["Wrapper"] = {{R"({"layer": {"class_name": "Dense", "config": {"units": 3}}})", {kMatrix}}};
  t["SpectralNormalization"] = {
      {R"({"layer": {"class_name": "Dense", "config": {"units": 3}}})", {kMatrix}},
      {R"({"power_iterations": 2, "layer": {"class_name": "Conv2D", "config": {"filters": 3, "kernel_size": 2}}})", {kImage}}};
  t["ReversibleEmbedding"] = {{R"({"input_dim": 5, "output_dim": 3})", {{{3, 4}, int32}}}};
  // Images of the size that comes out: in inference they are not cut.
  t["RandomCrop"] = {{R"({"height": 6, "width": 5})", {kImage}}};
  t["RandomFlip"] = {{"{}", {kImage}}, {R"({"mode": "vertical", "seed": 3, "data_format": "channels_first"})", {kImage}}};
  for (const std::string kind : {"Brightness", "Contrast", "Sharpness"})
    t["Random" + kind] = {{R"({"factor": 0.1, "value_range": [-9, 9]})", {kImage}},
                          {R"({"factor": [0.1, 0.2], "value_range": [-9, 9], "data_format": "channels_first"})", {kImage}}};
  t["Solarization"] = {{R"({"threshold_factor": 0.2, "value_range": [-9, 9]})", {kImage}}};
  t["RandomInvert"] = {{R"({"factor": 0.5, "value_range": [-1, 1]})", {kImage}}};
  t["RandomPosterization"] = {{R"({"factor": [3, 6], "value_range": [-9, 9]})", {kImage}}};
  t["RandomGaussianBlur"] = {{R"({"kernel_size": [3, 1], "value_range": [-9, 9]})", {kImage}}};
  t["RandomErasing"] = {{R"({"factor": 0.5, "fill_value": 1.0})", {kImage}}, {R"({"value_range": [-1, 1]})", {kImage}}};
  t["RandomRotation"] = {{R"({"factor": 0.02, "fill_mode": "constant"})", {kImage}},
                         {R"({"factor": [0.01, 0.02], "seed": 3, "data_format": "channels_first"})", {kImage}}};
  t["RandomZoom"] = {{R"({"height_factor": 0.1})", {kImage}},
                     {R"({"height_factor": [0.1, 0.2], "width_factor": 0.1, "interpolation": "nearest"})", {kImage}}};
  t["RandomTranslation"] = {{R"({"height_factor": 0.1, "width_factor": [0.1, 0.2], "fill_mode": "wrap"})", {kImage}}};
  t["RandomShear"] = {{R"({"x_factor": 0.1, "y_factor": [0.05, 0.1], "fill_mode": "nearest"})", {kImage}}};
  t["RandomPerspective"] = {{R"({"scale": 0.1, "fill_value": 1.0})", {kImage}}, {R"({"factor": [0.2, 0.5], "scale": 0.2, "seed": 2})", {kImage}}};
  t["RandomElasticTransform"] = {{R"({"scale": 0.5, "value_range": [-9, 9]})", {kImage}},
                                 {R"({"factor": [0.2, 0.5], "fill_mode": "constant", "value_range": [-9, 9], "seed": 2})", {kImage}}};
  t["RandomGrayscale"] = {{"{}", {kPicture}}, {R"({"factor": 1.0, "data_format": "channels_first"})", {{{2, 3, 6, 5}, float32}}}};
  t["RandomHue"] = {{R"({"factor": 0.05, "value_range": [-9, 9], "seed": 1})", {kPicture}}};
  t["RandomSaturation"] = {{R"({"factor": [0.4, 0.5], "value_range": [-9, 9]})", {kPicture}}};
  t["RandomColorDegeneration"] = {{R"({"factor": [0.2, 0.4], "value_range": [-9, 9]})", {kPicture}}};
  t["RandomColorJitter"] = {{R"({"brightness_factor": 0.01, "contrast_factor": 0.1, "value_range": [-9, 9]})", {kImage}},
                            {R"({"saturation_factor": [0.4, 0.5], "hue_factor": 0.01, "value_range": [-9, 9], "seed": 2})", {kPicture}}};
  t["MixUp"] = {{"{}", {kImage}}, {R"({"alpha": 2.0, "seed": 3})", {kImage}}};
  t["CutMix"] = {{"{}", {kImage}}, {R"({"factor": [0.2, 0.9], "seed": 3, "data_format": "channels_first"})", {kImage}}};
  t["RandAugment"] = {{R"({"factor": 0.01, "num_ops": 1, "value_range": [-9, 9], "seed": 1})", {kPicture}}};
  t["AugMix"] = {{R"({"factor": 0.01, "num_chains": 2, "chain_depth": 1, "value_range": [-9, 9], "seed": 1})", {kPicture}}};
  t["Pipeline"] = {
      {R"({"layers": [{"class_name": "Rescaling", "config": {"scale": 0.5}}, {"class_name": "RandomFlip", "config": {"seed": 1}}]})", {kImage}},
      {R"({"layers": [{"class_name": "Dense", "config": {"units": 3}}]})", {kMatrix}}};
  t["AutoContrast"] = {{R"({"value_range": [-4, 4]})", {kImage}}};
  t["Equalization"] = {{R"({"value_range": [-4, 4], "bins": 32})", {kImage}}};
  t["ContrastLimitedAdaptiveHistogramEqualization"] = {{R"({"value_range": [-4, 4], "tile_grid_size": [2, 3]})", {kImage}}};
  t["MaxNumBoundingBoxes"] = {{R"({"max_number": 3})", {kImage}}};
  t["SpatialDropout3D"] = {{R"({"rate": 0.3, "seed": 1})", {kVolume}}};
}

}  // namespace tenure::specimens

// Preprocessing layers for images and numbers, and adapt(). Those for text stand in text.h, for sound in audio.h.
// None trains. Integers stay integers; floats are cast to the layer's compute dtype.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenure/layer_values.h>

namespace tenure {

/// Shows data to a layer that learns from it before training: Normalization (mean and variance), Discretization (num_bins boundaries),
/// IntegerLookup, StringLookup and TextVectorization (the vocabulary). What was learned before is forgotten. As in Keras a traced function keeps
/// what it was traced with: adapt before a model is compiled or predicts. Throws Unsupported for any other layer, InvalidArgument where the
/// configuration gave the values.
TENURE_API void adapt(const Layer& layer, const Tensor& data);
/// The same, batch by batch; at least one.
TENURE_API void adapt(const Layer& layer, const Tensors& batches);

namespace layers {

/// Images [batch, height, width, channels], or one without batch, at another size; the dtype stays (integers are rounded and cut off).
/// interpolation: bilinear, nearest, bicubic, lanczos3 or lanczos5. With crop_to_aspect_ratio the middle part of the target's proportions is taken,
/// with pad_to_aspect_ratio fill_value stands around the image.
struct TENURE_API Resizing {
  int64_t height, width;
  std::string interpolation = "bilinear";
  bool crop_to_aspect_ratio = false, pad_to_aspect_ratio = false;
  std::string fill_mode = "constant";
  double fill_value = 0;
  bool antialias = false;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The middle of images, in the compute dtype; smaller ones are enlarged (bilinear) to cover the size first.
struct TENURE_API CenterCrop {
  int64_t height, width;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Numbers to the index of their bin: how many of the boundaries are not above them. bin_boundaries are given, or num_bins and adapt(), which keeps a
/// sketch of the data of relative error epsilon. output_mode int: int32 indices; one_hot, multi_hot and count: as CategoryEncoding.
struct TENURE_API Discretization {
  std::optional<std::vector<double>> bin_boundaries = {};
  std::optional<int64_t> num_bins = {};
  double epsilon = 0.01;
  std::string output_mode = "int";
  bool sparse = false;  ///< true is not supported
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Integers in [0, num_tokens) as vectors of num_tokens. multi_hot and count reduce the last axis of [batch, n] (axis 1 of more axes); one_hot
/// appends an axis, or takes the place of a last one of size 1. With multi_hot and count of at most two axes a negative integer is an error; greater
/// ones count for nothing. A second input of the first's shape weighs a count.
struct TENURE_API CategoryEncoding {
  std::optional<int64_t> num_tokens = {};
  std::string output_mode = "multi_hot";
  bool sparse = false;  ///< true is not supported
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace layers
}  // namespace tenure

// Layers that change images: at random in training, as Keras' augmentation layers; and those that do the same to every image. Aggregates as in
// layers.h. Inputs are [batch, height, width, channels] or one image without a batch, of floats or integers in value_range.
//
// As in Keras a layer that draws does so unless the call, or the call around it, says training = false: fit does, predict and evaluate do not.
// Drawn values come from a generator of the layer's own, one value an image. A factor is a number f for a range from -f (0, where negative factors
// make no sense) to f, or {lowest, highest}. bounding_box_format is kept for files; boxes that go with images are not changed, labels by
// MixUp and CutMix only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/layer_values.h>

namespace tenure::layers {

// ---- geometry ----------------------------------------------------------------------------------------------------------------

/// Mirrors images or not, with equal chance. mode horizontal, vertical or horizontal_and_vertical (both at once).
struct TENURE_API RandomFlip {
  std::string mode = "horizontal_and_vertical";
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// In training, cuts a part of this size out of all images of a batch at one random place; smaller images are cut in the middle and resized. Otherwise
/// hands images on as they are.
struct TENURE_API RandomCrop {
  int64_t height = 0, width = 0;
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Turns images around their middle by an angle drawn from the factor, in full turns. What lies outside is filled as ops' affine_transform says:
/// fill_mode reflect, wrap, constant (fill_value) or nearest; interpolation bilinear or nearest. So do the next three.
struct TENURE_API RandomRotation {
  NumberList factor = 0;
  std::string fill_mode = "reflect", interpolation = "bilinear";
  std::optional<int64_t> seed = {};
  double fill_value = 0;
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Zooms around the middle: 1 + a number drawn from height_factor is the part of the height that is seen. Without a width_factor the width is zoomed as
/// the height. Factors lie in (-1, 1].
struct TENURE_API RandomZoom {
  NumberList height_factor = 0;
  std::optional<NumberList> width_factor = {};
  std::string fill_mode = "reflect", interpolation = "bilinear";
  std::optional<int64_t> seed = {};
  double fill_value = 0;
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Moves images down and to the right by parts of their height and width.
struct TENURE_API RandomTranslation {
  NumberList height_factor = 0, width_factor = 0;
  std::string fill_mode = "reflect", interpolation = "bilinear";
  std::optional<int64_t> seed = {};
  double fill_value = 0;
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Shears images from their upper left corner: rows by x_factor, columns by y_factor, both the other way round with equal chance. Numbers lie in
/// [0, 1], those of two in [-1, 1].
struct TENURE_API RandomShear {
  NumberList x_factor = 0, y_factor = 0;
  std::string interpolation = "bilinear", fill_mode = "reflect";
  double fill_value = 0;
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// With a chance drawn from the factor, moves the corners of images by up to half of scale times their coordinates.
struct TENURE_API RandomPerspective {
  NumberList factor = 1;
  double scale = 1;
  std::string interpolation = "bilinear";
  double fill_value = 0;
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// With a chance drawn from the factor, moves every pixel by a smooth random field: normal numbers times sigma, filtered by a Gaussian of sigma,
/// times alpha, where sigma is 0.05 of the shorter and alpha 0.1 of the longer side, both times a number drawn from scale; cut to value_range.
/// fill_mode reflect, wrap, constant (fill_value), mirror or nearest, as in map_coordinates.
struct TENURE_API RandomElasticTransform {
  NumberList factor = 1, scale = 1;
  std::string interpolation = "bilinear", fill_mode = "reflect";
  double fill_value = 0;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- values -----------------------------------------------------------------------------------------------------------------

/// Adds a part of the width of value_range and clips.
struct TENURE_API RandomBrightness {
  NumberList factor = 0;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Stretches the distance to each channel's mean by a factor in [1 - lowest, 1 + highest] and clips.
struct TENURE_API RandomContrast {
  NumberList factor = 0;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Inverts pixels that, with the addition on top, reach a threshold; both are drawn from [lowest, 255 highest].
struct TENURE_API Solarization {
  NumberList addition_factor = 0, threshold_factor = 0;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Inverts images (to the end of value_range - x) with a chance drawn from the factor.
struct TENURE_API RandomInvert {
  NumberList factor = 1;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Keeps the highest bits of the values' 8; how many is drawn, the upper end excluded unless it is the lower too.
struct TENURE_API RandomPosterization {
  NumberList factor = 8;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Mixes images with a smoothed copy: 0 smooth, 0.5 as they are, 1 sharpened.
struct TENURE_API RandomSharpness {
  NumberList factor = 0;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Filters images by a Gaussian of kernel_size {rows, columns} with a chance drawn from the factor; one pair of deviations a batch is drawn from sigma.
struct TENURE_API RandomGaussianBlur {
  NumberList factor = 1, kernel_size = 3, sigma = 1;
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// With a chance drawn from the factor, overwrites a box whose sides are the square roots of numbers drawn from scale, by fill_value or, without one, by
/// noise.
struct TENURE_API RandomErasing {
  NumberList factor = 1, scale = {0.02, 0.33};
  std::optional<NumberList> fill_value = {};
  NumberList value_range = {0, 255};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- colours: images of red, green and blue -------------------------------------------------------------------------------------

/// Makes images grey with this chance.
struct TENURE_API RandomGrayscale {
  double factor = 0.5;
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Turns hues by up to half of a number drawn from the factor, in whole turns, one way or the other.
struct TENURE_API RandomHue {
  NumberList factor = 0;
  NumberList value_range = {0, 255};
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Multiplies saturations by f / (1 - f) with f drawn from the factor: 0 is grey, 0.5 changes nothing. As Keras has it, saturations are cut to
/// value_range.
struct TENURE_API RandomSaturation {
  NumberList factor = 0;
  NumberList value_range = {0, 255};
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Mixes images with their grey form: 0 as they are, 1 grey; cut to value_range.
struct TENURE_API RandomColorDegeneration {
  NumberList factor = 0;
  NumberList value_range = {0, 255};
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// RandomBrightness, RandomContrast, RandomSaturation and RandomHue, one behind the other, where they have a factor. With a seed each has one made of it.
struct TENURE_API RandomColorJitter {
  NumberList value_range = {0, 255};
  std::optional<NumberList> brightness_factor = {}, contrast_factor = {}, saturation_factor = {}, hue_factor = {};
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- mixtures -------------------------------------------------------------------------------------------------------------------

/// Mixes every image of a batch with another: w of it and 1 - w of the other, w drawn from the beta law (alpha, alpha) (Zhang et al. 2018). Called with
/// {images, labels [batch, classes]} it mixes labels in the same parts.
struct TENURE_API MixUp {
  double alpha = 0.2;
  std::string data_format = {};
  std::optional<int64_t> seed = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Puts a box of another image of the batch into every image: 1 - w of its area, w drawn from the beta law whose two parameters are one number drawn
/// from the factor (Yun et al. 2019). Called with {images, labels [batch, classes]} it mixes labels by the areas. One image stays as it is.
struct TENURE_API CutMix {
  NumberList factor = 1;
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// num_ops times one of eleven layers, chosen with equal chance for the whole batch: RandomShear, RandomTranslation, RandomRotation, RandomBrightness,
/// RandomColorDegeneration, RandomContrast, RandomSharpness, RandomPosterization, Solarization, AutoContrast, Equalization (Cubuk et al. 2020). A
/// traced call computes all and keeps the chosen ones; eager calls compute those only, so the two draw different numbers.
struct TENURE_API RandAugment {
  NumberList value_range = {0, 255};
  int64_t num_ops = 2;
  NumberList factor = 0.5;
  std::string interpolation = "bilinear";
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Mixes images with a mixture of num_chains augmented forms, each behind up to chain_depth of RandAugment's layers (without all_ops:
/// without RandomBrightness, RandomColorDegeneration, RandomContrast and RandomSharpness); the parts are drawn from the Dirichlet and the beta law of alpha (Hendrycks et al. 2020); cut to value_range. Traced
/// calls as in RandAugment.
struct TENURE_API AugMix {
  NumberList value_range = {0, 255};
  int64_t num_chains = 3, chain_depth = 3;
  NumberList factor = 0.3;
  double alpha = 1;
  bool all_ops = true;
  std::string interpolation = "bilinear";
  std::optional<int64_t> seed = {};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

// ---- the same for every image -------------------------------------------------------------------------------------------------

/// Stretches every channel of every image to the whole of value_range.
struct TENURE_API AutoContrast {
  NumberList value_range = {0, 255};
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Spreads values so that a channel's histogram, over the whole batch, is flat. As the layers that draw, it does nothing where training = false is said.
struct TENURE_API Equalization {
  NumberList value_range = {0, 255};
  int64_t bins = 256;
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Equalizes in tiles, with histograms cut at clip_limit times their mean, and interpolates between tiles (Zuiderveld 1994).
struct TENURE_API ContrastLimitedAdaptiveHistogramEqualization {
  NumberList value_range = {0, 255};
  double clip_limit = 4;
  Pair tile_grid_size = 8;
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Called with {images, boxes [batch, n, 4], labels [batch, n]}: cuts or pads boxes and labels to max_number. Called with images: hands them on.
struct TENURE_API MaxNumBoundingBoxes {
  int64_t max_number = 0, fill_value = -1;
  std::string data_format = {};
  std::optional<std::string> bounding_box_format = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

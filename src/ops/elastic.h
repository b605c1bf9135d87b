// What the op elastic_transform and the layer RandomElasticTransform share.
#pragma once

#include <tenure/ops_image.h>

namespace tenure::ops {

/// elastic_transform drawn from a generator's state int64[2], which stays as it is. Where only shapes are asked for the batch may be unknown.
Tensor elastic_at(Tensor images, Tensor state, const ElasticOptions& options);

/// Fields [batch, height, width] filtered along both axes by a profile of an odd size, with zeros around.
Tensor smoothed(Tensor fields, const Tensor& profile);

/// The pixel (i, j) of images [batch, height, width, channels] of known sizes is taken from (i + down, j + across), fields [batch, height, width] of
/// float32 or float64. interpolation: bilinear or nearest; fill_mode: map_coordinates'.
Tensor displaced(const Tensor& images, const Tensor& down, const Tensor& across, std::string_view interpolation, std::string_view fill_mode,
                 double fill_value);

}  // namespace tenure::ops

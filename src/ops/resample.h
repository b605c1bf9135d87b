// Resizing by filters of more than two pixels.
#pragma once

#include <string_view>

#include <tenure/ops.h>

namespace tenure::ops {

bool is_filter(std::string_view interpolation) noexcept;
/// Float images [batch, height, width, channels] with known height and width: a product with a matrix of weights for the rows and one for the
/// columns, so gradients of every order follow. interpolation: bicubic, lanczos3 or lanczos5.
Tensor resample(Tensor images, Pair size, std::string_view interpolation, bool antialias);

}  // namespace tenure::ops

// Patches of [batch, spatial..., channels]: what extract_patches, unfold and fold have in common.
#pragma once

#include <string>
#include <vector>

#include <tenure/tensor.h>

namespace tenure::ops {

/// A window's geometry; one number in a list stands for all spatial axes. padding: valid or same.
struct Patches {
  std::vector<int64_t> size, strides, dilation;
  std::string padding = "valid";
};

/// Element numbers of each window's pixels, window by window and row by row, for windows over `spatial` sizes; and how many windows an axis has.
struct Windows {
  std::vector<int64_t> counts;
  std::vector<int32_t> places;
  int64_t pixels = 1;
};
/// Throws InvalidArgument naming `op` for a geometry that does not fit.
Windows windows_of(const std::vector<int64_t>& spatial, const Patches& p, const char* op);

/// [batch, windows..., pixels * channels]; spatial sizes and channels must be known.
Tensor patches_of(Tensor x, Patches p, int spatial, const char* op);

}  // namespace tenure::ops

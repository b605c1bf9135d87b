// Ops of keras.ops on the arrangement of elements: by a pattern, as other types of the same bytes, without repetitions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <tenure/tensor.h>

namespace tenure {

/// Axes split, moved and joined as an einops pattern says: rearrange(x, "b (h p) w c -> b h w (p c)", {{"p", 2}}). A group in parentheses is one axis;
/// on the left `axes_lengths` gives all its parts but one. Throws InvalidArgument for a pattern that does not fit.
TENURE_API Tensor rearrange(Tensor tensor, std::string_view pattern, const std::map<std::string, int64_t>& axes_lengths = {});

/// The bytes of x as elements of another type; the last axis grows or shrinks where the sizes of elements differ. Not for bool and strings.
TENURE_API Tensor view(Tensor x, DType dtype);

struct UniqueOptions {
  bool sorted = true;  ///< rising, else in the order of their first occurrence
  bool return_index = false, return_inverse = false, return_counts = false;
  std::optional<int> axis = {};      ///< the slices along it are compared; without it the elements
  std::optional<int64_t> size = {};  ///< as many are returned: the rest is cut off, or filled up with fill_value
  double fill_value = 0;
};
/// {distinct values, then what was asked for: int32 places of their first occurrence (1 where filled up), the place of each element among them (in x's
/// shape without an axis), how often each occurs (0 where filled up)}. Without `size` the result's size depends on values, so x must be concrete.
TENURE_API Tensors unique(Tensor x, const UniqueOptions& options = {});

}  // namespace tenure

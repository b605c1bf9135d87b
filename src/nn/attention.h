// Shared by attention and Softmax.
#pragma once

#include <vector>

#include <tenure/attention.h>

#include "nn/families.h"

namespace tenure::nn {

/// Softmax over `axes` of what `mask` (may be empty) keeps; the rest is 0. Where nothing is kept all is 0, or evenly spread if `even`.
Tensor masked_softmax(Tensor x, const Tensor& mask, const std::vector<int>& axes, bool even = false);

}  // namespace tenure::nn

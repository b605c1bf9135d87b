// Shared by losses and metrics: alignment of targets and predictions as Keras does it.
#pragma once

#include <utility>

#include <tenure/tensor.h>

namespace tenure::nn {

/// Drops or adds a last size of 1 where the ranks differ by one.
std::pair<Tensor, Tensor> same_rank(Tensor a, Tensor b, bool expand_rank_1 = true);

}  // namespace tenure::nn

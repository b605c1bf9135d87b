// adapt() from a Dataset; from tensors it stands in preprocessing.h.
#pragma once

#include <cstdint>
#include <optional>

#include <tenure/data.h>
#include <tenure/preprocessing.h>

namespace tenure {

/// Shows the batches of one pass, or the first `steps` of them, to a layer that learns from data: the same as adapt(layer, batches), without holding
/// them at once. Elements have one input and neither labels nor weights, but for Normalization, which leaves those out and puts 128 elements of rank 1
/// together. Throws InvalidArgument for others, for an empty pass, and for one without an end unless `steps` is given.
TENURE_API void adapt(const Layer& layer, const Dataset& data, std::optional<int64_t> steps = {});

}  // namespace tenure

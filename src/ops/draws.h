// Draws from a state that the caller keeps: what keras.random does with a whole number for a seed.
#pragma once

#include <tenure/tensor.h>

namespace tenure::ops {

/// The standard normal law from a generator's state int64[2], which stays as it is. float32, float64 or 16 bits.
Tensor normal_at(Tensor state, const Shape& shape, DType dtype);

}  // namespace tenure::ops

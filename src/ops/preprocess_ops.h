// Ops of the preprocessing layers.
#pragma once

#include <string>
#include <vector>

#include <tenure/op.h>

namespace tenure::ops {

/// How many of the sorted boundaries are not above x: int32. Floats of 16 bits, integers and bool are compared as float32, others as float64 with
/// boundaries in float32.
Tensor bucketize(Tensor x, const std::vector<double>& boundaries);
/// How often each of [0, depth) stands along axis `axis` of x, which becomes a last axis of `depth`; with `binary` whether. `weights` of x's shape
/// count instead of 1. A negative number is an error if `strict`, else counts for nothing, as do numbers from depth.
Tensor count_categories(Tensor x, int axis, int64_t depth, bool binary, bool strict, DType dtype, Tensor weights = {});

}  // namespace tenure::ops

// Weighted sums of rows chosen by index: what sampling of images is made of.
#pragma once

#include <tenure/tensor.h>

namespace tenure::ops {

/// y[b,p,:] = Σk weights[b,p,k] · x[b, index[b,p,k], :] for x [batch, n, c]; an index of -1 adds nothing. index (int32) and weights have one shape
/// [batch or 1, p, k]. Linear in x and in the weights. Throws Shape, DType; an index of n or more fails when it runs.
Tensor gather_sum(Tensor x, Tensor index, Tensor weights);

}  // namespace tenure::ops

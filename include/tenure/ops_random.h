// More of keras.random: names and defaults are Keras'. As in ops.h a draw is a pure function of the generator's state and advances it.
#pragma once

#include <tenure/ops.h>

namespace tenure::random {

/// The gamma law of shape alpha > 0 and scale 1 (Marsaglia and Tsang 2000). float32, float64 or 16 bits.
TENURE_API Tensor gamma(const Shape& shape, const SeedGenerator& seed, double alpha, DType dtype = float32);
/// The beta law on [0, 1]; alpha, beta > 0.
TENURE_API Tensor beta(const Shape& shape, const SeedGenerator& seed, double alpha, double beta, DType dtype = float32);
/// One for each element of alpha and beta, of one shape (float32 or float64; NaN where one is not above 0).
TENURE_API Tensor beta(Tensor alpha, Tensor beta, const SeedGenerator& seed);
/// Logarithms of gamma variates, one for each element of alpha (float32 or float64; NaN where it is not above 0): for small alphas the variates
/// themselves are smaller than any float. sigmoid of the difference of two has the beta law, softmax of several that of Dirichlet.
TENURE_API Tensor log_gamma(Tensor alpha, const SeedGenerator& seed);

}  // namespace tenure::random

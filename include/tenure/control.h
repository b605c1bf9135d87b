// Control flow: keras.ops' cond, switch, while_loop, fori_loop, scan, map and associative_scan.
// Eager, a condition is read and one branch runs; tapes see what ran. In a traced function (and on symbols) a condition that is not known yet cannot
// choose what is recorded: cond and switch_ record every branch and take the chosen results, so branches must be without effects (an assignment or
// a random draw inside is an Unsupported error); while_loop then needs maximum_iterations and is that many steps long; the loops of a known number
// of steps are unrolled. All have the gradients of what they record. Keras' files cannot hold these ops.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <tenure/tensor.h>

namespace tenure {

/// What a branch computes; a single Tensor converts.
using Branch = std::function<Outputs()>;
/// true_fn's results if pred (one bool) holds, else false_fn's. Recorded branches must agree in number, shapes and dtypes of their results.
TENURE_API Outputs cond(Tensor pred, const Branch& true_fn, const Branch& false_fn);
/// The branch at `index`, clamped to those there are. Keras: switch.
TENURE_API Outputs switch_(Tensor index, const std::vector<Branch>& branches);
/// Replaces loop_vars by body(loop_vars) as long as cond(loop_vars) holds, at most maximum_iterations times.
TENURE_API Outputs while_loop(const std::function<Tensor(const Tensors&)>& cond, const std::function<Outputs(const Tensors&)>& body,
                              Tensors loop_vars, std::optional<int64_t> maximum_iterations = {});
/// val = body_fun(i, val) for i from lower to upper - 1; i is an int32 tensor.
TENURE_API Tensor fori_loop(int64_t lower, int64_t upper, const std::function<Tensor(const Tensor&, const Tensor&)>& body_fun, Tensor init_val);

/// One step: from the carried tensors and a slice of each of xs to the next carried tensors and what is kept of the step.
using ScanStep = std::function<std::pair<Tensors, Tensors>(const Tensors& carry, const Tensors& x)>;
/// {the carried tensors at the end, what the steps kept, stacked on axis 0 in the order of xs}. Without xs `length` steps run. `reverse` begins at
/// the end.
TENURE_API std::pair<Tensors, Tensors> scan(const ScanStep& f, Tensors init, const Tensors& xs = {}, std::optional<int64_t> length = {},
                                            bool reverse = false);
/// f of every slice along axis 0, the results stacked.
TENURE_API Outputs map(const std::function<Outputs(const Tensor&)>& f, const Tensor& xs);
/// The same; the slices do not see each other.
TENURE_API Outputs vectorized_map(const std::function<Outputs(const Tensor&)>& f, const Tensor& xs);
/// All running results of an associative function along an axis, in a number of steps that grows with the logarithm of its size. f joins two
/// lists of slices, the earlier first.
TENURE_API Tensors associative_scan(const std::function<Tensors(const Tensors&, const Tensors&)>& f, const Tensors& elems, bool reverse = false,
                                    int axis = 0);

}  // namespace tenure

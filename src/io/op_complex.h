// Complex numbers in saved graphs: pairs of real and imaginary part on a last axis of 2 more than Keras has, as view_as_real gives them.
#pragma once

#include <set>
#include <string>

#include "io/op_arguments.h"

namespace tenure::io {

/// The op of `row` on inputs of which those numbered in `complex` are complex. Throws Unsupported where op knows real numbers only.
Tensors run_complex(const OpRow& row, const OpCall& call, const Tensors& inputs, const std::set<size_t>& complex);

/// Whether this op makes complex numbers of complex ones; those that it knows nothing about are taken to.
bool complex_of_complex(const std::string& op);

}  // namespace tenure::io

// What shape.cc and pad.cc share with the other families.
#pragma once

#include <tenure/op.h>

namespace tenure::ops {

/// The tensors in their common dtype (Keras' promotion; C++ numbers widen nothing). Throws InvalidArgument for an empty list or handle.
Tensors promote_all(const Tensors& xs, std::string_view op);

/// tile, repeat, flip, pad: the second half of the family.
void register_pad(Registry& r);

}  // namespace tenure::ops

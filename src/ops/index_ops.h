// What the files of the index family share.
#pragma once

#include <tenure/op.h>

namespace tenure::ops {

/// slice, slice_axis, slice_update: one half of the family.
void register_slice(Registry& r);

}  // namespace tenure::ops

// The families of the rarer ops; families.h has the others. Each registers its ops at the end of its file; registry.cc calls them all.
#pragma once

#include <tenure/op.h>

namespace tenure {

void register_sample(Registry& r);
void register_special(Registry& r);
void register_bits(Registry& r);
void register_order(Registry& r);
void register_scatter(Registry& r);
void register_decompose(Registry& r);
void register_fourier(Registry& r);

}  // namespace tenure

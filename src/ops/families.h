// The families of ops. Each registers its ops at the end of its file; registry.cc calls them all, so that no linker drops one.
#pragma once

#include <tenure/op.h>

namespace tenure {

void register_making(Registry& r);
void register_arithmetic(Registry& r);
void register_math(Registry& r);
void register_compare(Registry& r);
void register_activation(Registry& r);
void register_reduce(Registry& r);
void register_scan(Registry& r);
void register_statistics(Registry& r);
void register_softmax(Registry& r);
void register_shape(Registry& r);
void register_index(Registry& r);
void register_linalg(Registry& r);
void register_convolve(Registry& r);
void register_pool(Registry& r);
void register_norm(Registry& r);
void register_losses(Registry& r);
void register_image(Registry& r);
void register_random(Registry& r);
void register_recurrent_ops(Registry& r);
void register_einsum(Registry& r);
void register_sample(Registry& r);
void register_special(Registry& r);
void register_bits(Registry& r);
void register_order(Registry& r);
void register_scatter(Registry& r);
void register_decompose(Registry& r);
void register_fourier(Registry& r);
void register_preprocess(Registry& r);
void register_text(Registry& r);
void register_ctc_loss(Registry& r);
void register_ctc_decode(Registry& r);
void register_arrange(Registry& r);

}  // namespace tenure

// The families of layers. Each registers its classes at the end of its file; registry.cc calls them all, so that no linker drops one.
#pragma once

#include <tenure/layer.h>

namespace tenure {

void register_core(LayerRegistry& r);
void register_convolve(LayerRegistry& r);
void register_depthwise(LayerRegistry& r);
void register_transposed(LayerRegistry& r);
void register_pooling(LayerRegistry& r);
void register_norm(LayerRegistry& r);
void register_normalization(LayerRegistry& r);
void register_activation_layers(LayerRegistry& r);
void register_merge(LayerRegistry& r);
void register_reshape(LayerRegistry& r);
void register_padding(LayerRegistry& r);
void register_resample(LayerRegistry& r);
void register_noise(LayerRegistry& r);
void register_masking(LayerRegistry& r);
void register_recurrent(LayerRegistry& r);
void register_attention(LayerRegistry& r);
void register_conv_lstm(LayerRegistry& r);
void register_wrappers(LayerRegistry& r);
void register_reversible_embedding(LayerRegistry& r);
void register_preprocess_images(LayerRegistry& r);
void register_preprocess_numbers(LayerRegistry& r);
void register_hashing(LayerRegistry& r);
void register_lookup(LayerRegistry& r);
void register_text_layers(LayerRegistry& r);
void register_augment_geometry(LayerRegistry& r);
void register_augment_values(LayerRegistry& r);
void register_augment_histogram(LayerRegistry& r);
void register_augment_affine(LayerRegistry& r);
void register_augment_colour(LayerRegistry& r);
void register_augment_mix(LayerRegistry& r);
void register_spectrograms(LayerRegistry& r);
void register_pipeline(LayerRegistry& r);

}  // namespace tenure

// Weights into a model that is there, from .weights.h5 and legacy .h5: by order, where they fit, by name. Nothing is written where an Error comes.
#include <tenure/tenure.h>

#include "fuzz.h"

using namespace tenure;

namespace {

/// The architecture of tests/reference/legacy_k2_*.h5.
const Model& model() {
  static const Model& made = *new Model([] {
    namespace L = layers;
    Sequential m({L::InputLayer{.shape = {8, 8, 1}},
                  L::Conv2D{.filters = 4, .kernel_size = 3, .strides = 2, .padding = "same", .activation = "relu", .name = "conv2d"},
                  L::BatchNormalization{.name = "batch_normalization"}, L::MaxPooling2D{}, L::Flatten{},
                  L::Dense{.units = 3, .activation = "softmax", .name = "dense"}});
    m.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy"});
    return Model(m);
  }());
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const LoadWeightsOptions& options : {LoadWeightsOptions{}, LoadWeightsOptions{.skip_mismatch = true}, LoadWeightsOptions{.by_name = true}})
    files::fuzz_one(data, size, [&](const files::Bytes& bytes) { (void)load_weights(model(), bytes.span(), options); });
  return 0;
}

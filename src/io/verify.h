// A model beside recorded arrays. Nothing here owns anything.
#pragma once

#include <tenure/saving.h>

#include "files/npy.h"
#include "nn/layer_body.h"

namespace tenure::io {

VerifyReport verify_arrays(const Model& model, const files::NpzFile& recorded, const VerifyOptions& options);

/// The body; throws InvalidArgument for an empty handle.
const LayerBody& body(const Model& model);

/// Empty for an author's class, which has no symbols.
std::vector<std::string> input_names(const Model& model);
std::vector<std::string> output_names(const Model& model);

}  // namespace tenure::io

// Older forms of a model's configuration in the form of Keras 3: the configuration of a legacy .h5 (Keras 2 and 3) and of .keras files by
// Keras 2 (tf-keras). One translation before anything is read, so that the readers know one form. Nothing here owns anything.
#pragma once

#include "io/archive.h"
#include "io/problems.h"

namespace tenure::io {

/// The envelope of a model or layer as Keras 3 would write it into config.json. Forms that are already Keras 3's stay as they are; what
/// cannot be said in Keras 3 is noted. Throws Io for a malformed configuration.
Json modern_layer(const Json& envelope, Problems& problems);

/// compile_config of a legacy file's training_config, or of a compile_config by Keras 2.
Json modern_compile(const Json& training);

}  // namespace tenure::io

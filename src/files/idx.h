// The idx files of MNIST and its relatives, plain or gzipped.
#pragma once

#include <string>

#include "files/array.h"

namespace tenure::files {

/// Reads one idx array. Big-endian values are turned round. Throws Io if sizes do not agree with the file.
Array read_idx(const Bytes& bytes);
Array read_idx(const std::string& path);

}  // namespace tenure::files

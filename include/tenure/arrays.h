// Arrays in files: .npy and .npz, as NumPy writes them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <tenure/tensor.h>

namespace tenure {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Throws Io for a damaged file, DType for element types without a Tenure dtype (complex numbers, objects). Strings become tensors of strings (strings.h).
TENURE_API Tensor load_npy(const std::string& path);
TENURE_API void save_npy(const std::string& path, const Tensor& t);
/// All arrays, in the file's order.
TENURE_API NamedTensors load_npz(const std::string& path);
/// Written under a temporary name and renamed: the file is whole or as it was.
TENURE_API void save_npz(const std::string& path, const NamedTensors& arrays);

}  // namespace tenure

// Pooling of series and volumes, and to given sizes: included by layers.h, where those of images and the global ones of series stand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/layer_values.h>

namespace tenure::layers {

/// The greatest of each window of steps.
struct TENURE_API MaxPooling1D {
  int64_t pool_size = 2;
  std::optional<int64_t> strides = {};  ///< pool_size when not given
  std::string padding = "valid", data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The greatest of each window of a volume.
struct TENURE_API MaxPooling3D {
  Triple pool_size = 2;
  std::optional<Triple> strides = {};  ///< pool_size when not given
  std::string padding = "valid", data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The mean of each window, where padding does not count of steps.
struct TENURE_API AveragePooling1D {
  int64_t pool_size = 2;
  std::optional<int64_t> strides = {};  ///< pool_size when not given
  std::string padding = "valid", data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The mean of each window, where padding does not count of a volume.
struct TENURE_API AveragePooling3D {
  Triple pool_size = 2;
  std::optional<Triple> strides = {};  ///< pool_size when not given
  std::string padding = "valid", data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The greatest of each channel of a volume.
struct TENURE_API GlobalMaxPooling3D {
  std::string data_format = {};
  bool keepdims = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The mean of each channel of a volume.
struct TENURE_API GlobalAveragePooling3D {
  std::string data_format = {};
  bool keepdims = false;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The greatest of windows that cover the input, as many as output_size says.
struct TENURE_API AdaptiveMaxPooling1D {
  int64_t output_size;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for images.
struct TENURE_API AdaptiveMaxPooling2D {
  Pair output_size;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for volumes.
struct TENURE_API AdaptiveMaxPooling3D {
  Triple output_size;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The mean of windows that cover the input, as many as output_size says.
struct TENURE_API AdaptiveAveragePooling1D {
  int64_t output_size;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for images.
struct TENURE_API AdaptiveAveragePooling2D {
  Pair output_size;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for volumes.
struct TENURE_API AdaptiveAveragePooling3D {
  Triple output_size;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

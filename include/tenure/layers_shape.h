// Layers that repeat, cut, surround and enlarge: included by layers.h. None has weights.
#pragma once

#include <cstdint>
#include <string>

#include <tenure/layer_values.h>

namespace tenure::layers {

/// [batch, features] to [batch, n, features].
struct TENURE_API RepeatVector {
  int64_t n;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Takes steps away at both ends of [batch, steps, features]. Something must remain: Shape otherwise.
struct TENURE_API Cropping1D {
  Pair cropping = 1;  ///< before, after
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Takes rows and columns away from images.
struct TENURE_API Cropping2D {
  Border cropping = 0;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Takes planes, rows and columns away from volumes.
struct TENURE_API Cropping3D {
  Border3D cropping = 1;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Zeros before and after the steps of [batch, steps, features].
struct TENURE_API ZeroPadding1D {
  Pair padding = 1;  ///< before, after
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Zeros around volumes.
struct TENURE_API ZeroPadding3D {
  Border3D padding = 1;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Every step `size` times.
struct TENURE_API UpSampling1D {
  int64_t size = 2;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Images `size` times as high and wide. interpolation: nearest or bilinear (half-pixel centres).
struct TENURE_API UpSampling2D {
  Pair size = 2;
  std::string data_format = {}, interpolation = "nearest";
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Every plane, row and column of volumes `size` times.
struct TENURE_API UpSampling3D {
  Triple size = 2;
  std::string data_format = {}, name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

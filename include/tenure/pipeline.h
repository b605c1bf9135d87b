// Layers one behind the other, as a layer.
#pragma once

#include <string>

#include <tenure/recurrent.h>

namespace tenure::layers {

/// Calls its layers in order: of preprocessing, mostly. It is no model: it is neither compiled nor saved by itself. As in Keras, training is assumed
/// unless the call, or the call around it, says otherwise; masks go from layer to layer. Several inputs reach the first layer; a file has its
/// name and its layers only.
struct TENURE_API Pipeline {
  LayerConfigs layers;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace tenure::layers

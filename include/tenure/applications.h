// Networks of keras.applications, layer by layer as Keras builds them: the same names, the same places in weight files.
//   Model net = applications::ResNet50{.classes = 10};
//   net.load_weights("mine.weights.h5");        // as saved by Keras, too
// Weights are random. Options have Keras' names, defaults and order; `weights` and `input_tensor` are left out: weights are loaded, and a
// Model is a Layer, which may be called on any tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tenure/model.h>

namespace tenure::applications {

// Of every network:
//   include_top: with the classifier. Without it the features come out, [batch, height, width, channels], or pooled.
//   input_shape: [height, width, channels], at least 32 by 32. {}: [224, 224, 3], and any size where there is no top.
//   pooling: of the features, where there is no top: "avg", "max" or "" for none.
//   classifier_activation: {} gives logits.
// Throws Shape for an input_shape that does not fit, InvalidArgument for another pooling.

/// He et al., https://arxiv.org/abs/1512.03385. 25.6 million parameters. Takes images as keras.applications.resnet.preprocess_input makes them.
struct TENURE_API ResNet50 {
  bool include_top = true;
  std::optional<Shape> input_shape = {};
  std::string pooling = {};
  int64_t classes = 1000;
  ActivationFunction classifier_activation = "softmax";
  std::string name = "resnet50";
  operator Model() const;
};

/// Sandler et al., https://arxiv.org/abs/1801.04381. 3.5 million parameters at alpha 1; `alpha` scales the number of filters. Takes values in
/// [-1, 1]. Its usual name says alpha and height: "mobilenetv2_1.00_224".
struct TENURE_API MobileNetV2 {
  std::optional<Shape> input_shape = {};
  double alpha = 1.0;
  bool include_top = true;
  std::string pooling = {};
  int64_t classes = 1000;
  ActivationFunction classifier_activation = "softmax";
  std::string name = {};
  operator Model() const;
};

/// Tan and Le, https://arxiv.org/abs/1905.11946. 5.3 million parameters. Takes values in [0, 255]: the scaling is its first layer.
struct TENURE_API EfficientNetB0 {
  bool include_top = true;
  std::optional<Shape> input_shape = {};
  std::string pooling = {};
  int64_t classes = 1000;
  ActivationFunction classifier_activation = "softmax";
  std::string name = "efficientnetb0";
  operator Model() const;
};

/// Huang et al., https://arxiv.org/abs/1608.06993. 8.1 million parameters. Takes images as keras.applications.densenet.preprocess_input makes
/// them.
struct TENURE_API DenseNet121 {
  bool include_top = true;
  std::optional<Shape> input_shape = {};
  std::string pooling = {};
  int64_t classes = 1000;
  ActivationFunction classifier_activation = "softmax";
  std::string name = "densenet121";
  operator Model() const;
};

/// Liu et al., https://arxiv.org/abs/2201.03545. 28.6 million parameters. With `include_preprocessing` it takes values in [0, 255] of three
/// channels: the normalization is its first layer.
struct TENURE_API ConvNeXtTiny {
  bool include_top = true, include_preprocessing = true;
  std::optional<Shape> input_shape = {};
  std::string pooling = {};
  int64_t classes = 1000;
  ActivationFunction classifier_activation = "softmax";
  std::string name = "convnext_tiny";
  operator Model() const;
};

}  // namespace tenure::applications

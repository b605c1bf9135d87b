// The networks that Tenure builds itself, beside Keras' own: the same layers with the same settings, the same graph, the same places of weights.
#include <map>

#include <tenure/applications.h>

#include "io/test_models.h"
#include "io/verify.h"
#include "io/weights.h"

namespace tenure::io {
namespace {

using Ordered = nlohmann::ordered_json;

Model build(const std::string& name) {
  using namespace applications;
  const Shape shape{64, 48, 3};
  if (name == "ResNet50") return ResNet50{.input_shape = shape, .classes = 7};
  if (name == "ResNet50 features") return ResNet50{.include_top = false, .pooling = "avg"};
  if (name == "MobileNetV2") return MobileNetV2{.input_shape = shape, .classes = 7};
  if (name == "MobileNetV2 narrow") return MobileNetV2{.input_shape = shape, .alpha = 0.35, .classes = 7, .name = "narrow"};
  if (name == "MobileNetV2 wide") return MobileNetV2{.input_shape = Shape{33, 97, 3}, .alpha = 1.4, .include_top = false};
  if (name == "EfficientNetB0") return EfficientNetB0{.input_shape = shape, .classes = 7};
  if (name == "EfficientNetB0 features") return EfficientNetB0{.include_top = false, .pooling = "max"};
  if (name == "DenseNet121") return DenseNet121{.input_shape = shape, .classes = 7};
  if (name == "DenseNet121 features") return DenseNet121{.include_top = false, .input_shape = Shape{65, 64, 1}};
  if (name == "ConvNeXtTiny") return ConvNeXtTiny{.input_shape = shape, .classes = 7};
  return ConvNeXtTiny{.include_top = false, .include_preprocessing = false, .pooling = "avg"};
}

/// What a layer is: its class, its settings, and what its calls read. Without what says nothing (null) and what Keras writes beside (modules,
/// types of tensors, the input of an inner Sequential).
Ordered essence(const Ordered& layer) {
  Ordered out{{"class_name", layer["class_name"]}, {"config", layer["config"]}, {"calls", Ordered::array()}};
  out["config"].erase("dtype");
  for (auto it = out["config"].begin(); it != out["config"].end();) it = it->is_null() ? out["config"].erase(it) : std::next(it);
  if (out["config"].contains("layers")) {
    Ordered inner = Ordered::array();
    for (const Ordered& l : out["config"]["layers"])
      if (l["class_name"] != "InputLayer") inner.push_back(essence(l));
    out["config"] = Ordered{{"name", layer["config"]["name"]}, {"layers", inner}};
  }
  std::function<void(const Ordered&)> origins = [&](const Ordered& j) {
    if (!j.is_structured()) return;
    if (j.is_object() && j.contains("keras_history")) return out["calls"].push_back(j["keras_history"]);
    for (const Ordered& item : j) origins(item);
  };
  if (layer.contains("inbound_nodes")) origins(layer["inbound_nodes"]);
  return out;
}

class Applications : public testing::TestWithParam<const char*> {};
TEST_P(Applications, AreWhatKerasBuilds) {
  const std::string name = GetParam();
  const files::NpzFile file(Bytes::map(reference("application_configs.npz")));
  auto json = [&](const std::string& key) { return Ordered::parse(file.read(name + "/" + key).bytes.text()); };
  const Model m = build(name);
  const Ordered theirs = json("model")["config"], ours = Ordered::parse(m.to_json())["config"];
  EXPECT_EQ(ours["name"], theirs["name"]);
  EXPECT_EQ(ours["input_layers"], theirs["input_layers"]);
  EXPECT_EQ(ours["output_layers"], theirs["output_layers"]);
  ASSERT_EQ(ours["layers"].size(), theirs["layers"].size());
  int differ = 0;
  for (size_t i = 0; i < theirs["layers"].size() && differ < 3; ++i) {
    const nlohmann::json a = essence(ours["layers"][i]), b = essence(theirs["layers"][i]);
    differ += a != b;
    EXPECT_EQ(a, b) << "layer " << i;
  }
  std::map<std::string, nlohmann::json> places[2];
  for (const WeightGroup& g : weight_groups(body(m), false))
    for (size_t i = 0; i < g.items.size(); ++i)
      places[0][fmt::format("{}/vars/{}", g.path, i)] =
          std::vector<int64_t>(g.items[i].variable->spec().shape.begin(), g.items[i].variable->spec().shape.end());
  for (const auto& w : json("weights")) places[1][w[0].get<std::string>()] = nlohmann::json(w[1]);
  EXPECT_EQ(places[0], places[1]);
}
INSTANTIATE_TEST_SUITE_P(All, Applications,
                         testing::Values("ResNet50", "ResNet50 features", "MobileNetV2", "MobileNetV2 narrow", "MobileNetV2 wide", "EfficientNetB0",
                                         "EfficientNetB0 features", "DenseNet121", "DenseNet121 features", "ConvNeXtTiny", "ConvNeXtTiny features"));

TEST(ApplicationOptions, ThatDoNotFitAreRefused) {
  using namespace applications;
  files::expect_error(Code::Shape, "at least 32x32, got [31,64,3]", [] { (void)Model(ResNet50{.input_shape = Shape{31, 64, 3}}); });
  files::expect_error(Code::Shape, "must be known", [] { (void)Model(DenseNet121{.input_shape = Shape{-1, 64, 3}}); });
  files::expect_error(Code::Shape, "[height, width, channels]", [] { (void)Model(ConvNeXtTiny{.input_shape = Shape{64, 64}}); });
  files::expect_error(Code::InvalidArgument, "pooling", [] { (void)Model(MobileNetV2{.include_top = false, .pooling = "sum"}); });
  files::expect_error(Code::InvalidArgument, "alpha", [] { (void)Model(MobileNetV2{.alpha = -1}); });
}

}  // namespace
}  // namespace tenure::io

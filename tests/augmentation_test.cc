// Layers that augment: what is left to chance, what is refused. Values with nothing left to it: layers_more_golden_test.cc.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include <tenure/tenure.h>

#include "golden.h"

namespace tenure {
namespace {

using golden::Case;
using golden::difference;

Tensor image_of(const Tensor& batch, int64_t i) { return slice_axis(batch, 0, i, i + 1); }

// Every image is one of the two that Keras makes with a fixed sign, and both come.
TEST(Augmentations, SignsGiveOneOfTwo) {
  golden::File file("augmentation_signs.npz");
  for (const Case& c : file.cases) {
    SCOPED_TRACE(c.name);
    nlohmann::ordered_json config = c.entry["config"];
    config["seed"] = 5;
    const Layer layer = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), config.dump());
    int seen[2] = {0, 0};
    for (int k = 0; k < 12; ++k) {
      const Tensor y = layer(c["in0"], {.training = true});
      for (int64_t i = 0; i < y.dim(0); ++i) {
        const bool first = difference(image_of(y, i), image_of(c["out0"], i)) <= 1e-5;
        EXPECT_TRUE(first || difference(image_of(y, i), image_of(c["out1"], i)) <= 1e-5);
        ++seen[first ? 0 : 1];
      }
    }
    EXPECT_GT(seen[0], 0);
    EXPECT_GT(seen[1], 0);
  }
}

struct Maker {
  const char* name;
  std::function<Layer(std::optional<int64_t>)> layer;
};
std::vector<Maker> makers() {
  return {
      {"RandomRotation", [](auto seed) { return Layer(layers::RandomRotation{.factor = 0.2, .seed = seed}); }},
      {"RandomZoom", [](auto seed) { return Layer(layers::RandomZoom{.height_factor = 0.4, .seed = seed}); }},
      {"RandomTranslation", [](auto seed) { return Layer(layers::RandomTranslation{.height_factor = 0.3, .width_factor = 0.3, .seed = seed}); }},
      {"RandomShear", [](auto seed) { return Layer(layers::RandomShear{.x_factor = 0.5, .y_factor = 0.2, .seed = seed}); }},
      {"RandomPerspective", [](auto seed) { return Layer(layers::RandomPerspective{.scale = 0.6, .seed = seed}); }},
  };
}

TEST(Augmentations, TheSameSeedGivesTheSame) {
  const Tensor x = multiply(random::uniform({4, 7, 6, 3}, SeedGenerator(5)), 255);
  for (const Maker& m : makers()) {
    SCOPED_TRACE(m.name);
    const Layer a = m.layer(3), b = m.layer(3), other = m.layer(4);
    const Tensor first = a(x, {.training = true}), second = a(x, {.training = true});
    EXPECT_EQ(difference(b(x, {.training = true}), first), 0);
    EXPECT_EQ(difference(b(x, {.training = true}), second), 0);
    EXPECT_GT(difference(first, second), 1e-3);
    EXPECT_GT(difference(other(x, {.training = true}), first), 1e-3);
    EXPECT_GT(difference(first, x), 1e-3);
    EXPECT_EQ(difference(a(x, {.training = false}), x), 0);
    // As in Keras a layer that nobody told otherwise draws; one image goes as a batch of one.
    EXPECT_GT(difference(m.layer(3)(x), x), 1e-3);
    const Tensor one = m.layer(3)(squeeze(image_of(x, 0), {0}), {.training = true});
    EXPECT_EQ(difference(expand_dims(one, 0), m.layer(3)(image_of(x, 0), {.training = true})), 0);
    // In a trace each call draws anew.
    const Layer traced = m.layer(3);
    Function f([&](Tensors args) { return traced(TensorList(args), {.training = true}).items(); });
    const Tensor once = f(Tensors{x}), twice = f(Tensors{x});
    EXPECT_LE(difference(once, first), 1e-5);
    EXPECT_LE(difference(twice, second), 1e-5);
  }
}

void bad(const std::function<Layer()>& make, const char* part) {
  try {
    (void)make();
    ADD_FAILURE() << "nothing was refused, expected: " << part;
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what(); }
}

TEST(Augmentations, WhatIsWrongIsRefused) {
  bad([] { return Layer(layers::RandomRotation{.factor = 2}); }, "RandomRotation: expected factor as a number in [-1, 1] or two of them, got 2");
  bad([] { return Layer(layers::RandomRotation{.fill_mode = "mirror"}); }, "expected fill_mode reflect, wrap, constant or nearest, got 'mirror'");
  bad([] { return Layer(layers::RandomRotation{.interpolation = "bicubic"}); }, "expected interpolation bilinear or nearest, got 'bicubic'");
  bad([] { return Layer(layers::RandomZoom{.height_factor = -1}); }, "RandomZoom: expected height_factor as a number in (-1, 1] or two of them");
  bad([] { return Layer(layers::RandomZoom{.height_factor = 0, .width_factor = NumberList({0, 2})}); }, "expected width_factor");
  bad([] { return Layer(layers::RandomTranslation{.width_factor = {0, 0.1, 0.2}}); }, "RandomTranslation: expected width_factor");
  bad([] { return Layer(layers::RandomShear{.x_factor = -0.1}); }, "RandomShear: expected x_factor as a number in [0, 1]");
  bad([] { return Layer(layers::RandomPerspective{.scale = 1.5}); }, "RandomPerspective: expected scale in [0, 1], got 1.5");
  const Tensor flat = ones({4, 4});
  EXPECT_THROW((void)layers::RandomRotation{.factor = 0.1}(flat), Error);
}

// What Keras writes for a number is read; what is written can be read by Keras.
TEST(Augmentations, ShearsByANumberComeBack) {
  Layer l = LayerRegistry::global().make("RandomShear", R"({"x_factor": [-0.3, 0.3], "y_factor": [-0.0, 0.0]})");
  const auto config = nlohmann::json::parse(l.get_config());
  EXPECT_EQ(config["x_factor"], 0.3);
  EXPECT_EQ(config["y_factor"], (std::vector<double>{0, 0}));
}

// ---- Pipeline ---------------------------------------------------------------------------------------------------------------------

TEST(Pipeline, CallsItsLayersInOrder) {
  const Layer line = layers::Pipeline{.layers = {layers::Rescaling{.scale = 2}, layers::Dense{.units = 3}, layers::Dropout{.rate = 0.5, .seed = 3}}};
  const Tensor x = random::normal({5, 4}, SeedGenerator(3));
  const Tensor y = line(x, {.training = false});
  const Layer dense = line.layers().at(1);
  EXPECT_EQ(difference(y, dense(multiply(x, 2))), 0);
  // Nobody said whether it trains: as in Keras, it does.
  EXPECT_GT(difference(line(x), y), 0.01);
  // A model that predicts says that it does not.
  const Tensor in = Input({.shape = {4}});
  const Model model{{.inputs = {in}, .outputs = {line(in)}}};
  EXPECT_EQ(difference(model.predict(x), y), 0);
}

TEST(Pipeline, WhatIsWrongIsRefused) {
  bad([] { return Layer(layers::Pipeline{}); }, "Pipeline: expected at least one layer");
  bad([] { return Layer(layers::Pipeline{.layers = {Layer()}}); }, "Pipeline: expected layers, got an empty handle");
}

TEST(PreprocessingModels, ComeFromKerasFilesAndGoBack) {
  const std::string path = tests::source_dir() + "/tests/reference/preprocessing_more";
  const Model m = load_model(path + ".keras");
  const VerifyReport r = verify(m, path + "_io.npz");
  EXPECT_TRUE(r.ok()) << r.text();
  const Model again = load_model(model_bytes(m));
  EXPECT_TRUE(verify(again, path + "_io.npz").ok());
  for (const Layer& l : m.layers()) {
    SCOPED_TRACE(l.name());
    EXPECT_EQ(nlohmann::json::parse(again.get_layer(l.name()).get_config()), nlohmann::json::parse(l.get_config()));
  }
}

}  // namespace
}  // namespace tenure

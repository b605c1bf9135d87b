// Layers that augment: what is left to chance, what is refused. Values with nothing left to it: layers_more_golden_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include <tenure/tenure.h>

#include "golden.h"
#include "refused.h"

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
      {"RandomElasticTransform", [](auto seed) { return Layer(layers::RandomElasticTransform{.fill_mode = "nearest", .seed = seed}); }},
      {"RandomGrayscale", [](auto seed) { return Layer(layers::RandomGrayscale{.seed = seed}); }},
      {"RandomHue", [](auto seed) { return Layer(layers::RandomHue{.factor = 0.6, .seed = seed}); }},
      {"RandomSaturation",
       [](auto seed) {
         return Layer(layers::RandomSaturation{.factor = {0.2, 0.7}, .value_range = {0, 1}, .seed = seed});
       }},
      {"RandomColorDegeneration", [](auto seed) { return Layer(layers::RandomColorDegeneration{.factor = 0.8, .seed = seed}); }},
      {"RandomColorJitter",
       [](auto seed) {
         return Layer(layers::RandomColorJitter{
             .brightness_factor = 0.3, .contrast_factor = 0.4, .saturation_factor = NumberList({0.2, 0.7}), .hue_factor = 0.3, .seed = seed});
       }},
      {"MixUp", [](auto seed) { return Layer(layers::MixUp{.alpha = 1, .seed = seed}); }},
      {"CutMix", [](auto seed) { return Layer(layers::CutMix{.seed = seed}); }},
      {"RandAugment", [](auto seed) { return Layer(layers::RandAugment{.seed = seed}); }},
      {"AugMix", [](auto seed) { return Layer(layers::AugMix{.seed = seed}); }},
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
    EXPECT_EQ(difference(m.layer(3)(x), first), 0);
    const Tensor one = m.layer(3)(squeeze(image_of(x, 0), {0}), {.training = true});
    EXPECT_EQ(difference(expand_dims(one, 0), m.layer(3)(image_of(x, 0), {.training = true})), 0);
    // In a trace each call draws anew.
    const Layer traced = m.layer(3);
    Function f([&](Tensors args) { return traced(TensorList(args), {.training = true}).items(); });
    const Tensor once = f(Tensors{x}), twice = f(Tensors{x});
    if (std::string(m.name) == "RandAugment" || std::string(m.name) == "AugMix") {
      EXPECT_GT(difference(once, twice), 1e-3);
      continue;
    }
    EXPECT_LE(difference(once, first), 1e-5);
    EXPECT_LE(difference(twice, second), 1e-5);
  }
}

TEST(Augmentations, WhatIsWrongIsRefused) {
  expect_refused([] { return Layer(layers::RandomRotation{.factor = 2}); },
                 "RandomRotation: expected factor as a number in [-1, 1] or two of them, got 2");
  expect_refused([] { return Layer(layers::RandomRotation{.fill_mode = "mirror"}); },
                 "expected fill_mode reflect, wrap, constant or nearest, got 'mirror'");
  expect_refused([] { return Layer(layers::RandomRotation{.interpolation = "bicubic"}); },
                 "expected interpolation bilinear or nearest, got 'bicubic'");
  expect_refused([] { return Layer(layers::RandomZoom{.height_factor = -1}); },
                 "RandomZoom: expected height_factor as a number in (-1, 1] or two of them");
  expect_refused([] { return Layer(layers::RandomZoom{.height_factor = 0, .width_factor = NumberList({0, 2})}); }, "expected width_factor");
  expect_refused([] { return Layer(layers::RandomTranslation{.width_factor = {0, 0.1, 0.2}}); }, "RandomTranslation: expected width_factor");
  expect_refused([] { return Layer(layers::RandomShear{.x_factor = -0.1}); }, "RandomShear: expected x_factor as a number in [0, 1]");
  expect_refused([] { return Layer(layers::RandomPerspective{.scale = 1.5}); }, "RandomPerspective: expected scale in [0, 1], got 1.5");
  expect_refused([] { return Layer(layers::RandomElasticTransform{.scale = 2}); }, "RandomElasticTransform: expected scale");
  expect_refused([] { return Layer(layers::RandomElasticTransform{.fill_mode = "edge"}); }, "reflect, wrap, constant, mirror or nearest, got 'edge'");
  expect_refused([] { return Layer(layers::RandomGrayscale{.factor = -1}); }, "RandomGrayscale: expected factor in [0, 1], got -1");
  expect_refused([] { return Layer(layers::RandomHue{.factor = -0.5}); }, "RandomHue: expected factor");
  expect_refused([] { return Layer(layers::RandomSaturation{.value_range = 3}); }, "RandomSaturation: expected a value_range of two numbers, got 3");
  expect_refused([] { return Layer(layers::RandomColorDegeneration{.factor = 2}); }, "RandomColorDegeneration: expected factor");
  expect_refused([] { return Layer(layers::RandomColorJitter{.hue_factor = 2}); }, "RandomHue: expected factor");
  expect_refused([] { return Layer(layers::MixUp{.alpha = 0}); }, "MixUp: expected alpha > 0, got 0");
  expect_refused([] { return Layer(layers::CutMix{.factor = 2}); }, "CutMix: expected factor");
  expect_refused([] { return Layer(layers::RandAugment{.num_ops = 0}); }, "RandAugment: expected num_ops > 0, got 0");
  expect_refused([] { return Layer(layers::RandAugment{.interpolation = "bicubic"}); }, "expected interpolation bilinear or nearest, got 'bicubic'");
  expect_refused([] { return Layer(layers::AugMix{.chain_depth = 0}); }, "AugMix: expected chain_depth > 0, got 0");
  EXPECT_THROW((void)layers::MixUp{}({ones({2, 4, 4, 3}), ones({3, 5})}), Error);
  EXPECT_THROW((void)layers::RandomHue{.factor = 0.1}(ones({2, 4, 4, 2})), Error);
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

// ---- mixtures -----------------------------------------------------------------------------------------------------------------------

// Image k is full of the number k and its label is k: so the labels' mean number is the image's.
void check_mixture(const Layer& layer, bool smooth) {
  constexpr int64_t n = 6, size = 40;
  std::vector<float> values;
  for (int64_t k = 0; k < n; ++k) values.insert(values.end(), size * size * 2, static_cast<float>(k));
  const Tensor images = Tensor::from(values, {n, size, size, 2}), labels = eye(n);
  bool changed = false;
  for (int call = 0; call < 5; ++call) {
    const Outputs ys = layer({images, labels}, {.training = true});
    ASSERT_EQ(ys.size(), 2u);
    const Tensor named = matmul(ys[1], reshape(arange(0, n, 1, float32), {n, 1})), seen = mean(ys[0], {1, 2, 3});
    EXPECT_LE(difference(sum(ys[1], {1}), ones({n})), 1e-5);
    // A box begins and ends within pixels.
    EXPECT_LE(difference(seen, reshape(named, {n})), smooth ? 1e-5 : 0.1);
    const Tensor spread = max(ys[0], {1, 2, 3}) - min(ys[0], {1, 2, 3});
    if (smooth) { EXPECT_LE(max(spread).item<double>(), 1e-5); }
    for (int64_t i = 0; !smooth && i < ys[0].size(); i += 7) EXPECT_EQ(ys[0].at(i), std::floor(ys[0].at(i)));
    changed |= difference(ys[0], images) > 0.01;
  }
  EXPECT_TRUE(changed);
  const Outputs same = layer({images, labels}, {.training = false});
  EXPECT_EQ(difference(same[0], images), 0);
  EXPECT_EQ(difference(same[1], labels), 0);
}

TEST(Augmentations, MixtureOfImagesIsThatOfTheirLabels) {
  check_mixture(layers::MixUp{.alpha = 1, .seed = 3}, true);
  check_mixture(layers::MixUp{.seed = 4}, true);
  check_mixture(layers::CutMix{.seed = 3}, false);
  check_mixture(layers::CutMix{.factor = {0.3, 0.9}, .seed = 5}, false);
}

// Of images in value_range nothing leaves it; elastic fields leave a flat image alone and move another by little.
TEST(Augmentations, ResultsStayInTheirRange) {
  const Tensor x = random::uniform({3, 20, 24, 3}, SeedGenerator(5));
  for (const Layer& l : {Layer(layers::AugMix{.value_range = {0, 1}, .seed = 2}), Layer(layers::AugMix{.value_range = {0, 1}, .all_ops = false}),
                         Layer(layers::RandomElasticTransform{.value_range = {0, 1}, .seed = 3})})
    for (int k = 0; k < 3; ++k) {
      const Tensor y = l(x, {.training = true});
      EXPECT_EQ(y.shape(), x.shape());
      EXPECT_GE(min(y).item<double>(), 0);
      EXPECT_LE(max(y).item<double>(), 1);
    }
  const Layer elastic = layers::RandomElasticTransform{.factor = {1, 1}, .scale = {0.5, 1}, .value_range = {0, 99}, .seed = 3};
  EXPECT_LE(difference(elastic(full({2, 30, 40, 1}, 7), {.training = true}), full({2, 30, 40, 1}, 7)), 1e-5);
  // A slope shows how far pixels went: their mean is where it was.
  const Tensor slope = tile(reshape(arange(0, 60, 1, float32), {1, 1, 60, 1}), {2, 60, 1, 1});
  const Tensor moved = subtract(elastic(slope, {.training = true}), slope);
  EXPECT_GT(max(abs(moved)).item<double>(), 0.01);
  EXPECT_LT(std::abs(mean(moved).item<double>()), 0.5);
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
  expect_refused([] { return Layer(layers::Pipeline{}); }, "Pipeline: expected at least one layer");
  expect_refused([] { return Layer(layers::Pipeline{.layers = {Layer()}}); }, "Pipeline: expected layers, got an empty handle");
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

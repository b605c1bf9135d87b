// More layers, with arguments of the call, and a dozen under every dtype policy, against the real Keras: weights, values, gradients, what a call
// changes, configurations.
#include <gtest/gtest.h>

#include <set>

#include <tenure/tenure.h>

#include "golden.h"

namespace tenure::layers_more_golden {
namespace {

using golden::Case;
using golden::difference;
using golden::Json;
using golden::made;

// Of the largest value. 16-bit results are rounded once or twice an op: 8 bits of mantissa in bfloat16, 11 in float16; TensorFlow rounds in other
// places than we do (it sums in 16 bits what we sum in 32), which is worth a few units.
double tolerance(const Case& c) {
  const std::string policy = c.entry["config"]["dtype"].is_object() ? c.entry["config"]["dtype"]["config"]["name"].get<std::string>() : "float32";
  if (policy.ends_with("bfloat16")) return 3e-2;
  if (policy.ends_with("float16")) return 4e-3;
  return policy == "float64" ? 1e-6 : 1e-5;  // random values in the files have 24 bits
}

Tensor recorded(const Case& c, const std::string& name) {
  Tensor t = c[name];
  const Json& types = c.entry["dtypes"];
  return types.contains(name) ? cast(std::move(t), dtype_from(types[name].get<std::string>())) : t;
}

Tensors recorded_all(const Case& c, const std::string& prefix) {
  Tensors out;
  for (size_t k = 0; c.has(prefix + std::to_string(k)); ++k) out.push_back(recorded(c, prefix + std::to_string(k)));
  return out;
}

Call call_of(const Case& c) {
  Call call{.training = c.entry["training"].get<bool>()};
  for (auto& [key, value] : c.entry["call"].items()) {
    if (key == "reverse") call.reverse = value.get<bool>();
    if (key == "mask") call.mask = c[key];
    if (key == "initial_state")
      for (const Json& name : value) call.initial_state.push_back(c[name.get<std::string>()]);
  }
  return call;
}

void check_weights(const Case& c, const Layer& layer) {
  const Variables weights = layer.weights();
  const Json& want = c.entry["weights"];
  ASSERT_EQ(weights.size(), want.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::string name = weights[i].name();
    EXPECT_EQ(name.substr(name.rfind('/') + 1), want[i]["path"].get<std::string>());
    EXPECT_EQ(to_string(weights[i].dtype()), want[i]["dtype"].get<std::string>()) << name;
    EXPECT_EQ(weights[i].trainable(), want[i]["trainable"].get<bool>()) << name;
  }
}

void check_outputs(const Case& c, const Outputs& ys) {
  ASSERT_EQ(ys.size(), c.entry["outputs"].get<size_t>());
  for (size_t k = 0; k < ys.size(); ++k) {
    const std::string name = "out" + std::to_string(k);
    EXPECT_EQ(to_string(ys[k].dtype()), c.entry["dtypes"][name].get<std::string>()) << name;
    EXPECT_LE(difference(ys[k], c[name]), tolerance(c)) << name;
  }
}

void check_gradients(const Case& c, const Layer& layer, const Tensors& inputs) {
  Tensors xs = inputs;
  GradientTape tape({.persistent = true});
  for (Tensor& x : xs)
    if (is_float(x.dtype())) tape.watch(x);
  Outputs ys = layer(TensorList(xs), call_of(c));
  Tensor target;
  for (size_t k = 0; k < ys.size(); ++k) {
    const std::string name = "cot" + std::to_string(k);
    if (!c.has(name)) continue;
    Tensor part = sum(cast(ys[k], float64) * cast(c[name], float64));
    target = target.defined() ? target + part : part;
  }
  for (size_t k = 0; k < xs.size(); ++k) {
    const std::string name = "grad" + std::to_string(k);
    if (!c.has(name)) continue;
    EXPECT_LE(difference(tape.gradient(target, xs[k]), c[name]), tolerance(c)) << name;
  }
  const Variables trainable = layer.trainable_variables();
  if (trainable.empty()) return;
  const Tensors grads = tape.gradient(target, trainable);
  for (size_t k = 0; k < trainable.size(); ++k) {
    const std::string name = "wgrad" + std::to_string(k);
    if (c.has(name)) { EXPECT_LE(difference(grads[k], c[name]), tolerance(c)) << name << " of " << trainable[k].name(); }
  }
}

void check_case(const Case& c) {
  Tensors inputs = recorded_all(c, "in");
  Layer layer = made(c, inputs);
  check_weights(c, layer);
  const auto calls = c.entry["calls"].get<int>();
  const bool changed = calls > 1;
  // The file has the weights as they were before the last call.
  const bool stateful = c.entry["config"].value("stateful", false);
  Outputs ys = layer(TensorList(inputs), call_of(c));
  for (int i = 1; stateful && i < calls; ++i) ys = layer(TensorList(inputs), call_of(c));
  check_outputs(c, ys);
  const Variables weights = layer.weights();
  for (size_t k = 0; k < weights.size(); ++k)
    if (const std::string name = "after" + std::to_string(k); c.has(name)) {
      EXPECT_LE(difference(weights[k].value(), c[name]), tolerance(c)) << weights[k].name();
    }
  if (changed) return;  // a gradient would be of the next call
  layer.set_weights(c.all("w"));
  check_gradients(c, layer, inputs);
  layer.set_weights(c.all("w"));
  Function f([&](Tensors args) { return layer(TensorList(std::move(args)), call_of(c)).items(); });
  check_outputs(c, f(inputs));
}

class LayersMoreGolden : public testing::TestWithParam<const char*> {};

TEST_P(LayersMoreGolden, ValuesAndGradientsAreThoseOfKeras) {
  golden::File file(GetParam());
  for (const Case& c : file.cases) {
    SCOPED_TRACE(c.name);
    try {
      check_case(c);
    } catch (const Error& e) { ADD_FAILURE() << e.what(); }
  }
}

// What Keras wrote is understood, and what we write of it says the same.
TEST_P(LayersMoreGolden, ConfigurationsGoRound) {
  golden::File file(GetParam());
  for (const Case& c : file.cases) {
    SCOPED_TRACE(c.name);
    Layer layer = golden::layer_of(c);
    nlohmann::json ours = nlohmann::json::parse(layer.get_config()), theirs = nlohmann::json::parse(c.entry["config"].dump());
    for (auto& [key, value] : ours.items()) {
      if (key == "layer" || key == "backward_layer" || !theirs.contains(key)) continue;
      EXPECT_EQ(value, theirs[key]) << key;
    }
    for (auto& [key, value] : theirs.items()) EXPECT_TRUE(ours.contains(key) || key == "quantization_config") << key;
    Layer again = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), layer.get_config());
    EXPECT_EQ(nlohmann::json::parse(again.get_config()), ours);
  }
}

// ---- what is left to chance -------------------------------------------------------------------------------------------------------

Tensor image_of(const Tensor& batch, int64_t i) { return slice_axis(batch, 0, i, i + 1); }

TEST(Augmentation, AFlipGivesAnImageOrItsMirrorAndHalfOfThemAre) {
  const int64_t n = 200;
  const Tensor x = random::uniform({n, 4, 5, 3}, SeedGenerator(5));
  Layer layer = layers::RandomFlip{.mode = "horizontal", .seed = 7};
  const Tensor y = layer(x, {.training = true});
  int mirrored = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool same = difference(image_of(y, i), image_of(x, i)) == 0, mirror = difference(image_of(y, i), flip(image_of(x, i), {2})) == 0;
    EXPECT_TRUE(same != mirror);
    mirrored += mirror;
  }
  EXPECT_NEAR(mirrored, n / 2, 40);
  // Nobody said whether it trains: as in Keras, it does. predict says it does not.
  EXPECT_GT(difference(layer(x), x), 0);
  EXPECT_EQ(difference(layer(x, {.training = false}), x), 0);
}

TEST(Augmentation, ACropIsAPartOfTheImage) {
  const Tensor x = reshape(arange(0, 2 * 9 * 8, 1, float32), {2, 9, 8, 1});
  Layer layer = layers::RandomCrop{.height = 4, .width = 3, .seed = 2};
  std::set<double> corners;
  for (int k = 0; k < 60; ++k) {
    const Tensor y = layer(x, {.training = true});
    ASSERT_EQ(y.shape(), Shape({2, 4, 3, 1}));
    const double first = y.at(0);
    corners.insert(first);
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t j = 0; j < 3; ++j) ASSERT_EQ(y.at((b * 4 + i) * 3 + j), first + static_cast<double>(72 * b + 8 * i + j));
  }
  EXPECT_GT(corners.size(), 15u);
  EXPECT_EQ(layer(x, {.training = false})[0].shape(), x.shape());
}

TEST(Augmentation, DrawnFactorsStayInTheirRange) {
  const int64_t n = 300;
  const Tensor x = full({n, 2, 2, 1}, 100);
  const Tensor y = Layer(layers::RandomBrightness{.factor = {-0.1, 0.3}, .seed = 3})(x, {.training = true});
  double least = 1e9, most = -1e9;
  for (int64_t i = 0; i < n; ++i) {
    const double v = y.at(4 * i);
    least = std::min(least, v), most = std::max(most, v);
    for (int64_t k = 1; k < 4; ++k) EXPECT_EQ(y.at(4 * i + k), v);  // one number an image
  }
  EXPECT_GE(least, 100 - 25.5 - 1e-3);
  EXPECT_LE(most, 100 + 76.5 + 1e-3);
  EXPECT_LT(least, 80);
  EXPECT_GT(most, 170);
  // Erased boxes have the fill value, all else stays.
  const Tensor z = Layer(layers::RandomErasing{.scale = {0.1, 0.2}, .fill_value = 7.0, .seed = 4})(full({50, 8, 8, 1}, 3), {.training = true});
  for (int64_t i = 0; i < z.size(); ++i) EXPECT_TRUE(z.at(i) == 3 || z.at(i) == 7);
  const double erased = mean(equal(z, 7.0)).item<double>();
  EXPECT_GT(erased, 0.03);
  EXPECT_LT(erased, 0.2);
}

TEST(Augmentation, BoxesAreCutOrPadded) {
  Layer layer = layers::MaxNumBoundingBoxes{.max_number = 3};
  const Tensor images = ones({1, 4, 4, 3}), two = ones({1, 2, 4}), four = ones({1, 4, 4});
  Outputs padded = layer({images, two, ones({1, 2})});
  EXPECT_EQ(padded[1].shape(), Shape({1, 3, 4}));
  EXPECT_EQ(padded[1].at(11), -1);
  EXPECT_EQ(padded[2].at(2), -1);
  EXPECT_EQ(padded[2].at(1), 1);
  Outputs cut = layer({images, four, ones({1, 4})});
  EXPECT_EQ(cut[1].shape(), Shape({1, 3, 4}));
  EXPECT_EQ(cut[2].shape(), Shape({1, 3}));
}

INSTANTIATE_TEST_SUITE_P(Files, LayersMoreGolden,
                         testing::Values("layers_more.npz", "dtypes.npz", "augmentation.npz", "augmentation_more.npz", "audio.npz"),
                         [](const auto& info) { return std::string(info.param).substr(0, std::string(info.param).find('.')); });

}  // namespace
}  // namespace tenure::layers_more_golden

// Every layer against the real Keras: configuration, weights, values, gradients, moving statistics.
#include <gtest/gtest.h>

#include <set>

#include <tenure/tenure.h>

#include "golden.h"

namespace tenure::layers_golden {
namespace {

using golden::Case;
using golden::difference;
using golden::Json;
using golden::made;

constexpr double kTolerance = 1e-5;
const char* const kFiles[] = {"layers.npz", "layers_vision.npz"};

template <class F>
void each_case(F f) {
  for (const char* name : kFiles) {
    golden::File file(name);
    for (const Case& c : file.cases) f(c);
  }
}

void check_weights(const Case& c, const Layer& layer) {
  Variables weights = layer.weights();
  const Json& want = c.entry["weights"];
  ASSERT_EQ(weights.size(), want.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(weights[i].name(), want[i]["path"].get<std::string>());
    EXPECT_EQ(to_string(weights[i].dtype()), want[i]["dtype"].get<std::string>());
    EXPECT_EQ(weights[i].trainable(), want[i]["trainable"].get<bool>()) << weights[i].name();
  }
}

void check_gradients(const Case& c, const Layer& layer, const Tensors& inputs) {
  if (!c.has("cot0")) return;
  Tensors xs = inputs;
  GradientTape tape({.persistent = true});
  for (Tensor& x : xs)
    if (is_float(x.dtype())) tape.watch(x);
  Outputs ys = layer(TensorList(xs), {.training = c.entry["training"].get<bool>()});
  Tensor target;
  for (size_t k = 0; k < ys.size(); ++k) {
    if (!c.has("cot" + std::to_string(k))) continue;
    Tensor part = sum(ys[k] * c["cot" + std::to_string(k)]);
    target = target.defined() ? target + part : part;
  }
  for (size_t k = 0; k < xs.size(); ++k) {
    std::string name = "grad" + std::to_string(k);
    if (!c.has(name)) continue;
    EXPECT_LE(difference(tape.gradient(target, xs[k]), c[name]), kTolerance) << name;
  }
  Variables trainable = layer.trainable_variables();
  Tensors grads = tape.gradient(target, trainable);
  for (size_t k = 0; k < trainable.size(); ++k) {
    std::string name = "wgrad" + std::to_string(k);
    if (c.has(name)) { EXPECT_LE(difference(grads[k], c[name]), kTolerance) << name; }
  }
}

TEST(LayersGolden, ValuesGradientsAndStatisticsAreThoseOfKeras) {
  std::set<std::string> classes;
  each_case([&](const Case& c) {
    SCOPED_TRACE(c.name);
    classes.insert(c.entry["layer"].get<std::string>());
    try {
      Tensors inputs = c.all("in");
      Layer layer = made(c, inputs);
      check_weights(c, layer);
      Outputs ys = layer(TensorList(inputs), {.training = c.entry["training"].get<bool>()});
      for (size_t k = 0; k < ys.size(); ++k) {
        EXPECT_LE(difference(ys[k], c["out" + std::to_string(k)]), kTolerance);
        EXPECT_EQ(ys[k].dtype(), c["out" + std::to_string(k)].dtype());
      }
      Variables weights = layer.weights();
      for (size_t k = 0; k < weights.size(); ++k)
        if (c.has("after" + std::to_string(k))) {
          EXPECT_LE(difference(weights[k].value(), c["after" + std::to_string(k)]), kTolerance) << weights[k].name();
        }
      layer.set_weights(c.all("w"));
      check_gradients(c, layer, inputs);
    } catch (const Error& e) { ADD_FAILURE() << e.what(); }
  });
  EXPECT_GE(classes.size(), 28u);
}

// Keras' own configuration is understood, and what we write of it says the same.
TEST(LayersGolden, ConfigurationsGoInAndOutUnchanged) {
  each_case([](const Case& c) {
    SCOPED_TRACE(c.name);
    const Json& want = c.entry["config"];
    Layer layer = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), want.dump());
    Json got = Json::parse(layer.get_config());
    for (auto& [key, value] : want.items()) {
      if (key == "quantization_config") continue;  // Keras writes null
      ASSERT_TRUE(got.contains(key)) << key;
      // Comparing as unordered values: Keras' key order is of no meaning.
      EXPECT_EQ(nlohmann::json::parse(got[key].dump()), nlohmann::json::parse(value.dump())) << key;
    }
    for (auto& [key, value] : got.items()) EXPECT_TRUE(want.contains(key)) << key;
  });
}

TEST(LayersGolden, ShapesAreKnownBeforeACall) {
  each_case([](const Case& c) {
    SCOPED_TRACE(c.name);
    if (c.name == "Activation/glu") return;  // Keras takes it for as wide as its input
    Tensors inputs = c.all("in");
    Layer layer = golden::layer_of(c);
    std::vector<Spec> specs, open;
    for (const Tensor& x : inputs) {
      specs.push_back(x.spec());
      open.push_back(x.spec());
      open.back().shape[0] = -1;
    }
    uint64_t ops = eager_ops();
    std::vector<Spec> out = layer.output_specs(specs);
    Shape want;
    for (auto& d : c.entry["output_shape"]) want.push_back(d.get<int64_t>());
    EXPECT_EQ(out[0].shape, want);
    want[0] = -1;
    if (c.name != "Flatten/vector") { EXPECT_EQ(layer.output_specs(open)[0].shape, want); }
    if (layer.weights().empty()) { EXPECT_EQ(eager_ops(), ops); }
  });
}

}  // namespace
}  // namespace tenure::layers_golden

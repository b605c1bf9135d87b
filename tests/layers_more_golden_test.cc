// More layers, with arguments of the call, and a dozen under every dtype policy, against the real Keras: weights, values, gradients, what a call
// changes, configurations.
#include <gtest/gtest.h>

#include <set>

#include <tenure/tenure.h>

#include "golden.h"

namespace tenure {
namespace {

using golden::Case;
using golden::difference;
using golden::Json;

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

Layer made(const Case& c, const Tensors& inputs) {
  Layer layer = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), c.entry["config"].dump());
  std::vector<Shape> shapes;
  for (const Tensor& x : inputs) shapes.push_back(x.shape());
  layer.build(shapes);
  layer.set_weights(c.all("w"));
  return layer;
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
    Layer layer = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), c.entry["config"].dump());
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

INSTANTIATE_TEST_SUITE_P(Files, LayersMoreGolden, testing::Values("layers_more.npz", "dtypes.npz"),
                         [](const auto& info) { return std::string(info.param).substr(0, std::string(info.param).find('.')); });

}  // namespace
}  // namespace tenure

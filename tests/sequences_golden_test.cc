// Recurrent and attention layers and masks against the real Keras: configuration, weights, values, gradients; and shared model files.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include <tenure/tenure.h>

#include "golden.h"
#include "paths.h"

namespace tenure::sequences_golden {
namespace {

using golden::Case;
using golden::difference;
using golden::Json;
using golden::made;

constexpr double kTolerance = 1e-5;

Tensors tensors_of(const Case& c, const Json& j) {
  Tensors out;
  for (const Json& item : j.is_array() ? j : Json::array({j})) out.push_back(item.is_null() ? Tensor() : c[item.get<std::string>()]);
  return out;
}

Call call_of(const Case& c, const std::vector<std::string>& names) {
  Call call{.training = c.entry["training"].get<bool>()};
  for (auto& [key, value] : c.entry["call"].items()) {
    if (key == "use_causal_mask") call.use_causal_mask = value.get<bool>();
    else if (key == "return_attention_scores") call.return_attention_scores = value.get<bool>();
    else if (key == "initial_state") call.initial_state = tensors_of(c, value);
    else if (key == "attention_mask") call.attention_mask = tensors_of(c, value)[0];
    else if (key == "mask" && value.is_array()) call.masks = tensors_of(c, value);
    else if (key == "mask") call.mask = tensors_of(c, value)[0];
    for (size_t i = 0; i < names.size(); ++i)
      if (key == names[i] + "_mask") call.masks.resize(3), call.masks[i] = tensors_of(c, value)[0];
  }
  return call;
}

const std::vector<std::string> kNames{"query", "value", "key"};

// Gradients by a tape that ends with the walk (ops written for it) or by one that records it (the same in ordinary ops).
void check_gradients(const Case& c, const Layer& layer, const Tensors& inputs, bool persistent) {
  Tensors xs = inputs;
  GradientTape tape({.persistent = persistent});
  for (Tensor& x : xs)
    if (is_float(x.dtype())) tape.watch(x);
  Outputs ys = layer(TensorList(xs), call_of(c, kNames));
  Tensor target;
  for (size_t k = 0; k < ys.size(); ++k) {
    Tensor part = sum(ys[k] * c["cot" + std::to_string(k)]);
    target = target.defined() ? target + part : part;
  }
  Variables trainable = layer.trainable_variables();
  if (persistent) {
    for (size_t k = 0; k < xs.size(); ++k) {
      const std::string name = "grad" + std::to_string(k);
      if (c.has(name)) { EXPECT_LE(difference(tape.gradient(target, xs[k]), c[name]), kTolerance) << name << " by steps"; }
    }
  }
  if (trainable.empty()) return;
  Tensors grads = tape.gradient(target, trainable);
  for (size_t k = 0; k < trainable.size(); ++k) {
    const std::string name = "wgrad" + std::to_string(k);
    if (!c.has(name)) continue;
    EXPECT_LE(difference(grads[k], c[name]), kTolerance) << name << " of " << trainable[k].name() << (persistent ? " by steps" : "");
  }
}

TEST(SequencesGolden, ValuesAndGradientsAreThoseOfKeras) {
  golden::File file("sequences.npz");
  std::set<std::string> classes;
  for (const Case& c : file.cases) {
    SCOPED_TRACE(c.name);
    classes.insert(c.entry["layer"].get<std::string>());
    try {
      Tensors inputs = c.all("in");
      Layer layer = made(c, inputs);
      Variables weights = layer.weights();
      ASSERT_EQ(weights.size(), c.entry["weights"].size());
      const Call call = call_of(c, kNames);
      const auto calls = c.entry["calls"].get<int>();
      Outputs ys = layer(TensorList(inputs), call);
      for (int i = 1; i < calls; ++i) ys = layer(TensorList(inputs), call);
      ASSERT_EQ(ys.size(), c.entry["outputs"].get<size_t>());
      for (size_t k = 0; k < ys.size(); ++k) {
        EXPECT_LE(difference(ys[k], c["out" + std::to_string(k)]), kTolerance) << "output " << k;
        EXPECT_EQ(ys[k].dtype(), c["out" + std::to_string(k)].dtype());
      }
      if (calls > 1) continue;  // a gradient would be of the next call
      layer.set_weights(c.all("w"));
      check_gradients(c, layer, inputs, false);
      layer.set_weights(c.all("w"));
      check_gradients(c, layer, inputs, true);
    } catch (const Error& e) { ADD_FAILURE() << e.what(); }
  }
  EXPECT_GE(classes.size(), 14u);
}

TEST(SequencesGolden, TracedCallsGiveTheSame) {
  golden::File file("sequences.npz");
  for (const Case& c : file.cases) {
    SCOPED_TRACE(c.name);
    if (c.entry["calls"].get<int>() > 1) continue;
    Tensors inputs = c.all("in");
    Layer layer = made(c, inputs);
    const Call call = call_of(c, kNames);
    Function f([&](Tensors args) { return layer(TensorList(std::move(args)), call).items(); });
    Outputs ys = f(inputs);
    for (size_t k = 0; k < ys.size(); ++k) EXPECT_LE(difference(ys[k], c["out" + std::to_string(k)]), kTolerance) << "output " << k;
  }
}

// What Keras wrote is understood, and what we write of it says the same.
TEST(SequencesGolden, ConfigurationsGoRound) {
  golden::File file("sequences.npz");
  for (const Case& c : file.cases) {
    SCOPED_TRACE(c.name);
    Layer layer = golden::layer_of(c);
    nlohmann::json ours = nlohmann::json::parse(layer.get_config()), theirs = nlohmann::json::parse(c.entry["config"].dump());
    for (auto& [key, value] : ours.items()) {
      if (key == "layer" || key == "backward_layer" || key == "cell" || !theirs.contains(key)) continue;
      EXPECT_EQ(value, theirs[key]) << key;
    }
    for (auto& [key, value] : theirs.items()) EXPECT_TRUE(ours.contains(key) || key == "quantization_config") << key;
    Layer again = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), layer.get_config());
    EXPECT_EQ(nlohmann::json::parse(again.get_config()), ours);
  }
}

// ---- files ------------------------------------------------------------------------------------------------------------------------

const std::string kSamples = tests::source_dir() + "/../shared/samples/";

TEST(SequenceFiles, SharedModelsGiveTheirRecordedOutputs) {
  for (const char* name : {"rnn_mask", "rnn_gru", "attention_mha", "attention_causal", "attention_more"}) {
    SCOPED_TRACE(name);
    const std::string path = kSamples + name + ".keras";
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "shared/samples is not here";
    Model model;
    try {
      model = load_model(path);
    } catch (const Error& e) {
      if (e.message().find("this layer of Keras is not here yet") == std::string::npos) throw;
      std::printf("%s holds a layer that is not here yet\n%s\n", name, e.what());
      continue;
    }
    files::NpzFile io(kSamples + name + ".io.npz");
    Tensors xs;
    for (size_t k = 0; io.contains("in_" + std::to_string(k)); ++k) xs.push_back(golden::tensor_of(io.read("in_" + std::to_string(k))));
    auto check = [&](const Model& m, const char* which) {
      Outputs ys = m.predict(TensorList(xs));
      for (size_t k = 0; k < ys.size(); ++k)
        EXPECT_LE(difference(ys[k], golden::tensor_of(io.read("out_" + std::to_string(k)))), kTolerance) << which << " " << k;
      Outputs eager = m(TensorList(xs));
      for (size_t k = 0; k < ys.size(); ++k) EXPECT_LE(difference(eager[k], ys[k]), kTolerance) << which << " eager " << k;
    };
    check(model, "loaded");
    check(model.clone(), "cloned");
    const std::string again = testing::TempDir() + name + ".again.keras";
    model.save(again);
    check(load_model(again), "saved and loaded");
    std::filesystem::remove(again);
  }
}

}  // namespace
}  // namespace tenure::sequences_golden

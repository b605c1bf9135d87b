// Every registered layer on every check. A layer without a specimen here, or a check that did not run, fails.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include <tenure/tenure.h>

#include "layer_specimens.h"

namespace tenure {
namespace {

using specimens::kImage;
using specimens::kMatrix;
using specimens::kSeries;
using specimens::Specimen;
using specimens::Table;

Table specimens_of_all() {
  Table table = {
      {"Dense",
       {{R"({"units": 3, "activation": "tanh"})", {kMatrix}},
        {R"({"units": 3, "use_bias": false, "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.1}}})", {kSeries}}}},
      {"Embedding", {{R"({"input_dim": 5, "output_dim": 3})", {{{3, 4}, int32}}}}},
      {"Identity", {{"{}", {kSeries}}}},
      {"InputLayer", {{R"({"batch_shape": [null, 4]})", {kMatrix}}}},
      {"Dropout", {{R"({"rate": 0.5, "seed": 3})", {kMatrix}}, {R"({"rate": 0.5, "noise_shape": [null, 1, 4]})", {kSeries}}}},
      {"Conv2D",
       {{R"({"filters": 3, "kernel_size": [3, 2], "padding": "same", "activation": "relu"})", {kImage}},
        {R"({"filters": 4, "kernel_size": 3, "strides": 2, "groups": 2})", {kImage}},
        {R"({"filters": 3, "kernel_size": 2, "data_format": "channels_first"})", {{{2, 4, 6, 5}, float32}}}}},
      {"DepthwiseConv2D",
       {{R"({"kernel_size": 3, "depth_multiplier": 2})", {kImage}},
        {R"({"kernel_size": 2, "data_format": "channels_first"})", {{{2, 4, 6, 5}, float32}}}}},
      {"MaxPooling2D",
       {{"{}", {kImage}}, {R"({"pool_size": 3, "strides": 1, "padding": "same"})", {kImage}}, {R"({"data_format": "channels_first"})", {kImage}}}},
      {"AveragePooling2D", {{"{}", {kImage}}, {R"({"pool_size": [2, 3], "strides": [1, 2], "padding": "same"})", {kImage}}}},
      {"GlobalMaxPooling1D", {{"{}", {kSeries}}, {R"({"keepdims": true})", {kSeries}}}},
      {"GlobalMaxPooling2D", {{"{}", {kImage}}, {R"({"data_format": "channels_first", "keepdims": true})", {kImage}}}},
      {"GlobalAveragePooling1D", {{"{}", {kSeries}}}},
      {"GlobalAveragePooling2D", {{"{}", {kImage}}, {R"({"keepdims": true})", {kImage}}}},
      {"BatchNormalization", {{"{}", {kImage}}, {R"({"axis": 1, "scale": false, "momentum": 0.5})", {kSeries}}}},
      {"LayerNormalization", {{"{}", {kMatrix}}, {R"({"axis": [1, 2], "center": false})", {kSeries}}, {R"({"axis": 1})", {kSeries}}}},
      {"Activation", {{R"({"activation": "gelu"})", {kMatrix}}, {R"({"activation": "softmax"})", {kSeries}}}},
      {"ReLU", {{"{}", {kMatrix}}, {R"({"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2})", {kMatrix}}}},
      {"LeakyReLU", {{"{}", {kMatrix}}}},
      {"ELU", {{R"({"alpha": 0.5})", {kMatrix}}}},
      {"PReLU", {{R"({"alpha_initializer": "ones"})", {kSeries}}, {R"({"shared_axes": [1, 2]})", {kImage}}}},
      {"Softmax", {{"{}", {kMatrix}}, {R"({"axis": [1, 2]})", {kSeries}}}},
      {"Add", {{"{}", {kSeries, kSeries, kSeries}}, {"{}", {kSeries, {{2, 4}, float32}}}}},
      {"Subtract", {{"{}", {kSeries, kSeries}}}},
      {"Multiply", {{"{}", {kSeries, {{2, 1, 4}, float32}}}}},
      {"Average", {{"{}", {kMatrix, kMatrix}}}},
      {"Maximum", {{"{}", {kMatrix, kMatrix}}}},
      {"Minimum", {{"{}", {kMatrix, kMatrix}}}},
      {"Concatenate", {{"{}", {kMatrix, {{3, 2}, float32}}}, {R"({"axis": 1})", {kSeries, kSeries}}}},
      {"Flatten", {{"{}", {kImage}}, {R"({"data_format": "channels_first"})", {kImage}}}},
      {"Reshape", {{R"({"target_shape": [2, -1, 2]})", {kSeries}}}},
      {"Permute", {{R"({"dims": [3, 1, 2]})", {kImage}}}},
      {"ZeroPadding2D",
       {{"{}", {kImage}}, {R"({"padding": [[0, 1], [2, 1]]})", {kImage}}, {R"({"padding": 2, "data_format": "channels_first"})", {kImage}}}},
      {"Masking", {{"{}", {kSeries}}}},
      {"SimpleRNNCell", {{R"({"units": 3})", {kMatrix, {{3, 3}, float32}}}}},
      {"LSTMCell", {{R"({"units": 3})", {kMatrix, {{3, 3}, float32}, {{3, 3}, float32}}}}},
      {"GRUCell", {{R"({"units": 3})", {kMatrix, {{3, 3}, float32}}}, {R"({"units": 3, "reset_after": false})", {kMatrix, {{3, 3}, float32}}}}},
      {"StackedRNNCells",
       {{R"({"cells": [{"class_name": "GRUCell", "config": {"units": 3}}, {"class_name": "SimpleRNNCell", "config": {"units": 2}}]})",
         {kMatrix, {{3, 3}, float32}, {{3, 2}, float32}}}}},
      {"RNN",
       {{R"({"cell": {"class_name": "LSTMCell", "config": {"units": 3}}, "return_sequences": true})", {kSeries}},
        {R"({"cell": [{"class_name": "GRUCell", "config": {"units": 3}}, {"class_name": "LSTMCell", "config": {"units": 2}}]})", {kSeries}}}},
      {"SimpleRNN", {{R"({"units": 3})", {kSeries}}, {R"({"units": 3, "go_backwards": true, "return_sequences": true})", {kSeries}}}},
      {"LSTM", {{R"({"units": 3})", {kSeries}}, {R"({"units": 3, "activation": "softsign", "return_sequences": true})", {kSeries}}}},
      {"GRU", {{R"({"units": 3})", {kSeries}}, {R"({"units": 3, "reset_after": false, "return_sequences": true})", {kSeries}}}},
      {"Bidirectional",
       {{R"({"layer": {"class_name": "LSTM", "config": {"units": 3}}})", {kSeries}},
        {R"({"merge_mode": "sum", "layer": {"class_name": "GRU", "config": {"units": 3, "return_sequences": true}}})", {kSeries}}}},
      {"TimeDistributed", {{R"({"layer": {"class_name": "Dense", "config": {"units": 3}}})", {kSeries}}}},
      {"EinsumDense",
       {{R"({"equation": "abc,cd->abd", "output_shape": [null, 3], "bias_axes": "d", "activation": "tanh"})", {kSeries}},
        {R"({"equation": "...x,xy->...y", "output_shape": 3})", {kSeries}}}},
      {"MultiHeadAttention", {{R"({"num_heads": 2, "key_dim": 3})", {kSeries, {{2, 3, 4}, float32}}}}},
      {"GroupQueryAttention", {{R"({"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2})", {kSeries, {{2, 3, 4}, float32}}}}},
      {"Attention", {{R"({"use_scale": true})", {kSeries, {{2, 3, 4}, float32}}}, {R"({"score_mode": "concat"})", {kSeries, kSeries}}}},
      {"AdditiveAttention", {{"{}", {kSeries, {{2, 3, 4}, float32}}}}},
      {"Rescaling", {{R"({"scale": 0.5, "offset": 1.0})", {kMatrix}}, {R"({"scale": [1, 2, 3, 4]})", {kMatrix}}}},
  };
  specimens::add_vision(table);
  specimens::add_preprocessing(table);
  specimens::add_audio(table);
  return table;
}

Tensors drawn(const std::vector<Spec>& specs) {
  SeedGenerator seed(7);
  Tensors xs;
  for (const Spec& s : specs) {
    if (s.dtype == DType::string) {
      std::vector<std::string> words;
      for (int64_t i = 0; i < s.shape.elements(); ++i) words.push_back("w" + std::to_string(i * 7 % 5));
      xs.push_back(strings(words, s.shape));
    } else {
      xs.push_back(is_float(s.dtype) ? random::normal(s.shape, seed) : cast(random::randint(s.shape, seed, 0, 5), s.dtype));
    }
  }
  return xs;
}

Layer made(const std::string& class_name, const Specimen& s) {
  set_random_seed(11);
  return LayerRegistry::global().make(class_name, s.config);
}

// Of the first output, for layers with several.
Tensor first(const Outputs& ys) { return ys[0]; }
std::vector<float> values(const Outputs& ys) { return cast(ys[0], float32).to_vector<float>(); }
bool close(const std::vector<float>& a, const std::vector<float>& b) {
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i) same = std::abs(a[i] - b[i]) <= 1e-5f * std::max(1.f, std::abs(b[i]));
  return same;
}

void config_goes_round(const std::string& c, const Specimen& s) {
  Layer layer = made(c, s);
  layer(TensorList(drawn(s.inputs)));
  Layer again = LayerRegistry::global().make(c, layer.get_config());
  EXPECT_EQ(nlohmann::json::parse(again.get_config()), nlohmann::json::parse(layer.get_config()));
  Layer copy = layer.clone();
  // Layers that augment draw unless they are told not to.
  EXPECT_TRUE(close(values(copy(TensorList(drawn(s.inputs)), {.training = false})), values(layer(TensorList(drawn(s.inputs)), {.training = false}))));
}

void shapes_are_inferred(const std::string& c, const Specimen& s) {
  for (bool open : {false, true}) {
    Layer layer = made(c, s);
    std::vector<Spec> specs = s.inputs;
    if (open)
      for (Spec& spec : specs) spec.shape[0] = -1;
    Spec want = first(layer(TensorList(drawn(s.inputs)))).spec();
    if (open) want.shape[0] = -1;
    EXPECT_EQ(layer.output_specs(specs)[0], want);
    Tensors symbols;
    for (const Spec& spec : specs) symbols.push_back(Input({.dtype = spec.dtype, .batch_shape = spec.shape}));
    EXPECT_EQ(first(layer(TensorList(symbols))).spec(), want);
  }
}

void traced_is_eager(const std::string& c, const Specimen& s) {
  Layer layer = made(c, s);
  Tensors xs = drawn(s.inputs);
  Tensor eager = first(layer(TensorList(xs), {.training = false}));
  Function f([&](Tensors args) { return first(layer(TensorList(args), {.training = false})); });
  EXPECT_TRUE(close(values(f(xs)), values(Outputs(eager))));
}

// Behind a Dense in front (where the input is real) and one at the end, a step of the descent lowers the loss.
void a_step_lowers_the_loss(const std::string& c, const Specimen& s) {
  // In training it shows, or may choose, the negative: a step there says nothing of the picture.
  if (c == "Solarization" || c == "RandAugment") return;
  Layer layer = made(c, s);
  Tensors inputs, inner;
  for (const Spec& spec : s.inputs) {
    Shape shape = spec.shape;
    shape[0] = -1;
    inputs.push_back(Input({.dtype = spec.dtype, .batch_shape = shape}));
    inner.push_back(is_float(spec.dtype) ? Tensor(layers::Dense{.units = spec.shape.back()}(inputs.back())) : inputs.back());
  }
  Tensor y = c == "InputLayer" ? inner[0] : first(layer(TensorList(inner)));
  y = layers::Dense{.units = 1}(layers::Flatten{}(y));
  Model model{{.inputs = inputs, .outputs = {y}}};
  const double rate = c == "MelSpectrogram" ? 1e-6 : 1e-3;  // decibels are steep
  model.compile({.optimizer = optimizers::SGD{.learning_rate = rate}, .loss = "mse"});
  Tensors xs = drawn(s.inputs);
  // Its calls in training change the kernel until that has a norm of one.
  for (int i = 0; c == "SpectralNormalization" && i < 30; ++i) layer(TensorList(xs), {.training = true});
  Tensor target = full({xs[0].dim(0), 1}, 3.0);
  double before = model.test_on_batch(TensorList(xs), target).loss();
  model.train_on_batch(TensorList(xs), target);
  model.reset_metrics();
  EXPECT_LT(model.test_on_batch(TensorList(xs), target).loss(), before);
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

// An empty batch goes through, and its gradients have the inputs' shapes.
void empty_batches_pass(const std::string& c, const Specimen& s) {
  Layer layer = made(c, s);
  layer(TensorList(drawn(s.inputs)));
  std::vector<Spec> empty = s.inputs;
  for (Spec& spec : empty) spec.shape[0] = 0;
  Tensors xs = drawn(empty);
  GradientTape tape({.persistent = true});
  for (Tensor& x : xs)
    if (is_float(x.dtype())) tape.watch(x);
  Tensors ys = layer(TensorList(xs)).items();
  const std::vector<Spec> wanted = layer.output_specs(empty);
  Tensor total;
  for (size_t i = 0; i < ys.size(); ++i) {
    EXPECT_EQ(ys[i].spec(), wanted.at(i));
    EXPECT_EQ(ys[i].dim(0), 0);
    total = total.defined() ? total + sum(ys[i]) : sum(ys[i]);
  }
  const bool flat =
      c == "RandomPosterization" || c == "ContrastLimitedAdaptiveHistogramEqualization" || c == "Discretization";  // steps have no gradient
  for (Tensor& x : xs) {
    if (!is_float(x.dtype())) continue;
    const Tensor g = tape.gradient(total, x);
    EXPECT_NE(g.defined(), flat);
    if (g.defined()) { EXPECT_EQ(g.shape(), x.shape()); }
  }
  for (const Tensor& g : tape.gradient(total, layer.trainable_variables()))
    for (float v : values(g)) EXPECT_EQ(v, 0);
}

// Under every policy: outputs are finite and of the compute dtype (integers and booleans aside), weights are kept in the variable dtype, gradients
// reach them.
void policies_hold(const std::string& c, const Specimen& s) {
  if (c == "InputLayer") return;  // its dtype is the data's
  for (const char* policy : {"mixed_bfloat16", "mixed_float16", "bfloat16", "float16", "float64"}) {
    SCOPED_TRACE(policy);
    auto config = nlohmann::ordered_json::parse(s.config);
    config["dtype"] = policy;
    for (const char* part : {"layer", "layers", "cell", "cells"}) {
      if (!config.contains(part)) continue;
      auto give = [&](nlohmann::ordered_json& l) { l["config"]["dtype"] = policy; };
      if (config[part].is_array())
        for (auto& l : config[part]) give(l);
      else give(config[part]);
    }
    set_random_seed(11);
    Layer layer = LayerRegistry::global().make(c, config.dump());
    const DTypePolicy want(policy);
    for (bool training : {false, true}) {
      GradientTape tape;
      Tensors xs = drawn(s.inputs);
      Outputs ys = layer(TensorList(xs), {.training = training});
      Tensor total;
      for (size_t i = 0; i < ys.size(); ++i) {
        if (!is_float(ys[i].dtype())) continue;
        EXPECT_EQ(ys[i].dtype(), want.compute_dtype());
        Tensor finite = all(isfinite(ys[i]));
        EXPECT_TRUE(finite.item<bool>());
        Tensor part = sum(cast(ys[i], float64));
        total = total.defined() ? total + part : part;
      }
      EXPECT_EQ(layer.output_specs(s.inputs)[0].dtype, ys[0].dtype());
      const Variables weights = layer.trainable_variables();
      if (!total.defined() || weights.empty()) continue;
      const Tensors grads = tape.gradient(total, weights);
      for (size_t i = 0; i < grads.size(); ++i) {
        EXPECT_EQ(weights[i].dtype(), want.variable_dtype()) << weights[i].name();
        if (grads[i].defined()) { EXPECT_EQ(grads[i].dtype(), want.variable_dtype()) << weights[i].name(); }
      }
    }
  }
}

void calls_grow_nothing(const std::string& c, const Specimen& s) {
  Layer layer = made(c, s);
  Tensors xs = drawn(s.inputs);
  Outputs y = layer(TensorList(xs), {.training = true});
  memory::Now before = memory::now();
  for (int i = 99; i >= 0; --i) y = layer(TensorList(xs), {.training = i % 2 == 0});
  memory::Now after = memory::now();
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.objects, before.objects);
}

TEST(LayerConformance, EveryLayerPassesEveryCheck) {
  const std::pair<const char*, std::function<void(const std::string&, const Specimen&)>> checks[] = {
      {"config", config_goes_round},  {"shapes", shapes_are_inferred}, {"traced", traced_is_eager}, {"step", a_step_lowers_the_loss},
      {"steady", calls_grow_nothing}, {"empty", empty_batches_pass},   {"dtypes", policies_hold}};
  Table table = specimens_of_all();
  std::printf("%-24s", "layer");
  for (auto& [name, check] : checks) std::printf(" %-8s", name);
  std::printf("\n");
  for (const std::string& c : LayerRegistry::global().names()) {
    if (!LayerRegistry::global().package(c).empty()) continue;  // an application's
    std::printf("%-24s", c.c_str());
    auto it = table.find(c);
    EXPECT_TRUE(it != table.end() && !it->second.empty()) << c << " has no specimen";
    for (auto& [name, check] : checks) {
      size_t ran = 0;
      bool good = true;
      for (const Specimen& s : it == table.end() ? std::vector<Specimen>{} : it->second) {
        SCOPED_TRACE(c + " " + s.config + ", " + name);
        int failures = testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
        try {
          check(c, s);
        } catch (const Error& e) { ADD_FAILURE() << e.what(); }
        good &= testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count() == failures;
        ++ran;
      }
      EXPECT_GT(ran, 0u) << c << " × " << name << " is empty";
      std::printf(" %-8s", ran == 0 ? "-" : good ? "ok" : "FAIL");
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace tenure

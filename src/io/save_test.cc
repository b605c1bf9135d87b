// What is saved comes back: outputs, weights, optimizer, names; and the real Keras loads it.
#include <sys/stat.h>

#include <cstdio>

#include <tenure/ops_linalg.h>
#include <tenure/ops_numpy.h>
#include <tenure/ops_signal.h>

#include "io/test_models.h"

namespace tenure::io {
namespace {

using files::expect_error;
using files::Scratch;

Model trained_cnn() {
  namespace L = layers;
  Sequential m(
      {L::InputLayer{.shape = {8, 8, 1}}, L::Conv2D{.filters = 4, .kernel_size = 3, .padding = "same", .use_bias = false}, L::BatchNormalization{},
       L::ReLU{}, L::MaxPooling2D{}, L::DepthwiseConv2D{.kernel_size = 3}, L::Flatten{}, L::Dropout{.rate = 0.2, .seed = 1},
       L::Dense{.units = 5, .activation = "tanh", .kernel_regularizer = regularizers::L2{0.01}}, L::Dense{.units = 3, .activation = "softmax"}},
      "digits");
  m.compile({.optimizer = optimizers::Adam{.learning_rate = 0.01}, .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
  SeedGenerator seed(5);
  Tensor x = random::normal({12, 8, 8, 1}, seed), y = random::randint({12}, seed, 0, 3);
  for (int i = 0; i < 3; ++i) (void)m.train_on_batch(x, y);
  return m;
}

Tensor digits(int64_t n) { return random::normal({n, 8, 8, 1}, SeedGenerator(6)); }

void expect_same(const Model& a, const Model& b, const Tensors& x) {
  const bool rows = std::all_of(x.begin(), x.end(), [&](const Tensor& t) { return t.shape()[0] == x[0].shape()[0]; });
  Outputs p = rows ? a.predict(x) : a(x), q = rows ? b.predict(x) : b(x);
  ASSERT_EQ(p.size(), q.size());
  for (size_t i = 0; i < p.size(); ++i) EXPECT_TRUE(same_values(p[i], q[i])) << "output " << i << " differs by " << difference(p[i], q[i]);
  Variables v = a.weights(), w = b.weights();
  ASSERT_EQ(v.size(), w.size());
  for (size_t i = 0; i < v.size(); ++i) {
    EXPECT_EQ(v[i].name(), w[i].name());
    EXPECT_TRUE(same_values(v[i].value(), w[i].value())) << v[i].name();
  }
  if (!a.compiled()) return;
  Variables s = a.optimizer().variables(), t = b.optimizer().variables();
  ASSERT_EQ(s.size(), t.size());
  for (size_t i = 0; i < s.size(); ++i) EXPECT_TRUE(same_values(s[i].value(), t[i].value())) << s[i].name();
}

TEST(Save, ATrainedModelComesBackTheSame) {
  Scratch scratch;
  Model m = trained_cnn();
  m.save(scratch / "m.keras");
  Model again = load_model(scratch / "m.keras");
  EXPECT_EQ(again.name(), "digits");
  expect_same(m, again, {digits(4)});
  EXPECT_EQ(scratch.files(), 1u) << "nothing else is left behind";
}

TEST(Save, TrainingGoesOnAsIfNothingHappened) {
  Scratch scratch;
  namespace L = layers;
  Sequential m({L::InputLayer{.shape = {4}}, L::Dense{.units = 6, .activation = "relu"}, L::BatchNormalization{}, L::Dense{.units = 1}});
  m.compile({.optimizer = optimizers::AdamW{.learning_rate = 0.02, .clipnorm = 1.0}, .loss = "mse"});
  SeedGenerator seed(8);
  Tensor x = random::normal({16, 4}, seed), y = random::normal({16, 1}, seed);
  for (int i = 0; i < 3; ++i) (void)m.train_on_batch(x, y);
  m.save(scratch / "m.keras");
  Model again = load_model(scratch / "m.keras");
  m.reset_metrics();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(m.train_on_batch(x, y).loss(), again.train_on_batch(x, y).loss()) << "step " << i;
  expect_same(m, again, {x});
}

TEST(Save, ToBytesAndBack) {
  Model m = trained_cnn();
  std::vector<std::byte> bytes = model_bytes(m);
  expect_same(m, load_model(bytes), {digits(2)});
}

TEST(Save, WithoutTheOptimizerTheModelIsNotCompiled) {
  std::vector<std::byte> bytes = model_bytes(trained_cnn(), {.include_optimizer = false});
  EXPECT_FALSE(load_model(bytes).compiled());
}

class Again : public testing::TestWithParam<const char*> {};
TEST_P(Again, WhatKerasWroteIsWrittenBackTheSame) {
  const std::string name = GetParam();
  Model m = load_model(reference(name + ".keras"));
  std::vector<std::byte> bytes = model_bytes(m);
  Model again = load_model(bytes);
  expect_same(m, again, recorded(reference(name + "_io.npz"), "in_"));
  EXPECT_EQ(again.input_names(), m.input_names());
  EXPECT_EQ(again.output_names(), m.output_names());
  // The second writing says what the first said.
  EXPECT_EQ(again.to_json(), m.to_json());
}
INSTANTIATE_TEST_SUITE_P(All, Again,
                         testing::Values("cnn", "functional_zoo", "io_ops", "io_structures", "io_outputs", "io_sequential", "io_numbers", "io_places",
                                         "io_networks", "io_linalg", "io_pictures", "io_rest", "io_first", "io_elastic", "io_complex", "io_values"));

TEST(Save, KeepsTheStructureOfInputsAndOutputs) {
  Model m = load_model(reference("io_structures.keras"));
  auto ours = nlohmann::json::parse(m.to_json())["config"],
       theirs = nlohmann::json::parse(Edited(reference("io_structures.keras"))["config.json"])["config"];
  EXPECT_EQ(ours["input_layers"], theirs["input_layers"]);
  EXPECT_EQ(ours["output_layers"], theirs["output_layers"]);
  ASSERT_EQ(ours["layers"].size(), theirs["layers"].size());
  for (size_t i = 0; i < theirs["layers"].size(); ++i) {
    EXPECT_EQ(ours["layers"][i]["name"], theirs["layers"][i]["name"]);
    EXPECT_EQ(ours["layers"][i]["class_name"], theirs["layers"][i]["class_name"]);
    EXPECT_EQ(ours["layers"][i]["inbound_nodes"].size(), theirs["layers"][i]["inbound_nodes"].size());
  }
}

// Ops on symbols, a layer called twice, two inputs, two outputs: built in C++.
Model graph() {
  namespace L = layers;
  Tensor a = Input({.shape = {4}, .name = "left"}), b = Input({.shape = {4}, .name = "right"});
  Layer tower = L::Dense{.units = 4, .activation = "tanh"};
  Tensor h = tower(a) * 2.0 + Tensor(tower(b));
  Tensor s = slice_axis(relu(h - 0.25), 1, 1, 4, 2);
  Tensor m = mean(where(greater(h, 0.0), h, square(h)), {1}, true);
  Tensor c = concatenate({s, m, reshape(h, {-1, 4})}, 1);
  return Model(Functional{.inputs = {a, b}, .outputs = {L::Dense{.units = 2}(c), softmax(c)}, .name = "graph"});
}

TEST(Save, AGraphWithOpsComesBackTheSame) {
  Model m = graph();
  Tensors x{random::normal({3, 4}, SeedGenerator(1)), random::normal({3, 4}, SeedGenerator(2))};
  Model again = load_model(model_bytes(m));
  Outputs p = m.predict(x), q = again.predict(x);
  for (size_t i = 0; i < p.size(); ++i) EXPECT_LT(difference(p[i], q[i]), 1e-6);
}

TEST(Save, AnOpThatKerasLacksIsNamed) {
  Tensor x = Input({.shape = {4}});
  Model m(Functional{.inputs = {x}, .outputs = {matmul(x, x, false, true)}});
  expect_error(Code::Unsupported, "matmul", [&] { (void)model_bytes(m); });
}

TEST(Save, ReplacesAFileInOneStepOrNotAtAll) {
  Scratch scratch;
  Model m = trained_cnn();
  files::put(scratch / "m.keras", "old");
  expect_error(Code::InvalidArgument, "overwrite", [&] { m.save(scratch / "m.keras", {.overwrite = false}); });
  EXPECT_EQ(files::get(scratch / "m.keras"), "old");
  expect_error(Code::InvalidArgument, ".keras", [&] { m.save(scratch / "m.h5"); });
  expect_error(Code::InvalidArgument, ".weights.h5", [&] { m.save_weights(scratch / "m.h5"); });
  expect_error(Code::NotFound, "nowhere", [&] { m.save(scratch / "nowhere/m.keras"); });
  EXPECT_EQ(scratch.files(), 1u);
  m.save(scratch / "m.keras");
  EXPECT_NO_THROW(load_model(scratch / "m.keras"));
}

TEST(Save, CarriesAProofThatLoadingChecks) {
  Scratch scratch;
  Model m = trained_cnn();
  save_model(m, scratch / "m.keras", {}, {digits(3)});
  EXPECT_NO_THROW(load_model(scratch / "m.keras", {.verify = true}));
  Edited archive(scratch / "m.keras");
  auto config = archive.config();
  each_object(config, [](nlohmann::ordered_json& j) {
    if (j.value("activation", nlohmann::ordered_json()) == "tanh") j["activation"] = "relu";
  });
  archive.set_config(config);
  expect_error(Code::InvalidArgument, "DIFFERENT", [&] { (void)archive.load({.verify = true}); });
  m.save(scratch / "bare.keras");
  expect_error(Code::NotFound, "no proof", [&] { (void)load_model(scratch / "bare.keras", {.verify = true}); });
}

TEST(Save, WeightsAloneComeBackWithTheOptimizer) {
  Scratch scratch;
  Model m = trained_cnn();
  m.save_weights(scratch / "m.weights.h5");
  Model other = load_model(model_bytes(m, {.include_optimizer = false}));
  for (Variable v : other.weights()) v.assign(zeros(v.shape(), v.dtype()));
  other.compile({.optimizer = optimizers::Adam{}, .loss = "sparse_categorical_crossentropy"});
  other.load_weights(scratch / "m.weights.h5");
  expect_same(m, other, {digits(2)});
}

// ---- the real Keras ---------------------------------------------------------------------------------------------------------------------

void keras_agrees(const Model& m, const Tensors& x, const std::string& kind) {
  const std::string python = keras_python();
  if (python.empty()) GTEST_SKIP() << "no Python with Keras (TENURE_KERAS_PYTHON or build/venv)";
  Scratch scratch;
  m.save(scratch / (kind + ".keras"));
  NamedTensors io;
  for (size_t i = 0; i < x.size(); ++i) io.emplace_back("in_" + std::to_string(i), x[i]);
  Outputs y = m.predict(x);
  for (size_t i = 0; i < y.size(); ++i) io.emplace_back("out_" + std::to_string(i), y[i]);
  if (m.compiled()) {
    Variables state = m.optimizer().variables();
    for (size_t i = 0; i < state.size(); ++i) io.emplace_back("opt_" + std::to_string(i), state[i].value());
  }
  save_npz(scratch / "io.npz", io);
  const std::string command = python + " " + reference("keras_loads_ours.py") + " " + scratch / (kind + ".keras") + " " + scratch / "io.npz" + " >" +
                              scratch / "log" + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << files::get(scratch / "log").substr(0, 6000);
}

TEST(KerasLoadsOurs, ATrainedModelWithItsOptimizer) { keras_agrees(trained_cnn(), {digits(4)}, "cnn"); }
TEST(KerasLoadsOurs, AGraphBuiltInCpp) {
  keras_agrees(graph(), {random::normal({3, 4}, SeedGenerator(1)), random::normal({3, 4}, SeedGenerator(2))}, "graph");
}

TEST(KerasLoadsOurs, RarerOpsOfAGraphBuiltInCpp) {
  Tensor x = Input({.shape = {4, 4}, .name = "x"});
  Tensor positive = add(matmul(x, transpose(x, {0, 2, 1})), eye(4));
  Tensors out{sort(x, 1),
              cumprod(x, 2),
              cumsum(x, 1),
              pad(x, {{0, 0}, {1, 2}, {0, 1}}, "constant", 1.5),
              roll(x, {1}, {2}),
              tril(x),
              quantile(x, {0.25}, true, {2}),
              arctan2(x, positive),
              log2(positive + 4.0),
              trunc(multiply(x, 3.0)),
              fft(x, x)[0],
              rfft(x)[1],
              solve(positive, x),
              qr(x)[1],
              svd(x, false, false)[0],
              det(positive),
              diagonal(x, 0, 1, 2),
              trace(x, 1, 1, 2)};
  Model m(Functional{.inputs = {x}, .outputs = out, .name = "rarer"});
  keras_agrees(m, {random::normal({2, 4, 4}, SeedGenerator(3))}, "rarer");
}

TEST(KerasLoadsOurs, WeightsAlone) {
  const std::string python = keras_python();
  if (python.empty()) GTEST_SKIP() << "no Python with Keras (TENURE_KERAS_PYTHON or build/venv)";
  Scratch scratch;
  Sequential m({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3}, layers::BatchNormalization{}, layers::Dense{.units = 2}});
  m.save_weights(scratch / "m.weights.h5");
  Tensor x = random::normal({3, 4}, SeedGenerator(3));
  save_npz(scratch / "io.npz", {{"in_0", x}, {"out_0", Tensor(m.predict(x))}});
  const std::string layers = R"([["Dense", {"units": 3}], ["BatchNormalization", {}], ["Dense", {"units": 2}]])";
  const std::string command = python + " " + reference("keras_loads_ours.py") + " " + scratch / "m.weights.h5" + " " + scratch / "io.npz" +
                              " --layers '" + layers + "' >" + scratch / "log" + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << files::get(scratch / "log").substr(0, 6000);
}

}  // namespace
}  // namespace tenure::io

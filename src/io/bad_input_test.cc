// Every wrong file ends in one clear Error; nothing is left behind (the listener looks).
#include "io/test_models.h"
#include "sanitizer.h"

namespace tenure::io {
namespace {

using files::caught;
using files::Caught;
using files::expect_error;
using files::have;
using files::put;
using files::sample;
using files::Scratch;

nlohmann::ordered_json& layer_named(nlohmann::ordered_json& config, const std::string& name) {
  for (auto& l : config["config"]["layers"])
    if (l["config"].value("name", "") == name) return l;
  throw std::runtime_error("no layer " + name);
}

// ---- kinds of file --------------------------------------------------------------------------------------------------------------------

TEST(BadModelFile, AMissingFileIsNamed) {
  expect_error(Code::NotFound, "nowhere.keras", [] { (void)load_model("nowhere.keras"); });
}

TEST(BadModelFile, ATruncatedArchiveSaysWhatWasExpected) {
  Scratch scratch;
  const std::string whole = files::get(reference("cnn.keras"));
  for (size_t size : {size_t{0}, size_t{1}, size_t{30}, whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    put(scratch / "cut.keras", std::string_view(whole).substr(0, size));
    Caught c = caught([&] { (void)load_model(scratch / "cut.keras"); });
    ASSERT_TRUE(c.code) << size;
    EXPECT_EQ(*c.code, Code::Io) << c.text;
    EXPECT_NE(c.text.find("cut.keras"), std::string::npos) << c.text;
    EXPECT_NE(c.text.find("expected"), std::string::npos) << c.text;
  }
}

TEST(BadModelFile, AnOversizedArchiveIsRefused) {
  Scratch scratch;
  put(scratch / "long.keras", files::get(reference("cnn.keras")) + std::string(70000, 'x'));
  Caught c = caught([&] { (void)load_model(scratch / "long.keras"); });
  ASSERT_TRUE(c.code);
  EXPECT_EQ(*c.code, Code::Io) << c.text;
  EXPECT_NE(c.text.find("long.keras"), std::string::npos) << c.text;
}

TEST(BadModelFile, TruncatedWeightsAreRefused) {
  Edited archive(reference("cnn.keras"));
  std::string& weights = archive["model.weights.h5"];
  weights.resize(weights.size() / 2);
  Caught c = caught([&] { (void)archive.load(); });
  ASSERT_TRUE(c.code);
  EXPECT_EQ(*c.code, Code::Io) << c.text;
  EXPECT_NE(c.text.find("model.weights.h5"), std::string::npos) << c.text;
}

TEST(BadModelFile, OnnxIsRefusedWithTheLineOfPython) {
  Scratch scratch;
  put(scratch / "m.onnx", std::string("\x08\x07\x12\x04test", 8));
  put(scratch / "m.keras", std::string("\x08\x07\x12\x0connx-example:x", 17));
  for (const char* name : {"m.onnx", "m.keras"}) {
    expect_error(Code::Unsupported, "ONNX", [&] { (void)load_model(scratch / name); });
    expect_error(Code::Unsupported, "import onnx2tf", [&] { (void)load_model(scratch / name); });
  }
}

TEST(BadModelFile, TfliteIsRefusedWithTheLineOfPython) {
  Scratch scratch;
  for (const char* name : {"m.tflite", "m.keras"}) {
    put(scratch / name, std::string("\x1c\0\0\0TFL3", 8) + std::string(100, '\0'));
    expect_error(Code::Unsupported, "TensorFlow Lite", [&] { (void)load_model(scratch / name); });
    expect_error(Code::Unsupported, ".keras')", [&] { (void)load_model(scratch / name); });
  }
}

TEST(BadModelFile, ASavedModelIsRefusedWithTheLineOfPython) {
  Scratch scratch;
  std::filesystem::create_directories(scratch / "saved/variables");
  put(scratch / "saved/saved_model.pb", "\x08\x01");
  for (const char* name : {"saved", "saved/saved_model.pb"}) {
    expect_error(Code::Unsupported, "SavedModel", [&] { (void)load_model(scratch / name); });
    expect_error(Code::Unsupported, "tf_keras.models.load_model", [&] { (void)load_model(scratch / name); });
  }
}

TEST(BadModelFile, WeightsAloneAreNoModel) {
  Scratch scratch;
  put(scratch / "w.weights.h5", Edited(reference("cnn.keras"))["model.weights.h5"]);
  expect_error(Code::Unsupported, "load_weights", [&] { (void)load_model(scratch / "w.weights.h5"); });
}

TEST(BadModelFile, OtherFilesUnderARightNameAreRefused) {
  Scratch scratch;
  put(scratch / "text.keras", "This is no archive.");
  expect_error(Code::Io, "expected a .keras archive", [&] { (void)load_model(scratch / "text.keras"); });
  put(scratch / "zipped.keras", std::string("\x1f\x8b\x08", 3) + "more");
  expect_error(Code::Io, "gzip", [&] { (void)load_model(scratch / "zipped.keras"); });
  std::filesystem::copy_file(reference("cnn_io.npz"), scratch / "arrays.keras");
  expect_error(Code::Io, "without config.json", [&] { (void)load_model(scratch / "arrays.keras"); });
  std::filesystem::create_directories(scratch / "folder");
  expect_error(Code::Io, "without config.json", [&] { (void)load_model(scratch / "folder"); });
}

TEST(BadModelFile, OtherVersionsAreNamed) {
  Edited archive(reference("cnn.keras"));
  archive["metadata.json"] = R"({"keras_version": "4.1.0"})";
  expect_error(Code::Unsupported, "Keras 4.1.0", [&] { (void)archive.load(); });
  archive["metadata.json"] = R"({"keras_version": "1.2.0"})";
  expect_error(Code::Unsupported, "Keras 1.2.0", [&] { (void)archive.load(); });
}

TEST(BadModelFile, AnArchiveWithoutWeightsIsNamed) {
  Edited archive(reference("cnn.keras"));
  archive.erase("model.weights.h5");
  expect_error(Code::Io, "model.weights.h5", [&] { (void)archive.load(); });
}

TEST(BadModelFile, PathTraversalIsRefused) {
  // Renamed inside of the packed bytes: our own writer refuses such names.
  std::string bytes = files::get(reference("cnn.keras"));
  for (size_t at = 0; (at = bytes.find("metadata.json", at)) != std::string::npos;) bytes.replace(at, 13, "../tadata.jso");
  Caught c = caught([&] { (void)load_model(std::as_bytes(std::span(bytes))); });
  ASSERT_TRUE(c.code);
  EXPECT_EQ(*c.code, Code::Io) << c.text;
  EXPECT_NE(c.text.find("../tadata.jso"), std::string::npos) << c.text;
}

// ---- configurations -------------------------------------------------------------------------------------------------------------------

TEST(BadModelFile, OneErrorListsEverythingThatIsNotSupported) {
  Edited archive(reference("functional_zoo.keras"));
  auto config = archive.config();
  layer_named(config, "narrow")["class_name"] = "Lambda";
  layer_named(config, "to_six")["module"] = nullptr;
  layer_named(config, "to_six")["class_name"] = "Mine";
  layer_named(config, "to_six")["registered_name"] = "shop>Mine";
  layer_named(config, "classes")["config"]["unheard_of"] = 3;
  layer_named(config, "gelu")["config"]["activation"] = "swosh";
  layer_named(config, "norm")["class_name"] = "SpectralNormalization";
  config["compile_config"]["optimizer"]["class_name"] = "Muon";
  archive.set_config(config);
  Caught c = caught([&] { (void)archive.load(); });
  ASSERT_TRUE(c.code);
  EXPECT_EQ(*c.code, Code::Unsupported);
  for (const char* part : {"6 things", "'zoo/narrow' (Lambda): holds Python code", "'zoo/to_six' (Mine)", "'unheard_of': 3", "swosh",
                           "SpectralNormalization", "Muon", ".substitute = {{\"narrow\", layer}}", ".custom_layers = {{\"Mine\"", ".compile = false"})
    EXPECT_NE(c.text.find(part), std::string::npos) << part << " in\n" << c.text;
}

TEST(BadModelFile, CodeIsNeverRunAndTheLayerIsNamed) {
  if (!have(sample("lambda_refuse.keras"))) GTEST_SKIP() << "the shared samples are not here";
  expect_error(Code::Unsupported, "Python code, which is never run", [] { (void)load_model(sample("lambda_refuse.keras")); });
  expect_error(Code::Unsupported, ".substitute", [] { (void)load_model(sample("lambda_refuse.keras")); });
}

TEST(BadModelFile, WhatIsNotHereYetIsSaidInOneError) {
  for (const char* name : {"rnn_mask", "rnn_gru", "attention_mha", "attention_more", "features", "text", "quant_int8", "subclass", "k2_func_v3"}) {
    const std::string path = sample(std::string(name) + ".keras");
    if (!have(path)) GTEST_SKIP() << "the shared samples are not here";
    Caught c = caught([&] { (void)load_model(path); });
    if (!c.code) continue;  // supported by now
    EXPECT_EQ(*c.code, Code::Unsupported) << c.text;
    EXPECT_NE(c.text.find(path), std::string::npos) << c.text;
  }
}

TEST(BadModelFile, AnApplicationsDenseIsNotKerass) {
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  auto& dense = layer_named(config, "classes");
  dense["module"] = nullptr, dense["registered_name"] = "my_pkg>Dense";
  archive.set_config(config);
  expect_error(Code::Unsupported, "Dense", [&] { (void)archive.load(); });
}

TEST(BadModelFile, MalformedConfigurationsAreRefused) {
  auto with = [](const std::function<void(nlohmann::ordered_json&)>& change) {
    Edited archive(reference("cnn.keras"));
    auto config = archive.config();
    change(config);
    archive.set_config(config);
    return caught([&] { (void)archive.load(); });
  };
  using J = nlohmann::ordered_json;
  const std::vector<std::pair<const char*, std::function<void(J&)>>> changes = {
      {"class_name", [](J& j) { j.erase("class_name"); }},
      {"config", [](J& j) { j["config"] = 3; }},
      {"layers", [](J& j) { j["config"]["layers"] = "many"; }},
      {"inbound_nodes", [](J& j) { layer_named(j, "pool").erase("inbound_nodes"); }},
      {"Keras 2", [](J& j) { layer_named(j, "pool")["inbound_nodes"] = J::parse(R"([[["stem_relu", 0, 0, {}]]])"); }},
      {"two layers are named", [](J& j) { layer_named(j, "pool")["name"] = "stem"; }},
      {"wait for each other", [](J& j) { layer_named(j, "stem")["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "pool"; }},
      {"'nobody'", [](J& j) { layer_named(j, "stem")["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "nobody"; }},
      {"call 7", [](J& j) { layer_named(j, "stem")["inbound_nodes"][0]["args"][0]["config"]["keras_history"][1] = 7; }},
      {"output 3", [](J& j) { layer_named(j, "stem")["inbound_nodes"][0]["args"][0]["config"]["keras_history"][2] = 3; }},
      {"[layer, call, output]",
       [](J& j) {
         layer_named(j, "stem")["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = {1, 2};
       }},
      {"output_layers", [](J& j) { j["config"].erase("output_layers"); }},
      {"got 4", [](J& j) { j["config"]["output_layers"] = 4; }},
      {"at most 2^53", [](J& j) { layer_named(j, "stem")["config"]["filters"] = int64_t{1} << 60; }},
      {"at most 2^53", [](J& j) { layer_named(j, "stem")["config"]["filters"] = 1e300; }},
      {"of 32 bits", [](J& j) { layer_named(j, "stem_norm")["config"]["axis"] = int64_t{0xffffffff}; }},
  };
  for (const auto& [part, change] : changes) {
    Caught c = with(change);
    ASSERT_TRUE(c.code) << part;
    EXPECT_NE(c.text.find(part), std::string::npos) << part << " in\n" << c.text;
    EXPECT_TRUE(*c.code == Code::Io || *c.code == Code::Unsupported) << c.text;
  }
}

TEST(BadModelFile, DeepNestingIsRefused) {
  Edited archive(reference("cnn.keras"));
  archive["config.json"] = std::string(5000, '[') + std::string(5000, ']');
  expect_error(Code::Io, "deep", [&] { (void)archive.load(); });
  nlohmann::ordered_json model = {
      {"module", "keras"}, {"class_name", "Sequential"}, {"config", {{"name", "s"}, {"layers", nlohmann::ordered_json::array()}}}};
  for (int i = 0; i < 70; ++i) model = {{"module", "keras"}, {"class_name", "Sequential"}, {"config", {{"name", "s"}, {"layers", {model}}}}};
  archive.set_config(model);
  Caught c = caught([&] { (void)archive.load(); });
  ASSERT_TRUE(c.code);
  EXPECT_EQ(*c.code, Code::Io) << c.text;
}

TEST(BadModelFile, WeightsThatTheFileCannotHaveAreNotAllocated) {
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  layer_named(config, "classes")["config"]["units"] = 4000000000000;
  archive.set_config(config);
  const size_t before = memory::now().peak_bytes;
  Caught c = caught([&] { (void)archive.load(); });
  ASSERT_TRUE(c.code);
  EXPECT_TRUE(*c.code == Code::OutOfMemory || *c.code == Code::Shape || *c.code == Code::InvalidArgument) << c.text;
  EXPECT_LT(memory::now().peak_bytes, before + 64_MiB);
}

// ---- weights ------------------------------------------------------------------------------------------------------------------------------

TEST(BadWeights, AShapeThatDiffersIsNamedWithBoth) {
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  layer_named(config, "pointwise")["config"]["kernel_size"] = {3, 3};
  layer_named(config, "pointwise")["config"]["padding"] = "same";
  archive.set_config(config);
  expect_error(Code::Shape, "pointwise (Conv2D): weight 'kernel' is float32[3,3,8,8], the file has float32[1,1,8,8]", [&] { (void)archive.load(); });
}

TEST(BadWeights, MissingAndSuperfluousOnesAreListedTogether) {
  Sequential one({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3}, layers::Dense{.units = 2}, layers::Dense{.units = 2}});
  Sequential other(
      {layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3, .use_bias = false}, layers::BatchNormalization{}, layers::Dense{.units = 2}});
  Scratch scratch;
  one.save_weights(scratch / "w.weights.h5");
  Caught c = caught([&] { other.load_weights(scratch / "w.weights.h5"); });
  ASSERT_TRUE(c.code);
  EXPECT_EQ(*c.code, Code::NotFound);
  for (const char* part : {"3 places", "dense (Dense): expected 1 weights (kernel [4,3]), the file has 2 ([4,3], [3])",
                           "batch_normalization (BatchNormalization): expected 4", "/layers/dense_2/vars: 2 arrays that no layer", "w.weights.h5"})
    EXPECT_NE(c.text.find(part), std::string::npos) << part << " in\n" << c.text;
}

TEST(BadWeights, NothingIsWrittenWhenSomethingDoesNotFit) {
  Sequential one({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3, .kernel_initializer = "ones"}, layers::Dense{.units = 2}});
  Sequential other({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3}, layers::Dense{.units = 5}});
  Scratch scratch;
  one.save_weights(scratch / "w.weights.h5");
  Tensors before;
  for (const Tensor& t : other.get_weights()) before.push_back(t.clone());
  expect_error(Code::Shape, "dense_1", [&] { other.load_weights(scratch / "w.weights.h5"); });
  Tensors after = other.get_weights();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(same_values(before[i], after[i]));
  WeightsReport r = load_weights(other, scratch / "w.weights.h5", {.skip_mismatch = true});
  EXPECT_EQ(r.loaded, 2u);
  ASSERT_EQ(r.skipped.size(), 1u);
  EXPECT_NE(r.skipped[0].find("dense_1"), std::string::npos);
  EXPECT_TRUE(same_values(other.get_weights()[0], one.get_weights()[0]));
}

TEST(BadWeights, OtherFilesAreRefused) {
  Sequential m({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3}});
  Scratch scratch;
  expect_error(Code::NotFound, "none.weights.h5", [&] { m.load_weights(scratch / "none.weights.h5"); });
  put(scratch / "t.weights.h5", "text");
  expect_error(Code::Io, "expected weights in HDF5", [&] { m.load_weights(scratch / "t.weights.h5"); });
  put(scratch / "e.weights.h5", "");
  expect_error(Code::Io, "empty", [&] { m.load_weights(scratch / "e.weights.h5"); });
  expect_error(Code::InvalidArgument, "build", [&] { Sequential({layers::Dense{.units = 3}}).load_weights(scratch / "t.weights.h5"); });
}

TEST(BadWeights, AnOptimizersStateThatDoesNotFitIsNamed) {
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  config["compile_config"]["optimizer"] = "sgd";
  archive.set_config(config);
  expect_error(Code::NotFound, "optimizer", [&] { (void)archive.load(); });
  EXPECT_NO_THROW(archive.load({.compile = false}));
}

// ---- what cannot exist ------------------------------------------------------------------------------------------------------------------

/// io_rest with the first op of this class made another one.
Edited with_op(const std::string& from, const std::string& to) {
  Edited archive(reference("io_rest.keras"));
  auto config = archive.config();
  bool done = false;
  each_object(config, [&](nlohmann::ordered_json& j) {
    if (!done && j.value("class_name", "") == from) j["class_name"] = to, done = true;
  });
  EXPECT_TRUE(done) << from;
  archive.set_config(config);
  return archive;
}

TEST(Unsupported, OpsThatCannotExistSayWhy) {
  const std::pair<const char*, const char*> ops[] = {
      {"Arange", "are numbers"}, {"Cond", "Python function"}, {"Map", "Python function"}, {"NoSuchOp", "not here yet"}};
  for (const auto& [op, why] : ops) {
    const Edited archive = with_op("ViewAsReal", op);
    const Caught c = caught([&] { (void)archive.load(); });
    EXPECT_EQ(c.code, Code::Unsupported) << op;
    EXPECT_NE(c.text.find(std::string("keras.ops ") + op), std::string::npos) << c.text;
    EXPECT_NE(c.text.find(why), std::string::npos) << c.text;
    EXPECT_NE(c.text.find(".substitute"), std::string::npos) << c.text;
  }
}

/// cnn with this policy everywhere.
Caught with_policy(const nlohmann::ordered_json& policy) {
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  each_object(config, [&](nlohmann::ordered_json& j) {
    if (j.contains("dtype") && j["dtype"].is_object()) j["dtype"] = policy;
  });
  archive.set_config(config);
  return caught([&] { (void)archive.load(); });
}
nlohmann::ordered_json policy(const std::string& class_name, const nlohmann::ordered_json& config) {
  return {{"module", "keras"}, {"class_name", class_name}, {"config", config}, {"registered_name", nullptr}};
}

TEST(Unsupported, QuantizedPoliciesAreRefusedInOneError) {
  for (const auto& [name, mode] : {std::pair("QuantizedDTypePolicy", "int8"),
                                   {"QuantizedDTypePolicy", "int4"},
                                   {"QuantizedFloat8DTypePolicy", "float8"},
                                   {"Int4DTypePolicy", "int4/128"},
                                   {"GPTQDTypePolicy", "gptq/4/128"},
                                   {"AWQDTypePolicy", "awq/4/128"}}) {
    const Caught c = with_policy(policy(name, {{"mode", mode}, {"source_name", "float32"}}));
    EXPECT_EQ(c.code, Code::Unsupported) << name;
    EXPECT_NE(c.text.find(std::string(name) + " \"" + mode + "\" is quantized"), std::string::npos) << c.text;
    EXPECT_NE(c.text.find("'cnn/classes' (Dense)"), std::string::npos) << c.text;
  }
  const Caught c = with_policy("int8_from_mixed_bfloat16");
  EXPECT_EQ(c.code, Code::Unsupported);
  EXPECT_NE(c.text.find("int8_from_mixed_bfloat16 is quantized"), std::string::npos) << c.text;
}

TEST(Unsupported, AMapOfPoliciesIsTakenWhereItGivesOne) {
  const auto full = policy("DTypePolicy", {{"name", "float32"}}), half = policy("DTypePolicy", {{"name", "bfloat16"}});
  const Caught one = with_policy(policy("DTypePolicyMap", {{"default_policy", full}, {"policy_map", {{"a/.*", full}}}}));
  EXPECT_FALSE(one.code) << one.text;
  EXPECT_FALSE(with_policy(policy("DTypePolicyMap", {{"default_policy", nullptr}, {"policy_map", nlohmann::ordered_json::object()}})).code);
  const Caught two = with_policy(policy("DTypePolicyMap", {{"default_policy", full}, {"policy_map", {{"a/.*", half}}}}));
  EXPECT_EQ(two.code, Code::Unsupported);
  EXPECT_NE(two.text.find("DTypePolicyMap with float32 and bfloat16"), std::string::npos) << two.text;
}

// ---- mutations ----------------------------------------------------------------------------------------------------------------------------

TEST(BadModelFile, MutationsOfTheBytesLoadOrThrow) {
  Sequential m(
      {layers::InputLayer{.shape = {3}}, layers::Dense{.units = 2, .activation = "relu"}, layers::BatchNormalization{}, layers::Dense{.units = 1}});
  const std::vector<std::byte> bytes = model_bytes(m);
  const std::string good(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const int loaded = files::survive_mutations(good, 1500, 1, [](const Bytes& bad) { (void)load_model(bad.span()); });
  EXPECT_LT(loaded, 1500);
}

TEST(BadModelFile, MutationsOfTheWeightsLoadOrThrow) {
  Edited archive(reference("io_sequential.keras"));
  const std::string good = archive["model.weights.h5"];
  const int loaded = files::survive_mutations(good, 1000, 2, [&](const Bytes& bad) {
    archive["model.weights.h5"] = std::string(bad.text());
    (void)archive.load();
  });
  EXPECT_GT(loaded, 0);
}

/// Somewhere in the JSON, a value becomes another, an entry goes, or two change places.
void mutate(nlohmann::ordered_json& j, std::mt19937& random) {
  std::vector<nlohmann::ordered_json*> all;
  std::function<void(nlohmann::ordered_json&)> gather = [&](nlohmann::ordered_json& at) {
    all.push_back(&at);
    if (at.is_structured())
      for (auto& item : at) gather(item);
  };
  gather(j);
  auto pick = [&]() -> nlohmann::ordered_json& { return *all[1 + random() % (all.size() - 1)]; };
  static const char* const values[] = {"null",
                                       "true",
                                       "-1",
                                       "0",
                                       "1e300",
                                       "2147483648",
                                       "9223372036854775807",
                                       "1.5",
                                       "\"\"",
                                       "\"relu\"",
                                       "\"same\"",
                                       "[]",
                                       "{}",
                                       "[null]",
                                       "[1,2,3]",
                                       "[-5,1000000]",
                                       R"({"class_name":"Dense","config":{}})"};
  switch (random() % 4) {
    case 0: pick() = nlohmann::ordered_json::parse(values[random() % std::size(values)]); break;
    case 1: {
      auto& at = pick();
      if (at.is_array() && !at.empty()) at.erase(random() % at.size());
      else if (at.is_object() && !at.empty()) at.erase(std::next(at.begin(), static_cast<std::ptrdiff_t>(random() % at.size())));
      break;
    }
    case 2: {
      nlohmann::ordered_json copy = pick();
      pick() = std::move(copy);
      break;
    }
    default: {
      auto& at = pick();
      if (at.is_number_integer()) {
        const uint64_t by = random() % 2 ? ~uint64_t{2} : 1000;  // -3 or 1000; may wrap round
        at = static_cast<int64_t>(at.get<uint64_t>() * by + random() % 3);
      } else if (at.is_array()) at.push_back(pick());
    }
  }
}

class MutatedConfig : public testing::TestWithParam<const char*> {};
TEST_P(MutatedConfig, LoadsOrThrows) {
  Edited archive(reference(GetParam()));
  const auto good = archive.config();
  std::mt19937 random(7);
  std::map<std::string, int> codes;
  for (int i = 0; i < (kSanitized ? 400 : 1500); ++i) {
    auto bad = good;
    for (unsigned n = 1 + random() % 3; n-- > 0;) mutate(bad, random);
    archive.set_config(bad);
    Caught c = caught([&] { (void)archive.load(); });
    ++codes[c.code ? to_string(*c.code) : "loaded"];
    if (c.code) { EXPECT_NE(*c.code, Code::Internal) << c.text; }
  }
  EXPECT_GT(codes["loaded"], 0);
  EXPECT_GT(codes["Unsupported"], 0);
}
INSTANTIATE_TEST_SUITE_P(All, MutatedConfig, testing::Values("functional_zoo.keras", "io_structures.keras", "io_sequential.keras", "io_ops.keras"));

}  // namespace
}  // namespace tenure::io

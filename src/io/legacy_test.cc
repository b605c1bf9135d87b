// Legacy files: whole models in .h5 by Keras 2 and 3, .keras by Keras 2, weights by layer name, shards.
#include "files/hdf5_write.h"
#include "io/dialect.h"
#include "io/test_models.h"
#include "io/weights.h"

namespace tenure::io {
namespace {

using files::Scratch;

class LegacyFiles : public testing::TestWithParam<std::pair<const char*, const char*>> {};
TEST_P(LegacyFiles, GiveTheOutputsThatKerasRecorded) {
  auto [file, io] = GetParam();
  VerifyReport r = verify(load_model(reference(file)), reference(io));
  EXPECT_TRUE(r.ok()) << file << "\n" << r.text();
}
INSTANTIATE_TEST_SUITE_P(All, LegacyFiles,
                         testing::Values(std::pair("legacy_k2_ops.h5", "legacy_k2_ops_io.npz"),
                                         std::pair("legacy_k2_trained.h5", "legacy_k2_trained_io.npz"),
                                         std::pair("legacy_k2_trained.keras", "legacy_k2_trained_io.npz"),
                                         std::pair("legacy_k3_trained.h5", "legacy_k3_trained_io.npz")));

// The optimizer's state came along: the next step leads where Keras' next step led.
class LegacyTraining : public testing::TestWithParam<std::pair<const char*, const char*>> {};
TEST_P(LegacyTraining, GoesOnWhereKerasStopped) {
  auto [file, next] = GetParam();
  Model m = load_model(reference(file));
  const std::string io = reference(next);
  m.train_on_batch(recorded_one(io, "x"), recorded_one(io, "y"));
  EXPECT_LE(difference(m.predict(recorded_one(io, "x"))[0], recorded_one(io, "after")), 1e-5) << file;
}
INSTANTIATE_TEST_SUITE_P(All, LegacyTraining,
                         testing::Values(std::pair("legacy_k2_trained.h5", "legacy_k2_trained_next.npz"),
                                         std::pair("legacy_k2_trained.keras", "legacy_k2_trained_next.npz"),
                                         std::pair("legacy_k3_trained.h5", "legacy_k3_trained_next.npz")));

Sequential trained_form(const std::string& dense = "dense") {
  return Sequential{{layers::InputLayer{.shape = {8, 8, 1}},
                     layers::Conv2D{.filters = 4, .kernel_size = 3, .strides = 2, .padding = "same", .activation = "relu", .name = "conv2d"},
                     layers::BatchNormalization{.name = "batch_normalization"}, layers::MaxPooling2D{}, layers::Flatten{},
                     layers::Dense{.units = 3, .activation = "softmax", .name = dense}}};
}

TEST(LegacyWeights, AreMatchedByOrderOrByName) {
  const std::string file = reference("legacy_k2_weights.h5"), io = reference("legacy_k2_weights_io.npz");
  Sequential one = trained_form("another_name");
  EXPECT_EQ(load_weights(one, file).loaded, 8u);
  EXPECT_TRUE(verify(one, io).ok());
  Sequential two = trained_form("another_name");
  WeightsReport r = load_weights(two, file, {.by_name = true});
  EXPECT_EQ(r.loaded, 6u);
  ASSERT_EQ(r.skipped.size(), 1u);
  EXPECT_NE(r.skipped[0].find("'dense_1': no layer of the model"), std::string::npos) << r.skipped[0];
}

TEST(LegacyWeights, ThatDoNotFitAreRefusedBeforeAnythingIsWritten) {
  const std::string file = reference("legacy_k2_weights.h5");
  Sequential fewer{{layers::InputLayer{.shape = {8, 8, 1}}, layers::Conv2D{.filters = 4, .kernel_size = 3}}};
  Sequential wider{{layers::InputLayer{.shape = {8, 8, 1}},
                    layers::Conv2D{.filters = 5, .kernel_size = 3, .strides = 2, .padding = "same", .name = "conv2d"}, layers::BatchNormalization{},
                    layers::MaxPooling2D{}, layers::Flatten{}, layers::Dense{.units = 3}}};
  for (Model m : {Model(fewer), Model(wider)}) {
    const Tensor before = m.weights()[0].value().clone();
    try {
      load_weights(m, file);
      ADD_FAILURE() << "loaded";
    } catch (const Error& e) {
      const std::string text = e.what();
      EXPECT_NE(text.find("legacy_k2_weights.h5"), std::string::npos) << text;
      EXPECT_NE(text.find("the file has"), std::string::npos) << text;
    }
    EXPECT_TRUE(same_values(before, m.weights()[0].value()));
  }
  EXPECT_EQ(load_weights(wider, file, {.skip_mismatch = true}).skipped.size(), 3u);
}

TEST(LegacyFiles, AFunctionThatIsNotHereIsNamedWithItsLayer) {
  Edited archive(reference("legacy_k2_trained.keras"));
  auto config = archive.config();
  each_object(config, [](nlohmann::ordered_json& j) {
    if (j.value("class_name", nlohmann::ordered_json()) == "MaxPooling2D") {
      j["class_name"] = "TFOpLambda";
      j["config"] = {{"name", "odd"}, {"function", "raw_ops.Cholesky"}};
    }
  });
  archive.set_config(config);
  try {
    (void)archive.load();
    ADD_FAILURE() << "loaded";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Unsupported);
    EXPECT_NE(e.message().find("raw_ops.Cholesky"), std::string::npos) << e.what();
    EXPECT_NE(e.message().find("odd"), std::string::npos) << e.what();
  }
}

// ---- shards ---------------------------------------------------------------------------------------------------------------------------

/// Weights split over two files, as Keras' max_shard_size does it: part of one layer's arrays in each.
void write_shards(const Model& m, const std::string& folder) {
  files::Hdf5Writer first, second;
  const Variables w = m.weights();
  first.add_group("layers/dense/vars");
  first.add_dataset("layers/dense/vars/0", array_of(w[0].value()));
  second.add_dataset("layers/dense/vars/1", array_of(w[1].value()));
  second.add_dataset("layers/dense_1/vars/0", array_of(w[2].value()));
  second.add_dataset("layers/dense_1/vars/1", array_of(w[3].value()));
  files::put(folder + "/m_00000.weights.h5", first.to_bytes("a").text());
  files::put(folder + "/m_00001.weights.h5", second.to_bytes("b").text());
}

Sequential two_dense() { return Sequential{{layers::InputLayer{.shape = {3}}, layers::Dense{.units = 4}, layers::Dense{.units = 2}}}; }

// Found by the fuzzer of configurations: a slice that names its start alone.
TEST(LegacyFiles, ASliceMayLackItsEnds) {
  Problems problems;
  const Json old = Json::parse(R"({"class_name": "SlicingOpLambda", "name": "part", "config": {"name": "part", "function": "__operators__.getitem"},
      "inbound_nodes": [["x", 0, 0, {"slice_spec": [{"start": 1}, {"type": 7}, {"type": "Ellipsis"}]}]]})");
  const Json key = modern_layer(old, problems)["inbound_nodes"][0]["args"][1];
  EXPECT_EQ(key[0], Json::parse(R"({"class_name": "__slice__", "config": {"start": 1, "stop": null, "step": null}})"));
  EXPECT_EQ(key[1], Json::parse(R"({"type": 7})"));
  EXPECT_EQ(key[2]["class_name"], "__ellipsis__");
}

// A layer without a configuration beside an inner model whose calls are counted.
TEST(LegacyFiles, ALayerMayLackItsConfiguration) {
  Problems problems;
  const Json old = Json::parse(R"({"class_name": "Model", "config": {"name": "outer", "layers": [
      {"class_name": "Model", "name": "inner", "config": {"name": "inner", "layers": [{"class_name": "InputLayer", "config": {"name": "x"}}]},
       "inbound_nodes": [[["bare", 0, 0, {}]]]},
      {"class_name": "Dense", "name": "bare", "inbound_nodes": [[["inner", 1, 0, {}]]]},
      {"class_name": "Sequential", "name": "empty"}]}})");
  const Json layers = modern_layer(old, problems)["config"]["layers"];
  ASSERT_EQ(layers.size(), 3);
  EXPECT_EQ(layers[1]["inbound_nodes"][0][0], Json::parse(R"(["inner", 0, 0, {}])"));
}

TEST(Shards, AreReadFromTheFilesBesideTheIndex) {
  Scratch scratch;
  Sequential a = two_dense(), b = two_dense();
  write_shards(a, scratch / ".");
  files::put(scratch / "m.weights.json", R"({"metadata": {"total_size": 1}, "weight_map": {"/layers/dense/vars": ["m_00000.weights.h5",
             "m_00001.weights.h5"], "/layers/dense_1/vars": ["m_00001.weights.h5"]}})");
  EXPECT_EQ(load_weights(b, scratch / "m.weights.json").loaded, 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(same_values(a.weights()[i].value(), b.weights()[i].value()));
}

TEST(Shards, ThatLeadElsewhereOrAreMissingAreRefused) {
  Scratch scratch;
  Sequential m = two_dense();
  write_shards(m, scratch / ".");
  for (const char* name : {"../m_00000.weights.h5", "/etc/passwd", "sub/m.h5", "missing.weights.h5", ""}) {
    files::put(scratch / "m.weights.json", std::string(R"({"weight_map": {"/layers/dense/vars": [")") + name + R"("]}})");
    EXPECT_THROW(load_weights(m, scratch / "m.weights.json"), Error) << name;
  }
  for (const char* text : {"{}", R"({"weight_map": []})", R"({"weight_map": {"a": "b"}})", R"({"weight_map": {}})", "text"}) {
    files::put(scratch / "m.weights.json", text);
    EXPECT_THROW(load_weights(m, scratch / "m.weights.json"), Error) << text;
  }
}

}  // namespace
}  // namespace tenure::io

// Files that Keras wrote, loaded and compared with what Keras computed.
#include <limits>

#include "io/test_models.h"
#include "sanitizer.h"

namespace tenure::io {
namespace {

using files::have;
using files::sample;

void expect_verified(const std::string& model, const std::string& io, const LoadOptions& options = {}) {
  Model m = load_model(model, options);
  VerifyReport r = verify(m, io);
  EXPECT_TRUE(r.ok()) << model << "\n" << r.text();
}

class ReferenceFiles : public testing::TestWithParam<const char*> {};
TEST_P(ReferenceFiles, GiveTheOutputsThatKerasRecorded) {
  const std::string name = GetParam();
  expect_verified(reference(name + ".keras"), reference(name + "_io.npz"));
}
INSTANTIATE_TEST_SUITE_P(All, ReferenceFiles,
                         testing::Values("cnn", "functional_zoo", "io_ops", "io_structures", "io_outputs", "io_sequential", "io_numbers", "io_places",
                                         "io_fixed", "io_networks", "io_linalg", "io_pictures", "io_rest", "io_first", "io_elastic", "io_complex",
                                         "io_values"));

TEST(Load, AnOpThatDrawsFollowsItsSeed) {
  Edited archive(reference("io_elastic.keras"));
  auto config = archive.config();
  each_object(config, [](nlohmann::ordered_json& j) {
    if (j.contains("alpha")) j["alpha"] = 2.5;
  });
  archive.set_config(config);
  const Tensors in = recorded(reference("io_elastic_io.npz"), "in_");
  const Model m = archive.load(), again = archive.load();
  const Outputs first = m(in), second = m(in), other = again(in), predicted = m.predict(TensorList(in), {.verbose = 0});
  auto same = [&](const Outputs& y, size_t i) { return all(equal(first[i], y[i])).item<bool>(); };
  // With a whole number every call, in every program, draws alike; without one none does.
  for (const Outputs* y : {&second, &other, &predicted}) EXPECT_TRUE(same(*y, 1) && same(*y, 4));
  EXPECT_FALSE(same(second, 0) || same(predicted, 0));
  EXPECT_FALSE(all(equal(first[1], in[0])).item<bool>()) << "nothing was moved";
  for (const Variable& v : m.weights()) EXPECT_FALSE(v.trainable());
}

TEST(Load, OpsWhoseSizesDependOnValuesRunEagerly) {
  const Model m = load_model(reference("io_values.keras"));
  const Tensors in = recorded(reference("io_values_io.npz"), "in_");
  const Outputs y = m(in), predicted = m.predict(TensorList(in), {.verbose = 0});
  ASSERT_EQ(y.size(), predicted.size());
  for (size_t i = 0; i < y.size(); ++i) EXPECT_TRUE(all(equal(y[i], predicted[i])).item<bool>()) << i;
  const Function f([&](Tensor x, Tensor n) { return m({x, n})[0]; });
  expect_error(Code::Unsupported, "eagerly only", [&] { (void)f(in[0], in[1]); });
}

TEST(Load, ReadsBfloat16AndFloat16Weights) {
  if (!have(sample("lowprec.keras"))) GTEST_SKIP() << "the shared samples are not here";
  Model m = load_model(sample("lowprec.keras"));
  EXPECT_EQ(m.weights()[0].dtype(), bfloat16);
  EXPECT_EQ(m.weights()[2].dtype(), float32);
  EXPECT_EQ(m.weights()[4].dtype(), float16);
}

TEST(Load, ReadsAFolderWithTheMembers) {
  files::Scratch scratch;
  Edited archive(reference("cnn.keras"));
  std::filesystem::create_directories(scratch / "cnn");
  for (const auto& [name, text] : archive.members) files::put(scratch / ("cnn/" + name), text);
  expect_verified(scratch / "cnn", reference("cnn_io.npz"));
}

TEST(Load, ReadsBytesThatMayGoAwayAfterwards) {
  Model m;
  {
    std::string bytes = files::get(reference("cnn.keras"));
    m = load_model(std::as_bytes(std::span(bytes)));
    std::fill(bytes.begin(), bytes.end(), 'x');
  }
  EXPECT_TRUE(verify(m, reference("cnn_io.npz")).ok());
}

TEST(Load, ReadsTheFormOfOlderWriters) {
  // Keras 3.0 to 3.3: types as strings, no static name of ops, lists of triples, the optimizer as it was given, no names of groups.
  Edited archive(reference("functional_zoo.keras"));
  auto config = archive.config();
  each_object(config, [](nlohmann::ordered_json& j) {
    if (j.contains("dtype") && j["dtype"].is_object()) j["dtype"] = j["dtype"]["config"]["name"];
    if (j.value("class_name", "") == "InputLayer") j["config"].erase("ragged"), j["config"].erase("optional");
    for (const char* key :
         {"quantization_config", "renorm", "renorm_clipping", "renorm_momentum", "input_axes", "output_axes", "shared_object_id", "build_config"})
      j.erase(key);
  });
  archive.set_config(config);
  archive["metadata.json"] = R"({"keras_version": "3.0.5", "date_saved": "2024-01-01@00:00:00"})";
  Model m = archive.load();
  EXPECT_TRUE(verify(m, reference("functional_zoo_io.npz")).ok());
  EXPECT_EQ(m.optimizer().iterations().value().item<int64_t>(), 2);
}

TEST(Load, ReadsAnOptimizerGivenByName) {
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  config["compile_config"]["optimizer"] = "adam";
  archive.set_config(config);
  Model m = archive.load();
  EXPECT_EQ(m.optimizer().class_name(), "Adam");
  // The rate in the weights wins over the configuration's.
  EXPECT_FLOAT_EQ(m.optimizer().learning_rate().value().item<float>(), 0.01f);
}

TEST(Load, ReadsDeflatedMembers) {
  const std::string python = keras_python();
  if (python.empty()) GTEST_SKIP() << "no Python with Keras (TENURE_KERAS_PYTHON or build/venv)";
  files::Scratch scratch;
  const std::string code = "import zipfile; a = zipfile.ZipFile('" + reference("cnn.keras") + "'); b = zipfile.ZipFile('" + scratch / "d.keras" +
                           "', 'w', zipfile.ZIP_DEFLATED); [b.writestr(n, a.read(n)) for n in a.namelist()]; b.close()";
  ASSERT_EQ(std::system((python + " -c \"" + code + "\"").c_str()), 0);
  expect_verified(scratch / "d.keras", reference("cnn_io.npz"));
}

TEST(Load, KeepsNamesInputsAndOutputsInTheirOrder) {
  Model m = load_model(reference("io_structures.keras"));
  EXPECT_EQ(m.name(), "structures");
  EXPECT_EQ(m.input_names(), (std::vector<std::string>{"b", "a", "c"}));
  ASSERT_EQ(m.outputs().size(), 3u);
  Model outputs = load_model(reference("io_outputs.keras"));
  EXPECT_EQ(outputs.output_names(), (std::vector<std::string>{"kind", "value"}));
}

TEST(Load, FrozenLayersStayFrozen) {
  Model m = load_model(reference("io_structures.keras"));
  EXPECT_FALSE(m.get_layer("frozen").trainable());
  EXPECT_EQ(m.get_layer("frozen").trainable_variables().size(), 0u);
  EXPECT_EQ(m.trainable_variables().size(), 6u);  // before, common, narrow
}

TEST(Load, ALayerSharedByTwoNestedModelsIsOne) {
  Model m = load_model(reference("io_structures.keras"));
  Model first(m.get_layer("first")), second(m.get_layer("second"));
  EXPECT_TRUE(first.get_layer("common").same(second.get_layer("common")));
}

TEST(Load, RestoresTheOptimizersStateAndTheNextSteps) {
  if (!have(sample("resume.keras"))) GTEST_SKIP() << "the shared samples are not here";
  Model m = load_model(sample("resume.keras"));
  const std::string io = sample("resume.io.npz");
  EXPECT_EQ(m.optimizer().iterations().value().item<int64_t>(), 3);
  for (int step = 0; step < 3; ++step) {
    Results r = m.train_on_batch(recorded_one(io, "in_0"), recorded_one(io, "train_y"));
    m.reset_metrics();
    EXPECT_NEAR(r.loss(), recorded_one(io, "loss_" + std::to_string(step)).item<double>(), 1e-5) << "step " << step;
  }
  Variables w = m.weights();
  for (size_t i = 0; i < w.size(); ++i) EXPECT_LT(difference(w[i].value(), recorded_one(io, "after_w" + std::to_string(i))), 1e-5) << w[i].name();
}

TEST(Load, CompilesLossesAndMetricsByOutputName) {
  Model m = load_model(reference("io_outputs.keras"));
  ASSERT_TRUE(m.compiled());
  EXPECT_EQ(m.optimizer().class_name(), "SGD");
  Tensors y{Tensor::from<int32_t>({0, 1, 2}), Tensor::from<float>({1, 2, 3}, {3, 1})};
  Results r = m.evaluate(recorded(reference("io_outputs_io.npz"), "in_"), y, {.verbose = 0});
  EXPECT_NO_THROW(r["kind_right"]) << "metrics keep their names";
  EXPECT_NO_THROW(r["value_mae"]);
}

TEST(Load, WithoutCompileTheModelIsNotCompiled) { EXPECT_FALSE(load_model(reference("cnn.keras"), {.compile = false}).compiled()); }

TEST(Load, AThousandLoadPredictDropCyclesLeaveNothing) {
  const Tensors x = recorded(reference("cnn_io.npz"), "in_");
  auto cycle = [&] {
    Model m = load_model(reference("cnn.keras"));
    (void)m.predict(x);
  };
  for (int i = 0; i < 20; ++i) cycle();
  const memory::Now before = memory::now();
  for (int i = 0; i < (kSanitized ? 100 : 1000); ++i) cycle();
  const memory::Now after = memory::now();
  EXPECT_EQ(after.objects, before.objects);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.buffers, before.buffers);
  EXPECT_EQ(after.live_bytes, x[0].spec().bytes());
}

TEST(Load, TheWeightsLiveOnceAndTheFileNotAtAll) {
  Model m = load_model(reference("cnn.keras"), {.compile = false});
  size_t bytes = 0;
  for (const Variable& v : m.variables()) bytes += v.spec().bytes();
  EXPECT_EQ(memory::now().live_bytes, bytes);
}

TEST(Load, RunsNoInitializer) {
  set_random_seed(5);
  const int64_t first = next_random_seed();
  set_random_seed(5);
  Model m = load_model(reference("cnn.keras"), {.compile = false});
  EXPECT_EQ(next_random_seed(), first) << "an initializer drew a seed";
}

TEST(Load, WeightsThatTheFileLacksHaveTheirFirstValues) {
  // The substitute has weights and stands where the file has none: it is built while the model is loaded.
  const Layer mine = layers::PReLU{.alpha_initializer = "ones"};
  Model m = load_model(reference("cnn.keras"), {.substitute = {{"stem_relu", mine}}, .compile = false});
  const Tensor alpha = mine.weights().at(0).value();
  for (int64_t i = 0; i < alpha.size(); ++i) ASSERT_EQ(alpha.at(i), 1.0);
}

TEST(Load, NonFiniteWeightsAreToldByTheLog) {
  std::string said;
  set_log_sink([&](std::string_view text) { said += text; });
  Model m = load_model(reference("cnn.keras"));
  EXPECT_EQ(said, "");
  Variable kernel = m.get_layer("classes").weights()[0];
  kernel.assign(full(kernel.shape(), std::numeric_limits<double>::quiet_NaN()));
  const std::vector<std::byte> bytes = model_bytes(m);
  Model again = load_model(bytes);
  set_log_sink({});
  EXPECT_NE(said.find("NaN or infinite, first in 'kernel' of classes (Dense)"), std::string::npos) << said;
  EXPECT_NE(said.find("in 1 weight "), std::string::npos) << said;
}

// ---- what is put in place of what is not supported -----------------------------------------------------------------------------------

struct Twice {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  operator Layer() const;
};
void fields(Fields&, Twice&) {}
class TwiceLayer final : public LayerOf<Twice> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call&) override { return std::move(x) * 2.0; }
};
Twice::operator Layer() const { return make_layer<TwiceLayer>(*this); }

TEST(Load, TakesASubstituteForALambda) {
  if (!have(sample("lambda_refuse.keras"))) GTEST_SKIP() << "the shared samples are not here";
  Model m = load_model(sample("lambda_refuse.keras"), {.substitute = {{"lambda", Twice{}}}});
  EXPECT_TRUE(verify(m, sample("lambda_refuse.io.npz")).ok());
}

TEST(Load, TakesASubstituteForAnyLayer) {
  Layer mine = layers::Activation{.activation = "linear"};
  Model m = load_model(reference("cnn.keras"), {.substitute = {{"stem_relu", mine}}, .compile = false});
  EXPECT_TRUE(m.get_layer("stem_relu").same(mine));
  EXPECT_FALSE(verify(m, reference("cnn_io.npz")).ok());
}

// The sample subclass.keras: Block and Sub as make_samples.py has them, in C++.
struct Block {
  int64_t units = 2;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  operator Layer() const;
};
void fields(Fields& v, Block& b) { v("units", b.units); }
class BlockLayer final : public LayerOf<Block> {
 public:
  explicit BlockLayer(const Block& b) : LayerOf(b) {
    auto dense = [&] { return Layer(layers::Dense{.units = b.units}); };
    first_ = child("alias", dense());  // self.d1 and self.alias: Keras keeps the first in the alphabet
    hidden_ = child("_hidden", dense());
    many_[0] = child("many", dense());
    many_[1] = child("many", layers::LayerNormalization{});
    many_[2] = child("many", dense());
    named_ = child("named[]", dense());
  }
  void build(const Shape&) override { w_ = weight("w", {2}, "glorot_uniform"); }
  Tensor call(Tensor x, const Call&) override {
    x = hidden_(first_(x));
    for (Child& c : many_) x = c(x);
    return Tensor(named_(x)) + w_.value();
  }

 private:
  Child first_, hidden_, many_[3], named_;
  Weight w_;
};
Block::operator Layer() const { return make_layer<BlockLayer>(*this); }

struct Sub {
  int64_t n = 2;
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  operator Layer() const;
};
void fields(Fields& v, Sub& s) { v("n", s.n); }
class SubLayer final : public LayerOf<Sub> {
 public:
  explicit SubLayer(const Sub& s) : LayerOf(s) {
    auto dense = [&] { return Layer(layers::Dense{.units = s.n}); };
    enc_ = child("enc", dense());
    blk_ = child("blk", Block{.units = s.n});
    stack_[0] = child("stack", dense());
    stack_[1] = child("stack", dense());
    seq_ = child("seq", Sequential({dense(), dense()}));
  }
  Tensor call(Tensor x, const Call&) override { return seq_(Tensor(stack_[1](stack_[0](blk_(enc_(x)))))); }

 private:
  Child enc_, blk_, stack_[2], seq_;
};
Sub::operator Layer() const { return make_layer<SubLayer>(*this); }

TEST(Load, FindsWeightsOfAnAuthorsModelByKerasAttributePaths) {
  if (!have(sample("subclass.keras"))) GTEST_SKIP() << "the shared samples are not here";
  Model m = load_model(sample("subclass.keras"), {.custom_layers = {{"Sub", layer_factory<Sub>()}}});
  VerifyReport r = verify(m, sample("subclass.io.npz"));
  EXPECT_TRUE(r.ok()) << r.text();
}

}  // namespace
}  // namespace tenure::io

#include "io/op_arguments.h"
#include "io/test_models.h"

namespace tenure::io {
namespace {

using files::expect_error;
using files::Scratch;

NamedTensors recording(const std::string& name) { return load_npz(reference(name)); }

TEST(Verify, AgreesWithKerasLayerByLayer) {
  Model m = load_model(reference("cnn.keras"));
  VerifyReport r = verify(m, reference("cnn_io.npz"));
  EXPECT_TRUE(r.ok()) << r.text();
  EXPECT_EQ(r.layers.size(), 9u);
  EXPECT_EQ(r.layers.front().name, "stem");
  EXPECT_LT(r.largest_difference, 1e-5);
  EXPECT_TRUE(nlohmann::json::parse(r.json())["ok"]);
}

TEST(Verify, NamesTheFirstLayerThatDiffers) {
  Scratch scratch;
  NamedTensors io = recording("cnn_io.npz");
  for (auto& [name, t] : io)
    if (name == "layer/depthwise" || name == "layer/add" || name == "out_0") t = t + 0.5;
  save_npz(scratch / "io.npz", io);
  VerifyReport r = verify(load_model(reference("cnn.keras")), scratch / "io.npz");
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.first_differing_layer, "depthwise");
  EXPECT_NEAR(r.largest_difference, 0.5, 1e-4);
  EXPECT_NE(r.text().find("first layer that differs: depthwise"), std::string::npos) << r.text();
}

TEST(Verify, TakesInputsAndOutputsByName) {
  Scratch scratch;
  NamedTensors io = recording("cnn_io.npz"), named;
  for (auto& [name, t] : io)
    if (name == "in_0") named.emplace_back("image", t);
    else if (name == "out_0") named.emplace_back("classes", t);
  save_npz(scratch / "io.npz", named);
  EXPECT_TRUE(verify(load_model(reference("cnn.keras")), scratch / "io.npz").ok());
}

TEST(Verify, SaysWhatTheRecordingLacks) {
  Scratch scratch;
  Model m = load_model(reference("cnn.keras"));
  save_npz(scratch / "io.npz", {{"x", zeros({1})}});
  expect_error(Code::InvalidArgument, "the model takes 1 inputs (image)", [&] { (void)verify(m, scratch / "io.npz"); });
  save_npz(scratch / "io.npz", {{"in_0", zeros({1, 14, 14, 1})}});
  expect_error(Code::InvalidArgument, "expected outputs", [&] { (void)verify(m, scratch / "io.npz"); });
  expect_error(Code::NotFound, "none.npz", [&] { (void)verify(m, scratch / "none.npz"); });
  save_npz(scratch / "io.npz", {{"in_0", zeros({1, 14, 14, 1})}, {"out_0", zeros({1, 9})}});
  VerifyReport r = verify(m, scratch / "io.npz");
  EXPECT_FALSE(r.ok());
  EXPECT_NE(r.text().find("expected float32[1,9], got float32[1,10]"), std::string::npos) << r.text();
}

TEST(Verify, NaNIsEqualToNaNOnly) {
  Scratch scratch;
  Sequential m({layers::InputLayer{.shape = {2}}, layers::Activation{.activation = "linear"}});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  save_npz(scratch / "io.npz", {{"in_0", Tensor::from<float>({nan, 1}, {1, 2})}, {"out_0", Tensor::from<float>({nan, 1}, {1, 2})}});
  EXPECT_TRUE(verify(m, scratch / "io.npz").ok());
  save_npz(scratch / "io.npz", {{"in_0", Tensor::from<float>({nan, 1}, {1, 2})}, {"out_0", Tensor::from<float>({0, 1}, {1, 2})}});
  EXPECT_FALSE(verify(m, scratch / "io.npz").ok());
}

// ---- keys and constants of ops --------------------------------------------------------------------------------------------------------------

Tensor item(const char* key) { return get_item(reshape(arange(0, 24, 1, float32), {2, 3, 4}), Json::parse(key)); }
constexpr const char* kAll = R"({"class_name": "__slice__", "config": {"start": null, "stop": null, "step": null}})";

TEST(GetItem, ReadsNumbersSlicesNewAxesAndAnEllipsis) {
  EXPECT_EQ(item("1").shape(), (Shape{3, 4}));
  EXPECT_EQ(item("[1, -1]").to_vector<float>(), (std::vector<float>{20, 21, 22, 23}));
  EXPECT_EQ(
      item((std::string("[") + kAll + R"(, null, {"class_name": "__slice__", "config": {"start": 1, "stop": null, "step": null}}])").c_str()).shape(),
      (Shape{2, 1, 2, 4}));
  EXPECT_EQ(item(R"([{"class_name": "__ellipsis__", "config": {}}, 0])").to_vector<float>(), (std::vector<float>{0, 4, 8, 12, 16, 20}));
  EXPECT_EQ(item(R"([0, 0, {"class_name": "__slice__", "config": {"start": null, "stop": null, "step": -2}}])").to_vector<float>(),
            (std::vector<float>{3, 1}));
}

TEST(GetItem, RefusesWhatItDoesNotKnow) {
  expect_error(Code::Unsupported, "expected numbers, slices", [] { (void)item("[[0, 1]]"); });
  expect_error(Code::InvalidArgument, "4 indices", [] { (void)item("[0, 0, 0, 0]"); });
  expect_error(Code::InvalidArgument, "index 5", [] { (void)item("5"); });
  expect_error(Code::Unsupported, "step 0",
               [] { (void)item(R"([{"class_name": "__slice__", "config": {"start": null, "stop": null, "step": 0}}])"); });
}

TEST(Constants, AreReadAndBadOnesRefused) {
  EXPECT_EQ(constant_from(Json::parse("[[1, 2], [3, 4]]")).spec(), (Spec{{2, 2}, int32}));
  EXPECT_EQ(constant_from(Json::parse(R"({"class_name": "__tensor__", "config": {"value": [1.5], "dtype": "float64"}})")).spec(),
            (Spec{{1}, float64}));
  expect_error(Code::Unsupported, "different lengths", [] { (void)constant_from(Json::parse("[[1, 2], [3]]")); });
  expect_error(Code::Unsupported, "expected numbers", [] { (void)constant_from(Json::parse(R"(["a"])")); });
}

}  // namespace
}  // namespace tenure::io

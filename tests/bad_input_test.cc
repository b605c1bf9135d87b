// Mistakes of a caller: one clear Error each, naming what was expected and what came. tests/bad_input.md maps the list to tests.
#include <gtest/gtest.h>

#include <limits>

#include <tenure/tenure.h>

namespace tenure {
namespace {

template <class F>
Error error_of(F f) {
  try {
    f();
  } catch (const Error& e) { return e; }
  ADD_FAILURE() << "expected an Error";
  return Error(Code::Internal, "none");
}

bool says(const Error& e, const std::string& word) { return std::string(e.what()).find(word) != std::string::npos; }

TEST(BadInput, AWrongShapeNamesBothAndTheLayer) {
  Sequential model({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 2, .name = "head"}}, "m");
  Error e = error_of([&] { model(zeros({3, 5})); });
  EXPECT_EQ(e.code(), Code::Shape) << e.what();
  EXPECT_TRUE(says(e, "[3,5]")) << e.what();
}

TEST(BadInput, AWrongDtypeIsNamed) {
  Error e = error_of([] {
    GradientTape tape;
    tape.watch(ones({2}, int32));
  });
  EXPECT_TRUE(e.code() == Code::DType) << e.what();
  EXPECT_TRUE(says(e, "int32")) << e.what();
  e = error_of([] { Tensor::from({1.f}).data<double>(); });
  EXPECT_EQ(e.code(), Code::DType) << e.what();
}

TEST(BadInput, AWrongRankIsNamed) {
  Sequential model{layers::Conv2D{.filters = 2, .kernel_size = 3}};
  Error e = error_of([&] { model(zeros({3, 5})); });
  EXPECT_TRUE(says(e, "[3,5]")) << e.what();
}

TEST(BadInput, ATracedTensorIsRefusedAfterItsTrace) {
  Tensor stolen;
  Function f([&](Tensor x) {
    stolen = x * 2.0;
    return x;
  });
  f(ones({2}));
  Error e = error_of([&] { stolen + 1.0; });
  EXPECT_EQ(e.code(), Code::InvalidArgument) << e.what();
  EXPECT_TRUE(says(e, "trace")) << e.what();
  e = error_of([&] { stolen.item(); });
  EXPECT_TRUE(says(e, "trace")) << e.what();
}

TEST(BadInput, ALossThatIsNotANumberNamesTheFirstLayerOnRequest) {
  Sequential model({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3, .name = "fine"}, layers::Dense{.units = 2, .name = "broken"},
                    layers::Dense{.units = 1}},
                   "m");
  model.compile({.optimizer = "sgd", .loss = "mse"});
  Layer broken = model.get_layer("broken");
  Tensors w = broken.get_weights();
  broken.set_weights({w[0] * std::numeric_limits<float>::quiet_NaN(), w[1]});
  Error e = error_of([&] { model.fit(ones({8, 4}), ones({8, 1}), {.verbose = 0, .find_nan = true}); });
  EXPECT_TRUE(says(e, "broken")) << e.what();
}

}  // namespace
}  // namespace tenure

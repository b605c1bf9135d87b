// Whole networks under dtype policies, saved by the real Keras in the middle of their training: outputs, saving and loading again, the next step.
#include <gtest/gtest.h>

#include <tenure/tenure.h>

#include "files/npy.h"
#include "io/test_models.h"
#include "io/weights.h"

namespace tenure::io {
namespace {

// Where TensorFlow rounds to 16 bits and where we do differ from op to op: some units of 2^-8 (bfloat16) or 2^-11 (float16) of the largest value.
double tolerance(const std::string& policy) {
  if (policy.ends_with("bfloat16")) return 2e-2;
  if (policy.ends_with("float16")) return 3e-3;
  return 1e-6;
}

class DtypeModels : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(DtypeModels, GiveKerasOutputsAndGoOnTrainingAsInKeras) {
  const std::string policy = std::get<1>(GetParam()), name = std::string("dtype_") + std::get<0>(GetParam()) + "_" + policy;
  Model m = load_model(reference(name + ".keras"));
  EXPECT_TRUE(m.compiled());
  EXPECT_EQ(m.optimizer().class_name() == "LossScaleOptimizer", policy == "mixed_float16");
  EXPECT_EQ(m.optimizer().iterations().value().item<int64_t>(), 2);
  VerifyReport r = verify(m, reference(name + "_io.npz"), {.tolerance = tolerance(policy)});
  EXPECT_TRUE(r.ok()) << r.text();

  Model again = load_model(model_bytes(m));
  const Variables a = m.optimizer().variables(), b = again.optimizer().variables();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(difference(a[i].value(), b[i].value()), 0) << a[i].name();

  const files::NpzFile next(reference(name + "_next.npz")), io(reference(name + "_io.npz"));
  // The keys' biases have no gradient but rounding errors, of which Adam makes steps; in bfloat16 its
  // state has 8 bits.
  const double after = std::max(2 * tolerance(policy), std::string(std::get<0>(GetParam())) == "text" ? (policy == "bfloat16" ? 0.1 : 1e-3) : 0);
  for (Model* model : {&m, &again}) {
    model->train_on_batch(tensor_of(next.read("x")), tensor_of(next.read("y")));
    const Tensor out = model->predict(tensor_of(io.read("in_0")));
    EXPECT_LE(difference(out, tensor_of(next.read("out"))), after);
  }
}

INSTANTIATE_TEST_SUITE_P(All, DtypeModels,
                         testing::Combine(testing::Values("image", "text"),
                                          testing::Values("mixed_bfloat16", "mixed_float16", "float64", "bfloat16")),
                         [](const auto& info) { return std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param); });

// Recurrence over images, wrappers whose kernel stands twice in the file, an embedding called in reverse, grouped attention.
TEST(LayerModels, MoreLayersComeFromKerasFilesAndGoBack) {
  Model m = load_model(reference("layers_more.keras"));
  VerifyReport r = verify(m, reference("layers_more_io.npz"));
  EXPECT_TRUE(r.ok()) << r.text();
  EXPECT_TRUE(verify(load_model(model_bytes(m)), reference("layers_more_io.npz")).ok());
}

// A gradient that float16 cannot hold: the step is left out, the scale halved; after enough good steps it is doubled.
TEST(LossScale, HalvesDoublesAndLeavesOut) {
  Sequential m{layers::Dense{.units = 1, .use_bias = false, .kernel_initializer = "ones", .dtype = "mixed_float16"}};
  m.compile({.optimizer = optimizers::LossScaleOptimizer{.inner_optimizer = optimizers::SGD{.learning_rate = 1.0}, .dynamic_growth_steps = 2},
             .loss = "mse"});
  Tensor x = full({2, 1}, 1.0), y = full({2, 1}, 2.0);
  auto scale = [&] { return m.optimizer().variables().at(3).value().item<float>(); };
  m.train_on_batch(full({2, 1}, 100.0), full({2, 1}, -10000.0));  // 32768 times too much
  EXPECT_EQ(scale(), 16384);
  EXPECT_EQ(m.optimizer().iterations().value().item<int64_t>(), 0);
  EXPECT_EQ(m.get_weights()[0].at(0), 1);
  m.train_on_batch(x, y);
  EXPECT_EQ(m.get_weights()[0].at(0), 3);  // 1 - 1.0 * 2 (1 - 2)
  EXPECT_EQ(scale(), 16384);
  m.train_on_batch(x, y);
  EXPECT_EQ(scale(), 32768);
  EXPECT_EQ(m.optimizer().iterations().value().item<int64_t>(), 2);
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

}  // namespace
}  // namespace tenure::io

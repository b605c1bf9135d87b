// Masks: who owns them, how they travel, what counts.
#include <gtest/gtest.h>

#include <tenure/tenure.h>

namespace tenure {
namespace {

Tensor tokens() { return Tensor::from<int32_t>({1, 2, 0, 0, 3, 4}, {2, 3}); }
Layer embedding() { return layers::Embedding{.input_dim = 6, .output_dim = 4, .mask_zero = true}; }
std::vector<int32_t> numbers(const Tensor& mask) { return cast(mask, int32).to_vector<int32_t>(); }

TEST(Masks, AreOwnedByTheTensorThatCarriesThem) {
  Layer e = embedding();
  e(tokens());
  memory::Now before = memory::now();
  {
    Tensor y = e(tokens());
    EXPECT_EQ(numbers(mask_of(y)), (std::vector<int32_t>{1, 1, 0, 0, 1, 1}));
    EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
    Tensor m = mask_of(y);
    y.release();
    EXPECT_TRUE(m.defined());
  }
  EXPECT_EQ(memory::now().live_bytes, before.live_bytes);
  EXPECT_EQ(memory::now().tensors, before.tensors);
}

TEST(Masks, TravelThroughLayersThatSupportThemAndOpsDropThem) {
  Tensor y = embedding()(tokens());
  Tensor z = layers::Dropout{.rate = 0.5}(layers::Dense{.units = 3}(y));
  EXPECT_EQ(mask_of(z).body(), mask_of(y).body());
  EXPECT_FALSE(mask_of(z * 2.0).defined());
  EXPECT_FALSE(mask_of(layers::Flatten{}(z)).defined());
  Tensor same = layers::Identity{}(y);
  EXPECT_TRUE(mask_of(same).defined());
}

TEST(Masks, DecideWhichInputsOfAMaximumCount) {
  const Tensor a = embedding()(tokens()), b = embedding()(Tensor::from<int32_t>({1, 0, 2, 0, 0, 4}, {2, 3}));
  const Tensor high = layers::Maximum{}({a, b}), low = layers::Minimum{}({a, b});
  const auto at = [](const Tensor& t, int64_t i) { return t.to_vector<float>()[static_cast<size_t>(i)]; };
  for (int64_t i = 0; i < a.size(); ++i) {
    const bool of_a = numbers(mask_of(a))[static_cast<size_t>(i / 4)], of_b = numbers(mask_of(b))[static_cast<size_t>(i / 4)];
    const float x = at(a, i), y = at(b, i), only = of_b && !of_a ? y : x;
    EXPECT_EQ(at(high, i), of_a && of_b ? std::max(x, y) : only);
    EXPECT_EQ(at(low, i), of_a && of_b ? std::min(x, y) : only);
  }
}

TEST(Masks, AreTakenOffByAttentionForWhatComesLaterInAModel) {
  const Tensor in = Input({.shape = {3}, .dtype = int32}), e = embedding()(in);
  const Tensor y = layers::MultiHeadAttention{.num_heads = 1, .key_dim = 2}({e, e});
  const Model model{{.inputs = {in}, .outputs = {e, y, layers::Maximum{}({y, e})}}};
  const Outputs out = model(tokens());
  EXPECT_FALSE(mask_of(out[0]).defined());
  const std::vector<float> of_e = out[0].to_vector<float>(), of_y = out[1].to_vector<float>(), high = out[2].to_vector<float>();
  const std::vector<int32_t> counts = numbers(mask_of(out[1]));
  for (size_t i = 0; i < high.size(); ++i) EXPECT_EQ(high[i], counts[i / 4] ? std::max(of_e[i], of_y[i]) : of_e[i]);
}

TEST(Masks, OfSeveralInputsAreJoinedAsKerasDoes) {
  Layer e = embedding();
  Tensor a = e(tokens()), b = e(Tensor::from<int32_t>({1, 0, 2, 0, 0, 4}, {2, 3}));
  EXPECT_EQ(numbers(mask_of(layers::Add{}({a, b}))), (std::vector<int32_t>{1, 1, 1, 0, 1, 1}));
  EXPECT_EQ(numbers(mask_of(layers::Concatenate{}({a, b}))), (std::vector<int32_t>{1, 1, 1, 0, 1, 1}));
  EXPECT_EQ(numbers(mask_of(layers::Concatenate{.axis = 1}({a, b}))), (std::vector<int32_t>{1, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1}));
  Tensor plain = zeros({2, 3, 4});
  EXPECT_FALSE(mask_of(layers::Add{}({a, plain})).defined());
  EXPECT_EQ(numbers(mask_of(layers::Concatenate{.axis = 1}({a, plain}))), (std::vector<int32_t>{1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1}));
}

TEST(Masks, AreArgumentsOfTheNodesOfAFunctionalModel) {
  Tensor in = Input({.shape = {3}, .dtype = int32});
  Layer e = embedding(), l = layers::LSTM{.units = 2};
  Tensor inner = e(in), y = l(inner);
  EXPECT_TRUE(mask_of(inner).defined());
  Model model{{.inputs = {in}, .outputs = {y}}};
  Tensor direct = l(e(tokens())), unmasked = l(e(tokens()) * 1.0), ours = model(tokens());
  for (int64_t i = 0; i < direct.size(); ++i) EXPECT_NEAR(ours.at(i), direct.at(i), 1e-6);
  EXPECT_GT(std::abs(unmasked.at(0) - direct.at(0)), 1e-4);
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

TEST(Masks, LeaveStepsOutOfLossesAndMetrics) {
  Sequential model{layers::InputLayer{.shape = {3, 1}}, layers::Masking{}};
  model.compile({.loss = "mse", .metrics = {"mae"}});
  Tensor x = Tensor::from<float>({1, 2, 0}, {1, 3, 1}), y = Tensor::from<float>({2, 3, 5}, {1, 3, 1});
  Results r = model.evaluate(x, y, {.verbose = 0});
  EXPECT_NEAR(r.loss(), 1, 1e-6);
  EXPECT_NEAR(r["mae"], 1, 1e-6);
}

TEST(Recurrent, AStatefulLayerGoesOnWhereItEndedUntilItIsReset) {
  Layer whole = layers::GRU{.units = 3}, parts = layers::GRU{.units = 3, .stateful = true};
  Tensor x = random::normal({2, 6, 4}, SeedGenerator(3));
  Tensor want = whole(x);
  parts.build({2, 3, 4});
  parts.set_weights(whole.get_weights());
  for (int run = 0; run < 2; ++run) {
    parts(slice_axis(x, 1, 0, 3));
    Tensor got = parts(slice_axis(x, 1, 3, 6));
    for (int64_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got.at(i), want.at(i), 1e-5);
    reset_state(parts);
  }
  EXPECT_EQ(parts.weights().size(), 3u);
}

TEST(Recurrent, DropoutDrawsOncePerCall) {
  Layer l = layers::LSTM{.units = 3, .dropout = 0.5, .recurrent_dropout = 0.5, .seed = 4};
  Tensor x = ones({2, 5, 4});
  Tensor calm = l(x), again = l(x), noisy = l(x, {.training = true});
  EXPECT_EQ(calm.at(0), again.at(0));
  EXPECT_NE(calm.at(0), noisy.at(0));
}

}  // namespace
}  // namespace tenure

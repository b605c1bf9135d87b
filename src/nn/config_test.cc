#include <gtest/gtest.h>

#include <cmath>

#include <tenure/layers.h>

#include "nn/config.h"

namespace tenure {
namespace {

TEST(Config, SnakeCaseIsKerasForFiles) {
  for (auto& [from, to] : std::vector<std::pair<const char*, const char*>>{{"Conv2D", "conv2d"},
                                                                           {"DepthwiseConv2D", "depthwise_conv2d"},
                                                                           {"PReLU", "p_re_lu"},
                                                                           {"LeakyReLU", "leaky_re_lu"},
                                                                           {"ReLU", "re_lu"},
                                                                           {"ELU", "elu"},
                                                                           {"LSTM", "lstm"},
                                                                           {"UpSampling2D", "up_sampling2d"},
                                                                           {"ConvLSTM2D", "conv_lstm2d"},
                                                                           {"RMSNormalization", "rms_normalization"},
                                                                           {"STFTSpectrogram", "stft_spectrogram"},
                                                                           {"MLP", "mlp"},
                                                                           {"ABCNet2", "abc_net2"},
                                                                           {"My2DThing", "my2d_thing"},
                                                                           {"GroupedQueryAttention", "grouped_query_attention"},
                                                                           {"_Hid", "__hid"},
                                                                           {"AdamW", "adam_w"}})
    EXPECT_EQ(nn::snake_case(from), to);
}

TEST(Initializer, NamesAndJsonGoInAndOut) {
  for (const char* name :
       {"glorot_uniform", "GlorotUniform", "he_normal", "zeros", "Zeros", "uniform", "orthogonal", "variance_scaling", "constant"}) {
    Initializer i(name), again;
    again.from_json(i.to_json());
    EXPECT_EQ(i.to_json(), again.to_json());
  }
  Initializer old;
  old.from_json(R"({"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.2, "seed": null}})");
  EXPECT_EQ(old.to_json(),
            R"({"module":"keras.initializers","class_name":"RandomNormal","config":{"seed":null,"mean":0.0,"stddev":0.2},"registered_name":null})");
  EXPECT_THROW(Initializer("nothing"), Error);
  EXPECT_THROW(old.from_json(R"({"class_name": "RandomNormal", "config": {"median": 1}})"), Error);
  EXPECT_THROW(old.from_json("3"), Error);
  EXPECT_THROW(old.from_json("{"), Error);
}

double deviation(const Tensor& t) { return std(t).item<double>(); }

TEST(Initializer, DistributionsHaveKerasSpread) {
  Shape s{300, 200};
  EXPECT_NEAR(deviation(Initializer(initializers::GlorotUniform{.seed = 1})(s)), std::sqrt(2.0 / 500), 1e-3);
  EXPECT_NEAR(deviation(Initializer(initializers::GlorotNormal{.seed = 1})(s)), std::sqrt(2.0 / 500), 1e-3);
  EXPECT_NEAR(deviation(Initializer(initializers::HeNormal{.seed = 1})(s)), std::sqrt(2.0 / 300), 1e-3);
  EXPECT_NEAR(deviation(Initializer(initializers::LecunUniform{.seed = 1})(s)), std::sqrt(1.0 / 300), 1e-3);
  EXPECT_NEAR(deviation(Initializer(initializers::TruncatedNormal{.stddev = 1, .seed = 1})(s)), 0.8796, 1e-2);
  EXPECT_LE(max(abs(Initializer(initializers::TruncatedNormal{.stddev = 1, .seed = 1})(s))).item(), 2);
  EXPECT_NEAR(deviation(Initializer(initializers::GlorotUniform{.seed = 1})({3, 3, 8, 16})), std::sqrt(2.0 / (9 * 24)), 3e-3);
  EXPECT_EQ(Initializer(initializers::Constant{.value = 3})({2}).at(1), 3);
  EXPECT_EQ(Initializer(initializers::Identity{.gain = 2})({2, 3}).to_vector<float>(), (std::vector<float>{2, 0, 0, 0, 2, 0}));
  Tensor q = Initializer(initializers::Orthogonal{.gain = 2, .seed = 1})({5, 3});
  Tensor gram = matmul(q, q, true);
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 3; ++j) EXPECT_NEAR(gram.at(i * 3 + j), i == j ? 4 : 0, 1e-5);
}

TEST(Initializer, SeedsRepeatAndUnseededOnesFollowTheProcess) {
  Initializer seeded = initializers::RandomUniform{.seed = 5}, free = "glorot_uniform";
  EXPECT_EQ(seeded({8}).to_vector<float>(), seeded({8}).to_vector<float>());
  EXPECT_NE(free({8, 8}).to_vector<float>(), free({8, 8}).to_vector<float>());
  set_random_seed(9);
  std::vector<float> a = free({8, 8}).to_vector<float>();
  set_random_seed(9);
  EXPECT_EQ(free({8, 8}).to_vector<float>(), a);
}

TEST(Constraint, ProjectsAsKerasDoes) {
  Tensor w = Tensor::from({3.f, -1.f, 4.f, 0.5f}, {2, 2});  // columns of norm 5 and 1.118
  Tensor m = Constraint(constraints::MaxNorm{.max_value = 2})(w);
  EXPECT_NEAR(m.at(0), 3 * 2 / 5.0, 1e-5);
  EXPECT_NEAR(m.at(1), -1, 1e-5);
  EXPECT_EQ(Constraint("non_neg")(w).to_vector<float>(), (std::vector<float>{3, 0, 4, 0.5}));
  EXPECT_NEAR(Constraint(constraints::UnitNorm{})(w).at(2), 0.8, 1e-5);
  EXPECT_NEAR(Constraint(constraints::MinMaxNorm{.min_value = 2, .max_value = 3, .rate = 0.5})(w).at(0), 3 * 4 / 5.0, 1e-5);
  Constraint c = constraints::MaxNorm{.max_value = 3}, again;
  again.from_json(c.to_json());
  EXPECT_EQ(again.to_json(), c.to_json());
  again.from_json("null");
  EXPECT_FALSE(again);
}

TEST(Regularizer, PenaltiesAreKeras) {
  Tensor w = Tensor::from({3.f, -1.f});
  EXPECT_NEAR(Regularizer("l1")(w).item(), 0.04, 1e-6);
  EXPECT_NEAR(Regularizer("l2")(w).item(), 0.1, 1e-6);
  EXPECT_NEAR(Regularizer("l1_l2")(w).item(), 0.14, 1e-6);
  EXPECT_NEAR(Regularizer(regularizers::L1L2{.l1 = 1})(w).item(), 4, 1e-6);
  EXPECT_EQ(Regularizer().to_json(), "null");
}

TEST(Activation, NamesFunctionsAndLayers) {
  Tensor x = Tensor::from({-1.f, 2.f});
  EXPECT_EQ(ActivationFunction("relu")(x).to_vector<float>(), (std::vector<float>{0, 2}));
  EXPECT_EQ(ActivationFunction([](Tensor t) { return t + 1.0; })(x).to_vector<float>(), (std::vector<float>{0, 3}));
  EXPECT_EQ(ActivationFunction(layers::ReLU{.max_value = 1.0})(x).to_vector<float>(), (std::vector<float>{0, 1}));
  EXPECT_EQ(ActivationFunction()(x).to_vector<float>(), (std::vector<float>{-1, 2}));
  EXPECT_EQ(ActivationFunction().to_json(), "\"linear\"");
  EXPECT_THROW(ActivationFunction("rulu"), Error);
  EXPECT_THROW(ActivationFunction([](Tensor t) { return t; }).to_json(), Error);
  ActivationFunction a;
  a.from_json(ActivationFunction(layers::LeakyReLU{.negative_slope = 0.5}).to_json());
  EXPECT_EQ(a(x).to_vector<float>(), (std::vector<float>{-0.5, 2}));
}

}  // namespace
}  // namespace tenure

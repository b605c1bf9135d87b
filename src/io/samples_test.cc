// Every file of the shared samples: loaded and compared with what Keras recorded, or refused in the right words.
#include "io/test_models.h"

namespace tenure::io {
namespace {

using files::have;
using files::sample;

Sequential plain() { return Sequential{{layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3}, layers::Dense{.units = 2}}}; }
Sequential wide() {
  return Sequential{{layers::InputLayer{.shape = {40}}, layers::Dense{.units = 50}, layers::Dense{.units = 50}, layers::Dense{.units = 2}}};
}

struct Sample {
  std::string file, io = {};
  double tolerance = 1e-5;
  std::vector<std::string> refusal = {};  ///< words of the one error; empty: it loads
  Sequential (*weights_of)() = nullptr;   ///< the file has weights only: of this model
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = {
      {"attention_causal.keras"},
      {"attention_mha.keras"},
      {"attention_more.keras"},
      {"cnn_a.keras"},
      {"cnn_b.keras"},
      {"features.keras"},
      {"func_graph.keras"},
      {"k2_func.h5"},
      {"k2_func_v3.keras"},
      {"k2_mha.h5"},
      {"k2_seq.h5"},
      {"lambda_refuse.keras",
       {},
       0,
       {"1 thing", "'functional_12/lambda' (Lambda)", "Python code, which is never run", ".substitute = {{\"lambda\", layer}}"}},
      {"legacy_k3.h5"},
      {"lowprec.keras", {}, 2e-2},  // two layers round to 8 bits of mantissa on the way
      {"nested.keras"},
      {"old_3_3_3.keras"},
      {"plain.weights.h5", "plain.io.npz", 1e-5, {}, plain},
      {"quant_int8.keras", {}, 0, {"QuantizedDTypePolicy"}},
      {"resume.keras"},
      {"rnn_gru.keras"},
      {"rnn_mask.keras"},
      {"seq_mlp.keras"},
      {"shard.weights.json", "shard.io.npz", 1e-5, {}, wide},
      // With the class in C++: Load.FindsWeightsOfAnAuthorsModelByKerasAttributePaths.
      {"subclass.keras", {}, 0, {"'sub' (Sub)", "Python classes are not in the file", ".custom_layers = {{\"Sub\", layer_factory<Sub>()}}"}},
      {"text.keras"},
  };
  return all;
}

class SharedSamples : public testing::TestWithParam<Sample> {};

TEST_P(SharedSamples, DoWhatTheyShould) {
  const Sample& s = GetParam();
  if (!have(sample(s.file))) GTEST_SKIP() << "the shared samples are not here";
  const std::string io = sample(s.io.empty() ? s.file.substr(0, s.file.find('.')) + ".io.npz" : s.io);
  Model m;
  if (s.weights_of) {
    m = s.weights_of();
    EXPECT_EQ(load_weights(m, sample(s.file)).loaded, m.weights().size());
  } else {
    const files::Caught c = files::caught([&] { m = load_model(sample(s.file)); });
    for (const std::string& w : s.refusal) EXPECT_NE(c.text.find(w), std::string::npos) << "expected '" << w << "' in: " << c.text;
    if (!s.refusal.empty()) {
      ASSERT_TRUE(c.code) << s.file << ": loaded, expected a refusal";
      EXPECT_EQ(*c.code, Code::Unsupported) << c.text;
      return;
    }
    ASSERT_FALSE(c.code) << c.text;
  }
  const VerifyReport r = verify(m, io, {.tolerance = s.tolerance});
  EXPECT_TRUE(r.ok()) << s.file << "\n" << r.text();
}
INSTANTIATE_TEST_SUITE_P(All, SharedSamples, testing::ValuesIn(samples()), [](const auto& info) {
  std::string name = info.param.file;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

TEST(SharedSamplesFolder, HasNoFileThatNoTestReads) {
  if (!have(sample("README.md")) && !have(sample("cnn_a.keras"))) GTEST_SKIP() << "the shared samples are not here";
  for (const auto& entry : std::filesystem::directory_iterator(sample(""))) {
    const std::string name = entry.path().filename().string();
    const bool model = name.ends_with(".keras") || name.ends_with(".weights.json") || (name.ends_with(".h5") && name.rfind("shard_", 0) != 0);
    if (!model) continue;
    EXPECT_TRUE(std::any_of(samples().begin(), samples().end(), [&](const Sample& s) { return s.file == name; }))
        << name << ": say in samples() what is expected of it";
  }
}

}  // namespace
}  // namespace tenure::io

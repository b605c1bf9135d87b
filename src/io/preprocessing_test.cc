// Preprocessing layers against the real Keras: values, gradients, what adapt() learns, configurations, files.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include <tenure/tenure.h>

#include "golden.h"
#include "io/test_models.h"

namespace tenure {
namespace {

using golden::Case;
using golden::difference;
using Json = nlohmann::json;

constexpr double kTolerance = 1e-5;

template <class F>
void each_case(F f) {
  std::set<std::string> classes;
  for (const char* name : {"preprocessing.npz", "preprocessing_text.npz"}) {
    golden::File file(name);
    for (const Case& c : file.cases) {
      SCOPED_TRACE(c.name);
      classes.insert(c.entry["layer"].get<std::string>());
      try {
        f(c);
      } catch (const Error& e) { ADD_FAILURE() << e.what(); }
    }
  }
  EXPECT_GE(classes.size(), 10u);
}

Layer made(const Case& c, const char* config = "config", bool learns = true) {
  Layer layer = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), c.entry[config].dump());
  if (Tensors batches = c.all("adapt"); learns && config == std::string("config")) {
    if (batches.size() == 1) adapt(layer, batches[0]);
    if (batches.size() > 1) adapt(layer, batches);
  }
  return layer;
}

// The output's size, or its text, is known from values only.
bool eager_only(const Case& c) {
  const auto& config = c.entry["config"];
  return (config.contains("output_sequence_length") && config["output_sequence_length"].is_null() && config["output_mode"] == "int") ||
         c["out0"].dtype() == DType::string;
}

void expect_outputs(const Case& c, const Outputs& ys, const char* what) {
  ASSERT_EQ(ys.size(), c.entry["outputs"].get<size_t>());
  for (size_t k = 0; k < ys.size(); ++k) EXPECT_LE(difference(ys[k], c["out" + std::to_string(k)]), kTolerance) << what;
}

TEST(Preprocessing, ValuesAreThoseOfKeras) {
  each_case([](const Case& c) {
    Layer layer = made(c);
    Tensors xs = c.all("in");
    Outputs ys = layer(TensorList(xs));
    expect_outputs(c, ys, "eager");
    // Keras' lookups give vectors as int64, though they say float32.
    const DType want = c["out0"].dtype();
    EXPECT_TRUE(ys[0].dtype() == want || (ys[0].dtype() == float32 && want == int64)) << to_string(ys[0].spec());
    if (eager_only(c)) return;
    Function f([&](Tensors args) { return layer(TensorList(args)).items(); });
    expect_outputs(c, f(xs), "traced");
  });
}

TEST(Preprocessing, VocabulariesAreThoseThatKerasLearns) {
  each_case([](const Case& c) {
    if (!c.entry.contains("vocabulary")) return;
    std::vector<std::string> want;
    for (const auto& token : c.entry["vocabulary"]) want.push_back(token.is_string() ? token.get<std::string>() : token.dump());
    const Layer layer = made(c);
    EXPECT_EQ(get_vocabulary(layer), want);
    Tensor x = c["in0"];
    EXPECT_LE(difference(layer.clone()(x), c["out0"]), kTolerance);
  });
}

TEST(Preprocessing, ShapesAreKnownBeforeACall) {
  each_case([](const Case& c) {
    Layer layer = made(c);
    Tensors xs = c.all("in");
    std::vector<Spec> specs;
    for (const Tensor& x : xs) specs.push_back(x.spec());
    if (!eager_only(c)) { EXPECT_EQ(layer.output_specs(specs)[0].shape, c["out0"].shape()); }
  });
}

TEST(Preprocessing, GradientsAreThoseOfKeras) {
  each_case([](const Case& c) {
    if (!c.has("grad0")) return;
    Layer layer = made(c);
    Tensor x = c["in0"];
    GradientTape tape;
    tape.watch(x);
    Tensor y = layer(x);
    EXPECT_LE(difference(tape.gradient(sum(y * c["cot0"]), x), c["grad0"]), kTolerance);
  });
}

TEST(Preprocessing, EmptyBatchesPass) {
  each_case([](const Case& c) {
    Layer layer = made(c);
    Tensors xs = c.all("in");
    Shape want = c["out0"].shape();
    if (want.rank() == 0 || want[0] != xs[0].shape()[0] || xs[0].rank() < 2 || c.name.ends_with("/one")) return;
    for (Tensor& x : xs) {
      Shape none = x.shape();
      none[0] = 0;
      x = x.dtype() == DType::string ? strings({}, none) : slice_axis(std::move(x), 0, 0, 0);
    }
    want[0] = 0;
    if (eager_only(c) && want.rank() == 2 && c["out0"].dtype() != DType::string) want[1] = 0;
    EXPECT_EQ(Tensor(layer(TensorList(xs))).shape(), want);
  });
}

void expect_same(const Json& got, const Json& want) {
  for (auto& [key, value] : want.items()) {
    ASSERT_TRUE(got.contains(key)) << key;
    if (key != "bin_boundaries" || !value.is_array()) {
      EXPECT_EQ(got[key], value) << key;
    } else {
      ASSERT_EQ(got[key].size(), value.size());
      for (size_t i = 0; i < value.size(); ++i) EXPECT_NEAR(got[key][i].get<double>(), value[i].get<double>(), 1e-5);
    }
  }
  for (auto& [key, value] : got.items()) EXPECT_TRUE(want.contains(key)) << key;
}

TEST(Preprocessing, ConfigurationsGoInAndOutUnchanged) {
  each_case([](const Case& c) {
    Layer layer = LayerRegistry::global().make(c.entry["layer"].get<std::string>(), c.entry["config"].dump());
    expect_same(Json::parse(layer.get_config()), Json::parse(c.entry["config"].dump()));
    if (!c.entry.contains("adapted")) return;
    const Json want = Json::parse(c.entry["adapted"].dump());
    expect_same(Json::parse(made(c).get_config()), want);
    expect_same(Json::parse(made(c, "adapted").get_config()), want);
  });
}

// In a model: saved, loaded, and the same outputs.
TEST(Preprocessing, ModelsGoThroughFiles) {
  files::Scratch scratch;
  each_case([&](const Case& c) {
    Layer layer = made(c);
    Tensors xs = c.all("in"), symbols;
    if (c.name.ends_with("/one") || xs[0].rank() < 2) return;
    for (const Tensor& x : xs) {
      Shape s = x.shape();
      s[0] = -1;
      symbols.push_back(Input({.dtype = x.dtype(), .batch_shape = s}));
    }
    Model model{{.inputs = symbols, .outputs = {Tensor(layer(TensorList(symbols)))}}};
    // A model's inputs are rows; of one row Keras makes other shapes in some modes.
    if (c["out0"].shape()[0] != xs[0].shape()[0]) return;
    expect_outputs(c, model.predict(TensorList(xs)), "model");
    model.save(scratch / "m.keras");
    expect_outputs(c, load_model(scratch / "m.keras").predict(TensorList(xs)), "loaded");
  });
}

std::string refusal(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) { return e.message(); }
  return {};
}

// Every golden case of adapt() again: its rows from a Dataset, in batches of two sizes.
TEST(Preprocessing, ADatasetTeachesTheSameAsItsBatches) {
  int seen = 0;
  each_case([&](const Case& c) {
    const Tensors batches = c.all("adapt");
    if (batches.empty() || batches[0].rank() < 1) return;
    ++seen;
    for (int64_t n : {2, 3}) {
      const Dataset data = data::arrays(batches[0]).batch(n);
      Tensors parts;
      for (Batch& b : data) parts.push_back(b.x[0]);
      const Layer streamed = made(c, "config", false), listed = made(c, "config", false);
      adapt(streamed, data);
      adapt(listed, parts);
      EXPECT_EQ(streamed.get_config(), listed.get_config());
      const Variables a = streamed.weights(), b = listed.weights();
      for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(difference(a[i].value(), b[i].value()), 0);
      const Layer first = made(c, "config", false), again = made(c, "config", false);
      adapt(first, data, 1);
      adapt(again, Tensors{parts[0]});
      EXPECT_EQ(first.get_config(), again.get_config());
    }
  });
  EXPECT_GT(seen, 15);
}

TEST(Preprocessing, AdaptingToADatasetGivesWhatAdaptingToTheWholeGives) {
  SeedGenerator seed(3);
  const Tensor x = random::normal({301, 4}, seed);
  const Layer whole = layers::Normalization{}, parts = layers::Normalization{}, rows = layers::Normalization{};
  adapt(whole, x);
  adapt(parts, data::arrays(x, ones({301})).shuffle(50).batch(32));  // the labels count for nothing
  adapt(rows, data::arrays(x));
  for (const Layer& l : {parts, rows})
    for (size_t i = 0; i < 2; ++i) EXPECT_LE(difference(l.weights()[i].value(), whole.weights()[i].value()), 1e-6);
  const Tensor words = strings({"b", "a", "c", "a", "b", "a", "d"}, {7});
  const Layer one = layers::StringLookup{}, many = layers::StringLookup{}, text = layers::TextVectorization{.output_mode = "count"};
  adapt(one, words);
  adapt(many, data::arrays(words).batch(3).prefetch(2));
  EXPECT_EQ(get_vocabulary(many), get_vocabulary(one));
  EXPECT_EQ(get_vocabulary(one), (std::vector<std::string>{"[UNK]", "a", "b", "d", "c"}));
  adapt(text, data::generator([n = 0]() mutable -> std::optional<Batch> {
          if (n++ == 3) return {};
          return Batch{.x = {strings({n == 1 ? "to be or not" : "to be"}, {1})}};
        }));
  EXPECT_EQ(get_vocabulary(text), (std::vector<std::string>{"[UNK]", "to", "be", "or", "not"}));
}

TEST(Preprocessing, ADatasetThatDoesNotFitIsRefused) {
  const Layer lookup = layers::IntegerLookup{}, normal = layers::Normalization{};
  const Tensor x = Tensor::from({1, 2, 3, 4}, {2, 2});
  EXPECT_EQ(refusal([&] { adapt(lookup, data::arrays(x, x).batch(2)); }),
            "adapt: integer_lookup expects inputs alone, got labels or weights beside them: leave them out by map()");
  EXPECT_EQ(refusal([&] { adapt(lookup, data::arrays({x, x}).batch(2)); }), "adapt: integer_lookup expects elements with one input, got 2");
  EXPECT_EQ(refusal([&] { adapt(lookup, data::arrays(x).take(0)); }),
            "adapt: expected at least one batch for integer_lookup, got none from arrays > take(0)");
  EXPECT_EQ(refusal([&] { adapt(lookup, data::arrays(x).repeat()); }), "adapt: arrays > repeat never ends: give steps");
  EXPECT_EQ(refusal([&] { adapt(lookup, Dataset()); }), "adapt: expected a Dataset for integer_lookup, got an empty handle");
  EXPECT_EQ(refusal([&] { adapt(layers::Dense{.units = 3}, data::arrays(x)); }), "adapt: dense (Dense) learns nothing from data before training");
  adapt(lookup, data::arrays(x).repeat().batch(2), 2);
  EXPECT_EQ(get_vocabulary(lookup).size(), 5u);
}

TEST(Preprocessing, WhatDoesNotLearnSaysSo) {
  auto message = [](const Layer& layer, const Tensor& x) -> std::string {
    try {
      adapt(layer, x);
    } catch (const Error& e) { return e.message(); }
    return {};
  };
  EXPECT_EQ(message(layers::Dense{.units = 3}, Tensor::from({1.f})), "adapt: dense (Dense) learns nothing from data before training");
  EXPECT_EQ(message(layers::Discretization{.bin_boundaries = std::vector<double>{0, 1}}, Tensor::from({1.f})),
            "adapt: discretization was given bin_boundaries; give num_bins instead to learn them");
  EXPECT_THROW((void)layers::Discretization{.num_bins = 3}(Tensor::from({1.f})), Error);
  EXPECT_THROW((void)Layer(layers::Resizing{.height = 2, .width = 2, .interpolation = "area"}), Error);
  EXPECT_THROW((void)layers::CategoryEncoding{.num_tokens = 3}(Tensor::from({-1, 2}, {1, 2})), Error);
}

}  // namespace
}  // namespace tenure

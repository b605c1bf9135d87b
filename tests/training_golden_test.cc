// Optimizers, losses, accuracy and whole fits against the real Keras.
#include <gtest/gtest.h>

#include <tenure/tenure.h>

#include "golden.h"

namespace tenure::training_golden {
namespace {

using golden::Case;
using golden::difference;
using golden::Json;

constexpr double kTolerance = 1e-5;

template <class F>
void each_case(const std::string& kind, F&& f) {
  golden::File file("training.npz");
  int n = 0;
  for (const Case& c : file.cases) {
    if (c.entry["kind"] != kind) continue;
    SCOPED_TRACE(c.name);
    ++n;
    try {
      f(c);
    } catch (const Error& e) { ADD_FAILURE() << e.what(); }
  }
  EXPECT_GT(n, 0);
}

Optimizer optimizer_of(const Json& class_name, Json config) {
  return Optimizer::from_json(Json{{"module", "keras.optimizers"}, {"class_name", class_name}, {"config", std::move(config)}}.dump());
}

TEST(TrainingGolden, OptimizersTakeKerasSteps) {
  each_case("optimizer", [](const Case& c) {
    Optimizer optimizer = optimizer_of(c.entry["class"], c.entry["config"]);
    Variables variables;
    for (const Tensor& t : c.all("start")) variables.push_back(Variable(t, "v" + std::to_string(variables.size())));
    optimizer.build(variables);
    Function step([&](Tensor a, Tensor b) {
      optimizer.apply({a, b}, variables);
      return Tensors{};
    });
    for (int64_t k = 0; k < c.entry["steps"].get<int64_t>(); ++k) {
      std::string prefix = "grad" + std::to_string(k) + "_";
      // Eagerly and traced in turn: the state is the same.
      if (k % 2) step(c[prefix + "0"], c[prefix + "1"]);
      else optimizer.apply({c[prefix + "0"], c[prefix + "1"]}, variables);
      for (size_t v = 0; v < variables.size(); ++v)
        EXPECT_LE(difference(variables[v].value(), c["value" + std::to_string(k) + "_" + std::to_string(v)]), kTolerance)
            << "step " << k << ", variable " << v;
    }
    Variables state = optimizer.variables();
    ASSERT_EQ(state.size(), c.entry["state"].size());
    for (size_t k = 0; k < state.size(); ++k) {
      EXPECT_EQ(state[k].name(), c.entry["state"][k].get<std::string>());
      EXPECT_LE(difference(state[k].value(), c["state" + std::to_string(k)]), kTolerance) << state[k].name();
      EXPECT_EQ(state[k].dtype(), c["state" + std::to_string(k)].dtype()) << state[k].name();
    }
    Json config = Json::parse(optimizer.get_config());
    for (auto& [key, value] : c.entry["config"].items()) EXPECT_EQ(config[key], value) << key;
  });
}

TEST(TrainingGolden, LossesHaveKerasValuesAndGradients) {
  each_case("loss", [](const Case& c) {
    Loss loss;
    loss.from_json(Json{{"class_name", c.entry["class"]}, {"config", c.entry["attrs"]}}.dump());
    Tensor y_pred = c["y_pred"], weight = c.has("sample_weight") ? c["sample_weight"] : Tensor();
    GradientTape tape;
    tape.watch(y_pred);
    Tensor value = loss(c["y_true"], y_pred, weight);
    EXPECT_LE(difference(value, c["loss"]), kTolerance);
    EXPECT_LE(difference(tape.gradient(sum(value), y_pred), c["grad"]), kTolerance);
  });
}

TEST(TrainingGolden, SchedulesGiveKerasRates) {
  each_case("schedule", [](const Case& c) {
    LearningRate rate;
    rate.from_json(Json{{"class_name", c.entry["class"]}, {"config", c.entry["config"]}}.dump());
    for (int64_t i = 0; i < c["step"].size(); ++i) {
      const Tensor now = rate.at(Tensor::from(std::vector<float>{static_cast<float>(c["step"].at(i))}, {}));
      EXPECT_NEAR(now.item<float>(), c["rate"].at(i), 1e-6) << c["step"].at(i);
    }
    EXPECT_EQ(Json::parse(rate.to_json())["config"], c.entry["config"]);
  });
}

TEST(TrainingGolden, AccuracyChoosesAsKerasDoes) {
  each_case("accuracy", [](const Case& c) {
    Metric metric(c.entry["metric"].get<std::string>());
    Tensor t = c["y_true"], p = c["y_pred"], w = c.has("sample_weight") ? c["sample_weight"] : Tensor();
    int64_t half = t.dim(0) / 2;
    for (auto [from, to] : {std::pair{int64_t{0}, half}, {half, t.dim(0)}})
      metric.update_state(slice_axis(t, 0, from, to), slice_axis(p, 0, from, to), w.defined() ? slice_axis(w, 0, from, to) : Tensor());
    EXPECT_LE(difference(metric.result(), c["result"]), kTolerance);
    EXPECT_NEAR(metric.value(), c["result"].item<double>(), kTolerance);
    EXPECT_EQ(metric.name(), c.entry["label"].get<std::string>());
  });
}

TEST(TrainingGolden, MetricsCountAsKerasDoes) {
  each_case("metric", [](const Case& c) {
    const Json written{{"module", "keras.metrics"}, {"class_name", c.entry["class"]}, {"config", c.entry["config"]}};
    const Metric metric = Metric::from_json(written.dump());
    Tensor t = c["y_true"], p = c["y_pred"], w = c.has("sample_weight") ? c["sample_weight"] : Tensor(), want = c["result"];
    const int64_t half = t.dim(0) / 2;
    const Function traced([&](Tensor a, Tensor b) { return metric.update_state(a, b), Tensors{}; });
    for (int round = 0; round < 2; ++round) {  // after a reset the same, and in a trace
      for (auto [from, to] : {std::pair{int64_t{0}, half}, {half, t.dim(0)}}) {
        const Tensor a = slice_axis(t, 0, from, to), b = slice_axis(p, 0, from, to);
        if (round && !w.defined()) traced(a, b);
        else metric.update_state(a, b, w.defined() ? slice_axis(w, 0, from, to) : Tensor());
      }
      ASSERT_EQ(metric.result().shape(), want.shape());
      EXPECT_LE(difference(metric.result(), want), kTolerance);
      EXPECT_NEAR(metric.value(), mean(want).item<double>(), kTolerance);
      metric.reset_state();
      EXPECT_FALSE(metric.variables().empty());
      for (const Variable& v : metric.variables()) EXPECT_EQ(sum(abs(v.value())).item<double>(), 0) << v.name();
    }
    EXPECT_EQ(metric.name(), c.entry["config"]["name"].get<std::string>());
    const Metric again = Metric::from_json(metric.to_json());
    EXPECT_EQ(again.to_json(), metric.to_json());
  });
  EXPECT_EQ(Metric("AUC").name(), "AUC");
  EXPECT_EQ(Metric("AUC").to_json(), "\"AUC\"");
  EXPECT_THROW(Metric("nothing"), Error);
}

MetricList metrics_of(const Json& compile, const char* key) {
  MetricList list;
  if (!compile.contains(key)) return list;
  list.items.emplace_back();
  for (auto& m : compile[key]) list.items[0].push_back(Metric(m.get<std::string>()));
  return list;
}

TEST(TrainingGolden, FitLeavesKerasWeightsAndHistory) {
  each_case("fit", [](const Case& c) {
    Tensor x = c["x"], y = c["y"];
    Shape shape = x.shape().slice(1, x.rank());
    std::vector<Layer> list{layers::InputLayer{.shape = shape}};
    for (auto& l : c.entry["layers"]) list.push_back(LayerRegistry::global().make(l["class"].get<std::string>(), l["config"].dump()));
    Sequential model(list, "fitted");
    model.set_weights(c.all("w"));
    const Json& compiled = c.entry["compile"];
    model.compile({.optimizer = optimizer_of(c.entry["optimizer"]["class"], c.entry["optimizer"]["config"]),
                   .loss = compiled["loss"].get<std::string>(),
                   .metrics = metrics_of(compiled, "metrics"),
                   .weighted_metrics = metrics_of(compiled, "weighted_metrics")});
    const Json& f = c.entry["fit"];
    FitOptions options{.batch_size = f["batch_size"].get<int64_t>(), .epochs = f["epochs"].get<int64_t>(), .verbose = 0, .shuffle = false};
    if (f.contains("validation_split")) options.validation_split = f["validation_split"].get<double>();
    if (c.has("sample_weight")) options.sample_weight = c["sample_weight"];
    History h = model.fit(x, y, options);
    Tensors after = c.all("after"), got = model.get_weights();
    ASSERT_EQ(got.size(), after.size());
    // Differences grow over the steps of a fit.
    for (size_t k = 0; k < got.size(); ++k) EXPECT_LE(difference(got[k], after[k]), 10 * kTolerance) << model.weights()[k].name();
    for (auto& key : c.entry["history"]) {
      auto& values = h[key.get<std::string>()];
      Tensor want = c["history_" + key.get<std::string>()];
      ASSERT_EQ(static_cast<int64_t>(values.size()), want.size());
      for (int64_t k = 0; k < want.size(); ++k) EXPECT_NEAR(values[static_cast<size_t>(k)], want.at(k), 10 * kTolerance) << key << " of epoch " << k;
    }
    EXPECT_EQ(h.history.size(), c.entry["history"].size());
    EXPECT_LE(difference(model.predict(x, {.batch_size = 7}), c["predict"]), 10 * kTolerance);
    Results r = model.evaluate(x, y, {.batch_size = f["batch_size"].get<int64_t>(), .verbose = 0});
    Tensor evaluate = c["evaluate"];
    ASSERT_EQ(static_cast<int64_t>(r.items.size()), evaluate.size());
    for (int64_t k = 0; k < evaluate.size(); ++k)
      EXPECT_NEAR(r.items[static_cast<size_t>(k)].second, evaluate.at(k), 10 * kTolerance) << r.items[static_cast<size_t>(k)].first;
  });
}

}  // namespace
}  // namespace tenure::training_golden

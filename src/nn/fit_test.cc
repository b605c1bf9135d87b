#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

#include <tenure/layers.h>
#include <tenure/model.h>

namespace tenure {
namespace {

struct Data {
  Tensor x, y;
};
// y = sum of x's columns.
Data line(int64_t rows = 64, int64_t columns = 3) {
  SeedGenerator seed(3);
  Tensor x = random::normal({rows, columns}, seed);
  return {x, sum(x, {1}, true)};
}

Sequential small() {
  set_random_seed(1);
  return Sequential{layers::InputLayer{.shape = {3}}, layers::Dense{.units = 4, .activation = "tanh"}, layers::Dense{.units = 1}};
}

TEST(Fit, LowersTheLossAndKeepsAHistory) {
  auto [x, y] = line();
  Sequential m = small();
  m.compile({.optimizer = optimizers::Adam{.learning_rate = 0.05}, .loss = "mse", .metrics = {"mae"}});
  History h = m.fit(x, y, {.epochs = 20, .verbose = 0, .validation_split = 0.25});
  EXPECT_EQ(h.epoch.size(), 20u);
  EXPECT_LT(h["loss"].back(), 0.2 * h["loss"].front());
  EXPECT_EQ(h["val_mae"].size(), 20u);
  EXPECT_THROW(h["accuracy"], Error);
  Results r = m.evaluate(x, y, {.verbose = 0});
  EXPECT_EQ(r.items[0].first, "loss");
  EXPECT_EQ(r.items[1].first, "mae");
  EXPECT_LT(r.loss(), h["loss"].front());
  EXPECT_EQ(m.train_function().traces(), 2);  // full batch, remainder
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

TEST(Fit, PrintsWhatKerasPrints) {
  auto [x, y] = line(64);
  Sequential m = small();
  m.compile({.optimizer = optimizers::SGD{.learning_rate = 0.0}, .loss = "mse"});
  std::ostringstream two, one, none;
  m.fit(x, y, {.epochs = 2, .verbose = 2, .out = &two});
  EXPECT_EQ(two.str().find("Epoch 1/2\n2/2 - 0s - "), 0u) << two.str();
  EXPECT_NE(two.str().find("/step - loss: "), std::string::npos);
  m.fit(x, y, {.epochs = 1, .verbose = 1, .out = &one});
  EXPECT_NE(one.str().find("━━━━━━━━━━━━━━━━━━━━"), std::string::npos) << one.str();
  m.fit(x, y, {.verbose = 0, .out = &none});
  EXPECT_EQ(none.str(), "");
}

TEST(Fit, RefusesWhatCannotWork) {
  auto [x, y] = line();
  Sequential m = small();
  EXPECT_THROW(m.fit(x, y, {.verbose = 0}), Error);  // not compiled
  m.compile({.optimizer = "sgd", .loss = "mse"});
  EXPECT_THROW(m.fit(x, ones({3, 1}), {.verbose = 0}), Error);
  EXPECT_THROW(m.fit(x, TensorList(Tensors{y, y}), {.verbose = 0}), Error);
  EXPECT_THROW(m.fit(x, y, {.verbose = 0, .validation_split = 1.5}), Error);
  EXPECT_THROW(m.fit(x, y, {.verbose = 7}), Error);
  EXPECT_THROW(m.fit(ones({64, 5}), y, {.verbose = 0}), Error);
  EXPECT_THROW(m.compile({.loss = "no such loss"}), Error);
  EXPECT_THROW(m.compile({.optimizer = "no such optimizer"}), Error);
  EXPECT_THROW(m.compile({.loss = "mse", .metrics = {"no such metric"}}), Error);
  m.fit(x, y, {.verbose = 0});
}

TEST(Fit, OneDatasetIsAsGoodAsItsArrays) {
  const auto both = line();
  const Tensor &x = both.x, &y = both.y;
  auto run = [&](bool dataset) {
    Sequential m = small();
    m.compile({.optimizer = "sgd", .loss = "mse"});
    FitOptions o{.epochs = 3, .verbose = 0, .shuffle = false};
    if (dataset) return m.fit(data::arrays(x, y).batch(10), o)["loss"];
    o.batch_size = 10;
    return m.fit(x, y, o)["loss"];
  };
  std::vector<double> a = run(false), b = run(true);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6);
}

TEST(Fit, SeveralOutputsHaveLossesWeightsAndNames) {
  Tensor in = Input({.shape = {3}});
  Tensor p = layers::Dense{.units = 1, .name = "p"}(in), q = layers::Dense{.units = 2, .activation = "softmax", .name = "q"}(in);
  Model m{{.inputs = {in}, .outputs = {p, q}}};
  m.compile({.optimizer = optimizers::SGD{.learning_rate = 0},
             .loss = {{"q", "sparse_categorical_crossentropy"}, {"p", "mse"}},
             .loss_weights = {1, 0.5},
             .metrics = {{"q", {"accuracy"}}}});
  auto [x, y] = line(8);
  Results r = m.train_on_batch(x, {y, zeros({8}, int32)});
  ASSERT_EQ(r.items.size(), 4u);
  EXPECT_EQ(r.items[1].first, "q_accuracy");
  EXPECT_EQ(r.items[2].first, "p_loss");
  EXPECT_NEAR(r.loss(), r["p_loss"] + 0.5 * r["q_loss"], 1e-6);
  m.compile({.optimizer = "sgd", .loss = {"mse", "sparse_categorical_crossentropy"}, .metrics = {"mae", "accuracy"}});
  EXPECT_EQ(m.test_on_batch(x, {y, zeros({8}, int32)}).items[1].first, "p_mae");
  m.compile({.optimizer = "sgd", .loss = {{"r", "mse"}}});
  EXPECT_THROW(m.train_on_batch(x, {y, zeros({8}, int32)}), Error);
}

TEST(Fit, PenaltiesAndConstraintsArePartOfTheStep) {
  Sequential m{layers::InputLayer{.shape = {2}}, layers::Dense{.units = 2,
                                                               .use_bias = false,
                                                               .kernel_initializer = "ones",
                                                               .kernel_regularizer = regularizers::L1{.l1 = 0.5},
                                                               .activity_regularizer = regularizers::L2{.l2 = 1},
                                                               .kernel_constraint = "non_neg"}};
  m.compile({.optimizer = optimizers::SGD{.learning_rate = 10}, .loss = "mse"});
  Tensor x = ones({4, 2}), y = full({4, 2}, 2);
  // Error 0; 0.5 * 4 ones; activity: sum of 8 squares of 2, over the batch of 4.
  EXPECT_NEAR(m.test_on_batch(x, y).loss(), 0.5 * 4 + 8 * 4 / 4.0, 1e-5);
  m.train_on_batch(x, y);
  EXPECT_EQ(m.get_weights()[0].to_vector<float>(), (std::vector<float>{0, 0, 0, 0}));
}

TEST(Fit, WeightsOfClassesAndSamplesAgree) {
  SeedGenerator seed(5);
  Tensor x = random::normal({12, 3}, seed), y = Tensor::from({0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0}, {12});
  auto run = [&](bool by_class) {
    set_random_seed(2);
    Sequential m{layers::InputLayer{.shape = {3}}, layers::Dense{.units = 2, .activation = "softmax"}};
    m.compile({.optimizer = "sgd", .loss = "sparse_categorical_crossentropy", .weighted_metrics = {"accuracy"}});
    FitOptions o{.batch_size = 5, .epochs = 2, .verbose = 0, .shuffle = false};
    if (by_class) o.class_weight = {{1, 3.0}};
    else o.sample_weight = add(multiply(cast(y, float32), 2.0), 1.0);
    return m.fit(x, y, o);
  };
  History a = run(true), b = run(false);
  EXPECT_NEAR(a["loss"][1], b["loss"][1], 1e-6);
  EXPECT_NEAR(a["accuracy"][1], b["accuracy"][1], 1e-6);
}

TEST(Fit, StepsPerEpochGoOnThroughOnePass) {
  auto [x, y] = line(10);
  Sequential m = small();
  m.compile({.optimizer = "sgd", .loss = "mse"});
  int batches = 0;
  m.fit(x, y,
        {.batch_size = 4,
         .epochs = 2,
         .verbose = 0,
         .callbacks = {callbacks::LambdaCallback{.on_train_batch_begin = [&](int64_t) { ++batches; }}},
         .steps_per_epoch = 2});
  EXPECT_EQ(batches, 3);  // 10 rows are three batches of 4
}

TEST(Fit, FindsTheFirstLayerThatIsNotFinite) {
  auto [x, y] = line();
  Tensor in = Input({.shape = {3}});
  Tensor hidden = layers::Dense{.units = 2, .name = "fine"}(in);
  Tensor bad = layers::Activation{.activation = [](Tensor t) { return divide(std::move(t), 0.0); }, .name = "divider"}(hidden);
  Model m{{.inputs = {in}, .outputs = {layers::Dense{.units = 1}(bad)}, .name = "unlucky"}};
  m.compile({.optimizer = "sgd", .loss = "mse"});
  Tensors before = m.get_weights();
  try {
    m.fit(x, y, {.verbose = 0, .find_nan = true});
    FAIL();
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find("divider"), std::string::npos) << e.what(); }
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].to_vector<float>(), m.get_weights()[i].to_vector<float>());
}

TEST(Callbacks, TerminateOnNaNStopsAtTheBatch) {
  auto [x, y] = line();
  Tensor wrong = full({64, 1}, std::numeric_limits<double>::quiet_NaN());
  Sequential m = small();
  m.compile({.optimizer = "sgd", .loss = "mse"});
  std::ostringstream out;
  History h = m.fit(x, wrong, {.epochs = 5, .verbose = 0, .callbacks = {callbacks::TerminateOnNaN{}}, .out = &out});
  EXPECT_EQ(h.epoch.size(), 1u);
  EXPECT_EQ(out.str(), "Batch 0: Invalid loss, terminating training\n");
}

TEST(Callbacks, EarlyStoppingGivesTheBestWeightsBack) {
  auto [x, y] = line();
  Sequential m = small();
  m.compile({.optimizer = optimizers::SGD{.learning_rate = 0.05}, .loss = "mse"});
  m.fit(x, y, {.epochs = 3, .verbose = 0});
  double before = m.evaluate(x, y, {.verbose = 0}).loss();
  m.optimizer().learning_rate().assign(Tensor(30.0));
  std::ostringstream out;
  History h = m.fit(x, y,
                    {.epochs = 50,
                     .verbose = 0,
                     .callbacks = {callbacks::EarlyStopping{.monitor = "loss", .patience = 2, .verbose = 1, .restore_best_weights = true}},
                     .out = &out});
  EXPECT_LT(h.epoch.size(), 50u);
  EXPECT_NE(out.str().find(": early stopping\nRestoring model weights from the end of the best epoch: "), std::string::npos) << out.str();
  EXPECT_GT(before, 0);
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

class Keeper final : public CallbackBase {
 public:
  std::vector<std::string> told;
  void on_train_begin() override { told.push_back("begin " + model_name()); }
  void on_epoch_end(int64_t epoch, const Logs& logs) override {
    told.push_back("epoch " + std::to_string(epoch) + " " + std::to_string(logs.count("loss")));
    keep("kept", {ones({2})});
  }
  void on_train_end(const Logs&) override { told.push_back("end " + std::to_string(kept("kept").size())); }

 private:
  std::string model_name() const;
};
std::string Keeper::model_name() const { return model().name(); }

TEST(Callbacks, AreToldInOrderAndWhatTheyKeepIsSeen) {
  auto [x, y] = line();
  Sequential m = small();
  m.compile({.optimizer = "sgd", .loss = "mse"});
  Callback c = make_callback<Keeper>();
  m.fit(x, y, {.epochs = 2, .verbose = 0, .callbacks = {c}});
  EXPECT_EQ(c.as<Keeper>().told, (std::vector<std::string>{"begin sequential", "epoch 0 1", "epoch 1 1", "end 1"}));
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

TEST(Predict, PutsBatchesTogetherAndWritesIntoMemoryOfTheCallers) {
  auto [x, y] = line(70);
  Sequential m = small();
  Tensor whole = m.predict_on_batch(x), parts = m.predict(x), few = m.predict(x, {.batch_size = 13});
  ASSERT_EQ(parts.shape(), (Shape{70, 1}));
  for (int64_t i = 0; i < 70; ++i) {
    EXPECT_NEAR(whole.at(i), parts.at(i), 1e-6);
    EXPECT_NEAR(whole.at(i), few.at(i), 1e-6);
  }
  std::vector<float> mine(70);
  m.predict_into({mine}, x);
  EXPECT_EQ(mine, parts.to_vector<float>());
  std::vector<float> short_(69);
  EXPECT_THROW(m.predict_into({short_}, x), Error);
  std::vector<double> wrong(70);
  EXPECT_THROW(m.predict_into({wrong}, x), Error);
  Tensor from_dataset = m.predict(data::arrays(x).batch(9));
  for (int64_t i = 0; i < 70; ++i) EXPECT_NEAR(whole.at(i), from_dataset.at(i), 1e-6);
  EXPECT_THROW(m.predict(Tensors{}), Error);
}

TEST(Compile, AgainStartsAnew) {
  auto [x, y] = line();
  Sequential m = small();
  m.compile({.optimizer = "adam", .loss = "mse"});
  m.fit(x, y, {.verbose = 0});
  EXPECT_EQ(m.optimizer().iterations().value().item<int64_t>(), 2);
  m.layers()[0].set_trainable(false);
  m.compile({.optimizer = "adam", .loss = "mae"});
  EXPECT_EQ(m.train_function().traces(), 0);
  std::vector<float> frozen = m.get_weights()[0].to_vector<float>(), moving = m.get_weights()[2].to_vector<float>();
  m.fit(x, y, {.verbose = 0});
  EXPECT_EQ(m.get_weights()[0].to_vector<float>(), frozen);
  EXPECT_NE(m.get_weights()[2].to_vector<float>(), moving);
  EXPECT_EQ(m.optimizer().variables().size(), 2u + 2 * 2);
}

TEST(Compile, StepsMayRunEagerly) {
  const auto both = line();
  const Tensor &x = both.x, &y = both.y;
  auto run = [&](bool eagerly) {
    Sequential m = small();
    m.compile({.optimizer = "adam", .loss = "mse", .metrics = {"mae"}, .run_eagerly = eagerly});
    return m.fit(x, y, {.epochs = 2, .verbose = 0, .shuffle = false});
  };
  History a = run(true), b = run(false);
  EXPECT_NEAR(a["loss"][1], b["loss"][1], 1e-5);
  EXPECT_NEAR(a["mae"][1], b["mae"][1], 1e-5);
}

TEST(Loss, AnAggregateIsItselfAndNotAFunction) {
  Loss loss = losses::MeanSquaredError{.reduction = "sum"};
  EXPECT_EQ(loss.name(), "mean_squared_error");
  EXPECT_EQ(loss(ones({2, 2}), zeros({2, 2})).item(), 2);
  EXPECT_EQ((losses::MeanAbsoluteError{}(ones({2, 2}), zeros({2, 2}))).item(), 1);
  Loss own([](Tensor t, Tensor p) { return sum(abs(t - p), {-1}); }, "own");
  EXPECT_EQ(own(ones({2, 2}), zeros({2, 2})).item(), 2);
  Sequential m = small();
  m.compile({.optimizer = "sgd",
             .loss = losses::MeanSquaredError{.reduction = "sum"},
             .metrics = {metrics::MeanAbsoluteError{}, Metric([](Tensor t, Tensor p) { return t - p; }, "bias")}});
  auto [x, y] = line();
  Results r = m.train_on_batch(x, y);
  EXPECT_EQ(r.items[1].first, "mean_absolute_error");
  EXPECT_EQ(r.items[2].first, "bias");
  m.compile({.optimizer = "sgd", .loss = own});
  EXPECT_GT(m.train_on_batch(x, y).loss(), 0);
}

TEST(Optimizer, GuardsItsArguments) {
  EXPECT_THROW((Optimizer(optimizers::SGD{.clipnorm = 1.0, .clipvalue = 1.0})), Error);
  Optimizer sgd = optimizers::SGD{.learning_rate = schedules::ExponentialDecay{.initial_learning_rate = 1, .decay_steps = 1, .decay_rate = 0.5}};
  EXPECT_THROW(sgd.learning_rate(), Error);
  Variable a(ones({2})), b(ones({2}));
  sgd.apply({ones({2})}, {a});
  EXPECT_EQ(a.value().at(0), 0);
  EXPECT_THROW(sgd.apply({ones({2})}, {b}), Error);
  EXPECT_THROW(sgd.apply({ones({3})}, {a}), Error);
  EXPECT_THROW(sgd.apply({Tensor()}, {a}), Error);
}

}  // namespace
}  // namespace tenure

#include <gtest/gtest.h>

#include <tenure/function.h>
#include <tenure/layers.h>
#include <tenure/tape.h>

#include "nn/layer_body.h"

namespace tenure {
namespace {

// y = x * scale, with a sublayer and a random generator, and a switch that says what call() saw.
class Scaled final : public LayerBase {
 public:
  explicit Scaled(bool* trained = nullptr) : LayerBase({.name = "scaled"}), trained_(trained) {
    inner_ = child("inner", layers::Dense{.units = 2, .use_bias = false});
  }
  void build(const Shape& in) override {
    if (in.back() == 13) fail(Code::InvalidArgument, "13 brings bad luck");
    scale_ = weight("scale", {in.back()}, "ones", {.regularizer = "l2"});
    count_ = weight("count", {}, "zeros", {.trainable = false});
  }
  Tensor call(Tensor x, const Call& c) override {
    if (trained_) *trained_ = c.is_training();
    count_.assign(count_.value() + 1.0);
    return inner_(std::move(x) * scale_);
  }

 private:
  bool* trained_;
  Child inner_;
  Weight scale_, count_;
};

struct Switch {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  double amount = 2;
  operator Layer() const;
};
void fields(Fields& v, Switch& s) { v("amount", s.amount); }
class SwitchLayer final : public LayerOf<Switch> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call& c) override { return c.is_training() ? multiply(std::move(x), config.amount) : x; }
};
Switch::operator Layer() const { return make_layer<SwitchLayer>(*this); }

TEST(Layer, WhatItMakesIsAnActivation) {
  Layer dense = layers::Dense{.units = 2, .activation = "relu"};
  Tensor x = ones({3, 4}), y = dense(x);
  EXPECT_EQ(memory::explain(x).category, memory::Category::temporary);
  EXPECT_EQ(memory::explain(y).category, memory::Category::activation);
  EXPECT_EQ(memory::explain(dense.weights()[0].value()).category, memory::Category::parameter);
  EXPECT_EQ(memory::explain(y + 1.0).category, memory::Category::temporary) << "only within the call";
}

TEST(Layer, AnAuthorsLayerHasItsWeightsInKerasOrderAndNames) {
  Layer layer = make_layer<Scaled>();
  EXPECT_FALSE(layer.built());
  Tensor y = layer(ones({3, 4}));
  EXPECT_EQ(y.shape(), (Shape{3, 2}));
  Variables all = layer.variables();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name(), "scaled/scale");
  EXPECT_EQ(all[1].name(), "scaled/count");
  EXPECT_EQ(all[2].name(), "inner/kernel");
  EXPECT_EQ(layer.trainable_variables().size(), 2u);
  EXPECT_EQ(layer.non_trainable_variables().size(), 1u);
  EXPECT_EQ(layer.count_params(), 4 + 1 + 8);
  EXPECT_EQ(all[1].value().item(), 1);
  EXPECT_EQ(layer.layers()[0].class_name(), "Dense");
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

TEST(Layer, TrainingIsTheArgumentElseTheEnclosingCallsElseFalse) {
  bool saw = true;
  Layer inner = make_layer<Scaled>(&saw);
  Tensor x = ones({1, 4});
  inner(x);
  EXPECT_FALSE(saw);
  inner(x, {.training = true});
  EXPECT_TRUE(saw);
  CallContext enclosing{true};
  With with(thread_context.call, &enclosing);
  saw = false;
  inner(x);
  EXPECT_TRUE(saw);
  inner(x, {.training = false});
  EXPECT_FALSE(saw);
}

TEST(Layer, AMillionWeightlessLeftoversDoNotExist) {
  Layer dense = layers::Dense{.units = 10};
  Tensor x = Input({.shape = {7}});
  Tensor first = dense(x);
  memory::Now before = memory::now();
  for (int i = 0; i < 1000; ++i) {
    Tensor y = dense(x);
    ASSERT_EQ(y.shape(), (Shape{-1, 10}));
  }
  memory::Now after = memory::now();
  EXPECT_EQ(after.nodes, before.nodes);
  EXPECT_EQ(after.tensors, before.tensors);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.allocations, before.allocations);
}

TEST(Layer, CastCopiesOfInputsDoNotOutliveTheCall) {
  Layer dense = layers::Dense{.units = 3};
  Tensor x = ones({4, 5}, float64);
  Tensor y = dense(x);
  EXPECT_EQ(y.dtype(), float32);
  size_t live = memory::now().live_bytes;
  y = dense(x);
  EXPECT_EQ(memory::now().live_bytes, live);
  EXPECT_EQ(live, 4 * 5 * sizeof(double) + (5 * 3 + 3 + 4 * 3) * sizeof(float));
}

TEST(Layer, ErrorsNameTheLayerAndWhatItWasCalledWith) {
  Layer dense = layers::Dense{.units = 3, .name = "head"};
  dense(ones({2, 5}));
  try {
    dense(ones({2, 6}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Shape);
    EXPECT_NE(std::string(e.what()).find("head (Dense), called with float32[2,6]"), std::string::npos) << e.what();
  }
  EXPECT_THROW(dense(Tensor()), Error);
  EXPECT_THROW(Layer()(ones({1})), Error);
  EXPECT_THROW(layers::Dense{.units = 0}(ones({2, 5})), Error);
}

TEST(Layer, AFailedBuildLeavesNoWeightsAndMayBeTriedAgain) {
  Layer layer = make_layer<Scaled>();
  EXPECT_THROW(layer(ones({2, 13})), Error);
  EXPECT_FALSE(layer.built());
  EXPECT_TRUE(layer.weights().empty());
  Tensor y = layer(ones({2, 4}));
  EXPECT_EQ(y.dim(1), 2);
}

TEST(Layer, ChildrenLockAtTheFirstCall) {
  class Late final : public LayerBase {
   public:
    Tensor call(Tensor x, const Call&) override { return x; }
    void add(const Layer& l) { child("late", l); }
  };
  Layer layer = make_layer<Late>();
  auto& late = static_cast<Late&>(layer.body()->object());
  late.add(layers::ReLU{});
  EXPECT_THROW(late.add(layer), Error);
  layer(ones({1, 2}));
  EXPECT_THROW(late.add(layers::ReLU{}), Error);
}

TEST(Layer, AnObjectThatIsNeverAdoptedFreesItsChildren) {
  size_t before = memory::now().objects;
  { Scaled alone; }
  EXPECT_EQ(memory::now().objects, before);
}

TEST(Layer, FrozenWeightsAreNotTrainable) {
  Layer layer = make_layer<Scaled>();
  layer(ones({2, 4}));
  layer.set_trainable(false);
  EXPECT_TRUE(layer.trainable_variables().empty());
  EXPECT_EQ(layer.non_trainable_variables().size(), 3u);
  layer.set_trainable(true);
  EXPECT_EQ(layer.trainable_variables().size(), 2u);
  GradientTape tape;
  Tensor y = layer(ones({2, 4}));
  EXPECT_EQ(tape.gradient(sum(y), layer.trainable_variables()).size(), 2u);
}

TEST(Layer, TracedCallsAreTheSameAsEagerOnes) {
  Layer dense = layers::Dense{.units = 3, .activation = "tanh"};
  Tensor x = Tensor::from({0.1f, -0.2f, 0.3f, 0.4f}, {2, 2});
  Tensor eager = dense(x);
  Function f([&](Tensor t) { return Tensor(dense(t)); });
  Tensor traced = f(x);
  for (int64_t i = 0; i < eager.size(); ++i) EXPECT_NEAR(eager.at(i), traced.at(i), 1e-6);
}

TEST(Layer, ALayerMadeInsideATraceIsRefusedTheSecondTime) {
  Function f([](Tensor x) { return Tensor(layers::Dense{.units = 2}(x)); });
  f(ones({1, 3}));
  EXPECT_THROW(f(ones({2, 3})), Error);
}

TEST(Layer, ClonesHaveTheSameValuesInVariablesOfTheirOwn) {
  Layer dense = layers::Dense{.units = 3, .activation = layers::LeakyReLU{.negative_slope = 0.1}, .kernel_regularizer = regularizers::L2{.l2 = 0.5}};
  Tensor x = Tensor::from({0.1f, -0.2f}, {1, 2});
  Tensor y = dense(x);
  Layer copy = dense.clone();
  EXPECT_EQ(Tensor(copy(x)).to_vector<float>(), y.to_vector<float>());
  EXPECT_FALSE(copy.weights()[0].same(dense.weights()[0]));
  EXPECT_EQ(copy.get_config(), dense.get_config());
}

TEST(Layer, AnApplicationsClassIsRegisteredAndReadBack) {
  LayerRegistry& r = LayerRegistry::global();
  if (!r.contains("Switch")) r.add<Switch>("Switch", "tests");
  EXPECT_EQ(r.package("Switch"), "tests");
  Layer l = r.make("Switch", R"({"name": "s", "trainable": true, "dtype": "float32", "amount": 3})");
  EXPECT_EQ(l.name(), "s");
  EXPECT_EQ(Tensor(l(ones({2}), {.training = true})).at(0), 3);
  EXPECT_THROW(r.make("Switch", R"({"amuont": 3})"), Error);
  EXPECT_THROW(r.make("Nothing", "{}"), Error);
  EXPECT_THROW(r.add<Switch>("Switch"), Error);
  EXPECT_EQ(r.defaults("Switch"), R"({"amount":2.0})");
}

TEST(Layer, PoliciesDecideOnTypes) {
  Layer mixed = layers::Dense{.units = 2, .dtype = "mixed_bfloat16"};
  Tensor y = mixed(ones({1, 3}));
  EXPECT_EQ(y.dtype(), bfloat16);
  EXPECT_EQ(mixed.weights()[0].dtype(), float32);
  Layer wide = layers::Dense{.units = 2, .dtype = float64};
  EXPECT_EQ(Tensor(wide(ones({1, 3}))).dtype(), float64);
  EXPECT_EQ(wide.dtype_policy().name(), "float64");
  EXPECT_THROW(DTypePolicy("int8"), Error);
}

TEST(Layer, DropoutDropsInTrainingOnlyAndScales) {
  Layer drop = layers::Dropout{.rate = 0.25, .seed = 1};
  Tensor x = ones({100, 100});
  EXPECT_EQ(sum(Tensor(drop(x))).item(), 10000);
  Tensor a = drop(x, {.training = true}), b = drop(x, {.training = true});
  EXPECT_NEAR(mean(a).item(), 1, 0.02);
  EXPECT_NE(a.to_vector<float>(), b.to_vector<float>());
  for (float v : a.data<float>()) ASSERT_TRUE(v == 0 || std::abs(v - 1 / 0.75f) < 1e-6f);
  EXPECT_TRUE(drop.weights().empty());
  EXPECT_EQ(drop.variables().size(), 1u);
}

TEST(Layer, AnEmbeddingIndexOutOfRangeIsAnError) {
  Layer e = layers::Embedding{.input_dim = 4, .output_dim = 2};
  EXPECT_EQ(Tensor(e(Tensor::from({0, 3}, {1, 2}))).shape(), (Shape{1, 2, 2}));
  EXPECT_THROW(e(Tensor::from({0, 4}, {1, 2})), Error);
}

}  // namespace
}  // namespace tenure

#include <gtest/gtest.h>

#include <tenure/layers.h>
#include <tenure/model.h>

#include "nn/functional.h"

namespace tenure {
namespace {

TEST(Model, NamesUnnamedLayersInOrderAndRefusesDuplicates) {
  Tensor x = Input({.shape = {4}});
  Tensor a = layers::Dense{.units = 3}(x), b = layers::Dense{.units = 3}(a);
  Tensor y = layers::Add{}({a, b});
  Model m{{.inputs = {x}, .outputs = {y}, .name = "net"}};
  std::vector<std::string> names;
  for (const Layer& l : m.layers()) names.push_back(l.name());
  EXPECT_EQ(names, (std::vector<std::string>{"input_layer", "dense", "dense_1", "add"}));
  EXPECT_EQ(m.weights()[2].name(), "dense_1/kernel");
  EXPECT_EQ(m.get_layer("dense_1").class_name(), "Dense");
  EXPECT_EQ(m.get_layer(3).name(), "add");
  EXPECT_THROW(m.get_layer("dense_2"), Error);
  EXPECT_EQ(m.input_names(), (std::vector<std::string>{"input_layer"}));
  EXPECT_EQ(m.output_names(), (std::vector<std::string>{"add"}));
  Tensor twice = layers::Dense{.units = 1, .name = "d"}(layers::Dense{.units = 1, .name = "d"}(x));
  EXPECT_THROW((Model{{.inputs = {x}, .outputs = {twice}}}), Error);
}

TEST(Model, InputsAndOutputsMustBelongTogether) {
  Tensor x = Input({.shape = {4}, .name = "left"}), other = Input({.shape = {4}});
  Tensor y = layers::Add{}({x, other});
  try {
    Model m{{.inputs = {other}, .outputs = {y}}};
    FAIL();
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find("'left'"), std::string::npos) << e.what(); }
  EXPECT_THROW((Model{{.inputs = {ones({1})}, .outputs = {y}}}), Error);
  EXPECT_THROW((Model{{.inputs = {x, x}, .outputs = {y}}}), Error);
  EXPECT_THROW((Model{{.inputs = {x}, .outputs = {ones({2})}}}), Error);
}

TEST(Model, SharedLayersAndSeveralOutputsRunOnceEachWay) {
  Tensor a = Input({.shape = {4}, .name = "a"}), b = Input({.shape = {4}, .name = "b"});
  Layer tower = layers::Dense{.units = 3, .name = "tower"};
  Tensor ta = tower(a), tb = tower(b);
  Tensor sum_ = layers::Add{.name = "plus"}({ta, tb}), difference = layers::Subtract{.name = "minus"}({ta, tb});
  Model m{{.inputs = {a, b}, .outputs = {sum_, difference}}};
  EXPECT_EQ(m.weights().size(), 2u);
  Tensor x = ones({2, 4}), z = zeros({2, 4});
  Outputs out = m({x, z});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out["plus"].to_vector<float>(), out["minus"].to_vector<float>());
  EXPECT_THROW(out["times"], Error);
  auto [p, q] = m({x, x}).get<2>();
  EXPECT_EQ(sum(q).item(), 0);
  EXPECT_EQ(p.to_vector<float>(), (Tensor(tower(x)) * 2.0).to_vector<float>());
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

TEST(Model, NestsAndOpsOnSymbolsBecomePartOfIt) {
  Tensor i = Input({.shape = {3}});
  Model inner{{.inputs = {i}, .outputs = {relu(i - 1.0) * 2.0}}};
  Tensor x = Input({.shape = {3}});
  Model outer{{.inputs = {x}, .outputs = {inner(inner(x)) + 1.0}}};
  Tensor y = outer(Tensor::from({0.f, 2.f, 4.f}, {1, 3}));
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{1, 3, 11}));
  EXPECT_EQ(outer.layers().size(), 2u);
  EXPECT_EQ(outer.get_layer("functional").class_name(), "Functional");
  Model copy = outer.clone();
  EXPECT_EQ(Tensor(copy(Tensor::from({0.f, 2.f, 4.f}, {1, 3}))).to_vector<float>(), (std::vector<float>{1, 3, 11}));
}

TEST(Model, InputsOfAnotherTypeOrWithoutTheLastDimensionAreFitted) {
  Tensor x = Input({.shape = {1}});
  Model m{{.inputs = {x}, .outputs = {layers::Rescaling{.scale = 2.0}(x)}}};
  EXPECT_EQ(Tensor(m(Tensor::from({1, 2, 3}))).shape(), (Shape{3, 1}));
  EXPECT_EQ(Tensor(m(Tensor::from({1, 2, 3}, {3, 1}))).dtype(), float32);
  EXPECT_THROW(m(ones({3, 2})), Error);
}

TEST(Model, AChainOfManyLayersIsBuiltRunAndFreedWithoutRecursion) {
  Tensor x = Input({.shape = {2}}), y = x;
  Layer relu = layers::ReLU{};
  for (int i = 0; i < 20000; ++i) y = relu(y);
  Model m{{.inputs = {x}, .outputs = {y}}};
  EXPECT_EQ(Tensor(m(ones({1, 2}))).at(1), 1);
}

TEST(Model, AModelOfInnerSymbolsSharesTheLayers) {
  Sequential m{layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3, .name = "first"}, layers::Dense{.units = 2}};
  Model features{{.inputs = m.inputs(), .outputs = {m.output_of("first")}}};
  EXPECT_EQ(Tensor(features(ones({1, 4}))).shape(), (Shape{1, 3}));
  EXPECT_TRUE(features.weights()[0].same(m.weights()[0]));
}

TEST(Sequential, IsBuiltAtTheFirstCallOrBehindAnInput) {
  Sequential lazy{layers::Dense{.units = 3}, layers::Dense{.units = 2}};
  EXPECT_TRUE(lazy.weights().empty());
  EXPECT_EQ(Tensor(lazy(ones({5, 4}))).shape(), (Shape{5, 2}));
  EXPECT_EQ(lazy.weights().size(), 4u);
  EXPECT_EQ(Tensor(lazy(ones({2, 4}))).shape(), (Shape{2, 2}));
  EXPECT_THROW(lazy.add(layers::ReLU{}), Error);
  Sequential ready{layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3}};
  EXPECT_EQ(ready.weights().size(), 2u);
  EXPECT_EQ(ready.layers().size(), 1u);
  ready.add(layers::Dense{.units = 2});
  EXPECT_EQ(ready.weights().size(), 4u);
  EXPECT_EQ(ready.layers()[1].name(), "dense_1");
  EXPECT_EQ(ready.outputs()[0].shape(), (Shape{-1, 2}));
  ready.pop();
  EXPECT_EQ(ready.outputs()[0].shape(), (Shape{-1, 3}));
  EXPECT_THROW(ready(ones({1, 5})), Error);
  Sequential nested{Layer(ready), layers::Softmax{}};
  EXPECT_EQ(Tensor(nested(ones({1, 4}))).shape(), (Shape{1, 3}));
  EXPECT_EQ(nested.layers()[0].class_name(), "Sequential");
}

TEST(Sequential, ClonesKeepValues) {
  Sequential m({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 3}, layers::BatchNormalization{}}, "base");
  Model copy = m.clone();
  EXPECT_EQ(copy.name(), "base");
  Tensor x = random::normal({2, 4}, SeedGenerator(1));
  EXPECT_EQ(Tensor(copy(x)).to_vector<float>(), Tensor(m(x)).to_vector<float>());
  EXPECT_FALSE(copy.weights()[0].same(m.weights()[0]));
}

TEST(Summary, IsKerasTable) {
  Sequential m(
      {layers::InputLayer{.shape = {28, 28, 1}}, layers::Conv2D{.filters = 8, .kernel_size = 3}, layers::Flatten{}, layers::Dense{.units = 10}},
      "mnist_cnn");
  EXPECT_EQ(m.summary(), R"(Model: "mnist_cnn"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ conv2d (Conv2D)                 │ (None, 26, 26, 8)      │            80 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ flatten (Flatten)               │ (None, 5408)           │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 10)             │        54,090 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 54,170 (211.60 KB)
 Trainable params: 54,170 (211.60 KB)
 Non-trainable params: 0 (0.00 B)
)");
  Sequential unbuilt{layers::Dense{.units = 3}};
  EXPECT_NE(unbuilt.summary().find("│ dense (Dense)                   │ ?                      │   0 (unbuilt) │"), std::string::npos)
      << unbuilt.summary();
}

TEST(Summary, TellsWhatIsConnectedToWhat) {
  Tensor a = Input({.shape = {4}, .name = "a"}), b = Input({.shape = {4}});
  Tensor s = layers::Add{}({a, b});
  Model m{{.inputs = {a, b}, .outputs = {relu(s)}, .name = "m"}};
  std::string text = m.summary();
  for (const char* line : {"│ a (InputLayer)      │ (None, 4)         │          0 │ -                 │",
                           "│ add (Add)           │ (None, 4)         │          0 │ a[0][0],          │",
                           "│                     │                   │            │ input_layer[0][0] │",
                           "│ relu (Relu)         │ (None, 4)         │          0 │ add[0][0]         │"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

TEST(NameLayers, SkipsTakenNames) {
  Layer given = layers::Dense{.units = 1, .name = "dense"}, one = layers::Dense{.units = 1}, two = layers::Dense{.units = 1};
  name_layers({one.body(), given.body(), two.body()}, "m");
  EXPECT_EQ(one.name(), "dense_1");
  EXPECT_EQ(two.name(), "dense_2");
}

// A class of the author's own, trained as a Model.
class Twin final : public LayerBase {
 public:
  Twin() { left_ = child("left", layers::Dense{.units = 4, .activation = "relu"}), right_ = child("right", layers::Dense{.units = 1}); }
  Tensor call(Tensor x, const Call&) override { return right_(left_(std::move(x))); }

 private:
  Child left_, right_;
};

TEST(Model, AnAuthorsClassIsAModel) {
  Model m = make_model<Twin>();
  EXPECT_EQ(m.name(), "twin");
  EXPECT_EQ(Tensor(m(ones({2, 3}))).shape(), (Shape{2, 1}));
  EXPECT_EQ(m.weights()[0].name(), "left/kernel");
  EXPECT_THROW(m.inputs(), Error);
  Tensor x = Input({.shape = {3}});
  EXPECT_EQ(Tensor(m(x)).shape(), (Shape{-1, 1}));
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

}  // namespace
}  // namespace tenure

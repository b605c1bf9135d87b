// Training: what fit and compile make belongs to the model and goes with the next compile or with the model.
#include "leaks/catalogue.h"

namespace tenure::leaks {
namespace {

struct Rows {
  Tensor x = ones({32, 8}), y = ones({32, 4});
  FitOptions options = {.batch_size = 16, .verbose = 0};
};

class ScaledLoss : public LayerBase {
 public:
  Tensor call(Tensor x, const Call&) override {
    add_loss(mean(square(x)));
    return x;
  }
};

}  // namespace

void training_scenarios(std::vector<Scenario>& to) {
  to.push_back({"10", "build, compile, fit, drop", [] { return [r = Rows()] { small_model().fit(r.x, r.y, r.options); }; }, 6, 12});
  to.push_back({"11", "fit again and again", [] { return [r = Rows(), model = small_model()] { model.fit(r.x, r.y, r.options); }; }, 6, 20});
  to.push_back({"12", "compile again, one step",
                [] {
                  return [r = Rows(), model = small_model(false)] {
                    model.compile({.optimizer = "adam", .loss = "mse"});
                    model.train_on_batch(r.x, r.y);
                  };
                },
                6, 12});
  to.push_back({"13", "train_on_batch", [] { return [r = Rows(), model = small_model()] { model.train_on_batch(r.x, r.y); }; }});
  to.push_back({"45", "add_loss in an eager loop", [] { return [layer = make_layer<ScaledLoss>(), x = ones({4, 8})] { layer(x); }; }});
  to.push_back({"45b", "add_loss in a train step", [] {
                  Model model = Sequential({layers::InputLayer{.shape = {8}}, make_layer<ScaledLoss>(), layers::Dense{.units = 4}});
                  model.compile({.optimizer = "sgd", .loss = "mse"});
                  return [r = Rows(), model] { model.train_on_batch(r.x, r.y); };
                }});
  to.push_back({"46", "fit with a new pipeline each time",
                [] {
                  return [r = Rows(), model = small_model()] {
                    Dataset rows = data::arrays(r.x, r.y).map([](Batch b) {
                      b.x[0] = b.x[0] * 2.0f;
                      return b;
                    });
                    model.fit(rows.batch(16).prefetch(2), {.verbose = 0});
                  };
                },
                6, 20});
  to.push_back({"53", "a callback whose closure holds the model that it watches",
                [] {
                  return [r = Rows()] {
                    Model model = small_model();
                    callbacks::LambdaCallback watch{.on_epoch_end = [model](int64_t, const Logs&) { model.count_params(); }};
                    FitOptions options = r.options;
                    options.callbacks = {watch};
                    model.fit(r.x, r.y, options);
                  };
                },
                6, 12});
  to.push_back({"56", "a plain eager training loop", [] {
                  Layer dense = layers::Dense{.units = 4};
                  dense.build(Shape{8});
                  Optimizer adam = "adam";
                  return [r = Rows(), dense, adam] {
                    Variables weights = dense.trainable_variables();
                    auto [loss, gradients] = value_and_gradient([&] { return mean(square(Tensor(dense(r.x)) - r.y)); }, weights);
                    adam.apply(gradients, weights);
                  };
                }});
  to.push_back({"n5", "a generator that fit has consumed dies with its Dataset",
                [] {
                  return [model = small_model()] {
                    auto source = std::make_shared<Tensor>(ones({4, 8}));
                    std::weak_ptr<Tensor> seen = source;
                    Dataset rows = data::generator([source, n = 0]() mutable -> std::optional<Batch> {
                      if (n++ == 3) return {};
                      return Batch{{*source}, {ones({4, 4})}};
                    });
                    source.reset();
                    model.fit(rows.prefetch(2), {.verbose = 0});
                    rows.release();
                    require(seen.expired(), "something still holds the generator after fit returned");
                  };
                },
                6, 20});
}

}  // namespace tenure::leaks

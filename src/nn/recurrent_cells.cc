// Cells: one step of a recurrence, and all steps at once where the block op of ops/recurrent.cc knows the activations.
// Weights belong to the bodies; objects refer to them.
#include <algorithm>

#include "nn/recurrent.h"
#include "ops/recurrent.h"

namespace tenure {

std::vector<Shape> RecurrentCell::state_shapes(const Shape& x) const {
  std::vector<Shape> out;
  for (int64_t n : state_size()) out.push_back({x[0], n});
  return out;
}
Tensors RecurrentCell::noise(const Tensor&, const Tensors&, bool) { return {}; }
Tensors RecurrentCell::step(Tensor x, Tensors states, const Tensors&, bool training) {
  states.insert(states.begin(), std::move(x));
  return call_all(std::move(states), Call{.training = training});
}
Tensors RecurrentCell::sequence(const Tensor&, const Tensors&, const Tensor&, const Tensors&, bool) { return {}; }

namespace nn {

void check_rates(double dropout, double recurrent, const std::string& layer) {
  check(dropout >= 0 && dropout <= 1 && recurrent >= 0 && recurrent <= 1, Code::InvalidArgument,
        "{}: expected dropout and recurrent_dropout in [0, 1], got {} and {}", layer, dropout, recurrent);
}

Tensors one_step(RecurrentCell& cell, size_t states, Tensors xs, bool training) {
  check(xs.size() == 1 + states, Code::InvalidArgument, "{}: expected an input and {} states, got {} tensors", cell.name(), states, xs.size());
  Tensor x = std::move(xs[0]);
  xs.erase(xs.begin());
  const Tensors factors = cell.noise(x, xs, training);
  return cell.step(std::move(x), std::move(xs), factors, training);
}

Initializer forget_bias(const Initializer& start, int64_t units) {
  return Initializer([start, u = units](const Shape&, DType t) { return concatenate({start({u}, t), ones({u}, t), start({2 * u}, t)}, 0); });
}

}  // namespace nn

namespace layers {

// What the three cells share: weights of `gates` gates, dropout, one step and all steps.
template <class C>
class CellOf : public RecurrentCell {
 public:
  explicit CellOf(const C& c, int64_t gates, size_t states)
      : RecurrentCell(LayerOptions{c.name, c.trainable, c.dtype, {}}), config(c), gates_(gates), states_(states) {
    nn::check_positive(c.units, "a recurrent layer", "units");
    nn::check_rates(c.dropout, c.recurrent_dropout, class_name());
    nn::adopt_activation(*this, config.activation);
    if (c.dropout > 0 || c.recurrent_dropout > 0) seed_ = seed_state(c.seed);
  }
  void visit_config(Fields& v) override { fields(v, config); }
  std::string class_name() const override { return detail::short_name(typeid(C)); }
  std::vector<int64_t> state_size() const override { return std::vector<int64_t>(states_, config.units); }

  void build_all(const std::vector<Shape>& inputs) override {
    const auto& c = config;
    const Shape& in = inputs.at(0);
    check(in.rank() == 2, Code::Shape, "{}: expected an input [batch, features], got {}", name(), in);
    const int64_t n = gates_ * c.units;
    kernel_ = weight("kernel", {in.back(), n}, c.kernel_initializer, {.regularizer = c.kernel_regularizer, .constraint = c.kernel_constraint});
    recurrent_ = weight("recurrent_kernel", {c.units, n}, c.recurrent_initializer,
                        {.regularizer = c.recurrent_regularizer, .constraint = c.recurrent_constraint});
    if (c.use_bias) bias_ = weight("bias", bias_shape(n), bias_start(), {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensors call_all(Tensors xs, const Call& c) override { return nn::one_step(*this, states_, std::move(xs), c.is_training()); }
  // {of the input, of the state}, empty handles for none.
  Tensors noise(const Tensor& x, const Tensors& states, bool training) override {
    if (!training || !seed_.defined()) return {};
    auto factor = [&](const Tensor& like, double rate) {
      return rate == 0 ? Tensor() : random::dropout(ones_like(like), rate, SeedGenerator(seed_.variable()));
    };
    Tensor of_x = factor(x, config.dropout);
    return {std::move(of_x), factor(states.at(0), config.recurrent_dropout)};
  }

  C config;

 protected:
  virtual Shape bias_shape(int64_t n) const { return {n}; }
  virtual Initializer bias_start() const { return config.bias_initializer; }
  static Tensor dropped(Tensor x, const Tensors& noise, size_t which) {
    return noise.empty() || !noise[which].defined() ? std::move(x) : multiply(std::move(x), noise[which]);
  }
  Tensor bias() const { return bias_.defined() ? bias_.value() : Tensor(); }
  // The block op can do it; `gate` is the other activation.
  bool blocks(const Tensor& x, const Tensors& noise, const ActivationFunction& gate) const {
    auto known = [](const ActivationFunction& a) { return !a.layer().defined() && ops::recurrent_activation(a.name()); };
    return x.rank() == 3 && known(config.activation) && known(gate) && (noise.empty() || !noise[1].defined());
  }

  int64_t gates_;
  size_t states_;
  Weight kernel_, recurrent_, bias_, seed_;
};

// ---- SimpleRNNCell --------------------------------------------------------------------------------------------------------------

void fields(Fields& v, SimpleRNNCell& c) { nn::cell_fields(v, c), v("seed", c.seed); }

class SimpleRNNCellLayer final : public CellOf<SimpleRNNCell> {
 public:
  explicit SimpleRNNCellLayer(const SimpleRNNCell& c) : CellOf(c, 1, 1) {}
  Tensors step(Tensor x, Tensors states, const Tensors& noise, bool) override {
    Tensor z = linear(dropped(std::move(x), noise, 0), kernel_, bias());
    Tensor h = config.activation(add(std::move(z), matmul(dropped(std::move(states[0]), noise, 1), recurrent_)));
    return {h, h};
  }
  Tensors sequence(const Tensor& x, const Tensors& states, const Tensor& mask, const Tensors& noise, bool) override {
    if (!blocks(x, noise, "linear")) return {};
    Tensor z = linear(dropped(x, noise, 0), kernel_, bias());
    Tensor h = ops::recurrent({"simple_rnn", config.activation.name(), "linear"}, std::move(z), recurrent_, states[0], {}, mask)[0];
    return {h, h};
  }
};
SimpleRNNCell::operator Layer() const { return make_layer<SimpleRNNCellLayer>(*this); }
Outputs SimpleRNNCell::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- LSTMCell -------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, LSTMCell& c) { nn::cell_fields(v, c), v("seed", c.seed); }

class LSTMCellLayer final : public CellOf<LSTMCell> {
 public:
  explicit LSTMCellLayer(const LSTMCell& c) : CellOf(c, 4, 2) { nn::adopt_activation(*this, config.recurrent_activation); }
  Tensors step(Tensor x, Tensors states, const Tensors& noise, bool) override {
    Tensor z = linear(dropped(std::move(x), noise, 0), kernel_, bias());
    z = add(std::move(z), matmul(dropped(std::move(states[0]), noise, 1), recurrent_));
    Tensors g = split(std::move(z), 4, -1);
    const auto& gate = config.recurrent_activation;
    Tensor i = gate(std::move(g[0])), f = gate(std::move(g[1]));
    Tensor c = add(multiply(std::move(f), std::move(states[1])), multiply(std::move(i), config.activation(std::move(g[2]))));
    Tensor h = multiply(gate(std::move(g[3])), config.activation(c));
    return {h, h, std::move(c)};
  }
  Tensors sequence(const Tensor& x, const Tensors& states, const Tensor& mask, const Tensors& noise, bool) override {
    if (!blocks(x, noise, config.recurrent_activation)) return {};
    Tensor z = linear(dropped(x, noise, 0), kernel_, bias());
    Tensors s =
        ops::recurrent({"lstm", config.activation.name(), config.recurrent_activation.name()}, std::move(z), recurrent_, states[0], states[1], mask);
    return {s[0], s[0], std::move(s[1])};
  }

 private:
  Initializer bias_start() const override {
    return config.unit_forget_bias ? nn::forget_bias(config.bias_initializer, config.units) : config.bias_initializer;
  }
};
LSTMCell::operator Layer() const { return make_layer<LSTMCellLayer>(*this); }
Outputs LSTMCell::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GRUCell --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, GRUCell& c) { nn::cell_fields(v, c), v("seed", c.seed); }

class GRUCellLayer final : public CellOf<GRUCell> {
 public:
  explicit GRUCellLayer(const GRUCell& c) : CellOf(c, 3, 1) { nn::adopt_activation(*this, config.recurrent_activation); }
  Tensors step(Tensor x, Tensors states, const Tensors& noise, bool) override {
    const auto& gate = config.recurrent_activation;
    const int64_t u = config.units;
    Tensor before = states[0], h = dropped(std::move(states[0]), noise, 1);
    Tensors in = split(linear(dropped(std::move(x), noise, 0), kernel_, input_bias()), 3, -1);
    Tensor update, candidate;
    if (config.reset_after) {
      Tensors inner = split(linear(std::move(h), recurrent_, recurrent_bias(false)), 3, -1);
      update = gate(add(std::move(in[0]), std::move(inner[0])));
      Tensor reset = gate(add(std::move(in[1]), std::move(inner[1])));
      candidate = config.activation(add(std::move(in[2]), multiply(std::move(reset), std::move(inner[2]))));
    } else {
      Tensors u_gates = split(recurrent_.value(), std::vector<int64_t>{2 * u}, -1);
      Tensors inner = split(matmul(h, std::move(u_gates[0])), 2, -1);
      update = gate(add(std::move(in[0]), std::move(inner[0])));
      Tensor reset = gate(add(std::move(in[1]), std::move(inner[1])));
      candidate = config.activation(add(std::move(in[2]), matmul(multiply(std::move(reset), std::move(h)), std::move(u_gates[1]))));
    }
    Tensor y = add(multiply(update, std::move(before)), multiply(1.0 - update, std::move(candidate)));
    return {y, y};
  }
  Tensors sequence(const Tensor& x, const Tensors& states, const Tensor& mask, const Tensors& noise, bool) override {
    if (!config.reset_after || !blocks(x, noise, config.recurrent_activation)) return {};
    Tensor z = linear(dropped(x, noise, 0), kernel_, input_bias());
    Tensor h = ops::recurrent({"gru", config.activation.name(), config.recurrent_activation.name()}, std::move(z), recurrent_, states[0],
                              recurrent_bias(true), mask)[0];
    return {h, h};
  }

 private:
  Shape bias_shape(int64_t n) const override { return config.reset_after ? Shape{2, n} : Shape{n}; }
  Tensor row(int64_t i) const { return squeeze(slice_axis(bias_.value(), 0, i, i + 1), {0}); }
  Tensor input_bias() const { return !bias_.defined() ? Tensor() : config.reset_after ? row(0) : bias_.value(); }
  Tensor recurrent_bias(bool always) const { return bias_.defined() ? row(1) : always ? zeros({3 * config.units}, compute_dtype()) : Tensor(); }
};
GRUCell::operator Layer() const { return make_layer<GRUCellLayer>(*this); }
Outputs GRUCell::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- StackedRNNCells ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, StackedRNNCells& c) { v("cells", c.cells); }

// A cell's noise and states are a part of the whole list: as many as it has.
class StackedRNNCellsLayer final : public RecurrentCell {
 public:
  explicit StackedRNNCellsLayer(const StackedRNNCells& c) : RecurrentCell(LayerOptions{c.name, c.trainable, c.dtype, {}}) {
    check(!c.cells.layers.empty(), Code::InvalidArgument, "StackedRNNCells: expected at least one cell");
    for (const LayerConfig& l : c.cells.layers) {
      nn::cell_of(l.layer);
      cells_.push_back(nn::adopt_child(body(), "cells[]", l.layer));
    }
  }
  std::string class_name() const override { return "StackedRNNCells"; }
  void visit_config(Fields& v) override {
    StackedRNNCells c;
    for (const Child& cell : cells_) c.cells.layers.emplace_back(cell.layer());
    fields(v, c);
  }
  std::vector<int64_t> state_size() const override {
    std::vector<int64_t> all;
    for (const Child& c : cells_)
      for (int64_t n : cell(c).state_size()) all.push_back(n);
    return all;
  }
  int64_t output_size() const override { return cell(cells_.back()).output_size(); }
  void build_all(const std::vector<Shape>& inputs) override {
    Shape in = inputs.at(0);
    for (const Child& c : cells_) {
      c.layer().body()->build({in});
      in = {in[0], cell(c).output_size()};
    }
  }
  Tensors call_all(Tensors xs, const Call& c) override {
    Tensor x = std::move(xs.at(0));
    xs.erase(xs.begin());
    return step(std::move(x), std::move(xs), {}, c.is_training());
  }
  Tensors step(Tensor x, Tensors states, const Tensors&, bool training) override {
    check(states.size() == state_size().size(), Code::InvalidArgument, "{}: expected {} states, got {}", name(), state_size().size(), states.size());
    Tensors after;
    size_t at = 0;
    for (const Child& c : cells_) {
      Tensors xs = part(states, at, c);
      xs.insert(xs.begin(), std::move(x));
      Tensors ys = c(TensorList(std::move(xs)), {.training = training}).items();
      x = ys.at(0);
      after.insert(after.end(), ys.begin() + 1, ys.end());
    }
    after.insert(after.begin(), std::move(x));
    return after;
  }
  Tensors sequence(const Tensor& x, const Tensors& states, const Tensor& mask, const Tensors&, bool training) override {
    Tensors after;
    Tensor y = x;
    size_t at = 0;
    for (const Child& c : cells_) {
      Tensors own = part(states, at, c);
      RecurrentCell& object = cell(c);
      Tensors noise = training ? object.noise(squeeze(slice_axis(y, 0, 0, 1), {0}), own, true) : Tensors();
      Tensors ys = object.sequence(y, own, mask, noise, training);
      if (ys.empty()) return {};
      y = ys[0];
      after.insert(after.end(), ys.begin() + 1, ys.end());
    }
    after.insert(after.begin(), std::move(y));
    return after;
  }

 private:
  static RecurrentCell& cell(const Child& c) { return nn::cell_of(c.layer()); }
  static Tensors part(const Tensors& states, size_t& at, const Child& c) {
    const auto from = states.begin() + static_cast<std::ptrdiff_t>(at);
    const size_t n = cell(c).state_size().size();
    at += n;
    return Tensors(from, from + static_cast<std::ptrdiff_t>(n));
  }
  std::vector<Child> cells_;
};
StackedRNNCells::operator Layer() const { return make_layer<StackedRNNCellsLayer>(*this); }
Outputs StackedRNNCells::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_recurrent_cells(LayerRegistry& r) {
  r.add<layers::SimpleRNNCell>("SimpleRNNCell");
  r.add<layers::LSTMCell>("LSTMCell");
  r.add<layers::GRUCell>("GRUCell");
  r.add<layers::StackedRNNCells>("StackedRNNCells");
}

}  // namespace tenure

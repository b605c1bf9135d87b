// Shared by the recurrent layers: fields, cells from layers, and the run over time. Nothing here owns anything.
#pragma once

#include <tenure/recurrent.h>

#include "nn/families.h"

namespace tenure::nn {

/// Fields of cells, and of the layers that are made of one cell.
template <class C>
void cell_fields(Fields& v, C& c) {
  v("units", c.units), v("activation", c.activation);
  if constexpr (requires { c.recurrent_activation; }) v("recurrent_activation", c.recurrent_activation);
  v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("recurrent_initializer", c.recurrent_initializer), v("bias_initializer", c.bias_initializer);
  if constexpr (requires { c.unit_forget_bias; }) v("unit_forget_bias", c.unit_forget_bias);
  v("kernel_regularizer", c.kernel_regularizer), v("recurrent_regularizer", c.recurrent_regularizer), v("bias_regularizer", c.bias_regularizer);
  if constexpr (requires { c.activity_regularizer; }) v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("recurrent_constraint", c.recurrent_constraint), v("bias_constraint", c.bias_constraint);
  v("dropout", c.dropout), v("recurrent_dropout", c.recurrent_dropout);
  if constexpr (requires { c.reset_after; }) v("reset_after", c.reset_after);
}

/// Fields of layers that run over time.
template <class C>
void sequence_fields(Fields& v, C& c) {
  v("return_sequences", c.return_sequences), v("return_state", c.return_state), v("go_backwards", c.go_backwards), v("stateful", c.stateful);
  v("unroll", c.unroll), v("zero_output_for_mask", c.zero_output_for_mask);
}

/// A child under the name it has, or that of its class.
Child adopt_child(LayerBody& owner, const char* attribute, const Layer& layer);

/// Throws InvalidArgument unless both rates lie in [0, 1].
void check_rates(double dropout, double recurrent, const std::string& layer);

/// Starts the biases of four gates, `units` each: those of the second at 1.
Initializer forget_bias(const Initializer& start, int64_t units);

/// The call of a cell itself: an input and `states` states, with factors drawn anew in training. Throws InvalidArgument for another number of tensors.
Tensors one_step(RecurrentCell& cell, size_t states, Tensors xs, bool training);

/// The cell's object; throws InvalidArgument for another layer.
RecurrentCell& cell_of(const Layer& l);

/// How a layer runs its cell over time.
struct OverTime {
  bool return_sequences, return_state, go_backwards, stateful, zero_output_for_mask;
};
/// The call of a recurrent layer: x [batch, time, ...]. `states` are variables of a stateful layer.
Tensors run_over_time(const LayerBase& layer, const Layer& cell, Tensor x, const Call& c, const OverTime& how, const std::vector<Weight>& states);

}  // namespace tenure::nn

namespace tenure::layers {

/// A recurrent layer of configuration C over a cell.
template <class C>
class RecurrentLayer : public LayerOf<C> {
 public:
  RecurrentLayer(const C& c, const Layer& cell) : LayerOf<C>(c) {
    nn::cell_of(cell);
    cell_ = nn::adopt_child(this->body(), "cell", cell);
    if constexpr (requires { c.cell; }) this->config.cell = {};  // the child is it now
  }
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors& masks) override {
    return this->config.return_sequences && !masks.empty() ? Tensors{masks[0]} : Tensors{};
  }
  void visit_config(Fields& v) override {
    C c = this->config;
    if constexpr (requires { c.cell; }) c.cell = cell_.layer();
    fields(v, c);
  }
  void build_all(const std::vector<Shape>& inputs) override {
    const Shape& in = inputs.at(0);
    check(in.rank() >= 3, Code::Shape, "{}: expected an input [batch, time, features], got {}", this->name(), in);
    Shape one = in.slice(2, in.rank());
    one.insert(0, in[0]);
    cell_.layer().body()->build({one});
    if (!this->config.stateful) return;
    check(in[0] > 0, Code::Shape, "{}: a stateful layer needs a known batch size, got {}", this->name(), in);
    for (const Shape& s : nn::cell_of(cell_.layer()).state_shapes(one)) states_.push_back(this->kept_state("rnn_state", s));
  }
  Tensors call_all(Tensors xs, const Call& c) override {
    check(xs.size() == 1, Code::InvalidArgument, "{}: expected one input, got {}; states are given as initial_state", this->name(), xs.size());
    const auto& o = this->config;
    return nn::run_over_time(*this, cell_.layer(), std::move(xs[0]), c,
                             {o.return_sequences, o.return_state, o.go_backwards, o.stateful, o.zero_output_for_mask}, states_);
  }

 private:
  Child cell_;
  std::vector<Weight> states_;
};

}  // namespace tenure::layers

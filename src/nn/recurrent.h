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

/// The cell's object; throws InvalidArgument for another layer.
RecurrentCell& cell_of(const Layer& l);

/// How a layer runs its cell over time.
struct OverTime {
  bool return_sequences, return_state, go_backwards, stateful, zero_output_for_mask;
};
/// The call of a recurrent layer: x [batch, time, ...]. `states` are variables of a stateful layer.
Tensors run_over_time(const LayerBase& layer, const Layer& cell, Tensor x, const Call& c, const OverTime& how, const std::vector<Weight>& states);

}  // namespace tenure::nn

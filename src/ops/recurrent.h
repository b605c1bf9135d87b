// The recurrence as one op: what the layers and its gradient share.
#pragma once

#include <string>
#include <string_view>

#include <tenure/op.h>

namespace tenure::ops {

/// cell: simple_rnn, lstm (gates i, f, c, o) or gru (z, r, h; the reset gate multiplies the product: reset_after).
struct RecurrentAttrs {
  std::string cell = "lstm", activation = "tanh", recurrent_activation = "sigmoid";
  bool masked = false;
};
template <class V>
void fields(V& v, RecurrentAttrs& a) {
  v("cell", a.cell), v("activation", a.activation), v("recurrent_activation", a.recurrent_activation), v("masked", a.masked);
}

/// tanh, sigmoid, hard_sigmoid, relu, linear: their derivative follows from the value.
bool recurrent_activation(std::string_view name) noexcept;

/// All steps: from the projected inputs z [time, batch, gates * units] (bias included), the recurrent kernel [units, gates * units], the state
/// h0 [batch, units], and `second`: lstm's state c0, gru's recurrent bias [3 * units], else empty; mask [time, batch] of bool or empty.
/// Where the mask is false the state stays. Returns the states after each step, [time, batch, units]: {h}, and for lstm {h, c}.
Tensors recurrent(const RecurrentAttrs& attrs, Tensor z, Tensor kernel, Tensor h0, Tensor second, Tensor mask);

}  // namespace tenure::ops

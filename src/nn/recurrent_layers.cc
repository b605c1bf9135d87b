// Recurrent layers: a cell run over time. The cell is a child of its layer; a stateful layer owns its states as variables that are no weights.
#include "nn/recurrent.h"

namespace tenure {

using nn::Json;

std::string LayerConfigs::to_json() const {
  Json j = Json::array();
  for (const LayerConfig& l : layers) j.push_back(nn::parse(l.to_json(), "a layer"));
  return j.dump();
}
void LayerConfigs::from_json(const std::string& text) {
  const Json j = nn::parse(text, "layers");
  layers.clear();
  if (j.is_null()) return;
  for (const Json& item : j.is_array() ? j : Json::array({j})) layers.emplace_back().from_json(item.dump());
}

namespace nn {

RecurrentCell& cell_of(const Layer& l) {
  auto* cell = dynamic_cast<RecurrentCell*>(&body_of(l).object());
  check(cell != nullptr, Code::InvalidArgument, "{} ({}): is not a recurrent cell; a cell's class derives from RecurrentCell", l.name(),
        l.class_name());
  return *cell;
}

Child adopt_child(LayerBody& owner, const char* attribute, const Layer& layer) {
  LayerBody& body = body_of(layer);
  if (!body.named()) body.set_name(body.name());
  owner.add_child(attribute, &body);
  return Child::of(layer);
}

// ---- the run over time ------------------------------------------------------------------------------------------------------------

namespace {

Tensor time_major(Tensor x) {
  std::vector<int> axes(static_cast<size_t>(x.rank()));
  for (int i = 0; i < x.rank(); ++i) axes[static_cast<size_t>(i)] = i < 2 ? 1 - i : i;
  return transpose(std::move(x), axes);
}
Tensor step_of(const Tensor& x, int64_t t) { return squeeze(slice_axis(x, 0, t, t + 1), {0}); }
// [batch, time, ...] or [time, batch, ...] without the time.
Shape one_step(const Shape& x, int64_t batch) {
  Shape one = x.slice(2, x.rank());
  one.insert(0, batch);
  return one;
}

// Specs only: sizes of time and batch may be unknown. The cell is called once, so that what lies below it is built.
Tensors over_time_abstractly(const Layer& cell, const Tensor& x, const OverTime& how, DType dtype) {
  const RecurrentCell& object = cell_of(cell);
  const Shape& in = x.shape();
  const Shape one = one_step(in, in[0]);
  Tensors xs{make_abstract({one, dtype})}, ys;
  for (const Shape& s : object.state_shapes(one)) xs.push_back(make_abstract({s, dtype}));
  Tensors after = cell(TensorList(std::move(xs))).items();
  Shape y = after.at(0).shape();
  if (how.return_sequences) y.insert(1, in[1]);
  ys.push_back(make_abstract({y, dtype}));
  for (size_t i = 1; how.return_state && i < after.size(); ++i) ys.push_back(make_abstract(after[i].spec()));
  return ys;
}

Tensors start_states(const LayerBase& layer, const RecurrentCell& cell, const Tensor& x, const Tensors& given, const std::vector<Weight>& kept) {
  const std::vector<Shape> shapes = cell.state_shapes(one_step(x.shape(), x.shape()[0]));
  check(given.empty() || given.size() == shapes.size(), Code::InvalidArgument, "{}: expected {} initial states, got {}", layer.name(), shapes.size(),
        given.size());
  Tensors states;
  for (size_t i = 0; i < shapes.size(); ++i) {
    Tensor s = !given.empty() ? given[i] : !kept.empty() ? kept[i].value() : zeros(shapes[i], layer.compute_dtype());
    check(s.shape() == shapes[i], Code::Shape, "{}: expected an initial state {} of {}, got {}", layer.name(), i, shapes[i], s.spec());
    states.push_back(s.dtype() == layer.compute_dtype() ? std::move(s) : cast(std::move(s), layer.compute_dtype()));
  }
  return states;
}

// Step by step: {outputs, states after the last step...}. Where a step is masked out the state stays and the last output, or zero, is repeated.
Tensors by_steps(RecurrentCell& cell, const Tensor& x, Tensors states, const Tensor& mask, const Tensors& noise, bool training, bool zero) {
  Tensors ys;
  Tensor last;
  for (int64_t t = 0; t < x.shape()[0]; ++t) {
    Tensors after = cell.step(step_of(x, t), states, noise, training);
    Tensor y = std::move(after.at(0));
    after.erase(after.begin());
    if (mask.defined()) {
      Tensor kept = expand_dims(step_of(mask, t), -1);
      while (kept.rank() < y.rank()) kept = expand_dims(std::move(kept), -1);
      Tensor other = last.defined() && !zero ? last : zeros_like(y);
      y = where(kept, std::move(y), std::move(other));
      for (size_t i = 0; i < states.size(); ++i) after[i] = where(kept, std::move(after[i]), std::move(states[i]));
      last = y;
    }
    states = std::move(after);
    ys.push_back(std::move(y));
  }
  states.insert(states.begin(), stack(ys, 0));
  return states;
}

// The cell's own run over all steps: the same as by_steps, or empty.
Tensors all_at_once(RecurrentCell& cell, const Tensor& x, const Tensors& states, const Tensor& mask, const Tensors& noise, bool training, bool zero,
                    bool from_zero) {
  Tensors ys = cell.sequence(x, states, mask, noise, training);
  if (ys.empty()) return {};
  const int64_t last = x.shape()[0] - 1;
  for (size_t i = 1; i < ys.size(); ++i) ys[i] = step_of(ys[i], last);
  if (!mask.defined()) return ys;
  // Masked steps hold the state; before the first step that counts the output is zero.
  if (zero) ys[0] = where(expand_dims(mask, -1), std::move(ys[0]), 0.0);
  else if (!from_zero) ys[0] = where(expand_dims(greater(cumsum(cast(mask, int32), 0), 0), -1), std::move(ys[0]), 0.0);
  return ys;
}

}  // namespace

Tensors run_over_time(const LayerBase& layer, const Layer& cell, Tensor x, const Call& c, const OverTime& how, const std::vector<Weight>& kept) {
  RecurrentCell& object = cell_of(cell);
  if (thread_context.abstract) return over_time_abstractly(cell, x, how, layer.compute_dtype());
  check(x.shape()[1] > 0, Code::Shape, "{}: expected at least one step, got {}", layer.name(), x.spec());
  if (x.dtype() != layer.compute_dtype()) x = cast(std::move(x), layer.compute_dtype());
  Tensors states = start_states(layer, object, x, c.initial_state, kept);
  const bool from_zero = c.initial_state.empty() && kept.empty();
  Tensor mask;
  if (c.mask.defined()) {
    mask = c.mask.dtype() == bool_ ? c.mask : cast(c.mask, bool_);
    check(mask.rank() == 2 && mask.shape()[0] == x.shape()[0] && mask.shape()[1] == x.shape()[1], Code::Shape,
          "{}: expected a mask [batch, time] for {}, got {}", layer.name(), x.spec(), mask.spec());
    mask = time_major(std::move(mask));
  }
  x = time_major(std::move(x));
  if (how.go_backwards) {
    x = flip(std::move(x), {0});
    if (mask.defined()) mask = flip(std::move(mask), {0});
  }
  memory::Enter at(cell.body()->scope());
  const Tensors noise = c.is_training() ? object.noise(step_of(x, 0), states, true) : Tensors();
  Tensors ys = all_at_once(object, x, states, mask, noise, c.is_training(), how.zero_output_for_mask, from_zero);
  if (ys.empty()) ys = by_steps(object, x, std::move(states), mask, noise, c.is_training(), how.zero_output_for_mask);
  for (size_t i = 0; i < kept.size(); ++i) kept[i].assign(stop_gradient(ys.at(i + 1)));
  ys[0] = how.return_sequences ? time_major(std::move(ys[0])) : step_of(ys[0], x.shape()[0] - 1);
  if (!how.return_state) ys.resize(1);
  return ys;
}

}  // namespace nn

void reset_state(const Layer& layer) {
  body_of(layer).each_weight([](const LayerBody&, const LayerBody::OwnWeight& w) {
    if (w.name == "rnn_state") w.variable->write(zeros(w.variable->spec().shape, w.variable->spec().dtype));
  });
}

namespace layers {

namespace {

// The cell of a layer that is configured like it.
template <class Cell, class C>
Layer cell_like(const C& c, const char* name) {
  Cell cell{.units = c.units};
  cell.activation = c.activation;
  if constexpr (requires { c.recurrent_activation; }) cell.recurrent_activation = c.recurrent_activation;
  cell.use_bias = c.use_bias;
  cell.kernel_initializer = c.kernel_initializer, cell.recurrent_initializer = c.recurrent_initializer, cell.bias_initializer = c.bias_initializer;
  if constexpr (requires { c.unit_forget_bias; }) cell.unit_forget_bias = c.unit_forget_bias;
  cell.kernel_regularizer = c.kernel_regularizer, cell.recurrent_regularizer = c.recurrent_regularizer, cell.bias_regularizer = c.bias_regularizer;
  cell.kernel_constraint = c.kernel_constraint, cell.recurrent_constraint = c.recurrent_constraint, cell.bias_constraint = c.bias_constraint;
  cell.dropout = c.dropout, cell.recurrent_dropout = c.recurrent_dropout, cell.seed = c.seed;
  if constexpr (requires { c.reset_after; }) cell.reset_after = c.reset_after;
  cell.name = name, cell.trainable = c.trainable, cell.dtype = c.dtype;
  return cell;
}

}  // namespace

// ---- RNN ------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, RNN& c) {
  nn::sequence_fields(v, c);
  // A list of cells is one cell.
  LayerConfigs cells;
  if (c.cell.layer.defined()) return v("cell", c.cell);
  v("cell", cells);
  if (cells.layers.size() == 1) c.cell = cells.layers[0];
  if (cells.layers.size() > 1) c.cell = StackedRNNCells{.cells = cells};
}
RNN::operator Layer() const { return make_layer<RecurrentLayer<RNN>>(*this, cell.layer); }
Outputs RNN::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- SimpleRNN ------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, SimpleRNN& c) {
  nn::sequence_fields(v, c), nn::cell_fields(v, c);
  if (c.seed || nn::reads(v)) v("seed", c.seed);  // Keras reads it and does not write it
}
SimpleRNN::operator Layer() const { return make_layer<RecurrentLayer<SimpleRNN>>(*this, cell_like<SimpleRNNCell>(*this, "simple_rnn_cell")); }
Outputs SimpleRNN::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- LSTM -----------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, LSTM& c) { nn::sequence_fields(v, c), nn::cell_fields(v, c), v("seed", c.seed); }
LSTM::operator Layer() const { return make_layer<RecurrentLayer<LSTM>>(*this, cell_like<LSTMCell>(*this, "lstm_cell")); }
Outputs LSTM::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GRU ------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, GRU& c) { nn::sequence_fields(v, c), nn::cell_fields(v, c), v("seed", c.seed); }
GRU::operator Layer() const { return make_layer<RecurrentLayer<GRU>>(*this, cell_like<GRUCell>(*this, "gru_cell")); }
Outputs GRU::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_recurrent_cells(LayerRegistry& r);
void register_recurrent_wrappers(LayerRegistry& r);

void register_recurrent(LayerRegistry& r) {
  register_recurrent_cells(r);
  r.add<layers::RNN>("RNN");
  r.add<layers::SimpleRNN>("SimpleRNN");
  r.add<layers::LSTM>("LSTM");
  r.add<layers::GRU>("GRU");
  register_recurrent_wrappers(r);
}

}  // namespace tenure

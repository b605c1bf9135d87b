// Attention layers and EinsumDense. Projections are children of their layers; scalars and scales are weights of the bodies.
#include "nn/attention.h"

#include <algorithm>
#include <cmath>

namespace tenure {

using nn::Json;

namespace nn {

Tensor masked_softmax(Tensor x, const Tensor& mask, const std::vector<int>& axes, bool even) {
  Tensor kept = !mask.defined() || mask.dtype() == bool_ ? mask : greater(mask, 0.5);
  const double away = size_of(x.dtype()) == 2 ? -3e4 : -1e9;
  if (kept.defined()) x = where(kept, std::move(x), away);
  Tensor y;
  if (axes.size() == 1) {
    y = softmax(std::move(x), axes[0]);
  } else {
    Tensor total = logsumexp(x, axes, true);
    y = exp(subtract(std::move(x), std::move(total)));
  }
  return kept.defined() && !even ? multiply(y, cast(kept, y.dtype())) : y;
}

}  // namespace nn

namespace layers {

namespace {

// Sizes with null for unknown ones.
class PartialShape final : public ConfigObject {
 public:
  explicit PartialShape(Shape s) : shape(s) {}
  std::string to_json() const override { return nn::shape_json(shape).dump(); }
  void from_json(const std::string& text) override {
    const Json j = nn::parse(text, "output_shape");
    if (!j.is_null()) shape = nn::shape_from(j.is_array() ? j : Json::array({j}), "output_shape");
  }
  Shape shape;
};

// true where a query may see a key, [1, queries, keys]: keys not later, and nearer than the window. Empty if that is all.
Tensor visible(const Tensor& query, const Tensor& key, bool causal, const std::optional<int64_t>& window) {
  const int64_t t = query.shape()[1], s = key.shape()[1];
  if (!causal && !window) return {};
  if (t < 0 || s < 0) return make_abstract({{1, t, s}, bool_});
  Tensor rows = reshape(arange(0, static_cast<double>(t)), {1, t, 1}), columns = reshape(arange(0, static_cast<double>(s)), {1, 1, s});
  Tensor y = causal ? greater_equal(rows, columns) : Tensor();
  if (!window) return y;
  Tensor near = less(abs(subtract(std::move(rows), std::move(columns))), static_cast<double>(*window));
  return y.defined() ? logical_and(std::move(y), std::move(near)) : near;
}

void both(Tensor& mask, Tensor other) {
  if (!other.defined()) return;
  if (other.dtype() != bool_) other = cast(std::move(other), bool_);
  mask = mask.defined() ? logical_and(std::move(mask), std::move(other)) : std::move(other);
}

// Everything that keeps queries from keys, [batch or 1, queries, keys], or empty.
Tensor attention_mask(const Tensor& query, const Tensor& value, const Call& c, const std::optional<int64_t>& window) {
  Tensor mask;
  if (Tensor m = c.mask_of(0); m.defined()) both(mask, expand_dims(std::move(m), -1));
  if (Tensor m = c.mask_of(1); m.defined()) both(mask, expand_dims(std::move(m), 1));
  if (Tensor m = c.mask_of(2); m.defined()) both(mask, expand_dims(std::move(m), 1));
  both(mask, visible(query, value, c.use_causal_mask, window));
  both(mask, c.attention_mask);
  return mask;
}

void check_inputs(const Tensors& xs, const std::string& name) {
  check(xs.size() == 2 || xs.size() == 3, Code::InvalidArgument, "{}: expected {{query, value}} or {{query, value, key}}, got {} tensors", name,
        xs.size());
}

}  // namespace

// ---- EinsumDense ----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, EinsumDense& c) {
  PartialShape shape(c.output_shape);
  v("output_shape", shape);
  c.output_shape = shape.shape;
  v("equation", c.equation), v("activation", c.activation), v("bias_axes", c.bias_axes);
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint);
}

class EinsumDenseLayer final : public LayerOf<EinsumDense> {
 public:
  explicit EinsumDenseLayer(const EinsumDense& c) : LayerOf(c) {
    const std::string& e = c.equation;
    const size_t comma = e.find(','), arrow = e.find("->");
    check(comma != std::string::npos && arrow != std::string::npos && comma < arrow, Code::InvalidArgument,
          "EinsumDense: expected an equation like \"abc,cd->abd\", got \"{}\"", e);
    in_ = e.substr(0, comma), weight_ = e.substr(comma + 1, arrow - comma - 1), out_ = e.substr(arrow + 2);
    const bool left = in_.rfind("...", 0) == 0;
    const size_t dots = in_.find("...");
    if (dots != std::string::npos) {
      check((left ? out_.rfind("...", 0) == 0 : out_.size() > 3 && out_.substr(out_.size() - 3) == "...") && (left || dots + 3 == in_.size()),
            Code::InvalidArgument, "EinsumDense: expected \"...\" at the same end of input and output, got \"{}\"", e);
      for (std::string* s : {&in_, &out_}) s->erase(left ? 0 : s->size() - 3, 3);
      dots_ = left ? -1 : 1;
    }
    nn::adopt_activation(*this, config.activation);
  }
  void build(const Shape& in) override {
    const auto& c = config;
    const int more = in.rank() - static_cast<int>(in_.size());
    check(dots_ != 0 ? more >= 0 : more == 0, Code::Shape, "EinsumDense: \"{}\" does not fit an input of {}", c.equation, in);
    // The whole output: the batch, what is elided, what the configuration says.
    Shape out = c.output_shape;
    out.insert(0, in[0]);
    for (int i = 1; dots_ < 0 && i < more; ++i) out.insert(i, in[i]);
    for (int i = in.rank() - more; dots_ > 0 && i < in.rank(); ++i) out.push_back(in[i]);
    const int shift = dots_ < 0 ? more : 0;
    check(out.rank() == static_cast<int>(out_.size()) + more, Code::Shape, "EinsumDense: output_shape {} does not fit \"{}\"", c.output_shape,
          c.equation);
    auto size = [&](char l) {
      const size_t i = in_.find(l), o = out_.find(l);
      const int64_t from_in = i == std::string::npos ? -1 : in[static_cast<int>(i) + shift];
      const int64_t from_out = o == std::string::npos ? -1 : out[static_cast<int>(o) + shift];
      check(i != std::string::npos || o != std::string::npos, Code::InvalidArgument,
            "EinsumDense: '{}' of \"{}\" is neither of the input nor the output", l, c.equation);
      return from_in >= 0 ? from_in : from_out;
    };
    Shape kernel;
    for (char l : weight_) kernel.push_back(size(l));
    kernel_ = weight("kernel", kernel, c.kernel_initializer, {.regularizer = c.kernel_regularizer, .constraint = c.kernel_constraint});
    if (!c.bias_axes || c.bias_axes->empty()) return;
    size_t first = out_.size();
    for (char l : *c.bias_axes) {
      check(out_.find(l) != std::string::npos, Code::InvalidArgument, "EinsumDense: bias axis '{}' is not of the output of \"{}\"", l, c.equation);
      first = std::min(first, out_.find(l));
    }
    Shape bias;
    for (char l : out_.substr(first))
      bias.push_back(c.bias_axes->find(l) == std::string::npos          ? 1
                     : out[static_cast<int>(out_.find(l)) + shift] >= 0 ? out[static_cast<int>(out_.find(l)) + shift]
                                                                        : size(l));
    for (int i = 0; dots_ > 0 && i < more; ++i) bias.push_back(1);
    bias_ = weight("bias", bias, c.bias_initializer, {.regularizer = c.bias_regularizer, .constraint = c.bias_constraint});
  }
  Tensor call(Tensor x, const Call&) override {
    Tensor y = einsum(config.equation, {std::move(x), kernel_.value()});
    if (bias_.defined()) y = add(std::move(y), bias_.value());
    return config.activation(std::move(y));
  }

 private:
  std::string in_, weight_, out_;  // without the ellipsis
  int dots_ = 0;                   // -1: an ellipsis at the left, 1: at the right
  Weight kernel_, bias_;
};
EinsumDense::operator Layer() const { return make_layer<EinsumDenseLayer>(*this); }
Outputs EinsumDense::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

namespace {

// A projection of an attention layer: `from` letters of features to `to` letters behind `free` others.
template <class C>
Layer projection(const C& c, const char* name, int free, int from, const Shape& to, DTypePolicy dtype) {
  std::string letters = "abcdefghijklmnop", in = letters.substr(0, static_cast<size_t>(free + from)),
              out = letters.substr(0, static_cast<size_t>(free)), inner = in.substr(static_cast<size_t>(free)),
              made = letters.substr(in.size(), static_cast<size_t>(to.rank()));
  EinsumDense e;
  e.equation = in + "," + inner + made + "->" + out + made;
  for (int i = 1; i < free; ++i) e.output_shape.push_back(-1);
  for (int64_t n : to) e.output_shape.push_back(n);
  if (c.use_bias) e.bias_axes = made;
  e.kernel_initializer = c.kernel_initializer, e.bias_initializer = c.bias_initializer;
  e.kernel_regularizer = c.kernel_regularizer, e.bias_regularizer = c.bias_regularizer;
  e.kernel_constraint = c.kernel_constraint, e.bias_constraint = c.bias_constraint;
  e.name = name, e.dtype = dtype, e.trainable = c.trainable;
  return e;
}

// Shapes of {query, value, key}.
struct Triple {
  Shape query, value, key;
  Triple(const std::vector<Shape>& s, const std::string& name) {
    check(s.size() == 2 || s.size() == 3, Code::InvalidArgument, "{}: expected {{query, value}} or {{query, value, key}}, got {} tensors", name,
          s.size());
    query = s[0], value = s[1], key = s.size() > 2 ? s[2] : s[1];
  }
};

}  // namespace

// ---- MultiHeadAttention -----------------------------------------------------------------------------------------------------------

namespace {
template <class C>
void projection_fields(Fields& v, C& c) {
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer), v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint), v("seed", c.seed);
}
}  // namespace

void fields(Fields& v, MultiHeadAttention& c) {
  v("num_heads", c.num_heads), v("key_dim", c.key_dim);
  if (!c.value_dim && !nn::reads(v)) c.value_dim = c.key_dim;  // Keras writes the number
  v("value_dim", c.value_dim);
  v("dropout", c.dropout), v("use_bias", c.use_bias), v("use_gate", c.use_gate), v("output_shape", c.output_shape);
  v("attention_axes", c.attention_axes), v("sliding_window", c.sliding_window);
  projection_fields(v, c);
}

// What attention layers with projections share.
template <class C>
class HeadsLayer : public LayerOf<C> {
 public:
  explicit HeadsLayer(const C& c) : LayerOf<C>(c) {
    check(c.dropout >= 0 && c.dropout <= 1, Code::InvalidArgument, "{}: expected dropout in [0, 1], got {}", this->class_name(), c.dropout);
    check(!c.sliding_window || *c.sliding_window > 0, Code::InvalidArgument, "{}: expected sliding_window > 0, got {}", this->class_name(),
          c.sliding_window.value_or(0));
    if (c.dropout > 0) seed_ = this->seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors& masks) override { return masks.empty() ? Tensors{} : Tensors{masks[0]}; }
  std::vector<std::string> call_arguments() const override { return {"query", "value", "key"}; }

 protected:
  Child made(const char* attribute, const Layer& layer, const Shape& in) {
    Child c = this->child(attribute, layer);
    layer.build(in);
    return c;
  }
  Tensor dropped(Tensor scores, const Call& c) const {
    if (!c.is_training() || !seed_.defined()) return scores;
    return random::dropout(std::move(scores), this->config.dropout, SeedGenerator(seed_.variable()));
  }
  Child query_, key_, value_, output_, gate_;
  Weight seed_;
};

class MultiHeadAttentionLayer final : public HeadsLayer<MultiHeadAttention>, public TakesMasks {
 public:
  explicit MultiHeadAttentionLayer(const MultiHeadAttention& c) : HeadsLayer(c) {
    nn::check_positive(c.num_heads, "MultiHeadAttention", "num_heads");
    nn::check_positive(c.key_dim, "MultiHeadAttention", "key_dim");
  }
  void build_all(const std::vector<Shape>& inputs) override {
    const auto& c = config;
    const Triple s(inputs, name());
    const int rank = s.query.rank(), free = rank - 1;
    check(rank >= 3 && s.value.rank() == rank && s.key.rank() == rank, Code::Shape,
          "{}: expected query, value and key [batch, steps, features], got {}, {}, {}", name(), s.query, s.value, s.key);
    const DTypePolicy dtype = dtype_policy();
    const int64_t value_dim = c.value_dim.value_or(c.key_dim);
    query_ = made("query_dense", projection(c, "query", free, 1, {c.num_heads, c.key_dim}, dtype), s.query);
    key_ = made("key_dense", projection(c, "key", free, 1, {c.num_heads, c.key_dim}, dtype), s.key);
    if (c.use_gate) gate_ = made("_gate_dense", projection(c, "gate", free, 1, {c.num_heads, value_dim}, dtype), s.query);
    value_ = made("value_dense", projection(c, "value", free, 1, {c.num_heads, value_dim}, dtype), s.value);
    Shape heads = s.query.slice(0, free);
    heads.push_back(c.num_heads), heads.push_back(value_dim);
    output_ =
        made("output_dense", projection(c, "attention_output", free, 2, c.output_shape ? *c.output_shape : Shape{s.query.back()}, dtype), heads);
    letters(rank);
  }
  Tensors call_all(Tensors xs, const Call& c) override {
    check_inputs(xs, name());
    const Tensor &query = xs[0], &value = xs[1], &key = xs.size() > 2 ? xs[2] : xs[1];
    // As Keras 3.15 has it, the mask that the query carries counts for the scores; one that is handed over beside it does not.
    Call counted = c;
    counted.masks = {mask_of(query), c.mask_of(1), c.mask_of(2)};
    Tensor mask = attention_mask(query, value, counted, config.sliding_window);
    Tensor q = query_(query), k = key_(key), v = value_(value);
    q = multiply(std::move(q), 1 / std::sqrt(static_cast<double>(config.key_dim)));
    Tensor scores = einsum(dots_, {std::move(k), std::move(q)});
    // The mask has the last axes; heads and other free axes stand before them.
    while (mask.defined() && mask.rank() < scores.rank()) mask = expand_dims(std::move(mask), -2 * attended_ - 1);
    std::vector<int> axes;
    for (int i = -attended_; i < 0; ++i) axes.push_back(i);
    // Where Keras takes its fused attention, a query that sees no key sees all of them evenly.
    const bool fused = config.dropout == 0 && !c.return_attention_scores && query.rank() == 3;
    scores = nn::masked_softmax(std::move(scores), mask, axes, fused);
    Tensor y = einsum(combine_, {dropped(scores, c), std::move(v)});
    if (gate_.defined()) y = multiply(std::move(y), sigmoid(gate_(query)));
    Tensors out{output_(std::move(y))};
    if (c.return_attention_scores) out.push_back(std::move(scores));
    return out;
  }

 private:
  // Letters of queries [batch, steps..., heads, dim]; keys have others on the attended axes.
  void letters(int rank) {
    std::vector<int> attended = config.attention_axes.value_or(std::vector<int>{});
    if (!config.attention_axes)
      for (int i = 1; i < rank - 1; ++i) attended.push_back(i);
    for (int& a : attended) a = normalize_axis(a, rank);
    std::string q = std::string("abcdefgh").substr(0, static_cast<size_t>(rank + 1)), k = q, batch, from, to;
    char next = 'i';
    for (int i = 0; i < rank; ++i) {
      const auto at = static_cast<size_t>(i);
      if (std::find(attended.begin(), attended.end(), i) == attended.end()) batch += q[at];
      else from += q[at], to += k[at] = next++;
    }
    attended_ = static_cast<int>(attended.size());
    const std::string scores = batch + from + to;
    dots_ = k + "," + q + "->" + scores;
    combine_ = scores + "," + k + "->" + q;
  }
  std::string dots_, combine_;
  int attended_ = 1;
};
MultiHeadAttention::operator Layer() const { return make_layer<MultiHeadAttentionLayer>(*this); }
Outputs MultiHeadAttention::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- GroupQueryAttention ----------------------------------------------------------------------------------------------------------

void fields(Fields& v, GroupQueryAttention& c) {
  v("head_dim", c.head_dim), v("num_query_heads", c.num_query_heads), v("num_key_value_heads", c.num_key_value_heads);
  v("use_bias", c.use_bias), v("use_gate", c.use_gate), v("sliding_window", c.sliding_window), v("dropout", c.dropout);
  projection_fields(v, c);
}

class GroupQueryAttentionLayer final : public HeadsLayer<GroupQueryAttention> {
 public:
  explicit GroupQueryAttentionLayer(const GroupQueryAttention& c) : HeadsLayer(c) {
    nn::check_positive(c.head_dim, "GroupQueryAttention", "head_dim");
    nn::check_positive(c.num_key_value_heads, "GroupQueryAttention", "num_key_value_heads");
    check(c.num_query_heads > 0 && c.num_query_heads % c.num_key_value_heads == 0, Code::InvalidArgument,
          "GroupQueryAttention: expected num_query_heads to be a multiple of num_key_value_heads, got {} and {}", c.num_query_heads,
          c.num_key_value_heads);
  }
  void build_all(const std::vector<Shape>& inputs) override {
    const auto& c = config;
    const Triple s(inputs, name());
    check(s.query.rank() == 3 && s.value.rank() == 3 && s.key.rank() == 3, Code::Shape,
          "{}: expected query, value and key [batch, steps, features], got {}, {}, {}", name(), s.query, s.value, s.key);
    const DTypePolicy dtype = dtype_policy();
    query_ = made("_query_dense", projection(c, "query", 2, 1, {c.num_query_heads, c.head_dim}, dtype), s.query);
    key_ = made("_key_dense", projection(c, "key", 2, 1, {c.num_key_value_heads, c.head_dim}, dtype), s.key);
    if (c.use_gate) gate_ = made("_gate_dense", projection(c, "gate", 2, 1, {c.num_query_heads, c.head_dim}, dtype), s.query);
    value_ = made("_value_dense", projection(c, "value", 2, 1, {c.num_key_value_heads, c.head_dim}, dtype), s.value);
    output_ = made("_output_dense", projection(c, "attention_output", 2, 2, {s.query.back()}, dtype),
                   {s.query[0], s.query[1], c.num_query_heads, c.head_dim});
  }
  Tensors call_all(Tensors xs, const Call& c) override {
    check_inputs(xs, name());
    const Tensor &query = xs[0], &value = xs[1], &key = xs.size() > 2 ? xs[2] : xs[1];
    Tensor mask = attention_mask(query, value, c, config.sliding_window);
    if (mask.defined()) mask = expand_dims(std::move(mask), 1);
    const int64_t shared = config.num_query_heads / config.num_key_value_heads;
    Tensor q = query_(query), k = repeat(key_(key), shared, 2), v = repeat(value_(value), shared, 2);
    q = multiply(std::move(q), 1 / std::sqrt(static_cast<double>(config.head_dim)));
    Tensor scores =
        nn::masked_softmax(einsum("bquh,bkuh->buqk", {std::move(q), std::move(k)}), mask, {-1}, config.dropout == 0 && !c.return_attention_scores);
    Tensor y = einsum("buqk,bkuh->bquh", {dropped(scores, c), std::move(v)});
    if (gate_.defined()) y = multiply(std::move(y), sigmoid(gate_(query)));
    Tensors out{output_(std::move(y))};
    if (c.return_attention_scores) out.push_back(std::move(scores));
    return out;
  }
};
GroupQueryAttention::operator Layer() const { return make_layer<GroupQueryAttentionLayer>(*this); }
Outputs GroupQueryAttention::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Attention, AdditiveAttention -------------------------------------------------------------------------------------------------

void fields(Fields& v, Attention& c) { v("use_scale", c.use_scale), v("score_mode", c.score_mode), v("dropout", c.dropout), v("seed", c.seed); }
void fields(Fields& v, AdditiveAttention& c) { v("use_scale", c.use_scale), v("dropout", c.dropout), v("seed", c.seed); }

// From scores to the result; how scores come about is the layer's.
template <class C>
class ScoresLayer : public LayerOf<C> {
 public:
  explicit ScoresLayer(const C& c) : LayerOf<C>(c) {
    check(c.dropout >= 0 && c.dropout <= 1, Code::InvalidArgument, "{}: expected dropout in [0, 1], got {}", this->class_name(), c.dropout);
    if (c.dropout > 0) seed_ = this->seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  bool takes_mask() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors& masks) override { return masks.empty() ? Tensors{} : Tensors{masks[0]}; }
  Tensors call_all(Tensors xs, const Call& c) override {
    check_inputs(xs, this->name());
    const Tensor &query = xs[0], &value = xs[1], &key = xs.size() > 2 ? xs[2] : xs[1];
    Tensor weights = scores(query, key), mask;
    if (Tensor m = c.mask_of(1); m.defined()) both(mask, expand_dims(std::move(m), -2));
    both(mask, visible(query, value, c.use_causal_mask, {}));
    if (mask.defined()) {
      Tensor away = cast(logical_not(std::move(mask)), weights.dtype());
      weights = subtract(weights, multiply(std::move(away), weights.dtype() == float16 ? 65504.0 : 1e9));
    }
    weights = softmax(std::move(weights));
    if (c.is_training() && seed_.defined()) weights = random::dropout(std::move(weights), this->config.dropout, SeedGenerator(seed_.variable()));
    Tensor y = matmul(weights, value);
    if (Tensor m = c.mask_of(0); m.defined()) y = multiply(y, cast(expand_dims(std::move(m), -1), y.dtype()));
    Tensors out{std::move(y)};
    if (c.return_attention_scores) out.push_back(std::move(weights));
    return out;
  }

 protected:
  virtual Tensor scores(const Tensor& query, const Tensor& key) const = 0;
  // Every query beside every key: [batch, queries, keys, features].
  static Tensor sums(const Tensor& query, const Tensor& key) { return add(expand_dims(query, -2), expand_dims(key, -3)); }
  Weight scale_, seed_;
};

class AttentionLayer final : public ScoresLayer<Attention> {
 public:
  explicit AttentionLayer(const Attention& c) : ScoresLayer(c) {
    check(c.score_mode == "dot" || c.score_mode == "concat", Code::InvalidArgument, "Attention: expected score_mode dot or concat, got '{}'",
          c.score_mode);
  }
  void build_all(const std::vector<Shape>&) override {
    if (config.use_scale) scale_ = weight("scale", {}, "ones");
    if (config.score_mode == "concat") concat_ = weight("concat_score_weight", {}, "ones");
  }

 private:
  Tensor scores(const Tensor& query, const Tensor& key) const override {
    if (config.score_mode == "dot") {
      Tensor y = matmul(query, key, false, true);
      return scale_.defined() ? multiply(std::move(y), scale_.value()) : y;
    }
    Tensor y = sums(query, key);
    if (scale_.defined()) y = multiply(std::move(y), scale_.value());
    return multiply(sum(tanh(std::move(y)), {-1}), concat_.value());
  }
  Weight concat_;
};
Attention::operator Layer() const { return make_layer<AttentionLayer>(*this); }
Outputs Attention::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

class AdditiveAttentionLayer final : public ScoresLayer<AdditiveAttention> {
 public:
  using ScoresLayer::ScoresLayer;
  void build_all(const std::vector<Shape>& inputs) override {
    if (config.use_scale) scale_ = weight("scale", {inputs.at(0).back()}, "glorot_uniform");
  }

 private:
  Tensor scores(const Tensor& query, const Tensor& key) const override {
    Tensor y = tanh(sums(query, key));
    if (scale_.defined()) y = multiply(std::move(y), scale_.value());
    return sum(std::move(y), {-1});
  }
};
AdditiveAttention::operator Layer() const { return make_layer<AdditiveAttentionLayer>(*this); }
Outputs AdditiveAttention::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_attention(LayerRegistry& r) {
  r.add<layers::EinsumDense>("EinsumDense");
  r.add<layers::MultiHeadAttention>("MultiHeadAttention");
  r.add<layers::GroupQueryAttention>("GroupQueryAttention");
  r.add<layers::Attention>("Attention");
  r.add<layers::AdditiveAttention>("AdditiveAttention");
}

}  // namespace tenure

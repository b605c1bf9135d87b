// Core layers: Dense, Embedding, Identity, InputLayer, Dropout. Weights belong to the bodies; objects refer to them.
#include "nn/families.h"
#include "nn/functional.h"

namespace tenure {

using nn::Json;

namespace layers {

// ---- Dense ----------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Dense& c) {
  v("units", c.units), v("activation", c.activation), v("use_bias", c.use_bias);
  v("kernel_initializer", c.kernel_initializer), v("bias_initializer", c.bias_initializer);
  v("kernel_regularizer", c.kernel_regularizer), v("bias_regularizer", c.bias_regularizer);
  // Keras reads it, but of all layers does not write it here; we write what would be lost.
  if (c.activity_regularizer || nn::reads(v)) v("activity_regularizer", c.activity_regularizer);
  v("kernel_constraint", c.kernel_constraint), v("bias_constraint", c.bias_constraint);
}

class DenseLayer final : public LayerOf<Dense> {
 public:
  explicit DenseLayer(const Dense& c) : LayerOf(c), fused_(config.activation) {
    nn::check_positive(c.units, "Dense", "units");
    nn::adopt_activation(*this, config.activation);
  }
  void build(const Shape& in) override {
    check(in.rank() >= 1, Code::Shape, "Dense: expected an input of rank 1 or more, got {}", in);
    kernel_ = weight("kernel", {in.back(), config.units}, config.kernel_initializer,
                     {.regularizer = config.kernel_regularizer, .constraint = config.kernel_constraint});
    if (config.use_bias)
      bias_ = weight("bias", {config.units}, config.bias_initializer, {.regularizer = config.bias_regularizer, .constraint = config.bias_constraint});
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override {
    return nn::finish(config.activation, fused_, linear(std::move(x), kernel_, bias_.defined() ? bias_.value() : Tensor(), fused_));
  }

 private:
  nn::Fused fused_;
  Weight kernel_, bias_;
};
Dense::operator Layer() const { return make_layer<DenseLayer>(*this); }
Outputs Dense::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Embedding ------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Embedding& c) {
  v("input_dim", c.input_dim), v("output_dim", c.output_dim), v("embeddings_initializer", c.embeddings_initializer),
      v("embeddings_regularizer", c.embeddings_regularizer);
  v("activity_regularizer", c.activity_regularizer), v("embeddings_constraint", c.embeddings_constraint), v("mask_zero", c.mask_zero);
}

class EmbeddingLayer final : public LayerOf<Embedding> {
 public:
  explicit EmbeddingLayer(const Embedding& c) : LayerOf(c) {
    nn::check_positive(c.input_dim, "Embedding", "input_dim");
    nn::check_positive(c.output_dim, "Embedding", "output_dim");
  }
  void build(const Shape&) override {
    table_ = weight("embeddings", {config.input_dim, config.output_dim}, config.embeddings_initializer,
                    {.regularizer = config.embeddings_regularizer, .constraint = config.embeddings_constraint});
  }
  bool supports_masking() const override { return config.mask_zero; }
  bool autocast() const override { return false; }  // indices may come as floats
  Tensors compute_mask(const Tensors& xs, const Tensors&) override { return {not_equal(xs.at(0), 0)}; }
  Tensor call(Tensor x, const Call&) override {
    if (!is_integer(x.dtype())) x = cast(std::move(x), int32);
    Tensor y = take(table_, std::move(x), 0);
    return y.dtype() == compute_dtype() ? std::move(y) : cast(std::move(y), compute_dtype());
  }

 private:
  Weight table_;
};
Embedding::operator Layer() const { return make_layer<EmbeddingLayer>(*this); }
Outputs Embedding::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Identity -------------------------------------------------------------------------------------------------------------------

void fields(Fields&, Identity&) {}

class IdentityLayer final : public LayerOf<Identity> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  Tensors call_all(Tensors xs, const Call&) override { return xs; }
};
Identity::operator Layer() const { return make_layer<IdentityLayer>(*this); }
Outputs Identity::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- InputLayer -----------------------------------------------------------------------------------------------------------------

namespace {

Shape whole_shape(const InputLayer& c) {
  if (c.batch_shape) {
    check(c.shape.rank() == 0 && !c.batch_size, Code::InvalidArgument, "InputLayer: expected batch_shape or shape with batch_size, not both");
    check(c.batch_shape->rank() >= 1, Code::Shape, "InputLayer: expected a batch_shape with a batch, got {}", *c.batch_shape);
    return *c.batch_shape;
  }
  Shape s = c.shape;
  s.insert(0, c.batch_size.value_or(-1));
  return s;
}

// Sizes with null for unknown ones.
class PartialShape final : public ConfigObject {
 public:
  explicit PartialShape(Shape s) : shape(s) {}
  std::string to_json() const override { return nn::shape_json(shape).dump(); }
  void from_json(const std::string& text) override { shape = nn::shape_from(nn::parse(text, "InputLayer"), "InputLayer"); }
  Shape shape;
};

}  // namespace

void fields(Fields& v, InputLayer& c) {
  PartialShape whole(whole_shape(c));
  v("batch_shape", whole);
  c = {.dtype = c.dtype, .batch_shape = whole.shape, .name = c.name, .trainable = c.trainable};
  v("dtype", c.dtype);
  for (const char* kind : {"sparse", "ragged", "optional"}) {
    bool set = false;
    v(kind, set);
    check(!set, Code::Unsupported, "InputLayer {}: {} inputs are not supported", c.name, kind);
  }
}

class InputLayerObject final : public LayerBase {
 public:
  explicit InputLayerObject(const InputLayer& c) : LayerBase({c.name, c.trainable, {}, {}}), config(c), spec{whole_shape(c), c.dtype} {}
  Tensors call_all(Tensors xs, const Call&) override { return xs; }
  void visit_config(Fields& v) override { fields(v, config); }
  std::string class_name() const override { return "InputLayer"; }

  InputLayer config;
  Spec spec;
};
InputLayer::operator Layer() const {
  Layer l = make_layer<InputLayerObject>(*this);
  l.body()->build({static_cast<InputLayerObject&>(l.body()->object()).spec.shape});
  return l;
}

// ---- Dropout --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Dropout& c) { v("rate", c.rate), v("seed", c.seed), nn::visit_open_shape(v, "noise_shape", c.noise_shape); }

class DropoutLayer final : public LayerOf<Dropout> {
 public:
  explicit DropoutLayer(const Dropout& c) : LayerOf(c) {
    check(c.rate >= 0 && c.rate <= 1, Code::InvalidArgument, "Dropout: expected rate in [0, 1], got {}", c.rate);
    if (c.rate > 0) seed_ = seed_state(c.seed);
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call& c) override {
    if (!c.is_training() || config.rate == 0) return x;
    Shape shape = noise(x.shape());
    return random::dropout(std::move(x), config.rate, SeedGenerator(seed_.variable()), shape);
  }

 private:
  // Unknown sizes of noise_shape are the input's.
  Shape noise(const Shape& x) const {
    if (!config.noise_shape) return {};
    Shape s = *config.noise_shape;
    check(s.rank() == x.rank(), Code::Shape, "Dropout: noise_shape {} does not fit an input of {}", s, x);
    for (int i = 0; i < s.rank(); ++i)
      if (s[i] < 0) s[i] = x[i];
    return s;
  }
  Weight seed_;
};
Dropout::operator Layer() const { return make_layer<DropoutLayer>(*this); }
Outputs Dropout::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

// ---- symbols --------------------------------------------------------------------------------------------------------------------

Spec input_spec(const LayerBody& l) { return dynamic_cast<layers::InputLayerObject&>(l.object()).spec; }

const Node* input_node(const Tensor& t) {
  const Node* n = t.body() ? t.body()->node() : nullptr;
  return n && n->callee() && n->inputs() == 0 ? n : nullptr;
}

Tensor symbol_of(const Layer& input_layer) {
  LayerBody& b = body_of(input_layer);
  check_holdable(input_spec(b));
  memory::HeldOf<Node> node(new Node(memory::HeldOf<Callee>(&b), {}));
  auto* body = new TensorBody(input_spec(b), node, 0);
  body->retain(memory::Counted::kUser);
  return Tensor(body);
}

Tensor Input(const InputOptions& o) {
  return symbol_of(layers::InputLayer{.shape = o.shape, .batch_size = o.batch_size, .dtype = o.dtype, .batch_shape = o.batch_shape, .name = o.name});
}

void register_core(LayerRegistry& r) {
  r.add<layers::Dense>("Dense");
  r.add<layers::Embedding>("Embedding");
  r.add<layers::Identity>("Identity");
  r.add<layers::InputLayer>("InputLayer");
  r.add<layers::Dropout>("Dropout");
}

}  // namespace tenure

// Layer: a callable with weights. Users hold Layer handles; authors derive from LayerBase (or LayerOf<their configuration>) and
// write build and call; everything else (eager, traced and symbolic calls, shapes, configuration, saving) follows.
//
// Who owns whom: a layer owns its weights and its children; a symbolic tensor owns the layers of its past; a layer knows nothing
// of who calls it. Applying one layer a million times to one Input leaves nothing behind but the results still held.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include <tenure/fields.h>
#include <tenure/initializers.h>
#include <tenure/memory.h>
#include <tenure/tensor.h>
#include <tenure/variable.h>

namespace tenure {

class Layer;
class LayerBase;
class LayerBody;     // internal: the counted body of a layer
class VariableBody;  // internal

/// Options of a call. `training`: given here, else the enclosing call's, else false.
/// Masks say true for what counts. Without one here, a layer that takes masks gets those that its inputs carry (see mask_of).
struct Call {
  std::optional<bool> training = {};
  Tensor mask = {};              ///< of the one input, or of the first
  Tensors masks = {};            ///< instead of `mask`: one an input, empty handles for none (attention layers)
  Tensors initial_state = {};    ///< of recurrent layers
  Tensor attention_mask = {};    ///< [batch, queries, keys], of MultiHeadAttention and its kin
  bool use_causal_mask = false;  ///< of attention layers
  bool return_attention_scores = false;
  bool reverse = false;  ///< of ReversibleEmbedding: from vectors to scores of indices
  bool is_training() const noexcept { return training.value_or(false); }
  Tensor mask_of(size_t input) const { return !masks.empty() ? (input < masks.size() ? masks[input] : Tensor()) : input == 0 ? mask : Tensor(); }
};

/// The mask that the layer which made this tensor put on it, or an empty handle. A tensor owns its mask; ops drop it.
TENURE_API Tensor mask_of(const Tensor& t);

/// A counted handle to a layer. Copies share weights; clone() copies them.
/// Threads: calls may run at the same time; building, naming and freezing must not run beside a call.
class TENURE_API Layer {
 public:
  Layer() noexcept = default;
  Layer(const Layer& o) noexcept;
  Layer(Layer&& o) noexcept : body_(std::exchange(o.body_, nullptr)) {}
  Layer& operator=(Layer o) noexcept {
    std::swap(body_, o.body_);
    return *this;
  }
  ~Layer();

  /// On eager tensors: the result. In a traced function: its ops become part of the trace. On a model's symbols: one node.
  /// Builds the layer at the first call. Float inputs of other widths are cast to the compute dtype; the copy does not outlive the call.
  Outputs operator()(TensorList inputs) const;
  Outputs operator()(TensorList inputs, const Call& options) const;

  bool defined() const noexcept { return body_ != nullptr; }
  /// The given name, or the one its model gave; until then the class in snake_case.
  std::string name() const;
  std::string class_name() const;
  /// Makes the weights for these input shapes. Nothing if they exist already.
  void build(const std::vector<Shape>& inputs) const;
  void build(const Shape& input) const { build(std::vector<Shape>{input}); }
  bool built() const;
  bool trainable() const;
  /// For this layer and all below it. A compiled model takes notice when it is compiled again.
  void set_trainable(bool on) const;
  DTypePolicy dtype_policy() const;

  /// Keras' order: own trainable, own other, then the children's. `variables` has the states of random generators too.
  Variables variables() const;
  Variables weights() const;
  Variables trainable_variables() const;
  Variables non_trainable_variables() const;
  Tensors get_weights() const;
  /// In the order of weights(). Throws Shape or InvalidArgument before anything is written.
  void set_weights(const Tensors& values) const;
  int64_t count_params() const;
  /// Sublayers, in order.
  std::vector<Layer> layers() const;

  /// Keras' get_config() as JSON text. Throws Unsupported for a Sequential or functional model: Model::to_json() writes those.
  std::string get_config() const;
  /// A new layer of the same configuration and, where built, the same values.
  Layer clone() const;
  /// Specs of the outputs for inputs of these specs. Builds the layer if needed; runs nothing.
  std::vector<Spec> output_specs(const std::vector<Spec>& inputs) const;

  void release() noexcept { Layer().swap(*this); }
  void swap(Layer& o) noexcept { std::swap(body_, o.body_); }
  bool same(const Layer& o) const noexcept { return body_ == o.body_; }
  LayerBody* body() const noexcept { return body_; }
  explicit Layer(LayerBody* body) noexcept;  // adds a handle

 protected:
  LayerBody* body_ = nullptr;
};

/// A layer's own variable as its author keeps it: no reference is counted, the layer owns the variable and outlives this.
class TENURE_API Weight {
 public:
  Weight() noexcept = default;
  bool defined() const noexcept { return body_ != nullptr; }
  /// The present value in the layer's compute dtype.
  Tensor value() const;
  operator Tensor() const { return value(); }
  void assign(Tensor value) const;
  const Shape& shape() const;
  /// A handle of one's own.
  Variable variable() const;

 private:
  friend class LayerBase;
  Weight(VariableBody* body, DType compute) noexcept : body_(body), compute_(compute) {}
  VariableBody* body_ = nullptr;
  DType compute_ = float32;
};

/// A sublayer as its author keeps it: owned by the layer, not counted here.
class TENURE_API Child {
 public:
  Child() noexcept = default;
  bool defined() const noexcept { return body_ != nullptr; }
  Outputs operator()(TensorList inputs) const { return layer()(std::move(inputs)); }
  Outputs operator()(TensorList inputs, const Call& options) const { return layer()(std::move(inputs), options); }
  Layer layer() const;
  /// Of a layer that some layer owns already.
  static Child of(const Layer& owned) { return Child(owned.body()); }

 private:
  friend class LayerBase;
  explicit Child(LayerBody* body) noexcept : body_(body) {}
  LayerBody* body_ = nullptr;
};

/// What every layer is configured with.
struct LayerOptions {
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Regularizer activity_regularizer = {};
};

struct WeightOptions {
  bool trainable = true;
  std::optional<DType> dtype = {};  ///< the policy's variable dtype when not given
  Regularizer regularizer = {};
  Constraint constraint = {};
  bool autocast = true;  ///< its value is given in the compute dtype; else as it is kept
};

/// What an author derives from. Weights are made in build(), children in the constructor or in build(); both are locked by the first call.
/// A class that is called with one tensor overrides build and call, one with several build_all and call_all.
class TENURE_API LayerBase {
 public:
  virtual ~LayerBase();
  LayerBase(const LayerBase&) = delete;
  LayerBase& operator=(const LayerBase&) = delete;

  /// Makes weights for an input of this shape (unknown sizes are -1). Runs once, eagerly, before the first call.
  virtual void build(const Shape& input);
  virtual void build_all(const std::vector<Shape>& inputs);
  /// The outputs; `c.training` is set. Written in ops and children: the same code runs eagerly, traced, under a tape and on specs only.
  virtual Tensor call(Tensor x, const Call& c);
  virtual Tensors call_all(Tensors xs, const Call& c);
  /// Visits what is needed to make this layer again, by Keras' names; without name, trainable and dtype.
  virtual void visit_config(Fields& v);
  /// The unqualified name of the class, by which it is registered.
  virtual std::string class_name() const;
  /// Masks (Keras: supports_masking): whether compute_mask is asked for the outputs' masks. Otherwise they have none.
  virtual bool supports_masking() const;
  /// Whether call has a use for masks: then those of the inputs are passed to it. They become arguments of the call in a functional model.
  virtual bool takes_mask() const;
  /// Masks of the outputs, from the inputs and theirs: one an input, empty handles for none, an empty list if no input has one.
  /// By default those of the inputs, in order.
  virtual Tensors compute_mask(const Tensors& xs, const Tensors& masks);
  /// Whether float inputs and weights are cast to the compute dtype (Keras: autocast). Otherwise call gets them as they are.
  virtual bool autocast() const;
  /// Keras' names of inputs that are passed one by one ({"query", "value", "key"}); empty: one input, or one list of them.
  virtual std::vector<std::string> call_arguments() const;
  /// Names tensors that this object keeps in members of its own.
  virtual void trace(memory::Visitor& v) const;

  std::string name() const;
  bool trainable() const;
  bool built() const;
  const DTypePolicy& dtype_policy() const;
  DType compute_dtype() const { return dtype_policy().compute_dtype(); }
  LayerBody& body() const noexcept { return *body_; }

 protected:
  explicit LayerBase(LayerOptions options = {});

  /// A new variable of the layer, made eagerly by the initializer.
  Weight weight(std::string name, const Shape& shape, const Initializer& initializer, const WeightOptions& options = {});
  /// Takes a sublayer. `attribute` is Keras' attribute name, which files use.
  Child child(std::string attribute, const Layer& layer);
  /// The state of a generator of the layer's own, for SeedGenerator(state.variable()). Without a seed, the process' next one.
  Weight seed_state(std::optional<int64_t> seed = {});
  /// A variable of zeros that is no weight and is not saved: what a layer remembers from call to call.
  Weight kept_state(std::string name, const Shape& shape);
  /// Adds a term to the loss of the enclosing train or test step; nothing outside of one.
  void add_loss(Tensor term);

 private:
  friend class LayerBody;
  LayerBody* body_;
  bool owned_ = false;  // by the body, after make_layer
};

namespace detail {
/// The body takes the object over.
TENURE_API Layer adopt(std::unique_ptr<LayerBase> object);
/// "Dense" of a type tenure::layers::Dense.
TENURE_API std::string short_name(const std::type_info& type);
}  // namespace detail

/// A layer of the author's class T.
template <class T, class... A>
Layer make_layer(A&&... arguments) {
  return detail::adopt(std::make_unique<T>(std::forward<A>(arguments)...));
}

/// A layer whose configuration is the aggregate C: ends in `name, trainable, dtype`, has `void fields(Fields&, C&)` beside it.
template <class C>
class LayerOf : public LayerBase {
 public:
  explicit LayerOf(C c) : LayerBase(options(c)), config(std::move(c)) {}
  void visit_config(Fields& v) override { fields(v, config); }
  std::string class_name() const override { return detail::short_name(typeid(C)); }

  C config;

 private:
  static LayerOptions options(const C& c) {
    LayerOptions o{c.name, c.trainable, c.dtype, {}};
    if constexpr (requires { c.activity_regularizer; }) o.activity_regularizer = c.activity_regularizer;
    return o;
  }
};

/// An activation: Keras' name, a function, or a layer (LeakyReLU); empty: linear.
class TENURE_API ActivationFunction : public ConfigObject {
 public:
  using Function = std::function<Tensor(Tensor)>;

  ActivationFunction() = default;
  ActivationFunction(std::nullptr_t) {}
  ActivationFunction(const char* name) : ActivationFunction(std::string(name)) {}
  /// Throws NotFound listing the known names.
  ActivationFunction(std::string name);
  template <class F, class = std::enable_if_t<std::is_invocable_r_v<Tensor, F&, Tensor> && !std::is_convertible_v<F, Layer> &&
                                              !std::is_base_of_v<ActivationFunction, F>>>
  ActivationFunction(F f, std::string name = {}) : name_(std::move(name)), function_(std::move(f)) {}
  ActivationFunction(Layer layer) : layer_(std::move(layer)) {}
  template <class C, class = std::enable_if_t<std::is_convertible_v<const C&, Layer> && !std::is_same_v<C, Layer>>, class = void>
  ActivationFunction(const C& config) : layer_(static_cast<Layer>(config)) {}

  /// "linear" when empty, "" for an unnamed function or a layer.
  std::string name() const;
  const Layer& layer() const noexcept { return layer_; }
  /// Does nothing.
  bool linear() const;
  Tensor operator()(Tensor x) const;
  std::string to_json() const override;
  void from_json(const std::string& text) override;

 private:
  std::string name_;
  Function function_;
  Layer layer_;
};

/// Classes by name, for files and for the list of layers. Registered explicitly; an application adds its own.
class TENURE_API LayerRegistry {
 public:
  static LayerRegistry& global();
  /// C as for LayerOf. `package` is written as registered_name "package>Name"; empty for Keras' own.
  template <class C>
  void add(std::string name, std::string package = {}) {
    add({std::move(name), std::move(package),
         [](Fields& v) {
           C c{};
           fields(v, c);
           v("name", c.name);
           v("trainable", c.trainable);
           v("dtype", c.dtype);
           return Layer(c);
         },
         [](Fields& v) {
           C c{};
           fields(v, c);
         }});
  }
  /// Throws NotFound for an unknown class and InvalidArgument listing fields that are not understood.
  Layer make(const std::string& class_name, const std::string& config_json) const;
  bool contains(const std::string& class_name) const;
  /// Sorted.
  std::vector<std::string> names() const;
  /// The configuration with its defaults, as JSON text.
  std::string defaults(const std::string& class_name) const;
  std::string package(const std::string& class_name) const;

 private:
  struct Entry {
    std::string name, package;
    Layer (*make)(Fields&);
    void (*visit)(Fields&);
  };
  struct Impl;
  LayerRegistry();
  void add(Entry entry);
  std::unique_ptr<Impl> impl_;
};

struct InputOptions {
  Shape shape = {};  ///< without the batch; -1: unknown
  std::optional<int64_t> batch_size = {};
  DType dtype = float32;
  std::optional<Shape> batch_shape = {};  ///< instead of shape and batch_size
  std::string name = {};
};
/// A symbol that a functional model starts from.
TENURE_API Tensor Input(const InputOptions& options);

}  // namespace tenure

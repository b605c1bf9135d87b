// The counted body of a layer, and of a model. It owns the author's object, the weights, the children, what it keeps (a model's symbols)
// and, for a model, what compile() made. The author's object refers to it and to what it owns without counting.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <tenure/layer.h>

#include "base/object_mutex.h"
#include "core/context.h"
#include "core/node.h"
#include "core/variable_body.h"
#include "nn/config.h"

namespace tenure {

struct ModelState;
class FunctionalGraph;

/// Terms that layers add to the loss of the step that runs on this thread.
struct LossCollector {
  Tensors terms;  // stack-bound
  int64_t batch = 1;
};

/// What went into the softmaxes and sigmoids of the step that runs on this thread. Cross entropies of such an output are computed from there, as
/// in Keras: a probability that rounds to 0 or 1 has no gradient, its logit has. A result is known by its birth number, so nothing is kept alive
/// but the logits, and those until the step ends (a traced step's have no memory).
class Logits {
 public:
  void note(const Tensor& y, Tensor x) { notes_.emplace_back(y.body()->birth(), std::move(x)); }
  /// Empty if y was not made by a softmax or sigmoid.
  Tensor of(const Tensor& y) const;

 private:
  std::vector<std::pair<uint64_t, Tensor>> notes_;  // stack-bound
};

/// Hears of the outputs of every layer called on this thread, innermost first.
class CallWatcher {
 public:
  virtual ~CallWatcher() = default;
  virtual void called(LayerBody& layer, std::span<const Tensor> outputs) = 0;
};

/// A call's options with numbers in place of tensors: how nodes and graphs keep them. -1: none.
struct CallPlan {
  std::optional<bool> training;
  bool use_causal_mask = false, return_attention_scores = false, reverse = false;
  int mask = -1, attention_mask = -1;
  std::vector<int> masks, initial_state;

  /// `extras` gets the tensors that the numbers mean.
  static CallPlan of(const Call& call, Tensors& extras);
  /// What a node's arguments() say.
  static CallPlan from(const std::string& text);
  /// Empty when there is nothing to say.
  std::string text() const;
  /// The call again; f(number) is the tensor.
  template <class F>
  Call bind(F&& f) const {
    auto one = [&](int i) { return i < 0 ? Tensor() : Tensor(f(static_cast<size_t>(i))); };
    Call c;
    c.training = training, c.use_causal_mask = use_causal_mask, c.return_attention_scores = return_attention_scores, c.reverse = reverse;
    c.mask = one(mask), c.attention_mask = one(attention_mask);
    for (int i : masks) c.masks.push_back(one(i));
    for (int i : initial_state) c.initial_state.push_back(one(i));
    return c;
  }
};

struct NnContext {
  LossCollector* losses;
  CallWatcher* watcher;
  Logits* logits;
};
extern thread_local constinit NnContext nn_context;

/// Sets a pointer of the thread's context for a block.
template <class T>
class With {
 public:
  With(T*& slot, T* value) noexcept : slot_(slot), saved_(slot) { slot = value; }
  ~With() { slot_ = saved_; }
  With(const With&) = delete;
  With& operator=(const With&) = delete;

 private:
  T*& slot_;
  T* saved_;
};

/// f(x), whose result is known as x's softmax or sigmoid to the losses of the step that runs here.
template <class F>
Tensor noting_logits(Tensor x, F f) {
  if (!nn_context.logits) return f(std::move(x));
  Tensor y = f(x);
  nn_context.logits->note(y, std::move(x));
  return y;
}

/// What layer code does inside is on specs only.
class Abstractly {
 public:
  Abstractly() noexcept : saved_(thread_context.abstract) { thread_context.abstract = true; }
  ~Abstractly() { thread_context.abstract = saved_; }
  Abstractly(const Abstractly&) = delete;
  Abstractly& operator=(const Abstractly&) = delete;

 private:
  bool saved_;
};

class LayerBody final : public Callee {
 public:
  struct OwnWeight {
    std::string name;
    memory::HeldOf<VariableBody> variable;
    Regularizer regularizer;
    Constraint constraint;
    bool trainable;       ///< as the author made it
    bool seed;            ///< state that is no weight: of a random generator, of a stateful layer
    bool shared = false;  ///< a sublayer's, which this layer has as its own too
  };
  struct OwnChild {
    std::string attribute;
    memory::HeldOf<LayerBody> layer;
  };

  LayerBody(LayerBase* object, LayerOptions options);

  // ---- identity
  LayerBase& object() const noexcept { return *object_; }
  /// Takes the object over, once it is whole.
  void adopt(std::unique_ptr<LayerBase> object);
  std::string name() const;
  bool named() const noexcept { return !name_.empty(); }
  /// Names the layer, its account and its weights; once.
  void set_name(const std::string& name);
  memory::NameId scope() const noexcept { return scope_.id(); }
  const DTypePolicy& policy() const noexcept { return policy_; }

  // ---- what it owns
  const std::vector<OwnWeight>& own_weights() const noexcept { return weights_; }
  const std::vector<OwnChild>& children() const noexcept { return children_; }
  VariableBody* add_weight(std::string name, const Shape& shape, const Initializer& init, const WeightOptions& o);
  VariableBody* add_state(std::string name, const Shape& shape);
  /// Another layer's weight as one of this layer's: it stands in both groups of a file (SpectralNormalization).
  void share_weight(const OwnWeight& of_another);
  VariableBody* add_seed(std::optional<int64_t> seed);
  LayerBody* add_child(std::string attribute, LayerBody* child);
  /// Takes the last child away again (Sequential::pop).
  void remove_child();
  /// Owned edges besides weights and children: a functional model's symbols.
  std::vector<Held> kept;
  /// Set for a functional model: how `kept` is run.
  FunctionalGraph* graph = nullptr;
  /// Set once the layer is used as a Model.
  ModelState* model() const noexcept { return model_.get(); }
  void become_model();
  /// Names of the outputs, for models with several.
  std::vector<std::string> output_names;
  /// What the file that it was loaded from said beyond the configuration (JSON of io), written back when it is saved.
  std::string file_notes;

  // ---- flags
  bool built() const noexcept { return built_.load(std::memory_order_acquire); }
  bool locked() const noexcept { return locked_.load(std::memory_order_relaxed); }
  bool trainable() const noexcept { return trainable_.load(std::memory_order_relaxed); }
  void set_trainable(bool on);
  const std::vector<Shape>& built_for() const noexcept { return built_for_; }

  // ---- use
  void build(const std::vector<Shape>& inputs);
  Outputs apply(Tensors xs, const Call& given);
  /// `keep`: remembers them for these inputs.
  std::vector<Spec> output_specs(const std::vector<Spec>& inputs, const Call& given, bool keep = true);

  // ---- weights of the tree
  enum class Which : uint8_t { variables, weights, trainable, non_trainable };
  void collect(Which which, Variables& out) const;
  /// Visits own weights and those of all children, depth first, each layer once.
  void each_weight(const std::function<void(const LayerBody&, const OwnWeight&)>& visit) const;

  // ---- configuration
  nn::Json config() const;

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override;

 private:
  friend class LayerBase;
  struct Cached {
    std::vector<Spec> in, out;
    int training;
  };

  ~LayerBody() override;
  void collect(Which which, Variables& out, std::vector<const LayerBody*>& seen, std::vector<const VariableBody*>& shared, bool frozen) const;
  void build_once(const std::vector<Shape>& inputs);
  void forget_weights() noexcept;
  Outputs make_node(Tensors xs, const Call& given, const Tensors& masks);
  void cast_inputs(Tensors& xs) const;
  void add_activity_loss(const Tensors& ys) const;
  void name_variables() const;

  LayerBase* object_;
  bool owns_object_ = false;
  std::string name_;
  memory::OwnedName scope_;
  DTypePolicy policy_;
  Regularizer activity_regularizer_;
  std::vector<OwnWeight> weights_;
  std::vector<OwnChild> children_;
  std::unique_ptr<ModelState> model_;
  std::atomic<bool> built_{false}, locked_{false}, trainable_;
  std::vector<Shape> built_for_;
  ObjectMutex<std::recursive_mutex> build_;
  ObjectMutex<std::mutex> cache_mutex_;  // around cache_ only
  std::vector<Cached> cache_;
};

/// `t` carrying `mask`: itself if it does already or nobody else sees it, else an alias.
Tensor with_mask(Tensor t, const Tensor& mask);
/// `t` or an alias, carrying none.
Tensor without_mask(Tensor t);

/// A layer that takes the masks off its inputs: what comes later in a model's graph does not see them (Keras: MultiHeadAttention).
class TakesMasks {
 protected:
  ~TakesMasks() = default;
};

/// The layer a handle stands for; throws InvalidArgument for an empty handle.
LayerBody& body_of(const Layer& l);
inline Layer handle_of(LayerBody* b) { return Layer(b); }
inline std::vector<Spec> specs_of(std::span<const Tensor> ts) {
  std::vector<Spec> out;
  out.reserve(ts.size());
  for (const Tensor& t : ts) out.push_back(t.spec());
  return out;
}
inline std::vector<Shape> shapes_of(std::span<const Spec> specs) {
  std::vector<Shape> out;
  out.reserve(specs.size());
  for (const Spec& s : specs) out.push_back(s.shape);
  return out;
}
inline Tensors abstract_of(std::span<const Spec> specs) {
  Tensors out;
  out.reserve(specs.size());
  for (const Spec& s : specs) out.push_back(make_abstract(s));
  return out;
}

/// {"module", "class_name", "config", "registered_name", "build_config"}: a layer as Keras' files have it.
nn::Json layer_json(const LayerBody& layer);
/// The inverse: a layer by its registered class. Builds nothing.
Layer layer_from(const nn::Json& json);

}  // namespace tenure

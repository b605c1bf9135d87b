// Layers: building, calling, naming. See layer_body.h for who owns what.
#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>

#include <tenure/ops.h>

#include "nn/functional.h"
#include "nn/layer_body.h"
#include "nn/model_state.h"
#include "nn/unfilled.h"
#include "nn/vocabulary.h"

namespace tenure {

using memory::Counted;
using memory::HeldOf;

thread_local constinit NnContext nn_context{};

Tensor Logits::of(const Tensor& y) const {
  for (const auto& [birth, x] : notes_)
    if (birth == y.body()->birth()) return x;
  return {};
}

namespace {

// What is made inside is plainly eager, whatever the thread is in the middle of.
class Plainly {
 public:
  Plainly() noexcept : saved_(thread_context) {
    thread_context.trace = nullptr, thread_context.tapes = nullptr, thread_context.call = nullptr, thread_context.abstract = false;
  }
  ~Plainly() {
    thread_context.trace = saved_.trace, thread_context.tapes = saved_.tapes, thread_context.call = saved_.call,
    thread_context.abstract = saved_.abstract;
  }
  Plainly(const Plainly&) = delete;
  Plainly& operator=(const Plainly&) = delete;
  TraceRecorder* outer_trace() const noexcept { return saved_.trace; }

 private:
  ThreadContext saved_;
};

// The first specs of a call, kept on the stack for its error message.
class Called {
 public:
  explicit Called(const Tensors& xs) : count_(xs.size()) {
    for (size_t i = 0; i < std::min(count_, kMost); ++i)
      if (xs[i].defined()) specs_[i] = xs[i].body()->spec();
  }
  std::string text() const {
    std::string out = count_ ? ", called with " : "";
    for (size_t i = 0; i < std::min(count_, kMost); ++i) out += (i ? ", " : "") + to_string(specs_[i]);
    return out + (count_ > kMost ? fmt::format(" and {} more", count_ - kMost) : "");
  }

 private:
  static constexpr size_t kMost = 3;
  size_t count_;
  Spec specs_[kMost];
};

// Keras: masks of the inputs are passed where nothing was said, but beside other tensors only to arguments passed one by one.
void add_masks(const LayerBase& layer, Call& call, const Tensors& masks) {
  if (masks.empty() || call.mask.defined() || !layer.takes_mask()) return;
  const bool one_by_one = !layer.call_arguments().empty();
  if (!one_by_one && !call.initial_state.empty()) return;
  if (masks.size() == 1) {
    if (call.masks.empty()) call.mask = masks[0];
    return;
  }
  if (call.masks.empty()) {
    call.masks = masks;
  } else if (one_by_one) {
    call.masks.resize(masks.size());
    for (size_t i = 0; i < masks.size(); ++i)
      if (!call.masks[i].defined()) call.masks[i] = masks[i];
  }
}

void put_masks(Tensors& ys, const Tensors& masks) {
  for (size_t i = 0; i < ys.size() && i < masks.size(); ++i)
    if (masks[i].defined() && !ys[i].body()->mask()) ys[i] = with_mask(std::move(ys[i]), masks[i]);
}

}  // namespace

std::string detail::short_name(const std::type_info& type) {
  int status = 0;
  char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string name = status == 0 && text ? text : type.name();
  std::free(text);
  name = name.substr(0, name.find('<'));
  size_t at = name.rfind("::");
  return at == std::string::npos ? name : name.substr(at + 2);
}

LayerBody& body_of(const Layer& l) {
  check(l.defined(), Code::InvalidArgument, "layer: this handle is empty (default-made, moved from, or released)");
  return *l.body();
}

// ---- LayerBody: identity --------------------------------------------------------------------------------------------------------

LayerBody::LayerBody(LayerBase* object, LayerOptions o)
    : Callee(memory::Kind::layer),
      object_(object),
      name_(std::move(o.name)),
      policy_(o.dtype),
      activity_regularizer_(std::move(o.activity_regularizer)),
      trainable_(o.trainable) {}

LayerBody::~LayerBody() {
  if (owns_object_) delete object_;
}

void LayerBody::adopt(std::unique_ptr<LayerBase> object) {
  ensure(object.get() == object_, "a layer is adopted by another's body");
  object->owned_ = true;
  (void)object.release();  // its body owns it now
  owns_object_ = true;
  scope_ = memory::OwnedName(name());
  name_variables();
}

std::string LayerBody::name() const { return !name_.empty() ? name_ : nn::snake_case(object_->class_name()); }

void LayerBody::set_name(const std::string& name) {
  check(name_.empty(), Code::InvalidArgument, "layer {}: has a name already and cannot become {}", name_, name);
  name_ = name;
  scope_.rename(name_);
  name_variables();
}

void LayerBody::name_variables() const {
  for (const OwnWeight& w : weights_)
    if (!w.shared) w.variable->set_name(name() + "/" + w.name);
}

void LayerBody::become_model() {
  if (!model_) model_ = std::make_unique<ModelState>();
}

std::string LayerBody::describe() const { return fmt::format("{} {}", object_ ? object_->class_name() : "Layer", name()); }

void LayerBody::trace(memory::EdgeVisitor& v) const {
  for (const OwnWeight& w : weights_) v.edge(w.variable.get(), w.name);
  for (const OwnChild& c : children_) v.edge(c.layer.get(), c.attribute);
  for (size_t i = 0; i < kept.size(); ++i) v.edge(kept[i].get(), "symbols", static_cast<int64_t>(i));
  if (model_) model_->trace(v);
  if (!object_) return;
  class Adapter final : public memory::Visitor {
   public:
    explicit Adapter(memory::EdgeVisitor& v) : v_(v) {}
    void user_edge(const void* body, std::string_view label, int64_t index) override {
      v_.user_edge(static_cast<const Counted*>(body), label, index);
    }

   private:
    memory::EdgeVisitor& v_;
  } adapter(v);
  object_->trace(adapter);
}

// ---- LayerBody: what it owns ------------------------------------------------------------------------------------------------------

VariableBody* LayerBody::add_weight(std::string name, const Shape& shape, const Initializer& init, const WeightOptions& o) {
  check(!locked(), Code::InvalidArgument, "layer {}: weights are made before the first call, not '{}' after it", this->name(), name);
  check(shape.known(), Code::Shape, "layer {}: weight '{}' needs known sizes, got {}; the input's last size must be known", this->name(), name,
        shape);
  Plainly plainly;
  memory::As as(memory::Category::parameter);
  DType dtype = o.dtype.value_or(policy_.variable_dtype());
  Variable v(nn::Unfilled::value(init, {shape, dtype}), VariableOptions{this->name() + "/" + name, o.trainable && trainable()});
  nn::Unfilled::note(v.body(), init);
  weights_.push_back({std::move(name), HeldOf<VariableBody>(v.body()), o.regularizer, o.constraint, o.trainable, false});
  return v.body();
}

VariableBody* LayerBody::add_seed(std::optional<int64_t> seed) {
  Plainly plainly;
  memory::As as(memory::Category::parameter);
  SeedGenerator g(seed ? *seed : next_random_seed());
  VariableBody* v = g.state().body();
  v->set_trainable(false);
  weights_.push_back({"seed_generator_state", HeldOf<VariableBody>(v), {}, {}, false, true});
  return v;
}

VariableBody* LayerBody::add_state(std::string name, const Shape& shape) {
  Plainly plainly;
  memory::As as(memory::Category::parameter);
  Variable v(zeros(shape, policy_.compute_dtype()), VariableOptions{this->name() + "/" + name, false});
  weights_.push_back({std::move(name), HeldOf<VariableBody>(v.body()), {}, {}, false, true});
  return v.body();
}

void LayerBody::share_weight(const OwnWeight& w) {
  // Its owner answers for regularizer and constraint.
  weights_.push_back({w.name, w.variable, {}, {}, w.trainable, w.seed, true});
}

LayerBody* LayerBody::add_child(std::string attribute, LayerBody* child) {
  check(!locked(), Code::InvalidArgument, "layer {}: '{}' cannot be added after the first call", name(), attribute);
  check(child != this, Code::InvalidArgument, "layer {}: cannot contain itself", name());
  children_.push_back({std::move(attribute), HeldOf<LayerBody>(child)});
  return child;
}

void LayerBody::remove_child() {
  check(!locked(), Code::InvalidArgument, "layer {}: layers cannot be removed after the first call", name());
  check(!children_.empty(), Code::InvalidArgument, "layer {}: there is no layer to remove", name());
  children_.pop_back();
}

void LayerBody::set_trainable(bool on) {
  trainable_.store(on, std::memory_order_relaxed);
  for (OwnWeight& w : weights_)
    if (w.trainable) w.variable->set_trainable(on);
  for (OwnChild& c : children_) c.layer->set_trainable(on);
}

// ---- LayerBody: building ----------------------------------------------------------------------------------------------------------

void LayerBody::build(const std::vector<Shape>& inputs) {
  if (built()) return;
  std::lock_guard lock(build_);
  if (!built()) build_once(inputs);
}

void LayerBody::build_once(const std::vector<Shape>& inputs) {
  size_t weights = weights_.size(), children = children_.size();
  Plainly plainly;
  memory::As as(memory::Category::parameter);
  try {
    object_->build_all(inputs);
    if (TraceRecorder* t = plainly.outer_trace())
      for (size_t i = weights; i < weights_.size(); ++i) t->created(*weights_[i].variable);
  } catch (...) {
    weights_.resize(weights);
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(children), children_.end());
    throw;
  }
  built_for_ = inputs;
  name_variables();
  built_.store(true, std::memory_order_release);
}

// ---- LayerBody: calling -------------------------------------------------------------------------------------------------------------

void LayerBody::cast_inputs(Tensors& xs) const {
  if (!object_->autocast()) return;
  DType compute = policy_.compute_dtype();
  for (Tensor& x : xs)
    if (is_float(x.body()->spec().dtype) && x.body()->spec().dtype != compute) x = cast(std::move(x), compute);
}

void LayerBody::add_activity_loss(const Tensors& ys) const {
  for (const Tensor& y : ys) {
    double batch = y.rank() > 0 && y.shape().front() > 0 ? static_cast<double>(y.shape().front()) : 1;
    nn_context.losses->terms.push_back(divide(activity_regularizer_(y), batch));
  }
}

Outputs LayerBody::apply(Tensors xs, const Call& given) {
  Called called(xs);
  memory::Enter at(scope_.id());
  try {
    bool symbolic = false, masked = false;
    for (size_t i = 0; i < xs.size(); ++i) {
      check(xs[i].defined(), Code::InvalidArgument, "input {} is an empty handle (default-made, moved from, or released)", i);
      symbolic |= xs[i].body()->symbolic();
      masked |= xs[i].body()->mask() != nullptr;
    }
    Tensors masks;  // stack-bound
    if (masked) [[unlikely]]
      for (const Tensor& x : xs) masks.push_back(mask_of(x));
    if (!built()) build(shapes_of(specs_of(xs)));
    if (!locked()) locked_.store(true, std::memory_order_relaxed);
    if (symbolic && !thread_context.abstract) return make_node(std::move(xs), given, masks);
    // What a layer makes is an activation, unless it is made for something else (gradients of gradients).
    const memory::Category for_what = memory::current_category();
    memory::As as(for_what == memory::Category::temporary ? memory::Category::activation : for_what);
    // Before the call, which may use up its inputs.
    Tensors made = object_->supports_masking() ? object_->compute_mask(xs, masks) : Tensors();  // stack-bound
    cast_inputs(xs);
    CallContext context;
    context.training = given.training ? given.training : thread_context.call ? thread_context.call->training : std::nullopt;
    With with(thread_context.call, &context);
    Call call = given;
    call.training = context.training.value_or(false);
    if (masked) [[unlikely]]
      add_masks(*object_, call, masks);
    Tensors ys = object_->call_all(std::move(xs), call);
    for (const Tensor& y : ys) check(y.defined(), Code::InvalidArgument, "call returned an empty handle");
    put_masks(ys, made);
    if (!thread_context.abstract) [[likely]] {
      if (activity_regularizer_ && nn_context.losses) add_activity_loss(ys);
      if (nn_context.watcher) [[unlikely]]
        nn_context.watcher->called(*this, ys);
    }
    if (ys.size() > 1 && output_names.size() == ys.size()) return Outputs(std::move(ys), output_names);
    return Outputs(std::move(ys));
  } catch (Error& e) {
    e.add_frame(fmt::format("{} ({}){}", name(), object_ ? object_->class_name() : "", called.text()));
    throw;
  }
}

Outputs LayerBody::make_node(Tensors xs, const Call& given, const Tensors& masks) {
  // Keras: the mask of a single input becomes an argument of the node; those of several are found again when the model runs.
  Call call = given;
  if (xs.size() == 1) add_masks(*object_, call, masks);
  Tensors extras;  // stack-bound
  const CallPlan plan = CallPlan::of(call, extras);
  // Specs depend on the inputs' and on whether it trains; with other options they are found anew.
  const bool plain = plan.initial_state.empty() && plan.attention_mask < 0 && !plan.return_attention_scores && !plan.reverse;
  int training = given.training ? *given.training : -1;
  std::vector<Spec> specs;
  bool found = false;
  if (plain) {
    std::lock_guard lock(cache_mutex_);
    for (const Cached& c : cache_) {
      found = c.training == training && c.in.size() == xs.size() &&
              std::equal(xs.begin(), xs.end(), c.in.begin(), [](const Tensor& x, const Spec& s) { return x.body()->spec() == s; });
      if (found) {
        specs = c.out;
        break;
      }
    }
  }
  if (!found) specs = output_specs(specs_of(xs), call, plain);
  HeldOf<Node> node(new Node(HeldOf<Callee>(this), xs, extras, plan.text()));
  Tensors ys;
  ys.reserve(specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    auto* body = new TensorBody(specs[i], node, static_cast<uint32_t>(i));
    body->retain(Counted::kUser);
    ys.emplace_back(body);
  }
  if (object_->supports_masking()) put_masks(ys, object_->compute_mask(xs, masks));
  if (ys.size() > 1 && output_names.size() == ys.size()) return Outputs(std::move(ys), output_names);
  return Outputs(std::move(ys));
}

std::vector<Spec> LayerBody::output_specs(const std::vector<Spec>& inputs, const Call& given, bool keep) {
  constexpr size_t kMost = 8;
  std::vector<Spec> out;
  {
    Abstractly abstractly;
    With no_watcher(nn_context.watcher, static_cast<CallWatcher*>(nullptr));
    Outputs ys = apply(abstract_of(inputs), given);
    out = specs_of(ys.items());
  }
  if (!keep) return out;
  std::lock_guard lock(cache_mutex_);
  if (cache_.size() >= kMost) cache_.erase(cache_.begin());
  cache_.push_back({inputs, out, given.training ? *given.training : -1});
  return out;
}

// ---- LayerBody: weights of the tree ---------------------------------------------------------------------------------------------------

void LayerBody::collect(Which which, Variables& out) const {
  std::vector<const LayerBody*> seen;
  std::vector<const VariableBody*> shared;
  collect(which, out, seen, shared, false);
}

void LayerBody::collect(Which which, Variables& out, std::vector<const LayerBody*>& seen, std::vector<const VariableBody*>& shared,
                        bool frozen) const {
  if (std::find(seen.begin(), seen.end(), this) != seen.end()) return;
  seen.push_back(this);
  frozen |= !trainable();
  auto add = [&](bool trainable, bool seed) {
    for (const OwnWeight& w : weights_) {
      if (w.trainable != trainable || w.seed != seed || (seed && which == Which::weights)) continue;
      bool trains = w.variable->trainable() && !frozen;
      if ((which == Which::trainable && !trains) || (which == Which::non_trainable && trains)) continue;
      if (w.shared) shared.push_back(w.variable.get());
      else if (std::find(shared.begin(), shared.end(), w.variable.get()) != shared.end()) continue;
      out.push_back(Variable(w.variable.get()));
    }
  };
  add(true, false);
  add(false, false);
  add(false, true);
  for (const OwnChild& c : children_) c.layer->collect(which, out, seen, shared, frozen);
}

void LayerBody::each_weight(const std::function<void(const LayerBody&, const OwnWeight&)>& visit) const {
  std::vector<const LayerBody*> seen, todo{this};
  while (!todo.empty()) {
    const LayerBody* l = todo.back();
    todo.pop_back();
    if (std::find(seen.begin(), seen.end(), l) != seen.end()) continue;
    seen.push_back(l);
    for (const OwnWeight& w : l->weights_) visit(*l, w);
    for (auto c = l->children_.rbegin(); c != l->children_.rend(); ++c) todo.push_back(c->layer.get());
  }
}

// ---- LayerBase --------------------------------------------------------------------------------------------------------------------------

LayerBase::LayerBase(LayerOptions options) : body_(new LayerBody(this, std::move(options))) { body_->retain(Counted::kUser); }

LayerBase::~LayerBase() {
  if (owned_) return;
  body_->object_ = nullptr;
  body_->release(Counted::kUser);
}

void LayerBase::build(const Shape&) {}
void LayerBase::build_all(const std::vector<Shape>& inputs) { build(inputs.empty() ? Shape{} : inputs.front()); }
Tensor LayerBase::call(Tensor, const Call&) { fail(Code::Internal, "{}: overrides neither call nor call_all", class_name()); }
Tensors LayerBase::call_all(Tensors xs, const Call& c) {
  check(xs.size() == 1, Code::InvalidArgument, "{}: expected one input, got {}", name(), xs.size());
  Tensor x = std::move(xs[0]);
  xs.clear();
  xs.push_back(call(std::move(x), c));
  return xs;
}
void LayerBase::visit_config(Fields&) {}
bool LayerBase::supports_masking() const { return false; }
bool LayerBase::takes_mask() const { return false; }
bool LayerBase::autocast() const { return true; }
Tensors LayerBase::compute_mask(const Tensors&, const Tensors& masks) { return masks; }
std::vector<std::string> LayerBase::call_arguments() const { return {}; }
std::string LayerBase::class_name() const { return detail::short_name(typeid(*this)); }
void LayerBase::trace(memory::Visitor&) const {}

std::string LayerBase::name() const { return body_->name(); }
bool LayerBase::trainable() const { return body_->trainable(); }
bool LayerBase::built() const { return body_->built(); }
const DTypePolicy& LayerBase::dtype_policy() const { return body_->policy(); }

Weight LayerBase::weight(std::string name, const Shape& shape, const Initializer& initializer, const WeightOptions& options) {
  VariableBody* v = body_->add_weight(std::move(name), shape, initializer, options);
  const bool in_compute = is_float(v->spec().dtype) && options.autocast && autocast();
  return Weight(v, in_compute ? compute_dtype() : v->spec().dtype);
}
Child LayerBase::child(std::string attribute, const Layer& layer) {
  LayerBody* c = &body_of(layer);
  if (!c->named()) c->set_name(attribute);
  return Child(body_->add_child(std::move(attribute), c));
}
Weight LayerBase::seed_state(std::optional<int64_t> seed) {
  VariableBody* v = body_->add_seed(seed);
  return Weight(v, v->spec().dtype);
}
Weight LayerBase::kept_state(std::string name, const Shape& shape) { return Weight(body_->add_state(std::move(name), shape), compute_dtype()); }
void LayerBase::add_loss(Tensor term) {
  if (nn_context.losses && !thread_context.abstract) nn_context.losses->terms.push_back(std::move(term));
}

Layer detail::adopt(std::unique_ptr<LayerBase> object) {
  LayerBody* body = &object->body();
  Layer layer(body);
  body->adopt(std::move(object));
  body->release(Counted::kUser);  // the construction's
  return layer;
}

// ---- Weight, Child ------------------------------------------------------------------------------------------------------------------------

Tensor Weight::value() const {
  check(body_ != nullptr, Code::InvalidArgument, "weight: used before it was made; make it in build()");
  Tensor t = read_variable(*body_);
  return t.dtype() == compute_ ? t : cast(std::move(t), compute_);
}
void Weight::assign(Tensor value) const {
  check(body_ != nullptr, Code::InvalidArgument, "weight: used before it was made; make it in build()");
  if (value.defined() && value.dtype() != body_->spec().dtype) value = cast(std::move(value), body_->spec().dtype);
  assign_variable(*body_, std::move(value));
}
const Shape& Weight::shape() const { return body_->spec().shape; }
Variable Weight::variable() const { return Variable(body_); }
Layer Child::layer() const { return Layer(body_); }

// ---- Layer ------------------------------------------------------------------------------------------------------------------------------------

Layer::Layer(LayerBody* body) noexcept : body_(body) {
  if (body_) body_->retain(Counted::kUser);
}
Layer::Layer(const Layer& o) noexcept : Layer(o.body_) {}
Layer::~Layer() {
  if (body_) body_->release(Counted::kUser);
}

Outputs Layer::operator()(TensorList inputs) const { return body_of(*this).apply(std::move(inputs).items(), Call{}); }
Outputs Layer::operator()(TensorList inputs, const Call& options) const { return body_of(*this).apply(std::move(inputs).items(), options); }

std::string Layer::name() const { return body_of(*this).name(); }
std::string Layer::class_name() const { return body_of(*this).object().class_name(); }
bool Layer::built() const { return body_of(*this).built(); }
bool Layer::trainable() const { return body_of(*this).trainable(); }
void Layer::set_trainable(bool on) const { body_of(*this).set_trainable(on); }
DTypePolicy Layer::dtype_policy() const { return body_of(*this).policy(); }

void Layer::build(const std::vector<Shape>& inputs) const {
  LayerBody& b = body_of(*this);
  if (b.children().empty()) return b.build(inputs);
  // What lies below is built by a call on specs.
  std::vector<Spec> specs;
  for (const Shape& s : inputs) specs.push_back({s, b.policy().compute_dtype()});
  b.output_specs(specs, Call{});
}

std::vector<Spec> Layer::output_specs(const std::vector<Spec>& inputs) const { return body_of(*this).output_specs(inputs, Call{}); }

namespace {
Variables collected(const Layer& l, LayerBody::Which which) {
  Variables out;
  body_of(l).collect(which, out);
  return out;
}
}  // namespace

Variables Layer::variables() const { return collected(*this, LayerBody::Which::variables); }
Variables Layer::weights() const { return collected(*this, LayerBody::Which::weights); }
Variables Layer::trainable_variables() const { return collected(*this, LayerBody::Which::trainable); }
Variables Layer::non_trainable_variables() const { return collected(*this, LayerBody::Which::non_trainable); }

Tensors Layer::get_weights() const {
  Tensors out;
  for (const Variable& v : weights()) out.push_back(v.body()->read());
  return out;
}

void Layer::set_weights(const Tensors& values) const {
  Variables vs = weights();
  check(values.size() == vs.size(), Code::InvalidArgument, "{}: expected {} weights, got {}", name(), vs.size(), values.size());
  for (size_t i = 0; i < vs.size(); ++i) {
    check(values[i].concrete(), Code::InvalidArgument, "{}: weight {} ({}) has no values", name(), i, vs[i].name());
    check(values[i].shape() == vs[i].shape(), Code::Shape, "{}: weight {} ({}) is {}, got {}", name(), i, vs[i].name(), vs[i].spec(),
          values[i].spec());
  }
  for (size_t i = 0; i < vs.size(); ++i) vs[i].assign(cast(values[i], vs[i].dtype()));
}

int64_t Layer::count_params() const {
  int64_t n = 0;
  for (const Variable& v : weights()) n += v.spec().shape.elements();
  return n;
}

std::vector<Layer> Layer::layers() const {
  std::vector<Layer> out;
  for (const auto& c : body_of(*this).children()) out.emplace_back(c.layer.get());
  return out;
}

std::string Layer::get_config() const { return body_of(*this).config().dump(); }

Layer Layer::clone() const {
  LayerBody& b = body_of(*this);
  const bool model = dynamic_cast<FunctionalObject*>(&b.object()) || dynamic_cast<SequentialObject*>(&b.object());
  Layer copy = model ? clone_model(b) : layer_from(layer_json(b));
  copy.body()->file_notes = b.file_notes;
  if (model) return copy;
  if (b.built()) {
    if (!copy.built()) copy.build(b.built_for());
    copy.set_weights(get_weights());
  }
  if (auto* learned = dynamic_cast<nn::Vocabularied*>(&b.object()); learned && !learned->configured() && b.kept.size() > 1) {
    const Tensor idf = learned->idf_weights();
    std::vector<double> weights;
    for (int64_t i = 0; idf.defined() && i < idf.size(); ++i) weights.push_back(idf.at(i));
    dynamic_cast<nn::Vocabularied&>(copy.body()->object()).set_vocabulary(learned->vocabulary(true), weights);
  }
  return copy;
}

}  // namespace tenure

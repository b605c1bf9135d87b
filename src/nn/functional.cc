#include "nn/functional.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <tenure/ops.h>

namespace tenure {

// ---- finding the nodes ----------------------------------------------------------------------------------------------------------

namespace {

const void* operation_key(const Node* n) { return n->callee() ? static_cast<const void*>(n->callee()) : n; }
LayerBody* layer_of(const Node* n) { return static_cast<LayerBody*>(n->callee()); }
using Symbol = std::pair<const Node*, uint32_t>;
Symbol symbol(const TensorBody& t) { return {t.node(), t.index()}; }

}  // namespace

// Depth-first from the outputs, without recursion: nodes behind what they need, operations by first visit.
struct FunctionalGraph::Walk {
  std::vector<const Node*> nodes;
  std::unordered_map<const void*, int> index;
  std::set<Symbol> inputs;

  template <class F>
  static void each_parent(const Node* n, F&& f) {
    for (size_t i = 0; i < n->inputs() + n->extras(); ++i)
      if (const TensorBody* b = n->input_body(i); b->symbolic()) f(*b);
  }

  Walk(const Tensors& ins, const Tensors& outs) {
    for (const Tensor& t : ins) inputs.insert(symbol(*t.body()));
    std::set<const Node*> done, open;
    struct Visit {
      const Node* node;
      std::vector<const TensorBody*> parents;
      size_t next = 0;
    };
    std::vector<Visit> stack;
    auto enter = [&](const TensorBody& t) {
      const Node* n = t.node();
      bool given = inputs.count(symbol(t)) > 0;
      if (done.count(n) || open.count(n) || (given && n->inputs() > 0)) return;
      check(n->inputs() > 0 || given, Code::InvalidArgument, "Model: the outputs need the input '{}', which is not among the model's inputs",
            n->callee() ? layer_of(n)->name() : "?");
      index.try_emplace(operation_key(n), static_cast<int>(index.size()));
      open.insert(n);
      stack.push_back({n, {}, 0});
      if (!given) each_parent(n, [&](const TensorBody& p) { stack.back().parents.push_back(&p); });
    };
    for (const Tensor& t : outs) {
      enter(*t.body());
      while (!stack.empty()) {
        Visit& v = stack.back();
        if (v.next < v.parents.size()) {
          const TensorBody* p = v.parents[v.next++];
          enter(*p);
          continue;
        }
        open.erase(v.node);
        done.insert(v.node);
        nodes.push_back(v.node);
        stack.pop_back();
      }
    }
  }
};

FunctionalGraph::FunctionalGraph(const Tensors& inputs, const Tensors& outputs) {
  auto symbols = [](const Tensors& ts, const char* what) {
    for (size_t i = 0; i < ts.size(); ++i)
      check(ts[i].defined() && ts[i].body()->symbolic(), Code::InvalidArgument,
            "Model: {} {} is not a symbol; start from Input() and apply layers to it", what, i);
  };
  check(!outputs.empty(), Code::InvalidArgument, "Model: expected at least one output");
  symbols(inputs, "input");
  symbols(outputs, "output");
  Walk walk(inputs, outputs);
  check(walk.inputs.size() == inputs.size(), Code::InvalidArgument, "Model: an input is given twice");
  order(walk, inputs);
  plan(walk, inputs, outputs);
}

// Keras' order of layers: by depth (the longest way to an output), then by first visit.
void FunctionalGraph::order(const Walk& walk, const Tensors& inputs) {
  std::unordered_map<const Node*, int> node_depth;
  struct Found {
    int depth = 0, index = 0;
    Operation operation;
  };
  std::unordered_map<const void*, Found> found;
  for (auto it = walk.nodes.rbegin(); it != walk.nodes.rend(); ++it) {
    const Node* n = *it;
    const void* key = operation_key(n);
    Found& f = found[key];
    int depth = std::max(node_depth[n], f.depth);
    node_depth[n] = f.depth = depth;
    f.index = walk.index.at(key);
    f.operation.layer = n->callee() ? layer_of(n) : nullptr;
    f.operation.op = n->callee() ? nullptr : n;
    f.operation.nodes.push_back(n);
    Walk::each_parent(n, [&](const TensorBody& p) {
      int& d = node_depth[p.node()];
      d = std::max(d, depth + 1);
    });
  }
  for (const Tensor& t : inputs) {
    const Node* n = t.body()->node();
    if (n->inputs() > 0 || found.count(operation_key(n))) continue;  // an inner symbol, or connected
    found[operation_key(n)] = {0, -1, {layer_of(n), nullptr, {}, {n}}};
  }
  std::vector<Found*> sorted;
  for (auto& [key, f] : found) sorted.push_back(&f);
  std::sort(sorted.begin(), sorted.end(),
            [](const Found* a, const Found* b) { return a->depth != b->depth ? a->depth > b->depth : a->index < b->index; });
  for (Found* f : sorted) {
    std::sort(f->operation.nodes.begin(), f->operation.nodes.end(), [](const Node* a, const Node* b) { return a->birth() < b->birth(); });
    operations_.push_back(std::move(f->operation));
  }
}

void FunctionalGraph::plan(const Walk& walk, const Tensors& inputs, const Tensors& outputs) {
  std::map<Symbol, int> slot;
  auto slot_of = [&](const Symbol& s) { return slot.try_emplace(s, static_cast<int>(slot.size())).first->second; };
  for (const Tensor& t : inputs) input_slots_.push_back(slot_of(symbol(*t.body())));
  for (const Node* n : walk.nodes) {
    if (n->inputs() == 0) continue;  // an Input
    Step s{n, {}, {}, {}, {}, {}};
    for (size_t i = 0; i < n->inputs() + n->extras(); ++i) {
      const TensorBody* b = n->input_body(i);
      (i < n->inputs() ? s.in : s.extra).push_back(b->symbolic() ? slot_of(symbol(*b)) : -1);
    }
    s.last_in.assign(s.in.size(), false);
    s.call = CallPlan::from(n->arguments());
    s.takes_masks = n->callee() && dynamic_cast<const TakesMasks*>(&layer_of(n)->object());
    steps_.push_back(std::move(s));
  }
  for (const Tensor& t : outputs) output_slots_.push_back(slot_of(symbol(*t.body())));
  // Slots are known: which output of which step fills them.
  std::unordered_map<const Node*, Step*> step_of;
  for (Step& s : steps_) step_of[s.node] = &s;
  for (auto& [key, number] : slot) {
    auto it = step_of.find(key.first);
    if (it == step_of.end() || std::find(input_slots_.begin(), input_slots_.end(), number) != input_slots_.end()) continue;
    auto& out = it->second->out;
    if (out.size() <= key.second) out.resize(key.second + 1, -1);
    out[key.second] = number;
  }
  slots_ = slot.size();
  std::vector<bool> read(slots_, false);
  for (int o : output_slots_) read[static_cast<size_t>(o)] = true;
  for (auto s = steps_.rbegin(); s != steps_.rend(); ++s) {
    for (int e : s->extra)
      if (e >= 0) read[static_cast<size_t>(e)] = true;
    for (size_t i = s->in.size(); i-- > 0;) {
      if (s->in[i] < 0) continue;
      auto at = static_cast<size_t>(s->in[i]);
      s->last_in[i] = !read[at];
      read[at] = true;
    }
  }
}

const FunctionalGraph::Operation& FunctionalGraph::operation_of(const Node* n) const {
  for (const Operation& o : operations_)
    if (std::find(o.nodes.begin(), o.nodes.end(), n) != o.nodes.end()) return o;
  fail(Code::Internal, "a node is not part of its model");
}

FunctionalGraph::Address FunctionalGraph::address_of(const TensorBody& t) const {
  const Operation& o = operation_of(t.node());
  auto at = std::find(o.nodes.begin(), o.nodes.end(), t.node()) - o.nodes.begin();
  return {&o, static_cast<size_t>(at), t.index()};
}

// ---- running --------------------------------------------------------------------------------------------------------------------

Tensors FunctionalGraph::run_step(const Step& s, std::vector<Tensor>& slots) const {
  Tensors xs;
  xs.reserve(s.in.size());
  for (size_t i = 0; i < s.in.size(); ++i) {
    if (s.in[i] < 0) xs.push_back(s.node->input(i));
    else if (Tensor& t = slots[static_cast<size_t>(s.in[i])]; s.last_in[i]) xs.push_back(std::move(t));
    else xs.push_back(t);
  }
  if (const Op* op = s.node->op()) {
    if (!nn_context.logits || (op->name != "softmax" && op->name != "sigmoid")) return apply_all(*op, xs, s.node->attrs());
    return {noting_logits(std::move(xs[0]), [&](Tensor x) { return apply_all(*op, {&x, 1}, s.node->attrs())[0]; })};
  }
  // An enclosing call that says whether it trains is heard before what the node was made with.
  bool said = thread_context.call && thread_context.call->training;
  Call call = s.call.bind([&](size_t i) { return s.extra[i] < 0 ? s.node->extra(i) : slots[static_cast<size_t>(s.extra[i])]; });
  if (said) call.training.reset();
  return layer_of(s.node)->apply(std::move(xs), call).items();
}

Tensors FunctionalGraph::run(Tensors xs) const {
  std::vector<Tensor> slots(slots_);
  for (size_t i = 0; i < input_slots_.size(); ++i) slots[static_cast<size_t>(input_slots_[i])] = std::move(xs[i]);
  for (const Step& s : steps_) {
    Tensors ys = run_step(s, slots);
    for (size_t i = 0; i < s.out.size(); ++i)
      if (s.out[i] >= 0) slots[static_cast<size_t>(s.out[i])] = std::move(ys.at(i));
    for (size_t i = 0; s.takes_masks && i < s.in.size(); ++i)
      if (s.in[i] >= 0)
        if (Tensor& t = slots[static_cast<size_t>(s.in[i])]; t.defined()) t = without_mask(std::move(t));
  }
  Tensors out;
  out.reserve(output_slots_.size());
  for (int o : output_slots_) out.push_back(slots[static_cast<size_t>(o)]);
  return out;
}

// ---- names ----------------------------------------------------------------------------------------------------------------------

void name_layers(const std::vector<LayerBody*>& layers, const std::string& model) {
  std::map<std::string, const LayerBody*> taken;
  for (LayerBody* l : layers) {
    if (!l->named()) continue;
    auto [it, fresh] = taken.try_emplace(l->name(), l);
    check(fresh || it->second == l, Code::InvalidArgument, "Model {}: two layers are named '{}'; names must differ within a model", model, l->name());
  }
  std::map<std::string, int> next;
  for (LayerBody* l : layers) {
    if (l->named()) continue;
    std::string base = l->name();
    std::string name;
    do {
      int n = next[base]++;
      name = n == 0 ? base : fmt::format("{}_{}", base, n);
    } while (taken.count(name));
    l->set_name(name);
    taken[name] = l;
  }
}

// ---- the layer ------------------------------------------------------------------------------------------------------------------

FunctionalObject::FunctionalObject(const Functional& f)
    : LayerBase({f.name, f.trainable, {}, {}}),
      graph_(std::make_unique<FunctionalGraph>(f.inputs.items(), f.outputs.items())),
      inputs_(f.inputs.size()) {
  std::vector<LayerBody*> layers;
  for (auto& o : graph_->operations())
    if (o.layer) layers.push_back(o.layer);
  name_layers(layers, f.name);
  std::set<std::string> taken;
  for (LayerBody* l : layers) taken.insert(l->name());
  for (auto& o : graph_->operations()) {
    if (o.layer) {
      o.name = o.layer->name();
      body().add_child("layers", o.layer);
      continue;
    }
    std::string base(o.op->op()->name);
    o.name = base;
    for (int n = 1; !taken.insert(o.name).second; ++n) o.name = fmt::format("{}_{}", base, n);
  }
  for (const Tensor& t : f.inputs.items()) body().kept.emplace_back(t);
  for (const Tensor& t : f.outputs.items()) body().kept.emplace_back(t);
  body().graph = graph_.get();
  for (const Tensor& t : f.outputs.items()) body().output_names.push_back(graph_->operation_of(t.body()->node()).name);
  if (!f.trainable) body().set_trainable(false);
  body().build(shapes_of(specs_of(f.inputs.items())));
}

// Keras' latitude: a missing or superfluous last dimension of 1; any dtype becomes the Input's.
Tensor FunctionalObject::fit_input(Tensor x, size_t i) const {
  const Spec& want = body().kept[i].spec();
  int rank = want.shape.rank();
  if (x.rank() == rank - 1 && want.shape.back() == 1) x = expand_dims(std::move(x), -1);
  else if (x.rank() == rank + 1 && x.shape().back() == 1) x = squeeze(std::move(x), {-1});
  bool fits = x.rank() == rank;
  for (int d = 0; fits && d < rank; ++d) fits = want.shape[d] < 0 || x.shape()[d] < 0 || want.shape[d] == x.shape()[d];
  check(fits, Code::Shape, "{}: input {} ('{}') is {}, got {}", name(), i, graph_->operation_of(body().kept[i]->node()).name, want, x.spec());
  return x.dtype() == want.dtype ? std::move(x) : cast(std::move(x), want.dtype);
}

Tensors FunctionalObject::call_all(Tensors xs, const Call& c) {
  check(xs.size() == inputs_, Code::InvalidArgument, "{}: expected {} input{}, got {}", name(), inputs_, inputs_ == 1 ? "" : "s", xs.size());
  for (size_t i = 0; i < xs.size(); ++i) xs[i] = with_mask(fit_input(std::move(xs[i]), i), c.mask_of(i));
  return graph_->run(std::move(xs));
}

// ---- Sequential -----------------------------------------------------------------------------------------------------------------

void SequentialObject::set_input(Spec spec, std::string name) {
  input_ = std::move(spec);
  input_name_ = std::move(name);
  given_ = true;
}

void SequentialObject::add(const Layer& layer) {
  LayerBody& l = body_of(layer);
  if (l.object().class_name() == "InputLayer") {
    check(body().children().empty() && !input_, Code::InvalidArgument, "{}: an InputLayer stands first or not at all", name());
    set_input(input_spec(l), l.named() ? l.name() : "input_layer");
    body().build({input_->shape});
    return;
  }
  std::vector<LayerBody*> layers;
  for (const auto& c : body().children()) layers.push_back(c.layer.get());
  layers.push_back(&l);
  name_layers(layers, name());
  body().add_child("layers", &l);
  body().kept.clear();
  if (input_) {
    try {
      extend();
    } catch (...) {
      body().remove_child();
      throw;
    }
  }
}

void SequentialObject::pop() {
  body().remove_child();
  body().kept.clear();
  if (specs_.size() > body().children().size()) specs_.pop_back();
}

void SequentialObject::extend() {
  const auto& children = body().children();
  for (size_t i = specs_.size(); i < children.size(); ++i) {
    std::vector<Spec> out = children[i].layer->output_specs({i == 0 ? *input_ : specs_[i - 1]}, Call{});
    check(out.size() == 1 || i + 1 == children.size(), Code::InvalidArgument, "{}: layer {} has {} outputs; in a Sequential each layer has one",
          name(), children[i].layer->name(), out.size());
    specs_.push_back(out.empty() ? Spec{} : out[0]);
  }
}

void SequentialObject::build_all(const std::vector<Shape>& inputs) {
  check(inputs.size() == 1, Code::InvalidArgument, "{}: expected one input, got {}", name(), inputs.size());
  if (!input_) {
    Shape s = inputs[0];
    if (s.rank() > 0) s[0] = -1;
    input_ = Spec{s, compute_dtype()};
    input_name_ = "input_layer";
  }
  extend();
}

Tensors SequentialObject::call_all(Tensors xs, const Call& c) {
  check(xs.size() == 1, Code::InvalidArgument, "{}: expected one input, got {}", name(), xs.size());
  if (given_) {
    Tensor& x = xs[0];
    const Shape& want = input_->shape;
    if (x.rank() == want.rank() - 1 && want.back() == 1) x = expand_dims(std::move(x), -1);
    bool fits = x.rank() == want.rank();
    for (int d = 0; fits && d < want.rank(); ++d) fits = want[d] < 0 || x.shape()[d] < 0 || want[d] == x.shape()[d];
    check(fits, Code::Shape, "{}: the input is {}, got {}", name(), *input_, x.spec());
    if (x.dtype() != input_->dtype) x = cast(std::move(x), input_->dtype);
  }
  xs[0] = with_mask(std::move(xs[0]), c.mask_of(0));
  for (const auto& child : body().children()) xs = child.layer->apply(std::move(xs), Call{}).items();
  return xs;
}

void SequentialObject::make_symbols() {
  auto& kept = body().kept;
  if (!kept.empty()) return;
  check(input_.has_value(), Code::InvalidArgument, "{}: has no symbols before it is built; put an InputLayer first, or call build()", name());
  Tensor x = Input({.dtype = input_->dtype, .batch_shape = input_->shape, .name = input_name_});
  std::vector<Held> symbols{Held(x)};
  for (const auto& child : body().children()) {
    x = child.layer->apply({x}, Call{});
    symbols.emplace_back(x);
  }
  kept = std::move(symbols);
}

// ---- configuration and copies ------------------------------------------------------------------------------------------------------

namespace {
[[noreturn]] void refuse_config(const LayerBase& model) {
  fail(Code::Unsupported, "{}: a model of layers is written with its graph; use Model::to_json() or save()", model.name());
}
}  // namespace

void FunctionalObject::visit_config(Fields&) { refuse_config(*this); }
void SequentialObject::visit_config(Fields&) { refuse_config(*this); }

Layer clone_model(const LayerBody& model) {
  std::string name = model.named() ? model.name() : "";
  if (auto* s = dynamic_cast<SequentialObject*>(&model.object())) {
    Layer copy = make_layer<SequentialObject>(LayerOptions{name, model.trainable(), model.policy(), {}});
    auto& object = static_cast<SequentialObject&>(copy.body()->object());
    for (const auto& c : model.children()) object.add(Layer(c.layer.get()).clone());
    if (s->input()) {
      if (s->input_given()) object.set_input(*s->input(), s->input_name());
      copy.body()->build({s->input()->shape});
    }
    return copy;
  }
  const FunctionalGraph& g = *model.graph;
  std::map<const LayerBody*, Layer> copies;
  for (const auto& o : g.operations())
    if (o.layer) copies.emplace(o.layer, Layer(o.layer).clone());
  std::map<Symbol, Tensor> symbols;
  size_t inputs = static_cast<FunctionalObject&>(model.object()).inputs();
  Tensors ins, outs;
  for (size_t i = 0; i < inputs; ++i) {
    const TensorBody& t = *model.kept[i].get();
    check(t.node()->inputs() == 0, Code::Unsupported, "{}: a model that starts from inner symbols cannot be copied", model.name());
    ins.push_back(symbol_of(copies.at(layer_of(t.node()))));
    symbols[symbol(t)] = ins.back();
  }
  for (const auto& s : g.steps()) {
    auto argument = [&](size_t i) {
      const TensorBody* b = s.node->input_body(i);
      return b->symbolic() ? symbols.at(symbol(*b)) : s.node->input(i);
    };
    Tensors xs, ys;
    for (size_t i = 0; i < s.in.size(); ++i) xs.push_back(argument(i));
    if (s.node->callee()) {
      Call call = s.call.bind([&](size_t i) { return argument(s.in.size() + i); });
      ys = copies.at(layer_of(s.node)).body()->apply(std::move(xs), call).items();
    } else {
      ys = apply_all(*s.node->op(), xs, s.node->attrs());
    }
    for (size_t i = 0; i < ys.size(); ++i) symbols[{s.node, static_cast<uint32_t>(i)}] = std::move(ys[i]);
  }
  for (size_t i = inputs; i < model.kept.size(); ++i) outs.push_back(symbols.at(symbol(*model.kept[i].get())));
  return make_layer<FunctionalObject>(Functional{.inputs = ins, .outputs = outs, .name = name, .trainable = model.trainable()});
}

}  // namespace tenure

// GradientTape. A tape owns its entries; an entry owns exactly the tensors that its gradient reads, and a custom gradient if it has one.
// Tensors do not know of tapes: a tape knows them by ids that are never used again. Of one thread.
#include <tenure/tape.h>

#include <deque>
#include <unordered_map>

#include <tenure/op.h>
#include <tenure/ops.h>

#include "core/context.h"
#include "core/variable_body.h"
#include "memory/lifecycle.h"

namespace tenure {

using memory::Counted;

class TapeBody final : public Counted, public TapeRecorder, public memory::Lifecycle {
 public:
  explicit TapeBody(TapeOptions o) : Counted(memory::Kind::tape), options_(o) {}

  void open() {
    outer = thread_context.tapes;
    thread_context.tapes = this;
    open_ = true;
  }
  void close() noexcept {
    if (!open_) return;
    open_ = false;
    if (leave(thread_context.tapes)) return;
    for (HideTapes* h = thread_context.hidden_tapes; h; h = h->outer)
      if (leave(h->list)) return;
  }

  // ---- TapeRecorder ----
  bool watches(std::span<const Tensor> xs) const noexcept override {
    if (paused_ || slots_.empty()) return false;
    for (const Tensor& x : xs)
      if (slots_.count(x.id())) return true;
    return false;
  }
  void* begin(const Op& op, AttrRef attrs, std::span<const Tensor> xs) override {
    auto* e = new Entry;
    e->op = &op;
    e->attrs = AttrBox(attrs);
    e->account = memory::current_account();
    e->inputs.reserve(xs.size());
    for (size_t i = 0; i < xs.size(); ++i) {
      e->inputs.push_back({xs[i].id(), xs[i].spec(), {}});
      if (i < 16 && (op.saves.inputs >> i & 1)) e->inputs.back().saved = Held(xs[i]);
      else if (i >= 16 && op.saves.inputs == 0xffff) e->inputs.back().saved = Held(xs[i]);
    }
    return e;
  }
  void finish(void* ticket, std::span<const Tensor> ys) override {
    std::unique_ptr<Entry> e(static_cast<Entry*>(ticket));
    if (!e->op->grad) return;  // not differentiable: what comes out leads nowhere
    for (size_t i = 0; i < ys.size(); ++i) {
      e->outputs.push_back({ys[i].id(), ys[i].spec(), {}});
      if (i < 16 && (e->op->saves.outputs >> i & 1)) e->outputs.back().saved = Held(ys[i]);
    }
    add(std::move(*e));
  }
  void cancel(void* ticket) noexcept override { delete static_cast<Entry*>(ticket); }
  bool wants(const VariableBody& v) const noexcept override {
    return !paused_ && ((options_.watch_accessed_variables && v.trainable()) || watched_.count(v.birth()));
  }
  void read(VariableBody& v, const Tensor& value) override {
    if (wants(v)) {
      auto [it, fresh] = slots_.try_emplace(value.id(), slot_count_);
      if (fresh) {
        ++slot_count_;
        of_variable_[v.birth()].push_back(it->second);
      }
    }
  }

  // ---- GradientTape ----
  void watch(const Tensor& t) {
    check(t.defined(), Code::InvalidArgument, "GradientTape.watch: this handle is empty");
    check(is_float(t.dtype()), Code::DType, "GradientTape.watch: expected a floating-point tensor, got {}", t.spec());
    if (slots_.try_emplace(t.id(), slot_count_).second) ++slot_count_;
  }
  void watch(VariableBody& v) {
    watched_[v.birth()] = true;
    if (!thread_context.trace) read(v, v.read());
  }
  Tensors gradient(std::span<const Tensor> targets, std::span<const uint64_t> sources, std::span<const VariableBody* const> variables,
                   std::span<const Spec> specs, Unconnected u, const Tensor& output_gradient);
  void pause(bool on) noexcept { paused_ = on; }
  void clear() {
    entries_.clear();
    slots_.clear();
    of_variable_.clear();
    slot_count_ = 0;
    used_ = false;
  }
  size_t entries() const noexcept { return entries_.size(); }
  size_t saved_bytes() const {
    std::unordered_map<const memory::Storage*, size_t> seen;
    for (const Entry& e : entries_)
      for (auto* ends : {&e.inputs, &e.outputs})
        for (const End& x : *ends)
          if (x.saved && x.saved->storage()) seen[x.saved->storage()] = x.saved->storage()->bytes();
    size_t sum = 0;
    for (auto& [s, n] : seen) sum += n;
    return sum;
  }
  void add_custom(std::span<const Tensor> xs, std::span<const Tensor> ys, std::shared_ptr<GradientFunction> f) {
    Entry e;
    e.custom = std::move(f);
    e.account = memory::current_account();
    for (const Tensor& x : xs) e.inputs.push_back({x.id(), x.spec(), {}});
    for (const Tensor& y : ys) e.outputs.push_back({y.id(), y.spec(), {}});
    add(std::move(e));
  }

  void trace(memory::EdgeVisitor& v) const override {
    for (size_t i = 0; i < entries_.size(); ++i)
      for (auto* ends : {&entries_[i].inputs, &entries_[i].outputs})
        for (const End& x : *ends) v.edge(x.saved.get(), "entries", static_cast<int64_t>(i));
  }
  Says says() const override {
    using memory::Standing;
    const char* fix = "drop the tape after its last gradient()";
    if (used_ && !options_.persistent) return {Standing::stuck, "gradient() was called, and it is not persistent", "drop the tape"};
    if (used_ && paused_) return {Standing::stuck, "it is stopped and gradient() was called; it is persistent", fix};
    if (used_) return {Standing::unknown, "gradient() was called; it is persistent and records on", fix};
    if (paused_)
      return {Standing::unknown, "it is stopped and gradient() was not called", "drop the tape, or call gradient(), which frees its entries"};
    return {Standing::expected, "it is recording"};
  }
  std::string describe() const override {
    return fmt::format("GradientTape{} with {} entries{}", options_.persistent ? " (persistent)" : "", entries_.size(), open_ ? "" : ", closed");
  }

 private:
  struct End {
    uint64_t id;
    Spec spec;
    Held saved;
  };
  struct Entry {
    const Op* op = nullptr;
    AttrBox attrs;
    std::shared_ptr<GradientFunction> custom;
    memory::AccountId account = 0;
    std::vector<End> inputs, outputs;
  };
  class Context;

  ~TapeBody() override { close(); }

  bool leave(TapeRecorder*& list) noexcept {
    for (TapeRecorder** at = &list; *at; at = &(*at)->outer)
      if (*at == this) {
        *at = outer;
        return true;
      }
    return false;
  }

  void add(Entry e) {
    for (const End& y : e.outputs)
      if (slots_.try_emplace(y.id, slot_count_).second) ++slot_count_;
    entries_.push_back(std::move(e));
  }
  int64_t slot(uint64_t id) const {
    auto it = slots_.find(id);
    return it == slots_.end() ? -1 : static_cast<int64_t>(it->second);
  }

  TapeOptions options_;
  bool open_ = false, paused_ = false, used_ = false;
  std::deque<Entry> entries_;
  std::unordered_map<uint64_t, size_t> slots_;                     // tensor id to slot of its gradient
  std::unordered_map<uint64_t, std::vector<size_t>> of_variable_;  // Variable id to the slots of its reads
  std::unordered_map<uint64_t, bool> watched_;
  size_t slot_count_ = 0;
};

class TapeBody::Context final : public Grad {
 public:
  Context(const Entry& e, std::vector<Tensor> dys, std::vector<char> needed) : e_(e), dys_(std::move(dys)), needed_(std::move(needed)) {
    for (const End& x : e.inputs) xs_.push_back(x.saved.tensor());
    for (const End& y : e.outputs) ys_.push_back(y.saved.tensor());
  }
  const Tensor& x(int i) const override { return xs_[static_cast<size_t>(i)]; }
  const Tensor& y(int i) const override { return ys_[static_cast<size_t>(i)]; }
  const Tensor& dy(int i) const override { return dys_[static_cast<size_t>(i)]; }
  const Spec& xspec(int i) const override { return e_.inputs[static_cast<size_t>(i)].spec; }
  const Spec& yspec(int i) const override { return e_.outputs[static_cast<size_t>(i)].spec; }
  int inputs() const override { return static_cast<int>(e_.inputs.size()); }
  int outputs() const override { return static_cast<int>(e_.outputs.size()); }
  bool needs(int i) const override { return needed_[static_cast<size_t>(i)]; }

 protected:
  const void* attrs() const override { return e_.attrs.ref().p; }

 private:
  const Entry& e_;
  Tensors xs_, ys_, dys_;  // stack-bound
  std::vector<char> needed_;
};

Tensors TapeBody::gradient(std::span<const Tensor> targets, std::span<const uint64_t> sources, std::span<const VariableBody* const> variables,
                           std::span<const Spec> specs, Unconnected u, const Tensor& output_gradient) {
  check(!used_ || options_.persistent, Code::InvalidArgument,
        "GradientTape.gradient: this tape was used already; make it with {{.persistent = true}} to ask it twice");
  used_ = true;
  if (!options_.persistent) close();

  // Slots of the sources, and everything that leads to one.
  std::vector<char> leads(slot_count_, 0);
  std::vector<std::vector<size_t>> wanted;
  for (uint64_t id : sources) {
    wanted.emplace_back();
    if (int64_t s = slot(id); s >= 0) wanted.back().push_back(static_cast<size_t>(s));
  }
  for (const VariableBody* v : variables) {
    auto it = of_variable_.find(v->birth());
    wanted.push_back(it == of_variable_.end() ? std::vector<size_t>{} : it->second);
  }
  std::vector<char> is_source(slot_count_, 0);
  for (auto& list : wanted)
    for (size_t s : list) leads[s] = is_source[s] = 1;
  size_t count = entries_.size(), slots = slot_count_;
  for (size_t i = 0; i < count; ++i) {
    bool any = false;
    for (const End& x : entries_[i].inputs) {
      int64_t s = slot(x.id);
      any |= s >= 0 && leads[static_cast<size_t>(s)];
    }
    if (any)
      for (const End& y : entries_[i].outputs)
        if (int64_t s = slot(y.id); s >= 0) leads[static_cast<size_t>(s)] = 1;
  }

  std::vector<Tensor> grads(slots);
  auto accumulate = [&](size_t s, Tensor g) {
    if (!g.defined()) return;
    grads[s] = grads[s].defined() ? tenure::add(std::move(grads[s]), std::move(g)) : std::move(g);
  };
  memory::As as(memory::Category::gradient);
  for (const Tensor& t : targets) {
    check(t.defined(), Code::InvalidArgument, "GradientTape.gradient: the target is an empty handle");
    if (output_gradient.defined())
      check(output_gradient.shape() == t.shape(), Code::Shape, "GradientTape.gradient: the target is {}, its output gradient {}", t.spec(),
            output_gradient.spec());
    int64_t s = slot(t.id());
    if (s >= 0 && static_cast<size_t>(s) < slots && leads[static_cast<size_t>(s)])
      accumulate(static_cast<size_t>(s), output_gradient.defined() ? output_gradient : ones_like(t));
  }
  for (size_t i = count; i-- > 0;) {
    Entry& e = entries_[i];
    std::vector<Tensor> dys;
    bool any = false;
    for (const End& y : e.outputs) {
      auto s = static_cast<size_t>(slot(y.id));
      dys.push_back(is_source[s] ? grads[s] : std::move(grads[s]));
      any |= dys.back().defined() && leads[s];
    }
    if (any) {
      std::vector<char> needed;
      for (const End& x : e.inputs) {
        int64_t s = slot(x.id);
        needed.push_back(s >= 0 && leads[static_cast<size_t>(s)]);
      }
      static const memory::NameId backward = memory::static_name("backward");
      memory::Enter at(memory::Enter::At{memory::child(e.account, backward)});
      Tensors dxs;
      if (e.custom) {
        for (size_t k = 0; k < dys.size(); ++k)
          if (!dys[k].defined()) dys[k] = zeros(e.outputs[k].spec.shape, e.outputs[k].spec.dtype);
        auto f = e.custom;
        dxs = (*f)(dys);
        check(dxs.size() == e.inputs.size(), Code::InvalidArgument, "custom_gradient: expected {} gradients, one an input, got {}", e.inputs.size(),
              dxs.size());
      } else {
        const Op* op = e.op;
        Context context(e, std::move(dys), needed);
        if (!options_.persistent)
          for (auto* ends : {&e.inputs, &e.outputs})
            for (End& x : *ends) x.saved.reset();
        dxs = op->grad(context);
        ensure(dxs.size() == needed.size(), "a gradient returned a wrong number of tensors");
      }
      for (size_t k = 0; k < dxs.size(); ++k) {
        if (!needed[k] || !dxs[k].defined()) continue;
        const Spec& spec = e.inputs[k].spec;
        check(dxs[k].shape() == spec.shape || !spec.shape.known(), Code::Shape, "gradient of {}: input {} is {}, its gradient {}",
              e.op ? std::string(e.op->name) : "a custom gradient", k, spec, dxs[k].spec());
        accumulate(static_cast<size_t>(slot(e.inputs[k].id)), std::move(dxs[k]));
      }
    }
    if (!options_.persistent) entries_.pop_back();
  }
  Tensors out;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Tensor g;
    for (size_t s : wanted[i])
      if (grads[s].defined()) g = g.defined() ? tenure::add(std::move(g), grads[s]) : grads[s];
    if (!g.defined() && u == Unconnected::zero) g = zeros(specs[i].shape, specs[i].dtype);
    out.push_back(std::move(g));
  }
  if (!options_.persistent) {
    entries_.clear();
    slots_.clear();
    of_variable_.clear();
  }
  return out;
}

GradientTape::GradientTape(TapeOptions options) : body_(new TapeBody(options)) {
  body_->retain(Counted::kUser);
  body_->open();
}
GradientTape::~GradientTape() {
  body_->close();
  body_->release(Counted::kUser);
}
void GradientTape::watch(const Tensor& t) { body_->watch(t); }
void GradientTape::watch(const Variable& v) { body_->watch(*v.body()); }
void GradientTape::stop() { body_->pause(true); }
void GradientTape::resume() { body_->pause(false); }
void GradientTape::reset() { body_->clear(); }
size_t GradientTape::entries() const { return body_->entries(); }
size_t GradientTape::saved_bytes() const { return body_->saved_bytes(); }

Tensors GradientTape::gradient(const Tensor& target, const Tensors& sources, Unconnected u, const Tensor& output_gradient) {
  std::vector<uint64_t> ids;
  std::vector<Spec> specs;
  for (const Tensor& s : sources) ids.push_back(s.id()), specs.push_back(s.spec());
  return body_->gradient({&target, 1}, ids, {}, specs, u, output_gradient);
}
Tensor GradientTape::gradient(const Tensor& target, const Tensor& source, Unconnected u, const Tensor& output_gradient) {
  return gradient(target, Tensors{source}, u, output_gradient)[0];
}
namespace {
Tensors by_variables(TapeBody& tape, std::span<const Tensor> targets, const Variables& sources, Unconnected u, const Tensor& output_gradient) {
  std::vector<const VariableBody*> bodies;
  std::vector<Spec> specs;
  for (const Variable& v : sources) {
    check(v.defined(), Code::InvalidArgument, "GradientTape.gradient: a source is an empty Variable");
    bodies.push_back(v.body());
    specs.push_back(v.spec());
  }
  return tape.gradient(targets, {}, bodies, specs, u, output_gradient);
}
}  // namespace
Tensors GradientTape::gradient(const Tensor& target, const Variables& sources, Unconnected u, const Tensor& output_gradient) {
  return by_variables(*body_, {&target, 1}, sources, u, output_gradient);
}
Tensors GradientTape::gradient(const Tensors& targets, const Variables& sources, Unconnected u) {
  return by_variables(*body_, targets, sources, u, {});
}
Tensor GradientTape::gradient(const Tensor& target, const Variable& source, Unconnected u, const Tensor& output_gradient) {
  return gradient(target, Variables{source}, u, output_gradient)[0];
}

StopRecording::StopRecording() noexcept : saved_(thread_context.stopped) { thread_context.stopped = true; }
StopRecording::~StopRecording() { thread_context.stopped = saved_; }

std::pair<Tensor, Tensors> value_and_gradient(const std::function<Tensor()>& f, const Variables& sources) {
  GradientTape tape({.watch_accessed_variables = false});
  for (const Variable& v : sources) tape.watch(v);
  Tensor value = f();
  Tensors grads = tape.gradient(value, sources);
  return {std::move(value), std::move(grads)};
}

Tensors custom_gradient(const Tensors& inputs, const std::function<std::pair<Tensors, GradientFunction>(const Tensors&)>& f) {
  std::pair<Tensors, GradientFunction> result;
  {
    StopRecording stop;
    result = f(inputs);
    for (Tensor& y : result.first)
      for (const Tensor& x : inputs)
        if (y.id() == x.id()) y = reshape(y, y.shape());  // an output of its own, so that it has a gradient of its own
  }
  if (thread_context.tapes && !thread_context.stopped) {
    auto shared = std::make_shared<GradientFunction>(std::move(result.second));
    for (TapeRecorder* t = thread_context.tapes; t; t = t->outer)
      if (t->watches(inputs)) static_cast<TapeBody*>(t)->add_custom(inputs, result.first, shared);
  }
  return std::move(result.first);
}

}  // namespace tenure

// Function: the cache of traces. A Function owns its closure and its Executables and nothing else; the least recently used trace goes first.
#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>

#include "base/object_mutex.h"
#include "core/context.h"
#include "graph/executable.h"
#include "memory/living.h"

namespace tenure {

using memory::Counted;

namespace {

struct Signature {
  std::vector<Spec> specs;
  std::vector<char> weak;  // by argument: a C++ number, which takes the dtype of what it meets
  std::vector<std::string> statics;
  int8_t training = -1;

  bool matches(std::span<const Tensor> args, const std::vector<std::string>& s, int8_t t) const {
    if (args.size() != specs.size() || training != t || s != statics) return false;
    for (size_t i = 0; i < specs.size(); ++i)
      if (!(args[i].body()->spec() == specs[i]) || args[i].body()->weak() != (weak[i] != 0)) return false;
    return true;
  }
  std::string text() const {
    std::string out = "(";
    for (size_t i = 0; i < specs.size(); ++i) out += (i ? ", " : "") + to_string(specs[i]) + (weak[i] ? " number" : "");
    for (const std::string& s : statics) out += ", Static " + s;
    return out + ")" + (training < 0 ? "" : training ? ", training" : ", inference");
  }
};

int8_t training_now() {
  const CallContext* call = thread_context.call;
  return call && call->training ? static_cast<int8_t>(*call->training) : int8_t{-1};
}

}  // namespace

class FunctionBody final : public Counted, public memory::Lifecycle {
 public:
  FunctionBody(detail::FunctionCall f, FunctionOptions o)
      : Counted(memory::Kind::function), f_(std::move(f)), options_(std::move(o)), name_(options_.name) {
    check(options_.max_entries >= 1, Code::InvalidArgument, "Function {}: expected max_entries >= 1, got {}", options_.name, options_.max_entries);
    memory::Living<FunctionBody>::add(this);
  }

  Tensors call(Tensors args, const std::vector<std::string>& statics, const void* const* values) {
    bool inline_it = thread_context.trace || thread_context.abstract;
    for (size_t i = 0; i < args.size(); ++i) {
      check(args[i].defined(), Code::InvalidArgument, "Function {}: argument {} is an empty handle", options_.name, i);
      if (!args[i].concrete()) inline_it = true;
    }
    if (inline_it) return f_(args, statics, values);
    memory::Enter at(name_.id());
    memory::HeldOf<Executable> e = lookup(args, statics, values);
    return e->taped(args) ? e->replay(args) : e->run(args);
  }

  Plan prepare(const std::vector<Spec>& specs, const std::vector<std::string>& statics, const void* const* values) {
    memory::Enter at(name_.id());
    Signature s{specs, std::vector<char>(specs.size(), 0), statics, training_now()};
    std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end(); ++it)
      if (it->signature.specs == specs && it->signature.weak == s.weak && it->signature.statics == statics && it->signature.training == s.training)
        return plan_of(*it);
    make(std::move(s), values);
    return plan_of(entries_.front());
  }

  std::vector<Plan> plans() {
    std::lock_guard lock(mutex_);
    std::vector<Plan> out;
    for (auto& e : entries_) out.push_back(plan_of(e));
    return out;
  }
  int64_t traces() const noexcept { return traces_.load(); }
  size_t cached() {
    std::lock_guard lock(mutex_);
    return entries_.size();
  }
  void clear() {
    std::list<Entry> gone;
    std::lock_guard lock(mutex_);
    gone.swap(entries_);
  }

  void trace(memory::EdgeVisitor& v) const override {
    int64_t i = 0;
    for (auto& e : entries_) v.edge(e.executable.get(), "traces", i++);
  }
  Says says() const override { return {memory::Standing::expected, fmt::format("it keeps at most {} traces", options_.max_entries)}; }
  std::optional<Filling> filling() const override { return Filling{entries_.size(), static_cast<size_t>(options_.max_entries)}; }
  std::string describe() const override { return fmt::format("Function {}", options_.name); }

  // A budget is short: every Function that no other thread is tracing keeps the trace it used last. Bytes won: constants and packed weights.
  static size_t drop_old_traces(size_t) {
    return memory::bytes_won([] {
      std::list<Entry> gone;
      memory::Living<FunctionBody>::each([&](FunctionBody& f) {
        std::unique_lock lock(f.mutex_, std::try_to_lock);
        if (lock && f.entries_.size() > 1) gone.splice(gone.end(), f.entries_, std::next(f.entries_.begin()), f.entries_.end());
      });
    });
  }

 private:
  struct Entry {
    Signature signature;
    memory::HeldOf<Executable> executable;
  };
  ~FunctionBody() override { memory::Living<FunctionBody>::remove(this); }

  static Plan plan_of(const Entry& e) {
    Plan p = e.executable->plan();
    p.signature = e.signature.text();
    p.constant_bytes = e.executable->kept_bytes();
    return p;
  }

  memory::HeldOf<Executable> lookup(const Tensors& args, const std::vector<std::string>& statics, const void* const* values) {
    int8_t training = training_now();
    std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (!it->signature.matches(args, statics, training)) continue;
      if (it != entries_.begin()) entries_.splice(entries_.begin(), entries_, it);
      return it->executable;
    }
    Signature s;
    for (const Tensor& t : args) s.specs.push_back(t.spec()), s.weak.push_back(t.body()->weak());
    s.statics = statics;
    s.training = training;
    make(std::move(s), values);
    return entries_.front().executable;
  }

  void make(Signature s, const void* const* values) {
    bool first = traces_ == 0;
    if (traces_ >= 8 && traces_ % 8 == 0 && !entries_.empty()) warn(s);
    HideTapes hide;  // an outer tape sees the replay, not the tracing
    Graph graph = trace_graph([&](const Tensors& args) { return f_(args, s.statics, values); }, s.specs, s.weak, first);
    Graph replay = graph;
    ++traces_;
    {
      Eagerly eagerly;
      optimize(graph);
    }
    memory::HeldOf<Executable> e(new Executable(std::move(graph), std::move(replay), options_.name));
    entries_.push_front({std::move(s), std::move(e)});
    evict();
  }

  void evict() {
    while (entries_.size() > static_cast<size_t>(options_.max_entries)) entries_.pop_back();
    size_t bytes = 0;
    for (auto it = entries_.begin(); it != entries_.end();) {
      bytes += it->executable->kept_bytes();
      if (bytes > options_.max_bytes && it != entries_.begin()) it = entries_.erase(it);
      else ++it;
    }
  }

  // Names the argument that keeps changing.
  void warn(const Signature& s) const {
    const Signature& last = entries_.front().signature;
    std::string what = "the number of arguments changes";
    if (last.specs.size() == s.specs.size()) {
      for (size_t i = 0; i < s.specs.size(); ++i)
        if (!(s.specs[i] == last.specs[i]) || s.weak[i] != last.weak[i]) {
          what = fmt::format("argument {} was {} and is now {}; pad it to few sizes", i, last.specs[i], s.specs[i]);
          break;
        }
      for (size_t i = 0; i < s.statics.size() && i < last.statics.size(); ++i)
        if (s.statics[i] != last.statics[i]) {
          what = fmt::format("Static argument {} was {} and is now {}; pass a plain number, which is an input and needs no trace", i, last.statics[i],
                             s.statics[i]);
          break;
        }
      if (s.training != last.training) what = "`training` changes";
    }
    memory::log(fmt::format("Function {}: traced {} times, {} traces kept: {}", options_.name, traces_.load() + 1, entries_.size(), what));
  }

  detail::FunctionCall f_;
  FunctionOptions options_;
  memory::OwnedName name_;
  ObjectMutex<std::recursive_mutex> mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::atomic<int64_t> traces_ = 0;
};

namespace {
[[maybe_unused]] const bool traces_reclaim = (memory::add_reclaimer("old traces", FunctionBody::drop_old_traces), true);
}  // namespace

const Counted* counted(const Function& f) noexcept { return f.body(); }

Function::Function(detail::FunctionCall f, FunctionOptions options, int) : body_(new FunctionBody(std::move(f), std::move(options))) {
  body_->retain(Counted::kUser);
}
Function::Function(FunctionBody* body) noexcept : body_(body) {
  if (body_) body_->retain(Counted::kUser);
}
Function::Function(const Function& o) noexcept : Function(o.body_) {}
Function::~Function() {
  if (body_) body_->release(Counted::kUser);
}

namespace {
FunctionBody& body_of(FunctionBody* b) {
  check(b != nullptr, Code::InvalidArgument, "Function: this handle is empty");
  return *b;
}
}  // namespace

Outputs Function::call(Tensors args, const std::vector<std::string>& statics, const void* const* values) const {
  return body_of(body_).call(std::move(args), statics, values);
}
Plan Function::prepare(const std::vector<Spec>& specs, const std::vector<std::string>& statics, const void* const* values) const {
  return body_of(body_).prepare(specs, statics, values);
}
std::vector<Plan> Function::plans() const { return body_of(body_).plans(); }
int64_t Function::traces() const { return body_of(body_).traces(); }
size_t Function::cached() const { return body_of(body_).cached(); }
void Function::clear() { body_of(body_).clear(); }

}  // namespace tenure

// Tracing: the user's function runs once with traced tensors; each op, variable read and assignment becomes part of a Graph.
// The tracer is stack-bound and of one thread. Concrete tensors met on the way are captured as constants, held by the graph.
#include <unordered_map>

#include "core/context.h"
#include "graph/graph.h"

namespace tenure {
namespace {

class Tracer final : public TraceRecorder {
 public:
  explicit Tracer(bool first) : id_(next_trace_id()), first_(first) {
    outer = thread_context.trace;
    thread_context.trace = this;
  }
  ~Tracer() override { thread_context.trace = outer; }

  uint64_t id() const noexcept override { return id_; }

  Tensor make(ValueId v) const {
    auto* body = new TensorBody(graph.spec(v), id_, static_cast<uint32_t>(v));
    body->retain(memory::Counted::kUser);
    return Tensor(body);
  }

  ValueId value_of(const Tensor& t) {
    const TensorBody& b = *t.body();
    if (b.traced()) {
      check(b.trace_id() == id_, Code::InvalidArgument, "function: a tensor of an enclosing trace cannot be captured here; pass it as an argument");
      return static_cast<ValueId>(b.index());
    }
    check(b.concrete(), Code::InvalidArgument, "function: a traced function cannot use a model's symbolic {}; call the model instead", b.spec());
    auto [it, fresh] = captured_.try_emplace(b.birth(), 0);
    if (fresh) {
      it->second = graph.add_constant(t);
      if (b.spec().bytes() > (size_t{1} << 20))
        memory::log(
            fmt::format("function: a constant {} of {} bytes, asked for by {}, is captured by the trace and kept with it; pass it as an argument or "
                        "make it a Variable",
                        b.spec(), b.spec().bytes(), memory::path_of(b.storage()->account())));
    }
    return it->second;
  }

  void record(const Op& op, AttrRef attrs, std::span<Tensor> xs, std::span<const Spec> yspecs, std::span<Tensor> ys) override {
    GraphNode n;
    n.op = &op;
    n.attrs = AttrBox(attrs);
    n.account = memory::current_account();
    n.category = memory::current_category() == memory::Category::temporary ? memory::Category::activation : memory::current_category();
    for (const Tensor& x : xs) n.in.push_back(value_of(x));
    auto at = static_cast<int32_t>(graph.nodes.size());
    for (size_t i = 0; i < ys.size(); ++i) {
      check(yspecs[i].shape.known(), Code::Shape, "{}: a traced call needs known sizes, got {}", op.name, yspecs[i]);
      ValueId v = graph.add_value({Value::result, static_cast<int32_t>(i), at, yspecs[i]});
      n.out.push_back(v);
      ys[i] = make(v);
    }
    graph.nodes.push_back(std::move(n));
    ++graph.traced_ops;
  }

  Tensor read(VariableBody& v) override {
    size_t k = index_of(v);
    if (current_[k] < 0) {
      current_[k] = graph.add_value({Value::variable, static_cast<int32_t>(k), -1, v.spec()});
      graph.reads[k] = current_[k];
    }
    // Each read is a handle of its own body, made once: a tape knows the read by its id.
    if (!read_[k]) read_[k] = Held(make(current_[k]));
    return read_[k].tensor();
  }

  void assign(VariableBody& v, Tensor value) override {
    size_t k = index_of(v);
    current_[k] = value_of(value);
    graph.writes[k] = current_[k];
    read_[k] = Held();
  }

  void created(VariableBody& v) override {
    check(
        first_, Code::InvalidArgument,
        "function: Variable {} is made on a second trace; make Variables (and layers) once, outside the traced function, or keep them between calls",
        v.name());
  }

  Graph finish(const Tensors& outputs) {
    for (const Tensor& t : outputs) {
      check(t.defined(), Code::InvalidArgument, "function: an output is an empty handle");
      graph.outputs.push_back(value_of(t));
    }
    return std::move(graph);
  }

  Graph graph;

 private:
  size_t index_of(VariableBody& v) {
    auto [it, fresh] = variables_.try_emplace(v.birth(), graph.variables.size());
    if (fresh) {
      graph.variables.emplace_back(&v);
      graph.reads.push_back(-1);
      graph.writes.push_back(-1);
      current_.push_back(-1);
      read_.emplace_back();
    }
    return it->second;
  }

  uint64_t id_;
  bool first_;
  std::unordered_map<uint64_t, ValueId> captured_;
  std::unordered_map<uint64_t, size_t> variables_;
  std::vector<ValueId> current_;
  std::vector<Held> read_;
};

}  // namespace

Graph trace_graph(const std::function<Tensors(const Tensors&)>& f, const std::vector<Spec>& inputs, const std::vector<char>& weak, bool first) {
  Tracer tracer(first);
  Tensors args;
  for (size_t i = 0; i < inputs.size(); ++i) {
    args.push_back(tracer.make(tracer.graph.add_value({Value::input, static_cast<int32_t>(i), -1, inputs[i]})));
    if (weak[i]) args.back().body()->set_weak();
  }
  tracer.graph.inputs = inputs.size();
  Tensors outputs = f(args);
  return tracer.finish(outputs);
}

}  // namespace tenure

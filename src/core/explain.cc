// Questions about one tensor, and holders that user code names: the part of memory.h that looks into tensor bodies.
#include <ostream>

#include "core/body.h"
#include "memory/objects.h"

namespace tenure::memory {

void Visitor::tensor(const Tensor& t, std::string_view label, int64_t index) {
  if (t.body()) user_edge(static_cast<const Counted*>(t.body()), label, index);
}

namespace {

// Counted by one handle: the Holder's.
class HolderBody final : public Counted {
 public:
  HolderBody(std::string name, std::function<void(Visitor&)> trace) : Counted(Kind::holder), name_(std::move(name)), trace_(std::move(trace)) {}
  void trace(EdgeVisitor& v) const override {
    class Adapter final : public Visitor {
     public:
      explicit Adapter(EdgeVisitor& v) : v_(v) {}
      void user_edge(const void* body, std::string_view label, int64_t index) override {
        v_.user_edge(static_cast<const Counted*>(body), label, index);
      }

     private:
      EdgeVisitor& v_;
    } adapter(v);
    if (trace_) trace_(adapter);
  }
  std::string describe() const override { return name_; }

 private:
  ~HolderBody() override = default;
  std::string name_;
  std::function<void(Visitor&)> trace_;
};

}  // namespace

Holder::Holder(std::string name, std::function<void(Visitor&)> trace) {
  auto* body = new HolderBody(std::move(name), std::move(trace));
  body->retain(Counted::kUser);
  impl_ = static_cast<Counted*>(body);
}
Holder::~Holder() { static_cast<Counted*>(impl_)->release(Counted::kUser); }

const Tensor& Scope::keep(const Tensor& t) {
  if (Storage* s = storage_of(t)) let_out(s->birth());
  return t;
}
Tensor Scope::keep(Tensor&& t) {
  keep(static_cast<const Tensor&>(t));
  return std::move(t);
}

Explanation explain(const Tensor& t) {
  check(t.defined(), Code::InvalidArgument, "explain: this handle is empty (default-made, moved from, or released)");
  const TensorBody& b = *t.body();
  Explanation e;
  e.spec = b.spec();
  ObjectGraph g = ObjectGraph::gather(false);
  const Counted* root = &b;
  if (const Storage* s = b.storage()) {
    root = s;
    e.bytes = s->bytes();
    e.view = b.spec().bytes() < s->bytes();
    e.category = s->category();
  }
  e.account = path_of(root->account());
  e.id = root->birth();
  for (const auto& o : g.objects) {
    if (o.kind == Kind::tensor && (o.live == &b || (b.storage() && static_cast<const TensorBody*>(o.live)->storage() == b.storage())))
      e.user_handles += o.live->users();
    if (o.live == root || o.live == &b) e.unexplained += o.unexplained;
  }
  for (const Chain& c : Chains(g, false).of(g.find(root->birth()))) {
    std::vector<Hop> path;
    for (size_t i = c.links.size() - 1; i-- > 0;) path.push_back({c.links[i].holder, c.links[i].label, 0});
    e.paths.push_back(std::move(path));
  }
  return e;
}

std::string Explanation::text() const {
  std::string out = bytes ? fmt::format("{} in {} bytes{}, {}, asked for by {} (born as {})\n", spec, bytes,
                                        view ? " (a view: the whole buffer stays)" : "", to_string(category), account, id)
                          : fmt::format("{} without values, made under {} (born as {})\n", spec, account, id);
  for (auto& path : paths) {
    std::string indent = "  ";
    for (const Hop& h : path) {
      out += fmt::format("{}held by {}{}{}\n", indent, h.holder, h.label.empty() ? "" : " as ", h.label);
      indent += "  ";
    }
  }
  if (unexplained) out += fmt::format("  {} owner references are explained by nobody: a mistake in Tenure, please report it\n", unexplained);
  if (view) out += "  to free the base and keep this part: clone() it\n";
  return out;
}

std::ostream& operator<<(std::ostream& out, const Explanation& e) { return out << e.text(); }

}  // namespace tenure::memory

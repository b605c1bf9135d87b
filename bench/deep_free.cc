// Freeing deep graphs on a stack of 256 KiB: a chain of op nodes, layer nodes and views in which every object is the only owner of the one before,
// and a tape of a long chain of ops. Counted are owner references: 8 a step of the graph, 3 an entry of the tape.
#include <sys/resource.h>

#include <cmath>
#include <stdexcept>

#include <tenure/ops.h>
#include <tenure/tape.h>

#include "core/node.h"
#include "harness.h"

using namespace tenure;
using memory::Counted;
using memory::HeldOf;

namespace {

constexpr int64_t steps = 500'000, entries = 340'000;
constexpr int64_t edges = 8 * steps + 3 * entries;

/// A layer that holds another: as deep as a model would never be.
class Nest final : public Callee {
 public:
  explicit Nest(HeldOf<Callee> inner) : Callee(memory::Kind::layer), inner_(std::move(inner)) {}
  void trace(memory::EdgeVisitor& v) const override { v.edge(inner_.get(), "inner"); }
  std::string describe() const override { return "Nest"; }

 private:
  HeldOf<Callee> inner_;
};

Tensor symbol(const Spec& spec, HeldOf<Node> node) {
  auto* body = new TensorBody(spec, std::move(node), 0);
  body->retain(Counted::kUser);
  return Tensor(body);
}

Tensor graph() {
  const Op& op = *Registry::global().find("add");
  const Spec spec{{2}, float32};
  Tensor x = symbol(spec, HeldOf<Node>(new Node(op, {}, {})));
  HeldOf<Callee> layer;
  for (int64_t i = 0; i < steps; ++i) {
    layer = HeldOf<Callee>(new Nest(std::move(layer)));
    x = symbol(spec, HeldOf<Node>(new Node(layer, {&x, 1})));
    Tensor in[] = {std::move(x), make_view(zeros({4}), spec, 8)};
    x = symbol(spec, HeldOf<Node>(new Node(op, {}, in)));
  }
  return x;
}

double free_all(int64_t) {
  double spent = 0;
  const auto timed = [&](auto&& f) {
    const auto start = std::chrono::steady_clock::now();
    f();
    spent += std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  };
  {
    Tensor x = graph();
    timed([&] { x.release(); });
  }
  {
    GradientTape tape;
    const Tensor start = Tensor::from<float>({1, 2}), factor = Tensor::from<float>({1, 1});
    tape.watch(start);
    Tensor y = start;
    for (int64_t i = 0; i < entries; ++i) y = multiply(y, factor);
    if (tape.entries() != static_cast<size_t>(entries)) throw std::runtime_error("the tape did not record every op");
    timed([&] { tape.reset(); });
  }
  const memory::Now now = memory::now();
  if (now.nodes || now.tensors || now.buffers) throw std::runtime_error("something outlived its last reference");
  return spent / static_cast<double>(edges);
}

}  // namespace

int main(int argc, char** argv) {
  rlimit stack{};
  getrlimit(RLIMIT_STACK, &stack);
  stack.rlim_cur = 256 << 10;
  if (setrlimit(RLIMIT_STACK, &stack) != 0) return 1;
  bench::Program program(argc, argv);
  program.add({"deep_free.edges", 1, free_all});
  return program.run();
}

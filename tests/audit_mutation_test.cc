// The audit is only as good as the trace() of each kind. Here each kind's trace() is left out in turn, while a live object of that kind
// owns something: the audit must notice every time. A kind without a case fails the test.
#include <gtest/gtest.h>

#include <any>
#include <functional>
#include <map>

#include <tenure/tenure.h>

#include "core/body.h"
#include "memory/objects.h"

namespace tenure {
namespace {

using memory::Kind;

// Leaves out a kind for a block.
class Muted {
 public:
  explicit Muted(Kind k) { memory::testing::mute(k); }
  ~Muted() { memory::testing::mute({}); }
};

class Keeper : public CallbackBase {
 public:
  explicit Keeper(Tensor t) : first_(std::move(t)) {}
  void start() { keep("outputs", {std::move(first_)}); }

 private:
  Tensor first_;
};

// Each makes a live object of its kind that owns something, and returns what keeps it alive.
using Make = std::function<std::any()>;
const std::map<Kind, Make>& cases() {
  static const std::map<Kind, Make> all = {
      {Kind::tensor, [] { return std::any(ones({3})); }},
      {Kind::variable, [] { return std::any(Variable(ones({3}), "v")); }},
      {Kind::node, [] { return std::any(exp(Input({.shape = {3}}))); }},
      {Kind::layer,
       [] {
         Layer dense = layers::Dense{.units = 2};
         dense.build(Shape{1, 3});
         return std::any(dense);
       }},
      {Kind::tape,
       [] {
         auto tape = std::make_shared<GradientTape>();
         Tensor x = ones({3});
         tape->watch(x);
         exp(x);
         return std::any(tape);
       }},
      {Kind::function,
       [] {
         Function f([](Tensor x) { return x + 1.0f; });
         f(ones({3}));
         return std::any(f);
       }},
      {Kind::executable,
       [] {
         Variable v(ones({3}), "v");
         Function f([v](Tensor x) { return x + v.value(); });
         f(ones({3}));
         return std::any(f);
       }},
      {Kind::dataset,
       [] {
         return std::any(data::arrays(ones({8, 2})).batch(4));
       }},
      {Kind::queue,
       [] {
         auto it = std::make_shared<data::Iterator>(data::arrays(ones({8, 2})).batch(2).open());
         data::Batch b;
         it->next(b);
         return std::any(it);
       }},
      {Kind::optimizer,
       [] {
         Optimizer adam = optimizers::Adam{};
         Variable v(ones({3}), "v");
         adam.build({v});
         return std::any(std::pair{adam, v});
       }},
      {Kind::metric,
       [] {
         Metric mean = metrics::Mean{};
         return std::any(mean);
       }},
      {Kind::callback,
       [] {
         Callback c = make_callback<Keeper>(ones({3}));
         c.as<Keeper>().start();
         return std::any(c);
       }},
      {Kind::other,  // packed weights
       [] {
         Variable w(ones({128, 128}), "w");
         Function f([w](Tensor x) { return matmul(x, w.value()); });
         f(ones({64, 128}));
         return std::any(f);
       }},
  };
  return all;
}

// Kinds that own nothing by counting: a buffer has bytes only, a named holder tells of handles that are the program's.
bool owns_nothing(Kind k) { return k == Kind::storage || k == Kind::holder; }

size_t live(Kind k) { return memory::now().count[static_cast<size_t>(k)]; }

TEST(AuditMutation, LeavingOutAnyTraceFailsTheAudit) {
  for (size_t i = 0; i < memory::kinds; ++i) {
    auto kind = static_cast<Kind>(i);
    SCOPED_TRACE(memory::to_string(kind));
    if (owns_nothing(kind)) {
      EXPECT_EQ(cases().count(kind), 0u);
      continue;
    }
    auto it = cases().find(kind);
    ASSERT_NE(it, cases().end()) << "a kind of counted object without a case here";
    size_t before = live(kind);
    std::any alive = it->second();
    if (kind == Kind::other && live(kind) == before) continue;  // a build whose kernels pack nothing
    ASSERT_GT(live(kind), before) << "the case makes no object of its kind";
    EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
    {
      Muted muted(kind);
      EXPECT_FALSE(memory::audit().ok());
    }
    EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
  }
}

TEST(AuditMutation, AMutedHolderTakesItsNameOutOfTheReports) {
  std::vector<Tensor> log{ones({3})};
  memory::Holder holder("audit log", [&](memory::Visitor& v) { v.tensor(log[0], "log", 0); });
  EXPECT_NE(memory::explain(log[0]).text().find("audit log"), std::string::npos);
  Muted muted(Kind::holder);
  EXPECT_EQ(memory::explain(log[0]).text().find("audit log"), std::string::npos);
}

// The hook itself must not change what is counted.
TEST(AuditMutation, TheProblemNamesWhatLostItsHolder) {
  Variable v(ones({3}), "kernel");
  Muted muted(Kind::variable);
  memory::Audit a = memory::audit();
  EXPECT_NE(a.text().find("tensor float32[3]: 1 owner references counted, 0 traced"), std::string::npos) << a.text();
}

}  // namespace
}  // namespace tenure

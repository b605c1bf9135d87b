// Chains of holders by golden text: what stands on a page when somebody asks why a tensor is alive.
#include <gtest/gtest.h>

#include <memory>

#include <tenure/function.h>
#include <tenure/moment.h>
#include <tenure/ops.h>
#include <tenure/tape.h>

#include "core/test_ops.h"

namespace tenure {
namespace {

using memory::Chain;
using memory::Standing;
using memory::why;

// The text without birth numbers.
std::string text_of(const memory::Why& w) {
  std::string out;
  for (const Chain& c : w.chains) out += c.text();
  return out;
}

TEST(Why, HandlesOfTheProgram) {
  Tensor t = ones({100});
  auto w = why(t);
  ASSERT_EQ(w.chains.size(), 1u);
  EXPECT_EQ(text_of(w),
            "+- handles   1 handle of your own program                 Unknown\n"
            "+- tensor    tensor float32[100]                          Unknown\n"
            "|    . buffer\n"
            "`> buffer    buffer of 400 bytes, temporary, asked for by /full\n"
            "fix: drop or overwrite the handles; memory::Holder gives their container a name here\n");
  EXPECT_EQ(w.chains[0].retained, 400u);
}

TEST(Why, ATapeComesBeforeHandles) {
  Tensor x = ones({100});
  GradientTape tape;
  tape.watch(x);
  Tensor y = exp(x);
  EXPECT_EQ(why(y).chains.front().links.front().standing, Standing::expected) << "it is recording";
  tape.stop();
  auto w = why(y);
  ASSERT_EQ(w.chains.size(), 2u);
  EXPECT_EQ(w.chains[0].text(),
            "+- tape      GradientTape with 1 entries                  Unknown: it is stopped and gradient() was not called\n"
            "|    . entries[0]\n"
            "|      ~~~~~~~~~~\n"
            "+- tensor    tensor float32[100]                          Unknown\n"
            "|    . buffer\n"
            "`> buffer    buffer of 400 bytes, temporary, asked for by /exp\n"
            "fix: drop the tape, or call gradient(), which frees its entries\n");
  EXPECT_EQ(w.chains[1].links.front().kind, "handles");
  tape.gradient(y, x);
  EXPECT_EQ(why(y).chains.size(), 1u);
}

TEST(Why, APersistentTapeIsStuckAfterItsGradient) {
  Tensor x = ones({100});
  GradientTape tape({.persistent = true});
  tape.watch(x);
  Tensor y = exp(x);
  tape.stop();
  tape.gradient(y, x);
  auto w = why(y);
  ASSERT_EQ(w.chains.size(), 2u);
  EXPECT_EQ(w.chains[0].text(),
            "+- tape      GradientTape (persistent) with 1 entries     Stuck: it is stopped and gradient() was called; it is persistent\n"
            "|    . entries[0]\n"
            "|      ~~~~~~~~~~\n"
            "+- tensor    tensor float32[100]                          Stuck\n"
            "|    . buffer\n"
            "`> buffer    buffer of 400 bytes, temporary, asked for by /exp\n"
            "fix: drop the tape after its last gradient()\n");
}

TEST(Why, AVariableIsExpectedAndNothingIsSuspect) {
  Variable v(ones({10}), "dense/kernel");
  auto w = why(v.value());
  ASSERT_EQ(w.chains.size(), 2u);  // the variable, and the handle that value() made
  EXPECT_EQ(w.chains[0].text(),
            "+- variable  Variable dense/kernel                        Expected: a variable keeps its value\n"
            "|    . value\n"
            "+- tensor    tensor float32[10]                           Expected\n"
            "|    . buffer\n"
            "`> buffer    buffer of 40 bytes, parameter, asked for by /full\n");
  EXPECT_EQ(w.chains[0].fix, "");
}

TEST(Why, ANamedContainerOfNumbersIsToldOfItem) {
  std::vector<Tensor> losses;
  memory::Holder holder("history", [&](memory::Visitor& v) {
    for (size_t i = 0; i < losses.size(); ++i) v.tensor(losses[i], "losses", static_cast<int64_t>(i));
  });
  for (int i = 0; i < 3; ++i) losses.push_back(sum(ones({8})));
  auto w = why(losses[1]);
  ASSERT_EQ(w.chains.size(), 1u);
  EXPECT_EQ(w.chains[0].text(),
            "+- holder    history                                      Unknown\n"
            "|    . losses[1]\n"
            "|      ~~~~~~~~~\n"
            "+- tensor    tensor float32[]                             Unknown\n"
            "|    . buffer\n"
            "`> buffer    buffer of 4 bytes, temporary, asked for by /sum\n"
            "fix: keep the number, not the tensor: item()\n");
  EXPECT_EQ(w.chains[0].retained, 12u) << "the whole container";
  EXPECT_NE(w.chains[0].text(true).find(". losses[*]\n"), std::string::npos);
  EXPECT_EQ(w.chains[0].signature, why(losses[2]).chains[0].signature) << "indices do not count";
}

TEST(Why, AViewThatPinsItsBase) {
  Tensor row;
  {
    Tensor base = exp(ones({100, 100}));
    row = slice(base, {3, 0}, {1, 100});
  }
  auto w = why(row);
  ASSERT_EQ(w.chains.size(), 1u);
  EXPECT_EQ(text_of(w),
            "+- handles   1 handle of your own program                 Unknown\n"
            "+- tensor    view float32[1,100]                          Stuck: a view of 400 bytes pins all 40000\n"
            "|    . buffer\n"
            "`> buffer    buffer of 40000 bytes, temporary, asked for by /exp\n"
            "fix: clone() the part that is wanted: the whole buffer goes with its last view\n");
}

TEST(Why, ATracesConstantIsHeldByItsFunction) {
  Tensor table = ones({64});
  Function f([table](const Tensor& x) { return x + table; }, {.name = "lookup"});
  f(ones({64}));
  auto w = why(table);
  ASSERT_EQ(w.chains.size(), 2u);
  EXPECT_EQ(w.chains[0].links.front().holder, "Function lookup");
  EXPECT_EQ(w.chains[0].links.front().reason, "it keeps at most 16 traces");
  EXPECT_EQ(w.chains[0].links[0].label, "traces[0]");
  EXPECT_EQ(w.chains[0].links[1].kind, "executable");
}

TEST(Why, ASymbolWithoutValues) {
  Tensor x = testing_ops::input({3});
  auto w = why(x);
  EXPECT_EQ(w.bytes, 0u);
  ASSERT_EQ(w.chains.size(), 1u);
  EXPECT_EQ(w.chains[0].links.back().kind, "tensor");
}

// What a program prints at its second run must equal the first's: signatures are constants here.
TEST(Why, SignaturesAreTheSameInEveryRun) {
  memory::Scope scope("request");
  Tensor t = exp(ones({5}));
  EXPECT_EQ(why(t).chains[0].signature, "d3509d25");
  std::vector<Tensor> pad(100, ones({3}));  // other addresses, other birth numbers
  Tensor again = exp(ones({5}));
  EXPECT_EQ(why(again).chains[0].signature, "d3509d25");
}

TEST(Why, AnEmptyHandleIsAnError) { EXPECT_THROW(why(Tensor()), Error); }

}  // namespace
}  // namespace tenure

#include <gtest/gtest.h>

#include <sstream>

#include <tenure/memory.h>
#include <tenure/variable.h>

#include "core/test_ops.h"

namespace tenure {
namespace {

using memory::explain;
using namespace testing_ops;

TEST(Explain, NamesTheAccountAndYourOwnHandles) {
  memory::Scope scope("request");
  Tensor t = apply(plus, Tensor::from({1.0f}), Tensor::from({1.0f, 2.0f}));
  Tensor copy = t;
  auto e = explain(t);
  EXPECT_EQ(e.account, "/request/plus");
  EXPECT_EQ(e.user_handles, 2u);
  EXPECT_EQ(e.unexplained, 0u);
  EXPECT_EQ(e.bytes, 8u);
  EXPECT_FALSE(e.view);
  ASSERT_EQ(e.paths.size(), 1u);
  std::ostringstream text;
  text << e;
  EXPECT_EQ(text.str(), "float32[2] in 8 bytes, temporary, asked for by /request/plus (born as " + std::to_string(e.id) +
                            ")\n  held by tensor float32[2] as buffer\n    held by 2 handles of your own program\n");
}

TEST(Explain, AViewNamesItsBaseAndTheWayOut) {
  Tensor base = Tensor::empty({1000});
  Tensor view = make_view(base, {Shape{10}, float32}, 0);
  base.release();
  auto e = explain(view);
  EXPECT_TRUE(e.view);
  EXPECT_EQ(e.bytes, 4000u);
  std::string text = e.text();
  EXPECT_NE(text.find("a view: the whole buffer stays"), std::string::npos) << text;
  EXPECT_NE(text.find("held by view float32[10] as buffer"), std::string::npos) << text;
  EXPECT_NE(text.find("clone() it"), std::string::npos) << text;
}

TEST(Explain, AVariableIsAHolder) {
  Variable v(Tensor::from({1.0f, 2.0f}), "dense/kernel");
  std::string text = explain(v.value()).text();
  EXPECT_NE(text.find("held by Variable dense/kernel as value"), std::string::npos) << text;
  EXPECT_NE(text.find("parameter"), std::string::npos) << text;
}

TEST(Explain, ANamedContainerShowsInsteadOfNamelessHandles) {
  std::vector<Tensor> log;
  memory::Holder holder("audit log", [&](memory::Visitor& v) {
    for (size_t i = 0; i < log.size(); ++i) v.tensor(log[i], "entries", static_cast<int64_t>(i));
  });
  for (int i = 0; i < 3; ++i) log.push_back(Tensor::from({static_cast<float>(i)}));
  auto e = explain(log[1]);
  ASSERT_EQ(e.paths.size(), 1u);
  EXPECT_EQ(e.paths[0].back().holder, "audit log");
  EXPECT_EQ(e.paths[0].back().label, "entries[1]");
  EXPECT_EQ(e.user_handles, 1u);
  EXPECT_TRUE(memory::audit().ok());
}

TEST(Explain, ASymbolIsHeldByTheNodesThatReadIt) {
  Tensor x = input({3});
  Tensor y = apply(plus, x, x);
  auto e = explain(x);
  EXPECT_EQ(e.bytes, 0u);
  std::string text = e.text();
  EXPECT_NE(text.find("held by node of plus as inputs[0]"), std::string::npos) << text;
  EXPECT_TRUE(memory::audit().ok());
}

TEST(Explain, AnEmptyHandleIsAnError) { EXPECT_THROW(explain(Tensor()), Error); }

TEST(ScopeKeep, LetsATensorOutOfThisScopeOnly) {
  memory::Scope outer("outer", {.on_escape = memory::OnEscape::fail});
  Tensor result;
  {
    memory::Scope inner("inner", {.on_escape = memory::OnEscape::fail});
    result = inner.keep(Tensor::from({1.0f, 2.0f}));
    EXPECT_TRUE(inner.escaping().empty());
    inner.close();
  }
  EXPECT_EQ(outer.escaping().size(), 1u);
  outer.keep(result);
  EXPECT_TRUE(outer.escaping().empty());
  outer.close();
}

TEST(ExpectEmpty, ListsWhatLivesAndWhoHoldsIt) {
  memory::expect_empty();
  Variable v(Tensor::from({1.0f, 2.0f}), "forgotten");
  try {
    memory::expect_empty();
    FAIL();
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find("Variable forgotten"), std::string::npos) << e.what(); }
}

}  // namespace
}  // namespace tenure

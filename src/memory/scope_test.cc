#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "memory/test_owner.h"

namespace tenure::memory {
namespace {

class Log {
 public:
  Log() {
    set_log_sink([this](std::string_view t) { text += t; });
  }
  ~Log() { set_log_sink({}); }
  std::string text;
};

TEST(Scope, NamesWhatIsAllocatedInside) {
  HeldOf<Storage> s;
  {
    Scope request("request");
    s = bytes_of(500);
    EXPECT_EQ(path_of(s->account()), "/request");
    EXPECT_EQ(request.live_bytes(), 500u);
    Scope inner("inner");
    HeldOf<Storage> t = bytes_of(20);
    EXPECT_EQ(path_of(t->account()), "/request/inner");
    EXPECT_EQ(request.live_bytes(), 520u);
  }
  EXPECT_EQ(path_of(current_account()), "/");
}

TEST(Scope, ReportsWhatEscapedToTheLog) {
  Log log;
  HeldOf<Storage> outside;
  {
    Scope request("request", {.on_escape = report});
    bytes_of(64);
    outside = bytes_of(4096);
    auto escaping = request.escaping();
    ASSERT_EQ(escaping.size(), 1u);
    EXPECT_EQ(escaping[0].bytes, 4096u);
  }
  EXPECT_NE(log.text.find("scope 'request': 1 buffers escaped"), std::string::npos) << log.text;
  EXPECT_NE(log.text.find("4096 bytes  /request"), std::string::npos) << log.text;
}

TEST(Scope, FailThrowsAtCloseAndReportsInTheDestructor) {
  HeldOf<Storage> outside;
  {
    Scope request("request", {.on_escape = OnEscape::fail});
    outside = bytes_of(100);
    EXPECT_THROW(request.close(), Error);
    EXPECT_EQ(path_of(current_account()), "/");
  }
  Log log;
  {
    Scope request("second", {.on_escape = OnEscape::fail});
    outside = bytes_of(100);
  }
  EXPECT_NE(log.text.find("second"), std::string::npos);
}

TEST(Scope, WhatLivedBeforeIsNotReported) {
  HeldOf<Storage> before = bytes_of(100);
  Scope request("request", {.on_escape = OnEscape::fail});
  bytes_of(50);
  EXPECT_TRUE(request.escaping().empty());
  request.close();
}

TEST(Scope, SeesWhatItsWorkersLeft) {
  HeldOf<Storage> outside;
  std::atomic<bool> warm{false}, go{false};
  std::optional<Context> context;
  std::thread worker([&] {
    bytes_of(1);  // this thread has numbers in reserve from before the scope
    warm = true;
    while (!go) std::this_thread::yield();
    Adopt adopt(*context);
    outside = bytes_of(333);
  });
  while (!warm) std::this_thread::yield();
  Scope request("request", {.on_escape = OnEscape::fail});
  context = Context::current();
  go = true;
  worker.join();
  ASSERT_EQ(request.escaping().size(), 1u);
  EXPECT_EQ(request.escaping()[0].bytes, 333u);
  EXPECT_THROW(request.close(), Error);
}

TEST(Scope, ABudgetOfItsOwnRefusesAndThenLetsOthersAllocate) {
  {
    Scope request("request", {.budget = 64 << 10});
    HeldOf<Storage> a = bytes_of(40 << 10);
    EXPECT_THROW(bytes_of(40 << 10), Error);
    a.reset();
    bytes_of(40 << 10);
    Scope inner("inner", {.budget = 1 << 20});  // the outer limit still binds
    EXPECT_THROW(bytes_of(80 << 10), Error);
  }
  bytes_of(1 << 20);
}

TEST(Scope, ABufferThatOutlivesItsScopeStaysChargedToItsBudgetAndFreesIt) {
  HeldOf<Storage> outside;
  {
    Scope request("request", {.budget = 64 << 10});
    outside = bytes_of(1000);
  }
  outside.reset();
}

TEST(Scope, MayCloseBeforeAScopeInsideIt) {
  auto outer = std::make_unique<Scope>("outer", ScopeOptions{.budget = 1 << 20});
  auto inner = std::make_unique<Scope>("inner");
  outer.reset();
  HeldOf<Storage> s = bytes_of(100);  // no budget of a dead scope is touched
  EXPECT_EQ(path_of(s->account()), "/outer/inner");
  bytes_of(2 << 20);
  inner.reset();
  EXPECT_EQ(path_of(current_account()), "/");
  EXPECT_EQ(detail::thread_state.budget, nullptr);
}

TEST(Scope, EndsOnItsOwnThreadOnly) {
  Scope scope("mine");
  std::thread([&] { EXPECT_THROW(scope.close(), Error); }).join();
  EXPECT_EQ(path_of(current_account()), "/mine");
}

}  // namespace
}  // namespace tenure::memory

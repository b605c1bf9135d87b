#include <gtest/gtest.h>

#include <thread>

#include "memory/objects.h"
#include "memory/test_owner.h"
#include "sanitizer.h"

namespace tenure::memory {
namespace {

size_t live(Kind k) { return now().count[static_cast<size_t>(k)]; }

TEST(Counted, OneWordCountsUsersLowAndOwnersHigh) {
  Handle<Box> user(new Box);
  EXPECT_EQ(user->users(), 1u);
  EXPECT_EQ(user->owners(), 0u);
  HeldOf<Box> owner(user.get());
  EXPECT_EQ(user->refs(), Counted::kUser + Counted::kOwner);
  user->convert(Counted::kUser, Counted::kOwner);
  EXPECT_EQ(user->owners(), 2u);
  EXPECT_EQ(user->users(), 0u);
  user->convert(Counted::kOwner, Counted::kUser);
  EXPECT_EQ(user->refs(), Counted::kUser + Counted::kOwner);
  owner.reset();
}

TEST(Counted, AnObjectLivesAsLongAsEitherHalfIsNotZero) {
  size_t before = live(Kind::other);
  Handle<Box> user(new Box);
  HeldOf<Box> owner(user.get());
  user.reset();
  EXPECT_EQ(live(Kind::other), before + 1);
  owner.reset();
  EXPECT_EQ(live(Kind::other), before);
}

TEST(Counted, EveryLiveObjectIsEnumeratedAndNoDeadOne) {
  auto boxes = [] {
    size_t n = 0;
    for_each_live([&](Counted& c) { n += c.kind() == Kind::other && c.describe() == "enumerated"; });
    return n;
  };
  std::vector<Handle<Box>> keep;
  for (int i = 0; i < 5000; ++i) keep.emplace_back(new Box("enumerated"));
  EXPECT_EQ(boxes(), 5000u);
  keep.resize(1234);
  EXPECT_EQ(boxes(), 1234u);
  keep.clear();
  EXPECT_EQ(boxes(), 0u);
}

TEST(Counted, ObjectsLargerThanASlabAreEnumeratedToo) {
  class Huge final : public Counted {
   public:
    Huge() : Counted(Kind::other) {}
    void trace(EdgeVisitor&) const override {}
    std::string describe() const override { return "huge"; }
    char body[100'000];
  };
  size_t found = 0;
  Handle<Huge> h(new Huge);
  for_each_live([&](Counted& c) { found += c.describe() == "huge"; });
  EXPECT_EQ(found, 1u);
  h.reset();
  for_each_live([&](Counted& c) { found += c.describe() == "huge"; });
  EXPECT_EQ(found, 1u);
}

TEST(Counted, AChainOfAMillionIsFreedWithoutRecursion) {
  size_t before = now().objects;
  Handle<Box> head(new Box);
  for (int i = 0; i < 1'000'000; ++i) {
    Handle<Box> next(new Box);
    next->put(head.get());
    head = next;
  }
  EXPECT_EQ(now().objects, before + 1'000'001);
  head.reset();
  EXPECT_EQ(now().objects, before);
}

TEST(Counted, WhatOneThreadMadeAnotherMayFree) {
  Now before = now();
  std::vector<HeldOf<Storage>> made;
  for (int i = 0; i < 3000; ++i) made.push_back(bytes_of(static_cast<size_t>(i) * 7 + 1));
  std::thread([taken = std::move(made)]() mutable { taken.clear(); }).join();
  Now after = now();
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.buffers, before.buffers);
  EXPECT_EQ(after.in_use_bytes, before.in_use_bytes);
}

TEST(Counted, CountsStayRightWhenThreadsEnd) {
  Now before = now();
  std::vector<HeldOf<Storage>> made(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 200; ++k) bytes_of(100);
      made[i] = bytes_of(1000);
    });
  for (auto& t : threads) t.join();
  Now during = now();
  EXPECT_EQ(during.buffers, before.buffers + 8);
  EXPECT_EQ(during.live_bytes, before.live_bytes + 8000);
  EXPECT_EQ(during.allocations, before.allocations + 8 * 201);
  made.clear();
  EXPECT_EQ(now().live_bytes, before.live_bytes);
}

// Objects that die when a thread's own locals are destroyed, after its other work.
TEST(Counted, AThreadLocalOwnerDiesWithItsThread) {
  size_t before = now().objects;
  std::thread([] {
    thread_local HeldOf<Storage> mine;
    mine = bytes_of(300);
  }).join();
  EXPECT_EQ(now().objects, before);
}

TEST(Audit, CountedReferencesEqualTracedEdges) {
  Handle<Box> a(new Box("a"));
  Handle<Box> b(new Box("b"));
  a->put(b.get());
  a->put(b.get());
  ObjectGraph g = ObjectGraph::gather(false);
  EXPECT_EQ(g.objects[g.find(b->birth())].traced, 2u);
  EXPECT_TRUE(g.strays.empty());
  EXPECT_TRUE(audit().ok()) << audit().text();
}

TEST(Audit, AReferenceThatNobodyNamesIsAProblem) {
  Handle<Box> a(new Box("forgetful"));
  Handle<Box> b(new Box("victim"));
  a->hide(b.get());
  Audit found = audit();
  ASSERT_EQ(found.problems.size(), 1u);
  EXPECT_NE(found.problems[0].find("victim: 1 owner references counted, 0 traced"), std::string::npos) << found.text();
}

TEST(Audit, ACycleShowsAsAnObjectWithoutUsersThatStillLives) {
  auto* a = new Box("cycle");
  Handle<Box> handle(a);
  a->put(a);
  handle.reset();
  EXPECT_EQ(a->users(), 0u);
  EXPECT_EQ(a->owners(), 1u);
  EXPECT_TRUE(audit().ok());
  ObjectGraph g = ObjectGraph::gather(false);
  EXPECT_TRUE(Chains(g).of(g.find(a->birth())).empty());  // no way out to a root: that is what a cycle looks like
  a->drop();
}

TEST(Holders, PathsLeadFromTheBufferOutwardsToTheProgram) {
  HeldOf<Storage> s = bytes_of(64);
  Handle<Box> inner(new Box("inner")), outer(new Box("outer"));
  inner->put(s.get());
  outer->put(inner.get());
  uint64_t birth = s->birth();
  s.reset();
  inner.reset();
  ObjectGraph g = ObjectGraph::gather(false);
  auto held = Chains(g).held(g.find(birth), 8);
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].line, "inner as held[0] <- outer as held[0] <- 1 handle of your own program");
  EXPECT_EQ(held[0].chain.links.size(), 3u);
  EXPECT_EQ(held[0].card().find("sig " + held[0].chain.signature + "  retained "), 0u);
}

TEST(Storage, BorrowedBytesAreReleasedOnceByTheLastReference) {
  int released = 0;
  char mine[100];
  HeldOf<Storage> s(Storage::borrow(mine, sizeof mine, [&] { ++released; }));
  HeldOf<Storage> again = s;
  EXPECT_EQ(now().live_bytes, 0u);
  s.reset();
  EXPECT_EQ(released, 0);
  again.reset();
  EXPECT_EQ(released, 1);
}

TEST(Storage, AReleaseFunctionThatThrowsIsReportedNotFatal) {
  std::string said;
  set_log_sink([&](std::string_view text) { said = text; });
  char mine[8];
  HeldOf<Storage>(Storage::borrow(mine, sizeof mine, [] { throw std::runtime_error("no"); })).reset();
  set_log_sink({});
  EXPECT_NE(said.find("release function threw"), std::string::npos);
}

TEST(Storage, ZeroBytesTakeNothingAndStillCount) {
  Now before = now();
  HeldOf<Storage> s = bytes_of(0);
  EXPECT_NE(s->data(), nullptr);
  EXPECT_EQ(now().buffers, before.buffers + 1);
  EXPECT_EQ(now().in_use_bytes, before.in_use_bytes);
}

// Reports and audits run beside threads that make and drop objects: what they look at stays whole until they have looked.
TEST(Walk, BesideThreadsThatMakeAndDropObjects) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      while (!stop) {
        auto* box = new Box;
        for (int k = 0; k < 8; ++k) box->put(new Box("inner"));
        HeldOf<Box> outer(box);  // from here on it is found
      }
    });
  for (int i = 0; i < (kThreadSanitizer ? 10 : 200); ++i) {
    ObjectGraph g = ObjectGraph::gather(false);
    size_t text = 0;
    for (const auto& o : g.objects) text += o.live->describe().size();
    EXPECT_GE(text, g.objects.size());
  }
  stop = true;
  for (auto& t : threads) t.join();
}

TEST(Walk, WhatDiesMeanwhileIsDestroyedAtItsEnd) {
  size_t before = now().objects;
  HeldOf<Box> a(new Box);
  {
    Walk outer;
    Walk inner;
    a.reset();
    EXPECT_EQ(now().objects, before + 1);
    std::thread([] { HeldOf<Box>(new Box).reset(); }).join();
    EXPECT_EQ(now().objects, before + 2);
  }
  EXPECT_EQ(now().objects, before);
}

}  // namespace
}  // namespace tenure::memory

#include "memory/dominators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "memory/test_owner.h"

namespace tenure::memory {
namespace {

using Edges = std::vector<std::pair<uint32_t, uint32_t>>;

References graph_of(uint32_t n, Edges edges, const std::vector<uint32_t>& roots) {
  References g;
  std::sort(edges.begin(), edges.end());
  g.root.assign(n, 0);
  for (uint32_t r : roots) g.root[r] = 1;
  size_t e = 0;
  for (uint32_t v = 0; v < n; ++v) {
    g.start.push_back(static_cast<uint32_t>(e));
    for (; e < edges.size() && edges[e].first == v; ++e) g.to.push_back(edges[e].second);
  }
  g.start.push_back(static_cast<uint32_t>(e));
  return g;
}

std::vector<char> reached(const References& g, uint32_t without) {
  std::vector<char> seen(g.root.size(), 0);
  std::vector<uint32_t> todo;
  auto see = [&](uint32_t v) {
    if (v != without && !seen[v]) seen[v] = 1, todo.push_back(v);
  };
  for (uint32_t v = 0; v < g.root.size(); ++v)
    if (g.root[v]) see(v);
  while (!todo.empty()) {
    uint32_t v = todo.back();
    todo.pop_back();
    for (uint32_t e = g.start[v]; e < g.start[v + 1]; ++e) see(g.to[e]);
  }
  return seen;
}

bool acyclic(const References& g) {
  const auto n = static_cast<uint32_t>(g.root.size());
  std::vector<char> gone(n, 0);  // leads to no cycle
  for (uint32_t again = 0; again < n; ++again)
    for (uint32_t v = 0; v < n; ++v)
      gone[v] = std::all_of(g.to.begin() + g.start[v], g.to.begin() + g.start[v + 1], [&](uint32_t w) { return gone[w]; });
  return std::count(gone.begin(), gone.end(), 1) == n;
}

TEST(Dominators, TheExampleOfLengauerAndTarjan) {
  // R A B C D E F G H I J K L
  Edges edges = {{0, 1}, {0, 2}, {0, 3},  {1, 4}, {2, 1},  {2, 4},  {2, 5},  {3, 6},  {3, 7},  {4, 12}, {5, 8},
                 {6, 9}, {7, 9}, {7, 10}, {8, 5}, {8, 11}, {9, 11}, {10, 9}, {11, 9}, {11, 0}, {12, 8}};
  Dominators d = dominators(graph_of(13, edges, {0}));
  EXPECT_EQ(d.parent, (Big<uint32_t>{kNobody, 0, 0, 0, 0, 0, 3, 3, 0, 0, 7, 0, 4}));
  EXPECT_EQ(d.order.size(), 13u);
}

TEST(Dominators, WhatTwoRootsReachBelongsToNeither) {
  Dominators d = dominators(graph_of(4, {{0, 2}, {1, 2}, {2, 3}}, {0, 1}));
  EXPECT_EQ(d.parent, (Big<uint32_t>{kNobody, kNobody, kNobody, 2}));
}

TEST(Dominators, ARootBelowAnotherHasNoDominator) {
  Dominators d = dominators(graph_of(3, {{0, 1}, {1, 2}}, {0, 1}));
  EXPECT_EQ(d.parent, (Big<uint32_t>{kNobody, kNobody, 1}));
}

TEST(Dominators, ACycleThatNobodyReachesIsStillThere) {
  Dominators d = dominators(graph_of(3, {{0, 1}, {1, 0}, {1, 2}}, {}));
  EXPECT_EQ(d.parent, (Big<uint32_t>{kNobody, 0, 1}));
}

TEST(Dominators, AgreeWithTakingEachNodeAwayInTurn) {
  std::mt19937 engine(5);
  auto random = [&] { return static_cast<uint32_t>(engine()); };
  for (int round = 0; round < 400; ++round) {
    uint32_t n = 2 + random() % 30;
    Edges edges;
    for (uint32_t k = 0, m = random() % (3 * n); k < m; ++k) edges.emplace_back(random() % n, random() % n);
    if (round % 2)  // from a smaller number to a larger one
      for (auto& [from, to] : edges) {
        if (from == to) to = (from + 1) % n;
        if (from > to) std::swap(from, to);
      }
    References g = graph_of(n, edges, {random() % n, random() % n});
    Dominators d = round % 4 < 2 ? dominators(g) : dominators_with_cycles(g);
    if (round % 4 < 2 && acyclic(g))  // what nobody holds comes before what it holds
      for (uint32_t v = 0; v < n; ++v) g.root[v] = g.root[v] || std::count(g.to.begin(), g.to.end(), v) == 0;
    // What no root reaches counts as held from outside, first come first; but what hangs on one reference and leads nowhere comes after its holder.
    std::vector<char> hangs(n, 0);
    for (uint32_t again = 0; again < n; ++again)
      for (uint32_t v = 0; v < n; ++v) {
        bool nowhere = true;
        for (uint32_t e = g.start[v]; e < g.start[v + 1]; ++e) nowhere = nowhere && hangs[g.to[e]];
        hangs[v] = nowhere && !g.root[v] && std::count(g.to.begin(), g.to.end(), v) == 1;
      }
    for (uint32_t v = 0; v < n; ++v)
      if (!hangs[v] && !reached(g, kNobody)[v]) g.root[v] = 1;
    std::vector<char> all = reached(g, kNobody);
    std::vector<std::vector<char>> without(n);
    for (uint32_t v = 0; v < n; ++v) without[v] = reached(g, v);
    for (uint32_t v = 0; v < n; ++v) {
      if (!all[v]) continue;
      // u dominates v if v is not reached without u; the immediate one is dominated by all others.
      for (uint32_t u = 0; u < n; ++u) {
        if (u == v || !all[u]) continue;
        bool above = false;
        for (uint32_t p = d.parent[v]; p != kNobody; p = d.parent[p]) above = above || p == u;
        ASSERT_EQ(above, !without[u][v]) << "round " << round << ": " << u << " over " << v;
      }
    }
  }
}

TEST(Dominators, AMillionDeepWithSomethingThatAllHold) {
  // A chain of a million, and a thousand nodes that every part of it holds: quadratic algorithms do not come back.
  constexpr uint32_t n = 1000000, shared = 1000;
  References g;
  g.root.assign(n + shared, 0);
  g.root[0] = 1;
  for (uint32_t v = 0; v < n; ++v) {
    g.start.push_back(static_cast<uint32_t>(g.to.size()));
    if (v + 1 < n) g.to.push_back(v + 1);
    g.to.push_back(n + v % shared);
  }
  for (uint32_t v = 0; v <= shared; ++v) g.start.push_back(static_cast<uint32_t>(g.to.size()));
  for (const Dominators& d : {dominators(g), dominators_with_cycles(g)}) {
    EXPECT_EQ(d.parent[n - 1], n - 2);
    EXPECT_EQ(d.parent[n], 0u);
    EXPECT_EQ(d.parent[n + 7], 7u);
  }
}

TEST(Retained, AnOwnerRetainsWhatItAloneHolds) {
  HeldOf<Box> a(new Box("a")), b(new Box("b"));
  {
    HeldOf<Storage> own = bytes_of(1000), both = bytes_of(50);
    a->put(own.get());
    a->put(both.get());
    b->put(both.get());
  }
  Retained r = retained_sizes();
  auto at = [&](const Counted* c) { return static_cast<size_t>(std::find(r.objects.begin(), r.objects.end(), c) - r.objects.begin()); };
  size_t i = at(a.get()), k = at(b.get());
  ASSERT_LT(i, r.objects.size());
  EXPECT_EQ(r.retained[i], 1000u);
  EXPECT_EQ(r.together[i], 2u);
  EXPECT_EQ(r.retained[k], 0u);
  EXPECT_EQ(r.edges, 3u);
  size_t shared = 0;
  for (size_t v = 0; v < r.objects.size(); ++v)
    if (r.self[v] == 50) {
      EXPECT_EQ(r.parent[v], kNobody);
      EXPECT_EQ(r.holders[v], 2u);
      ++shared;
    }
  EXPECT_EQ(shared, 1u);
  b->drop();
  r = retained_sizes();
  EXPECT_EQ(r.retained[at(a.get())], 1050u);
  EXPECT_EQ(r.together[at(a.get())], 3u);
}

TEST(Retained, SelfSizesAreTheLiveBytes) {
  HeldOf<Box> box(new Box);
  for (size_t n : {100, 2000, 30000}) box->put(bytes_of(n).get());
  Retained r = retained_sizes();
  size_t self = 0, top = 0;
  for (size_t v = 0; v < r.objects.size(); ++v) {
    self += r.self[v];
    if (r.parent[v] == kNobody) top += r.retained[v];
  }
  EXPECT_EQ(self, now().live_bytes);
  EXPECT_EQ(top, now().live_bytes);
}

}  // namespace
}  // namespace tenure::memory

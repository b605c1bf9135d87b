#include "memory/dominators.h"

#include <algorithm>

#include "memory/storage.h"

namespace tenure::memory {
namespace {

// The algorithm's arrays, by preorder number; 0 stands for the world outside, which holds all roots.
class LengauerTarjan {
 public:
  explicit LengauerTarjan(const References& g) : g_(g), n_(g.root.size()) {}

  Dominators run() {
    number_.assign(n_, 0);
    vertex_.assign(1, kNobody), parent_.assign(1, 0);
    vertex_.reserve(n_ + 1), parent_.reserve(n_ + 1);
    for (uint32_t v = 0; v < n_; ++v)
      if (g_.root[v]) search(v);
    held_outside_ = Big<char>(g_.root);
    for (uint32_t v = 0; v < n_; ++v)
      if (!number_[v]) held_outside_[v] = 1, search(v);
    gather_predecessors();
    settle();
    Dominators d;
    d.parent.assign(n_, kNobody);
    d.order.reserve(n_);
    for (uint32_t w = 1; w <= n_; ++w) {
      d.order.push_back(vertex_[w]);
      if (dom_[w]) d.parent[vertex_[w]] = vertex_[dom_[w]];
    }
    return d;
  }

 private:
  void search(uint32_t root) {
    if (number_[root]) return;
    enter(root, 0);
    stack_.assign(1, {root, g_.start[root]});
    while (!stack_.empty()) {
      auto& [v, at] = stack_.back();
      if (at == g_.start[v + 1]) {
        stack_.pop_back();
        continue;
      }
      uint32_t w = g_.to[at++];
      if (number_[w]) continue;
      enter(w, number_[v]);
      stack_.push_back({w, g_.start[w]});
    }
  }
  void enter(uint32_t v, uint32_t parent) {
    number_[v] = static_cast<uint32_t>(vertex_.size());
    vertex_.push_back(v);
    parent_.push_back(parent);
  }

  void gather_predecessors() {
    first_.assign(n_ + 2, 0);
    for (uint32_t w : g_.to) ++first_[number_[w] + 1];
    for (uint32_t v = 0; v < n_; ++v)
      if (held_outside_[v]) ++first_[number_[v] + 1];
    for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
    before_.resize(first_.back());
    Big<uint32_t> at(first_);
    for (uint32_t v = 0; v < n_; ++v) {
      if (held_outside_[v]) before_[at[number_[v]]++] = 0;
      for (uint32_t e = g_.start[v]; e < g_.start[v + 1]; ++e) before_[at[number_[g_.to[e]]]++] = number_[v];
    }
  }

  void settle() {
    size_t n = n_ + 1;
    semi_.resize(n), label_.resize(n);
    for (uint32_t i = 0; i < n; ++i) semi_[i] = label_[i] = i;
    ancestor_.assign(n, kNobody), dom_.assign(n, 0);
    Big<uint32_t> bucket(n, kNobody), next(n, kNobody);
    for (auto w = static_cast<uint32_t>(n_); w >= 1; --w) {
      for (uint32_t e = first_[w]; e < first_[w + 1]; ++e) semi_[w] = std::min(semi_[w], semi_[eval(before_[e])]);
      next[w] = bucket[semi_[w]], bucket[semi_[w]] = w;
      uint32_t p = parent_[w];
      ancestor_[w] = p;
      for (uint32_t v = std::exchange(bucket[p], kNobody); v != kNobody; v = next[v]) {
        uint32_t u = eval(v);
        dom_[v] = semi_[u] < semi_[v] ? u : p;
      }
    }
    for (uint32_t w = 1; w < n; ++w)
      if (dom_[w] != semi_[w]) dom_[w] = dom_[dom_[w]];
  }

  // The node of least semidominator on the way up to the forest's root, which is left out.
  uint32_t eval(uint32_t v) {
    if (ancestor_[v] == kNobody) return v;
    path_.clear();
    for (uint32_t u = v; ancestor_[ancestor_[u]] != kNobody; u = ancestor_[u]) path_.push_back(u);
    for (size_t i = path_.size(); i-- > 0;) {
      uint32_t u = path_[i], a = ancestor_[u];
      if (semi_[label_[a]] < semi_[label_[u]]) label_[u] = label_[a];
      ancestor_[u] = ancestor_[a];
    }
    return label_[v];
  }

  const References& g_;
  size_t n_;
  Big<char> held_outside_;
  Big<uint32_t> number_, vertex_, parent_, first_, before_, semi_, label_, ancestor_, dom_, path_;
  std::vector<std::pair<uint32_t, uint32_t>> stack_;
};

// Addresses to indices, filled once: a small table of 64 KiB pages, then an entry for each 64 bytes. No two objects begin in the same 64 bytes.
class Index {
 public:
  explicit Index(const Big<Counted*>& objects) {
    size_t size = 16;
    slots_.assign(size, {kNone, 0}), mask_ = size - 1;
    for (uint32_t i = 0; i < objects.size(); ++i) {
      auto address = reinterpret_cast<uintptr_t>(objects[i]);
      Page& p = slots_[place(address >> kPageBits)];
      if (p.number == kNone) {
        p = {address >> kPageBits, static_cast<uint32_t>(granules_.size())};
        granules_.resize(granules_.size() + kGranules, kNobody);
        granules_[p.first + granule(address)] = i;
        if (++pages_ * 2 > slots_.size()) grow();
      } else {
        granules_[p.first + granule(address)] = i;
      }
    }
  }
  uint32_t of(const Counted* c) const noexcept {
    auto address = reinterpret_cast<uintptr_t>(c);
    const Page& p = slots_[place(address >> kPageBits)];
    return p.number == kNone ? kNobody : granules_[p.first + granule(address)];
  }
  void prefetch(const Counted* c) const noexcept {
    auto address = reinterpret_cast<uintptr_t>(c);
    const Page& p = slots_[place(address >> kPageBits)];
    if (p.number != kNone) __builtin_prefetch(&granules_[p.first + granule(address)]);
  }

 private:
  static constexpr unsigned kPageBits = 16;
  static constexpr size_t kGranules = size_t{1} << (kPageBits - 6);
  static constexpr uintptr_t kNone = ~uintptr_t{0};
  struct Page {
    uintptr_t number;
    uint32_t first;
  };
  static size_t granule(uintptr_t address) noexcept { return address >> 6 & (kGranules - 1); }
  // Where the page is, or would be.
  size_t place(uintptr_t page) const noexcept {
    size_t at = (page * 0x9E3779B97F4A7C15u >> 20) & mask_;
    while (slots_[at].number != page && slots_[at].number != kNone) at = (at + 1) & mask_;
    return at;
  }
  void grow() {
    std::vector<Page> old(slots_.size() * 2, Page{kNone, 0});
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const Page& p : old)
      if (p.number != kNone) slots_[place(p.number)] = p;
  }
  std::vector<Page> slots_;
  Big<uint32_t> granules_;
  size_t mask_ = 0, pages_ = 0;
};

constexpr size_t kAhead = 16;  // places that are asked for early: each lies anywhere in memory

// References as addresses first: who they are is found out for all of them together.
class EdgeCollector final : public EdgeVisitor {
 public:
  void edge(const Counted* target, std::string_view, int64_t) override {
    if (target) targets_.push_back(target);
  }
  void user_edge(const Counted* target, std::string_view, int64_t) override {
    if (target) by_name_.push_back(count()), targets_.push_back(target);
  }
  uint32_t count() const noexcept { return static_cast<uint32_t>(targets_.size()); }

  /// Targets by number; what leads nowhere is left out of `g`.
  void resolve(const Index& index, References& g, size_t n) {
    g.to.resize(targets_.size());
    bool strays = false;
    for (size_t e = 0; e < targets_.size(); ++e) {
      if (e + kAhead < targets_.size()) index.prefetch(targets_[e + kAhead]);
      g.to[e] = index.of(targets_[e]);
      strays = strays || g.to[e] == kNobody;
    }
    owned.assign(n, 0), named.assign(n, 0);
    for (uint32_t e : by_name_)
      if (g.to[e] != kNobody) ++named[g.to[e]];
    for (size_t e = 0; e < g.to.size(); ++e) {
      if (e + kAhead < g.to.size() && g.to[e + kAhead] != kNobody) __builtin_prefetch(&owned[g.to[e + kAhead]], 1);
      if (g.to[e] != kNobody) ++owned[g.to[e]];
    }
    for (size_t i = 0; i < n && !by_name_.empty(); ++i) owned[i] -= named[i];
    if (!strays) return;
    uint32_t kept = 0;
    for (size_t v = 0, e = 0; v < n; ++v) {
      g.start[v] = kept;
      for (const size_t end = g.start[v + 1]; e < end; ++e)
        if (g.to[e] != kNobody) g.to[kept++] = g.to[e];
    }
    g.start[n] = kept;
    g.to.resize(kept);
  }
  Big<uint32_t> owned, named;  // references traced, by target

 private:
  Big<const Counted*> targets_;
  Big<uint32_t> by_name_;  // those of named holders
};

// Dominators where the references form no cycle, as owners' should: each node after all of its holders, below the nearest that all of these have
// above them. Found in O(m log n) by jump pointers: E. W. Myers, An applicative random-access stack, 1983. Number 0 is the world outside.
class Acyclic {
 public:
  explicit Acyclic(const References& g) : g_(g), nodes_(g.root.size() + 1) {}

  /// False: there is a cycle; `d` then holds nothing of use.
  bool run(Dominators& d) {
    const auto n = static_cast<uint32_t>(g_.root.size());
    for (size_t e = 0; e < g_.to.size(); ++e) {
      if (e + kAhead < g_.to.size()) __builtin_prefetch(&nodes_[g_.to[e + kAhead] + 1], 1);
      ++nodes_[g_.to[e] + 1].waiting;
    }
    for (uint32_t v = 0; v < n; ++v)
      if (g_.root[v]) nodes_[v + 1].above = 0;
    d.order.reserve(n);
    for (uint32_t v = 0; v < n; ++v)
      if (nodes_[v + 1].waiting == 0) settle(v, d.order);
    for (size_t i = 0; i < d.order.size(); ++i) {  // the order is the queue
      const uint32_t v = d.order[i], end = g_.start[v + 1];
      look_ahead(d.order, i);
      for (uint32_t e = g_.start[v]; e < end; ++e) {
        if (e + kAhead < end) __builtin_prefetch(&nodes_[g_.to[e + kAhead] + 1], 1);
        const uint32_t w = g_.to[e];
        Node& node = nodes_[w + 1];
        node.above = node.above == kNobody ? v + 1 : meet(node.above, v + 1);
        if (--node.waiting == 0) settle(w, d.order);
      }
    }
    if (d.order.size() < n) return false;
    d.parent.resize(n);
    for (uint32_t v = 0; v < n; ++v) d.parent[v] = nodes_[v + 1].above - 1;  // the world becomes kNobody
    return true;
  }

 private:
  struct Node {
    uint32_t waiting = 0;  // holders that are not in the order yet; afterwards the depth
    uint32_t above = kNobody, jump = 0;
  };
  static_assert(uint32_t{0} - 1 == kNobody);

  void settle(uint32_t v, Big<uint32_t>& order) {
    Node& node = nodes_[v + 1];
    if (node.above == kNobody) node.above = 0;  // nobody holds it: it is being made, or a mistake
    const Node& up = nodes_[node.above];
    const uint32_t depth = node.above ? up.waiting : 0, jump = up.jump;
    const uint32_t jump_depth = jump ? nodes_[jump].waiting : 0, far = nodes_[jump].jump, far_depth = far ? nodes_[far].waiting : 0;
    node.jump = depth - jump_depth == jump_depth - far_depth ? far : node.above;
    node.waiting = depth + 1;
    order.push_back(v);
  }
  // Of a node soon to come: where its references begin, then the first of them, then to whom it leads.
  void look_ahead(const Big<uint32_t>& order, size_t i) const noexcept {
    if (i + 3 * kAhead >= order.size()) return;
    __builtin_prefetch(&g_.start[order[i + 3 * kAhead]]);
    __builtin_prefetch(g_.to.data() + g_.start[order[i + 2 * kAhead]]);
    if (const uint32_t e = g_.start[order[i + kAhead]]; e < g_.to.size()) __builtin_prefetch(&nodes_[g_.to[e] + 1], 1);
  }
  uint32_t depth(uint32_t v) const noexcept { return v ? nodes_[v].waiting : 0; }
  // The nearest that both hang on, a node counting as above itself.
  uint32_t meet(uint32_t a, uint32_t b) const noexcept {
    if (a == b || !a || !b) return a == b ? a : 0;
    if (depth(a) < depth(b)) std::swap(a, b);
    while (depth(a) > depth(b)) a = depth(nodes_[a].jump) >= depth(b) ? nodes_[a].jump : nodes_[a].above;
    while (a != b) {
      const bool far = nodes_[a].jump != nodes_[b].jump;
      a = far ? nodes_[a].jump : nodes_[a].above, b = far ? nodes_[b].jump : nodes_[b].above;
    }
    return a;
  }

  const References& g_;
  Big<Node> nodes_;
};

}  // namespace

Dominators dominators(const References& g) {
  Dominators d;
  return Acyclic(g).run(d) ? d : dominators_with_cycles(g);
}

// What one reference leads to and what leads nowhere (most buffers) is dominated by its one holder. Taken off, leaf by leaf, before the rest is asked.
Dominators dominators_with_cycles(const References& g) {
  size_t n = g.root.size();
  Big<uint32_t> in(n, 0), out(n), holder(n, kNobody), peeled;
  for (uint32_t v = 0; v < n; ++v) {
    out[v] = g.start[v + 1] - g.start[v];
    for (uint32_t e = g.start[v]; e < g.start[v + 1]; ++e) ++in[g.to[e]], holder[g.to[e]] = v;
  }
  auto leaf = [&](uint32_t v) { return out[v] == 0 && in[v] == 1 && !g.root[v]; };
  Big<uint32_t> place(n, 0);  // kNobody: peeled; else the place among the rest
  for (uint32_t v = 0; v < n; ++v)
    for (uint32_t u = v; place[u] != kNobody && leaf(u); u = holder[u]) {
      place[u] = kNobody;
      peeled.push_back(u);
      --out[holder[u]];
    }
  if (peeled.empty()) return LengauerTarjan(g).run();
  References rest;
  Big<uint32_t> whole;  // by place
  whole.reserve(n - peeled.size());
  for (uint32_t v = 0; v < n; ++v)
    if (place[v] != kNobody) place[v] = static_cast<uint32_t>(whole.size()), whole.push_back(v);
  rest.start.reserve(whole.size() + 1), rest.to.reserve(g.to.size() - peeled.size()), rest.root.reserve(whole.size());
  for (uint32_t v : whole) {
    rest.start.push_back(static_cast<uint32_t>(rest.to.size()));
    rest.root.push_back(g.root[v]);
    for (uint32_t e = g.start[v]; e < g.start[v + 1]; ++e)
      if (place[g.to[e]] != kNobody) rest.to.push_back(place[g.to[e]]);
  }
  rest.start.push_back(static_cast<uint32_t>(rest.to.size()));
  Dominators of_rest = LengauerTarjan(rest).run(), d;
  d.parent = std::move(holder);
  for (size_t i = 0; i < whole.size(); ++i) d.parent[whole[i]] = of_rest.parent[i] == kNobody ? kNobody : whole[of_rest.parent[i]];
  d.order.reserve(n);
  for (uint32_t v : of_rest.order) d.order.push_back(whole[v]);
  d.order.insert(d.order.end(), peeled.rbegin(), peeled.rend());
  return d;
}

Retained retained_sizes() {
  Retained r;
  size_t live[kinds], expected = 0;
  live_counts(live);
  for (size_t k : live) expected += k;
  r.objects.reserve(expected);
  for_each_live([&](Counted& c) { r.objects.push_back(&c); });
  size_t n = r.objects.size();
  Index index(r.objects);
  References g;
  g.start.reserve(n + 1);
  EdgeCollector edges;
  for (size_t i = 0; i < n; ++i) {
    if (i + kAhead < n) __builtin_prefetch(r.objects[i + kAhead]);
    g.start.push_back(edges.count());
    r.objects[i]->trace(edges);
  }
  g.start.push_back(edges.count());
  edges.resolve(index, g, n);
  g.root.resize(n);
  r.holders.resize(n), r.self.assign(n, 0);
  for (size_t i = 0; i < n; ++i) {
    const Counted& c = *r.objects[i];
    bool outside = c.users() > edges.named[i] || c.owners() > edges.owned[i];
    g.root[i] = outside;
    r.holders[i] = edges.owned[i] + edges.named[i] + outside;
    if (c.kind() == Kind::storage && !static_cast<const Storage&>(c).borrowed()) r.self[i] = static_cast<const Storage&>(c).bytes();
  }
  r.edges = g.to.size();
  Dominators d = dominators(g);
  r.parent = std::move(d.parent), r.order = std::move(d.order);
  r.retained = r.self;
  r.together.assign(n, 1);
  for (size_t i = n; i-- > 0;) {
    if (i >= 2 * kAhead) {
      __builtin_prefetch(&r.retained[r.order[i - 2 * kAhead]]), __builtin_prefetch(&r.parent[r.order[i - 2 * kAhead]]);
      if (const uint32_t soon = r.parent[r.order[i - kAhead]]; soon != kNobody)
        __builtin_prefetch(&r.retained[soon], 1), __builtin_prefetch(&r.together[soon], 1);
    }
    uint32_t v = r.order[i], p = r.parent[v];
    if (p == kNobody) continue;
    r.retained[p] += r.retained[v];
    r.together[p] += r.together[v];
  }
  return r;
}

}  // namespace tenure::memory

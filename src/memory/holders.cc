#include "memory/holders.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <unordered_set>

#include "base/check.h"

namespace tenure::memory {
namespace {

class Collector final : public EdgeVisitor {
 public:
  explicit Collector(HolderGraph& g) : graph_(g) {}
  void from(const Counted* c) { from_ = c; }
  void edge(const Counted* target, std::string_view label, int64_t index) override { add(target, label, index, false); }
  void user_edge(const Counted* target, std::string_view label, int64_t index) override { add(target, label, index, true); }

 private:
  void add(const Counted* target, std::string_view label, int64_t index, bool user) {
    if (!target) return;
    graph_.holders[target].push_back({from_, index < 0 ? std::string(label) : fmt::format("{}[{}]", label, index), user});
    ++graph_.edges;
  }
  HolderGraph& graph_;
  const Counted* from_ = nullptr;
};

std::atomic<int> muted_kind{-1};

}  // namespace

void testing::mute(std::optional<Kind> kind) noexcept { muted_kind = kind ? static_cast<int>(*kind) : -1; }
bool testing::muted(Kind kind) noexcept { return static_cast<int>(kind) == muted_kind.load(std::memory_order_relaxed); }

HolderGraph HolderGraph::gather() {
  HolderGraph g;
  for_each_live([&](Counted& c) { g.objects.push_back(&c); });
  Collector collector(g);
  for (Counted* c : g.objects) {
    if (testing::muted(c->kind())) continue;
    collector.from(c);
    c->trace(collector);
  }
  return g;
}

size_t HolderGraph::owner_edges(const Counted* target) const {
  auto it = holders.find(target);
  if (it == holders.end()) return 0;
  return static_cast<size_t>(std::count_if(it->second.begin(), it->second.end(), [](const Edge& e) { return !e.user; }));
}

size_t HolderGraph::user_edges(const Counted* target) const {
  auto it = holders.find(target);
  return it == holders.end() ? 0 : it->second.size() - owner_edges(target);
}

std::vector<std::vector<Hop>> HolderGraph::paths(const Counted* target, size_t most) const {
  struct Step {
    const Counted* at;
    int parent;  // index into steps
    std::string label;
  };
  std::vector<Step> steps{{target, -1, ""}};
  std::unordered_set<const Counted*> seen{target};
  std::vector<std::vector<Hop>> out;
  auto emit = [&](int last, Hop root) {
    std::vector<Hop> path;
    for (int i = last; i > 0; i = steps[static_cast<size_t>(i)].parent) {
      const Step& s = steps[static_cast<size_t>(i)];
      path.push_back({s.at->describe(), s.label, 0});
    }
    std::reverse(path.begin(), path.end());
    path.push_back(std::move(root));
    out.push_back(std::move(path));
  };
  for (size_t i = 0; i < steps.size() && out.size() < most && i < 100000; ++i) {
    const Counted* at = steps[i].at;
    size_t named = 0;
    if (auto it = holders.find(at); it != holders.end()) {
      for (const Edge& e : it->second) {
        if (e.user) {
          ++named;
          emit(static_cast<int>(i), {e.from->describe(), e.label, 0});
          if (out.size() >= most) return out;
        } else if (seen.insert(e.from).second) {
          steps.push_back({e.from, static_cast<int>(i), e.label});
        }
      }
    }
    // Handles of the program: what the object's own low count says, less what named holders told of.
    size_t users = at->users() > named ? at->users() - named : 0;
    if (users > 0) emit(static_cast<int>(i), {fmt::format("{} handle{} of your own program", users, users == 1 ? "" : "s"), "", 0});
  }
  return out;
}

}  // namespace tenure::memory

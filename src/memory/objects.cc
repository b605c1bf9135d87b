#include "memory/objects.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"
#include "memory/storage.h"

namespace tenure::memory {

TensorFacts (*tensor_facts)(const Counted& tensor) = nullptr;

namespace {
std::atomic<int> muted_kind{-1};
}
void testing::mute(std::optional<Kind> kind) noexcept { muted_kind = kind ? static_cast<int>(*kind) : -1; }
bool testing::muted(Kind kind) noexcept { return static_cast<int>(kind) == muted_kind.load(std::memory_order_relaxed); }

uint32_t Strings::of(std::string_view text) {
  auto [it, fresh] = index_.try_emplace(std::string(text), static_cast<uint32_t>(list_.size()));
  if (fresh) list_.emplace_back(text);
  return it->second;
}

void Strings::assign(std::vector<std::string> list) {
  list_ = std::move(list);
  index_.clear();
  for (uint32_t i = 0; i < list_.size(); ++i) index_.emplace(list_[i], i);
}

namespace {

using Object = ObjectGraph::Object;
using Reference = ObjectGraph::Reference;

// What keeps things by design says so by its kind; owners with a life of their own are Lifecycle.
Lifecycle::Says by_kind(Kind kind) {
  switch (kind) {
    case Kind::variable: return {Standing::expected, "a variable keeps its value"};
    case Kind::layer: return {Standing::expected, "a layer keeps its weights, a model its functions"};
    case Kind::optimizer: return {Standing::expected, "an optimizer keeps its slots"};
    case Kind::metric: return {Standing::expected, "a metric keeps its state"};
    case Kind::node: return {Standing::expected, "the past of a symbolic tensor"};
    case Kind::executable: return {Standing::expected, "a trace keeps its constants"};
    case Kind::dataset: return {Standing::expected, "a dataset keeps its source"};
    case Kind::tensor:
    case Kind::storage: return {Standing::expected, ""};
    default: return {};
  }
}

class Gatherer final : public EdgeVisitor {
 public:
  explicit Gatherer(ObjectGraph& g) : g_(g), owned(g.objects.size(), 0), named(g.objects.size(), 0) {
    for (uint32_t i = 0; i < g.objects.size(); ++i) index_.emplace(g.objects[i].live, i);
  }
  void edge(const Counted* target, std::string_view label, int64_t index) override { add(target, label, index, owned, false); }
  void user_edge(const Counted* target, std::string_view label, int64_t index) override { add(target, label, index, named, true); }

 private:
  void add(const Counted* target, std::string_view label, int64_t index, std::vector<uint32_t>& count, bool is_named) {
    if (!target) return;
    auto it = index_.find(target);
    if (it == index_.end()) return g_.strays.push_back({from, edge_text(label, index)});
    ++count[it->second];
    if (label != last_) last_ = label, last_string_ = g_.strings.of(label);
    g_.references.push_back({it->second, last_string_, static_cast<int32_t>(std::min<int64_t>(index, INT32_MAX)), is_named});
  }
  ObjectGraph& g_;
  std::unordered_map<const Counted*, uint32_t> index_;
  std::string last_;
  uint32_t last_string_ = 0;

 public:
  uint32_t from = 0;                   // whose references are told
  std::vector<uint32_t> owned, named;  // references traced, by target
};

void describe_life(Object& o, Strings& strings) {
  Lifecycle::Says says = by_kind(o.kind);
  if (o.kind != Kind::storage && o.kind != Kind::tensor) {
    if (auto* life = dynamic_cast<const Lifecycle*>(o.live)) {
      says = life->says();
      auto filling = life->filling();
      o.bounded = filling && filling->now < filling->most;
    }
  }
  o.standing = says.standing;
  o.reason = strings.of(says.reason), o.fix = strings.of(says.fix);
}

}  // namespace

ObjectGraph ObjectGraph::gather(bool detached) {
  ObjectGraph g;
  g.walk = std::make_shared<Walk>();
  g.strings.of("");
  for_each_live([&](Counted& c) {
    Object o;
    o.id = c.birth(), o.kind = c.kind(), o.live = &c;
    g.objects.push_back(o);
  });
  std::sort(g.objects.begin(), g.objects.end(), [](const Object& a, const Object& b) { return a.id < b.id; });
  Gatherer gatherer(g);
  g.start.reserve(g.objects.size() + 1);
  std::unordered_map<AccountId, uint32_t> accounts;
  for (Object& o : g.objects) {
    g.start.push_back(static_cast<uint32_t>(g.references.size()));
    gatherer.from = static_cast<uint32_t>(&o - g.objects.data());
    if (!testing::muted(o.kind)) o.live->trace(gatherer);
    auto [it, fresh] = accounts.try_emplace(o.live->account(), 0);
    if (fresh) it->second = g.strings.of(path_of(o.live->account()));
    o.account = it->second;
    if (o.kind == Kind::storage) {
      auto& s = static_cast<const Storage&>(*o.live);
      o.bytes = s.bytes(), o.category = s.category();
    } else if (o.kind == Kind::tensor && tensor_facts) {
      TensorFacts f = tensor_facts(*o.live);
      o.seen = f.bytes, o.elements = f.elements;
    }
    describe_life(o, g.strings);
  }
  g.start.push_back(static_cast<uint32_t>(g.references.size()));
  for (uint32_t i = 0; i < g.objects.size(); ++i) {
    Object& o = g.objects[i];
    uint32_t users = o.live->users(), owners = o.live->owners();
    o.handles = users > gatherer.named[i] ? users - gatherer.named[i] : 0;
    o.owners = owners, o.traced = gatherer.owned[i];
    o.unexplained = owners > o.traced ? owners - o.traced : 0;
    if (detached) o.name = g.strings.of(o.live->describe());
  }
  if (detached) {
    for (Object& o : g.objects) o.live = nullptr;
    g.walk.reset();
  }
  return g;
}

std::string ObjectGraph::name(uint32_t i) const { return objects[i].live ? objects[i].live->describe() : strings.at(objects[i].name); }

std::string ObjectGraph::label(const Reference& r) const { return edge_text(strings.at(r.label), r.index); }

uint32_t ObjectGraph::find(uint64_t id) const {
  auto it = std::lower_bound(objects.begin(), objects.end(), id, [](const Object& o, uint64_t wanted) { return o.id < wanted; });
  return it != objects.end() && it->id == id ? static_cast<uint32_t>(it - objects.begin()) : kNobody;
}

std::string short_hash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return fmt::format("{:08x}", static_cast<uint32_t>(h ^ h >> 32));
}

}  // namespace tenure::memory

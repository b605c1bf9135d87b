// Chains from roots to a buffer: found by breadth from the buffer outwards, ordered by what holds, judged hop by hop.
#include <algorithm>
#include <ostream>

#include "base/check.h"
#include "memory/objects.h"

namespace tenure::memory {

const char* to_string(Standing s) noexcept {
  constexpr const char* names[] = {"expected", "unknown", "stuck"};
  return names[static_cast<size_t>(s)];
}

namespace {

constexpr size_t kSteps = 100000;
constexpr int kHandlesRank = 4;

int rank_of(Kind k) {
  switch (k) {
    case Kind::function:
    case Kind::executable:
    case Kind::dataset:
    case Kind::callback:
    case Kind::holder: return 0;
    case Kind::tape:
    case Kind::node: return 1;
    case Kind::queue: return 2;
    case Kind::tensor: return kHandlesRank;
    default: return 3;
  }
}

std::string with_indices_gone(std::string_view label) {
  std::string out;
  for (size_t i = 0; i < label.size(); ++i) {
    out += label[i];
    size_t end = i + 1;
    while (label[i] == '[' && end < label.size() && label[end] >= '0' && label[end] <= '9') ++end;
    if (end > i + 1 && end < label.size() && label[end] == ']') out += '*', i = end - 1;
  }
  return out;
}

// The way out, where a rule knows one.
std::string fix_of(const Chain& c, size_t elements) {
  const Link& root = c.links.front();
  bool kept_in_a_list = std::any_of(c.links.begin(), c.links.end(), [](const Link& l) { return l.suspect && l.label.find('[') != l.label.npos; });
  bool yours = root.kind == "holder" || root.kind == "callback" || root.kind == "handles";
  if (!yours) return "";
  if (elements == 1) return "keep the number, not the tensor: item()";
  if (kept_in_a_list) return fmt::format("bound '{}', or clear it when its contents are done with", root.holder);
  if (root.kind == "callback") return "drop what the callback keeps in on_train_end(), or drop the callback";
  if (root.kind == "handles") return "drop or overwrite the handles; memory::Holder gives their container a name here";
  return "";
}

// A tensor that is no pinning view stands as what holds it. Then the suspects: the references between the last expected holder and the first
// stuck one; without a stuck one, those of the holders below it that are no tensors.
void judge(Chain& c) {
  size_t n = c.links.size(), stuck = n;
  for (size_t i = 1; i < n; ++i)
    if ((c.links[i].kind == "tensor" || i + 1 == n) && c.links[i].standing != Standing::stuck) c.links[i].standing = c.links[i - 1].standing;
  size_t from = 0;
  for (size_t i = 0; i + 1 < n && stuck == n; ++i) {
    if (c.links[i].standing == Standing::stuck) stuck = i;
    else if (c.links[i].standing == Standing::expected) from = i;
  }
  bool sound = n < 2 || (stuck == n && c.links[n - 2].standing == Standing::expected);
  if (sound) return;
  for (size_t i = from; i < (stuck < n ? std::max<size_t>(stuck, 1) : n - 1); ++i) c.links[i].suspect = c.links[i].kind != "tensor";
}

}  // namespace

Chains::Chains(const ObjectGraph& g, bool retained) : g_(g) {
  size_t n = g.objects.size();
  before_start_.assign(n + 1, 0), from_.resize(g.references.size()), before_edge_.resize(g.references.size());
  most_seen_.assign(n, 0);
  for (const auto& r : g.references) ++before_start_[r.to + 1];
  for (size_t i = 0; i < n; ++i) before_start_[i + 1] += before_start_[i];
  std::vector<uint32_t> at(before_start_.begin(), before_start_.end() - 1);
  References all;
  for (uint32_t i = 0; i < n; ++i)
    for (uint32_t e = g.start[i]; e < g.start[i + 1]; ++e) {
      uint32_t to = g.references[e].to;
      from_[e] = i, before_edge_[at[to]++] = e;
      if (g.objects[to].kind == Kind::storage) most_seen_[to] = std::max(most_seen_[to], g.objects[i].seen);
      if (retained) all.to.push_back(to);
    }
  if (!retained) return;
  all.start.assign(g.start.begin(), g.start.end());
  all.root.resize(n);
  for (uint32_t i = 0; i < n; ++i) all.root[i] = root(i);
  Dominators d = dominators(all);
  retained_.resize(n);
  for (uint32_t i = 0; i < n; ++i) retained_[i] = g.objects[i].bytes;
  for (size_t i = n; i-- > 0;)
    if (uint32_t v = d.order[i]; d.parent[v] != kNobody) retained_[d.parent[v]] += retained_[v];
  dominator_ = std::move(d.parent);
}

bool Chains::root(uint32_t i) const { return g_.objects[i].handles > 0 || g_.objects[i].unexplained > 0; }

std::vector<Chains::Found> Chains::search(uint32_t target, size_t most, std::vector<Step>& steps) const {
  std::vector<Found> found;
  std::unordered_map<uint32_t, char> seen{{target, 1}};
  steps.assign(1, {target, -1, 0});
  std::vector<int> depth{1};
  for (size_t i = 0; i < steps.size() && i < kSteps && found.size() < most * 8; ++i) {
    uint32_t at = steps[i].at;
    if (root(at)) found.push_back({static_cast<int64_t>(i), g_.objects[at].unexplained ? -1 : rank_of(g_.objects[at].kind), depth[i], kNobody, 0});
    for (uint32_t k = before_start_[at]; k < before_start_[at + 1]; ++k) {
      uint32_t e = before_edge_[k], from = from_[e];
      if (g_.references[e].named) found.push_back({static_cast<int64_t>(i), rank_of(g_.objects[from].kind), depth[i] + 1, e, from});
      else if (seen.emplace(from, 1).second) steps.push_back({from, static_cast<int64_t>(i), e}), depth.push_back(depth[i] + 1);
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.rank != b.rank ? a.rank < b.rank : a.length < b.length; });
  if (found.size() > most) found.resize(most);
  return found;
}

Link Chains::link(uint32_t i) const {
  const auto& o = g_.objects[i];
  Link l{g_.name(i), to_string(o.kind), "", o.standing, g_.strings.at(o.reason), false};
  if (o.kind == Kind::tensor && o.seen)
    for (uint32_t e = g_.start[i]; e < g_.start[i + 1]; ++e) {
      uint32_t to = g_.references[e].to;
      if (g_.objects[to].kind != Kind::storage || most_seen_[to] * 2 > g_.objects[to].bytes) continue;
      l.standing = Standing::stuck;
      l.reason = fmt::format("a view of {} bytes pins all {}", o.seen, g_.objects[to].bytes);
    }
  return l;
}

Chain Chains::chain(const Found& f, const std::vector<Step>& steps) const {
  Chain c;
  std::vector<uint32_t> objects;
  uint32_t first = steps[static_cast<size_t>(f.step)].at;
  const auto& root = g_.objects[first];
  if (f.named_edge != kNobody) {
    c.links.push_back(link(f.holder));
    c.links.back().label = g_.label(g_.references[f.named_edge]);
    objects.push_back(f.holder);
  } else if (root.unexplained) {
    c.links.push_back(
        {fmt::format("{} references that no owner names", root.unexplained), "unnamed", "", Standing::stuck, "a mistake in Tenure", false});
    objects.push_back(first);
  } else if (root.kind == Kind::tensor) {
    c.links.push_back(
        {fmt::format("{} handle{} of your own program", root.handles, root.handles == 1 ? "" : "s"), "handles", "", Standing::unknown, "", false});
    objects.push_back(first);
  }
  for (int64_t s = f.step; s >= 0; s = steps[static_cast<size_t>(s)].next) {
    const Step& step = steps[static_cast<size_t>(s)];
    c.links.push_back(link(step.at));
    objects.push_back(step.at);
    if (step.next >= 0) c.links.back().label = g_.label(g_.references[step.edge]);
  }
  judge(c);
  size_t n = c.links.size(), first_doubt = 0;  // the first holder below all that are expected; the root, where all are
  for (size_t i = 0; i + 1 < n && c.links[i].standing != Standing::stuck; ++i)
    if (c.links[i].standing == Standing::expected) first_doubt = i + 1;
  c.retained = retained(objects[first_doubt + 1 < n ? first_doubt : 0]);
  size_t elements = 0;
  for (size_t i = 0; i + 1 < n; ++i) {
    const auto& o = g_.objects[objects[i]];
    if (o.kind == Kind::tensor) elements = o.elements;
    if (i < first_doubt || !c.fix.empty()) continue;
    bool pins = o.kind == Kind::tensor && c.links[i].kind == "tensor" && c.links[i].standing == Standing::stuck && !c.links[i].reason.empty();
    c.fix = pins ? "clone() the part that is wanted: the whole buffer goes with its last view" : g_.strings.at(o.fix);
  }
  if (c.fix.empty() && first_doubt + 1 < n) c.fix = fix_of(c, elements);
  std::string key = c.links.front().kind;
  for (const Link& l : c.links) key += "|" + l.kind + "." + with_indices_gone(l.label);
  key += "|" + g_.strings.at(g_.objects[objects.back()].account);
  c.signature = short_hash(key);
  return c;
}

std::vector<Chain> Chains::of(uint32_t target, size_t most) const {
  std::vector<Step> steps;
  std::vector<Chain> out;
  for (const Found& f : search(target, most, steps)) out.push_back(chain(f, steps));
  return out;
}

std::vector<Chains::Held> Chains::held(uint32_t target, size_t most) const {
  std::vector<Step> steps;
  std::vector<Held> out;
  for (const Found& f : search(target, most, steps)) {
    Held h{"", chain(f, steps)};
    for (size_t i = h.chain.links.size() - 1; i-- > 0;) {
      const Link& l = h.chain.links[i];
      h.line += fmt::format("{}{}{}{}", h.line.empty() ? "" : " <- ", l.holder, l.label.empty() ? "" : " as ", l.label);
    }
    const auto& root = g_.objects[steps[static_cast<size_t>(f.step)].at];
    if (f.named_edge == kNobody && root.handles && !root.unexplained && root.kind != Kind::tensor)
      h.line += fmt::format("{}{} handle{} of your own program", h.line.empty() ? "" : " <- ", root.handles, root.handles == 1 ? "" : "s");
    out.push_back(std::move(h));
  }
  return out;
}

std::string Chains::Held::card() const { return fmt::format("sig {}  retained {} bytes\n{}", chain.signature, chain.retained, chain.text(true)); }

bool Chains::filling(uint32_t target, std::string& what) const {
  std::vector<Step> steps;
  auto found = search(target, 16, steps);
  if (found.empty()) return false;
  for (const Found& f : found) {
    bool bounded = false;
    for (int64_t s = f.step; s >= 0 && !bounded; s = steps[static_cast<size_t>(s)].next) {
      uint32_t at = steps[static_cast<size_t>(s)].at;
      bounded = g_.objects[at].bounded;
      if (bounded) what = g_.name(at);
    }
    if (!bounded) return false;
  }
  return true;
}

Why Chains::why(uint32_t target) const {
  const auto& o = g_.objects[target];
  Why w;
  w.id = o.id, w.what = g_.name(target), w.bytes = o.bytes, w.account = g_.strings.at(o.account), w.category = o.category;
  w.unexplained = o.unexplained;
  w.chains = of(target);
  return w;
}

std::string Chain::text(bool generic) const {
  std::string out;
  for (size_t i = 0; i < links.size(); ++i) {
    const Link& l = links[i];
    const char* mark = i + 1 == links.size() ? "`>" : "+-";
    std::string standing(to_string(l.standing));
    standing[0] = static_cast<char>(standing[0] - 'a' + 'A');
    if (!l.reason.empty()) standing += ": " + l.reason;
    if (i + 1 == links.size()) out += fmt::format("{} {:<9} {}\n", mark, l.kind, l.holder);
    else out += fmt::format("{} {:<9} {:<44} {}\n", mark, l.kind, l.holder, standing);
    if (l.label.empty() || i + 1 == links.size()) continue;
    std::string label = generic ? with_indices_gone(l.label) : l.label;
    out += fmt::format("|    . {}\n", label);
    if (l.suspect) out += fmt::format("|      {}\n", std::string(label.size(), '~'));
  }
  if (!fix.empty()) out += fmt::format("fix: {}\n", fix);
  return out;
}

std::string Why::text() const {
  std::string out = fmt::format("{} (born as {})\n", what, id);
  if (chains.empty()) out += "no root leads here: a cycle of owners, a mistake in Tenure, please report it\n";
  for (const Chain& c : chains) out += fmt::format("sig {}  retained {} bytes\n{}", c.signature, c.retained, c.text());
  if (unexplained) out += fmt::format("{} owner references are explained by nobody: a mistake in Tenure, please report it\n", unexplained);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Why& w) { return out << w.text(); }

}  // namespace tenure::memory

// Elementwise neighbours become one tile group, run at the place of its last member.
#include <algorithm>
#include <map>
#include <set>

#include "graph/graph.h"
#include "kernels/kernels.h"
#include "ops/fused.h"

namespace tenure {
namespace {

struct Group {
  std::vector<size_t> members;  // node indices, ascending
  bool open = true;             // nobody outside has read a value of it yet
};

bool fits(const GraphNode& n) { return n.op && n.op->tile && !(n.op->traits & stateful) && n.out.size() == 1 && n.in.size() <= 4 && !n.in.empty(); }

// Which input of a sum or difference is a float32 product that nobody else reads, made by a member; -1: none.
int product_side(const Graph& g, const GraphNode& n, const std::map<ValueId, int>& made, const std::vector<int32_t>& uses) {
  if ((n.op->name != "add" && n.op->name != "subtract") || n.in.size() != 2 || g.spec(n.out[0]).dtype != DType::float32) return -1;
  for (int side : {1, 0}) {
    ValueId v = n.in[static_cast<size_t>(side)];
    if (made.count(v) && uses[static_cast<size_t>(v)] == 1 && g.spec(v).dtype == DType::float32 &&
        g.nodes[static_cast<size_t>(g.values[static_cast<size_t>(v)].node)].op->name == "multiply")
      return side;
  }
  return -1;
}

// The program of a set of nodes, or null if it is too large. A product in a sum is one step with it.
std::shared_ptr<TileProgram> program_of(const Graph& g, const std::vector<size_t>& members, const std::vector<int32_t>& uses,
                                        std::vector<ValueId>* in, std::vector<ValueId>* out) {
  auto p = std::make_shared<TileProgram>();
  std::map<ValueId, int> made;  // value to step
  std::vector<ValueId> inputs;
  std::map<ValueId, int32_t> inside_uses;
  for (size_t m : members) made[g.nodes[m].out[0]] = static_cast<int>(made.size());
  for (size_t m : members)
    for (ValueId v : g.nodes[m].in) {
      ++inside_uses[v];
      if (!made.count(v) && std::find(inputs.begin(), inputs.end(), v) == inputs.end()) inputs.push_back(v);
    }
  if (inputs.size() > TileProgram::kMaxInputs || members.size() > TileProgram::kMaxSteps) return nullptr;
  int base = static_cast<int>(inputs.size());
  for (ValueId v : inputs) p->inputs.push_back(g.spec(v));
  std::map<ValueId, int> step;
  std::map<size_t, size_t> side_of;  // of sums that make their product: which input it is
  std::set<ValueId> taken;           // those products
  for (size_t m : members)
    if (int side = product_side(g, g.nodes[m], made, uses); side >= 0) {
      side_of[m] = static_cast<size_t>(side);
      taken.insert(g.nodes[m].in[side_of[m]]);
    }
  for (size_t m : members) {
    const GraphNode& n = g.nodes[m];
    if (taken.count(n.out[0])) continue;
    TileProgram::Step s{n.op, n.attrs, static_cast<int>(n.in.size()), {}, 0, g.spec(n.in[0]).dtype, g.spec(n.out[0]).dtype};
    std::vector<ValueId> reads = n.in;
    if (auto it = side_of.find(m); it != side_of.end()) {
      const size_t side = it->second;
      const GraphNode& product = g.nodes[static_cast<size_t>(g.values[static_cast<size_t>(n.in[side])].node)];
      using kernels::Product;
      ops::MultiplyAddAttrs attrs{static_cast<int64_t>(n.op->name == "add" ? Product::plus : side == 0 ? Product::minus : Product::from)};
      reads = {product.in[0], product.in[1], n.in[1 - side]};
      s.op = &ops::multiply_add_op, s.attrs = AttrBox(AttrRef{&attrs, attrs_of<ops::MultiplyAddAttrs>()}), s.inputs = 3;
    }
    for (size_t k = 0; k < reads.size(); ++k) {
      auto it = step.find(reads[k]);
      s.in[k] = it != step.end() ? base + it->second : static_cast<int>(std::find(inputs.begin(), inputs.end(), reads[k]) - inputs.begin());
    }
    int index = static_cast<int>(p->steps.size());
    s.out = base + index;
    step[n.out[0]] = index;
    p->steps.push_back(std::move(s));
    if (uses[static_cast<size_t>(n.out[0])] > inside_uses[n.out[0]]) {
      p->outputs.push_back(base + index);
      out->push_back(n.out[0]);
    }
  }
  p->shape = g.spec(g.nodes[members[0]].out[0]).shape;
  *in = inputs;
  if (p->outputs.empty() || p->outputs.size() > TileProgram::kMaxOutputs || !p->finish()) return nullptr;
  return p;
}

}  // namespace

void fuse_tiles(Graph& g) {
  std::vector<int32_t> uses = g.uses();
  std::vector<int> group_of(g.nodes.size(), -1);
  std::vector<Group> groups;
  auto producer = [&](ValueId v) { return g.values[static_cast<size_t>(v)].kind == Value::result ? g.values[static_cast<size_t>(v)].node : -1; };
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    const GraphNode& n = g.nodes[i];
    std::vector<int> join;
    if (fits(n)) {
      for (ValueId v : n.in) {
        int p = producer(v);
        int at = p >= 0 ? group_of[static_cast<size_t>(p)] : -1;
        if (at >= 0 && groups[static_cast<size_t>(at)].open && g.spec(v).shape == g.spec(n.out[0]).shape &&
            std::find(join.begin(), join.end(), at) == join.end())
          join.push_back(at);
      }
      // Groups are joined one by one as long as the result still fits.
      std::vector<size_t> members{i};
      std::vector<int> joined;
      for (int at : join) {
        std::vector<size_t> all = members;
        all.insert(all.end(), groups[static_cast<size_t>(at)].members.begin(), groups[static_cast<size_t>(at)].members.end());
        std::sort(all.begin(), all.end());
        std::vector<ValueId> in, out;
        if (!program_of(g, all, uses, &in, &out)) continue;
        members = std::move(all);
        joined.push_back(at);
      }
      int id = static_cast<int>(groups.size());
      for (size_t m : members) group_of[m] = id;
      groups.push_back({std::move(members), true});
      for (int at : joined) groups[static_cast<size_t>(at)] = {{}, false};
    }
    for (ValueId v : n.in) {  // a reader outside closes the group it reads from
      int p = producer(v);
      int at = p >= 0 ? group_of[static_cast<size_t>(p)] : -1;
      if (at >= 0 && at != group_of[i]) groups[static_cast<size_t>(at)].open = false;
    }
  }
  std::vector<GraphNode> nodes;
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    int at = group_of[i];
    const std::vector<size_t>* members = at >= 0 ? &groups[static_cast<size_t>(at)].members : nullptr;
    if (!members || members->size() == 1) {
      nodes.push_back(std::move(g.nodes[i]));
    } else if (i == members->back()) {
      GraphNode group;
      group.tiles = program_of(g, *members, uses, &group.in, &group.out);
      ensure(group.tiles != nullptr, "a tile group that fitted does not fit");
      group.account = g.nodes[i].account;
      group.category = g.nodes[i].category;
      nodes.push_back(std::move(group));
    }
  }
  g.nodes = std::move(nodes);
  for (size_t i = 0; i < g.nodes.size(); ++i)
    for (size_t k = 0; k < g.nodes[i].out.size(); ++k) {
      Value& v = g.values[static_cast<size_t>(g.nodes[i].out[k])];
      v.node = static_cast<int32_t>(i);
      v.index = static_cast<int32_t>(k);
    }
}

}  // namespace tenure

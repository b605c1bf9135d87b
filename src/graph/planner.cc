// From an optimized graph to an Executable: aliases, places in variables and outputs, sharing in place, offsets in the arena.
#include <algorithm>
#include <unordered_set>

#include "base/parallel.h"
#include "core/context.h"
#include "graph/executable.h"
#include "memory/living.h"
#include "ops/fused.h"

namespace tenure {

class Executable::Planner {
 public:
  Planner(Executable& e, Graph& g) : e_(e), g_(g) {}

  void run() {
    copy_overwritten_reads();
    find_aliases();
    sink_updates();
    find_lifetimes();
    settle_writes();
    settle_outputs();
    share_in_place();
    settle_kernels();
    place_arena();
    emit();
    describe();
  }

 private:
  size_t at(ValueId v) const { return static_cast<size_t>(v); }
  Value& value(ValueId v) { return g_.values[at(v)]; }

  // A value read from a variable that is also written, and which leaves the call (as an output or into another variable), is copied first.
  void copy_overwritten_reads() {
    for (size_t k = 0; k < g_.variables.size(); ++k) {
      if (g_.reads[k] < 0) continue;
      bool written = g_.writes[k] >= 0;
      auto copied = [&, copy = ValueId{-1}](ValueId v) mutable {
        if (copy < 0) copy = add_copy(v);
        return copy;
      };
      for (ValueId& w : g_.writes)
        if (w >= 0 && root_value(w) == g_.reads[k]) w = add_copy(w);
      if (!written) continue;
      for (ValueId& o : g_.outputs)
        if (root_value(o) == g_.reads[k]) o = o == g_.reads[k] ? copied(o) : add_copy(o);
    }
  }

  // Follows views to what they show.
  ValueId root_value(ValueId v) {
    for (;;) {
      if (value(v).kind != Value::result) return v;
      GraphNode& n = g_.nodes[static_cast<size_t>(value(v).node)];
      if (view_offset(n) < 0) return v;
      v = n.in[0];
    }
  }
  int64_t view_offset(const GraphNode& n) const {
    if (!n.op || !n.op->view) return -1;
    std::vector<Spec> xs, ys;
    for (ValueId v : n.in) xs.push_back(g_.spec(v));
    for (ValueId v : n.out) ys.push_back(g_.spec(v));
    return n.op->view(Prep(xs, ys, n.attrs.ref().p, 1));
  }
  ValueId add_copy(ValueId from) {
    GraphNode n;  // no op, no tiles: a copy
    n.in = {from};
    ValueId to = g_.add_value({Value::result, 0, static_cast<int32_t>(g_.nodes.size()), g_.spec(from)});
    n.out = {to};
    // Right after what makes `from`, so before any write that comes later.
    auto where = value(from).kind == Value::result ? static_cast<size_t>(value(from).node) + 1 : size_t{0};
    g_.nodes.insert(g_.nodes.begin() + static_cast<std::ptrdiff_t>(where), std::move(n));
    for (size_t i = where; i < g_.nodes.size(); ++i)
      for (ValueId v : g_.nodes[i].out) value(v).node = static_cast<int32_t>(i);
    return to;
  }

  void find_aliases() {
    size_t n = g_.values.size();
    root_.resize(n), shift_.assign(n, 0);
    for (size_t v = 0; v < n; ++v) root_[v] = static_cast<ValueId>(v);
    is_view_.assign(g_.nodes.size(), 0);
    for (size_t i = 0; i < g_.nodes.size(); ++i) {
      int64_t offset = view_offset(g_.nodes[i]);
      if (offset < 0) continue;
      is_view_[i] = 1;
      ValueId from = g_.nodes[i].in[0], to = g_.nodes[i].out[0];
      root_[at(to)] = root_[at(from)];
      shift_[at(to)] = shift_[at(from)] + static_cast<size_t>(offset);
    }
  }

  // A kernel that may fail when it runs. Elementwise steps, groups of them and copies cannot.
  bool may_fail(size_t i) const { return g_.nodes[i].op && !g_.nodes[i].op->tile && !is_view_[i]; }

  // Steps that only bring new values of variables go behind the last step that may fail, so that they can write in place:
  // a call that fails has changed no variable. What cannot go there is written to the arena and copied at the end.
  void sink_updates() {
    size_t n = g_.nodes.size();
    safe_from_ = 0;
    for (size_t i = 0; i < n; ++i)
      if (may_fail(i)) safe_from_ = i + 1;
    std::vector<char> written(g_.values.size(), 0), pinned(g_.values.size(), 0), sinks(n, 0);
    for (ValueId w : g_.writes)
      if (w >= 0) written[at(root_[at(w)])] = 1;
    bool any = false;
    for (size_t i = n; i-- > 0;) {
      const GraphNode& node = g_.nodes[i];
      bool brings = i < safe_from_ && !may_fail(i) && !is_view_[i];
      for (ValueId v : node.out) brings = brings && !pinned[at(v)];
      if (brings) brings = std::any_of(node.out.begin(), node.out.end(), [&](ValueId v) { return written[at(v)]; });
      sinks[i] = brings;
      any = any || brings;
      if (!brings && i < safe_from_)
        for (ValueId v : node.in) pinned[at(v)] = pinned[at(root_[at(v)])] = 1;
    }
    if (!any) return;
    std::vector<size_t> order;
    for (size_t i = 0; i < safe_from_; ++i)
      if (!sinks[i]) order.push_back(i);
    size_t early = order.size();
    for (size_t i = 0; i < n; ++i)
      if (i >= safe_from_ || sinks[i]) order.push_back(i);
    safe_from_ = early;
    std::vector<GraphNode> nodes;
    std::vector<char> views;
    for (size_t i : order) {
      for (ValueId v : g_.nodes[i].out) value(v).node = static_cast<int32_t>(nodes.size());
      views.push_back(is_view_[i]);
      nodes.push_back(std::move(g_.nodes[i]));
    }
    g_.nodes = std::move(nodes);
    is_view_ = std::move(views);
  }

  void find_lifetimes() {
    size_t n = g_.values.size();
    first_.assign(n, -1), last_.assign(n, -1), leaves_.assign(n, 0);
    for (size_t i = 0; i < g_.nodes.size(); ++i) {
      if (is_view_[i]) continue;
      auto time = static_cast<int32_t>(i);
      for (ValueId v : g_.nodes[i].in) last_[at(root_[at(v)])] = time;
      for (ValueId v : g_.nodes[i].out) first_[at(v)] = last_[at(v)] = time;
    }
    for (ValueId v : g_.outputs) leaves_[at(root_[at(v)])] = 1;
  }

  bool computed(ValueId v) { return value(v).kind == Value::result; }
  // The one input whose memory a node without tiles may write its output to, or -1.
  static int64_t shared_input(const GraphNode& n) {
    if (!n.op) return -1;
    if (n.op->traits & inplace) return 0;
    // A product with a residual adds to what the output holds: the residual itself, where it dies here.
    bool sum = false;
    if (n.op == &ops::linear_op) sum = n.attrs.get<ops::LinearAttrs>().epilogue.sum;
    if (n.op == &ops::conv_op || n.op == &ops::depthwise_conv_op) sum = n.attrs.get<ops::ConvAttrs>().epilogue.sum;
    return sum ? static_cast<int64_t>(n.in.size()) - 1 : -1;
  }

  // Instruction i reads `r` in a way that lets output `y` take its place.
  bool may_share(size_t i, ValueId r, ValueId y) {
    const GraphNode& n = g_.nodes[i];
    int64_t elements = g_.spec(y).shape.elements();
    size_t width = size_of(g_.spec(y).dtype);
    bool tile = n.tiles || (n.op && n.op->tile);
    const int64_t only = tile ? -1 : shared_input(n);
    if (!tile && only < 0) return false;
    // A group writes an output where its step stands: no later step may read the input.
    size_t made = 0;
    if (n.tiles)
      made = static_cast<size_t>(n.tiles->outputs[static_cast<size_t>(std::find(n.out.begin(), n.out.end(), y) - n.out.begin())]) - n.in.size();
    for (size_t k = 0; k < n.in.size(); ++k) {
      if (root_[at(n.in[k])] != r) continue;
      if (n.tiles && n.tiles->reads_after(made, static_cast<int>(k))) return false;
      if (shift_[at(n.in[k])] != 0 || g_.spec(n.in[k]).shape.elements() != elements || size_of(g_.spec(n.in[k]).dtype) != width) return false;
      if (!tile && static_cast<int64_t>(k) != only) return false;
    }
    return true;
  }

  void settle_writes() {
    place_.assign(g_.values.size(), {});
    placed_.assign(g_.values.size(), 0);
    e_.first_write_ = static_cast<int32_t>(g_.nodes.size());
    for (size_t k = 0; k < g_.variables.size(); ++k) {
      ValueId w = g_.writes[k];
      if (w < 0) continue;
      ValueId r = root_[at(w)];
      bool direct = computed(r) && shift_[at(w)] == 0 && !placed_[at(r)] && !leaves_[at(r)] && g_.spec(r).bytes() == g_.spec(w).bytes();
      ValueId read = g_.reads[k];
      if (direct && static_cast<size_t>(first_[at(r)]) < safe_from_) direct = false;
      if (direct && read >= 0) {
        int32_t made = first_[at(r)];
        if (last_[at(read)] > made) direct = false;
        else if (last_[at(read)] == made) direct = may_share(static_cast<size_t>(made), read, r);
      }
      if (direct) {
        place_[at(r)] = {Location::var_out, static_cast<int32_t>(k), 0};
        placed_[at(r)] = 1;
        e_.first_write_ = std::min(e_.first_write_, first_[at(r)]);
      } else if (computed(r)) {
        last_[at(r)] = static_cast<int32_t>(g_.nodes.size());  // alive until the copies at the end
      }
      e_.writes_.push_back({static_cast<int32_t>(k), !direct, {}});
    }
  }

  void settle_outputs() {
    for (ValueId v : g_.outputs) {
      ValueId r = root_[at(v)];
      if (!computed(r) || placed_[at(r)]) continue;
      place_[at(r)] = {Location::output, static_cast<int32_t>(e_.own_bytes_.size()), 0};
      placed_[at(r)] = 1;
      e_.own_bytes_.push_back(g_.spec(r).bytes());
      e_.own_specs_.push_back(g_.spec(r));
    }
  }

  // An output takes the buffer of an input that dies there: the two become one buffer with the longer life.
  void share_in_place() {
    buffer_of_.assign(g_.values.size(), -1);
    for (size_t i = 0; i < g_.nodes.size(); ++i) {
      if (is_view_[i]) continue;
      const GraphNode& n = g_.nodes[i];
      std::vector<ValueId> taken;
      for (ValueId y : n.out) {
        if (placed_[at(y)]) continue;
        for (ValueId x : n.in) {
          ValueId r = root_[at(x)];
          if (!computed(r) || placed_[at(r)] || last_[at(r)] != static_cast<int32_t>(i) || first_[at(r)] == static_cast<int32_t>(i)) continue;
          if (g_.spec(y).bytes() == 0 || g_.spec(r).bytes() != g_.spec(y).bytes() || std::find(taken.begin(), taken.end(), r) != taken.end() ||
              !may_share(i, r, y))
            continue;
          taken.push_back(r);
          buffer_of_[at(y)] = buffer_of_[at(r)];
          Placed& b = buffers_[static_cast<size_t>(buffer_of_[at(y)])];
          b.last = std::max(b.last, last_[at(y)]);
          break;
        }
        if (buffer_of_[at(y)] < 0 && g_.spec(y).bytes() > 0) {
          buffer_of_[at(y)] = static_cast<int32_t>(buffers_.size());
          buffers_.push_back({g_.spec(y).bytes(), first_[at(y)], last_[at(y)], 0});
        }
      }
    }
  }

  // Primitives and the scratch they want; scratch lives in the arena during its instruction.
  void settle_kernels() {
    Team team;
    e_.team_.threads = team.threads();
    e_.team_.primitives.resize(g_.nodes.size());
    e_.team_.scratch.assign(g_.nodes.size(), 0);
    scratch_.assign(g_.nodes.size(), -1);
    for (size_t i = 0; i < g_.nodes.size(); ++i) {
      const GraphNode& n = g_.nodes[i];
      if (!n.op || is_view_[i] || (!n.op->prepare && !n.op->scratch)) continue;
      std::vector<Spec> xs, ys;
      for (ValueId v : n.in) xs.push_back(g_.spec(v));
      for (ValueId v : n.out) ys.push_back(g_.spec(v));
      if (n.op->prepare) e_.team_.primitives[i] = n.op->prepare(Prep(xs, ys, n.attrs.ref().p, team.threads()));
      if (n.op->scratch) e_.team_.scratch[i] = n.op->scratch(Prep(xs, ys, n.attrs.ref().p, team.threads(), e_.team_.primitives[i].get()));
      if (e_.team_.scratch[i]) {
        scratch_[i] = static_cast<int32_t>(buffers_.size());
        buffers_.push_back({e_.team_.scratch[i], static_cast<int32_t>(i), static_cast<int32_t>(i), 0});
      }
    }
    e_.team_.ready = true;
  }

  void place_arena() {
    e_.arena_bytes_ = place(buffers_);
    e_.plan_.lower_bound = lower_bound_of(buffers_);
    std::string wrong = check_plan(buffers_, e_.arena_bytes_);
    ensure(wrong.empty(), wrong.c_str());
    for (size_t v = 0; v < g_.values.size(); ++v)
      if (buffer_of_[v] >= 0) place_[v] = {Location::arena, 0, buffers_[static_cast<size_t>(buffer_of_[v])].offset};
  }

  Location locate(ValueId v) {
    ValueId r = root_[at(v)];
    Location l;
    switch (value(r).kind) {
      case Value::input: l = {Location::input, value(r).index, 0}; break;
      case Value::constant: l = {Location::constant, value(r).index, 0}; break;
      case Value::variable: l = {Location::var_in, value(r).index, 0}; break;
      case Value::result: l = place_[at(r)]; break;
    }
    l.offset += shift_[at(v)];
    return l;
  }

  void emit() {
    std::vector<int32_t>& renumber = renumber_;
    renumber.assign(g_.nodes.size() + 1, 0);
    Prepared kept;
    kept.threads = e_.team_.threads;
    for (size_t i = 0; i < g_.nodes.size(); ++i) {
      renumber[i] = static_cast<int32_t>(e_.instructions_.size());
      accounts_.push_back(g_.nodes[i].account);
      if (is_view_[i]) continue;
      GraphNode& n = g_.nodes[i];
      Instruction ins;
      ins.op = n.op;
      ins.tiles = n.tiles;
      ins.attrs = n.attrs;
      ins.account = n.account;
      for (ValueId v : n.in) ins.in.push_back(locate(v)), ins.xs.push_back(g_.spec(v));
      for (ValueId v : n.out) ins.out.push_back(locate(v)), ins.ys.push_back(g_.spec(v));
      if (scratch_[i] >= 0) {
        ins.scratch_offset = buffers_[static_cast<size_t>(scratch_[i])].offset;
        ins.scratch_bytes = e_.team_.scratch[i];
      }
      if (n.op && n.op->packs >= 0 && static_cast<size_t>(n.op->packs) < n.in.size()) {
        const Location& w = ins.in[static_cast<size_t>(n.op->packs)];
        bool steady = w.space == Location::constant || (w.space == Location::var_in && g_.writes[static_cast<size_t>(w.index)] < 0);
        if (steady && n.op->pack_bytes(Prep(ins.xs, ins.ys, ins.attrs.ref().p, e_.team_.threads, e_.team_.primitives[i].get())) > 0) {
          ins.pack = static_cast<int32_t>(e_.pack_rules_.size());
          e_.pack_rules_.push_back({static_cast<int32_t>(e_.instructions_.size()), w});
        }
      }
      kept.primitives.push_back(e_.team_.primitives[i]);
      kept.scratch.push_back(e_.team_.scratch[i]);
      e_.instructions_.push_back(std::move(ins));
    }
    renumber[g_.nodes.size()] = static_cast<int32_t>(e_.instructions_.size());
    e_.first_write_ = renumber[static_cast<size_t>(std::min<int32_t>(e_.first_write_, static_cast<int32_t>(g_.nodes.size())))];
    kept.ready = true;
    e_.team_ = std::move(kept);
    for (auto& w : e_.writes_)
      if (w.copy) w.from = locate(g_.writes[static_cast<size_t>(w.variable)]);
    for (ValueId v : g_.outputs) {
      Location l = locate(v);
      Result r;
      r.index = l.index, r.offset = l.offset, r.spec = g_.spec(v);
      r.kind = l.space == Location::output     ? Result::own
               : l.space == Location::input    ? Result::input
               : l.space == Location::constant ? Result::constant
                                               : Result::variable;
      ensure(l.space != Location::arena && l.space != Location::var_out, "an output was planned into memory that ends with the call");
      e_.results_.push_back(r);
    }
    e_.variables_ = std::move(g_.variables);
    e_.read_.assign(e_.variables_.size(), 0);
    for (size_t k = 0; k < e_.variables_.size(); ++k) e_.read_[k] = g_.reads[k] >= 0 || g_.writes[k] >= 0;
    e_.constants_ = std::move(g_.constants);
  }

  void describe() {
    Plan& p = e_.plan_;
    p.arena_bytes = e_.arena_bytes_;
    for (size_t b : e_.own_bytes_) p.output_bytes += b;
    std::unordered_set<const memory::Storage*> kept;  // the replay's constants are kept too, also those that were folded away
    for (auto* list : {&e_.constants_, &e_.replay_.constants})
      for (const Held& c : *list)
        if (c && kept.insert(c->storage()).second) p.constant_bytes += c->storage()->bytes();
    p.traced_ops = g_.traced_ops;
    p.instructions = e_.instructions_.size();
    static const char* spaces[] = {"arena", "input", "constant", "variable", "variable", "output"};
    for (size_t i = 0; i < e_.instructions_.size(); ++i) {
      const Instruction& ins = e_.instructions_[i];
      std::string what = ins.op ? std::string(ins.op->name) : ins.tiles ? "tiles(" : "copy";
      if (ins.tiles) {
        for (size_t s = 0; s < ins.tiles->steps.size(); ++s) what += fmt::format("{}{}", s ? " " : "", ins.tiles->steps[s].op->name);
        what += ")";
      }
      p.text += fmt::format("{:>4}  {}", i, what);
      for (size_t k = 0; k < ins.out.size(); ++k)
        p.text += fmt::format("  -> {} {}+{}", ins.ys[k], spaces[ins.out[k].space],
                              ins.out[k].space == Location::arena ? ins.out[k].offset : static_cast<size_t>(ins.out[k].index));
      if (ins.scratch_bytes) p.text += fmt::format("  scratch {}", ins.scratch_bytes);
      std::string account = memory::path_of(ins.account);
      p.text += fmt::format("  {}\n", account);
      p.picture.instructions.push_back(fmt::format("{}  {}", what, account));
    }
    draw();
  }

  // The arena's blocks with the account and the spec of the first value in each.
  void draw() {
    memory::PlanPicture& p = e_.plan_.picture;
    p.name = e_.name_, p.arena_bytes = e_.arena_bytes_, p.lower_bound = e_.plan_.lower_bound;
    p.output_bytes = e_.plan_.output_bytes, p.constant_bytes = e_.plan_.constant_bytes;
    std::vector<std::string> what(buffers_.size());
    for (size_t i = 0; i < accounts_.size(); ++i)
      if (scratch_[i] >= 0) what[static_cast<size_t>(scratch_[i])] = fmt::format("{} scratch", memory::path_of(accounts_[i]));
    for (size_t v = 0; v < g_.values.size(); ++v) {
      if (buffer_of_[v] < 0) continue;
      std::string& w = what[static_cast<size_t>(buffer_of_[v])];
      if (w.empty()) w = fmt::format("{} {}", memory::path_of(accounts_[static_cast<size_t>(g_.values[v].node)]), g_.spec(static_cast<ValueId>(v)));
    }
    for (size_t i = 0; i < buffers_.size(); ++i) {
      const Placed& b = buffers_[i];
      p.blocks.push_back({b.offset, b.bytes, renumber_[static_cast<size_t>(b.first)], renumber_[static_cast<size_t>(b.last)], std::move(what[i])});
    }
  }

  Executable& e_;
  Graph& g_;
  std::vector<ValueId> root_;
  std::vector<size_t> shift_;
  std::vector<char> is_view_, leaves_, placed_;
  std::vector<int32_t> first_, last_, buffer_of_, scratch_;
  std::vector<Location> place_;
  std::vector<Placed> buffers_;
  std::vector<int32_t> renumber_;            // node to instruction
  std::vector<memory::AccountId> accounts_;  // by node
  size_t safe_from_ = 0;                     // from this node on nothing fails: variables may be written
};

Executable::Executable(Graph graph, Graph replay, std::string name)
    : Counted(memory::Kind::executable), name_(std::move(name)), replay_(std::move(replay)) {
  Planner(*this, graph).run();
  memory::Living<Executable>::add(this);
}

Executable::~Executable() { memory::Living<Executable>::remove(this); }

}  // namespace tenure

// Labels of sequences without alignment: the best class of each step, or the likeliest label sequences of a beam search over a tree of prefixes, whose
// nodes live in the op's scratch. Nothing here owns anything.
#include <atomic>
#include <cmath>
#include <limits>
#include <string>

#include <tenure/ops_ctc.h>

#include "base/parallel.h"
#include "ops/ctc.h"
#include "ops/families.h"

namespace tenure::ops {
namespace {

struct CtcDecode {
  std::string strategy = "greedy";
  int64_t beam_width = 100, top_paths = 1;
  bool merge_repeated = true;
  int64_t mask_index = 0;
};
template <class V>
void fields(V& v, CtcDecode& a) {
  v("strategy", a.strategy), v("beam_width", a.beam_width), v("top_paths", a.top_paths), v("merge_repeated", a.merge_repeated);
  v("mask_index", a.mask_index);
}

bool searches(const CtcDecode& a) { return a.strategy == "beam_search"; }
int64_t paths_of(const CtcDecode& a) { return searches(a) ? a.top_paths : 1; }

// The labels of one sample, and the negated sum of the chosen logits.
template <class T>
T decode_greedily(const T* x, int64_t steps, int64_t classes, int64_t blank, bool merge, int32_t* out) noexcept {
  T score = 0;
  int64_t last = -1;
  for (int64_t t = 0; t < steps; ++t, x += classes) {
    const int64_t best = std::max_element(x, x + classes) - x;
    score -= x[best];
    if (best != blank && !(merge && best == last)) *out++ = static_cast<int32_t>(best);
    last = best;
  }
  return score;
}

/// A prefix of labels in the tree, with log probabilities before and after the step at hand: of all alignments, of those that end in no label, and of
/// those that end in the prefix's last label. Active nodes are in the beam; others only hold descendants that are.
template <class T>
struct Prefix {
  static constexpr T never = -std::numeric_limits<T>::infinity();
  struct Chance {
    T total = never, blank = never, label = never;
  };
  Chance before, now;
  int32_t label = -1, parent = -1, child = -1, sibling = -1;
  bool listed = false;  // among the prefixes that this step extends

  bool active() const noexcept { return now.total != never; }
};

template <class T>
class BeamSearch {
 public:
  using Node = Prefix<T>;
  /// Nodes that one search can need: the beam's prefixes, their beginnings, and those of the step before.
  static int64_t nodes(int64_t width, int64_t steps) { return width * (steps + 2) + 3; }
  static size_t bytes(int64_t width, int64_t steps, int64_t classes) {
    const size_t size = static_cast<size_t>(nodes(width, steps)) * sizeof(Node) + static_cast<size_t>(2 * width + classes) * sizeof(int32_t);
    return (size + 63) / 64 * 64;
  }

  BeamSearch(void* scratch, int64_t width, int64_t steps, int64_t classes, int64_t blank) noexcept
      : nodes_(static_cast<Node*>(scratch)),
        beam_(reinterpret_cast<int32_t*>(nodes_ + nodes(width, steps))),
        list_(beam_ + width),
        children_(list_ + width),
        width_(width),
        classes_(classes),
        blank_(blank) {
    const int32_t root = make(-1, -1);
    nodes_[root].now.total = nodes_[root].now.blank = 0;
    push(root);
  }

  void step(const T* x) noexcept {
    const T top = *std::max_element(x, x + classes_);
    T sum = 0;
    for (int64_t c = 0; c < classes_; ++c) sum += std::exp(x[c] - top);
    const T norm = top + std::log(sum);
    std::sort(beam_, beam_ + size_, better());
    const int64_t n = size_;
    std::copy(beam_, beam_ + n, list_);
    size_ = 0;
    for (int64_t i = 0; i < n; ++i) nodes_[list_[i]].before = nodes_[list_[i]].now, nodes_[list_[i]].listed = true;
    for (int64_t i = 0; i < n; ++i) stay(list_[i], x, norm);
    for (int64_t i = 0; i < n; ++i)
      if (wanted(nodes_[list_[i]].before.total)) extend(list_[i], x, norm);
    for (int64_t i = 0; i < n; ++i) nodes_[list_[i]].listed = false;
    for (int64_t i = 0; i < n; ++i) prune(list_[i]);
  }

  /// The beam's prefixes, best first.
  int64_t finish() noexcept {
    std::sort(beam_, beam_ + size_, better());
    return size_;
  }
  T score(int64_t i) const noexcept { return nodes_[beam_[i]].now.total; }
  void labels(int64_t i, int32_t* out) const noexcept {
    int64_t depth = 0;
    for (int32_t at = beam_[i]; nodes_[at].parent >= 0; at = nodes_[at].parent) ++depth;
    for (int32_t at = beam_[i]; nodes_[at].parent >= 0; at = nodes_[at].parent) out[--depth] = nodes_[at].label;
  }

 private:
  auto better() const noexcept {
    // NaN counts as impossible, so that the order is one.
    return [this](int32_t a, int32_t b) {
      const T x = nodes_[a].now.total, y = nodes_[b].now.total, p = x == x ? x : Node::never, q = y == y ? y : Node::never;
      return p > q || (p == q && a < b);
    };
  }
  // The beam is a heap whose front is its least likely prefix.
  void push(int32_t at) noexcept {
    beam_[size_++] = at;
    std::push_heap(beam_, beam_ + size_, better());
  }
  void drop_worst() noexcept {
    std::pop_heap(beam_, beam_ + size_, better());
    const int32_t at = beam_[--size_];
    nodes_[at].now = {};
    if (!nodes_[at].listed && nodes_[at].child < 0) release(at);
  }
  bool wanted(T total) const noexcept { return total > Node::never && (size_ < width_ || total > nodes_[beam_[0]].now.total); }

  int32_t make(int32_t parent, int32_t label) noexcept {
    int32_t at = free_;
    if (at >= 0) free_ = nodes_[at].sibling;
    else at = used_++;
    Node& node = *new (nodes_ + at) Node;
    node.label = label, node.parent = parent;
    if (parent >= 0) node.sibling = nodes_[parent].child, nodes_[parent].child = at;
    return at;
  }
  void release(int32_t at) noexcept {
    int32_t* link = &nodes_[nodes_[at].parent].child;
    while (*link != at) link = &nodes_[*link].sibling;
    *link = nodes_[at].sibling;
    nodes_[at].sibling = free_, nodes_[at].parent = kFree;
    free_ = at;
  }
  // Gives back a prefix that left the beam without descendants, and its beginnings that were kept for it.
  void prune(int32_t at) noexcept {
    while (nodes_[at].parent >= 0 && !nodes_[at].active() && nodes_[at].child < 0) {
      const int32_t parent = nodes_[at].parent;
      release(at);
      at = parent;
    }
  }

  // The prefix stays what it is: no label, or its last one again.
  void stay(int32_t at, const T* x, T norm) noexcept {
    Node& node = nodes_[at];
    if (node.parent >= 0) {
      const Node& parent = nodes_[node.parent];
      if (parent.active()) node.now.label = log_add(node.now.label, node.label == parent.label ? parent.before.blank : parent.before.total);
      node.now.label += x[node.label] - norm;
    }
    node.now.blank = node.before.total + x[blank_] - norm;
    node.now.total = log_add(node.now.blank, node.now.label);
    push(at);
  }
  // The prefix with one more label, for every label that gives one likely enough for the beam.
  void extend(int32_t at, const T* x, T norm) noexcept {
    std::fill(children_, children_ + classes_, -1);
    for (int32_t c = nodes_[at].child; c >= 0; c = nodes_[c].sibling) children_[nodes_[c].label] = c;
    const auto before = nodes_[at].before;
    for (int64_t label = 0; label < classes_; ++label) {
      int32_t c = children_[label];
      if (label == blank_ || (c >= 0 && nodes_[c].active())) continue;
      const T total = x[label] - norm + (label == nodes_[at].label ? before.blank : before.total);
      if (!wanted(total)) {
        if (c >= 0) nodes_[c].before = nodes_[c].now = {};
        continue;
      }
      if (c < 0) c = make(at, static_cast<int32_t>(label));
      if (size_ == width_) drop_worst();
      nodes_[c].now = {total, Node::never, total};
      push(c);
    }
  }

  static constexpr int32_t kFree = -2;
  Node* nodes_;
  int32_t *beam_, *list_, *children_;
  int64_t width_, classes_, blank_, size_ = 0;
  int32_t used_ = 0, free_ = -1;
};

// decoded [paths, batch, steps] and scores [batch, paths] of one sample.
template <class T>
bool decode_sample(const Run& r, int64_t b) noexcept {
  const auto& a = r.attr<CtcDecode>();
  const int64_t batch = r.x(0).shape[0], steps = r.x(0).shape[1], classes = r.x(0).shape[2], paths = paths_of(a);
  const int64_t used = r.in<int32_t>(1)[b], blank = blank_of(a.mask_index, classes);
  const T* x = r.in<T>(0) + b * steps * classes;
  auto* decoded = r.out<int32_t>(0);
  for (int64_t p = 0; p < paths; ++p) std::fill_n(decoded + (p * batch + b) * steps, steps, -1);
  T* scores = r.out<T>(1) + b * paths;
  if (!searches(a)) {
    scores[0] = decode_greedily(x, used, classes, blank, a.merge_repeated, decoded + b * steps);
    return true;
  }
  auto* scratch = r.scratch<std::byte>() + static_cast<size_t>(b) * BeamSearch<T>::bytes(a.beam_width, steps, classes);
  BeamSearch<T> search(scratch, a.beam_width, steps, classes, blank);
  for (int64_t t = 0; t < used; ++t) search.step(x + t * classes);
  const bool enough = search.finish() >= paths;
  for (int64_t p = 0; p < paths; ++p) {
    scores[p] = enough ? search.score(p) : T{0};
    if (enough) search.labels(p, decoded + (p * batch + b) * steps);
  }
  return enough;
}

const Op ctc_decode_op = {
    .name = "ctc_decode",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<CtcDecode>();
          const Spec& x = c.x(0);
          check((x.dtype == float32 || x.dtype == float64) && x.shape.rank() == 3, Code::Shape,
                "ctc_decode: expected float logits [batch, steps, classes], got {}", x);
          check(c.dtype(1) == int32 && c.shape(1).rank() == 1 && (c.shape(1)[0] == x.shape[0] || c.shape(1)[0] < 0 || x.shape[0] < 0), Code::Shape,
                "ctc_decode: expected int32 lengths [{}], got {}", x.shape[0], c.x(1));
          check(a.strategy == "greedy" || searches(a), Code::InvalidArgument, "ctc_decode: expected strategy greedy or beam_search, got '{}'",
                a.strategy);
          check(!searches(a) || (a.top_paths >= 1 && a.top_paths <= a.beam_width && a.beam_width <= 1'000'000), Code::InvalidArgument,
                "ctc_decode: expected 1 <= top_paths <= beam_width <= 1000000, got {} and {}", a.top_paths, a.beam_width);
          check_blank(c, a.mask_index, x.shape[2]);
          c.output({paths_of(a), x.shape[0], x.shape[1]}, int32);
          c.output({x.shape[0], paths_of(a)}, x.dtype);
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t batch = r.x(0).shape[0], steps = r.x(0).shape[1];
      const auto* used = r.in<int32_t>(1);
      for (int64_t b = 0; b < batch; ++b)
        if (used[b] < 0 || used[b] > steps) return {Code::InvalidArgument, "sequence length is out of range", b, static_cast<double>(used[b])};
      std::atomic<int64_t> poor{-1};
      with_real(r.x(0).dtype, [&](auto type) {
        parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
          for (int64_t b = begin; b < end; ++b)
            if (!decode_sample<typename decltype(type)::type>(r, b)) poor = b;
        });
      });
      if (poor >= 0)
        return {Code::InvalidArgument, "a sample has fewer paths than top_paths", poor, static_cast<double>(r.attr<CtcDecode>().top_paths)};
      return {};
    },
    .attrs = attrs_of<CtcDecode>,
    .scratch =
        [](const Prep& p) {
          const auto& a = p.attr<CtcDecode>();
          const Shape& x = p.x(0).shape;
          if (!searches(a)) return size_t{0};
          return with_real(p.x(0).dtype, [&](auto type) {
            return static_cast<size_t>(x[0]) * BeamSearch<typename decltype(type)::type>::bytes(a.beam_width, x[1], x[2]);
          });
        },
    .specimens = R"(f32[3,17,5], i32[3]{0..17} | f64[2,6,4], i32[2]{5..6} ; {"merge_repeated": false, "mask_index": -1} | f32[0,3,4], i32[0]
                  | f32[3,9,5], i32[3]{4..9} ; {"strategy": "beam_search", "beam_width": 7, "top_paths": 3}
                  | f64[2,30,6], i32[2]{29..30} ; {"strategy": "beam_search", "beam_width": 20, "top_paths": 2, "mask_index": 5})",
};

}  // namespace
}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensors ctc_decode(Tensor inputs, Tensor sequence_lengths, std::string_view strategy, int64_t beam_width, int64_t top_paths, bool merge_repeated,
                   std::optional<int64_t> mask_index) {
  const DType t = promote(inputs.dtype(), float32);
  inputs = cast(std::move(inputs), t);
  Tensor in[2] = {std::move(inputs), cast(std::move(sequence_lengths), int32)};
  const CtcDecode attrs{std::string(strategy), beam_width, top_paths, merge_repeated, mask_index.value_or(-1)};
  return apply_all(ctc_decode_op, in, {&attrs, attrs_of<CtcDecode>()});
}

void register_ctc_decode(Registry& r) { r.add(ctc_decode_op); }

}  // namespace tenure

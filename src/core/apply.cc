// THE dispatch path: every op on every kind of tensor goes through dispatch(). Memory for eager results comes from here and nowhere else.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/parallel.h"
#include "core/context.h"
#include "core/lanes.h"
#include "core/node.h"

namespace tenure {

using memory::Counted;
using memory::Storage;

uint64_t eager_ops() noexcept { return thread_context.eager_ops; }

bool trace_open(uint64_t id) noexcept {
  for (TraceRecorder* t = thread_context.trace; t; t = t->outer)
    if (t->id() == id) return true;
  return false;
}

uint64_t next_trace_id() noexcept {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

std::string call_text(std::string_view name, std::span<const Spec> xs) {
  std::string text(name);
  text += xs.empty() ? "" : ", called with ";
  for (size_t i = 0; i < xs.size(); ++i) text += (i ? ", " : "") + to_string(xs[i]);
  return text;
}

void throw_status(const Op& op, const Status& s, std::span<const Spec> xs) {
  std::string at = s.position >= 0 ? fmt::format(": {} at position {}", s.value, s.position) : "";
  Error e(s.code, fmt::format("{}: {}{}", op.name, s.what, at));
  e.add_frame(call_text(op.name, xs));
  throw e;
}

// ---- elementwise: broadcasting by tiles ---------------------------------------------------------------------------------------

void run_tiled(const Op& op, const void* attrs, std::span<const Spec> xs, const Spec& y, const void* const* in, void* out) noexcept {
  int64_t n = y.shape.elements();
  if (n == 0) return;
  Lane lanes[4];
  size_t count = xs.size();
  bool plain = true;
  for (size_t i = 0; i < count; ++i) {
    lanes[i] = lane_of(xs[i], y.shape, n, in[i]);
    plain &= lanes[i].kind == Lane::same;
  }
  int64_t tile = tile_length({lanes, count}, kTile);
  size_t out_size = size_of(y.dtype);
  auto base = [&] {
    Tile t;
    t.dtype = count ? xs[0].dtype : y.dtype;
    t.out_dtype = y.dtype;
    t.attrs = attrs;
    return t;
  };
  if (plain) {
    return parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
      Tile t = base();
      for (size_t i = 0; i < count; ++i) t.in[i] = lanes[i].data + static_cast<size_t>(begin) * lanes[i].size;
      t.out = static_cast<std::byte*>(out) + static_cast<size_t>(begin) * out_size;
      t.n = end - begin;
      op.tile(t);
    });
  }
  int64_t tiles = (n + tile - 1) / tile;
  parallel_for(tiles, std::max<int64_t>(1, kGrain / tile), [&](int64_t first, int64_t last) {
    alignas(64) std::byte buffers[4][kTile * 8];
    for (size_t i = 0; i < count; ++i) {
      int64_t fill = std::min(tile, n - first * tile);
      if (lanes[i].kind == Lane::scalar) splat(buffers[i], lanes[i].data, fill, lanes[i].size);
      if (lanes[i].kind == Lane::periodic) gather(lanes[i], first * tile, fill, buffers[i]);
    }
    for (int64_t k = first; k < last; ++k) {
      int64_t begin = k * tile;
      Tile t = base();
      t.n = std::min(tile, n - begin);
      for (size_t i = 0; i < count; ++i) {
        const Lane& lane = lanes[i];
        if (lane.kind == Lane::same) {
          t.in[i] = lane.data + static_cast<size_t>(begin) * lane.size;
        } else {
          if (lane.kind == Lane::strided) gather(lane, begin, t.n, buffers[i]);
          t.in[i] = buffers[i];
        }
      }
      t.out = static_cast<std::byte*>(out) + static_cast<size_t>(begin) * out_size;
      op.tile(t);
    }
  });
}

Status run_kernel(const Op& op, const void* attrs, std::span<const Spec> xs, std::span<const Spec> ys, const void* const* in, void* const* out) {
  if (op.tile) {
    run_tiled(op, attrs, xs, ys[0], in, out[0]);
    return {};
  }
  if (!op.prepare && !op.scratch) return op.run(Run(xs, ys, attrs, max_threads(), nullptr, in, out, nullptr, nullptr));
  Team team;
  std::shared_ptr<const void> prepared;
  if (op.prepare) prepared = op.prepare(Prep(xs, ys, attrs, team.threads()));
  size_t bytes = op.scratch ? op.scratch(Prep(xs, ys, attrs, team.threads(), prepared.get())) : 0;
  memory::HeldOf<Storage> scratch;
  if (bytes) scratch = memory::HeldOf<Storage>(Storage::make(bytes));
  return op.run(Run(xs, ys, attrs, team.threads(), prepared.get(), in, out, bytes ? scratch->data() : nullptr, nullptr));
}

// ---- dispatch -----------------------------------------------------------------------------------------------------------------

namespace {

// A short array on the stack, a vector beyond.
template <class T, size_t N>
class Few {
 public:
  explicit Few(size_t n) : n_(n) {
    if (n > N) many_.resize(n);
  }
  T* data() noexcept { return n_ > N ? many_.data() : few_; }
  T& operator[](size_t i) noexcept { return data()[i]; }
  std::span<T> span() noexcept { return {data(), n_}; }

 private:
  size_t n_;
  T few_[N];
  std::vector<T> many_;
};

enum class Mode : uint8_t { eager, traced, symbolic, abstract };

Mode mode_of(const Op& op, std::span<const Tensor> xs) {
  Mode mode = thread_context.trace ? Mode::traced : Mode::eager;
  for (const Tensor& x : xs) {
    const TensorBody* b = x.body();
    check(b != nullptr, Code::InvalidArgument, "{}: an input is an empty handle (default-made, moved from, or released)", op.name);
    check(b->spec().dtype != DType::string || (op.traits & takes_strings), Code::DType, "{}: expected numbers, got strings {}", op.name, b->spec());
    if (b->concrete()) [[likely]]
      continue;
    if (b->traced()) {
      check(trace_open(b->trace_id()), Code::InvalidArgument,
            "{}: an input of {} belongs to a trace that has ended; return it from the traced function instead of storing it", op.name, b->spec());
    } else if (b->symbolic()) {
      check(mode != Mode::traced, Code::InvalidArgument, "{}: a model's symbolic {} cannot be used inside a traced function; call the model instead",
            op.name, b->spec());
      if (mode == Mode::eager) mode = Mode::symbolic;
    } else {
      mode = Mode::abstract;
    }
  }
  if (thread_context.abstract) mode = Mode::abstract;
  if (mode != Mode::eager && (op.traits & eager_only))
    fail(Code::Unsupported, "{}: the output's shape depends on values, so it runs eagerly only, not on symbols or in a traced function", op.name);
  return mode;
}

// The input whose buffer the output takes, or -1.
int donor(const Op& op, std::span<const Tensor> xs, const Spec& y) noexcept {
  if (!(op.traits & inplace)) return -1;
  size_t n = op.tile ? xs.size() : 1;
  for (size_t i = 0; i < n && i < xs.size(); ++i) {
    const TensorBody* b = xs[i].body();
    if (b->spec().bytes() == y.bytes() && b->spec().shape.elements() == y.shape.elements() && size_of(b->spec().dtype) == size_of(y.dtype) &&
        b->sole())
      return static_cast<int>(i);
  }
  return -1;
}

// Open tapes that want this call: tickets taken before the kernel, so that what they save is seen as held.
class Recording {
 public:
  Recording(const Op& op, AttrRef attrs, std::span<const Tensor> xs) {
    if (!thread_context.tapes || thread_context.stopped) [[likely]]
      return;
    for (TapeRecorder* t = thread_context.tapes; t; t = t->outer)
      if (t->watches(xs)) tickets_.emplace_back(t, t->begin(op, attrs, xs));
  }
  ~Recording() {
    for (auto& [tape, ticket] : tickets_) tape->cancel(ticket);
  }
  void finish(std::span<const Tensor> ys) {
    auto done = std::move(tickets_);
    tickets_.clear();
    for (auto& [tape, ticket] : done) tape->finish(ticket, ys);
  }

 private:
  std::vector<std::pair<TapeRecorder*, void*>> tickets_;
};

void run_eager(const Op& op, std::span<Tensor> xs, AttrRef attrs, std::span<const Spec> xspecs, std::span<const Spec> yspecs, std::span<Tensor> ys) {
  ++thread_context.eager_ops;
  memory::Enter at(op.name);
  Recording recording(op, attrs, xs);
  Few<const void*, 4> in(xs.size());
  Few<void*, 4> out(ys.size());
  for (size_t i = 0; i < xs.size(); ++i) in[i] = xs[i].body()->data();
  if (op.view) {
    int64_t offset = op.view(Prep(xspecs, yspecs, attrs.p, 1));
    if (offset >= 0) {
      ys[0] = make_view(xs[0], yspecs[0], static_cast<size_t>(offset));
      return recording.finish(ys);
    }
  }
  int from = donor(op, xs, yspecs[0]);
  if (from >= 0) {
    Storage* s = xs[static_cast<size_t>(from)].body()->take_storage();
    s->restamp();
    size_t offset = static_cast<size_t>(static_cast<const std::byte*>(in[static_cast<size_t>(from)]) - static_cast<std::byte*>(s->data()));
    auto* body = new TensorBody(yspecs[0], s, offset);
    body->retain(Counted::kUser);
    ys[0] = Tensor(body);
  }
  for (size_t i = from >= 0 ? 1 : 0; i < ys.size(); ++i) ys[i] = make_tensor(yspecs[i]);
  for (size_t i = 0; i < ys.size(); ++i) out[i] = mutable_data(ys[i]);
  Status status = run_kernel(op, attrs.p, xspecs, yspecs, in.data(), out.data());
  if (!status.ok()) [[unlikely]]
    throw_status(op, status, xspecs);
  recording.finish(ys);
}

void run_traced(const Op& op, std::span<Tensor> xs, AttrRef attrs, std::span<const Spec> yspecs, std::span<Tensor> ys) {
  Recording recording(op, attrs, xs);
  memory::Enter at(op.name);
  thread_context.trace->record(op, attrs, xs, yspecs, ys);
  recording.finish(ys);
}

void make_symbols(const Op& op, std::span<Tensor> xs, AttrRef attrs, std::span<const Spec> yspecs, std::span<Tensor> ys) {
  memory::HeldOf<Node> node(new Node(op, attrs, xs));
  for (size_t i = 0; i < ys.size(); ++i) {
    auto* body = new TensorBody(yspecs[i], node, static_cast<uint32_t>(i));
    body->retain(Counted::kUser);
    ys[i] = Tensor(body);
  }
}

// `one` for a single output, else `many`.
void dispatch(const Op& op, std::span<Tensor> xs, AttrRef attrs, Tensor* one, Tensors* many) {
  Mode mode = mode_of(op, xs);
  Few<Spec, 4> xspecs(xs.size());
  for (size_t i = 0; i < xs.size(); ++i) xspecs[i] = xs[i].body()->spec();
  Infer infer(op, xspecs.span(), attrs.p);
  try {
    op.infer(infer);
  } catch (Error& e) {
    e.add_frame(call_text(op.name, xspecs.span()));
    throw;
  }
  size_t n = infer.outputs();
  ensure(n >= 1 && (many || n == 1), "an op's outputs do not match the way it was applied");
  Few<Spec, 4> yspecs(n);
  for (size_t i = 0; i < n; ++i) yspecs[i] = infer.y(i);
  if (many) many->resize(n);
  std::span<Tensor> ys = many ? std::span<Tensor>(*many) : std::span<Tensor>(one, 1);
  if (mode != Mode::eager)
    for (const Spec& y : yspecs.span()) check_holdable(y);  // sizes that only a program's text names are bounded as real ones are
  switch (mode) {
    case Mode::eager: return run_eager(op, xs, attrs, xspecs.span(), yspecs.span(), ys);
    case Mode::traced: return run_traced(op, xs, attrs, yspecs.span(), ys);
    case Mode::symbolic: return make_symbols(op, xs, attrs, yspecs.span(), ys);
    case Mode::abstract:
      for (size_t i = 0; i < n; ++i) ys[i] = make_abstract(yspecs[i]);
  }
}

}  // namespace

Tensor apply(const Op& op, std::span<Tensor> xs, AttrRef attrs) {
  Tensor y;
  dispatch(op, xs, attrs, &y, nullptr);
  return y;
}

Tensors apply_all(const Op& op, std::span<Tensor> xs, AttrRef attrs) {
  Tensors ys;
  dispatch(op, xs, attrs, nullptr, &ys);
  return ys;
}

// ---- inference shared by families ------------------------------------------------------------------------------------------------

void infer_same(Infer& c) { c.output(c.x(0)); }

void infer_float(Infer& c) {
  check(is_float(c.dtype(0)), Code::DType, "{}: expected a floating-point input, got {}", c.op().name, c.x(0));
  c.output(c.x(0));
}

namespace {
Shape broadcast_all(Infer& c) {
  Shape s = c.shape(0);
  for (int i = 1; i < c.inputs(); ++i) s = broadcast(s, c.shape(i));
  return s;
}
}  // namespace

void infer_broadcast(Infer& c) {
  for (int i = 1; i < c.inputs(); ++i)
    check(c.dtype(i) == c.dtype(0), Code::DType, "{}: expected inputs of one dtype, got {} and {}", c.op().name, c.x(0), c.x(i));
  c.output(broadcast_all(c), c.dtype(0));
}

void infer_compare(Infer& c) {
  for (int i = 1; i < c.inputs(); ++i)
    check(c.dtype(i) == c.dtype(0), Code::DType, "{}: expected inputs of one dtype, got {} and {}", c.op().name, c.x(0), c.x(i));
  c.output(broadcast_all(c), bool_);
}

}  // namespace tenure

// What the running thread is in the middle of: an open trace, open tapes, the enclosing call's arguments. Stack-bound and trivially destructible.
#pragma once

#include <optional>

#include "core/body.h"

namespace tenure {

class VariableBody;

/// The innermost open trace. Implemented by graph/trace.cc; core and nn only report to it.
class TraceRecorder {
 public:
  virtual ~TraceRecorder() = default;
  virtual uint64_t id() const noexcept = 0;
  /// `op` on `xs` (traced, or concrete: then captured) with the inferred output specs. Fills `ys`.
  virtual void record(const Op& op, AttrRef attrs, std::span<Tensor> xs, std::span<const Spec> yspecs, std::span<Tensor> ys) = 0;
  virtual Tensor read(VariableBody& v) = 0;
  virtual void assign(VariableBody& v, Tensor value) = 0;
  /// A Variable was made while tracing: refused on a second trace.
  virtual void created(VariableBody& v) = 0;
  TraceRecorder* outer = nullptr;
};

/// An open tape. Implemented by graph/tape.cc. Tapes of a thread form a list, innermost first.
class TapeRecorder {
 public:
  virtual ~TapeRecorder() = default;
  /// One of `xs` leads to something watched.
  virtual bool watches(std::span<const Tensor> xs) const noexcept = 0;
  /// Called before the kernel runs, so that what is saved counts as held: returns a ticket.
  virtual void* begin(const Op& op, AttrRef attrs, std::span<const Tensor> xs) = 0;
  /// The kernel succeeded with outputs `ys`.
  virtual void finish(void* ticket, std::span<const Tensor> ys) = 0;
  /// The kernel failed: forget the ticket.
  virtual void cancel(void* ticket) noexcept = 0;
  virtual void read(VariableBody& v, const Tensor& value) = 0;
  /// A read of this variable would be watched.
  virtual bool wants(const VariableBody& v) const noexcept = 0;
  TapeRecorder* outer = nullptr;
};

/// Arguments of the enclosing layer call.
struct CallContext {
  std::optional<bool> training;
};

class HideTapes;

struct ThreadContext {
  TraceRecorder* trace;
  TapeRecorder* tapes;
  HideTapes* hidden_tapes;  // what is out of sight, innermost first
  bool stopped;             // StopRecording
  bool abstract;            // inside shape inference by abstract tensors: random draws and assignments do nothing
  CallContext* call;
  uint64_t eager_ops;
  TraceRecorder* hidden;  // the trace that Eagerly hides: it still hears of new Variables
};
extern thread_local constinit ThreadContext thread_context;

/// Trace ids that are open on this thread; a traced tensor of another id is from a finished trace.
bool trace_open(uint64_t id) noexcept;
/// A number for a new trace, never used again.
uint64_t next_trace_id() noexcept;

/// Hides the open tapes for a block. A tape that closes meanwhile takes itself out of the hidden list.
class HideTapes {
 public:
  HideTapes() noexcept : list(thread_context.tapes), outer(thread_context.hidden_tapes) {
    thread_context.tapes = nullptr, thread_context.hidden_tapes = this;
  }
  ~HideTapes() { thread_context.tapes = list, thread_context.hidden_tapes = outer; }
  HideTapes(const HideTapes&) = delete;
  HideTapes& operator=(const HideTapes&) = delete;

  TapeRecorder* list;
  HideTapes* const outer;
};

/// Hides the open traces and tapes for a block: what runs inside is plainly eager.
class Eagerly {
 public:
  Eagerly() noexcept : saved_(thread_context) {
    if (thread_context.trace) thread_context.hidden = thread_context.trace;
    thread_context.trace = nullptr, thread_context.abstract = false;
  }
  ~Eagerly() {
    thread_context.trace = saved_.trace;
    thread_context.abstract = saved_.abstract, thread_context.hidden = saved_.hidden;
  }
  Eagerly(const Eagerly&) = delete;
  Eagerly& operator=(const Eagerly&) = delete;

 private:
  ThreadContext saved_;
  HideTapes tapes_;
};

/// Runs an op's kernel with buffers given: shared by apply and by constant folding. Elementwise ops are broadcast and tiled here.
Status run_kernel(const Op& op, const void* attrs, std::span<const Spec> xs, std::span<const Spec> ys, const void* const* in, void* const* out);
/// Runs one elementwise op over whole tensors, threaded. Inputs are broadcast tile by tile on the stack.
void run_tiled(const Op& op, const void* attrs, std::span<const Spec> xs, const Spec& y, const void* const* in, void* out) noexcept;
/// The Error for a failed kernel.
[[noreturn]] void throw_status(const Op& op, const Status& s, std::span<const Spec> xs);
/// "matmul, called with float32[2,3], float32[4,5]".
std::string call_text(std::string_view name, std::span<const Spec> xs);

}  // namespace tenure

// The rows of the balance sheet, once: what sums, prints, writes or reads them asks here.
#pragma once

#include <tenure/memory.h>

namespace tenure::memory {

/// Calls f(name, bytes, what it is) for every row in the sheet's order; together they are `rss`. B is Balance, const or not.
template <class B, class F>
void each_row(B& b, F&& f) {
  f("live", b.live, "tensors' bytes, as asked for");
  f("arena", b.arena, "of traced calls under way");
  f("rounding", b.rounding, "size classes and pages");
  f("pool", b.pool, "free blocks kept for reuse");
  f("objects", b.objects, "tensor bodies, nodes, layers");
  f("heap", b.heap, "malloc's memory since the library was loaded, but for large blocks");
  f("code and libraries", b.code_and_libraries, "file-backed pages");
  f("baseline", b.baseline, "anonymous memory when the library was loaded");
  f("unexplained", b.unexplained, "large blocks of malloc, stacks, threads' heaps, generated code");
}

}  // namespace tenure::memory

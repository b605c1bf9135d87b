// memory::why: the tensor's side of it.
#include <tenure/moment.h>

#include "core/body.h"
#include "memory/objects.h"

namespace tenure::memory {

Why why(const Tensor& t) {
  check(t.defined(), Code::InvalidArgument, "why: this handle is empty (default-made, moved from, or released)");
  ObjectGraph graph = ObjectGraph::gather(false);
  const TensorBody& b = *t.body();
  const Counted* target = b.storage() ? static_cast<const Counted*>(b.storage()) : &b;
  uint32_t i = graph.find(target->birth());
  ensure(i != kNobody, "a tensor is not among what is alive");
  return Chains(graph).why(i);
}

}  // namespace tenure::memory

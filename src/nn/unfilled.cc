#include "nn/unfilled.h"

#include "core/context.h"

namespace tenure::nn {

namespace {
thread_local constinit Unfilled* open = nullptr;
constexpr uint64_t kNeverWritten = 1;  // version of a variable that has its first value
}  // namespace

Unfilled::Unfilled() {
  ensure(open == nullptr, "weights are left unfilled already");
  open = this;
}
Unfilled::~Unfilled() { close(); }

void Unfilled::close() noexcept {
  if (open == this) open = nullptr;
}

void Unfilled::finish() {
  close();
  for (const Waiting& w : waiting_) {
    VariableBody& v = *w.weight.body();
    if (v.version() != kNeverWritten) continue;
    Eagerly eagerly;
    memory::As as(memory::Category::parameter);
    v.write(w.initializer(v.spec().shape, v.spec().dtype));
  }
  waiting_.clear();
}

Tensor Unfilled::value(const Initializer& initializer, const Spec& spec) { return open ? make_tensor(spec) : initializer(spec.shape, spec.dtype); }

void Unfilled::note(VariableBody* weight, const Initializer& initializer) {
  if (open) open->waiting_.push_back({Variable(weight), initializer});
}

}  // namespace tenure::nn

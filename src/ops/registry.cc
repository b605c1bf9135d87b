// The table of ops. Owns addresses only: ops are constants. Lives as long as the process, so that destructors of globals may still use it.
#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "ops/families.h"

namespace tenure {

namespace {

std::mutex& table_mutex() {
  static auto* m = new std::mutex;  // NOLINT: never destroyed, like the table
  return *m;
}

bool before(const Op* op, std::string_view name) { return op->name < name; }

}  // namespace

Registry::Registry() = default;

Registry& Registry::global() {
  static Registry* const table = [] {
    auto* r = new Registry;  // NOLINT: never destroyed
    for (auto family : {register_making,        register_arithmetic, register_math,    register_compare,    register_activation, register_reduce,
                        register_scan,          register_statistics, register_softmax, register_shape,      register_index,      register_linalg,
                        register_convolve,      register_pool,       register_norm,    register_losses,     register_image,      register_random,
                        register_recurrent_ops, register_einsum,     register_sample,  register_special,    register_bits,       register_order,
                        register_scatter,       register_decompose,  register_fourier, register_preprocess, register_text,       register_ctc_loss,
                        register_ctc_decode,    register_arrange})
      family(*r);
    return r;
  }();
  return *table;
}

void Registry::add(const Op& op) {
  check(!op.name.empty(), Code::InvalidArgument, "Registry::add: the op has no name");
  check(!op.specimens.empty(), Code::InvalidArgument, "Registry::add: op '{}' has no specimens; they say on which inputs it is checked", op.name);
  check(op.infer != nullptr, Code::InvalidArgument, "Registry::add: op '{}' has no infer", op.name);
  check((op.run != nullptr) != (op.tile != nullptr), Code::InvalidArgument, "Registry::add: op '{}' needs either run or tile", op.name);
  check((op.tile != nullptr) == ((op.traits & elementwise) != 0), Code::InvalidArgument,
        "Registry::add: op '{}': trait elementwise and tile belong together", op.name);
  std::lock_guard lock(table_mutex());
  auto at = std::lower_bound(ops_.begin(), ops_.end(), op.name, before);
  check(at == ops_.end() || (*at)->name != op.name, Code::InvalidArgument, "Registry::add: an op named '{}' exists already", op.name);
  ops_.insert(at, &op);
}

const Op* Registry::find(std::string_view name) const {
  std::lock_guard lock(table_mutex());
  auto at = std::lower_bound(ops_.begin(), ops_.end(), name, before);
  return at != ops_.end() && (*at)->name == name ? *at : nullptr;
}

std::vector<const Op*> Registry::all() const {
  std::lock_guard lock(table_mutex());
  return ops_;
}

}  // namespace tenure

#include "memory/counted.h"

#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <unordered_set>

#include "base/check.h"
#include "memory/fork.h"
#include "memory/slab.h"

namespace tenure::memory {
namespace {

// Objects too large for a slab; few (executables, models).
struct Large {
  std::mutex mutex;
  std::unordered_set<void*> set;
};
Large& large() {
  static auto* l = new Large;
  return *l;
}

using detail::kind_counts, detail::KindCounts;

struct KindTotals {
  std::mutex mutex;
  std::unordered_set<KindCounts*> threads;
  int64_t ended[kinds] = {};
};
KindTotals& kind_totals() {
  static auto* t = new KindTotals;
  return *t;
}

// The queue of dead objects of this thread; links reuse the reference word's neighbour, so it costs no memory.
TENURE_HOT_TLS thread_local constinit bool draining = false;
TENURE_HOT_TLS thread_local constinit Counted* dead_queue = nullptr;

}  // namespace

thread_local constinit detail::KindCounts detail::kind_counts{};

void detail::register_kind_counts() noexcept {
  static pthread_key_t key = [] {
    pthread_key_t k;
    pthread_key_create(&k, [](void* p) {
      auto* c = static_cast<KindCounts*>(p);
      auto& t = kind_totals();
      std::lock_guard lock(t.mutex);
      t.threads.erase(c);
      for (size_t i = 0; i < kinds; ++i) t.ended[i] += c->n[i].exchange(0, std::memory_order_relaxed);
      c->registered = false;
    });
    return k;
  }();
  auto& t = kind_totals();
  {
    std::lock_guard lock(t.mutex);
    t.threads.insert(&kind_counts);
  }
  kind_counts.registered = true;
  pthread_setspecific(key, &kind_counts);
}

const char* to_string(Kind k) noexcept {
  constexpr const char* names[] = {"buffer",  "tensor", "variable",  "node",   "layer",    "tape",   "function", "executable",
                                   "dataset", "queue",  "optimizer", "metric", "callback", "holder", "other"};
  return names[static_cast<size_t>(k)];
}

void* Counted::new_large(size_t bytes) {
  void* p = bytes <= kSlabLimit ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  check(p != nullptr, Code::OutOfMemory, "memory: an object of {} bytes was asked for and the system has none to give", bytes);
  std::lock_guard lock(large().mutex);
  try {
    large().set.insert(p);
  } catch (...) {
    std::free(p);
    throw;
  }
  return p;
}

void Counted::delete_large(void* p) noexcept {
  {
    std::lock_guard lock(large().mutex);
    large().set.erase(p);
  }
  std::free(p);
}

void Counted::dispose(Counted* dead) noexcept {
  if (draining) {
    // birth_ is free to carry the link: nobody can look the object up any more.
    dead->birth_ = reinterpret_cast<uint64_t>(dead_queue);
    dead_queue = dead;
    return;
  }
  draining = true;
  delete dead;
  while (dead_queue) {
    Counted* next = dead_queue;
    dead_queue = reinterpret_cast<Counted*>(next->birth_);
    delete next;
  }
  draining = false;
}

void fork_counted(Fork when) noexcept {
  auto& t = kind_totals();
  for (std::mutex* m : {&large().mutex, &t.mutex}) when == Fork::prepare ? m->lock() : m->unlock();
  if (when != Fork::child) return;
  for (KindCounts* c : t.threads)
    if (c != &kind_counts)
      for (size_t i = 0; i < kinds; ++i) t.ended[i] += c->n[i].load(std::memory_order_relaxed);
  t.threads.clear();
  if (kind_counts.registered) t.threads.insert(&kind_counts);
}

namespace {
template <Fork when>
void at_fork() noexcept {
  // Nobody holds one of these locks while taking an earlier one.
  fork_ledger(when), fork_counted(when), fork_slabs(when), fork_pool(when);
}
}  // namespace
void hook_fork() noexcept { static_cast<void>(pthread_atfork(at_fork<Fork::prepare>, at_fork<Fork::parent>, at_fork<Fork::child>)); }

void for_each_live(const std::function<void(Counted&)>& visit) {
  struct Slot {
    void* vptr;
    std::atomic<uint64_t> refs;
  };
  auto call = [](void* context, void* slot) {
    if (static_cast<Slot*>(slot)->refs.load(std::memory_order_acquire) == 0) return;
    (*static_cast<const std::function<void(Counted&)>*>(context))(*static_cast<Counted*>(slot));
  };
  for_each_object_slot(const_cast<void*>(static_cast<const void*>(&visit)), call);
  std::vector<void*> big;
  {
    std::lock_guard lock(large().mutex);
    big.assign(large().set.begin(), large().set.end());
  }
  for (void* p : big) call(const_cast<void*>(static_cast<const void*>(&visit)), p);
}

void live_counts(size_t (&count)[kinds]) noexcept {
  auto& t = kind_totals();
  std::lock_guard lock(t.mutex);
  for (size_t k = 0; k < kinds; ++k) {
    int64_t sum = t.ended[k];
    for (auto* c : t.threads) sum += c->n[k].load(std::memory_order_relaxed);
    count[k] = sum > 0 ? static_cast<size_t>(sum) : 0;
  }
}

}  // namespace tenure::memory

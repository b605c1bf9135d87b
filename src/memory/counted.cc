#include "memory/counted.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_set>

#include "base/check.h"
#include "memory/fork.h"
#include "memory/living.h"
#include "memory/slab.h"
#include "memory/storage.h"
#include "memory/storage_end.h"
#include "memory/walk.h"

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

// ---- destruction, and walks that hold it up ----

enum DrainState : uint8_t {
  kUnknown,    // to walks: the thread is not registered
  kIdle,       // nothing is being destroyed
  kDestroying  // inside a destructor, or about to be
};
// A thread's part in destruction. `queue` links dead objects through birth_, so it costs no memory.
struct Drain {
  std::atomic<DrainState> state;
  Counted* queue;
};
TENURE_HOT_TLS thread_local constinit Drain drain{};

struct Walks {
  std::recursive_mutex mutex;  // of the one walk at a time
  int depth = 0;               // under mutex
  std::mutex threads_mutex;
  std::unordered_set<Drain*> threads;
  std::mutex waiting_mutex;
  std::vector<Counted*> waiting;  // died during the walk
};
// Why a destruction has more to do than to destroy. One word, so that the many look once.
enum Hold : uint8_t {
  kWalking = 1,     // a walk is under way. Ends under waiting_mutex only, so that nothing is put there after the walk's end has looked
  kCostlyFence = 2  // the system has no membarrier, and each destruction pays a fence of its own
};
constinit std::atomic<uint8_t> hold{kCostlyFence};
bool walking() noexcept { return hold.load(std::memory_order_acquire) & kWalking; }

Walks& walks() {
  static auto* w = [] {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0) hold.fetch_and(static_cast<uint8_t>(~kCostlyFence));
    return new Walks;
  }();
  return *w;
}

void register_drain() noexcept {
  static pthread_key_t key = [] {
    pthread_key_t k;
    pthread_key_create(&k, [](void* p) {
      auto* d = static_cast<Drain*>(p);
      std::lock_guard lock(walks().threads_mutex);
      walks().threads.erase(d);
      d->state.store(kUnknown, std::memory_order_relaxed);
    });
    return k;
  }();
  {
    std::lock_guard lock(walks().threads_mutex);
    walks().threads.insert(&drain);
  }
  drain.state.store(kIdle, std::memory_order_relaxed);
  pthread_setspecific(key, &drain);
}

// Between kDestroying and a look at walking(): with the walk's own barrier, at least one of the two sides sees the other.
void fence() noexcept {
  if (hold.load(std::memory_order_relaxed) & kCostlyFence) std::atomic_thread_fence(std::memory_order_seq_cst);
  else std::atomic_signal_fence(std::memory_order_seq_cst);
}

// Whether a walk is under way; then `dead` waits for its end.
bool waits_for_walk(Counted* dead) noexcept;
bool waits(Counted* dead) noexcept { return walking() && waits_for_walk(dead); }
bool waits_for_walk(Counted* dead) noexcept {
  try {
    std::lock_guard lock(walks().waiting_mutex);
    if (!walking()) return false;  // it ended meanwhile: nobody would come for `dead`
    walks().waiting.push_back(dead);
    return true;
  } catch (const std::bad_alloc&) {
    drain.state.store(kIdle, std::memory_order_release);  // no room to wait in: this thread waits itself
    std::lock_guard until_the_end(walks().mutex);
    drain.state.store(kDestroying, std::memory_order_relaxed);
    fence();
    return waits(dead);
  }
}

}  // namespace

TENURE_HOT_TLS thread_local constinit detail::KindCounts detail::kind_counts{};

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
      thread_state.rows = nullptr;  // no plain charges any more: they count here
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

std::string edge_text(std::string_view label, int64_t index) { return index < 0 ? std::string(label) : fmt::format("{}[{}]", label, index); }

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

// The end of an object whose thread is in kDestroying. A recording has heard of it if it is a buffer.
[[gnu::always_inline]] inline void Counted::end(Counted* dead) noexcept {
  if (dead->kind_ == Kind::storage && hold.load(std::memory_order_acquire) == 0 && Storage::end_plainly(static_cast<Storage*>(dead))) return;
  if (!waits(dead)) delete dead;
}

void Counted::dispose(Counted* dead) noexcept {
  if (dead->kind_ != Kind::storage || drain.state.load(std::memory_order_relaxed) != kIdle) return dispose_fully(dead);
  if (detail::recording_on.load(std::memory_order_relaxed)) [[unlikely]]
    return dispose_recorded(dead);
  dispose_buffer(dead);
}
// A buffer owns no object: nothing joins the queue while it ends.
[[gnu::always_inline]] inline void Counted::dispose_buffer(Counted* dead) noexcept {
  drain.state.store(kDestroying, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const bool ended = hold.load(std::memory_order_acquire) == 0 && Storage::end_plainly(static_cast<Storage*>(dead));
  drain.state.store(kIdle, std::memory_order_release);
  if (!ended) [[unlikely]]
    dispose_fully(dead);
}
[[gnu::noinline]] void Counted::dispose_recorded(Counted* dead) noexcept {
  static_cast<Storage*>(dead)->leave();
  dispose_buffer(dead);
}

void Counted::dispose_fully(Counted* dead) noexcept {
  if (dead->kind_ == Kind::storage) static_cast<Storage*>(dead)->leave();
  if (drain.state.load(std::memory_order_relaxed) == kDestroying) {
    // birth_ is free to carry the link: nobody can look the object up any more.
    dead->birth_ = reinterpret_cast<uint64_t>(drain.queue);
    drain.queue = dead;
    return;
  }
  if (drain.state.load(std::memory_order_relaxed) == kUnknown) [[unlikely]]
    register_drain();
  drain.state.store(kDestroying, std::memory_order_relaxed);
  fence();
  end(dead);
  while (drain.queue) {
    Counted* next = drain.queue;
    drain.queue = reinterpret_cast<Counted*>(next->birth_);
    end(next);
  }
  drain.state.store(kIdle, std::memory_order_release);
}

Walk::Walk() noexcept {
  Walks& w = walks();
  w.mutex.lock();
  if (w.depth++ > 0) return;
  hold.fetch_or(kWalking, std::memory_order_seq_cst);
  if (!(hold.load() & kCostlyFence)) syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::lock_guard lock(w.threads_mutex);
  for (Drain* d : w.threads)
    while (d != &drain && d->state.load(std::memory_order_acquire) == kDestroying) std::this_thread::yield();
}

Walk::~Walk() {
  Walks& w = walks();
  std::vector<Counted*> dead;
  if (--w.depth == 0) {
    std::lock_guard lock(w.waiting_mutex);
    hold.fetch_and(static_cast<uint8_t>(~kWalking), std::memory_order_release);
    dead.swap(w.waiting);
  }
  w.mutex.unlock();
  for (Counted* d : dead) d->retain(Counted::kOwner), d->release(Counted::kOwner);  // as if it died now
}

std::mutex& living_mutex() noexcept {
  static auto* mutex = new std::mutex;  // never destroyed: objects may die after main
  return *mutex;
}

void fork_counted(Fork when) noexcept {
  auto& t = kind_totals();
  Walks& w = walks();
  if (when == Fork::prepare) w.mutex.lock();  // a walk of another thread ends first
  for (std::mutex* m : {&living_mutex(), &w.threads_mutex, &w.waiting_mutex, &large().mutex, &t.mutex})
    when == Fork::prepare ? m->lock() : m->unlock();
  if (when != Fork::prepare) w.mutex.unlock();
  if (when != Fork::child) return;
  w.threads.clear();
  if (drain.state != kUnknown) w.threads.insert(&drain);
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
  fork_counted(when), fork_ledger(when), fork_slabs(when), fork_pool(when);
}
}  // namespace
void hook_fork() noexcept { static_cast<void>(pthread_atfork(at_fork<Fork::prepare>, at_fork<Fork::parent>, at_fork<Fork::child>)); }

void for_each_live(const std::function<void(Counted&)>& visit) {
  Walk walk;
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

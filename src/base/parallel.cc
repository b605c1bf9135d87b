// The one team of threads. OpenMP by default; a small std::thread pool where OpenMP is off (thread sanitizer).
// Owns: nothing with OpenMP (libgomp keeps a pool for the owning thread); else the pool's threads, for the life of the process.
#include "base/parallel.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#if TENURE_OPENMP
#include <omp.h>
#else
#include <condition_variable>
#include <mutex>
#include <system_error>
#endif

namespace tenure {
namespace {

int initial_threads() noexcept {
  for (const char* name : {"TENURE_NUM_THREADS", "OMP_NUM_THREADS"})
    if (const char* text = std::getenv(name))
      if (int n = std::atoi(text); n > 0) return n;
  int cores = static_cast<int>(std::thread::hardware_concurrency());
  return cores > 0 ? cores : 1;
}

std::atomic<int>& bound() noexcept {
  static std::atomic<int> value{initial_threads()};
  return value;
}

// Who may use the team: a thread's token. Sticky, so that libgomp keeps one pool; handed over when unused for 100 ms.
std::atomic<uint64_t> owner{0};
std::atomic<bool> busy{false};
std::atomic<int64_t> last_use{0};
std::atomic<uint64_t> next_token{1};

thread_local uint64_t token = 0;
thread_local int depth = 0;
thread_local bool serial = false;
thread_local bool had_team = false;

#if !TENURE_OPENMP
void forget_pool() noexcept;
#endif

int64_t now_ms() noexcept {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

// fork(): the team's threads do not exist in the child, and waiting for them would never end. The forking thread lets go of its
// team before, so that parent and child each form a new one at the next use.
void before_fork() noexcept {
#if TENURE_OPENMP
  if (had_team && depth == 0) omp_pause_resource_all(omp_pause_soft);
#endif
}
void in_child() noexcept {
  owner.store(depth > 0 ? token : 0, std::memory_order_relaxed);
  busy.store(depth > 0, std::memory_order_relaxed);
#if !TENURE_OPENMP
  forget_pool();
#endif
}
void hook_fork() noexcept { [[maybe_unused]] static const int hooked = pthread_atfork(before_fork, nullptr, in_child); }

bool acquire() noexcept {
  if (token == 0) {
    token = next_token.fetch_add(1, std::memory_order_relaxed);
    hook_fork();
  }
  if (owner.load(std::memory_order_relaxed) != token && owner.load(std::memory_order_relaxed) != 0 &&
      now_ms() - last_use.load(std::memory_order_relaxed) < 100) {
#if TENURE_OPENMP
    if (had_team) omp_pause_resource_all(omp_pause_soft);  // the pool of a former owner ends here
    had_team = false;
#endif
    return false;
  }
  if (busy.exchange(true, std::memory_order_acquire)) return false;
  if (owner.load(std::memory_order_relaxed) != token) owner.store(token, std::memory_order_relaxed);
  had_team = true;
  return true;
}

void release() noexcept {
  static thread_local int tick = 0;
  if ((++tick & 15) == 0 || last_use.load(std::memory_order_relaxed) == 0) last_use.store(now_ms(), std::memory_order_relaxed);
  busy.store(false, std::memory_order_release);
}

}  // namespace

int max_threads() noexcept { return bound().load(std::memory_order_relaxed); }
void set_max_threads(int n) noexcept { bound().store(n < 1 ? 1 : n, std::memory_order_relaxed); }
void run_serially(bool on) noexcept { serial = on; }

Team::Team() noexcept : threads_(1), outermost_(false) {
  if (serial || max_threads() == 1) return;
  if (depth > 0) {
    threads_ = max_threads();
    return;
  }
  if (acquire()) {
    depth = 1;
    outermost_ = true;
    threads_ = max_threads();
  }
}

Team::~Team() {
  if (!outermost_) return;
  depth = 0;
  release();
}

namespace detail {

#if TENURE_OPENMP

void parallel_run(int64_t n, int64_t grain, void* context, Body body) noexcept {
  Team team;
  int64_t pieces = n / (grain < 1 ? 1 : grain);
  int threads = pieces < team.threads() ? static_cast<int>(pieces) : team.threads();
  if (threads <= 1 || omp_in_parallel()) return body(context, 0, n);
#pragma omp parallel num_threads(threads)
  {
    int64_t t = omp_get_thread_num(), count = omp_get_num_threads();
    int64_t begin = n * t / count, end = n * (t + 1) / count;
    if (begin < end) body(context, begin, end);
  }
}

#else

namespace {

// Threads that wait for the next piece of work. Never destroyed: they end with the process. A forked child makes a new one.
class Pool {
 public:
  static Pool& get() {
    Pool* pool = present.load(std::memory_order_acquire);
    if (!pool) present.store(pool = new Pool, std::memory_order_release);  // only who holds the team comes here
    return *pool;
  }

  void run(int64_t n, int threads, void* context, Body body) {
    std::unique_lock lock(mutex_);
    try {
      for (; started_ < threads - 1; ++started_) std::thread([this, id = started_ + 1] { loop(id); }).detach();
    } catch (const std::system_error&) {  // the system has no more threads: those there are do the work
      threads = started_ + 1;
    }
    n_ = n, threads_ = threads, context_ = context, body_ = body, left_ = threads - 1;
    ++round_;
    lock.unlock();
    wake_.notify_all();
    body(context, 0, n / threads);
    lock.lock();
    done_.wait(lock, [&] { return left_ == 0; });
  }

 private:
  void loop(int id) {
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return round_ != seen && left_ > 0 && id < threads_; });
      seen = round_;
      int64_t begin = n_ * id / threads_, end = n_ * (id + 1) / threads_;
      lock.unlock();
      if (begin < end) body_(context_, begin, end);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  int started_ = 0, threads_ = 0, left_ = 0;
  int64_t n_ = 0;
  void* context_ = nullptr;
  Body body_ = nullptr;
  uint64_t round_ = 0;

 public:
  static inline std::atomic<Pool*> present{nullptr};
};

thread_local bool inside = false;

}  // namespace

void parallel_run(int64_t n, int64_t grain, void* context, Body body) noexcept {
  Team team;
  int64_t pieces = n / (grain < 1 ? 1 : grain);
  int threads = pieces < team.threads() ? static_cast<int>(pieces) : team.threads();
  if (threads <= 1 || inside) return body(context, 0, n);
  inside = true;
  Pool::get().run(n, threads, context, body);
  inside = false;
}

#endif

}  // namespace detail

#if !TENURE_OPENMP
namespace {
void forget_pool() noexcept { detail::Pool::present.store(nullptr, std::memory_order_release); }
}  // namespace
#endif

}  // namespace tenure

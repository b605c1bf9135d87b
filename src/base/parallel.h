// Threads: one bound for the process. Work is split over one team; who finds the team taken runs serially.
#pragma once

#include <cstdint>
#include <type_traits>

namespace tenure {

/// The bound: TENURE_NUM_THREADS, else OMP_NUM_THREADS, else the processor's cores.
int max_threads() noexcept;
/// Sets the bound (at least 1) for teams formed from now on.
void set_max_threads(int n) noexcept;

/// Holds the team for a scope if it is free. threads() is the bound when held, else 1.
/// Nested scopes on the holding thread share it. Creation and destruction cost a few nanoseconds.
class Team {
 public:
  Team() noexcept;
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  int threads() const noexcept { return threads_; }

 private:
  int threads_;
  bool outermost_;
};

/// Marks the calling thread as one that always runs serially (data workers, serving threads). Undone by `false`.
void run_serially(bool on) noexcept;

namespace detail {
using Body = void (*)(void* context, int64_t begin, int64_t end) noexcept;
void parallel_run(int64_t n, int64_t grain, void* context, Body body) noexcept;
}  // namespace detail

/// Calls f(begin, end) over a partition of [0, n) into at most one piece a thread, none smaller than `grain`.
/// Serial when n <= grain or the team is taken. f must be noexcept in effect: it must not throw and not allocate tensors.
/// The partition depends on n, grain and the thread count only.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) noexcept {
  if (n <= grain) {
    if (n > 0) f(int64_t{0}, n);
    return;
  }
  detail::parallel_run(n, grain, &f, [](void* c, int64_t b, int64_t e) noexcept { (*static_cast<std::remove_reference_t<F>*>(c))(b, e); });
}

}  // namespace tenure

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "base/parallel.h"
#include "memory/test_owner.h"
#include "sanitizer.h"

namespace tenure::memory {
namespace {

// Runs `f` in a forked child; true if it returned true there.
template <class F>
bool in_child(F f) {
  pid_t pid = fork();
  if (pid == 0) {
    alarm(20);  // a child that hangs is a failure, not a hang
    _exit(f() ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int64_t sum_in_parallel() {
  std::atomic<int64_t> sum{0};
  parallel_for(1 << 20, 1024, [&](int64_t a, int64_t b) { sum += b - a; });
  return sum;
}

TEST(Fork, TheChildAllocatesFreesAndUsesAllThreads) {
  EXPECT_EQ(sum_in_parallel(), 1 << 20);
  HeldOf<Storage> before = bytes_of(1 << 20);
  std::memset(before->data(), 7, 1 << 20);
  EXPECT_TRUE(in_child([&] {
    HeldOf<Storage> more = bytes_of(3 << 20);
    bool same = static_cast<char*>(before->data())[1000] == 7;
    before.reset();
    more.reset();
    return same && sum_in_parallel() == 1 << 20 && sum_in_parallel() == 1 << 20 && now().live_bytes == 0;
  }));
  EXPECT_EQ(sum_in_parallel(), 1 << 20);
  EXPECT_EQ(now().live_bytes, size_t{1} << 20);
}

TEST(Fork, CountsOfThreadsThatAreNotInTheChildAreKept) {
  std::atomic<bool> stop{false}, ready{false};
  HeldOf<Storage> theirs;
  std::thread other([&] {
    theirs = bytes_of(1000);
    ready = true;
    while (!stop) {
      if (kSanitized) std::this_thread::yield();  // a sanitizer's allocator does not survive a fork in the middle of a call
      else bytes_of(64);                          // busy in the allocator while the process forks
    }
  });
  while (!ready) std::this_thread::yield();
  // Under ThreadSanitizer a new thread may not lie where a lost one lay: there the child only counts.
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(in_child([&] {
      if (!kThreadSanitizer) std::thread([] { bytes_of(10); }).join();  // a new thread may lie where a lost one lay
      size_t live = now().live_bytes;
      return live == 1000 || live == 1064;
    }));
  stop = true;
  other.join();
}

}  // namespace
}  // namespace tenure::memory

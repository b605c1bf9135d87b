// A snapshot with holders, dominators and retained sizes of a million live buffers: each in a tensor that two owners hold, at random.
// --buffers N (1000000). A sample is one whole look, in the thread's own time.
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/body.h"
#include "harness.h"
#include "memory/dominators.h"
#include "memory/test_owner.h"

using namespace tenure;

namespace {

// n buffers under n / 1000 owners; a root holds the owners.
struct Million {
  explicit Million(size_t n) : root(new memory::Box("root")) {
    std::vector<memory::HeldOf<memory::Box>> owners;
    for (size_t i = 0; i < n / 1000 + 2; ++i) {
      owners.emplace_back(new memory::Box("owner"));
      root->put(owners.back().get());
    }
    uint32_t random = 1;
    for (size_t i = 0; i < n; ++i) {
      Held body(Tensor::empty({4}));
      for (int k = 0; k < 2; ++k) owners[(random = random * 1664525u + 1013904223u) % owners.size()]->put(body.get());
    }
  }
  memory::Handle<memory::Box> root;
};

// One thread works: its own time is what it needs, whatever else the machine does.
double thread_nanoseconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  size_t n = 1000000;
  for (int i = 1; i + 1 < argc; ++i)
    if (!std::strcmp(argv[i], "--buffers")) {
      n = std::strtoull(argv[i + 1], nullptr, 10);
      std::copy(argv + i + 2, argv + argc + 1, argv + i), argc -= 2;
      break;
    }
  bench::Program program(argc, argv);
  auto scene = std::make_shared<Million>(n);
  std::string suffix = std::to_string(n);
  auto seconds = [](auto f) {
    return [f](int64_t) {
      const double start = thread_nanoseconds();
      f();
      return thread_nanoseconds() - start;
    };
  };
  // Snapshot: accounts and buffers by birth. Retained: all objects, all references, dominators, retained sizes.
  program.add({"dominators.snapshot_" + suffix, 1, seconds([scene] { memory::snapshot(); })});
  program.add({"dominators.retained_" + suffix, 1, seconds([scene] { memory::retained_sizes(); })});
  // Both, a buffer.
  program.add({"dominators.each_" + suffix, 1, [scene, n](int64_t) {
                 const double start = thread_nanoseconds();
                 memory::snapshot();
                 memory::retained_sizes();
                 return (thread_nanoseconds() - start) / static_cast<double>(n);
               }});
  return program.run();
}

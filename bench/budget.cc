// What a budget costs: a buffer of 1 KiB made and dropped without one, under one of the process, and in scopes with one and with four.
// The smallest of many short samples, alternating. Bar: 5 ns a buffer more under a budget of the process, else the exit status is 1.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include <tenure/memory.h>

#include "memory/storage.h"

using namespace tenure;

int main() {
  constexpr int pairs = 2000, rounds = 400;
  auto sample = [] {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < pairs; ++i) memory::HeldOf<memory::Storage> s(memory::Storage::make(1024));
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / pairs;
  };
  double best[4] = {1e9, 1e9, 1e9, 1e9};
  for (int round = 0; round < rounds; ++round) {
    best[0] = std::min(best[0], sample());
    memory::set_budget(memory::now().in_use_bytes + 1_GiB);
    best[1] = std::min(best[1], sample());
    memory::set_budget(0);
    std::vector<std::unique_ptr<memory::Scope>> scopes;
    for (int depth = 1; depth <= 4; ++depth) {
      scopes.push_back(std::make_unique<memory::Scope>("scope", memory::ScopeOptions{.budget = 1_GiB}));
      if (depth == 1) best[2] = std::min(best[2], sample());
    }
    best[3] = std::min(best[3], sample());
    while (!scopes.empty()) scopes.pop_back();
  }
  std::printf("no budget %.1f ns a pair; the process' %+.1f; one scope's %+.1f; four scopes' %+.1f (bar +5 for the process')\n", best[0],
              best[1] - best[0], best[2] - best[0], best[3] - best[0]);
  return best[1] - best[0] <= 5 ? 0 : 1;
}

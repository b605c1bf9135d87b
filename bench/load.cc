// Loading a large model file: time, and how much memory beside the weights. bench/load (a script) runs it beside Keras.
//   bench_load --make FILE    writes a ResNet50 with random weights
//   bench_load FILE [LOADS]   loads it LOADS times (5): a JSON line; exit status 1 if the first load's peak misses its bar
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <tenure/applications.h>
#include <tenure/tenure.h>

#include "memory/os.h"

using namespace tenure;

namespace {

constexpr double kBar = 1.15;  ///< of the weights' bytes, above the idle process

double load_once(const char* path, size_t* weights = nullptr) {
  const auto start = std::chrono::steady_clock::now();
  const Model m = load_model(path);
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (weights)
    for (const Variable& v : m.variables()) *weights += v.spec().bytes();
  return ms;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && !std::strcmp(argv[1], "--make")) {
    set_random_seed(1);
    Model(applications::ResNet50{}).save(argv[2]);
    return 0;
  }
  if (argc < 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: bench_load --make FILE | FILE [LOADS]\n");
    return 2;
  }
  const int loads = argc > 2 ? std::atoi(argv[2]) : 5;
  const size_t idle = memory::now(true).rss_bytes;
  size_t weights = 0;
  std::vector<double> ms{load_once(argv[1], &weights)};
  const size_t peak = memory::resident_peak();
  while (static_cast<int>(ms.size()) < loads) ms.push_back(load_once(argv[1]));
  const double ratio = static_cast<double>(peak - idle) / static_cast<double>(weights);
  std::printf("{\"weights\": %zu, \"idle\": %zu, \"peak\": %zu, \"ratio\": %.4f, \"ms\": [", weights, idle, peak, ratio);
  for (size_t i = 0; i < ms.size(); ++i) std::printf("%s%.3f", i ? ", " : "", ms[i]);
  std::printf("]}\n");
  return ratio <= kBar ? 0 : 1;
}

// Honest resident memory. Patterns: after live bytes fall, RSS above its start must be at most live + max(32 MiB, 10 % of live) + 2 % at once.
// Images: 100,000 through the pipeline against 1,000 of them: the highest RSS within 2 %, and no count grows.
// Each in a process of its own.
//   bench_rss [--images N]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <tenure/tenure.h>

using namespace tenure;

namespace {

size_t rss() { return memory::now(true).rss_bytes; }
constexpr double kMiB = 1 << 20;

struct Bar {
  const char* name;
  size_t start = 0;
  double worst = 0;  ///< of what is allowed
  int checks = 0;
  explicit Bar(const char* n) : name(n) {
    memory::trim();
    start = rss();
  }
  void after_a_drop() {
    size_t live = memory::now().live_bytes, now = rss(), above = now > start ? now - start : 0;
    double allowed = static_cast<double>(live) + std::max(32 * kMiB, 0.1 * static_cast<double>(live)) + 0.02 * static_cast<double>(live);
    if (static_cast<double>(above) / allowed > worst) {
      worst = static_cast<double>(above) / allowed;
      std::printf("  %-9s live %8.1f MiB  RSS %+8.1f MiB  allowed %8.1f MiB\n", name, static_cast<double>(live) / kMiB,
                  static_cast<double>(above) / kMiB, allowed / kMiB);
    }
    ++checks;
  }
  bool ok() const {
    std::printf("%-9s %5d drops, at worst %.2f of what is allowed: %s\n", name, checks, worst, worst <= 1 ? "met" : "MISSED");
    return worst <= 1;
  }
};

// Many blocks, all but every hundredth dropped.
bool comb() {
  Bar bar("comb");
  for (int64_t kib : {4, 16, 64, 256}) {
    std::vector<Tensor> all;
    for (int i = 0; i < 2000 * 64 / std::max<int64_t>(kib, 64); ++i) all.push_back(ones({kib * 256}));
    for (size_t i = 0; i < all.size(); ++i)
      if (i % 100) all[i].release();
    bar.after_a_drop();
    all.clear();
    bar.after_a_drop();
  }
  return bar.ok();
}

// Up to 512 MiB and down to a tenth, again and again, oldest first and newest first.
bool sawtooth() {
  Bar bar("sawtooth");
  std::vector<Tensor> all;
  for (int tooth = 0; tooth < 6; ++tooth) {
    while (all.size() < 512) all.push_back(ones({int64_t{1} << 18}));
    if (tooth % 2) all.erase(all.begin() + 51, all.end());
    else all.erase(all.begin(), all.end() - 51);
    bar.after_a_drop();
  }
  all.clear();
  bar.after_a_drop();
  return bar.ok();
}

// Sizes from 64 bytes to 8 MiB with random lives; the level falls in steps.
bool ragged() {
  Bar bar("ragged");
  std::mt19937 random(7);
  std::vector<Tensor> all;
  for (int round = 0; round < 12; ++round) {
    while (memory::now().live_bytes < 256_MiB) {
      auto elements = static_cast<int64_t>(16u << (random() % 18)) + static_cast<int64_t>(random() % 1000);
      all.push_back(ones({elements}));
    }
    std::shuffle(all.begin(), all.end(), random);
    for (int step = 0; step < 5; ++step) {
      all.resize(all.size() / 2);
      bar.after_a_drop();
    }
  }
  all.clear();
  bar.after_a_drop();
  return bar.ok();
}

size_t highest_of_a_run(const Dataset& pass, int64_t images) {
  size_t highest = 0;
  int64_t done = 0;
  while (done < images)
    for (Batch& b : pass) {
      done += b.size();
      highest = std::max(highest, rss());  // within passes, with their queues full, however short the run
      if (done >= images) break;
    }
  return highest;
}

bool images(int64_t many) {
  std::string folder = std::filesystem::temp_directory_path() / ("tenure-rss-" + std::to_string(::getpid()));
  data::draw_glyphs(folder, 1000);
  bool ok = true;
  {
    Dataset pass = data::image_folder(folder, {.image_size = {32, 32}, .seed = 1, .workers = 2}).batch(32).prefetch(4);
    for (int i = 0; i < 3; ++i) highest_of_a_run(pass, 1000);
    memory::Now before = memory::now();
    size_t few = highest_of_a_run(pass, 1000), lots = highest_of_a_run(pass, many);
    memory::Now after = memory::now();
    double ratio = static_cast<double>(lots) / static_cast<double>(few);
    bool flat = before.live_bytes == after.live_bytes && before.objects == after.objects;
    ok = ratio <= 1.02 && flat;
    std::printf("images    highest RSS %.1f MiB for 1,000, %.1f MiB for %lld: %+.2f %%; live bytes %+lld, objects %+lld: %s\n",
                static_cast<double>(few) / kMiB, static_cast<double>(lots) / kMiB, static_cast<long long>(many), 100 * (ratio - 1),
                static_cast<long long>(after.live_bytes) - static_cast<long long>(before.live_bytes),
                static_cast<long long>(after.objects) - static_cast<long long>(before.objects), ok ? "met" : "MISSED");
  }
  std::filesystem::remove_all(folder);
  return ok;
}

// Runs `part` in a process of its own: each starts from the RSS of an idle program. This process must not have used Tenure.
bool alone(const std::function<bool()>& part) {
  std::fflush(stdout);
  pid_t child = ::fork();
  if (child == 0) {
    bool ok = part();
    std::fflush(stdout);
    ::_exit(ok ? 0 : 1);
  }
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  int64_t many = argc == 3 && !std::strcmp(argv[1], "--images") ? std::atoll(argv[2]) : 100'000;
  bool ok = alone(comb);
  ok = alone(sawtooth) && ok;
  ok = alone(ragged) && ok;
  ok = alone([many] { return images(many); }) && ok;
  return ok ? 0 : 1;
}

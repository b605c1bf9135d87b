// The catalogue of leaks: bytes and objects that stay, RSS and time a call, beside the figures recorded for the peers (tests/leaks/catalogue.tsv).
//   bench_leaks [--calls N] [--only 04,05] [--json]    --json: a line a scenario, for bench/leaks
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "leaks/catalogue.h"
#include "paths.h"

using namespace tenure;

int main(int argc, char** argv) {
  int64_t calls = 200;
  bool json = false;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--json")) json = true;
    else if (!std::strcmp(argv[i], "--calls") && i + 1 < argc) calls = std::atoll(argv[++i]);
    else if (!std::strcmp(argv[i], "--only") && i + 1 < argc) only = "," + std::string(argv[++i]) + ",";
    else return std::fprintf(stderr, "usage: bench_leaks [--calls N] [--only IDS] [--json]\n"), 2;
  }
  auto rows = leaks::recorded(tests::source_dir() + "/tests/leaks/catalogue.tsv");
  if (!json)
    std::printf("%-4s %-58s %10s %9s %9s %9s | %-26s %18s %9s %9s  %s\n", "id", "one call", "bytes", "objects", "RSS B", "us", "peer, as recorded",
                "KB (retained)", "objects", "us", "grows");
  int grew = 0;
  for (const leaks::Scenario& s : leaks::catalogue()) {
    if (!only.empty() && only.find("," + s.id + ",") == std::string::npos) continue;
    leaks::Action call = s.make();
    for (int64_t i = 0; i < s.warmup; ++i) call();
    memory::trim();
    memory::Now before = memory::now(true);
    auto start = std::chrono::steady_clock::now();
    // Whole periods of the scenarios that cycle through shapes: a multiple of what the catalogue's test judges.
    int64_t n = (calls + s.calls - 1) / s.calls * s.calls;
    for (int64_t i = 0; i < n; ++i) call();
    double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(n);
    memory::trim();
    memory::Now after = memory::now(true);
    auto each = [&](size_t a, size_t b) { return (static_cast<double>(b) - static_cast<double>(a)) / static_cast<double>(n); };
    double bytes = each(before.live_bytes, after.live_bytes), objects = each(before.objects, after.objects),
           rss = each(before.rss_bytes, after.rss_bytes);
    bool held = !s.holder.empty();
    grew += !held && (bytes > 0 || objects > 0);
    leaks::Recorded peer;
    for (const leaks::Recorded& r : rows)
      if (s.id == r.id || (s.id[0] != '7' && s.id.substr(0, 2) == r.id)) peer = r;
    if (json)
      std::printf("{\"id\": \"%s\", \"calls\": %lld, \"bytes\": %.3f, \"objects\": %.4f, \"rss\": %.1f, \"us\": %.2f, \"held\": %s}\n", s.id.c_str(),
                  static_cast<long long>(n), bytes, objects, rss, us, held ? "true" : "false");
    else
      std::printf("%-4s %-58.58s %10.1f %9.3f %9.0f %9.1f | %-26.26s %18s %9s %9s  %s%s\n", s.id.c_str(), s.what.c_str(), bytes, objects, rss, us,
                  peer.peer.c_str(), peer.kb_per_call.c_str(), peer.objects_per_call.c_str(), peer.us_per_call.c_str(), peer.grows.c_str(),
                  held ? " [the program holds]" : "");
    std::fflush(stdout);
  }
  if (!json) std::printf("%d scenarios grew although the program holds nothing\n", grew);
  return grew ? 1 : 0;
}

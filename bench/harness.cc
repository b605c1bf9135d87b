#include "harness.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string_view>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "kernels/kernels.h"
#if TENURE_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>
#endif

namespace bench {
namespace {

using nlohmann::json;

int number(const char* text, std::string_view option) {
  const int n = text ? std::atoi(text) : 0;
  if (n > 0) return n;
  std::cerr << "bench: " << option << " wants a number of at least 1\n";
  std::exit(2);
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const size_t n = v.size();
  return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

std::string dnn_isa() {
#if TENURE_ONEDNN
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41: return "sse41";
    case dnnl::cpu_isa::avx: return "avx";
    case dnnl::cpu_isa::avx2: return "avx2";
    case dnnl::cpu_isa::avx2_vnni: return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    default: return "avx512 or later";
  }
#else
  return "none";
#endif
}

}  // namespace

std::string isa() { return std::string(tenure::kernels::isa()) + ", oneDNN " + dnn_isa(); }

tenure::Tensor values(const tenure::Shape& shape, uint32_t seed, float scale) {
  std::vector<float> v(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = value(seed, static_cast<uint32_t>(i)) * scale;
  return tenure::Tensor::from(v, shape);
}

std::vector<double> head(const tenure::Tensor& t, int64_t n) {
  std::vector<double> v;
  for (int64_t i = 0; i < std::min(n, t.size()); ++i) v.push_back(t.at(i));
  return v;
}

Program::Program(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    const char* next = i + 1 < argc ? argv[i + 1] : nullptr;
    if (a == "--serve") serve_ = true;
    else if (a == "--threads") threads_ = number(next, a), ++i;
    else if (a == "--rounds") rounds_ = number(next, a), ++i;
    else {
      std::cerr << "usage: " << argv[0] << " [--threads N] [--rounds N] [--serve]\n";
      std::exit(2);
    }
  }
  tenure::set_max_threads(threads_);
}

// The first sample of a turn wakes threads and caches and is not kept.
std::vector<double> Program::turn(const Case& c, int samples) const {
  std::vector<double> t;
  c.measure(c.inner);
  for (int i = 0; i < samples; ++i) t.push_back(c.measure(c.inner));
  return t;
}

int Program::alone() const {
  std::vector<std::vector<double>> samples(cases_.size());
  for (int round = 0; round < rounds_; ++round)
    for (size_t i = 0; i < cases_.size(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // threads of the case before stop spinning
      const auto start = std::chrono::steady_clock::now();
      for (int more = 10; more > 0 && std::chrono::steady_clock::now() - start < std::chrono::milliseconds(300); --more)
        for (double t : turn(cases_[i], 1)) samples[i].push_back(t);
    }
  for (size_t i = 0; i < cases_.size(); ++i)
    std::cout << json{{"name", cases_[i].name},
                      {"unit", "ns"},
                      {"min", *std::min_element(samples[i].begin(), samples[i].end())},
                      {"median", median(samples[i])},
                      {"n", samples[i].size()},
                      {"threads", threads_},
                      {"isa", isa()}}
              << "\n";
  return 0;
}

// "NAME SAMPLES" a line in, {"t": [nanoseconds, ...]} or {"error": text} a line out.
int Program::serve() const {
  json ready;
  for (const Case& c : cases_) ready[c.name] = {{"check", c.check}};
  std::cout << json{{"ready", ready}, {"isa", isa()}, {"threads", threads_}} << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string name;
    int samples = 0;
    in >> name >> samples;
    const auto c = std::find_if(cases_.begin(), cases_.end(), [&](const Case& x) { return x.name == name; });
    json answer;
    if (c == cases_.end() || samples < 1) answer["error"] = "expected CASE SAMPLES, got: " + line;
    else answer["t"] = turn(*c, samples);
    std::cout << answer << std::endl;
  }
  return 0;
}

int Program::run() {
  try {
    return serve_ ? serve() : alone();
  } catch (const std::exception& e) {
    std::cerr << "bench: " << e.what() << "\n";
    return 1;
  }
}

}  // namespace bench

// What the ledger costs: a buffer made and released under an account, against a bare block of the pool. Same process, turn by turn.
#include "harness.h"
#include "memory/pool.h"
#include "memory/storage.h"

using namespace tenure;

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  const memory::NameId name = memory::static_name("bench");
  for (size_t bytes : {size_t{64}, size_t{4} << 10, size_t{1} << 20}) {
    constexpr int64_t inner = 5000;
    program.add(bench::calls("ledger.pool_" + std::to_string(bytes), inner, [bytes] {
      size_t capacity = 0;
      void* p = memory::pool_alloc(bytes, &capacity);
      memory::pool_free(p, capacity);
    }));
    program.add(bench::calls("ledger.buffer_" + std::to_string(bytes), inner, [bytes, name] {
      memory::Enter at(name);
      memory::HeldOf<memory::Storage> s(memory::Storage::make(bytes));
    }));
  }
  // The recorder runs for the length of a sample only.
  program.add({"ledger.recorded_64", 5000, [name](int64_t n) {
                 memory::record(true, 1 << 16);
                 const auto start = std::chrono::steady_clock::now();
                 for (int64_t i = 0; i < n; ++i) {
                   memory::Enter at(name);
                   memory::HeldOf<memory::Storage> s(memory::Storage::make(64));
                 }
                 const double took = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
                 memory::record(false);
                 return took / static_cast<double>(n);
               }});
  return program.run();
}

// A file of memory::write_snapshot(), read and asked everything that is asked of one.
#include <tenure/moment.h>

#include "fuzz.h"
#include "memory_file.h"

using namespace tenure;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const files::MemoryFile file;
  return files::fuzz_one(data, size, [&](const files::Bytes&) {
    const memory::Moment m = memory::Moment::read(file.with(data, size));
    for (const uint64_t id : m.largest(4)) {
      const memory::Why why = m.why(id);
      (void)why.text();
      (void)why.json();
      for (const memory::Chain& c : why.chains) (void)m.with_signature(c.signature, 2);
    }
    (void)m.diff(m);
    (void)m.balance().text();
    (void)m.audit().text();
  });
}

// What looks into model files without making a model of them.
#include <tenure/inspect.h>

#include "fuzz.h"
#include "memory_file.h"

using namespace tenure;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const files::MemoryFile file;
  return files::fuzz_one(data, size, [&](const files::Bytes&) {
    const FileReport report = inspect_file(file.with(data, size));
    (void)report.text();
    (void)report.json();
  });
}

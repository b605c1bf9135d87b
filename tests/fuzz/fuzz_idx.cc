#include "files/idx.h"
#include "fuzz.h"

using namespace tenure::files;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz_one(data, size, [](const Bytes& bytes) { touch(read_idx(bytes).bytes.span()); });
}

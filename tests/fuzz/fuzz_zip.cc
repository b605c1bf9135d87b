#include "files/zip.h"
#include "fuzz.h"

using namespace tenure::files;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz_one(data, size, [](const Bytes& bytes) {
    const ZipFile zip(bytes, {.max_members = 1000, .max_total_bytes = 1 << 24, .free_bytes = 1 << 20});
    for (const ZipMember& member : zip.members()) fuzz_one(nullptr, 0, [&](const Bytes&) { touch(zip.read(member.name).span()); });
  });
}

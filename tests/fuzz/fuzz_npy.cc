#include "files/npy.h"
#include "fuzz.h"

using namespace tenure::files;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz_one(data, size, [](const Bytes& bytes) {
    if (bytes.text().substr(0, 2) == "PK") {
      const NpzFile npz(bytes, {.max_total_bytes = 1 << 24});
      for (const std::string& name : npz.names()) fuzz_one(nullptr, 0, [&](const Bytes&) { npz.read(name).as_double(); });
    } else {
      const Array array = read_npy(bytes);
      touch(array.bytes.span());
      array.as_double();
    }
  });
}

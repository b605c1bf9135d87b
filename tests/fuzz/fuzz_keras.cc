// A model file from its parts: the first four bytes are the length of config.json, the rest is model.weights.h5; or a whole archive, or a whole
// legacy .h5.
#include <cstring>
#include <memory>

#include <tenure/saving.h>

#include "files/zip.h"
#include "fuzz.h"

using namespace tenure;
using namespace tenure::files;

namespace {

Bytes archive_of(const uint8_t* data, size_t size) {
  uint32_t length = 0;
  std::memcpy(&length, data, sizeof length);
  data += sizeof length, size -= sizeof length;
  length = static_cast<uint32_t>(length % (size + 1));
  ZipWriter zip;
  const auto bytes = std::as_bytes(std::span(data, size));
  zip.add("config.json", Bytes::borrow(bytes.first(length)));
  zip.add("model.weights.h5", Bytes::borrow(bytes.subspan(length)));
  return zip.to_bytes();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz_one(data, size, [&](const Bytes& bytes) {
    const bool whole = size < 4 || std::memcmp(data, "PK", 2) == 0 || std::memcmp(data, "\x89HDF", 4) == 0;
    const Bytes archive = whole ? bytes : archive_of(data, size);
    Model model = load_model(archive.span());
    (void)model_bytes(model);
  });
}

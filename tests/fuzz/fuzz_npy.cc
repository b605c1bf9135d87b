#include "files/npy.h"
#include "fuzz.h"

using namespace tenure::files;

namespace {

void look_at(const Array& array) {
  touch(array.bytes.span());
  if (array.dtype != tenure::DType::string) return (void)array.as_double();
  for (int64_t i = 0; i < array.elements(); ++i) {
    const std::string_view text = array.text(i);
    touch(std::as_bytes(std::span(text.data(), text.size())));
  }
  for (const Bytes& part : npy_parts(array)) touch(part.span());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz_one(data, size, [](const Bytes& bytes) {
    if (bytes.text().substr(0, 2) == "PK") {
      const NpzFile npz(bytes, {.max_total_bytes = 1 << 24});
      for (const std::string& name : npz.names()) fuzz_one(nullptr, 0, [&](const Bytes&) { look_at(npz.read(name)); });
    } else {
      look_at(read_npy(bytes));
    }
  });
}

// JPEG and PNG. The decoders' libraries are the system's and not instrumented: what is looked for is a crash, a leak, or a picture that
// was not bounded. Checksums of PNG chunks are made right after each mutation, or nothing behind them would ever be reached.
#include <zlib.h>

#include <cstring>

#include "data/image.h"
#include "fuzz.h"

using namespace tenure;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* input, size_t size, size_t max_size, unsigned) {
  size = LLVMFuzzerMutate(input, size, max_size);
  if (!data::is_png(std::as_bytes(std::span(input, size)))) return size;
  auto number = [&](size_t at) { return uint32_t{input[at]} << 24 | uint32_t{input[at + 1]} << 16 | uint32_t{input[at + 2]} << 8 | input[at + 3]; };
  for (size_t at = 8; at + 12 <= size;) {
    const size_t length = number(at);
    if (length > size - at - 12) break;
    const auto crc = static_cast<uint32_t>(crc32(0, input + at + 4, static_cast<uInt>(length + 4)));
    for (int i = 0; i < 4; ++i) input[at + 8 + length + static_cast<size_t>(i)] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    at += length + 12;
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  return files::fuzz_one(input, size, [](const files::Bytes& bytes) {
    const data::ImageLimits limits{.max_side = 4096, .max_pixels = 1 << 20};
    for (int channels : {0, 1, 3, 4}) {
      const Tensor picture = data::decode(bytes.span(), channels, "fuzz", limits);
      if (picture.dim(0) * picture.dim(1) > limits.max_pixels) __builtin_trap();
      files::touch(picture.bytes());
    }
  });
}

// What every fuzzer does: an input either loads or ends in tenure::Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <tenure/error.h>

#include "files/bytes.h"

namespace tenure::files {

template <class F>
int fuzz_one(const uint8_t* data, size_t size, F&& load) {
  try {
    load(Bytes::borrow(std::as_bytes(std::span(data, size)), "fuzz"));
  } catch (const Error& e) {
    if (e.code() == Code::Internal) throw;  // a mistake of ours: let the fuzzer report it
  }
  return 0;
}

/// Reads every byte, so that a range outside the memory shows.
inline void touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) sum += std::to_integer<unsigned>(b);
  [[maybe_unused]] static volatile unsigned sink;
  sink = sum;
}

}  // namespace tenure::files

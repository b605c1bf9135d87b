// 64-bit hashes of text that TensorFlow's buckets are made of: FarmHash's Fingerprint64 (Google, 2014; the "na" variant) and SipHash-2-4
// (Aumasson and Bernstein, 2012). No function here allocates.
#pragma once

#include <cstdint>
#include <string_view>

namespace tenure::ops {

uint64_t fingerprint64(std::string_view text) noexcept;
uint64_t siphash64(uint64_t key0, uint64_t key1, std::string_view text) noexcept;
/// Two fingerprints as one (TensorFlow's FingerprintCat64).
uint64_t joined_fingerprint(uint64_t a, uint64_t b) noexcept;

}  // namespace tenure::ops

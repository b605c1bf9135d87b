// bfloat16 and float16 as bits, without branches so that loops vectorize. Method of F. Giesen, "Float-to-half conversions" (public domain).
// Internal to kernels.
#pragma once

#include <bit>
#include <cstdint>

namespace tenure::kernels::half {

inline uint16_t bfloat16_of(float x) noexcept {
  const uint32_t u = std::bit_cast<uint32_t>(x), rounded = u + 0x7fffu + ((u >> 16) & 1u);
  return static_cast<uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : rounded >> 16);
}
inline float of_bfloat16(uint16_t h) noexcept { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

inline uint16_t float16_of(float x) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(x), sign = bits & 0x80000000u, u = bits ^ sign;
  const uint32_t magic = ((127u - 15u) + (23u - 10u) + 1u) << 23;
  const uint32_t special = u > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(u) + std::bit_cast<float>(magic)) - magic;
  const uint32_t normal = (u + 0xc8000fffu + ((u >> 13) & 1u)) >> 13;
  const uint32_t h = u >= 0x47800000u ? special : u < 0x38800000u ? small : normal;
  return static_cast<uint16_t>(h | (sign >> 16));
}
inline float of_float16(uint16_t h) noexcept {
  const uint32_t exponent_mask = 0x7c00u << 13, magic = 113u << 23;
  const uint32_t shifted = (h & 0x7fffu) << 13, exponent = shifted & exponent_mask, o = shifted + ((127u - 15u) << 23);
  const uint32_t special = o + ((128u - 16u) << 23);
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(o + (1u << 23)) - std::bit_cast<float>(magic));
  const uint32_t u = exponent == exponent_mask ? special : exponent == 0 ? small : o;
  return std::bit_cast<float>(u | (static_cast<uint32_t>(h & 0x8000u) << 16));
}

}  // namespace tenure::kernels::half

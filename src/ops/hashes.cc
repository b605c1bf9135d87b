#include "ops/hashes.h"

#include <bit>
#include <cstring>
#include <utility>

namespace tenure::ops {
namespace {

constexpr uint64_t k0 = 0xc3a5c85c97cb3127u, k1 = 0xb492b66fbe98f273u, k2 = 0x9ae16a3b2f90404fu;

uint64_t load64(const char* p) noexcept {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
uint64_t load32(const char* p) noexcept {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
uint64_t byte(char c) noexcept { return static_cast<unsigned char>(c); }
uint64_t mixed(uint64_t v) noexcept { return v ^ v >> 47; }

uint64_t fold(uint64_t u, uint64_t v, uint64_t factor) noexcept { return mixed((v ^ mixed((u ^ v) * factor)) * factor) * factor; }

uint64_t up_to_16(const char* s, size_t n) noexcept {
  const uint64_t factor = k2 + 2 * n;
  if (n >= 8) {
    const uint64_t a = load64(s) + k2, b = load64(s + n - 8);
    return fold(std::rotr(b, 37) * factor + a, (std::rotr(a, 25) + b) * factor, factor);
  }
  if (n >= 4) return fold(n + (load32(s) << 3), load32(s + n - 4), factor);
  if (n == 0) return k2;
  return mixed((byte(s[0]) + (byte(s[n / 2]) << 8)) * k2 ^ (n + (byte(s[n - 1]) << 2)) * k0) * k2;
}

uint64_t up_to_32(const char* s, size_t n) noexcept {
  const uint64_t factor = k2 + 2 * n, a = load64(s) * k1, b = load64(s + 8), c = load64(s + n - 8) * factor, d = load64(s + n - 16) * k2;
  return fold(std::rotr(a + b, 43) + std::rotr(c, 30) + d, a + std::rotr(b + k2, 18) + c, factor);
}

uint64_t up_to_64(const char* s, size_t n) noexcept {
  const uint64_t factor = k2 + 2 * n, a = load64(s) * k2, b = load64(s + 8), c = load64(s + n - 8) * factor, d = load64(s + n - 16) * k2;
  const uint64_t y = std::rotr(a + b, 43) + std::rotr(c, 30) + d, z = fold(y, a + std::rotr(b + k2, 18) + c, factor);
  const uint64_t e = load64(s + 16) * factor, f = load64(s + 24), g = (y + load64(s + n - 32)) * factor, h = (z + load64(s + n - 24)) * factor;
  return fold(std::rotr(e + f, 43) + std::rotr(g, 30) + h, e + std::rotr(f + a, 18) + g, factor);
}

struct Two {
  uint64_t a = 0, b = 0;
};

Two of_32(const char* s, uint64_t a, uint64_t b) noexcept {
  const uint64_t last = load64(s + 24);
  a += load64(s);
  b = std::rotr(b + a + last, 21);
  const uint64_t first = a;
  a += load64(s + 8) + load64(s + 16);
  return {a + last, b + std::rotr(a, 44) + first};
}

}  // namespace

uint64_t fingerprint64(std::string_view text) noexcept {
  const char* s = text.data();
  const size_t n = text.size();
  if (n <= 16) return up_to_16(s, n);
  if (n <= 32) return up_to_32(s, n);
  if (n <= 64) return up_to_64(s, n);
  constexpr uint64_t seed = 81;
  uint64_t x = seed * k2 + load64(s), y = seed * k1 + 113, z = mixed(y * k2 + 113) * k2;
  Two v, w;
  const auto block = [&](const char* p, uint64_t factor, uint64_t nine) {
    x = std::rotr(x + y + v.a + load64(p + 8), 37) * factor;
    y = std::rotr(y + v.b + load64(p + 48), 42) * factor;
    x ^= w.b * nine;
    y += v.a * nine + load64(p + 40);
    z = std::rotr(z + w.a, 33) * factor;
    v = of_32(p, v.b * factor, x + w.a);
    w = of_32(p + 32, z + w.b, y + load64(p + 16));
    std::swap(z, x);
  };
  const size_t blocks = (n - 1) / 64, rest = (n - 1) % 64;
  for (size_t i = 0; i < blocks; ++i) block(s + 64 * i, k1, 1);
  const uint64_t factor = k1 + ((z & 0xff) << 1);
  w.a += rest;
  v.a += w.a;
  w.a += v.a;
  block(s + n - 64, factor, 9);
  return fold(fold(v.a, w.a, factor) + mixed(y) * k0 + z, fold(v.b, w.b, factor) + x, factor);
}

uint64_t siphash64(uint64_t key0, uint64_t key1, std::string_view text) noexcept {
  uint64_t a = key0 ^ 0x736f6d6570736575u, b = key1 ^ 0x646f72616e646f6du, c = key0 ^ 0x6c7967656e657261u, d = key1 ^ 0x7465646279746573u;
  const auto rounds = [&](int n) {
    for (; n > 0; --n) {
      a += b, b = std::rotl(b, 13) ^ a, a = std::rotl(a, 32);
      c += d, d = std::rotl(d, 16) ^ c;
      a += d, d = std::rotl(d, 21) ^ a;
      c += b, b = std::rotl(b, 17) ^ c, c = std::rotl(c, 32);
    }
  };
  const auto take = [&](uint64_t word) {
    d ^= word;
    rounds(2);
    a ^= word;
  };
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) take(load64(text.data() + at));
  uint64_t last = static_cast<uint64_t>(text.size()) << 56;
  for (size_t i = 0; at + i < text.size(); ++i) last |= byte(text[at + i]) << 8 * i;
  take(last);
  c ^= 0xff;
  rounds(4);
  return a ^ b ^ c ^ d;
}

uint64_t joined_fingerprint(uint64_t a, uint64_t b) noexcept {
  constexpr uint64_t factor = 0xc6a4a7935bd1e995u;
  return mixed(mixed((a ^ factor ^ mixed(b * factor) * factor) * factor) * factor);
}

}  // namespace tenure::ops

// What simd_random.cc offers for one instruction set. Internal to kernels.
#pragma once

#include <cstdint>

namespace tenure::kernels {

/// Serial; `words` are random 32-bit words and value i is made of word i (normal: of the pair that i is in).
struct RandomTable {
  /// 4 * blocks words of blocks first_block..: counter block {block, counter} under key.
  void (*words)(uint64_t key, uint64_t counter, uint64_t first_block, int64_t blocks, uint32_t* out);
  void (*uniform)(const uint32_t* words, float* y, int64_t n, float lo, float hi, float below_hi);
  void (*normal)(const uint32_t* words, float* y, int64_t n, float mean, float stddev);  ///< reads an even number of words
  void (*truncated)(const uint32_t* words, float* y, int64_t n, float mean, float stddev);
  void (*dropout)(const uint32_t* words, const float* x, float* y, int64_t n, uint32_t threshold, float scale);
};
const RandomTable& random_table() noexcept;

}  // namespace tenure::kernels

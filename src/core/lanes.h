// Lanes: how an input of an elementwise op is laid against its output, and how a tile of it is fetched.
#pragma once

#include <cstddef>

#include "core/body.h"

namespace tenure {

inline constexpr int64_t kTile = 1024;    // elements
inline constexpr int64_t kGrain = 16384;  // elements below which a thread is not worth starting

struct Lane {
  enum Kind : uint8_t { same, scalar, periodic, strided } kind = same;
  const std::byte* data = nullptr;
  int64_t period = 1;
  size_t size = 0;
  int rank = 0;
  int64_t dims[Shape::max_rank], strides[Shape::max_rank];
};

/// The lane of an input of spec x against an output of shape y with n elements. Sizes are known; shapes broadcast.
Lane lane_of(const Spec& x, const Shape& y, int64_t n, const void* data);
/// n copies of the element at `from`.
void splat(void* to, const std::byte* from, int64_t n, size_t size);
/// Elements [begin, begin + n) of a broadcast lane.
void gather(const Lane& lane, int64_t begin, int64_t n, std::byte* to);
/// The tile length that suits the lanes: a multiple of a period where there is one. Lanes of another period become strided.
int64_t tile_length(std::span<Lane> lanes, int64_t most);

}  // namespace tenure

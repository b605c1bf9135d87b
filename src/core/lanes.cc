#include "core/lanes.h"

#include <algorithm>
#include <cstring>

namespace tenure {

Lane lane_of(const Spec& x, const Shape& y, int64_t n, const void* data) {
  Lane lane;
  lane.data = static_cast<const std::byte*>(data);
  lane.size = size_of(x.dtype);
  int64_t elements = x.shape.elements();
  if (elements == n) return lane;
  if (elements == 1) {
    lane.kind = Lane::scalar;
    return lane;
  }
  // Strides over y's dims (0 where broadcast), neighbours collapsed.
  int shift = y.rank() - x.shape.rank();
  int64_t stride = 1;
  int64_t strides[Shape::max_rank];
  for (int i = y.rank() - 1; i >= 0; --i) {
    int64_t d = i >= shift ? x.shape[i - shift] : 1;
    strides[i] = d == 1 ? 0 : stride;
    stride *= d;
  }
  for (int i = 0; i < y.rank(); ++i) {
    if (y[i] == 1) continue;
    if (lane.rank && lane.strides[lane.rank - 1] == strides[i] * y[i]) {
      lane.dims[lane.rank - 1] *= y[i];
      lane.strides[lane.rank - 1] = strides[i];
    } else {
      lane.dims[lane.rank] = y[i];
      lane.strides[lane.rank++] = strides[i];
    }
  }
  lane.kind = Lane::strided;
  if (lane.rank == 2 && lane.strides[0] == 0 && lane.strides[1] == 1 && lane.dims[1] <= kTile) {
    lane.kind = Lane::periodic;
    lane.period = lane.dims[1];
  }
  return lane;
}

namespace {
template <class T>
void splat(T* to, const std::byte* from, int64_t n) {
  T v;
  std::memcpy(&v, from, sizeof(T));
  std::fill(to, to + n, v);
}
}  // namespace

void splat(void* to, const std::byte* from, int64_t n, size_t size) {
  switch (size) {
    case 1: return splat(static_cast<uint8_t*>(to), from, n);
    case 2: return splat(static_cast<uint16_t*>(to), from, n);
    case 4: return splat(static_cast<uint32_t*>(to), from, n);
    default: return splat(static_cast<uint64_t*>(to), from, n);
  }
}

// Elements [begin, begin + n) of the broadcast lane into `to`.
void gather(const Lane& lane, int64_t begin, int64_t n, std::byte* to) {
  int64_t index[Shape::max_rank];
  int64_t rest = begin, at = 0;
  for (int i = lane.rank - 1; i >= 0; --i) {
    index[i] = rest % lane.dims[i];
    rest /= lane.dims[i];
    at += index[i] * lane.strides[i];
  }
  int last = lane.rank - 1;
  while (n > 0) {
    int64_t run = std::min(n, lane.dims[last] - index[last]);
    const std::byte* from = lane.data + static_cast<size_t>(at) * lane.size;
    if (lane.strides[last] == 1) std::memcpy(to, from, static_cast<size_t>(run) * lane.size);
    else splat(to, from, run, lane.size);  // stride 0: collapsed lanes end in 0 or 1
    to += static_cast<size_t>(run) * lane.size;
    n -= run;
    at += run * lane.strides[last];
    index[last] += run;
    for (int i = last; i > 0 && index[i] == lane.dims[i]; --i) {
      at += lane.strides[i - 1] - index[i] * lane.strides[i];
      index[i] = 0;
      ++index[i - 1];
    }
  }
}

int64_t tile_length(std::span<Lane> lanes, int64_t most) {
  int64_t tile = most;
  bool fixed = false;
  for (Lane& lane : lanes) {
    if (lane.kind != Lane::periodic) continue;
    if (lane.period > most || (fixed && tile % lane.period != 0)) lane.kind = Lane::strided;
    else if (!fixed) tile = most / lane.period * lane.period, fixed = true;
  }
  return tile;
}

}  // namespace tenure

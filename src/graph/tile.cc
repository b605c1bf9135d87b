#include "graph/tile.h"

#include <algorithm>

#include "base/parallel.h"
#include "core/lanes.h"

namespace tenure {
namespace {
constexpr int64_t kGroupTile = 512;  // elements: two dozen buffers stay in the second-level cache, the active ones in the first
constexpr size_t kBuffer = static_cast<size_t>(kGroupTile) * 8 + 64;  // padded, so that buffers do not share cache sets
}  // namespace

bool TileProgram::finish() {
  size_t registers = inputs.size() + steps.size();
  buffer_.assign(registers, -1);
  std::vector<int> last(registers, -1);
  for (size_t s = 0; s < steps.size(); ++s)
    for (int k = 0; k < steps[s].inputs; ++k) last[static_cast<size_t>(steps[s].in[k])] = static_cast<int>(s);
  std::vector<char> to_memory(registers, 0);
  for (int r : outputs) to_memory[static_cast<size_t>(r)] = 1;
  std::vector<int> free;
  buffers_ = 0;
  // Broadcast inputs keep a buffer for the whole run: it is filled once where it can be.
  int64_t n = shape.elements();
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].shape.elements() != n) buffer_[i] = buffers_++;
  for (size_t s = 0; s < steps.size(); ++s) {
    size_t r = inputs.size() + s;
    // A step may write over a buffer whose register it reads for the last time: micro-kernels allow that for equal element sizes only,
    // so buffers are released after the step.
    if (!to_memory[r]) {
      if (free.empty()) free.push_back(buffers_++);
      buffer_[r] = free.back();
      free.pop_back();
    }
    for (int k = 0; k < steps[s].inputs; ++k) {
      auto in = static_cast<size_t>(steps[s].in[k]);
      bool again = false;
      for (int j = 0; j < k; ++j) again |= steps[s].in[j] == steps[s].in[k];
      if (in >= inputs.size() && last[in] == static_cast<int>(s) && buffer_[in] >= 0 && !again) free.push_back(buffer_[in]);
    }
  }
  return buffers_ <= kMaxRegisters;
}

bool TileProgram::reads_after(size_t step, int r) const noexcept {
  for (size_t s = step + 1; s < steps.size(); ++s)
    if (std::find(steps[s].in, steps[s].in + steps[s].inputs, r) != steps[s].in + steps[s].inputs) return true;
  return false;
}

void TileProgram::run(const void* const* in, void* const* out) const noexcept {
  int64_t n = shape.elements();
  if (n == 0) return;
  Lane lanes[kMaxInputs];
  for (size_t i = 0; i < inputs.size(); ++i) lanes[i] = lane_of(inputs[i], shape, n, in[i]);
  int64_t tile = tile_length({lanes, inputs.size()}, kGroupTile);
  int64_t tiles = (n + tile - 1) / tile;
  int64_t grain = std::max<int64_t>(1, kGrain / (tile * std::max<int64_t>(1, static_cast<int64_t>(steps.size()))));
  parallel_for(tiles, grain, [&](int64_t first, int64_t last) {
    alignas(64) std::byte buffers[kMaxRegisters][kBuffer];
    std::byte* at[kMaxInputs + kMaxSteps];
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (lanes[i].kind == Lane::same) continue;
      at[i] = buffers[buffer_[i]];
      int64_t fill = std::min(tile, n - first * tile);
      if (lanes[i].kind == Lane::scalar) splat(at[i], lanes[i].data, fill, lanes[i].size);
      if (lanes[i].kind == Lane::periodic) gather(lanes[i], first * tile, fill, at[i]);
    }
    for (size_t s = 0; s < steps.size(); ++s) {
      size_t r = inputs.size() + s;
      if (buffer_[r] >= 0) at[r] = buffers[buffer_[r]];
    }
    for (int64_t k = first; k < last; ++k) {
      int64_t begin = k * tile;
      int64_t count = std::min(tile, n - begin);
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (lanes[i].kind == Lane::same) at[i] = const_cast<std::byte*>(lanes[i].data) + static_cast<size_t>(begin) * lanes[i].size;
        else if (lanes[i].kind == Lane::strided) gather(lanes[i], begin, count, at[i]);
      }
      for (size_t o = 0; o < outputs.size(); ++o) {
        auto r = static_cast<size_t>(outputs[o]);
        at[r] = static_cast<std::byte*>(out[o]) + static_cast<size_t>(begin) * size_of(steps[r - inputs.size()].out_dtype);
      }
      Tile t;
      t.n = count;
      for (size_t s = 0; s < steps.size(); ++s) {
        const Step& step = steps[s];
        for (int j = 0; j < step.inputs; ++j) t.in[j] = at[step.in[j]];
        t.out = at[inputs.size() + s];
        t.dtype = step.dtype;
        t.out_dtype = step.out_dtype;
        t.attrs = step.attrs.ref().p;
        step.op->tile(t);
      }
    }
  });
}

}  // namespace tenure

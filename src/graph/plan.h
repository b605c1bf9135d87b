// Placement: buffers with lifetimes get offsets in one arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tenure {

/// One buffer: alive from `first` to `last` (instruction numbers, inclusive). `offset` is the result.
struct Placed {
  size_t bytes = 0;
  int32_t first = 0, last = 0;
  size_t offset = 0;
};

/// Sets offsets (multiples of 64) so that no two buffers that live at once share bytes; returns the arena's size.
/// Best fit in plain orders and in those that begin with what lives at the fullest moment; a search towards the lower bound (graph/stacking.h); local
/// moves of what reaches the top. Ends where the lower bound is reached, or when each part has had its checks, about 10 ms. The same buffers get the
/// same places.
size_t place(std::vector<Placed>& buffers);
/// The most bytes (rounded to 64) that live at once: no placement is smaller.
size_t lower_bound_of(const std::vector<Placed>& buffers);
/// A checker that knows nothing of the planner: empty, or what is wrong.
std::string check_plan(const std::vector<Placed>& buffers, size_t arena);

}  // namespace tenure

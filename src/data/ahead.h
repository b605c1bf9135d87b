// Work on elements, on the calling thread or ahead of it by worker threads, always in order.
#pragma once

#include <functional>

#include "data/recipe.h"

namespace tenure::data {

/// What one element needs: pulled in order, worked on anywhere. Owned by its stage.
class Producer {
 public:
  struct Job {
    int64_t row = 0;
    Batch in = {};
  };
  virtual ~Producer() = default;
  /// One thread at a time, in order. False at the end.
  virtual bool pull(Job& job) = 0;
  /// Any thread, several at once. False: this element is left out.
  virtual bool work(Job& job, Batch& out) = 0;
};

struct AheadLimits {
  int workers = 0;           ///< 0: no threads, no queue
  size_t count = 1;          ///< elements finished or in the making
  size_t bytes = 64u << 20;  ///< of the same
};

/// `below`, if any, is pulled by the producer, which refers to it. `name` is a literal.
memory::HeldOf<Stage> open_producer(memory::HeldOf<Recipe> recipe, memory::HeldOf<Stage> below, std::string_view name,
                                    std::unique_ptr<Producer> producer, const AheadLimits& limits);

}  // namespace tenure::data

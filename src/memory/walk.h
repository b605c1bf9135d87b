// Walks over the live objects beside threads that make and drop them. While a Walk exists nothing is destroyed: what dies waits, whole,
// and is destroyed by the thread that ends the walk. One thread walks at a time; a Walk inside a Walk of the same thread joins it.
#pragma once

namespace tenure::memory {

class Walk {
 public:
  /// Waits until no thread is inside a destructor of a counted object. Call without locks of the ledger.
  Walk() noexcept;
  ~Walk();
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
};

}  // namespace tenure::memory

// The living objects of one class, known without being owned: for reclaimers, which may not walk (a walk waits for destructors, and one
// of those may wait for the thread that asks). An object adds itself last in its constructor and removes itself first in its destructor.
#pragma once

#include <mutex>
#include <unordered_set>

#include "memory/ledger.h"

namespace tenure::memory {

/// One for the objects of all classes; a fork waits for it and leaves it free in both processes.
std::mutex& living_mutex() noexcept;

/// Bytes that `drop` gives back: what a reclaimer returns.
template <class F>
size_t bytes_won(F drop) {
  const size_t before = totals().capacity_bytes;
  drop();
  const size_t after = totals().capacity_bytes;
  return before > after ? before - after : 0;
}

template <class T>
class Living {
 public:
  static void add(T* object) {
    std::lock_guard lock(living_mutex());
    objects().insert(object);
  }
  static void remove(T* object) noexcept {
    std::lock_guard lock(living_mutex());
    objects().erase(object);
  }
  /// No object dies meanwhile; `visit` may not wait for anybody, nor make or drop one.
  template <class F>
  static void each(F visit) {
    std::lock_guard lock(living_mutex());
    for (T* object : objects()) visit(*object);
  }

 private:
  static std::unordered_set<T*>& objects() {
    static auto* all = new std::unordered_set<T*>;  // never destroyed: objects may die after main
    return *all;
  }
};

}  // namespace tenure::memory

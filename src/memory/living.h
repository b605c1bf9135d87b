// The living objects of one class, known without being owned: for reclaimers, which may not walk (a walk waits for destructors, and one
// of those may wait for the thread that asks). An object adds itself last in its constructor and removes itself first in its destructor.
#pragma once

#include <mutex>
#include <unordered_set>

namespace tenure::memory {

template <class T>
class Living {
 public:
  static void add(T* object) {
    Living& l = get();
    std::lock_guard lock(l.mutex_);
    l.objects_.insert(object);
  }
  static void remove(T* object) noexcept {
    Living& l = get();
    std::lock_guard lock(l.mutex_);
    l.objects_.erase(object);
  }
  /// No object dies meanwhile; `visit` may not wait for anybody, nor make or drop one.
  template <class F>
  static void each(F visit) {
    Living& l = get();
    std::lock_guard lock(l.mutex_);
    for (T* object : l.objects_) visit(*object);
  }

 private:
  static Living& get() {
    static auto* l = new Living;  // never destroyed: objects may die after main
    return *l;
  }
  std::mutex mutex_;
  std::unordered_set<T*> objects_;
};

}  // namespace tenure::memory

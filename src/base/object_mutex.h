// A mutex that lies in a counted object. libstdc++'s mutexes end without a word to the system; where the object's memory is used again, another
// mutex at the same place would be taken for the same one by ThreadSanitizer, and the orders of both mixed up. So there its end is told.
#pragma once

#include <mutex>

#if defined(__SANITIZE_THREAD__)
#define TENURE_TELL_MUTEX 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TENURE_TELL_MUTEX 1
#endif
#endif

namespace tenure {

#if defined(TENURE_TELL_MUTEX)
template <class M>
struct ObjectMutex : M {
  ~ObjectMutex() { pthread_mutex_destroy(this->native_handle()); }
};
#else
template <class M>
using ObjectMutex = M;
#endif

}  // namespace tenure

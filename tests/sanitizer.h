// Which sanitizer the tests run under: what a test asserts of the pool or of resident memory has another form there.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define TENURE_LEAK_SANITIZER 1
#endif

namespace tenure {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool kAddressSanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
inline constexpr bool kThreadSanitizer = false;
#endif

inline constexpr bool kSanitized = kAddressSanitizer || kThreadSanitizer;

/// What this thread allocates while one lives is no leak to LeakSanitizer, which does not look into the slabs for its owners.
#if defined(TENURE_LEAK_SANITIZER)
using MayLeak = __lsan::ScopedDisabler;
#else
struct MayLeak {
  MayLeak() noexcept {}
};
#endif

}  // namespace tenure

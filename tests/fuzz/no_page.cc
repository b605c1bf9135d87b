// The page of the memory report is made where the library is built; programs of the memory folder's sources alone have none.
#include "memory/page.h"

std::string_view tenure::memory::detail::report_page() noexcept { return {}; }

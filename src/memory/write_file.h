// A file written whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace tenure::memory {

/// Written beside and renamed. Throws Io, naming `who`, and leaves nothing, where it cannot be.
void write_file(const char* who, const std::string& path, std::string_view data);
/// "2026-01-31 12:00 UTC".
std::string utc_now();

}  // namespace tenure::memory

// gzip and zlib streams, inflated within limits.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "files/bytes.h"

namespace tenure::files {

bool is_gzip(const Bytes& bytes) noexcept;

/// All members of a gzip file, one after the other, under the name of `packed`.
/// Throws Io if it is damaged, is followed by something else, or expands beyond `max_bytes`.
Bytes gunzip(const Bytes& packed, uint64_t max_bytes = uint64_t{8} << 30);

/// One zlib stream into `to`. Returns the number of bytes, or throws Io naming `where` if it is damaged or longer than `to`.
size_t inflate_zlib(std::span<const std::byte> packed, std::span<std::byte> to, const std::string& where);

}  // namespace tenure::files

// JSON of untrusted files.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "files/bytes.h"

namespace tenure::files {

struct JsonLimits {
  size_t max_bytes = size_t{256} << 20;
  int max_depth = 256;
};

/// Parses UTF-8 JSON. Throws Io naming the text, line and column where it is malformed, and for what exceeds the limits.
nlohmann::json parse_json(const Bytes& text, JsonLimits limits = {});

}  // namespace tenure::files

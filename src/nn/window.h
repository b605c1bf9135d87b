// The window of a Fourier transform in a configuration. Nothing here owns anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tenure/fields.h>

namespace tenure::nn {

/// The field "window": a name, values in its place, or none. `where` stands in errors.
void visit_window(Fields& v, std::optional<std::string>& name, std::vector<double>& values, const char* where);
/// Throws NotFound, listing the known names, for another one.
void check_window(const std::string& name, const char* where);

}  // namespace tenure::nn

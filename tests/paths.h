// Where the sources stand, for tests that read files of the repository or ../shared. Known to paths.cc alone, so that the rest compiles
// to the same objects in every clone.
#pragma once

#include <string>

namespace tenure::tests {

/// The repository's folder, without a slash at the end.
std::string source_dir();

}  // namespace tenure::tests

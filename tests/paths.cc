#include "paths.h"

std::string tenure::tests::source_dir() { return TENURE_SOURCE_DIR; }

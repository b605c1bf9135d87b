// What this library is and what it runs on.
#pragma once

#include <string>

#include <tenure/export.h>

namespace tenure {

struct BuildInfo {
  std::string version;  ///< of the library
  std::string kernels;  ///< "oneDNN 3.2.0" or "Eigen"
  std::string isa;      ///< instruction set that the elementwise kernels chose
  int threads = 1;      ///< the bound for the process
};
TENURE_API BuildInfo build_info();

}  // namespace tenure

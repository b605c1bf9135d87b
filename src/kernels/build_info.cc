// What the library was built with and what it chose to run.
#include <tenure/version.h>

#include "base/parallel.h"
#include "kernels/kernels.h"

#if TENURE_ONEDNN
#include <dnnl_version.h>
#endif

namespace tenure {

BuildInfo build_info() {
#if TENURE_ONEDNN
  std::string kernels =
      "oneDNN " + std::to_string(DNNL_VERSION_MAJOR) + "." + std::to_string(DNNL_VERSION_MINOR) + "." + std::to_string(DNNL_VERSION_PATCH);
#else
  std::string kernels = "Eigen and direct loops";
#endif
  return {TENURE_VERSION, kernels, kernels::isa(), max_threads()};
}

}  // namespace tenure

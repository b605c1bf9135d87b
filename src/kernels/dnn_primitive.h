// Running oneDNN primitives without exceptions and, in the steady state, without creating objects. Included by dnn_*.cc only.
// A DnnKernel owns its primitive; the sets of memory handles it keeps point to the caller's data during one run only.
#pragma once

#include <atomic>
#include <exception>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include <tenure/error.h>

#include "kernels/prepared.h"

namespace tenure::kernels {

/// The processor; never destroyed.
const dnnl::engine& dnn_engine();

/// oneDNN forms teams of the size OpenMP reports when a primitive is made (and, for some, run): `threads` for this scope.
class DnnThreads {
 public:
  explicit DnnThreads(int threads) noexcept;
  ~DnnThreads();
  DnnThreads(const DnnThreads&) = delete;
  DnnThreads& operator=(const DnnThreads&) = delete;

 private:
  int before_;
  bool changed_;
};

class DnnKernel {
 public:
  struct Slot {
    int arg;  ///< DNNL_ARG_...
    dnnl::memory::desc desc;
  };
  /// Slots are in the order in which run gets its pointers.
  DnnKernel(dnnl::primitive primitive, std::vector<Slot> slots, int threads);
  ~DnnKernel();
  DnnKernel(const DnnKernel&) = delete;
  DnnKernel& operator=(const DnnKernel&) = delete;

  /// Any thread, any number at once.
  Status run(std::initializer_list<const void*> pointers) const noexcept;

 private:
  struct Handles;
  dnnl::primitive primitive_;
  std::vector<Slot> slots_;
  int threads_;
  mutable std::atomic<Handles*> spare_{nullptr};
};

/// The epilogue as post-operations: residual first, then the activation.
dnnl::primitive_attr dnn_attributes(const Epilogue& e, bool accumulate = false);
/// Whether this is the slow fallback of oneDNN.
bool is_reference(const char* implementation) noexcept;

/// Calls f, turning oneDNN's exceptions into Error; null when oneDNN says the case is not implemented.
template <class F>
auto dnn_try(const char* what, F f) -> decltype(f()) {
  try {
    return f();
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_unimplemented) return nullptr;
    throw Error(e.status == dnnl_out_of_memory ? Code::OutOfMemory : Code::Internal, std::string(what) + ": oneDNN reports \"" + e.message + "\"");
  }
}

}  // namespace tenure::kernels

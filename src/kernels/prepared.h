// How prepared matmuls and convolutions are made and cached. Internal to kernels.
// The cache owns one reference to each prepared object; callers own theirs. Objects own compiled code, never data.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/parallel.h"
#include "kernels/dnn.h"

#ifndef TENURE_ONEDNN
#define TENURE_ONEDNN 0
#endif

namespace tenure::kernels {

/// Sizes and options, nothing else: two equal keys mean interchangeable kernels.
class CacheKey {
 public:
  explicit CacheKey(int kind) { add(kind); }
  void add(int64_t v) noexcept { values_[static_cast<size_t>(count_++)] = v; }
  void add(const Epilogue& e) noexcept;
  bool operator==(const CacheKey& o) const noexcept;
  size_t hash() const noexcept;

 private:
  std::array<int64_t, 40> values_;
  int count_ = 0;
};

/// The cached object for `key`, else what `make` returns (made without holding a lock; may throw).
std::shared_ptr<const void> cached(const CacheKey& key, const std::function<std::shared_ptr<const void>()>& make);

/// f(begin, end) over [0, n): on the team, or here if `threads` is 1.
template <class F>
void split(int threads, int64_t n, int64_t grain, F&& f) noexcept {
  if (threads > 1) parallel_for(n, grain, f);
  else if (n > 0) f(int64_t{0}, n);
}

constexpr size_t align64(size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

// Eigen and direct loops: every case.
std::shared_ptr<const Matmul> make_eigen_matmul(const MatmulDesc& d, int threads);
std::shared_ptr<const Conv> make_direct_conv(const ConvDesc& d, int threads);
std::shared_ptr<const Conv> make_direct_backward_data(const ConvDesc& d, int threads);
std::shared_ptr<const ConvWeightsGrad> make_direct_backward_weights(const ConvDesc& d, int threads);

#if TENURE_ONEDNN
// oneDNN: null where it has only its reference implementation. May throw Error.
std::shared_ptr<const Matmul> make_onednn_matmul(const MatmulDesc& d, int threads);
std::shared_ptr<const Conv> make_onednn_conv(const ConvDesc& d, int threads);
std::shared_ptr<const Conv> make_onednn_backward_data(const ConvDesc& d, int threads);
std::shared_ptr<const ConvWeightsGrad> make_onednn_backward_weights(const ConvDesc& d, int threads);
#else
inline std::shared_ptr<const Matmul> make_onednn_matmul(const MatmulDesc&, int) { return nullptr; }
inline std::shared_ptr<const Conv> make_onednn_conv(const ConvDesc&, int) { return nullptr; }
inline std::shared_ptr<const Conv> make_onednn_backward_data(const ConvDesc&, int) { return nullptr; }
inline std::shared_ptr<const ConvWeightsGrad> make_onednn_backward_weights(const ConvDesc&, int) { return nullptr; }
#endif

}  // namespace tenure::kernels

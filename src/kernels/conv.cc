// Convolutions: checks, empty sizes, the cache, and which kernel.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "kernels/prepared.h"
#include "kernels/winograd.h"

namespace tenure::kernels {
namespace {

/// Nothing goes in or nothing comes out: y is act(bias + residual), all zeros for gradients.
class EmptyConv final : public Conv {
 public:
  EmptyConv(const Epilogue& e, int64_t rows, int64_t cols) : e_(e), rows_(rows), cols_(cols) {}
  size_t scratch_bytes() const noexcept override { return 0; }
  size_t packed_bytes() const noexcept override { return 0; }
  Status pack(const float*, void*) const noexcept override { return {}; }
  Status run(const float*, const float*, const float* bias, float* y, void*) const noexcept override {
    if (rows_ * cols_ == 0) return {};
    Epilogue e = e_;
    if (!e.sum) std::fill_n(y, rows_ * cols_, 0.0f);
    e.sum = false;
    apply_epilogue(e, y, bias, y, rows_, cols_);
    return {};
  }
  Status run_packed(const float* x, const void*, const float* bias, float* y, void* scratch) const noexcept override {
    return run(x, nullptr, bias, y, scratch);
  }
  const char* implementation() const noexcept override { return "tenure:empty"; }

 private:
  Epilogue e_;
  int64_t rows_, cols_;
};

class EmptyWeightsGrad final : public ConvWeightsGrad {
 public:
  explicit EmptyWeightsGrad(const ConvDesc& d) : weights_(d.taps() * (d.c / d.groups) * d.o), pixels_(d.out_pixels()), channels_(d.o) {}
  size_t scratch_bytes() const noexcept override { return 0; }
  Status run(const float*, const float* dy, float* dw, float* dbias, void*) const noexcept override {
    if (weights_ > 0) std::fill_n(dw, weights_, 0.0f);
    if (dbias) reduce_columns(Reduce::sum, dy, dbias, pixels_, channels_);
    return {};
  }
  const char* implementation() const noexcept override { return "tenure:empty"; }

 private:
  int64_t weights_, pixels_, channels_;
};

void check_desc(const ConvDesc& d) {
  check(d.n >= 0 && d.depth >= 0 && d.h >= 0 && d.w >= 0 && d.c >= 0 && d.o >= 0, Code::Shape,
        "conv: expected sizes of at least 0, got [{},{},{},{},{}] to {} channels", d.n, d.depth, d.h, d.w, d.c, d.o);
  check(d.kd >= 1 && d.kh >= 1 && d.kw >= 1, Code::Shape, "conv: expected a kernel of at least 1x1x1, got {}x{}x{}", d.kd, d.kh, d.kw);
  check(d.stride_d >= 1 && d.dilation_d >= 1 && d.stride_h >= 1 && d.stride_w >= 1 && d.dilation_h >= 1 && d.dilation_w >= 1, Code::InvalidArgument,
        "conv: expected strides and dilations of at least 1, got {}x{}x{} and {}x{}x{}", d.stride_d, d.stride_h, d.stride_w, d.dilation_d,
        d.dilation_h, d.dilation_w);
  check(d.pad_front >= 0 && d.pad_back >= 0 && d.pad_top >= 0 && d.pad_left >= 0 && d.pad_bottom >= 0 && d.pad_right >= 0, Code::InvalidArgument,
        "conv: expected paddings of at least 0");
  check(d.groups >= 1 && d.c % d.groups == 0 && d.o % d.groups == 0, Code::Shape,
        "conv: expected {} groups to divide {} input and {} output channels", d.groups, d.c, d.o);
  check(fusable(d.epilogue.act), Code::Unsupported, "conv: this activation cannot be fused");
}

bool empty(const ConvDesc& d) noexcept { return d.in_pixels() * d.c * d.o * d.out_pixels() == 0; }

CacheKey key_of(int kind, const ConvDesc& d, int threads) noexcept {
  CacheKey key(kind);
  for (const int64_t v : {int64_t{threads}, d.n,        d.h,          d.w,          d.c,          d.o,         d.kh,         d.kw,
                          d.stride_h,       d.stride_w, d.dilation_h, d.dilation_w, d.pad_top,    d.pad_left,  d.pad_bottom, d.pad_right,
                          d.groups,         d.depth,    d.kd,         d.stride_d,   d.dilation_d, d.pad_front, d.pad_back})
    key.add(v);
  key.add(d.epilogue);
  return key;
}

template <class Kernel, class Make>
std::shared_ptr<const Kernel> prepared(int kind, const ConvDesc& d, int threads, Make make) {
  const auto erased = [&]() -> std::shared_ptr<const void> { return make(); };
  return std::static_pointer_cast<const Kernel>(cached(key_of(kind, d, threads), erased));
}

}  // namespace

std::shared_ptr<const Conv> conv(const ConvDesc& desc, int threads) {
  check_desc(desc);
  const int team = std::max(1, threads);
  return prepared<Conv>(1, desc, team, [&]() -> std::shared_ptr<const Conv> {
    if (empty(desc)) return std::make_shared<EmptyConv>(desc.epilogue, desc.out_pixels(), desc.o);
    auto plain = make_onednn_conv(desc, team);
    if (!plain) plain = make_direct_conv(desc, team);
    return winograd_fits(desc) ? make_winograd_conv(desc, team, std::move(plain)) : plain;
  });
}

std::shared_ptr<const Conv> conv_backward_data(const ConvDesc& desc, int threads) {
  check_desc(desc);
  ConvDesc d = desc;
  d.epilogue = {};
  const int team = std::max(1, threads);
  return prepared<Conv>(2, d, team, [&]() -> std::shared_ptr<const Conv> {
    if (empty(d)) return std::make_shared<EmptyConv>(Epilogue{}, d.in_pixels(), d.c);
    if (auto fast = make_onednn_backward_data(d, team)) return fast;
    return make_direct_backward_data(d, team);
  });
}

std::shared_ptr<const ConvWeightsGrad> conv_backward_weights(const ConvDesc& desc, int threads) {
  check_desc(desc);
  ConvDesc d = desc;
  d.epilogue = {};
  const int team = std::max(1, threads);
  return prepared<ConvWeightsGrad>(3, d, team, [&]() -> std::shared_ptr<const ConvWeightsGrad> {
    if (empty(d)) return std::make_shared<EmptyWeightsGrad>(d);
    if (auto fast = make_onednn_backward_weights(d, team)) return fast;
    return make_direct_backward_weights(d, team);
  });
}

}  // namespace tenure::kernels

// Convolutions by oneDNN over plain NHWC and NDHWC.
#include "kernels/prepared.h"

#if TENURE_ONEDNN
#include <algorithm>
#include <string>
#include <utility>

#include "kernels/dnn_primitive.h"

namespace tenure::kernels {
namespace {

using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
constexpr auto f32 = dnnl::memory::data_type::f32;
constexpr auto direct = dnnl::algorithm::convolution_direct;

/// The descriptors of one convolution. Weights: `any` for oneDNN to choose, `hwio` as Keras stores them (for groups, the output channels of a
/// group are neighbours).
struct Descs {
  Desc x, y, bias, any, hwio;
  Dims strides, dilations, before, after;

  explicit Descs(const ConvDesc& d)
      : bias({d.o}, f32, Tag::x),
        strides{d.stride_h, d.stride_w},
        dilations{d.dilation_h - 1, d.dilation_w - 1},
        before{d.pad_top, d.pad_left},
        after{fit(d.h, d.kh, d.stride_h, d.dilation_h, d.pad_top, d.out_h()), fit(d.w, d.kw, d.stride_w, d.dilation_w, d.pad_left, d.out_w())} {
    const int64_t i = d.c / d.groups, o = d.o / d.groups, row = i * d.o;
    Dims from{d.n, d.c, d.h, d.w}, to{d.n, d.o, d.out_h(), d.out_w()}, sizes{o, i, d.kh, d.kw}, steps{1, d.o, d.kw * row, row};
    if (d.volumetric()) {
      const auto add = [](Dims& all, size_t at, int64_t v) { all.insert(all.begin() + static_cast<std::ptrdiff_t>(at), v); };
      add(from, 2, d.depth), add(to, 2, d.out_d()), add(sizes, 2, d.kd), add(steps, 2, d.kh * d.kw * row);
      add(strides, 0, d.stride_d), add(dilations, 0, d.dilation_d - 1), add(before, 0, d.pad_front);
      add(after, 0, fit(d.depth, d.kd, d.stride_d, d.dilation_d, d.pad_front, d.out_d()));
    }
    if (d.groups > 1) sizes.insert(sizes.begin(), d.groups), steps.insert(steps.begin(), o);
    const Tag plain = d.volumetric() ? Tag::ndhwc : Tag::nhwc;
    x = {from, f32, plain}, y = {to, f32, plain};
    any = {sizes, f32, Tag::any}, hwio = {sizes, f32, steps};
  }
  /// The padding behind that the windows really reach.
  static int64_t fit(int64_t size, int64_t k, int64_t stride, int64_t dilation, int64_t before, int64_t out) noexcept {
    return std::max<int64_t>(0, (out - 1) * stride + (k - 1) * dilation + 1 - size - before);
  }
};

std::unique_ptr<DnnKernel> reorder(const Desc& from, const Desc& to, int threads) {
  const dnnl::reorder::primitive_desc pd(dnn_engine(), from, dnn_engine(), to);
  return std::make_unique<DnnKernel>(dnnl::reorder(pd), std::vector<DnnKernel::Slot>{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, threads);
}

dnnl::primitive_attr plain_attributes() { return dnn_attributes({}); }

dnnl::convolution_forward::primitive_desc forward_desc(const ConvDesc& d, const Descs& m, dnnl::prop_kind kind, const dnnl::primitive_attr& attr) {
  if (d.epilogue.bias) return {dnn_engine(), kind, direct, m.x, m.any, m.bias, m.y, m.strides, m.dilations, m.before, m.after, attr};
  return {dnn_engine(), kind, direct, m.x, m.any, m.y, m.strides, m.dilations, m.before, m.after, attr};
}
/// What the backward primitives ask for as a hint.
dnnl::convolution_forward::primitive_desc hint(const ConvDesc& d, const Descs& m) {
  ConvDesc plain = d;
  plain.epilogue = {};
  return forward_desc(plain, m, dnnl::prop_kind::forward_training, plain_attributes());
}

/// Forward and backward data: weights are reordered by pack, or into the scratch by run.
class DnnConv final : public Conv {
 public:
  /// `in` and `out` are the argument numbers of x and y.
  template <class Primitive>
  DnnConv(const typename Primitive::primitive_desc& pd, const Primitive& primitive, const Descs& m, std::pair<int, Desc> in, std::pair<int, Desc> out,
          bool bias, int threads)
      : packed_(pd.weights_desc().get_size()), pad_(pd.scratchpad_desc().get_size()), bias_(bias), name_(pd.impl_info_str()) {
    std::vector<DnnKernel::Slot> slots = {
        {in.first, in.second}, {DNNL_ARG_WEIGHTS, pd.weights_desc()}, {out.first, out.second}, {DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc()}};
    if (bias) slots.push_back({DNNL_ARG_BIAS, m.bias});
    kernel_ = std::make_unique<DnnKernel>(primitive, std::move(slots), threads);
    reorder_ = reorder(m.hwio, pd.weights_desc(), threads);
  }
  size_t scratch_bytes() const noexcept override { return align64(pad_) + align64(packed_); }
  Status run(const float* x, const float* w, const float* bias, float* y, void* scratch) const noexcept override {
    void* const packed = static_cast<char*>(scratch) + align64(pad_);
    const Status s = reorder_->run({w, packed});
    return s ? run_packed(x, packed, bias, y, scratch) : s;
  }
  size_t packed_bytes() const noexcept override { return packed_; }
  Status pack(const float* w, void* out) const noexcept override { return reorder_->run({w, out}); }
  Status run_packed(const float* x, const void* packed, const float* bias, float* y, void* scratch) const noexcept override {
    if (bias_) return kernel_->run({x, packed, y, scratch, bias});
    return kernel_->run({x, packed, y, scratch});
  }
  const char* implementation() const noexcept override { return name_.c_str(); }

 private:
  size_t packed_, pad_;
  bool bias_;
  std::string name_;
  std::unique_ptr<DnnKernel> kernel_, reorder_;
};

/// The bias gradient is a sum over pixels: ours, since not every oneDNN kernel has it.
class DnnWeightsGrad final : public ConvWeightsGrad {
 public:
  DnnWeightsGrad(const dnnl::convolution_backward_weights::primitive_desc& pd, const Descs& m, const ConvDesc& d, int threads)
      : pixels_(d.out_pixels()),
        channels_(d.o),
        packed_(pd.diff_weights_desc().get_size()),
        pad_(pd.scratchpad_desc().get_size()),
        name_(pd.impl_info_str()) {
    kernel_ = std::make_unique<DnnKernel>(dnnl::convolution_backward_weights(pd),
                                          std::vector<DnnKernel::Slot>{{DNNL_ARG_SRC, m.x},
                                                                       {DNNL_ARG_DIFF_DST, m.y},
                                                                       {DNNL_ARG_DIFF_WEIGHTS, pd.diff_weights_desc()},
                                                                       {DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc()}},
                                          threads);
    if (!(pd.diff_weights_desc() == m.hwio)) reorder_ = reorder(pd.diff_weights_desc(), m.hwio, threads);
  }
  size_t scratch_bytes() const noexcept override { return align64(pad_) + (reorder_ ? align64(packed_) : 0); }
  Status run(const float* x, const float* dy, float* dw, float* dbias, void* scratch) const noexcept override {
    void* const to = reorder_ ? static_cast<void*>(static_cast<char*>(scratch) + align64(pad_)) : dw;
    Status s = kernel_->run({x, dy, to, scratch});
    if (s && reorder_) s = reorder_->run({to, dw});
    if (dbias) reduce_columns(Reduce::sum, dy, dbias, pixels_, channels_);
    return s;
  }
  const char* implementation() const noexcept override { return name_.c_str(); }

 private:
  int64_t pixels_, channels_;
  size_t packed_, pad_;
  std::string name_;
  std::unique_ptr<DnnKernel> kernel_, reorder_;
};

}  // namespace

std::shared_ptr<const Conv> make_onednn_conv(const ConvDesc& d, int threads) {
  return dnn_try("conv", [&]() -> std::shared_ptr<const Conv> {
    const DnnThreads scope(threads);
    const Descs m(d);
    const auto pd = forward_desc(d, m, dnnl::prop_kind::forward_inference, dnn_attributes(d.epilogue));
    if (is_reference(pd.impl_info_str())) return nullptr;
    return std::make_shared<DnnConv>(pd, dnnl::convolution_forward(pd), m, std::pair{DNNL_ARG_SRC, m.x}, std::pair{DNNL_ARG_DST, m.y},
                                     d.epilogue.bias, threads);
  });
}

std::shared_ptr<const Conv> make_onednn_backward_data(const ConvDesc& d, int threads) {
  return dnn_try("conv backward data", [&]() -> std::shared_ptr<const Conv> {
    const DnnThreads scope(threads);
    const Descs m(d);
    const dnnl::convolution_backward_data::primitive_desc pd(dnn_engine(), direct, m.x, m.any, m.y, m.strides, m.dilations, m.before, m.after,
                                                             hint(d, m), plain_attributes());
    if (is_reference(pd.impl_info_str())) return nullptr;
    return std::make_shared<DnnConv>(pd, dnnl::convolution_backward_data(pd), m, std::pair{DNNL_ARG_DIFF_DST, m.y}, std::pair{DNNL_ARG_DIFF_SRC, m.x},
                                     false, threads);
  });
}

std::shared_ptr<const ConvWeightsGrad> make_onednn_backward_weights(const ConvDesc& d, int threads) {
  return dnn_try("conv backward weights", [&]() -> std::shared_ptr<const ConvWeightsGrad> {
    const DnnThreads scope(threads);
    const Descs m(d);
    const dnnl::convolution_backward_weights::primitive_desc pd(dnn_engine(), direct, m.x, m.any, m.y, m.strides, m.dilations, m.before, m.after,
                                                                hint(d, m), plain_attributes());
    if (is_reference(pd.impl_info_str())) return nullptr;
    return std::make_shared<DnnWeightsGrad>(pd, m, d, threads);
  });
}

}  // namespace tenure::kernels
#endif

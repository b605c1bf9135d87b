// Matrix products by oneDNN.
#include "kernels/prepared.h"

#if TENURE_ONEDNN
#include <mutex>
#include <string>

#include "kernels/dnn_primitive.h"

namespace tenure::kernels {
namespace {

using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;
constexpr auto f32 = dnnl::memory::data_type::f32;

/// A matrix [rows, cols] under the batch axes, by strides. An axis with stride 0 is one that broadcasts.
Desc operand(const MatmulDesc& d, const int64_t* stride, int64_t rows, int64_t cols, bool transposed) {
  Dims dims, strides;
  for (int i = 0; i < d.batch_rank; ++i) {
    dims.push_back(stride[i] == 0 ? 1 : d.batch[i]);
    strides.push_back(stride[i] == 0 ? rows * cols : stride[i]);
  }
  dims.insert(dims.end(), {rows, cols});
  strides.push_back(transposed ? 1 : cols);
  strides.push_back(transposed ? rows : 1);
  return {dims, f32, strides};
}

struct Descs {
  Desc a, b, bias, c;
  explicit Descs(const MatmulDesc& d) : a(operand(d, d.a_stride, d.m, d.k, d.transpose_a)), b(operand(d, d.b_stride, d.k, d.n, d.transpose_b)) {
    const size_t rank = static_cast<size_t>(d.batch_rank) + 2;
    Dims dims(d.batch, d.batch + d.batch_rank), strides(rank, 1), one(rank, 1), one_strides(rank, d.n);
    dims.insert(dims.end(), {d.m, d.n});
    for (size_t i = rank - 1; i-- > 0;) strides[i] = strides[i + 1] * dims[i + 1];
    c = {dims, f32, strides};
    one[rank - 1] = d.n;
    one_strides[rank - 1] = 1;
    bias = {one, f32, one_strides};
  }
};

class DnnMatmul final : public Matmul {
 public:
  DnnMatmul(const MatmulDesc& d, int threads) : d_(d), threads_(threads) {
    const auto pd = describe(false);
    plain_ = kernel(pd);
    scratch_ = pd.scratchpad_desc().get_size();
    name_ = pd.impl_info_str();
  }
  bool usable() const noexcept { return !is_reference(name_.c_str()); }

  size_t scratch_bytes() const noexcept override { return scratch_; }
  Status run(const void* a, const void* b, const void* bias, void* c, void* scratch) const noexcept override {
    if (d_.epilogue.bias) return plain_->run({a, b, c, scratch, bias});
    return plain_->run({a, b, c, scratch});
  }

  size_t packed_bytes() const noexcept override {
    prepare_packed();
    return packed_ ? packed_size_ : 0;
  }
  Status pack(const void* b, void* out) const noexcept override {
    prepare_packed();
    return packed_ ? reorder_->run({b, out}) : Status{Status::failed};
  }
  Status run_packed(const void* a, const void* packed, const void* bias, void* c, void* scratch) const noexcept override {
    prepare_packed();
    if (!packed_) return {Status::failed};
    if (d_.epilogue.bias) return packed_->run({a, packed, c, scratch, bias});
    return packed_->run({a, packed, c, scratch});
  }
  const char* implementation() const noexcept override { return name_.c_str(); }

 private:
  dnnl::matmul::primitive_desc describe(bool any) const {
    const Descs m(d_);
    const Desc b = any ? Desc(m.b.get_dims(), f32, dnnl::memory::format_tag::any) : m.b;
    const auto attr = dnn_attributes(d_.epilogue, d_.accumulate);
    if (d_.epilogue.bias) return {dnn_engine(), m.a, b, m.bias, m.c, attr};
    return {dnn_engine(), m.a, b, m.c, attr};
  }
  std::unique_ptr<DnnKernel> kernel(const dnnl::matmul::primitive_desc& pd) const {
    std::vector<DnnKernel::Slot> slots = {{DNNL_ARG_SRC, pd.src_desc()},
                                          {DNNL_ARG_WEIGHTS, pd.weights_desc()},
                                          {DNNL_ARG_DST, pd.dst_desc()},
                                          {DNNL_ARG_SCRATCHPAD, pd.scratchpad_desc()}};
    if (d_.epilogue.bias) slots.push_back({DNNL_ARG_BIAS, Descs(d_).bias});
    return std::make_unique<DnnKernel>(dnnl::matmul(pd), std::move(slots), threads_);
  }
  /// Once, on first use: many products never pack. Nothing is packed where it would change nothing or need more scratch.
  void prepare_packed() const noexcept {
    std::call_once(once_, [this]() noexcept {
      try {
        if (d_.batch_rank > 0) return;
        const DnnThreads scope(threads_);
        const auto pd = describe(true);
        const Desc plain = Descs(d_).b;
        if (pd.weights_desc() == plain || is_reference(pd.impl_info_str()) || pd.scratchpad_desc().get_size() > scratch_) return;
        const dnnl::reorder::primitive_desc move(dnn_engine(), plain, dnn_engine(), pd.weights_desc());
        reorder_ = std::make_unique<DnnKernel>(dnnl::reorder(move),
                                               std::vector<DnnKernel::Slot>{{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, pd.weights_desc()}}, threads_);
        packed_size_ = pd.weights_desc().get_size();
        packed_ = kernel(pd);
      } catch (const std::exception&) { packed_.reset(); }
    });
  }

  MatmulDesc d_;
  int threads_;
  std::unique_ptr<DnnKernel> plain_;
  size_t scratch_ = 0;
  std::string name_;
  mutable std::once_flag once_;
  mutable std::unique_ptr<DnnKernel> packed_, reorder_;
  mutable size_t packed_size_ = 0;
};

/// oneDNN wants each batch axis in at least one operand.
bool expressible(const MatmulDesc& d) noexcept {
  for (int i = 0; i < d.batch_rank; ++i)
    if (d.a_stride[i] == 0 && d.b_stride[i] == 0) return false;
  return true;
}

}  // namespace

std::shared_ptr<const Matmul> make_onednn_matmul(const MatmulDesc& d, int threads) {
  if (!expressible(d)) return nullptr;
  return dnn_try("matmul", [&]() -> std::shared_ptr<const Matmul> {
    const DnnThreads scope(threads);
    auto m = std::make_shared<DnnMatmul>(d, threads);
    return m->usable() ? m : nullptr;
  });
}

}  // namespace tenure::kernels
#endif

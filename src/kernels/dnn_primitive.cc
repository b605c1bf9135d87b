// See dnn_primitive.h.
#include "kernels/prepared.h"

#if TENURE_ONEDNN
#include <cstring>
#include <exception>
#include <utility>

#include "kernels/dnn_primitive.h"

// The OpenMP run-time that came with oneDNN; we may be built without OpenMP ourselves.
extern "C" {
__attribute__((weak)) void omp_set_num_threads(int);
__attribute__((weak)) int omp_get_max_threads();
}

namespace tenure::kernels {

const dnnl::engine& dnn_engine() {
  static const dnnl::engine* const engine = [] {
    dnnl::set_primitive_cache_capacity(0);  // ours is the only cache: bounded, counted, and clear() frees
    return new dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return *engine;
}

DnnThreads::DnnThreads(int wanted) noexcept : before_(wanted), changed_(false) {
  const int threads = TENURE_OPENMP ? wanted : 1;  // with our own pool, oneDNN's teams would be threads beyond the bound
  if (!omp_set_num_threads || !omp_get_max_threads) return;
  before_ = omp_get_max_threads();
  changed_ = before_ != threads;
  if (changed_) omp_set_num_threads(threads);
}
DnnThreads::~DnnThreads() {
  if (changed_) omp_set_num_threads(before_);
}

/// What one run at a time needs: a stream and a memory object a slot.
struct DnnKernel::Handles {
  dnnl::stream stream;
  std::vector<dnnl::memory> memories;
  std::vector<dnnl_exec_arg_t> args;

  explicit Handles(const std::vector<Slot>& slots) : stream(dnn_engine()) {
    for (const Slot& s : slots) {
      memories.emplace_back(s.desc, dnn_engine(), nullptr);
      args.push_back({s.arg, memories.back().get()});
    }
  }
};

DnnKernel::DnnKernel(dnnl::primitive primitive, std::vector<Slot> slots, int threads)
    : primitive_(std::move(primitive)), slots_(std::move(slots)), threads_(threads) {
  spare_.store(new Handles(slots_), std::memory_order_relaxed);
}
DnnKernel::~DnnKernel() { delete spare_.load(std::memory_order_acquire); }

Status DnnKernel::run(std::initializer_list<const void*> pointers) const noexcept {
  try {
    std::unique_ptr<Handles> h(spare_.exchange(nullptr, std::memory_order_acq_rel));
    if (!h) h = std::make_unique<Handles>(slots_);
    size_t i = 0;
    for (const void* p : pointers) dnnl_memory_set_data_handle(h->args[i++].memory, const_cast<void*>(p));
    dnnl_status_t status;
    {
      const DnnThreads threads(threads_);
      status = dnnl_primitive_execute(primitive_.get(), h->stream.get(), static_cast<int>(h->args.size()), h->args.data());
    }
    const std::unique_ptr<Handles> extra(spare_.exchange(h.release(), std::memory_order_acq_rel));
    return {status == dnnl_success ? Status::ok : Status::failed, 0, static_cast<double>(status)};
  } catch (const std::exception&) { return {Status::failed}; }
}

namespace {
void append_activation(dnnl::post_ops& ops, const Epilogue& e) {
  using A = dnnl::algorithm;
  const auto add = [&](A a, float alpha = 0, float beta = 0) { ops.append_eltwise(a, alpha, beta); };
  switch (e.act) {
    case Unary::relu: return add(A::eltwise_relu);
    case Unary::relu6: return add(A::eltwise_clip, 0, 6);
    case Unary::leaky_relu: return add(A::eltwise_relu, e.alpha);
    case Unary::elu: return add(A::eltwise_elu, e.alpha);
    case Unary::selu: add(A::eltwise_elu, 1.6732632423543772f); return add(A::eltwise_linear, 1.0507009873554805f);
    case Unary::tanh: return add(A::eltwise_tanh);
    case Unary::sigmoid: return add(A::eltwise_logistic);
    case Unary::silu: return add(A::eltwise_swish, 1);
    case Unary::gelu: return add(A::eltwise_gelu_erf);
    case Unary::gelu_tanh: return add(A::eltwise_gelu_tanh);
    case Unary::hard_sigmoid: return add(A::eltwise_hardsigmoid, 1.0f / 6, 0.5f);
    case Unary::hard_silu: return add(A::eltwise_hardswish, 1.0f / 6, 0.5f);
    case Unary::softplus: return add(A::eltwise_soft_relu, 1);
    case Unary::mish: return add(A::eltwise_mish);
    case Unary::exp: return add(A::eltwise_exp);
    case Unary::square: return add(A::eltwise_square);
    case Unary::abs: return add(A::eltwise_abs);
    case Unary::sqrt: return add(A::eltwise_sqrt);
    default: return;
  }
}
}  // namespace

dnnl::primitive_attr dnn_attributes(const Epilogue& e, bool accumulate) {
  dnnl::primitive_attr attr;
  dnnl::post_ops ops;
  if (e.sum || accumulate) ops.append_sum(1.0f);
  append_activation(ops, e);
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

bool is_reference(const char* implementation) noexcept { return std::strncmp(implementation, "ref", 3) == 0; }

}  // namespace tenure::kernels
#endif

#include "bare.h"

#include "harness.h"

#if TENURE_ONEDNN
#include <oneapi/dnnl/dnnl.hpp>

#include "base/check.h"
#include "kernels/dnn_primitive.h"
#include "resnet50.h"

namespace bench {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
using tenure::kernels::DnnThreads;
constexpr auto f32 = dnnl::memory::data_type::f32;

const dnnl::engine& engine() { return tenure::kernels::dnn_engine(); }

/// A primitive and its arguments, ready: running it makes no object.
class Step {
 public:
  Step() = default;
  Step(dnnl::primitive primitive, std::vector<std::pair<int, dnnl::memory>> arguments)
      : primitive_(std::move(primitive)), kept_(std::move(arguments)) {
    for (auto& [index, memory] : kept_) arguments_.push_back({index, memory.get()});
  }
  void run(const dnnl::stream& stream) const {
    const dnnl_status_t s = dnnl_primitive_execute(primitive_.get(), stream.get(), static_cast<int>(arguments_.size()), arguments_.data());
    tenure::ensure(s == dnnl_success, "a oneDNN primitive failed");
  }

 private:
  dnnl::primitive primitive_;
  std::vector<std::pair<int, dnnl::memory>> kept_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

void fill(dnnl::memory& m, int64_t n, uint32_t seed, float scale) {
  auto* p = static_cast<float*>(m.get_data_handle());
  for (int64_t i = 0; i < n; ++i) p[i] = value(seed, static_cast<uint32_t>(i)) * scale;
}

/// Values in the layout `from`, moved to the layout that a primitive chose.
dnnl::memory packed(const Desc& from, const Desc& to, int64_t n, uint32_t seed, float scale, dnnl::stream& stream) {
  dnnl::memory plain(from, engine()), out(to, engine());
  fill(plain, n, seed, scale);
  dnnl::reorder(plain, out).execute(stream, plain, out);
  stream.wait();
  return out;
}

dnnl::primitive_attr attributes(bool sum, bool relu) {
  dnnl::post_ops ops;
  if (sum) ops.append_sum(1.0f);
  if (relu) ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0, 0);
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  return attr;
}

}  // namespace

bool bare_available() noexcept { return true; }

// ---- one product ----------------------------------------------------------------------------------------------------------------

struct BareProduct::Impl {
  int threads;
  dnnl::stream stream{engine()};
  dnnl::memory a, b, bias, c;
  Step step;
};

BareProduct::BareProduct(const Shape& s, int threads) : impl_(std::make_unique<Impl>()) {
  const DnnThreads scope(threads);
  impl_->threads = threads;
  const auto matrix = [](int64_t rows, int64_t cols, bool transposed) { return Desc({rows, cols}, f32, transposed ? Tag::ba : Tag::ab); };
  const Desc a = matrix(s.m, s.k, s.transpose_a), b = matrix(s.k, s.n, s.transpose_b), bias({1, s.n}, f32, Tag::ab), c = matrix(s.m, s.n, false);
  const auto attr = attributes(false, s.relu);
  const auto pd = s.bias ? dnnl::matmul::primitive_desc(engine(), a, b, bias, c, attr) : dnnl::matmul::primitive_desc(engine(), a, b, c, attr);
  impl_->a = dnnl::memory(a, engine()), impl_->b = dnnl::memory(b, engine()), impl_->bias = dnnl::memory(bias, engine()),
  impl_->c = dnnl::memory(c, engine());
  std::vector<std::pair<int, dnnl::memory>> arguments = {{DNNL_ARG_SRC, impl_->a}, {DNNL_ARG_WEIGHTS, impl_->b}, {DNNL_ARG_DST, impl_->c}};
  if (s.bias) arguments.emplace_back(DNNL_ARG_BIAS, impl_->bias);
  impl_->step = {dnnl::matmul(pd), std::move(arguments)};
}
BareProduct::~BareProduct() = default;
BareProduct::BareProduct(BareProduct&&) noexcept = default;
float* BareProduct::a() { return static_cast<float*>(impl_->a.get_data_handle()); }
float* BareProduct::b() { return static_cast<float*>(impl_->b.get_data_handle()); }
float* BareProduct::bias() { return static_cast<float*>(impl_->bias.get_data_handle()); }
const float* BareProduct::c() const { return static_cast<const float*>(impl_->c.get_data_handle()); }
void BareProduct::run() {
  const DnnThreads scope(impl_->threads);
  impl_->step.run(impl_->stream);
}

// ---- ResNet50 ---------------------------------------------------------------------------------------------------------------------

struct BareResNet50::Impl {
  /// An activation: which of the five rotating buffers, and its size.
  struct Act {
    int buffer;
    int64_t size, channels;
  };

  explicit Impl(int threads) : threads(threads) {
    for (auto& b : buffers) b = dnnl::memory(Desc({1, 64, 112, 112}, f32, Tag::nhwc), engine());  // none is larger
    input = dnnl::memory(Desc({1, 3, ResNet50::image, ResNet50::image}, f32, Tag::nhwc), engine());
    fill(input, 3 * ResNet50::image * ResNet50::image, ResNet50::input_seed, 1);
    const Act stem = conv(0, {-1, ResNet50::image, 3}, 0, true, false);
    Act x = pool(stem, 1);
    for (const Bottleneck& b : net.blocks) x = block(b, x);
    finish(x);
    stream.wait();
  }

  dnnl::memory at(const Act& a) {
    const Desc d({1, a.channels, a.size, a.size}, f32, Tag::nhwc);
    return a.buffer < 0 ? input : dnnl::memory(d, engine(), buffers[a.buffer].get_data_handle());
  }

  Act conv(int index, const Act& x, int to, bool relu, bool sum) {
    const ConvShape& s = net.convs[static_cast<size_t>(index)];
    const Act y{to, (x.size + 2 * s.pad - s.kernel) / s.stride + 1, s.out};
    dnnl::memory in = at(x), out = at(y);
    const Dims dims{s.out, s.in, s.kernel, s.kernel}, stride{s.stride, s.stride}, pad{s.pad, s.pad};
    const Desc bias({s.out}, f32, Tag::x), any(dims, f32, Tag::any), hwio(dims, f32, Tag::hwio);
    const dnnl::convolution_forward::primitive_desc pd(engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                                       in.get_desc(), any, bias, out.get_desc(), stride, pad, pad, attributes(sum, relu));
    const auto seed = static_cast<uint32_t>(index);
    dnnl::memory w = packed(hwio, pd.weights_desc(), s.out * s.in * s.kernel * s.kernel, ResNet50::kernel_seed + seed, s.scale(), stream),
                 b(bias, engine());
    fill(b, s.out, ResNet50::bias_seed + seed, 0.1f);
    steps.push_back({dnnl::convolution_forward(pd), {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b}, {DNNL_ARG_DST, out}}});
    return y;
  }

  Act pool(const Act& x, int to) {
    const Act y{to, x.size / 2, x.channels};
    dnnl::memory in = at(x), out = at(y);
    const dnnl::pooling_forward::primitive_desc pd(engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_max, in.get_desc(),
                                                   out.get_desc(), {2, 2}, {3, 3}, {0, 0}, {1, 1}, {1, 1});
    steps.push_back({dnnl::pooling_forward(pd), {{DNNL_ARG_SRC, in}, {DNNL_ARG_DST, out}}});
    return y;
  }

  // The third convolution adds into the residual's own buffer.
  Act block(const Bottleneck& b, const Act& x) {
    int free[5], n = 0;
    for (int i = 0; i < 5; ++i)
      if (i != x.buffer) free[n++] = i;
    const Act residual = b.shortcut < 0 ? x : conv(b.shortcut, x, free[0], false, false);
    const Act one = conv(b.first, x, free[1], true, false), two = conv(b.second, one, free[2], true, false);
    return conv(b.third, two, residual.buffer, true, true);
  }

  void finish(const Act& x) {
    dnnl::memory in = at(x);
    const Desc mean({1, x.channels, 1, 1}, f32, Tag::nhwc);
    pooled = dnnl::memory(mean, engine());
    const dnnl::pooling_forward::primitive_desc pd(engine(), dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_avg_exclude_padding,
                                                   in.get_desc(), mean, {1, 1}, {x.size, x.size}, {0, 0}, {0, 0}, {0, 0});
    steps.push_back({dnnl::pooling_forward(pd), {{DNNL_ARG_SRC, in}, {DNNL_ARG_DST, pooled}}});
    const int64_t k = ResNet50::features, n = ResNet50::classes;
    const Desc row({1, k}, f32, Tag::ab), any({k, n}, f32, Tag::any), plain({k, n}, f32, Tag::ab), bias({1, n}, f32, Tag::ab),
        out({1, n}, f32, Tag::ab);
    const dnnl::matmul::primitive_desc md(engine(), row, any, bias, out, attributes(false, false));
    dnnl::memory w = packed(plain, md.weights_desc(), k * n, ResNet50::dense_seed, std::sqrt(6.0f / static_cast<float>(k)), stream),
                 b(bias, engine());
    fill(b, n, ResNet50::dense_bias_seed, 0.1f);
    logits = dnnl::memory(out, engine());
    const dnnl::memory flat(row, engine(), pooled.get_data_handle());
    steps.push_back({dnnl::matmul(md), {{DNNL_ARG_SRC, flat}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b}, {DNNL_ARG_DST, logits}}});
  }

  int threads;
  ResNet50 net;
  dnnl::stream stream{engine()};
  dnnl::memory buffers[5], input, logits, pooled;
  std::vector<Step> steps;
};

BareResNet50::BareResNet50(int threads) {
  const DnnThreads scope(threads);
  impl_ = std::make_unique<Impl>(threads);
}
BareResNet50::~BareResNet50() = default;
void BareResNet50::run() {
  const DnnThreads scope(impl_->threads);
  for (const Step& s : impl_->steps) s.run(impl_->stream);
}
std::vector<double> BareResNet50::head() const {
  const auto* p = static_cast<const float*>(impl_->logits.get_data_handle());
  return {p[0], p[1], p[2], p[3]};
}

}  // namespace bench

#else

namespace bench {
bool bare_available() noexcept { return false; }
struct BareProduct::Impl {};
BareProduct::BareProduct(const Shape&, int) {}
BareProduct::~BareProduct() = default;
BareProduct::BareProduct(BareProduct&&) noexcept = default;
float* BareProduct::a() { return nullptr; }
float* BareProduct::b() { return nullptr; }
float* BareProduct::bias() { return nullptr; }
const float* BareProduct::c() const { return nullptr; }
void BareProduct::run() {}
struct BareResNet50::Impl {};
BareResNet50::BareResNet50(int) {}
BareResNet50::~BareResNet50() = default;
void BareResNet50::run() {}
std::vector<double> BareResNet50::head() const { return {}; }
}  // namespace bench
#endif

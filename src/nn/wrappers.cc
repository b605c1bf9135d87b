// Wrapper and SpectralNormalization. The wrapped layer is a child; its kernel is also a weight of the wrapper.
#include <tenure/wrappers.h>

#include <algorithm>

#include "nn/recurrent.h"

namespace tenure {
namespace layers {

namespace {

// What both share: one child under the attribute "layer".
template <class C>
class WrapperOf : public LayerOf<C> {
 public:
  explicit WrapperOf(const C& c) : LayerOf<C>(c) {
    check(c.layer.layer.defined(), Code::InvalidArgument, "{}: expected a layer", this->class_name());
    layer_ = nn::adopt_child(this->body(), "layer", c.layer.layer);
    this->config.layer = {};  // the child is it now
  }
  void visit_config(Fields& v) override {
    C c = this->config;
    c.layer = layer_.layer();
    fields(v, c);
  }
  void build_all(const std::vector<Shape>& inputs) override { layer_.layer().body()->build(inputs); }

 protected:
  Child layer_;
};

}  // namespace

// ---- Wrapper --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Wrapper& c) { v("layer", c.layer); }

class WrapperLayer final : public WrapperOf<Wrapper> {
 public:
  using WrapperOf::WrapperOf;
  Tensors call_all(Tensors xs, const Call& c) override { return layer_(TensorList(std::move(xs)), {.training = c.training}).items(); }
};
Wrapper::operator Layer() const { return make_layer<WrapperLayer>(*this); }
Outputs Wrapper::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- SpectralNormalization ------------------------------------------------------------------------------------------------------

void fields(Fields& v, SpectralNormalization& c) { v("layer", c.layer), v("power_iterations", c.power_iterations); }

class SpectralNormalizationLayer final : public WrapperOf<SpectralNormalization> {
 public:
  explicit SpectralNormalizationLayer(const SpectralNormalization& c) : WrapperOf(c) {
    nn::check_positive(c.power_iterations, "SpectralNormalization", "power_iterations");
  }
  void build_all(const std::vector<Shape>& inputs) override {
    WrapperOf::build_all(inputs);
    const auto& weights = layer_.layer().body()->own_weights();
    auto named = [&](const char* name) { return std::find_if(weights.begin(), weights.end(), [&](const auto& w) { return w.name == name; }); };
    auto at = named("kernel");
    if (at == weights.end()) at = named("embeddings");
    check(at != weights.end(), Code::InvalidArgument, "{}: expected a layer with a weight 'kernel' or 'embeddings', got a {}", name(),
          layer_.layer().class_name());
    kernel_ = at->variable.get();
    body().share_weight(*at);
    const Spec& s = kernel_->spec();
    u_ = weight("vector_u", {1, s.shape.back()}, initializers::TruncatedNormal{.stddev = 0.02}, {.trainable = false, .dtype = s.dtype});
  }
  Tensor call(Tensor x, const Call& c) override {
    if (c.is_training() && !thread_context.abstract) normalize_kernel();
    const DType t = x.dtype();
    return nn::as(layer_(std::move(x), {.training = c.training}), t);
  }

 private:
  // Over its norm, as keras.ops.normalize: by at most 1 / epsilon.
  static Tensor unit(Tensor v) {
    Tensor factor = minimum(rsqrt(sum(square(v), {}, true)), 1e7);
    return multiply(std::move(v), std::move(factor));
  }
  // No gradient passes: the call's gradient is that of the new kernel, as in Keras.
  void normalize_kernel() const {
    const Tensor kept = stop_gradient(read_variable(*kernel_));
    const Tensor kernel = nn::as(kept, compute_dtype()), before = u_.value();
    const Tensor w = reshape(kernel, {-1, kernel.shape().back()});
    Tensor u = before, v;
    for (int64_t i = 0; i < config.power_iterations; ++i) {
      v = unit(matmul(std::move(u), w, false, true));
      u = unit(matmul(v, w));
    }
    Tensor sigma = matmul(matmul(v, w), u, false, true);
    const Tensor zero = all(equal(kernel, 0));
    u_.assign(where(zero, before, std::move(u)));
    Tensor divided = divide(kernel, reshape(std::move(sigma), {}));
    assign_variable(*kernel_, where(zero, kept, nn::as(std::move(divided), kept.dtype())));
  }
  VariableBody* kernel_ = nullptr;  // the child's and this layer's
  Weight u_;
};
SpectralNormalization::operator Layer() const { return make_layer<SpectralNormalizationLayer>(*this); }
Outputs SpectralNormalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_wrappers(LayerRegistry& r) {
  r.add<layers::Wrapper>("Wrapper");
  r.add<layers::SpectralNormalization>("SpectralNormalization");
}

}  // namespace tenure

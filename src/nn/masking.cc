// Masking: marks the steps that count. It owns nothing.
#include "nn/families.h"

namespace tenure {
namespace layers {

// ---- Masking --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Masking& c) { v("mask_value", c.mask_value); }

class MaskingLayer final : public LayerOf<Masking> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  Tensors compute_mask(const Tensors& xs, const Tensors&) override { return {any(not_equal(xs.at(0), config.mask_value), {-1})}; }
  Tensor call(Tensor x, const Call&) override {
    Tensor kept = any(not_equal(x, config.mask_value), {-1}, true);
    return multiply(std::move(x), cast(std::move(kept), compute_dtype()));
  }
};
Masking::operator Layer() const { return make_layer<MaskingLayer>(*this); }
Outputs Masking::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_masking(LayerRegistry& r) { r.add<layers::Masking>("Masking"); }

}  // namespace tenure

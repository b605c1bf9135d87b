// Shared by the layer files: how an aggregate becomes a Layer, activations in one kernel, image formats.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <tenure/layers.h>
#include <tenure/ops.h>
#include <tenure/recurrent.h>

#include "nn/layer_body.h"
#include "nn/registry.h"

namespace tenure::nn {

/// The activation's name if linear and convolutions have it in their kernels, else "": then it is applied to the result. A sigmoid is applied to
/// the result while a step notes logits (its graph puts them together again).
class Fused {
 public:
  explicit Fused(const ActivationFunction& a);
  operator std::string_view() const noexcept;

 private:
  std::string_view name_;
};
/// activation(y) where `done` was not already in the kernel.
Tensor finish(const ActivationFunction& a, std::string_view done, Tensor y);

/// Throws InvalidArgument unless padding is valid or same.
void check_padding(std::string_view padding, std::string_view layer);
/// Keras writes the format always: "" becomes channels_last.
void visit_format(Fields& v, std::string& data_format);
bool channels_first(std::string_view data_format);
/// channels_first images as channels_last and back; others as they are.
Tensor to_last(Tensor x, std::string_view data_format);
Tensor from_last(Tensor x, std::string_view data_format);

/// x in a dtype.
inline Tensor as(Tensor x, DType t) { return x.dtype() == t ? std::move(x) : cast(std::move(x), t); }
/// Statistics of floats of 16 bits are taken in float32; others stay.
inline Tensor widened(Tensor x) { return x.dtype() == bfloat16 || x.dtype() == float16 ? cast(std::move(x), float32) : std::move(x); }

/// As Keras has it for layers that change their input at random: training, unless this call or one around it says otherwise.
inline bool trains_unless_told() { return !thread_context.call || thread_context.call->training.value_or(true); }

/// Three sizes as a list; reads one number too.
void visit_triple(Fields& v, const char* name, Triple& t);
/// One size that Keras writes as a list of one.
void visit_single(Fields& v, const char* name, int64_t& n);

/// A required positive size.
inline void check_positive(int64_t v, const char* layer, const char* field) {
  check(v > 0, Code::InvalidArgument, "{}: expected {} > 0, got {}", layer, field, v);
}

/// Takes the activation's layer, if it is one, as a child; `add` is LayerBase::child bound to the layer.
template <class L>
void adopt_activation(L& layer, const ActivationFunction& a) {
  if (a.layer().defined()) layer.body().add_child("activation", a.layer().body());
}

}  // namespace tenure::nn

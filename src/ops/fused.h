// Ops that take an epilogue: y = activation(product + bias + residual) in one kernel. The graph's passes rewrite chains into them.
// Inputs of linear, conv and depthwise_conv: x, w, then the bias [channels] if `bias`, then the residual (the output's spec) if `sum`.
#pragma once

#include <string>

#include <tenure/op.h>
#include <tenure/ops.h>

#include "kernels/dnn.h"

namespace tenure::ops {

struct EpilogueAttrs {
  bool bias = false;
  std::string activation;  ///< "" or a name that fusable_activation knows
  double alpha = 0;        ///< slope of leaky_relu, scale of elu
  bool sum = false;
};
template <class V>
void fields(V& v, EpilogueAttrs& a) {
  v("bias", a.bias), v("activation", a.activation), v("alpha", a.alpha), v("sum", a.sum);
}

/// matmul: op(a) · op(b) with broadcasting batch axes; both of rank 2 or more.
struct MatmulAttrs {
  bool transpose_a = false, transpose_b = false;
};
template <class V>
void fields(V& v, MatmulAttrs& a) {
  v("transpose_a", a.transpose_a), v("transpose_b", a.transpose_b);
}

/// linear: x [..., k] · w [k, n] (transpose_w: w [n, k]; transpose_x: x [k, m] of rank 2).
struct LinearAttrs {
  bool transpose_x = false, transpose_w = false;
  EpilogueAttrs epilogue;
};
template <class V>
void fields(V& v, LinearAttrs& a) {
  v("transpose_x", a.transpose_x), v("transpose_w", a.transpose_w), fields(v, a.epilogue);
}

/// conv: kernel [spatial..., in / groups, out]; depthwise_conv: kernel [spatial..., in, multiplier], groups is ignored. Lists have a number for each
/// spatial dimension of x, of which there are 1 to 3.
struct ConvAttrs {
  std::vector<int64_t> strides{1, 1};
  std::string padding = "valid";  ///< valid, same, or explicit: then `pads`
  std::vector<int64_t> dilation{1, 1};
  int64_t groups = 1;
  std::vector<int64_t> pads;  ///< before and after each spatial dimension; for explicit padding only
  EpilogueAttrs epilogue;
};
template <class V>
void fields(V& v, ConvAttrs& a) {
  v("strides", a.strides), v("padding", a.padding), v("dilation", a.dilation), v("groups", a.groups), v("pads", a.pads), fields(v, a.epilogue);
}

/// max_pool2d, average_pool2d.
struct PoolAttrs {
  std::vector<int64_t> pool_size{2, 2}, strides{2, 2};
  std::string padding = "valid";  ///< valid, same, or explicit (what was added counts for nothing): then `pads`
  std::vector<int64_t> pads;      ///< top, bottom, left, right; each smaller than the window
};
template <class V>
void fields(V& v, PoolAttrs& a) {
  v("pool_size", a.pool_size), v("strides", a.strides), v("padding", a.padding), v("pads", a.pads);
}

/// pad: `pads` are before and after for each axis in turn.
struct PadAttrs {
  std::vector<int64_t> pads;
  std::string mode = "constant";
  double value = 0;
};
template <class V>
void fields(V& v, PadAttrs& a) {
  v("pads", a.pads), v("mode", a.mode), v("value", a.value);
}

/// batch_normalization (inference, last axis): inputs x, mean, variance, then scale if `scale`, then offset if `offset`.
struct BatchNormAttrs {
  double epsilon = 1e-3;
  bool scale = false, offset = false;
};
template <class V>
void fields(V& v, BatchNormAttrs& a) {
  v("epsilon", a.epsilon), v("scale", a.scale), v("offset", a.offset);
}

/// multiply_add: a step of tile groups alone, never of a graph: inputs a, b, c; a product that only a sum or a difference reads.
struct MultiplyAddAttrs {
  int64_t product = 0;  ///< kernels::Product
};
template <class V>
void fields(V& v, MultiplyAddAttrs& a) {
  v("product", a.product);
}
extern const Op multiply_add_op;

extern const Op matmul_op, linear_op, conv_op, depthwise_conv_op, batch_normalization_op, max_pool_op, pad_op;

/// The kernel's name of an activation that can stand in an epilogue, or null. Names are Keras' ("relu", "silu", "gelu": the exact one, ...) and
/// "gelu_tanh", "square", "abs", "sqrt", "exp".
const kernels::Unary* fusable_activation(std::string_view name) noexcept;
/// Keras' default of an activation given by name: 0.2 for leaky_relu, 1 for elu, else 0.
double default_alpha(std::string_view name) noexcept;
kernels::Epilogue epilogue_of(const EpilogueAttrs& a) noexcept;
/// Throws InvalidArgument naming `op` for an activation that cannot be fused, Shape or DType for a bias or residual that does not fit;
/// `first` is the input after the weights.
void check_epilogue(const Infer& c, const EpilogueAttrs& a, const Spec& y, int first);

/// activation(x) as ops of its own: every name of fusable_activation, and softmax, log_softmax, softsign, celu, hard_tanh, tanh_shrink, log_sigmoid.
/// Throws InvalidArgument for an unknown name.
Tensor activate(Tensor x, std::string_view name, double alpha);
/// dx of activate(x) for a fusable name; itself made of differentiable ops.
Tensor activate_backward(const Tensor& x, const Tensor& dy, std::string_view name, double alpha);

/// A tape is open and recording: gradients will be asked for, perhaps of gradients.
bool recording() noexcept;

/// Moves the residual to the output, where kernels expect it.
void place_residual(const Run& r, const EpilogueAttrs& a, int first) noexcept;
/// The output of an empty product: activation(0 + bias + residual).
void run_empty_product(const Run& r, const EpilogueAttrs& a, int first) noexcept;
/// What a kernel's status means to apply.
inline Status to_status(const kernels::Status& s) noexcept { return s ? Status{} : Status{Code::Internal, "the kernel failed"}; }

}  // namespace tenure::ops

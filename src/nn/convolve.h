// Shared by the convolving and pooling layers: sizes of 1 to 3 dimensions, and what all of them check. Nothing here owns anything.
#pragma once

#include <vector>

#include <tenure/convolution.h>

#include "nn/families.h"

namespace tenure::nn {

inline std::vector<int64_t> sizes_of(int64_t n) { return {n}; }
inline std::vector<int64_t> sizes_of(Pair p) { return {p.h, p.w}; }
inline std::vector<int64_t> sizes_of(Triple t) { return {t.d, t.h, t.w}; }

/// A field of sizes as a list; reads one number too.
inline void visit_sizes(Fields& v, const char* name, int64_t& n) { visit_single(v, name, n); }
inline void visit_sizes(Fields& v, const char* name, Pair& p) { visit_pair(v, name, p.h, p.w); }
inline void visit_sizes(Fields& v, const char* name, Triple& t) { visit_triple(v, name, t); }

/// A kernel's or pointwise kernel's shape: the sizes, then the two numbers of channels.
inline Shape kernel_shape(std::vector<int64_t> sizes, int64_t a, int64_t b) {
  sizes.push_back(a);
  sizes.push_back(b);
  return Shape(std::span<const int64_t>(sizes));
}

/// The known number of channels of inputs with this many spatial dimensions; throws Shape otherwise.
int64_t channels_of(const Shape& in, std::string_view format, const std::string& layer, size_t spatial);

/// Throws InvalidArgument unless kernel, strides and dilation are positive, not both strides and dilation above 1, and the padding known.
void check_convolution(const std::string& layer, const std::vector<int64_t>& kernel, const std::vector<int64_t>& strides,
                       const std::vector<int64_t>& dilation, std::string_view padding, bool causal = false);

/// The aggregate's options for the ops; `activation` is what the kernel does.
template <class C>
ConvNdOptions conv_options(const C& c, std::string_view activation) {
  ConvNdOptions o{.strides = sizes_of(c.strides), .padding = c.padding, .dilation_rate = sizes_of(c.dilation_rate), .activation = activation};
  if constexpr (requires { c.groups; }) o.groups = c.groups;
  return o;
}

}  // namespace tenure::nn

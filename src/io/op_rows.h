// What the tables of keras.ops by class name share: rows, and how the commonest arguments become calls.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "io/op_arguments.h"
#include "nn/families.h"

namespace tenure::io {

/// The row of this name in a table sorted by name, or null.
template <class Row, size_t n>
const Row* find_row(std::span<const Row, n> table, const std::string& name) {
  const auto it = std::lower_bound(table.begin(), table.end(), name, [](const Row& r, const std::string& s) { return r.name < s; });
  return it != table.end() && it->name == name ? &*it : nullptr;
}

/// The tables by family, each sorted by name.
std::span<const OpRow> numpy_rows();
std::span<const OpRow> shape_rows();
std::span<const OpRow> nn_rows();
std::span<const OpRow> image_rows();
std::span<const OpRow> linalg_rows();

using Args = OpArguments&;

template <Tensor (*F)(Tensor)>
Tensors one(Args a) {
  return {F(a.tensor(0, "x"))};
}

template <Tensor (*F)(Tensor, Tensor)>
Tensors two(Args a) {
  Tensor x = a.tensor(0, "x1");
  return {F(std::move(x), a.tensor(1, "x2"))};
}

template <Tensor (*F)(Tensor, const Axes&, bool)>
Tensors reduction(Args a) {
  Tensor x = a.tensor(0, "x");
  const Axes axes = a.axes(1, "axis");
  const bool keepdims = a.flag(2, "keepdims");
  // An empty list of axes reduces nothing; null reduces everything.
  if (a.value(1, "axis").is_array() && axes.empty()) return {std::move(x)};
  return {F(std::move(x), axes, keepdims)};
}

template <Tensor (*F)(Tensor, std::optional<int>, bool)>
Tensors arg_reduction(Args a) {
  Tensor x = a.tensor(0, "x");
  const Axes axes = a.axes(1, "axis");
  const bool keepdims = a.flag(2, "keepdims");
  return {F(std::move(x), axes.empty() ? std::optional<int>() : axes[0], keepdims)};
}

inline int axis_of(Args a, int position, int otherwise) {
  const Axes axes = a.axes(position, "axis");
  if (axes.empty()) return otherwise;
  if (axes.size() > 1) a.wrong("axis", Json(axes), "one axis");
  return axes[0];
}

/// f of values whose channels stand last: those of channels_first, [batch, channels, ...], are turned before and back after.
template <class F>
Tensor channels_last(Args a, int position, Tensor x, F f) {
  const std::string format = a.text(position, "data_format", "channels_last");
  if (format == "channels_last") return f(std::move(x));
  if (format != "channels_first") a.wrong("data_format", Json(format), "channels_last or channels_first");
  if (x.rank() < 3) a.wrong("data_format", Json(format), "channels_last for values without places");
  return nn::from_last(f(nn::to_last(std::move(x), format)), format);
}

inline Pair pair_of(Args a, int position, const char* name, std::optional<Pair> otherwise) {
  const std::vector<int64_t> v = a.integers(position, name);
  if (v.empty() && otherwise) return *otherwise;
  if (v.empty() || v.size() > 2) a.wrong(name, Json(v), "one number or two");
  return Pair(v.front(), v.back());
}

/// A result whose size depends on values, where only shapes are asked for. Throws Unsupported in a traced function.
Tensor of_unknown_size(const Tensor& x, const Shape& shape, DType dtype);

/// A type by name where one is given.
inline std::optional<DType> dtype_of_argument(Args a, int position, const char* name) {
  const std::string text = a.text(position, name, "");
  return text.empty() ? std::optional<DType>() : dtype_from(text);
}
/// Zeros or ones by `like`, of the type of `x` unless another is named.
template <Tensor (*like)(const Tensor&)>
Tensors like_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const std::optional<DType> dtype = dtype_of_argument(a, 1, "dtype");
  return {like(dtype ? cast(std::move(x), *dtype) : std::move(x))};
}
inline std::optional<int> maybe_axis(Args a, int position) {
  const Axes axes = a.axes(position, "axis");
  if (axes.size() > 1) a.wrong("axis", Json(axes), "one axis or none");
  return axes.empty() ? std::optional<int>() : axes[0];
}

}  // namespace tenure::io

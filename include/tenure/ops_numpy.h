// More of keras.ops' NumPy: names, argument names and defaults are Keras'. Like ops.h: eager tensors, symbols and traced tensors alike; Shape, DType
// or InvalidArgument is thrown, naming the op and what it was called with. Gradients exist where the function has one.
#pragma once

#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <tenure/ops.h>

namespace tenure {

// ---- functions of one number ----
TENURE_API Tensor arcsinh(Tensor x);
TENURE_API Tensor arccosh(Tensor x);
TENURE_API Tensor arctanh(Tensor x);
TENURE_API Tensor exp2(Tensor x);
TENURE_API Tensor log2(Tensor x);
TENURE_API Tensor log10(Tensor x);
/// The cube root.
TENURE_API Tensor cbrt(Tensor x);
/// Towards zero.
TENURE_API Tensor trunc(Tensor x);
/// 1 - erf(x).
TENURE_API Tensor erfc(Tensor x);
/// The inverse of erf.
TENURE_API Tensor erfinv(Tensor x);
/// The modified Bessel function of order 0.
TENURE_API Tensor i0(Tensor x);
/// sin(pi x) / (pi x), 1 at 0.
TENURE_API Tensor sinc(Tensor x);
TENURE_API Tensor deg2rad(Tensor x);
TENURE_API Tensor rad2deg(Tensor x);
/// Rounded to `decimals` digits behind the point, half to even.
TENURE_API Tensor round(Tensor x, int decimals);
/// Numbers in place of NaN and the infinities; without posinf and neginf the largest and smallest of the dtype.
TENURE_API Tensor nan_to_num(Tensor x, double nan = 0, std::optional<double> posinf = {}, std::optional<double> neginf = {});
/// Whether the sign bit is set, of -0 too.
TENURE_API Tensor signbit(Tensor x);
TENURE_API Tensor isposinf(Tensor x);
TENURE_API Tensor isneginf(Tensor x);
/// Of real numbers: 0, or pi for negative ones.
TENURE_API Tensor angle(Tensor x);

// ---- functions of two numbers ----
/// The angle of the point (x2, x1).
TENURE_API Tensor arctan2(Tensor x1, Tensor x2);
/// 0 where x2 is 0.
TENURE_API Tensor divide_no_nan(Tensor x1, Tensor x2);
/// 0 below 0, 1 above, x2 at 0.
TENURE_API Tensor heaviside(Tensor x1, Tensor x2);
TENURE_API Tensor hypot(Tensor x1, Tensor x2);
/// x1 · 2^x2.
TENURE_API Tensor ldexp(Tensor x1, Tensor x2);
/// log(exp(x1) + exp(x2)).
TENURE_API Tensor logaddexp(Tensor x1, Tensor x2);
/// log2(2^x1 + 2^x2).
TENURE_API Tensor logaddexp2(Tensor x1, Tensor x2);
/// The larger one; a NaN loses.
TENURE_API Tensor fmax(Tensor x1, Tensor x2);
/// The smaller one; a NaN loses.
TENURE_API Tensor fmin(Tensor x1, Tensor x2);
/// The remainder with the sign of x1.
TENURE_API Tensor fmod(Tensor x1, Tensor x2);
/// The next number from x1 towards x2.
TENURE_API Tensor nextafter(Tensor x1, Tensor x2);
/// |x1 - x2| <= atol + rtol |x2|.
TENURE_API Tensor isclose(Tensor x1, Tensor x2, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);
TENURE_API Tensor allclose(Tensor x1, Tensor x2, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);

// ---- whole numbers ----
TENURE_API Tensor bitwise_and(Tensor x, Tensor y);
TENURE_API Tensor bitwise_or(Tensor x, Tensor y);
TENURE_API Tensor bitwise_xor(Tensor x, Tensor y);
TENURE_API Tensor bitwise_not(Tensor x);
/// 0 for shifts below 0 or beyond 63.
TENURE_API Tensor left_shift(Tensor x, Tensor y);
/// Keeps the sign.
TENURE_API Tensor right_shift(Tensor x, Tensor y);
TENURE_API Tensor gcd(Tensor x1, Tensor x2);
TENURE_API Tensor lcm(Tensor x1, Tensor x2);

// ---- products ----
/// Running products along an axis.
TENURE_API Tensor cumprod(Tensor x, int axis = 0);
/// NumPy's dot: scalars multiply, vectors give a number, the last axis of x1 meets the last but one of x2.
TENURE_API Tensor dot(Tensor x1, Tensor x2);
/// Sums over both last axes.
TENURE_API Tensor inner(Tensor x1, Tensor x2);
/// Of flattened inputs.
TENURE_API Tensor outer(Tensor x1, Tensor x2);
/// The dot product of flattened inputs.
TENURE_API Tensor vdot(Tensor x1, Tensor x2);
/// Sums over the last `axes` of x1 and the first of x2.
TENURE_API Tensor tensordot(Tensor x1, Tensor x2, int axes = 2);
/// Sums over pairs of axes.
TENURE_API Tensor tensordot(Tensor x1, Tensor x2, const Axes& axes1, const Axes& axes2);
TENURE_API Tensor kron(Tensor x1, Tensor x2);
/// Of vectors of 3 (or 2) numbers along an axis.
TENURE_API Tensor cross(Tensor x1, Tensor x2, int axisa = -1, int axisb = -1, int axisc = -1);
/// Sums of products of two vectors shifted against each other; mode valid, same or full.
TENURE_API Tensor correlate(Tensor x1, Tensor x2, std::string_view mode = "valid");
/// Correlation coefficients of the rows.
TENURE_API Tensor corrcoef(Tensor x);

// ---- statistics: empty axes mean all ----
/// Weighted by `weights` of x's shape, or of the size of one axis.
TENURE_API Tensor average(Tensor x, std::optional<int> axis = {}, Tensor weights = {});
TENURE_API Tensor count_nonzero(Tensor x, const Axes& axis = {});
/// Largest minus smallest.
TENURE_API Tensor ptp(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor median(Tensor x, const Axes& axis = {}, bool keepdims = false);
/// The value below which a fraction q of the elements lies, one for each q in [0, 1]; several are stacked in front.
/// method: linear, lower, higher, midpoint or nearest.
TENURE_API Tensor quantile(Tensor x, const std::vector<double>& q, bool one, const Axes& axis = {}, std::string_view method = "linear",
                           bool keepdims = false);
/// Like their namesakes, without the elements that are NaN.
TENURE_API Tensor nanmax(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nanmin(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nansum(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nanprod(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nanmean(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nanvar(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nanstd(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nanmedian(Tensor x, const Axes& axis = {}, bool keepdims = false);
TENURE_API Tensor nanquantile(Tensor x, const std::vector<double>& q, bool one, const Axes& axis = {}, std::string_view method = "linear",
                              bool keepdims = false);
TENURE_API Tensor nanargmax(Tensor x, std::optional<int> axis = {}, bool keepdims = false);
TENURE_API Tensor nanargmin(Tensor x, std::optional<int> axis = {}, bool keepdims = false);
/// {how many elements lie in each of `bins` equal parts, the parts' edges}; without a range from the smallest to the largest element.
TENURE_API Tensors histogram(Tensor x, int64_t bins = 10, std::optional<std::pair<double, double>> range = {});
/// The area below points `dx` apart, or at `x`, along an axis.
TENURE_API Tensor trapezoid(Tensor y, Tensor x = {}, double dx = 1, int axis = -1);

// ---- shapes and places ----
TENURE_API Tensor append(Tensor x1, Tensor x2, std::optional<int> axis = {});
/// Parts whose sizes differ by at most one.
TENURE_API Tensors array_split(Tensor x, int64_t sections, int axis = 0);
TENURE_API Tensor moveaxis(Tensor x, const Axes& source, const Axes& destination);
TENURE_API Tensor swapaxes(Tensor x, int axis1, int axis2);
/// Elements shifted along axes, those beyond the end coming in at the front; without axes as one row.
TENURE_API Tensor roll(Tensor x, const std::vector<int64_t>& shift, const Axes& axis = {});
/// k quarter turns in the plane of two axes, NumPy's (Keras 3.15 on TensorFlow turns otherwise for k = 2).
TENURE_API Tensor rot90(Tensor x, int k = 1, std::pair<int, int> axes = {0, 1});
/// Differences of neighbours along an axis, n times.
TENURE_API Tensor diff(Tensor x, int n = 1, int axis = -1);
TENURE_API Tensor hstack(const Tensors& xs);
TENURE_API Tensor vstack(const Tensors& xs);  ///< as in Keras, vectors are joined into one vector
TENURE_API Tensor dstack(const Tensors& xs);
/// Grids of coordinates from vectors; indexing xy or ij.
TENURE_API Tensors meshgrid(const Tensors& xs, std::string_view indexing = "xy");
/// The diagonal k of a matrix, or a matrix with a vector there.
TENURE_API Tensor diag(Tensor x, int64_t k = 0);
/// A matrix with the flattened input on diagonal k.
TENURE_API Tensor diagflat(Tensor x, int64_t k = 0);
/// The diagonal of two axes as last axis.
TENURE_API Tensor diagonal(Tensor x, int64_t offset = 0, int axis1 = 0, int axis2 = 1);
/// Its sum.
TENURE_API Tensor trace(Tensor x, int64_t offset = 0, int axis1 = 0, int axis2 = 1);
/// The last two axes with zeros above diagonal k.
TENURE_API Tensor tril(Tensor x, int64_t k = 0);
/// The last two axes with zeros below diagonal k.
TENURE_API Tensor triu(Tensor x, int64_t k = 0);
/// Powers of a vector's elements as columns, falling unless `increasing`.
TENURE_API Tensor vander(Tensor x, std::optional<int64_t> N = {}, bool increasing = false);
/// `num` numbers from start to stop, on a new axis.
TENURE_API Tensor linspace(Tensor start, Tensor stop, int64_t num = 50, bool endpoint = true, std::optional<DType> dtype = {}, int axis = 0);
TENURE_API Tensor logspace(Tensor start, Tensor stop, int64_t num = 50, bool endpoint = true, double base = 10, std::optional<DType> dtype = {},
                           int axis = 0);
TENURE_API Tensor geomspace(Tensor start, Tensor stop, int64_t num = 50, bool endpoint = true, std::optional<DType> dtype = {}, int axis = 0);
/// The first choice whose condition holds.
TENURE_API Tensor select(const Tensors& condlist, const Tensors& choicelist, Tensor default_value = 0);
/// Whether each element of x1 is one of x2's.
TENURE_API Tensor isin(Tensor x1, Tensor x2, bool invert = false);
/// Places in a flattened tensor of `shape` as one tensor an axis.
TENURE_API Tensors unravel_index(Tensor indices, const Shape& shape);
/// NumPy's x[begin:end:stride] for the leading axes; numeric_limits' max and min stand for a bound that is not given. Negative strides need a known
/// size.
TENURE_API Tensor strided_slice(Tensor x, const std::vector<int64_t>& begin, const std::vector<int64_t>& end, const std::vector<int64_t>& strides);

// ---- order ----
/// Places of the elements in rising order (int32); equal ones keep theirs, NaN is last.
TENURE_API Tensor argsort(Tensor x, int axis = -1);
TENURE_API Tensor sort(Tensor x, int axis = -1);
/// {the k largest of the last axis, their places}; of equal ones the first.
TENURE_API Tensors top_k(Tensor x, int64_t k, bool sorted = true);
/// Places of the k+1 smallest first, the others behind, each in rising order of their place or value as Keras gives them.
TENURE_API Tensor argpartition(Tensor x, int64_t kth, int axis = -1);
/// Whether target i is among the k largest predictions of row i.
TENURE_API Tensor in_top_k(Tensor targets, Tensor predictions, int64_t k);
/// Where `values` would go into a rising vector, int32: side left (before equal ones) or right.
TENURE_API Tensor searchsorted(Tensor sorted_sequence, Tensor values, std::string_view side = "left");
/// The number of bins whose edge is not above x.
TENURE_API Tensor digitize(Tensor x, const std::vector<double>& bins);
/// How often each number from 0 occurs; the result's size depends on values, so x must be concrete.
TENURE_API Tensor bincount(Tensor x, Tensor weights = {}, int64_t minlength = 0);
/// Coordinates of elements that are not 0, one int32 vector an axis; the result's size depends on values, so x must be concrete.
TENURE_API Tensors nonzero(const Tensor& x);

// ---- scatter and segments ----
/// Zeros of `shape` with `values` added at `indices` [..., k], each naming k leading axes.
TENURE_API Tensor scatter(Tensor indices, Tensor values, const Shape& shape);
/// A copy of `inputs` with `updates` put in at `indices` [..., k]: written (the last wins), or joined by reduction add, max, min or mul.
TENURE_API Tensor scatter_update(Tensor inputs, Tensor indices, Tensor updates, std::string_view reduction = "");
/// Sums of the rows of one id; ids below 0 count for nothing. num_segments must be given unless the ids are concrete.
TENURE_API Tensor segment_sum(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments = {}, bool sorted = false);
TENURE_API Tensor segment_max(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments = {}, bool sorted = false);
TENURE_API Tensor segment_min(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments = {}, bool sorted = false);
TENURE_API Tensor segment_prod(Tensor data, Tensor segment_ids, std::optional<int64_t> num_segments = {}, bool sorted = false);

}  // namespace tenure

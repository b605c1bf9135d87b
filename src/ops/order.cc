// Order: places of sorted elements, of the largest ones, and in a sorted vector. Values are taken at those places, which have the gradient.
// Nothing here owns anything.
#include <tenure/ops_numpy.h>

#include <algorithm>
#include <numeric>

#include "base/parallel.h"
#include "ops/box.h"
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

void check_orderable(std::string_view op, const Spec& s) {
  check(!is_half(s.dtype) && s.dtype != bool_ && s.dtype != DType::string, Code::DType, "{}: expected float32, float64 or integers, got {}", op, s);
}

// Rising, NaN last.
template <class T>
bool before(T a, T b) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    if (a != a) return false;
    if (b != b) return true;
  }
  return a < b;
}

// f(row, places) on the last axis of every row.
template <class F>
void for_rows(const Shape& x, int64_t per_row, F f) noexcept {
  const int64_t n = x.back(), rows = product(x, 0, x.rank() - 1);
  parallel_for(rows, 1 + 16384 / (1 + 8 * n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) f(row * n, row * per_row);
  });
}

/// Places of the last axis' elements in rising order; equal ones keep theirs.
const Op argsort_op = {
    .name = "argsort",
    .infer =
        [](Infer& c) {
          check_orderable("argsort", c.x(0));
          check(c.shape(0).rank() > 0, Code::Shape, "argsort: expected at least one axis, got {}", c.x(0));
          c.output(c.shape(0), int32);
        },
    .run = [](const Run& r) noexcept -> Status {
      with_number(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const int64_t n = r.x(0).shape.back();
        for_rows(r.x(0).shape, n, [&](int64_t from, int64_t to) {
          const T* x = r.in<T>(0) + from;
          auto* place = r.out<int32_t>() + to;
          std::iota(place, place + n, 0);
          std::sort(place, place + n, [x](int32_t a, int32_t b) { return before(x[a], x[b]) || (!before(x[b], x[a]) && a < b); });
        });
      });
      return {};
    },
    .specimens = "f32[5] | f32[3,17] | f64[4,3] | i32[2,3,2,9]{0..3} | f32[0,3] | f32[3,0] | u8[11] | i64[2,7]{0..2}",
};

struct TopK {
  int64_t k = 1;
};
template <class V>
void fields(V& v, TopK& a) {
  v("k", a.k);
}

/// Places of the k largest elements of the last axis, falling; of equal ones the first.
const Op top_k_op = {
    .name = "top_k",
    .infer =
        [](Infer& c) {
          const int64_t k = c.attr<TopK>().k;
          check_orderable("top_k", c.x(0));
          check(c.shape(0).rank() > 0, Code::Shape, "top_k: expected at least one axis, got {}", c.x(0));
          check(k >= 0 && (c.shape(0).back() < 0 || k <= c.shape(0).back()), Code::InvalidArgument, "top_k: expected k in [0, {}], got {}",
                c.shape(0).back(), k);
          Shape y = c.shape(0);
          y[y.rank() - 1] = k;
          c.output(y, int32);
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t k = r.attr<TopK>().k;
      if (k == 0) return {};
      with_number(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const int64_t n = r.x(0).shape.back();
        for_rows(r.x(0).shape, k, [&](int64_t from, int64_t to) {
          const T* x = r.in<T>(0) + from;
          auto* place = r.out<int32_t>() + to;
          // Larger first, NaN behind all; the heap's front is the least of the k.
          auto larger = [x](int32_t a, int32_t b) {
            if constexpr (std::is_floating_point_v<T>) {
              const bool na = x[a] != x[a], nb = x[b] != x[b];
              if (na || nb) return na == nb ? a < b : nb;
            }
            return x[a] > x[b] || (x[a] == x[b] && a < b);
          };
          std::iota(place, place + k, 0);
          std::make_heap(place, place + k, larger);
          for (auto i = static_cast<int32_t>(k); i < n; ++i) {
            if (!larger(i, place[0])) continue;
            std::pop_heap(place, place + k, larger);
            place[k - 1] = i;
            std::push_heap(place, place + k, larger);
          }
          std::sort_heap(place, place + k, larger);
        });
      });
      return {};
    },
    .attrs = attrs_of<TopK>,
    .specimens = R"(f32[5] ; {"k": 2} | f32[3,17] ; {"k": 5} | f64[4,3] ; {"k": 3} | i32[2,3,2,9]{0..3} ; {"k": 4} | f32[0,3] ; {"k": 1}
                  | f32[3,4] ; {"k": 0} | u8[11] ; {"k": 7})",
};

struct Side {
  bool right = false;
};
template <class V>
void fields(V& v, Side& a) {
  v("right", a.right);
}

/// Where values go into a rising vector.
const Op searchsorted_op = {
    .name = "searchsorted",
    .infer =
        [](Infer& c) {
          check_orderable("searchsorted", c.x(0));
          check(c.dtype(0) == c.dtype(1), Code::DType, "searchsorted: expected inputs of one dtype, got {} and {}", c.x(0), c.x(1));
          check(c.shape(0).rank() == 1, Code::Shape, "searchsorted: expected a vector to search in, got {}", c.x(0));
          c.output(c.shape(1), int32);
        },
    .run = [](const Run& r) noexcept -> Status {
      with_number(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T *from = r.in<T>(0), *to = from + r.x(0).shape[0], *v = r.in<T>(1);
        const bool right = r.attr<Side>().right;
        parallel_for(r.x(1).shape.elements(), 4096, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i)
            r.out<int32_t>()[i] =
                static_cast<int32_t>((right ? std::upper_bound(from, to, v[i], before<T>) : std::lower_bound(from, to, v[i], before<T>)) - from);
        });
      });
      return {};
    },
    .attrs = attrs_of<Side>,
    .specimens = R"(f32[5]{0..0}, f32[3] | i32[4]{2..2}, i32[2,3,1,2] ; {"right": true} | f64[1], f64[7] | f32[0], f32[3] | f32[3]{1..1}, f32[0]
                  | u8[9]{3..3}, u8[3,3])",
};

// x with an axis last, in a type that can be ordered.
Tensor prepared(Tensor x, int axis) {
  if (is_half(x.dtype())) x = cast(std::move(x), float32);
  if (x.dtype() == bool_) x = cast(std::move(x), DType::uint8);
  return axis == x.rank() - 1 ? std::move(x) : swapaxes(std::move(x), axis, -1);
}

}  // namespace

Tensor argsort(Tensor x, int axis) {
  axis = normalize_axis(axis, x.rank());
  const int rank = x.rank();
  Tensor y = apply(argsort_op, prepared(std::move(x), axis));
  return axis == rank - 1 ? y : swapaxes(std::move(y), axis, -1);
}

Tensor sort(Tensor x, int axis) {
  Tensor places = argsort(x, axis);
  return take_along_axis(std::move(x), std::move(places), axis);
}

Tensors top_k(Tensor x, int64_t k, bool) {
  check(x.rank() > 0, Code::Shape, "top_k: expected at least one axis, got {}", x.spec());
  Tensor places = apply_with(top_k_op, TopK{k}, prepared(x, x.rank() - 1));
  return {take_along_axis(std::move(x), places, -1), places};
}

Tensor argpartition(Tensor x, int64_t kth, int axis) {
  const int64_t n = x.dim(axis);
  check(n < 0 || (kth >= -n && kth < n), Code::InvalidArgument, "argpartition: expected a place in axis {} of {}, got {}", axis, x.spec(), kth);
  return argsort(std::move(x), axis);  // a full order is one of the partitions
}

Tensor in_top_k(Tensor targets, Tensor predictions, int64_t k) {
  check(predictions.rank() == 2 && targets.rank() == 1, Code::Shape,
        "in_top_k: expected targets [batch] and predictions [batch, classes], got {} and {}", targets.spec(), predictions.spec());
  const int64_t classes = predictions.dim(1);
  check(classes > 0, Code::Shape, "in_top_k: the number of classes must be known, got {}", predictions.spec());
  targets = cast(std::move(targets), int32);
  const Tensor fits = logical_and(greater_equal(targets, 0), less(targets, static_cast<int>(classes)));
  const Tensor mine = take_along_axis(predictions, expand_dims(where(fits, targets, 0), 1), 1);
  const Tensor above = sum(cast(greater(std::move(predictions), mine), int32), {1});
  return logical_and(logical_and(fits, isfinite(squeeze(mine, {1}))), less(above, static_cast<int>(k)));
}

Tensor searchsorted(Tensor sorted_sequence, Tensor values, std::string_view side) {
  check(side == "left" || side == "right", Code::InvalidArgument, "searchsorted: expected side left or right, got '{}'", side);
  promote_pair(sorted_sequence, values);
  const int a = sorted_sequence.rank() - 1, b = values.rank() - 1;
  check(a == 0, Code::Shape, "searchsorted: expected a vector to search in, got {}", sorted_sequence.spec());
  if (is_half(values.dtype()) || values.dtype() == bool_) {
    sorted_sequence = prepared(std::move(sorted_sequence), a);
    values = prepared(std::move(values), b);
  }
  return apply_with(searchsorted_op, Side{side == "right"}, std::move(sorted_sequence), std::move(values));
}

Tensor digitize(Tensor x, const std::vector<double>& bins) {
  Tensor edges = Tensor::from(bins, {static_cast<int64_t>(bins.size())});
  const DType t = is_float(x.dtype()) && !is_half(x.dtype()) ? x.dtype() : float32;
  return searchsorted(cast(std::move(edges), t), cast(std::move(x), t), "right");
}

Tensor bincount(Tensor x, Tensor weights, int64_t minlength) {
  check(x.concrete(), Code::Unsupported,
        "bincount: the result's size depends on values, so it runs eagerly only, not on symbols or in a traced function");
  check(is_integer(x.dtype()) && (x.rank() == 1 || x.rank() == 2), Code::InvalidArgument, "bincount: expected a vector or rows of integers, got {}",
        x.spec());
  x = cast(std::move(x), int32);
  const bool any = x.size() > 0;
  check(!any || min(x).item<int>() >= 0, Code::InvalidArgument, "bincount: expected no number below 0, got {}", any ? min(x).item<int>() : 0);
  const int64_t n = std::max<int64_t>(minlength, any ? max(x).item<int>() + 1 : 0), rows = x.rank() == 2 ? x.shape()[0] : 1;
  if (!weights) weights = ones_like(x);
  if (x.rank() == 2)
    x = add(std::move(x), reshape(arange(0, static_cast<double>(rows * n), static_cast<double>(std::max<int64_t>(1, n)), int32), {rows, 1}));
  const bool matrix = x.rank() == 2;
  Tensor y = scatter_add(reshape(std::move(x), {-1}), reshape(std::move(weights), {-1}), {rows * n});
  return matrix ? reshape(std::move(y), {rows, n}) : y;
}

Tensors nonzero(const Tensor& x) {
  check(x.concrete(), Code::Unsupported,
        "nonzero: the result's size depends on values, so it runs eagerly only, not on symbols or in a traced function");
  std::vector<std::vector<int32_t>> found(static_cast<size_t>(x.rank()));
  for (int64_t i = 0, n = x.size(); i < n; ++i) {
    if (x.at(i) == 0) continue;
    int64_t rest = i;
    for (int axis = x.rank(); axis-- > 0;) {
      found[static_cast<size_t>(axis)].push_back(static_cast<int32_t>(rest % x.shape()[axis]));
      rest /= x.shape()[axis];
    }
  }
  Tensors out;
  for (const auto& list : found) out.push_back(Tensor::from(list, {static_cast<int64_t>(list.size())}));
  return out;
}

void register_order(Registry& r) {
  for (const Op* op : {&argsort_op, &top_k_op, &searchsorted_op}) r.add(*op);
}

}  // namespace tenure

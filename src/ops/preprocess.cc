// Numbers to bins, and indices to counts: ops of the preprocessing layers, without gradients.
#include "ops/preprocess_ops.h"

#include "base/parallel.h"
#include "ops/box.h"
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// ---- bucketize ----------------------------------------------------------------------------------------------------------------

struct BucketizeAttrs {
  std::vector<double> boundaries;
};
template <class V>
void fields(V& v, BucketizeAttrs& a) {
  v("boundaries", a.boundaries);
}

const Op bucketize_op = {
    .name = "bucketize",
    .infer =
        [](Infer& c) {
          const DType t = c.dtype(0);
          check(t == float32 || t == float64 || t == int32 || t == int64, Code::DType, "bucketize: expected float32, float64, int32 or int64, got {}",
                c.x(0));
          const auto& b = c.attr<BucketizeAttrs>().boundaries;
          check(std::is_sorted(b.begin(), b.end()), Code::InvalidArgument, "bucketize: expected boundaries in rising order");
          c.output(c.shape(0), int32);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& b = r.attr<BucketizeAttrs>().boundaries;
      with_number(r.x(0).dtype, [&](auto type) {
        const auto* x = r.in<typename decltype(type)::type>(0);
        auto* y = r.out<int32_t>();
        parallel_for(r.y().shape.elements(), 4096, [&](int64_t begin, int64_t end) {
          // TensorFlow keeps boundaries in float32.
          for (int64_t i = begin; i < end; ++i)
            y[i] = static_cast<int32_t>(std::upper_bound(b.begin(), b.end(), static_cast<double>(x[i]),
                                                         [](double v, double edge) { return v < static_cast<double>(static_cast<float>(edge)); }) -
                                        b.begin());
        });
      });
      return {};
    },
    .attrs = attrs_of<BucketizeAttrs>,
    .specimens = R"(f32[17] ; {"boundaries": [-1.0, 0.0, 0.5]} | f64[2,3,2,5] ; {"boundaries": [0.25]} | i32[0] ; {"boundaries": [1.0]}
                  | i64[3,5] ; {"boundaries": [-3.0, 0.0, 2.0]} | f32[] ; {"boundaries": []})",
};

// ---- count_categories ---------------------------------------------------------------------------------------------------------

struct CountAttrs {
  int axis = 0;
  int64_t depth = 0;
  bool binary = false, strict = false;
  DType dtype = float32;
};
template <class V>
void fields(V& v, CountAttrs& a) {
  v("axis", a.axis), v("depth", a.depth), v("binary", a.binary), v("strict", a.strict), v("dtype", a.dtype);
}

template <class I, class T>
Status run_count(const Run& r) noexcept {
  const auto& a = r.attr<CountAttrs>();
  const Around x(r.x(0).shape, a.axis);
  const I* index = r.in<I>(0);
  const T* weights = r.inputs() > 1 ? r.in<T>(1) : nullptr;
  T* y = r.out<T>();
  if (r.y().bytes()) std::memset(y, 0, r.y().bytes());
  for (int64_t k = 0, total = x.outer * x.n * x.inner; k < total; ++k) {
    if (a.strict && index[k] < 0) return {Code::InvalidArgument, "expected no negative index", k, static_cast<double>(index[k])};
    if (index[k] < 0 || index[k] >= a.depth) continue;
    T& to = y[(k / x.inner / x.n * x.inner + k % x.inner) * a.depth + static_cast<int64_t>(index[k])];
    to = a.binary ? T{1} : static_cast<T>(to + (weights ? weights[k] : T{1}));
  }
  return {};
}

const Op count_op = {
    .name = "count_categories",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<CountAttrs>();
          check(c.dtype(0) == int32 || c.dtype(0) == int64, Code::DType, "count_categories: expected int32 or int64, got {}", c.x(0));
          check(a.depth >= 0, Code::InvalidArgument, "count_categories: expected a depth >= 0, got {}", a.depth);
          check(a.axis >= 0 && a.axis < c.shape(0).rank(), Code::InvalidArgument, "count_categories: no axis {} in {}", a.axis, c.x(0));
          check(a.dtype == float32 || a.dtype == float64 || a.dtype == int64, Code::DType,
                "count_categories: expected counts of float32, float64 or int64, got {}", a.dtype);
          if (c.inputs() > 1)
            check(c.dtype(1) == a.dtype && (c.shape(1) == c.shape(0) || !c.shape(0).known() || !c.shape(1).known()), Code::Shape,
                  "count_categories: expected weights {} of the indices' shape {}, got {}", a.dtype, c.shape(0), c.x(1));
          Shape y = c.shape(0);
          y.erase(a.axis);
          y.push_back(a.depth);
          c.output(y, a.dtype);
        },
    .run = [](const Run& r) noexcept -> Status {
      auto with = [&](auto index) -> Status {
        using I = typename decltype(index)::type;
        if (r.y().dtype == int64) return run_count<I, int64_t>(r);
        return r.y().dtype == float64 ? run_count<I, double>(r) : run_count<I, float>(r);
      };
      return r.x(0).dtype == int64 ? with(Type<int64_t>{}) : with(Type<int32_t>{});
    },
    .attrs = attrs_of<CountAttrs>,
    .specimens =
        R"(i32[5]{0..4} ; {"depth": 4} | i64[3,17]{-1..9} ; {"axis": 1, "depth": 7, "binary": true} | i32[2,3,2,3]{0..3} ; {"axis": 1, "depth": 4}
                  | i32[2,3]{0..3}, f32[2,3] ; {"axis": 1, "depth": 4} | i32[0,3] ; {"axis": 1, "depth": 4, "dtype": "float64"}
                  | i64[2,0] ; {"axis": 1, "depth": 3, "dtype": "int64"})",
};

}  // namespace

Tensor bucketize(Tensor x, const std::vector<double>& boundaries) {
  const DType t = x.dtype();
  if (t == uint32) x = cast(std::move(x), int64);
  else if (is_half(t)) x = cast(std::move(x), float32);
  else if (t != float32 && t != float64 && t != int32 && t != int64) x = cast(std::move(x), int32);
  return apply_with(bucketize_op, BucketizeAttrs{boundaries}, std::move(x));
}

Tensor count_categories(Tensor x, int axis, int64_t depth, bool binary, bool strict, DType dtype, Tensor weights) {
  if (x.dtype() != int32 && x.dtype() != int64) x = cast(std::move(x), int64);
  const CountAttrs a{axis, depth, binary, strict, is_half(dtype) ? float32 : dtype};
  Tensor y;
  if (!weights.defined()) {
    y = apply_with(count_op, a, std::move(x));
  } else {
    if (weights.dtype() != a.dtype) weights = cast(std::move(weights), a.dtype);
    y = apply_with(count_op, a, std::move(x), std::move(weights));
  }
  return y.dtype() == dtype ? std::move(y) : cast(std::move(y), dtype);
}

}  // namespace tenure::ops

namespace tenure {

void register_preprocess(Registry& r) {
  r.add(ops::bucketize_op);
  r.add(ops::count_op);
}

}  // namespace tenure

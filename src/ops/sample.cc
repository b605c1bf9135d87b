// gather_sum and its gradients scatter_sum and gather_dot: linear in each float input, each the others' gradient. Nothing here owns anything.
#include "ops/sample.h"

#include <cstring>

#include "base/parallel.h"
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// One call's sizes: x is [batch, n, c], index and weights [1 or batch, p, k], the sums [batch, p, c].
struct Sizes {
  int64_t batch, n, c, p, k, step;  // step: from one image's indices to the next's; 0 where all share them
  Sizes(const Shape& x, const Shape& index) noexcept
      : batch(x[0]), n(x[1]), c(x[2]), p(index[1]), k(index[2]), step(index[0] == 1 && x[0] != 1 ? 0 : index[1] * index[2]) {}
};

bool same(int64_t a, int64_t b) noexcept { return a == b || a < 0 || b < 0; }

void check_points(std::string_view op, const Spec& index, int64_t batch) {
  check(index.dtype == int32 && index.shape.rank() == 3 && (index.shape[0] == 1 || same(index.shape[0], batch)), Code::Shape,
        "{}: expected int32 indices [{} or 1, points, terms], got {}", op, batch, index);
}
void check_rows(std::string_view op, const Spec& x) {
  check(x.dtype == float32 || x.dtype == float64, Code::DType, "{}: expected float32 or float64, got {}", op, x);
  check(x.shape.rank() == 3, Code::Shape, "{}: expected [batch, rows, channels], got {}", op, x);
}
void check_weights(std::string_view op, const Spec& index, const Spec& w, DType dtype) {
  bool fits = w.dtype == dtype && w.shape.rank() == 3;
  for (int i = 0; fits && i < 3; ++i) fits = same(w.shape[i], index.shape[i]);
  check(fits, Code::Shape, "{}: expected {} weights of the indices' shape {}, got {}", op, dtype, index, w);
}
void check_sums(std::string_view op, const Spec& x, const Spec& index, const Spec& y) {
  check(y.dtype == x.dtype && y.shape.rank() == 3 && same(y.shape[0], x.shape[0]) && same(y.shape[1], index.shape[1]) && same(y.shape[2], x.shape[2]),
        Code::Shape, "{}: expected sums [{}, {}, {}] of {}, got {}", op, x.shape[0], index.shape[1], x.shape[2], x.dtype, y);
}

Status check_indices(const Run& r, int input, int64_t n) noexcept {
  const auto* index = r.in<int32_t>(input);
  for (int64_t i = 0, count = r.x(input).shape.elements(); i < count; ++i)
    if (index[i] < -1 || index[i] >= n) return {Code::NotFound, "index is out of range", i, static_cast<double>(index[i])};
  return {};
}

// f(row of x, row of sums, place of the weight) for the points [from, to) of one image.
template <class F>
void for_terms(const Sizes& s, int64_t image, int64_t from, int64_t to, const int32_t* index, F f) noexcept {
  const int32_t* at = index + image * s.step;
  for (int64_t p = from; p < to; ++p)
    for (int64_t k = p * s.k; k < (p + 1) * s.k; ++k)
      if (at[k] >= 0) f(image * s.n + at[k], image * s.p + p, image * s.step + k);
}

struct RowsAttrs {
  int64_t rows = 0;
};
template <class V>
void fields(V& v, RowsAttrs& a) {
  v("rows", a.rows);
}

extern const Op gather_sum_op, scatter_sum_op, gather_dot_op;

const Op gather_sum_op = {
    .name = "gather_sum",
    .infer =
        [](Infer& c) {
          check_rows("gather_sum", c.x(0));
          check_points("gather_sum", c.x(1), c.shape(0)[0]);
          check_weights("gather_sum", c.x(1), c.x(2), c.dtype(0));
          c.output({c.shape(0)[0], c.shape(1)[1], c.shape(0)[2]}, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const Sizes s(r.x(0).shape, r.x(1).shape);
      if (Status bad = check_indices(r, 1, s.n); !bad.ok()) return bad;
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T *x = r.in<T>(0), *w = r.in<T>(2);
        T* y = r.out<T>();
        if (s.p == 0) return;
        parallel_for(s.batch * s.p, 1 + 16384 / (1 + s.k * s.c), [&](int64_t begin, int64_t end) {
          std::fill(y + begin * s.c, y + end * s.c, T{0});
          for (int64_t at = begin; at < end;) {
            const int64_t image = at / s.p, from = at % s.p, to = std::min(s.p, from + end - at);
            for_terms(s, image, from, to, r.in<int32_t>(1), [&](int64_t row, int64_t sum, int64_t k) {
              for (int64_t c = 0; c < s.c; ++c) y[sum * s.c + c] += w[k] * x[row * s.c + c];
            });
            at += to - from;
          }
        });
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      Tensor dx, dw;
      if (g.needs(0)) dx = apply_with(scatter_sum_op, RowsAttrs{g.xspec(0).shape[1]}, Tensor(g.x(1)), Tensor(g.x(2)), Tensor(g.dy()));
      if (g.needs(2)) dw = apply(gather_dot_op, Tensor(g.x(0)), Tensor(g.x(1)), Tensor(g.dy()));
      return {dx, Tensor{}, dw};
    },
    .saves = saves_inputs(0, 1) | saves_input(2),
    .specimens = R"(f32[2,6,3], i32[2,5,4]{-1..5}, f32[2,5,4] | f64[3,4,1], i32[1,7,2]{-1..3}, f64[1,7,2] | f32[0,4,3], i32[0,2,1]{0..3}, f32[0,2,1]
                  | f64[2,3,5], i32[2,0,4], f64[2,0,4] | f32[1,3,2], i32[1,5,1]{0..2}, f32[1,5,1])",
};

const Op scatter_sum_op = {
    .name = "scatter_sum",
    .infer =
        [](Infer& c) {
          const Spec x{{c.shape(2).rank() ? c.shape(2)[0] : -1, c.attr<RowsAttrs>().rows, c.shape(2).rank() == 3 ? c.shape(2)[2] : -1}, c.dtype(2)};
          check_rows("scatter_sum", c.x(2));
          check_points("scatter_sum", c.x(0), x.shape[0]);
          check_weights("scatter_sum", c.x(0), c.x(1), c.dtype(2));
          check_sums("scatter_sum", x, c.x(0), c.x(2));
          c.output(x);
        },
    .run = [](const Run& r) noexcept -> Status {
      const Sizes s(r.y().shape, r.x(0).shape);
      if (Status bad = check_indices(r, 0, s.n); !bad.ok()) return bad;
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T *w = r.in<T>(1), *v = r.in<T>(2);
        T* x = r.out<T>();
        parallel_for(s.batch, 1 + 16384 / (1 + s.p * s.k * s.c), [&](int64_t begin, int64_t end) {
          std::fill(x + begin * s.n * s.c, x + end * s.n * s.c, T{0});
          for (int64_t image = begin; image < end; ++image)
            for_terms(s, image, 0, s.p, r.in<int32_t>(0), [&](int64_t row, int64_t sum, int64_t k) {
              for (int64_t c = 0; c < s.c; ++c) x[row * s.c + c] += w[k] * v[sum * s.c + c];
            });
        });
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      Tensor dw, dv;
      if (g.needs(1)) dw = apply(gather_dot_op, Tensor(g.dy()), Tensor(g.x(0)), Tensor(g.x(2)));
      if (g.needs(2)) dv = apply(gather_sum_op, Tensor(g.dy()), Tensor(g.x(0)), Tensor(g.x(1)));
      return {Tensor{}, dw, dv};
    },
    .saves = saves_inputs(0, 1) | saves_input(2),
    .attrs = attrs_of<RowsAttrs>,
    .specimens = R"(i32[2,5,4]{-1..5}, f32[2,5,4], f32[2,5,3] ; {"rows": 6} | i32[1,7,2]{-1..3}, f64[1,7,2], f64[3,7,1] ; {"rows": 4}
                  | i32[0,2,1]{0..3}, f32[0,2,1], f32[0,2,3] ; {"rows": 4} | i32[1,0,1], f64[1,0,1], f64[1,0,3] ; {"rows": 2})",
};

const Op gather_dot_op = {
    .name = "gather_dot",
    .infer =
        [](Infer& c) {
          check_rows("gather_dot", c.x(0));
          check_points("gather_dot", c.x(1), c.shape(0)[0]);
          check_sums("gather_dot", c.x(0), c.x(1), c.x(2));
          c.output(c.shape(1), c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const Sizes s(r.x(0).shape, r.x(1).shape);
      if (Status bad = check_indices(r, 1, s.n); !bad.ok()) return bad;
      with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const T *x = r.in<T>(0), *v = r.in<T>(2);
        T* w = r.out<T>();
        std::fill(w, w + r.y().shape.elements(), T{0});
        auto images = [&](int64_t begin, int64_t end) {
          for (int64_t image = begin; image < end; ++image)
            for_terms(s, image, 0, s.p, r.in<int32_t>(1), [&](int64_t row, int64_t sum, int64_t k) {
              for (int64_t c = 0; c < s.c; ++c) w[k] += x[row * s.c + c] * v[sum * s.c + c];
            });
        };
        if (s.step == 0) images(0, s.batch);
        else parallel_for(s.batch, 1 + 16384 / (1 + s.p * s.k * s.c), images);
      });
      return {};
    },
    .grad = [](const Grad& g) -> Tensors {
      Tensor dx, dv;
      if (g.needs(0)) dx = apply_with(scatter_sum_op, RowsAttrs{g.xspec(0).shape[1]}, Tensor(g.x(1)), Tensor(g.dy()), Tensor(g.x(2)));
      if (g.needs(2)) dv = apply(gather_sum_op, Tensor(g.x(0)), Tensor(g.x(1)), Tensor(g.dy()));
      return {dx, Tensor{}, dv};
    },
    .saves = saves_inputs(0, 1) | saves_input(2),
    .specimens = R"(f32[2,6,3], i32[2,5,4]{-1..5}, f32[2,5,3] | f64[3,4,1], i32[1,7,2]{-1..3}, f64[3,7,1] | f32[0,4,3], i32[0,2,1]{0..3}, f32[0,2,3]
                  | f64[2,3,5], i32[2,0,4], f64[2,0,5])",
};

}  // namespace

Tensor gather_sum(Tensor x, Tensor index, Tensor weights) { return apply(gather_sum_op, std::move(x), std::move(index), std::move(weights)); }

}  // namespace tenure::ops

namespace tenure {

void register_sample(Registry& r) {
  for (const Op* op : {&ops::gather_sum_op, &ops::scatter_sum_op, &ops::gather_dot_op}) r.add(*op);
}

}  // namespace tenure

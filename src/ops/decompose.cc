// Factorizations and solutions of linear systems, one matrix after the other of a batch. Gradients are written in ops. Nothing here owns anything.
#include <tenure/ops_linalg.h>

#include <atomic>

#include <tenure/ops_numpy.h>

#include "base/parallel.h"
#include "kernels/decompose.h"
#include "ops/box.h"
#include "ops/complex.h"
#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// ---- shapes and batches -----------------------------------------------------------------------------------------------------------

bool same(int64_t a, int64_t b) noexcept { return a == b || a < 0 || b < 0; }

Shape batch_of(const Shape& s) { return s.slice(0, s.rank() - 2); }
Shape with(const Shape& batch, int64_t m, int64_t n) {
  Shape s = batch;
  s.push_back(m), s.push_back(n);
  return s;
}
Shape with(const Shape& batch, int64_t n) {
  Shape s = batch;
  s.push_back(n);
  return s;
}

// Sizes of the matrices of input i: {rows, columns}.
std::pair<int64_t, int64_t> matrices(const Infer& c, int i) {
  const Spec& x = c.x(i);
  check(x.dtype == float32 || x.dtype == float64, Code::DType, "{}: expected float32 or float64, got {}", c.op().name, x);
  check(x.shape.rank() >= 2, Code::Shape, "{}: expected matrices, got {}", c.op().name, x);
  return {x.shape[x.shape.rank() - 2], x.shape.back()};
}
int64_t square_size(const Infer& c, int i = 0) {
  const auto [m, n] = matrices(c, i);
  check(same(m, n), Code::Shape, "{}: expected square matrices, got {}", c.op().name, c.x(i));
  return m < 0 ? n : m;
}

// f(matrix number) for every matrix of input 0; the first that returns false makes the status.
template <class F>
Status each(const Run& r, int64_t work, const char* what, F f) noexcept {
  const Shape& s = r.x(0).shape;
  std::atomic<int64_t> bad{-1};
  parallel_for(product(s, 0, s.rank() - 2), 1 + 65536 / (1 + work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      if (!f(i)) bad.store(i, std::memory_order_relaxed);
  });
  if (bad >= 0) return {Code::InvalidArgument, what, bad.load(), 0};
  return {};
}

Tensor transposed(Tensor x) { return swapaxes(std::move(x), -1, -2); }
Tensor product_of(Tensor a, Tensor b, bool ta = false, bool tb = false) { return matmul(std::move(a), std::move(b), ta, tb); }
// diag(s) on the last axis of s as factors of columns or of rows.
Tensor columns(const Tensor& s) { return expand_dims(s, -2); }
Tensor rows(const Tensor& s) { return expand_dims(s, -1); }
Tensor identity(int64_t n, DType t) { return eye(n, n, t); }

struct Flags {
  bool lower = true, transpose = false;
};
template <class V>
void fields(V& v, Flags& a) {
  v("lower", a.lower), v("transpose", a.transpose);
}
struct Full {
  bool full = false;
};
template <class V>
void fields(V& v, Full& a) {
  v("full", a.full);
}

// ---- cholesky ---------------------------------------------------------------------------------------------------------------------

extern const Op triangular_op;
Tensor triangular(Tensor a, Tensor b, bool lower, bool transpose) {
  return apply_with(triangular_op, Flags{lower, transpose}, std::move(a), std::move(b));
}

const Op cholesky_op = {
    .name = "cholesky",
    .infer =
        [](Infer& c) {
          square_size(c);
          c.output(c.x(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t n = r.y().shape.back();
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, n * n * n / 3, "matrix is not positive definite",
                    [&](int64_t i) { return n == 0 || kernels::cholesky(n, r.in<T>(0) + i * n * n, r.out<T>() + i * n * n); });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      // With P the lower half of Lᵀ·dL, its diagonal halved: L⁻ᵀ·P·L⁻¹, made symmetric.
      const Tensor& l = g.y();
      const int64_t n = l.shape().back();
      Tensor p = tril(product_of(l, g.dy(), true, false));
      p = multiply(std::move(p), subtract(1.0, multiply(identity(n, l.dtype()), 0.5)));
      Tensor s = triangular(l, transposed(triangular(l, transposed(std::move(p)), true, true)), true, true);
      return {multiply(add(s, transposed(s)), 0.5)};
    },
    .saves = saves_output(),
    .specimens = "f32[1,1]{0.5..2} | f64[3,1,1]{0.5..2} | f64[2,2,1,1]{0.5..2} | f32[0,2,2] | f32[0,0]",
};

// ---- solutions --------------------------------------------------------------------------------------------------------------------

template <bool triangle>
void infer_solve(Infer& c) {
  const int64_t n = square_size(c);
  const auto [m, k] = matrices(c, 1);
  const Shape a = batch_of(c.shape(0)), b = batch_of(c.shape(1));
  bool fits = c.dtype(0) == c.dtype(1) && same(n, m) && a.rank() == b.rank();
  for (int i = 0; fits && i < a.rank(); ++i) fits = same(a[i], b[i]);
  check(fits, Code::Shape, "{}: expected right sides [..., {}, columns] for {}, got {}", c.op().name, n, c.x(0), c.x(1));
  c.output(with(a, n, k), c.dtype(0));
}

template <bool triangle>
Status run_solve(const Run& r) noexcept {
  const auto& f = r.attr<Flags>();
  const int64_t n = r.y().shape[r.y().shape.rank() - 2], m = r.y().shape.back();
  return with_real(r.y().dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    return each(r, n * n * (n + m), "matrix is singular", [&](int64_t i) {
      if (n * m == 0) return true;
      const T *a = r.in<T>(0) + i * n * n, *b = r.in<T>(1) + i * n * m;
      T* x = r.out<T>() + i * n * m;
      if constexpr (triangle) return kernels::triangular_solve(n, m, f.lower, f.transpose, a, b, x);
      else return kernels::solve(n, m, f.transpose, a, b, x);
    });
  });
}

extern const Op solve_op;

const Op solve_op = {
    .name = "solve",
    .infer = infer_solve<false>,
    .run = run_solve<false>,
    .grad = [](const Grad& g) -> Tensors {
      const bool t = g.attr<Flags>().transpose;
      Tensor db = apply_with(solve_op, Flags{true, !t}, Tensor(g.x(0)), Tensor(g.dy())), da;
      if (g.needs(0)) da = negative(t ? product_of(g.y(), db, false, true) : product_of(db, g.y(), false, true));
      return {da, db};
    },
    .saves = saves_input(0) | saves_output(),
    .attrs = attrs_of<Flags>,
    .specimens = R"(f64[3,3], f64[3,2] | f32[2,2]{1..2}, f32[2,5] ; {"transpose": true} | f64[2,1,3,3], f64[2,1,3,1] ; {"transpose": true}
                  | f64[2,5,5], f64[2,5,3] | f32[0,3,3], f32[0,3,2] | f32[0,0], f32[0,2] | f32[1,1]{1..2}, f32[1,3])",
};

const Op triangular_op = {
    .name = "solve_triangular",
    .infer = infer_solve<true>,
    .run = run_solve<true>,
    .grad = [](const Grad& g) -> Tensors {
      const auto f = g.attr<Flags>();
      Tensor db = triangular(g.x(0), g.dy(), f.lower, !f.transpose), da;
      if (g.needs(0)) {
        da = negative(f.transpose ? product_of(g.y(), db, false, true) : product_of(db, g.y(), false, true));
        da = f.lower ? tril(std::move(da)) : triu(std::move(da));
      }
      return {da, db};
    },
    .saves = saves_input(0) | saves_output(),
    .attrs = attrs_of<Flags>,
    .specimens = R"(f64[3,3]{0.5..2}, f64[3,2] | f32[2,2]{1..2}, f32[2,5] ; {"transpose": true} | f64[2,1,3,3]{1..2}, f64[2,1,3,1] ; {"lower": false}
                  | f64[2,5,5]{1..2}, f64[2,5,3] ; {"lower": false, "transpose": true} | f32[0,3,3], f32[0,3,2] | f32[0,0], f32[0,2])",
};

// ---- determinants -----------------------------------------------------------------------------------------------------------------

Tensor inverse_transposed(const Tensor& x) {
  return apply_with(solve_op, Flags{true, true}, Tensor(x), add(zeros_like(x), identity(x.shape().back(), x.dtype())));
}

const Op det_op = {
    .name = "det",
    .infer =
        [](Infer& c) {
          square_size(c);
          c.output(batch_of(c.shape(0)), c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t n = r.x(0).shape.back();
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, n * n * n, "matrix has no determinant here", [&](int64_t i) {
          if (n == 0) r.out<T>()[i] = 1;
          return n == 0 || kernels::determinant(n, r.in<T>(0) + i * n * n, r.out<T>() + i);
        });
      });
    },
    .grad = [](const Grad& g) -> Tensors { return {multiply(rows(rows(multiply(g.dy(), g.y()))), inverse_transposed(g.x(0)))}; },
    .saves = saves_input(0) | saves_output(),
    .specimens = "f64[3,3] | f32[2,2] | f64[2,1,4,4] | f32[0,3,3] | f32[0,0] | f64[5,2,2] | f32[1,1]{1..2}",
};

const Op slogdet_op = {
    .name = "slogdet",
    .infer =
        [](Infer& c) {
          square_size(c);
          c.output(batch_of(c.shape(0)), c.dtype(0));
          c.output(batch_of(c.shape(0)), c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t n = r.x(0).shape.back();
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, n * n * n, "matrix has no determinant here", [&](int64_t i) {
          if (n == 0) r.out<T>(0)[i] = 1, r.out<T>(1)[i] = 0;
          return n == 0 || kernels::log_determinant(n, r.in<T>(0) + i * n * n, r.out<T>(0) + i, r.out<T>(1) + i);
        });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      if (!g.dy(1)) return {Tensor{}};
      return {multiply(rows(rows(g.dy(1))), inverse_transposed(g.x(0)))};
    },
    .saves = saves_input(0),
    .specimens = "f64[3,3] | f32[2,2] | f64[2,1,4,4] | f32[0,3,3] | f32[0,0] | f64[5,2,2] | f32[1,1]{1..2}",
};

// ---- qr ---------------------------------------------------------------------------------------------------------------------------

const Op qr_op = {
    .name = "qr",
    .infer =
        [](Infer& c) {
          const auto [m, n] = matrices(c, 0);
          check(m >= 0 && n >= 0, Code::Shape, "qr: the matrices' sizes must be known, got {}", c.x(0));
          const int64_t k = c.attr<Full>().full ? m : std::min(m, n);
          c.output(with(batch_of(c.shape(0)), m, k), c.dtype(0));
          c.output(with(batch_of(c.shape(0)), k, n), c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const Shape &x = r.x(0).shape, &q = r.y(0).shape;
      const int64_t m = x[x.rank() - 2], n = x.back(), k = q.back();
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, m * n * k, "matrix could not be factored", [&](int64_t i) {
          if (m * n == 0) {
            for (int64_t j = 0; j < m * k; ++j) r.out<T>(0)[i * m * k + j] = j / k == j % k ? T{1} : T{0};
            return true;
          }
          return kernels::qr(m, n, k > std::min(m, n), r.in<T>(0) + i * m * n, r.out<T>(0) + i * m * k, r.out<T>(1) + i * k * n);
        });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      const Tensor &q = g.y(0), &r = g.y(1);
      check(r.dim(-1) == r.dim(-2), Code::Unsupported,
            "qr: the gradient needs as many columns of q as of the matrix, and no more columns than rows, got {} into {} and {}", g.xspec(0),
            q.spec(), r.spec());
      Tensor m;
      if (g.dy(1)) m = product_of(r, triu(g.dy(1)), false, true);
      if (g.dy(0)) {
        Tensor other = product_of(g.dy(0), q, true, false);
        m = m ? subtract(std::move(m), std::move(other)) : negative(std::move(other));
      }
      const Tensor low = tril(m), below = tril(std::move(m), -1);
      Tensor b = product_of(q, add(low, transposed(below)));
      if (g.dy(0)) b = add(std::move(b), g.dy(0));
      return {transposed(triangular(r, transposed(std::move(b)), false, false))};
    },
    .saves = saves_output(0) | saves_output(1),
    .attrs = attrs_of<Full>,
    .specimens = R"(f64[3,3] | f32[5,2] | f64[2,1,4,3] | f64[3,3] ; {"full": true} | f32[0,3,2] | f32[3,0] | f32[0,0])",
};

// ---- eigh -------------------------------------------------------------------------------------------------------------------------

// 1 / (b_j - a_i) off the diagonal, 0 on it.
Tensor inverse_gaps(const Tensor& values) {
  const int64_t n = values.shape().back();
  const Tensor one = identity(n, values.dtype());
  const Tensor gaps = subtract(columns(values), rows(values));
  return multiply(subtract(1.0, one), divide(1.0, add(gaps, one)));
}

const Op eigh_op = {
    .name = "eigh",
    .infer =
        [](Infer& c) {
          const int64_t n = square_size(c);
          c.output(with(batch_of(c.shape(0)), n), c.dtype(0));
          c.output(c.x(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t n = r.x(0).shape.back();
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, 9 * n * n * n, "eigenvalues were not found",
                    [&](int64_t i) { return n == 0 || kernels::eigh(n, r.in<T>(0) + i * n * n, r.out<T>(0) + i * n, r.out<T>(1) + i * n * n); });
      });
    },
    .grad = [](const Grad& g) -> Tensors {
      const Tensor &w = g.y(0), &v = g.y(1);
      const int64_t n = w.shape().back();
      Tensor inner;
      if (g.dy(1)) inner = multiply(inverse_gaps(w), product_of(v, g.dy(1), true, false));
      if (g.dy(0)) {
        Tensor diagonal = multiply(columns(g.dy(0)), identity(n, w.dtype()));
        inner = inner ? add(std::move(inner), std::move(diagonal)) : std::move(diagonal);
      }
      if (!inner) return {Tensor{}};
      // Only the lower triangle was read.
      const Tensor a = product_of(product_of(v, std::move(inner)), v, false, true);
      return {tril(multiply(add(a, transposed(a)), subtract(1.0, multiply(identity(n, w.dtype()), 0.5))))};
    },
    .saves = saves_output(0) | saves_output(1),
    .specimens = "f64[3,3] | f32[2,2] | f64[2,1,3,3] | f32[0,3,3] | f32[0,0] | f32[1,1]",
};

// ---- eig --------------------------------------------------------------------------------------------------------------------------

// The product of matrices, the first one's adjoint taken if asked.
Complex product_of(const Complex& a, const Complex& b, bool adjoint = false) {
  const Tensor i = adjoint ? negative(a.im) : a.im;
  return {product_of(a.re, b.re, adjoint) - product_of(i, b.im, adjoint), product_of(a.re, b.im, adjoint) + product_of(i, b.re, adjoint)};
}

// With a · v = v · diag(w): dw = diag(v⁻¹ da v), and dv = v · (F ∘ v⁻¹ da v) with F_ij = 1 / (w_j - w_i), but for multiples of each vector that keep its
// norm at 1 and its largest element real. Giles, "An extended collection of matrix derivative results" (2008).
Tensors eig_grad(const Grad& g) {
  const Complex w(g.y(0)), v(g.y(1));
  const int64_t n = w.re.shape().back();
  const DType t = w.re.dtype();
  const Tensor one = identity(n, t);
  Complex inner{Tensor{}, Tensor{}};
  if (g.dy(1)) {
    // The part by which a change would turn a vector is put on the imaginary part of its largest element.
    const Tensor sizes = where(equal(v.im, 0.0), square(v.re), -1.0), largest = one_hot(argmax(sizes, -2), n, -2, t);
    Complex dv(g.dy(1));
    const Tensor turn = sum(dv.im * v.re - dv.re * v.im, {-2}, true);
    dv.im = dv.im - largest * turn / where(greater(largest, 0.0), v.re, 1.0);
    const Complex along = product_of(v, dv, true), gram = product_of(v, v, true);
    const Tensor norms = one * along.re;
    const Tensor re = columns(w.re) - rows(w.re), im = columns(w.im) - rows(w.im), gap = Complex(re, im).squares();
    const Tensor off = 1.0 / where(equal(gap, 0.0), 1.0, gap);  // equal ones have no difference: 0
    const Complex rest{along.re - product_of(gram.re, norms), along.im - product_of(gram.im, norms)};
    inner = times({off * re, off * im}, rest);
  }
  if (g.dy(0)) {
    const Complex dw(g.dy(0));
    const Tensor re = columns(dw.re) * one, im = columns(dw.im) * one;
    inner = inner.re ? Complex(inner.re + re, inner.im + im) : Complex(re, im);
  }
  if (!inner.re) return {Tensor{}};
  // y of vᴴ · y = inner · vᴴ, as real matrices of twice the size.
  const Complex vh{transposed(v.re), negative(transposed(v.im))}, b = product_of(inner, vh);
  const Tensor left = concatenate({concatenate({vh.re, negative(vh.im)}, -1), concatenate({vh.im, vh.re}, -1)}, -2);
  const Tensor y = solve(left, concatenate({b.re, b.im}, -2));
  return {slice_axis(y, -2, 0, n)};
}

const Op eig_op = {
    .name = "eig",
    .infer =
        [](Infer& c) {
          const int64_t n = square_size(c);
          const Shape batch = batch_of(c.shape(0));
          c.output(with(batch, n, 2), c.dtype(0));
          Shape vectors = with(batch, n, n);
          vectors.push_back(2);
          c.output(vectors, c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t n = r.x(0).shape.back();
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, 25 * n * n * n, "eigenvalues were not found", [&](int64_t i) {
          return n == 0 || kernels::eig(n, r.in<T>(0) + i * n * n, r.out<T>(0) + i * 2 * n, r.out<T>(1) + i * 2 * n * n);
        });
      });
    },
    .grad = eig_grad,
    .saves = saves_output(0) | saves_output(1),
    .specimens = "f64[3,3] | f32[2,2] | f64[2,1,3,3] | f32[0,3,3] | f32[0,0] | f32[1,1]",
};

// ---- svd --------------------------------------------------------------------------------------------------------------------------

// Outputs u, s, vt as Keras orders them; s alone where `vectors` is false.
struct SvdAttrs {
  bool full = false, vectors = true;
};
template <class V>
void fields(V& v, SvdAttrs& a) {
  v("full", a.full), v("vectors", a.vectors);
}
extern const Op svd_op;

Tensors svd_grad(const Grad& g) {
  const auto& a = g.attr<SvdAttrs>();
  Tensor s = g.y(a.vectors ? 1 : 0), u, vt;
  const Shape& x = g.xspec(0).shape;
  const int64_t m = x[x.rank() - 2], n = x.back(), k = std::min(m, n);
  const bool vectors = a.vectors && (g.dy(0) || g.dy(2));
  const Tensor ds = g.dy(a.vectors ? 1 : 0), du = a.vectors ? g.dy(0) : Tensor();
  check(!vectors || !a.full || m == n, Code::Unsupported, "svd: the gradient of full matrices needs square ones, got {}; set full_matrices to false",
        g.xspec(0));
  if (a.vectors && (!a.full || m == n)) {
    u = g.y(0), vt = g.y(2);
  } else {
    const Tensors parts = apply_all_with(svd_op, SvdAttrs{false, true}, Tensor(g.x(0)));
    u = parts[0], s = parts[1], vt = parts[2];
  }
  const DType t = s.dtype();
  Tensor inner;
  if (ds) inner = multiply(columns(ds), identity(k, t));
  if (!vectors) return {inner ? product_of(product_of(u, std::move(inner)), vt) : Tensor{}};
  const Tensor gaps = inverse_gaps(multiply(s, s)), inverse = divide(1.0, s);
  auto skew = [&](const Tensor& basis, const Tensor& d) {  // gaps ∘ (basisᵀ·d - dᵀ·basis)
    const Tensor p = product_of(basis, d, true, false);
    return multiply(gaps, subtract(p, transposed(p)));
  };
  auto join = [&](Tensor more) { inner = inner ? add(std::move(inner), std::move(more)) : std::move(more); };
  const Tensor v = transposed(vt), dv = g.dy(2) ? transposed(g.dy(2)) : Tensor();
  if (du) join(multiply(skew(u, du), columns(s)));
  if (dv) join(multiply(rows(s), skew(v, dv)));
  Tensor y = product_of(product_of(u, std::move(inner)), vt);
  if (du && m > k) {
    const Tensor d = multiply(du, columns(inverse));
    y = add(std::move(y), product_of(subtract(d, product_of(u, product_of(u, d, true, false))), vt));
  }
  if (dv && n > k) {
    const Tensor d = multiply(dv, columns(inverse));
    y = add(std::move(y), product_of(u, subtract(d, product_of(v, product_of(v, d, true, false))), false, true));
  }
  return {y};
}

const Op svd_op = {
    .name = "svd",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<SvdAttrs>();
          const auto [m, n] = matrices(c, 0);
          check(m >= 0 && n >= 0, Code::Shape, "svd: the matrices' sizes must be known, got {}", c.x(0));
          const Shape batch = batch_of(c.shape(0));
          const int64_t k = std::min(m, n);
          if (a.vectors) c.output(with(batch, m, a.full ? m : k), c.dtype(0));
          c.output(with(batch, k), c.dtype(0));
          if (a.vectors) c.output(with(batch, a.full ? n : k, n), c.dtype(0));
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<SvdAttrs>();
      const Shape& x = r.x(0).shape;
      const int64_t m = x[x.rank() - 2], n = x.back(), k = std::min(m, n), um = a.full ? m : k, vn = a.full ? n : k;
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, 9 * m * n * k, "singular values were not found", [&](int64_t i) {
          if (k == 0) {
            for (int64_t j = 0; a.vectors && j < m * um; ++j) r.out<T>(0)[i * m * um + j] = j / um == j % um ? T{1} : T{0};
            for (int64_t j = 0; a.vectors && j < n * vn; ++j) r.out<T>(2)[i * n * vn + j] = j / n == j % n ? T{1} : T{0};
            return true;
          }
          T* s = r.out<T>(a.vectors ? 1 : 0) + i * k;
          return kernels::svd(m, n, a.full, r.in<T>(0) + i * m * n, a.vectors ? r.out<T>(0) + i * m * um : nullptr, s,
                              a.vectors ? r.out<T>(2) + i * vn * n : nullptr);
        });
      });
    },
    .grad = svd_grad,
    .saves = saves_input(0) | saves_output(0) | saves_output(1) | saves_output(2),
    .attrs = attrs_of<SvdAttrs>,
    .specimens = R"(f64[3,3] | f64[4,2] | f64[2,4] | f64[2,1,3,3] ; {"full": true} | f64[3,2] ; {"vectors": false} | f32[2,2] | f32[0,3,2] | f32[3,0]
                  | f32[0,0])",
};

// ---- lu ---------------------------------------------------------------------------------------------------------------------------

const Op lu_op = {
    .name = "lu_factor",
    .infer =
        [](Infer& c) {
          const int64_t n = square_size(c);
          c.output(c.x(0));
          c.output(with(batch_of(c.shape(0)), n), int32);
        },
    .run = [](const Run& r) noexcept -> Status {
      const int64_t n = r.x(0).shape.back();
      return with_real(r.y().dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        return each(r, n * n * n, "matrix could not be factored",
                    [&](int64_t i) { return n == 0 || kernels::lu(n, r.in<T>(0) + i * n * n, r.out<T>(0) + i * n * n, r.out<int32_t>(1) + i * n); });
      });
    },
    .specimens = "f64[3,3] | f32[2,2] | f64[2,1,4,4] | f32[0,3,3] | f32[0,0] | f64[5,2,2] | f32[1,1]",
};

// Narrow floats and integers through float32, and the results back where they were floats.
Tensor widened(Tensor x) { return is_half(x.dtype()) ? cast(std::move(x), float32) : to_float(std::move(x)); }
DType result_type(DType t) noexcept { return is_float(t) ? t : float32; }
Tensors narrowed(Tensors ys, DType t) {
  for (Tensor& y : ys)
    if (is_float(y.dtype())) y = cast(std::move(y), result_type(t));
  return ys;
}

}  // namespace

}  // namespace tenure::ops

namespace tenure {

using namespace ops;

Tensor cholesky(Tensor x, bool upper) {
  const DType t = x.dtype();
  Tensor y = cast(apply(cholesky_op, widened(std::move(x))), result_type(t));
  return upper ? transposed(std::move(y)) : y;
}
Tensor det(Tensor x) {
  const DType t = x.dtype();
  return cast(apply(det_op, widened(std::move(x))), result_type(t));
}
Tensors slogdet(Tensor x) {
  const DType t = x.dtype();
  Tensor in[] = {widened(std::move(x))};
  return narrowed(apply_all(slogdet_op, in), t);
}

namespace {
// b of a's batch, one column where it is a vector.
Tensor solved(const Op& op, Flags flags, Tensor a, Tensor b) {
  promote_pair(a, b);
  const DType t = result_type(a.dtype());
  a = widened(std::move(a));
  b = widened(std::move(b));
  const bool vector = b.rank() == a.rank() - 1;
  if (vector) b = expand_dims(std::move(b), -1);
  Tensor y = cast(apply_with(op, flags, std::move(a), std::move(b)), t);
  return vector ? squeeze(std::move(y), {-1}) : y;
}
}  // namespace

Tensor solve(Tensor a, Tensor b) { return solved(solve_op, {}, std::move(a), std::move(b)); }
Tensor solve_triangular(Tensor a, Tensor b, bool lower) { return solved(triangular_op, {lower, false}, std::move(a), std::move(b)); }

Tensors qr(Tensor x, std::string_view mode) {
  check(mode == "reduced" || mode == "complete", Code::InvalidArgument, "qr: expected mode reduced or complete, got '{}'", mode);
  const DType t = x.dtype();
  return narrowed(apply_all_with(qr_op, Full{mode == "complete"}, widened(std::move(x))), t);
}
Tensors svd(Tensor x, bool full_matrices, bool compute_uv) {
  const DType t = x.dtype();
  return narrowed(apply_all_with(svd_op, SvdAttrs{full_matrices, compute_uv}, widened(std::move(x))), t);
}
Tensors eigh(Tensor x) {
  const DType t = x.dtype();
  Tensor in[] = {widened(std::move(x))};
  return narrowed(apply_all(eigh_op, in), t);
}
Tensors eig(Tensor x) {
  const DType t = x.dtype();
  Tensor in[] = {widened(std::move(x))};
  return narrowed(apply_all(eig_op, in), t);
}
Tensors lu_factor(Tensor x) {
  const DType t = x.dtype();
  Tensor in[] = {widened(std::move(x))};
  return narrowed(apply_all(lu_op, in), t);
}

void register_decompose(Registry& r) {
  for (const Op* op : {&cholesky_op, &solve_op, &triangular_op, &det_op, &slogdet_op, &qr_op, &eigh_op, &eig_op, &svd_op, &lu_op}) r.add(*op);
}

}  // namespace tenure

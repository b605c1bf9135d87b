// keras.ops.linalg. One row an op; nothing here owns anything.
#include <algorithm>
#include <array>
#include <limits>

#include <tenure/ops_linalg.h>

#include "io/op_rows.h"

namespace tenure::io {

namespace {

template <Tensor (*F)(Tensor, bool)>
Tensors upper_or_lower(Args a) {
  Tensor x = a.tensor(0, "x");
  return {F(std::move(x), a.flag(1, "upper"))};
}
template <Tensors (*F)(Tensor)>
Tensors several(Args a) {
  return F(a.tensor(0, "x"));
}
Tensors solve_op(Args a) {
  Tensor x = a.tensor(0, "a");
  return {solve(std::move(x), a.tensor(1, "b"))};
}
Tensors solve_triangular_op(Args a) {
  Tensor x = a.tensor(0, "a"), b = a.tensor(1, "b");
  return {solve_triangular(std::move(x), std::move(b), a.flag(2, "lower"))};
}
Tensors qr_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return qr(std::move(x), a.text(1, "mode", "reduced"));
}
Tensors svd_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const bool full = a.flag(1, "full_matrices", true);
  return svd(std::move(x), full, a.flag(2, "compute_uv", true));
}
Tensors pinv_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {pinv(std::move(x), a.maybe_number(1, "rcond"))};
}
Tensors lstsq_op(Args a) {
  Tensor x = a.tensor(0, "a"), b = a.tensor(1, "b");
  return {lstsq(std::move(x), std::move(b), a.maybe_number(2, "rcond"))};
}
Tensors matrix_rank_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {matrix_rank(std::move(x), a.maybe_number(1, "tol"))};
}
Tensors norm_op(Args a) {
  Tensor x = a.tensor(0, "x");
  const Json& ord = a.value(1, "ord");
  const Axes axes = a.axes(2, "axis");
  const bool keepdims = a.flag(3, "keepdims");
  if (ord.is_string()) return {norm(std::move(x), std::string_view(ord.get_ref<const std::string&>()), axes, keepdims)};
  return {norm(std::move(x), a.maybe_number(1, "ord"), axes, keepdims)};
}
Tensors cdist_op(Args a) {
  Tensor x = a.tensor(0, "x");
  return {cdist(std::move(x), a.tensor(1, "y"))};
}

constexpr std::array linalg_table = std::to_array<OpRow>({
    {"CDist", cdist_op},
    {"Cholesky", upper_or_lower<cholesky>},
    {"CholeskyInverse", upper_or_lower<cholesky_inverse>},
    {"Det", one<det>},
    {"Eig", several<eig>, OpRow::complex},
    {"Eigh", several<eigh>},
    {"Inv", one<inv>},
    {"Logdet", one<logdet>},
    {"Lstsq", lstsq_op},
    {"LuFactor", several<lu_factor>},
    {"MatrixRank", matrix_rank_op},
    {"Norm", norm_op},
    {"Pinv", pinv_op},
    {"Qr", qr_op},
    {"SVD", svd_op},
    {"Slogdet", several<slogdet>},
    {"Solve", solve_op},
    {"SolveTriangular", solve_triangular_op},
});
static_assert(std::is_sorted(linalg_table.begin(), linalg_table.end(), [](const OpRow& a, const OpRow& b) { return a.name < b.name; }));

}  // namespace

std::span<const OpRow> linalg_rows() { return linalg_table; }

}  // namespace tenure::io

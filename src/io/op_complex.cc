// Ops of complex numbers. One row an op; nothing here owns anything.
#include "io/op_complex.h"

#include <algorithm>
#include <array>

#include <tenure/ops_numpy.h>

#include "io/op_rows.h"

namespace tenure::io {

namespace {

using ops::Complex;

Tensors pairs(Tensor re, Tensor im) { return {Complex(std::move(re), std::move(im)).pairs()}; }
Complex x_of(Args a) { return a.complex(0, "x"); }
Tensor size_of(const Complex& x) { return hypot(x.re, x.im); }
Tensor angle_of(const Complex& x) { return arctan2(x.im, x.re); }
Complex divided(const Complex& x, const Complex& y) {
  const Tensor n = y.squares();
  return {(x.re * y.re + x.im * y.im) / n, (x.im * y.re - x.re * y.im) / n};
}

Tensors real_part(Args a) { return {x_of(a).re}; }
Tensors imaginary_part(Args a) { return {x_of(a).im}; }
Tensors absolute(Args a) { return {size_of(x_of(a))}; }
Tensors phase(Args a) { return {angle_of(x_of(a))}; }
Tensors is_real(Args a) { return {equal(x_of(a).im, 0.0)}; }
Tensors as_pairs(Args a) { return {x_of(a).pairs()}; }
Tensors conjugate_of(Args a) {
  const Complex x = x_of(a);
  return pairs(x.re, negative(x.im));
}
Tensors square_of(Args a) {
  const Complex x = x_of(a);
  return {ops::times(x, x).pairs()};
}
Tensors reciprocal_of(Args a) {
  const Complex x = x_of(a);
  const Tensor n = x.squares();
  return pairs(x.re / n, negative(x.im / n));
}
Tensors exp_of(Args a) {
  const Complex x = x_of(a);
  return {ops::polar(exp(x.re), x.im).pairs()};
}
Tensors log_of(Args a) {
  const Complex x = x_of(a);
  return pairs(log(size_of(x)), angle_of(x));
}
// The root on the right; below the axis where x lies below.
Tensors sqrt_of(Args a) {
  const Complex x = x_of(a);
  return {ops::polar(sqrt(size_of(x)), 0.5 * angle_of(x)).pairs()};
}
Tensors sin_of(Args a) {
  const Complex x = x_of(a);
  return pairs(sin(x.re) * cosh(x.im), cos(x.re) * sinh(x.im));
}
Tensors cos_of(Args a) {
  const Complex x = x_of(a);
  return pairs(cos(x.re) * cosh(x.im), negative(sin(x.re) * sinh(x.im)));
}
Tensors sign_of(Args a) {
  const Complex x = x_of(a);
  const Tensor n = size_of(x), some = where(greater(n, 0.0), n, 1.0);
  return pairs(x.re / some, x.im / some);
}
Tensors ones_of(Args a) {
  const Complex x = x_of(a);
  return pairs(ones_like(x.re), zeros_like(x.im));
}
template <bool no_nan>
Tensors quotient(Args a) {
  const Complex x = a.complex(0, "x1"), y = a.complex(1, "x2");
  if constexpr (!no_nan) return {divided(x, y).pairs()};
  const Tensor none = equal(y.squares(), 0.0);
  const Complex z = divided(x, {where(none, 1.0, y.re), y.im});
  return pairs(where(none, 0.0, z.re), where(none, 0.0, z.im));
}
template <bool unequal>
Tensors likeness(Args a) {
  const Complex x = a.complex(0, "x1"), y = a.complex(1, "x2");
  if constexpr (unequal) return {logical_or(not_equal(x.re, y.re), not_equal(x.im, y.im))};
  return {logical_and(equal(x.re, y.re), equal(x.im, y.im))};
}

// How the real op is put together to the complex one.
enum class How : uint8_t {
  parts,    // applied to the real and to the imaginary part of what is complex; the rest are places, shapes and factors
  sum,      // the same, and what is real has an imaginary part of 0
  product,  // linear in each of two operands
  own,      // `run` makes pairs
  real,     // `run` makes real numbers
};
struct ComplexRow {
  std::string_view name;
  How how;
  Tensors (*run)(OpArguments&) = nullptr;
};

constexpr std::array complex_table = std::to_array<ComplexRow>({
    {"Abs", How::real, absolute},
    {"Absolute", How::real, absolute},
    {"Add", How::sum},
    {"Angle", How::real, phase},
    {"BroadcastTo", How::parts},
    {"Concatenate", How::sum},
    {"Conj", How::own, conjugate_of},
    {"Conjugate", How::own, conjugate_of},
    {"Copy", How::parts},
    {"Cos", How::own, cos_of},
    {"Cumsum", How::parts},
    {"Diag", How::parts},
    {"Diagonal", How::parts},
    {"Divide", How::own, quotient<false>},
    {"DivideNoNan", How::own, quotient<true>},
    {"Dot", How::product},
    {"Einsum", How::product},
    {"Equal", How::real, likeness<false>},
    {"Exp", How::own, exp_of},
    {"ExpandDims", How::parts},
    {"Fabs", How::real, absolute},
    {"Flip", How::parts},
    {"GetItem", How::parts},
    {"Imag", How::real, imaginary_part},
    {"Inner", How::product},
    {"Isreal", How::real, is_real},
    {"Kron", How::product},
    {"Log", How::own, log_of},
    {"Matmul", How::product},
    {"Mean", How::parts},
    {"Moveaxis", How::parts},
    {"Multiply", How::product},
    {"Negative", How::parts},
    {"NotEqual", How::real, likeness<true>},
    {"OnesLike", How::own, ones_of},
    {"Outer", How::product},
    {"Pad", How::parts},
    {"Ravel", How::parts},
    {"Real", How::real, real_part},
    {"Reciprocal", How::own, reciprocal_of},
    {"Repeat", How::parts},
    {"Reshape", How::parts},
    {"Roll", How::parts},
    {"Rot90", How::parts},
    {"Sign", How::own, sign_of},
    {"Sin", How::own, sin_of},
    {"Slice", How::parts},
    {"Split", How::parts},
    {"Sqrt", How::own, sqrt_of},
    {"Square", How::own, square_of},
    {"Squeeze", How::parts},
    {"Stack", How::sum},
    {"StopGradient", How::parts},
    {"Subtract", How::sum},
    {"Sum", How::parts},
    {"Swapaxes", How::parts},
    {"Take", How::parts},
    {"TakeAlongAxis", How::parts},
    {"Tensordot", How::product},
    {"Tile", How::parts},
    {"Trace", How::parts},
    {"Transpose", How::parts},
    {"Tril", How::parts},
    {"Triu", How::parts},
    {"TrueDivide", How::own, quotient<false>},
    {"Unstack", How::parts},
    {"ViewAsReal", How::real, as_pairs},
    {"Where", How::sum},
    {"ZerosLike", How::parts},
});
static_assert(std::is_sorted(complex_table.begin(), complex_table.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));

const ComplexRow* find_complex(const std::string& op) { return find_row(std::span(complex_table), op); }

}  // namespace

bool complex_of_complex(const std::string& op) {
  const ComplexRow* row = find_complex(op);
  return !row || row->how != How::real;
}

Tensors run_complex(const OpRow& row, const OpCall& c, const Tensors& inputs, const std::set<size_t>& complex) {
  const ComplexRow* how = find_complex(c.op);
  check(how != nullptr, Code::Unsupported, "{}: expected real numbers, got complex ones", c.op);
  check(*complex.rbegin() < inputs.size(), Code::Unsupported, "{}: expected {} inputs, complex is number {}", c.op, inputs.size(), *complex.rbegin());
  auto run = [&](Tensors (*op)(OpArguments&), const ComplexParts* parts) {
    OpArguments a(c, inputs, nullptr, parts);
    Tensors ys = op(a);
    a.finish();
    return ys;
  };
  if (how->run) return run(how->run, nullptr);
  // `second`: the part of the second of two complex operands.
  auto part = [&](int first, int second, bool real_is_zero) {
    ComplexParts parts{std::vector<int>(inputs.size(), -1), real_is_zero};
    for (size_t i : complex) parts.part[i] = i == *complex.begin() ? first : second;
    return run(row.run, &parts);
  };
  Tensors re, im;
  if (how->how == How::product && complex.size() > 1) {
    check(complex.size() == 2, Code::Unsupported, "{} of {} complex operands", c.op, complex.size());
    re = {subtract(part(0, 0, false)[0], part(1, 1, false)[0])};
    im = {add(part(0, 1, false)[0], part(1, 0, false)[0])};
  } else {
    re = part(0, 0, false);
    im = part(1, 1, how->how == How::sum);
  }
  Tensors ys;
  for (size_t i = 0; i < re.size(); ++i) ys.push_back(Complex(re[i], im[i]).pairs());
  return ys;
}

}  // namespace tenure::io

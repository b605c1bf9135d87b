// Ops of complex numbers. One row an op; nothing here owns anything.
#include "io/op_complex.h"

#include <algorithm>
#include <array>

#include <tenure/ops_numpy.h>

#include "base/check.h"

namespace tenure::io {

namespace {

struct ComplexValue {
  Tensor re, im;  // stack-bound

  ComplexValue(Tensor r, Tensor i) : re(std::move(r)), im(std::move(i)) {}
  ComplexValue(std::pair<Tensor, Tensor> p) : re(std::move(p.first)), im(std::move(p.second)) {}
  Tensor squares() const { return square(re) + square(im); }
  Tensor size() const { return hypot(re, im); }
  Tensor angle() const { return arctan2(im, re); }
};

using Args = OpArguments&;

Tensors pairs(Tensor re, Tensor im) { return {stack({std::move(re), std::move(im)}, -1)}; }
Tensors pairs(ComplexValue x) { return pairs(std::move(x.re), std::move(x.im)); }
ComplexValue x_of(Args a) { return a.complex(0, "x"); }

ComplexValue divided(const ComplexValue& x, const ComplexValue& y) {
  const Tensor n = y.squares();
  return {(x.re * y.re + x.im * y.im) / n, (x.im * y.re - x.re * y.im) / n};
}
ComplexValue of_polar(const Tensor& size, const Tensor& angle) { return {size * cos(angle), size * sin(angle)}; }

Tensors real_part(Args a) { return {x_of(a).re}; }
Tensors imaginary_part(Args a) { return {x_of(a).im}; }
Tensors size_of_complex(Args a) { return {x_of(a).size()}; }
Tensors angle_of(Args a) { return {x_of(a).angle()}; }
Tensors is_real(Args a) { return {equal(x_of(a).im, 0.0)}; }
Tensors as_pairs(Args a) { return pairs(x_of(a)); }
Tensors conjugate_of(Args a) {
  ComplexValue x = x_of(a);
  return pairs(std::move(x.re), negative(std::move(x.im)));
}
Tensors square_of(Args a) {
  const ComplexValue x = x_of(a);
  return pairs(square(x.re) - square(x.im), 2.0 * x.re * x.im);
}
Tensors reciprocal_of(Args a) {
  const ComplexValue x = x_of(a);
  const Tensor n = x.squares();
  return pairs(x.re / n, negative(x.im / n));
}
Tensors exp_of(Args a) {
  const ComplexValue x = x_of(a);
  return pairs(of_polar(exp(x.re), x.im));
}
Tensors log_of(Args a) {
  const ComplexValue x = x_of(a);
  return pairs(log(x.size()), x.angle());
}
// The root on the right; below the axis where x lies below.
Tensors sqrt_of(Args a) {
  const ComplexValue x = x_of(a);
  return pairs(of_polar(sqrt(x.size()), 0.5 * x.angle()));
}
Tensors sin_of(Args a) {
  const ComplexValue x = x_of(a);
  return pairs(sin(x.re) * cosh(x.im), cos(x.re) * sinh(x.im));
}
Tensors cos_of(Args a) {
  const ComplexValue x = x_of(a);
  return pairs(cos(x.re) * cosh(x.im), negative(sin(x.re) * sinh(x.im)));
}
Tensors sign_of(Args a) {
  const ComplexValue x = x_of(a);
  const Tensor n = x.size(), some = where(greater(n, 0.0), n, 1.0);
  return pairs(x.re / some, x.im / some);
}
Tensors ones_of(Args a) {
  const ComplexValue x = x_of(a);
  return pairs(ones_like(x.re), zeros_like(x.im));
}
template <bool no_nan>
Tensors quotient(Args a) {
  const ComplexValue x = a.complex(0, "x1"), y = a.complex(1, "x2");
  if constexpr (!no_nan) return pairs(divided(x, y));
  const Tensor none = equal(y.squares(), 0.0);
  const ComplexValue z = divided(x, {where(none, 1.0, y.re), y.im});
  return pairs(where(none, 0.0, z.re), where(none, 0.0, z.im));
}
template <bool unequal>
Tensors likeness(Args a) {
  const ComplexValue x = a.complex(0, "x1"), y = a.complex(1, "x2");
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
    {"Abs", How::real, size_of_complex},
    {"Absolute", How::real, size_of_complex},
    {"Add", How::sum},
    {"Angle", How::real, angle_of},
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
    {"Fabs", How::real, size_of_complex},
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

const ComplexRow* find_complex(const std::string& op) {
  const auto it =
      std::lower_bound(complex_table.begin(), complex_table.end(), op, [](const auto& r, const std::string& name) { return r.name < name; });
  return it != complex_table.end() && it->name == op ? &*it : nullptr;
}

}  // namespace

bool complex_of_complex(const std::string& op) {
  const ComplexRow* row = find_complex(op);
  return !row || row->how != How::real;
}

Tensors run_complex(const OpRow& row, const OpCall& c, const Tensors& inputs, const std::set<size_t>& complex) {
  const ComplexRow* how = find_complex(c.op);
  check(how != nullptr, Code::Unsupported, "{}: expected real numbers, got complex ones", c.op);
  if (how->run) {
    OpArguments a(c.op, c.args, c.kwargs, c.config, inputs, nullptr);
    Tensors ys = how->run(a);
    a.finish();
    return ys;
  }
  // `second`: the part of the second of two complex operands.
  auto part = [&](int first, int second, bool real_is_zero) {
    ComplexParts parts{std::vector<int>(inputs.size(), -1), real_is_zero};
    for (size_t i : complex) parts.part.at(i) = i == *complex.begin() ? first : second;
    OpArguments a(c.op, c.args, c.kwargs, c.config, inputs, nullptr, &parts);
    Tensors ys = row.run(a);
    a.finish();
    return ys;
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
  for (size_t i = 0; i < re.size(); ++i) ys.push_back(stack({re[i], im[i]}, -1));
  return ys;
}

}  // namespace tenure::io

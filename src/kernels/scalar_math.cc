// Functions of one double. See scalar.h.
#include "kernels/scalar.h"

#include <cmath>

namespace tenure::kernels::scalar {
namespace {

constexpr double selu_scale = 1.0507009873554805, selu_alpha = 1.6732632423543772, pi = 3.14159265358979323846;

double sigmoid(double x) noexcept {
  const double e = std::exp(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}
double softplus(double x) noexcept { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::fabs(x))); }
double hard_sigmoid(double x) noexcept { return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6; }
double gelu_inner(double x) noexcept { return std::sqrt(2 / pi) * x * (1 + 0.044715 * x * x); }

template <class F>
void map(const double* x, double* y, int64_t n, F f) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}
template <class F>
void map2(const double* a, const double* b, double* y, int64_t n, F f) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
}

}  // namespace

double unary(Unary op, double x, double alpha) noexcept {
  switch (op) {
    case Unary::identity: return x;
    case Unary::neg: return -x;
    case Unary::abs: return std::fabs(x);
    case Unary::square: return x * x;
    case Unary::sqrt: return std::sqrt(x);
    case Unary::rsqrt: return 1 / std::sqrt(x);
    case Unary::reciprocal: return 1 / x;
    case Unary::exp: return std::exp(x);
    case Unary::expm1: return std::expm1(x);
    case Unary::log: return std::log(x);
    case Unary::log1p: return std::log1p(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::sigmoid: return sigmoid(x);
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    case Unary::erf: return std::erf(x);
    case Unary::relu: return x < 0 ? 0 : x;
    case Unary::relu6: return x < 0 ? 0 : x > 6 ? 6 : x;
    case Unary::leaky_relu: return x < 0 ? alpha * x : x;
    case Unary::elu: return x < 0 ? alpha * std::expm1(x) : x;
    case Unary::selu: return selu_scale * (x < 0 ? selu_alpha * std::expm1(x) : x);
    case Unary::softplus: return softplus(x);
    case Unary::softsign: return x / (1 + std::fabs(x));
    case Unary::silu: return x * sigmoid(x);
    case Unary::gelu: return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5)));
    case Unary::gelu_tanh: return 0.5 * x * (1 + std::tanh(gelu_inner(x)));
    case Unary::hard_sigmoid: return hard_sigmoid(x);
    case Unary::hard_silu: return x * hard_sigmoid(x);
    case Unary::mish: return x * std::tanh(softplus(x));
    case Unary::log_sigmoid: return -softplus(-x);
    case Unary::floor: return std::floor(x);
    case Unary::ceil: return std::ceil(x);
    case Unary::round: return std::nearbyint(x);
    case Unary::sign: return x > 0 ? 1 : x < 0 ? -1 : x;
  }
  return x;
}

void unary(Unary op, const double* x, double* y, int64_t n, double alpha) noexcept {
  switch (op) {  // those that the compiler can vectorize
    case Unary::neg: return map(x, y, n, [](double v) { return -v; });
    case Unary::abs: return map(x, y, n, [](double v) { return std::fabs(v); });
    case Unary::square: return map(x, y, n, [](double v) { return v * v; });
    case Unary::sqrt: return map(x, y, n, [](double v) { return std::sqrt(v); });
    case Unary::relu: return map(x, y, n, [](double v) { return v < 0 ? 0 : v; });
    default: return map(x, y, n, [=](double v) { return unary(op, v, alpha); });
  }
}

/// op'(.) at its output or input, as grad_takes_output says.
static double derivative(Unary op, double r, double alpha) noexcept {
  switch (op) {
    case Unary::identity: return 1;
    case Unary::neg: return -1;
    case Unary::abs: return r > 0 ? 1 : r < 0 ? -1 : 0;
    case Unary::square: return 2 * r;
    case Unary::sqrt: return 0.5 / r;
    case Unary::rsqrt: return -0.5 * r * r * r;
    case Unary::reciprocal: return -r * r;
    case Unary::exp: return r;
    case Unary::expm1: return r + 1;
    case Unary::log: return 1 / r;
    case Unary::log1p: return 1 / (1 + r);
    case Unary::tanh: return 1 - r * r;
    case Unary::sigmoid: return r * (1 - r);
    case Unary::sin: return std::cos(r);
    case Unary::cos: return -std::sin(r);
    case Unary::erf: return 2 / std::sqrt(pi) * std::exp(-r * r);
    case Unary::relu: return r > 0 ? 1 : 0;
    case Unary::relu6: return r > 0 && r < 6 ? 1 : 0;
    case Unary::leaky_relu: return r > 0 ? 1 : alpha;
    case Unary::elu: return r > 0 ? 1 : r + alpha;
    case Unary::selu: return r > 0 ? selu_scale : r + selu_scale * selu_alpha;
    case Unary::softplus: return sigmoid(r);
    case Unary::softsign: return 1 / ((1 + std::fabs(r)) * (1 + std::fabs(r)));
    case Unary::silu: return sigmoid(r) * (1 + r * (1 - sigmoid(r)));
    case Unary::gelu: return 0.5 * (1 + std::erf(r * std::sqrt(0.5))) + r * std::exp(-0.5 * r * r) / std::sqrt(2 * pi);
    case Unary::gelu_tanh: {
      const double t = std::tanh(gelu_inner(r)), u = std::sqrt(2 / pi) * (1 + 3 * 0.044715 * r * r);
      return 0.5 * (1 + t) + 0.5 * r * (1 - t * t) * u;
    }
    case Unary::hard_sigmoid: return r > -3 && r < 3 ? 1.0 / 6 : 0;
    case Unary::hard_silu: return r <= -3 ? 0 : r >= 3 ? 1 : (2 * r + 3) / 6;
    case Unary::mish: {
      const double t = std::tanh(softplus(r));
      return t + r * (1 - t * t) * sigmoid(r);
    }
    case Unary::log_sigmoid: return sigmoid(-r);
    case Unary::floor:
    case Unary::ceil:
    case Unary::round:
    case Unary::sign: return 0;
  }
  return 0;
}

void unary_grad(Unary op, const double* dy, const double* ref, double* dx, int64_t n, double alpha) noexcept {
  switch (op) {
    case Unary::relu: return map2(dy, ref, dx, n, [](double g, double r) { return r > 0 ? g : 0; });
    case Unary::relu6: return map2(dy, ref, dx, n, [](double g, double r) { return r > 0 && r < 6 ? g : 0; });
    case Unary::floor:
    case Unary::ceil:
    case Unary::round:
    case Unary::sign: return map(dy, dx, n, [](double) { return 0.0; });
    default: return map2(dy, ref, dx, n, [=](double g, double r) { return g * derivative(op, r, alpha); });
  }
}

}  // namespace tenure::kernels::scalar

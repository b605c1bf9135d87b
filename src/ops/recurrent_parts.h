// The pieces of the recurrence that its op and its gradient share. Nothing here owns anything.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/parallel.h"
#include "ops/helpers.h"
#include "ops/recurrent.h"

namespace tenure::ops {

enum class Cell : uint8_t { simple, lstm, gru };
enum class Curve : uint8_t { linear, tanh, sigmoid, hard_sigmoid, relu };

inline Cell cell_of(const RecurrentAttrs& a) noexcept { return a.cell == "lstm" ? Cell::lstm : a.cell == "gru" ? Cell::gru : Cell::simple; }
inline int64_t gates_of(Cell c) noexcept { return c == Cell::lstm ? 4 : c == Cell::gru ? 3 : 1; }
inline int outputs_of(Cell c) noexcept { return c == Cell::simple ? 1 : 3; }

inline Curve curve_of(std::string_view name) noexcept {
  return name == "tanh"           ? Curve::tanh
         : name == "sigmoid"      ? Curve::sigmoid
         : name == "hard_sigmoid" ? Curve::hard_sigmoid
         : name == "relu"         ? Curve::relu
                                  : Curve::linear;
}

template <class T>
inline void apply_curve(Curve c, T* x, int64_t n) noexcept {
  switch (c) {
    case Curve::linear: return;
    case Curve::tanh: return kernels::tanh(x, x, n);
    case Curve::sigmoid: return kernels::sigmoid(x, x, n);
    case Curve::hard_sigmoid: return kernels::unary(kernels::Unary::hard_sigmoid, x, x, n);
    case Curve::relu: return kernels::relu(x, x, n);
  }
}
/// The derivative by the value.
template <class T>
T slope(Curve c, T y) noexcept {
  switch (c) {
    case Curve::linear: return 1;
    case Curve::tanh: return 1 - y * y;
    case Curve::sigmoid: return y * (1 - y);
    case Curve::hard_sigmoid: return y > 0 && y < 1 ? static_cast<T>(1.0 / 6) : 0;
    case Curve::relu: return y > 0 ? 1 : 0;
  }
  return 0;
}

// ---- sizes --------------------------------------------------------------------------------------------------------------------

struct Sizes {
  Cell cell;
  int64_t steps, batch, units, gates;
  int64_t state() const noexcept { return batch * units; }
  int64_t step() const noexcept { return batch * gates * units; }
  bool empty() const noexcept { return steps * batch * units == 0; }
};
inline Sizes sizes_of(const RecurrentAttrs& a, const Shape& z, const Shape& kernel) noexcept {
  const Cell c = cell_of(a);
  return {c, z[0], z[1], kernel[0], gates_of(c)};
}

inline bool agrees(const Shape& s, std::initializer_list<int64_t> want) noexcept {
  if (s.rank() != static_cast<int>(want.size())) return false;
  int i = 0;
  for (int64_t w : want) {
    if (s[i] >= 0 && w >= 0 && s[i] != w) return false;
    ++i;
  }
  return true;
}

inline void check_attrs(const Infer& c, const RecurrentAttrs& a) {
  check(a.cell == "simple_rnn" || a.cell == "lstm" || a.cell == "gru", Code::InvalidArgument, "{}: expected simple_rnn, lstm or gru, got '{}'",
        c.op().name, a.cell);
  for (const std::string& name : {a.activation, a.recurrent_activation})
    check(recurrent_activation(name), Code::InvalidArgument, "{}: expected tanh, sigmoid, hard_sigmoid, relu or linear, got '{}'", c.op().name, name);
}

constexpr size_t kAlign = 64;
inline size_t rounded(size_t bytes) noexcept { return (bytes + kAlign - 1) / kAlign * kAlign; }

constexpr int64_t kWork = 4096;  // elements of a piece
template <class F>
inline void each_row(const Sizes& s, F&& f) noexcept {
  parallel_for(s.batch, std::max<int64_t>(1, kWork / std::max<int64_t>(1, s.gates * s.units)), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) f(b);
  });
}

struct Curves {
  Curve own, gate;
};

/// The gradient of the op `recurrent`, for its block.
Tensors recurrent_grad(const Grad& g);
extern const Op recurrent_grad_op;

}  // namespace tenure::ops

// Merging layers: several tensors into one; none has weights.
#include <algorithm>

#include "nn/families.h"

namespace tenure {
namespace layers {

namespace {

// Inputs of a lower rank get dimensions of 1 behind the batch, as in Keras.
void align(Tensors& xs, const std::string& layer, size_t least, size_t most = SIZE_MAX) {
  check(xs.size() >= least && xs.size() <= most, Code::InvalidArgument, "{}: expected {}{} inputs, got {}", layer, least == most ? "" : "at least ",
        least, xs.size());
  int rank = 0;
  for (const Tensor& x : xs) rank = std::max(rank, x.rank());
  for (Tensor& x : xs)
    while (x.rank() < rank) {
      int at = std::min(1, x.rank());
      x = expand_dims(std::move(x), at);
    }
}

Tensor fold(Tensors xs, Tensor (*f)(Tensor, Tensor)) {
  Tensor y = std::move(xs[0]);
  for (size_t i = 1; i < xs.size(); ++i) y = f(std::move(y), std::move(xs[i]));
  return y;
}
Tensors one(Tensor t) {
  Tensors out;
  out.push_back(std::move(t));
  return out;
}

// What counts in one of them, if all have masks.
Tensors any_mask(const Tensors& masks) {
  Tensor y;
  for (const Tensor& m : masks) {
    if (!m.defined()) return {};
    y = y.defined() ? logical_or(std::move(y), m) : m;
  }
  return y.defined() ? one(std::move(y)) : Tensors{};
}

// One merging layer of aggregate C: every input in turn by `f`.
template <class C, Tensor (*f)(Tensor, Tensor)>
class Folded : public LayerOf<C> {
 public:
  using LayerOf<C>::LayerOf;
  bool supports_masking() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors& masks) override { return any_mask(masks); }
  Tensors call_all(Tensors xs, const Call&) override {
    align(xs, this->name(), 2);
    return one(fold(std::move(xs), f));
  }
};

}  // namespace

// ---- Add ------------------------------------------------------------------------------------------------------------------------

void fields(Fields&, Add&) {}
Add::operator Layer() const { return make_layer<Folded<Add, add>>(*this); }
Outputs Add::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Subtract -------------------------------------------------------------------------------------------------------------------

void fields(Fields&, Subtract&) {}

class SubtractLayer final : public LayerOf<Subtract> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors& masks) override { return any_mask(masks); }
  Tensors call_all(Tensors xs, const Call&) override {
    align(xs, name(), 2, 2);
    return one(subtract(std::move(xs[0]), std::move(xs[1])));
  }
};
Subtract::operator Layer() const { return make_layer<SubtractLayer>(*this); }
Outputs Subtract::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Multiply -------------------------------------------------------------------------------------------------------------------

void fields(Fields&, Multiply&) {}
Multiply::operator Layer() const { return make_layer<Folded<Multiply, multiply>>(*this); }
Outputs Multiply::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Average --------------------------------------------------------------------------------------------------------------------

void fields(Fields&, Average&) {}

class AverageLayer final : public LayerOf<Average> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  Tensors compute_mask(const Tensors&, const Tensors& masks) override { return any_mask(masks); }
  Tensors call_all(Tensors xs, const Call&) override {
    align(xs, name(), 2);
    auto n = static_cast<double>(xs.size());
    return one(divide(fold(std::move(xs), add), n));
  }
};
Average::operator Layer() const { return make_layer<AverageLayer>(*this); }
Outputs Average::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Maximum, Minimum -----------------------------------------------------------------------------------------------------------

// Where a mask leaves an input out, the others decide; there is no number that never wins.
template <class C, Tensor (*f)(Tensor, Tensor)>
class Extreme final : public Folded<C, f> {
 public:
  using Folded<C, f>::Folded;
  Tensors call_all(Tensors xs, const Call&) override {
    align(xs, this->name(), 2);
    Tensor y = xs[0], counted = wide_mask(xs[0]);
    for (size_t i = 1; i < xs.size(); ++i) {
      Tensor x = xs[i], mask = wide_mask(x);
      if (mask.defined()) x = where(mask, std::move(x), y);
      if (counted.defined()) y = where(counted, std::move(y), x);
      counted = counted.defined() && mask.defined() ? logical_or(std::move(counted), std::move(mask)) : Tensor();
      y = f(std::move(y), std::move(x));
    }
    return one(std::move(y));
  }

 private:
  static Tensor wide_mask(const Tensor& x) {
    Tensor mask = mask_of(x);
    return mask.defined() ? expand_dims(std::move(mask), -1) : mask;
  }
};

void fields(Fields&, Maximum&) {}
Maximum::operator Layer() const { return make_layer<Extreme<Maximum, maximum>>(*this); }
Outputs Maximum::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

void fields(Fields&, Minimum&) {}
Minimum::operator Layer() const { return make_layer<Extreme<Minimum, minimum>>(*this); }
Outputs Minimum::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Dot ------------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Dot& c) { v("axes", c.axes), v("normalize", c.normalize); }

class DotLayer final : public LayerOf<Dot> {
 public:
  explicit DotLayer(const Dot& c) : LayerOf(c) {
    const size_t n = c.axes.axes.size();
    check(c.axes.one ? n == 1 : n == 2, Code::InvalidArgument, "Dot: expected one axis or two, got {}", n);
  }
  Tensors call_all(Tensors xs, const Call&) override {
    check(xs.size() == 2, Code::InvalidArgument, "{}: expected exactly 2 inputs, got {}", name(), xs.size());
    DType t = promote(xs[0].dtype(), xs[1].dtype());
    Factor a(*this, std::move(xs[0]), config.axes.axes.front(), t), b(*this, std::move(xs[1]), config.axes.axes.back(), t);
    check(a.n < 0 || b.n < 0 || a.n == b.n, Code::Shape, "{}: the summed axes have {} and {} elements", name(), a.n, b.n);
    Shape y{a.batch < 0 ? b.batch : a.batch};
    for (const Shape* s : {&a.kept, &b.kept})
      for (int64_t n : *s) y.push_back(n);
    if (y.rank() == 1) y.push_back(1);
    // With a size unknown behind the batch only the shape is asked for.
    if (!y.slice(1, y.rank()).known()) return one(make_abstract({y, t}));
    Tensor product = matmul(a.rows(), b.rows(), false, true);
    return one(product.shape() == y ? std::move(product) : reshape(std::move(product), y));
  }

 private:
  // An input with its summed axis at the end, as one matrix a sample. stack-bound
  struct Factor {
    Factor(const DotLayer& layer, Tensor input, int axis, DType t) : x(std::move(input)) {
      check(x.rank() >= 2, Code::Shape, "{}: expected inputs of rank 2 or more, got {}", layer.name(), x.spec());
      const int at = normalize_axis(axis, x.rank());
      check(at > 0, Code::InvalidArgument, "{}: axes cannot include the batch, 0", layer.name());
      if (x.dtype() != t) x = cast(std::move(x), t);
      // Keras: x * min(rsqrt(sum of squares), 1e7).
      if (layer.config.normalize) x = multiply(x, minimum(rsqrt(sum(square(x), {at}, true)), 1e7));
      batch = x.shape()[0], n = x.shape()[at];
      std::vector<int> order{0};
      for (int i = 1; i < x.rank(); ++i)
        if (i != at) order.push_back(i), kept.push_back(x.shape()[i]);
      order.push_back(at);
      if (at != x.rank() - 1) x = transpose(std::move(x), order);
    }
    Tensor rows() { return kept.rank() == 1 ? std::move(x) : reshape(std::move(x), {batch, kept.elements(), n}); }
    Tensor x;  // stack-bound
    int64_t batch = -1, n = -1;
    Shape kept;
  };
};
Dot::operator Layer() const { return make_layer<DotLayer>(*this); }
Outputs Dot::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Concatenate ----------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Concatenate& c) { v("axis", c.axis); }

class ConcatenateLayer final : public LayerOf<Concatenate> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  // Joined like the inputs, where a lower mask counts for all of the axes it lacks; a step counts if anything of it does.
  Tensors compute_mask(const Tensors& xs, const Tensors& masks) override {
    if (masks.empty()) return {};
    Tensors whole;
    for (size_t i = 0; i < xs.size(); ++i) {
      Tensor like = ones_like(cast(xs[i], bool_)), m = masks[i];
      while (m.defined() && m.rank() < xs[i].rank()) m = expand_dims(std::move(m), -1);
      whole.push_back(m.defined() ? logical_and(std::move(like), std::move(m)) : std::move(like));
    }
    return one(any(concatenate(whole, config.axis), {-1}));
  }
  Tensors call_all(Tensors xs, const Call&) override {
    check(!xs.empty(), Code::InvalidArgument, "{}: expected at least one input", name());
    DType t = xs[0].dtype();
    for (const Tensor& x : xs) t = promote(t, x.dtype());
    for (Tensor& x : xs)
      if (x.dtype() != t) x = cast(std::move(x), t);
    return one(concatenate(xs, config.axis));
  }
};
Concatenate::operator Layer() const { return make_layer<ConcatenateLayer>(*this); }
Outputs Concatenate::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_merge(LayerRegistry& r) {
  r.add<layers::Add>("Add");
  r.add<layers::Subtract>("Subtract");
  r.add<layers::Multiply>("Multiply");
  r.add<layers::Average>("Average");
  r.add<layers::Maximum>("Maximum");
  r.add<layers::Minimum>("Minimum");
  r.add<layers::Dot>("Dot");
  r.add<layers::Concatenate>("Concatenate");
}

}  // namespace tenure

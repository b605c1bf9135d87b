// Normalization without moving statistics, and the scalings of Keras' applications. Weights belong to the bodies; objects refer to them.
#include <algorithm>

#include "nn/preprocessing.h"

namespace tenure {
namespace layers {

namespace {

using nn::as;
using nn::widened;

// A weight as it is kept, whatever the layer computes in.
Tensor kept(const Weight& w, DType t) { return as(w.variable().value(), t); }

int64_t product(const Shape& s, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; ++i) n *= s[i];
  return n;
}

// Keras writes the list, also for one axis.
void visit_axes(Fields& v, AxisList& axis) {
  AxisList list(axis.axes);
  v("axis", list);
  axis = list;
}

}  // namespace

// ---- GroupNormalization -------------------------------------------------------------------------------------------------------

void fields(Fields& v, GroupNormalization& c) {
  v("groups", c.groups), v("axis", c.axis), v("epsilon", c.epsilon), v("center", c.center), v("scale", c.scale);
  v("beta_initializer", c.beta_initializer), v("gamma_initializer", c.gamma_initializer);
  v("beta_regularizer", c.beta_regularizer), v("gamma_regularizer", c.gamma_regularizer);
  v("beta_constraint", c.beta_constraint), v("gamma_constraint", c.gamma_constraint);
}

class GroupNormalizationLayer final : public LayerOf<GroupNormalization> {
 public:
  explicit GroupNormalizationLayer(const GroupNormalization& c) : LayerOf(c) {
    check(c.groups > 0 || c.groups == -1, Code::InvalidArgument, "GroupNormalization: expected groups > 0 or -1, got {}", c.groups);
  }
  void build(const Shape& in) override {
    const auto& c = config;
    axis_ = normalize_axis(c.axis, in.rank());
    const int64_t n = in[axis_];
    check(n > 0 && axis_ > 0, Code::Shape, "GroupNormalization: axis {} of {} must be known, positive and not the batch", c.axis, in);
    if (c.groups == -1) config.groups = n;  // as Keras writes it then
    check(n % c.groups == 0, Code::Shape, "GroupNormalization: {} channels are no multiple of {} groups", n, c.groups);
    if (c.scale) gamma_ = weight("gamma", {n}, c.gamma_initializer, {.regularizer = c.gamma_regularizer, .constraint = c.gamma_constraint});
    if (c.center) beta_ = weight("beta", {n}, c.beta_initializer, {.regularizer = c.beta_regularizer, .constraint = c.beta_constraint});
  }
  bool supports_masking() const override { return true; }
  bool autocast() const override { return false; }
  Tensor call(Tensor x, const Call&) override {
    const Shape shape = x.shape();
    // With a size unknown behind the batch only the shape is asked for.
    if (!shape.slice(1, shape.rank()).known()) return as(std::move(x), compute_dtype());
    const int64_t groups = config.groups, size = shape[axis_] / groups;
    x = reshape(widened(std::move(x)), {shape[0], product(shape, 1, axis_), groups, size, product(shape, axis_ + 1, shape.rank())});
    auto [mean, variance] = moments(x, {1, 3, 4}, true);
    Tensor factor = rsqrt(add(std::move(variance), config.epsilon));
    const Shape beside{1, 1, groups, size, 1};
    if (gamma_.defined()) factor = multiply(std::move(factor), reshape(kept(gamma_, x.dtype()), beside));
    Tensor y = multiply(subtract(std::move(x), std::move(mean)), std::move(factor));
    if (beta_.defined()) {
      Tensor beta = reshape(kept(beta_, y.dtype()), beside);
      y = add(std::move(y), std::move(beta));
    }
    return as(reshape(std::move(y), shape), compute_dtype());
  }

 private:
  int axis_ = -1;
  Weight gamma_, beta_;
};
GroupNormalization::operator Layer() const { return make_layer<GroupNormalizationLayer>(*this); }
Outputs GroupNormalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- RMSNormalization ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, RMSNormalization& c) {
  visit_axes(v, c.axis);
  v("epsilon", c.epsilon);
}

// The scale is not moved to the axes: as in Keras it meets the last ones.
class RMSNormalizationLayer final : public LayerOf<RMSNormalization> {
 public:
  using LayerOf::LayerOf;
  void build(const Shape& in) override {
    check(!config.axis.axes.empty(), Code::InvalidArgument, "RMSNormalization: expected at least one axis");
    std::sort(config.axis.axes.begin(), config.axis.axes.end());
    Shape s;
    for (int a : config.axis.axes) s.push_back(in[normalize_axis(a, in.rank())]);
    scale_ = weight("scale", s, "ones");
  }
  Tensor call(Tensor x, const Call&) override {
    const DType t = x.dtype();
    x = widened(std::move(x));
    Tensor factor = rsqrt(add(mean(square(x), config.axis.axes, true), config.epsilon));
    x = multiply(std::move(x), std::move(factor));
    Tensor scale = as(scale_.value(), x.dtype());
    return as(multiply(std::move(x), std::move(scale)), t);
  }

 private:
  Weight scale_;
};
RMSNormalization::operator Layer() const { return make_layer<RMSNormalizationLayer>(*this); }
Outputs RMSNormalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- UnitNormalization --------------------------------------------------------------------------------------------------------

void fields(Fields& v, UnitNormalization& c) { v("axis", c.axis); }

class UnitNormalizationLayer final : public LayerOf<UnitNormalization> {
 public:
  explicit UnitNormalizationLayer(const UnitNormalization& c) : LayerOf(c) {
    check(!c.axis.axes.empty(), Code::InvalidArgument, "UnitNormalization: expected at least one axis");
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override {
    Tensor factor = minimum(rsqrt(sum(square(x), config.axis.axes, true)), 1e12);
    return multiply(std::move(x), std::move(factor));
  }
};
UnitNormalization::operator Layer() const { return make_layer<UnitNormalizationLayer>(*this); }
Outputs UnitNormalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Normalization ------------------------------------------------------------------------------------------------------------

namespace {

void visit_numbers(Fields& v, const char* name, std::optional<NumberList>& n) {
  if (!v.present(name, n.has_value())) return n.reset();
  if (!n) n.emplace(0.0);
  v(name, *n);
}

}  // namespace

void fields(Fields& v, Normalization& c) {
  visit_axes(v, c.axis);
  v("invert", c.invert);
  visit_numbers(v, "mean", c.mean), visit_numbers(v, "variance", c.variance);
}

class NormalizationLayer final : public LayerOf<Normalization>, public nn::Adaptable {
 public:
  explicit NormalizationLayer(const Normalization& c) : LayerOf(c) {
    check(c.mean.has_value() == c.variance.has_value(), Code::InvalidArgument, "Normalization: expected mean and variance, or neither");
    check(!c.mean || (c.mean->one == c.variance->one && c.mean->numbers.size() == c.variance->numbers.size()), Code::InvalidArgument,
          "Normalization: expected as many means as variances");
    check(!c.mean || c.mean->one || !c.axis.axes.empty(), Code::InvalidArgument, "Normalization: a list of means needs an axis");
  }
  void build(const Shape& in) override {
    for (int a : config.axis.axes) axes_.push_back(normalize_axis(a, in.rank()));
    std::sort(axes_.begin(), axes_.end());
    Shape s;
    for (int a : axes_) {
      check(in[a] >= 0, Code::Shape, "Normalization: axis {} of {} must be known", a, in);
      s.push_back(in[a]);
    }
    if (config.mean) {
      if (config.mean->one) return;
      const auto n = static_cast<int64_t>(config.mean->numbers.size());
      check(n == s.back() || n == 1, Code::Shape, "Normalization: {} means for {} elements of the axis", n, s.back());
      return;
    }
    mean_ = weight("mean", s, "zeros", {.trainable = false});
    variance_ = weight("variance", s, "ones", {.trainable = false});
    weight("count", {}, "zeros", {.trainable = false, .dtype = int64});
  }
  void reset_state() override {
    check(!config.mean, Code::InvalidArgument, "adapt: {} was given mean and variance", name());
    learned_ = {};
  }
  bool takes_elements() const override { return true; }
  // Mean and variance of all so far, and how many values stand behind each.
  void update_state(const Tensor& batch, bool) override {
    check(batch.dtype() != DType::string && batch.size() > 0, Code::InvalidArgument, "adapt: {} expects numbers, got {}", name(), batch.spec());
    if (!built()) body().build({batch.shape()});
    const Shape& want = body().built_for().front();
    check(batch.rank() == want.rank(), Code::Shape, "adapt: {} was built for {}, got {}", name(), want, batch.spec());
    int64_t kept = 1;
    for (int a : axes_) {
      check(batch.shape()[a] == want[a], Code::Shape, "adapt: {} was built for {}, got {}", name(), want, batch.spec());
      kept *= want[a];
    }
    learned_.add(batch, axes_, static_cast<size_t>(kept));
  }
  void finalize_state() override {
    std::vector<float> mean(learned_.mean.begin(), learned_.mean.end()), variance;
    for (double m2 : learned_.squares) variance.push_back(static_cast<float>(m2 / static_cast<double>(learned_.count)));
    mean_.assign(Tensor::from(mean, mean_.shape()));
    variance_.assign(Tensor::from(variance, variance_.shape()));
    learned_ = {};
  }
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override {
    const DType t = compute_dtype();
    x = as(std::move(x), t);
    Tensor mean = beside(x.shape(), mean_, config.mean), deviation = maximum(sqrt(beside(x.shape(), variance_, config.variance)), 1e-7);
    if (config.invert) return add(multiply(std::move(x), std::move(deviation)), std::move(mean));
    return divide(subtract(std::move(x), std::move(mean)), std::move(deviation));
  }

 private:
  // Values along the kept axes, 1 elsewhere; a given list stands along the last kept one.
  Tensor beside(const Shape& x, const Weight& kept, const std::optional<NumberList>& given) const {
    Shape s;
    for (int i = 0; i < x.rank(); ++i) s.push_back(1);
    if (!given) {
      for (int a : axes_) s[a] = x[a];
      return reshape(kept.value(), s);
    }
    if (!given->one) s[axes_.back()] = static_cast<int64_t>(given->numbers.size());
    return as(Tensor::from(given->numbers, s), compute_dtype());
  }

  // Welford's sums in float64, one for each index of the kept axes.
  struct Learned {
    std::vector<double> mean, squares;
    int64_t count = 0;

    void add(const Tensor& x, const Axes& axes, size_t kept) {
      mean.resize(kept), squares.resize(kept);
      const Shape& s = x.shape();
      std::vector<int64_t> counts(kept, count);
      for (int64_t i = 0; i < x.size(); ++i) {
        int64_t at = 0, rest = i, step = 1;
        size_t a = axes.size();
        for (int axis = s.rank() - 1; axis >= 0; rest /= s[axis--])
          if (a > 0 && axes[a - 1] == axis) at += rest % s[axis] * step, step *= s[axis], --a;
        const auto k = static_cast<size_t>(at);
        const double v = x.at(i), away = v - mean[k];
        mean[k] += away / static_cast<double>(++counts[k]);
        squares[k] += away * (v - mean[k]);
      }
      count += x.size() / static_cast<int64_t>(kept);
    }
  };

  Axes axes_;
  Weight mean_, variance_;
  Learned learned_;
};
Normalization::operator Layer() const { return make_layer<NormalizationLayer>(*this); }
Outputs Normalization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- LayerScale ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, LayerScale& c) { v("init_values", c.init_values), v("projection_dim", c.projection_dim); }

class LayerScaleLayer final : public LayerOf<LayerScale> {
 public:
  explicit LayerScaleLayer(const LayerScale& c) : LayerOf(c) { nn::check_positive(c.projection_dim, "LayerScale", "projection_dim"); }
  void build(const Shape&) override { gamma_ = weight("variable", {config.projection_dim}, initializers::Constant{.value = config.init_values}); }
  Tensor call(Tensor x, const Call&) override { return multiply(std::move(x), gamma_); }

 private:
  Weight gamma_;
};
LayerScale::operator Layer() const { return make_layer<LayerScaleLayer>(*this); }
Outputs LayerScale::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- CustomScaleLayer ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, CustomScaleLayer& c) { v("scale", c.scale); }

class CustomScaleLayerLayer final : public LayerOf<CustomScaleLayer> {
 public:
  using LayerOf::LayerOf;
  Tensors call_all(Tensors xs, const Call&) override {
    check(xs.size() == 2, Code::InvalidArgument, "{}: expected exactly 2 inputs, got {}", name(), xs.size());
    Tensors y;
    y.push_back(add(std::move(xs[0]), multiply(std::move(xs[1]), config.scale)));
    return y;
  }
};
CustomScaleLayer::operator Layer() const { return make_layer<CustomScaleLayerLayer>(*this); }
Outputs CustomScaleLayer::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_normalization(LayerRegistry& r) {
  r.add<layers::GroupNormalization>("GroupNormalization");
  r.add<layers::RMSNormalization>("RMSNormalization");
  r.add<layers::UnitNormalization>("UnitNormalization");
  r.add<layers::Normalization>("Normalization");
  r.add<layers::LayerScale>("LayerScale");
  r.add<layers::CustomScaleLayer>("CustomScaleLayer");
}

}  // namespace tenure

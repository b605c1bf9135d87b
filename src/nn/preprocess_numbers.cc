// Numbers and indices as features: Discretization and CategoryEncoding; and adapt(). A layer keeps what it learned in its configuration.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <tenure/adapt.h>

#include "nn/preprocessing.h"
#include "ops/preprocess_ops.h"

namespace tenure {

// ---- shared -------------------------------------------------------------------------------------------------------------------

Tensor nn::encode_categories(Tensor x, std::string_view mode, int64_t depth, DType dtype, Tensor weights) {
  if (x.rank() == 0) x = reshape(std::move(x), {1});
  if (mode == "one_hot") {
    Shape s = x.shape();
    if (s.rank() > 1 && s.back() == 1) {
      s.erase(-1);
      x = s.known() || std::count(s.begin(), s.end(), -1) == 1 ? reshape(std::move(x), s) : squeeze(std::move(x), {-1});
    }
    return one_hot(std::move(x), depth, -1, dtype);
  }
  // Of more than two axes Keras reduces the second, and a negative index counts for nothing.
  const int rank = x.rank();
  return ops::count_categories(std::move(x), rank > 1 ? 1 : 0, depth, mode == "multi_hot", rank <= 2, dtype, std::move(weights));
}

void nn::check_mode(std::string_view mode, std::string_view modes, std::string_view layer) {
  for (std::string_view rest = modes; !rest.empty();) {
    const size_t end = std::min(rest.find(", "), rest.size());
    if (rest.substr(0, end) == mode) return;
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  fail(Code::InvalidArgument, "{}: expected an output_mode of {}, got '{}'", layer, modes, mode);
}

void nn::check_dense(bool sparse, std::string_view layer) {
  check(!sparse, Code::Unsupported, "{}: sparse=True gives sparse tensors, which do not exist here", layer);
}

namespace {

nn::Adaptable& learner_of(LayerBody& body) {
  auto* learner = dynamic_cast<nn::Adaptable*>(&body.object());
  check(learner != nullptr, Code::Unsupported, "adapt: {} ({}) learns nothing from data before training", body.name(), body.object().class_name());
  return *learner;
}

void learn(const Layer& layer, std::span<const Tensor> batches, bool whole) {
  LayerBody& body = body_of(layer);
  nn::Adaptable& learner = learner_of(body);
  check(!batches.empty(), Code::InvalidArgument, "adapt: expected at least one batch for {}", body.name());
  for (const Tensor& t : batches)
    check(t.concrete(), Code::InvalidArgument, "adapt: expected batches with values for {}, got {}", body.name(),
          t.defined() ? to_string(t.spec()) : "an empty handle");
  learner.reset_state();
  for (const Tensor& t : batches) learner.update_state(t, whole);
  learner.finalize_state();
}

}  // namespace

void adapt(const Layer& layer, const Tensors& batches) { learn(layer, batches, false); }
void adapt(const Layer& layer, const Tensor& data) { learn(layer, {&data, 1}, true); }

void adapt(const Layer& layer, const Dataset& data, std::optional<int64_t> steps) {
  LayerBody& body = body_of(layer);
  nn::Adaptable& learner = learner_of(body);
  check(data.defined(), Code::InvalidArgument, "adapt: expected a Dataset for {}, got an empty handle", body.name());
  check(!steps || *steps > 0, Code::InvalidArgument, "adapt: expected steps > 0, got {}", steps.value_or(0));
  check(steps || data.cardinality() != data::infinite, Code::InvalidArgument, "adapt: {} never ends: give steps", data.describe());
  learner.reset_state();
  Dataset batches = data;
  data::Iterator it = batches.open();
  Batch batch;
  int64_t seen = 0;
  for (; (!steps || seen < *steps) && it.next(batch); ++seen) {
    check(batch.x.size() == 1, Code::InvalidArgument, "adapt: {} expects elements with one input, got {}", body.name(), batch.x.size());
    check(learner.takes_elements() || (batch.y.empty() && batch.weights.empty()), Code::InvalidArgument,
          "adapt: {} expects inputs alone, got labels or weights beside them: leave them out by map()", body.name());
    if (seen == 0 && learner.takes_elements() && batch.x[0].rank() == 1) {
      it.close();
      it = (batches = batches.batch(128)).open();
      check(it.next(batch), Code::InvalidArgument, "adapt: {} gave no batch", data.describe());
    }
    learner.update_state(batch.x[0], false);
  }
  check(seen > 0, Code::InvalidArgument, "adapt: expected at least one batch for {}, got none from {}", body.name(), data.describe());
  learner.finalize_state();
}

namespace layers {

// ---- Discretization -----------------------------------------------------------------------------------------------------------

void fields(Fields& v, Discretization& c) {
  v("bin_boundaries", c.bin_boundaries), v("num_bins", c.num_bins), v("epsilon", c.epsilon);
  v("output_mode", c.output_mode), v("sparse", c.sparse);
}

namespace {

// Quantiles of a stream: values with the weight of those that they stand for, as Keras keeps them.
struct Sketch {
  std::vector<double> values, weights;
  size_t size() const { return values.size(); }
};

// NumPy's: linear between the points, constant outside.
double interpolated(double x, const std::vector<double>& xs, const std::vector<double>& ys) {
  if (x <= xs.front()) return ys.front();
  if (x >= xs.back()) return ys.back();
  const auto above = static_cast<size_t>(std::upper_bound(xs.begin(), xs.end(), x) - xs.begin());
  return ys[above - 1] + (ys[above] - ys[above - 1]) / (xs[above] - xs[above - 1]) * (x - xs[above - 1]);
}

double in_float(double v) { return static_cast<double>(static_cast<float>(v)); }

Sketch compressed(Sketch s, double epsilon) {
  if (static_cast<double>(s.size()) * epsilon < 1) return s;
  std::vector<double> sums(s.size()), shares(s.size());
  float sum = 0;
  for (size_t i = 0; i < s.size(); ++i) sums[i] = static_cast<double>(sum += static_cast<float>(s.weights[i]));
  for (size_t i = 0; i < s.size(); ++i) shares[i] = in_float(in_float(sums[i]) / sums.back());
  Sketch out;
  double before = 0;
  const auto n = static_cast<size_t>(std::ceil(1.0 / epsilon));
  for (size_t i = 0; i < n; ++i) {
    const double share = epsilon + static_cast<double>(i) * epsilon, upto = interpolated(share, shares, sums);
    out.values.push_back(in_float(interpolated(share, shares, s.values)));
    out.weights.push_back(in_float(upto - before));
    before = upto;
  }
  return out;
}

Sketch summarized(std::vector<float> values, double epsilon) {
  std::sort(values.begin(), values.end());
  const double step = std::max(static_cast<double>(values.size()) / (1.0 / epsilon), 1.0);
  Sketch s;
  for (auto i = static_cast<size_t>(step - 1); i < values.size(); i += static_cast<size_t>(step)) {
    s.values.push_back(static_cast<double>(values[i]));
    s.weights.push_back(in_float(step));
  }
  return s;
}

Sketch merged(const Sketch& a, const Sketch& b, double epsilon) {
  Sketch all{a.values, a.weights};
  all.values.insert(all.values.end(), b.values.begin(), b.values.end());
  all.weights.insert(all.weights.end(), b.weights.begin(), b.weights.end());
  std::vector<size_t> order(all.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return all.values[x] < all.values[y]; });
  Sketch out;
  for (size_t i : order) out.values.push_back(all.values[i]), out.weights.push_back(all.weights[i]);
  return compressed(std::move(out), epsilon);
}

}  // namespace

class DiscretizationLayer final : public LayerOf<Discretization>, public nn::Adaptable {
 public:
  explicit DiscretizationLayer(const Discretization& c) : LayerOf(c) {
    nn::check_mode(c.output_mode, "int, one_hot, multi_hot, count", "Discretization");
    nn::check_dense(c.sparse, "Discretization");
    check(c.bin_boundaries || c.num_bins, Code::InvalidArgument, "Discretization: expected bin_boundaries or num_bins");
    check(!c.num_bins || *c.num_bins > 0, Code::InvalidArgument, "Discretization: expected num_bins > 0, got {}", c.num_bins.value_or(0));
    check(c.epsilon > 0 && c.epsilon <= 1, Code::InvalidArgument, "Discretization: expected epsilon in (0, 1], got {}", c.epsilon);
  }
  void reset_state() override {
    check(config.num_bins.has_value(), Code::InvalidArgument, "adapt: {} was given bin_boundaries; give num_bins instead to learn them", name());
    sketch_ = {};
  }
  void update_state(const Tensor& batch, bool) override {
    check(batch.dtype() != DType::string && batch.size() > 0, Code::InvalidArgument, "adapt: {} expects numbers, got {}", name(), batch.spec());
    std::vector<float> values;
    for (int64_t i = 0; i < batch.size(); ++i) values.push_back(static_cast<float>(batch.at(i)));
    sketch_ = merged(summarized(std::move(values), config.epsilon), sketch_, config.epsilon);
  }
  void finalize_state() override {
    Sketch s = compressed(std::exchange(sketch_, {}), 1.0 / static_cast<double>(*config.num_bins));
    s.values.pop_back();
    config.bin_boundaries = std::move(s.values);
  }
  Tensor call(Tensor x, const Call&) override {
    const bool known = config.bin_boundaries.has_value();
    const int64_t depth = known ? static_cast<int64_t>(config.bin_boundaries->size()) + 1 : *config.num_bins;
    check(known || !x.concrete(), Code::InvalidArgument, "{}: call adapt() or give bin_boundaries before it is used", name());
    static const std::vector<double> none;
    Tensor bins = ops::bucketize(std::move(x), known ? *config.bin_boundaries : none);
    return config.output_mode == "int" ? bins : nn::encode_categories(std::move(bins), config.output_mode, depth, compute_dtype());
  }

 private:
  Sketch sketch_;
};
Discretization::operator Layer() const { return make_layer<DiscretizationLayer>(*this); }
Outputs Discretization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- CategoryEncoding ---------------------------------------------------------------------------------------------------------

void fields(Fields& v, CategoryEncoding& c) {
  v("num_tokens", c.num_tokens), v("output_mode", c.output_mode);
  if (nn::reads(v)) v("sparse", c.sparse);  // which Keras does not write
}

class CategoryEncodingLayer final : public LayerOf<CategoryEncoding> {
 public:
  explicit CategoryEncodingLayer(const CategoryEncoding& c) : LayerOf(c) {
    if (c.output_mode == "binary") config.output_mode = "multi_hot";
    nn::check_mode(config.output_mode, "one_hot, multi_hot, count", "CategoryEncoding");
    nn::check_dense(c.sparse, "CategoryEncoding");
    check(c.num_tokens.value_or(0) > 0, Code::InvalidArgument, "CategoryEncoding: expected num_tokens > 0, got {}", c.num_tokens.value_or(0));
  }
  Tensors call_all(Tensors xs, const Call&) override {
    check(xs.size() == 1 || (xs.size() == 2 && config.output_mode == "count"), Code::InvalidArgument,
          "CategoryEncoding: expected indices, and for output_mode count perhaps weights, got {} inputs", xs.size());
    Tensor x = std::move(xs[0]), weights = xs.size() > 1 ? std::move(xs[1]) : Tensor();  // stack-bound
    xs.clear();
    return {nn::encode_categories(std::move(x), config.output_mode, *config.num_tokens, compute_dtype(), std::move(weights))};
  }
};
CategoryEncoding::operator Layer() const { return make_layer<CategoryEncodingLayer>(*this); }
Outputs CategoryEncoding::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_preprocess_numbers(LayerRegistry& r) {
  r.add<layers::Discretization>("Discretization");
  r.add<layers::CategoryEncoding>("CategoryEncoding");
}

}  // namespace tenure

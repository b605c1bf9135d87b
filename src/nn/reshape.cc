// Layers that move values about or scale them; none has weights.
#include <algorithm>

#include "nn/families.h"

namespace tenure {

using nn::Json;

// ---- values of configurations -----------------------------------------------------------------------------------------------------

std::string NumberList::to_json() const { return one ? Json(numbers.front()).dump() : Json(numbers).dump(); }
void NumberList::from_json(const std::string& text) {
  Json j = nn::parse(text, "number");
  if (j.is_null()) return;
  // Keras wraps NumPy arrays: {"class_name": "__numpy__", "config": {"value": [...]}}.
  if (j.is_object() && j.contains("config") && j["config"].contains("value")) j = j["config"]["value"];
  one = j.is_number();
  check(one || (j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& n) { return n.is_number(); })), Code::InvalidArgument,
        "expected a number or a list of numbers, got {}", text);
  numbers = one ? std::vector<double>{j.get<double>()} : j.get<std::vector<double>>();
}

namespace layers {

// ---- Flatten --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Flatten& c) { nn::visit_format(v, c.data_format); }

class FlattenLayer final : public LayerOf<Flatten> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() >= 1, Code::Shape, "Flatten: expected an input with a batch, got {}", x.spec());
    if (x.rank() > 2) x = nn::to_last(std::move(x), config.data_format);
    int64_t inner = 1;
    for (int i = 1; i < x.rank(); ++i) inner = x.shape()[i] < 0 ? -1 : inner < 0 ? -1 : inner * x.shape()[i];
    int64_t batch = x.shape()[0];
    // With two sizes unknown only the rank of the result is known: in shape inference.
    if (batch < 0 && inner < 0) return make_abstract({{-1, -1}, x.dtype()});
    return reshape(std::move(x), {batch, inner});
  }
};
Flatten::operator Layer() const { return make_layer<FlattenLayer>(*this); }
Outputs Flatten::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Reshape --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Reshape& c) { v("target_shape", c.target_shape); }

class ReshapeLayer final : public LayerOf<Reshape> {
 public:
  using LayerOf::LayerOf;
  Tensor call(Tensor x, const Call&) override {
    check(x.rank() >= 1, Code::Shape, "Reshape: expected an input with a batch, got {}", x.spec());
    Shape to = resolved(x.shape());
    to.insert(0, x.shape()[0]);
    if (std::count(to.begin(), to.end(), -1) > 1) return make_abstract({to, x.dtype()});  // in shape inference
    return reshape(std::move(x), to);
  }

 private:
  // The one size given as -1, from what the input has.
  Shape resolved(const Shape& x) const {
    Shape to = config.target_shape;
    int64_t have = x.slice(1, x.rank()).elements(), known = 1;
    int open = -1;
    for (int i = 0; i < to.rank(); ++i) {
      if (to[i] >= 0) {
        known *= to[i];
        continue;
      }
      check(open < 0, Code::InvalidArgument, "Reshape: only one size of {} may be -1", to);
      open = i;
    }
    if (have < 0) return to;
    check(open < 0 ? known == have : known > 0 && have % known == 0, Code::Shape, "Reshape: {} cannot become {} behind the batch", x,
          config.target_shape);
    if (open >= 0) to[open] = have / known;
    return to;
  }
};
Reshape::operator Layer() const { return make_layer<ReshapeLayer>(*this); }
Outputs Reshape::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Permute --------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Permute& c) { v("dims", c.dims); }

class PermuteLayer final : public LayerOf<Permute> {
 public:
  explicit PermuteLayer(const Permute& c) : LayerOf(c) {
    std::vector<int> sorted = c.dims;
    std::sort(sorted.begin(), sorted.end());
    for (size_t i = 0; i < sorted.size(); ++i)
      check(sorted[i] == static_cast<int>(i) + 1, Code::InvalidArgument, "Permute: expected each of 1 to {} once in dims", sorted.size());
  }
  Tensor call(Tensor x, const Call&) override {
    std::vector<int> order{0};
    order.insert(order.end(), config.dims.begin(), config.dims.end());
    return transpose(std::move(x), order);
  }
};
Permute::operator Layer() const { return make_layer<PermuteLayer>(*this); }
Outputs Permute::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Rescaling ------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Rescaling& c) { v("scale", c.scale), v("offset", c.offset); }

class RescalingLayer final : public LayerOf<Rescaling> {
 public:
  using LayerOf::LayerOf;
  bool supports_masking() const override { return true; }
  Tensor call(Tensor x, const Call&) override {
    DType t = compute_dtype();
    if (x.dtype() != t) x = cast(std::move(x), t);
    x = multiply(std::move(x), value(config.scale, t));
    return config.offset.one && config.offset.numbers.front() == 0 ? std::move(x) : add(std::move(x), value(config.offset, t));
  }

 private:
  static Tensor value(const NumberList& n, DType t) {
    if (n.one) return n.numbers.front();
    std::vector<float> values(n.numbers.begin(), n.numbers.end());
    return cast(Tensor::from(values, {static_cast<int64_t>(values.size())}), t);
  }
};
Rescaling::operator Layer() const { return make_layer<RescalingLayer>(*this); }
Outputs Rescaling::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_reshape(LayerRegistry& r) {
  r.add<layers::Flatten>("Flatten");
  r.add<layers::Reshape>("Reshape");
  r.add<layers::Permute>("Permute");
  r.add<layers::Rescaling>("Rescaling");
}

}  // namespace tenure

// Hashing and HashedCrossing. Nothing here owns anything.
#include <algorithm>

#include <tenure/text.h>

#include "nn/preprocessing.h"
#include "ops/text.h"

namespace tenure {
namespace layers {

namespace {

// Keras: integers unless vectors are asked for.
template <class C>
C with_dtype(C c) {
  if (c.output_mode == "int" && is_float(c.dtype.compute_dtype())) c.dtype = DTypePolicy(int64);
  return c;
}

}  // namespace

// ---- Hashing ------------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Hashing& c) {
  v("num_bins", c.num_bins), v("salt", c.salt), v("mask_value", c.mask_value), v("output_mode", c.output_mode), v("sparse", c.sparse);
}

class HashingLayer final : public LayerOf<Hashing> {
 public:
  explicit HashingLayer(const Hashing& c) : LayerOf(with_dtype(c)) {
    nn::check_positive(c.num_bins, "Hashing", "num_bins");
    nn::check_mode(c.output_mode, "int, one_hot, multi_hot, count", "Hashing");
    nn::check_dense(c.sparse, "Hashing");
    if (c.salt && c.salt->size() == 1) config.salt = std::vector<int64_t>(2, c.salt->front());
    check(!config.salt || config.salt->size() == 2, Code::InvalidArgument, "Hashing: expected a salt of one number or two, got {}",
          config.salt.value_or(std::vector<int64_t>{}).size());
  }
  Tensor call(Tensor x, const Call&) override {
    const bool text = x.dtype() == DType::string;
    check(!text || !config.mask_value.number, Code::DType, "Hashing: the mask_value is a number, the input is {}", x.spec());
    check(text || !config.mask_value.text, Code::DType, "Hashing: the mask_value is a string, the input is {}", x.spec());
    Tensor y = ops::hash_bucket(std::move(x),
                                {config.num_bins, config.salt.value_or(std::vector<int64_t>{}), config.mask_value.text, config.mask_value.number});
    if (config.output_mode != "int") return nn::encode_categories(std::move(y), config.output_mode, config.num_bins, compute_dtype());
    return compute_dtype() == int64 ? std::move(y) : cast(std::move(y), compute_dtype());
  }
};
Hashing::operator Layer() const { return make_layer<HashingLayer>(*this); }
Outputs Hashing::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- HashedCrossing -----------------------------------------------------------------------------------------------------------

void fields(Fields& v, HashedCrossing& c) { v("num_bins", c.num_bins), v("output_mode", c.output_mode), v("sparse", c.sparse); }

class HashedCrossingLayer final : public LayerOf<HashedCrossing> {
 public:
  explicit HashedCrossingLayer(const HashedCrossing& c) : LayerOf(with_dtype(c)) {
    nn::check_positive(c.num_bins, "HashedCrossing", "num_bins");
    nn::check_mode(c.output_mode, "int, one_hot", "HashedCrossing");
    nn::check_dense(c.sparse, "HashedCrossing");
  }
  Tensors call_all(Tensors xs, const Call&) override {
    check(xs.size() >= 2, Code::InvalidArgument, "HashedCrossing: expected at least two inputs, got {}", xs.size());
    for (const Tensor& x : xs) {
      check(x.dtype() == DType::string || is_integer(x.dtype()), Code::DType, "HashedCrossing: expected strings or integers, got {}", x.spec());
      check(x.rank() <= 1 || (x.rank() == 2 && x.shape()[1] == 1), Code::Shape, "HashedCrossing: expected [batch] or [batch, 1], got {}", x.spec());
    }
    Tensor y = ops::hash_cross(std::move(xs), config.num_bins);
    if (config.output_mode != "int") y = nn::encode_categories(std::move(y), config.output_mode, config.num_bins, compute_dtype());
    return {y.dtype() == compute_dtype() ? std::move(y) : cast(std::move(y), compute_dtype())};
  }
};
HashedCrossing::operator Layer() const { return make_layer<HashedCrossingLayer>(*this); }
Outputs HashedCrossing::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_hashing(LayerRegistry& r) {
  r.add<layers::Hashing>("Hashing");
  r.add<layers::HashedCrossing>("HashedCrossing");
}

}  // namespace tenure

// ReversibleEmbedding. Weights belong to the body; the object refers to them.
#include <tenure/reversible_embedding.h>

#include "nn/families.h"

namespace tenure {
namespace layers {

// ---- ReversibleEmbedding --------------------------------------------------------------------------------------------------------

void fields(Fields& v, ReversibleEmbedding& c) {
  v("input_dim", c.input_dim), v("output_dim", c.output_dim), v("embeddings_initializer", c.embeddings_initializer),
      v("embeddings_regularizer", c.embeddings_regularizer);
  v("activity_regularizer", c.activity_regularizer), v("embeddings_constraint", c.embeddings_constraint), v("mask_zero", c.mask_zero);
  v("tie_weights", c.tie_weights), v("reverse_dtype", c.reverse_dtype), v("logit_soft_cap", c.logit_soft_cap);
}

class ReversibleEmbeddingLayer final : public LayerOf<ReversibleEmbedding> {
 public:
  explicit ReversibleEmbeddingLayer(const ReversibleEmbedding& c) : LayerOf(c) {
    nn::check_positive(c.input_dim, "ReversibleEmbedding", "input_dim");
    nn::check_positive(c.output_dim, "ReversibleEmbedding", "output_dim");
    if (c.reverse_dtype) reverse_dtype_ = dtype_from(*c.reverse_dtype);
    check(!c.reverse_dtype || is_float(*reverse_dtype_), Code::InvalidArgument, "ReversibleEmbedding: expected a float as reverse_dtype, got {}",
          c.reverse_dtype.value_or(""));
  }
  void build(const Shape&) override {
    const auto& c = config;
    table_ = weight("embeddings", {c.input_dim, c.output_dim}, c.embeddings_initializer,
                    {.regularizer = c.embeddings_regularizer, .constraint = c.embeddings_constraint});
    if (!c.tie_weights) back_ = weight("reverse_embeddings", {c.output_dim, c.input_dim}, c.embeddings_initializer);
  }
  bool autocast() const override { return false; }  // indices may come as floats
  Tensor call(Tensor x, const Call& c) override { return c.reverse ? scores(std::move(x)) : vectors(std::move(x)); }

 private:
  Tensor vectors(Tensor x) const {
    if (!is_integer(x.dtype())) x = cast(std::move(x), int32);
    Tensor y = nn::as(take(table_, x, 0), compute_dtype());
    // The mask is put on here: a call in reverse has none.
    return config.mask_zero ? with_mask(std::move(y), not_equal(std::move(x), 0)) : y;
  }
  Tensor scores(Tensor x) const {
    check(x.rank() >= 1 && is_float(x.dtype()), Code::DType, "{}: expected vectors [..., {}] in reverse, got {}", name(), config.output_dim,
          x.spec());
    Tensor kernel = config.tie_weights ? transpose(table_) : back_.value();
    if (reverse_dtype_) x = nn::as(std::move(x), *reverse_dtype_), kernel = nn::as(std::move(kernel), *reverse_dtype_);
    Tensor y = matmul(std::move(x), std::move(kernel));
    if (config.logit_soft_cap) y = multiply(tanh(divide(std::move(y), *config.logit_soft_cap)), *config.logit_soft_cap);
    return y;
  }
  std::optional<DType> reverse_dtype_;
  Weight table_, back_;
};
ReversibleEmbedding::operator Layer() const { return make_layer<ReversibleEmbeddingLayer>(*this); }
Outputs ReversibleEmbedding::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_reversible_embedding(LayerRegistry& r) { r.add<layers::ReversibleEmbedding>("ReversibleEmbedding"); }

}  // namespace tenure

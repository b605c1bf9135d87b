// IntegerLookup and StringLookup. The layer's body owns the vocabulary's tensors.
#include <algorithm>

#include "nn/vocabulary.h"

namespace tenure {
namespace layers {

namespace {

// What both have, over C = IntegerLookup or StringLookup.
template <class C>
class LookupLayer : public LayerOf<C>, public nn::Adaptable, public nn::Vocabularied, public nn::ValueDependent {
 public:
  LookupLayer(const C& c, nn::VocabularyRules rules, const char* where, const std::optional<std::vector<std::string>>& given)
      : LayerOf<C>(c), vocabulary_(this->body(), std::move(rules), where) {
    nn::check_dense(c.sparse, where);
    check(c.oov_method == "floormod" || c.oov_method == "farmhash", Code::InvalidArgument, "{}: expected oov_method floormod or farmhash, got '{}'",
          where, c.oov_method);
    check(!c.salt || c.salt->size() <= 2, Code::InvalidArgument, "{}: expected a salt of one number or two", where);
    this->config.output_mode = vocabulary_.rules().mode;
    if (c.salt) this->config.salt = vocabulary_.rules().salt;
    vocabulary_.promise(c.vocabulary_size);
    if (given) vocabulary_.set(*given, c.idf_weights.value_or(std::vector<double>{}));
  }
  Tensor call(Tensor x, const Call&) override { return this->config.invert ? vocabulary_.decode(x) : vocabulary_.encode(std::move(x)); }
  void visit_config(Fields& v) override {
    this->config.vocabulary_size = vocabulary_.size();
    fields(v, this->config);
  }

  // ---- learning
  void reset_state() override {
    check(!configured(), Code::InvalidArgument, "adapt: {} was given a vocabulary", this->name());
    vocabulary_.forget();
  }
  void update_state(const Tensor& batch, bool whole) override {
    const bool text = vocabulary_.rules().text;
    check(text ? batch.dtype() == DType::string : is_integer(batch.dtype()), Code::DType, "adapt: {} expects {}, got {}", this->name(),
          text ? "strings" : "integers", batch.spec());
    // A vector is a document of many tokens among other batches, and many documents of one where it is all there is.
    const int64_t rows = batch.rank() > 1 ? batch.shape()[0] : whole ? batch.size() : 1, row = rows > 0 ? batch.size() / rows : 0;
    for (int64_t i = 0; i < batch.size(); ++i)
      vocabulary_.count(text ? std::string(string_at(batch, i)) : std::to_string(static_cast<int64_t>(batch.at(i))), vocabulary_.documents + i / row);
    vocabulary_.documents += rows;
  }
  void finalize_state() override { vocabulary_.learn(this->name()); }

  // ---- files
  std::vector<std::string> vocabulary(bool special) const override { return vocabulary_.list(special); }
  void set_vocabulary(const std::vector<std::string>& tokens, const std::vector<double>& idf) override { vocabulary_.set(tokens, idf); }
  Tensor idf_weights() const override { return vocabulary_.idf(); }
  bool value_dependent() const override { return vocabulary_.rules().text && vocabulary_.rules().invert; }

 private:
  nn::Vocabulary vocabulary_;
};

template <class C>
nn::VocabularyRules shared_rules(const C& c) {
  nn::VocabularyRules r;
  r.invert = c.invert, r.max_tokens = c.max_tokens, r.oov_count = c.num_oov_indices, r.mode = c.output_mode, r.pad = c.pad_to_max_tokens;
  if (c.salt && !c.salt->empty()) r.salt = {c.salt->front(), c.salt->back()};
  return r;
}

nn::VocabularyRules rules_of(const IntegerLookup& c) {
  nn::VocabularyRules r = shared_rules(c);
  r.text = false, r.hashed = c.oov_method == "farmhash", r.oov = std::to_string(c.oov_token);
  if (c.mask_token) r.mask = std::to_string(*c.mask_token);
  return r;
}
nn::VocabularyRules rules_of(const StringLookup& c) {
  nn::VocabularyRules r = shared_rules(c);
  r.mask = c.mask_token, r.oov = c.oov_token;
  return r;
}

// What Keras writes of both.
template <class C>
void visit_shared(Fields& v, C& c) {
  v("invert", c.invert), v("max_tokens", c.max_tokens), v("num_oov_indices", c.num_oov_indices), v("oov_token", c.oov_token);
  v("mask_token", c.mask_token), v("output_mode", c.output_mode), v("sparse", c.sparse), v("pad_to_max_tokens", c.pad_to_max_tokens);
  v("idf_weights", c.idf_weights), v("vocabulary", c.vocabulary), v("vocabulary_size", c.vocabulary_size);
  v("oov_method", c.oov_method), v("salt", c.salt);
}

}  // namespace

// ---- IntegerLookup ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, IntegerLookup& c) {
  visit_shared(v, c);
  v("vocabulary_dtype", c.vocabulary_dtype);
}

class IntegerLookupLayer final : public LookupLayer<IntegerLookup> {
 public:
  explicit IntegerLookupLayer(const IntegerLookup& c) : LookupLayer(c, rules_of(c), "IntegerLookup", given(c)) {
    check(c.vocabulary_dtype == "int64", Code::InvalidArgument, "IntegerLookup: expected vocabulary_dtype int64, got '{}'", c.vocabulary_dtype);
  }
  bool configured() const override { return config.vocabulary.has_value(); }

 private:
  static std::optional<std::vector<std::string>> given(const IntegerLookup& c) {
    if (!c.vocabulary) return {};
    std::vector<std::string> out;
    for (int64_t n : *c.vocabulary) out.push_back(std::to_string(n));
    return out;
  }
};
IntegerLookup::operator Layer() const { return make_layer<IntegerLookupLayer>(*this); }
Outputs IntegerLookup::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- StringLookup -------------------------------------------------------------------------------------------------------------

void fields(Fields& v, StringLookup& c) {
  visit_shared(v, c);
  v("encoding", c.encoding);
}

class StringLookupLayer final : public LookupLayer<StringLookup> {
 public:
  explicit StringLookupLayer(const StringLookup& c) : LookupLayer(c, rules_of(c), "StringLookup", c.vocabulary.items) {
    check(c.encoding == "utf-8", Code::Unsupported, "StringLookup: expected encoding utf-8, got '{}'", c.encoding);
  }
  bool configured() const override { return config.vocabulary.items.has_value(); }
};
StringLookup::operator Layer() const { return make_layer<StringLookupLayer>(*this); }
Outputs StringLookup::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_lookup(LayerRegistry& r) {
  r.add<layers::IntegerLookup>("IntegerLookup");
  r.add<layers::StringLookup>("StringLookup");
}

}  // namespace tenure

// TextVectorization. The layer's body owns the vocabulary's tensors.
#include <algorithm>
#include <numeric>

#include "nn/vocabulary.h"

namespace tenure {
namespace layers {

void fields(Fields& v, TextVectorization& c) {
  v("max_tokens", c.max_tokens), v("standardize", c.standardize), v("split", c.split);
  if (v.present("ngrams", c.ngrams.has_value())) {
    if (!c.ngrams) c.ngrams.emplace(1);
    v("ngrams", *c.ngrams);
  } else {
    c.ngrams.reset();
  }
  v("output_mode", c.output_mode), v("output_sequence_length", c.output_sequence_length), v("pad_to_max_tokens", c.pad_to_max_tokens);
  v("sparse", c.sparse), v("ragged", c.ragged), v("vocabulary", c.vocabulary), v("idf_weights", c.idf_weights), v("encoding", c.encoding);
  v("vocabulary_size", c.vocabulary_size);
}

class TextVectorizationLayer final : public LayerOf<TextVectorization>, public nn::Adaptable, public nn::Vocabularied, public nn::ValueDependent {
 public:
  explicit TextVectorizationLayer(const TextVectorization& c) : LayerOf(c), vocabulary_(body(), vocabulary_rules(c), "TextVectorization") {
    nn::check_dense(c.sparse, "TextVectorization");
    check(!c.ragged, Code::Unsupported, "TextVectorization: ragged=True gives ragged tensors, which do not exist here");
    check(c.encoding == "utf-8", Code::Unsupported, "TextVectorization: expected encoding utf-8, got '{}'", c.encoding);
    config.output_mode = vocabulary_.rules().mode;
    check(config.output_mode != "one_hot" || !c.split, Code::Unsupported,
          "TextVectorization: output_mode one_hot of texts of different lengths would be ragged, which does not exist here; without split it is not");
    check(!c.output_sequence_length || config.output_mode == "int", Code::InvalidArgument,
          "TextVectorization: output_sequence_length goes with output_mode int, got {}", config.output_mode);
    if (c.standardize) {
      const std::string& s = *c.standardize;
      check(s == "lower_and_strip_punctuation" || s == "lower" || s == "strip_punctuation", Code::InvalidArgument,
            "TextVectorization: expected standardize lower_and_strip_punctuation, lower, strip_punctuation or nothing, got '{}'", s);
      rules_.lower = s != "strip_punctuation", rules_.strip_punctuation = s != "lower";
    }
    if (c.split) {
      check(*c.split == "whitespace" || *c.split == "character", Code::InvalidArgument,
            "TextVectorization: expected split whitespace, character or nothing, got '{}'", *c.split);
      rules_.split = *c.split == "whitespace" ? ops::TextRules::whitespace : ops::TextRules::character;
    }
    if (c.ngrams && c.ngrams->one) {
      ngrams_.resize(static_cast<size_t>(std::max(c.ngrams->axes.front(), 0)));
      std::iota(ngrams_.begin(), ngrams_.end(), int64_t{1});
    } else if (c.ngrams) {
      ngrams_.assign(c.ngrams->axes.begin(), c.ngrams->axes.end());
    }
    check(!c.ngrams || (!ngrams_.empty() && std::all_of(ngrams_.begin(), ngrams_.end(), [](int64_t n) { return n > 0; })), Code::InvalidArgument,
          "TextVectorization: expected ngrams > 0");
    vocabulary_.promise(c.vocabulary_size);
    if (c.vocabulary.items) vocabulary_.set(*c.vocabulary.items, c.idf_weights.value_or(std::vector<double>{}));
  }

  Tensor call(Tensor x, const Call&) override {
    check(x.dtype() == DType::string, Code::DType, "TextVectorization: expected strings, got {}", x.spec());
    check(vocabulary_.known() || (!x.concrete() && !x.symbolic()), Code::InvalidArgument,
          "{}: there is no vocabulary yet: give one, call adapt() or set_vocabulary()", name());
    if (config.output_mode == "one_hot") return one_hot_of(std::move(x));
    const bool indices = config.output_mode == "int";
    if (indices && !config.output_sequence_length && !x.concrete()) {
      check(!x.symbolic(), Code::Unsupported,
            "{}: the longest text decides about the output's size, so it runs eagerly only, not in a traced function; give output_sequence_length",
            name());
      return make_abstract({{x.shape()[0], -1}, int64});
    }
    ops::TextLookup how{rules_, ngrams_, indices || config.output_mode == "multi_hot" ? config.output_mode : "count", 0, vocabulary_.oov()};
    how.size = !indices ? vocabulary_.depth() : config.output_sequence_length ? *config.output_sequence_length : longest(x);
    Tensor y = ops::lookup_text(std::move(x), vocabulary_.keys(), vocabulary_.indices(), how);
    return config.output_mode == "tf_idf" ? vocabulary_.weighted(std::move(y)) : y;
  }
  void visit_config(Fields& v) override {
    config.vocabulary_size = vocabulary_.size().value_or(vocabulary_.first());
    fields(v, config);
  }

  // ---- learning
  void reset_state() override {
    check(!configured(), Code::InvalidArgument, "adapt: {} was given a vocabulary", name());
    vocabulary_.forget();
  }
  void update_state(const Tensor& batch, bool whole) override {
    check(batch.dtype() == DType::string, Code::DType, "adapt: {} expects strings, got {}", name(), batch.spec());
    // Without split a vector is one document of many tokens among other batches, and many documents where it is all there is.
    const bool one = batch.rank() == 0 || (batch.rank() == 1 && !config.split && !whole);
    ops::each_token(batch, rules_, ngrams_,
                    [&](int64_t row, std::string token) { vocabulary_.count(token, vocabulary_.documents + (one ? 0 : row)); });
    vocabulary_.documents += one ? 1 : batch.shape()[0];
  }
  void finalize_state() override { vocabulary_.learn(name()); }

  // ---- files
  std::vector<std::string> vocabulary(bool special) const override { return vocabulary_.list(special); }
  void set_vocabulary(const std::vector<std::string>& tokens, const std::vector<double>& idf) override { vocabulary_.set(tokens, idf); }
  bool configured() const override { return config.vocabulary.items.has_value(); }
  Tensor idf_weights() const override { return vocabulary_.idf(); }
  bool value_dependent() const override { return config.output_mode == "int" && !config.output_sequence_length; }

 private:
  static nn::VocabularyRules vocabulary_rules(const TextVectorization& c) {
    nn::VocabularyRules r;
    r.mask = "", r.oov = "[UNK]", r.max_tokens = c.max_tokens, r.mode = c.output_mode, r.pad = c.pad_to_max_tokens;
    return r;
  }
  // Every text is a token: [batch, texts] or [batch] becomes [batch, tokens, vocabulary], without the axis of tokens where there is one.
  Tensor one_hot_of(Tensor x) {
    const int64_t texts = x.rank() == 1 ? 1 : x.shape().back();
    check(texts >= 0, Code::Shape, "{}: the number of texts in a row must be known, got {}", name(), x.spec());
    ops::TextLookup how{rules_, ngrams_, "int", ngrams_.empty() ? texts : 0, vocabulary_.oov()};
    for (int64_t n : ngrams_) how.size += std::max<int64_t>(0, texts - n + 1);
    Tensor places = ops::lookup_text(std::move(x), vocabulary_.keys(), vocabulary_.indices(), how);
    return nn::encode_categories(std::move(places), "one_hot", vocabulary_.depth(), float32);
  }
  int64_t longest(const Tensor& x) const {
    int64_t most = 0, row = -1, count = 0;
    ops::each_token(x, rules_, ngrams_, [&](int64_t of, const std::string&) {
      count = of == row ? count + 1 : 1;
      row = of;
      most = std::max(most, count);
    });
    return most;
  }

  nn::Vocabulary vocabulary_;
  ops::TextRules rules_;
  std::vector<int64_t> ngrams_;
};
TextVectorization::operator Layer() const { return make_layer<TextVectorizationLayer>(*this); }
Outputs TextVectorization::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_text_layers(LayerRegistry& r) { r.add<layers::TextVectorization>("TextVectorization"); }

}  // namespace tenure

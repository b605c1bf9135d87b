// A vocabulary as layers keep it. The layer's body owns three tensors, which the ledger counts: keys in rising order, their indices, and idf weights.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tenure/text.h>

#include "nn/preprocessing.h"
#include "ops/text.h"

namespace tenure::nn {

/// A layer whose vocabulary files keep beside the configuration. Integers are decimal text here.
class Vocabularied {
 public:
  virtual ~Vocabularied() = default;
  virtual std::vector<std::string> vocabulary(bool special) const = 0;
  virtual void set_vocabulary(const std::vector<std::string>& tokens, const std::vector<double>& idf) = 0;
  /// The configuration has it: files keep nothing beside it.
  virtual bool configured() const = 0;
  /// float32, in the order of the indices; an empty handle if the mode is not tf_idf or nothing was learned.
  virtual Tensor idf_weights() const = 0;
};

/// A layer whose output depends on its input's values in shape or size, so that it runs eagerly only.
class ValueDependent {
 public:
  virtual ~ValueDependent() = default;
  virtual bool value_dependent() const = 0;
};

/// What the lookup layers share of their configuration.
struct VocabularyRules {
  bool text = true, invert = false;
  std::optional<std::string> mask;
  std::string oov;
  std::optional<int64_t> max_tokens;
  int64_t oov_count = 1;
  std::string mode = "int";
  bool pad = false, hashed = true;
  std::vector<int64_t> salt;
};

/// The vocabulary of one layer. Refers to the layer's body without counting.
class Vocabulary {
 public:
  /// Throws InvalidArgument for options that do not go together; `where` is the class.
  Vocabulary(LayerBody& body, VocabularyRules rules, const char* where);

  void set(const std::vector<std::string>& tokens, const std::vector<double>& idf);
  std::vector<std::string> list(bool special) const;
  Tensor idf() const;
  bool known() const { return size_.has_value(); }
  /// Tokens and special ones; what a file said until there are tokens.
  std::optional<int64_t> size() const { return size_ ? size_ : promised_; }
  void promise(std::optional<int64_t> size) { promised_ = size; }
  /// The last axis of vectors. Throws InvalidArgument where it is not known yet.
  int64_t depth() const;
  int64_t first() const { return oov_start() + rules_.oov_count; }
  int64_t oov_start() const { return rules_.mask && rules_.mode == "int" ? 1 : 0; }
  const VocabularyRules& rules() const { return rules_; }

  Tensor keys() const;
  Tensor indices() const;
  ops::OovRules oov() const { return {rules_.oov_count, oov_start(), rules_.hashed, rules_.salt}; }
  /// Indices of x, or vectors by the mode.
  Tensor encode(Tensor x) const;
  /// The tokens of indices.
  Tensor decode(const Tensor& x) const;
  /// Vectors times idf weights.
  Tensor weighted(Tensor counts) const;

  // ---- learning
  void forget() { counts_ = {}; }
  void count(const std::string& token, int64_t document);
  void learn(std::string_view layer);
  int64_t documents = 0;

 private:
  struct Seen {
    int64_t times = 0, documents = 0, last = -1;
  };
  std::vector<std::string> special() const;
  void keep(const std::vector<std::string>& tokens, const std::vector<float>& idf);
  bool before(const std::string& a, const std::string& b) const;
  std::vector<float> padded(std::vector<float> idf, int64_t front) const;

  LayerBody& body_;
  VocabularyRules rules_;
  const char* where_;
  std::optional<int64_t> size_, promised_;
  std::map<std::string, Seen> counts_;
};

}  // namespace tenure::nn

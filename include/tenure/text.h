// Preprocessing layers for text and categories: hashing and vocabularies. Inputs are strings (strings.h) or integers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tenure/preprocessing.h>
#include <tenure/strings.h>

namespace tenure {

/// The vocabulary of an IntegerLookup (as decimal text), StringLookup or TextVectorization in the order of its indices: by default with the mask
/// and the tokens for unknown ones. Throws Unsupported for any other layer.
TENURE_API std::vector<std::string> get_vocabulary(const Layer& layer, bool include_special_tokens = true);
/// Takes the place of what the layer knew. `idf_weights`: of output_mode tf_idf, one a token. Must not run beside a call. Throws InvalidArgument for a
/// token that comes twice, a special one in the wrong place, or more tokens than max_tokens.
TENURE_API void set_vocabulary(const Layer& layer, const std::vector<std::string>& vocabulary, const std::vector<double>& idf_weights = {});

/// A string, a whole number, or nothing.
class TENURE_API TextOrNumber : public ConfigObject {
 public:
  TextOrNumber() = default;
  TextOrNumber(std::nullptr_t) {}
  TextOrNumber(const char* s) : text(s) {}
  TextOrNumber(std::string s) : text(std::move(s)) {}
  TextOrNumber(int64_t n) : number(n) {}
  TextOrNumber(int n) : number(n) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  std::optional<std::string> text;
  std::optional<int64_t> number;
};

/// Strings, or nothing.
class TENURE_API TextList : public ConfigObject {
 public:
  TextList() = default;
  TextList(std::initializer_list<std::string> list) : items(list) {}
  TextList(std::vector<std::string> list) : items(std::move(list)) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  std::optional<std::vector<std::string>> items;
};

namespace layers {

/// Strings, or integers by their decimal text (floats are cut off first), to [0, num_bins): by FarmHash's Fingerprint64, or with a salt of two
/// numbers (one stands for both) by SipHash-2-4. A mask_value has bin 0 to itself. output_mode: int (int64), one_hot, multi_hot or count.
struct TENURE_API Hashing {
  int64_t num_bins;
  TextOrNumber mask_value = {};
  std::optional<std::vector<int64_t>> salt = {};
  std::string output_mode = "int";
  bool sparse = false;  ///< true is not supported
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};  ///< of the vectors; of int it is int64, or int32 where asked for
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Two or more features of one shape, [batch] or [batch, 1], strings or integers, together to [0, num_bins). output_mode: int (int64) or one_hot.
struct TENURE_API HashedCrossing {
  int64_t num_bins;
  std::string output_mode = "int";
  bool sparse = false;  ///< true is not supported
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};  ///< as Hashing's
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Integers to their index in a vocabulary (given, adapted, or read with a model): index 0 for the mask token if there is one, then
/// num_oov_indices for unknown ones, then the vocabulary. `invert`: back. output_mode: int (int64), one_hot, multi_hot, count or tf_idf (float32).
struct TENURE_API IntegerLookup {
  std::optional<int64_t> max_tokens = {};
  int64_t num_oov_indices = 1;
  std::optional<int64_t> mask_token = {};
  int64_t oov_token = -1;
  std::optional<std::vector<int64_t>> vocabulary = {};
  std::string vocabulary_dtype = "int64";
  std::optional<std::vector<double>> idf_weights = {};
  bool invert = false;
  std::string output_mode = "int";
  bool sparse = false;  ///< true is not supported
  bool pad_to_max_tokens = false;
  std::string oov_method = "floormod";  ///< or farmhash
  std::optional<std::vector<int64_t>> salt = {};
  std::optional<int64_t> vocabulary_size = {};  ///< what a file says of a vocabulary that stands beside it
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// The same for strings. `invert` gives strings, eagerly.
struct TENURE_API StringLookup {
  std::optional<int64_t> max_tokens = {};
  int64_t num_oov_indices = 1;
  std::optional<std::string> mask_token = {};
  std::string oov_token = "[UNK]";
  TextList vocabulary = {};
  std::optional<std::vector<double>> idf_weights = {};
  bool invert = false;
  std::string output_mode = "int";
  bool pad_to_max_tokens = false;
  bool sparse = false;  ///< true is not supported
  std::string encoding = "utf-8";
  std::string oov_method = "floormod";
  std::optional<std::vector<int64_t>> salt = {};
  std::optional<int64_t> vocabulary_size = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

/// Texts [batch] or [batch, 1] to indices of their tokens, or to one vector. standardize: lower_and_strip_punctuation, lower, strip_punctuation
/// (ASCII, as TensorFlow does) or nothing; split: whitespace, character or nothing; ngrams: up to one number, or of each of several.
/// output_mode int: [batch, output_sequence_length], or without it as long as the longest, which only an eager call can know; multi_hot, count and
/// tf_idf: float32 [batch, vocabulary]; one_hot, without split only: [batch, tokens, vocabulary], or [batch, vocabulary] of one token a row.
struct TENURE_API TextVectorization {
  std::optional<int64_t> max_tokens = {};
  std::optional<std::string> standardize = "lower_and_strip_punctuation", split = "whitespace";
  std::optional<AxisList> ngrams = {};
  std::string output_mode = "int";
  std::optional<int64_t> output_sequence_length = {};
  bool pad_to_max_tokens = false;
  TextList vocabulary = {};
  std::optional<std::vector<double>> idf_weights = {};
  bool sparse = false, ragged = false;  ///< true is not supported
  std::string encoding = "utf-8";
  std::optional<int64_t> vocabulary_size = {};
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  Outputs operator()(TensorList inputs) const&&;
  operator Layer() const;
};

}  // namespace layers
}  // namespace tenure

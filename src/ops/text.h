// Ops of strings: hashing and vocabularies. A vocabulary is two tensors, the keys in rising order (strings by bytes) and the value of each.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tenure/op.h>

#include "ops/tokens.h"

namespace tenure::ops {

/// What becomes of keys that are not in a vocabulary: an error if `count` is 0, `start` if it is 1, else start + hash % count.
struct OovRules {
  int64_t count = 1, start = 0;
  bool hashed = true;         ///< integers by hash of their decimal text; false: floor modulus
  std::vector<int64_t> salt;  ///< two numbers: SipHash; none: FarmHash
};

/// int64 or strings of any shape to int64.
Tensor lookup(Tensor x, Tensor keys, Tensor values, const OovRules& oov);

/// How rows of text become vectors. Rows are the first axis of strings [batch], [batch, 1] or, without a split, [batch, texts].
struct TextLookup {
  TextRules rules;
  std::vector<int64_t> ngrams;  ///< none: tokens alone
  std::string mode = "int";     ///< int: int64 [batch, size], cut off or filled up with 0; count, multi_hot: float32 [batch, size]
  int64_t size = 0;
  OovRules oov;
};
Tensor lookup_text(Tensor x, Tensor keys, Tensor values, const TextLookup& how);
/// The tokens (n-grams included) of every row, for tensors with values. f(row, token) in order.
void each_token(const Tensor& x, const TextRules& rules, const std::vector<int64_t>& ngrams, const std::function<void(int64_t, std::string)>& f);

/// Strings, or integers by their decimal text, to [0, bins); with a mask to [1, bins) and 0 for the mask.
struct HashRules {
  int64_t bins = 1;
  std::vector<int64_t> salt;
  std::optional<std::string> mask_text;
  std::optional<int64_t> mask_number;
};
Tensor hash_bucket(Tensor x, const HashRules& how);
/// Strings and integers of one shape, element by element together, to [0, bins).
Tensor hash_cross(Tensors xs, int64_t bins);

}  // namespace tenure::ops

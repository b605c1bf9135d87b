#include "nn/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "core/strings.h"

namespace tenure {

using nn::Json;

// ---- values of configurations -------------------------------------------------------------------------------------------------

std::string TextOrNumber::to_json() const { return text ? Json(*text).dump() : number ? Json(*number).dump() : "null"; }
void TextOrNumber::from_json(const std::string& json) {
  const Json j = nn::parse(json, "string or number");
  check(j.is_null() || j.is_string() || j.is_number_integer(), Code::InvalidArgument, "expected a string, a whole number or null, got {}", json);
  text = j.is_string() ? std::optional(j.get<std::string>()) : std::nullopt;
  number = j.is_number_integer() ? std::optional(j.get<int64_t>()) : std::nullopt;
}

std::string TextList::to_json() const { return items ? Json(*items).dump() : "null"; }
void TextList::from_json(const std::string& json) {
  const Json j = nn::parse(json, "list of strings");
  check(j.is_null() || (j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& s) { return s.is_string(); })), Code::InvalidArgument,
        "expected a list of strings or null, got {}", json.substr(0, 200));
  items = j.is_null() ? std::nullopt : std::optional(j.get<std::vector<std::string>>());
}

namespace nn {

namespace {

int64_t number(const std::string& text, std::string_view where) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  check(error == std::errc() && end == text.data() + text.size(), Code::InvalidArgument, "{}: expected whole numbers in the vocabulary, got '{}'",
        where, text.substr(0, 40));
  return n;
}

}  // namespace

Vocabulary::Vocabulary(LayerBody& body, VocabularyRules rules, const char* where) : body_(body), rules_(std::move(rules)), where_(where) {
  if (rules_.mode == "binary") rules_.mode = "multi_hot";
  if (rules_.mode == "tf-idf") rules_.mode = "tf_idf";
  check_mode(rules_.mode, "int, one_hot, multi_hot, count, tf_idf", where);
  check(!rules_.max_tokens || *rules_.max_tokens > 1, Code::InvalidArgument, "{}: expected max_tokens > 1, got {}", where,
        rules_.max_tokens.value_or(0));
  check(!rules_.pad || rules_.max_tokens, Code::InvalidArgument, "{}: pad_to_max_tokens needs max_tokens", where);
  check(rules_.oov_count >= 0, Code::InvalidArgument, "{}: expected num_oov_indices >= 0, got {}", where, rules_.oov_count);
  check(!rules_.invert || rules_.mode == "int", Code::InvalidArgument, "{}: invert goes with output_mode int, got {}", where, rules_.mode);
  check(rules_.salt.empty() || rules_.text || rules_.hashed, Code::InvalidArgument, "{}: salt goes with oov_method farmhash", where);
}

std::vector<std::string> Vocabulary::special() const {
  std::vector<std::string> out;
  if (oov_start() > 0) out.push_back(*rules_.mask);
  out.insert(out.end(), static_cast<size_t>(rules_.oov_count), rules_.oov);
  return out;
}

bool Vocabulary::before(const std::string& a, const std::string& b) const { return rules_.text ? a < b : number(a, where_) < number(b, where_); }

Tensor Vocabulary::keys() const {
  if (!body_.kept.empty()) return body_.kept[0].tensor();
  return rules_.text ? strings(std::vector<std::string>{}, {0}) : Tensor::from(std::vector<int64_t>{}, {0});
}
Tensor Vocabulary::indices() const { return body_.kept.empty() ? Tensor::from(std::vector<int64_t>{}, {0}) : body_.kept[1].tensor(); }
Tensor Vocabulary::idf() const { return body_.kept.size() > 2 ? body_.kept[2].tensor() : Tensor(); }

int64_t Vocabulary::depth() const {
  if (rules_.pad) return *rules_.max_tokens;
  check(size().has_value(), Code::InvalidArgument,
        "{}: output_mode {} needs a vocabulary (vocabulary, adapt() or set_vocabulary()), or max_tokens with "
        "pad_to_max_tokens",
        body_.name(), rules_.mode);
  return *size();
}

// Keys: the tokens and, beside them, the mask, whose index is 0 or none.
void Vocabulary::keep(const std::vector<std::string>& tokens, const std::vector<float>& idf) {
  memory::Enter at(body_.scope());
  memory::As as(memory::Category::parameter);
  std::vector<std::pair<std::string, int64_t>> all;
  for (size_t i = 0; i < tokens.size(); ++i) all.emplace_back(tokens[i], first() + static_cast<int64_t>(i));
  if (rules_.mask) all.emplace_back(*rules_.mask, rules_.mode == "int" ? 0 : std::numeric_limits<int64_t>::max());
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return before(a.first, b.first); });
  std::vector<std::string> words;
  std::vector<int64_t> numbers, indices;
  for (auto& [token, index] : all) {
    if (rules_.text) words.push_back(token);
    else numbers.push_back(number(token, where_));
    indices.push_back(index);
  }
  const auto n = static_cast<int64_t>(all.size());
  std::vector<Held> kept;
  kept.emplace_back(rules_.text ? strings(words, {n}) : Tensor::from(numbers, {n}));
  kept.emplace_back(Tensor::from(indices, {n}));
  if (!idf.empty()) kept.emplace_back(Tensor::from(idf, {static_cast<int64_t>(idf.size())}));
  body_.kept = std::move(kept);
  size_ = first() + static_cast<int64_t>(tokens.size());
}

std::vector<float> Vocabulary::padded(std::vector<float> idf, int64_t front) const {
  float sum = 0;
  for (float w : idf) sum += w;
  const float mean = idf.empty() ? 0 : sum / static_cast<float>(idf.size());
  idf.insert(idf.begin(), static_cast<size_t>(front), mean);
  if (rules_.pad && static_cast<int64_t>(idf.size()) < *rules_.max_tokens) idf.resize(static_cast<size_t>(*rules_.max_tokens), 0);
  return idf;
}

void Vocabulary::set(const std::vector<std::string>& given, const std::vector<double>& idf) {
  check(!given.empty(), Code::InvalidArgument, "{}: expected a vocabulary, got an empty one", where_);
  check(rules_.mode == "tf_idf" ? idf.size() >= given.size() : idf.empty(), Code::InvalidArgument,
        "{}: output_mode {} expects {}, got {} idf_weights for {} tokens", where_, rules_.mode,
        rules_.mode == "tf_idf" ? "one idf weight a token" : "no idf_weights", idf.size(), given.size());
  const std::vector<std::string> front = special();
  const bool has_special = given.size() >= front.size() && std::equal(front.begin(), front.end(), given.begin());
  const std::vector<std::string> tokens(given.begin() + static_cast<std::ptrdiff_t>(has_special ? front.size() : 0), given.end());
  std::set<std::string> seen;
  for (const std::string& t : tokens) {
    check(seen.insert(t).second, Code::InvalidArgument, "{}: the vocabulary has '{}' twice", where_, t);
    check((!rules_.mask || t != *rules_.mask) && (!rules_.invert || t != rules_.oov), Code::InvalidArgument,
          "{}: the vocabulary has the special token '{}' among others; leave the special ones out, or put all of them first", where_, t);
  }
  const int64_t size = first() + static_cast<int64_t>(tokens.size());
  check(!rules_.max_tokens || size <= *rules_.max_tokens, Code::InvalidArgument, "{}: a vocabulary of {} with the special tokens, max_tokens is {}",
        where_, size, rules_.max_tokens.value_or(0));
  std::vector<float> weights(idf.begin(), idf.end());
  if (!weights.empty() && (!has_special || weights.size() == given.size())) weights = padded(std::move(weights), has_special ? 0 : first());
  keep(tokens, weights);
}

std::vector<std::string> Vocabulary::list(bool with_special) const {
  std::vector<std::string> out = with_special ? special() : std::vector<std::string>();
  const int64_t skipped = first() - static_cast<int64_t>(out.size());
  if (!known()) return out;
  out.resize(static_cast<size_t>(*size_ - skipped));
  const Tensor keys = this->keys(), indices = this->indices();
  const auto index = indices.data<int64_t>();
  for (size_t i = 0; i < index.size(); ++i) {
    if (index[i] < first() || index[i] >= *size_) continue;  // the mask
    const auto at = static_cast<int64_t>(i);
    out[static_cast<size_t>(index[i] - skipped)] = rules_.text ? std::string(string_at(keys, at)) : std::to_string(keys.data<int64_t>()[i]);
  }
  return out;
}

Tensor Vocabulary::encode(Tensor x) const {
  check(known() || (!x.concrete() && !x.symbolic()), Code::InvalidArgument,
        "{}: there is no vocabulary yet: give one, call adapt() or set_vocabulary()", body_.name());
  Tensor index = ops::lookup(std::move(x), keys(), indices(), oov());
  if (rules_.mode == "int") return index;
  Tensor y = encode_categories(std::move(index), rules_.mode == "tf_idf" ? "count" : rules_.mode, depth(), float32);
  return rules_.mode == "tf_idf" ? weighted(std::move(y)) : y;
}

Tensor Vocabulary::weighted(Tensor counts) const {
  const Tensor weights = idf();
  if (!weights.defined() && !counts.concrete()) return counts;
  check(weights.defined(), Code::InvalidArgument, "{}: output_mode tf_idf has no idf weights yet: call adapt() or set_vocabulary()", body_.name());
  return multiply(std::move(counts), weights);
}

Tensor Vocabulary::decode(const Tensor& x) const {
  check(is_integer(x.dtype()), Code::DType, "{}: expected indices, got {}", body_.name(), x.spec());
  if (!x.concrete() && rules_.text) {
    check(!x.symbolic(), Code::Unsupported, "{}: strings as a result exist eagerly only, not in a traced function", body_.name());
    return make_abstract({x.shape(), DType::string});
  }
  const std::vector<std::string> all = list(true);
  if (!rules_.text) {
    std::vector<int64_t> tokens, at;
    for (int64_t i = oov_start() > 0 ? 0 : first(); i < static_cast<int64_t>(all.size()); ++i) {
      if (i > 0 && i < first() && oov_start() > 0) continue;
      at.push_back(i), tokens.push_back(number(all[static_cast<size_t>(i)], where_));
    }
    const auto n = static_cast<int64_t>(at.size());
    return ops::lookup(x, Tensor::from(at, {n}), Tensor::from(tokens, {n}), {1, number(rules_.oov, where_), false, {}});
  }
  std::vector<std::string_view> out;
  for (int64_t i = 0; i < x.size(); ++i) {
    const double k = x.at(i);
    out.push_back(k >= 0 && k < static_cast<double>(all.size()) ? std::string_view(all[static_cast<size_t>(k)]) : std::string_view(rules_.oov));
  }
  return strings(out, x.shape());
}

// ---- learning -----------------------------------------------------------------------------------------------------------------

void Vocabulary::count(const std::string& token, int64_t document) {
  Seen& s = counts_[token];
  ++s.times;
  if (s.last != document) ++s.documents;
  s.last = document;
}

void Vocabulary::learn(std::string_view layer) {
  auto seen = std::exchange(counts_, {});
  const auto rows = static_cast<float>(std::exchange(documents, 0));
  if (rules_.mask) seen.erase(*rules_.mask);
  seen.erase(rules_.oov);
  check(!seen.empty() || known(), Code::InvalidArgument, "adapt: {} saw no token", layer);
  // The most frequent first; of equals the greater.
  std::vector<std::pair<std::string, Seen>> order(seen.begin(), seen.end());
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return a.second.times != b.second.times ? a.second.times > b.second.times : before(b.first, a.first);
  });
  if (rules_.max_tokens) order.resize(std::min(order.size(), static_cast<size_t>(std::max<int64_t>(0, *rules_.max_tokens - first()))));
  std::vector<std::string> tokens;
  std::vector<float> idf;
  for (auto& [token, s] : order) {
    tokens.push_back(token);
    if (rules_.mode == "tf_idf") idf.push_back(std::log(1 + rows / (1 + static_cast<float>(s.documents))));
  }
  keep(tokens, rules_.mode == "tf_idf" ? padded(std::move(idf), first()) : idf);
}

}  // namespace nn

// ---- public -------------------------------------------------------------------------------------------------------------------

namespace {
nn::Vocabularied& vocabularied(const Layer& layer, const char* what) {
  LayerBody& body = body_of(layer);
  auto* v = dynamic_cast<nn::Vocabularied*>(&body.object());
  check(v != nullptr, Code::Unsupported, "{}: {} ({}) has no vocabulary", what, body.name(), body.object().class_name());
  return *v;
}
}  // namespace

std::vector<std::string> get_vocabulary(const Layer& layer, bool include_special_tokens) {
  return vocabularied(layer, "get_vocabulary").vocabulary(include_special_tokens);
}
void set_vocabulary(const Layer& layer, const std::vector<std::string>& vocabulary, const std::vector<double>& idf_weights) {
  vocabularied(layer, "set_vocabulary").set_vocabulary(vocabulary, idf_weights);
}

}  // namespace tenure

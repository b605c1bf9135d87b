// Lookup in vocabularies, hashing, and whole texts to vectors. The kernels read strings where they lie; integers out.
#include "ops/text.h"

#include <charconv>
#include <functional>
#include <limits>

#include "base/parallel.h"
#include "core/strings.h"
#include "ops/families.h"
#include "ops/hashes.h"
#include "ops/helpers.h"

namespace tenure::ops {
namespace {

// ---- hashing ------------------------------------------------------------------------------------------------------------------

uint64_t hashed(std::string_view text, const std::vector<int64_t>& salt) noexcept {
  return salt.empty() ? fingerprint64(text) : siphash64(static_cast<uint64_t>(salt[0]), static_cast<uint64_t>(salt[1]), text);
}
uint64_t hashed(int64_t number, const std::vector<int64_t>& salt) noexcept {
  char text[24];
  return hashed(std::string_view(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, number).ptr - text)), salt);
}

void check_salt(std::string_view op, const std::vector<int64_t>& salt) {
  check(salt.empty() || salt.size() == 2, Code::InvalidArgument, "{}: expected a salt of two numbers, got {}", op, salt.size());
}
void check_keys(std::string_view op, const Spec& x) {
  check(x.dtype == DType::string || x.dtype == int64, Code::DType, "{}: expected strings or int64, got {}", op, x);
}

template <class V>
void visit_rules(V& v, HashRules& a) {
  v("bins", a.bins), v("salt", a.salt), v("mask_text", a.mask_text), v("mask_number", a.mask_number);
}
struct HashAttrs : HashRules {};
template <class V>
void fields(V& v, HashAttrs& a) {
  visit_rules(v, a);
}

const Op hash_op = {
    .name = "hash_bucket",
    .infer =
        [](Infer& c) {
          check_keys("hash_bucket", c.x(0));
          check(c.attr<HashAttrs>().bins > 0, Code::InvalidArgument, "hash_bucket: expected bins > 0, got {}", c.attr<HashAttrs>().bins);
          check_salt("hash_bucket", c.attr<HashAttrs>().salt);
          c.output(c.shape(0), int64);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<HashAttrs>();
      const bool text = r.x(0).dtype == DType::string, masked = (text ? a.mask_text.has_value() : a.mask_number.has_value()) && a.bins > 1;
      const auto bins = static_cast<uint64_t>(a.bins - (masked ? 1 : 0));
      auto* y = r.out<int64_t>();
      parallel_for(r.y().shape.elements(), 1024, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const std::string_view s = text ? texts::at(r.in(0), i) : std::string_view();
          const int64_t n = text ? 0 : r.in<int64_t>(0)[i];
          if (masked && (text ? s == *a.mask_text : n == *a.mask_number)) y[i] = 0;
          else y[i] = static_cast<int64_t>((text ? hashed(s, a.salt) : hashed(n, a.salt)) % bins) + (masked ? 1 : 0);
        }
      });
      return {};
    },
    .traits = takes_strings,
    .attrs = attrs_of<HashAttrs>,
    .specimens = R"(s[17] ; {"bins": 7} | s[2,3,1,2] ; {"bins": 5, "salt": [3, 4], "mask_text": "w1"} | i64[5] ; {"bins": 3, "mask_number": 2}
                  | s[0] ; {"bins": 2} | i64[] ; {"bins": 4, "salt": [1, 1]})",
};

struct CrossAttrs {
  int64_t bins = 1;
};
template <class V>
void fields(V& v, CrossAttrs& a) {
  v("bins", a.bins);
}

const Op cross_op = {
    .name = "hash_cross",
    .infer =
        [](Infer& c) {
          check(c.attr<CrossAttrs>().bins > 0, Code::InvalidArgument, "hash_cross: expected bins > 0, got {}", c.attr<CrossAttrs>().bins);
          Shape s = c.shape(0);
          for (int i = 0; i < c.inputs(); ++i) {
            check_keys("hash_cross", c.x(i));
            s = broadcast(s, c.shape(i));
            check(c.shape(i).rank() == c.shape(0).rank() && s.elements() == c.shape(0).elements(), Code::Shape,
                  "hash_cross: expected inputs of one shape, got {} and {}", c.x(0), c.x(i));
          }
          c.output(s, int64);
        },
    .run = [](const Run& r) noexcept -> Status {
      constexpr uint64_t key = 0xDECAFCAFFE;  // TensorFlow's
      auto* y = r.out<int64_t>();
      for (int64_t i = 0, n = r.y().shape.elements(); i < n; ++i) {
        uint64_t h = key;
        for (int k = 0; k < r.inputs(); ++k)
          h = joined_fingerprint(h,
                                 r.x(k).dtype == DType::string ? fingerprint64(texts::at(r.in(k), i)) : static_cast<uint64_t>(r.in<int64_t>(k)[i]));
        y[i] = static_cast<int64_t>(h % static_cast<uint64_t>(r.attr<CrossAttrs>().bins));
      }
      return {};
    },
    .traits = takes_strings,
    .attrs = attrs_of<CrossAttrs>,
    .specimens = R"(s[17], i64[17] ; {"bins": 7} | i64[2,1], i64[2,1], s[2,1] ; {"bins": 5} | s[2,1,3,1], i64[2,1,3,1] ; {"bins": 3}
                     | s[0], s[0] ; {"bins": 2})",
};

// ---- vocabularies -------------------------------------------------------------------------------------------------------------

template <class V>
void visit_rules(V& v, OovRules& a) {
  v("oov_count", a.count), v("oov_start", a.start), v("oov_hashed", a.hashed), v("oov_salt", a.salt);
}

// The value of the key for which compare(key i) is 0, or null.
template <class F>
const int64_t* found(const Run& r, int keys, F compare) noexcept {
  int64_t low = 0, high = r.x(keys).shape.elements();
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const int c = compare(middle);
    if (c == 0) return r.in<int64_t>(keys + 1) + middle;
    c < 0 ? high = middle : low = middle + 1;
  }
  return nullptr;
}

void check_vocabulary(std::string_view op, const Spec& keys, const Spec& values, DType key) {
  check(keys.dtype == key && values.dtype == int64 && keys.shape == values.shape && keys.shape.rank() == 1, Code::Shape,
        "{}: expected keys {}[n] and values int64[n], got {} and {}", op, to_string(key), keys, values);
}

struct LookupAttrs : OovRules {};
template <class V>
void fields(V& v, LookupAttrs& a) {
  visit_rules(v, a);
}

const Op lookup_op = {
    .name = "lookup",
    .infer =
        [](Infer& c) {
          check_keys("lookup", c.x(0));
          check_vocabulary("lookup", c.x(1), c.x(2), c.dtype(0));
          check_salt("lookup", c.attr<LookupAttrs>().salt);
          c.output(c.shape(0), int64);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<LookupAttrs>();
      auto* y = r.out<int64_t>();
      for (int64_t i = 0, n = r.y().shape.elements(); i < n; ++i) {
        const bool text = r.x(0).dtype == DType::string;
        const std::string_view s = text ? texts::at(r.in(0), i) : std::string_view();
        const int64_t number = text ? 0 : r.in<int64_t>(0)[i];
        const int64_t* value = text ? found(r, 1, [&](int64_t k) { return s.compare(texts::at(r.in(1), k)); }) : found(r, 1, [&](int64_t k) {
          return number < r.in<int64_t>(1)[k] ? -1 : number > r.in<int64_t>(1)[k] ? 1 : 0;
        });
        if (value) {
          y[i] = *value;
        } else if (a.count == 0) {
          return {Code::NotFound, "a value is not in the vocabulary, and there is no index for such ones (num_oov_indices=0)", i,
                  text ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(number)};
        } else if (a.count == 1) {
          y[i] = a.start;
        } else if (text || a.hashed) {
          y[i] = a.start + static_cast<int64_t>((text ? hashed(s, a.salt) : hashed(number, a.salt)) % static_cast<uint64_t>(a.count));
        } else {
          y[i] = a.start + (number % a.count + a.count) % a.count;
        }
      }
      return {};
    },
    .traits = takes_strings,
    .attrs = attrs_of<LookupAttrs>,
    .specimens = R"(i64[17], i64[1]{2..2}, i64[1] ; {"oov_count": 3, "oov_hashed": false} | i64[2,3,1,2], i64[1]{1..1}, i64[1] ; {"oov_count": 2}
                  | s[5], s[1], i64[1] ; {"oov_count": 3, "oov_start": 1, "oov_salt": [1, 2]} | s[0], s[0], i64[0] | s[3], s[0], i64[0] ; {"oov_start": 4})",
};

struct TextAttrs : TextLookup {};
template <class V>
void fields(V& v, TextAttrs& a) {
  v("lower", a.rules.lower), v("strip_punctuation", a.rules.strip_punctuation), v("split", a.rules.split);
  v("ngrams", a.ngrams), v("mode", a.mode), v("size", a.size), visit_rules(v, a.oov);
}

// How many rows, and how many texts each has.
std::pair<int64_t, int64_t> rows_of(const Shape& s, const TextRules& rules) noexcept {
  const int64_t rows = s.rank() > 0 ? s[0] : 1;
  return {rows, rules.split == TextRules::none && s.rank() > 1 ? s[1] : 1};
}

void check_rows(const Spec& x, const TextRules& rules) {
  const Shape& s = x.shape;
  check(x.dtype == DType::string, Code::DType, "lookup_text: expected strings, got {}", x);
  check(s.rank() == 1 || (s.rank() == 2 && (rules.split == TextRules::none || s[1] == 1)), Code::Shape,
        "lookup_text: expected texts [batch] or [batch, 1] to split, or [batch, tokens] that are split already, got {}", x);
}

// f(reader, width) for every token and n-gram of a row; stops where f says false.
template <class At, class F>
void for_tokens(const TextRules& rules, const std::vector<int64_t>& ngrams, int64_t texts, At at,
                F f) noexcept(noexcept(f(std::declval<TokenReader<At>&>(), 1))) {
  static constexpr int64_t alone[] = {1};
  const std::span<const int64_t> widths = ngrams.empty() ? std::span<const int64_t>(alone) : std::span<const int64_t>(ngrams);
  for (int64_t width : widths)
    for (TokenReader reader(rules, texts, at); reader.next();)
      if (reader.has(width) && !f(reader, width)) return;
}

const Op text_op = {
    .name = "lookup_text",
    .infer =
        [](Infer& c) {
          const auto& a = c.attr<TextAttrs>();
          check_rows(c.x(0), a.rules);
          check_vocabulary("lookup_text", c.x(1), c.x(2), DType::string);
          check(a.oov.count == 1, Code::InvalidArgument, "lookup_text: expected one index for unknown tokens, got {}", a.oov.count);
          check(a.mode == "int" || a.mode == "count" || a.mode == "multi_hot", Code::InvalidArgument,
                "lookup_text: expected mode int, count or multi_hot, got '{}'", a.mode);
          for (int64_t n : a.ngrams) check(n > 0, Code::InvalidArgument, "lookup_text: expected ngrams > 0, got {}", n);
          c.output({c.shape(0)[0], a.size}, a.mode == "int" ? int64 : float32);
        },
    .run = [](const Run& r) noexcept -> Status {
      const auto& a = r.attr<TextAttrs>();
      const auto [rows, texts] = rows_of(r.x(0).shape, a.rules);
      if (r.y().bytes()) std::memset(r.out(), 0, r.y().bytes());
      parallel_for(rows, 16, [&, per_row = texts](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          int64_t at = 0;
          for_tokens(
              a.rules, a.ngrams, per_row, [&](int64_t k) noexcept { return texts::at(r.in(0), row * per_row + k); },
              [&](const auto& reader, int64_t width) noexcept {
                const int64_t* value = found(r, 1, [&](int64_t k) { return reader.compare(width, texts::at(r.in(1), k)); });
                const int64_t index = value ? *value : a.oov.start;
                if (a.mode == "int") {
                  if (at >= a.size) return false;
                  r.out<int64_t>()[row * a.size + at++] = index;
                } else if (index >= 0 && index < a.size) {
                  float& to = r.out<float>()[row * a.size + index];
                  to = a.mode == "count" ? to + 1 : 1;
                }
                return true;
              });
        }
      });
      return {};
    },
    .traits = takes_strings,
    .attrs = attrs_of<TextAttrs>,
    .specimens = R"(s[17], s[1], i64[1] ; {"split": 1, "size": 3} | s[2,3], s[1], i64[1]{0..2} ; {"ngrams": [1, 2], "mode": "count", "size": 4}
                  | s[5,1], s[0], i64[0] ; {"split": 2, "mode": "multi_hot", "size": 2, "oov_start": 1} | s[0], s[1], i64[1] ; {"split": 1, "size": 2})",
};

Tensor as_keys(Tensor x) { return x.dtype() == DType::string || x.dtype() == int64 ? std::move(x) : cast(std::move(x), int64); }

}  // namespace

Tensor lookup(Tensor x, Tensor keys, Tensor values, const OovRules& oov) {
  return apply_with(lookup_op, LookupAttrs{oov}, as_keys(std::move(x)), std::move(keys), std::move(values));
}

Tensor lookup_text(Tensor x, Tensor keys, Tensor values, const TextLookup& how) {
  return apply_with(text_op, TextAttrs{how}, std::move(x), std::move(keys), std::move(values));
}

void each_token(const Tensor& x, const TextRules& rules, const std::vector<int64_t>& ngrams, const std::function<void(int64_t, std::string)>& f) {
  check_rows(x.spec(), rules);
  const auto [rows, texts] = rows_of(x.shape(), rules);
  for (int64_t row = 0; row < rows; ++row)
    for_tokens(
        rules, ngrams, texts, [&, per_row = texts](int64_t k) { return string_at(x, row * per_row + k); },
        [&](const auto& reader, int64_t width) { return f(row, reader.text(width)), true; });
}

Tensor hash_bucket(Tensor x, const HashRules& how) { return apply_with(hash_op, HashAttrs{how}, as_keys(std::move(x))); }

Tensor hash_cross(Tensors xs, int64_t bins) {
  for (Tensor& x : xs) x = as_keys(std::move(x));
  const CrossAttrs a{bins};
  return apply(cross_op, std::span<Tensor>(xs), AttrRef{&a, attrs_of<CrossAttrs>()});
}

}  // namespace tenure::ops

namespace tenure {

void register_text(Registry& r) {
  for (const Op* op : {&ops::hash_op, &ops::cross_op, &ops::lookup_op, &ops::text_op}) r.add(*op);
}

}  // namespace tenure

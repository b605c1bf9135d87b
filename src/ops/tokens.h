// Text as tokens: standardized, split and joined as TextVectorization does it, read in place: nothing is copied or allocated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tenure::ops {

/// How text becomes tokens.
struct TextRules {
  bool lower = false;              ///< ASCII letters only, as TensorFlow does
  bool strip_punctuation = false;  ///< ASCII punctuation
  enum Split : uint8_t { none, whitespace, character } split = none;

  bool dropped(char c) const noexcept;
  char changed(char c) const noexcept { return lower && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
};

/// A place in one row of texts and the token that begins there. With a split a row is one text; without, every text is a token.
template <class TextAt>
class TokenReader {
 public:
  /// text_at(k) is text k of the row, of `texts`.
  TokenReader(const TextRules& rules, int64_t texts, TextAt text_at) noexcept : rules_(&rules), texts_(texts), text_at_(text_at) {}

  /// Moves to the next token; false at the end.
  bool next() noexcept {
    if (rules_->split == TextRules::none) {
      if (text_ >= texts_) return false;
      token_ = text_at_(text_++);
      return true;
    }
    if (text_ >= texts_) return false;
    const std::string_view all = text_at_(text_);
    if (rules_->split == TextRules::character) {
      while (at_ < all.size() && rules_->dropped(all[at_])) ++at_;
      if (at_ >= all.size()) return false;
      size_t end = at_ + 1;
      if ((static_cast<unsigned char>(all[at_]) & 0xc0) == 0xc0)
        while (end < all.size() && end < at_ + 4 && (static_cast<unsigned char>(all[end]) & 0xc0) == 0x80) ++end;
      token_ = all.substr(at_, end - at_);
      at_ = end;
      return true;
    }
    for (;;) {
      while (at_ < all.size() && blank(all[at_])) ++at_;
      if (at_ >= all.size()) return false;
      size_t end = at_;
      bool empty = true;
      while (end < all.size() && !blank(all[end])) empty &= rules_->dropped(all[end++]);
      token_ = all.substr(at_, end - at_);
      at_ = end;
      if (!empty) return true;
    }
  }
  std::string_view raw() const noexcept { return token_; }

  /// f(byte) for each byte of `width` standardized tokens from this one on, with a space between two; stops where f says false. False if there are
  /// fewer tokens.
  template <class F>
  bool bytes(int64_t width, F&& f) const noexcept {
    TokenReader reader = *this;
    for (int64_t k = 0; k < width; ++k) {
      if (k > 0 && (!reader.next() || !f(' '))) return false;
      for (char c : reader.token_)
        if (!rules_->dropped(c) && !f(rules_->changed(c))) return true;
    }
    return true;
  }
  /// Whether `width` tokens stand here.
  bool has(int64_t width) const noexcept {
    TokenReader reader = *this;
    for (int64_t k = 1; k < width; ++k)
      if (!reader.next()) return false;
    return true;
  }
  /// Less, equal or greater (-1, 0, 1) than a text, by bytes.
  int compare(int64_t width, std::string_view with) const noexcept {
    size_t at = 0;
    int result = 0;
    bytes(width, [&](char c) {
      if (at >= with.size()) return result = 1, false;
      const auto a = static_cast<unsigned char>(c), b = static_cast<unsigned char>(with[at++]);
      return a == b ? true : (result = a < b ? -1 : 1, false);
    });
    return result != 0 ? result : at < with.size() ? -1 : 0;
  }
  std::string text(int64_t width) const {
    std::string out;
    bytes(width, [&](char c) { return out += c, true; });
    return out;
  }

 private:
  static bool blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

  const TextRules* rules_;
  int64_t texts_, text_ = 0;
  TextAt text_at_;
  size_t at_ = 0;
  std::string_view token_;
};

inline bool TextRules::dropped(char c) const noexcept {
  return strip_punctuation && ((c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~'));
}

}  // namespace tenure::ops

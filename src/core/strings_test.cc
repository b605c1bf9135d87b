// Tensors of strings: one block, counted, read only.
#include <gtest/gtest.h>

#include <tenure/memory.h>
#include <tenure/strings.h>

#include "core/body.h"

namespace tenure {
namespace {

TEST(Strings, AreReadBackAndCountedWithTheirTexts) {
  const memory::Now before = memory::now();
  {
    const Tensor t = strings({"a", "", "\u65e5\u672c", "longer"}, {2, 2});
    EXPECT_EQ(t.spec(), (Spec{{2, 2}, DType::string}));
    EXPECT_EQ(to_strings(t), (std::vector<std::string>{"a", "", "\u65e5\u672c", "longer"}));
    EXPECT_EQ(string_at(t, 3), "longer");
    EXPECT_EQ(memory::now().live_bytes - before.live_bytes, 5 * 8 + 1 + 6 + 6);
    EXPECT_EQ(to_strings(t.clone()), to_strings(t));
    EXPECT_EQ(to_string(strings({"x", "y"})), "string[2] {\"x\", \"y\"}");
  }
  EXPECT_EQ(memory::now().live_bytes, before.live_bytes);
}

TEST(Strings, APartOfTheTableIsATensor) {
  const Tensor t = strings({"one", "two", "three"});
  const Tensor part = make_view(t, {{2}, DType::string}, 8);
  EXPECT_EQ(to_strings(part), (std::vector<std::string>{"two", "three"}));
  EXPECT_EQ(to_strings(part.clone()), to_strings(part));
}

TEST(Strings, WhatTakesNumbersRefusesThem) {
  auto message = [](auto f) -> std::string {
    try {
      f();
    } catch (const Error& e) { return e.message(); }
    return {};
  };
  const Tensor t = strings({"one"});
  EXPECT_EQ(message([&] { t.at(0); }), "tensor: a string has no numbers to read");
  EXPECT_NE(message([&] { t.bytes(); }).find("read them with string_at"), std::string::npos);
  EXPECT_NE(message([&] { string_at(t, 1); }).find("an index in [0, 1)"), std::string::npos);
  EXPECT_NE(message([&] { string_at(Tensor::from({1}), 0); }).find("expected strings"), std::string::npos);
  EXPECT_NE(message([&] { strings({"a"}, {2}); }).find("needs 2 values"), std::string::npos);
  EXPECT_THROW((void)Tensor::empty({2}, DType::string), Error);
  EXPECT_THROW((void)Tensor::borrow("a", {1}, DType::string), Error);
}

}  // namespace
}  // namespace tenure

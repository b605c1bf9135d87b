// How strings lie in memory: a table of n + 1 places of 8 bytes, then the texts, one behind the other. A place is the distance from itself to the
// beginning of its text, and the next one says where the text ends; so a part of the table is a tensor too, at any address.
// The block is one Storage, made once and never written again. To Spec::bytes() a string has no size, so that no generic copy is taken for one.
#pragma once

#include <string_view>

#include <tenure/strings.h>

#include "core/body.h"

namespace tenure {

namespace texts {

constexpr size_t kPlace = 8;
/// String i of a table.
std::string_view at(const void* table, int64_t i) noexcept;
/// A copy whose block has no more than its own strings.
Tensor copy(const Tensor& t);

}  // namespace texts
}  // namespace tenure

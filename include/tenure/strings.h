// Tensors of strings: what text comes in as. Preprocessing layers take them; no arithmetic does, and nothing writes them.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/tensor.h>

namespace tenure {

/// Copies UTF-8 strings, row-major, into one block of which the ledger counts every byte. Throws Shape when their number does not match.
TENURE_API Tensor strings(std::span<const std::string_view> values, const Shape& shape);
TENURE_API Tensor strings(const std::vector<std::string>& values, const Shape& shape);
TENURE_API Tensor strings(std::initializer_list<std::string_view> values, const Shape& shape);
/// [n]
TENURE_API Tensor strings(std::initializer_list<std::string_view> values);

/// String i in row-major order; the view holds as long as the tensor does. Throws DType for a tensor of numbers, InvalidArgument out of range.
TENURE_API std::string_view string_at(const Tensor& t, int64_t i);
/// All of them.
TENURE_API std::vector<std::string> to_strings(const Tensor& t);

}  // namespace tenure

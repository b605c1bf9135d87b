// What the numbers of a weight are like.
#pragma once

#include <cstdint>
#include <string>

#include "files/array.h"
#include "nn/layer_body.h"

namespace tenure::io {

/// Of the finite values; all zero where there are none.
struct Statistics {
  double minimum = 0, maximum = 0, mean = 0;
  uint64_t nonfinite = 0;
};
/// Reads the array once; of a mapped file nothing stays in memory behind it.
Statistics statistics_of(const files::Array& array);

/// max|a-b| of two arrays of one shape; infinite where only one of them is finite, and NaN is equal to NaN.
double largest_difference(const files::Array& a, const files::Array& b);

/// Tells the log how many weights of the model are NaN or infinite, and where the first of them is, if there are any.
void warn_of_nonfinite(const LayerBody& model, const std::string& file);

}  // namespace tenure::io

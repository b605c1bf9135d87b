// What the two ops of sequences without alignment share.
#pragma once

#include <cmath>
#include <limits>
#include <utility>

#include "ops/helpers.h"

namespace tenure::ops {

/// The class for no label; counted from the end if it is negative.
inline int64_t blank_of(int64_t mask_index, int64_t classes) noexcept { return mask_index < 0 ? mask_index + classes : mask_index; }
inline void check_blank(const Infer& c, int64_t mask_index, int64_t classes) {
  check(classes < 0 || (mask_index >= -classes && mask_index < classes), Code::InvalidArgument, "{}: expected mask_index of {} classes, got {}",
        c.op().name, classes, mask_index);
}

/// log(exp(a) + exp(b)); -infinity stands for 0.
template <class T>
T log_add(T a, T b) noexcept {
  if (a < b) std::swap(a, b);
  return b == -std::numeric_limits<T>::infinity() ? a : a + std::log1p(std::exp(b - a));
}

}  // namespace tenure::ops

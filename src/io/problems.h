// What a file needs and Tenure has not, collected so that the reader hears of all of it at once.
#pragma once

#include <string>
#include <vector>

#include "base/check.h"

namespace tenure::io {

class Problems {
 public:
  /// `where` is a layer's path in the model; `way` is what its owner may do about it, or empty. Repetitions count once.
  void add(const std::string& where, const std::string& what, const std::string& way = {});
  bool empty() const noexcept { return lines_.empty(); }
  size_t size() const noexcept { return lines_.size(); }
  /// Throws Unsupported listing everything, if there is anything.
  void raise(const std::string& file) const;

 private:
  std::vector<std::string> lines_;
  std::vector<std::string> ways_;
};

}  // namespace tenure::io

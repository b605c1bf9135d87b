#include "io/problems.h"

#include <algorithm>

namespace tenure::io {

namespace {

constexpr size_t kMost = 100;  // lines of one message

void add_once(std::vector<std::string>& list, std::string text) {
  if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
}

}  // namespace

void Problems::add(const std::string& where, const std::string& what, const std::string& way) {
  add_once(lines_, fmt::format("{}: {}", where, what));
  add_once(ways_, way);
}

void Problems::raise(const std::string& file) const {
  if (empty()) return;
  std::string text = fmt::format("{}: the model needs {} thing{} that {} not supported:", file, lines_.size(), lines_.size() == 1 ? "" : "s",
                                 lines_.size() == 1 ? "is" : "are");
  for (size_t i = 0; i < std::min(kMost, lines_.size()); ++i) text += "\n  - " + lines_[i];
  if (lines_.size() > kMost) text += fmt::format("\n  - and {} more", lines_.size() - kMost);
  for (size_t i = 0; i < std::min(kMost, ways_.size()); ++i) text += "\n  way out: " + ways_[i];
  throw Error(Code::Unsupported, text);
}

}  // namespace tenure::io

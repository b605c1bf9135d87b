#include "core/strings.h"

#include <cstring>

namespace tenure {

using memory::Counted;

std::string_view texts::at(const void* table, int64_t i) noexcept {
  const std::byte* place = static_cast<const std::byte*>(table) + kPlace * static_cast<size_t>(i);
  int64_t begin, end;
  std::memcpy(&begin, place, kPlace);
  std::memcpy(&end, place + kPlace, kPlace);
  return {reinterpret_cast<const char*>(place) + begin, static_cast<size_t>(end + static_cast<int64_t>(kPlace) - begin)};
}

Tensor texts::copy(const Tensor& t) {
  std::vector<std::string_view> values;
  for (int64_t i = 0; i < t.size(); ++i) values.push_back(string_at(t, i));
  return strings(values, t.shape());
}

Tensor strings(std::span<const std::string_view> values, const Shape& shape) {
  check(shape.known() && static_cast<int64_t>(values.size()) == shape.elements(), Code::Shape, "strings: shape {} needs {} values, got {}", shape,
        shape.elements(), values.size());
  const size_t table = texts::kPlace * (values.size() + 1);
  size_t bytes = table;
  for (std::string_view v : values) bytes += v.size();
  memory::Storage* s = memory::Storage::make(bytes);
  s->retain(Counted::kOwner);
  auto* body = new TensorBody(Spec{shape, DType::string}, s, 0);
  body->retain(Counted::kUser);
  Tensor t(body);
  std::byte *place = body->data(), *text = place + table;
  for (size_t i = 0; i <= values.size(); ++i, place += texts::kPlace) {
    const int64_t distance = text - place;
    std::memcpy(place, &distance, texts::kPlace);
    if (i == values.size() || values[i].empty()) continue;
    std::memcpy(text, values[i].data(), values[i].size());
    text += values[i].size();
  }
  return t;
}

Tensor strings(const std::vector<std::string>& values, const Shape& shape) {
  return strings(std::vector<std::string_view>(values.begin(), values.end()), shape);
}
Tensor strings(std::initializer_list<std::string_view> values, const Shape& shape) {
  return strings(std::span<const std::string_view>(values.begin(), values.size()), shape);
}
Tensor strings(std::initializer_list<std::string_view> values) { return strings(values, Shape{static_cast<int64_t>(values.size())}); }

std::string_view string_at(const Tensor& t, int64_t i) {
  check(t.dtype() == DType::string, Code::DType, "string_at: expected strings, got {}", t.spec());
  check(t.concrete(), Code::InvalidArgument, "string_at: a {} without values", t.spec());
  check(i >= 0 && i < t.size(), Code::InvalidArgument, "string_at: expected an index in [0, {}), got {}", t.size(), i);
  return texts::at(t.body()->data(), i);
}

std::vector<std::string> to_strings(const Tensor& t) {
  std::vector<std::string> out;
  for (int64_t i = 0, n = t.size(); i < n; ++i) out.emplace_back(string_at(t, i));
  return out;
}

}  // namespace tenure

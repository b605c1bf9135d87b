#include "io/op_arguments.h"

#include <algorithm>

#include <tenure/ops_numpy.h>

#include "base/check.h"
#include "core/context.h"
#include "io/operation.h"

namespace tenure::io {

namespace {

const Json kNothing;  // null

bool is_object_of(const Json& j, const char* class_name) { return j.is_object() && j.contains("class_name") && j["class_name"] == class_name; }

/// The sizes of nested lists; the first element of each level decides, and the count is checked by flatten().
void measure(const Json& j, Shape& shape) {
  if (!j.is_array()) return;
  check(shape.rank() < Shape::max_rank, Code::Unsupported, "a constant of more than {} dimensions", Shape::max_rank);
  shape.push_back(static_cast<int64_t>(j.size()));
  if (!j.empty()) measure(j[0], shape);
}

void flatten(const Json& j, const Shape& shape, int level, std::vector<double>& out) {
  if (level == shape.rank()) {
    check(j.is_number() || j.is_boolean(), Code::Unsupported, "a constant holds {}, expected numbers", j.dump().substr(0, 80));
    return out.push_back(j.is_boolean() ? static_cast<double>(j.get<bool>()) : j.get<double>());
  }
  check(j.is_array() && static_cast<int64_t>(j.size()) == shape[level], Code::Unsupported, "a constant whose lists have different lengths");
  for (const Json& item : j) flatten(item, shape, level + 1, out);
}

bool any_float(const Json& j) {
  if (!j.is_array()) return j.is_number_float();
  for (const Json& item : j)
    if (any_float(item)) return true;
  return false;
}

bool says_nothing(const Json& j) { return j.is_null() || j == Json(false); }

}  // namespace

Tensor constant_from(const Json& j) {
  const bool wrapped = is_object_of(j, "__tensor__") || is_object_of(j, "__numpy__");
  check(wrapped || j.is_array(), Code::Unsupported, "expected a tensor, a number or a list of numbers, got {}", j.dump().substr(0, 120));
  const Json& value = wrapped && j.contains("config") && j["config"].contains("value") ? j["config"]["value"] : j;
  DType dtype = any_float(value) ? float32 : int32;
  if (wrapped && j.contains("config") && j["config"].contains("dtype") && j["config"]["dtype"].is_string())
    dtype = dtype_from(j["config"]["dtype"].get<std::string>());
  Shape shape;
  measure(value, shape);
  std::vector<double> numbers;
  flatten(value, shape, 0, numbers);
  const Eagerly eagerly;  // a constant has values wherever it is met
  return cast(Tensor::from(numbers, shape), dtype);
}

const Json& OpArguments::find(int position, const char* name) {
  used_names_.insert(name);
  if (auto it = kwargs_.find(name); it != kwargs_.end()) return *it;
  if (position >= 0 && static_cast<size_t>(position) < args_.size()) {
    used_positions_.insert(position);
    return args_[static_cast<size_t>(position)];
  }
  if (auto it = config_.find(name); it != config_.end()) return *it;
  return kNothing;
}

void OpArguments::wrong(const char* name, const Json& got, const char* expected) const {
  fail(Code::Unsupported, "{}: expected {} as '{}', got {}", op_, expected, name, got.is_null() ? "nothing" : got.dump().substr(0, 120));
}

const Tensor& OpArguments::input(const Json& placeholder, const char* name) const {
  const size_t i = tensor_index(placeholder);
  if (i >= inputs_.size()) wrong(name, placeholder, "a tensor");
  return inputs_[i];
}

Tensor OpArguments::tensor_from(const Json& j, const char* name) const {
  if (is_complex_tensor(j)) {
    check(parts_ != nullptr, Code::Unsupported, "{}: expected real numbers as '{}', got complex ones", op_, name);
    return take(input(j, name), parts_->part[tensor_index(j)], -1);
  }
  Tensor x;
  if (is_keras_tensor(j)) x = input(j, name);
  else if (j.is_boolean()) x = Tensor(j.get<bool>());
  else if (j.is_number_integer()) x = Tensor(j.get<int64_t>());
  else if (j.is_number()) x = Tensor(j.get<double>());
  else if (j.is_null()) wrong(name, j, "a tensor");
  else x = constant_from(j);
  return parts_ && parts_->real_is_zero && x.dtype() != bool_ ? zeros_like(x) : x;
}

Tensor OpArguments::random_state(int position, const char* name) {
  const Json& j = find(position, name);
  ensure(seed_ != nullptr, "an op draws that has no state");
  if (j.is_null()) return SeedGenerator(seed_->variable()).next();
  if (!j.is_number_integer()) wrong(name, j, "a whole number or null");
  const Eagerly eagerly;  // a constant, as constant_from's
  return Tensor::from<int64_t>({j.get<int64_t>(), 0});
}

Tensor OpArguments::tensor(int position, const char* name) { return tensor_from(find(position, name), name); }

ops::Complex OpArguments::complex(int position, const char* name) {
  const Json& j = find(position, name);
  if (is_complex_tensor(j)) return ops::Complex(input(j, name));
  Tensor x = tensor_from(j, name);
  if (!is_float(x.dtype())) x = cast(std::move(x), float32);
  return {x, zeros_like(x)};
}

Tensor OpArguments::maybe_tensor(int position, const char* name) {
  const Json& j = find(position, name);
  return j.is_null() ? Tensor() : tensor_from(j, name);
}

bool OpArguments::has_tensor(int position, const char* name) { return is_keras_tensor(find(position, name)); }

bool OpArguments::has_tensor_inside(int position, const char* name) {
  const Json& j = find(position, name);
  return j.is_array() && std::any_of(j.begin(), j.end(), is_keras_tensor);
}

Tensors OpArguments::tensors(int position, const char* name) {
  const Json& j = find(position, name);
  if (is_keras_tensor(j)) return {tensor_from(j, name)};
  if (!j.is_array()) wrong(name, j, "a list of tensors");
  Tensors out;
  for (const Json& item : j) out.push_back(tensor_from(item, name));
  return out;
}

std::optional<int64_t> OpArguments::maybe_integer(int position, const char* name) {
  const Json& j = find(position, name);
  if (j.is_null()) return {};
  if (!j.is_number_integer()) wrong(name, j, "a whole number");
  return j.get<int64_t>();
}

int64_t OpArguments::integer(int position, const char* name, std::optional<int64_t> otherwise) {
  std::optional<int64_t> v = maybe_integer(position, name);
  if (!v) v = otherwise;
  if (!v) wrong(name, kNothing, "a whole number");
  return *v;
}

std::optional<double> OpArguments::maybe_number(int position, const char* name) {
  const Json& j = find(position, name);
  if (j.is_null()) return {};
  if (!j.is_number()) wrong(name, j, "a number");
  return j.get<double>();
}

double OpArguments::number(int position, const char* name, std::optional<double> otherwise) {
  std::optional<double> v = maybe_number(position, name);
  if (!v) v = otherwise;
  if (!v) wrong(name, kNothing, "a number");
  return *v;
}

bool OpArguments::flag(int position, const char* name, bool otherwise) {
  const Json& j = find(position, name);
  if (j.is_null()) return otherwise;
  if (!j.is_boolean()) wrong(name, j, "true or false");
  return j.get<bool>();
}

std::string OpArguments::text(int position, const char* name, const std::string& otherwise) {
  const Json& j = find(position, name);
  if (j.is_null()) return otherwise;
  if (!j.is_string()) wrong(name, j, "a string");
  return j.get<std::string>();
}

std::vector<int64_t> OpArguments::integers(int position, const char* name, std::vector<int64_t> otherwise) {
  const Json& j = find(position, name);
  if (j.is_null() || (j.is_array() && j.empty())) return otherwise;
  if (j.is_number_integer()) return {j.get<int64_t>()};
  if (!j.is_array()) wrong(name, j, "whole numbers");
  std::vector<int64_t> out;
  for (const Json& item : j) {
    if (!item.is_number_integer() && !item.is_null()) wrong(name, j, "whole numbers");
    out.push_back(item.is_null() ? -1 : item.get<int64_t>());
  }
  return out;
}

std::vector<double> OpArguments::numbers(int position, const char* name) {
  const Json& j = find(position, name);
  if (j.is_null()) return {};
  if (j.is_number()) return {j.get<double>()};
  if (is_keras_tensor(j) || !(j.is_array() || j.is_object())) wrong(name, j, "numbers");
  const Tensor t = constant_from(j);
  std::vector<double> out;
  for (int64_t i = 0; i < t.size(); ++i) out.push_back(t.at(i));
  return out;
}

Axes OpArguments::axes(int position, const char* name) {
  const std::vector<int64_t> list = integers(position, name);
  for (int64_t a : list)
    if (a < -Shape::max_rank || a >= Shape::max_rank) wrong(name, Json(list), "axes");
  return Axes(list.begin(), list.end());
}

Shape OpArguments::shape(int position, const char* name) { return Shape(std::span<const int64_t>(integers(position, name))); }

std::map<std::string, int64_t> OpArguments::other_integers() {
  std::map<std::string, int64_t> out;
  for (const auto& [name, j] : kwargs_.items())
    if (j.is_number_integer() && used_names_.insert(name).second) out.emplace(name, j.get<int64_t>());
  return out;
}

const Json& OpArguments::value(int position, const char* name) { return find(position, name); }

void OpArguments::finish() const {
  std::string rest;
  auto note = [&](const std::string& name, const Json& j) {
    rest += fmt::format("{}{} = {}", rest.empty() ? "" : ", ", name, j.dump().substr(0, 80));
  };
  for (size_t i = 0; i < args_.size(); ++i)
    if (!used_positions_.count(static_cast<int>(i)) && !says_nothing(args_[i])) note(fmt::format("argument {}", i), args_[i]);
  for (const auto& [name, j] : kwargs_.items())
    if (!used_names_.count(name) && !says_nothing(j)) note(name, j);
  for (const auto& [name, j] : config_.items())
    if (name != "name" && !used_names_.count(name) && !says_nothing(j)) note(name, j);
  check(rest.empty(), Code::Unsupported, "{}: not understood: {}", op_, rest);
}

// ---- x[key] -------------------------------------------------------------------------------------------------------------------------

namespace {

bool is_ellipsis(const Json& j) { return is_object_of(j, "__ellipsis__"); }

std::optional<int64_t> bound(const Json& config, const char* name) {
  auto it = config.find(name);
  if (it == config.end() || it->is_null()) return {};
  check(it->is_number_integer(), Code::Unsupported, "GetItem: expected whole numbers in a slice, got {}", config.dump());
  return it->get<int64_t>();
}

Tensor take_slice(Tensor x, int axis, const Json& config) {
  constexpr int64_t none = std::numeric_limits<int64_t>::max();
  const int64_t step = bound(config, "step").value_or(1);
  check(step != 0, Code::Unsupported, "GetItem: a slice with step 0");
  std::vector<int64_t> start(static_cast<size_t>(axis) + 1, none), stop = start, steps(start.size(), 1);
  start.back() = bound(config, "start").value_or(none), stop.back() = bound(config, "stop").value_or(none), steps.back() = step;
  return strided_slice(std::move(x), start, stop, steps);
}

Tensor take_one(Tensor x, int axis, int64_t i) {
  const int64_t n = x.shape()[axis];
  check(n < 0 || (i >= -n && i < n), Code::InvalidArgument, "GetItem: index {} is not in axis {} of {}", i, axis, x.spec());
  x = slice_axis(std::move(x), axis, i, i == -1 ? std::numeric_limits<int64_t>::max() : i + 1);
  return squeeze(std::move(x), {axis});
}

}  // namespace

Tensor get_item(Tensor x, const Json& key) {
  // A list of lists of numbers would be an index array; only plain keys are read.
  const Json keys = key.is_array() ? key : Json::array({key});
  int named = 0;
  for (const Json& k : keys) named += !k.is_null() && !is_ellipsis(k);
  check(named <= x.rank(), Code::InvalidArgument, "GetItem: {} indices for {}", named, x.spec());
  int axis = 0;
  bool skipped = false;
  for (const Json& k : keys) {
    if (k.is_null()) {
      x = expand_dims(std::move(x), axis++);
    } else if (is_ellipsis(k)) {
      check(!std::exchange(skipped, true), Code::InvalidArgument, "GetItem: more than one ellipsis");
      axis += x.rank() - axis - named;
    } else if (is_object_of(k, "__slice__")) {
      check(k.contains("config") && k["config"].is_object(), Code::Unsupported, "GetItem: a slice without start, stop and step");
      x = take_slice(std::move(x), axis++, k["config"]), --named;
    } else if (k.is_number_integer()) {
      x = take_one(std::move(x), axis, k.get<int64_t>()), --named;
    } else if (is_object_of(k, "__tensor__") || is_object_of(k, "__numpy__")) {
      check(keys.size() == 1, Code::Unsupported, "GetItem: an array of places beside other keys");
      x = take(std::move(x), constant_from(k), 0), --named;
    } else {
      fail(Code::Unsupported, "GetItem: expected numbers, slices, null or an ellipsis, got {}", k.dump().substr(0, 120));
    }
  }
  return x;
}

}  // namespace tenure::io

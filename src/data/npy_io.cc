// .npy and .npz for users: Arrays of the files folder as Tensors and back. Values are copied once.
#include <cstring>

#include <tenure/arrays.h>

#include <tenure/strings.h>

#include "core/body.h"
#include "files/npy.h"

namespace tenure {
namespace {

Tensor to_tensor(const files::Array& a) {
  if (a.dtype == DType::string) {
    std::vector<std::string_view> texts;
    for (int64_t i = 0; i < a.elements(); ++i) texts.push_back(a.text(i));
    return strings(texts, a.shape);
  }
  Tensor t = make_tensor({a.shape, a.dtype});
  auto bytes = a.bytes.span();
  if (!bytes.empty()) std::memcpy(mutable_data(t), bytes.data(), t.spec().bytes());
  return t;
}

files::Array to_array(const Tensor& t) {
  check(t.concrete(), Code::InvalidArgument, "npy: expected a tensor with values, got {}", t.defined() ? to_string(t) : "an empty handle");
  if (t.dtype() == DType::string) {
    std::vector<std::string_view> texts;
    for (int64_t i = 0; i < t.size(); ++i) texts.push_back(string_at(t, i));
    return files::Array::of_texts(t.shape(), texts, "tensor");
  }
  return {t.dtype(), t.shape(), files::Bytes::borrow(t.bytes(), "tensor")};
}

}  // namespace

Tensor load_npy(const std::string& path) { return to_tensor(files::read_npy(files::Bytes::map(path))); }
void save_npy(const std::string& path, const Tensor& t) { files::write_npy(path, to_array(t)); }

NamedTensors load_npz(const std::string& path) {
  files::NpzFile file(path);
  NamedTensors out;
  for (const std::string& name : file.names()) out.emplace_back(name, to_tensor(file.read(name)));
  return out;
}

void save_npz(const std::string& path, const NamedTensors& arrays) {
  std::vector<files::NamedArray> out;
  for (auto& [name, t] : arrays) out.push_back({name, to_array(t)});
  files::write_npz(path, out);
}

}  // namespace tenure

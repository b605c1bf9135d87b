// vocabulary.txt of the layers that keep their vocabulary beside the configuration: the input stands for each of them.
#include <string>
#include <utility>
#include <vector>

#include <tenure/tenure.h>

#include "files/zip.h"
#include "fuzz.h"

using namespace tenure;
using namespace tenure::files;

namespace {

using Members = std::vector<std::pair<std::string, Bytes>>;

/// The members of a saved model with one such layer.
Members members_of(const Layer& layer, const Tensor& learned) {
  adapt(layer, learned);
  Tensor in = Input({.shape = {1}, .dtype = learned.dtype()});
  const std::vector<std::byte> bytes = model_bytes(Model(Functional{.inputs = {in}, .outputs = {Tensor(layer(in))}}));
  const ZipFile zip(Bytes::borrow(bytes));
  Members out;
  for (const ZipMember& m : zip.members()) out.emplace_back(m.name, Bytes::copy(zip.read(m.name).text()));
  return out;
}

const std::vector<Members>& models() {
  static const auto& all = *new std::vector<Members>{members_of(layers::StringLookup{.max_tokens = 9, .mask_token = ""}, strings({"a", "b"}, {2, 1})),
                                                     members_of(layers::IntegerLookup{.num_oov_indices = 2}, Tensor::from<int64_t>({1, 2}, {2, 1})),
                                                     members_of(layers::TextVectorization{.output_mode = "tf_idf"}, strings({"a b", "b"}, {2, 1}))};
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const Members& members : models())
    fuzz_one(data, size, [&](const Bytes& bytes) {
      ZipWriter zip;
      for (const auto& [name, content] : members) zip.add(name, name.ends_with("vocabulary.txt") ? bytes : content);
      const Bytes archive = zip.to_bytes();
      const Model m = load_model(archive.span());
      (void)get_vocabulary(m.layers().back());
    });
  return 0;
}

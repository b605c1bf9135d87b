#include "files/hdf5.h"
#include "fuzz.h"

using namespace tenure::files;

namespace {

template <class F>
void attempt(F&& f) {
  fuzz_one(nullptr, 0, [&](const Bytes&) { f(); });
}

void visit(const Hdf5Node& node) {
  attempt([&] {
    for (const std::string& name : node.attributes()) {
      attempt([&] { (void)node.text(name); });
      attempt([&] { (void)node.texts(name); });
      attempt([&] { touch(node.attribute(name).bytes.span()); });
    }
  });
  if (node.is_dataset()) {
    attempt([&] { touch(node.read().bytes.span()); });
    attempt([&] { (void)node.read_texts(); });
  }
  for (const std::string& name : node.children()) attempt([&] { visit(node.at(name)); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz_one(data, size, [](const Bytes& bytes) { visit(Hdf5File(bytes, {.max_ratio = 100, .free_bytes = 1 << 20}).root()); });
}

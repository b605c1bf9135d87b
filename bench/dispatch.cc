// What one small eager op costs, and where: two tensors of four elements added, then its parts alone.
#include <tenure/op.h>
#include <tenure/ops.h>

#include "core/body.h"
#include "core/context.h"
#include "harness.h"
#include "memory/ledger.h"

using namespace tenure;

int main(int argc, char** argv) {
  bench::Program program(argc, argv);
  constexpr int64_t inner = 2000;
  const Tensor a = Tensor::from<float>({1, 2, 3, 4}), b = Tensor::from<float>({5, 6, 7, 8});
  const Spec spec = a.spec();
  Tensor kept = a.clone();
  alignas(64) float out[4];
  const Op& op = *Registry::global().find("add");
  const Spec specs[] = {spec, spec};
  const void* in[] = {a.bytes().data(), b.bytes().data()};
  void* to[] = {out};

  program.add(bench::calls(
      "dispatch.add", inner, [&] { Tensor y = add(a, b); }, bench::head(add(a, b))));
  program.add(bench::calls("dispatch.add_in_place", inner, [&] { kept = add(std::move(kept), b); }));
  // Parts: the output (buffer and body), the buffer alone, two handles copied, the account, the kernel behind run_kernel.
  program.add(bench::calls("dispatch.part_output", inner, [&] { Tensor y = make_tensor(spec); }));
  program.add(bench::calls("dispatch.part_buffer", inner, [] { memory::HeldOf<memory::Storage> s(memory::Storage::make(16)); }));
  program.add(bench::calls("dispatch.part_handles", inner, [&] { Tensor x = a, y = b; }));
  program.add(bench::calls("dispatch.part_account", inner, [&] { memory::Enter at(op.name); }));
  program.add(bench::calls("dispatch.part_kernel", inner, [&] { run_kernel(op, nullptr, specs, {&spec, 1}, in, to); }));
  return program.run();
}

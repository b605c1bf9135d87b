// A model that Python saved with model.save("m.keras"): loaded, planned before it runs, run on memory of the caller's.
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: load_keras MODEL.keras\n";
    return 2;
  }
  try {
    Model model = load_model(argv[1]);
    std::cout << model.summary();
    Shape shape = model.inputs()[0].shape();
    shape[0] = 1;
    Plan plan = model.prepare({.shapes = {shape}});
    std::cout << "a call takes " << plan.peak_bytes() << " bytes, known before it runs\n";

    std::vector<float> frame(static_cast<size_t>(shape.elements()), 0.5f);
    Tensor in = Tensor::borrow(frame.data(), shape, float32);  // no copy; `frame` stays the caller's
    memory::Scope request{"request", {.budget = 64_MiB, .on_escape = memory::OnEscape::fail}};
    Tensor out = request.keep(Tensor(model.predict(in)));
    request.close();  // throws if anything but `out` escaped
    std::cout << out << "\n" << memory::explain(out);
    return 0;
  } catch (const Error& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}

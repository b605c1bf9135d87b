// What the question feared: old results held until the program ends. Found, and the holder named.
#include <iostream>

#include <tenure/tenure.h>

using namespace tenure;

int main() {
  Sequential model{layers::Dense{.units = 10}};
  SeedGenerator seed(1);
  Tensor x = random::uniform({100, 10}, seed);

  std::vector<Tensor> log;  // a "debug log" that somebody forgot
  memory::Holder name{"debug log", [&](memory::Visitor& v) {
                        for (size_t i = 0; i < log.size(); ++i) v.tensor(log[i], "log", static_cast<int64_t>(i));
                      }};
  memory::Steadiness leaky = memory::steadiness([&] { log.push_back(model(x)); });
  std::cout << leaky.text() << memory::explain(log.back());

  log.clear();
  memory::Steadiness clean = memory::steadiness([&] { Tensor y = model(x); });
  std::cout << "without the log: " << memory::to_string(clean.verdict) << "\n";

  bool found = leaky.verdict == memory::Verdict::leak && leaky.text().find("debug log") != std::string::npos;
  return found && clean.verdict == memory::Verdict::clean ? 0 : 1;
}

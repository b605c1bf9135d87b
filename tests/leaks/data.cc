// Data: a Dataset owns its source and its stages, an iterator its queues.
#include "leaks/catalogue.h"

namespace tenure::leaks {
namespace {

Dataset counting(int n) {
  return data::generator([n, i = 0]() mutable -> std::optional<Batch> {
    if (i == n) return {};
    return Batch{{full({16}, i++)}};
  });
}

void drain(const Dataset& d) {
  for (Batch& b : d) require(b.x.size() == 1, "an element without its value");
}

}  // namespace

void data_scenarios(std::vector<Scenario>& to) {
  to.push_back({"29", "a generator over 256 KB, made anew", [] {
                  return [] {
                    drain(data::generator([big = ones({65536}), i = 0]() mutable -> std::optional<Batch> {
                      if (i++ == 2) return {};
                      return Batch{{slice(big, {0}, {16})}};
                    }));
                  };
                }});
  to.push_back({"30", "one element of one long pass", [] {
                  auto pass = std::make_shared<data::Iterator>(counting(1 << 20).open());
                  return [pass, b = std::make_shared<Batch>()] { require(pass->next(*b), "the pass ended"); };
                }});
  to.push_back({"31", "an epoch through shuffle: buffer_size elements, none afterwards", [] {
                  Dataset shuffled = counting(64).shuffle(32, 1);
                  return [shuffled] {
                    size_t before = memory::now().buffers;
                    {
                      data::Iterator it = shuffled.open();
                      Batch b;
                      it.next(b);
                      size_t held = memory::now().buffers - before;
                      require(held == 32 || held == 33, "a shuffle buffer that is not of its size");
                    }
                    require(memory::now().buffers == before, "the buffer outlives its epoch");
                    drain(shuffled);
                  };
                }});
  to.push_back({"32", "cached datasets, made anew", [] {
                  return [] {
                    Dataset cached = counting(16).cache();
                    drain(cached), drain(cached);
                  };
                }});
  to.push_back({"34", "map with a closure over 256 KB, made anew", [] {
                  return [] {
                    drain(counting(4).map([big = ones({65536})](Batch b) {
                      b.x[0] = b.x[0] + slice(big, {0}, {16});
                      return b;
                    }));
                  };
                }});
  to.push_back({"n3", "prefetch with a bound in bytes", [] {
                  Dataset d = counting(64).prefetch(1000, 1024);
                  return [d] {
                    size_t before = memory::now().buffers;
                    data::Iterator it = d.open();
                    Batch b;
                    for (int i = 0; i < 32; ++i) {
                      it.next(b);
                      require(memory::now().buffers - before <= 1024 / 64 + 3, "more is fetched ahead than the bound allows");
                    }
                  };
                }});
}

}  // namespace tenure::leaks

// Models in loops: predict, eager calls, loading, saving, threads.
#include <filesystem>
#include <thread>

#include <unistd.h>

#include "leaks/catalogue.h"

namespace tenure::leaks {

void model_scenarios(std::vector<Scenario>& to) {
  to.push_back({"01", "predict", [] {
                  Model model = small_model();
                  Tensor x = ones({64, 8});
                  return [=] { model.predict(x); };
                }});
  to.push_back({"02", "predict with another batch size each call; 64 traces at most",
                [] {
                  Model model = small_model();
                  return [model, n = int64_t{0}]() mutable {
                    model.predict_on_batch(ones({1 + n++ % 90, 8}));
                    require(model.predict_function().cached() <= 64, "more than 64 traces are kept");
                  };
                },
                90, 180});
  to.push_back({"03", "an eager call", [] {
                  Model model = small_model();
                  Tensor x = ones({4, 8});
                  return [=] { model(x); };
                }});
  to.push_back({"14", "load_model", [] {
                  auto bytes = std::make_shared<std::vector<std::byte>>(model_bytes(small_model()));
                  return [=] { load_model(*bytes); };
                }});
  to.push_back({"15", "load_model and one call", [] {
                  auto bytes = std::make_shared<std::vector<std::byte>>(model_bytes(small_model()));
                  Tensor x = ones({2, 8});
                  return [=] { load_model (*bytes)(x); };
                }});
  to.push_back({"16", "save to a file", [] {
                  Model model = small_model();
                  std::string path = std::filesystem::temp_directory_path() / ("tenure-leaks-" + std::to_string(::getpid()) + ".keras");
                  return [=] {
                    model.save(path);
                    std::filesystem::remove(path);
                  };
                }});
  to.push_back({"17", "export of everything into memory, with a proof", [] {
                  Model model = small_model();
                  Tensor x = ones({2, 8});
                  return [=] { require(!model_bytes(model, {}, {x}).empty(), "an empty archive"); };
                }});
  to.push_back({"40", "a call from a new thread each time",
                [] {
                  Model model = small_model();
                  Tensor x = ones({4, 8});
                  return [=] { std::thread([&] { model(x); }).join(); };
                },
                40});
  to.push_back({"60", "a model fed with ever-changing shapes, then trim()",
                [] {
                  Model model = small_model();
                  return [model, n = int64_t{0}]() mutable {
                    model.predict_on_batch(ones({1 + n++ % 40, 8}));
                    memory::trim();
                  };
                },
                40, 40});
  to.push_back({"61", "a session: load, prepare, predict, drop", [] {
                  auto bytes = std::make_shared<std::vector<std::byte>>(model_bytes(small_model()));
                  Tensor x = ones({2, 8});
                  return [=] {
                    Model model = load_model(*bytes);
                    model.prepare({.shapes = {{2, 8}}});
                    model.predict_on_batch(x);
                  };
                }});
  to.push_back({"70a", "predict without any dispose()", [] {
                  Model model = small_model();
                  Tensor x = ones({1, 8});
                  return [=] { Tensor y = model.predict(x); };
                }});
  to.push_back({"70b", "predict in a scope that fails if anything escapes", [] {
                  Model model = small_model();
                  Tensor x = ones({1, 8});
                  model.predict(x);
                  return [=] {
                    memory::Scope tidy("tidy", {.on_escape = memory::OnEscape::fail});
                    model.predict(x);
                    tidy.close();
                  };
                }});
  to.push_back({"70c", "models that share a layer, made and dropped", [] {
                  Layer shared = layers::Dense{.units = 4};
                  Tensor x = ones({1, 8});
                  return [=] {
                    Model a = Sequential({layers::InputLayer{.shape = {8}}, shared}), b = Sequential({layers::InputLayer{.shape = {8}}, shared});
                    Tensor before = a(x);
                    a = Model();
                    require(Tensor(b(x)).size() == before.size(), "the shared layer died with the first model");
                  };
                }});
  to.push_back({"n1", "predict_on_batch; nothing waits for a collector", [] {
                  Model model = small_model();
                  return [=] {
                    size_t live = memory::now().live_bytes;
                    { Tensor y = model.predict_on_batch(ones({16, 8})); }
                    static thread_local int calls = 0;
                    if (++calls > 4) require(memory::now().live_bytes <= live, "bytes outlive the statement that dropped them");
                  };
                }});
  to.push_back({"n2", "8 MB dropped, then trim(): the pool keeps nothing", [] {
                  return [] {
                    ones({2 << 20}).release();
                    memory::trim();
                    require(memory::now().cached_bytes < 64_KiB, "trim() left free blocks");
                  };
                }});
}

}  // namespace tenure::leaks

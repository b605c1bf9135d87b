// tenure demo: the whole way once, from images on disk to an answered question.
#include "demo.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "terminal.h"

namespace cli {

using namespace tenure;
namespace fs = std::filesystem;

namespace {

void title(int step, const char* text) { fmt::print("\n{}. {}\n", step, text); }

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text << '\n'; }

int demo(DemoOptions o) {
  auto start = std::chrono::steady_clock::now();
  if (o.work.empty()) o.work = (fs::current_path() / "build/demo").string();
  fs::create_directories(o.work);
  BuildInfo b = build_info();
  fmt::print("Tenure {}: Keras for C++, with every tensor's lifetime accounted for\n{}, {}, {} threads; files in {}\n", b.version, b.kernels, b.isa,
             b.threads, o.work);
  DemoResult r;
  {
    title(0, "A file made by Keras");
    demo_keras_file(r);
    title(1, "Pictures");
    Model model = demo_training(o, r);
    title(4, "The question: does calling a model leak?");
    demo_question(o, model, r);
    title(5, "Can it see a leak?");
    demo_leak(model, r);
    title(6, "The ledger");
    memory::Snapshot s = memory::snapshot();
    std::string report = s.text() + "\n" + memory::peak().text() + "\nBalance sheet\n" + memory::balance().text() + "\n" + memory::audit().text();
    write_text(fs::path(o.work) / "memory.json", s.json());
    write_text(fs::path(o.work) / "memory.txt", report);
    fmt::print("{}", report);
  }
  memory::Now left = memory::now();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("\n────────────────────────────────────────────────────────────────────────────────────────\n");
  fmt::print("  Keras' file          largest difference {:.1e}\n", r.keras_difference);
  fmt::print("  trained on           {}\n", r.pictures);
  fmt::print("  accuracy             {:.2f} %, and {:.2f} % after saving and loading in a second process\n", 100 * r.accuracy,
             100 * r.reloaded_accuracy);
  fmt::print("  does calling leak?   {}: {} of {} ways end with the counts they began with\n", r.clean == r.ways ? "no" : "NOT SETTLED", r.clean,
             r.ways);
  fmt::print("  a planted leak       {}, {}\n", r.leak_found ? "found, its holder named" : "NOT FOUND",
             r.leak_gone ? "and gone when removed" : "NOT gone when removed");
  fmt::print("  a budget too small   {}\n", r.budget_kept ? "refused before the first write, weights unchanged" : "NOT KEPT");
  fmt::print("  at the end           {} live tensors, {} live bytes; {:.0f} seconds\n", left.tensors, left.live_bytes, seconds);
  fmt::print("  try next             {} memcheck {}/digits.keras\n", self_path(), o.work);
  fmt::print("                       {} mem plan {}/digits.keras --batch 32\n", self_path(), o.work);
  fmt::print("                       {} predict {}/digits.keras {}/pictures --top 3 | head\n", self_path(), o.work, o.work);
  return r.ok() && left.live_bytes == 0 ? 0 : 1;
}

}  // namespace

void demo_keras_file(DemoResult& r) {
  std::string model_path = shared_file("cnn.keras"), io = shared_file("cnn_io.npz");
  if (model_path.empty() || io.empty())
    throw Error(Code::NotFound, "demo: cnn.keras and cnn_io.npz are not beside the program (share/tenure) nor in tests/reference");
  Model model = load_model(model_path);
  VerifyReport v = verify(model, io);
  r.keras_difference = v.largest_difference;
  fmt::print("  {} written by Keras, {} parameters: loaded and run, max difference {:.1e}\n", fs::path(model_path).filename().string(),
             grouped(model.count_params()), v.largest_difference);
  if (!v.ok()) throw Error(Code::Internal, v.text());
}

void add_demo(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("demo", "The whole way once: load Keras' file, train on pictures, save, and answer the question");
  auto o = std::make_shared<DemoOptions>();
  c->add_option("--data", o->data, "Folder with MNIST's t10k-*.gz idx files; without it ten shapes are drawn");
  c->add_option("--work", o->work, "Folder for the files it makes (default build/demo)");
  c->add_flag("--peers", o->peers, "Measure TensorFlow live beside it (needs the Python environment of tools/setup python)");
  c->callback([=, &action] { action = [=] { return demo(*o); }; });
}

}  // namespace cli

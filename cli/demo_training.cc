// Steps 1 to 3: pictures on disk, a convolutional network trained on them, saved, loaded by a second process.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "demo.h"
#include "terminal.h"

namespace cli {

using namespace tenure;
namespace fs = std::filesystem;

namespace {

constexpr double kSplit = 0.15;
constexpr int64_t kBatch = 64;

std::string make_pictures(const DemoOptions& o, DemoResult& r) {
  fs::path folder = fs::path(o.work) / (o.data.empty() ? "shapes" : "digits");
  if (!fs::exists(folder)) {
    Progress bar(o.data.empty() ? "drawing ten shapes as PNG files" : "writing MNIST digits as PNG files");
    auto show = [&](int64_t done, int64_t total) { bar.show(done, total); };
    if (o.data.empty()) data::draw_glyphs(folder.string(), 6000, 1, show);
    else
      data::export_idx_as_png((fs::path(o.data) / "t10k-images-idx3-ubyte.gz").string(), (fs::path(o.data) / "t10k-labels-idx1-ubyte.gz").string(),
                              folder.string(), show);
    bar.finish(folder.string());
  } else {
    fmt::print("  pictures are there already: {}\n", folder.string());
  }
  // A name that does not change with the data, for the last screen's hint.
  std::error_code ignored;
  fs::remove(fs::path(o.work) / "pictures", ignored);
  fs::create_directory_symlink(folder, fs::path(o.work) / "pictures", ignored);
  r.pictures = o.data.empty() ? "6,000 drawn shapes (85 % / 15 %)" : "MNIST's 10,000 test digits (8,500 / 1,500)";
  return folder.string();
}

Dataset part(const std::string& folder, const char* subset) {
  data::ImageFolderOptions f;
  f.color_mode = "grayscale";
  f.image_size = {28, 28};
  f.seed = 1;
  f.validation_split = kSplit;
  f.subset = subset;
  return data::image_folder(folder, f).batch(kBatch).prefetch(4);
}

void show_predictions(const Model& model, const std::string& folder) {
  Dataset validation = part(folder, "validation");
  const std::vector<std::string>& names = validation.class_names();
  fmt::print("  top 3 of held-out pictures:\n");
  Batch first;
  data::Iterator it = validation.open();
  if (!it.next(first)) return;
  Tensor p = model.predict(first.x[0]);
  for (int64_t i = 0; i < std::min<int64_t>(5, p.dim(0)); ++i) {
    std::vector<int64_t> order(static_cast<size_t>(p.dim(1)));
    for (size_t k = 0; k < order.size(); ++k) order[k] = static_cast<int64_t>(k);
    auto at = [&](int64_t k) { return p.at(i * p.dim(1) + k); };
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return at(a) > at(b); });
    fmt::print("    it is {:<10}", names[static_cast<size_t>(first.y[0].at(i))]);
    for (size_t k = 0; k < 3; ++k) fmt::print("  {} {:.1f} %", names[static_cast<size_t>(order[k])], 100 * at(order[k]));
    fmt::print("\n");
  }
}

}  // namespace

Model demo_training(const DemoOptions& o, DemoResult& r) {
  std::string folder = make_pictures(o, r);

  fmt::print("\n2. Training\n");
  Model model = small_cnn({28, 28, 1}, 10, "digits");
  model.compile({.optimizer = optimizers::Adam{.learning_rate = 1e-3}, .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
  FitOptions f;
  f.epochs = 8;
  f.validation_data = ValidationData(part(folder, "validation"));
  model.fit(part(folder, "training"), f);
  r.accuracy = model.evaluate(part(folder, "validation"), {.verbose = 0})["accuracy"];

  fmt::print("\n3. Saving\n");
  std::string path = (fs::path(o.work) / "digits.keras").string();
  model.save(path);
  std::string command = shell_word(self_path()) + " evaluate " + shell_word(path) + " --data " + shell_word(folder) +
                        " --batch 64 --seed 1 --validation-split 0.15 --subset validation --json";
  auto result = nlohmann::json::parse(capture(command));
  r.reloaded_accuracy = result["accuracy"].get<double>();
  fmt::print("  {} saved; a second process loads it and finds accuracy {:.4f} (here {:.4f})\n", path, r.reloaded_accuracy, r.accuracy);
  show_predictions(model, folder);
  return model;
}

}  // namespace cli
